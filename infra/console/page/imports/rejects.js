/** The rejected rows of an import: a table, a download that can be corrected, and where the corrected file is dropped. */

import { listed } from "../../tab/view.js";
import { DEFAULT_SOURCE, fill } from "./components.js";
import { acceptDrops, fileButton } from "./drop.js";

const PAGE = 50;
/** The page size of a download. */
const DOWNLOAD_PAGE = 100;
/** The maximum number of rows of a download. */
const MAX_ROWS = 100_000;
const MAX_PREVIEW = 160;

const contentOf = ({ record, record_text: text, record_base64: bytes }) => record ?? text ?? bytes;

/** Returns a rejected row as a line of a file that can be dropped again. */
export function lineOf({ line, offset, errors, record, record_text: text, record_base64: bytes, notation, source }) {
  const [first = { code: "invalid_value", message: "" }] = listed(errors);
  return JSON.stringify({ line: line ?? null, offset, code: first.code, field: first.field, message: first.message, errors: errors?.length > 1 ? errors : undefined, record: record ?? text, record_base64: bytes, notation, source });
}

/** The name of the download: `customers.csv` becomes `customers-rejected.ndjson`. */
export const downloadName = (name = "import") => `${name.replace(/(\.(csv|tsv|json|ndjson|jsonl|txt))?(\.(gz|zst|zip))?$/i, "").replace(/-rejected$/, "")}-rejected.ndjson`;

/** Returns the choices for the corrected rows of an import. */
export const choiceOf = ({ type, mapping, record_type: recordType, source }) => ({ type: mapping?.name ?? recordType ?? type, source: source === DEFAULT_SOURCE ? undefined : source });

function save(parts, name) {
  const url = URL.createObjectURL(new Blob(parts, { type: "application/x-ndjson" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  // The browser has opened the URL when the next task begins.
  setTimeout(() => URL.revokeObjectURL(url));
}

export function rejectsOf(view, { client, queue, go, signIn }, current, { signal }) {
  const { t, h, said, button, skeleton, refusal, number, fieldName } = view;
  const body = h("tbody");
  const more = h("div");
  const result = h("div");
  const page = (cursor, limit) => client.send("GET", `/imports/${encodeURIComponent(current.id)}/rejects?${new URLSearchParams({ limit, ...(cursor && { cursor }) })}`, { signal });

  function content(row) {
    const given = contentOf(row);
    const text = typeof given === "string" ? given : JSON.stringify(given);
    if (text === undefined) return "–";
    const code = (shown) => h("code", { dir: "auto" }, shown);
    return text.length <= MAX_PREVIEW ? code(text) : h("details", h("summary", code(`${text.slice(0, MAX_PREVIEW)}…`)), h("pre", { tabindex: 0 }, code(typeof given === "string" ? given : JSON.stringify(given, null, 2))));
  }

  const reason = (errors, name) => h("td", { "data-label": name }, listed(errors).map(({ message, code }) => h("div", { lang: "en" }, said(message ?? code))));
  const rowOf = (row) => h("tr", h("th", { scope: "row", "data-label": t("Line") }, row.line ? number(row.line) : t("at byte {offset}", { offset: number(row.offset) })),
    h("td", { "data-label": t("Field") }, listed(row.errors).map(({ field }) => field && h("div", fieldName(field)))), reason(row.errors, t("Reason")), h("td.record", { "data-label": t("Record") }, content(row)));

  async function read(cursor) {
    fill(more, skeleton(2));
    const [rows, failure] = await page(cursor, PAGE);
    if (signal.aborted) return;
    if (failure) return fill(more, refusal(failure, { retry: () => read(cursor), signIn }));
    const first = body.children.length;
    body.append(...rows.items.map(rowOf));
    fill(more, rows.next && button("quiet", t("More rows"), () => read(rows.next), { "data-key": "more-rows" }));
    if (cursor) body.children[first]?.querySelector("th").focus?.();
  }

  async function download() {
    save_.disabled = true;
    const parts = [];
    for (let cursor, isFirst = true; isFirst || cursor; isFirst = false) {
      const [rows, failure] = await page(cursor, DOWNLOAD_PAGE);
      if (signal.aborted) return;
      if (failure) {
        save_.disabled = false;
        return fill(result, refusal(failure, { retry: download, signIn }));
      }
      parts.push(...rows.items.map((row) => `${lineOf(row)}\n`));
      cursor = rows.next;
      fill(result, cursor && h("p.fine", { role: "status" }, t("{count} row read", "{count} rows read", { count: parts.length })));
      if (parts.length >= MAX_ROWS && cursor) {
        fill(result, h("p.hint", { role: "alert" }, t("The file has the first {count} rejected rows. Correct and drop them, then download the rest.", { count: parts.length })));
        cursor = undefined;
      }
    }
    save(parts, downloadName(current.file_name));
    save_.disabled = false;
    save_.focus();
  }

  const take = (files) => {
    queue.add(files, choiceOf(current));
    go();
  };
  const save_ = button("primary", t("Download rejected rows"), download);
  read();
  return h("section.card.rejects", h("h3", t("Rejected rows"), h("span.count", number(current.rejected))),
    acceptDrops(h("div.correct", h("p", t("Correct the rows in the downloaded file, and drop it here. Leave its other fields as they are.")), h("div.row", save_, fileButton(view, "quiet", t("Choose the corrected file"), take))), take), result,
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("Rejected rows") }, h("table.rows", h("thead", h("tr", [t("Line"), t("Field"), t("Reason"), t("Record")].map((name) => h("th", { scope: "col" }, name)))), body)), more);
}
