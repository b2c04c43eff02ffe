//! The history: every event in one shape, with a title that a person can read.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    View,
    money::{currency, paid, scaled, with_amounts},
    versions::Place,
};
use crate::{
    cursor::{self, Listing},
    identity::IdentityId,
    item::Item,
    keys::{EventKey, EventType},
    time::Instant,
    value::{Map, Value},
};

/// The parts of an event's data that are personal. No number in them is an amount of an order.
const PERSONAL: [&str; 6] = [
    "attachments",
    "author",
    "body",
    "custom_fields",
    "from",
    "to",
];

/// The fields of an event that are shown without `pii:read`: those that its type defines, without `PERSONAL` and without texts
/// that people write, such as a subject or the reason of an adjustment. The list names what is open, not what is hidden: files
/// contain fields that no type defines, and any of these may identify the customer. It is by type, because a message's `state` is
/// known, and an order's unknown `state` may be where the customer lives.
const fn open(kind: EventType) -> &'static [&'static str] {
    match kind {
        EventType::Purchase | EventType::Return => &[
            "adjustments",
            "currency",
            "payment_types",
            "products",
            "purchase_id",
            "return_id",
            "store",
            "type",
        ],
        EventType::EmailSend
        | EventType::EmailOpen
        | EventType::EmailBounce
        | EventType::SmsSend => &[
            "body_bytes",
            "body_truncated",
            "campaign_id",
            "email_id",
            "list",
            "sms_id",
        ],
        EventType::EmailClick | EventType::SmsClick => {
            &["campaign_id", "clicked_link", "email_id", "list", "sms_id"]
        }
        EventType::EmailSubscribe | EventType::SmsSubscribe => {
            &["email_id", "list", "sms_id", "status"]
        }
        EventType::Message => &[
            "account",
            "body_bytes",
            "body_truncated",
            "channel",
            "conversation_id",
            "direction",
            "message_id",
            "state",
        ],
    }
}

/// What is seen within an open field. It is empty for those that are no objects.
fn open_within(name: &str) -> &'static [&'static str] {
    match name {
        "account" | "list" => &["id", "name"],
        "adjustments" => &["adjusted_at", "price_adjustment"],
        "clicked_link" => &["url"],
        "coordinate" => &["latitude", "longitude"],
        "location" => &["coordinate", "name"],
        "payment_types" => &["total"],
        "product_reference" => &["dataset_id", "id", "id_type"],
        "products" => &[
            "discount",
            "full_price",
            "price_paid",
            "product_reference",
            "quantity",
        ],
        "store" => &["location", "name", "store_id", "type"],
        _ => &[],
    }
}

/// An event as it is answered. Its own data stand under the name of its type.
#[derive(Clone, Debug)]
pub struct HistoryItem {
    /// `{identity id}.{base64url of the event's key}`
    pub id: String,
    /// What happened.
    pub kind: EventType,
    /// When.
    pub at: Instant,
    /// A line for people, without personal data.
    pub title: String,
    /// Where it happened: a message's channel, `email`, `sms`, `physical`, `ecommerce`.
    pub channel: Option<String>,
    /// Which of our accounts on that channel: `{id, name}`.
    pub account: Option<Map>,
    /// `inbound` (from the customer) or `outbound`.
    pub direction: Option<String>,
    /// The identity that holds it.
    pub identity: IdentityId,
    /// The event's own data, as far as the client may see them.
    pub data: Map,
    /// Where a page that ends with the event ends.
    pub(super) place: Place,
}

impl HistoryItem {
    /// The event that `item` holds; `None` if it holds none.
    pub fn new(item: &Item, view: &View<'_>) -> Option<Self> {
        let key = item.event()?;
        let kind = key.kind();
        let mut data = item.data.clone();
        if !view.personal {
            data = redacted(data, open(kind));
        }
        let account = data.map("account").cloned();
        // From redacted data: a title never repeats what is hidden.
        let title = title(kind, &data, view);
        match kind {
            EventType::Purchase | EventType::Return => {
                let currency = currency(&item.data, view);
                let entries = data.into_iter().map(|(name, value)| {
                    let value = if PERSONAL.contains(&name.as_str()) {
                        value
                    } else {
                        with_amounts(&value, &currency)
                    };
                    (name, value)
                });
                data = entries.collect();
                // An order that names none has amounts of the stack's.
                data.insert("currency", currency);
            }
            EventType::Message => {
                for name in ["account", "channel", "direction"] {
                    data.remove(name);
                }
            }
            _ => {}
        }
        Some(Self {
            id: event_id(&item.identity, key),
            kind,
            at: key.at(),
            title,
            channel: channel(kind, &item.data).map(str::to_owned),
            account,
            direction: direction(kind, &item.data).map(str::to_owned),
            identity: item.identity.clone(),
            data,
            place: Place {
                after: key.clone(),
                since: None,
            },
        })
    }

    /// The cursor of the page after the event, of an unfiltered history whose first page is a profile's.
    pub fn cursor(&self) -> String {
        cursor::encode(Listing::History, "", &self.place.to_text())
    }

    /// The lines of a purchase or return.
    pub fn lines(&self) -> &[Value] {
        self.data.list("products")
    }

    /// Replaces the lines of a purchase or return.
    pub fn set_lines(&mut self, lines: Vec<Value>) {
        if let Some(products) = self.data.get_mut("products") {
            *products = Value::List(lines);
        }
    }
}

impl Serialize for HistoryItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("type", self.kind.as_str())?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("title", &self.title)?;
        if let Some(channel) = &self.channel {
            map.serialize_entry("channel", channel)?;
        }
        if let Some(account) = &self.account {
            map.serialize_entry("account", account)?;
        }
        if let Some(direction) = &self.direction {
            map.serialize_entry("direction", direction)?;
        }
        map.serialize_entry("identity", &self.identity)?;
        map.serialize_entry(self.kind.as_str(), &self.data)?;
        map.end()
    }
}

/// The fields that `open` names, as far as they are open themselves. Of any other it is told that there is one.
fn redacted(map: Map, open: &[&str]) -> Map {
    let entries = map.into_iter().map(|(name, value)| {
        let value = if open.contains(&name.as_str()) {
            seen(&name, value)
        } else {
            hidden()
        };
        (name, value)
    });
    entries.collect()
}

/// What is seen of an open field. One that is an object where its name means none, or none where it means one, is hidden.
fn seen(name: &str, value: Value) -> Value {
    let within = open_within(name);
    match value {
        Value::List(list) => Value::List(list.into_iter().map(|item| seen(name, item)).collect()),
        Value::Map(map) if !within.is_empty() => redacted(map, within).into(),
        Value::Map(_) => hidden(),
        Value::Text(url) if name == "url" => match site(&url) {
            Some((scheme, host)) => format!("{scheme}://{host}").into(),
            None => hidden(),
        },
        value if within.is_empty() => value,
        _ => hidden(),
    }
}

/// The sign that a value is hidden, as `Personal` has it.
fn hidden() -> Value {
    let mut sign = Map::new();
    sign.insert("redacted", true);
    sign.into()
}

/// The id under which an event is addressed.
pub fn event_id(identity: &IdentityId, key: &EventKey) -> String {
    format!(
        "{identity}.{}",
        data_encoding::BASE64URL_NOPAD.encode(key.as_str().as_bytes())
    )
}

/// Where an event happened.
pub fn channel(kind: EventType, data: &Map) -> Option<&str> {
    match kind {
        EventType::Purchase | EventType::Return => data.text("type"),
        EventType::EmailSend
        | EventType::EmailOpen
        | EventType::EmailClick
        | EventType::EmailBounce
        | EventType::EmailSubscribe => Some("email"),
        EventType::SmsSend | EventType::SmsClick | EventType::SmsSubscribe => Some("sms"),
        EventType::Message => data.text("channel"),
    }
}

/// The form in which channels are compared: the letters and digits in lowercase. `WhatsApp`, `whats_app` and `Whats App` are one
/// channel. A name without letters and digits is compared as it is.
pub fn normal_channel(channel: &str) -> String {
    let normal = channel.to_lowercase();
    let kept: String = normal.chars().filter(|c| c.is_alphanumeric()).collect();
    if kept.is_empty() { normal } else { kept }
}

/// `canceled` or `voided`, if the status of a purchase or return says so. Such an order is shown, and counted nowhere.
pub(super) fn cancellation(data: &Map) -> Option<&'static str> {
    let status = data.text("status")?.trim().to_ascii_lowercase();
    match status.as_str() {
        "cancelled" | "canceled" => Some("canceled"),
        "voided" => Some("voided"),
        _ => None,
    }
}

fn direction(kind: EventType, data: &Map) -> Option<&str> {
    match kind {
        EventType::Message => data.text("direction"),
        EventType::EmailSend | EventType::SmsSend => Some("outbound"),
        EventType::EmailOpen | EventType::EmailClick | EventType::SmsClick => Some("inbound"),
        EventType::Purchase
        | EventType::Return
        | EventType::EmailBounce
        | EventType::EmailSubscribe
        | EventType::SmsSubscribe => None,
    }
}

fn title(kind: EventType, data: &Map, view: &View<'_>) -> String {
    match kind {
        EventType::Purchase => format!("Bought {}", goods(data, view)),
        EventType::Return => format!("Returned {}", goods(data, view)),
        EventType::EmailSend => match data.text("subject") {
            Some(subject) => format!("Was sent \u{201c}{subject}\u{201d}"),
            None => "Was sent an e-mail".to_owned(),
        },
        EventType::EmailOpen => format!("Opened {}", sent(data, "an e-mail")),
        EventType::EmailClick => format!("Followed {} in {}", link(data), sent(data, "an e-mail")),
        EventType::EmailBounce => {
            format!("Did not receive {}: it bounced", sent(data, "an e-mail"))
        }
        EventType::EmailSubscribe => format!("E-mail subscription{}: {}", list(data), status(data)),
        EventType::SmsSend => "Was sent a text message".to_owned(),
        EventType::SmsClick => format!(
            "Followed {} in {}",
            link(data),
            sent(data, "a text message")
        ),
        EventType::SmsSubscribe => {
            format!("Text message subscription{}: {}", list(data), status(data))
        }
        EventType::Message => {
            let channel = data.text("channel").unwrap_or("unknown channel");
            match data.text("direction") {
                Some("outbound") => format!("Was sent a message by {channel}"),
                _ => format!("Wrote by {channel}"),
            }
        }
    }
}

/// What an e-mail or a text message is known by: its subject, or else its list or its campaign.
fn sent(data: &Map, what: &str) -> String {
    if let Some(subject) = data.text("subject") {
        return format!("\u{201c}{subject}\u{201d}");
    }
    let list = data.map("list").and_then(|list| list.text("name"));
    match (list, data.text("campaign_id")) {
        (Some(list), _) => format!("{what} of \u{201c}{list}\u{201d}"),
        (None, Some(campaign)) => format!("{what} of the campaign {campaign}"),
        (None, None) => what.to_owned(),
    }
}

/// A followed link: its name, or else its host. The rest of its URL may tell who followed it.
fn link(data: &Map) -> String {
    let link = data.map("clicked_link");
    if let Some(name) = link.and_then(|link| link.text("name")) {
        return format!("\u{201c}{name}\u{201d}");
    }
    match link.and_then(|link| link.text("url")).and_then(site) {
        Some((_, host)) => format!("a link to {host}"),
        None => "a link".to_owned(),
    }
}

/// A URL's scheme and host.
fn site(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some((scheme, host))
}

/// ` to “Weekly news”`, where a list is named.
fn list(data: &Map) -> String {
    let name = data.map("list").and_then(|list| list.text("name"));
    name.map_or_else(String::new, |name| format!(" to \u{201c}{name}\u{201d}"))
}

fn status(data: &Map) -> String {
    data.text("status").unwrap_or("unknown").replace('_', " ")
}

/// `2 items for 31.90 AUD`, and `(canceled)` or `(voided)` if it was.
fn goods(data: &Map, view: &View<'_>) -> String {
    let mut quantity = rust_decimal::Decimal::ZERO;
    for line in data.list("products").iter().filter_map(Value::as_map) {
        quantity = quantity.saturating_add(line.decimal("quantity").unwrap_or_default());
    }
    let (quantity, total) = (quantity.abs().normalize(), paid(data).abs());
    let noun = if quantity == rust_decimal::Decimal::ONE {
        "item"
    } else {
        "items"
    };
    let currency = currency(data, view);
    let total = scaled(&currency, total);
    let note = cancellation(data).map_or_else(String::new, |word| format!(" ({word})"));
    format!("{quantity} {noun} for {total} {currency}{note}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Object(object) => {
                let entries = object.iter().map(|(name, own)| (name.clone(), value(own)));
                Value::Map(entries.collect())
            }
            other => Value::Text(other.as_str().unwrap().to_owned()),
        }
    }

    fn titled(kind: EventType, data: serde_json::Value) -> String {
        let value = value(&data);
        let view = View {
            now: Instant::from_seconds(0).unwrap(),
            currency: "AUD",
            personal: false,
        };
        title(kind, value.as_map().unwrap(), &view)
    }

    #[test]
    fn no_personal_part_is_open() {
        for kind in EventType::ALL {
            for name in PERSONAL {
                assert!(!open(kind).contains(&name), "{kind} {name}");
            }
        }
    }

    #[test]
    fn titles_say_what_was_opened_and_followed() {
        use EventType::{EmailBounce, EmailClick, EmailOpen, EmailSubscribe, SmsClick};
        let list = json!({"id": "1", "name": "Weekly news"});
        for (kind, data, expected) in [
            (
                EmailOpen,
                json!({"subject": "Sale", "list": list}),
                "Opened \u{201c}Sale\u{201d}",
            ),
            (
                EmailOpen,
                json!({"list": list, "campaign_id": "c1"}),
                "Opened an e-mail of \u{201c}Weekly news\u{201d}",
            ),
            (
                EmailOpen,
                json!({"campaign_id": "c1"}),
                "Opened an e-mail of the campaign c1",
            ),
            (EmailOpen, json!({}), "Opened an e-mail"),
            (
                EmailClick,
                json!({"clicked_link": {"name": "Shop now", "url": "https://a.example/x"}, "list": list}),
                "Followed \u{201c}Shop now\u{201d} in an e-mail of \u{201c}Weekly news\u{201d}",
            ),
            (
                EmailClick,
                json!({"clicked_link": {"url": "https://jane:secret@a.example?who=jane"}}),
                "Followed a link to a.example in an e-mail",
            ),
            (
                SmsClick,
                json!({"campaign_id": "c1"}),
                "Followed a link in a text message of the campaign c1",
            ),
            (
                EmailBounce,
                json!({"list": list}),
                "Did not receive an e-mail of \u{201c}Weekly news\u{201d}: it bounced",
            ),
            (
                EmailSubscribe,
                json!({"list": list, "status": "unsubscribed"}),
                "E-mail subscription to \u{201c}Weekly news\u{201d}: unsubscribed",
            ),
        ] {
            assert_eq!(titled(kind, data), expected);
        }
    }
}
