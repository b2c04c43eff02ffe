/** The shapes are those of the products' documentation; `infra/docs/guides/embedding-in-desks.md` links to each page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromChatwoot, fromFront, fromPlain, fromZendesk } from "./adapters.mjs";

const POS = { id: { type: "customer_id", system_name: "pos" } };
const NONE = { lookup: null };

const appContext = (contact, sender = contact) => JSON.stringify({
  event: "appContext",
  data: {
    conversation: {
      id: 12, status: "open", inbox_id: 3, can_reply: true, timestamp: 1788264000, messages: [{ id: 1, content: "Hello", conversation_id: 12 }],
      meta: { sender, channel: "Channel::WebWidget", assignee: { id: 7, email: "ava@desk.example", name: "Ava" }, hmac_verified: false },
    },
    contact,
    currentAgent: { id: 7, name: "Ava", email: "ava@desk.example" },
  },
});
const contact = (values) => ({
  additional_attributes: { description: "", company_name: "" }, availability_status: "offline", email: null, id: 5, name: "Jane",
  phone_number: null, identifier: null, thumbnail: "", custom_attributes: {}, last_activity_at: 1788264000, ...values,
});

test("Chatwoot: the contact's email, else the phone number", () => {
  assert.deepEqual(fromChatwoot(appContext(contact({ email: "jane@example.com", phone_number: "+61491570006" }))), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromChatwoot(appContext(contact({ email: "", phone_number: "+61491570006" }))), { lookup: { mobile: "+61491570006" } });
  assert.deepEqual(fromChatwoot(JSON.parse(appContext(contact({ email: "jane@example.com" })))), { lookup: { email: "jane@example.com" } });
});

test("Chatwoot: your own ID comes first, if you say what it is", () => {
  const data = appContext(contact({ identifier: "C1042", email: "jane@example.com" }));
  assert.deepEqual(fromChatwoot(data), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromChatwoot(data, POS), { lookup: { customer_id: "C1042", system_name: "pos" } });
  assert.deepEqual(fromChatwoot(appContext(contact({ identifier: 1042 })), { id: { type: "customer_id" } }), { lookup: { customer_id: "1042" } });
});

test("Chatwoot: the sender of the conversation, while the contact is missing", () => {
  const sender = contact({ email: "jane@example.com" });
  assert.deepEqual(fromChatwoot(appContext({}, sender)), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromChatwoot(appContext(undefined, sender)), { lookup: { email: "jane@example.com" } });
});

test("Chatwoot: a visitor without identifier shows no customer", () => {
  assert.deepEqual(fromChatwoot(appContext(contact({}))), NONE);
  assert.deepEqual(fromChatwoot(JSON.stringify({ event: "appContext", data: {} })), NONE);
});

test("Chatwoot: other messages change nothing", () => {
  const others = ["", "{", "null", "[]", "\"appContext\"", "chatwoot-dashboard-app:fetch-info", JSON.stringify({ event: "other", data: {} }),
    JSON.stringify({ event: "appContext" }), JSON.stringify({ event: "appContext", data: [] }), undefined, null, 7, [], new Map()];
  for (const data of others) assert.equal(fromChatwoot(data), undefined);
});

test("Zendesk: paths of the requester", () => {
  const values = { "ticket.requester.email": "jane@example.com", "ticket.requester.externalId": "C1042", errors: {} };
  assert.deepEqual(fromZendesk(values), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromZendesk(values, POS), { lookup: { customer_id: "C1042", system_name: "pos" } });
});

test("Zendesk: the requester as an object", () => {
  const requester = { id: 35436, name: "Jane Doe", email: "jane@example.com", externalId: null };
  assert.deepEqual(fromZendesk({ "ticket.requester": requester }, POS), { lookup: { email: "jane@example.com" } });
});

test("Zendesk: a ticket without requester, and other results", () => {
  assert.deepEqual(fromZendesk({ "ticket.requester": undefined }), NONE);
  assert.deepEqual(fromZendesk({ "ticket.requester.email": "" }), NONE);
  for (const values of [undefined, null, {}, "jane@example.com", { "ticket.subject": "Help" }]) assert.equal(fromZendesk(values), undefined);
});

const single = (recipient) => ({
  id: "context-1", type: "singleConversation", teammate: { id: "tea_1", email: "ava@desk.example", name: "Ava" },
  conversation: { id: "cnv_1", type: "email", status: "open", subject: "Help", blurb: "Hello", assignee: undefined, recipient, inboxes: [], tags: [], links: [], draftId: undefined },
});

test("Front: the recipient's handle", () => {
  assert.deepEqual(fromFront(single({ handle: "jane@example.com", name: "Jane", type: "email", contact: undefined })), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromFront(single({ handle: "+61491570006", name: undefined, type: "phone", contact: undefined })), { lookup: { mobile: "+61491570006" } });
});

test("Front: the handles of the contact", () => {
  const handles = [{ type: "twitter", handle: "@jane" }, { type: "email", handle: "jane@example.com" }, { type: "custom", handle: "C1042" }];
  const recipient = { handle: "visitor-7", name: "Jane", type: "frontChat", contact: { id: "crd_1", name: "Jane", description: undefined, handles, groupIds: [], customAttributes: [] } };
  assert.deepEqual(fromFront(single(recipient)), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromFront(single(recipient), POS), { lookup: { customer_id: "C1042", system_name: "pos" } });
});

test("Front: no conversation, several, and contexts of the composer", () => {
  assert.deepEqual(fromFront({ type: "noConversation" }), NONE);
  assert.deepEqual(fromFront({ type: "multiConversations", conversations: [] }), NONE);
  assert.deepEqual(fromFront(single(undefined)), NONE);
  assert.deepEqual(fromFront(single({ handle: "@jane", name: "Jane", type: "twitter", contact: undefined })), NONE);
  for (const context of [undefined, null, "singleConversation", {}, { type: "messageComposer" }, { type: "singleConversation" }]) assert.equal(fromFront(context), undefined);
});

test("Plain: the customer of a request for cards", () => {
  const body = {
    cardKeys: ["profile"], customer: { id: "c_01", email: "jane@example.com", externalId: "C1042" },
    thread: { id: "th_01", externalId: null }, tenant: { id: "te_01", externalId: null },
  };
  assert.deepEqual(fromPlain(JSON.stringify(body)), { lookup: { email: "jane@example.com" } });
  assert.deepEqual(fromPlain(body, POS), { lookup: { customer_id: "C1042", system_name: "pos" } });
  assert.deepEqual(fromPlain({ ...body, customer: { id: "c_01", externalId: null } }, POS), NONE);
  for (const other of ["", "{}", null, { cardKeys: "profile", customer: {} }, { cardKeys: [] }]) assert.equal(fromPlain(other), undefined);
});
