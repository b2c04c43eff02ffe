// A path of the repository in a code span exists. Placeholders (`functions/NAME`, `*`, `…`, braces) are not checked.
import { existsSync } from "node:fs";
import { join } from "node:path";

const PATH = /^(\.ci|\.cargo|\.github|functions|infra|shared|tests)\/[\w./-]*[\w/]$/;
const PLACEHOLDER = /[A-Z]{3,}(?!\w*\.md)/;

export default function paths(context) {
  const { Syntax, RuleError, report } = context;
  const root = process.env.PROSE_ROOT ?? process.cwd();
  return {
    [Syntax.Code](node) {
      const path = node.value.replace(/ .*/s, "");
      if (PATH.test(path) && !PLACEHOLDER.test(path) && !existsSync(join(root, path)))
        report(node, new RuleError(`\`${path}\` does not exist in the repository. Correct the path.`));
    },
  };
}
