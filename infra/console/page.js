/** The demo page: a search box, the sample customers, and the views. Identifiers and the token stay in this page's memory. */

import { importsView } from "./page/imports.js";
import { profileView } from "./page/profile.js";
import { resultsView } from "./page/results.js";
import { startSearch } from "./page/search.js";
import { startShell } from "./page/shell.js";
import { Client } from "./tab/client.js";

const find = (id) => document.getElementById(id);
const api = document.querySelector("meta[name=customer-profiles-api]").content;
const profile = profileView({ api });
const client = new Client(() => ({ api, token: profile.profile.token }));
const results = resultsView({ client, open: profile.openId, created: profile.openNew });
const imports = importsView({ client, openProfile: profile.openId, findCustomer: () => find("value").focus(), signIn: profile.signIn });

/** The languages of the tab. English needs no labels. */
const LANGUAGES = { en: () => undefined, de: async () => (await import("./labels/de.js")).de };

async function chooseLanguage(name) {
  profile.profile.labels = await LANGUAGES[name]();
  profile.profile.lang = name;
  imports.setLanguage(name);
}

find("language").addEventListener("change", ({ target }) => chooseLanguage(target.value));
find("theme").addEventListener("change", ({ target }) => {
  document.documentElement.style.colorScheme = target.value;
});

startSearch(find("search"), { client, profile, results });
startShell([profile, imports, results], { main: find("main"), navigation: find("views") });

const samples = await fetch(new URL("samples.json", import.meta.url)).then((answer) => answer.json(), () => []);
for (const { name, about, lookup } of samples) {
  const button = document.createElement("button");
  const [title, text] = [document.createElement("strong"), document.createElement("span")];
  title.textContent = name;
  text.textContent = about;
  button.append(title, text);
  button.addEventListener("click", () => profile.lookUp(lookup));
  const item = document.createElement("li");
  item.append(button);
  find("samples").append(item);
}
