/** Random profiles for the fuzz test. The functions run in the browser. */

/**
 * Creates generators of random profiles, links and outcomes of changes from a seed. They have the shape of the contract with hostile values. If `anyType` is set, values
 * also have types that the contract excludes.
 */
export function profiles(seed, anyType) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (to) => Math.floor(random() * to);
  const of = (list) => list[int(list.length)];
  const chance = (probability) => random() < probability;
  const some = (make, most = 4) => Array.from({ length: int(most) }, make);
  const redacted = { redacted: true };
  const HOSTILE = [null, "", " ", "0", "-1", "NaN", "undefined", "[object Object]", "javascript:alert(1)", "<img src=x onerror=alert(1)>", "a".repeat(3000), "مرحبا", "👩‍👩‍👧 \ud83d",
    "\u0000\u0007", "10000-01-01T00:00:00Z", "+275761-01-01T00:00:00Z", "2026-13-45", "0000-00-00", "20260814", "{count}", "__proto__", "constructor", "toString", "https://user:pass@a.example/x", "//cdn.example/x", "\n\n\n", "&amp;&#0;&#xffffff;",
    0, -0, -1, 1e308, -1e-308, 0.1, 9007199254740993, true, false, [], {}, [[]], [null], { a: { b: [1] } }, redacted];
  const wrong = (make) => () => (anyType && chance(0.08) ? of(HOSTILE) : make());
  const text = wrong(() => (chance(0.3) ? String(of(HOSTILE)) : of(["Jane Doe", "crm", "Rib Crew Knit", "vip", "email_opted_in", "Facebook", "O'Neill & Söhne"])));
  const personal = wrong(() => (chance(0.15) ? redacted : text()));
  const time = wrong(() => (chance(0.1) ? of(["9999-12-31T23:59:59.999999Z", "1971-01-01T00:00:00Z", "2026-03-06T12:26:47.123456Z"]) : new Date(1.6e12 + int(2e11)).toISOString()));
  const amount = wrong(() => of(["0", "-0.00", "0.0000005", "31.90", "-79.95", "9999999999999999999999999999", "0.123456789", "1234567.8"]));
  const currency = wrong(() => of(["USD", "EUR", "JPY", "KWD", "XXX", "ZZZ", "BTC"]));
  const quantity = wrong(() => of([0, 1, -1, 2.5, 1000000, 0.001]));
  const url = wrong(() => (chance(0.5) ? of(["https://a.invalid/x.jpg", "http://a.invalid"]) : String(of(HOSTILE))));
  const count = wrong(() => of([0, 1, 2, 1234567]));
  const rate = wrong(() => of([0, 1, 0.3333, null]));
  const maybe = (name, make) => (chance(0.6) ? { [name]: make() } : {});
  const list = (make, most) => wrong(() => some(make, most))();
  const map = (make) => wrong(() => Object.fromEntries(some(() => [String(text()), make()])))();
  const product = wrong(() => ({ ...maybe("name", text), ...maybe("brand", text), ...maybe("url", url), ...maybe("image", url) }));
  const line = wrong(() => ({ price_paid: amount(), quantity: quantity(), ...maybe("product_reference", () => (chance(0.2) ? redacted : { id: text(), id_type: text() })), ...maybe("full_price", amount), ...maybe("discount", amount),
    ...maybe("name", personal), ...maybe("size", personal), ...maybe("color", personal), ...maybe("variant", text), ...maybe("product", product) }));
  const parcel = wrong(() => ({ ...maybe("status", personal), ...maybe("carrier", personal), ...maybe("tracking_number", personal), ...maybe("tracking_url", personal), ...maybe("shipped_at", time), ...maybe("delivered_at", time) }));
  const order = (id) => ({ [id]: personal(), currency: currency(), products: list(line), ...maybe("order_number", personal), ...maybe("status", personal), ...maybe("fulfillments", () => list(parcel)),
    ...maybe("payment_types", () => list(() => ({ name: personal(), total: amount() }))), ...maybe("adjustments", () => list(() => ({ price_adjustment: amount(), ...maybe("reason", personal) }))), ...maybe("store", () => ({ name: personal() })) });
  const mail = () => ({ email_id: personal(), sms_id: personal(), ...maybe("subject", personal), ...maybe("body", personal), ...maybe("body_bytes", () => 5000), ...maybe("list", () => (chance(0.2) ? redacted : { id: text(), name: text() })),
    ...maybe("status", text), ...maybe("clicked_link", () => (chance(0.2) ? redacted : { name: text(), url: url() })) });
  const DATA = { purchase: () => order("purchase_id"), return: () => order("return_id"), message: () => ({ message_id: personal(), ...maybe("conversation_id", personal), ...maybe("author", () => (chance(0.2) ? redacted : { name: text(), handle: text() })),
    ...maybe("body", personal), ...maybe("state", personal), ...maybe("attachments", () => (chance(0.2) ? redacted : list(() => ({ name: text(), url: url(), type: text() })))) }),
  event: () => ({ event_id: personal(), ...maybe("name", personal), ...maybe("title", personal), ...maybe("url", personal), ...maybe("image", personal), ...maybe("properties", () => (chance(0.2) ? redacted : map(() => of(HOSTILE)))) }) };
  const TYPES = ["purchase", "return", "email_send", "email_open", "email_click", "email_bounce", "email_subscribe", "sms_send", "sms_click", "sms_subscribe", "message", "event"];
  const event = (type = of(TYPES)) => ({ id: `id.${int(1e9)}`, type, at: time(), title: text(), identity: "id", ...maybe("channel", text), ...maybe("direction", () => of(["inbound", "outbound"])),
    ...maybe("account", () => (chance(0.2) ? redacted : { id: text(), name: text() })), [type]: (DATA[type] ?? mail)() });
  const value = () => of(HOSTILE);
  const attribute = () => ({ name: String(text()), value: value(), type: of(["flag", "number", "date", "string", "text"]), source: text(), as_of: chance(0.1) ? null : time(), ...maybe("confidence", () => random() * 2),
    ...maybe("also", () => list(() => ({ value: value(), source: text(), as_of: time() }))) });
  const engagement = () => ({ status: chance(0.3) ? null : text(), lists: list(() => ({ source: chance(0.1) ? null : text(), ...maybe("id", personal), ...maybe("name", personal), status: text(), at: time() })), sent: count(), opened: count(), clicked: count(), bounced: count(),
    open_rate: rate(), click_rate: rate(), last_sent_at: chance(0.5) ? null : time(), last_opened_at: null, last_clicked_at: chance(0.5) ? null : time(), last_bounced_at: null, engagement: "none" });
  const money = wrong(() => ({ currency: currency(), amount: amount() }));
  const month = wrong(() => `${of(["1999", "2025", "2026", "9999"])}-${of(["01", "07", "12"])}`);
  const known = (identity) => ({ id: identity?.id, type: identity?.type, value: identity?.value, ...maybe("system_name", personal) });
  /** A page of links between identities of a profile, and to others. */
  const linkPage = ({ identities }) => {
    const end = () => known(Array.isArray(identities) && identities.length && chance(0.7) ? of(identities) : { id: `o${int(9)}`, type: text(), value: personal() });
    const link = wrong(() => ({ id: `l.${int(1e9)}`, identities: [end(), end()], source: of(["agents", "crm", String(text())]), live: chance(0.7), counts: chance(0.7), by: chance(0.5) ? null : { subject: text(), ...maybe("name", text) },
      reason: chance(0.5) ? null : personal(), at: chance(0.2) ? null : time(), ...maybe("import", () => ({ import: text(), file: chance(0.3) ? null : personal(), offset: count(), last_modified: time() })), etag: '"x"' }));
    return { items: list(link, 12), next: chance(0.2) ? "c" : null, ...maybe("partial", () => true) };
  };
  const candidate = wrong(() => ({ id: `m.${int(1e9)}`, name: chance(0.2) ? null : personal(), identities: list(() => ({ id: text(), type: text(), value: personal(), shared: false })), relationship: of(["customer", "prospect", null]), last_order_at: chance(0.3) ? null : time(),
    matched_by: list(() => ({ kind: of(["email", "mobile", "name", text()]), found_in: "record", identity: text() })) }));
  const profile = () => ({
    id: "h3xq7k2mzr5wnbv4jd6tpycafa", as_of: time(), name: chance(0.2) ? null : personal(), identities: list(() => ({ id: text(), type: chance(0.2) ? null : text(), value: chance(0.2) ? null : personal(), ...maybe("system_name", personal), shared: chance(0.2) })), partial: chance(0.1),
    summary: { relationship: of(["customer", "prospect"]), orders: count(), items: count(), returns: count(), total_spend: list(money), average_order_value: list(money), first_order_at: chance(0.3) ? null : time(), last_order_at: chance(0.3) ? null : time(),
      last_event_at: chance(0.3) ? null : time(), channels: list(personal), accounts: list(() => ({ channel: text(), id: text(), ...maybe("name", text) })), spend_by_month: list(() => ({ month: month(), currency: currency(), amount: amount() }), 30),
      time_zone: of(["UTC", "Australia/Sydney", "Not/AZone", ""]), email: engagement(), sms: engagement(), top_products: list(() => ({ id_type: "sku", id: personal(), quantity: amount(), ...maybe("product", product) })),
      top_categories: list(() => ({ name: text(), quantity: amount() })), top_brands: list(() => ({ name: text(), quantity: amount() })), segments: list(text), open_orders: list(() => event("purchase")), as_of: chance(0.1) ? null : time() },
    attributes: Object.fromEntries(some(() => [String(of(["interests", "contact", "figures", "custom", text()])), list(attribute, 8)], 6)), ...maybe("attributes_as_of", time), ...maybe("attributes_redacted", () => 3),
    notes: { as_of: chance(0.3) ? null : time(), items: some(() => ({ id: `n.${int(1e9)}`, text: personal(), pinned: chance(0.3), author: text(), ...maybe("author_name", text), created_at: time(), updated_at: time(), ...maybe("updated_by", text), etag: '"x"' })), next: null },
    history: { as_of: chance(0.2) ? null : time(), items: some(() => event(), 12), next: null },
  });
  /** What the API returns to a preview or a change. */
  const outcome = wrong(() => {
    const after = profile();
    const ids = () => some(() => String(text()));
    return { profile: after, changes: { links: some(() => ({ id: `l.${int(1e9)}`, before: null, after: "linked" })), identities: { added: ids(), removed: ids() } } };
  });
  const matches = () => ({ items: list(candidate), partial: chance(0.2) });
  return { profile, linkPage, matches, outcome };
}
