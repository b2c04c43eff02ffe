/**
 * The element `<customer-profile>`: one customer, for a support agent. It stores nothing in the browser and writes all data
 * as text, never as markup.
 */

const PAGE = 50;
const MAX_NOTE = 10_000;
const MAX_HTML = 200_000;
const GONE = "Another agent deleted this note.";

const KINDS = {
	Purchases: ["purchase"],
	Returns: ["return"],
	Messages: ["message"],
	Emails: ["email_send", "email_open", "email_click", "email_bounce", "email_subscribe"],
	Texts: ["sms_send", "sms_click", "sms_subscribe"],
	Other: ["event"],
};

/** SVG paths of 24 × 24 units. */
const ICONS = {
	purchase: "M6 8h12l1 12H5L6 8Zm3 0a3 3 0 016 0",
	return: "M9 14 4 9l5-5M4 9h10a6 6 0 010 12h-3",
	email: "M3 6h18v12H3zM3 7l9 6 9-6",
	sms: "M7 3h10v18H7zM11 18h2",
	message: "M4 5h16v11H9l-5 4V5Z",
	event: "M6 21V4h12l-3 4 3 4H6",
	pin: "M9 4h6l-1 6 3 3H7l3-3-1-6Zm3 9v7",
	edit: "m4 20 1-4L16 5l3 3L8 19l-4 1Z",
	delete: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
	lock: "M6 11h12v9H6zM8 11V8a4 4 0 018 0v3",
	alert: "M12 4 2.5 20h19L12 4Zm0 6v4m0 3v.01",
	image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.01",
	person: "M12 12a4 4 0 100-8 4 4 0 0 0 0 8ZM4 21a8 8 0 0116 0",
	search: "M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20",
};

const UNSPOKEN = {"aria-hidden": "true"};
const isHidden = value => value?.redacted === true;

/**
 * Creates an element: `h("p.note", {lang: "en"}, "text", node)`. Attributes are optional; `on…` adds a listener. Empty parts
 * are skipped. A value that the API hides, `{"redacted": true}`, is shown as "Hidden".
 */
function h(name, ...parts) {
	const attributes = parts[0]?.constructor === Object && !isHidden(parts[0]) ? parts.shift() : {};
	const [tag, ...classes] = name.split(".");
	const node = document.createElement(tag);
	if (tag === "button") node.type = "button";
	if (classes.length) node.className = classes.join(" ");
	for (const [key, value] of Object.entries(attributes)) {
		if ((value ?? false) === false) continue;
		if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
		else if (key === "value") node.value = value;
		else node.setAttribute(key, value === true ? "" : value);
	}
	node.append(...parts.flat(3).filter(Boolean).map(part => (isHidden(part) ? hidden() : part)));
	return node;
}

function svg(name, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
	node.append(...children);
	return node;
}

const icon = name => svg("svg", {viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true"}, svg("path", {d: ICONS[name]}));
const fine = (...parts) => h("span.fine", ...parts);
const button = (style, text, onclick, more) => h(`button.${style}`, {onclick, ...more}, text);
const figure = (label, ...value) => h("div", h("dt", label), h("dd", ...value));
const pill = text => text && h("span.pill", words(text));
const card = (title, ...parts) => h("section.card", h("h3", title), ...parts);

/** Text from a person or a file. Its direction may differ from the page's. */
const said = (text, name = "span") => h(name, {dir: "auto"}, text);

const written = value => said(typeof value === "string" || isHidden(value) ? value : JSON.stringify(value));

/** `first_name` as `First name`. Hidden and absent values stay as they are. */
const words = name => {
	const text = name?.replaceAll?.("_", " ");
	return /^(vip|sms)$/.test(text) ? text.toUpperCase() : text ? text[0].toUpperCase() + text.slice(1) : name;
};

const hidden = () => h("span.hidden", {title: "Personal data. Your access does not include it."}, icon("lock"), "Hidden");

/** The first field of an object that is set and not hidden, or else a hidden one. */
const pick = (object, ...names) => {
	const values = isHidden(object) ? [object] : names.map(name => object?.[name]).filter(Boolean);
	return values.find(value => !isHidden(value)) ?? values[0];
};

/** A list that may be absent or hidden as a whole. */
const listed = value => (Array.isArray(value) ? value : []);

const joined = (parts, separator = " · ") => parts.filter(Boolean).flatMap((part, at) => [at > 0 && separator, said(part)]);

/** The address of a link or picture: http or https, without user name and password. */
function webAddress(text) {
	const url = URL.canParse(text) && new URL(text);
	if (!url || !/^https?:$/.test(url.protocol)) return undefined;
	url.username = url.password = "";
	return url.href;
}

function link(text, address) {
	const href = webAddress(address);
	return href ? h("a", {href, target: "_blank", rel: "noreferrer", referrerpolicy: "no-referrer", dir: "auto"}, text === address && text.includes("@") ? href : text) : said(text);
}

/** The exact sum of an order's prices as a decimal string, `1998e-2`; `undefined` if a price is not known. */
function sum(lines) {
	const parts = listed(lines).map(line => String(line.price_paid).split("."));
	const places = Math.max(...parts.map(([, part = ""]) => part.length));
	if (!parts.length || parts.some(part => !/^-?\d+$/.test(part.join("")))) return undefined;
	return `${parts.reduce((total, [whole, part = ""]) => total + BigInt(whole + part.padEnd(places, "0")), 0n)}e-${places}`;
}

/**
 * The text of an email's HTML. It uses patterns, since the page's policy forbids DOMParser. A pattern that has
 * matched a start also accepts the end of the text, so nothing is searched twice and the time is linear.
 */
export function plain(html) {
	const named = {amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " "};
	const character = (whole, name, number, hex) => {
		const code = number ?? parseInt(hex, 16);
		return named[name] ?? (code <= 0x10ffff ? String.fromCodePoint(code) : whole);
	};
	const isCut = html.length > MAX_HTML;
	return html.slice(0, MAX_HTML)
		.replace(/<(?:(style|script|title)\b[^]*?(?:<\/\1\s*>|$)|!(?=--)[^]*?(?:-->|$))/gi, "")
		.replace(/<(?:(br|\/(?:p|div|tr|h\d|li))\b|\/?[a-z!])[^>]*(>|$)/gi, (tag, line, end) => (end ? line && "\n" : !isCut && tag) || "")
		.replace(/&(?:(\w{2,4})|#(\d{1,7})|#x([\da-f]{1,6}));/gi, character)
		.replace(/\n{3,}/g, "\n\n").trim().toWellFormed() + (isCut ? "…" : "");
}

class Format {
	constructor(locale) {
		const date = options => {
			const format = new Intl.DateTimeFormat(locale, options);
			return at => format.format(new Date(at));
		};
		this.day = date({dateStyle: "medium"});
		this.moment = date({dateStyle: "medium", timeStyle: "short"});
		this.month = date({month: "long", year: "numeric"});
		// A date without a time is the same day in every time zone.
		this.date = date({dateStyle: "medium", timeZone: "UTC"});
		this.monthOnly = date({month: "short", year: "numeric", timeZone: "UTC"});
		const relative = new Intl.RelativeTimeFormat(locale, {numeric: "auto"});
		const number = options => new Intl.NumberFormat(locale, options).format;
		this.number = number({maximumFractionDigits: 6});
		this.percent = number({style: "percent", maximumFractionDigits: 1});
		this.money = ({currency, amount}) => number({style: currency ? "currency" : "decimal", currency})(amount);
		this.ago = at => {
			const days = Math.round((new Date(at) - Date.now()) / 86_400_000);
			const [unit, length] = days > -45 ? ["day", 1] : days > -700 ? ["month", 30.4] : ["year", 365];
			return relative.format(Math.round(days / length), unit);
		};
	}

	time(at, format = this.moment) {
		return h("time", {datetime: at, title: format !== this.moment && this.moment(at)}, format(at));
	}
}

/**
 * Sends a request with the element's token, again if the API is throttled. Returns `[response]` or `[undefined, failure]`: the
 * API's problem document, or status 0 if there was no response.
 */
async function request(element, method, path, {body, headers, signal} = {}) {
	const base = (element.getAttribute("api") ?? "").replace(/\/+$/, "");
	const json = body && JSON.stringify(body);
	const isFunction = typeof element.token === "function";
	try {
		for (let attempt = 0, expired = false; ; attempt++) {
			const token = isFunction ? await element.token({expired}) : element.token;
			const response = await fetch(base + path, {
				method, signal, body: json, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer",
				headers: {...headers, ...(json && {"content-type": "application/json"}), ...(token && {authorization: `Bearer ${token}`})},
			});
			if (response.ok) return [response.status === 204 ? undefined : await response.json()];
			if (response.status === 401 && !expired && isFunction) {
				expired = true;
			} else if ([429, 503].includes(response.status) && attempt < 2) {
				const seconds = Number(response.headers.get("retry-after")) || 2 ** attempt;
				await new Promise(resolve => setTimeout(resolve, Math.min(seconds, 10) * 1000));
			} else {
				return [undefined, {...await response.json().catch(() => undefined), status: response.status}];
			}
		}
	} catch {
		return [undefined, {status: 0}];
	}
}

function failureBox({status, title = `Status ${status}`, detail, request_id: id}, retry) {
	const known = {
		0: ["Not connected", "Your text is kept. Try again when you are online."],
		401: ["Your session has expired", "Sign in, then try again."],
		403: ["You lack a permission", detail], 404: ["Not found", detail],
		429: ["Too many requests", "Try again in a minute."],
	};
	const [heading, text] = known[status] ?? (status < 500 ? [title, detail] : ["The service has a problem", "Try again in a minute. If it fails again, report the request ID."]);
	return h("div.failure", {role: "alert"}, icon(status === 403 ? "lock" : "alert"),
		h("div", h("strong", heading), h("p", text), id && h("p.fine", `Request ID ${id}`)), retry && button("quiet", "Try again", retry));
}

const skeleton = lines => h("div.skeleton", UNSPOKEN, Array.from({length: lines}, () => h("span")));
const empty = (sign, title, text) => h("div.empty", icon(sign), h("strong", title), h("p", text));
const keyed = (container, key) => container.querySelector(`[data-key="${CSS.escape(key)}"]`);

/** Replaces the children and keeps the focus on the one with the same key. Children that stay are not moved: a click on them continues. */
function refill(container, ...children) {
	const focused = container.getRootNode().activeElement;
	const key = container.contains(focused) && focused.dataset.key;
	const wanted = children.flat().filter(Boolean);
	for (const child of [...container.childNodes]) if (!wanted.includes(child)) child.remove();
	for (const [at, child] of wanted.entries()) if (container.childNodes[at] !== child) container.insertBefore(child, container.childNodes[at] ?? null);
	if (key) keyed(container, key)?.focus();
}

/**
 * The notes. A change is shown immediately and undone if the API refuses it; its text is never lost. An entry is
 * `{note, key?, mode: "read"|"edit"|"delete", draft, busy, gone, failure, hint, drawn}`; one with a `key` is not saved yet.
 */
function notesSection({format, send, say}, {items, next}, draft) {
	let pageFailure;
	const entries = items.map(note => ({note, mode: "read"}));
	const list = h("ul.notes-list");
	const more = h("div");
	const count = h("span.count");
	const title = h("h3", {id: "notes", tabindex: -1}, "Notes", count);
	const area = (label, save, more, cancel) => h("textarea", { rows: 3, maxlength: MAX_NOTE, dir: "auto", "aria-label": label, ...more, onkeydown: ({key, ctrlKey, metaKey}) => {
		if (key === "Enter" && (ctrlKey || metaKey)) save();
		if (key === "Escape") cancel?.();
	} });

	function render() {
		const order = (a, b) => b.note.pinned - a.note.pinned || Date.parse(b.note.created_at) - Date.parse(a.note.created_at);
		const there = entries.filter(({gone}) => !gone).sort(order);
		count.textContent = there.length ? `${there.length}${next ? "+" : ""}` : "";
		refill(list, there.length ? there.map(entry => entry.drawn ??= draw(entry)) : h("li", empty("edit", "No notes yet", "Every support agent sees the notes.")));
		refill(more, pageFailure ? failureBox(pageFailure, older) : next && button("quiet", "Older notes", older, {"data-key": "older"}));
	}

	function draw(entry) {
		const {note, mode, busy, failure, hint} = entry;
		const to = mode => () => set(entry, {mode, draft: isHidden(note.text) ? "" : note.text, failure: undefined, hint: undefined});
		const tool = (sign, label, onclick) => button("tool", icon(sign), onclick, { title: label, "data-key": sign + note.id,
			"aria-label": `${label} note${isHidden(note.text) ? "" : `: ${note.text.slice(0, 40)}`}` });
		return h(`li.note${note.pinned ? ".pinned" : ""}`, {"aria-busy": busy && "true"},
			h("div.note-head", note.pinned && h("span.pill", icon("pin"), "Pinned"),
				fine(said(note.author), " · ", format.time(note.created_at, format.day), note.updated_at !== note.created_at && " · edited"),
				busy ? h("span.fine.tools", "Saving…") : mode === "read" && !entry.key && h("span.tools",
					tool("pin", note.pinned ? "Unpin" : "Pin", () => change(entry, {pinned: !note.pinned})), tool("edit", "Edit", to("edit")), tool("delete", "Delete", to("delete")))),
			h("div.text", said(note.text, "p")),
			mode === "edit" && h("div.composer", area("Note text", () => save(entry), { "data-key": `edit${note.id}`, value: entry.draft,
				oninput: event => { entry.draft = event.target.value; } }, to("read")),
			h("div.row", button("quiet", "Cancel", to("read")), button("primary", "Save", () => save(entry)))),
			mode === "delete" && h("div.row", h("span.ask", "Delete this note for everyone?"),
				button("quiet", "Keep", to("read"), {"data-key": `delete${note.id}`}), button("danger", "Delete", () => remove(entry))),
			hint && h("p.hint", {role: "alert"}, hint),
			failure && [failureBox(failure, entry.key && (() => post(entry))), entry.key && button("quiet", "Discard", () => set(entry, {gone: true}))]);
	}

	function set(entry, change) {
		const before = entry.mode;
		Object.assign(entry, change, {drawn: undefined});
		render();
		if (before !== entry.mode) keyed(list, (entry.mode === "read" ? before : entry.mode) + entry.note.id)?.focus();
	}

	function add() {
		const text = composer.value;
		if (!text.trim()) return;
		// With the same key, a repeated request does not add a second note.
		const key = crypto.getRandomValues(new BigUint64Array(2)).join("-");
		const now = new Date().toISOString();
		const entry = {key, mode: "read", note: {id: key, text, pinned: false, author: "You", created_at: now, updated_at: now}};
		entries.push(entry);
		composer.value = "";
		composed();
		composer.focus();
		post(entry);
	}

	function post(entry) {
		const sent = send("POST", "/notes", {body: {text: entry.note.text}, headers: {"idempotency-key": entry.key}});
		follow(entry, "Note added", sent);
	}

	function save(entry) {
		const text = entry.draft;
		if (!text.trim()) set(entry, {hint: "The note is empty. Enter text, or delete the note."});
		else if (text === entry.note.text) set(entry, {mode: "read", hint: undefined, failure: undefined});
		else change(entry, {text});
	}

	function change(entry, patch) {
		const before = entry.note;
		set(entry, {note: {...before, ...patch}, mode: "read"});
		const sent = send("PATCH", `/notes/${before.id}`, {body: patch, headers: {"if-match": before.etag}});
		follow(entry, "Note saved", sent, {note: before, ...(patch.text && {mode: "edit", draft: patch.text})});
	}

	function remove(entry) {
		set(entry, {gone: true, mode: "read"});
		title.focus();
		const sent = send("DELETE", `/notes/${entry.note.id}`, {headers: {"if-match": entry.note.etag}});
		follow(entry, "Note deleted", sent, {gone: false});
	}

	/** Waits for a request, then takes the note from the response, or applies `undone`. */
	async function follow(entry, words, sent, undone = {}) {
		set(entry, {busy: true, failure: undefined, hint: undefined});
		const [note, failure] = await sent;
		if (!failure) say(words);
		const after = !failure ? note && {note, key: undefined} : failure.status === 404 && !entry.key ? {hint: GONE}
			: [409, 412].includes(failure.status) ? await conflict(entry, undone.mode) : {failure};
		set(entry, {busy: false, ...(failure && undone), ...after});
	}

	/** Reads a note that another agent has changed. */
	async function conflict({note: {id}}, mode) {
		const [page] = await send("GET", "/notes?limit=100");
		const note = page?.items.find(note => note.id === id);
		if (page && !note && !page.next) return {hint: GONE};
		return {hint: `Another agent changed this note. The new text is above.${mode ? " Save yours to replace it, or cancel." : ""}`, ...(note && {note})};
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

	const submit = button("primary", "Add note", add);
	const composed = () => { submit.disabled = !composer.value.trim(); };
	const composer = area("New note", add, {placeholder: "Add a note for other support agents", value: draft, oninput: composed});
	composed();
	render();
	const element = h("section.card.notes", {"aria-labelledby": "notes"}, title, list, more, h("div.composer", composer, h("div.row", submit)));
	return {element, composer};
}

/** The API's title of an event. An amount in it is written in the page's language. */
function titleOf({type, title, [type]: {currency, products}}, format) {
	const amount = sum(products)?.replace(type === "return" && "-", "");
	return amount ? title.replace(/ for \S+ \w+/, () => ` for ${format.money({currency, amount})}`) : title;
}

/** Spend by month for up to two years: a chart, and a table for screen readers. */
function chart(months, format) {
	const {currency, month: last} = months.at(-1);
	const known = Object.fromEntries(months.filter(month => month.currency === currency).map(({month, amount}) => [month, amount]));
	const rows = [];
	for (let back = 0; back < 24 && (back < 12 || rows[0].month > months[0].month); back++) {
		const date = new Date(`${last}-01T00:00Z`);
		date.setUTCMonth(date.getUTCMonth() - back);
		const month = date.toISOString().slice(0, 7);
		const amount = known[month] ?? "0";
		rows.unshift({month, value: Number(amount), label: format.monthOnly(`${month}-01`), money: format.money({currency, amount})});
	}
	const values = rows.map(({value}) => value);
	const top = Math.max(...values, 0);
	const height = top - Math.min(...values, 0) || 1;
	const bars = rows.map(({value, label, money}, x) => svg("g", {}, svg("title", {}, `${label}: ${money}`), svg("rect", {class: "column", x, y: -top, width: 1, height}),
		svg("rect", {class: value < 0 ? "bar down" : "bar", x: x + 0.16, y: Math.min(-value, 0), width: 0.68, height: Math.abs(value)})));
	return h("figure.chart", h("figcaption.fine", `Highest month: ${format.money({currency, amount: top})}`),
		svg("svg", {viewBox: `0 ${-top} ${rows.length} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Spend by month, ${rows[0].label} to ${rows.at(-1).label}`},
			...bars, svg("line", {x2: rows.length, "vector-effect": "non-scaling-stroke"})),
		h("div.axis.fine", UNSPOKEN, [0, rows.length >> 1, rows.length - 1].map(at => h("span", rows[at].label))),
		h("details", h("summary", "As a table"), h("table", h("thead", h("tr", h("th", {scope: "col"}, "Month"), h("th", {scope: "col"}, "Spend"))),
			h("tbody", rows.toReversed().map(({label, money}) => h("tr", h("th", {scope: "row"}, label), h("td", money)))))));
}

function engagement(sign, figures, format) {
	const {status, sent, opened, clicked, bounced} = figures;
	const bar = (label, count, rate) => h("div.rate", h("dt", label), h("dd", format.number(count), rate !== undefined && fine(` ${format.percent(rate)}`)),
		rate !== undefined && h("progress", {value: rate, "aria-hidden": "true"}));
	const last = (label, at) => at && h("span", `Last ${label} `, format.time(at, format.ago));
	return card([icon(sign), words(sign), status && h(`span.pill.${status}`, words(status))], sent + opened + clicked + bounced === 0 ? h("p.fine", "Nothing sent")
		: h("dl.rates", bar("Sent", sent), sign === "email" && bar("Opened", opened, figures.open_rate ?? 0), bar("Clicked", clicked, figures.click_rate ?? 0), bounced > 0 && bar("Bounced", bounced)),
	h("p.fine.lasts", last("sent", figures.last_sent_at), last("opened", figures.last_opened_at), last("click", figures.last_clicked_at),
		figures.lists.map(list => pick(list, "name", "id") && h("span", said(pick(list, "name", "id")), " ", words(list.status)))));
}

function summaryPanel({summary, history}, format, openHistory) {
	const latest = history.items.slice(0, 6);
	return h("div.grid",
		card("Segments", h("div.chips", summary.segments.map(name => h(`span.chip${name === "vip" ? ".accent" : ""}`, words(name)))),
			!summary.segments.length && h("p.fine", "No segments"),
			h("dl.figures", ["orders", "items", "returns"].map(name => figure(words(name), format.number(summary[name]))),
				figure("Last activity", summary.last_event_at ? format.time(summary.last_event_at, format.ago) : "–"), figure("Channels", summary.channels.length ? joined(summary.channels.map(words), ", ") : "–"))),
		card("Spend over time", summary.spend_by_month.length ? chart(summary.spend_by_month, format) : empty("purchase", "No orders yet", "The chart starts with the first order.")),
		h("div.pair", ["email", "sms"].map(sign => engagement(sign, summary[sign], format))),
		card(["Latest", latest.length > 0 && button("link", "All history", openHistory)], latest.length ? h("ol.timeline", latest.map(item =>
			h("li", icon(item.type.split("_")[0]), said(titleOf(item, format)), format.time(item.at, format.ago)))) : nothing()));
}

const nothing = () => empty("message", "No events yet", "Orders, messages and emails appear here.");

/** Attributes by category, with a search; a tip names the source. */
function attributesPanel({attributes: categories, attributes_redacted: left}, format) {
	const list = h("div.grid");
	const more = h("p.fine");
	const show = (value, type) => {
		if (value == null) return fine("None");
		if (typeof value === "boolean") return h(`span.flag${value ? ".yes" : ""}`, value ? "Yes" : "No");
		if (typeof value === "number") return said(format.number(value));
		if (type === "date" && value.length) return format.time(value, value.length === 10 ? format.date : format.moment);
		return written(value);
	};
	const row = ({name, value, type, source, as_of, confidence}) => {
		const from = [`From ${source}`, as_of && format.moment(as_of), confidence !== undefined && `confidence ${confidence} of 2`].filter(Boolean).join(", ");
		return figure(said(words(name)), show(value, type),
			h("button.tip", {"aria-label": `${words(name)}: ${from}`}, said(source), h("span.bubble", UNSPOKEN, from)));
	};
	const render = () => {
		const wanted = search.value.trim().toLocaleLowerCase();
		const cards = Object.entries(categories).flatMap(([category, attributes]) => {
			const fitting = listed(attributes).filter(({name, value}) =>
				`${words(category)} ${words(name)} ${isHidden(value) ? "" : JSON.stringify(value)}`.toLocaleLowerCase().includes(wanted));
			return fitting.length ? card([words(category), h("span.count", fitting.length)], h("dl.attributes", fitting.map(row))) : [];
		});
		refill(list, cards.length ? cards : wanted ? empty("search", "No attributes match", "Search for part of a name or value.")
			: !left && empty("person", "No attributes yet", "Attributes from files appear here."));
		const [verb, them] = left === 1 ? [" is", "it"] : ["s are", "them"];
		more.textContent = left ? `${format.number(left)} ${cards.length ? "more " : ""}attribute${verb} hidden. Your access does not include ${them}.` : "";
	};
	const search = h("input", {type: "search", placeholder: "Search attributes", "aria-label": "Search attributes", oninput: render});
	render();
	return h("div", h("label.search", icon("search"), search), list, more);
}

/**
 * The history, newest first; scrolling loads more pages. The messages of a conversation and the events of an email are
 * grouped, at the place of the newest.
 */
function historyPanel({format, send}, firstPage, channels) {
	let filtered, turn, busy, failure, next, events, groups, month, cards, run;
	const list = h("div.months");
	const foot = h("div.foot");
	const count = h("p.fine", {role: "status"});
	const field = (label, control) => h("label.field", h("span", label), control);
	const kinds = Object.keys(KINDS).map(kind => h("button.chip", { "aria-pressed": "false", onclick: ({currentTarget: chip}) => {
		chip.ariaPressed = String(chip.ariaPressed !== "true");
		onchange();
	} }, kind));
	const channel = h("select", {onchange}, h("option", {value: ""}, "All"), channels.map(channel => !isHidden(channel) && h("option", {value: channel}, words(channel))));
	const from = h("input", {type: "date", onchange});
	const to = h("input", {type: "date", onchange});
	const clear = button("quiet", "Clear", () => {
		for (const chip of kinds) chip.ariaPressed = "false";
		channel.value = from.value = to.value = "";
		onchange();
	});
	const watch = new IntersectionObserver(([seen]) => seen.isIntersecting && more(), {rootMargin: "600px"});

	/** The query string. Days are in the reader's time zone; the last day is included. */
	function query() {
		const query = new URLSearchParams({limit: PAGE});
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
		// Responses to earlier requests no longer count.
		turn = {};
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
		refill(foot, failure ? failureBox(failure, more) : busy ? skeleton(4) : !last ? button("quiet", "More", more, {"data-key": "more"})
			: events ? h("p.fine", "End of history") : filtered ? empty("search", "No events match", "Clear the filters to see all events.") : nothing());
		// If the foot is still visible, observing it again loads another page.
		if (!busy && !failure && !last) watch.observe(foot);
	}

	function take(page) {
		const changed = new Set();
		for (const item of page.items) {
			const {type, channel, account, [type]: data} = item;
			const [kind] = type.split("_");
			const isMail = kind === "email" || kind === "sms";
			// Hidden ids say nothing: without an id, an email is shown alone and a conversation by day.
			const found = pick(data, "email_id", "sms_id", "conversation_id");
			const id = !isHidden(found) && found;
			const key = type === "message" ? `${type} ${channel} ${account?.id} ${id || item.at.slice(0, 10)}`
				: isMail && id && !type.endsWith("subscribe") ? `${kind} ${id}` : item.id;
			let group = groups.get(key);
			if (!group) {
				group = {items: [], draw: isMail ? mail : type === "message" ? conversation : single, node: h("li")};
				groups.set(key, group);
				place(group.node, item, isMail);
			}
			group.items.push(item);
			changed.add(group);
		}
		for (const {node, draw, items} of changed) refill(node, draw(items));
		events += page.items.length;
		next = page.next;
	}

	/** Adds a card to its month. Successive emails and texts share one. */
	function place(node, {at}, isMail) {
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

	/** An order, a return or a general event. */
	function single([{id, at, type, title, channel, [type]: data}]) {
		const money = amount => format.money({currency: data.currency, amount});
		const {products, properties, image} = data;
		const total = sum(products);
		const about = [format.time(at), words(channel), pick(data.store, "name"), ...listed(data.payment_types).map(payment => words(pick(payment, "name")))];
		const facts = isHidden(properties) ? properties : Object.entries(properties ?? {}).map(([name, value]) => h("span", said(words(name)), " ", written(value)));
		return [h("div.card-head", {"data-event": id}, icon(type), h("div", h("strong", type === "event" ? link(words(title), data.url) : [type === "return" ? "Return " : "Order ", said(pick(data, "order_number", "purchase_id", "return_id"))]),
			h("p.fine", joined(about))), pill(data.status), total && h("strong.amount", money(total)), image && picture(image)),
		h("ul.lines", listed(products).map(({product, product_reference: reference, size, color, quantity, price_paid, full_price, discount}) => h("li", picture(product?.image),
			h("div", link(pick(product, "name") ?? ["Product ", pick(reference, "id") ?? "unknown"], product?.url),
				h("p.fine", joined([product?.brand, size, color, `Quantity ${format.number(Math.abs(quantity))}`]))),
			h("span.amount", money(price_paid), full_price && discount > 0 && h("s.fine", h("span.sr", "instead of "), money(full_price)))))),
		h("p.fine.lasts", facts, listed(data.adjustments).map(({reason, price_adjustment: amount}) => h("span", said(words(reason ?? "adjustment")), ` ${money(amount)}`))),
		...listed(data.fulfillments).map(({status, carrier, tracking_number: parcel = "Tracking", tracking_url: url, shipped_at, delivered_at: at = shipped_at}) =>
			h("p.fine", joined([words(status), carrier, link(parcel, url), at && format.time(at)])))];
	}

	function picture(address) {
		const lost = () => h("span.picture", icon("image"));
		const src = webAddress(address);
		const image = src && h("img.picture", {alt: "", loading: "lazy", referrerpolicy: "no-referrer", width: 56, height: 56, onerror: () => image.replaceWith(lost()), src});
		return image ?? lost();
	}

	function conversation(items) {
		const [{channel, account, message}] = items;
		const other = pick(account, "name", "id");
		const bubble = item => {
			const {author, attachments} = item.message;
			const out = item.direction === "outbound";
			return h(`li.${out ? "out" : "in"}`, {"data-event": item.id},
				fine(said(pick(author, "name", "handle") ?? (out ? "Agent" : "Customer")), h("span.sr", out ? " to the customer" : " from the customer"), " · ", format.time(item.at)),
				h("div.say", body(item), [attachments ?? []].flat().map(file => h("p", link(pick(file, "name", "type") ?? "Attachment", file.url)))));
		};
		return [h("div.card-head", icon("message"), h("div", h("strong", words(channel ?? "message")), other && h("p.fine", "with ", said(other))),
			pill(message.state)), h("ol.bubbles", items.toReversed().map(bubble))];
	}

	function mail(items) {
		const [{type, title}] = items;
		const isEmail = type.startsWith("email");
		const sent = items.find(item => item.type.endsWith("_send"));
		const {subject, body: text} = sent?.[sent.type] ?? {};
		const list = items.map(item => pick(item[item.type].list, "name")).find(Boolean);
		const step = ({id, at, type, [type]: {status, clicked_link: clicked}}) => {
			const [, what] = type.split("_");
			return h("li", {"data-event": id}, h(`span.pill.${what}`, {send: "Sent", open: "Opened", click: "Clicked", bounce: "Bounced"}[what] ?? words(status)), " ", clicked && [link(pick(clicked, "name", "url") ?? "link", clicked.url), " "], format.time(at));
		};
		return [icon(isEmail ? "email" : "sms"), h("div", h("strong", said(subject ?? title)), list && fine(said(list)), h("ol.steps.fine", items.toReversed().map(step)),
			text && (isEmail && !isHidden(text) ? h("details", h("summary", "Show email"), body(sent, plain)) : body(sent)))];
	}

	/** An event's body. Of a large one the page has only the beginning; a button fetches the rest. */
	function body(item, read = String) {
		const {body, body_bytes: bytes} = item[item.type];
		const text = body => said(isHidden(body) ? body : read(body), "p.text");
		const place = body && h("div", text(body), bytes && !isHidden(body) && button("link", "Show full text", async () => {
			const [whole, failure] = await send("GET", `/history/${item.id}`);
			if (failure) place.append(failureBox(failure));
			else place.replaceChildren(text(whole[whole.type].body));
		}));
		return place;
	}

	reset();
	take(firstPage);
	render();
	return h("div", h("div.filters", {role: "group", "aria-label": "Filter the history"}, h("div.chips", kinds),
		field("Channel", channel), field("From", from), field("To", to), clear), count, list, foot);
}

/** The element. A failure never removes what is already shown. */
class CustomerProfile extends HTMLElement {
	static observedAttributes = ["api", "profile", "lookup"];

	/** The bearer token, or a function that returns it. No attribute and no address contains it. */
	token;
	#lookup;
	#asked = new AbortController();
	// Escape hides a tip without moving pointer or focus.
	#root = h("article.root", { "aria-label": "Customer profile", hidden: true, onkeydown: ({key}) => this.#root.classList.toggle("no-tips", key === "Escape"),
		onpointerover: () => this.#root.classList.remove("no-tips") });
	#say = h("p.sr", {role: "status"});
	#banner = h("div", {role: "status"});
	#shown;
	#notes;
	#failed = false;

	constructor() {
		super();
		// Shown when the stylesheet is loaded, or has failed to.
		const onload = () => { this.#root.hidden = false; };
		const style = h("link", {rel: "stylesheet", href: new URL("customer-profile.css", import.meta.url), onload, onerror: onload});
		this.attachShadow({mode: "open"}).append(style, this.#root, this.#say);
	}

	set lookup(identifier) {
		this.#lookup = identifier;
		this.refresh();
	}

	connectedCallback() {
		for (const change of ["online", "offline"]) addEventListener(change, this.#connection);
		this.refresh();
	}

	disconnectedCallback() {
		for (const change of ["online", "offline"]) removeEventListener(change, this.#connection);
		this.#asked.abort();
	}

	attributeChangedCallback(name, _, value) {
		if (name === "lookup") this.#lookup = value && JSON.parse(value);
		this.refresh();
	}

	/** Reads the profile again. Several calls in one task make one request. */
	refresh() {
		this.#asked.abort();
		const {signal} = (this.#asked = new AbortController());
		queueMicrotask(() => !signal.aborted && this.isConnected && this.#load(signal));
	}

	async #load(signal) {
		const profile = this.getAttribute("profile");
		const wanted = profile ?? (this.#lookup && JSON.stringify(this.#lookup));
		if (!wanted) return this.#root.replaceChildren(empty("person", "No customer selected", "Look up a customer to see the profile."));
		const again = wanted === this.#shown;
		this.format = new Format(this.closest("[lang]")?.lang || navigator.language);
		this.#root.ariaBusy = "true";
		if (!again) {
			this.#shown = undefined;
			this.#root.replaceChildren(h("header.card.head", h("span.avatar"), skeleton(2)),
				h("div.body", h("section.card.notes", skeleton(4)), h("section.card", skeleton(12))));
		}
		const [document, failure] = await (profile ? request(this, "GET", `/profiles/${encodeURIComponent(profile)}`, {signal})
			: request(this, "POST", "/profiles/lookup", {body: this.#lookup, signal}));
		if (signal.aborted) return;
		this.#root.ariaBusy = "false";
		this.#failed = failure?.status === 0;
		if (document) {
			this.#show(document, again ? this.#notes.composer.value : "");
			this.#shown = wanted;
			this.#tell("profile-loaded", {id: document.id});
		} else {
			const box = failureBox(failure, () => this.refresh());
			if (again) this.#banner.replaceChildren(box);
			else this.#root.replaceChildren(h("section.card", box));
			this.#tell("profile-failed", {status: failure.status});
		}
	}

	#tell(type, detail) {
		this.dispatchEvent(new CustomEvent(type, {bubbles: true, composed: true, detail}));
	}

	#connection = () => {
		if (navigator.onLine && this.#failed) this.refresh();
		refill(this.#banner, !navigator.onLine && h("p.banner", icon("alert"), "You are offline. You can read this profile, but changes are not saved."));
	};

	#show(document, draft) {
		const {format} = this;
		const view = { format, say: text => { this.#say.textContent = text; }, send: async (method, path, options) => {
			const [response, failure] = await request(this, method, `/profiles/${document.id}${path}`, options);
			if (failure) this.#tell("profile-failed", {status: failure.status});
			return [response, failure];
		} };
		this.#notes = notesSection(view, document.notes, draft);
		const panels = { summary: summaryPanel(document, format, () => open("history", true)), attributes: attributesPanel(document, format),
			history: historyPanel(view, document.history, document.summary.channels) };
		const names = Object.keys(panels);
		const tabs = names.map((name, at) => h("button", { role: "tab", id: name, "aria-controls": "panel", onclick: () => open(name), onkeydown: event => {
			const step = {ArrowRight: 1, ArrowLeft: -1}[event.key] * (this.matches(":dir(rtl)") ? -1 : 1);
			const to = {Home: 0, End: names.length - 1}[event.key] ?? (at + step + names.length) % names.length;
			if (Number.isNaN(to)) return;
			event.preventDefault();
			open(names[to], true);
		} }, words(name)));
		const panel = h("div.panel", {role: "tabpanel", id: "panel", tabindex: 0});
		const open = (name, focus) => {
			for (const tab of tabs) {
				tab.ariaSelected = String(tab.id === name);
				tab.tabIndex = tab.id === name ? 0 : -1;
				if (focus && tab.id === name) tab.focus();
			}
			panel.setAttribute("aria-labelledby", name);
			panel.replaceChildren(panels[name]);
		};
		refill(this.#root, this.#banner, document.partial && h("p.banner", icon("alert"), "This profile is incomplete because it is too large or links were left out. Figures may be wrong."), this.#head(document),
			h("div.body", this.#notes.element, h("div.main", h("div.tabs", {role: "tablist", "aria-label": "Profile"}, tabs), panel)));
		open("summary");
		this.#connection();
	}

	#head({name, identities, summary}) {
		const {format} = this;
		const title = name ?? identities[0]?.value ?? "Unknown customer";
		const initials = isHidden(title) ? "" : title.split(/[\s.@]+/).slice(0, 2).map(part => [...part][0]).join("").toUpperCase();
		const money = amounts => (amounts.length ? amounts.map(amount => h("span", format.money(amount))) : "–");
		const day = at => (at ? format.time(at, format.day) : "–");
		const identifier = ({type, value, system_name: system, shared}) => h("li", fine(words(type ?? "identifier"), system && [" · ", said(system)]), value ? said(value) : fine("unknown"),
			shared && h("span.pill.bad", { title: "Linked to too many customers; not followed" }, "Shared"));
		return h("header.card.head", h("span.avatar", UNSPOKEN, initials || icon("person")),
			h("div.who", h("h2", said(title), h(`span.pill${summary.orders ? ".good" : ".accent"}`, words(summary.relationship))),
				h("ul.identifiers", {"aria-label": "Identifiers"}, identities.map(identifier))),
			h("dl.figures", figure("Total spend", money(summary.total_spend)), figure("Average order", money(summary.average_order_value)),
				figure("First order", day(summary.first_order_at)), figure("Last order", day(summary.last_order_at))));
	}
}

customElements.define("customer-profile", CustomerProfile);
