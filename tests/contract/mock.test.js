// A mock server made from the contract (Prism) returns the status of the service for invalid requests, and examples for others.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { after, before, test } from "node:test";

const API_URL = process.env.API_URL ?? "http://127.0.0.1:3000";
const CONTRACT = new URL("../../infra/openapi.yaml", import.meta.url).pathname;
const PRISM = new URL("node_modules/.bin/prism", import.meta.url).pathname;
const START_TIMEOUT_MILLISECONDS = 60_000;
const ID = "h3xq7k2mzr5wnbv4jd6tpycafa";
const NOTE = `${ID}.0197a0a0-0000-7000-8000-000000000001`;
const LINK = `${ID}.k3xq7k2mzr5wnbv4jd6tpycafa.crm`;
const JSON_TYPE = { "Content-Type": "application/json" };

let prism;
let mockUrl;

before(async () => {
  const port = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
  mockUrl = `http://127.0.0.1:${port}`;
  prism = spawn(PRISM, ["mock", "--host", "127.0.0.1", "--port", String(port), CONTRACT], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`the mock server did not start: ${output}`)), START_TIMEOUT_MILLISECONDS).unref();
    prism.stdout.on("data", (data) => {
      output += data;
      if (output.includes("is listening")) resolve();
    });
    prism.on("exit", () => reject(new Error(`the mock server ended: ${output}`)));
  });
});

after(() => prism.kill());

async function send(base, method, path, headers = {}, body) {
  const response = await fetch(base + path, { method, headers: { Authorization: "Bearer token", ...headers }, body });
  const text = await response.text();
  return { status: response.status, type: response.headers.get("content-type"), text };
}

// IDs of another form are missing here: the mock server rejects them, and the service does not find them (404).
const INVALID = [
  ["GET", `/profiles/${ID}?include=all`],
  ["GET", `/profiles/${ID}?consistent=yes`],
  ["GET", `/profiles/${ID}/attributes?limit=0`],
  ["GET", `/profiles/${ID}/history?limit=101`],
  ["GET", `/profiles/${ID}/history?type=order`],
  ["GET", `/profiles/${ID}/history?order=up`],
  ["GET", `/profiles/${ID}/history?from=yesterday`],
  ["GET", `/profiles/${ID}/notes?limit=many`],
  ["GET", `/profiles/${ID}/export?limit=-1`],
  ["POST", "/profiles/lookup", JSON_TYPE],
  ["POST", "/profiles/lookup", JSON_TYPE, "{}"],
  ["POST", "/profiles/lookup", JSON_TYPE, '{"email":1}'],
  ["POST", "/profiles/lookup", JSON_TYPE, '{"email":"jane@example.com","mobile":"+61400000000"}'],
  ["POST", "/profiles/lookup", JSON_TYPE, '{"customer_id":"1017","system_name":null}'],
  ["POST", "/profiles/search", JSON_TYPE, "{}"],
  ["POST", "/profiles/search", JSON_TYPE, '{"order":"#1042","name":"Jane Doe"}'],
  ["POST", "/profiles/search", JSON_TYPE, '{"order":"#1042","limit":0}'],
  ["POST", "/profiles/batch", JSON_TYPE, '{"profiles":[]}'],
  ["POST", "/profiles/batch", JSON_TYPE, '{"profiles":[{"id":"jane"}]}'],
  ["POST", "/profiles", JSON_TYPE, '{"identifier":{"email":"jane@example.com"}}'],
  ["POST", "/profiles", { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"first_name":"Jane"}'],
  ["POST", "/profiles?preview=yes", { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"identifier":{"email":"jane@example.com"}}'],
  ["GET", `/profiles/${ID}/links?limit=0`],
  ["POST", `/profiles/${ID}/links`, { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"identity":"k3xq7k2mzr5wnbv4jd6tpycafa","reason":" "}'],
  ["POST", `/profiles/${ID}/links`, { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"reason":"Same order and phone"}'],
  ["DELETE", `/profiles/${ID}/links/${LINK}`, { "If-Match": "*" }],
  ["DELETE", `/profiles/${ID}/identities/${ID}`, { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"reason":"Father and son","color":"red"}'],
  ["POST", `/profiles/${ID}/notes`, JSON_TYPE, '{"text":"Call"}'],
  ["POST", `/profiles/${ID}/notes`, { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"text":""}'],
  ["POST", `/profiles/${ID}/notes`, { ...JSON_TYPE, "Idempotency-Key": "k" }, '{"text":"Call","color":"red"}'],
  ["PATCH", `/profiles/${ID}/notes/${NOTE}`, { ...JSON_TYPE, "If-Match": "*" }, "{}"],
  ["DELETE", `/profiles/${ID}/notes/${NOTE}`, { "If-Match": "etag" }],
];

for (const [method, path, headers, body] of INVALID) {
  test(`${method} ${path} ${body ?? ""} is 400`, async () => {
    const [mock, service] = await Promise.all([mockUrl, API_URL].map((base) => send(base, method, path, headers, body)));
    assert.deepEqual([mock.status, service.status], [400, 400], `${mock.text} ${service.text}`);
    assert.equal(mock.type, "application/problem+json");
    assert.match(JSON.parse(mock.text).type, /^\/problems\//);
  });
}

test("valid requests return examples", async () => {
  for (const path of ["", "?include=summary&include=notes&consistent=true", "/history?type=purchase&type=return&limit=5", "/notes", "/attributes"]) {
    const { status, text } = await send(mockUrl, "GET", `/profiles/${ID}${path}`);
    assert.equal(status, 200, `${path}: ${text}`);
  }
  const key = { ...JSON_TYPE, "Idempotency-Key": "k" };
  for (const [method, path, status, headers, body] of [
    ["POST", "/profiles/search", 200, JSON_TYPE, '{"order":"#1042"}'],
    ["POST", "/profiles/batch", 200, JSON_TYPE, `{"profiles":[{"id":"${ID}"},{"email":"jane@example.com"}]}`],
    ["POST", "/profiles?preview=true", 200, key, '{"identifier":{"email":"vera@example.com"},"first_name":"Vera"}'],
    ["GET", `/profiles/${ID}/links`, 200],
    ["POST", `/profiles/${ID}/links`, 200, key, '{"identifier":{"mobile":"+61400000000"},"reason":"Told on the phone"}'],
    ["DELETE", `/profiles/${ID}/links/${LINK}`, 200, { "Idempotency-Key": "k", "If-Match": "*" }],
    ["DELETE", `/profiles/${ID}/identities/${ID}`, 200, { "Idempotency-Key": "k" }],
  ]) {
    const response = await send(mockUrl, method, path, headers, body);
    assert.equal(response.status, status, `${method} ${path}: ${response.text}`);
  }
  const { status, text } = await send(mockUrl, "GET", `/profiles/${ID}/export`);
  assert.equal(status, 200);
  assert.deepEqual(text.trimEnd().split("\n").map((line) => Object.keys(JSON.parse(line))[0]), ["header", "identity", "next"]);
});
