/** The generated TypeScript client against the local stack with the rows of `rows/`: see `.ci/clients`. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import {
  ApiError,
  connect,
  exportLines,
  historyPages,
  leaveNote,
  unwrap,
  type Schemas,
} from "../../infra/examples/clients/typescript/client.ts";
import { PROBLEM, withReplies } from "./gateway.ts";

const API_URL = process.env.API_URL ?? "http://127.0.0.1:3000";
const EMAIL = "client@example.com";
const UNKNOWN = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
const api = connect(API_URL, "local");

async function lookup(body: Schemas["Identifier"], include?: ("summary" | "notes" | "attributes")[]) {
  return unwrap(await api.POST("/profiles/lookup", { params: { query: include ? { include } : {} }, body }));
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}

/** Returns the error of a rejected call. */
async function failure(call: Promise<unknown>): Promise<ApiError> {
  const error = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(error instanceof ApiError, String(error));
  return error;
}

test("looks up each kind of identifier", async () => {
  const { id } = await lookup({ email: EMAIL });
  const identifiers: Schemas["Identifier"][] = [
    { email_sha256: createHash("sha256").update(EMAIL).digest("hex") },
    { email_md5: "0a0f6f3a1b5b4c0f9e8d7c6b5a493827" },
    { mobile: "+61 491 579 931" },
    { customer_id: "C-31", system_name: "pos" },
    { external_id: "X-31", system_name: "loyalty" },
  ];
  for (const identifier of identifiers) assert.equal((await lookup(identifier)).id, id, JSON.stringify(identifier));
});

test("returns the named sections", async () => {
  const profile = await lookup({ email: EMAIL }, ["summary", "notes"]);
  assert.equal(profile.summary?.orders, 1);
  assert.ok(profile.notes);
  assert.equal(profile.attributes, undefined);
});

test("pages the history to its end", async () => {
  const { id } = await lookup({ email: EMAIL });
  const ids = new Set<string>();
  const types = new Set<string>();
  let pages = 0;
  for await (const page of historyPages(api, id, { limit: 5 })) {
    pages += 1;
    for (const event of page) {
      ids.add(event.id);
      types.add(event.type);
      if (event.type === "purchase") {
        assert.equal(event.purchase.products[0]?.price_paid, "31.90");
        assert.deepEqual(event.purchase.custom_fields, { is_gift: true, tags: ["a", { b: [1, [2]] }], nothing: null });
      }
      if (event.type === "event") assert.ok(event.event.properties && "points" in event.event.properties);
    }
  }
  assert.deepEqual([ids.size, types.size, pages], [12, 12, 3]);
  const [purchases] = await collect(historyPages(api, id, { type: ["purchase", "return"] }));
  assert.deepEqual(purchases?.map((event) => event.type), ["return", "purchase"]);
});

test("exports to the end", async () => {
  const { id } = await lookup({ email: EMAIL });
  const lines = await collect(exportLines(api, id, 5));
  const [start] = lines;
  assert.ok(start && "header" in start);
  assert.equal(start.header.profile, id);
  const items = lines.filter((line) => "identity" in line);
  const keys = new Set(items.map((item) => `${item.identity} ${item.key}`));
  assert.equal(keys.size, items.length);
  assert.ok(items.length > 15, `${items.length}`);
  assert.ok(items.some((item) => item.provenance?.file === "drop/purchase/crm/contract.ndjson"));
  const ends = lines.filter((line) => "next" in line);
  assert.deepEqual(ends.at(-1), { next: null, partial: false });
});

test("reads values of attributes and their categories", async () => {
  const { id } = await lookup({ email: EMAIL });
  const query = { category: "kinds" };
  const page = unwrap(await api.GET("/profiles/{id}/attributes", { params: { path: { id }, query } }));
  assert.ok(page.items.every((item) => item.category === "kinds"));
  const values = new Map(page.items.map((item) => [item.name, item.value]));
  assert.equal(values.get("number"), 12.5);
  assert.equal(values.get("flag"), true);
  assert.deepEqual(values.get("list"), ["a", 1, false]);
  const body = { text: "KINDS scored" };
  const found = unwrap(await api.POST("/profiles/{id}/attributes/search", { params: { path: { id } }, body }));
  assert.deepEqual(found.items.map((item) => [item.value, item.confidence]), [["knitwear", 1.4]]);
});

test("leaves, changes and deletes a note", async () => {
  const { id } = await lookup({ email: EMAIL });
  const note = await leaveNote(api, id, "typescript-1", { text: "Prefers a message." });
  assert.equal(note.pinned, false);
  assert.deepEqual(await leaveNote(api, id, "typescript-1", { text: "Prefers a message." }), note);
  const reused = await failure(leaveNote(api, id, "typescript-1", { text: "Prefers a call." }));
  assert.deepEqual([reused.status, reused.problem?.type], [409, "/problems/idempotency-key-reused"]);

  const path = { id, noteId: note.id };
  const change = async (etag: string) => {
    const params = { path, header: { "If-Match": etag } };
    return unwrap(await api.PATCH("/profiles/{id}/notes/{noteId}", { params, body: { pinned: true } }));
  };
  await change(note.etag);
  const conflict = await failure(change(note.etag));
  assert.deepEqual([conflict.status, conflict.problem?.type], [412, "/problems/note-changed"]);
  // As the problem document says: read the note again, and send its new `etag`.
  const current = unwrap(await api.GET("/profiles/{id}/notes/{noteId}", { params: { path } }));
  assert.equal(current.pinned, true);
  const params = { path, header: { "If-Match": current.etag } };
  unwrap(await api.DELETE("/profiles/{id}/notes/{noteId}", { params }));
  const gone = await failure(leaveNote(api, id, "typescript-1", { text: "Prefers a message." }));
  assert.deepEqual([gone.status, gone.problem?.type], [409, "/problems/note-deleted"]);
});

test("finds a customer by an order and by values of the record", async () => {
  const { id } = await lookup({ email: EMAIL });
  const searches: [Schemas["ProfileSearch"], Schemas["Match"]["kind"]][] = [
    [{ order: "1042" }, "order"],
    [{ order: "W-1" }, "order"],
    [{ name: "klient, CLARA" }, "name"],
    [{ email: EMAIL }, "email"],
    [{ mobile: "+61 491 579 931" }, "mobile"],
    [{ customer_id: "C-31" }, "customer_id"],
  ];
  for (const [body, kind] of searches) {
    const page = unwrap(await api.POST("/profiles/search", { body }));
    const found = page.items.find((item) => item.id === id);
    assert.ok(found, JSON.stringify([body, page]));
    assert.ok(found.matched_by.some((match) => match.kind === kind), JSON.stringify([body, found]));
    assert.deepEqual([found.name, found.last_order_at], ["Clara Klient", "2026-03-06T12:26:47Z"]);
  }
});

test("reads the header figures of several profiles", async () => {
  const { id } = await lookup({ email: EMAIL });
  const body = { profiles: [{ id: UNKNOWN }, { email: EMAIL }] };
  const page = unwrap(await api.POST("/profiles/batch", { body }));
  assert.deepEqual(page.items.map((entry) => entry.profile?.id), [undefined, id]);
  assert.equal(page.items[1]?.profile?.relationship, "customer");
});

test("creates a profile, and names the identity of a look-up that finds nothing", async () => {
  const identifier = { email: "typescript@example.com" };
  const missing = await failure(lookup(identifier));
  const create = async (key: string) => {
    const params = { header: { "Idempotency-Key": key } };
    return api.POST("/profiles", { params, body: { identifier, first_name: "Vera", last_name: "Lindt" } });
  };
  const created = await create("typescript-1");
  assert.equal(created.response.status, 201);
  const profile = unwrap(created);
  assert.deepEqual([profile.id, profile.name], [missing.problem?.id, "Vera Lindt"]);
  // The profile exists already, so nothing changes.
  const again = await create("typescript-2");
  assert.deepEqual([again.response.status, unwrap(again).id], [200, profile.id]);
});

test("says why a look-up may have found nothing", async () => {
  const { id } = await lookup({ email: EMAIL });
  const missing = await failure(lookup({ customer_id: "C-31" }));
  const hints = missing.problem?.hints?.map((hint) => [hint.code, hint.profile, hint.identity?.type]);
  assert.deepEqual(hints, [["in_record", id, "email"]]);
});

test("links an identity, withdraws the decision, and separates the identity", async () => {
  const { id } = await lookup({ email: EMAIL });
  const link = async (key: string, preview: boolean) => {
    const params = { path: { id }, query: { preview }, header: { "Idempotency-Key": key } };
    const body = { identifier: { mobile: "+61 491 579 932" }, reason: "Called from this phone" };
    return unwrap(await api.POST("/profiles/{id}/links", { params, body }));
  };
  const agents = async () => {
    const page = unwrap(await api.GET("/profiles/{id}/links", { params: { path: { id }, query: { limit: 100 } } }));
    return page.items.filter((item) => item.source === "agents" && item.live);
  };

  const preview = await link("typescript-3", true);
  const [other] = preview.changes.identities.added;
  assert.ok(other);
  assert.equal((await agents()).length, 0);
  const linked = await link("typescript-3", false);
  const { as_of: _, ...outcome } = linked.profile;
  const { as_of: __, ...expected } = preview.profile;
  assert.deepEqual([outcome, linked.changes], [expected, preview.changes]);
  assert.ok(linked.profile.identities.some((identity) => identity.id === other));

  const [decision] = await agents();
  assert.ok(decision);
  assert.deepEqual([decision.reason, decision.counts], ["Called from this phone", true]);
  assert.ok(decision.by && "subject" in decision.by);
  const withdraw = async (key: string, etag: string) => {
    const path = { id, linkId: decision.id };
    const params = { path, header: { "Idempotency-Key": key, "If-Match": etag } };
    return unwrap(await api.DELETE("/profiles/{id}/links/{linkId}", { params }));
  };
  const stale = await failure(withdraw("typescript-4", '"stale"'));
  assert.deepEqual([stale.status, stale.problem?.type], [412, "/problems/link-changed"]);
  const withdrawn = await withdraw("typescript-5", decision.etag);
  assert.deepEqual(withdrawn.changes.links, [{ id: decision.id, before: "linked", after: null }]);
  assert.deepEqual(withdrawn.changes.identities, { added: [], removed: [other] });

  await link("typescript-6", false);
  const path = { id, identityId: other };
  const params = { path, header: { "Idempotency-Key": "typescript-7" } };
  const body = { reason: "The phone of a friend" };
  const separated = unwrap(await api.DELETE("/profiles/{id}/identities/{identityId}", { params, body }));
  assert.deepEqual(separated.changes.links, [{ id: decision.id, before: "linked", after: "separated" }]);
  assert.ok(separated.profile.identities.every((identity) => identity.id !== other));
});

test("throws problem documents", async () => {
  const missing = await failure(lookup({ email: "nobody@example.com" }));
  assert.deepEqual([missing.status, missing.problem?.type], [404, "/problems/profile-not-found"]);
  const invalid = await failure(collect(historyPages(api, UNKNOWN, { limit: 0 })));
  assert.deepEqual([invalid.status, invalid.problem?.field], [400, "limit"]);
});

test("throws errors of the service, of API Gateway and of a proxy", async () => {
  const replies = [
    { status: 403, type: "application/problem+json", body: JSON.stringify(PROBLEM) },
    { status: 403, body: '{"message":"Forbidden"}' },
    { status: 403, type: "text/html", body: "<h1>Forbidden</h1>" },
  ];
  await withReplies(replies, async (url) => {
    const call = () => collect(historyPages(connect(url, "expired"), UNKNOWN));
    const [service, gateway, proxy] = [await failure(call()), await failure(call()), await failure(call())];
    assert.deepEqual([service.status, service.problem?.type], [403, "/problems/forbidden"]);
    assert.deepEqual([gateway.message, gateway.problem], ['403 {"message":"Forbidden"}', undefined]);
    assert.deepEqual([proxy.status, proxy.problem], [403, undefined]);
  });
});

test("repeats requests that are throttled or fail", async () => {
  const note = { id: "n", text: "Call", pinned: false, author: "a", created_at: "", updated_at: "", etag: '"e"' };
  const replies = [
    { status: 429, body: '{"message":"Too Many Requests"}', headers: { "Retry-After": "1" } },
    { status: 503, body: '{"message":"Service Unavailable"}' },
    { status: 201, body: JSON.stringify(note) },
  ];
  const requests = await withReplies(replies, async (url) => {
    const left = await leaveNote(connect(url, "token"), UNKNOWN, "key", { text: "Call" });
    assert.equal(left.text, "Call");
  });
  assert.equal(requests, 3);
});

test("every value has a type", () => {
  const file = new URL("../../infra/examples/clients/typescript/generated/api.ts", import.meta.url);
  const isAllowed = (line: string) =>
    // Headers that the contract does not name, comments, and arrays within arrays.
    /^\s*(\[name: string\]: unknown;|\/?\*.*)$/.test(line) || line.trimStart().startsWith("JsonValue:");
  const untyped = readFileSync(file, "utf8").split("\n").filter((line) => /\b(unknown|any)\b/.test(line) && !isAllowed(line));
  assert.deepEqual(untyped, []);
});
