/** The property `labels`: German is complete, and a page in German has no English text of the tab. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { accessible, api, lookUp, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";

const FOLDER = path.resolve(import.meta.dirname, "../../infra/console");
const { de } = await import(path.join(FOLDER, "labels/de.js"));

before(start);
after(stop);

/** The English texts in the modules: the first parameter of `t`, and the names that become one. */
function english() {
  const files = ["customer-profile.js", ...readdirSync(path.join(FOLDER, "tab")).map((name) => `tab/${name}`)];
  const source = files.map((name) => readFileSync(path.join(FOLDER, name), "utf8").replace(/\/\*\*.*?\*\//gs, "")).join("\n");
  const literal = /(?<![\w.])(?:t|last|more)\("((?:[^"\\]|\\.)*)"/g;
  const names = ["Summary", "Attributes", "History", "Identities", "Purchases", "Returns", "Messages", "Emails", "Texts", "Other", "Sent", "Opened", "Clicked", "Bounced"];
  return [...new Set([...source.matchAll(literal)].map(([, text]) => text).concat(names))];
}

test("every text has a German one with the same values", () => {
  assert.ok(english().length > 100);
  for (const text of english()) {
    assert.ok(text in de, `no German text for: ${text}`);
    for (const form of [de[text]].flatMap((form) => (typeof form === "string" ? form : Object.values(form)))) {
      assert.deepEqual((form.match(/\{\w+\}/g) ?? []).toSorted(), (text.match(/\{\w+\}/g) ?? []).toSorted(), text);
    }
  }
});

test("in German, no text of the tab stays English", withPage({ locale: "de-DE" }, async (page) => {
  const { id } = await profileOf(SAMPLE);
  await api("POST", `/profiles/${id}/notes`, { text: "Bitte nachmittags anrufen.", pinned: true }, { "idempotency-key": `de-${process.pid}` });
  await page.getByLabel("Language").selectOption("de");
  await lookUp(page, SAMPLE.email, { tab: "Übersicht" });
  const seen = [];
  for (const name of ["Übersicht", "Merkmale", "Verlauf", "Identitäten"]) {
    await page.getByRole("tab", { name }).click();
    await page.waitForFunction(() => !document.querySelector("customer-profile").shadowRoot.querySelector("[role=tabpanel] .skeleton"));
    seen.push(...await page.evaluate(() => {
      const root = document.querySelector("customer-profile").shadowRoot;
      const texts = [...root.querySelectorAll("*")].flatMap((node) => [...node.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data.trim()));
      return [...texts, ...[...root.querySelectorAll("[aria-label],[title],[placeholder]")].flatMap((node) => ["aria-label", "title", "placeholder"].map((name) => node.getAttribute(name)))];
    }));
    await accessible(page, `German ${name}`);
    await shot(page, `german-${name.toLowerCase()}`);
  }
  const same = new Set(english().filter((text) => de[text] === text));
  const left = english().filter((text) => !text.includes("{") && !same.has(text) && seen.includes(text));
  assert.deepEqual(left, []);
  for (const text of ["Segmente", "Kauf", "Gesamtumsatz"]) assert.ok(seen.includes(text), text);
}));
