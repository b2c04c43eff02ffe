/** Undoes an import, after a preview, or repeats it. Both are imports of their own, and continue if the page is closed. */

import { listed } from "../../tab/view.js";
import { fill } from "./components.js";
import { follow, isPending } from "./follow.js";
import { newKey } from "./upload.js";

/** What an undo repeats: older files whose rows the import may have replaced. */
export function repeats({ t, h }, { replays, preview }) {
  const { count = 0, items } = replays ?? {};
  if (!count) return undefined;
  const text = preview ? t("{count} older import would be repeated.", "{count} older imports would be repeated.", { count })
    : t("{count} older import is repeated.", "{count} older imports are repeated.", { count });
  return h("div.findings", h("p", text), h("ul.unknown", listed(items).map((id) => h("li", h("a", { href: `#imports/${id}` }, id)))));
}

/** Whether an import of a file has ended, and may have stored something. */
const isStored = (current) => current.kind === "import" && !isPending(current) && (current.read > 0 || current.state === "failed");

/** The actions of an import that has ended. `place` is where the preview appears. */
export function undoOf(view, { client, go, signIn, say }, current, { signal, place }) {
  const { t, h, button, account, refusal, progress, reading } = view;
  if (!isStored(current)) return [];

  /** Starts an undo or a repetition. The same key makes a repeated request the same one. */
  const start = (action, key) => client.send("POST", `/imports/${encodeURIComponent(current.id)}/${action}`, { headers: { "idempotency-key": key }, signal });

  function close(opener) {
    fill(place);
    opener.focus();
  }

  /** Asks for a confirmation of an action, whose key is that of every attempt. */
  function confirm({ action, style, text, label, contents }, opener) {
    const key = newKey();
    const failed = h("div");
    const ok = button(style, label, async () => {
      ok.disabled = true;
      const [operation, failure] = await start(action, key);
      if (signal.aborted) return;
      if (operation) return go(operation.id);
      ok.disabled = false;
      fill(failed, refusal(failure, { signIn }));
      ok.focus();
    });
    fill(place, h("section.card.confirm", h("h3", { tabindex: -1 }, label), h("p", text), contents, failed, h("div.row", button("quiet", t("Cancel"), () => close(opener)), ok)));
    place.querySelector("h3").focus();
  }

  async function undo({ currentTarget: opener }) {
    const bar = progress(t("Preview of an undo"));
    const wait = h("section.card.confirm", h("h3", { tabindex: -1 }, t("Preview of an undo")), bar.node, h("div.row", button("quiet", t("Cancel"), () => close(opener))));
    fill(place, wait);
    wait.querySelector("h3").focus();
    const [operation, refused] = await start("revert?preview=true", newKey());
    const [preview, lost] = operation ? await follow(client, operation.id, { signal, seen: (state) => bar.update(reading(state)) }) : [];
    if (signal.aborted || !wait.isConnected) return;
    if (!preview) return fill(wait, refusal(refused ?? lost, { retry: () => undo({ currentTarget: opener }), signIn }), h("div.row", button("quiet", t("Cancel"), () => close(opener))));
    say(t("The preview is ready."));
    confirm({ action: "revert", style: "danger", label: t("Undo import"), text: t("This deletes what the import has stored, unless newer data has replaced it. Older files whose rows it may have replaced are then imported again; until then, these customers and products may lack data."),
      contents: [account(preview), repeats(view, preview)] }, opener);
  }

  const again = current.reverted ? t("Restore import") : t("Import again");
  const repeat = ({ currentTarget: opener }) => confirm({ action: "replay", style: "primary", label: again,
    text: t("This imports the stored file again, with its old time: newer data stays.") }, opener);

  return [button("quiet", again, repeat), !current.reverted && button("quiet", t("Undo import"), undo)];
}
