/** The list of imports, newest first. */

import { listed } from "../../tab/view.js";
import { fill } from "./components.js";
import { isPending } from "./follow.js";

const PAGE = 25;
/** The list is read again while an import runs: soon, then less often. */
const [SHORTEST_MS, LONGEST_MS] = [5000, 60_000];

/** The preview of an undo changes nothing, so the list does not show it. */
const isListed = ({ preview }) => !preview;

export function importList(view, { client, signIn }, { isShown }) {
  const { t, h, said, button, skeleton, empty, refusal, joined, typeName, labelsOf, origin, number, reading } = view;
  const list = h("ul.imports");
  const more = h("div");
  let items = [];
  let next;
  let asked;
  let timer;
  let delay = SHORTEST_MS;

  /** What an import has done, in a few words. */
  function outcome(current) {
    const { kind, state, written, rejected, deleted } = current;
    if (state === "running") return reading(current).text;
    if (kind === "revert") return deleted !== undefined && t("{count} deleted", { count: deleted });
    const stored = kind === "try" ? t("{count} would be written", { count: written }) : t("{count} written", { count: written });
    return joined([(written > 0 || state === "completed") && written !== undefined && stored, rejected > 0 && t("{count} rejected", { count: rejected })]);
  }

  const row = (current) => h("li", h("div", h("a", { href: `#imports/${current.id}`, "data-key": current.id }, said(current.file_name ?? current.key ?? t("Import"))), h("div.fine", joined([typeName(current), ...origin(current)]))),
    h("div.result", h("span.labels", labelsOf(current)), h("span.fine", outcome(current))));

  function draw() {
    const shown = items.filter(isListed);
    fill(list, shown.map(row));
    fill(more, !shown.length && !next && empty("purchase", t("No imports yet"), t("Files that you drop here, or in the bucket, appear here.")), next && button("quiet", t("More"), () => read(next), { "data-key": "more" }));
  }

  async function read(cursor) {
    const turn = (asked = {});
    clearTimeout(timer);
    const query = new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
    const [page, failure] = await client.send("GET", `/imports?${query}`);
    if (asked !== turn) return;
    if (failure) {
      // A failed refresh does not remove what is shown.
      fill(more, refusal(failure, { retry: () => read(cursor), signIn }));
    } else {
      const known = new Set(page.items.map(({ id }) => id));
      const rest = items.filter(({ id }) => !known.has(id));
      if (cursor) items = [...rest, ...listed(page.items)];
      else items = [...listed(page.items), ...(items.length > PAGE ? rest : [])];
      const isLast = cursor || items.length <= PAGE;
      if (isLast) next = page.next;
      draw();
      // A page of previews alone would show nothing new.
      if (isLast && next && !page.items.some(isListed)) return read(next);
    }
    if (items.some(isPending)) timer = setTimeout(() => isShown() && read(), delay);
    delay = Math.min(delay * 2, LONGEST_MS);
  }

  function refresh() {
    delay = SHORTEST_MS;
    read();
  }

  fill(more, skeleton(4));
  return { node: h("section.card", h("h3", t("All imports"), button("link", t("Refresh"), refresh)), list, more), refresh };
}
