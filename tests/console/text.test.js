/** The text of emails: what the page shows of their HTML, and that hostile HTML costs no more time than any other. */

import assert from "node:assert/strict";
import { test } from "node:test";

// The module defines an element; its text extraction needs no browser.
globalThis.HTMLElement ??= class {};
globalThis.customElements ??= { define() {} };
const { plain } = await import("../../infra/console/tab/text.js");

const cases = [
  ["", ""],
  ["Plain text stays.", "Plain text stays."],
  ["<p>Hello Minh,</p><p>Thank you.</p>", "Hello Minh,\nThank you."],
  ["one<br>two<br/>three<BR />four", "one\ntwo\nthree\nfour"],
  ["<div>a</div><h1>b</h1><ul><li>c</li><li>d</li></ul>", "a\nb\nc\nd"],
  ["<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "a\nb"],
  ["<p>a</p>\n\n\n\n<p>b</p>", "a\n\nb"],
  ["a<b>bold</b><pre>c</pre><branch>d</branch>", "abold" + "cd"],
  ['<a href="https://shop.example/?a=1&amp;b=2" title="a<b">Shop</a>', "Shop"],
  ["<!doctype html><html><head><meta charset='utf-8'><title>T</title><style>p { color: red }</style></head><body>Body</body></html>", "Body"],
  // The end tag of a head may be left out.
  ["<head><title>T</title><body>Body", "Body"],
  ["<style>p{}</style>a<script>if (1 < 2) alert('</p>')</script>b<SCRIPT\n>x</Script >c", "abc"],
  ["<style>a > b { }</style\n>x", "x"],
  ["a<!-- hidden <b>bold</b> > --> b", "a b"],
  ["a<!-->b<!--->c<!---->d", "abcd"],
  ["<!--[if mso]><p>Outlook</p><![endif]-->a<!--[if !mso]><!-->b<!--<![endif]-->c", "abc"],
  ["a<!-- <style> -->b", "ab"],
  // Like a browser, what is never closed hides the rest.
  ["a<!-- b", "a"],
  ["a<style>b", "a"],
  // What begins like a tag and never ends is text.
  ["I <3 you, and 1 < 2 > 0", "I <3 you, and 1 < 2 > 0"],
  ["if x <y then", "if x <y then"],
  ["a<br", "a<br"],
  ["<", "<"],
  ["a</p", "a</p"],
  ["&lt;b&gt; &amp;amp; &quot;&apos;&#39;&#x27;&#X41;&nbsp;.", "<b> &amp; \"'''A ."],
  ["&unknown; &; &#; &#x; & &constructor; &amp", "&unknown; &; &#; &#x; & &constructor; &amp"],
  ["&#128512; &#x1F600;", "😀 😀"],
  ["[&#9999999;] [&#1114112;] [&#x110000;] [&#xFFFFFFF;] [&#99999999999999999999;]", "[&#9999999;] [&#1114112;] [&#x110000;] [&#xFFFFFFF;] [&#99999999999999999999;]"],
  ["&#1114111;", "\u{10ffff}"],
  ["&#55296; &#xDFFF; \ud800", "\ufffd \ufffd \ufffd"],
  ["&#55357;&#56832;", "😀"],
  ["&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"],
];

test("text of HTML", () => {
  for (const [html, text] of cases) assert.equal(plain(html), text, html);
});

test("text is cut at 200,000 characters of HTML, and says so", () => {
  const end = (html) => [plain(html).length, plain(html).slice(-3)];
  assert.deepEqual(end("a".repeat(200_000)), [200_000, "aaa"]);
  assert.deepEqual(end("a".repeat(200_001)), [200_001, "aa…"]);
  // The cut leaves no half tag and no half character.
  assert.deepEqual(end(`${"a".repeat(199_990)}<a href="https://shop.example/">b</a>`), [199_991, "aa…"]);
  assert.deepEqual(end(`${"a".repeat(199_999)}😀`), [200_001, "a\ufffd…"]);
});

// Each of these takes quadratic time if a scanner looks for an end again and again.
const hostile = [
  "<br", "<br ", "</p", "<", "</", "<a ", "<a", "<!", "<!-", "<!--", "<!-- >", "<!--->x<!--", "<script", "<script>", "<script ", "</script", "<script></script",
  "<script></script ", "<style>", "<style", "</style", "<style></styl", "<title>", "<head>", "<head", "&#", "&#1", "&#x1", "&", "&a", "&amp", "\n\n", "\n \n", " ", "<br\n", "<p>", "<br>", "-->", ">",
];

const time = (html) => {
  const start = performance.now();
  plain(html);
  return performance.now() - start;
};

test("time grows with the length, not with its square", () => {
  for (const part of hostile) {
    const of = (kib, before = "") => before + part.repeat(Math.ceil((kib * 1024) / part.length)).slice(0, kib * 1024);
    for (const before of ["", "<script>", "<style></style", "<!--", "<a "]) {
      const [short, long] = [of(8, before), of(64, before)];
      // For 8 times the length, quadratic time is 64 times as long. Below a millisecond a clock measures little.
      const bound = 24 * Math.max(Math.min(...[1, 2, 3].map(() => time(short))), 0.25);
      const times = [time(long)];
      while (times.at(-1) >= bound && times.length < 20) times.push(time(long));
      assert.ok(times.at(-1) < bound, `${before}${part}: ${times} ms, and ${bound / 24} ms for an eighth`);
    }
    // As long a body as the API has.
    assert.equal(typeof plain(of(400)), "string");
  }
});
