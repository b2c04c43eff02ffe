/** The components that the parts of the Imports view share. */

import { icon, listed, refill, svg } from "../../tab/view.js";
import { COUNTS, FIXES, KINDS, REASONS, STATES, TITLES, UNDO_COUNTS, WARNINGS, WOULD } from "./words.js";

const UPLOAD = "M12 16V4m0 0L7 9m5-5 5 5M4 17v3h16v-3";
/** The source of files without one. */
export const DEFAULT_SOURCE = "default";
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** Replaces the children, which can be nested arrays, and keeps the focus. */
export const fill = (container, ...children) => refill(container, ...children.flat(Infinity));

/** Adds the components to a view of the Profile tab. */
export function components(view, { locale, labels, language }) {
  const { t, h, said, fine, figure, time, failureBox, format } = view;

  /** A size in a unit that suits it: `1.2 MB`. */
  function size(bytes) {
    const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), UNITS.length - 1);
    return new Intl.NumberFormat(locale, { style: "unit", unit: UNITS[power], unitDisplay: power ? "short" : "long", maximumFractionDigits: power > 1 ? 1 : 0 }).format(bytes / 1000 ** power);
  }

  const uploadIcon = () => svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: UPLOAD }));
  const number = (value) => format.number(value ?? 0);

  /** What the rows of an import are. */
  function typeName({ type, mapping, record_type: recordType }) {
    const name = mapping?.name ?? recordType ?? type;
    return TITLES[name] ? t(TITLES[name]) : said(name ?? "–");
  }

  /** Labels: the kind of an import that is not one of a file, and its state. */
  function labelsOf({ kind, state, preview, reverted, rejected }) {
    const [text, style] = STATES[state] ?? [state, ""];
    const isPartial = state === "completed" && rejected > 0 && kind !== "revert";
    const title = isPartial ? t("Completed with rejects") : t(text);
    return [KINDS[kind] && h("span.pill", preview ? t("Preview of an undo") : t(KINDS[kind])), reverted && h("span.pill.differs", t("Undone")),
      h(`span.pill${isPartial ? ".differs" : style && `.${style}`}`, title)];
  }

  /** A progress bar with its text; `update({share, text})` changes both. */
  function progress(label) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": label });
    const text = h("span.fine");
    const node = h("div.progress", bar, text);
    return {
      node,
      update({ share, text: words }) {
        if (share === undefined) bar.removeAttribute("value");
        else bar.value = share;
        text.textContent = words;
      },
    };
  }

  /** The progress of the rows of an import. */
  function reading({ state, progress: done = {} }) {
    const { bytes = 0, total_bytes: total, rows } = done;
    if (state === "awaiting_upload" || !total) return { share: undefined, text: t("Waiting for the import to begin…") };
    const share = Math.min(bytes / total, 1);
    return { share, text: [format.percent(share), t("{done} of {total}", { done: size(bytes), total: size(total) }), rows > 0 && t("{count} row", "{count} rows", { count: rows })].filter(Boolean).join(" · ") };
  }

  /** The account of an import: what became of each of its rows. */
  function account(current) {
    const { kind, read, rows, preview } = current;
    const isUndo = kind === "revert";
    const would = kind === "try" || preview ? WOULD : {};
    const values = isUndo ? current : { ...current, skipped: rows?.skipped };
    const known = Object.entries(isUndo ? UNDO_COUNTS : COUNTS).filter(([name]) => values[name] !== undefined);
    // Of a file that was refused, the problem says enough.
    if (!known.length || (current.problem && !read && !isUndo)) return undefined;
    const total = isUndo || read === undefined ? undefined : rows && rows.read !== read
      ? t("{records} records of {rows} rows", { records: number(read), rows: number(rows.read) }) : t("{count} row read", "{count} rows read", { count: read });
    return h("div.account", total && h("p", h("strong", total)), h(`dl.figures.counts${isUndo ? ".undo" : ""}`, known.map(([name, [title, meaning]]) =>
      h(`div${values[name] > 0 ? `.${name}` : ".none"}`, h("dt", t(title)), h("dd", number(values[name]), fine(t(would[name] ?? meaning)))))),
    current.unread > 0 && h("p.hint", t("About {count} row could not be read.", "About {count} rows could not be read.", { count: current.unread })),
    current.rejects_omitted > 0 && h("p.hint", t("{count} rejected row is not in the list.", "{count} rejected rows are not in the list.", { count: current.rejects_omitted })),
    current.truncated > 0 && h("p.hint", t("{count} text was too long, and was cut.", "{count} texts were too long, and were cut.", { count: current.truncated })));
  }

  /** The name of a field. A long one breaks after a dot or an underscore. */
  const fieldName = (name) => h("code", { dir: "auto" }, String(name).split(/(?<=[._])/).map((part, at) => [at > 0 && h("wbr"), part]));

  /** A table of warnings or reasons, with the first place of each. */
  function findings(title, entries, texts, texting = (code) => (texts[code] ? t(texts[code]) : code)) {
    const all = listed(entries);
    return all.length > 0 && h("div.findings", h("table", h("caption", title), h("thead", h("tr", [t("What"), t("Field"), t("Rows"), t("First line")].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", all.map(({ code, field, count, first }) => h("tr", h("th", { scope: "row" }, texting(code)), h("td", field ? fieldName(field) : "–"), h("td", number(count)),
        h("td", first ? (first.line ? number(first.line) : t("at byte {offset}", { offset: number(first.offset) })) : "–"))))));
  }

  const warnings = (entries) => findings(t("Warnings"), entries, WARNINGS);
  const reasons = (entries) => findings(t("Why rows are rejected"), entries, REASONS);

  function unknownFields(fields) {
    const all = listed(fields);
    return all.length > 0 && h("div.findings", h("p.caption", t("Fields that are not known")), h("p.fine", t("They are stored, but have no effect.")),
      h("ul.unknown", all.map(({ name, count, like }) => h("li", h("code", said(name)), " ", fine(t("{count} row", "{count} rows", { count }), like && [" · ", ...[t("Do you mean {name}?", { name: h("code", said(like)) })].flat()])))));
  }

  /** Why a file was refused, and how to fix it. */
  function problem({ problem: given, read }) {
    if (!given) return undefined;
    const code = given.code ?? String(given.type ?? "").split("/").pop();
    return h("div.failure", { role: "alert" }, icon("alert"), h("div", h("strong", read > 0 ? t("The end of the file cannot be read") : t("The file cannot be read")), given.detail && h("p", { lang: "en" }, given.detail), FIXES[code] && h("p", t(FIXES[code]))));
  }

  /** Why a request has failed, in words for people who import files. */
  function refusal(failure, { retry, signIn }) {
    if (failure.isAborted) return undefined;
    if (failure.status === 401) return h("div.failure", { role: "alert" }, icon("lock"), h("div", h("strong", t("Your session has expired"))), view.button("quiet", t("Sign in"), signIn));
    if (failure.upload) {
      const detail = failure.status ? t("The bucket refused the file (status {status}).", { status: failure.status }) : t("The connection was lost. What was uploaded is kept.");
      return failureBox({ status: 400, title: t("The upload failed"), detail }, retry);
    }
    if (failure.status === 0) return failureBox({ status: 400, title: t("Not connected"), detail: t("Try again when you are online.") }, retry);
    if (failure.status === 404) return failureBox({ status: 400, title: t("Not found"), detail: t("The import does not exist, or its file has expired.") }, retry);
    return failureBox(failure, retry);
  }

  /** The source, the time and the author. */
  const origin = ({ source, created_at: at, created_by: by }) => [source && source !== DEFAULT_SOURCE && t("source {source}", { source }), time(at, format.moment), by && t("by {name}", { name: by })].filter(Boolean);

  return { ...view, locale, labels, language, size, uploadIcon, number, typeName, labelsOf, progress, reading, account, warnings, reasons, unknownFields, fieldName, problem, refusal, origin, figure };
}
