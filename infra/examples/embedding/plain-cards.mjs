/**
 * A profile as components of a Plain customer card.
 *
 * Plain shows no page of yours: it asks an endpoint for cards, and draws them. A card has no scripts, no images and no notes
 * field, so this one shows the figures that fit, and links to the Profile tab for the rest.
 */

/** The longest label of a badge or button, and the longest text, in characters. */
const LABEL = 500;
const TEXT = 5000;
const HIDDEN = "Hidden";

const isRedacted = (value) => value?.redacted === true;
const cut = (value, length) => ((line) => (line.length > length ? `${line.slice(0, length - 1)}…` : line))(String(value));
const shown = (value) => (isRedacted(value) ? HIDDEN : value);

const text = (value, textSize = "M", textColor = "NORMAL") => ({ componentText: { text: cut(value, TEXT), textSize, textColor } });
const badge = (value, badgeColor = "GREY") => ({ componentBadge: { badgeLabel: cut(value, LABEL), badgeColor } });
const link = (label, url) => ({ componentLinkButton: { linkButtonLabel: cut(label, LABEL), linkButtonUrl: url } });
const row = (label, ...aside) => ({ componentRow: { rowMainContent: [text(label, "M", "MUTED")], rowAsideContent: aside } });
const DIVIDER = { componentDivider: { dividerSpacingSize: "M" } };

const isPresent = (value) => value !== undefined && value !== null && value !== "";
/** The date of a time, such as `2026-08-31`. */
const day = (time) => String(time).slice(0, 10);
/** Amounts keep the digits that the API sent: `USD 4329.78`. */
const money = (amounts) => amounts.map(({ currency, amount }) => `${currency} ${amount}`).join(", ");

function isWebAddress(value) {
  try {
    return ["http:", "https:"].includes(new URL(value).protocol);
  } catch {
    return false;
  }
}

function subscription(label, { status } = {}) {
  if (!isPresent(status)) return [];
  const colors = { subscribed: "GREEN", unsubscribed: "RED" };
  return [row(label, badge(status, colors[status]))];
}

function figures(summary) {
  return [
    ...(isPresent(summary.orders) ? [row("Orders", text(summary.orders))] : []),
    ...(summary.total_spend?.length ? [row("Total spend", text(money(summary.total_spend)))] : []),
    ...(isPresent(summary.last_order_at) ? [row("Last order", text(day(summary.last_order_at)))] : []),
    ...subscription("Email", summary.email),
    ...subscription("Text messages", summary.sms),
  ];
}

/** Open orders, newest first, with a link to each parcel. */
function openOrders(orders = []) {
  return orders.flatMap((order) => {
    const purchase = order.purchase ?? {};
    const number = shown(purchase.order_number) ?? day(order.at);
    const status = shown(purchase.status);
    const parcels = (purchase.fulfillments ?? []).map(({ tracking_url: url }) => url).filter(isWebAddress);
    return [DIVIDER, row(`Order ${number}`, isPresent(status) ? badge(status, "BLUE") : text(day(order.at))), ...parcels.map((url) => link("Track parcel", url))];
  });
}

function topProducts(products = []) {
  const names = products.map(({ product, id }) => shown(product?.name) ?? shown(id)).filter(isPresent).slice(0, 3);
  return names.length ? [DIVIDER, text("Buys most", "S", "MUTED"), ...names.map((name) => text(name))] : [];
}

/** Pinned notes, at most 3. */
function notes(items = []) {
  const pinned = items.filter(({ pinned: isPinned }) => isPinned).slice(0, 3).map((note) => shown(note.text)).filter(isPresent);
  return pinned.length ? [DIVIDER, text("Notes", "S", "MUTED"), ...pinned.map((note) => text(note))] : [];
}

/**
 * The components of a profile, which `GET /profiles/{id}` and `POST /profiles/lookup` return. `tabUrl` makes the address of a page
 * with the Profile tab from a profile's ID. The ID contains no personal data, so it may be in an address.
 */
export function toPlainComponents(profile, { tabUrl } = {}) {
  const summary = profile.summary ?? {};
  const segments = (summary.segments ?? []).slice(0, 5);
  return [
    text(shown(profile.name) ?? "No name", "L"),
    ...(isPresent(summary.relationship) ? [row("Relationship", badge(summary.relationship, "BLUE"))] : []),
    ...(segments.length ? [row("Segments", ...segments.map((segment) => badge(segment)))] : []),
    ...figures(summary),
    ...openOrders(summary.open_orders),
    ...topProducts(summary.top_products),
    ...notes(profile.notes?.items),
    ...(tabUrl ? [DIVIDER, link("Open profile", tabUrl(profile.id))] : []),
  ];
}

/** The response body for Plain: one card for each key that it asks for. Without a profile, a card has no components and is not shown. */
export function toPlainCards({ cardKeys }, profile, { timeToLiveSeconds = 60, ...options } = {}) {
  const components = profile ? toPlainComponents(profile, options) : null;
  return { cards: cardKeys.map((key) => ({ key, timeToLiveSeconds, components })) };
}
