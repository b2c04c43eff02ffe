/** The card of a file: choices, try, upload, import and account. */

import { fill } from "./components.js";
import { trialResult } from "./trial.js";
import { MAPPINGS, MIXED, MIXED_TITLE, OTHER, RECORD_TYPES } from "./words.js";

const MAX_NAME = 64;
/** Types whose rows erase or link customers. */
const DELICATE = ["forget", MIXED];

/** The choice of a type. A name that is not in the list can be entered. */
function typeChoice({ t, h }, job, changed) {
  const option = (value, text) => h("option", { value, selected: job.type === value }, text);
  const isKnown = job.type === "auto" || job.type === MIXED || job.type in RECORD_TYPES || job.type in MAPPINGS;
  const group = (label, types) => h("optgroup", { label }, Object.entries(types).map(([value, text]) => option(value, t(text))));
  const name = h("input", { maxlength: MAX_NAME, spellcheck: "false", autocapitalize: "off", autocomplete: "off", value: isKnown ? "" : job.type, oninput: () => {
    job.type = name.value.trim();
    changed();
  } });
  const named = h("label.field", { hidden: isKnown }, h("span", t("Name of the mapping")), name);
  const select = h("select", { onchange: () => {
    named.hidden = select.value !== OTHER;
    job.type = select.value === OTHER ? name.value.trim() : select.value;
    changed();
    if (!named.hidden) name.focus();
  } }, option("auto", t("Recognize automatically")), group(t("Exports of other systems"), MAPPINGS), group(t("Records"), { ...RECORD_TYPES, [MIXED]: MIXED_TITLE }),
  h("option", { value: OTHER, selected: !isKnown }, t("A mapping of your own…")));
  return [h("label.field", h("span", t("Type")), select), named];
}

/** Returns the card of a file. `changed` is called after a change of its step. */
export function fileCard(view, context, job, { changed }) {
  const { t, h, said, button, size, progress, reading, refusal, account, problem, labelsOf } = view;
  const { queue, go, say } = context;
  const body = h("div.stack");
  const labels = h("span.labels");
  const heading = h("h3", { tabindex: -1 }, said(job.file.name), h("span.fine", size(job.file.size)), labels);
  const card = h("li.card.file", heading, body);
  let step;
  let bar;

  const remove = () => {
    const neighbor = (card.nextElementSibling ?? card.previousElementSibling)?.querySelector("h3") ?? card.getRootNode().querySelector("h2");
    queue.remove(job);
    neighbor.focus();
  };

  function ready() {
    if (job.isEmpty) return [h("p.hint", { role: "alert" }, t("The file is empty.")), h("div.row", button("quiet", t("Remove"), remove))];
    const check = () => {
      for (const action of [tryIt, importIt]) action.disabled = !job.type;
      delicate.hidden = !DELICATE.includes(job.type);
    };
    const tryIt = button(job.cannotTry ? "quiet" : "primary", t("Try first"), () => job.try());
    const importIt = button(job.cannotTry ? "primary" : "quiet", job.cannotTry ? t("Import") : t("Import without a try"), () => job.import());
    const delicate = h("p.hint", t("Rows of this type can erase customers. An undo does not reinstate them. Try the file first."));
    const source = h("input", { maxlength: MAX_NAME, value: job.source, placeholder: t("for example pos"), spellcheck: "false", autocapitalize: "off", autocomplete: "off", oninput: () => { job.source = source.value.trim(); } });
    check();
    return [job.failure && refusal(job.failure, { signIn: context.signIn }), job.cannotTry && h("p.hint", t("This file is too large for a try, and its beginning cannot be separated. You can import it.")),
      h("div.choices", typeChoice(view, job, check), h("label.field", h("span", t("Source (optional)")), source)), delicate,
      h("div.row", button("quiet", t("Remove"), remove), importIt, !job.cannotTry && tryIt)];
  }

  function sending() {
    bar = progress(t("Upload of {name}", { name: job.file.name }));
    return [bar.node, h("div.row", button("quiet", t("Cancel upload"), () => job.cancel()))];
  }

  function waiting() {
    bar = progress(job.purpose === "try" ? t("Try of {name}", { name: job.file.name }) : t("Import of {name}", { name: job.file.name }));
    const lost = job.failure && refusal(job.failure, { retry: () => job.wait(), signIn: context.signIn });
    return [lost ?? bar.node, job.purpose !== "try" && h("p.fine", t("The import continues if you close this page."))];
  }

  function tried() {
    const { state } = job.current;
    return [trialResult(view, job.current, { isWhole: job.isWhole }), h("div.row", button("quiet", t("Remove"), remove), button("quiet", t("Choose another type"), () => job.reconsider()),
      state === "completed" && button("primary", t("Import"), () => job.import()))];
  }

  function done() {
    const { id, rejected } = job.current;
    const open = rejected > 0 ? t("Correct {count} rejected row", "Correct {count} rejected rows", { count: rejected }) : t("Open the import");
    return [problem(job.current), account(job.current), h("div.row", button("quiet", t("Remove from this list"), remove),
      job.customer && button("quiet", t("Open a customer"), () => context.openProfile(job.customer)), button("primary", open, () => go(id)))];
  }

  const STEPS = { ready, sending, reading: waiting, tried, done };
  const SAID = { tried: t("The try of {name} has ended.", { name: job.file.name }), done: t("The import of {name} has ended.", { name: job.file.name }) };

  function update() {
    const state = `${job.step} ${Boolean(job.failure)} ${Boolean(job.cannotTry)}`;
    if (state !== step) {
      const hadFocus = card.contains(card.getRootNode().activeElement);
      step = state;
      fill(body, STEPS[job.step]());
      fill(labels, ["tried", "done"].includes(job.step) ? labelsOf(job.current) : []);
      // The button that was pressed is gone.
      if (hadFocus) heading.focus();
      if (SAID[job.step]) say(SAID[job.step]);
      changed();
    }
    if (job.step === "sending") bar.update({ share: job.total ? job.sent / job.total : 0, text: t("{done} of {total} uploaded", { done: size(job.sent), total: size(job.total ?? job.file.size) }) });
    if (job.step === "reading" && job.current) bar.update(reading(job.current));
  }

  job.changed = update;
  update();
  return { node: card };
}
