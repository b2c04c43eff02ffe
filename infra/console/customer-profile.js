/** The element `<customer-profile>`. It stores nothing in the browser and writes all data as text, never as markup. */

import {attributesPanel} from "./tab/attributes.js";
import {Client} from "./tab/client.js";
import {usableLocale} from "./tab/format.js";
import {historyPanel} from "./tab/history.js";
import {notesSection} from "./tab/notes.js";
import {head, summaryPanel} from "./tab/summary.js";
import {createView, icon, listed, refill} from "./tab/view.js";

/** The tab Identities. Its module is loaded when the tab is first opened. */
function identities(view, ...rest) {
	const place = view.h("div", view.skeleton(6));
	// Browsers remember that an address could not be imported.
	let again = "";
	const load = () => import(`./tab/identities.js${again}`).then(({identitiesPanel}) => view.guard(() => identitiesPanel(view, ...rest)), () => {
		again += "?";
		return view.failureBox({status: 0}, load);
	}).then(panel => place.replaceChildren(panel));
	load();
	return place;
}

const PANELS = {Summary: summaryPanel, Attributes: attributesPanel, History: historyPanel, Identities: identities};

const make = (tag, more) => Object.assign(document.createElement(tag), more);

/** A failure never removes what is already shown. */
class CustomerProfile extends HTMLElement {
	static observedAttributes = ["api", "profile", "lookup"];

	/** The bearer token, or a function that returns it. No attribute and no address contains it. */
	token;
	#client = new Client(() => ({api: this.getAttribute("api"), token: this.token}));
	#labels = {};
	#lookup;
	#opened;
	#asked = new AbortController();
	#root = make("article", {className: "root", hidden: true});
	#status = make("p", {className: "sr", role: "status"});
	#banner = make("div", {role: "status"});
	#notice;
	#view;
	#shown;
	#drafts = [];
	#current;
	#tab;
	#failed = false;

	constructor() {
		super();
		const style = make("link", {rel: "stylesheet", href: new URL("customer-profile.css", import.meta.url)});
		style.onload = style.onerror = () => { this.#root.hidden = false; };
		this.attachShadow({mode: "open"}).append(style, this.#root, this.#status);
	}

	set lookup(identifier) {
		this.#lookup = identifier;
		this.#opened = undefined;
		this.refresh();
	}

	/** Texts by the English text, as in `labels/de.js`. Missing ones stay in English. */
	set labels(labels) {
		this.#labels = labels ?? {};
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
		this.#opened = undefined;
		if (name === "lookup") {
			this.#lookup = undefined;
			if (value) this.#lookup = JSON.parse(value);
		}
		this.refresh();
	}

	/** Reads the profile again, once for several calls in one task. */
	refresh() {
		this.#asked.abort();
		const {signal} = this.#asked = new AbortController();
		queueMicrotask(() => !signal.aborted && this.isConnected && this.#load(signal));
	}

	/** Moves the focus to the field for a new note. */
	writeNote() {
		this.#root.querySelector(".notes > .composer > textarea")?.focus();
	}

	#createView(zone) {
		const locale = usableLocale(this.closest("[lang]")?.lang, navigator.language);
		this.#view = createView({locale, labels: this.#labels, zone, report: error => {
			console.error(error);
			this.#tell("profile-error", {error});
		}});
		this.#root.ariaLabel = this.#view.t("Customer profile");
		return this.#view;
	}

	async #load(signal) {
		const profile = this.#opened ?? this.getAttribute("profile");
		const wanted = profile ?? (this.#lookup && JSON.stringify(this.#lookup));
		const again = wanted && wanted === this.#shown;
		const {t, h, empty, skeleton, failureBox} = again ? this.#view : this.#createView("UTC");
		this.#root.ariaBusy = !!wanted;
		if (!again) {
			this.#shown = this.#tab = this.#current = this.#notice = undefined;
			if (!wanted) return this.#root.replaceChildren(empty("person", t("No customer selected"), t("Look up a customer to see the profile.")));
			this.#root.replaceChildren(h("header.card.head", h("span.avatar"), skeleton(2)),
				h("div.body", h("section.card.notes", skeleton(4)), h("section.card", skeleton(12))));
		}
		const [document, failure] = await (profile ? this.#client.send("GET", `/profiles/${encodeURIComponent(profile)}`, {signal})
			: this.#client.send("POST", "/profiles/lookup", {body: this.#lookup, signal}));
		if (signal.aborted) return;
		this.#root.ariaBusy = false;
		this.#failed = failure?.status === 0;
		if (document) {
			this.#show(document, wanted);
		} else {
			const box = failureBox(failure, () => this.refresh());
			if (again) this.#banner.replaceChildren(box);
			else this.#root.replaceChildren(h("section.card", box));
			this.#tell("profile-failed", failure);
		}
	}

	#tell(type, detail) {
		this.dispatchEvent(new CustomEvent(type, {bubbles: true, composed: true, detail}));
	}

	#connection = () => {
		if (navigator.onLine && this.#failed) this.refresh();
		const {t, h} = this.#view ?? this.#createView("UTC");
		refill(this.#banner, !navigator.onLine && h("p.banner", icon("alert"), t("You are offline. You can read this profile, but changes are not saved.")));
	};

	#show(document, wanted) {
		const view = this.#createView(document.summary?.time_zone);
		const {t, h, guard} = view;
		// Drafts stay when another profile is read, and when a link changes the profile's ID.
		const ids = [document.id, ...listed(document.identities).map(({id}) => id)];
		const drafts = this.#current ??= this.#drafts.find(each => each.ids.some(id => ids.includes(id))) ?? {};
		drafts.ids = ids;
		this.#drafts = [...new Set([drafts, ...this.#drafts])];
		const data = { say: text => { this.#status.textContent = text; }, send: async (method, path, {id = document.id, ...options} = {}) => {
			const [response, failure] = await this.#client.send(method, `/profiles/${id}${path}`, options);
			if (failure && this.#current === drafts) this.#tell("profile-failed", failure);
			return [response, failure];
		}, openProfile: id => {
			this.#opened = id;
			this.refresh();
		}, changed: (profile, notice) => {
			// Another customer may have been opened meanwhile.
			if (this.#current !== drafts) return;
			this.#asked.abort();
			this.#root.ariaBusy = false;
			this.#notice = notice;
			this.#show(profile, this.#opened = profile.id);
			notice.focus();
		} };
		const notes = guard(() => notesSection(view, data, document.notes, drafts));
		const names = Object.keys(PANELS);
		const tabs = names.map((name, at) => h("button", {role: "tab", id: name, "aria-controls": "panel", onclick: () => open(name), onkeydown: event => {
			const step = {ArrowRight: 1, ArrowLeft: -1}[event.key] * (this.matches(":dir(rtl)") ? -1 : 1);
			const to = {Home: 0, End: -1}[event.key] ?? (at + step) % names.length;
			if (Number.isNaN(to)) return;
			event.preventDefault();
			open(names.at(to), true);
		} }, t(name)));
		const panels = {};
		const panel = h("div.panel", {role: "tabpanel", id: "panel", tabindex: 0});
		const open = (name, focus) => {
			for (const tab of tabs) {
				const isOpen = tab.id === name;
				tab.ariaSelected = isOpen;
				tab.tabIndex = isOpen ? 0 : -1;
				if (focus && isOpen) tab.focus();
			}
			this.#tab = name;
			panel.setAttribute("aria-labelledby", name);
			panel.replaceChildren(panels[name] ??= guard(() => PANELS[name](view, data, document, name => open(name, true))));
		};
		refill(this.#root, this.#banner, this.#notice, document.partial && h("p.banner", icon("alert"), t("This profile is incomplete because it is too large or links were left out. Figures may be wrong.")), guard(() => head(view, document)),
			h("div.body", notes, h("div.main", h("div.tabs", {role: "tablist", "aria-label": t("Customer profile")}, tabs), panel)));
		open(this.#tab ?? "Summary");
		this.#connection();
		this.#shown = wanted;
		this.#tell("profile-loaded", {id: document.id});
	}
}

customElements.define("customer-profile", CustomerProfile);
