import {icon, isHidden, listed, pick} from "./view.js";
import {sum} from "./format.js";
import {plain} from "./text.js";

const STEPS = {send: "Sent", open: "Opened", click: "Clicked", bounce: "Bounced"};

/** Creates the functions that draw events. */
export function eventCards(view, send) {
	const {t, words, translates, h, said, written, joined, fine, button, pill, time, link, picture, failureBox, format} = view;
	const money = (currency, amount) => amount !== undefined && format.money({currency, amount});

	function line({product, product_reference: reference, name, size, color, variant, variant_title: title, quantity, price_paid: paid, full_price: full, discount}, currency) {
		const count = quantity === undefined ? undefined : t("Quantity {count}", {count: Math.abs(quantity)});
		return h("li", picture(product?.image),
			h("div", link(pick(product, "name") ?? pick({name}, "name") ?? t("Product {id}", {id: pick(reference, "id") ?? t("unknown")}), product?.url),
				h("p.fine", joined([pick(product, "brand"), size, color, variant ?? title, count]))),
			h("span.amount", money(currency, paid), Number(discount) > 0 && full !== undefined && h("s.fine", h("span.sr", t("instead of"), " "), money(currency, full))));
	}

	function parcel(data) {
		const {tracking_url: url, shipped_at: shipped, delivered_at: delivered} = data;
		const number = pick(data, "tracking_number");
		return h("p.parcel", icon("parcel"), h("span.fine", joined([words(pick(data, "status")), pick(data, "carrier"), (url || number) && link(number ?? t("Tracking"), url),
			delivered ? h("span", t("Delivered {time}", {time: time(delivered)})) : shipped && h("span", t("Shipped {time}", {time: time(shipped)}))])));
	}

	/** An order, a return or a general event. `lines` limits the products that are shown. */
	function single([{id, at, type, title, channel, [type]: data = {}}], lines = Infinity) {
		const {products, properties = data.custom_fields, image, currency} = data;
		const total = sum(products);
		const shown = listed(products);
		const about = [time(at), words(channel), pick(data.store, "name"), ...listed(data.payment_types).map(payment => h("span", words(pick(payment, "name")), " ", money(currency, payment.total)))];
		const number = said(pick(data, "order_number", "purchase_id", "return_id") ?? "");
		const subject = type === "event" ? link(words(title), data.url) : type === "return" ? t("Return {number}", {number}) : t("Order {number}", {number});
		const facts = isHidden(properties) ? properties : Object.entries(properties ?? {}).map(([name, value]) => h("span", said(words(name)), " ", written(value)));
		return [h("div.card-head", {"data-event": id}, icon(type), h("div", h("strong", subject), h("p.fine", joined(about))),
			pill(pick(data, "status")), total && h("strong.amount", money(currency, total)), image && picture(image)),
		listed(data.fulfillments).map(parcel),
		h("ul.lines", shown.slice(0, lines).map(part => line(part, currency))),
		shown.length > lines && h("p.fine", t("{count} more item", "{count} more items", {count: shown.length - lines})),
		h("p.fine.lasts", facts, listed(data.adjustments).map(({reason, price_adjustment: amount}) => h("span", said(words(reason) ?? t("Adjustment")), " ", money(currency, amount))))];
	}

	function conversation(items) {
		const [{channel, account, message}] = items;
		const other = pick(account, "name", "id");
		const bubble = item => {
			const {author, attachments} = item.message ?? {};
			const out = item.direction === "outbound";
			return h(`li.${out ? "out" : "in"}`, {"data-event": item.id},
				fine(said(pick(author, "name", "handle") ?? (out ? t("Agent") : t("Customer"))), h("span.sr", " ", out ? t("to the customer") : t("from the customer")), " · ", time(item.at)),
				h("div.say", body(item), [attachments ?? []].flat().map(file => h("p", link(pick(file, "name", "type") ?? t("Attachment"), file?.url)))));
		};
		return [h("div.card-head", icon("message"), h("div", h("strong", words(channel ?? "message")), other && h("p.fine", t("with {name}", {name: said(other)}))),
			pill(pick(message, "state"))), h("ol.bubbles", items.toReversed().map(bubble))];
	}

	function mail(items) {
		const [{type}] = items;
		const isEmail = type.startsWith("email");
		const sent = items.find(item => item.type.endsWith("_send"));
		const {subject, body: text} = sent?.[sent.type] ?? {};
		const list = items.map(item => pick(item[item.type]?.list, "name")).find(Boolean);
		const step = ({id, at, type, [type]: data}) => {
			const {status, clicked_link: clicked} = data ?? {};
			const [, what] = type.split("_");
			return h("li", {"data-event": id}, h(`span.pill.${what}`, STEPS[what] ? t(STEPS[what]) : words(status)), " ",
				clicked && [link(pick(clicked, "name", "url") ?? t("link"), clicked.url), " "], time(at));
		};
		return [icon(isEmail ? "email" : "sms"), h("div", h("strong", said(subject ?? titleOf(items[0]))), list && fine(said(list)), h("ol.steps.fine", items.toReversed().map(step)),
			text && (isEmail && !isHidden(text) ? h("details", h("summary", t("Show email")), body(sent, plain)) : body(sent)))];
	}

	function body(item, convert = String) {
		const {body, body_bytes: bytes} = item[item.type] ?? {};
		const text = body => said(isHidden(body) ? body : convert(String(body)), "p.text");
		const place = body && h("div", text(body), bytes && !isHidden(body) && button("link", t("Show full text"), async () => {
			const [whole, failure] = await send("GET", `/history/${item.id}`);
			if (failure) place.append(failureBox(failure));
			else place.replaceChildren(text(whole[whole.type].body));
		}));
		return place;
	}

	/** The API's title of an event; or, if the labels translate the type, one in their language. */
	function titleOf({type, title, [type]: data}) {
		const total = sum(data?.products);
		return translates(type) ? joined([words(type), total ? money(data.currency, total) : pick(data, "subject", "title", "status")]) : title;
	}

	return {single, conversation, mail, titleOf};
}
