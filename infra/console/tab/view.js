import {ExactNumber} from "./client.js";
import {Format} from "./format.js";
import {webAddress} from "./text.js";

const ICONS = {
	purchase: "M6 8h12l1 12H5L6 8Zm3 0a3 3 0 016 0",
	return: "M9 14 4 9l5-5M4 9h10a6 6 0 010 12h-3",
	email: "M3 6h18v12H3zM3 7l9 6 9-6",
	sms: "M7 3h10v18H7zM11 18h2",
	message: "M4 5h16v11H9l-5 4V5Z",
	event: "M6 21V4h12l-3 4 3 4H6",
	parcel: "M4 8l8-4 8 4v8l-8 4-8-4V8Zm0 0 8 4 8-4M12 12v8",
	pin: "M9 4h6l-1 6 3 3H7l3-3-1-6Zm3 9v7",
	edit: "m4 20 1-4L16 5l3 3L8 19l-4 1Z",
	delete: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
	lock: "M6 11h12v9H6zM8 11V8a4 4 0 018 0v3",
	alert: "M12 4 2.5 20h19L12 4Zm0 6v4m0 3v.01",
	image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9v.01",
	person: "M12 12a4 4 0 100-8 4 4 0 0 0 0 8ZM4 21a8 8 0 0116 0",
	search: "M10.5 17a6.5 6.5 0 100-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20",
};

export const UNSPOKEN = {"aria-hidden": "true"};
export const isHidden = value => value?.redacted === true;
const isText = value => typeof value === "string" && value !== "";
const isNumber = value => typeof value === "number" || value instanceof ExactNumber;

/** The first visible field, or else a hidden one. */
export const pick = (object, ...names) => {
	const values = isHidden(object) ? [object] : names.map(name => object?.[name]).filter(value => isText(value) || isNumber(value) || isHidden(value));
	return values.find(value => !isHidden(value)) ?? values[0];
};

export const listed = value => (Array.isArray(value) ? value.filter(part => part !== null && part !== undefined) : []);

export function svg(name, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
	node.append(...children);
	return node;
}

export const icon = name => svg("svg", {viewBox: "0 0 24 24", class: "icon", ...UNSPOKEN}, svg("path", {d: ICONS[name] ?? ICONS.event}));

export const keyed = (container, key) => container.querySelector(`[data-key="${CSS.escape(key)}"]`);

/** Replaces the children and keeps the focus. Those that stay are not moved: a click on them continues. */
export function refill(container, ...children) {
	const focused = container.getRootNode().activeElement;
	const key = container.contains(focused) && focused.dataset.key;
	const wanted = children.flat().filter(Boolean);
	for (const child of [...container.childNodes]) if (!wanted.includes(child)) child.remove();
	for (const [at, child] of wanted.entries()) if (container.childNodes[at] !== child) container.insertBefore(child, container.childNodes[at] ?? null);
	if (key) keyed(container, key)?.focus();
}

function capital(name) {
	const text = name.replaceAll("_", " ").replace("cancelled", "canceled").trim() || name;
	return (text[0].toUpperCase() + text.slice(1)).replace(/\b(id|md5|sha256|sms|vip)\b/gi, word => word.toUpperCase());
}

/** Creates the elements and texts of one tab. `report` gets the exceptions of sections. */
export function createView({locale, labels, zone, report}) {
	const dictionary = new Map(Object.entries(labels));
	const plural = new Intl.PluralRules(locale);
	const format = new Format(locale, zone);

	/** Translates a text: `t("Order {number}", {number})`, `t("{count} day", "{count} days", {count})`. Returns parts if a value is an element. */
	function t(english, other, values = other) {
		const plurals = dictionary.get(english) ?? (typeof other === "string" ? {one: english, other} : english);
		const text = typeof plurals === "string" ? plurals : plurals[plural.select(Number(values.count))] ?? plurals.other;
		const shown = {...values, ...(values?.count !== undefined && {count: format.number(values.count)})};
		const parts = text.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? shown[part] ?? "" : part));
		return parts.some(part => typeof part === "object") ? parts : parts.join("");
	}

	/** Whether the labels translate a name of the API. */
	const translates = name => dictionary.has(capital(name));

	/** A name of the API for display: `first_name` as `First name`. */
	function words(name) {
		if (!isText(name)) return isNumber(name) ? String(name) : isHidden(name) ? name : undefined;
		const english = capital(name);
		return dictionary.get(english) ?? english;
	}

	const hidden = () => h("span.hidden", {title: t("Personal data. Your access does not include it.")}, icon("lock"), t("Hidden"));

	/** Creates an element: `h("p.note", {lang: "en", onclick}, "text", node)`. Skips empty parts, and shows hidden values as such. */
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
		node.append(...parts.flat(4).filter(part => part || part === 0).map(part => (isHidden(part) ? hidden() : part instanceof Node ? part : typeof part === "object" ? JSON.stringify(part) : part)));
		return node;
	}

	const said = (text, name = "span") => h(name, {dir: "auto"}, text);

	const written = value => said(typeof value === "string" || isHidden(value) ? value : isNumber(value) ? String(value)
		: Array.isArray(value) && value.length && value.every(part => isText(part) || isNumber(part)) ? value.join(", ") : JSON.stringify(value));

	const joined = (parts, separator = " · ") => parts.filter(part => part || part === 0).flatMap((part, at) => [at > 0 && separator, said(part)]);
	const fine = (...parts) => h("span.fine", ...parts);
	const button = (style, text, onclick, more) => h(`button.${style}`, {onclick, ...more}, text);
	const figure = (label, ...value) => h("div", h("dt", label), h("dd", ...value));
	const pill = (text, style = "") => text && h(`span.pill${/^\w+$/.test(style) ? `.${style}` : ""}`, words(text));
	const time = (at, style = format.moment) => ((at ?? undefined) === undefined ? undefined
		: isHidden(at) ? said(at) : h("time", {datetime: String(at), title: style !== format.moment && format.moment(at)}, style(at)));

	const fresh = at => at && h("span.fine.fresh", t("Updated {ago}", {ago: time(at, format.ago)}));
	const card = (title, ...parts) => h("section.card", h("h3", title), ...parts);

	function link(text, address) {
		const href = webAddress(address);
		return href ? h("a", {href, target: "_blank", rel: "noreferrer", referrerpolicy: "no-referrer", dir: "auto"}, text === address && text.includes("@") ? href : text) : said(text);
	}

	function picture(address) {
		const lost = h("span.picture", icon("image"));
		const src = webAddress(address);
		return src ? h("img.picture", {alt: "", loading: "lazy", referrerpolicy: "no-referrer", width: 56, height: 56, onerror: ({target}) => target.replaceWith(lost), src}) : lost;
	}

	function failureBox({status, title = t("Status {status}", {status}), detail, request_id: id}, retry) {
		const known = {
			0: [t("Not connected"), t("Your text is kept. Try again when you are online.")], 401: [t("Your session has expired"), t("Sign in, then try again.")],
			403: [t("You lack a permission"), detail], 404: [t("Not found"), t("Check the identifier, or enter its type and system.")], 429: [t("Too many requests")],
		};
		const [heading, text] = known[status] ?? (status < 500 ? [title, detail] : [t("The service has a problem"), t("Try again in a minute. If it fails again, report the request ID.")]);
		return h("div.failure", {role: "alert"}, icon(status === 403 ? "lock" : "alert"),
			h("div", h("strong", heading), text && h("p", text), id && h("p.fine", t("Request ID {id}", {id}))), retry && button("quiet", t("Try again"), retry));
	}

	/** Builds a section; if that fails, a notice in its place. */
	function guard(build) {
		try {
			return build();
		} catch (error) {
			report(error);
			return h("section.card.broken", h("div.failure", icon("alert"), h("div", h("strong", t("This section cannot be shown")), h("p", t("The other sections are not affected.")))));
		}
	}

	const skeleton = lines => h("div.skeleton", UNSPOKEN, Array.from({length: lines}, () => h("span")));
	const empty = (sign, title, text) => h("div.empty", icon(sign), h("strong", title), h("p", text));

	return {t, words, translates, h, said, written, joined, fine, button, figure, pill, time, fresh, card, link, picture, failureBox, guard, skeleton, empty, format};
}
