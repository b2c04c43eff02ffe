//! Redaction for principals without `pii:read`. In: the data of an item, as files contain it. Out: the data that the tables below
//! make visible.
//!
//! The tables list visible fields, not hidden ones, so a new field is hidden by default. Visible are enumerations, known numbers
//! and times, and products of the catalog. A known field with another value becomes `{"redacted": true}`.
//! Unknown fields are left out, since their names may be personal too, and counted as `redacted_fields`.

use super::{Personal, channel::is_known_channel, status};
use crate::model::{
    keys::EventType,
    time::Instant,
    value::{Map, Value},
};

/// The name of the field with the number of unknown fields that were left out of an object.
pub const REDACTED_FIELDS: &str = "redacted_fields";

/// The visible values of a field. For an array, the rule applies to each of its values.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Only the existence of a value is visible.
    Hidden,
    /// Numbers are visible.
    Number,
    /// `true` and `false` are visible.
    Flag,
    /// Times are visible.
    Time,
    /// Currency codes are visible: three uppercase letters.
    Currency,
    /// These strings are visible, in any case.
    OneOf(&'static [&'static str]),
    /// These statuses are visible, in any case, with `_`, `-` or whitespace between words.
    Status(&'static [&'static [&'static str]]),
    /// Names of well-known channels are visible.
    Channel,
    /// Objects are visible, limited to these fields.
    Object(Fields),
}

/// The known fields of an object, each with its rule.
pub type Fields = &'static [(&'static str, Rule)];

const SALE_TYPES: Rule = Rule::OneOf(&["physical", "ecommerce"]);
/// The values of invalid fields, which may be of any kind.
const INVALID_FIELDS: (&str, Rule) = ("invalid_fields", Rule::Hidden);
/// Any other status may be free text.
const ORDER_STATUSES: Rule = Rule::Status(status::ORDER);
const FULFILLMENT_STATUSES: Rule = Rule::Status(status::FULFILLMENT);
const SUBSCRIPTIONS: Rule = Rule::OneOf(&[
    "subscribed",
    "unsubscribed",
    "transactional",
    "undeliverable",
    "list_subscribed",
    "list_unsubscribed",
]);
/// The `product_reference` is added back if the catalog contains the product.
const LINE: Rule = Rule::Object(&[
    ("price_paid", Rule::Number),
    ("quantity", Rule::Number),
    ("full_price", Rule::Number),
    ("discount", Rule::Number),
    ("product_reference", Rule::Hidden),
    ("name", Rule::Hidden),
    ("image", Rule::Hidden),
    ("url", Rule::Hidden),
    ("size", Rule::Hidden),
    ("color", Rule::Hidden),
]);
const ADJUSTMENT: Rule = Rule::Object(&[
    ("price_adjustment", Rule::Number),
    ("adjusted_at", Rule::Time),
    ("reason", Rule::Hidden),
]);
/// The number and the address of a parcel lead to the address of its recipient.
const FULFILLMENT: Rule = Rule::Object(&[
    ("status", FULFILLMENT_STATUSES),
    ("carrier", Rule::Hidden),
    ("tracking_number", Rule::Hidden),
    ("tracking_url", Rule::Hidden),
    ("shipped_at", Rule::Time),
    ("delivered_at", Rule::Time),
]);
const STORE: Rule = Rule::Object(&[
    (
        "type",
        Rule::OneOf(&["physical", "ecommerce", "concession", "outlet", "online"]),
    ),
    ("name", Rule::Hidden),
    ("store_id", Rule::Hidden),
    ("location", Rule::Hidden),
]);

const PURCHASE: Fields = &[
    ("type", SALE_TYPES),
    ("purchase_id", Rule::Hidden),
    ("order_number", Rule::Hidden),
    ("status", ORDER_STATUSES),
    ("products", LINE),
    ("currency", Rule::Currency),
    (
        "payment_types",
        Rule::Object(&[("name", Rule::Hidden), ("total", Rule::Number)]),
    ),
    ("adjustments", ADJUSTMENT),
    ("fulfillments", FULFILLMENT),
    ("store", STORE),
    ("custom_fields", Rule::Hidden),
    INVALID_FIELDS,
];
const RETURN: Fields = &[
    ("type", SALE_TYPES),
    ("return_id", Rule::Hidden),
    ("order_number", Rule::Hidden),
    ("status", ORDER_STATUSES),
    ("products", LINE),
    ("currency", Rule::Currency),
    ("adjustments", ADJUSTMENT),
    ("store", STORE),
    ("custom_fields", Rule::Hidden),
    INVALID_FIELDS,
];
/// The fields of sent, opened, clicked and bounced emails and text messages.
const ENGAGEMENT: Fields = &[
    ("email_id", Rule::Hidden),
    ("sms_id", Rule::Hidden),
    ("campaign_id", Rule::Hidden),
    ("list", Rule::Hidden),
    ("from", Rule::Hidden),
    ("to", Rule::Hidden),
    ("subject", Rule::Hidden),
    ("clicked_link", Rule::Hidden),
    ("body", Rule::Hidden),
    ("body_bytes", Rule::Number),
    ("body_truncated", Rule::Flag),
    INVALID_FIELDS,
];
const SUBSCRIBE: Fields = &[
    ("email_id", Rule::Hidden),
    ("sms_id", Rule::Hidden),
    ("status", SUBSCRIPTIONS),
    ("list", Rule::Hidden),
    INVALID_FIELDS,
];
const MESSAGE: Fields = &[
    ("message_id", Rule::Hidden),
    ("channel", Rule::Channel),
    ("direction", Rule::OneOf(&["inbound", "outbound"])),
    ("account", Rule::Hidden),
    ("author", Rule::Hidden),
    ("conversation_id", Rule::Hidden),
    ("body", Rule::Hidden),
    ("body_bytes", Rule::Number),
    ("body_truncated", Rule::Flag),
    ("attachments", Rule::Hidden),
    ("state", Rule::Hidden),
    INVALID_FIELDS,
];

/// The name can be a customer's own words, such as the title of a review or of a page.
const EVENT: Fields = &[
    ("event_id", Rule::Hidden),
    ("name", Rule::Hidden),
    ("title", Rule::Hidden),
    ("url", Rule::Hidden),
    ("image", Rule::Hidden),
    ("properties", Rule::Hidden),
    INVALID_FIELDS,
];

/// The fields of a customer record.
const CUSTOMER_RECORD: Fields = &[
    ("address_1", Rule::Hidden),
    ("address_2", Rule::Hidden),
    ("city", Rule::Hidden),
    ("country", Rule::Hidden),
    ("customer_id", Rule::Hidden),
    ("customer_type", Rule::Hidden),
    ("date_of_birth", Rule::Hidden),
    ("email", Rule::Hidden),
    ("email_sha256", Rule::Hidden),
    ("employee_flag", Rule::Flag),
    ("first_name", Rule::Hidden),
    ("gender", Rule::Hidden),
    ("last_name", Rule::Hidden),
    ("mobile", Rule::Hidden),
    ("postcode", Rule::Hidden),
    ("state", Rule::Hidden),
    ("zip", Rule::Hidden),
];

/// Returns the known fields of an event's data.
pub const fn event_fields(kind: EventType) -> Fields {
    match kind {
        EventType::Purchase => PURCHASE,
        EventType::Return => RETURN,
        EventType::EmailSend
        | EventType::EmailOpen
        | EventType::EmailClick
        | EventType::EmailBounce
        | EventType::SmsSend
        | EventType::SmsClick => ENGAGEMENT,
        EventType::EmailSubscribe | EventType::SmsSubscribe => SUBSCRIBE,
        EventType::Message => MESSAGE,
        EventType::Event => EVENT,
    }
}

/// Returns the rule of a customer record's field; `None` if the field is unknown.
pub fn record_field(name: &str) -> Option<Rule> {
    rule(CUSTOMER_RECORD, name)
}

/// Returns the visible part of an object with these known fields.
pub fn object(map: Map, fields: Fields) -> Map {
    let mut visible = Map::new();
    let mut unknown = 0_usize;
    for (name, value) in map {
        match rule(fields, &name) {
            Some(rule) => visible.insert(name, self::value(rule, value)),
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        visible.insert(REDACTED_FIELDS, Value::Number(unknown.to_string()));
    }
    visible
}

/// Returns a single value, or the marker that it is hidden.
pub fn visible(rule: Rule, value: Value) -> Personal<Value> {
    let visible = self::value(rule, value);
    if visible == hidden() {
        Personal::Redacted
    } else {
        Personal::Shown(visible)
    }
}

/// Returns the visible part of a value. Every redaction decision is made in this function.
pub fn value(rule: Rule, value: Value) -> Value {
    match (rule, value) {
        (Rule::Hidden, _) => hidden(),
        (rule, Value::List(list)) => {
            let visible = list.into_iter().map(|item| self::value(rule, item));
            Value::List(visible.collect())
        }
        (Rule::Object(fields), Value::Map(map)) => object(map, fields).into(),
        (Rule::Number, value @ Value::Number(_)) | (Rule::Flag, value @ Value::Bool(_)) => value,
        (Rule::Time, Value::Text(text)) => match Instant::parse(&text) {
            Some(at) => at.to_string().into(),
            None => hidden(),
        },
        (Rule::Currency, Value::Text(code)) if is_currency(&code) => code.into(),
        (Rule::Channel, Value::Text(name)) if is_known_channel(&name) => name.into(),
        (Rule::OneOf(names), Value::Text(text)) if is_one_of(names, &text) => text.into(),
        (Rule::Status(known), Value::Text(text)) if is_status(known, &text) => text.into(),
        _ => hidden(),
    }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_one_of(names: &[&str], text: &str) -> bool {
    names
        .iter()
        .any(|name| name.eq_ignore_ascii_case(text.trim()))
}

fn is_status(known: &[&[&str]], text: &str) -> bool {
    let status = status::normal_status(text);
    known.iter().any(|list| list.contains(&status.as_str()))
}

/// Returns the rule of a field; `None` if the field is unknown.
fn rule(fields: Fields, name: &str) -> Option<Rule> {
    let field = fields.iter().find(|(known, _)| *known == name);
    field.map(|(_, rule)| *rule)
}

/// Returns the marker for a hidden value, as [`Personal`] serializes it.
fn hidden() -> Value {
    let mut marker = Map::new();
    marker.insert("redacted", true);
    marker.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn map(entries: &[(&str, Value)]) -> Map {
        let entries = entries.iter().cloned();
        entries
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    #[test]
    fn hides_values_of_another_kind() {
        let number = || Value::Number("1".to_owned());
        let time = "2026-01-02T03:04:05Z";
        for (rule, visible, other) in [
            (Rule::Number, number(), text("1")),
            (Rule::Flag, Value::Bool(true), text("true")),
            (
                Rule::Time,
                text(time),
                text("2026-01-02T03:04:05Z for Vera"),
            ),
            (Rule::Currency, text("AUD"), text("aud")),
            (Rule::Currency, text("AUD"), text("VERA")),
            (
                Rule::OneOf(&["inbound"]),
                text("inbound"),
                text("inbound from Vera"),
            ),
            (
                Rule::Status(status::FULFILLMENT),
                text(" In-Transit"),
                text("in transit to Vera"),
            ),
            (Rule::Channel, text("Whats App"), text("Vera's channel")),
            (
                Rule::Object(LINES),
                map(&[("a", number())]).into(),
                number(),
            ),
        ] {
            assert_eq!(value(rule, visible.clone()), visible, "{rule:?}");
            let list = Value::List(vec![visible.clone()]);
            assert_eq!(value(rule, list.clone()), list, "{rule:?}");
            for hostile in [
                other,
                Value::Null,
                Value::Map(map(&[("Vera", text("Lindt"))])),
            ] {
                let shown = value(rule, hostile);
                let expected = match rule {
                    Rule::Object(_) if shown != hidden() => {
                        map(&[(REDACTED_FIELDS, number())]).into()
                    }
                    _ => hidden(),
                };
                assert_eq!(shown, expected, "{rule:?}");
            }
            assert_eq!(value(Rule::Hidden, visible), hidden());
        }
    }

    /// The values of invalid fields may be personal, and so may their paths.
    #[test]
    fn hides_invalid_fields() {
        for kind in EventType::ALL {
            let invalid = map(&[("custom_fields.Vera", text("Lindt"))]);
            let data = map(&[("invalid_fields", invalid.into())]);
            let expected = map(&[("invalid_fields", hidden())]);
            assert_eq!(object(data, event_fields(kind)), expected, "{kind:?}");
        }
        assert!(record_field("invalid_fields").is_none());
    }

    const LINES: Fields = &[("a", Rule::Number)];

    #[test]
    fn counts_unknown_fields() {
        let data = map(&[
            ("currency", text("AUD")),
            ("Vera Lindt", text("x")),
            (REDACTED_FIELDS, text("Vera")),
            (
                "products",
                Value::List(vec![map(&[("Vera", text("x"))]).into()]),
            ),
        ]);
        let count = |count: &str| Value::Number(count.to_owned());
        let line = map(&[(REDACTED_FIELDS, count("1"))]);
        let expected = map(&[
            ("currency", text("AUD")),
            ("products", Value::List(vec![line.into()])),
            (REDACTED_FIELDS, count("2")),
        ]);
        assert_eq!(object(data, PURCHASE), expected);
    }
}
