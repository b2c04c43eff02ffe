/**
 * The tab Identities: why each identity belongs to the profile, what was separated, and other profiles of possibly the same customer.
 * A change is shown before it is made, and can be undone. The module is loaded when the tab is first opened.
 */

import {icon, listed, pick, refill} from "./view.js";

const PAGE = 100;
const MAX_REASON = 500;
const MAX_IDENTIFIER = 256;
const AGENTS = "agents";

const newKey = () => crypto.getRandomValues(new BigUint64Array(2)).join("-");

/** The text of a translation with elements, for labels that are only read out. */
const spoken = parts => parts.map(part => part.textContent ?? part).join("");

/** Whether a file or another support agent has changed what a request is about. */
const isStale = ({status, type}) => status === 412 || /\/(link|identity)-not-found$/.test(type);

/** The identities between each identity and the first one, on the shortest way. */
function ways(first, links) {
	const found = new Map([[first, []]]);
	for (const [from, way] of found) {
		for (const [{id: a}, {id: b}] of links.map(({identities}) => identities)) {
			const to = a === from ? b : a;
			if ((a === from || b === from) && !found.has(to)) found.set(to, [...way, from]);
		}
	}
	return found;
}

export function identitiesPanel(view, {say, send, changed, openProfile}, document) {
	const {t, words, h, said, fine, button, card, time, empty, failureBox, guard, skeleton, joined, format} = view;
	const notice = h("div", {tabindex: -1});
	const list = h("ul.identities");
	const apart = h("div");
	const more = h("div");
	const matches = h("div");
	const places = new Map();
	let links = [];
	let next, isPartial, current = document;

	const named = ({value, type}) => said(value ?? words(type) ?? t("unknown"));
	const place = key => places.get(key) ?? places.set(key, h("div")).get(key);
	const query = cursor => new URLSearchParams({limit: PAGE, ...(cursor && {cursor})});

	/** What a profile shows in a preview: label, value to compare, and text. */
	function facts({name, identities, summary = {}, notes}) {
		const {orders, total_spend: spend, segments, last_order_at: last} = summary;
		const amounts = listed(spend).map(amount => h("div", format.money(amount)));
		const count = `${format.number(listed(notes?.items).length)}${notes?.next ? "+" : ""}`;
		return [
			[t("Name"), name, name ? said(name) : "–"], [t("Identities"), listed(identities).map(({id}) => id), format.number(listed(identities).length)],
			[t("Orders"), orders, format.number(orders ?? 0)], [t("Total spend"), spend, amounts.length ? amounts : "–"],
			[t("Segments"), segments, listed(segments).length ? joined(listed(segments).map(words), ", ") : "–"],
			[t("Notes"), count, count], [t("Last order"), last, time(last, format.day) ?? "–"],
		];
	}

	/** Compares the profile with what it would be. What changes has a label. */
	function comparison(before, {profile, changes}) {
		const after = facts(profile);
		const known = new Map([...listed(before.identities), ...listed(profile.identities)].map(identity => [identity.id, identity]));
		const members = (label, ids) => listed(ids).length > 0 && h("p", h("strong", label), " ", joined(ids.map(id => named(known.get(id) ?? {})), ", "));
		return [
			h("table.comparison", h("thead", h("tr", h("td"), h("th", {scope: "col"}, t("Now")), h("th", {scope: "col"}, t("After the change")))),
				h("tbody", facts(before).map(([label, value, text], at) => {
					const isChanged = JSON.stringify(value) !== JSON.stringify(after[at][1]);
					return h(`tr${isChanged ? ".changed" : ""}`, h("th", {scope: "row"}, label), h("td", text), h("td", after[at][2], isChanged && [" ", h("span.pill.accent", t("Changes"))]));
				}))),
			members(t("Joins this customer:"), changes.identities.added), members(t("Leaves this customer:"), changes.identities.removed),
			!listed(changes.links).length && h("p.hint", t("Nothing would change.")),
		];
	}

	/** The notice of a failed change. */
	function refused(failure, retry) {
		return failure.type === "/problems/identity-erased" ? failureBox({status: 409, title: t("This customer was erased"), detail: t("Nothing was changed. Ask an administrator if the customer wants to be stored again.")})
			: isStale(failure) ? failureBox({status: 412, title: t("The links have changed"), detail: t("A file or another support agent changed them. Check them, then try again.")})
				: failureBox(failure, retry);
	}

	/**
	 * Shows what a change would do, and makes it after a confirmation. `change` is `{method, path, id?, body?, etag?, title, action}`. `title`
	 * returns new parts for each place. A change without a `body` needs no reason.
	 */
	function propose(at, {method, path, id, body, etag, title, action}, opener) {
		if (at.hasChildNodes()) return at.querySelector("input, button").focus();
		let key = newKey();
		let isReady = false;
		const headers = () => ({"idempotency-key": key, ...(etag && {"if-match": etag})});
		const result = h("div.preview");
		const failed = h("div");
		const check = () => { ok.disabled = !isReady || (body && !reason.value.trim()); };
		// A repeated request has the same key. A request with another reason is another one.
		const reason = h("input", {maxlength: MAX_REASON, dir: "auto", oninput: () => {
			key = newKey();
			check();
		}});
		const ok = h("button.primary", {type: "submit", disabled: true}, action);
		const close = () => {
			refill(at);
			opener.focus();
		};
		const controls = h("fieldset.proposal", h("legend", title()), result, body && h("label.field", h("span", t("Reason, for other support agents")), reason), failed,
			h("div.row", button("quiet", t("Cancel"), close), ok));

		/** Shows the links as they are now. */
		function restart(failure) {
			refill(at);
			refill(notice, refused(failure));
			notice.focus();
			read();
		}

		async function preview() {
			refill(result, skeleton(7));
			const [[outcome, failure], [now]] = await Promise.all([
				send(method, `${path}?preview=true`, {id, body: body && {...body, reason: "Preview"}, headers: {...headers(), "idempotency-key": newKey()}}), send("GET", "", {id})]);
			if (!controls.isConnected) return;
			if (failure && isStale(failure)) return restart(failure);
			refill(result, failure ? refused(failure, preview) : guard(() => h("div", comparison(now ?? current, outcome))));
			isReady = !failure && listed(outcome?.changes?.links).length > 0;
			check();
			if (isReady) say(t("The preview is ready."));
		}

		async function make(event) {
			event.preventDefault();
			if (ok.disabled || controls.disabled) return;
			controls.disabled = true;
			const [outcome, failure] = await send(method, path, {id, body: body && {...body, reason: reason.value.trim()}, headers: headers()});
			if (!failure) return finish(title, outcome, id ?? document.id, body);
			if (isStale(failure)) return restart(failure);
			controls.disabled = false;
			refill(failed, refused(failure));
			ok.focus();
		}

		refill(at, h("form", {onsubmit: make}, controls));
		(body ? reason : controls.querySelector("button")).focus();
		preview();
	}

	/**
	 * Shows the changed profile under `id`, the identity that was on screen: the profile's own ID can be that of a linked identity. "Undo" withdraws
	 * the new decisions, on condition that they are as the change left them.
	 */
	function finish(title, {profile, changes: {links}}, id, canUndo) {
		const steps = links.map(link => ({...link, key: newKey()}));
		const result = h("div");
		const undo = canUndo && steps.length > 0 && button("quiet", t("Undo"), async () => {
			undo.disabled = true;
			let failure = await readTags(id, steps);
			let undone;
			for (const step of failure ? [] : steps.filter(({isDone}) => !isDone)) {
				let outcome;
				[outcome, failure] = await send("DELETE", `/links/${step.id}`, {id, headers: {"idempotency-key": step.key, "if-match": step.etag}});
				if (failure) break;
				step.isDone = true;
				undone = outcome.profile;
			}
			if (!failure) return changed({...undone, id}, h("p.banner.done", {tabindex: -1}, icon("person"), h("span", t("Undone:"), " ", title())));
			undo.disabled = false;
			refill(result, refused(failure));
		});
		if (undo) readTags(id, steps);
		changed({...profile, id}, h("div.banner.done", {tabindex: -1}, icon("person"), h("span", t("Done:"), " ", title()), undo, result));
	}

	/** Reads the entity tags of links. Returns the failure, if there is one. */
	async function readTags(id, steps) {
		const isOf = ({id, after}) => link => link.id === id && link.live === (after === "linked");
		for (let cursor, isFirst = true; steps.some(({etag}) => !etag); isFirst = false) {
			if (!isFirst && !cursor) return {status: 412};
			const [page, failure] = await send("GET", `/links?${query(cursor)}`, {id});
			if (failure) return failure;
			for (const step of steps) step.etag ??= page.items.find(isOf(step))?.etag;
			cursor = page.next;
		}
	}

	const by = ({by, source}) => (by ? t("by {name}", {name: said(by.name ?? by.subject)}) : t("by a file of {source}", {source: said(source)}));
	const evidence = ({reason, at, import: row}) => h("p.fine", joined([reason && h("span", "“", said(reason), "”"), time(at), row && (pick(row, "file") ?? t("File not available any more"))]));

	/** The button that withdraws a support agent's decision. */
	function withdrawal({id, source, etag}, title, at) {
		return source === AGENTS && button("quiet", t("Withdraw"), ({currentTarget}) =>
			propose(at, {method: "DELETE", path: `/links/${id}`, etag, title, action: t("Withdraw")}, currentTarget), {"aria-label": spoken(title())});
	}

	function identity(entry, live, way = []) {
		const {id, type, system_name: system, shared} = entry;
		const all = listed(current.identities);
		const other = ({identities: [one, two]}) => (one.id === id ? two : one);
		// Usually, one file links an identity with several others.
		const own = Map.groupBy(live.filter(({identities}) => identities.some(end => end.id === id)), link => (link.source === AGENTS ? link.id : JSON.stringify([link.source, link.at, link.import?.file])));
		const reason = group => {
			const [link] = group;
			const at = place(`${id} ${link.id}`);
			const names = h("span", joined(group.map(link => named(other(link))), ", "));
			return h("li", h("div.row.between", h("div", t("Linked with {name}", {name: names}), " ", by(link), evidence(link)),
				withdrawal(link, () => t("Withdraw the link of {one} and {other}", {one: named(entry), other: named(other(link))}), at)), at);
		};
		const title = () => t("Separate {name} from this customer", {name: named(entry)});
		// The profile that is shown afterwards is that of the identities that stay.
		const change = {method: "DELETE", path: `/identities/${id}`, id: id === document.id ? all.find(other => other.id !== id)?.id : document.id, body: {}, title, action: t("Separate")};
		return h("li.card", h("div.row.between", h("div", fine(words(type) ?? t("Identifier"), system && [" · ", said(system)]), h("strong", named(entry)),
			shared && h("p", h("span.pill.bad", t("Shared")), " ", fine(t("Linked to too many customers; not followed")))),
		all.length > 1 && button("quiet", t("Separate"), ({currentTarget}) => propose(place(id), change, currentTarget), {"aria-label": spoken(title())})), place(id),
		own.size ? h("ul.reasons", [...own.values()].map(reason)) : all.length > 1 && h("p.fine", next ? t("Its links are not loaded yet.") : t("No link is known.")),
		way.length > 1 && h("p.fine", t("Connected through {names}", {names: h("span", joined(way.slice(1).map(id => named(all.find(other => other.id === id) ?? {})), ", "))})));
	}

	function separated(link) {
		const [one, other] = link.identities;
		const sources = links.filter(({source, live, identities: [a, b]}) => source !== AGENTS && live && a.id === one.id && b.id === other.id).map(({source}) => source);
		const title = () => t("Withdraw the separation of {one} and {other}", {one: named(one), other: named(other)});
		return h("li.card", h("div.row.between", h("div", h("strong", t("{one} and {other}", {one: named(one), other: named(other)})), h("div", t("Separated"), " ", by(link)), evidence(link),
			sources.length > 0 && h("p.fine", t("Files of {sources} link the two. The separation has precedence.", {sources: h("span", joined(sources, ", "))}))), withdrawal(link, title, place(link.id))), place(link.id));
	}

	function match({id, name, identities, matched_by: reasons}) {
		const kinds = [...new Set(listed(reasons).map(({kind}) => kind))];
		const text = kinds.map(kind => (kind === "name" ? t("Name and postcode match") : t("{kind} matches", {kind: String(words(kind))})));
		const who = () => (name ? said(name) : named(listed(identities)[0] ?? {}));
		const title = () => t("Link {name} with this customer", {name: who()});
		return h("li.card", h("div.row.between", h("div", h("strong", who()), h("p.fine", joined(text)), h("p.fine", joined(listed(identities).map(({value}) => value)))),
			h("div.row", button("link", t("Open profile"), () => openProfile(id), {"aria-label": spoken(t("Open profile of {name}", {name: who()}))}),
				button("quiet", t("Link"), ({currentTarget}) => link(place(id), {identity: id}, title, currentTarget), {"aria-label": spoken(title())}))), place(id));
	}

	const link = (at, body, title, opener) => propose(at, {method: "POST", path: "/links", body, title, action: t("Link")}, opener);

	/** Links an identifier that the customer has told. */
	function another() {
		const at = place("another");
		const open = event => {
			event.preventDefault();
			const text = input.value.trim();
			const body = /^[a-z2-7]{26}$/.test(text) ? {identity: text} : {identifier: text.includes("@") ? {email: text} : {mobile: text}};
			refill(at);
			if (text) link(at, body, () => t("Link {name} with this customer", {name: said(text)}), input);
		};
		const input = h("input", {maxlength: MAX_IDENTIFIER, spellcheck: "false", autocapitalize: "off", autocomplete: "off"});
		return h("div", h("form.row.another", {onsubmit: open}, h("label.field", h("span", t("Email, phone with country code, or profile ID")), input), h("button.quiet", {type: "submit"}, t("Preview"))), at);
	}

	function draw() {
		const live = links.filter(({live, counts}) => live && counts);
		const found = ways(document.id, live);
		const decisions = links.filter(({source, live}) => source === AGENTS && !live);
		refill(list, listed(current.identities).map(entry => guard(() => identity(entry, live, found.get(entry.id)))));
		refill(apart, decisions.length > 0 && card(t("Separated"), h("ul.identities", decisions.map(link => guard(() => separated(link))))));
		refill(more, next && button("quiet", t("More links"), () => readLinks(next), {"data-key": "more"}), isPartial && h("p.hint", t("This customer has more links than can be read. Some are missing here.")));
	}

	function render() {
		const broken = guard(draw);
		if (broken) refill(list, broken);
	}

	async function readLinks(cursor) {
		const [page, failure] = await send("GET", `/links?${query(cursor)}`);
		if (failure) return cursor ? refill(more, failureBox(failure, () => readLinks(cursor))) : refill(list, h("li", failureBox(failure, () => readLinks())));
		links = [...(cursor ? links : []), ...listed(page.items)];
		next = page.next;
		isPartial = page.partial || (cursor && isPartial);
		render();
	}

	async function readMatches() {
		const [profile, failure] = await send("GET", "?include=matches");
		if (failure) return refill(matches, failureBox(failure, readMatches));
		const ids = profile => JSON.stringify(listed(profile.identities).map(({id}) => id));
		if (profile.identities && ids(profile) !== ids(current)) {
			current = {...document, identities: profile.identities};
			render();
		}
		const found = listed(profile.matches?.items);
		refill(matches, found.length ? h("ul.identities", found.map(each => guard(() => match(each)))) : empty("search", t("No other profiles found"), t("Profiles with the same email, phone, or name and postcode appear here.")),
			profile.matches?.partial && h("p.fine", t("There may be more.")));
	}

	function read() {
		refill(list, h("li", skeleton(3)));
		readLinks();
		readMatches();
	}

	read();
	refill(matches, skeleton(2));
	return h("div.stack", notice, card(t("Identities"), list, more), apart, card(t("Possibly the same customer"), matches), card(t("Link another identity"), another()));
}
