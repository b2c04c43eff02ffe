/**
 * An imitation of your company's sign-in.
 *
 * A request for the framed page starts a session: a cookie that scripts cannot read. `POST /session` exchanges it for a short-lived token.
 * Yours checks who signed in, and gets the token from the issuer of the API. The local stack checks no tokens, so these are random.
 */

import { randomBytes } from "node:crypto";

/** How long a token is valid, in seconds. */
const LIFETIME = 300;
/** More sessions than this are not kept: the oldest ends. */
const MAX_SESSIONS = 1000;

const random = () => randomBytes(32).toString("base64url");

const cookieOf = (request) => /(?:^|;\s*)session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];

export function createSessions() {
  const sessions = new Set();

  /** The headers that start a session, unless the browser has one. */
  function signIn(request) {
    if (sessions.has(cookieOf(request))) return {};
    const session = random();
    sessions.add(session);
    if (sessions.size > MAX_SESSIONS) sessions.delete(sessions.values().next().value);
    // Desk and frame are the same site here. On two sites it is `Secure; SameSite=None; Partitioned`.
    return { "set-cookie": `session=${session}; HttpOnly; SameSite=Strict; Path=/` };
  }

  /** Responds to `POST /session` with `{access_token, expires_in}`. Only scripts of the framed page's origin may ask. */
  function respond(request, response) {
    const send = (status, body) => response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(body));
    if (request.method !== "POST") return send(405, { error: "Use POST." });
    if (request.headers["sec-fetch-site"] !== "same-origin") return send(403, { error: "Only pages of this origin may ask for a token." });
    if (!sessions.has(cookieOf(request))) return send(401, { error: "Not signed in. Load the page again." });
    return send(200, { access_token: random(), expires_in: LIFETIME });
  }

  return { signIn, respond };
}
