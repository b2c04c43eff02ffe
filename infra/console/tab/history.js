/** The history. The messages of a conversation and the events of an email are grouped, at the place of the newest. */

import {eventCards} from "./events.js";
import {isHidden, listed, pick, refill} from "./view.js";

const PAGE = 50;
const DAY_MS = 86_400_000;

const KINDS = {
	Purchases: ["purchase"],
	Returns: ["return"],
	Messages: ["message"],
	Emails: ["email_send", "email_open", "email_click", "email_bounce", "email_subscribe"],
	Texts: ["sms_send", "sms_click", "sms_subscribe"],
	Other: ["event"],
};

export function historyPanel(view, {send}, {history: firstPage, summary}) {
	const {t, words, h, said, fine, fresh, button, failureBox, guard, skeleton, empty, format} = view;
	let filtered, turn, busy, failure, next, events, groups, month, cards, run;
	const {single, conversation, mail} = eventCards(view, send);
	const list = h("div.months");
	const foot = h("div.foot");
	const count = h("p.fine", {role: "status"});
	const field = (label, control) => h("label.field", h("span", label), control);
	const kinds = Object.keys(KINDS).map(kind => h("button.chip", {"aria-pressed": "false", "data-kind": kind, onclick: ({currentTarget: chip}) => {
		chip.ariaPressed = chip.ariaPressed !== "true";
		onchange();
	} }, t(kind)));
	const select = choices => h("select", {onchange}, h("option", {value: ""}, t("All")), choices.map(([value, text]) => typeof value === "string" && h("option", {value}, text)));
	const channel = select(listed(summary.channels).map(channel => [channel, words(channel)]));
	const accounts = listed(summary.accounts);
	const account = select(accounts.map(({id, name, channel}) => [id, `${name ?? id} (${words(channel)})`]));
	const day = () => h("input", {type: "date", onchange});
	const from = day();
	const to = day();
	const clear = button("quiet", t("Clear"), () => {
		for (const chip of kinds) chip.ariaPressed = false;
		channel.value = account.value = from.value = to.value = "";
		onchange();
	});
	const watch = new IntersectionObserver(([seen]) => seen.isIntersecting && more(), {rootMargin: "600px"});

	/** The API reads a date as its start in the stack's time zone. The last day is included. */
	function query() {
		const query = new URLSearchParams({limit: PAGE});
		for (const chip of kinds) if (chip.ariaPressed === "true") for (const type of KINDS[chip.dataset.kind]) query.append("type", type);
		for (const [name, {value}] of Object.entries({channel, account, from})) if (value) query.set(name, value);
		if (to.value) query.set("to", new Date(to.valueAsNumber + DAY_MS).toISOString().slice(0, 10));
		return query;
	}

	function reset() {
		filtered = query().size > 1;
		clear.hidden = !filtered;
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
		count.textContent = last ? t("{count} event", "{count} events", {count: events}) : events ? t("{count} event so far", "{count} events so far", {count: events}) : "";
		watch.disconnect();
		refill(foot, failure ? failureBox(failure, more) : busy ? skeleton(4) : !last ? button("quiet", t("More"), more, {"data-key": "more"})
			: events ? h("p.fine", t("End of history")) : filtered ? empty("search", t("No events match"), t("Clear the filters to see all events.")) : empty("message", t("No events yet"), t("Orders, messages and emails appear here.")));
		// If the foot is still visible, observing it again loads another page.
		if (!busy && !failure && !last) watch.observe(foot);
	}

	function take(page) {
		const changed = new Set();
		for (const item of listed(page.items)) {
			const {type, channel, account, [type]: data} = item;
			const [kind] = type.split("_");
			const isMail = kind === "email" || kind === "sms";
			// Hidden ids say nothing: without an id, an email is shown alone and a conversation by day.
			const found = pick(data, "email_id", "sms_id", "conversation_id");
			const id = !isHidden(found) && found;
			const key = type === "message" ? `${type} ${channel} ${account?.id} ${id || format.day(item.at)}`
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
		for (const {node, draw, items} of changed) refill(node, guard(() => [draw(items)].flat(2)));
		events += listed(page.items).length;
		next = page.next ?? null;
	}

	/** Successive emails and texts share a card. */
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

	reset();
	take(firstPage);
	render();
	return h("div", h("div.filters", {role: "group", "aria-label": t("Filter the history")}, h("div.chips", kinds),
		field(t("Channel"), channel), accounts.length > 0 && field(t("Account"), account), field(t("From"), from), field(t("To"), to), clear),
	h("div.row.between", count, fine(t("Times are in {zone}.", {zone: said(format.zone)}), " ", fresh(firstPage.as_of))), list, foot);
}
