import examples from "./examples.js";
import paths from "./paths.js";
import sentences from "./sentences.js";
import tables from "./tables.js";

export default {
  rules: { examples, paths, sentences, tables },
  rulesConfig: { examples: true, paths: true, sentences: { words: 25, share: 0.06 }, tables: true },
};
