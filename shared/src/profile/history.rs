//! The history: every event in one shape, with a title that a person can read.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    Personal, View,
    money::{currency, paid, scaled, with_amounts},
};
use crate::{
    cursor::{self, Listing},
    identity::IdentityId,
    item::Item,
    keys::{EventKey, EventType},
    time::Instant,
    value::{Map, Value},
};

/// The parts of an event's data that are personal.
const PERSONAL: [&str; 6] = [
    "attachments",
    "author",
    "body",
    "custom_fields",
    "from",
    "to",
];

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
    /// The event's own data.
    pub data: Vec<(String, Personal<Value>)>,
    key: EventKey,
}

impl HistoryItem {
    /// The event that `item` holds; `None` if it holds none.
    pub fn new(item: &Item, view: &View<'_>) -> Option<Self> {
        let key = item.event()?;
        let kind = key.kind();
        let data = &item.data;
        let is_order = matches!(kind, EventType::Purchase | EventType::Return);
        let currency = currency(data, view);
        let shown = |name: &str, value: &Value| match name {
            name if PERSONAL.contains(&name) => view.show(value.clone()),
            _ if is_order => Personal::Shown(with_amounts(value, &currency)),
            _ => Personal::Shown(value.clone()),
        };
        Some(Self {
            id: event_id(&item.identity, key),
            kind,
            at: key.at()?,
            title: title(kind, data, view),
            channel: channel(kind, data).map(str::to_owned),
            account: data.map("account").cloned(),
            direction: direction(kind, data).map(str::to_owned),
            identity: item.identity.clone(),
            key: key.clone(),
            data: data
                .iter()
                .filter(|(name, _)| {
                    !(kind == EventType::Message
                        && matches!(*name, "channel" | "account" | "direction"))
                })
                .map(|(name, value)| (name.to_owned(), shown(name, value)))
                .collect(),
        })
    }

    /// The cursor that stands after the event where no filter is given.
    pub fn cursor(&self) -> Option<String> {
        Some(cursor::encode(Listing::History, "", self.key.as_str()))
    }

    /// The lines of a purchase or return.
    pub fn lines(&self) -> &[Value] {
        self.data
            .iter()
            .find_map(|(name, value)| match value {
                Personal::Shown(value) if name == "products" => Some(value.as_list()),
                _ => None,
            })
            .unwrap_or(&[])
    }

    /// Replaces the lines of a purchase or return.
    pub fn set_lines(&mut self, lines: Vec<Value>) {
        if let Some((_, value)) = self.data.iter_mut().find(|(name, _)| name == "products") {
            *value = Personal::Shown(Value::List(lines));
        }
    }
}

impl Serialize for HistoryItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Data<'a>(&'a [(String, Personal<Value>)]);
        impl Serialize for Data<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
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
        map.serialize_entry(self.kind.as_str(), &Data(&self.data))?;
        map.end()
    }
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
        EventType::EmailOpen => "Opened an e-mail".to_owned(),
        EventType::EmailClick => "Followed a link in an e-mail".to_owned(),
        EventType::EmailBounce => "An e-mail bounced".to_owned(),
        EventType::EmailSubscribe => format!("E-mail subscription: {}", status(data)),
        EventType::SmsSend => "Was sent a text message".to_owned(),
        EventType::SmsClick => "Followed a link in a text message".to_owned(),
        EventType::SmsSubscribe => format!("Text message subscription: {}", status(data)),
        EventType::Message => {
            let channel = data.text("channel").unwrap_or("unknown channel");
            match data.text("direction") {
                Some("outbound") => format!("Was sent a message by {channel}"),
                _ => format!("Wrote by {channel}"),
            }
        }
    }
}

fn status(data: &Map) -> String {
    data.text("status").unwrap_or("unknown").replace('_', " ")
}

/// `2 items for 31.90 AUD`
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
    format!("{quantity} {noun} for {total} {currency}")
}
