// Writes the prose of source files as Markdown, line by line as in the source: comments, and strings of at least four words.
// Usage: node comments.js FOLDER FILE...
// Strings of tests and of sample data do not count.
// The file a/b.rs becomes FOLDER/a/b.rs.md, so that findings have the source's path and line.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

const STRING = String.raw`"(?:[^"\\]|\\[\s\S])*"`;
const C_COMMENT = String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`;
const TOKENS = {
  // Raw strings, and characters such as '"', which begin no string.
  ".rs": new RegExp(String.raw`${C_COMMENT}|r(#*)"[\s\S]*?"\1|${STRING}|'(?:[^'\\\n]|\\[^'\n]+|\\')'`, "g"),
  ".js": new RegExp(String.raw`${C_COMMENT}|${STRING}|'(?:[^'\\\n]|\\.)*'|\`(?:[^\`\\]|\\[\s\S])*\``, "g"),
  ".css": /\/\*[\s\S]*?\*\//g,
  ".html": /<!--[\s\S]*?-->|(?<=>)[^<>{}]+(?=<)/g,
  ".py": new RegExp(String.raw`"""[\s\S]*?"""|(?<=^|\s)#[^\n]*|${STRING}|'(?:[^'\\\n]|\\.)*'`, "g"),
  // Values that are sentences, such as descriptions, and comments.
  ".yaml": /(?<=^|\s)#[^\n]*|[^\n]+/g,
  "": /(?<=^|\s)#[^\n]*/g,
};
TOKENS[".mjs"] = TOKENS[".js"];
TOKENS[".yml"] = TOKENS[".yaml"];
TOKENS[".ts"] = TOKENS[".js"];

const WITHOUT_STRINGS = /^(tests|infra\/samples)\/|\/tests\.rs$|\/tests\//;
const isComment = (token) => /^(\/\/|\/\*|#|<!--|""")/.test(token);
const words = (text) => text.trim().split(/\s+/).length;

/** A line of a token without the marks of its language. */
function clean(line) {
  return line
    .trim()
    .replace(/^(\/\/[/!]?|\/\*+|\*\/|\*(?=\s)|#!?|<!--|(- )?[\w$:.]+: (?=\S)|- |r?#*["'`]+)/, "")
    .replace(/(\*\/|-->|["'`]+#*,?)$/, "")
    .replaceAll('\\"', '"')
    // Values that a message is made of.
    .replace(/\$?\{[^{}\n]*\}/g, "{}")
    .replace(/\\n/g, " ")
    .trim();
}

const [folder, ...files] = process.argv.slice(2);
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const source = extname(file) === ".rs" ? text.replace(/#\[cfg\(test\)\]\s*mod \w+\s*\{[\s\S]*$/, "") : text;
  const lines = Array(text.split("\n").length).fill("");
  for (const match of source.matchAll(TOKENS[extname(file)] ?? TOKENS[""])) {
    if (!isComment(match[0]) && (WITHOUT_STRINGS.test(file) || words(match[0]) < 4)) continue;
    const first = source.slice(0, match.index).split("\n").length - 1;
    match[0].split("\n").forEach((line, index) => {
      lines[first + index] = `${lines[first + index]} ${clean(line)}`.trim();
    });
  }
  const target = join(folder, `${file}.md`);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, lines.join("\n"));
}
