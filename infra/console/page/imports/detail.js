/** One import: its state, progress, account, findings and rejected rows, and how to undo or repeat it. */

import { listed } from "../../tab/view.js";
import { fill } from "./components.js";
import { follow, isPending } from "./follow.js";
import { rejectsOf } from "./rejects.js";
import { trialResult } from "./trial.js";
import { repeats, undoOf } from "./undo.js";

export function detailView(view, context, { id, signal }) {
  const { t, h, said, figure, time, skeleton, refusal, typeName, labelsOf, size, progress, reading, account, problem, warnings, reasons, unknownFields, button } = view;
  const { client, signIn, queue } = context;
  const title = h("h2", { tabindex: -1 }, t("Import"));
  const labels = h("span.labels");
  const facts = h("dl.figures.facts");
  const result = h("div.stack");
  const actions = h("div.row");
  const place = h("div");
  const rows = h("div.stack");
  const bar = progress(t("Progress of the import"));

  const by = ({ by_name: name, by: subject }) => (name ?? subject) && h("div.fine", t("by {name}", { name: said(name ?? subject) }));

  function draw(current) {
    const { file_name: file, source, size: bytes, created_at: at, finished_at: end, created_by: author, key, kind, of, reverted } = current;
    fill(title, said(file ?? key ?? t("Import")));
    fill(labels, labelsOf(current));
    fill(facts, figure(t("Type"), typeName(current)), source && figure(t("Source"), said(source)), bytes !== undefined && figure(t("Size"), size(bytes)), figure(t("Started"), time(at) ?? "–"), end && figure(t("Ended"), time(end)),
      author && figure(t("By"), said(author)), of && figure(t("Of the import"), h("a", { href: `#imports/${of}` }, of)),
      reverted && figure(t("Undone"), h("a", { href: `#imports/${reverted.import}` }, time(reverted.at)), by(reverted)),
      key && h("div.key", h("dt", t("Key in the bucket")), h("dd", h("code", said(key)))));
    if (isPending(current)) {
      bar.update(reading(current));
      fill(result, bar.node);
    } else {
      fill(result, kind === "try" ? trialResult(view, current) : [problem(current), account(current), reasons(current.reasons), warnings(current.warnings), unknownFields(current.unknown_fields), repeats(view, current)]);
    }
  }

  /** What can be done after the end. */
  function ended(current) {
    const customer = queue.customerOf(id) ?? listed(current.trial?.profiles)[0]?.id;
    const stored = current.kind !== "try" && current.written > 0;
    const open = stored && (customer ? button("primary", t("Open a customer"), () => context.openProfile(customer)) : button("quiet", t("Find a customer"), context.findCustomer));
    fill(actions, open, undoOf(view, context, current, { signal, place }));
    fill(rows, current.rejected > 0 && !["try", "revert"].includes(current.kind) && rejectsOf(view, context, current, { signal }));
  }

  async function read() {
    fill(result, skeleton(6));
    const [current, failure] = await follow(client, id, { signal, seen: draw });
    if (signal.aborted) return;
    if (failure) fill(result, refusal(failure, { retry: read, signIn }));
    else ended(current);
  }

  read();
  return [h("div.stack", h("p", h("a.back", { href: "#imports" }, "← ", t("All imports"))), h("section.card", h("header.title", title, labels), facts, result, actions), place, rows)];
}
