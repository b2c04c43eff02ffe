/** The example `infra/examples/embedding`: a desk that shows the Profile tab in a frame of another origin. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { accessible, API, SAMPLE, shot, start, stop, withPage } from "./browser.js";

const SERVER = path.resolve(import.meta.dirname, "../../infra/examples/embedding/server.mjs");
/** The port whose origin the stack's parameter `CorsOrigins` contains. */
const PORT = process.env.CONSOLE_HOST_PORT ?? "8080";
const ALLOWED = [];

let example;
let desk;
let frame;

/** A page of neither origin. It contains the framed page, and shows nothing else. */
const elsewhere = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html><title>Elsewhere</title><iframe src="${frame}/"></iframe>`));

before(async () => {
  await start();
  example = spawn(process.execPath, [SERVER, "--api", API, "--desk-port", "0", "--frame-port", PORT], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((_, reject) => example.once("exit", (code) => reject(new Error(`server.mjs ended with ${code}`))));
  const line = await Promise.race([ended, new Promise((resolve) => createInterface(example.stdout).once("line", resolve))]);
  [, desk, frame] = line.match(/^ready desk=(\S+) frame=(\S+) api=/);
  ended.catch(() => undefined);
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  ALLOWED.push(desk, frame, `http://127.0.0.1:${elsewhere.address().port}`);
});
after(async () => {
  example?.kill();
  elsewhere.closeAllConnections();
  elsewhere.close();
  await stop();
});

/** Runs a test with the desk's page, or that of `address`. */
const withDesk = (options, run) => async () => withPage({ url: options.address?.() ?? `${desk}/`, allowed: ALLOWED, ...options }, run)();

const shown = (page, name) => page.frameLocator("iframe").getByRole("heading", { level: 2, name }).waitFor();
const select = (page, name) => page.getByRole("navigation").getByRole("button", { name }).click();
const framed = (page) => page.frames().find((each) => each.url().startsWith(frame));

/** From now on: the bodies of lookups, all requests to the API, and promises of the tokens that the frame gets. */
function watch(page) {
  const seen = { lookups: [], requests: [], tokens: [] };
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== API || request.method() === "OPTIONS") return;
    seen.requests.push(request);
    if (url.pathname === "/profiles/lookup") seen.lookups.push(request.postDataJSON());
  });
  page.on("response", (response) => {
    if (response.url() === `${frame}/session`) seen.tokens.push(response.json().then(({ access_token: token }) => token));
  });
  return seen;
}

const appContext = (email) => JSON.stringify({ event: "appContext", data: { contact: { id: 9, email }, conversation: { id: 9 } } });

test("the frame shows the customer of the open conversation, and of the next one", withDesk({ width: 1400 }, async (page) => {
  await shown(page, "Minh Mokoena");
  const seen = watch(page);
  await page.reload();
  await shown(page, "Minh Mokoena");
  await select(page, "Samir Andersen");
  await shown(page, "Samir Andersen");
  await select(page, "Siobhan Byrne");
  await shown(page, "Siobhan Byrne");
  await select(page, "Visitor 4");
  await page.frameLocator("iframe").getByText("No customer selected").waitFor();
  await select(page, "Minh Mokoena");
  await shown(page, "Minh Mokoena");
  assert.deepEqual(seen.lookups, [SAMPLE, { mobile: "+44 7700 900050" }, { customer_id: "C100064", system_name: "pos" }, SAMPLE]);
}));

test("the token is in headers alone, and is renewed after a 401", withDesk({}, async (page) => {
  await shown(page, "Minh Mokoena");
  const seen = watch(page);
  const problem = { type: "/problems/unauthorized", title: "Unauthorized", status: 401 };
  await page.route("**/profiles/lookup", (route) => route.fulfill({
    status: 401, contentType: "application/problem+json", headers: { "access-control-allow-origin": frame }, body: JSON.stringify(problem),
  }), { times: 1 });
  await page.reload();
  await shown(page, "Minh Mokoena");
  const tokens = await Promise.all(seen.tokens);
  assert.equal(tokens.length, 2);
  const headers = await Promise.all(seen.requests.map((request) => request.allHeaders()));
  assert.deepEqual([...new Set(headers.map(({ authorization }) => authorization))], tokens.map((token) => `Bearer ${token}`));
  for (const { cookie, referer } of headers) assert.deepEqual([cookie, referer], [undefined, undefined]);
  const kept = await framed(page).evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href, document.documentElement.outerHTML]));
  const sent = seen.requests.map((request) => request.url() + request.postData()).join();
  for (const token of tokens) assert.ok(!`${kept}${sent}${page.url()}`.includes(token));
}));

test("a token that could not be requested is requested again", withDesk({}, async (page) => {
  let asked = 0;
  page.on("request", (request) => { asked += request.url() === `${frame}/session`; });
  await page.route("**/session", (route) => route.abort(), { times: 1 });
  await page.reload();
  await shown(page, "Minh Mokoena");
  await select(page, "Samir Andersen");
  await shown(page, "Samir Andersen");
  assert.ok(asked >= 2, `${asked} requests`);
}));

test("messages of other origins change nothing", withDesk({}, async (page) => {
  const seen = watch(page);
  await shown(page, "Minh Mokoena");
  // The framed page's own origin is not the desk's. A window handles messages in order, so the last one ends the wait.
  await framed(page).evaluate((data) => new Promise((resolve) => {
    addEventListener("message", (event) => event.data === "end" && resolve());
    postMessage(data, "*");
    postMessage("end", "*");
  }), appContext("mateo.obrien.60@example.com"));
  await select(page, "Samir Andersen");
  await shown(page, "Samir Andersen");
  assert.ok(!JSON.stringify(seen.lookups).includes("mateo"));
}));

test("another page cannot select a customer through a window that it opens", withDesk({ address: () => ALLOWED[2] }, async (page) => {
  const [opened] = await Promise.all([page.waitForEvent("popup"), page.evaluate((url) => { globalThis.opened = open(url); }, `${frame}/`)]);
  const seen = watch(opened);
  await opened.getByText("No customer selected").waitFor();
  await opened.evaluate(() => { globalThis.sender = new Promise((resolve) => addEventListener("message", (event) => event.data === "end" && resolve(event.origin))); });
  await page.evaluate((data) => [data, "end"].forEach((message) => globalThis.opened.postMessage(message, "*")), appContext(SAMPLE.email));
  assert.equal(await opened.evaluate(() => globalThis.sender), ALLOWED[2]);
  await opened.getByText("No customer selected").waitFor();
  assert.deepEqual(seen.lookups, []);
}));

test("another page cannot contain the framed page", withDesk({ address: () => ALLOWED[2] }, async (page) => {
  assert.equal(page.frames().length, 2);
  assert.ok(!framed(page));
  const policies = await Promise.all([desk, frame].map(async (origin) => (await fetch(origin)).headers.get("content-security-policy")));
  assert.deepEqual(policies.map((policy) => policy.match(/frame-ancestors ([^;]*)/)[1]), ["'none'", desk]);
  for (const policy of policies) assert.doesNotMatch(policy, /unsafe|\*/);
}));

test("a token needs a session, and a page of the framed page's origin", async () => {
  const ask = async (headers, method = "POST") => (await fetch(`${frame}/session`, { method, headers })).status;
  const cookie = (await fetch(frame)).headers.get("set-cookie");
  assert.match(cookie, /; HttpOnly; SameSite=Strict;/);
  const session = cookie.split(";")[0];
  assert.equal(await ask({ cookie: session, "sec-fetch-site": "same-origin" }), 200);
  assert.equal(await ask({ "sec-fetch-site": "same-origin" }), 401);
  assert.equal(await ask({ cookie: "session=another", "sec-fetch-site": "same-origin" }), 401);
  assert.equal(await ask({ cookie: session, "sec-fetch-site": "same-site" }), 403);
  assert.equal(await ask({ cookie: session }), 403);
  assert.equal(await ask({ cookie: session, "sec-fetch-site": "same-origin" }, "GET"), 405);
});

for (const [name, options] of [["light", { width: 1400 }], ["dark", { width: 1400, scheme: "dark" }], ["narrow", { width: 360, height: 740 }]]) {
  test(`accessible: ${name}`, withDesk(options, async (page) => {
    await shown(page, "Minh Mokoena");
    await accessible(framed(page), `${name}, frame`);
    await accessible(page, `${name}, desk`);
    await shot(page, `embedding-${name}`);
  }));
}
