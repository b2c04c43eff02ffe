//! The history: every event in one shape, with a title that a person can read.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    View,
    channel::channel,
    money::{currency, paid, scaled, with_amounts},
    product::{Product, ProductReference},
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

/// Fields of a purchase or return in which no number is an amount of the order.
const WITHOUT_AMOUNTS: [&str; 6] = [
    "attachments",
    "author",
    "body",
    "custom_fields",
    "from",
    "to",
];

/// An event as the API returns it. Its own data is under the name of its type.
#[derive(Clone, Debug)]
pub struct HistoryItem {
    /// `{identity id}.{base64url of the event's key}`
    pub id: String,
    /// What happened.
    pub kind: EventType,
    /// When.
    pub at: Instant,
    /// A line for people, built from what the client may see.
    pub title: String,
    /// Where it happened: a message's channel, `email`, `sms`, `physical`, `ecommerce`.
    pub channel: Option<String>,
    /// Which of our accounts on that channel: `{id, name}`, or the sign that it is hidden.
    pub account: Option<Map>,
    /// `inbound` (from the customer) or `outbound`.
    pub direction: Option<String>,
    /// The identity that holds it.
    pub identity: IdentityId,
    /// The part of the event's own data that the client may see.
    pub data: Map,
    /// The product of each line of a purchase or return, if the line names one.
    references: Vec<Option<ProductReference>>,
    /// Whether the client sees a reference only if the catalog contains its product.
    hides_references: bool,
    /// Where a page that ends with the event ends.
    pub(super) place: Place,
}

impl HistoryItem {
    /// Returns the event that `item` contains, as far as the client may see it; `None` if it contains none.
    pub fn new(item: &Item, view: &View<'_>) -> Option<Self> {
        let key = item.event()?;
        let kind = key.kind();
        // All that follows is built from what is visible.
        let mut data = view.event(kind, item.data.clone());
        let account = data.map("account").cloned();
        let title = title(kind, &data, view);
        let (channel, direction) = (
            channel(kind, &data).map(str::to_owned),
            direction(kind, &data).map(str::to_owned),
        );
        let mut references = Vec::new();
        match kind {
            EventType::Purchase | EventType::Return => {
                let lines = item.data.list("products").iter();
                references.extend(lines.map(|line| ProductReference::of(line.as_map()?)));
                let currency = currency(&data, view);
                let entries = data.into_iter().map(|(name, value)| {
                    let value = if WITHOUT_AMOUNTS.contains(&name.as_str()) {
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
            channel,
            account,
            direction,
            identity: item.identity.clone(),
            data,
            references,
            hides_references: !view.personal,
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

    /// The products that the lines of a purchase or return name.
    pub fn references(&self) -> impl Iterator<Item = &ProductReference> {
        self.references.iter().flatten()
    }

    /// Adds `product` to each line whose product `known` returns. The line then shows its reference too.
    pub fn add_products<'a>(&mut self, known: impl Fn(&ProductReference) -> Option<&'a Product>) {
        let Some(Value::List(lines)) = self.data.get_mut("products") else {
            return;
        };
        for (line, reference) in lines.iter_mut().zip(&self.references) {
            let (Value::Map(line), Some(reference)) = (line, reference) else {
                continue;
            };
            let Some(product) = known(reference) else {
                continue;
            };
            line.insert("product", product.shown.clone());
            if self.hides_references {
                line.insert("product_reference", reference.to_map());
            }
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

/// The id under which an event is addressed.
pub fn event_id(identity: &IdentityId, key: &EventKey) -> String {
    format!(
        "{identity}.{}",
        data_encoding::BASE64URL_NOPAD.encode(key.as_str().as_bytes())
    )
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
            open_namespaces: &[],
        };
        title(kind, value.as_map().unwrap(), &view)
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
