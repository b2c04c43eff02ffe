/** The view of the profiles that a search finds. No URL contains the text of the search. */

const KINDS = { order: "Order number", name: "Name", email: "Email", mobile: "Mobile", customer_id: "Customer ID" };
const PLACES = { identifier: "identifier", record: "customer record", event: "order" };
const HINTS = { other_system: "the same ID in another system", in_record: "customer record" };
const RELATIONSHIPS = { customer: "Customer", prospect: "Prospect" };

const shown = (value) => (value?.redacted ? "Hidden" : value);

function element(name, ...parts) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (tag === "button") node.type = "button";
  if (classes.length) node.className = classes.join(" ");
  node.append(...parts.flat().filter(Boolean));
  return node;
}

const alert = (...parts) => Object.assign(element("p", ...parts), { role: "alert" });

function button(text, onclick, style = "action") {
  const node = element(`button.${style}`, text);
  node.addEventListener("click", onclick);
  return node;
}

/** Why a profile was found. */
function reason({ kind, found_in: place, source, code, system }) {
  const where = code ? HINTS[code] : PLACES[place];
  return `${KINDS[kind] ?? kind}${where ? ` (${where}${source ? ` of ${source}` : shown(system) ? `: ${shown(system)}` : ""})` : ""}`;
}

/** One candidate: name, why it was found, identifiers, and the last order. */
function card({ id, name, identities, relationship, last_order_at: last, matched_by: matches, older_versions: older = [] }, open) {
  const values = identities.map(({ value }) => shown(value)).filter(Boolean);
  const day = last && new Date(last).toLocaleDateString("en", { dateStyle: "medium", timeZone: "UTC" });
  const lines = [
    `Found by: ${[...new Set(matches.map(reason))].join(", ")}`,
    values.slice(0, 4).join(" · ") + (values.length > 4 ? ` and ${values.length - 4} more` : ""),
    [RELATIONSHIPS[relationship], day && `last order ${day}`].filter(Boolean).join(" · "),
  ];
  const node = element("button.candidate", element("strong", shown(name) ?? values[0] ?? "Unknown customer"), lines.filter(Boolean).map((line) => element("span", line)));
  node.dir = "auto";
  node.addEventListener("click", () => open(id));
  return element("li", node, older.map(({ id: other }) => button("Open the profile that contains an older version of this order", () => open(other), "link")));
}

/** What a support agent can try if nothing is found. */
const advice = (needsCode) => [
  needsCode && "If this is a phone number, add the country code: +61 491 570 156 instead of 0491 570 156.",
  "Names match as a whole: first and last name, without case and accents. Parts of a name find nothing.",
  "New data can be found a few seconds after its import.",
].filter(Boolean).map((line) => element("li", line));

/** Why a search has failed, in words for a support agent. */
function failureText({ status, detail, request_id: id }) {
  if (status === 403) return detail ?? "You lack a permission.";
  if (status === 0) return "You are not connected. Try again when you are online.";
  return `Try again in a minute.${id ? ` If it fails again, report the request ID ${id}.` : ""}`;
}

/** A button that creates the profile of a customer who writes for the first time, and opens its note form. */
function creation(client, identifier, created) {
  // With the same key, a repeated request does not create a second profile.
  const key = crypto.getRandomValues(new BigUint64Array(2)).join("-");
  const problem = element("div");
  const create = button("Create a profile", async () => {
    create.disabled = true;
    const [profile, failure] = await client.send("POST", "/profiles", { body: { identifier }, headers: { "idempotency-key": key } });
    if (profile) return created(profile.id);
    create.disabled = false;
    problem.replaceChildren(alert(failure.type === "/problems/identity-erased" ? "This customer was erased. Ask an administrator if the customer wants to be stored again."
      : failure.status === 401 ? "Your session has expired. Sign in, then try again." : ["The profile was not created. ", failureText(failure)]));
    create.focus();
  });
  return [element("p.first", "Does this customer write for the first time?", create), problem];
}

/** Creates the view. `open` opens a profile, and `created` one that was just created. */
export function resultsView({ client, open, created }) {
  const main = element("section.results");
  main.lang = "en";
  main.append(element("p", "Enter an email, a phone number, an order number or a name above."));

  return {
    name: "results",
    title: "Results",
    isHidden: true,
    element: main,
    open: () => undefined,

    /** Shows that a search runs. */
    wait() {
      main.replaceChildren(Object.assign(element("p", "Searching…"), { role: "status" }));
      location.hash = "results";
    },

    /**
     * Shows what a search has found. `identifier` is that of a customer who can be created, `from` the number of candidates that were shown
     * before, and `again` repeats a search.
     */
    show({ text, needsCode, identifier, found: { candidates, rest, isPartial, failure }, from, more, again }) {
      const count = candidates.length;
      const title = element("h2", count ? `${rest.length || isPartial ? "More than " : ""}${count} ${count === 1 ? "customer matches" : "customers match"} “${text}”`
        : failure ? "The search failed" : `Nothing matches “${text}”`);
      title.tabIndex = -1;
      main.replaceChildren(title);
      if (failure) main.append(alert(count ? "A part of the search failed. " : "", failureText(failure)), button("Try again", again));
      if (count) main.append(element("ul", candidates.map((candidate) => card(candidate, open))));
      else if (!failure) main.append(element("ul.advice", advice(needsCode)));
      if (rest.length) {
        const next = button("More", () => {
          next.disabled = true;
          more({ candidates, rest });
        });
        main.append(next);
      }
      if (isPartial) main.append(element("p", "A search reads no more customers than these. Search for another value."));
      if (identifier && !failure) main.append(...creation(client, identifier, created));
      (from ? main.querySelectorAll(".candidate")[from] ?? title : title).focus();
    },
  };
}
