/** The tab Identities: why an identity belongs to the profile; previews, links, separations and their undo; every kind of failure. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, api, drop, lookUp, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";

before(start);
after(stop);

let numbers = 0;

/** A new email address and a new mobile number. */
function fresh() {
  const id = `${process.pid}${Date.now() % 1e6}`.slice(-9) + numbers++;
  return { email: { email: `ident.${id}@example.com` }, mobile: { mobile: `614${id.slice(-8).padStart(8, "0")}` }, id };
}

const order = (link, id) => ({ link, action_at: "2026-05-03T10:00:00Z", type: "ecommerce", purchase_id: `p${id}`, order_number: `#${id}`, currency: "EUR", products: [{ name: "Scarf", price_paid: "10.00", quantity: 1 }] });

/** Two profiles of one customer: the record of the first one contains the mobile number that the second one has. */
async function twoProfiles() {
  const { email, mobile, id } = fresh();
  await drop("customer_record", [{ link: email, first_name: "Robin", last_name: `Reyes ${id}`, mobile: mobile.mobile }, { link: mobile, first_name: "R.", last_name: `Reyes ${id}`, mobile: mobile.mobile }], mobile);
  await drop("purchase", [order(email, `${id}1`), order(mobile, `${id}2`)], mobile, ({ summary }) => summary.orders === 1);
  return { email, mobile, name: `Robin Reyes ${id}` };
}

const panel = (page) => page.getByRole("tabpanel");
const card = (page, title) => panel(page).locator("section.card").filter({ has: page.getByRole("heading", { level: 3, name: title, exact: true }) });
const entry = (page, title, text) => card(page, title).locator(".identities > li").filter({ has: page.locator("strong").getByText(text, { exact: true }) });
const identity = (page, { email, mobile }) => entry(page, "Identities", email ?? mobile);
const notice = (page) => page.locator("customer-profile .banner.done");
const press = (place, name) => place.getByRole("button", { name, exact: true }).click();
const links = async (identifier) => (await api("GET", `/profiles/${(await profileOf(identifier)).id}/links`)).items;
const key = () => ({ "idempotency-key": crypto.randomUUID() });
const problem = (status, more = {}) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/x", title: "A title", status, detail: "A detail.", ...more }) });

async function openTab(page, { email, mobile }) {
  await lookUp(page, email ?? `+${mobile}`);
  await page.getByRole("tab", { name: "Identities" }).click();
  await loaded(page);
}

/** Waits until the panel has no place that is still being loaded. */
const loaded = (page) => page.waitForFunction(() => !document.querySelector("customer-profile").shadowRoot.querySelector("[role=tabpanel] .skeleton"));

/** The rows of a preview: label, now, after. */
const comparison = (page) => page.locator(".comparison tbody tr").evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.innerText.trim().replace(/\s+/g, " "))));

/** Fills in the reason and confirms. */
async function confirm(page, action, reason) {
  const form = page.locator("form:has(.proposal)");
  await form.locator(".comparison").waitFor();
  const submit = form.getByRole("button", { name: action, exact: true });
  if (reason) {
    assert.ok(await submit.isDisabled(), "a reason is needed");
    await form.getByLabel("Reason, for other support agents").fill(reason);
  }
  await submit.click();
}

/** From now on: method, path, body and headers of each request to the API. */
function watch(page) {
  const seen = [];
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.startsWith("/profiles")) seen.push({ method: request.method(), address: pathname + search, body: request.postDataJSON(), key: request.headers()["idempotency-key"] });
  });
  return seen;
}

test("a match is previewed, linked, and the link is undone", withPage({}, async (page) => {
  const { email, mobile, name } = await twoProfiles();
  const before = await profileOf(email);
  await openTab(page, email);
  const seen = watch(page);
  const match = card(page, "Possibly the same customer").locator(".identities > li");
  assert.equal(await match.count(), 1);
  await match.getByText("Mobile matches").waitFor();
  await match.getByRole("button", { name: /^Link/ }).click();
  await page.locator(".comparison").waitFor();
  const rows = Object.fromEntries((await comparison(page)).map(([label, ...values]) => [label, values]));
  assert.deepEqual(rows, {
    Name: [name, rows.Name[1]], Identities: ["1", "2 Changes"], Orders: ["1", "2 Changes"], "Total spend": ["€10.00", "€20.00 Changes"], Segments: rows.Segments, Notes: ["0", "0"], "Last order": ["May 3, 2026", "May 3, 2026"],
  });
  await match.getByText(`Joins this customer: ${mobile.mobile}`).waitFor();
  // A preview changes nothing.
  assert.deepEqual(await links(email), []);
  await accessible(page, "preview of a link");
  await shot(page, "link-preview");
  await confirm(page, "Link", "Same phone in the chat");
  await notice(page).getByText(/^Done: Link .* with this customer$/).waitFor();
  assert.ok(await notice(page).evaluate((node) => node === node.getRootNode().activeElement), "the notice has the focus");
  await identity(page, mobile).getByText(/Linked with .* by .*“Same phone in the chat”/).waitFor();
  await page.locator("customer-profile header").getByText(mobile.mobile).waitFor();
  await page.getByRole("tab", { name: "Identities", selected: true }).waitFor();
  assert.deepEqual((await links(email)).map(({ live, reason }) => ({ live, reason })), [{ live: true, reason: "Same phone in the chat" }]);
  assert.equal(new URL(page.url()).hash, `#profile=${before.id}`);
  await accessible(page, "linked");
  await shot(page, "linked");

  await press(notice(page), "Undo");
  await notice(page).getByText(/^Undone: Link/).waitFor();
  await identity(page, mobile).waitFor({ state: "detached" });
  assert.deepEqual(await links(email), []);
  const { as_of: _, ...after } = await profileOf(email);
  assert.deepEqual(JSON.stringify(after.summary), JSON.stringify(before.summary));
  for (const { address } of seen) assert.doesNotMatch(decodeURIComponent(address), new RegExp(`@|${mobile.mobile}|Reyes|chat`));
}));

test("every identity shows its file or the support agent with reason and time, and the way to it", withPage({}, async (page) => {
  const [one, two, three] = [fresh(), fresh(), fresh()];
  await drop("customer_record", [one.email, two.email, three.email].map((link) => ({ link, first_name: "Kim" })), three.email);
  await drop("unify", [{ records: [one.email, two.email] }], one.email, ({ identities }) => identities.length === 2, "crm");
  const { id } = await profileOf(two.email);
  await api("POST", `/profiles/${two.email && (await profileOf(two.email)).identities.find(({ value }) => value === two.email.email).id}/links`, { identifier: three.email, reason: "Told on the phone" }, key());
  await openTab(page, one.email);
  const text = async (who) => (await identity(page, who).locator(".reasons > li").allInnerTexts()).map((part) => part.replace(/\s+/g, " "));
  const date = "[A-Z][a-z]+ \\d+, \\d{4}, \\d+:\\d+ [AP]M";
  const file = (other) => new RegExp(`^Linked with ${other.email.email} by a file of crm ${date} · drop/unify/crm/unify-.*\\.ndjson$`);
  const agent = (other) => new RegExp(`^Linked with ${other.email.email} by .+ “Told on the phone” · ${date} Withdraw$`);
  assert.match((await text(one.email)).join(), file(two));
  const own = await text(two.email);
  assert.equal(own.length, 2);
  assert.ok(own.some((part) => file(one).test(part)) && own.some((part) => agent(three).test(part)), own.join("\n"));
  assert.match((await text(three.email)).join(), agent(two));
  // The way to an identity that is not linked with the profile's first one.
  const ways = await panel(page).getByText(/^Connected through/).allInnerTexts();
  const first = (await profileOf(one.email)).id;
  assert.deepEqual(ways, first === (await idOf(two.email)) ? [] : [`Connected through ${two.email.email}`]);
  await accessible(page, "reasons");
  await shot(page, "reasons");
  assert.ok(id);
}));

const idOf = async (identifier) => (await profileOf(identifier)).identities.find(({ value }) => value === Object.values(identifier)[0]).id;

test("an identity is separated, shown as separated with who and why, and put back", withPage({}, async (page) => {
  const { email, mobile } = await twoProfiles();
  await drop("unify", [{ records: [email, mobile] }], email, ({ identities }) => identities.length === 2, "crm");
  for (const shown of [email, mobile]) {
    // The customer stays, whichever identity is separated.
    await openTab(page, email);
    await identity(page, shown).getByRole("button", { name: /^Separate/ }).click();
    await page.locator(".comparison").waitFor();
    await identity(page, shown).getByText(`Leaves this customer: ${Object.values(shown)[0]}`).waitFor();
    await confirm(page, "Separate", "Father and son");
    await notice(page).getByText(/^Done: Separate/).waitFor();
    const rest = shown === email ? mobile : email;
    assert.deepEqual(await page.locator("customer-profile header .identifiers li > span:last-child").allInnerTexts(), [Object.values(rest)[0]]);
    await loaded(page);
    const separated = card(page, "Separated").locator(".identities > li");
    await separated.getByText("Separated by", { exact: false }).first().waitFor();
    const said = (await separated.innerText()).replace(/\s+/g, " ");
    for (const part of [email.email, mobile.mobile, "“Father and son”", "Files of crm link the two. The separation has precedence."]) assert.ok(said.includes(part), said);
    await accessible(page, "separated");
    await shot(page, "separated");
    assert.equal((await profileOf(email)).identities.length, 1);
    await press(notice(page), "Undo");
    await notice(page).getByText(/^Undone: Separate/).waitFor();
    await identity(page, shown).waitFor();
    assert.equal((await profileOf(email)).identities.length, 2);
    await card(page, "Separated").waitFor({ state: "detached" });
  }
  // A decision of an earlier day is withdrawn.
  await api("DELETE", `/profiles/${await idOf(email)}/identities/${await idOf(mobile)}`, { reason: "Two people" }, key());
  await openTab(page, mobile);
  await card(page, "Separated").getByRole("button", { name: /^Withdraw/ }).click();
  await page.locator(".comparison").waitFor();
  await card(page, "Separated").getByText("Joins this customer:").waitFor();
  await confirm(page, "Withdraw");
  await notice(page).getByText(/^Done: Withdraw the separation/).waitFor();
  await identity(page, email).waitFor();
  assert.equal((await profileOf(email)).identities.length, 2);
}));

test("an identity that the customer has told is linked", withPage({}, async (page) => {
  const { email, mobile } = fresh();
  await drop("customer_record", [{ link: email, first_name: "Alex" }], email);
  await openTab(page, email);
  const form = card(page, "Link another identity");
  await form.getByLabel("Email, phone with country code, or profile ID").fill("0491 570 156");
  await press(form, "Preview");
  await form.getByRole("alert").getByText(/country code/).waitFor();
  await form.getByLabel("Email, phone with country code, or profile ID").fill("h3xq7k2mzr5wnbv4jd6tpycafa");
  await press(form, "Preview");
  await form.getByRole("alert").getByText("Not found").waitFor();
  await form.getByLabel("Email, phone with country code, or profile ID").fill(`+${mobile.mobile.slice(0, 2)} (${mobile.mobile.slice(2, 5)}) ${mobile.mobile.slice(5)}`);
  await press(form, "Preview");
  await confirm(page, "Link", "Told on the phone");
  await notice(page).getByText(/^Done: Link/).waitFor();
  assert.deepEqual((await profileOf(mobile)).identities.length, 2);
}));

test("missing permissions, erased customers and changed links are explained, and nothing is lost", withPage({}, async (page) => {
  const { email, mobile } = await twoProfiles();
  await openTab(page, email);
  let preview, change;
  await page.route(/\/links(\?preview=true)?$/, (route) => {
    const given = route.request().url().includes("preview") ? preview : change;
    return route.request().method() === "POST" && given ? route.fulfill(given) : route.continue();
  });
  const match = card(page, "Possibly the same customer").locator(".identities > li");
  const link = () => match.getByRole("button", { name: /^Link/ }).click();
  const submit = match.locator("form").getByRole("button", { name: "Link", exact: true });
  preview = problem(403, { detail: "The token lacks the scope links:write." });
  await link();
  await match.getByRole("alert").getByText("The token lacks the scope links:write.").waitFor();
  await match.getByLabel("Reason, for other support agents").fill("Same phone");
  assert.ok(await submit.isDisabled());
  await accessible(page, "no permission");
  await shot(page, "no-links-write");
  preview = undefined;
  await match.getByRole("alert").getByRole("button", { name: "Try again" }).click();
  await page.locator(".comparison").waitFor();
  for (const [given, text] of [[problem(403, { detail: "The token lacks the scope links:write." }), "The token lacks the scope links:write."], [problem(409, { type: "/problems/identity-erased" }), "This customer was erased"],
    [problem(409, { detail: "Many customers may share it." }), "Many customers may share it."], [problem(500), "The service has a problem"]]) {
    change = given;
    await submit.click();
    await match.getByRole("alert").getByText(text).waitFor();
    assert.equal(await match.getByLabel("Reason, for other support agents").inputValue(), "Same phone");
    assert.ok(await submit.isEnabled());
  }
  await accessible(page, "failed link");
  change = undefined;
  await submit.click();
  await notice(page).getByText(/^Done/).waitFor();

  // Another support agent withdraws the decision, so that an undo must not withdraw a later one.
  await loaded(page);
  const [decision] = await links(email);
  await api("DELETE", `/profiles/${await idOf(email)}/links/${decision.id}`, undefined, { ...key(), "if-match": decision.etag });
  await api("POST", `/profiles/${await idOf(email)}/links`, { identifier: mobile, reason: "Decided again" }, key());
  await press(notice(page), "Undo");
  await notice(page).getByRole("alert").getByText("The links have changed").waitFor();
  assert.equal((await profileOf(email)).identities.length, 2);
  await accessible(page, "undo refused");
  await shot(page, "undo-refused");

  // The list still has the old entity tag.
  await identity(page, mobile).getByRole("button", { name: /^Withdraw/ }).click();
  await panel(page).getByRole("alert").getByText("The links have changed").waitFor();
  await identity(page, mobile).getByText("“Decided again”").waitFor();
  await identity(page, mobile).getByRole("button", { name: /^Withdraw/ }).click();
  await confirm(page, "Withdraw");
  await identity(page, mobile).waitFor({ state: "detached" });
  assert.equal((await profileOf(email)).identities.length, 1);
}));

test("without a connection, a change waits, and its repetition is the same request", withPage({}, async (page) => {
  const { email } = await twoProfiles();
  await openTab(page, email);
  const match = card(page, "Possibly the same customer").locator(".identities > li");
  await match.getByRole("button", { name: /^Link/ }).click();
  await page.locator(".comparison").waitFor();
  const seen = watch(page);
  const writes = () => seen.filter(({ method, address }) => method === "POST" && address.endsWith("/links"));
  // The API makes the change, but its response is lost.
  await page.route(/\/links$/, async (route) => {
    await route.fetch();
    await route.abort();
  }, { times: 1 });
  await match.getByLabel("Reason, for other support agents").fill("Same phone");
  const submit = match.locator("form").getByRole("button", { name: "Link", exact: true });
  await submit.click();
  await match.getByRole("alert").getByText("Not connected").waitFor();
  await accessible(page, "link without connection");
  await submit.click();
  await notice(page).getByText(/^Done/).waitFor();
  assert.equal(writes().length, 2);
  assert.equal(new Set(writes().map(({ key }) => key)).size, 1);
  await press(notice(page), "Undo");
  await notice(page).getByText(/^Undone/).waitFor();
  assert.deepEqual(await links(email), []);
}));

test("a double click makes one change, and another reason is another request", withPage({}, async (page) => {
  const { email } = await twoProfiles();
  await openTab(page, email);
  const seen = watch(page);
  const match = card(page, "Possibly the same customer").locator(".identities > li");
  await match.getByRole("button", { name: /^Link/ }).dblclick();
  await page.locator(".comparison").waitFor();
  assert.equal(await match.locator("form").count(), 1);
  const keys = () => seen.filter(({ method, address }) => method === "POST" && address.endsWith("/links")).map(({ key }) => key);
  await page.route(/\/links$/, (route) => (route.request().method() === "POST" ? route.fulfill(problem(500)) : route.continue()), { times: 1 });
  const submit = match.locator("form").getByRole("button", { name: "Link", exact: true });
  await match.getByLabel("Reason, for other support agents").fill("One");
  await submit.click();
  await match.getByRole("alert").waitFor();
  await match.getByLabel("Reason, for other support agents").fill("Two");
  await submit.dblclick();
  await notice(page).getByText(/^Done/).waitFor();
  assert.equal(keys().length, 2);
  assert.equal(new Set(keys()).size, 2);
  assert.deepEqual((await links(email)).map(({ reason }) => reason), ["Two"]);
}));

test("a canceled preview and a change of another customer are not shown later", withPage({}, async (page) => {
  const { email, mobile } = await twoProfiles();
  await openTab(page, email);
  const match = card(page, "Possibly the same customer").locator(".identities > li");
  const opener = match.getByRole("button", { name: /^Link .* with/ });
  let release;
  const hold = (pattern, method) => {
    const released = new Promise((resolve) => { release = resolve; });
    return page.route(pattern, async (route) => {
      if (route.request().method() !== method) return route.continue();
      await released;
      await route.continue();
    }, { times: 1 });
  };
  await hold(/preview=true/, "POST");
  await opener.click();
  await press(match, "Cancel");
  assert.ok(await opener.evaluate((node) => node === node.getRootNode().activeElement), "the focus is back");
  const answered = page.waitForResponse(/preview=true/);
  release();
  await (await answered).finished();
  assert.equal(await page.locator(".comparison").count(), 0);

  await opener.click();
  await match.getByLabel("Reason, for other support agents").fill("Same phone");
  await page.locator(".comparison").waitFor();
  await hold(/\/links$/, "POST");
  await match.locator("form").getByRole("button", { name: "Link", exact: true }).click();
  await lookUp(page, SAMPLE.email);
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  const changed = page.waitForResponse((response) => response.request().method() === "POST" && response.url().endsWith("/links"));
  release();
  await (await changed).finished();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  assert.equal(await notice(page).count(), 0);
  assert.equal((await profileOf(mobile)).identities.length, 2);
}));

/** The ID of a linked profile is the smallest ID of its identities: that of the profile shown, or that of the other profile. */
for (const [at, whose] of ["its own", "the other profile's"].entries()) {
  test(`what is being written stays when identities are linked under ${whose} ID`, withPage({}, async (page) => {
    const { email, mobile } = await twoProfiles();
    const profiles = [[await idOf(email), email], [await idOf(mobile), mobile]].sort();
    const [[id, shown], [otherId]] = at ? profiles.reverse() : profiles;
    const written = () => page.getByLabel("New note").inputValue();
    /** Does something, and waits until the element shows a profile. Returns the profile's ID. */
    const show = async (action) => {
      const loaded = page.evaluate(() => new Promise((resolve) => document.querySelector("customer-profile").addEventListener("profile-loaded", ({ detail }) => resolve(detail.id), { once: true })));
      await action();
      return loaded;
    };
    const refresh = () => page.evaluate(() => document.querySelector("customer-profile").refresh());
    await openTab(page, shown);
    await page.getByLabel("New note").fill("Half a note");
    // The other profile was on screen, without a draft.
    assert.equal(await show(() => lookUp(page, otherId)), otherId);
    assert.equal(await written(), "");
    await show(() => openTab(page, shown));
    assert.equal(await written(), "Half a note");
    await card(page, "Possibly the same customer").getByRole("button", { name: /^Link/ }).click();
    await confirm(page, "Link", "Same phone");
    await notice(page).getByText(/^Done/).waitFor();
    assert.equal(await written(), "Half a note");
    // A refresh reads the linked profile, and the undo stays.
    assert.equal(await show(refresh), profiles.map(([id]) => id).sort()[0]);
    await notice(page).getByRole("button", { name: "Undo" }).waitFor();
    assert.equal(await written(), "Half a note");
    // Without the link, only the profile that was shown has the draft.
    await show(() => notice(page).getByRole("button", { name: "Undo" }).click());
    assert.equal(await written(), "Half a note");
    assert.equal(await show(() => lookUp(page, otherId)), otherId);
    assert.equal(await written(), "");
    await show(() => lookUp(page, SAMPLE.email));
    assert.equal(await show(() => lookUp(page, id)), id);
    assert.equal(await written(), "Half a note");
  }));
}

test("what is being written stays when a linked profile is opened by either identity", withPage({}, async (page) => {
  const { email, mobile } = await twoProfiles();
  await openTab(page, email);
  await page.getByLabel("New note").fill("Half a note");
  await card(page, "Possibly the same customer").getByRole("button", { name: /^Link/ }).click();
  await confirm(page, "Link", "Same phone");
  await notice(page).getByText(/^Done/).waitFor();
  for (const identifier of [mobile, email]) {
    await lookUp(page, SAMPLE.email);
    await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
    assert.equal(await page.getByLabel("New note").inputValue(), "");
    await openTab(page, identifier);
    await page.locator("customer-profile header .identifiers").getByText(email.email).waitFor();
    assert.equal(await page.getByLabel("New note").inputValue(), "Half a note");
  }
}));

test("a match opens as the profile shown, until the page selects another customer", withPage({}, async (page) => {
  const { email, mobile } = await twoProfiles();
  await openTab(page, email);
  await card(page, "Possibly the same customer").getByRole("button", { name: /^Open profile/ }).click();
  await page.locator("customer-profile header .identifiers").getByText(mobile.mobile).waitFor();
  const hash = `#profile=${await idOf(mobile)}`;
  await page.waitForFunction((hash) => location.hash === hash, hash);
  await page.evaluate((lookup) => { document.querySelector("customer-profile").removeAttribute("profile"); document.querySelector("customer-profile").lookup = lookup; }, email);
  await page.locator("customer-profile header .identifiers").getByText(email.email).waitFor();
}));

test("all pages of links are reachable, and links that cannot be read are mentioned", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  const { items } = await api("GET", `/profiles/${profile.id}/links`);
  const cursors = [];
  await page.route(/\/links\?/, (route) => {
    const cursor = new URL(route.request().url()).searchParams.get("cursor");
    cursors.push(cursor);
    const at = Number(cursor ?? 0);
    return route.fulfill({ json: { items: items.slice(at, at + 1), next: at + 1 < items.length ? String(at + 1) : null, ...(at && { partial: true }) } });
  });
  await openTab(page, SAMPLE);
  await card(page, "Identities").getByText("Its links are not loaded yet.").first().waitFor();
  for (let at = 1; at < items.length; at++) {
    await Promise.all([page.waitForResponse(/\/links\?/), press(panel(page), "More links")]);
  }
  await panel(page).getByRole("button", { name: "More links" }).waitFor({ state: "detached" });
  assert.deepEqual(cursors, [null, ...items.slice(1).map((_, at) => String(at + 1))]);
  await panel(page).getByText("This customer has more links than can be read. Some are missing here.").waitFor();
  assert.equal(await panel(page).getByText("Its links are not loaded yet.").count(), 0);
  for (const { value } of profile.identities) await panel(page).locator("strong").getByText(value, { exact: true }).waitFor();
}));

test("links and matches that could not be read are read again", withPage({}, async (page) => {
  await page.route(/\/links\?|include=matches/, (route) => route.fulfill(problem(500)));
  await openTab(page, SAMPLE);
  await panel(page).getByRole("alert").nth(1).waitFor();
  await accessible(page, "no links");
  await page.unroute(/\/links\?|include=matches/);
  for (const count of [1, 0]) {
    await panel(page).getByRole("button", { name: "Try again" }).first().click();
    await page.waitForFunction((count) => document.querySelector("customer-profile").shadowRoot.querySelectorAll("[role=tabpanel] .failure").length === count, count);
  }
  await card(page, "Identities").getByText(/^Linked with/).first().waitFor();
  await panel(page).getByText("No other profiles found").waitFor();
}));

test("the module of the tab is loaded when the tab is opened, again after a failure", withPage({}, async (page) => {
  const modules = [];
  page.on("request", (request) => modules.push(...(request.url().match(/identities\.js/) ?? [])));
  await page.route("**/tab/identities.js*", (route) => route.abort(), { times: 1 });
  await lookUp(page, SAMPLE.email);
  assert.deepEqual(modules, []);
  await page.getByRole("tab", { name: "Identities" }).click();
  await panel(page).getByRole("alert").getByText("Not connected").waitFor();
  await press(panel(page), "Try again");
  await card(page, "Identities").waitFor();
  await loaded(page);
}));

test("hidden values stay hidden, also in labels", withPage({}, async (page) => {
  const redacted = { redacted: true };
  const profile = await profileOf(SAMPLE);
  const hide = (identities) => identities.map((identity) => ({ ...identity, value: redacted, ...(identity.system_name && { system_name: redacted }) }));
  const { items } = await api("GET", `/profiles/${profile.id}/links`);
  const pages = items.map((link) => ({ ...link, identities: hide(link.identities), reason: redacted, import: { ...link.import, file: redacted } }));
  Object.assign(pages[0], { source: "agents", live: false, counts: false, by: { subject: "agent-7" } });
  profile.name = redacted;
  profile.identities = hide(profile.identities);
  const candidate = { id: "m", name: redacted, identities: [{ id: "m", type: "email", value: redacted, shared: false }], relationship: "customer", last_order_at: null, matched_by: [{ kind: "name", found_in: "record", identity: "m" }] };
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await page.route("**/profiles/*?include=matches", (route) => route.fulfill({ json: { ...profile, matches: { items: [candidate], partial: true } } }));
  await page.route(/\/links\?/, (route) => route.fulfill({ json: { items: pages, next: null } }));
  await openTab(page, SAMPLE);
  await panel(page).getByText("Name and postcode match").waitFor();
  await panel(page).getByText("There may be more.").waitFor();
  await card(page, "Separated").getByText("by agent-7").waitFor();
  const html = await panel(page).evaluate((node) => node.outerHTML);
  assert.doesNotMatch(html, /\[object|undefined|NaN|minh|mokoena|1503555/i);
  await accessible(page, "hidden identities");
  await shot(page, "hidden-identities");
}));

const LOOKS = [1440, 768, 360].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme }))).concat({ width: 1280, dir: "rtl" }, { width: 360, dir: "rtl" }, { width: 360, lang: "de" });
let customer;
for (const { width, scheme, dir, lang } of LOOKS) {
  const what = [width, scheme, dir, lang].filter(Boolean).join("-");
  test(`previews and results, ${what}`, withPage({ width, height: width > 500 ? 900 : 740, scheme, locale: lang ?? "en-GB" }, async (page) => {
    customer ??= await twoProfiles();
    if (dir) await page.evaluate(() => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }));
    if (lang) await page.getByLabel("Language").selectOption(lang);
    await lookUp(page, customer.email.email, { tab: lang ? "Übersicht" : "Summary" });
    await page.getByRole("tab", { name: lang ? "Identitäten" : "Identities" }).click();
    await loaded(page);
    const fits = async (part) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wider <= 0, `${what} ${part}: ${wider} px too wide`);
      await accessible(page, `${what} ${part}`);
      await shot(page, `identities-${part}-${what}`);
    };
    await page.locator(".identities .row .row .quiet").click();
    await page.locator(".comparison").waitFor();
    await page.locator(".proposal input").fill("Same phone");
    await fits("preview");
    await page.locator(".proposal .primary").click();
    await notice(page).waitFor();
    await loaded(page);
    await fits("linked");
    await notice(page).getByRole("button").click();
    await page.locator("customer-profile .banner.done button").waitFor({ state: "detached" });
    await loaded(page);
  }));
}
