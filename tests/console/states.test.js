/** What the console says when something is missing, refused or slow: the API's answers are changed on their way. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, API, lookUp, profileOf, SAMPLE, scrollToTheEnd, shot, start, stop, withPage } from "./browser.js";

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
  await page.getByText("No customer yet").waitFor();
  await accessible(page, "no customer");
  await search(page, "nobody@example.com");
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
  await page.getByText("You are signed out").waitFor();
  await accessible(page, "signed out");
  await shot(page, "signed-out");
  await page.getByLabel("Bearer token of an agent").fill("an-agent");
  await page.getByRole("button", { name: "Use it" }).click();
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
    [[problem(500)], "Request r-1"],
    [[problem(409)], "A title"],
    [[problem(422)], "A detail."],
    [[{ status: 502, body: "not JSON" }], "Something went wrong on our side"],
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

test("a failed refresh keeps the page and what was being written", withPage({}, async (page) => {
  await lookUp(page, SAMPLE.email);
  await page.getByLabel("New note").fill("Half a sen");
  await page.route("**/profiles/lookup", (route) => route.fulfill(problem(500)));
  await page.evaluate(() => document.querySelector("customer-profile").refresh());
  await page.getByText("Something went wrong on our side").waitFor();
  await page.getByRole("heading", { level: 2, name: "Minh Mokoena" }).waitFor();
  await page.unroute("**/profiles/lookup");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("Something went wrong on our side").waitFor({ state: "detached" });
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
  await page.getByText("figures may be incomplete").waitFor();
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

test("a customer of whom little is known", withPage({}, async (page) => {
  const profile = await profileOf({ email: "jonas.fernandez.7@example.org" });
  Object.assign(profile, { name: null, attributes: {}, history: { items: [], next: null } });
  Object.assign(profile.summary, { segments: [], channels: [], spend_by_month: [], last_event_at: null });
  await page.route("**/profiles/lookup", (route) => route.fulfill({ json: profile }));
  await lookUp(page, "jonas.fernandez.7@example.org");
  for (const text of ["Prospect", "In no segment yet.", "No orders yet", "Nothing has happened yet", "No notes yet"]) await page.getByText(text, { exact: true }).first().waitFor();
  await page.getByRole("tab", { name: "Attributes" }).click();
  await page.getByText("No attributes yet").waitFor();
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText("Nothing has happened yet").waitFor();
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
