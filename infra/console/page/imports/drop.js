/** Where files are dropped, and one card for each. */

import { fileCard } from "./card.js";
import { fill } from "./components.js";
import { MAX_FILES } from "./queue.js";

/** Returns the files of a drop. Folders are left out. */
function filesOf({ items, files }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.());
  return [...files].filter((_, at) => !entries[at]?.isDirectory);
}

/** Makes an element accept dropped files. */
export function acceptDrops(node, take) {
  let depth = 0;
  const mark = (change) => {
    depth = change === undefined ? 0 : depth + change;
    node.classList.toggle("over", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  node.addEventListener("dragenter", (event) => hasFiles(event) && mark(1));
  node.addEventListener("dragleave", (event) => hasFiles(event) && mark(-1));
  node.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  node.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    // A drop has one target.
    event.stopPropagation();
    mark();
    take(filesOf(event.dataTransfer));
  });
  return node;
}

/** A button that opens the browser's selection of files, and its hidden input. */
export function fileButton({ h, button }, style, text, take) {
  const input = h("input", { type: "file", multiple: true, hidden: true, onchange: () => {
    take([...input.files]);
    // The same file can be chosen again.
    input.value = "";
  } });
  return [button(style, text, () => input.click()), input];
}

/** The zone for files, and the cards of those that were dropped. */
export function dropZone(view, context) {
  const { t, h, uploadIcon, button } = view;
  const { queue, say } = context;
  const cards = new Map();
  const list = h("ul.files", { "aria-label": t("Files") });
  const notice = h("div");
  const all = h("div.row.all");

  function take(files) {
    const left = queue.add(files);
    fill(notice, left > 0 && h("p.hint", { role: "alert" }, t("{count} file was left out. The limit is {limit} files.", "{count} files were left out. The limit is {limit} files.", { count: left, limit: MAX_FILES })));
    say(t("{count} file added", "{count} files added", { count: files.length - left }));
    const added = queue.jobs.at(-1);
    if (added && files.length) cards.get(added)?.node.querySelector("select")?.focus();
  }

  function draw() {
    for (const job of [...cards.keys()]) if (!queue.jobs.includes(job)) cards.delete(job);
    for (const job of queue.jobs) if (!cards.has(job)) cards.set(job, fileCard(view, context, job, { changed: drawAll }));
    fill(list, queue.jobs.map((job) => cards.get(job).node));
    drawAll();
  }

  function drawAll() {
    const ready = queue.jobs.filter(({ step, cannotTry, isEmpty }) => step === "ready" && !cannotTry && !isEmpty);
    const tried = queue.jobs.filter(({ step, current }) => step === "tried" && current.state === "completed");
    const ended = queue.jobs.filter(({ step }) => step === "done");
    fill(all, ready.length > 1 && button("primary", t("Try all"), () => ready.forEach((job) => job.try()), { "data-key": "try-all" }),
      tried.length > 1 && button("primary", t("Import all that were tried"), () => tried.forEach((job) => job.import()), { "data-key": "import-tried" }),
      ready.length > 1 && button("quiet", t("Import all without a try"), () => ready.forEach((job) => job.import()), { "data-key": "import-all" }),
      ended.length > 1 && button("quiet", t("Clear imported files"), () => ended.forEach((job) => queue.remove(job)), { "data-key": "clear" }));
    all.hidden = !all.hasChildNodes();
  }

  queue.listed = draw;
  const zone = acceptDrops(h("section.card.drop", uploadIcon(), h("div", h("strong", t("Drop files here")), h("p.fine", t("CSV, JSON or NDJSON, also compressed, of any size. Exports of Shopify, Klaviyo, HubSpot and other systems are recognized."))),
    fileButton(view, "primary", t("Choose files"), take)), take);
  draw();
  return h("div.stack", h("h2", { tabindex: -1 }, t("Imports")), zone, notice, list, all);
}
