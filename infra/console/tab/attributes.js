import {icon, listed, refill} from "./view.js";

const PAGE = 100;
const MAX_SEARCH = 256;
const SEARCH_DELAY_MS = 250;
const ORDER = ["contact", "address", "customer", "others", "figures"];
const rank = category => (ORDER.includes(category) ? ORDER.indexOf(category) : 3);

/** The value of an attribute for display. */
export function attributeValue({t, h, fine, time, written, format}, {name, value, type, source}) {
	if (value === null || value === undefined) return fine(t("None"));
	if (typeof value === "boolean") return h(`span.flag${value ? ".yes" : ""}`, value ? t("Yes") : t("No"));
	const date = type === "date" && /^\d{4}-\d\d-\d\d(T\d\d:\d\d|$)/.exec(value);
	if (date) return time(value, date[1] ? format.moment : format.date);
	const [, rate, currency] = (source === "system" && type === "number" && !value.redacted && /_(?:(rate)|([a-z]{3}))$/.exec(name)) || [];
	return rate ? format.percent(value) : currency ? format.money({currency, amount: value}) : written(value);
}

/** How strong an interest is. */
export const strength = ({t, h}, confidence) => confidence !== undefined && h("meter", {min: 0, max: 2, value: Number(confidence), title: t("{value} of 2", {value: confidence}), "aria-label": t("Confidence")});

export function attributesPanel(view, {send}, document) {
	const {t, words, h, said, fine, fresh, button, figure, card, time, empty, failureBox, guard, format} = view;
	const {attributes: categories = {}, attributes_redacted: left, attributes_next: cursors = {}} = document;
	const list = h("div.grid");
	const more = h("p.fine");
	const count = h("p.fine", {role: "status"});
	let turn, timer;

	function row(attribute) {
		const {name, value, source, also, confidence} = attribute;
		const place = h("div.details");
		const details = h("details", {ontoggle: () => details.open && explain(attribute, place)},
			h("summary.tip", {"aria-label": t("Source of {name}: {source}", {name: String(words(name)), source: String(source)})}, said(source)), place);
		return h("div", h("dt", said(words(name)), strength(view, confidence)),
			h("dd", h("div.value", attributeValue(view, attribute),
				listed(also).length > 0 && h("span.pill.differs", icon("alert"), t("Sources differ"))), details));
	}

	/** Shows where each value comes from. Pages of the API contain files, and the profile does not. */
	async function explain(attribute, place) {
		const origin = ({value, source, as_of: at, provenance}, isFirst) => h("dl.origin", !isFirst && figure(t("Other values"), attributeValue(view, {value, type: attribute.type})),
			figure(t("Source"), said(source)), at && figure(t("Time"), time(at)),
			isFirst && attribute.confidence !== undefined && figure(t("Confidence"), t("{value} of 2", {value: attribute.confidence})),
			provenance !== undefined && figure(t("File"), provenance === null ? t("Computed from the history") : provenance.file ? said(provenance.file) : t("Not available any more")));
		const show = known => refill(place, [known, ...listed(known.also)].map((claim, at) => origin(claim, at === 0)));
		show(attribute);
		if (attribute.provenance !== undefined) return;
		const [page, failure] = await send("POST", "/attributes/search", {body: {text: attribute.name.slice(0, MAX_SEARCH), category: attribute.category, limit: PAGE}});
		const found = page?.items.find(({name}) => name === attribute.name);
		if (found) Object.assign(attribute, {provenance: found.provenance, also: found.also});
		show(attribute);
		if (failure) place.append(failureBox(failure));
	}

	function cards(byCategory, next) {
		return Object.entries(byCategory).filter(([, attributes]) => listed(attributes).length).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)).map(([category, attributes]) => guard(() => {
			const rows = listed(attributes).map(attribute => row({category, ...attribute}));
			return card([words(category), h("span.count", `${format.number(rows.length)}${cursors[category] && byCategory === categories ? "+" : ""}`)], h("dl.attributes", rows), next?.(category));
		}));
	}

	function showAll() {
		const next = category => cursors[category] && button("quiet", t("More of {category}", {category: String(words(category))}), async ({currentTarget: pressed}) => {
			pressed.disabled = true;
			const [page, failure] = await send("GET", `/attributes?${new URLSearchParams({category, limit: PAGE, cursor: cursors[category]})}`);
			if (failure) return pressed.replaceWith(failureBox(failure, showAll));
			categories[category] = [...categories[category], ...page.items];
			cursors[category] = page.next;
			if (!search.value.trim()) showAll();
		}, {"data-key": `more-${category}`});
		const all = cards(categories, next);
		count.textContent = "";
		refill(list, all.length ? all : !left && empty("person", t("No attributes yet"), t("Attributes from files appear here.")));
		more.textContent = left ? t("{count} attribute is hidden. Your access does not include it.", "{count} attributes are hidden. Your access does not include them.", {count: left}) : "";
	}

	/** Shows what the API finds, after what it found on the pages before. */
	async function showFound(text, found = [], cursor) {
		const asked = (turn = {});
		const [page, failure] = await send("POST", "/attributes/search", {body: {text, limit: PAGE, ...(cursor && {cursor})}});
		if (asked !== turn) return;
		if (failure) return refill(list, failureBox(failure, () => showFound(text, found, cursor)));
		const all = [...found, ...page.items];
		count.textContent = page.next ? t("More than {count} attributes found", {count: all.length}) : t("{count} attribute found", "{count} attributes found", {count: all.length});
		refill(list, all.length ? cards(Object.groupBy(all, ({category}) => category)) : empty("search", t("No attributes match"), t("Search for part of a category, name or value.")),
			page.next && button("quiet", t("More"), () => showFound(text, all, page.next), {"data-key": "more"}));
		more.textContent = "";
	}

	const search = h("input", {type: "search", maxlength: MAX_SEARCH, placeholder: t("Search attributes"), "aria-label": t("Search attributes"), oninput: () => {
		clearTimeout(timer);
		turn = {};
		const text = search.value.trim();
		if (text) timer = setTimeout(() => showFound(text), SEARCH_DELAY_MS);
		else showAll();
	}});
	showAll();
	return h("div", h("div.row.between", h("label.search", icon("search"), search), fresh(document.attributes_as_of)), count, list, more);
}
