/** The search box: anything that a support agent has finds the customer, candidates, or advice; and no URL contains it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, API, api, drop, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";
import { readings } from "../../infra/console/page/search.js";

before(start);
after(stop);

const problem = (status, more = {}) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/x", title: "A title", status, detail: "A detail.", request_id: "r-1", ...more }) });
const results = (page) => page.locator(".results");
const candidates = (page) => results(page).locator(".candidate");
const heading = (page, text) => results(page).getByRole("heading", { level: 2, name: text });
const shown = (page, name) => page.getByRole("heading", { level: 2, name }).waitFor();

async function find(page, text, { kind = "", system } = {}) {
  await page.locator("#kind").selectOption(kind);
  if (system) await page.locator("#system").fill(system);
  await page.getByLabel("Find a customer").fill(text);
  await page.getByRole("button", { name: "Look up" }).click();
}

let numbers = 0;
const fresh = () => `${process.pid}${Date.now() % 1e6}`.slice(-8) + numbers++;
const order = (link, number, day = "03") => ({ link, action_at: `2026-05-${day}T10:00:00Z`, type: "ecommerce", purchase_id: `id-${number}`, order_number: `#${number}`, currency: "EUR", products: [{ name: "Scarf", price_paid: "10.00", quantity: 1 }] });

test("a text is read as what it most likely is", () => {
  const kinds = (text) => {
    const { lookup = {}, searches } = readings(text);
    return [Object.keys(lookup)[0], ...searches.map((body) => Object.keys(body)[0])].join(" ");
  };
  const cases = {
    "jane@example.com": "email email customer_id order", "0491 570 156": "mobile mobile order customer_id", "+61 (491) 570-156": "mobile mobile order customer_id", "00 61 491 570 156": "mobile mobile order customer_id",
    "#1042": " order", 1042: "customer_id order customer_id name", C100000: "customer_id order customer_id name", "Jane Doe": " name order", "O'Brien, Mateo": " name order", h3xq7k2mzr5wnbv4jd6tpycafa: "id customer_id order",
    "b0baee9d279d34fa1dfd71aadb908c3f": "email_md5 customer_id order",
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(kinds(text), expected, text);
});

test("an order number, a name, an ID, an email and a phone as people write it open the customer", withPage({}, async (page) => {
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  const { id, history } = await profileOf(SAMPLE);
  const { order_number: number, purchase_id: purchase } = history.items.find(({ type }) => type === "purchase").purchase;
  const link = { email: `typed.${fresh()}@example.com` };
  const typed = fresh();
  await drop("customer_record", [{ link, first_name: "Zoé", last_name: `Ångström ${typed}`, customer_id: `K${typed}` }], link);
  await drop("purchase", [order(link, typed)], link, ({ history: { items } }) => items.length === 1);
  const texts = [[` ${number}`, "Minh Mokoena"], [number.slice(1), "Minh Mokoena"], [purchase, "Minh Mokoena"], [purchase.toLowerCase(), "Minh Mokoena"], ["minh MOKOENA", "Minh Mokoena"], ["Mokoena, Minh", "Minh Mokoena"], [id, "Minh Mokoena"],
    ["+1 (503) 555-0000", "Minh Mokoena"], ["00 1 503 555 0000", "Minh Mokoena"], ["1 503 555 0000", "Minh Mokoena"], ["C100000", "Minh Mokoena"],
    [`#${typed}`, `Zoé Ångström ${typed}`], [`zoe angstrom ${typed}`, `Zoé Ångström ${typed}`], [`K${typed}`, `Zoé Ångström ${typed}`], [link.email.toUpperCase(), `Zoé Ångström ${typed}`]];
  for (const [text, name] of texts) {
    await page.goto("about:blank");
    await page.goto(`${API}/`);
    await find(page, text);
    await shown(page, name).catch((error) => assert.fail(`${text}: ${error.message}`));
    assert.match(new URL(page.url()).hash, /^#profile=[a-z2-7]{26}$/);
  }
  for (const address of addresses) assert.doesNotMatch(decodeURIComponent(address), new RegExp(`mokoena|angstrom|ångström|503|@|c100000|u4000000|${typed}|${number.slice(1)}$`, "i"), address);
}));

test("several customers are shown with the reasons, and one is opened; back leads to the results", withPage({}, async (page) => {
  const id = fresh();
  const links = [1, 2].map((at) => ({ email: `same.${at}.${id}@example.com` }));
  await drop("customer_record", links.map((link, at) => ({ link, first_name: "Sam", last_name: `Same${id}`, customer_id: `S${id}${at}` })), links[1]);
  await drop("purchase", [order(links[0], id)], links[0], ({ history: { items } }) => items.length === 1);
  await find(page, `Sam Same${id}`);
  await heading(page, `2 customers match “Sam Same${id}”`).waitFor();
  assert.ok(await heading(page, /match/).evaluate((node) => node === document.activeElement));
  for (const link of links) {
    const text = await candidates(page).filter({ hasText: link.email }).innerText();
    assert.match(text, /^Sam Same\d+\nFound by: Name \(customer record of tests\)\n/);
  }
  assert.match(await candidates(page).filter({ hasText: links[0].email }).innerText(), /Customer · last order May 3, 2026/);
  assert.equal(new URL(page.url()).hash, "#results");
  await accessible(page, "results");
  await shot(page, "results");
  await candidates(page).filter({ hasText: links[1].email }).click();
  await page.locator("customer-profile header .identifiers").getByText(links[1].email).waitFor();
  await page.goBack();
  await heading(page, /2 customers match/).waitFor();
  // The same text can be an order number and a customer ID.
  const other = { email: `id.${id}@example.com` };
  await drop("customer_record", [{ link: other, first_name: "Ida", customer_id: id }], other);
  await find(page, id, {});
  await heading(page, `2 customers match “${id}”`).waitFor();
  await candidates(page).filter({ hasText: "Found by: Order number (order)" }).waitFor();
  await candidates(page).filter({ hasText: "Found by: Customer ID (customer record of tests)" }).waitFor();
}));

test("an order that two customers have is found with its older version", withPage({}, async (page) => {
  const id = fresh();
  const links = [1, 2].map((at) => ({ email: `older.${at}.${id}@example.com` }));
  for (const link of links) await drop("purchase", [order(link, id)], link, ({ history: { items } }) => items.length === 1);
  await find(page, `#${id}`);
  await heading(page, `1 customer matches “#${id}”`).waitFor();
  await candidates(page).filter({ hasText: links[1].email }).waitFor();
  await accessible(page, "older version");
  await results(page).getByRole("button", { name: "Open the profile that contains an older version of this order" }).click();
  await page.locator("customer-profile header .identifiers").getByText(links[0].email).waitFor();
}));

test("an ID is found without its system, and hints lead to the profile", withPage({}, async (page) => {
  await find(page, "C100000", { kind: "customer_id" });
  await shown(page, "Minh Mokoena");
  await page.goBack();
  // Hints alone are enough: the search for the ID finds nothing here.
  await page.route("**/profiles/search", (route) => route.fulfill({ json: { items: [], next: null } }));
  await find(page, "C100000");
  await shown(page, "Minh Mokoena");
  const identity = { id: "h3xq7k2mzr5wnbv4jd6tpycafa", type: "customer_id", value: "1042", system_name: "shop", shared: false };
  const hints = [{ code: "other_system", profile: identity.id, identity }, { code: "in_record", profile: "k3xq7k2mzr5wnbv4jd6tpycafa", identity: { ...identity, type: "email", value: "jane@example.com", system_name: undefined } }];
  await page.route("**/profiles/lookup", (route) => route.fulfill(problem(404, { type: "/problems/profile-not-found", hints })));
  await find(page, "1042");
  await heading(page, "2 customers match “1042”").waitFor();
  await candidates(page).filter({ hasText: "Found by: Customer ID (the same ID in another system: shop)" }).waitFor();
  await candidates(page).filter({ hasText: "Found by: Customer ID (customer record)" }).waitFor();
  await accessible(page, "hints");
}));

test("a phone number without country code is explained, and other readings are tried", withPage({}, async (page) => {
  const advice = results(page).getByText("add the country code", { exact: false });
  for (const text of ["0491 570 199", "(0491) 570/199", "491570199123"]) {
    await find(page, text);
    await heading(page, `Nothing matches “${text}”`).waitFor();
    await advice.waitFor();
    assert.equal(await results(page).getByRole("button", { name: "Create a profile" }).count(), 0, "the number is not complete");
  }
  await accessible(page, "country code");
  await shot(page, "country-code");
  const number = `04${fresh().slice(-8)}`;
  const link = { email: `reading.${number}@example.com` };
  await drop("customer_record", [{ link, first_name: "Nummer" }], link);
  await drop("purchase", [order(link, number)], link, ({ history: { items } }) => items.length === 1);
  await find(page, number);
  await shown(page, "Nummer");
}));

test("a first-time writer gets a profile and a note in two clicks", withPage({}, async (page) => {
  const seen = [];
  page.on("request", (request) => seen.push(request));
  for (const [text, identifier] of [[`first.${fresh()}@example.com`, (text) => ({ email: text })], [`+61 ${fresh().slice(-9).padStart(9, "4")}`, (text) => ({ mobile: text })]]) {
    await find(page, text);
    await heading(page, `Nothing matches “${text}”`).waitFor();
    await accessible(page, "first-time writer");
    await shot(page, "first-time-writer");
    await results(page).getByRole("button", { name: "Create a profile" }).click();
    await page.waitForFunction(() => document.querySelector("customer-profile")?.shadowRoot.activeElement?.ariaLabel === "New note");
    await page.keyboard.type("Asks about a repair");
    await page.getByRole("button", { name: "Add note" }).click();
    await page.getByText("Saving…").waitFor({ state: "detached" });
    const { id } = await profileOf(identifier(text));
    assert.equal(new URL(page.url()).hash, `#profile=${id}`);
    const notes = await api("GET", `/profiles/${id}/notes`);
    assert.deepEqual(notes.items.map((note) => note.text), ["Asks about a repair"]);
  }
  for (const request of seen) assert.doesNotMatch(decodeURIComponent(request.url()), /first\.|@|\+61/);
}));

test("a profile that could not be created: permission, erased customer, no connection", withPage({}, async (page) => {
  const email = `refused.${fresh()}@example.com`;
  let given;
  const keys = [];
  await page.route(/\/profiles$/, async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (given === "lost") {
      await route.fetch();
      return route.abort();
    }
    return given ? route.fulfill(given) : route.continue();
  });
  await find(page, email);
  const create = results(page).getByRole("button", { name: "Create a profile" });
  await create.waitFor();
  for (const [answer, text] of [[problem(403, { detail: "The token lacks the scope profiles:write." }), "The token lacks the scope profiles:write."], [problem(409, { type: "/problems/identity-erased" }), "This customer was erased."],
    [problem(401), "Your session has expired."], [problem(500), "report the request ID r-1"], ["lost", "You are not connected."]]) {
    given = answer;
    await create.click();
    await results(page).getByRole("alert").getByText(text).waitFor();
    assert.ok(await create.isEnabled());
  }
  await accessible(page, "not created");
  given = undefined;
  await create.click();
  await page.getByLabel("New note").waitFor();
  assert.equal(new Set(keys).size, 1, "a repetition is the same request");
}));

test("a new profile that is not readable yet is read again", withPage({}, async (page) => {
  const email = `early.${fresh()}@example.com`;
  await find(page, email);
  await page.route(/\/profiles\/[a-z2-7]{26}$/, (route) => route.fulfill(problem(404, { type: "/problems/profile-not-found" })), { times: 1 });
  await results(page).getByRole("button", { name: "Create a profile" }).click();
  await page.waitForFunction(() => document.querySelector("customer-profile")?.shadowRoot.activeElement?.ariaLabel === "New note");
}));

test("more results are shown on request, each customer once, and a failed page can be read again", withPage({}, async (page) => {
  const item = (at) => ({ id: `h3xq7k2mzr5wnbv4jd6tpyca${String.fromCharCode(97 + at)}a`, name: at === 1 ? { redacted: true } : `Jane ${at}`, identities: [{ id: "x", type: "email", value: `jane.${at}@example.com`, shared: false }], relationship: null, last_order_at: null, matched_by: [{ kind: "name", found_in: "record", identity: "x", source: "crm" }] });
  let failing = true;
  await page.route("**/profiles/search", (route) => {
    const { name, cursor } = route.request().postDataJSON();
    if (!name) return route.fulfill({ json: { items: cursor ? [] : [{ ...item(0), matched_by: [{ kind: "order", found_in: "event", identity: "x" }] }], next: null } });
    if (!cursor) return route.fulfill({ json: { items: [item(0), item(1)], next: "c" } });
    if (failing) return route.fulfill(problem(500));
    return route.fulfill({ json: { items: [item(1), item(2)], next: null, partial: true } });
  });
  await find(page, "Jane Doe");
  await heading(page, "More than 2 customers match “Jane Doe”").waitFor();
  await candidates(page).filter({ hasText: "Found by: Name (customer record of crm), Order number (order)" }).waitFor();
  await candidates(page).filter({ hasText: "Hidden" }).waitFor();
  const more = results(page).getByRole("button", { name: "More", exact: true });
  await more.click();
  await results(page).getByRole("alert").getByText("A part of the search failed.").waitFor();
  assert.equal(await candidates(page).count(), 2);
  await accessible(page, "a part failed");
  failing = false;
  await more.click();
  await heading(page, "More than 3 customers match “Jane Doe”").waitFor();
  assert.ok(await candidates(page).nth(2).evaluate((node) => node === document.activeElement), "the first new one has the focus");
  await results(page).getByText("A search reads no more customers than these.").waitFor();
  assert.equal(await more.count(), 0);
  await accessible(page, "all results");
}));

test("a search that fails says why, and can be repeated", withPage({}, async (page) => {
  let given;
  await page.route("**/profiles/search", (route) => (given === "lost" ? route.abort() : given ? route.fulfill(given) : route.continue()));
  for (const [answer, text] of [[problem(403, { detail: "The token lacks the scope profiles:read." }), "The token lacks the scope profiles:read."], [problem(500), "report the request ID r-1"], ["lost", "You are not connected."]]) {
    given = answer;
    await find(page, "Minh Mokoena");
    await heading(page, "The search failed").waitFor();
    await results(page).getByRole("alert").getByText(text).waitFor();
  }
  await accessible(page, "failed search");
  await shot(page, "failed-search");
  given = undefined;
  await results(page).getByRole("button", { name: "Try again" }).click();
  await shown(page, "Minh Mokoena");
  // A lookup that fails is shown by the profile; the search ends.
  await page.route("**/profiles/lookup", (route) => route.fulfill(problem(500)), { times: 1 });
  await find(page, "C100000");
  await page.getByRole("alert").getByText("The service has a problem").waitFor();
  assert.equal(new URL(page.url()).hash.startsWith("#results"), false);
}));

test("signed out: the page asks for a token, and searches again", withPage({}, async (page) => {
  await page.route("**/profiles/**", (route) => (route.request().headers().authorization === "Bearer an-agent" ? route.continue({ headers: { ...route.request().headers(), authorization: "" } }) : route.fulfill(problem(401))));
  await find(page, "Minh Mokoena");
  await page.getByLabel("Bearer token of a support agent").fill("an-agent");
  await page.getByRole("button", { name: "Use token" }).click();
  await shown(page, "Minh Mokoena");
}));

test("a slow search does not replace what was opened since", withPage({}, async (page) => {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await page.route("**/profiles/search", async (route) => {
    if (route.request().postDataJSON().name === "Sam Slow") await released;
    await route.continue();
  });
  await find(page, "Sam Slow");
  await results(page).getByText("Searching…").waitFor();
  await page.getByRole("navigation", { name: "Sample customers" }).getByRole("button", { name: /^Siobhan Byrne/ }).click();
  await shown(page, "Siobhan Byrne");
  await find(page, "Minh Mokoena");
  await shown(page, "Minh Mokoena");
  const answered = page.waitForResponse((response) => response.request().postDataJSON()?.name === "Sam Slow");
  release();
  await (await answered).finished();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
  await shown(page, "Minh Mokoena");
  assert.match(page.url(), /#profile=/);
}));

test("markup in a search and in its results stays text", withPage({}, async (page) => {
  const evil = "<img src=x onerror=alert(1)> <b>Bold</b>";
  const item = { id: "h3xq7k2mzr5wnbv4jd6tpycafa", name: evil, identities: [{ id: "x", type: "email", value: evil, shared: false }], relationship: evil, last_order_at: evil, matched_by: [{ kind: evil, found_in: evil, identity: "x", source: evil }] };
  await page.route("**/profiles/search", (route) => route.fulfill({ json: { items: [item, { ...item, id: "k3xq7k2mzr5wnbv4jd6tpycafa", identities: [], name: null }], next: null } }));
  await find(page, evil);
  await heading(page, `2 customers match “${evil}”`).waitFor();
  assert.equal(await results(page).locator("img, b").count(), 0);
  await candidates(page).filter({ hasText: "Unknown customer" }).waitFor();
}));

for (const { width, scheme, dir } of [1440, 768, 360].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme }))).concat({ width: 1280, dir: "rtl" }, { width: 360, dir: "rtl" })) {
  const what = [width, scheme, dir].filter(Boolean).join("-");
  test(`results, ${what}`, withPage({ width, height: width > 500 ? 900 : 740, scheme }, async (page) => {
    if (dir) await page.evaluate(() => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }));
    const fits = async (part) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wider <= 0, `${what} ${part}: ${wider} px too wide`);
      await accessible(page, `${what} ${part}`);
      await shot(page, `search-${part}-${what}`);
    };
    const { items } = await api("POST", "/profiles/search", { name: "Minh Mokoena" });
    await page.route("**/profiles/search", (route) => route.fulfill({ json: { items: route.request().postDataJSON().name === "Jane Doe" ? [...items, { ...items[0], id: "h3xq7k2mzr5wnbv4jd6tpycafa", name: "Jane Doe" }] : [], next: null } }));
    await find(page, "Jane Doe");
    await candidates(page).nth(1).waitFor();
    await fits("results");
    await find(page, "stranger@example.com");
    await results(page).getByRole("button", { name: "Create a profile" }).waitFor();
    await fits("nothing");
  }));
}
