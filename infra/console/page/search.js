/**
 * The search box: takes an identifier, an order number or a name. It looks up the identifier that the text most likely is, and searches
 * for the other readings if nothing is found. Everything is sent in bodies, so that no URL contains the text.
 */

const HASHES = { 64: "email_sha256", 32: "email_md5" };
const SEARCHES = ["order", "name", "email", "mobile", "customer_id"];

/**
 * Returns how a text can be read: `lookup`, an identifier or a profile's ID, comes first, and `searches` follow. The API compares values in
 * their normal forms, so case and punctuation need no care here.
 */
export function readings(text) {
  const all = (...kinds) => kinds.map((kind) => ({ [kind]: text }));
  const isNumber = /^\+?[\d\s().\/-]{7,24}$/.test(text);
  if (text.startsWith("#")) return { searches: all("order") };
  if (/^[a-z2-7]{26}$/.test(text)) return { lookup: { id: text }, searches: all("customer_id", "order") };
  if (/^[0-9a-f]+$/i.test(text) && HASHES[text.length]) return { lookup: { [HASHES[text.length]]: text }, searches: all("customer_id", "order") };
  if (text.includes("@")) return { lookup: { email: text }, searches: all("email", "customer_id", "order") };
  if (isNumber) return { lookup: { mobile: text }, searches: all("mobile", "order", "customer_id") };
  if (/\p{L}.*\s.*\p{L}/u.test(text)) return { searches: all("name", "order") };
  return { lookup: { customer_id: text }, searches: all("order", "customer_id", "name") };
}

/** Returns how a text is read as the type that the support agent has selected. */
function selected(kind, text, system) {
  if (kind === "profile") return { lookup: { id: text }, searches: [] };
  const searches = SEARCHES.includes(kind) ? [{ [kind]: text }] : [];
  if (kind === "order" || kind === "name") return { searches };
  return { lookup: { [kind]: text, ...(system && { system_name: system }) }, searches, isExplicit: true };
}

/** Whether a new profile can be created under an identifier that was not found. A phone number needs its country code. */
function isCertain({ email, mobile } = {}, { hints = [] }, isExplicit) {
  if (mobile !== undefined) return /^\s*(\+|00)/.test(mobile) || (isExplicit && !hints.some(({ code }) => code === "country_code"));
  return email !== undefined || isExplicit === true;
}

/** Returns the profiles to which the hints of a lookup lead. */
function hinted({ hints = [] }) {
  return hints.filter(({ profile }) => profile).map(({ code, profile, identity }) => ({ id: profile, name: null, identities: [identity], matched_by: [{ kind: "customer_id", code, system: identity?.system_name }] }));
}

/**
 * Sends searches concurrently. Returns the profiles that they and `known` contain, each once and with every reason; `rest`, the searches
 * of the next pages; and the failures. A text that a search cannot read, such as a name without letters, finds nothing.
 */
export async function search(client, searches, known = []) {
  const found = await Promise.all(searches.map((body) => client.send("POST", "/profiles/search", { body })));
  const pages = found.map(([page]) => page ?? {});
  const candidates = new Map();
  for (const each of [...known, ...pages.flatMap(({ items = [] }) => items)]) {
    const other = candidates.get(each.id);
    if (other) candidates.set(each.id, { ...each, ...other, matched_by: [...other.matched_by, ...each.matched_by] });
    else candidates.set(each.id, each);
  }
  return {
    candidates: [...candidates.values()],
    rest: pages.flatMap(({ next }, at) => (next ? [{ ...searches[at], cursor: next }] : [])),
    isPartial: pages.some(({ partial }) => partial),
    failure: found.map(([, failure]) => failure).find((failure) => failure && failure.status !== 400),
  };
}

/** Connects the form with the view of one customer and the view of results. */
export function startSearch(form, { client, profile, results }) {
  const [value, kind, system] = ["value", "kind", "system"].map((name) => form.elements[name]);
  let turn;

  function fields() {
    system.closest("label").hidden = !["customer_id", "external_id"].includes(kind.value);
    system.required = kind.value === "external_id";
  }

  /** Whether the support agent has searched again or opened another view since. */
  const isOver = (asked) => asked !== turn || location.hash !== "#results";

  async function find(text) {
    const asked = (turn = {});
    const { lookup, searches, isExplicit } = kind.value ? selected(kind.value, text, system.value.trim()) : readings(text);
    const missing = lookup ? await profile.lookUp(lookup) : {};
    if (!missing || asked !== turn) return;
    // The view of the profile shows why.
    if ((isExplicit && missing.status === 400) || (lookup?.id && !searches.length)) return;
    results.wait();
    const found = await search(client, searches);
    if (isOver(asked)) return;
    if (found.failure?.status === 401) return profile.signIn(() => find(text));
    for (const each of hinted(missing)) if (!found.candidates.some(({ id }) => id === each.id)) found.candidates.push(each);
    const { candidates: [first, second], rest, isPartial, failure } = found;
    if (first && !second && !first.older_versions && !rest.length && !isPartial && !failure) return profile.replaceBy(first.id);
    const context = {
      text, again: () => find(text),
      needsCode: missing.hints?.some(({ code }) => code === "country_code") || (missing.status === 400 && lookup.mobile !== undefined),
      identifier: missing.status === 404 && isCertain(lookup, missing, isExplicit) ? lookup : undefined,
      more: async (before) => {
        const page = await search(client, before.rest, before.candidates);
        // A page that failed can be read again.
        if (!isOver(asked)) results.show({ ...context, found: page.failure ? { ...page, rest: before.rest } : page, from: before.candidates.length });
      },
    };
    results.show({ ...context, found });
  }

  kind.addEventListener("change", fields);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = value.value.trim();
    if (text) find(text);
  });
}
