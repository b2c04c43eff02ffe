/**
 * <customer-profile>: one customer as an agent needs to see them. It stores nothing in the browser and writes all that it
 * is given as text, never as markup. Its attributes, properties and events are in the README.
 */

const PAGE = 50;
const MAX_NOTE = 10_000;
const GONE = "Somebody else deleted this note.";
const TABS = ["summary", "attributes", "history"];

/** What the type filter offers, and the event types behind it. */
const KINDS = {
	Purchases: ["purchase"],
	Returns: ["return"],
	Messages: ["message"],
	Emails: ["email_send", "email_open", "email_click", "email_bounce", "email_subscribe"],
	Texts: ["sms_send", "sms_click", "sms_subscribe"],
};

/** Strokes in a field of 24 × 24. */
const ICONS = {
	purchase: "M6 8h12l1 12H5L6 8Zm3 0a3 3 0 0 1 6 0",
	return: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
	email: "M3 6h18v12H3zM3 7l9 6 9-6",
	sms: "M7 3h10v18H7zM11 18h2",
	message: "M4 5h16v11H9l-5 4V5Z",
	pin: "M9 4h6l-1 6 3 3H7l3-3-1-6Zm3 9v7",
	edit: "m4 20 1-4L16 5l3 3L8 19l-4 1Z",
	trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
	lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
	alert: "M12 4 2.5 20h19L12 4Zm0 6v4m0 3v.01",
	image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.01",
	person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 21a8 8 0 0 1 16 0",
	search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20",
};

/** `h("p.note", {lang: "en"}, "text", node)`; attributes may be left out, `on…` is a listener, what is empty is skipped. */
function h(name, ...parts) {
	const attributes = parts[0]?.constructor === Object ? parts.shift() : {};
	const [tag, ...classes] = name.split(".");
	const node = document.createElement(tag);
	if (tag === "button") node.type = "button";
	if (classes.length) node.className = classes.join(" ");
	for (const [key, value] of Object.entries(attributes)) {
		if (value === undefined || value === false) continue;
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (key === "value") node.value = value;
		else node.setAttribute(key, value === true ? "" : value);
	}
	node.append(...parts.flat(3).filter((part) => part || part === 0));
	return node;
}

function svg(name, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
	node.append(...children);
	return node;
}

const icon = (name) => svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
const fine = (...parts) => h("span.fine", ...parts);
const button = (style, text, onclick, more) => h(`button.${style}`, { onclick, ...more }, text);
const card = (title, ...parts) => h("section.card", h("h3", title), ...parts);
const wide = (title, ...parts) => h("section.card.wide", h("h3", title), ...parts);

/** Text from a person or a file: of its own direction, whatever the page's. */
const said = (text, name = "span") => h(name, { dir: "auto" }, text);

/** `first_name` as `First name`. */
const words = (name) => {
	const text = String(name).replaceAll("_", " ");
	return text === "vip" || text === "sms" ? text.toUpperCase() : text.charAt(0).toUpperCase() + text.slice(1);
};

const isHidden = (value) => value?.redacted === true;
const hidden = () => h("span.hidden", { title: "Personal: your access does not show it" }, icon("lock"), "Hidden");
const shown = (value, name) => (isHidden(value) ? hidden() : said(String(value), name));

/** Only web addresses become links and pictures. */
function webAddress(text) {
	const url = URL.canParse(text) && new URL(text);
	return url && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

function link(text, address) {
	const href = webAddress(address);
	return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", dir: "auto" }, text) : said(text);
}

/** What the lines of an order come to, exact, as a decimal text. */
function sum(lines) {
	const parts = lines.map(({ price_paid: paid }) => String(paid).split("."));
	const places = Math.max(0, ...parts.map(([, part = ""]) => part.length));
	const total = parts.reduce((total, [whole, part = ""]) => total + BigInt(whole + part.padEnd(places, "0")), 0n);
	const digits = String(total).replace("-", "").padStart(places + 1, "0");
	return `${total < 0n ? "-" : ""}${digits.slice(0, digits.length - places)}.${digits.slice(digits.length - places)}0`;
}

/** The text of an e-mail's HTML: only ever written as text, so what this misses shows and does nothing. */
function plain(html) {
	const named = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };
	return html
		.replace(/<(style|script|head)\b[^]*?<\/\1\s*>/gi, "")
		.replace(/<(br|\/p|\/div|\/tr|\/h\d|\/li)\b[^>]*>/gi, "\n")
		.replace(/<\/?[a-z!][^>]*>/gi, "")
		.replace(/&(?:#(\d{1,6})|(\w{2,5}));/g, (whole, code, name) => (code ? String.fromCodePoint(code) : named[name] ?? whole))
		.replace(/\n{3,}/g, "\n\n")
		.trim();
}

/** Dates, numbers and money in the page's language. */
class Format {
	constructor(locale) {
		const date = (options) => {
			const format = new Intl.DateTimeFormat(locale, options);
			return (at) => format.format(new Date(at));
		};
		this.day = date({ dateStyle: "medium" });
		this.moment = date({ dateStyle: "medium", timeStyle: "short" });
		this.month = date({ month: "long", year: "numeric" });
		// What has no time of day is the same day everywhere.
		this.date = date({ dateStyle: "medium", timeZone: "UTC" });
		this.monthOnly = date({ month: "short", year: "numeric", timeZone: "UTC" });
		const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
		this.number = new Intl.NumberFormat(locale, { maximumFractionDigits: 6 }).format;
		this.percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format;
		this.money = ({ currency, amount }) => {
			try {
				return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount);
			} catch {
				return `${amount} ${currency}`;
			}
		};
		this.ago = (at) => {
			const days = Math.round((new Date(at) - Date.now()) / 86_400_000);
			const [unit, length] = days > -45 ? ["day", 1] : days > -700 ? ["month", 30.4] : ["year", 365];
			return relative.format(Math.round(days / length), unit);
		};
	}

	time(at, format = this.moment) {
		return h("time", { datetime: at, title: format !== this.moment && this.moment(at) }, format(at));
	}
}

/** Why a request came to nothing. Status 0: there was no answer. */
class Failure extends Error {
	constructor(status, { title, detail = "", request_id } = {}) {
		super(title ?? `status ${status}`);
		Object.assign(this, { status, detail, id: request_id });
	}

	get words() {
		const known = {
			0: ["Not connected", "Nothing is lost. Try again when the connection is back."],
			401: ["You are signed out", "Sign in again, then try again."],
			403: ["Your access does not cover this", this.detail],
			404: ["Not found", this.detail],
			429: ["Too many requests", "Wait a moment, then try again."],
		};
		return known[this.status] ?? (this.status < 500 ? [this.message, this.detail] : ["Something went wrong on our side", "Try again in a moment."]);
	}
}

/** A request to the API, with the element's token, and patience where it is busy. */
async function ask(element, method, path, { body, headers, signal } = {}) {
	const base = (element.getAttribute("api") ?? "").replace(/\/+$/, "");
	const json = body && JSON.stringify(body);
	for (let attempt = 0, expired = false; ; attempt++) {
		const token = typeof element.token === "function" ? await element.token({ expired }) : element.token;
		const answer = await fetch(base + path, {
			method, signal, body: json, credentials: "omit", referrerPolicy: "no-referrer",
			headers: { ...headers, ...(json && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }) },
		});
		if (answer.ok) return answer.status === 204 ? undefined : answer.json();
		if (answer.status === 401 && !expired && typeof element.token === "function") {
			expired = true;
		} else if ([429, 503].includes(answer.status) && attempt < 2) {
			const seconds = Number(answer.headers.get("retry-after")) || 2 ** attempt;
			await new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 10) * 1000));
		} else {
			throw new Failure(answer.status, await answer.json().catch(() => undefined));
		}
	}
}

/** `[answer]`, or `[undefined, failure]`. */
const request = (...about) => ask(...about).then((answer) => [answer], (error) => [undefined, error instanceof Failure ? error : new Failure(0)]);

function failureBox(failure, retry) {
	const [title, text] = failure.words;
	return h("div.failure", { role: "alert" }, icon(failure.status === 403 ? "lock" : "alert"),
		h("div", h("strong", title), h("p", text), failure.id && h("p.fine", `Request ${failure.id}`)), retry && button("quiet", "Try again", retry));
}

const skeleton = (lines) => h("div.skeleton", { "aria-hidden": "true" }, Array.from({ length: lines }, () => h("span")));
const empty = (sign, title, text) => h("div.empty", icon(sign), h("strong", title), h("p", text));
const keyed = (container, key) => [...container.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key);

/** Puts new children in, and the focus back on the one with the same key. */
function refill(container, ...children) {
	const focused = container.getRootNode().activeElement;
	const key = container.contains(focused) && focused.dataset.key;
	container.replaceChildren(...children.flat().filter(Boolean));
	if (key) keyed(container, key)?.focus();
}

/**
 * The notes. What an agent does shows at once and is taken back if the API refuses it; what they wrote is never lost.
 * An entry is `{note, key?, mode: "read"|"edit"|"delete", draft, busy, gone, failure, hint}`; one with a `key` isn't saved yet.
 */
function notesSection({ format, send, say }, { items, next }, draft) {
	let pageFailure;
	let entries = items.map((note) => ({ note, mode: "read" }));
	const list = h("ul.notes-list");
	const more = h("div");
	const count = h("span.count");
	const title = h("h3", { id: "notes", tabindex: -1 }, "Notes", count);
	const area = (label, save, more, cancel) => h("textarea", { rows: 3, maxlength: MAX_NOTE, dir: "auto", "aria-label": label, ...more, onkeydown: ({ key, ctrlKey, metaKey }) => {
		if (key === "Enter" && (ctrlKey || metaKey)) save();
		if (key === "Escape") cancel?.();
	} });

	function render() {
		const order = (a, b) => b.note.pinned - a.note.pinned || Date.parse(b.note.created_at) - Date.parse(a.note.created_at);
		const there = entries.filter(({ gone }) => !gone).sort(order);
		count.textContent = there.length ? `${there.length}${next ? "+" : ""}` : "";
		refill(list, there.length ? there.map(draw) : h("li", empty("edit", "No notes yet", "What you write here, every agent sees first.")));
		refill(more, pageFailure ? failureBox(pageFailure, older) : next && button("quiet", "Older notes", older, { "data-key": "older" }));
	}

	function draw(entry) {
		const { note, mode, busy, failure, hint } = entry;
		const to = (mode) => () => set(entry, { mode, draft: isHidden(note.text) ? "" : note.text, failure: undefined, hint: undefined });
		const tool = (sign, label, onclick) => h("button.tool", { title: label, "data-key": sign + note.id, onclick,
			"aria-label": `${label} note${isHidden(note.text) ? "" : `: ${note.text.slice(0, 40)}`}` }, icon(sign));
		return h(`li.note${note.pinned ? ".pinned" : ""}${busy ? ".busy" : ""}`, { "aria-busy": busy && "true" },
			h("div.note-head", note.pinned && h("span.pill", icon("pin"), "Pinned"),
				fine(said(note.author), " · ", format.time(note.created_at, format.day), note.updated_at !== note.created_at && " · edited"),
				busy ? h("span.fine.tools", "Saving…") : mode === "read" && !entry.key && h("span.tools",
					tool("pin", note.pinned ? "Unpin" : "Pin", () => change(entry, { pinned: !note.pinned })), tool("edit", "Edit", to("edit")), tool("trash", "Delete", to("delete")))),
			h("div.text", shown(note.text, "p")),
			mode === "edit" && h("div.composer", area("Text of the note", () => save(entry), { "data-key": `edit${note.id}`, value: entry.draft,
				oninput: (event) => { entry.draft = event.target.value; } }, to("read")),
			h("div.row", button("quiet", "Cancel", to("read")), button("primary", "Save", () => save(entry)))),
			mode === "delete" && h("div.row", h("span.ask", "Delete this note for everyone?"),
				button("quiet", "Keep", to("read"), { "data-key": `delete${note.id}` }), button("danger", "Delete", () => remove(entry))),
			hint && h("p.hint", { role: "alert" }, hint),
			failure && [failureBox(failure, entry.key && (() => post(entry))), entry.key && button("quiet", "Discard", () => set(entry, { gone: true }))]);
	}

	function set(entry, change) {
		const before = entry.mode;
		Object.assign(entry, change);
		render();
		if (before !== entry.mode) keyed(list, { edit: "edit", delete: "delete", read: before === "delete" ? "trash" : "edit" }[entry.mode] + entry.note.id)?.focus();
	}

	function add() {
		const text = composer.value;
		if (!text.trim()) return;
		// A random name of this note, so that sending it again never leaves two.
		const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
		const now = new Date().toISOString();
		const entry = { key, mode: "read", note: { id: key, text, pinned: false, author: "You", created_at: now, updated_at: now } };
		entries.push(entry);
		composer.value = "";
		composed();
		composer.focus();
		post(entry);
	}

	function post(entry) {
		const sent = send("POST", "/notes", { body: { text: entry.note.text }, headers: { "idempotency-key": entry.key } });
		return follow(entry, "Note added", sent, (note) => ({ note, key: undefined }));
	}

	function save(entry) {
		const text = entry.draft;
		if (!text.trim()) set(entry, { hint: "A note needs some text. To remove it, delete it." });
		else if (text === entry.note.text) set(entry, { mode: "read", hint: undefined, failure: undefined });
		else change(entry, { text });
	}

	function change(entry, patch) {
		const before = entry.note;
		set(entry, { note: { ...before, ...patch }, mode: "read" });
		const sent = send("PATCH", `/notes/${before.id}`, { body: patch, headers: { "if-match": before.etag } });
		return follow(entry, "Note saved", sent, (note) => ({ note }), { note: before, ...(patch.text && { mode: "edit", draft: patch.text }) });
	}

	function remove(entry) {
		set(entry, { gone: true, mode: "read" });
		title.focus();
		const sent = send("DELETE", `/notes/${entry.note.id}`, { headers: { "if-match": entry.note.etag } });
		return follow(entry, "Note deleted", sent, () => ({}), { gone: false });
	}

	/** Waits for a request; `done` and `undone` say how the entry goes on. */
	async function follow(entry, words, sent, done, undone = {}) {
		set(entry, { busy: true, failure: undefined, hint: undefined });
		const [answer, failure] = await sent;
		if (!failure) {
			say(words);
			return set(entry, { busy: false, ...done(answer) });
		}
		const after = { busy: false, ...undone };
		if (failure.status === 404 && !entry.key) after.hint = GONE;
		else if (failure.status === 409 || failure.status === 412) Object.assign(after, await conflict(entry, after.mode));
		else after.failure = failure;
		set(entry, after);
	}

	/** What somebody else made of the note meanwhile. */
	async function conflict({ note: { id } }, mode) {
		const [page] = await send("GET", "/notes?limit=100");
		const note = page?.items.find((note) => note.id === id);
		if (page && !note && !page.next) return { hint: GONE };
		return { hint: `Somebody else changed this note: above is how it reads now.${mode ? " Your text is kept here: save it over theirs, or cancel." : ""}`, ...(note && { note }) };
	}

	async function older() {
		const [page, failure] = await send("GET", `/notes?limit=${PAGE}&cursor=${encodeURIComponent(next)}`);
		pageFailure = failure;
		if (page) {
			const known = new Set(entries.map(({ note }) => note.id));
			entries = entries.concat(page.items.filter(({ id }) => !known.has(id)).map((note) => ({ note, mode: "read" })));
			next = page.next;
		}
		render();
	}

	const submit = button("primary", "Add note", add);
	const composed = () => { submit.disabled = !composer.value.trim(); };
	const composer = area("New note", add, { placeholder: "Leave a note for your colleagues", value: draft, oninput: composed });
	composed();
	render();
	const element = h("section.card.notes", { "aria-labelledby": "notes" }, title, list, more, h("div.composer", composer, h("div.row", submit)));
	return { element, composer };
}

/** An order's currency: where its source named none, the API's title does. */
const currencyOf = ({ type, title, [type]: { currency } }) => currency ?? title.slice(-3);

/** The API's title of an event, but for amounts, which follow the reader's language. */
function titleOf(item, format) {
	const { products } = item[item.type];
	const money = () => ` for ${format.money({ currency: currencyOf(item), amount: sum(products).replace("-", "") })}`;
	return ["purchase", "return"].includes(item.type) ? item.title.replace(/ for [^]*/, money) : item.title;
}

/** Spend by month, at most two years: bars, and a table for whoever can't see them. */
function chart(months, format) {
	const { currency, month: last } = months.at(-1);
	const known = Object.fromEntries(months.filter((month) => month.currency === currency).map(({ month, amount }) => [month, amount]));
	const rows = [];
	for (let back = 0; back < 24 && (back < 12 || rows[0].month > months[0].month); back++) {
		const date = new Date(`${last}-01T00:00Z`);
		date.setUTCMonth(date.getUTCMonth() - back);
		const month = date.toISOString().slice(0, 7);
		const amount = known[month] ?? "0";
		rows.unshift({ month, value: Number(amount), label: format.monthOnly(`${month}-01`), money: format.money({ currency, amount }) });
	}
	const values = rows.map(({ value }) => value);
	const top = Math.max(...values, 0);
	const height = top - Math.min(...values, 0) || 1;
	const zero = (top / height) * 100;
	const bars = rows.map(({ value, label, money }, x) => {
		const size = (Math.abs(value) / height) * 100;
		return svg("g", {}, svg("title", {}, `${label}: ${money}`), svg("rect", { class: "column", x, width: 1, height: 100 }),
			svg("rect", { class: value < 0 ? "bar down" : "bar", x: x + 0.16, width: 0.68, y: value < 0 ? zero : zero - size, height: size }));
	});
	return h("figure.chart", h("figcaption.fine", `Most in a month: ${format.money({ currency, amount: top })}`),
		svg("svg", { viewBox: `0 0 ${rows.length} 100`, preserveAspectRatio: "none", role: "img", "aria-label": `Spend by month, ${rows[0].label} to ${rows.at(-1).label}` },
			...bars, svg("line", { x2: rows.length, y1: zero, y2: zero, "vector-effect": "non-scaling-stroke" })),
		h("div.axis.fine", { "aria-hidden": "true" }, [0, rows.length >> 1, rows.length - 1].map((at) => h("span", rows[at].label))),
		h("details", h("summary", "As a table"), h("table", h("thead", h("tr", h("th", { scope: "col" }, "Month"), h("th", { scope: "col" }, "Spend"))),
			h("tbody", rows.toReversed().map(({ label, money }) => h("tr", h("th", { scope: "row" }, label), h("td", money)))))));
}

function engagement(title, sign, figures, format) {
	const { status, sent, opened, clicked, bounced } = figures;
	const bar = (label, count, rate) => {
		const fill = h("span");
		fill.style.inlineSize = `${Math.min(rate ?? 0, 1) * 100}%`;
		return h("div.rate", h("dt", label), h("dd", format.number(count), rate !== undefined && fine(` ${format.percent(rate)}`)),
			rate !== undefined && h("div.track", { "aria-hidden": "true" }, fill));
	};
	const last = (label, at) => at && h("span", `Last ${label} `, format.time(at, format.ago));
	const tone = /un(sub|del)/.test(status) ? ".bad" : status?.endsWith("subscribed") ? ".good" : "";
	return card([icon(sign), title, status && h(`span.pill${tone}`, words(status))], sent + opened + clicked + bounced === 0 ? h("p.fine", "Nothing sent yet.")
		: h("dl.rates", bar("Sent", sent), sign === "email" && bar("Opened", opened, figures.open_rate ?? 0), bar("Clicked", clicked, figures.click_rate ?? 0), bounced > 0 && bar("Bounced", bounced)),
	h("p.fine.lasts", last("sent", figures.last_sent_at), last("opened", figures.last_opened_at), last("click", figures.last_clicked_at),
		figures.lists.map(({ id, name, status }) => id && h("span", said(name ?? id), ` ${words(status)}`))));
}

const figure = (label, value) => h("div", h("dt", label), h("dd", value));

function summaryPanel({ summary, history }, format, openHistory) {
	const latest = history.items.slice(0, 6);
	return h("div.grid",
		wide("Segments", h("div.chips", summary.segments.map((name) => h(`span.chip${name === "vip" ? ".accent" : ""}`, words(name)))),
			!summary.segments.length && h("p.fine", "In no segment yet."),
			h("dl.figures", figure("Orders", format.number(summary.orders)), figure("Items", format.number(summary.items)), figure("Returns", format.number(summary.returns)),
				figure("Last activity", summary.last_event_at ? format.time(summary.last_event_at, format.ago) : "–"), figure("Seen on", summary.channels.map(words).join(", ") || "–"))),
		wide("Spend over time", summary.spend_by_month.length ? chart(summary.spend_by_month, format) : empty("purchase", "No orders yet", "The first one starts the chart.")),
		engagement("Email", "email", summary.email, format), engagement("SMS", "sms", summary.sms, format),
		wide(["Latest", latest.length > 0 && button("link", "All history", openHistory)], latest.length ? h("ol.timeline", latest.map((item) =>
			h("li", icon(ICONS[item.type] ? item.type : item.channel), said(titleOf(item, format)), format.time(item.at, format.ago)))) : nothing()));
}

const nothing = () => empty("message", "Nothing has happened yet", "Orders, messages and e-mails appear here.");

/** Attributes by category, with a search; where they come from stands in a tip. */
function attributesPanel(categories, format) {
	const list = h("div.grid");
	const value = (value, type) => {
		if (value === null || value === undefined) return fine("None");
		if (isHidden(value)) return hidden();
		if (typeof value === "boolean") return h(`span.flag${value ? ".yes" : ""}`, value ? "Yes" : "No");
		if (typeof value === "number") return h("span", format.number(value));
		if (type === "date") return format.time(value, value.length === 10 ? format.date : format.moment);
		return said(typeof value === "string" ? value : JSON.stringify(value));
	};
	const row = (attribute) => {
		const { name, source, as_of, confidence } = attribute;
		const from = [`From ${source}`, as_of && format.moment(as_of), confidence !== undefined && `confidence ${confidence} of 2`].filter(Boolean).join(", ");
		return h("div", h("dt", said(words(name))), h("dd", value(attribute.value, attribute.type),
			h("button.tip", { "aria-label": `${words(name)}: ${from}` }, said(source), h("span.bubble", { "aria-hidden": "true" }, from))));
	};
	const render = () => {
		const wanted = search.value.trim().toLocaleLowerCase();
		const fits = (category) => ({ name, value }) =>
			`${words(category)} ${words(name)} ${isHidden(value) ? "" : JSON.stringify(value)}`.toLocaleLowerCase().includes(wanted);
		const cards = Object.entries(categories).map(([category, attributes]) => [category, attributes.filter(fits(category))]).filter(([, attributes]) => attributes.length)
			.map(([category, attributes]) => card([words(category), h("span.count", attributes.length)], h("dl.attributes", attributes.map(row))));
		list.replaceChildren(...(cards.length ? cards : [wanted ? empty("search", "No attribute matches", "Try part of a name or a value.")
			: empty("person", "No attributes yet", "What your sources know appears here.")]));
	};
	const search = h("input", { type: "search", placeholder: "Search attributes", "aria-label": "Search attributes", oninput: render });
	render();
	return h("div", h("label.search", icon("search"), search), list);
}

/**
 * The history, newest first, page after page as it is scrolled. The messages of a conversation and what came of an e-mail
 * are shown together, where the newest of them stands.
 */
function historyPanel({ format, send }, firstPage, channels) {
	let filtered, turn, busy, failure, next, events, groups, month, cards, run;
	const list = h("div.months");
	const foot = h("div.foot");
	const count = h("p.fine", { role: "status" });
	const field = (label, control) => h("label.field", h("span", label), control);
	const kinds = Object.keys(KINDS).map((kind) => h("button.chip", { "aria-pressed": "false", onclick: ({ currentTarget: chip }) => {
		chip.ariaPressed = String(chip.ariaPressed !== "true");
		onchange();
	} }, kind));
	const channel = h("select", { onchange }, h("option", { value: "" }, "All"), channels.map((channel) => h("option", { value: channel }, words(channel))));
	const from = h("input", { type: "date", onchange });
	const to = h("input", { type: "date", onchange });
	const clear = button("quiet", "Clear", () => {
		for (const chip of kinds) chip.ariaPressed = "false";
		channel.value = from.value = to.value = "";
		onchange();
	});
	const watch = new IntersectionObserver(([seen]) => seen.isIntersecting && more(), { rootMargin: "600px" });

	/** What the API is asked for: days are the reader's own, and the last one is in. */
	function query() {
		const query = new URLSearchParams({ limit: PAGE });
		const moment = (day, more) => {
			const date = new Date(`${day}T00:00`);
			date.setDate(date.getDate() + more);
			return date.toISOString();
		};
		for (const chip of kinds) if (chip.ariaPressed === "true") for (const type of KINDS[chip.textContent]) query.append("type", type);
		if (channel.value) query.set("channel", channel.value);
		if (from.value) query.set("from", moment(from.value, 0));
		if (to.value) query.set("to", moment(to.value, 1));
		return query;
	}

	function reset() {
		filtered = query().size > 1;
		clear.hidden = !filtered;
		// Answers to what was asked before no longer count.
		turn = Symbol("turn");
		busy = failure = next = month = undefined;
		events = 0;
		groups = new Map();
		list.replaceChildren();
	}

	function onchange() {
		reset();
		more();
	}

	async function more() {
		if (busy || next === null) return;
		const asked = turn;
		busy = true;
		failure = undefined;
		render();
		const wanted = query();
		if (next) wanted.set("cursor", next);
		const [page, failed] = await send("GET", `/history?${wanted}`);
		if (asked !== turn) return;
		busy = false;
		failure = failed;
		if (page) take(page);
		render();
	}

	function render() {
		const last = next === null;
		count.textContent = last || events ? `${format.number(events)} ${events === 1 ? "event" : "events"}${last ? "" : " so far"}` : "";
		watch.disconnect();
		refill(foot, failure ? failureBox(failure, more) : busy ? skeleton(4) : !last ? button("quiet", "More", more, { "data-key": "more" })
			: events ? h("p.fine", "That is everything.") : filtered ? empty("search", "Nothing fits these filters", "Clear them to see all events.") : nothing());
		// Watched anew, a foot that is still in sight asks for another page.
		if (!busy && !failure && !last) watch.observe(foot);
	}

	function take(page) {
		const changed = new Set();
		for (const item of page.items) {
			const { type, channel, account, [type]: data } = item;
			const isMail = /^(email|sms)_/.test(type);
			const key = type === "message" ? `${type} ${channel} ${account?.id} ${data.conversation_id ?? item.at.slice(0, 10)}`
				: isMail && !type.endsWith("subscribe") ? `${channel} ${data.email_id ?? data.sms_id}` : item.id;
			let group = groups.get(key);
			if (!group) {
				group = { items: [], draw: isMail ? mail : type === "message" ? conversation : order, node: h("li") };
				groups.set(key, group);
				place(group.node, item, isMail);
			}
			group.items.push(item);
			changed.add(group);
		}
		for (const { node, draw, items } of changed) node.replaceChildren(...draw(items).filter(Boolean));
		events += page.items.length;
		next = page.next;
	}

	/** A month's cards follow one another; e-mails and texts without anything between them share one. */
	function place(node, { at }, isMail) {
		if (format.month(at) !== month) {
			month = format.month(at);
			run = undefined;
			cards = h("ol.cards");
			list.append(h("section", h("h3.month", month), cards));
		}
		if (isMail) {
			if (!run) cards.append(h("li.card", run = h("ul.threads")));
			run.append(node);
		} else {
			run = undefined;
			node.className = "card";
			cards.append(node);
		}
	}

	function order([item]) {
		const { id, at, type, channel, [type]: data } = item;
		const money = (amount) => format.money({ currency: currencyOf(item), amount });
		const lines = data.products ?? [];
		const about = [words(channel), data.store?.name, ...[data.payment_types ?? []].flat().map(({ name }) => words(name))].filter(Boolean).join(" · ");
		return [h("div.card-head", { "data-event": id }, icon(type), h("div", h("strong", type === "purchase" ? "Order " : "Return ", said(data.purchase_id ?? data.return_id)),
			h("p.fine", format.time(at), " · ", said(about))), h("strong.amount", money(sum(lines)))),
		h("ul.lines", lines.map(({ product = {}, product_reference: reference, quantity, price_paid, full_price, discount }) => h("li", picture(product.image),
			h("div", link(product.name ?? `Product ${reference?.id ?? "unknown"}`, product.url),
				h("p.fine", product.brand && [said(product.brand), " · "], `Quantity ${format.number(Math.abs(quantity))}`)),
			h("span.amount", money(price_paid), full_price && Number(discount) > 0 && h("s.fine", h("span.sr", "instead of "), money(full_price)))))),
		data.adjustments?.length > 0 && h("p.fine.lasts", data.adjustments.map(({ reason, price_adjustment }) =>
			h("span", said(words(reason ?? "adjustment")), ` ${money(price_adjustment)}`)))];
	}

	function picture(address) {
		const lost = () => h("span.picture", icon("image"));
		const src = webAddress(address);
		const image = src && h("img.picture", { alt: "", loading: "lazy", referrerpolicy: "no-referrer", width: 56, height: 56, onerror: () => image.replaceWith(lost()), src });
		return image ?? lost();
	}

	function conversation(items) {
		const [{ channel, account, message }] = items;
		const bubble = (item) => {
			const { author, attachments = [] } = item.message;
			const out = item.direction === "outbound";
			return h(`li.${out ? "out" : "in"}`, { "data-event": item.id },
				fine(isHidden(author) ? hidden() : said(author?.name ?? author?.handle ?? (out ? "Agent" : "Customer")), h("span.sr", out ? " to the customer" : " from the customer"), " · ", format.time(item.at)),
				h("div.say", body(item), isHidden(attachments) ? hidden() : attachments.map(({ name, type, url }) => h("p", link(name ?? type ?? "Attachment", url)))));
		};
		return [h("div.card-head", icon("message"), h("div", h("strong", words(channel)), account && h("p.fine", "with ", said(account.name ?? account.id))),
			message.state && h("span.pill", words(message.state))), h("ol.bubbles", items.toReversed().map(bubble))];
	}

	function mail(items) {
		const email = items[0].channel === "email";
		const sent = items.find(({ type }) => type.endsWith("_send"));
		const list = items.map((item) => item[item.type].list?.name).find(Boolean);
		const step = ({ id, at, type, [type]: { status, clicked_link: clicked } }) => {
			const [tone, name] = { send: ["", "Sent"], open: [".good", "Opened"], click: [".accent", "Clicked"], bounce: [".bad", "Bounced"] }[type.split("_")[1]] ?? ["", words(status)];
			return h("li", { "data-event": id }, h(`span.pill${tone}`, name), " ", clicked && [link(clicked.name ?? clicked.url ?? "link", clicked.url), " "], format.time(at));
		};
		return [icon(email ? "email" : "sms"), h("div", h("strong", said(sent?.[sent.type].subject ?? items[0].title)), list && fine(said(list)),
			h("ol.steps.fine", items.toReversed().map(step)),
			sent?.[sent.type].body && (email ? h("details", h("summary", "Read it"), body(sent, plain)) : body(sent)))];
	}

	/** An event's body. Of a large one the page has the beginning; the rest is fetched when it is asked for. */
	function body(item, read = String) {
		const { body, body_bytes: bytes } = item[item.type];
		if (!body || isHidden(body)) return body && hidden();
		const place = h("div", said(read(body), "p.text"), bytes && button("link", "Show all of it", async () => {
			const [whole, failure] = await send("GET", `/history/${item.id}`);
			if (failure) place.append(failureBox(failure));
			else place.replaceChildren(said(read(whole[whole.type].body), "p.text"));
		}));
		return place;
	}

	reset();
	take(firstPage);
	render();
	return h("div", h("div.filters", { role: "group", "aria-label": "Filter the history" }, h("div.chips", kinds),
		field("Channel", channel), field("From", from), field("To", to), clear), count, list, foot);
}

/** The element. Nothing that goes wrong takes away what is already there. */
class CustomerProfile extends HTMLElement {
	static observedAttributes = ["api", "profile", "lookup"];

	/** The bearer token, or a function that answers it. It stands in no attribute and no address. */
	token;
	#lookup;
	#asked = new AbortController();
	#gone;
	#root = h("article.root", { "aria-label": "Customer profile", hidden: true });
	#say = h("p.sr", { role: "status" });
	#banner = h("div", { role: "status" });
	/** Whom the page shows, and their notes. */
	#shown;
	#notes;
	#failed = false;

	constructor() {
		super();
		// Shown once it is dressed; where its stylesheet is lost, undressed.
		const onload = () => { this.#root.hidden = false; };
		const style = h("link", { rel: "stylesheet", href: new URL("customer-profile.css", import.meta.url), onload, onerror: onload });
		this.attachShadow({ mode: "open" }).append(style, this.#root, this.#say);
	}

	set lookup(identifier) {
		this.#lookup = identifier;
		this.refresh();
	}

	connectedCallback() {
		this.#gone = new AbortController();
		const { signal } = this.#gone;
		for (const change of ["online", "offline"]) addEventListener(change, () => this.#connection(), { signal });
		// A tip goes by Escape, without moving pointer or focus.
		this.#root.addEventListener("keydown", ({ key }) => this.#root.classList.toggle("no-tips", key === "Escape"), { signal });
		this.#root.addEventListener("pointerover", () => this.#root.classList.remove("no-tips"), { signal });
		this.refresh();
	}

	disconnectedCallback() {
		this.#gone.abort();
		this.#asked.abort();
	}

	attributeChangedCallback(name, _, value) {
		if (name === "lookup") this.#lookup = value && JSON.parse(value);
		this.refresh();
	}

	/** Reads the profile again. What is asked for in one go makes one request. */
	refresh() {
		this.#asked.abort();
		const { signal } = (this.#asked = new AbortController());
		queueMicrotask(() => !signal.aborted && this.isConnected && this.#load(signal));
	}

	async #load(signal) {
		const profile = this.getAttribute("profile");
		const wanted = profile ?? (this.#lookup && JSON.stringify(this.#lookup));
		if (!wanted) return this.#root.replaceChildren(empty("person", "No customer yet", "Look one up to see their profile."));
		const again = wanted === this.#shown;
		this.format = new Format(this.closest("[lang]")?.lang || navigator.language);
		this.#root.ariaBusy = "true";
		if (!again) {
			this.#shown = undefined;
			this.#root.replaceChildren(h("header.card.head", h("span.avatar"), skeleton(2)),
				h("div.body", h("section.card.notes", skeleton(4)), h("section.card", skeleton(12))));
		}
		const sent = profile ? request(this, "GET", `/profiles/${encodeURIComponent(profile)}`, { signal }) : request(this, "POST", "/profiles/lookup", { body: this.#lookup, signal });
		const [document, failure] = await sent;
		if (signal.aborted) return;
		this.#root.ariaBusy = "false";
		this.#failed = failure?.status === 0;
		if (document) {
			this.#show(document, again ? this.#notes.composer.value : "");
			this.#shown = wanted;
			this.#tell("profile-loaded", { id: document.id });
		} else {
			const box = failureBox(failure, () => this.refresh());
			if (again) this.#banner.replaceChildren(box);
			else this.#root.replaceChildren(h("section.card", box));
			this.#tell("profile-failed", { status: failure.status });
		}
	}

	#tell(type, detail) {
		this.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail }));
	}

	#connection() {
		if (navigator.onLine && this.#failed) this.refresh();
		refill(this.#banner, !navigator.onLine && h("p.banner", icon("alert"), "You are offline. What is here stays; what you write can't be saved yet."));
	}

	#show(document, draft) {
		const { format } = this;
		const view = { format, say: (text) => { this.#say.textContent = text; }, send: async (method, path, options) => {
			const [answer, failure] = await request(this, method, `/profiles/${document.id}${path}`, options);
			if (failure) this.#tell("profile-failed", { status: failure.status });
			return [answer, failure];
		} };
		this.#notes = notesSection(view, document.notes, draft);
		const panels = { summary: summaryPanel(document, format, () => open("history", true)), attributes: attributesPanel(document.attributes, format),
			history: historyPanel(view, document.history, document.summary.channels) };
		const tabs = TABS.map((name, at) => h("button", { role: "tab", id: name, "aria-controls": "panel", onclick: () => open(name), onkeydown: (event) => {
			const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] * (this.matches(":dir(rtl)") ? -1 : 1);
			const to = { Home: 0, End: TABS.length - 1 }[event.key] ?? (at + step + TABS.length) % TABS.length;
			if (Number.isNaN(to)) return;
			event.preventDefault();
			open(TABS[to], true);
		} }, words(name)));
		const panel = h("div.panel", { role: "tabpanel", id: "panel", tabindex: 0 });
		const open = (name, focus) => {
			for (const tab of tabs) {
				tab.ariaSelected = String(tab.id === name);
				tab.tabIndex = tab.id === name ? 0 : -1;
				if (focus && tab.id === name) tab.focus();
			}
			panel.setAttribute("aria-labelledby", name);
			panel.replaceChildren(panels[name]);
		};
		refill(this.#root, this.#banner, document.partial && h("p.banner", icon("alert"), "There is more of this customer than one page reads: figures may be incomplete."), this.#head(document),
			h("div.body", this.#notes.element, h("div.main", h("div.tabs", { role: "tablist", "aria-label": "Profile" }, tabs), panel)));
		open("summary");
		this.#connection();
	}

	#head({ name, identities, summary }) {
		const { format } = this;
		const title = name ?? identities[0]?.value ?? "Unknown customer";
		const initials = isHidden(title) ? "" : title.split(/[\s.@]+/).slice(0, 2).map((part) => [...part][0]).join("").toUpperCase();
		const money = (amounts) => (amounts.length ? amounts.map((amount) => h("span", format.money(amount))) : "–");
		const day = (at) => (at ? format.time(at, format.day) : "–");
		const identifier = ({ type, value, system_name: system, shared }) => h("li", fine(words(type ?? "identifier"), system && [" · ", said(system)]), value ? shown(value) : fine("unknown"),
			shared && h("span.pill.bad", { title: "Linked to too many customers to tell them apart" }, "Shared"));
		return h("header.card.head", h("span.avatar", { "aria-hidden": "true" }, initials || icon("person")),
			h("div.who", h("h2", shown(title), h(`span.pill${summary.orders ? ".good" : ".accent"}`, words(summary.relationship))),
				h("ul.identifiers", { "aria-label": "Identifiers" }, identities.map(identifier))),
			h("dl.figures", figure("Total spend", money(summary.total_spend)), figure("Average order", money(summary.average_order_value)),
				figure("First order", day(summary.first_order_at)), figure("Last order", day(summary.last_order_at))));
	}
}

customElements.define("customer-profile", CustomerProfile);
