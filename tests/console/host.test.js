/** The console at another origin than the API's, as `infra/docs/guides/embedding-the-tab.md` describes: its policy, CORS and the token. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { accessible, API, lookUp, SAMPLE, shot, start, stop, withPage } from "./browser.js";

const FOLDER = path.resolve(import.meta.dirname, "../../infra/console");
const PORT = Number(process.env.CONSOLE_HOST_PORT ?? 8080);
const ORIGIN = `http://127.0.0.1:${PORT}`;
const GUIDE = path.join(FOLDER, "../docs/guides/embedding-the-tab.md");
const [policy] = readFileSync(GUIDE, "utf8").match(/default-src 'none';.*/);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };

/** A service desk's page: it has the token, and hands it over. */
const DESK = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Desk</title><main><h1>Desk</h1>
<customer-profile api="${API}"></customer-profile></main>
<script type="module" src="/customer-profile.js"></script><script type="module" src="/desk.js"></script></html>`;
const DESK_SCRIPT = `const tab = document.querySelector("customer-profile");
tab.token = async () => "of-the-session";
tab.lookup = ${JSON.stringify(SAMPLE)};
tab.addEventListener("profile-loaded", ({ detail }) => { document.title = detail.id; });`;

const server = createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, ORIGIN);
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  const made = { "desk.html": DESK, "desk.js": DESK_SCRIPT };
  const body = made[name] ?? await readFile(path.join(FOLDER, path.normalize(`/${name}`)), "utf8").catch(() => undefined);
  const page = name === "index.html" ? body.replace('name="customer-profiles-api" content=""', `name="customer-profiles-api" content="${API}"`) : body;
  answer.writeHead(body === undefined ? 404 : 200, {
    "content-type": TYPES[path.extname(name)] ?? "application/octet-stream",
    // The guide's policy, with this API, and this API's host for pictures.
    "content-security-policy": policy.replace(/https:\/\/\S+amazonaws\.com/, API).replace(/img-src 'self' \S+;/, `img-src 'self' ${API};`),
  }).end(page);
});

before(async () => {
  await start();
  await new Promise((resolve) => server.listen(PORT, "127.0.0.1", resolve));
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await stop();
});

test("the demo page reads and writes an API of another origin", withPage({ url: `${ORIGIN}/`, allowed: [ORIGIN] }, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.getByLabel("New note").fill("From another origin");
  await page.getByRole("button", { name: "Add note" }).click();
  await page.getByText("Saving…").waitFor({ state: "detached" });
  const note = page.locator(".notes-list > li").filter({ hasText: "From another origin" });
  await note.getByRole("button", { name: "Pin" }).click();
  await note.getByText("Pinned").waitFor();
  await page.getByText("Saving…").waitFor({ state: "detached" });
  await note.getByRole("button", { name: "Delete" }).click();
  await note.getByRole("button", { name: "Delete", exact: true }).click();
  await note.waitFor({ state: "detached" });
  await page.getByText("Saving…").waitFor({ state: "detached" });
  assert.equal(await page.getByRole("alert").count(), 0);
  // The policy allows the module of the tab, and CORS the previews.
  await page.getByRole("tab", { name: "Identities" }).click();
  await page.getByRole("button", { name: /^Separate/ }).first().click();
  await page.locator(".comparison").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await page.getByRole("alert").count(), 0);
  await page.getByRole("tab", { name: "History" }).click();
  await page.waitForFunction(() => [...document.querySelector("customer-profile").shadowRoot.querySelectorAll("img")].some((image) => image.naturalWidth > 0));
}));

test("an embedding page hands its token over in the header of every request", withPage({ url: `${ORIGIN}/desk.html`, allowed: [ORIGIN] }, async (page) => {
  const headers = [];
  page.on("request", (request) => {
    if (new URL(request.url()).origin === API && request.resourceType() === "fetch") headers.push(request.headers().authorization);
  });
  await page.reload();
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  await page.waitForFunction(() => document.title.length === 26);
  assert.deepEqual([...new Set(headers)], ["Bearer of-the-session"]);
  await accessible(page, "embedded");
  await shot(page, "embedded");
}));

test("an origin that the parameter does not name is shut out", async () => {
  const ask = async (origin) => (await fetch(`${API}/profiles/lookup`, {
    method: "OPTIONS", headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" },
  })).headers.get("access-control-allow-origin");
  assert.equal(await ask(ORIGIN), ORIGIN);
  assert.equal(await ask("https://elsewhere.example"), null);
});
