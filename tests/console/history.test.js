/** The tab History: accounts, orders in detail, general events, and one time zone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, allEvents, drop, lookUp, profileOf, SAMPLE, scrollToTheEnd, shot, start, stop, withPage } from "./browser.js";

before(start);
after(stop);

const panel = (page) => page.getByRole("tabpanel");
const open = async (page, email) => {
  await lookUp(page, email);
  await page.getByRole("tab", { name: "History" }).click();
};

test("the account filter is the API's", withPage({}, async (page) => {
  const { id, summary } = await profileOf(SAMPLE);
  assert.ok(summary.accounts.length > 1);
  await open(page, SAMPLE.email);
  for (const account of summary.accounts) {
    await page.getByLabel("Account").selectOption(account.id);
    await scrollToTheEnd(page);
    const wanted = (await allEvents(id, `&account=${encodeURIComponent(account.id)}`)).map((event) => event.id).toSorted();
    assert.ok(wanted.length > 0);
    assert.deepEqual((await page.locator("[data-event]").evaluateAll((nodes) => nodes.map((node) => node.dataset.event))).toSorted(), wanted);
  }
}));

test("an order shows number, status, tracking, size, color and variant; a general event its properties", withPage({ allowed: ["https://parcels.example.com"] }, async (page) => {
  const link = { email: `order.${process.pid}@example.com` };
  await drop("purchase", [{ link, action_at: "2026-05-03T10:00:00Z", type: "ecommerce", purchase_id: "p1", order_number: "#1042", status: "partially_fulfilled", currency: "USD",
    products: [{ name: "Rib Crew Knit", size: "M", color: "Navy", variant_title: "Tall", price_paid: "79.95", quantity: 1, full_price: "89.95", discount: "10.00" }],
    fulfillments: [{ status: "delivered", carrier: "Parcel Post", tracking_number: "TN-1", tracking_url: "https://parcels.example.com/TN-1", shipped_at: "2026-05-04T10:00:00Z", delivered_at: "2026-05-06T08:30:00Z" }, { status: "label_printed" }] }], link);
  await drop("event", [{ link, action_at: "2026-05-09T10:00:00Z", event_id: "e1", name: "points_earned", title: "Earned 80 points", properties: { points: 80, balance: 1480.5, tier: "gold" } }], link, ({ history }) => history.items.length === 2);
  await open(page, link.email);
  const order = panel(page).locator("li.card").filter({ hasText: "Order #1042" });
  for (const text of ["Partially fulfilled", "M · Navy · Tall · Quantity 1", "Delivered · Parcel Post · TN-1 · Delivered May 6, 2026, 8:30 AM", "Label printed"]) await order.getByText(text, { exact: true }).first().waitFor();
  assert.equal(await order.getByRole("link", { name: "TN-1" }).getAttribute("href"), "https://parcels.example.com/TN-1");
  const event = panel(page).locator("li.card").filter({ hasText: "Earned 80 points" });
  for (const text of ["Points 80", "Balance 1480.5", "Tier gold"]) await event.getByText(text, { exact: true }).waitFor();
  await accessible(page, "order");
  await shot(page, "order");
}));

test("dates and months are in the time zone of the profile, wherever the reader is", async () => {
  const link = { email: `zone.${process.pid}@example.com` };
  await drop("purchase", [{ link, action_at: "2026-06-30T22:30:00Z", type: "ecommerce", purchase_id: "z1", currency: "USD", products: [{ price_paid: "5.00", quantity: 1 }] }], link);
  const shown = async (timezone) => {
    let texts;
    await withPage({ timezone }, async (page) => {
      await lookUp(page, link.email);
      texts = [await page.locator("header .figures").innerText(), await panel(page).locator("figure .axis").textContent()];
      await page.getByRole("tab", { name: "History" }).click();
      texts.push(await panel(page).locator("h3.month").allTextContents(), await panel(page).locator("li.card time").first().textContent(), await panel(page).getByText("Times are in").first().textContent());
    })();
    return texts;
  };
  const [auckland, honolulu] = [await shown("Pacific/Auckland"), await shown("Pacific/Honolulu")];
  assert.deepEqual(auckland, honolulu);
  assert.deepEqual(auckland[2], ["June 2026"]);
  assert.equal(auckland[3], "Jun 30, 2026, 10:30 PM");
  assert.match(auckland[4], /Times are in UTC/);
});

test("times, months and the filter by date follow the stack's time zone", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  profile.summary.time_zone = "Australia/Sydney";
  profile.history.items = [{ ...profile.history.items[0], at: "2026-06-30T22:30:00Z" }];
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await open(page, SAMPLE.email);
  await panel(page).getByRole("heading", { name: "July 2026" }).waitFor();
  await panel(page).getByText("Jul 1, 2026, 8:30 AM").waitFor();
  await panel(page).getByText("Times are in Australia/Sydney.").waitFor();
  const asked = page.waitForRequest((request) => request.url().includes("from="));
  await page.getByLabel("From").fill("2026-07-01");
  assert.equal(new URL((await asked).url()).searchParams.get("from"), "2026-07-01");
}));

test("the entities of an email are decoded", withPage({}, async (page) => {
  const link = { email: `entities.${process.pid}@example.com` };
  const body = "<p>Caf&eacute; &amp; cr&egrave;me br&ucirc;l&eacute;e &ndash; &euro;5&nbsp;off &hellip; it&#146;s &#x2665; &lt;b&gt; &Scaron;koda &unknown;</p>";
  await drop("email_send", [{ link, action_at: "2026-05-09T10:00:00Z", email_id: "m1", subject: "Hello", body }], link);
  await open(page, link.email);
  await panel(page).getByText("Show email").click();
  await panel(page).getByText("Café & crème brûlée – €5 off … it’s ♥ <b> Škoda &unknown;").waitFor();
}));
