/** What a try has found: how the file was understood, the account, and the first profiles as the Profile tab would show them. */

import { attributesPanel } from "../../tab/attributes.js";
import { historyPanel } from "../../tab/history.js";
import { head, summaryPanel } from "../../tab/summary.js";
import { createView, icon, listed } from "../../tab/view.js";
import { DEFAULT_SOURCE } from "./components.js";

const MAX_PROFILES = 3;
const MAX_RECORDS = 3;
const PANELS = { Summary: summaryPanel, Attributes: attributesPanel, History: historyPanel };
let samples = 0;

/** The tabs of one profile, which is not stored. */
function tabsOf(view, document) {
  const { t, h, guard } = view;
  const sample = ++samples;
  const names = Object.keys(PANELS);
  // Nothing is read: the whole profile is in the report.
  const data = { send: async () => [undefined, { status: 404 }], say: () => undefined };
  const panel = h("div.panel", { role: "tabpanel", id: `panel-${sample}`, tabindex: 0 });
  const tabs = names.map((name, at) => h("button", { role: "tab", id: `${name}-${sample}`, "aria-controls": panel.id, onclick: () => open(name), onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (panel.matches(":dir(rtl)") ? -1 : 1);
    const to = { Home: 0, End: -1 }[event.key] ?? (at + step) % names.length;
    if (Number.isNaN(to)) return;
    event.preventDefault();
    open(names.at(to), true);
  } }, t(name)));
  const open = (name, focus) => {
    for (const [at, tab] of tabs.entries()) {
      const isOpen = names[at] === name;
      tab.ariaSelected = String(isOpen);
      tab.tabIndex = isOpen ? 0 : -1;
      if (focus && isOpen) tab.focus();
    }
    panel.setAttribute("aria-labelledby", `${name}-${sample}`);
    panel.replaceChildren(guard(() => PANELS[name](view, data, document, (other) => open(other, true))));
  };
  open(names[0]);
  return h("div.main", h("div.tabs", { role: "tablist", "aria-label": t("Sample profile") }, tabs), panel);
}

/** One sample profile, closed except for the first one. */
function sample(parent, document, isFirst, file) {
  const { t, h, said, locale, labels } = parent;
  const view = { ...createView({ locale, labels, zone: document.summary?.time_zone, report: console.error }) };
  for (const attribute of Object.values(document.attributes ?? {}).flatMap(listed)) attribute.provenance ??= attribute.source === "system" ? null : { file };
  const history = { ...document.history, next: null };
  const place = h("div.stack");
  const show = () => {
    if (details.open && !place.hasChildNodes()) place.append(view.guard(() => head(view, document)), tabsOf(view, { ...document, history, attributes_next: {} }));
  };
  const name = document.name ?? listed(document.identities)[0]?.value ?? t("Unknown customer");
  const details = h("details.sample", { open: isFirst, ontoggle: show }, h("summary", said(name)), place);
  show();
  return details;
}

/** The first records that were rejected, with their reasons. */
function rejected({ t, h, number, said }, records) {
  const all = listed(records).filter(({ result }) => result === "rejected").slice(0, MAX_RECORDS);
  return all.length > 0 && h("ul.unknown", all.map(({ line, errors }) => h("li", h("strong", line ? t("Line {line}", { line: number(line) }) : "–"), " ", listed(errors).map(({ message }) => h("span", { lang: "en" }, said(message), " ")))));
}

/** Shows a try that has ended. */
export function trialResult(view, current, { isWhole = true } = {}) {
  const { t, h, number, typeName, problem, account, warnings, reasons, unknownFields, fine } = view;
  const { trial, state, file_name: file, mapping, source } = current;
  const profiles = listed(trial?.profiles).slice(0, MAX_PROFILES);
  const understood = h("p.understood", icon("search"), h("span", t("Read as {type}", { type: h("strong", typeName(current)) }), source && source !== DEFAULT_SOURCE && fine(" · ", t("source {source}", { source })),
    mapping?.version_id && fine(" · ", t("your own mapping"))));
  return [problem(current), state === "completed" && understood, !isWhole && h("p.hint", t("Only the first rows were tried, because the file is large. An import reads all of it.")),
    state === "completed" && h("p.fine", t("Nothing is stored yet. An import would do this:")), account(current), reasons(current.reasons), rejected(view, trial?.records), warnings(current.warnings), unknownFields(current.unknown_fields),
    profiles.length > 0 && h("div.samples", h("p.caption", t("{count} customer as the Profile tab would show it", "{count} customers as the Profile tab would show them", { count: profiles.length })), profiles.map((document, at) => sample(view, document, at === 0, file))),
    !trial && state === "completed" && h("p.fine", t("Sample profiles need the permission to see personal data."))].filter(Boolean);
}
