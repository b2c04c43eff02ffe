// Code blocks: shell examples pass shellcheck; JSON and NDJSON parse.
import { spawnSync } from "node:child_process";

/** The problems of a shell example as [line from 0, message]. Its variables may be set or used in other examples. SC1087
 * takes `$name[]` in a string for an array. */
function shell(text) {
  const run = spawnSync("shellcheck", ["--shell=bash", "--severity=warning", "--exclude=SC1087,SC2034,SC2154", "--format=json", "-"], { input: text, encoding: "utf8" });
  if (run.error) throw run.error;
  return JSON.parse(run.stdout).map(({ line, code, message }) => [line - 1, `SC${code}: ${message}`]);
}

/** Whether `text` parses as a whole, or else the first line that does not parse by itself: examples may be NDJSON. */
function json(text) {
  try {
    JSON.parse(text);
    return [];
  } catch (error) {
    const lines = text.split("\n");
    if (lines.length > 1 && /^[\[{]$/.test(lines[0].trim())) return [[0, `This is not valid JSON: ${error.message}`]];
  }
  return text.split("\n").flatMap((line, index) => {
    try {
      if (line.trim()) JSON.parse(line);
      return [];
    } catch (error) {
      return [[index, `This is not valid JSON: ${error.message}`]];
    }
  });
}

const CHECKS = { bash: shell, sh: shell, json, ndjson: json };

export default function examples(context) {
  const { Syntax, RuleError, report, getSource, locator } = context;
  return {
    [Syntax.CodeBlock](node) {
      const check = CHECKS[node.lang];
      if (!check) return;
      const lines = getSource(node).split("\n");
      for (const [line, message] of check(node.value)) {
        const start = lines.slice(0, line + 1).reduce((sum, text) => sum + text.length + 1, 0);
        report(node, new RuleError(message, { padding: locator.at(start) }));
      }
    },
  };
}
