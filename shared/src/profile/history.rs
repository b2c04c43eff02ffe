//! The history: every event in the same shape, with a title for display.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    View,
    channel::channel,
    money::{currency, paid, scaled, with_amounts},
    product::{self, Product, ProductReference, is_web_address},
    status::cancellation,
    versions::EventPosition,
};
use crate::{
    model::{
        identity::IdentityId,
        item::Item,
        keys::{EventKey, EventType},
        time::Instant,
        value::{Map, Value},
    },
    profile::cursor::{self, Listing},
};

/// Fields of a purchase or return whose numbers are not amounts of the order.
const WITHOUT_AMOUNTS: [&str; 7] = [
    "attachments",
    "author",
    "body",
    "custom_fields",
    "from",
    "fulfillments",
    "to",
];

/// An event as the API returns it. Its own data is in the field named after its type.
#[derive(Clone, Debug)]
pub struct HistoryItem {
    /// The id: `{identity id}.{base64url of the event's key}`.
    pub id: String,
    /// The type of the event.
    pub kind: EventType,
    /// The time of the event.
    pub at: Instant,
    /// A line for display, built only from data that the client can see.
    pub title: String,
    /// The channel: a message's own channel, `email`, `sms`, `physical` or `ecommerce`.
    pub channel: Option<String>,
    /// The company's account on that channel: `{id, name}`, or the marker that it is hidden.
    pub account: Option<Map>,
    /// `inbound` (from the customer) or `outbound`.
    pub direction: Option<String>,
    /// The identity that the event is stored under.
    pub identity: IdentityId,
    /// The part of the event's own data that the client can see.
    pub data: Map,
    /// The product of each line of a purchase or return.
    products: Vec<LineProduct>,
    /// Whether the client can see a reference only if the catalog contains its product.
    hides_references: bool,
    /// The position at which a page ends whose last event this is.
    pub(super) position: EventPosition,
}

/// The product of a line.
#[derive(Clone, Debug, Default)]
struct LineProduct {
    /// The product of the catalog, if the line names one.
    reference: Option<ProductReference>,
    /// Name, URL and image of the line itself, if the client can see them.
    own: Option<Map>,
}

impl HistoryItem {
    /// Returns the event that `item` contains, limited to the data that the client can see. Returns `None` if `item` is not an
    /// event.
    pub fn new(item: &Item, view: &View<'_>) -> Option<Self> {
        let key = item.event()?;
        let kind = key.kind();
        // Everything below is built from visible data only.
        let mut data = view.event(kind, item.data.clone());
        let account = data.map("account").cloned();
        let title = title(kind, &data, view);
        let (channel, direction) = (
            channel(kind, &data).map(str::to_owned),
            direction(kind, &data).map(str::to_owned),
        );
        let mut products = Vec::new();
        match kind {
            EventType::Purchase | EventType::Return => {
                products = line_products(&item.data, view);
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
                insert_products(&mut data, &products, |line| line.own.clone());
                // An order without a currency has amounts in the default currency of the stack.
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
            products,
            hides_references: !view.personal,
            position: EventPosition {
                after: key.clone(),
                since: None,
            },
        })
    }

    /// Returns the cursor of the page after the event, for an unfiltered history that starts with the first page of `profile`.
    pub fn cursor(&self, profile: &IdentityId) -> String {
        cursor::encode_in(profile, Listing::History, "", &self.position.to_text())
    }

    /// Returns the product references in the lines of a purchase or return.
    pub fn references(&self) -> impl Iterator<Item = &ProductReference> {
        self.products
            .iter()
            .filter_map(|line| line.reference.as_ref())
    }

    /// Adds `product` to each line for which `known` returns a product. Such a line then shows its reference too.
    pub fn add_products<'a>(&mut self, known: impl Fn(&ProductReference) -> Option<&'a Product>) {
        let known = |line: &LineProduct| known(line.reference.as_ref()?);
        insert_products(&mut self.data, &self.products, |line| {
            Some(known(line)?.completed(line.own.as_ref()))
        });
        if !self.hides_references {
            return;
        }
        for (line, product) in lines_mut(&mut self.data).zip(&self.products) {
            let reference = product
                .reference
                .as_ref()
                .filter(|_| known(product).is_some());
            if let (Value::Map(line), Some(reference)) = (line, reference) {
                line.insert("product_reference", reference.to_map());
            }
        }
    }
}

/// Returns the product of each line of an order.
fn line_products(data: &Map, view: &View<'_>) -> Vec<LineProduct> {
    let of = |line: &Value| {
        let line = line.as_map()?;
        Some(LineProduct {
            reference: ProductReference::of(line),
            own: view.personal.then(|| product::of_line(line)).flatten(),
        })
    };
    let lines = data.list("products").iter();
    lines.map(|line| of(line).unwrap_or_default()).collect()
}

/// Adds the `product` that `shown` returns to each line of an order.
fn insert_products(
    data: &mut Map,
    products: &[LineProduct],
    shown: impl Fn(&LineProduct) -> Option<Map>,
) {
    for (line, product) in lines_mut(data).zip(products) {
        if let (Value::Map(line), Some(shown)) = (line, shown(product)) {
            line.insert("product", shown);
        }
    }
}

/// Returns the lines of an order.
fn lines_mut(data: &mut Map) -> std::slice::IterMut<'_, Value> {
    match data.get_mut("products") {
        Some(Value::List(lines)) => lines.iter_mut(),
        _ => [].iter_mut(),
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

/// Returns the id of an event in the API.
pub fn event_id(identity: &IdentityId, key: &EventKey) -> String {
    format!(
        "{identity}.{}",
        data_encoding::BASE64URL_NOPAD.encode(key.as_str().as_bytes())
    )
}

/// Returns the direction of an event. Events that neither side sends have none.
fn direction(kind: EventType, data: &Map) -> Option<&str> {
    match kind {
        EventType::Message => data.text("direction"),
        EventType::EmailSend | EventType::SmsSend => Some("outbound"),
        EventType::EmailOpen | EventType::EmailClick | EventType::SmsClick => Some("inbound"),
        EventType::Purchase
        | EventType::Return
        | EventType::EmailBounce
        | EventType::EmailSubscribe
        | EventType::SmsSubscribe
        | EventType::Event => None,
    }
}

/// Returns a line for display from data that the client can see.
fn title(kind: EventType, data: &Map, view: &View<'_>) -> String {
    match kind {
        EventType::Purchase => format!("Bought {}", goods(data, Decimal::ONE, view)),
        EventType::Return => format!("Returned {}", goods(data, Decimal::NEGATIVE_ONE, view)),
        EventType::EmailSend => match data.text("subject") {
            Some(subject) => format!("Was sent \u{201c}{subject}\u{201d}"),
            None => "Was sent an email".to_owned(),
        },
        EventType::EmailOpen => format!("Opened {}", sent(data, "an email")),
        EventType::EmailClick => format!("Followed {} in {}", link(data), sent(data, "an email")),
        EventType::EmailBounce => {
            format!("Did not receive {}: it bounced", sent(data, "an email"))
        }
        EventType::EmailSubscribe => format!("Email subscription{}: {}", list(data), status(data)),
        EventType::SmsSend => "Was sent a text message".to_owned(),
        EventType::SmsClick => format!(
            "Followed {} in {}",
            link(data),
            sent(data, "a text message")
        ),
        EventType::SmsSubscribe => {
            format!("Text message subscription{}: {}", list(data), status(data))
        }
        EventType::Event => happening(data),
        EventType::Message => {
            let channel = data.text("channel").unwrap_or("unknown channel");
            match data.text("direction") {
                Some("outbound") => format!("Was sent a message by {channel}"),
                Some("inbound") => format!("Wrote by {channel}"),
                _ => format!("Message by {channel}"),
            }
        }
    }
}

/// Returns the title of a general event: its title, or else its name.
fn happening(data: &Map) -> String {
    let texts = ["title", "name"].map(|name| data.text(name).map(str::trim));
    let mut texts = texts.into_iter().flatten();
    let text = texts.find(|text| !text.is_empty());
    text.unwrap_or("Event").to_owned()
}

/// Returns the label of an email or a text message: its subject, or else its list or its campaign.
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

/// Returns the label of a followed link: its name, or else its host. The rest of its URL may identify the customer.
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

/// Returns the scheme and host of an HTTP or HTTPS URL.
fn site(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://").filter(|_| is_web_address(url))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some((scheme, host))
}

/// Returns ` to “Weekly news”` if the event names a list.
fn list(data: &Map) -> String {
    let name = data.map("list").and_then(|list| list.text("name"));
    name.map_or_else(String::new, |name| format!(" to \u{201c}{name}\u{201d}"))
}

/// Returns the status of a subscription event, in words.
fn status(data: &Map) -> String {
    data.text("status").unwrap_or("unknown").replace('_', " ")
}

/// Returns `2 items for 31.90 AUD`, followed by `(canceled)` or `(voided)` if the order was. `sign` is the sign of the quantities
/// that count: lines of the other sign are the other side of an exchange.
fn goods(data: &Map, sign: Decimal, view: &View<'_>) -> String {
    let mut quantity = Decimal::ZERO;
    for line in data.list("products").iter().filter_map(Value::as_map) {
        let own = sign * line.decimal("quantity").unwrap_or_default();
        quantity = quantity.saturating_add(own.max(Decimal::ZERO));
    }
    let (quantity, total) = (quantity.normalize(), sign * paid(data));
    let noun = if quantity == Decimal::ONE {
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
            zone: &crate::model::zone::UTC,
            personal: false,
            open_namespaces: &[],
        };
        title(kind, value.as_map().unwrap(), &view)
    }

    #[test]
    fn titles_say_what_was_opened_and_followed() {
        use EventType::{EmailBounce, EmailClick, EmailOpen, EmailSubscribe, Message, SmsClick};
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
                "Opened an email of \u{201c}Weekly news\u{201d}",
            ),
            (
                EmailOpen,
                json!({"campaign_id": "c1"}),
                "Opened an email of the campaign c1",
            ),
            (EmailOpen, json!({}), "Opened an email"),
            (
                EmailClick,
                json!({"clicked_link": {"name": "Shop now", "url": "https://a.example/x"}, "list": list}),
                "Followed \u{201c}Shop now\u{201d} in an email of \u{201c}Weekly news\u{201d}",
            ),
            (
                EmailClick,
                json!({"clicked_link": {"url": "https://jane:secret@a.example?who=jane"}}),
                "Followed a link to a.example in an email",
            ),
            (
                EmailClick,
                json!({"clicked_link": {"url": "tel://61491570006"}}),
                "Followed a link in an email",
            ),
            (Message, json!({"channel": "x"}), "Message by x"),
            (
                SmsClick,
                json!({"campaign_id": "c1"}),
                "Followed a link in a text message of the campaign c1",
            ),
            (
                EmailBounce,
                json!({"list": list}),
                "Did not receive an email of \u{201c}Weekly news\u{201d}: it bounced",
            ),
            (
                EmailSubscribe,
                json!({"list": list, "status": "unsubscribed"}),
                "Email subscription to \u{201c}Weekly news\u{201d}: unsubscribed",
            ),
        ] {
            assert_eq!(titled(kind, data), expected);
        }
    }
}
