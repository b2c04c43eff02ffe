/**
 * The endpoint of Plain's customer cards: checks Plain's signature, looks the customer up, and returns cards.
 *
 * PLAIN_SECRET=… [API_URL=…] [TAB_URL=…] [PORT=…] node infra/examples/embedding/plain-server.mjs
 *
 * `TAB_URL` is the address of your page with the Profile tab; the profile's ID is added to it. The token comes from `TOKEN`, which is
 * enough to try the server. In production, get it with the grant client credentials, and renew it.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { fromPlain } from "./adapters.mjs";
import { toPlainCards } from "./plain-cards.mjs";

/** The longest request body, in bytes. Plain sends less than 1 KiB. */
const MAX_BODY = 65_536;
/** How long a lookup may take, in ms. Plain waits 15 s, and retries once. */
const LOOKUP_TIMEOUT = 10_000;

/** Whether `signature` is the HMAC-SHA256 of the body in hexadecimal, as Plain sends it in `Plain-Request-Signature`. */
export function isSigned(body, signature, secret) {
  const expected = createHmac("sha256", secret).update(body).digest();
  const given = Buffer.from(signature ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function read(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The profile, or undefined if the customer is not known. Throws if the API cannot be read. */
async function lookUp(lookup, { api, token }) {
  const bearer = await token?.();
  const response = await fetch(`${api}/profiles/lookup?include=summary,notes`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
    body: JSON.stringify(lookup),
    signal: AbortSignal.timeout(LOOKUP_TIMEOUT),
  });
  if (response.ok) return response.json();
  // An identifier that the API refuses has no profile.
  if (response.status === 404 || response.status === 400) return undefined;
  throw new Error(`The API returned ${response.status}.`);
}

/** A server with `POST /`. `token` returns a bearer token; `options` are those of the adapter and of the cards. */
export function createCardServer({ api, secret, token, options = {} }) {
  if (!secret) throw new Error("`secret` is empty. Copy it from Plain: Settings, Request signing.");
  return createServer(async (request, response) => {
    const send = (status, body) => response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(body));
    if (request.method !== "POST") return send(405, { error: "Use POST." });
    const body = await read(request);
    if (!body) return send(413, { error: `The body has more than ${MAX_BODY} bytes.` });
    if (!isSigned(body, request.headers["plain-request-signature"], secret)) return send(403, { error: "The signature does not match the body." });
    const context = fromPlain(body.toString(), options);
    if (!context) return send(400, { error: "The body is not a request for customer cards." });
    try {
      const profile = context.lookup ? await lookUp(context.lookup, { api, token }) : undefined;
      return send(200, toPlainCards(JSON.parse(body), profile, options));
    } catch {
      // Plain retries a 5xx once. The message contains no personal data, and neither does the log.
      return send(502, { error: "The profile cannot be read." });
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { API_URL: api = "http://127.0.0.1:3000", PLAIN_SECRET: secret, TAB_URL, TOKEN, PORT = "8092" } = process.env;
  const tabUrl = TAB_URL && ((id) => `${TAB_URL}${id}`);
  const server = createCardServer({ api, secret, token: () => TOKEN, options: { tabUrl } });
  server.listen(Number(PORT), "127.0.0.1", () => console.log(`ready cards=http://127.0.0.1:${server.address().port} api=${api}`));
}
