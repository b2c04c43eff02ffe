/** The tab Attributes: all of them, the search, strength, sources that differ, and where each value comes from. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, drop, lookUp, shot, start, stop, withPage } from "./browser.js";

before(start);
after(stop);

const panel = (page) => page.getByRole("tabpanel");
const row = (page, name) => panel(page).locator("dl.attributes > div").filter({ has: page.locator("dt", { hasText: name }) });
const open = async (page, email) => {
  await lookUp(page, email);
  await page.getByRole("tab", { name: "Attributes" }).click();
};

test("130 custom fields are all reachable, found and counted", withPage({}, async (page) => {
  const link = { email: `many.${process.pid}@example.com` };
  const fields = Object.fromEntries(Array.from({ length: 130 }, (_, at) => [`field_${String(at).padStart(3, "0")}`, `value ${at}`]));
  await drop("customer_record", [{ link, first_name: "Manny", custom_fields: fields }], link);
  await open(page, link.email);
  const custom = panel(page).locator("section.card").filter({ has: page.getByRole("heading", { name: /^Custom\b/ }) });
  await custom.getByText("100+").waitFor();
  await custom.getByRole("button", { name: "More of Custom" }).click();
  await custom.getByText("130", { exact: true }).waitFor();
  assert.deepEqual((await custom.locator(".value").allTextContents()).toSorted(), Object.values(fields).toSorted());
  const addresses = [];
  page.on("request", (request) => addresses.push(request.url()));
  await panel(page).getByLabel("Search attributes").fill("FIELD 129");
  await panel(page).getByText("1 attribute found").waitFor();
  assert.equal(await row(page, "Field 129").locator(".value").textContent(), "value 129");
  await panel(page).getByLabel("Search attributes").fill("value 12");
  await panel(page).getByText("11 attributes found").waitFor();
  await panel(page).getByLabel("Search attributes").fill("value");
  await panel(page).getByText("More than 100 attributes found").waitFor();
  await panel(page).getByRole("button", { name: "More", exact: true }).click();
  await panel(page).getByText("130 attributes found").waitFor();
  await panel(page).getByLabel("Search attributes").fill("zzz");
  await panel(page).getByText("No attributes match").waitFor();
  await accessible(page, "no attributes");
  await panel(page).getByLabel("Search attributes").fill("");
  await custom.getByText("130", { exact: true }).waitFor();
  // Names and values are personal data, and an address is logged.
  for (const address of addresses) assert.doesNotMatch(address, /field|129|value/i);
}));

test("attributes with a confidence are sorted by it, and show it", withPage({}, async (page) => {
  const link = { email: `strong.${process.pid}@example.com` };
  await drop("attributes", [{ link, attributes: { "interests.boots": { value: true, confidence: 0.4 }, "interests.denim": { value: true, confidence: 1.9 }, "interests.archery": true, "interests.bags": { value: true, confidence: 1.1 } } }], link);
  await open(page, link.email);
  const interests = panel(page).locator("section.card").filter({ has: page.getByRole("heading", { name: /^Interests/ }) });
  assert.deepEqual(await interests.locator("dt > span").allTextContents(), ["Denim", "Bags", "Boots", "Archery"]);
  assert.deepEqual(await interests.locator("meter").evaluateAll((meters) => meters.map(({ value, title }) => `${value} ${title}`)), ["1.9 1.9 of 2", "1.1 1.1 of 2", "0.4 0.4 of 2"]);
}));

test("sources that differ are marked, and each value names its source, time and file", withPage({}, async (page) => {
  const link = { email: `differ.${process.pid}@example.com` };
  await drop("attributes", [{ link, attributes: { "club.tier": "gold" }, updated_at: "2026-02-05T10:00:00Z" }], link, ({ attributes }) => attributes.club);
  await drop("attributes", [{ link, attributes: { "club.tier": "silver" }, updated_at: "2026-03-05T10:00:00Z" }], link, ({ attributes }) => attributes.club[0].value === "silver", "second");
  await open(page, link.email);
  const tier = row(page, "Tier");
  await tier.getByText("Sources differ").waitFor();
  await tier.getByText("second", { exact: true }).click();
  const origins = tier.locator(".origin");
  await tier.getByText(/^drop\/attributes\/second\//).waitFor();
  assert.equal(await origins.count(), 2);
  assert.match(await origins.nth(0).innerText(), /Source\s+second\s+Time\s+Mar 5, 2026, 10:00 AM\s+File\s+drop\/attributes\/second\/attributes-/);
  assert.match(await origins.nth(1).innerText(), /Other values\s+gold\s+Source\s+tests\s+Time\s+Feb 5, 2026, 10:00 AM\s+File\s+drop\/attributes\/tests\//);
  await row(page, "Orders").first().locator("summary").click();
  await row(page, "Orders").first().getByText("Computed from the history").waitFor();
  await accessible(page, "sources");
  await shot(page, "sources");
}));
