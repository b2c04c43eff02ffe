/** The console as an agent uses it, in Chromium, against the real API of a local stack. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { accessible, allEvents, API, api, drop, lookUp, profileOf, SAMPLE, scrollToTheEnd, shot, start, stop, withPage } from "./browser.js";

const FOLDER = path.resolve(import.meta.dirname, "../../infra/console");

before(start);
after(stop);

test("the element loads at most 60 KB of script, and 16 KB more with its tab Identities, without inline script or style", () => {
  const modules = ["customer-profile.js", ...readdirSync(path.join(FOLDER, "tab")).map((name) => `tab/${name}`)];
  const sources = new Map(modules.map((name) => [name, readFileSync(path.join(FOLDER, name), "utf8")]));
  const bytes = (of) => of.reduce((sum, name) => sum + Buffer.byteLength(sources.get(name)), 0);
  // Loaded when the tab is first opened.
  const late = [...sources.get("customer-profile.js").matchAll(/\bimport\(`\.\/(tab\/[a-z]+\.js)\$/g)].map(([, name]) => name);
  assert.deepEqual(late, ["tab/identities.js"]);
  const first = bytes(modules.filter((name) => !late.includes(name)));
  assert.ok(first <= 60 * 1024, `${first} bytes`);
  assert.ok(bytes(late) <= 16 * 1024, `${bytes(late)} bytes`);
  const page = readFileSync(path.join(FOLDER, "index.html"), "utf8");
  for (const name of late) assert.ok(!page.includes(name), `${name} is loaded too early`);
  for (const [name, text] of sources) {
    if (name !== "customer-profile.js") assert.doesNotMatch(text, /\bimport\(/);
    assert.doesNotMatch(text, /innerHTML|insertAdjacentHTML|document\.write|localStorage|sessionStorage/);
    for (const [, from] of text.matchAll(/^import .* from "(.*)"/gm)) assert.match(from, /^\.\/(tab\/)?[a-z]+\.js$/);
  }
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
});

test("pages come with a policy that allows no inline script, no markup from strings and no frame", async () => {
  for (const file of ["/", "/index.html", "/customer-profile.js", "/tab/view.js"]) {
    const policy = (await fetch(API + file)).headers.get("content-security-policy");
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
      assert.ok(policy?.split(/;\s*/).includes(part), `${file}: ${part}`);
    }
    assert.doesNotMatch(policy, /unsafe/);
  }
});

test("any identifier finds the customer", withPage({}, async (page) => {
  const { id } = await profileOf(SAMPLE);
  const name = page.getByRole("heading", { name: "Minh Mokoena" });
  const searches = [
    ["  Minh.Mokoena.0@Example.com"], ["+1 (503) 555-0000"], ["15035550000", { kind: "mobile" }], [id],
    ["C100000", { kind: "customer_id", system: "pos" }], ["u4000000", { kind: "external_id", system: "desk" }],
  ];
  for (const [text, how] of searches) {
    await page.goto("about:blank");
    await page.goto(`${API}/`);
    await lookUp(page, text, how);
    await name.waitFor();
    assert.equal(new URL(page.url()).hash, `#profile=${id}`, text);
  }
  await page.reload();
  await name.waitFor();
}));

test("each sample customer opens, and the browser's back button leads to the one before", withPage({}, async (page) => {
  const buttons = page.getByRole("navigation", { name: "Sample customers" }).getByRole("button");
  await buttons.first().waitFor();
  for (const button of await buttons.all()) {
    const name = await button.locator("strong").textContent();
    await button.click();
    await page.getByRole("heading", { level: 2, name }).waitFor();
  }
  await page.goBack();
  await page.getByRole("heading", { level: 2, name: await buttons.nth(-2).locator("strong").textContent() }).waitFor();
}));

test("header, summary and attributes show what the API says", withPage({}, async (page) => {
  const profile = await profileOf(SAMPLE);
  await lookUp(page, SAMPLE.email);
  const head = page.locator("customer-profile header");
  const money = ({ currency, amount }) => new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
  for (const { value } of profile.identities) await head.getByText(value, { exact: true }).waitFor();
  for (const amount of [...profile.summary.total_spend, ...profile.summary.average_order_value]) await head.getByText(money(amount)).waitFor();
  await head.getByText("Customer", { exact: true }).waitFor();
  assert.deepEqual(await head.locator("time").evaluateAll((times) => times.map((time) => time.dateTime)), [profile.summary.first_order_at, profile.summary.last_order_at]);

  const panel = page.getByRole("tabpanel");
  assert.deepEqual(new Set((await panel.locator(".chip").allTextContents()).map((text) => text.toLowerCase().replaceAll(" ", "_"))), new Set(profile.summary.segments));
  await panel.getByText("As a table").click();
  const { spend_by_month: months } = profile.summary;
  assert.equal(await panel.locator(".bar").count(), await panel.locator("tbody tr").count());
  for (const month of months.slice(-3)) await panel.locator("td").getByText(money(month), { exact: true }).first().waitFor();
  assert.equal(await panel.locator(".timeline li").count(), 6);

  await page.getByRole("tab", { name: "Attributes" }).click();
  const all = Object.values(profile.attributes).flat();
  assert.equal(await panel.locator("dl.attributes > div > dt").count(), all.length);
}));

test("tabs and notes work by keyboard alone", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.getByRole("tab", { name: "Summary" }).focus();
  const selected = () => page.getByRole("tab", { selected: true }).textContent();
  for (const [key, name] of [["ArrowRight", "Attributes"], ["ArrowRight", "History"], ["ArrowRight", "Identities"], ["ArrowRight", "Summary"], ["ArrowLeft", "Identities"], ["Home", "Summary"], ["End", "Identities"]]) {
    await page.keyboard.press(key);
    assert.equal(await selected(), name, key);
  }
  await page.getByLabel("New note").focus();
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Control+Enter");
  const note = page.getByRole("listitem").filter({ hasText: "By keyboard" });
  await note.getByRole("button", { name: "Edit" }).press("Enter");
  assert.equal(await page.evaluate(() => document.querySelector("customer-profile").shadowRoot.activeElement.ariaLabel), "Note text");
  await page.keyboard.press("Escape");
  await note.getByRole("button", { name: "Delete" }).press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await note.waitFor({ state: "detached" });
}));

test("a note is added, edited, pinned and deleted, here and in the API", withPage({}, async (page) => {
  const { id } = await profileOf({ email: "mei.costa.4@example.org" });
  const texts = async () => (await api("GET", `/profiles/${id}/notes`)).items.map(({ text, pinned }) => ({ text, pinned }));
  await lookUp(page, id);
  const saved = (text) => page.locator("customer-profile").getByRole("status").filter({ hasText: text }).waitFor({ state: "attached" });
  for (const text of ["First note", "Second note"]) {
    await page.getByLabel("New note").fill(text);
    await page.getByRole("button", { name: "Add note" }).click();
    // The note is shown before the API has responded.
    await page.getByText(text, { exact: true }).waitFor();
    await page.getByText("Saving…").waitFor({ state: "detached" });
  }
  await saved("Note added");
  assert.deepEqual(await texts(), [{ text: "Second note", pinned: false }, { text: "First note", pinned: false }]);

  const note = (text) => page.locator(".notes-list > li").filter({ hasText: text });
  await note("First note").getByRole("button", { name: "Pin" }).click();
  await note("First note").getByText("Pinned").waitFor();
  await saved("Note saved");
  assert.match(await page.locator(".notes-list > li").first().textContent(), /First note/);

  await note("Second note").getByRole("button", { name: "Edit" }).click();
  await page.getByLabel("Note text").fill("Second note, edited");
  await page.getByRole("button", { name: "Save" }).click();
  await note("Second note, edited").getByText("edited", { exact: false }).first().waitFor();
  await page.getByText("Saving…").waitFor({ state: "detached" });
  assert.deepEqual(await texts(), [{ text: "First note", pinned: true }, { text: "Second note, edited", pinned: false }]);

  for (const text of ["First note", "Second note"]) {
    await note(text).getByRole("button", { name: "Delete" }).click();
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await note(text).getByRole("button", { name: "Delete", exact: true }).click();
    await note(text).waitFor({ state: "detached" });
    await deleted;
  }
  await saved("Note deleted");
  await page.getByText("No notes yet").waitFor();
  assert.deepEqual(await texts(), []);
}));

test("a click on a note continues while the response to another change arrives", withPage({}, async (page) => {
  const { id } = await profileOf({ email: "luca.iyer.5@example.net" });
    for (const text of ["Stays", "Goes"]) await api("POST", `/profiles/${id}/notes`, { text }, { "idempotency-key": crypto.randomUUID() });
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await page.route("**/notes/*", async (route) => {
    if (route.request().method() === "DELETE") await released;
    await route.continue();
  });
  await lookUp(page, id);
  await page.getByRole("button", { name: "Delete note: Goes" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Delete note: Stays" }).hover();
  await page.mouse.down();
  release();
  await page.locator("customer-profile").getByRole("status").filter({ hasText: "Note deleted" }).waitFor({ state: "attached" });
  await page.mouse.up();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Stays", { exact: true }).waitFor({ state: "detached" });
}));

test("what somebody else changed meanwhile is shown, and nobody's text is lost", withPage({}, async (page) => {
  const { id } = await profileOf({ email: "luca.iyer.5@example.net" });
  const left = await api("POST", `/profiles/${id}/notes`, { text: "As it was" }, { "idempotency-key": crypto.randomUUID() });
  await lookUp(page, id);
  await page.getByRole("button", { name: "Edit note: As it was" }).click();
  await page.getByLabel("Note text").fill("My text");
  await api("PATCH", `/profiles/${id}/notes/${left.id}`, { text: "Their text" }, { "if-match": left.etag });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: "Another agent changed this note" }).waitFor();
  await page.getByText("Their text", { exact: true }).waitFor();
  assert.equal(await page.getByLabel("Note text").inputValue(), "My text");
  await shot(page, "conflict");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saving…").waitFor({ state: "detached" });
  const [note] = (await api("GET", `/profiles/${id}/notes`)).items;
  assert.equal(note.text, "My text");

  await page.getByRole("button", { name: "Pin note" }).waitFor();
  await api("DELETE", `/profiles/${id}/notes/${note.id}`, undefined, { "if-match": note.etag });
  await page.getByRole("button", { name: "Pin note" }).click();
  await page.getByRole("alert").filter({ hasText: "Another agent deleted this note" }).waitFor();
}));

test("the history scrolls to its end and holds every event once", withPage({}, async (page) => {
  const { id } = await profileOf(SAMPLE);
  const events = await allEvents(id);
  await lookUp(page, id);
  await page.getByRole("tab", { name: "History" }).click();
  await scrollToTheEnd(page);
  const shown = await page.locator("[data-event]").evaluateAll((nodes) => nodes.map((node) => node.dataset.event));
  assert.deepEqual(shown.toSorted(), events.map((event) => event.id).toSorted());
  await page.getByText(`${events.length} events`, { exact: true }).waitFor();
  const lost = await page.locator("img.picture").evaluateAll((images) => images.filter((image) => image.complete && !image.naturalWidth).length);
  assert.equal(lost, 0);
  assert.ok((await page.locator("img.picture").count()) > 10);
}));

test("filters by type, channel and dates are the API's", withPage({}, async (page) => {
  const { id } = await profileOf(SAMPLE);
  await lookUp(page, id);
  await page.getByRole("tab", { name: "History" }).click();
  const expect = async (query) => {
    const wanted = (await allEvents(id, query)).map((event) => event.id).toSorted();
    await scrollToTheEnd(page);
    assert.deepEqual((await page.locator("[data-event]").evaluateAll((nodes) => nodes.map((node) => node.dataset.event))).toSorted(), wanted, query);
    assert.ok(wanted.length > 0, query);
  };
  const chip = (name) => page.getByRole("button", { name, exact: true });
  await chip("Purchases").click();
  await expect("&type=purchase");
  await chip("Returns").click();
  await expect("&type=purchase&type=return");
  await page.getByLabel("Channel").selectOption("physical");
  await expect("&type=purchase&type=return&channel=physical");
  await chip("Clear").click();
  await chip("Messages").click();
  await expect("&type=message");
  await chip("Clear").click();
  await page.getByLabel("From").fill("2026-05-01");
  await page.getByLabel("To", { exact: true }).fill("2026-06-30");
  await expect("&from=2026-05-01T00:00:00Z&to=2026-07-01T00:00:00Z");
  await chip("Texts").click();
  await page.getByLabel("From").fill("2020-01-01");
  await page.getByLabel("To", { exact: true }).fill("2020-01-02");
  await page.getByText("No events match").waitFor();
}));

test("markup in data stays text, addresses that are none are no links, and a lost picture has a placeholder", withPage({}, async (page) => {
  const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  const link = { email: `markup.${process.pid}@example.com` };
  const at = (day) => `2026-03-${day}T10:00:00Z`;
  await drop("customer_record", [{ link, first_name: evil, last_name: "<b>Bold</b>", custom_fields: { "<i>field</i>": evil } }], link);
  await drop("message", [{ link, action_at: at("01"), message_id: "m1", channel: "webchat", direction: "inbound", author: { name: evil }, body: evil,
    account: { id: "a", name: evil }, attachments: [{ name: "Bill", url: "https://files.example/bill.pdf", type: "pdf" }] },
  { link, action_at: at("02"), message_id: "m2", channel: "whatsapp", direction: "inbound", body: "مرحبا، أين طلبي؟" }], link, ({ history }) => history.items.length === 2);
  await drop("product", [{ product_reference_type: "product_id", product_id: `X${process.pid}`, name: evil, url: "https://shop.example/x", images: [`${API}/images/missing.svg`] }], link);
  await drop("purchase", [{ link, action_at: at("03"), type: "ecommerce", purchase_id: evil, currency: "EUR", products: [
    { price_paid: "10.10", quantity: 1, product_reference: { id_type: "product_id", id: `X${process.pid}` } }, { price_paid: "0.20", quantity: 1 }] }], link, ({ history }) => history.items.length === 3);
  await drop("email_send", [{ link, action_at: at("04"), email_id: "e1", subject: evil, body: `<style>p{}</style><p>Good &amp; plain</p>${evil}&lt;img src=x onerror=alert(5)&gt;` }],
    link, ({ history }) => history.items.length === 4);
  // The API lets no other addresses in; the page does not rely on it.
  await page.route("**/profiles/lookup", async (route) => {
    const text = await (await route.fetch()).text();
    await route.fulfill({ contentType: "application/json", body: text.replaceAll("https://files.example/bill.pdf", "javascript:alert(3)").replaceAll("https://shop.example/x", "javascript:alert(4)") });
  });
  await lookUp(page, link.email);
  await page.getByRole("heading", { level: 2 }).getByText(`${evil} <b>Bold</b>`).waitFor();
  await page.getByLabel("New note").fill(evil);
  await page.getByRole("button", { name: "Add note" }).click();
  await page.locator(".note .text").getByText(evil).waitFor();
  await page.getByRole("tab", { name: "Attributes" }).click();
  await page.locator("dd").getByText(evil).first().waitFor();
  await page.getByRole("tab", { name: "History" }).click();
  await page.locator(".say").getByText(evil).waitFor();
  await page.getByText("Show email").click();
  await page.locator(".threads .text").getByText("Good & plain").waitFor();
  await page.locator("strong.amount").getByText("€10.30").waitFor();
  await page.locator("span.picture").nth(1).waitFor();
  assert.equal(await page.locator("span.picture").count(), 2);
  assert.equal(await page.locator("customer-profile a").count(), 0);
  const inside = await page.evaluate(() => {
    const root = document.querySelector("customer-profile").shadowRoot;
    return { scripts: root.querySelectorAll("script, iframe, b, i").length, images: [...root.querySelectorAll("img")].map((image) => image.src) };
  });
  assert.deepEqual(inside, { scripts: 0, images: [] });
  assert.equal(await page.locator(".say p").filter({ hasText: "مرحبا" }).evaluate((node) => getComputedStyle(node).direction), "rtl");
  await accessible(page, "markup");
  await shot(page, "markup");
}));

test("a large body is cut on the page and fetched whole when it is asked for", withPage({}, async (page) => {
  const link = { email: `large.${process.pid}@example.com` };
  const body = `${"A long story. ".repeat(800)}The end.`;
  await drop("message", [{ link, action_at: "2026-03-01T10:00:00Z", message_id: "m1", channel: "email", direction: "inbound", body }], link);
  await lookUp(page, link.email);
  await page.getByRole("tab", { name: "History" }).click();
  assert.ok((await page.locator(".say .text").textContent()).length < 1000);
  await page.getByRole("button", { name: "Show full text" }).click();
  await page.getByText("The end.").waitFor();
  assert.equal(await page.locator(".say .text").textContent(), body);
}));
