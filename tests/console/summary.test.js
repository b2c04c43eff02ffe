/** The tab Summary: what is on top, how old it is, and in which currency. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, drop, lookUp, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";

before(start);
after(stop);

const ago = (days) => new Date(Date.now() - days * 86_400_000).toISOString();
const heading = (page, name) => page.getByRole("tabpanel").getByRole("heading", { level: 3, name });
const card = (page, name) => page.getByRole("tabpanel").locator("section.card").filter({ has: page.getByRole("heading", { level: 3, name }) });

test("open orders are on top, with status, tracking and delivery", withPage({ allowed: ["https://parcels.example.com"] }, async (page) => {
  const link = { email: `open.${process.pid}@example.com` };
  const order = (number, days, more) => ({
    link, action_at: ago(days), type: "ecommerce", purchase_id: `o${number}`, order_number: `#${number}`, currency: "EUR",
    products: ["Scarf", "Hat", "Gloves", "Belt"].map((name) => ({ name, size: "L", color: "Navy", price_paid: "10.00", quantity: 1 })), ...more,
  });
  await drop("purchase", [
    order(1, 9, { status: "fulfilled", fulfillments: [{ status: "in_transit", carrier: "Parcel Post", tracking_number: "PP1", tracking_url: "https://parcels.example.com/PP1", shipped_at: ago(8) }] }),
    order(2, 3, { status: "processing" }),
    order(3, 5, { status: "fulfilled", fulfillments: [{ status: "delivered", delivered_at: ago(1) }] }),
    order(4, 4, { status: "cancelled" }),
    order(5, 200, { status: "processing" }),
  ], link, ({ history }) => history.items.length === 5);
  await lookUp(page, link.email);
  await page.getByRole("tabpanel").locator("section.card").first().getByRole("heading", { name: "Open orders" }).waitFor();
  const orders = page.locator(".order");
  assert.deepEqual(await orders.locator("strong").filter({ hasText: "Order" }).allTextContents(), ["Order #2", "Order #1"]);
  await orders.nth(0).getByText("Processing").waitFor();
  await orders.nth(0).getByText("1 more item").waitFor();
  await orders.nth(0).getByText("L · Navy · Quantity 1").first().waitFor();
  await orders.nth(1).getByText("In transit").waitFor();
  assert.equal(await orders.nth(1).getByRole("link", { name: "PP1" }).getAttribute("href"), "https://parcels.example.com/PP1");
  await accessible(page, "open orders");
  await shot(page, "open-orders");
}));

test("products, brands, categories, interests, attributes and subscriptions are those of the API", withPage({}, async (page) => {
  const { summary, attributes } = await profileOf(SAMPLE);
  await lookUp(page, SAMPLE.email);
  const products = card(page, "Top products");
  assert.deepEqual(await products.locator(".tiles a").allTextContents(), summary.top_products.map(({ product }) => product.name));
  await page.waitForFunction((count) => {
    const images = [...document.querySelector("customer-profile").shadowRoot.querySelectorAll(".tiles img")];
    for (const image of images) image.loading = "eager";
    return images.filter((image) => image.naturalWidth > 0).length === count;
  }, summary.top_products.length);
  for (const [title, names] of [["Top brands", summary.top_brands], ["Top categories", summary.top_categories]]) {
    const list = products.locator("div").filter({ has: page.locator("h4", { hasText: title }) }).last().locator("li");
    assert.deepEqual(await list.evaluateAll((items) => items.map((item) => item.firstChild.textContent)), names.map(({ name }) => name));
  }
  const strengths = await card(page, "Interests").locator("meter").evaluateAll((meters) => meters.map((meter) => meter.value));
  assert.deepEqual(strengths, attributes.interests.map(({ confidence }) => confidence));
  assert.deepEqual(strengths, strengths.toSorted((a, b) => b - a));
  assert.ok(strengths.length > 2);
  for (const [name, value] of [["Loyalty points", "2775"], ["City", "Portland"]]) {
    const row = card(page, "Key attributes").locator(".compact > div").filter({ hasText: name });
    assert.equal(await row.locator("dd").textContent(), value);
  }
  for (const [sign, name] of [["email", "Email"], ["sms", "SMS"]]) {
    const lists = card(page, name).locator(".lists li");
    assert.equal(await lists.count(), summary[sign].lists.length);
    for (const [at, list] of summary[sign].lists.entries()) assert.match(await lists.nth(at).textContent(), new RegExp(`^${list.name}.*Subscribed$`));
  }
}));

test("each section says how old its data is", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  profile.summary.as_of = "2026-01-02T03:04:05Z";
  profile.attributes_as_of = "2026-02-02T03:04:05Z";
  profile.history.as_of = "2026-03-02T03:04:05Z";
  profile.notes.as_of = "2026-04-02T03:04:05Z";
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, SAMPLE.email);
  const of = (name) => card(page, name).locator("h3 time").getAttribute("datetime");
  for (const name of ["Overview", "Top products", "Spend over time"]) assert.equal(await of(name), profile.summary.as_of);
  for (const name of ["Interests", "Key attributes"]) assert.equal(await of(name), profile.attributes_as_of);
  assert.equal(await of("Latest"), profile.history.as_of);
  assert.equal(await page.locator("section.notes h3 time").getAttribute("datetime"), profile.notes.as_of);
}));

test("the chart shows the currency most spent in, and offers the others", withPage({}, async (page) => {
  const link = { email: `money.${process.pid}@example.com` };
  const order = (month, currency, price) => ({ link, action_at: `2026-0${month}-15T10:00:00Z`, type: "ecommerce", purchase_id: `${currency}${month}`, currency, products: [{ price_paid: price, quantity: 1 }] });
  await drop("purchase", [order(1, "EUR", "10.00"), order(2, "EUR", "20.00"), order(3, "EUR", "30.50"), order(5, "JPY", "9000")], link, ({ history }) => history.items.length === 4);
  await lookUp(page, link.email);
  const spend = card(page, "Spend over time");
  await spend.getByText("Highest month: €30.50").waitFor();
  assert.deepEqual(await spend.getByRole("group", { name: "Currency" }).getByRole("button").allTextContents(), ["EUR", "JPY"]);
  await spend.getByRole("button", { name: "JPY" }).click();
  await spend.getByText("Highest month: ¥9,000").waitFor();
  assert.equal(await spend.getByRole("button", { name: "JPY" }).getAttribute("aria-pressed"), "true");
  await spend.getByText("As a table").click();
  assert.equal(await spend.locator("tbody tr").count(), 12);
  assert.equal(await spend.locator("td").first().textContent(), "¥9,000");
  await accessible(page, "currencies");
}));
