// Every column of a table has a header.
export default function tables(context) {
  const { Syntax, RuleError, report, getSource } = context;
  return {
    [Syntax.Table](node) {
      node.children[0].children.forEach((cell, index) => {
        const text = getSource(cell).replaceAll("|", "").trim();
        if (text === "") report(node, new RuleError(`The header of column ${index + 1} is blank. Name what the column contains.`));
      });
    },
  };
}
