/**
 * The Imports view: files that are dropped, tried and imported; the list of imports; and one import in detail. Its styles and components
 * are those of the Profile tab.
 */

import { usableLocale } from "../../tab/format.js";
import { createView } from "../../tab/view.js";
import { detailView } from "./detail.js";
import { dropZone } from "./drop.js";
import { importList } from "./list.js";
import { Queue } from "./queue.js";
import { components, fill } from "./components.js";

const STYLES = ["../../customer-profile.css", "./imports.css"];
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The texts by language. English needs none. */
const LABELS = {
  en: async () => ({}),
  de: async () => {
    const [{ de: tab }, { de: own }] = await Promise.all([import("../../labels/de.js"), import("../../labels/imports.de.js")]);
    return { ...tab, ...own };
  },
};

function stylesheet(name) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL(name, import.meta.url) });
  const loaded = new Promise((resolve) => { link.onload = link.onerror = resolve; });
  return { link, loaded };
}

/** Shows the view in a host element. `page` is that of `importsView`. */
export function startImports(host, page) {
  const root = Object.assign(document.createElement("article"), { className: "root", hidden: true });
  const status = Object.assign(document.createElement("p"), { className: "sr", role: "status" });
  const styles = STYLES.map(stylesheet);
  host.attachShadow({ mode: "open" }).append(...styles.map(({ link }) => link), root, status);
  Promise.all(styles.map(({ loaded }) => loaded)).then(() => { root.hidden = false; });

  const queue = new Queue(page.client);
  let view;
  let wanted;
  let shown = {};
  let overview;

  const context = {
    ...page,
    queue,
    say: (text) => { status.textContent = text; },
    /** Requests a token, then repeats what has failed. */
    signIn: () => page.signIn(() => {
      const { id, stop } = shown;
      stop.abort();
      shown = {};
      context.go(id);
    }),
    go: (id) => { location.hash = id ? `imports/${id}` : "imports"; },
  };

  function draw() {
    shown.stop?.abort();
    const stop = new AbortController();
    shown = { ...shown, stop };
    const parts = shown.id ? detailView(view, context, { id: shown.id, signal: stop.signal }) : (overview ??= overviewOf());
    fill(root, parts);
    if (!shown.id) overview.list.refresh();
    root.lang = view.language;
  }

  function overviewOf() {
    const list = importList(view, context, { isShown: () => !shown.id && host.isConnected });
    const zoneOfFiles = dropZone(view, context);
    return Object.assign([zoneOfFiles, list.node], { list });
  }

  queue.changed = () => overview?.list.refresh();

  return {
    async setLanguage(language) {
      wanted = language;
      // Texts that cannot be loaded stay in English.
      const labels = await LABELS[language]().catch(() => ({}));
      if (wanted !== language) return;
      const locale = usableLocale(language === "en" ? undefined : language, navigator.language);
      view = components(createView({ locale, labels, zone: zone(), report: console.error }), { locale, labels, language });
      overview = undefined;
      if (shown.id !== undefined) draw();
    },
    open(id) {
      // One change of the URL can cause several events.
      if (shown.id === id) return id || overview.list.refresh();
      const isOther = shown.id !== undefined && shown.id !== id;
      shown.id = id;
      draw();
      // The keyboard and screen readers continue at what was opened.
      if (isOther) root.querySelector("h2")?.focus();
    },
  };
}
