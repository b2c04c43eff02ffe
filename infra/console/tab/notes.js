/**
 * The notes. A change is shown immediately and undone if the API refuses it. An entry is
 * `{note, key?, mode: "read"|"edit"|"delete", draft, busy, gone, failure, hint, drawn}`; one with a `key` is not saved yet.
 */

import {isHidden, icon, keyed, refill} from "./view.js";

const PAGE = 50;
const MAX_NOTE = 10_000;

export function notesSection(view, {send, say}, section, drafts) {
	const {t, h, said, fine, button, time, fresh, empty, failureBox, guard, format} = view;
	let {next} = section;
	let pageFailure;
	const unsaved = (drafts.entries ?? []).filter(({key, mode, gone}) => !gone && (key || mode === "edit"));
	const entries = section.items.map(note => unsaved.find(entry => entry.note.id === note.id && Object.assign(entry, {note})) ?? {note, mode: "read"})
		.concat(unsaved.filter(({key}) => key));
	for (const entry of unsaved) entry.drawn = undefined;
	drafts.entries = entries;
	const list = h("ul.notes-list");
	const more = h("div");
	const count = h("span.count");
	const title = h("h3", {id: "notes", tabindex: -1}, t("Notes"), count, fresh(section.as_of));
	const area = (label, save, more, cancel) => h("textarea", { rows: 3, maxlength: MAX_NOTE, dir: "auto", "aria-label": label, ...more, onkeydown: ({key, ctrlKey, metaKey}) => {
		if (key === "Enter" && (ctrlKey || metaKey)) save();
		if (key === "Escape") cancel?.();
	} });

	function render() {
		const order = (a, b) => b.note.pinned - a.note.pinned || Date.parse(b.note.created_at) - Date.parse(a.note.created_at) || 0;
		const there = entries.filter(({gone}) => !gone).sort(order);
		count.textContent = there.length ? `${format.number(there.length)}${next ? "+" : ""}` : "";
		refill(list, there.length ? there.map(entry => entry.drawn ??= guard(() => draw(entry))) : h("li", empty("edit", t("No notes yet"), t("Every support agent sees the notes."))));
		refill(more, pageFailure ? failureBox(pageFailure, older) : next && button("quiet", t("Older notes"), older, {"data-key": "older"}));
	}

	function draw(entry) {
		const {note, mode, busy, failure, hint} = entry;
		const text = isHidden(note.text) ? "" : String(note.text);
		const to = mode => () => set(entry, {mode, draft: text});
		const tool = (sign, action, onclick) => button("tool", icon(sign), onclick, { title: action, "data-key": sign + note.id,
			"aria-label": [t("{action} note", {action}), text.slice(0, 40)].filter(Boolean).join(": ") });
		const editor = note.updated_by_name ?? (note.updated_by === note.author ? undefined : note.updated_by);
		const edited = note.updated_at !== note.created_at && (editor && editor !== note.author_name ? t("edited by {name}", {name: said(editor)}) : t("edited"));
		return h(`li.note${note.pinned ? ".pinned" : ""}`, {"aria-busy": busy && "true"},
			h("div.note-head", note.pinned && h("span.pill", icon("pin"), t("Pinned")),
				fine(said(note.author_name ?? note.author), " · ", time(note.created_at, format.day), edited && [" · ", edited]),
				busy ? h("span.fine.tools", t("Saving…")) : mode === "read" && !entry.key && h("span.tools",
					tool("pin", note.pinned ? t("Unpin") : t("Pin"), () => change(entry, {pinned: !note.pinned})), tool("edit", t("Edit"), to("edit")), tool("delete", t("Delete"), to("delete")))),
			(mode !== "edit" || hint) && h("div.text", said(note.text, "p")),
			mode === "edit" && h("div.composer", area(t("Note text"), () => save(entry), { "data-key": `edit${note.id}`, value: entry.draft,
				oninput: event => { entry.draft = event.target.value; } }, to("read")),
			h("div.row", button("quiet", t("Cancel"), to("read")), button("primary", t("Save"), () => save(entry)))),
			mode === "delete" && h("div.row", h("span.ask", t("Delete this note for everyone?")),
				button("quiet", t("Keep"), to("read"), {"data-key": `delete${note.id}`}), button("danger", t("Delete"), () => remove(entry))),
			hint && h("p.hint", {role: "alert"}, hint),
			failure && [failureBox(failure, entry.key && (() => post(entry))), entry.key && button("quiet", t("Discard"), () => set(entry, {gone: true}))]);
	}

	function set(entry, change) {
		const before = entry.mode;
		Object.assign(entry, {failure: undefined, hint: undefined, drawn: undefined}, change);
		// The list can have been drawn anew since.
		drafts.render();
		if (before !== entry.mode) keyed(list, (entry.mode === "read" ? before : entry.mode) + entry.note.id)?.focus();
	}

	function add() {
		const text = composer.value;
		if (!text.trim()) return;
		// With the same key, a repeated request does not add a second note.
		const key = crypto.getRandomValues(new BigUint64Array(2)).join("-");
		const now = new Date().toISOString();
		const entry = {key, mode: "read", note: {id: key, text, pinned: false, author: t("You"), created_at: now, updated_at: now}};
		entries.push(entry);
		composer.value = "";
		composed();
		composer.focus();
		post(entry);
	}

	function post(entry) {
		const sent = send("POST", "/notes", {body: {text: entry.note.text}, headers: {"idempotency-key": entry.key}});
		follow(entry, t("Note added"), sent);
	}

	function save(entry) {
		const text = entry.draft;
		if (!text.trim()) set(entry, {hint: t("The note is empty. Enter text, or delete the note.")});
		else if (text === entry.note.text) set(entry, {mode: "read"});
		else change(entry, {text});
	}

	function change(entry, patch) {
		const before = entry.note;
		set(entry, {note: {...before, ...patch}, mode: "read"});
		const sent = send("PATCH", `/notes/${before.id}`, {body: patch, headers: {"if-match": before.etag}});
		follow(entry, t("Note saved"), sent, {note: before, ...(patch.text && {mode: "edit", draft: patch.text})});
	}

	function remove(entry) {
		set(entry, {gone: true, mode: "read"});
		title.focus();
		const sent = send("DELETE", `/notes/${entry.note.id}`, {headers: {"if-match": entry.note.etag}});
		follow(entry, t("Note deleted"), sent, {gone: false});
	}

	/** Waits for a request, then takes the note from the response, or applies `undone`. */
	async function follow(entry, done, sent, undone = {}) {
		set(entry, {busy: true});
		const [note, failure] = await sent;
		if (!failure) say(done);
		const after = !failure ? note && {note, key: undefined} : failure.status === 404 && !entry.key ? {hint: t("Another agent deleted this note.")}
			: failure.status === 412 ? await conflict(entry, undone.mode) : {failure};
		set(entry, {busy: false, ...(failure && undone), ...after});
	}

	async function conflict({note: {id}}, mode) {
		const [note, failure] = await send("GET", `/notes/${id}`);
		if (failure?.status === 404) return {hint: t("Another agent deleted this note.")};
		return {hint: [t("Another agent changed this note. The new text is above."), mode && ` ${t("Save yours to replace it, or cancel.")}`], ...(note && {note})};
	}

	async function older() {
		const [page, failure] = await send("GET", `/notes?limit=${PAGE}&cursor=${encodeURIComponent(next)}`);
		pageFailure = failure;
		if (page) {
			const known = new Set(entries.map(({note}) => note.id));
			for (const note of page.items) if (!known.has(note.id)) entries.push({note, mode: "read"});
			next = page.next;
		}
		render();
	}

	const submit = button("primary", t("Add note"), add);
	const composed = () => { submit.disabled = !(drafts.text = composer.value).trim(); };
	const composer = area(t("New note"), add, {placeholder: t("Add a note for other support agents"), value: drafts.text ?? "", oninput: composed});
	composed();
	(drafts.render = render)();
	return h("section.card.notes", {"aria-labelledby": "notes"}, title, list, more, h("div.composer", composer, h("div.row", submit)));
}
