/** What the console shows when something is missing, refused or slow: the API's responses are changed on their way. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, API, api, lookUp, profileOf, SAMPLE, scrollToTheEnd, shot, start, stop, withPage } from "./browser.js";

before(start);
after(stop);

const problem = (status, more = {}, headers = {}) => ({
  status, contentType: "application/problem+json", headers,
  body: JSON.stringify({ type: "/problems/x", title: "A title", status, detail: "A detail.", request_id: "r-1", ...more }),
});

const search = async (page, text = SAMPLE.email) => {
  await page.getByLabel("Find a customer").fill(text);
  await page.getByRole("button", { name: "Look up" }).click();
};

test("nobody there yet, and nobody found", withPage({}, async (page) => {
  await page.getByText("No customer selected").waitFor();
  await accessible(page, "no customer");
  await page.locator("#kind").selectOption("profile");
  await search(page, "h3xq7k2mzr5wnbv4jd6tpycafa");
  await page.getByRole("alert").getByText("Not found").waitFor();
  await accessible(page, "not found");
  await shot(page, "not-found");
}));

test("skeletons stand in until the answer is there", withPage({}, async (page) => {
  let go;
  const waits = new Promise((resolve) => { go = resolve; });
  await page.route("**/profiles/lookup", async (route) => {
    await waits;
    await route.continue();
  });
  await search(page);
  await page.locator("article[aria-busy=true] .skeleton").first().waitFor();
  await accessible(page, "loading");
  await shot(page, "loading");
  go();
  await page.getByRole("tab", { name: "Summary" }).waitFor();
  assert.equal(await page.locator("header .skeleton").count(), 0);
}));

test("signed out: the page asks for a token, and sends it in a header alone", withPage({}, async (page) => {
  const seen = [];
  await page.route("**/profiles/**", (route) => {
    const token = route.request().headers().authorization;
    seen.push(token);
    return token === "Bearer an-agent" ? route.continue({ headers: { ...route.request().headers(), authorization: "" } }) : route.fulfill(problem(401));
  });
  await search(page);
  await page.getByText("Your session has expired").waitFor();
  await accessible(page, "signed out");
  await shot(page, "signed-out");
  await page.getByLabel("Bearer token of a support agent").fill("an-agent");
  await page.getByRole("button", { name: "Use token" }).click();
  await page.getByRole("tab", { name: "Summary" }).waitFor();
  assert.deepEqual(seen, [undefined, "Bearer an-agent"]);
  assert.doesNotMatch(page.url() + await page.content(), /an-agent/);
}));

test("a token function is asked again when its token has expired", withPage({}, async (page) => {
  await page.route("**/profiles/**", (route) =>
    route.request().headers().authorization === "Bearer new" ? route.continue({ headers: { ...route.request().headers(), authorization: "" } }) : route.fulfill(problem(401)));
  await page.evaluate(() => {
    document.querySelector("customer-profile").token = async ({ expired }) => (expired ? "new" : "old");
  });
  await search(page);
  await page.getByRole("tab", { name: "Summary" }).waitFor();
}));

test("refused, busy and broken are told apart, and a retry goes on", withPage({}, async (page) => {
  let answers = [];
  await page.route("**/profiles/lookup", (route) => (answers.length ? route.fulfill(answers.shift()) : route.continue()));
  const cases = [
    [[problem(403, { detail: "The token lacks the scope profiles:read." })], "The token lacks the scope profiles:read."],
    [Array.from({ length: 3 }, () => problem(429, {}, { "retry-after": "0.1" })), "Too many requests"],
    [[problem(500)], "Request ID r-1"],
    [[problem(409)], "A title"],
    [[problem(422)], "A detail."],
    [[{ status: 502, body: "not JSON" }], "The service has a problem"],
  ];
  for (const [given, text] of cases) {
    answers = given;
    await search(page);
    await page.getByRole("alert").getByText(text).waitFor();
    await accessible(page, text);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("tab", { name: "Summary" }).waitFor();
  }
  answers = [problem(429, {}, { "retry-after": "0.1" }), problem(503)];
  await page.reload();
  await search(page);
  await page.getByRole("tab", { name: "Summary" }).waitFor();
  assert.equal(answers.length, 0);
}));

test("offline: what is there stays, a note waits for another try, and the history goes on", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.context().setOffline(true);
  await page.getByText("You are offline.").waitFor();
  await page.getByLabel("New note").fill("Written on a train");
  await page.getByRole("button", { name: "Add note" }).click();
  const note = page.locator(".notes-list > li").filter({ hasText: "Written on a train" });
  await note.getByText("Not connected").waitFor();
  await page.getByRole("tab", { name: "History" }).click();
  await page.locator(".foot").scrollIntoViewIfNeeded();
  await page.locator(".foot").getByText("Not connected").waitFor();
  assert.ok((await page.locator("[data-event]").count()) > 0);
  await accessible(page, "offline");
  await shot(page, "offline");
  await page.context().setOffline(false);
  await page.getByText("You are offline.").waitFor({ state: "detached" });
  await page.locator(".foot").getByRole("button", { name: "Try again" }).click();
  await scrollToTheEnd(page);
  await note.getByRole("button", { name: "Try again" }).click();
  await note.getByText("Not connected").waitFor({ state: "detached" });
  await page.getByText("Saving…").waitFor({ state: "detached" });
}));

test("offline: a refresh keeps what is shown and what is being written", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.getByLabel("New note").fill("Half a sen");
  await page.getByRole("tab", { name: "History" }).click();
  const events = await page.locator("[data-event]").count();
  await page.context().setOffline(true);
  await page.getByText("You are offline.").waitFor();
  const failed = page.evaluate(() => new Promise((resolve) => {
    document.querySelector("customer-profile").addEventListener("profile-failed", ({ detail }) => resolve(detail.status), { once: true });
    document.querySelector("customer-profile").refresh();
  }));
  assert.equal(await failed, 0);
  await page.getByRole("alert").getByText("Not connected").waitFor();
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  assert.equal(await page.locator("[data-event]").count(), events);
  assert.equal(await page.getByLabel("New note").inputValue(), "Half a sen");
  await page.context().setOffline(false);
  // The page reads the profile again by itself.
  await page.getByText("Not connected").waitFor({ state: "detached" });
  await page.getByRole("tab", { name: "History", selected: true }).waitFor();
  assert.equal(await page.getByLabel("New note").inputValue(), "Half a sen");
}));

test("a refused note comes back, and can be discarded", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.route("**/notes", (route) => (route.request().method() === "POST" ? route.fulfill(problem(403, { detail: "The token lacks the scope notes:write." })) : route.continue()));
  await page.getByLabel("New note").fill("Not allowed");
  await page.getByRole("button", { name: "Add note" }).click();
  const note = page.locator(".notes-list > li").filter({ hasText: "Not allowed" });
  await note.getByText("The token lacks the scope notes:write.").waitFor();
  await note.getByRole("button", { name: "Discard" }).click();
  await note.waitFor({ state: "detached" });
}));

test("what is not saved stays when the profile is read again, and when another customer was opened", withPage({}, async (page) => {
  const { id } = await profileOf({ email: "luca.iyer.5@example.net" });
  await api("POST", `/profiles/${id}/notes`, { text: `Saved ${process.pid}` }, { "idempotency-key": crypto.randomUUID() });
  await lookUp(page, id);
  const note = page.locator(".notes-list > li").filter({ hasText: `Saved ${process.pid}` });
  await note.getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Note text").fill("Half an edit");
  await page.getByLabel("New note").fill("Half a note");
  await page.getByRole("tab", { name: "Attributes" }).click();
  const loaded = page.waitForResponse((response) => response.url().endsWith(`/profiles/${id}`));
  await page.evaluate(() => document.querySelector("customer-profile").refresh());
  await (await loaded).finished();
  const check = async () => {
    assert.equal(await page.getByLabel("Note text").inputValue(), "Half an edit");
    assert.equal(await page.getByLabel("New note").inputValue(), "Half a note");
  };
  await page.getByRole("tab", { name: "Attributes", selected: true }).waitFor();
  await check();
  await lookUp(page, SAMPLE.email);
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  assert.equal(await page.getByLabel("New note").inputValue(), "");
  await lookUp(page, id);
  await page.getByLabel("Note text").waitFor();
  await check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Half an edit", { exact: true }).waitFor();
  await page.getByText("Saving…").waitFor({ state: "detached" });
}));

test("a failed refresh keeps the page and what was being written", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.getByLabel("New note").fill("Half a sen");
  await page.route("**/profiles/lookup", (route) => route.fulfill(problem(500)));
  await page.evaluate(() => document.querySelector("customer-profile").refresh());
  await page.getByText("The service has a problem").waitFor();
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  await page.unroute("**/profiles/lookup");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("The service has a problem").waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("New note").inputValue(), "Half a sen");
}));

test("hidden and incomplete data are said to be so", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  const redacted = { redacted: true };
  profile.name = redacted;
  profile.partial = true;
  for (const identity of profile.identities) identity.value = redacted;
  profile.identities[0].shared = true;
  for (const attribute of [...profile.attributes.contact, ...profile.attributes.address]) attribute.value = redacted;
  for (const { type, [type]: data } of profile.history.items) for (const name of ["body", "author", "attachments"]) if (data[name]) data[name] = redacted;
  profile.notes.items = [{ id: "a.b", text: redacted, pinned: false, author: "agent-7", created_at: profile.as_of, updated_at: profile.as_of, etag: '"x"' }];
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, SAMPLE.email);
  await page.getByText("This profile is incomplete").waitFor();
  await page.getByText("Shared", { exact: true }).waitFor();
  assert.equal(await page.locator("header .hidden").count(), 1 + profile.identities.length);
  await page.locator(".note .hidden").waitFor();
  for (const name of ["Attributes", "History"]) {
    await page.getByRole("tab", { name }).click();
    await page.getByRole("tabpanel").locator("dd .hidden, .say .hidden").first().waitFor();
    await accessible(page, `hidden ${name}`);
    await shot(page, `hidden-${name.toLowerCase()}`);
  }
}));

test("a profile without personal data: every hidden value is shown as hidden", withPage({}, async (page) => {
  const redacted = { redacted: true };
  const profile = await profileOf(SAMPLE);
  const { as_of: at, id } = profile;
  // Where the API can hide a value, it is hidden; fields with unknown names are counted.
  const event = (day, type, data, more = {}) => ({
    id: `${id}.${type}-${day}`, type, at: `2026-03-${day}T10:00:00Z`, title: "An event", identity: id, [type]: { ...data, redacted_fields: 2 }, ...more,
  });
  const order = (day, type, line) => event(day, type, {
    currency: "EUR", [`${type}_id`]: redacted, store: redacted, payment_types: [{ name: redacted, total: "10.10" }, redacted], custom_fields: redacted,
    products: [{ price_paid: "10.10", quantity: 1, redacted_fields: 1, ...line }, { price_paid: "0.20", quantity: 1 }], adjustments: [{ reason: redacted, price_adjustment: "5.00" }],
  }, { title: "Bought 2 items for 10.30 EUR" });
  const message = (day, data, more) => event(day, "message", { message_id: redacted, conversation_id: redacted, author: redacted, body: redacted, state: redacted, attachments: redacted, ...data }, more);
  const mail = (day, type, data) => event(day, type, { email_id: redacted, subject: redacted, from: redacted, to: redacted, list: redacted, campaign_id: redacted, ...data });
  const items = [
    order("28", "purchase", { product_reference: redacted }),
    order("27", "return", { product_reference: { id_type: redacted, id: redacted }, product: redacted }),
    order("26", "purchase", { product: { redacted_fields: 4 } }),
    event("25", "purchase", { currency: "EUR", products: redacted, payment_types: redacted, adjustments: redacted }),
    message("24", {}, { account: redacted, direction: "inbound" }),
    message("23", { author: { name: redacted, handle: redacted }, attachments: [redacted, { name: redacted, url: redacted, type: redacted }] }, { account: { id: redacted, name: redacted }, channel: redacted, direction: "outbound" }),
    message("22", { author: { redacted_fields: 1 }, attachments: undefined, state: undefined, body: undefined }, { account: { redacted_fields: 2 } }),
    mail("21", "email_send", { body: redacted, body_bytes: 20_000 }),
    mail("20", "email_send", {}),
    mail("19", "email_open", {}),
    mail("18", "email_click", { clicked_link: redacted }),
    mail("17", "email_click", { list: { id: redacted, name: redacted }, clicked_link: { name: redacted, url: "https://shop.example", redacted_fields: 1 } }),
    mail("16", "email_bounce", { list: { redacted_fields: 2 }, clicked_link: { name: redacted, url: redacted } }),
    mail("15", "email_subscribe", { status: "unsubscribed" }),
    event("14", "sms_send", { sms_id: redacted, body: redacted, from: redacted, to: redacted }),
    event("13", "sms_click", { sms_id: redacted, clicked_link: redacted }),
    event("12", "sms_subscribe", { status: "subscribed", list: redacted }),
    event("11", "purchase", { currency: "EUR", purchase_id: redacted, order_number: redacted, status: "on_hold", products: [{ price_paid: "1.00", quantity: 1, name: redacted, image: redacted, url: redacted, size: redacted, color: redacted }],
      fulfillments: [{ status: "in_transit", carrier: redacted, tracking_number: redacted, tracking_url: redacted, shipped_at: at }, { status: redacted }, redacted] }),
    event("10", "event", { event_id: redacted, name: redacted, title: redacted, url: redacted, image: redacted, properties: redacted }),
  ];
  profile.name = redacted;
  for (const identity of profile.identities) Object.assign(identity, { value: redacted, system_name: redacted });
  for (const lists of [profile.summary.email.lists, profile.summary.sms.lists]) lists.push({ source: "mail", id: redacted, name: redacted, status: "subscribed", at }, { source: "mail", status: "subscribed", at });
  profile.summary.channels.push(redacted);
  for (const attribute of Object.values(profile.attributes).flat()) attribute.value = redacted;
  profile.attributes_redacted = 12;
  profile.notes.items = [{ id: "a.b", text: redacted, pinned: false, author: redacted, created_at: at, updated_at: at, etag: '"x"' }];
  profile.history = { as_of: at, items, next: null };
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, SAMPLE.email);

  // All that a reader sees or hears: text and the attributes that are read out or shown.
  const bad = () => page.evaluate(() => {
    const root = document.querySelector("customer-profile").shadowRoot;
    const texts = [root.textContent];
    for (const node of root.querySelectorAll("*")) for (const name of ["aria-label", "title", "value", "href", "src", "alt", "d", "class", "id"]) texts.push(node.getAttribute(name) ?? "");
    return texts.flatMap((text) => text.match(/.{0,40}(\[object|undefined|NaN|null).{0,40}/)?.[0] ?? []);
  });
  const panel = page.getByRole("tabpanel");
  const hidden = panel.locator(".hidden");
  assert.deepEqual(await bad(), []);
  assert.equal(await page.locator("header .hidden").count(), 1 + 2 * profile.identities.length);
  assert.equal(await page.locator(".note .hidden").count(), 2);
  // The channel, a list of emails and of text messages, the interests, and up to four key attributes of each category.
  const shownAbove = ({ name }) => !/^(first|last)_name$/.test(name);
  const keys = Object.entries(profile.attributes).filter(([category]) => !["figures", "segments", "interests"].includes(category)).map(([, attributes]) => Math.min(4, attributes.filter(shownAbove).length));
  assert.equal(await hidden.count(), 3 + profile.attributes.interests.length + keys.reduce((sum, count) => sum + count, 0));
  await accessible(page, "redacted Summary");
  await shot(page, "redacted-summary");

  await page.getByRole("tab", { name: "Attributes" }).click();
  assert.equal(await hidden.count(), Object.values(profile.attributes).flat().length);
  await panel.getByText("12 attributes are hidden. Your access does not include them.", { exact: true }).waitFor();
  assert.deepEqual(await bad(), []);
  await accessible(page, "redacted Attributes");
  await shot(page, "redacted-attributes");

  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText(`${items.length} events`, { exact: true }).waitFor();
  const shown = await page.locator("[data-event]").evaluateAll((nodes) => nodes.map((node) => node.dataset.event));
  assert.deepEqual(shown.toSorted(), items.map((item) => item.id).toSorted());
  assert.deepEqual(await bad(), []);
  // Hidden ids are not the same id: nothing is grouped by them.
  assert.equal(await panel.locator(".threads > li").count(), 10);
  assert.equal(await panel.locator(".bubbles > li").count(), 3);
  assert.deepEqual(await panel.locator("a").evaluateAll((links) => links.map((link) => link.href)), ["https://shop.example/"]);
  const of = (day) => panel.locator(`.card:has([data-event*="-${day}"]), .threads > li:has([data-event*="-${day}"])`).last();
  const expected = {
    28: "Order Hidden Mar 28, 2026, 10:00 AM · Hidden · Hidden €10.10 · Hidden €10.30 Product Hidden Quantity 1 €10.10 Product unknown Quantity 1 €0.20 Hidden Hidden €5.00",
    25: "Order Mar 25, 2026, 10:00 AM",
    24: "Message with Hidden Hidden Hidden from the customer · Mar 24, 2026, 10:00 AM Hidden Hidden",
    22: "Message Customer from the customer · Mar 22, 2026, 10:00 AM",
    21: "Hidden Hidden Sent Mar 21, 2026, 10:00 AM Hidden",
    18: "An event Hidden Clicked Hidden Mar 18, 2026, 10:00 AM",
    17: "An event Hidden Clicked https://shop.example Mar 17, 2026, 10:00 AM",
    15: "An event Hidden Unsubscribed Mar 15, 2026, 10:00 AM",
    14: "An event Sent Mar 14, 2026, 10:00 AM Hidden",
    10: "An event Mar 10, 2026, 10:00 AM Hidden",
  };
  const found = {};
  for (const day of Object.keys(expected)) found[day] = (await of(day).innerText()).replace(/\s+/g, " ");
  assert.deepEqual(found, expected);
  await accessible(page, "redacted History");
  await shot(page, "redacted-history");
}));

test("notes name their authors and editors", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  const note = (at, more) => ({ id: `a.${at}`, text: `Note ${at}`, pinned: false, author: "agent-7", created_at: `2026-03-0${at}T10:00:00Z`, updated_at: `2026-03-0${at}T10:00:00Z`, etag: '"x"', ...more });
  const edited = { updated_at: "2026-03-20T10:00:00Z" };
  profile.notes.items = [note(9, { author_name: "Robin Reyes" }), note(8, { author_name: "Robin Reyes", ...edited, updated_by: "agent-9", updated_by_name: "Kim Ito" }),
    note(7, { author_name: "Robin Reyes", ...edited, updated_by: "agent-7", updated_by_name: "Robin Reyes" }), note(6), note(5, { ...edited, updated_by: "agent-9" })];
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, SAMPLE.email);
  const heads = (await page.locator(".note-head > .fine").allInnerTexts()).map((text) => text.replace(/ · [A-Z][a-z]+ \d+, 2026/, ""));
  assert.deepEqual(heads, ["Robin Reyes", "Robin Reyes · edited by Kim Ito", "Robin Reyes · edited", "agent-7", "agent-7 · edited by agent-9"]);
}));

test("a card number in a note is masked but for the last four digits", withPage({}, async (page) => {
  await lookUp(page, "luca.iyer.5@example.net");
  await page.getByLabel("New note").fill(`Paid with 4111 1111 1111 1111, parcel 36LB4500000022 ${process.pid}`);
  await page.getByRole("button", { name: "Add note" }).click();
  await page.getByText(`Paid with **** **** **** 1111, parcel 36LB4500000022 ${process.pid}`).waitFor();
  assert.doesNotMatch(await page.locator("customer-profile").evaluate((element) => element.shadowRoot.textContent), /4111/);
}));

test("attributes whose names are hidden are counted", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  profile.attributes_redacted = 1;
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  const open = async () => {
    await lookUp(page, SAMPLE.email);
    await page.getByRole("tab", { name: "Attributes" }).click();
    return page.getByRole("tabpanel");
  };
  await (await open()).getByText("1 attribute is hidden. Your access does not include it.", { exact: true }).waitFor();
  Object.assign(profile, { attributes: {}, attributes_redacted: 1200 });
  const panel = await open();
  await panel.getByText("1,200 attributes are hidden. Your access does not include them.", { exact: true }).waitFor();
  assert.equal(await panel.getByText("No attributes yet").count(), 0);
}));

test("links and pictures carry no user name and password", withPage({ allowed: ["https://shop.example"] }, async (page) => {
  const profile = await profileOf(SAMPLE);
  const event = (type, data) => ({ id: `${profile.id}.${type}`, type, at: "2026-03-01T10:00:00Z", title: "An event", identity: profile.id, [type]: data });
  const secret = (path) => `https://jane:pass@shop.example/${path}`;
  profile.history = { as_of: null, next: null, items: [
    event("purchase", { currency: "EUR", products: [{ price_paid: "1", quantity: 1, product: { name: "Mug", url: secret("mug"), image: secret("mug.png") } }],
      fulfillments: [{ tracking_number: "T1", tracking_url: "javascript:alert(1)" }, { tracking_number: "T2", tracking_url: secret("track") }] }),
    event("event", { event_id: "e2", name: "x", url: "javascript:alert(1)", image: "javascript:alert(1)" }),
    event("email_click", { email_id: "e1", clicked_link: { url: secret("sale") } }),
    event("message", { author: { name: "Jane" }, attachments: [{ url: secret("bill.pdf"), type: "pdf" }, { name: "Script", url: "javascript:alert(1)" }, { name: "File", url: "ftp://jane:pass@files.example/" }] }),
  ] };
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await page.route("https://shop.example/**", (route) => route.abort());
  await lookUp(page, SAMPLE.email);
  const picture = page.waitForEvent("requestfailed");
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("tabpanel").evaluate((panel) => { for (const image of panel.querySelectorAll("img")) image.loading = "eager"; });
  assert.equal((await picture).url(), "https://shop.example/mug.png");
  const links = await page.locator("customer-profile a").evaluateAll((nodes) => nodes.map((node) => [node.textContent, node.href, node.rel, node.referrerPolicy]));
  assert.deepEqual(links, [["T2", "track"], ["Mug", "mug"], ["https://shop.example/sale", "sale"], ["pdf", "bill.pdf"]].map(([text, path]) => [text, `https://shop.example/${path}`, "noreferrer", "no-referrer"]));
  assert.doesNotMatch(await page.getByRole("tabpanel").evaluate((panel) => panel.outerHTML), /pass/);
}));

test("a customer of whom little is known", withPage({}, async (page) => {
  const profile = await profileOf({ email: "jonas.fernandez.7@example.org" });
  Object.assign(profile, { name: null, attributes: {}, history: { items: [], next: null } });
  Object.assign(profile.summary, { segments: [], channels: [], spend_by_month: [], last_event_at: null });
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, "jonas.fernandez.7@example.org");
  for (const text of ["Prospect", "No segments", "No orders yet", "No events yet", "No notes yet"]) await page.getByText(text, { exact: true }).first().waitFor();
  await page.getByRole("tab", { name: "Attributes" }).click();
  await page.getByText("No attributes yet").waitFor();
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText("No events yet").waitFor();
  await accessible(page, "empty");
  await shot(page, "empty");
}));

test("dates and money follow the page's language", withPage({ locale: "de-DE" }, async (page) => {
  await page.evaluate(() => { document.documentElement.lang = "de"; });
  await search(page);
  await page.getByText("4.329,78 $").waitFor();
  await page.locator("header time").getByText("19.01.2025").waitFor();
  assert.equal(API, new URL(page.url()).origin);
}));
