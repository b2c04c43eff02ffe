/** The framed page: takes the customer from the desk, and the token from its own origin. */

import { fromChatwoot } from "/adapters.mjs";

const DESK = document.querySelector("meta[name=desk-origin]").content;
/** What the field `identifier` of a contact contains. */
const OPTIONS = { id: { type: "customer_id", system_name: "pos" } };
/** A token that expires within this time, in ms, is renewed. */
const MARGIN = 30_000;

const tab = document.querySelector("customer-profile");

/** Requests a token. Without a session there is none; the API then returns 401, and the tab shows it. */
async function requestToken() {
  const response = await fetch("/session", { method: "POST", cache: "no-store" });
  if (!response.ok) return { value: undefined, expiresAt: 0 };
  const { access_token: value, expires_in: seconds } = await response.json();
  return { value, expiresAt: Date.now() + seconds * 1000 - MARGIN };
}

let requested = Promise.resolve({ expiresAt: 0 });

tab.token = async ({ expired }) => {
  const current = await requested;
  // A request that fails must not fail all later ones.
  if (expired || current.expiresAt <= Date.now()) requested = requestToken().catch(() => ({ expiresAt: 0 }));
  return (await requested).value;
};

addEventListener("message", ({ origin, source, data }) => {
  // Any page can send a message to any window that it has a reference to. Only the desk around this page counts.
  if (origin !== DESK || source !== parent) return;
  const context = fromChatwoot(data, OPTIONS);
  if (context) tab.lookup = context.lookup;
});

// The desk sends the customer of the open conversation. The second argument keeps the request from other pages.
if (parent !== window) parent.postMessage("chatwoot-dashboard-app:fetch-info", DESK);
