/** One Chromium for a test file, and pages that watch what no test may see: errors, broken policy, requests elsewhere. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

/** A running local stack, with its sample data: `ready api=… s3=… bucket=…` says where it is. */
export const API = process.env.CONSOLE_API ?? "http://127.0.0.1:3000";
export const S3 = process.env.CONSOLE_S3 ?? "http://127.0.0.1:9000/customer-profiles";

/** Where screenshots go: never into git. */
const SHOTS = process.env.CONSOLE_SHOTS ?? path.resolve(import.meta.dirname, "../../target/console");

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The customer in the README's screenshots: an address of the sample data that has everything. */
export const SAMPLE = { email: "minh.mokoena.0@example.com" };

let chromiumBrowser;

export async function start() {
  chromiumBrowser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** The browser that `start` has started. */
export const browser = () => chromiumBrowser;

export const stop = () => chromiumBrowser.close();

/** A page that `finish` checks. `allowed` are origins that it may talk to besides the stack's. */
export async function open({ allowed = [], width = 1280, height = 900, scheme = "light", locale = "en-GB", timezone = "UTC", url = `${API}/` } = {}) {
  const context = await chromiumBrowser.newContext({ viewport: { width, height }, colorScheme: scheme, locale, timezoneId: timezone, reducedMotion: "reduce" });
  const page = await context.newPage();
  const found = [];
  await page.exposeFunction("policyBroken", (text) => found.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => globalThis.measuring || globalThis.policyBroken(`${event.violatedDirective} ${event.blockedURI}`));
    globalThis.alert = () => globalThis.policyBroken("a script of the data ran");
  });
  page.on("pageerror", (error) => found.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const { origin, href } = new URL(request.url());
    if (![API, ...allowed].includes(origin)) found.push(`request elsewhere: ${href}`);
    if (/@|token|secret/.test(href)) found.push(`an address that tells too much: ${href}`);
  });
  await page.goto(url);
  const finish = async () => {
    await context.close();
    assert.deepEqual(found, []);
  };
  return { page, finish };
}

/** Runs `test` with a page of its own. */
export const withPage = (options, test) => async () => {
  const { page, finish } = await open(options);
  try {
    await test(page);
  } catch (error) {
    await shot(page, "failed").catch(() => undefined);
    throw error;
  }
  await finish();
};

/** Looks a customer up by the search box, and waits for the tabs. */
export async function lookUp(page, text, { kind, system, tab = "Summary" } = {}) {
  await page.getByLabel("Find a customer").fill(text);
  if (kind) await page.locator("#kind").selectOption(kind);
  if (system) await page.locator("#system").fill(system);
  await page.getByRole("button", { name: "Look up" }).click();
  await page.getByRole("tab", { name: tab }).waitFor();
}

/** Scrolls the history until nothing is left. */
export async function scrollToTheEnd(page) {
  const end = page.getByText("End of history");
  for (let turns = 0; turns < 200 && !(await end.isVisible()); turns++) {
    await page.mouse.wheel(0, 3000);
    await page.waitForTimeout(50);
  }
  await end.waitFor();
}

export async function shot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
}

/** What axe finds against WCAG 2.2 AA and its own best practices: nothing. */
export async function accessible(page, what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(async () => {
    // The page's policy keeps axe, too, from writing styles: that is none of the page's doing.
    globalThis.measuring = true;
    const found = await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    await new Promise((resolve) => setTimeout(resolve));
    globalThis.measuring = false;
    return found;
  });
  const lines = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${what}: ${id}: ${node.target.flat().join(" ")}: ${node.failureSummary}`));
  assert.deepEqual(lines, []);
}

/** A request to the API, past the page. */
export async function api(method, address, body, headers = {}) {
  const answer = await fetch(API + address, {
    method,
    headers: { ...(body ? { "content-type": "application/json" } : {}), ...headers },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${address}: ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

export const profileOf = (identifier) => api("POST", "/profiles/lookup", identifier);

/** Every event of a profile, page by page. */
export async function allEvents(id, query = "") {
  const items = [];
  let cursor = "";
  do {
    const page = await api("GET", `/profiles/${id}/history?limit=100${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

/** Drops records of one type as a source would, as objects or lines, and waits until the API returns the customer. */
export async function drop(recordType, records, identifier, seen = () => true, source = "tests") {
  const answer = await fetch(`${S3}/drop/${recordType}/${source}/${recordType}-${process.pid}-${Date.now()}.ndjson`, {
    method: "PUT", body: records.map((record) => (typeof record === "string" ? record : JSON.stringify(record))).join("\n"),
  });
  assert.equal(answer.status, 200, await answer.text());
  for (let tries = 0; tries < 200; tries++) {
    const found = await fetch(`${API}/profiles/lookup`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(identifier) });
    if (found.ok && seen(await found.json())) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`${recordType} was not imported`);
}
