/** Every tab, light and dark, on a desk and a phone, and right to left: axe finds nothing, nothing sticks out; a picture of each. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessible, api, lookUp, profileOf, SAMPLE, shot, start, stop, withPage } from "./browser.js";

before(async () => {
  await start();
  const { id } = await profileOf(SAMPLE);
  const { items } = await api("GET", `/profiles/${id}/notes`);
  const leave = (text, pinned) => items.some((note) => note.text === text)
    || api("POST", `/profiles/${id}/notes`, { text, pinned }, { "idempotency-key": crypto.randomUUID() });
  await leave("Asked for the repair kit of the waxed jacket. Sent on Tuesday, tell her it is on its way.", false);
  await leave("Prefers to be called in the afternoon, never by text.", true);
});
after(stop);

async function everyTab(page, what) {
  for (const name of ["Summary", "Attributes", "History", "Identities"]) {
    await page.getByRole("tab", { name }).click();
    if (name === "History") {
      // A screenshot includes pictures that have not been scrolled into view.
      await page.waitForFunction(() => {
        const images = [...document.querySelector("customer-profile").shadowRoot.querySelectorAll("img")];
        for (const image of images) image.loading = "eager";
        return images.every((image) => image.complete);
      });
    }
    await page.waitForFunction(() => !document.querySelector("customer-profile").shadowRoot.querySelector("[role=tabpanel] .skeleton"));
    await accessible(page, `${what} ${name}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wider <= 0, `${what} ${name}: ${wider} px too wide`);
    await shot(page, `${name.toLowerCase()}-${what}`);
  }
}

for (const width of [1440, 768, 360]) {
  for (const scheme of ["light", "dark"]) {
    test(`${width} px, ${scheme}`, withPage({ width, height: width > 500 ? 900 : 740, scheme }, async (page) => {
      await lookUp(page, SAMPLE.email);
      const [red] = await page.locator("customer-profile").evaluate((element) => getComputedStyle(element).color.match(/\d+/g).map(Number));
      assert.equal(red > 128, scheme === "dark");
      if (width > 1000) {
        const channels = page.locator(".figures > div").filter({ hasText: "Channels" }).locator("dd");
        const tops = await channels.evaluate((list) => [...list.children].map((part) => part.getBoundingClientRect().top));
        assert.ok(tops.length > 1);
        assert.equal(new Set(tops).size, 1, `the channels are not on one line: ${tops}`);
      }
      await everyTab(page, `${width}-${scheme}`);
    }));
  }
}

test("the page's own choice of colors wins over the system's", withPage({ scheme: "light" }, async (page) => {
  await page.getByLabel("Colors").selectOption("dark");
  await lookUp(page, SAMPLE.email);
  const [red] = await page.locator("customer-profile").evaluate((element) => getComputedStyle(element).color.match(/\d+/g).map(Number));
  assert.ok(red > 128);
}));

for (const width of [1280, 360]) {
  test(`right to left, ${width} px`, withPage({ width, locale: "ar" }, async (page) => {
    await page.evaluate(() => Object.assign(document.documentElement, { dir: "rtl", lang: "ar" }));
    await lookUp(page, SAMPLE.email);
    const notes = await page.locator("section.notes").boundingBox();
    const main = await page.locator(".main").boundingBox();
    if (width > 1000) assert.ok(notes.x < main.x);
    await page.getByRole("tab", { name: "Summary" }).press("ArrowLeft");
    assert.equal(await page.getByRole("tab", { selected: true }).textContent(), "Attributes");
    await everyTab(page, `rtl-${width}`);
  }));
}
