// Sentences of a page: at most `share` of them may have more than `words` words. The text of tables is counted apart, with
// the same limit. A code span is one word; code blocks are not counted.
import { appendFileSync } from "node:fs";
import { splitAST } from "sentence-splitter";

/** The words of a sentence, a Markdown node. */
function words(node) {
  if (node.type === "Code" || node.type === "Image") return 1;
  if (node.children) return node.children.reduce((sum, child) => sum + words(child), 0);
  return (node.value ?? "").replace(/^\[!\w+\]/, "").split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

export default function sentences(context, { words: limit = 25, share = 0.06 } = {}) {
  const { Syntax, RuleError, report, getSource, getFilePath, locator } = context;
  const prose = { name: "sentences", lengths: [], long: [] };
  const tables = { name: "sentences in tables", lengths: [], long: [] };

  function add(node, counter) {
    for (const sentence of splitAST(node).children.filter((child) => child.type === "Sentence")) {
      const length = words(sentence);
      if (length === 0) continue;
      counter.lengths.push(length);
      if (length > limit) counter.long.push({ node, sentence, length });
    }
  }

  function finish(document, counter) {
    const { name, lengths, long } = counter;
    if (long.length <= lengths.length * share) return;
    for (const { node, sentence, length } of long) {
      const start = sentence.range[0] - node.range[0];
      const begin = getSource(sentence).replace(/\s+/g, " ").slice(0, 60);
      const excess = `${long.length} of ${lengths.length} ${name} exceed ${limit} words, the limit is ${share * 100} %`;
      report(node, new RuleError(`${length} words: "${begin}…". Split it (${excess}).`, { padding: locator.at(start) }));
    }
  }

  return {
    [Syntax.Paragraph]: (node) => add(node, prose),
    [Syntax.TableCell]: (node) => add(node, tables),
    [Syntax.DocumentExit](document) {
      finish(document, prose);
      finish(document, tables);
      if (process.env.PROSE_FIGURES) {
        const figures = ({ lengths, long }) => ({ sentences: lengths.length, words: lengths.reduce((a, b) => a + b, 0), long: long.length });
        const line = { page: getFilePath(), prose: figures(prose), tables: figures(tables) };
        appendFileSync(process.env.PROSE_FIGURES, `${JSON.stringify(line)}\n`);
      }
    },
  };
}
