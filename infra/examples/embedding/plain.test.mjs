/** The cards and the endpoint for Plain, against an imitation of the API. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { toPlainCards, toPlainComponents } from "./plain-cards.mjs";
import { createCardServer, isSigned } from "./plain-server.mjs";

const REDACTED = { redacted: true };
const PROFILE = {
  id: "ewne77padfaw5zdqqo62n342qi",
  name: "Jane Doe",
  summary: {
    relationship: "customer", orders: 23, total_spend: [{ currency: "USD", amount: "4329.78" }, { currency: "AUD", amount: "10.00" }],
    last_order_at: "2026-08-31T12:52:11Z", segments: ["active", "vip"], email: { status: "subscribed" }, sms: { status: null },
    open_orders: [{
      type: "purchase", at: "2026-08-31T12:52:11Z",
      purchase: { order_number: "#1042", status: "shipped", fulfillments: [{ tracking_url: "https://track.example/1" }, { tracking_url: "javascript:alert(1)" }] },
    }],
    top_products: [{ id: "P1", product: { name: "Mug" } }, { id: "P2" }],
  },
  notes: { items: [{ text: "Prefers email", pinned: true }, { text: "Old", pinned: false }] },
};

/** The texts of components in reading order. */
const texts = (components) => components.flatMap((component) => {
  const [[name, value]] = Object.entries(component);
  if (name === "componentRow") return [[...texts(value.rowMainContent), ...texts(value.rowAsideContent)].join(": ")];
  return [value.text ?? value.badgeLabel ?? value.linkButtonUrl].filter((line) => line !== undefined);
});

test("a profile as components", () => {
  assert.deepEqual(texts(toPlainComponents(PROFILE, { tabUrl: (id) => `https://desk.example/#profile=${id}` })), [
    "Jane Doe", "Relationship: customer", "Segments: active: vip", "Orders: 23", "Total spend: USD 4329.78, AUD 10.00", "Last order: 2026-08-31",
    "Email: subscribed", "Order #1042: shipped", "https://track.example/1", "Buys most", "Mug", "P2", "Notes", "Prefers email",
    "https://desk.example/#profile=ewne77padfaw5zdqqo62n342qi",
  ]);
});

test("components stay within Plain's limits", () => {
  const long = { ...PROFILE, name: "n".repeat(9000), summary: { segments: ["s".repeat(900)] }, notes: { items: [{ text: "t".repeat(9000), pinned: true }] } };
  for (const line of texts(toPlainComponents(long))) assert.ok(line.length <= 5000 && line.length > 0);
  assert.ok(JSON.stringify(toPlainComponents(long)).includes(`${"s".repeat(499)}…`));
});

test("hidden values and an empty profile", () => {
  const hidden = { id: "a", name: REDACTED, summary: { open_orders: [{ at: "2026-08-31T12:52:11Z", purchase: { order_number: REDACTED, status: REDACTED } }], top_products: [{ id: REDACTED }] } };
  assert.deepEqual(texts(toPlainComponents(hidden)), ["Hidden", "Order Hidden: Hidden", "Buys most", "Hidden"]);
  assert.deepEqual(texts(toPlainComponents({ id: "a", name: null, summary: {}, notes: { items: [] } })), ["No name"]);
});

test("a card for each key; without a profile, none is shown", () => {
  const { cards } = toPlainCards({ cardKeys: ["profile", "orders"] }, PROFILE);
  assert.deepEqual(cards.map(({ key, timeToLiveSeconds, components }) => [key, timeToLiveSeconds, components.length > 0]), [["profile", 60, true], ["orders", 60, true]]);
  assert.deepEqual(toPlainCards({ cardKeys: ["profile"] }, undefined), { cards: [{ key: "profile", timeToLiveSeconds: 60, components: null }] });
});

const SECRET = "shared with Plain";
const sign = (body) => createHmac("sha256", SECRET).update(body).digest("hex");

test("signatures", () => {
  assert.ok(isSigned("{}", sign("{}"), SECRET));
  for (const signature of [undefined, "", "00", sign("{ }"), `${sign("{}")}00`, "g".repeat(64)]) assert.ok(!isSigned("{}", signature, SECRET));
  assert.throws(() => createCardServer({ api: "http://127.0.0.1:1", secret: "" }), /secret/);
});

const asked = [];
const api = createServer(async (request, response) => {
  const chunks = await request.toArray();
  const body = JSON.parse(Buffer.concat(chunks));
  asked.push([request.url, request.headers.authorization, body]);
  const status = { "jane@example.com": 200, "unknown@example.com": 404, "not-an-address": 400 }[body.email] ?? 503;
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(status === 200 ? PROFILE : {}));
});
let cards;
let address;

const listen = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));

before(async () => {
  cards = createCardServer({ api: await listen(api), secret: SECRET, token: async () => "of-the-endpoint" });
  address = await listen(cards);
});
after(() => [api, cards].forEach((server) => server.close() && server.closeAllConnections()));

async function request(email, { signature, method = "POST" } = {}) {
  const body = JSON.stringify({ cardKeys: ["profile"], customer: { id: "c_01", email, externalId: null } });
  const response = await fetch(address, { method, headers: { "plain-request-signature": signature ?? sign(body) }, ...(method === "POST" ? { body } : {}) });
  return [response.status, await response.json()];
}

test("the endpoint returns cards, with its token in the header", async () => {
  const [status, { cards: [card] }] = await request("jane@example.com");
  assert.deepEqual([status, card.key, texts(card.components)[0]], [200, "profile", "Jane Doe"]);
  assert.deepEqual(asked.at(-1), ["/profiles/lookup?include=summary,notes", "Bearer of-the-endpoint", { email: "jane@example.com" }]);
});

test("the endpoint shows no card for unknown customers", async () => {
  for (const email of ["unknown@example.com", "not-an-address", ""]) assert.deepEqual(await request(email), [200, { cards: [{ key: "profile", timeToLiveSeconds: 60, components: null }] }]);
});

test("the endpoint refuses other senders, and reports failures of the API", async () => {
  const requests = asked.length;
  assert.equal((await request("jane@example.com", { signature: "00" }))[0], 403);
  assert.equal((await request("jane@example.com", { method: "GET" }))[0], 405);
  assert.equal(asked.length, requests);
  assert.deepEqual(await request("down@example.com"), [502, { error: "The profile cannot be read." }]);
});
