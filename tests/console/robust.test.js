/** The tab is never blank: values, languages and numbers of any kind; sections that fail alone; 10,000 random profiles. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, drop, lookUp, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";
import { profiles } from "./fuzz.js";

/** The gate renders fewer; `FUZZ_PROFILES=10000` renders them all. */
const PROFILES = Number(process.env.FUZZ_PROFILES ?? 500);

before(start);
after(stop);

const open = (page, name) => page.getByRole("tab", { name }).click();
const cell = (page, name) => page.getByRole("tabpanel").locator("dl.attributes > div").filter({ has: page.locator("dt", { hasText: name }) }).locator(".value");

test("fields that end in _at are shown as the file contains them, or as dates", withPage({}, async (page) => {
  const values = ["20260814", "20260814T093000Z", "2026-08-14T19:30+10:00[Australia/Sydney]", "2026-08-14T09:30:00,5Z", "2026-08-14T09:30:60Z", "2026-08-14 25:61", "12026-08-14", "+012026-08-14T00:00:00Z", "yesterday", "-"];
  for (const [at, value] of values.entries()) {
    const link = { email: `at${at}.${process.pid}@example.com` };
    await drop("customer_record", [{ link, first_name: `At${at}`, custom_fields: { renewed_at: value } }], link);
    await page.goto("about:blank");
    await page.goto(process.env.CONSOLE_API ?? "http://127.0.0.1:3000");
    await lookUp(page, link.email);
    await page.getByRole("heading", { level: 2, name: `At${at}` }).waitFor();
    await open(page, "Attributes");
    await cell(page, "Renewed at").waitFor();
    assert.notEqual(await cell(page, "Renewed at").innerText(), "", value);
  }
}));

test("attributes keep the digits that were sent", withPage({}, async (page) => {
  const link = { email: `digits.${process.pid}@example.com` };
  const numbers = { card_number: "9312345678901234567", pin_hint: "1042", year_joined: "2019", ratio: "0.1234567890123", tracking: "12345678901234567890123456789" };
  await drop("customer_record", [`{"link": ${JSON.stringify(link)}, "first_name": "Bigna", "custom_fields": {${Object.entries(numbers).map(([name, digits]) => `"${name}": ${digits}`).join(", ")}}}`], link);
  await lookUp(page, link.email);
  await open(page, "Attributes");
  for (const [name, digits] of Object.entries(numbers)) assert.equal(await cell(page, name[0].toUpperCase() + name.slice(1).replaceAll("_", " ")).innerText(), digits);
}));

for (const [lang, expected] of [["en_US", "Jan 19, 2025"], ["C", "19 Jan 2025"], ["POSIX", "19 Jan 2025"], ["en_US.UTF-8", "Jan 19, 2025"], ["de_DE@euro", "19.01.2025"], ["x", "19 Jan 2025"], ["tlh", "19 Jan 2025"], ["<b>", "19 Jan 2025"]]) {
  test(`the language of the page can be ${lang}`, withPage({}, async (page) => {
    await page.evaluate((lang) => { document.documentElement.lang = lang; }, lang);
    await lookUp(page, SAMPLE.email);
    await page.locator("customer-profile header time").getByText(expected).waitFor();
  }));
}

test("small prices and large amounts are exact, and unknown ones are shown as text", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  const order = (at, currency, price) => ({ id: `x.${at}`, type: "purchase", at: `2026-03-0${at}T10:00:00Z`, title: "Bought", identity: profile.id, purchase: { purchase_id: `P${at}`, currency, products: [{ price_paid: price, quantity: 1 }, { price_paid: price, quantity: 1 }] } });
  profile.history = { as_of: null, next: null, items: [order(9, "USD", "0.0000005"), order(8, "USD", "9007199254740993.01"), order(7, "JPY", "1000"), order(6, "KWD", "0.125"), order(5, "?!", "5.00"), order(4, "USD", "1e9")] };
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, SAMPLE.email);
  await open(page, "History");
  const totals = await page.locator(".card-head > .amount").allTextContents();
  assert.deepEqual(totals, ["$0.000001", "$18,014,398,509,481,986.02", "¥2,000", "KWD\u00a00.250", "10.00 ?!"]);
  await page.getByText("1e9 USD").first().waitFor();
}));

test("a section that fails is replaced, and the others stay", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  profile.summary.email = null;
  profile.history.items[1] = { ...profile.history.items[1], at: "2026-03-01T10:00:00Z", type: "purchase", purchase: { products: [5], fulfillments: [{ shipped_at: "12026-01-01" }], currency: 7 } };
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  const errors = page.evaluate(() => new Promise((resolve) => { document.querySelector("customer-profile").addEventListener("profile-error", ({ detail }) => resolve(String(detail.error)), { once: true }); }));
  await lookUp(page, SAMPLE.email);
  assert.match(await errors, /TypeError/);
  await page.getByText("This section cannot be shown").waitFor();
  assert.equal(await page.locator(".broken").count(), 1);
  for (const text of ["Overview", "Spend over time", "SMS"]) await page.getByRole("heading", { name: text }).waitFor();
  await page.getByLabel("New note").waitFor();
  await shot(page, "broken-section");
  for (const name of ["Attributes", "History", "Identities", "Summary"]) {
    await open(page, name);
    await page.waitForFunction(() => !document.querySelector("customer-profile").shadowRoot.querySelector("[role=tabpanel] .skeleton"));
    assert.ok((await page.getByRole("tabpanel").innerText()).length > 100, name);
  }
}));

/** Renders random profiles and returns what went wrong. */
async function render(page, seed, count, anyType) {
  return page.evaluate(async ([source, seed, count, anyType]) => {
    const { profile: next, linkPage, matches, outcome } = new Function(`return ${source}`)()(seed, anyType);
    const element = document.querySelector("customer-profile");
    const wrong = [];
    let profile;
    const fetched = globalThis.fetch;
    const respond = (address, method) => {
      if (method === "DELETE" || /\/links\?preview/.test(address)) return outcome();
      if (address.includes("/links")) return linkPage(profile);
      return address.includes("/lookup") ? profile : address.includes("include=matches") ? { ...profile, matches: matches() } : { items: [], next: null };
    };
    globalThis.fetch = async (address, { method } = {}) => new Response(JSON.stringify(respond(String(address), method)), { status: 200 });
    addEventListener("error", ({ message }) => wrong.push(message));
    addEventListener("unhandledrejection", ({ reason }) => wrong.push(String(reason?.stack ?? reason)));
    element.addEventListener("profile-error", ({ detail }) => anyType || wrong.push(String(detail.error.stack)));
    const root = element.shadowRoot;
    const loaded = async (place) => {
      for (let turns = 0; turns < 500 && root.querySelector(place)?.querySelector(".skeleton"); turns++) await new Promise((resolve) => setTimeout(resolve, turns && 5));
      if (root.querySelector(place)?.querySelector(".skeleton")) wrong.push(`${place} stays empty`);
    };
    for (let at = 0; at < count; at++) {
      profile = next();
      const shown = new Promise((resolve) => element.addEventListener("profile-loaded", resolve, { once: true }));
      element.lookup = { email: `${seed}.${at}@example.com` };
      const late = new Promise((resolve) => setTimeout(() => resolve("late"), 5000));
      if (await Promise.race([shown, late]) === "late") wrong.push("not shown");
      for (const tab of root.querySelectorAll("[role=tab]")) {
        tab.click();
        if (!root.querySelector("[role=tabpanel]").firstElementChild) wrong.push(`${tab.id} is blank`);
      }
      // The last tab is that of the identities.
      await loaded("[role=tabpanel]");
      for (const button of [...root.querySelectorAll(".identities .quiet")].slice(0, 3)) button.click();
      await loaded(".preview");
      if (root.querySelectorAll("[role=tab]").length !== 4) wrong.push("no tabs");
      if (wrong.length) return { wrong: wrong.slice(0, 3), profile: JSON.stringify(profile) };
    }
    globalThis.fetch = fetched;
    return undefined;
  }, [profiles.toString(), seed, count, anyType]);
}

for (const [name, share, anyType] of [["of the contract's shape", 0.8, false], ["with values of any type", 0.2, true]]) {
  test(`${Math.round(PROFILES * share)} random profiles ${name} are rendered without an exception`, async () => {
    // The page's policy forbids code from strings, so this page has its own.
    const context = await browser().newContext({ bypassCSP: true });
    const page = await context.newPage();
    await page.route("https://a.invalid/**", (route) => route.abort());
    await page.goto(process.env.CONSOLE_API ?? "http://127.0.0.1:3000");
    for (let done = 0; done < PROFILES * share; done += 200) {
      const wrong = await render(page, done + 1, Math.min(200, PROFILES * share - done), anyType);
      assert.equal(wrong, undefined, JSON.stringify(wrong)?.slice(0, 6000));
    }
    await context.close();
  });
}
