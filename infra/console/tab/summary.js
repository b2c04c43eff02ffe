import {eventCards} from "./events.js";
import {attributeValue, strength} from "./attributes.js";
import {UNSPOKEN, icon, isHidden, listed, pick, refill, svg} from "./view.js";

const LINES = 3;
const KEY_ATTRIBUTES = 4;
const INTERESTS = 12;
const LATEST = 6;
const isInterests = category => /interest|topic/i.test(category);

export function summaryPanel(view, {send}, document, openTab) {
	const {t, words, h, said, joined, fine, button, figure, pill, time, fresh, card, link, picture, empty, guard, format} = view;
	const {summary, history, attributes: categories = {}} = document;
	const {single, titleOf} = eventCards(view, send);
	const latest = listed(history.items).slice(0, LATEST);
	const more = (text, tab) => button("link", t(text), () => openTab(tab));
	const orders = listed(summary.open_orders);
	const channels = listed(summary.channels).map(words);

	/** The spend of up to two years in one currency. */
	function chart(months) {
		const {currency, month: last} = months.at(-1);
		const known = Object.fromEntries(months.map(({month, amount}) => [month, amount]));
		const date = new Date(`${last}-01T00:00Z`);
		const rows = [];
		while (rows.length < 12 || (rows.length < 24 && rows[0].month > months[0].month)) {
			const month = date.toISOString().slice(0, 7);
			const amount = known[month] ?? "0";
			rows.unshift({month, value: Number(amount), label: format.monthOnly(`${month}-01`), money: format.money({currency, amount})});
			date.setUTCMonth(date.getUTCMonth() - 1);
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
			h("p.fine", t("Times are in {zone}.", {zone: summary.time_zone})));
	}

	function spend() {
		const months = listed(summary.spend_by_month).filter(({month, currency}) => /^\d{4}-(0[1-9]|1[0-2])$/.test(month) && currency);
		if (!months.length) return card(t("Spend over time"), empty("purchase", t("No orders yet"), t("The chart starts with the first order.")));
		const own = Object.groupBy(months, ({currency}) => currency);
		const currencies = Object.keys(own).sort((a, b) => own[b].length - own[a].length);
		const place = h("div");
		const show = currency => {
			for (const choice of choices) choice.ariaPressed = choice.textContent === currency;
			refill(place, chart(own[currency]));
		};
		const choices = currencies.map(currency => h("button.chip", {onclick: () => show(currency)}, currency));
		show(currencies[0]);
		return card([t("Spend over time"), fresh(summary.as_of)], currencies.length > 1 && h("div.chips", {role: "group", "aria-label": t("Currency")}, choices), place);
	}

	function engagement(sign) {
		const figures = summary[sign];
		const {status, sent, opened, clicked, bounced} = figures;
		const lists = listed(figures.lists);
		const bar = (label, count, rate) => h("div.rate", h("dt", label), h("dd", format.number(count), rate !== undefined && fine(` ${format.percent(rate)}`)),
			rate !== undefined && h("progress", {value: rate, ...UNSPOKEN}));
		const last = (text, at) => at && h("span", t(text, {ago: time(at, format.ago)}));
		return card([icon(sign), words(sign), pill(status, status)], sent + opened + clicked + bounced > 0
			? h("dl.rates", bar(t("Sent"), sent), sign === "email" && bar(t("Opened"), opened, figures.open_rate ?? 0),
				bar(t("Clicked"), clicked, figures.click_rate ?? 0), bounced > 0 && bar(t("Bounced"), bounced))
			: h("p.fine", t("Nothing sent")),
		h("p.fine.lasts", last("Last sent {ago}", figures.last_sent_at), last("Last opened {ago}", figures.last_opened_at), last("Last click {ago}", figures.last_clicked_at)),
		lists.length > 0 && h("ul.lists", {"aria-label": t("Subscriptions")}, lists.map(list => h("li", said(pick(list, "name", "id") ?? t("Without a list")),
			fine(joined([list.source, time(list.at, format.day)])), pill(list.status, list.status)))));
	}

	function interests() {
		const all = Object.keys(categories).filter(isInterests).flatMap(category => listed(categories[category])).filter(({value}) => value !== false && value !== null);
		const rank = ({confidence}) => Number(confidence ?? -1);
		const topic = attribute => h("li.topic", h("span", said(words(attribute.name)), attribute.value !== true && [": ", attributeValue(view, attribute)]), strength(view, attribute.confidence));
		return all.length > 0 && card([t("Interests"), fresh(document.attributes_as_of)], h("ul.topics", all.sort((a, b) => rank(b) - rank(a)).slice(0, INTERESTS).map(topic)),
			all.length > INTERESTS && more("All attributes", "Attributes"));
	}

	function favorites() {
		const tile = ({id, quantity, product}) => h("li", picture(product?.image), h("div", link(pick(product, "name") ?? t("Product {id}", {id: pick({id}, "id") ?? t("unknown")}), product?.url),
			h("p.fine", joined([pick(product, "brand"), t("{count} bought", {count: quantity})]))));
		const ranks = (title, names) => names?.length > 0 && h("div", h("h4", title), h("ul.ranks", listed(names).map(({name, quantity}) => h("li", said(name), fine(format.number(quantity))))));
		const shown = listed(summary.top_products);
		return shown.length > 0 && card([t("Top products"), fresh(summary.as_of)], h("ul.tiles", shown.map(tile)), h("div.pair.ranked", ranks(t("Top brands"), summary.top_brands), ranks(t("Top categories"), summary.top_categories)));
	}

	function keyAttributes() {
		// The header and other cards show the rest.
		const known = listed(document.identities).map(({value}) => value);
		const shown = Object.keys(categories).filter(category => !/figures|segments/.test(category) && !isInterests(category))
			.map(category => [category, listed(categories[category]).filter(({name, value}) => !known.includes(value) && !/^(first|last)_name$/.test(name))]).filter(([, attributes]) => attributes.length);
		return shown.length > 0 && card([t("Key attributes"), fresh(document.attributes_as_of), more("All attributes", "Attributes")], h("div.columns", shown.map(([category, attributes]) => h("div", h("h4", words(category)),
			h("dl.compact", attributes.slice(0, KEY_ATTRIBUTES).map(attribute => figure(said(words(attribute.name)), attributeValue(view, attribute)))),
			attributes.length > KEY_ATTRIBUTES && fine(`+ ${attributes.length - KEY_ATTRIBUTES}`)))));
	}

	const sections = [
		() => orders.length > 0 && h("section.card.open-orders", h("h3", icon("parcel"), t("Open orders"), h("span.count", format.number(orders.length)), fresh(summary.as_of)),
			h("ul.orders", orders.map(order => h("li.order", guard(() => single([order], LINES)))))),
		() => card([t("Overview"), fresh(summary.as_of)], h("div.chips", listed(summary.segments).map(name => h(`span.chip${name === "vip" ? ".accent" : ""}`, words(name)))),
			!listed(summary.segments).length && h("p.fine", t("No segments")),
			h("dl.figures", ["orders", "items", "returns"].map(name => figure(words(name), format.number(summary[name]))),
				figure(t("Last activity"), time(summary.last_event_at, format.ago) ?? "–"), figure(t("Channels"), channels.length ? joined(channels, ", ") : "–"))),
		() => card([t("Latest"), fresh(history.as_of), latest.length > 0 && more("All history", "History")], latest.length ? h("ol.timeline", latest.map(item =>
			h("li", icon(String(item.type).split("_")[0]), said(titleOf(item)), time(item.at, format.ago)))) : empty("message", t("No events yet"), t("Orders, messages and emails appear here."))),
		favorites, interests, keyAttributes, spend,
		() => h("div.pair", ["email", "sms"].map(sign => guard(() => engagement(sign)))),
	];
	return h("div.grid", sections.map(guard));
}

export function head({t, words, h, said, fine, figure, time, format}, {name, identities, summary}) {
	const rank = ({type}) => ["mobile", "email"].indexOf(type);
	const sorted = listed(identities).sort((a, b) => rank(b) - rank(a));
	const title = name ?? sorted[0]?.value ?? t("Unknown customer");
	const initials = isHidden(title) ? "" : String(title).split(/[\s.@]+/).slice(0, 2).map(part => [...part][0]).join("").toUpperCase();
	const money = amounts => (listed(amounts).length ? listed(amounts).map(amount => h("span", format.money(amount))) : "–");
	const day = at => time(at, format.day) ?? "–";
	const identifier = ({type, value, system_name: system, shared}) => h("li", fine(words(type ?? "identifier"), system && [" · ", said(system)]), value ? said(value) : fine(t("unknown")),
		shared && h("span.pill.bad", {title: t("Linked to too many customers; not followed")}, t("Shared")));
	return h("header.card.head", h("span.avatar", UNSPOKEN, initials || icon("person")),
		h("div.who", h("h2", said(title), h(`span.pill${summary.orders ? ".good" : ".accent"}`, words(summary.relationship))),
			h("ul.identifiers", {"aria-label": t("Identifiers")}, sorted.map(identifier))),
		h("dl.figures", figure(t("Total spend"), money(summary.total_spend)), figure(t("Average order"), money(summary.average_order_value)),
			figure(t("First order"), day(summary.first_order_at)), figure(t("Last order"), day(summary.last_order_at))));
}
