/** What every section of the tab is built with: elements, texts, formats, and small components. */

import {ExactNumber} from "./client.js";
import {Format} from "./format.js";
import {webAddress} from "./text.js";

/** SVG paths of 24 × 24 units. */
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

/** Names of the API that are not just shown with a capital. */
const WORDS = new Map(Object.entries({vip: "VIP", sms: "SMS", customer_id: "Customer ID", external_id: "External ID", email_sha256: "Email, SHA-256", email_md5: "Email, MD5"}));

export const UNSPOKEN = {"aria-hidden": "true"};
export const isHidden = value => value?.redacted === true;
const isText = value => typeof value === "string" && value !== "";

/** The first field of an object that is a text, number or hidden value; a visible one if there is any. */
export const pick = (object, ...names) => {
	const values = isHidden(object) ? [object] : names.map(name => object?.[name]).filter(value => isText(value) || typeof value === "number" || value instanceof ExactNumber || isHidden(value));
	return values.find(value => !isHidden(value)) ?? values[0];
};

/** A list that may be absent or hidden as a whole. */
export const listed = value => (Array.isArray(value) ? value.filter(part => part !== null && part !== undefined) : []);

export function svg(name, attributes, ...children) {
	const node = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
	node.append(...children);
	return node;
}

export const icon = name => svg("svg", {viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true"}, svg("path", {d: ICONS[name] ?? ICONS.event}));

export const keyed = (container, key) => container.querySelector(`[data-key="${CSS.escape(key)}"]`);

/** Replaces the children and keeps the focus on the one with the same key. Children that stay are not moved: a click on them continues. */
export function refill(container, ...children) {
	const focused = container.getRootNode().activeElement;
	const key = container.contains(focused) && focused.dataset.key;
	const wanted = children.flat().filter(Boolean);
	for (const child of [...container.childNodes]) if (!wanted.includes(child)) child.remove();
	for (const [at, child] of wanted.entries()) if (container.childNodes[at] !== child) container.insertBefore(child, container.childNodes[at] ?? null);
	if (key) keyed(container, key)?.focus();
}

/** Creates the elements and texts of one tab. `report` is called with an exception that a section threw. */
export function createView({locale, labels, zone, report}) {
	const dictionary = new Map(Object.entries(labels));
	const plural = new Intl.PluralRules(locale);
	const format = new Format(locale, zone);

	/**
	 * A text in the language of the labels: `t("Order {number}", {number})`, or with `count` and the English plural as second
	 * parameter. If a value is an element, returns the parts of the text as a list.
	 */
	function t(english, other, values = other) {
		const plurals = dictionary.get(english) ?? (typeof other === "string" ? {one: english, other} : english);
		const text = typeof plurals === "string" ? plurals : plurals[plural.select(Number(values.count))] ?? plurals.other;
		const shown = {...values, ...(values?.count !== undefined && {count: format.number(values.count)})};
		const parts = text.split(/\{(\w+)\}/).map((part, at) => (at % 2 ? shown[part] ?? "" : part));
		return parts.some(part => typeof part === "object") ? parts : parts.join("");
	}

	/** A name of the API for display: `first_name` as `First name`. Hidden and absent values stay as they are. */
	function words(name) {
		if (!isText(name)) return name instanceof ExactNumber || typeof name === "number" ? String(name) : isHidden(name) ? name : undefined;
		const text = name.replaceAll("_", " ").trim() || name;
		const english = WORDS.get(name) ?? text[0].toUpperCase() + text.slice(1);
		// A name of a file can be any text: it is not a text with values.
		return dictionary.get(english) ?? english;
	}

	const hidden = () => h("span.hidden", {title: t("Personal data. Your access does not include it.")}, icon("lock"), t("Hidden"));

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
		node.append(...parts.flat(4).filter(part => part || part === 0).map(part => (isHidden(part) ? hidden() : part instanceof Node ? part : typeof part === "object" ? JSON.stringify(part) : String(part))));
		return node;
	}

	/** Text from a person or a file. Its direction may differ from the page's. */
	const said = (text, name = "span") => h(name, {dir: "auto"}, text);

	/** Any value of the API as text; a number with the digits that were sent. */
	const written = value => said(typeof value === "string" || isHidden(value) ? value : value instanceof ExactNumber ? value.text : JSON.stringify(value));

	const joined = (parts, separator = " · ") => parts.filter(part => part || part === 0).flatMap((part, at) => [at > 0 && separator, part instanceof Node ? part : said(part)]);
	const fine = (...parts) => h("span.fine", ...parts);
	const button = (style, text, onclick, more) => h(`button.${style}`, {onclick, ...more}, text);
	const figure = (label, ...value) => h("div", h("dt", label), h("dd", ...value));
	const pill = (text, style = "") => text && h(`span.pill${style && /^\w+$/.test(style) ? `.${style}` : ""}`, words(text));
	const time = (at, style = format.moment) => (at === undefined || at === null ? undefined
		: isHidden(at) ? h("span", at) : h("time", {datetime: String(at), title: style !== format.moment && format.moment(at)}, style(at)));

	/** How old the data of a section is. */
	const fresh = at => at && h("span.fine.fresh", t("Updated {ago}", {ago: time(at, format.ago)}));
	const card = (title, ...parts) => h("section.card", h("h3", title), ...parts);

	function link(text, address) {
		const href = typeof address === "string" ? webAddress(address) : undefined;
		return href ? h("a", {href, target: "_blank", rel: "noreferrer", referrerpolicy: "no-referrer", dir: "auto"}, text === address && text.includes("@") ? href : text) : said(text);
	}

	function picture(address) {
		const lost = () => h("span.picture", icon("image"));
		const src = typeof address === "string" ? webAddress(address) : undefined;
		const image = src && h("img.picture", {alt: "", loading: "lazy", referrerpolicy: "no-referrer", width: 56, height: 56, onerror: () => image.replaceWith(lost()), src});
		return image ?? lost();
	}

	function failureBox({status, title = t("Status {status}", {status}), detail, request_id: id}, retry) {
		const known = {
			0: [t("Not connected"), t("Your text is kept. Try again when you are online.")], 401: [t("Your session has expired"), t("Sign in, then try again.")],
			403: [t("You lack a permission"), detail], 404: [t("Not found"), detail], 429: [t("Too many requests"), t("Try again in a minute.")],
		};
		const [heading, text] = known[status] ?? (status < 500 ? [title, detail] : [t("The service has a problem"), t("Try again in a minute. If it fails again, report the request ID.")]);
		return h("div.failure", {role: "alert"}, icon(status === 403 ? "lock" : "alert"),
			h("div", h("strong", heading), text && h("p", text), id && h("p.fine", t("Request ID {id}", {id}))), retry && button("quiet", t("Try again"), retry));
	}

	/** Builds a section. If that fails, shows so in its place: the other sections stay. */
	function guard(build) {
		try {
			return build();
		} catch (error) {
			report(error);
			return h("section.card.broken", h("div.failure", icon("alert"), h("div", h("strong", t("This section cannot be shown")), h("p", t("The other sections are not affected. Report the problem to the operator of this page.")))));
		}
	}

	const skeleton = lines => h("div.skeleton", UNSPOKEN, Array.from({length: lines}, () => h("span")));
	const empty = (sign, title, text) => h("div.empty", icon(sign), h("strong", title), h("p", text));

	return {t, words, h, said, written, joined, fine, button, figure, pill, time, fresh, card, link, picture, failureBox, guard, skeleton, empty, format};
}
