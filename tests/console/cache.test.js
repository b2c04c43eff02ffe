/** The browser keeps no profile: the page's requests neither fill the HTTP cache nor are served from it. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { API, profileOf, SAMPLE, start, stop, withPage } from "./browser.js";

const FOLDER = path.resolve(import.meta.dirname, "../../infra/console");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };

/** Addresses that have been asked for. */
const requests = [];

/** The page and the API at one origin. Its responses may all be cached, so that only the page's own requests prevent it. */
const server = createServer(async (request, response) => {
  if (!request.url.startsWith("/profiles/")) {
    const name = path.normalize(request.url === "/" ? "/index.html" : request.url);
    const file = await readFile(path.join(FOLDER, name)).catch(() => undefined);
    response.writeHead(file ? 200 : 404, { "content-type": TYPES[path.extname(name)] ?? "application/octet-stream" }).end(file);
    return;
  }
  requests.push(request.url);
  const given = await fetch(API + request.url);
  response.writeHead(given.status, { "content-type": given.headers.get("content-type"), "cache-control": "private, max-age=3600" }).end(await given.text());
});

before(async () => {
  await start();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await stop();
});

test("profiles and history pages do not enter the browser's cache", async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const { id } = await profileOf(SAMPLE);
  const address = `/profiles/${id}`;
  await withPage({ url: `${origin}/#profile=${id}`, allowed: [origin] }, async (page) => {
    const name = page.getByRole("heading", { level: 2, name: "Minh Mokoena" });
    await name.waitFor();
    const more = page.waitForResponse((response) => response.url().includes("/history?"));
    await page.getByRole("tab", { name: "History" }).click();
    await page.locator(".foot").scrollIntoViewIfNeeded();
    await (await more).finished();
    const count = () => requests.filter((request) => request === address).length;
    assert.equal(count(), 1);

    const cached = (addresses) => page.evaluate((addresses) => Promise.all(addresses.map((address) =>
      fetch(address, { cache: "only-if-cached", mode: "same-origin" }).then(({ ok }) => ok, () => false))), addresses);
    assert.deepEqual(await cached(requests), requests.map(() => false));

    // A refresh, and another visit of the page.
    const loaded = page.waitForResponse(origin + address);
    await page.evaluate(() => document.querySelector("customer-profile").refresh());
    await loaded;
    assert.equal(count(), 2);
    await page.goto("about:blank");
    await page.goto(`${origin}/#profile=${id}`);
    await name.waitFor();
    assert.equal(count(), 3);

    // Without a connection, what is shown stays, though no cache has it.
    await page.context().setOffline(true);
    await page.getByText("You are offline.").waitFor();
    await page.evaluate(() => document.querySelector("customer-profile").refresh());
    await page.getByRole("alert").getByText("Not connected").waitFor();
    assert.ok(await name.isVisible());
    assert.ok(await page.getByText("Spend over time").isVisible());
    await page.context().setOffline(false);
    await page.getByText("Not connected").waitFor({ state: "detached" });
    assert.equal(count(), 4);
  })();
});
