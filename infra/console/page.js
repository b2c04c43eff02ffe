/**
 * The demo: a search box for any identifier, the sample customers, and the element. The page's URL contains at most a
 * profile's ID, which is not personal data. Identifiers and the token stay in this page's memory.
 */

import "./customer-profile.js";

const find = (id) => document.getElementById(id);
const element = document.querySelector("customer-profile");
const [search, value, kind, system, systemField] = ["search", "value", "kind", "system", "system-field"].map(find);
const api = document.querySelector("meta[name=customer-profiles-api]").content;
if (api) element.setAttribute("api", api);

/** Guesses the type of an identifier from its form. */
function guess(text) {
  if (text.includes("@")) return "email";
  if (/^[0-9a-f]{64}$/i.test(text)) return "email_sha256";
  if (/^[0-9a-f]{32}$/i.test(text)) return "email_md5";
  if (/^[a-z2-7]{26}$/.test(text)) return "profile";
  if (/^\+?[\d\s().-]{7,20}$/.test(text)) return "mobile";
  return "customer_id";
}

function open({ profile, lookup }) {
  if (profile) element.setAttribute("profile", profile);
  else element.removeAttribute("profile");
  element.lookup = lookup;
}

function fromAddress() {
  const profile = new URLSearchParams(location.hash.slice(1)).get("profile");
  if (profile && profile !== shown) open({ profile });
}

let shown;

const chosen = () => kind.value || guess(value.value.trim());

function fields() {
  systemField.hidden = !["customer_id", "external_id"].includes(chosen()) || !value.value;
  system.required = chosen() === "external_id";
}

value.addEventListener("input", fields);
kind.addEventListener("change", fields);

search.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = value.value.trim();
  const type = chosen();
  if (type === "profile") return open({ profile: text });
  const name = type === "mobile" ? text.replace(/[\s().-]/g, "") : text;
  open({ lookup: { [type]: name, ...(!systemField.hidden && system.value ? { system_name: system.value.trim() } : {}) } });
});

element.addEventListener("profile-loaded", ({ detail }) => {
  shown = detail.id;
  find("access").hidden = true;
  // The URL restores this profile. Each lookup adds an entry to the browser's history.
  const hash = `#profile=${detail.id}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
});

element.addEventListener("profile-failed", ({ detail }) => {
  shown = undefined;
  if (detail.status === 401) find("access").hidden = false;
});

find("access").addEventListener("submit", (event) => {
  event.preventDefault();
  element.token = find("token").value;
  element.refresh();
});

find("theme").addEventListener("change", ({ target }) => {
  document.documentElement.style.colorScheme = target.value;
});

addEventListener("hashchange", fromAddress);
addEventListener("popstate", fromAddress);

const samples = await fetch(new URL("samples.json", import.meta.url)).then((answer) => answer.json(), () => []);
for (const { name, about, lookup } of samples) {
  const button = document.createElement("button");
  const [title, text] = [document.createElement("strong"), document.createElement("span")];
  title.textContent = name;
  text.textContent = about;
  button.append(title, text);
  button.addEventListener("click", () => open({ lookup }));
  const item = document.createElement("li");
  item.append(button);
  find("samples").append(item);
}
fromAddress();
