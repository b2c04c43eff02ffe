/** The tab Summary: what an agent needs first, from open orders to the latest events. */

import {eventCards} from "./events.js";
import {attributeValue} from "./attributes.js";
import {UNSPOKEN, icon, isHidden, listed, pick, refill, svg} from "./view.js";

/** The number of lines shown of an open order, of attributes per category, of interests, and of latest events. */
const LINES = 3;
const KEY_ATTRIBUTES = 4;
const INTERESTS = 12;
const LATEST = 6;
/** Categories that the summary shows elsewhere. */
const SHOWN_ELSEWHERE = ["figures", "segments"];
const isInterests = category => /interest|topic/i.test(category);

/** Spend by month for up to two years in one currency: a chart, and a table for screen readers. */
function chart({t, h, format}, months, currency, zone) {
	const own = months.filter(month => month.currency === currency);
	const first = own[0].month;
	const known = Object.fromEntries(own.map(({month, amount}) => [month, amount]));
	const rows = [];
	const last = new Date(`${own.at(-1).month}-01T00:00Z`);
	for (let back = 0; back < 24 && (back < 12 || rows[0].month > first); back++) {
		const date = new Date(last);
		date.setUTCMonth(date.getUTCMonth() - back);
		const month = date.toISOString().slice(0, 7);
		const amount = known[month] ?? "0";
		rows.unshift({month, value: Number(amount), label: format.monthOnly(`${month}-01`), amount, money: format.money({currency, amount})});
	}
	const highest = rows.reduce((most, row) => (row.value > most.value ? row : most));
	const top = Math.max(highest.value, 0);
	const height = top - Math.min(...rows.map(({value}) => value), 0) || 1;
	const bars = rows.map(({value, label, money}, x) => svg("g", {}, svg("title", {}, `${label}: ${money}`), svg("rect", {class: "column", x, y: -top, width: 1, height}),
		svg("rect", {class: value < 0 ? "bar down" : "bar", x: x + 0.16, y: Math.min(-value, 0), width: 0.68, height: Math.abs(value)})));
	return h("figure.chart", h("figcaption.fine", t("Highest month: {amount}", {amount: highest.money})),
		svg("svg", {viewBox: `0 ${-top} ${rows.length} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": t("Spend by month, {from} to {to}", {from: rows[0].label, to: rows.at(-1).label})},
			...bars, svg("line", {x2: rows.length, "vector-effect": "non-scaling-stroke"})),
		h("div.axis.fine", UNSPOKEN, [0, rows.length >> 1, rows.length - 1].map(at => h("span", rows[at].label))),
		h("details", h("summary", t("As a table")), h("table", h("thead", h("tr", h("th", {scope: "col"}, t("Month")), h("th", {scope: "col"}, t("Spend")))),
			h("tbody", rows.toReversed().map(({label, money}) => h("tr", h("th", {scope: "row"}, label), h("td", money)))))),
		h("p.fine", t("Times are in {zone}.", {zone})));
}

/** The spend: a chart of the currency with the most months, and a choice of the others. */
function spend(view, {spend_by_month: all, time_zone: zone}, fresh) {
	const {t, h, card, empty} = view;
	const months = listed(all).filter(({month, currency}) => /^\d{4}-(0[1-9]|1[0-2])$/.test(month) && currency);
	if (!months.length) return card(t("Spend over time"), empty("purchase", t("No orders yet"), t("The chart starts with the first order.")));
	const count = Object.groupBy(months, ({currency}) => currency);
	const currencies = Object.keys(count).sort((a, b) => count[b].length - count[a].length || (a < b ? -1 : 1));
	const place = h("div");
	const show = currency => {
		for (const choice of choices) choice.ariaPressed = String(choice.textContent === currency);
		refill(place, chart(view, months, currency, zone));
	};
	const choices = currencies.map(currency => h("button.chip", {onclick: () => show(currency)}, currency));
	show(currencies[0]);
	return card([t("Spend over time"), fresh], currencies.length > 1 && h("div.chips", {role: "group", "aria-label": t("Currency")}, choices), place);
}

/** Emails or texts: status, rates, and the subscription to each list. */
function engagement({t, words, h, said, fine, time, card, format}, sign, figures) {
	const {status, sent, opened, clicked, bounced} = figures;
	const lists = listed(figures.lists);
	const bar = (label, count, rate) => h("div.rate", h("dt", label), h("dd", format.number(count), rate !== undefined && fine(` ${format.percent(rate)}`)),
		rate !== undefined && h("progress", {value: rate, "aria-hidden": "true"}));
	const last = (text, at) => at && h("span", t(text, {ago: time(at, format.ago)}));
	const state = status => h(`span.pill${/^\w+$/.test(status) ? `.${status}` : ""}`, words(status));
	return card([icon(sign), words(sign), status && state(status)], sent + opened + clicked + bounced > 0
		? h("dl.rates", bar(t("Sent"), sent), sign === "email" && bar(t("Opened"), opened, figures.open_rate ?? 0),
			bar(t("Clicked"), clicked, figures.click_rate ?? 0), bounced > 0 && bar(t("Bounced"), bounced))
		: h("p.fine", t("Nothing sent")),
	h("p.fine.lasts", last("Last sent {ago}", figures.last_sent_at), last("Last opened {ago}", figures.last_opened_at), last("Last click {ago}", figures.last_clicked_at)),
	lists.length > 0 && h("ul.lists", {"aria-label": t("Subscriptions")}, lists.map(list => h("li", said(pick(list, "name", "id") ?? t("Without a list")),
		fine(joinedParts([list.source && said(list.source), list.at && time(list.at, format.day)])), list.status && state(list.status)))));
}

const joinedParts = parts => parts.filter(Boolean).flatMap((part, at) => [at > 0 && " · ", part]);

/** Interests by strength: the strongest is full, and the others are relative to the scale of 2. */
function interests(view, categories, fresh, open) {
	const {t, words, h, said, card} = view;
	const all = Object.entries(categories).filter(([category]) => isInterests(category)).flatMap(([, attributes]) => listed(attributes)).filter(({value}) => value !== false && value !== null);
	if (!all.length) return undefined;
	const strength = ({confidence}) => (confidence === undefined ? -1 : Number(confidence));
	const topic = attribute => {
		const {name, value, confidence} = attribute;
		return h("li.topic", h("span", said(words(name)), value !== true && [": ", attributeValue(view, attribute)]),
			confidence !== undefined && [h("span.sr", " ", t("strength {value} of 2", {value: confidence})), h("meter", {min: 0, max: 2, value: Number(confidence), "aria-hidden": "true"})]);
	};
	return card([t("Interests"), fresh], h("ul.topics", all.sort((a, b) => strength(b) - strength(a)).slice(0, INTERESTS).map(topic)),
		all.length > INTERESTS && open);
}

/** The products, brands and categories with the highest quantity. */
function favorites({t, h, said, link, picture, card, fine, format}, {top_products: products, top_categories: categories, top_brands: brands}, fresh) {
	const bought = quantity => t("{count} bought", {count: String(quantity)});
	const tile = ({id, quantity, product}) => h("li", picture(product?.image), h("div", link(pick(product, "name") ?? t("Product {id}", {id: pick({id}, "id") ?? t("unknown")}), product?.url),
		h("p.fine", [product?.brand && [said(product.brand), " · "], bought(quantity)])));
	const ranks = (title, names) => listed(names).length > 0 && h("div", h("h4", title), h("ul.ranks", listed(names).map(({name, quantity}) => h("li", said(name), fine(format.number(quantity))))));
	const shown = listed(products);
	return shown.length > 0 && card([t("Top products"), fresh], h("ul.tiles", shown.map(tile)), h("div.pair.ranked", ranks(t("Top brands"), brands), ranks(t("Top categories"), categories)));
}

/** The first attributes of each category. */
function keyAttributes(view, {attributes: categories, attributes_as_of: at}, open) {
	const {t, words, h, said, fresh, card, fine, figure} = view;
	const shown = Object.entries(categories ?? {}).filter(([category, attributes]) => !SHOWN_ELSEWHERE.includes(category) && !isInterests(category) && listed(attributes).length);
	return shown.length > 0 && card([t("Key attributes"), fresh(at), open], h("div.columns", shown.map(([category, attributes]) => h("div", h("h4", words(category)),
		h("dl.compact", listed(attributes).slice(0, KEY_ATTRIBUTES).map(attribute => figure(said(words(attribute.name)), attributeValue(view, attribute)))),
		attributes.length > KEY_ATTRIBUTES && fine(`+ ${attributes.length - KEY_ATTRIBUTES}`)))));
}

export function summaryPanel(view, {send}, document, openTab) {
	const {t, words, h, said, joined, button, figure, card, time, fresh, empty, guard, format} = view;
	const {summary, history} = document;
	const {single, titleOf} = eventCards(view, id => send("GET", `/history/${id}`));
	const latest = listed(history.items).slice(0, LATEST);
	const more = (text, tab) => button("link", t(text), () => openTab(tab));
	const orders = listed(summary.open_orders);
	const channels = listed(summary.channels).map(words);
	const sections = [
		() => orders.length > 0 && h("section.card.open-orders", h("h3", icon("parcel"), t("Open orders"), h("span.count", format.number(orders.length)), fresh(summary.as_of)),
			h("ul.orders", orders.map(order => h("li.order", guard(() => [single([order], LINES)].flat(2)))))),
		() => card([t("Segments"), fresh(summary.as_of)], h("div.chips", listed(summary.segments).map(name => h(`span.chip${name === "vip" ? ".accent" : ""}`, words(name)))),
			!listed(summary.segments).length && h("p.fine", t("No segments")),
			h("dl.figures", ["orders", "items", "returns"].map(name => figure(words(name), format.number(summary[name]))),
				figure(t("Last activity"), summary.last_event_at ? time(summary.last_event_at, format.ago) : "–"), figure(t("Channels"), channels.length ? joined(channels, ", ") : "–"))),
		() => card([t("Latest"), fresh(history.as_of), latest.length > 0 && more("All history", "History")], latest.length ? h("ol.timeline", latest.map(item =>
			h("li", icon(String(item.type).split("_")[0]), said(titleOf(item)), time(item.at, format.ago)))) : empty("message", t("No events yet"), t("Orders, messages and emails appear here."))),
		() => favorites(view, summary, fresh(summary.as_of)),
		() => interests(view, document.attributes ?? {}, fresh(document.attributes_as_of), more("All attributes", "Attributes")),
		() => keyAttributes(view, document, more("All attributes", "Attributes")),
		() => spend(view, summary, fresh(summary.as_of)),
		() => h("div.pair", ["email", "sms"].map(sign => guard(() => engagement(view, sign, summary[sign])))),
	];
	return h("div.grid", sections.map(guard));
}
