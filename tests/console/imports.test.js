/** The Imports view, in Chromium and with a stack that starts empty: files are dropped, tried, imported, corrected and dropped again. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { accessible, open, shot, start, stop } from "./browser.js";
import { startStack } from "./stack.js";
import { lastRowEnd } from "../../infra/console/page/imports/part.js";
import { downloadName, lineOf } from "../../infra/console/page/imports/rejects.js";
import * as words from "../../infra/console/page/imports/words.js";
import { de as tabLabels } from "../../infra/console/labels/de.js";
import { de as ownLabels } from "../../infra/console/labels/imports.de.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const CONSOLE = path.join(ROOT, "infra/console");
const ORDERS = path.join(ROOT, "infra/samples/drop/shopify-orders/orders_export_1.csv");
const HEADER = "link.email,first_name,last_name,mobile,city,date_of_birth";
const IMPORT_MS = 60_000;

let stack;

before(async () => {
  [stack] = await Promise.all([startStack(), start()]);
});
after(async () => {
  await stop();
  await stack.stop();
});

/** Runs a test with a page that shows the imports. Its requests go to the stack only. */
const withImports = ({ hash = "#imports", ...options }, run) => async () => {
  const { page, finish } = await open({ url: `${stack.api}/${hash}`, allowed: [stack.api, stack.s3], ...options });
  page.setDefaultTimeout(IMPORT_MS);
  try {
    await run(page);
  } catch (error) {
    await shot(page, "imports-failed").catch(() => undefined);
    throw error;
  }
  await finish();
};

const csv = (name, ...rows) => ({ name, mimeType: "text/csv", buffer: Buffer.from([HEADER, ...rows, ""].join("\n")) });
const customer = (name, email = `${name.toLowerCase()}@example.com`) => `${email},${name},Okafor,+61 491 570 156,Hobart,1988-04-12`;
const card = (page, name) => page.locator(".file").filter({ has: page.getByRole("heading", { name }) });
const rows = (page) => page.locator(".imports > li");
const press = (place, name) => place.getByRole("button", { name, exact: true }).click();
const count = (place, name) => place.locator(".counts > div").filter({ hasText: new RegExp(`^${name}\\d`) }).locator("dd").evaluate((node) => node.firstChild.data);
const ask = (address) => fetch(stack.api + address).then((response) => response.json());

/** Waits until a check of the API succeeds. */
async function until(check) {
  for (let tries = 0; !(await check()); tries++) {
    assert.ok(tries < 300, "nothing has changed");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Drops files from outside of the browser. `files` is `[{name, text}]`. */
async function dropFiles(page, files, target = ".drop") {
  const transfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, text } of files) transfer.items.add(new File([text], name, { type: "text/csv" }));
    return transfer;
  }, files);
  const place = page.locator(target);
  await place.dispatchEvent("dragenter", { dataTransfer: transfer });
  assert.match(await place.getAttribute("class"), /\bover\b/);
  await place.dispatchEvent("dragover", { dataTransfer: transfer });
  await place.dispatchEvent("drop", { dataTransfer: transfer });
  assert.equal(await page.locator(".over").count(), 0);
}

async function choose(page, ...files) {
  await page.locator(".drop input[type=file]").setInputFiles(files);
}

/** Imports a file without a try, and waits for its account. */
async function importFile(page, file) {
  await choose(page, file);
  const place = card(page, file.name);
  await press(place, "Import without a try");
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  return place;
}

test("an empty stack: the view says what to do", withImports({}, async (page) => {
  await page.getByText("No imports yet").waitFor();
  await page.getByRole("heading", { level: 2, name: "Imports" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Imports" }).getAttribute("aria-current"), "page");
  await accessible(page, "no imports");
  await shot(page, "imports-empty");
}));

test("an export of Shopify is dropped, tried and imported, and a customer opened", withImports({}, async (page) => {
  await page.getByText("No imports yet").waitFor();
  await dropFiles(page, [{ name: "orders_export_1.csv", text: await readFile(ORDERS, "utf8") }]);
  const place = card(page, "orders_export_1.csv");
  await place.getByText("26 kB").waitFor();
  await press(place, "Try first");
  await place.getByText("Read as Shopify orders").waitFor();
  assert.equal(await count(place, "Written"), "40");
  await place.getByText("Would be stored.").waitFor();
  await place.getByText("40 records of 73 rows").waitFor();
  await place.getByText("3 customers as the Profile tab would show them").waitFor();
  const sample = place.locator(".sample").first();
  await sample.getByRole("tab", { name: "History" }).click();
  await sample.getByRole("tabpanel").getByText("End of history").waitFor();
  const [name] = (await sample.locator("header h2").innerText()).split("\n");
  await accessible(page, "tried");
  await shot(page, "imports-tried");
  // Nothing is stored yet.
  const lookup = () => fetch(`${stack.api}/profiles/lookup`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email: "marisol.murphy.8@example.net" }) });
  assert.equal((await lookup()).status, 404);
  await press(place, "Import");
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  assert.equal(await count(place, "Written"), "40");
  assert.equal((await lookup()).status, 200);
  await press(place, "Open a customer");
  await page.locator("customer-profile header h2").getByText(name).waitFor();
  assert.match(page.url(), /#profile=[a-z2-7]{26}$/);
  // The view keeps its files while another one is open.
  await page.goBack();
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  await rows(page).nth(1).waitFor();
  assert.deepEqual(await rows(page).locator(".labels").allInnerTexts(), ["Completed", "Try\nCompleted"]);
  assert.match(await rows(page).first().innerText(), /^orders_export_1\.csv\nShopify orders · source shopify · .*40 written$/s);
  assert.match(await rows(page).nth(1).innerText(), /40 would be written$/);
}));

test("an import in detail: facts, address, and the list again", withImports({}, async (page) => {
  await rows(page).first().getByRole("link", { name: "orders_export_1.csv" }).click();
  const heading = page.getByRole("heading", { level: 2, name: "orders_export_1.csv" });
  await heading.waitFor();
  await page.locator(".facts").getByText("Shopify orders").waitFor();
  assert.equal(await count(page, "Written"), "40");
  assert.match(page.url(), /#imports\/[0-9a-f-]{36}$/);
  await accessible(page, "import");
  await shot(page, "imports-detail");
  await page.reload();
  await heading.waitFor();
  await press(page, "Find a customer");
  assert.equal(await page.evaluate(() => document.activeElement.id), "value");
  await page.getByRole("link", { name: "All imports" }).click();
  await rows(page).nth(1).waitFor();
  assert.equal(new URL(page.url()).hash, "#imports");
  await page.goBack();
  await heading.waitFor();
  assert.ok(await heading.evaluate((node) => node.getRootNode().activeElement === node), "the heading has the focus");
}));

test("rejected rows are downloaded, corrected and dropped again", withImports({}, async (page) => {
  await choose(page, csv("customers.csv", customer("Sam"), customer("Ann", "noemail@example.com"), customer("Lin").replace("1988-04-12", "0000-00-00")));
  const place = card(page, "customers.csv");
  await place.getByLabel("Type").selectOption("customer_record");
  await place.getByLabel("Source (optional)").fill("crm");
  await press(place, "Try first");
  await place.getByText("Read as Customers").waitFor();
  const reason = place.getByRole("row", { name: /Placeholder instead of an identifier/ });
  assert.deepEqual(await reason.locator("td").allInnerTexts(), ["link.email", "1", "3"]);
  const warning = place.getByRole("row", { name: /The value breaks the rule of its field/ });
  assert.deepEqual(await warning.locator("td").allInnerTexts(), ["date_of_birth", "1", "4"]);
  await place.getByText("Line 3").waitFor();
  assert.match(await warning.locator("td").first().innerHTML(), /date_<wbr>of_<wbr>birth/);
  await press(place, "Import");
  await press(place, "Correct 1 rejected row");
  assert.deepEqual([await count(page, "Written"), await count(page, "Rejected")], ["2", "1"]);
  await page.getByText("Completed with rejects").waitFor();
  const row = page.locator(".rows tbody tr");
  await row.waitFor();
  assert.match(await row.innerText(), /3\s+link\.email\s+`link\.email` is a placeholder.*"first_name":"Ann"/s);
  await accessible(page, "rejects");
  await shot(page, "imports-rejects");
  const [saved] = await Promise.all([page.waitForEvent("download"), press(page, "Download rejected rows")]);
  assert.equal(saved.suggestedFilename(), "customers-rejected.ndjson");
  const text = await readFile(await saved.path(), "utf8");
  assert.equal(text.trim().split("\n").length, 1);
  assert.equal(JSON.parse(text).notation, "csv");
  await dropFiles(page, [{ name: "customers-rejected.ndjson", text: text.replace("noemail@example.com", "ann@example.com") }], ".correct");
  const corrected = card(page, "customers-rejected.ndjson");
  assert.equal(await corrected.getByLabel("Type").inputValue(), "customer_record");
  assert.equal(await corrected.getByLabel("Source (optional)").inputValue(), "crm");
  await press(corrected, "Import without a try");
  await corrected.getByRole("button", { name: "Open the import" }).waitFor();
  assert.deepEqual([await count(corrected, "Written"), await count(corrected, "Rejected")], ["1", "0"]);
  await page.getByLabel("Find a customer").fill("ann@example.com");
  await press(page, "Look up");
  await page.getByRole("heading", { level: 2, name: "Ann Okafor" }).waitFor();
}));

test("a file that cannot be read is refused with its problem and a fix", withImports({}, async (page) => {
  await choose(page, { name: "numbers.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2\n") });
  const place = card(page, "numbers.csv");
  await press(place, "Try first");
  await place.getByRole("alert").getByText("The file cannot be read").waitFor();
  await place.getByText("Choose the type of the file yourself.", { exact: false }).waitFor();
  await place.getByText("Refused").waitFor();
  assert.equal(await place.getByRole("button", { name: "Import", exact: true }).count(), 0);
  await accessible(page, "refused");
  await shot(page, "imports-refused");
  await press(place, "Choose another type");
  await place.getByLabel("Type").selectOption("customer_record");
  await press(place, "Import without a try");
  await place.getByRole("alert").getByText("Correct the first line of the file, or choose another type.").waitFor();
  await press(place, "Open the import");
  await page.getByText("Refused").waitFor();
  await page.getByRole("alert").getByText("Correct the first line").waitFor();
}));

test("several files, and the list newest first with those of the bucket", withImports({}, async (page) => {
  const put = await fetch(`${stack.bucket}/drop/customer_record/till/dropped.csv`, { method: "PUT", body: csv("", customer("Bo")).buffer });
  assert.equal(put.status, 200);
  // The list reads itself again only while an import is pending.
  await until(async () => (await ask("/imports?limit=25")).items.some(({ file_name: name }) => name === "dropped.csv"));
  await press(page, "Refresh");
  await page.locator(".imports").getByText("dropped.csv").waitFor();
  await dropFiles(page, ["first.csv", "second.csv"].map((name) => ({ name, text: csv(name, customer(name.slice(0, 5))).buffer.toString() })));
  await press(page, "Try all");
  for (const name of ["first.csv", "second.csv"]) await card(page, name).getByRole("button", { name: "Import", exact: true }).waitFor();
  await press(page, "Import all that were tried");
  for (const name of ["first.csv", "second.csv"]) await card(page, name).getByRole("button", { name: "Open the import" }).waitFor();
  const { items } = await ask("/imports?limit=25");
  const times = items.map(({ created_at: at }) => Date.parse(at));
  assert.deepEqual(times, times.toSorted((a, b) => b - a));
  await page.waitForFunction((names) => {
    const list = document.querySelector("#main > section").shadowRoot.querySelectorAll(".imports a");
    return JSON.stringify([...list].map((link) => link.textContent)) === JSON.stringify(names);
  }, items.map(({ file_name: name }) => name));
  assert.match(await rows(page).filter({ hasText: "dropped.csv" }).innerText(), /Customers · source till · /);
  await press(page, "Clear imported files");
  assert.equal(await page.locator(".file").count(), 0);
}));

test("an import is undone after a preview, and imported again", withImports({}, async (page) => {
  const name = (email) => fetch(`${stack.api}/profiles/lookup`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email }) })
    .then(async (response) => (response.ok ? (await response.json()).name : response.status));
  const importOf = async (file) => {
    await choose(page, file);
    const place = card(page, file.name);
    await place.getByLabel("Type").selectOption("customer_record");
    await place.getByLabel("Source (optional)").fill("undo");
    await press(place, "Import without a try");
    await place.getByRole("button", { name: /Open the import|rejected row/ }).waitFor();
    return place;
  };
  await importOf(csv("older.csv", customer("Old", "both@example.com")));
  const newer = await importOf(csv("newer.csv", customer("New", "both@example.com"), customer("Only"), customer("Bad", "noemail@example.com")));
  assert.deepEqual(await Promise.all(["both@example.com", "only@example.com"].map(name)), ["New Okafor", "Only Okafor"]);
  await press(newer, "Correct 1 rejected row");
  const undo = page.getByRole("button", { name: "Undo import" });
  await undo.click();
  await page.locator(".confirm .counts").waitFor();
  const preview = page.locator(".confirm");
  assert.deepEqual([await count(preview, "Deleted"), await count(preview, "Replaced since"), await count(preview, "Not found")], ["2", "0", "0"]);
  assert.equal(await count(preview, "Rejected"), "1");
  await preview.getByText("Would be deleted.", { exact: false }).waitFor();
  await preview.getByText("1 older import would be repeated.").waitFor();
  await accessible(page, "preview of an undo");
  await shot(page, "imports-undo");
  await press(preview, "Cancel");
  assert.ok(await undo.evaluate((node) => node.getRootNode().activeElement === node));
  assert.equal(await name("only@example.com"), "Only Okafor");
  await undo.click();
  await page.locator(".confirm .counts").waitFor();
  await press(page.locator(".confirm"), "Undo import");
  await page.getByText("Undo of an import").waitFor();
  await page.locator(".counts").waitFor();
  assert.deepEqual([await count(page, "Deleted"), await count(page, "Rejected")], ["2", "1"]);
  // Rejected rows belong to the import, and are corrected there.
  await page.locator(".title .labels").getByText("Completed", { exact: true }).waitFor();
  assert.equal(await page.locator(".rejects").count(), 0);
  await page.getByText("1 older import is repeated.").waitFor();
  await accessible(page, "undone");
  // The older file is imported again.
  await page.locator(".unknown a").first().click();
  await page.getByRole("heading", { level: 2, name: "older.csv" }).waitFor();
  await until(async () => (await ask("/imports?limit=10")).items.some(({ kind, file_name: file, state }) => kind === "replay" && file === "older.csv" && state === "completed"));
  assert.deepEqual(await Promise.all(["both@example.com", "only@example.com"].map(name)), ["Old Okafor", 404]);
  // The import says that it is undone, and can be imported again.
  await page.goBack();
  await page.locator(".facts").getByRole("link").first().click();
  await page.locator(".labels").getByText("Undone").waitFor();
  assert.equal(await undo.count(), 0);
  await press(page, "Restore import");
  await press(page.locator(".confirm"), "Restore import");
  await page.getByText("Repeated", { exact: true }).waitFor();
  await page.locator(".counts").waitFor();
  assert.equal(await count(page, "Written"), "2");
  assert.deepEqual(await Promise.all(["both@example.com", "only@example.com"].map(name)), ["New Okafor", "Only Okafor"]);
  await page.getByRole("link", { name: "All imports" }).click();
  assert.match(await rows(page).filter({ hasText: "Undo of an import" }).innerText(), /\n2 deleted$/);
  assert.equal(await page.getByText("Preview of an undo").count(), 0);
}));

test("an empty file is not sent", withImports({}, async (page) => {
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
  await choose(page, { name: "empty.csv", mimeType: "text/csv", buffer: Buffer.alloc(0) });
  const place = card(page, "empty.csv");
  await place.getByRole("alert").getByText("The file is empty.").waitFor();
  assert.deepEqual(await place.getByRole("button").allInnerTexts(), ["Remove"]);
  await accessible(page, "empty file");
  await press(place, "Remove");
  assert.equal(await place.count(), 0);
  assert.deepEqual(sent, []);
}));

test("a name of a mapping, an unknown one, and a reserved source", withImports({}, async (page) => {
  await choose(page, csv("named.csv", customer("Nam")));
  const place = card(page, "named.csv");
  await place.getByLabel("Type").selectOption({ label: "A mapping of your own…" });
  const tryIt = place.getByRole("button", { name: "Try first" });
  assert.ok(await tryIt.isDisabled());
  await place.getByLabel("Name of the mapping").fill("no-such-mapping");
  await tryIt.click();
  await place.getByRole("alert").waitFor();
  assert.match(await place.getByRole("alert").innerText(), /no-such-mapping|mapping/);
  await accessible(page, "unknown mapping");
  const again = place.getByRole("button", { name: "Choose another type" });
  if (await again.count()) await again.click();
  await place.getByLabel("Type").selectOption("customer_record");
  await place.getByLabel("Source (optional)").fill("agents");
  await press(place, "Try first");
  await place.getByRole("alert").getByText("source", { exact: false }).waitFor();
}));

test("the list has pages", withImports({}, async (page) => {
  // The real list is shorter than a page.
  await page.route(/\/imports\?/, async (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("limit", "2");
    await route.continue({ url: String(url) });
  });
  await page.reload();
  const more = page.getByRole("button", { name: "More", exact: true });
  await more.waitFor();
  assert.equal(await rows(page).count(), 2);
  await more.click();
  await rows(page).nth(3).waitFor();
  const names = await rows(page).locator("a").evaluateAll((links) => links.map((link) => link.hash));
  assert.equal(new Set(names).size, names.length);
}));

test("a page of previews alone is followed by the next one", withImports({}, async (page) => {
  await page.route(/\/imports\?/, async (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("limit", "1");
    await route.continue({ url: String(url) });
  });
  await page.reload();
  const { items } = await ask("/imports?limit=100");
  const wanted = items.filter(({ preview }) => !preview);
  assert.ok(wanted.length < items.length, "there are previews");
  for (const at of wanted.keys()) {
    await rows(page).nth(at).waitFor();
    if (at + 1 < wanted.length) await press(page, "More");
  }
  assert.deepEqual(await rows(page).locator("a").evaluateAll((links) => links.map((link) => link.hash)), wanted.map(({ id }) => `#imports/${id}`));
}));

test("with the keyboard alone", withImports({}, async (page) => {
  const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent);
  await rows(page).first().waitFor();
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("link", { name: "Imports" }).focus();
  for (let presses = 0; await focused() !== "Choose files"; presses++) {
    assert.ok(presses < 12, "the button is reached with Tab");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await (await choosing).setFiles([csv("keys.csv", customer("Key"))]);
  // The first choice has the focus.
  await page.waitForFunction(() => document.activeElement.shadowRoot?.activeElement?.tagName === "SELECT");
  for (let presses = 0; await focused() !== "Try first"; presses++) {
    assert.ok(presses < 6);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  const place = card(page, "keys.csv");
  await place.getByRole("button", { name: "Import", exact: true }).waitFor();
  await page.waitForFunction(() => document.activeElement.shadowRoot?.activeElement?.textContent.startsWith("keys.csv"));
  await page.getByText("The try of keys.csv has ended.").waitFor({ state: "attached" });
  const tab = place.getByRole("tab", { name: "Summary" });
  await tab.focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await place.getByRole("tab", { selected: true }).textContent(), "Attributes");
  await place.getByRole("button", { name: "Import", exact: true }).focus();
  await page.keyboard.press("Enter");
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  await place.getByRole("button", { name: "Remove from this list" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.shadowRoot?.activeElement?.tagName === "H2");
}));

test("a file above 100 MB is uploaded in parts", withImports({}, async (page) => {
  const parts = [];
  page.on("request", (request) => request.method() === "PUT" && parts.push(request));
  const progress = [];
  await page.exposeFunction("seenProgress", (value) => progress.push(value));
  await dropLarge(page, "large.csv", 101, [customer("Large"), customer("Larger")]);
  const place = card(page, "large.csv");
  await place.getByLabel("Type").selectOption("customer_record");
  // Only the first rows are tried.
  await press(place, "Try first");
  await place.getByText("Only the first rows were tried").waitFor();
  assert.equal(parts.length, 1);
  assert.equal(await count(place, "Written"), "2");
  await page.evaluate(() => {
    const root = document.querySelector("#main > section").shadowRoot;
    new MutationObserver(() => {
      const bar = root.querySelector(".file progress");
      if (bar) globalThis.seenProgress(bar.value);
    }).observe(root, { subtree: true, childList: true, characterData: true });
  });
  await press(place, "Import");
  await place.getByRole("button", { name: "Cancel upload" }).waitFor();
  await place.getByRole("button", { name: "Open the import" }).waitFor({ timeout: 300_000 });
  assert.deepEqual([await count(place, "Written"), await count(place, "Skipped")], ["2", "101"]);
  assert.ok(parts.length >= 3, `${parts.length - 1} parts`);
  assert.ok(progress.some((value) => value > 0 && value < 1), "the bar moves");
}));

test("a part that fails is sent again, and an expired URL is issued again", withImports({}, async (page) => {
  const asked = [];
  page.on("request", (request) => request.url().endsWith("/parts") && asked.push(request.postDataJSON().numbers));
  let [lost, expired] = [true, true];
  await page.route((url) => url.origin === stack.s3, async (route) => {
    const number = new URL(route.request().url()).searchParams.get("partNumber");
    if (number === "1" && lost) {
      lost = false;
      return route.abort();
    }
    if (number === "2" && expired) {
      expired = false;
      return route.fulfill({ status: 403, headers: { "access-control-allow-origin": stack.api }, body: "<Error><Code>AccessDenied</Code></Error>" });
    }
    return route.continue();
  });
  await dropLarge(page, "flaky.csv", 101, [customer("Flaky")]);
  const place = card(page, "flaky.csv");
  await place.getByLabel("Type").selectOption("customer_record");
  await press(place, "Import without a try");
  await place.getByRole("button", { name: "Open the import" }).waitFor({ timeout: 300_000 });
  assert.deepEqual([lost, expired], [false, false]);
  assert.equal(await count(place, "Written"), "1");
  assert.ok(asked.length >= 2 && asked[1].includes(2), JSON.stringify(asked));
}));

test("an upload is canceled, continued, and guarded while the page is closed", withImports({}, async (page) => {
  let isHeld = true;
  const held = [];
  await page.route((url) => url.origin === stack.s3, (route) => (isHeld ? held.push(route) : route.continue()));
  await choose(page, csv("canceled.csv", customer("Cancel")));
  const place = card(page, "canceled.csv");
  await place.getByLabel("Type").selectOption("customer_record");
  await press(place, "Import without a try");
  await place.getByRole("button", { name: "Cancel upload" }).waitFor();
  const dialog = page.waitForEvent("dialog");
  page.reload().catch(() => undefined);
  assert.equal((await dialog).type(), "beforeunload");
  await (await dialog).dismiss();
  await press(place, "Cancel upload");
  await place.getByRole("button", { name: "Try first" }).waitFor();
  isHeld = false;
  await press(place, "Import without a try");
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  assert.equal(await count(place, "Written"), "1");
}));

test("failures of the API are shown as they are, and can be repeated", withImports({}, async (page) => {
  const problem = (status, more = {}) => ({ status, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/x", title: "A title", status, detail: "A detail.", request_id: "r-1", ...more }) });
  await rows(page).first().waitFor();
  let given;
  await page.route(/\/imports(\?|$)/, (route) => (given ? route.fulfill(given) : route.continue()));
  await choose(page, csv("failing.csv", customer("Fail")));
  const place = card(page, "failing.csv");
  for (const [answer, text] of [[problem(403, { detail: "The token lacks the scope imports:write." }), "The token lacks the scope imports:write."], [problem(400), "A detail."], [problem(500), "Request ID r-1"]]) {
    given = answer;
    await press(place, "Import without a try");
    await place.getByRole("alert").getByText(text).waitFor();
  }
  await accessible(page, "failed");
  given = problem(403, { detail: "The token lacks the scope imports:read." });
  await press(page, "Refresh");
  await page.getByRole("alert").getByText("The token lacks the scope imports:read.").waitFor();
  // A failure removes nothing.
  assert.ok(await rows(page).count() > 2);
  given = undefined;
  await press(place, "Import without a try");
  await place.getByRole("button", { name: "Open the import" }).waitFor();
  await page.goto(`${stack.api}/#imports/00000000-0000-7000-8000-000000000000`);
  await page.getByRole("alert").getByText("The import does not exist").waitFor();
}));

test("signed out: the page asks for a token, and shows the imports again", withImports({}, async (page) => {
  await page.route(/\/imports\?/, (route) => (route.request().headers().authorization === "Bearer an-importer" ? route.continue({ headers: { ...route.request().headers(), authorization: "" } })
    : route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify({ type: "/problems/unauthenticated", status: 401 }) })));
  await page.reload();
  await press(page, "Sign in");
  await page.getByLabel("Bearer token of a support agent").fill("an-importer");
  await press(page, "Use token");
  await rows(page).nth(1).waitFor();
  assert.equal(new URL(page.url()).hash, "#imports");
}));

test("in German, no text of the view stays English", withImports({ locale: "de-DE" }, async (page) => {
  await page.getByLabel("Language").selectOption("de");
  await page.getByRole("heading", { level: 2, name: "Importe" }).waitFor();
  await choose(page, csv("kunden.csv", customer("Jana"), customer("Ute", "noemail@example.com")));
  const place = card(page, "kunden.csv");
  await place.getByLabel("Art").selectOption("customer_record");
  const seen = [];
  const look = async () => seen.push(...await page.evaluate(() => {
    const root = document.querySelector("#main > section").shadowRoot;
    const texts = [...root.querySelectorAll(":not([lang=en] *, option)")].flatMap((node) => [...node.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data.trim()));
    return [...texts, ...[...root.querySelectorAll("[aria-label],[title],[placeholder]")].flatMap((node) => ["aria-label", "title", "placeholder"].map((name) => node.getAttribute(name)))];
  }));
  await look();
  await press(place, "Zuerst prüfen");
  await place.locator(".sample").first().waitFor();
  await look();
  await accessible(page, "German");
  await shot(page, "imports-german");
  await press(place, "Importieren");
  await press(place, "1 abgelehnte Zeile berichtigen");
  await page.locator(".rows tbody tr").waitFor();
  await press(page, "Import rückgängig machen");
  await page.locator(".confirm .counts").waitFor();
  await look();
  const left = english().filter((text) => ({ ...tabLabels, ...ownLabels })[text] !== text && !text.includes("{") && seen.includes(text));
  assert.deepEqual(left, []);
  assert.ok(["Abgelehnte Zeilen", "Geschrieben", "Schlüssel im Bucket"].every((text) => seen.includes(text)));
}));

for (const { width, scheme, dir } of [1440, 768, 360].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme }))).concat({ width: 1280, dir: "rtl" }, { width: 360, dir: "rtl" })) {
  const what = [width, scheme, dir].filter(Boolean).join("-");
  test(`looks, ${what}`, withImports({ width, height: width > 500 ? 900 : 740, scheme }, async (page) => {
    if (dir) await page.evaluate(() => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }));
    const fits = async (part) => {
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wider <= 0, `${what} ${part}: ${wider} px too wide`);
      await accessible(page, `${what} ${part}`);
      await shot(page, `imports-${part}-${what}`);
    };
    await rows(page).first().waitFor();
    await choose(page, csv("a-file-with-a-rather-long-name-of-2026-11-29.csv", customer("Wide"), customer("Wider", "noemail@example.com")));
    await fits("ready");
    await press(page.locator(".file"), "Try first");
    await page.locator(".sample").first().waitFor();
    await fits("tried");
    const { items } = await ask("/imports?limit=100");
    const { id } = items.find((each) => each.kind === "import" && each.file_name === "customers.csv");
    await page.evaluate((id) => { location.hash = `imports/${id}`; }, id);
    await page.getByRole("heading", { level: 2, name: "customers.csv" }).waitFor();
    await page.locator(".rows tbody tr, .samples").first().waitFor();
    await fits("detail");
  }));
}

test("the tab loads nothing of the view, which can be loaded again, and has no inline script or markup", withImports({ hash: "" }, async (page) => {
  const requests = [];
  page.on("request", (request) => requests.push(new URL(request.url()).pathname));
  await page.reload();
  await page.getByText("No customer selected").waitFor();
  const ofView = () => requests.filter((name) => name.startsWith("/page/imports/") || name.startsWith("/labels/"));
  assert.deepEqual(ofView(), []);
  await page.route("**/page/imports/view.js", (route) => route.abort(), { times: 1 });
  await page.getByRole("link", { name: "Imports" }).click();
  await page.getByRole("alert").getByText("The imports cannot be shown.").waitFor();
  await accessible(page, "not loaded");
  await press(page, "Try again");
  await rows(page).first().waitFor();
  assert.equal(await page.getByText("The imports cannot be shown.").count(), 0);
  assert.equal(ofView().filter((name) => name === "/page/imports/view.js").length, 2);
  for (const name of [...readdirSync(path.join(CONSOLE, "page/imports")).map((name) => `page/imports/${name}`), "page/imports.js"].filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(path.join(CONSOLE, name), "utf8");
    assert.doesNotMatch(text, /innerHTML|insertAdjacentHTML|document\.write|localStorage|sessionStorage/, name);
  }
}));

/** The English texts of the view: the parameters of `t`, and the words for names of the API. */
function english() {
  const source = readdirSync(path.join(CONSOLE, "page/imports")).filter((name) => name.endsWith(".js")).map((name) => readFileSync(path.join(CONSOLE, "page/imports", name), "utf8")).join("\n");
  const named = Object.values(words).flatMap((value) => (typeof value === "string" ? [value] : Object.values(value).flat())).filter((text) => /^[A-Z]/.test(text));
  return [...new Set([...source.matchAll(/(?<![\w.])t\("((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text).concat(named))];
}

test("every text has a German one with the same values", () => {
  assert.ok(english().length > 150);
  for (const text of english()) {
    const form = ownLabels[text] ?? tabLabels[text];
    assert.ok(form, `no German text for: ${text}`);
    for (const one of typeof form === "string" ? [form] : Object.values(form)) assert.deepEqual((one.match(/\{\w+\}/g) ?? []).toSorted(), (text.match(/\{\w+\}/g) ?? []).toSorted(), text);
  }
  for (const text of Object.keys(ownLabels)) assert.ok(english().includes(text), `not used: ${text}`);
});

test("the types, warnings, reasons and problems are those of the service", () => {
  const builtin = readdirSync(path.join(ROOT, "functions/ingest/src/mapping/builtin")).map((name) => path.basename(name, ".json"));
  assert.deepEqual(Object.keys(words.MAPPINGS).toSorted(), builtin.toSorted());
  const records = readFileSync(path.join(ROOT, "infra/docs/reference/records.md"), "utf8");
  const types = [...records.matchAll(/^## ([a-z_]+)$/gm)].map(([, name]) => name);
  assert.deepEqual(Object.keys(words.RECORD_TYPES).toSorted(), types.toSorted());
  const errors = readFileSync(path.join(ROOT, "infra/docs/reference/errors.md"), "utf8");
  const section = (title) => errors.split(`\n## ${title}\n`)[1].split("\n## ")[0];
  const codes = (title) => [...section(title).matchAll(/^\| `([a-z_0-9]+)` \|/gm)].map(([, code]) => code).concat("other");
  assert.deepEqual(Object.keys(words.WARNINGS).toSorted(), codes("Warning codes").toSorted());
  assert.deepEqual(Object.keys(words.REASONS).toSorted(), codes("Row error codes").toSorted());
  const problems = [...section("File problems").matchAll(/^### ([a-z-]+)$/gm)].map(([, code]) => code);
  assert.deepEqual(Object.keys(words.FIXES).toSorted(), problems.toSorted());
});

test("the beginning of a large file ends with a whole row", () => {
  const end = (text, isTable) => lastRowEnd(new TextEncoder().encode(text), isTable);
  assert.equal(end('a,b\n1,"x\ny"\n2,"z\n', true), 'a,b\n1,"x\ny"\n'.length);
  assert.equal(end('{"a": "\\""}\n{"a"', false), '{"a": "\\""}\n'.length);
  assert.equal(end("no line end", true), 0);
});

test("the lines of a download have the form of rejects", () => {
  const error = { code: "missing_field", field: "link", message: "is missing." };
  assert.deepEqual(JSON.parse(lineOf({ line: 3, offset: 9, errors: [error], record: { a: 1 }, notation: "csv" })), { line: 3, offset: 9, ...error, record: { a: 1 }, notation: "csv" });
  const two = [error, { code: "invalid_value", message: "x" }];
  assert.deepEqual(JSON.parse(lineOf({ offset: 9, errors: two, record_text: "{", source: "shopify" })), { line: null, offset: 9, ...error, errors: two, record: "{", source: "shopify" });
  assert.deepEqual(["a.csv", "a.csv.gz", "a-rejected.ndjson", "a", undefined].map((name) => downloadName(name)), ["a-rejected.ndjson", "a-rejected.ndjson", "a-rejected.ndjson", "a-rejected.ndjson", "import-rejected.ndjson"]);
});

/** Drops a CSV file with this number of lines of 1 MB, which are blank, between the header and the rows. */
async function dropLarge(page, name, megabytes, records) {
  const transfer = await page.evaluateHandle(({ name, megabytes, header, records }) => {
    const line = new Blob([`${" ".repeat(999_999)}\n`]);
    const transfer = new DataTransfer();
    transfer.items.add(new File([`${header}\n${records.join("\n")}\n`, ...Array.from({ length: megabytes }, () => line)], name));
    return transfer;
  }, { name, megabytes, header: HEADER, records });
  await page.locator(".drop").dispatchEvent("drop", { dataTransfer: transfer });
}
