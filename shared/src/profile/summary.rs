//! The summary: exact key figures per currency. Every figure is computed from the events; the result is not stored.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::{
    HistoryItem, Personal, View,
    accounts::{Account, accounts},
    attributes::{self, Categories},
    channel::{channel, is_known_channel, normal_channel},
    money::{Money, currency, paid, scaled},
    newest_file,
    open_orders::open_orders,
    product::{self, Product, ProductReference},
    recency::{ENGAGED_DAYS, is_within},
    status::cancellation,
    subscriptions::{self, Subscription},
};
use crate::model::{
    item::Item,
    keys::EventType,
    time::Instant,
    value::{Map, Value},
};

/// The total of one month's purchases and returns in one currency.
#[derive(Clone, Debug, Serialize)]
pub struct MonthlySpend {
    /// The month, such as `2026-10`.
    pub month: String,
    /// The ISO 4217 code, in uppercase.
    pub currency: String,
    /// The total. Returns are subtracted.
    pub amount: Decimal,
}

/// Whether a customer has bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// Has at least one order.
    Customer,
    /// Has no orders.
    Prospect,
}

/// The figures for email or for text messages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Engagement {
    /// The subscription status: `unsubscribed` if any list has it, else `subscribed` if any list has it, else the newest status.
    pub status: Option<String>,
    /// The subscription to each list of each source, newest first, at most 100.
    pub lists: Vec<Subscription>,
    /// The number of distinct messages that were sent.
    pub sent: usize,
    /// The number of distinct messages that were opened; always 0 for text messages.
    pub opened: usize,
    /// The number of distinct messages in which a link was followed.
    pub clicked: usize,
    /// The number of distinct messages that bounced; always 0 for text messages.
    pub bounced: usize,
    /// The share of sent messages that were opened: 0 to 1, rounded to 4 decimal places; `null` if none was sent.
    pub open_rate: Option<f64>,
    /// The share of sent messages in which a link was followed: 0 to 1, rounded to 4 decimal places; `null` if none was sent.
    pub click_rate: Option<f64>,
    /// The time when a message was last sent.
    pub last_sent_at: Option<Instant>,
    /// The time when a message was last opened.
    pub last_opened_at: Option<Instant>,
    /// The time when a link was last followed.
    pub last_clicked_at: Option<Instant>,
    /// The time when a message last bounced; always `null` for text messages.
    pub last_bounced_at: Option<Instant>,
    /// The customer's engagement in the last 90 days.
    pub engagement: Engaged,
    /// Whether the customer is subscribed to any list.
    #[serde(skip)]
    pub(super) opted_in: bool,
    /// Whether the customer has unsubscribed from any list.
    #[serde(skip)]
    pub(super) opted_out: bool,
}

/// The strongest engagement of a customer in the last 90 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engaged {
    /// Followed links.
    Clicks,
    /// Opened messages, but followed no link.
    Opens,
    /// Neither opened messages nor followed links.
    #[default]
    None,
}

/// A product that the customer has bought, with its quantity.
#[derive(Clone, Debug, Serialize)]
pub struct TopProduct {
    /// The reference of the product.
    #[serde(skip)]
    pub reference: ProductReference,
    /// The id type of the reference; `product_id` unless the order specifies another.
    pub id_type: String,
    /// The product's id. Without `pii:read` it is visible if the catalog contains the product.
    pub id: Personal<String>,
    /// The number of items bought. Returns are not subtracted.
    pub quantity: Decimal,
    /// Name, brand, image and URL of the catalog, completed with those that the newest line with any contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Map>,
}

/// A category or brand, with the number of items bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Top {
    /// The name of the category or brand.
    pub name: String,
    /// The number of items.
    pub quantity: Decimal,
}

/// The maximum number of products, categories and brands in the summary.
const TOP: usize = 5;
/// The maximum number of most bought products from which categories and brands are ranked. They fit in one request to the table.
pub const MAX_RANKED: usize = 100;

/// The key figures of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the customer has bought, derived from `orders`.
    pub relationship: Relationship,
    /// The number of purchases. Canceled and voided orders are left out, here and in all figures below that concern orders.
    pub orders: usize,
    /// The exact sum of the quantities bought, which may be fractions such as kilograms. Returns and returned lines of exchanges are not
    /// subtracted.
    #[serde(serialize_with = "as_number")]
    pub items: Decimal,
    /// The number of returns.
    pub returns: usize,
    /// The total of purchases minus returns, per currency.
    pub total_spend: Vec<Money>,
    /// The average purchase per currency, rounded to the decimal places of the total.
    pub average_order_value: Vec<Money>,
    /// The time of the first purchase.
    pub first_order_at: Option<Instant>,
    /// The time of the last purchase.
    pub last_order_at: Option<Instant>,
    /// The time of the last event of any type.
    pub last_event_at: Option<Instant>,
    /// The channels of the events. If a channel has several spellings, that of the newest event is used.
    pub channels: BTreeSet<String>,
    /// The total of each month, earliest first.
    pub spend_by_month: Vec<MonthlySpend>,
    /// The IANA name of the time zone of the months.
    pub time_zone: String,
    /// The figures for email.
    pub email: Engagement,
    /// The figures for text messages.
    pub sms: Engagement,
    /// The most bought products, at most 5.
    pub top_products: Vec<TopProduct>,
    /// The categories with the most items bought, at most 5.
    pub top_categories: Vec<Top>,
    /// The brands with the most items bought, at most 5.
    pub top_brands: Vec<Top>,
    /// The newest open orders of the last 90 days, newest first, at most 5.
    pub open_orders: Vec<HistoryItem>,
    /// The company's accounts in the events, sorted by channel and name, at most 50. Empty without `pii:read`.
    pub accounts: Vec<Account>,
    /// The names of the customer's segments.
    pub segments: BTreeSet<String>,
    /// The time of the newest file that the figures are computed from.
    pub as_of: Option<Instant>,
    /// Whether the customer works for the company.
    #[serde(skip)]
    pub(super) employee: bool,
}

impl Summary {
    /// Ranks categories and brands, and adds the product data. `known` returns the data of a product of the catalog.
    pub fn rank<'a>(&mut self, known: impl Fn(&TopProduct) -> Option<&'a Product>) {
        let mut categories: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut brands: BTreeMap<String, Decimal> = BTreeMap::new();
        for top in &mut self.top_products {
            let Some(product) = known(top) else { continue };
            for category in product.categories.iter().filter(|name| !is_blank(name)) {
                add(
                    categories.entry(category.clone()).or_default(),
                    top.quantity,
                );
            }
            if let Some(brand) = product.shown.text("brand").filter(|name| !is_blank(name)) {
                add(brands.entry(brand.to_owned()).or_default(), top.quantity);
            }
            top.product = Some(product.completed(top.product.as_ref()));
            top.id = Personal::Shown(top.reference.id.clone());
        }
        self.top_categories = ranked(categories);
        self.top_brands = ranked(brands);
        self.top_products.truncate(TOP);
    }
}

/// Serializes a quantity as a number with all its digits. Amounts are strings.
fn as_number<S: Serializer>(quantity: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    Value::Number(quantity.to_string()).serialize(serializer)
}

fn is_blank(name: &str) -> bool {
    name.trim().is_empty()
}

/// Returns the names with the highest quantities, at most [`TOP`].
fn ranked(counts: BTreeMap<String, Decimal>) -> Vec<Top> {
    let mut all: Vec<_> = counts
        .into_iter()
        .map(|(name, quantity)| Top { name, quantity })
        .collect();
    all.sort_by(|a, b| {
        b.quantity
            .cmp(&a.quantity)
            .then_with(|| a.name.cmp(&b.name))
    });
    all.truncate(TOP);
    all
}

/// Returns the purchased quantity of each product, most bought first, at most [`MAX_RANKED`]. `events` are newest first.
fn most_bought(events: &[&Item], view: &View<'_>) -> Vec<TopProduct> {
    let mut bought: BTreeMap<ProductReference, (Decimal, Option<Map>)> = BTreeMap::new();
    for (kind, _, data) in typed(events) {
        if kind != EventType::Purchase || cancellation(data).is_some() {
            continue;
        }
        for line in data.list("products").iter().filter_map(Value::as_map) {
            let Some(product) = ProductReference::of(line) else {
                continue;
            };
            let quantity = bought_quantity(line);
            if quantity.is_zero() {
                continue;
            }
            let (total, own) = bought.entry(product).or_default();
            add(total, quantity);
            if view.personal && own.is_none() {
                *own = product::of_line(line);
            }
        }
    }
    let mut all: Vec<_> = bought
        .into_iter()
        .map(|(reference, (quantity, product))| TopProduct {
            id_type: reference.id_type.clone(),
            id: view.show(reference.id.clone()),
            reference,
            quantity,
            product,
        })
        .collect();
    all.sort_by_key(|top| std::cmp::Reverse(top.quantity));
    all.truncate(MAX_RANKED);
    all
}

/// The figures of purchases and returns. Amounts are by currency.
#[derive(Default)]
struct Orders {
    count: usize,
    items: Decimal,
    returns: usize,
    /// The total of purchases minus returns.
    spend: BTreeMap<String, Decimal>,
    /// The total of purchases, and their number.
    bought: BTreeMap<String, (Decimal, u32)>,
    /// `spend` by month and currency.
    months: BTreeMap<(String, String), Decimal>,
    newest: Option<Instant>,
    oldest: Option<Instant>,
}

/// Adds up purchases and returns. `events` are newest first. Canceled and voided orders are left out.
fn orders(events: &[&Item], view: &View<'_>) -> Orders {
    let mut orders = Orders::default();
    for (kind, at, data) in typed(events) {
        let is_order = matches!(kind, EventType::Purchase | EventType::Return);
        if !is_order || cancellation(data).is_some() {
            continue;
        }
        let (currency, paid) = (currency(data, view), paid(data));
        add(orders.spend.entry(currency.clone()).or_default(), paid);
        let date = view.zone.date(at);
        let month = format!("{:04}-{:02}", date.year(), date.month());
        let month = orders.months.entry((month, currency.clone()));
        add(month.or_default(), paid);
        if kind == EventType::Return {
            orders.returns += 1;
            continue;
        }
        orders.count += 1;
        orders.newest = orders.newest.or(Some(at));
        orders.oldest = Some(at);
        for line in data.list("products").iter().filter_map(Value::as_map) {
            add(&mut orders.items, bought_quantity(line));
        }
        let (total, count) = orders.bought.entry(currency).or_default();
        add(total, paid);
        *count += 1;
    }
    orders
}

/// Returns the channels of the events, each as its newest event spells it.
fn channels(events: &[&Item], view: &View<'_>) -> BTreeSet<String> {
    let mut channels = BTreeMap::new();
    for (kind, _, data) in typed(events) {
        let visible = |name: &&str| view.personal || is_known_channel(name);
        if let Some(channel) = channel(kind, data).filter(visible) {
            channels.entry(normal_channel(channel)).or_insert(channel);
        }
    }
    channels.into_values().map(str::to_owned).collect()
}

/// Computes the figures, except for segments. `events` contains each event of the state once, newest first.
pub(super) fn fold(categories: &Categories, events: &[&Item], view: &View<'_>) -> Summary {
    let Orders {
        count: orders,
        items,
        returns,
        spend,
        bought,
        months,
        newest,
        oldest,
    } = orders(events, view);
    let money = |(currency, amount)| Money::new(currency, amount);
    Summary {
        relationship: if orders > 0 {
            Relationship::Customer
        } else {
            Relationship::Prospect
        },
        orders,
        items: items.normalize(),
        returns,
        total_spend: spend.into_iter().map(money).collect(),
        average_order_value: bought
            .into_iter()
            .map(|(currency, (total, count))| average(currency, total, count))
            .collect(),
        first_order_at: oldest,
        last_order_at: newest,
        last_event_at: typed(events).next().map(|(_, at, _)| at),
        channels: channels(events, view),
        spend_by_month: months
            .into_iter()
            .map(|((month, currency), amount)| MonthlySpend {
                month,
                amount: scaled(&currency, amount),
                currency,
            })
            .collect(),
        time_zone: view.zone.name().to_owned(),
        email: engagement(events, &EMAIL, view),
        sms: engagement(events, &SMS, view),
        top_products: most_bought(events, view),
        top_categories: Vec::new(),
        top_brands: Vec::new(),
        open_orders: open_orders(events, view),
        accounts: accounts(events, view),
        segments: BTreeSet::new(),
        as_of: newest_file(events.iter().copied()),
        employee: attributes::is_employee(categories),
    }
}

/// Returns the type, time and data of each event.
fn typed<'a>(events: &[&'a Item]) -> impl Iterator<Item = (EventType, Instant, &'a Map)> {
    events.iter().filter_map(|item| {
        let key = item.event()?;
        Some((key.kind(), key.at(), &item.data))
    })
}

/// Returns the quantity that a line of a purchase adds to the items bought: none if the line is a return within an exchange.
fn bought_quantity(line: &Map) -> Decimal {
    let quantity = line.decimal("quantity").unwrap_or_default();
    quantity.max(Decimal::ZERO)
}

/// Adds an amount to a sum. A sum beyond the range of `Decimal` becomes the largest value.
fn add(sum: &mut Decimal, amount: Decimal) {
    *sum = sum.saturating_add(amount);
}

/// Returns the average, rounded half to even to the decimal places of the total.
fn average(currency: String, total: Decimal, count: u32) -> Money {
    let places = scaled(&currency, total).scale();
    let average = (total / Decimal::from(count.max(1))).round_dp(places);
    Money::new(currency, average)
}

/// The event types of one medium: email or text messages.
struct Medium {
    /// The field that contains a message's id.
    id: &'static str,
    send: EventType,
    open: Option<EventType>,
    click: EventType,
    bounce: Option<EventType>,
    subscribe: EventType,
}

const EMAIL: Medium = Medium {
    id: "email_id",
    send: EventType::EmailSend,
    open: Some(EventType::EmailOpen),
    click: EventType::EmailClick,
    bounce: Some(EventType::EmailBounce),
    subscribe: EventType::EmailSubscribe,
};

const SMS: Medium = Medium {
    id: "sms_id",
    send: EventType::SmsSend,
    open: None,
    click: EventType::SmsClick,
    bounce: None,
    subscribe: EventType::SmsSubscribe,
};

/// Computes the figures of one medium. `events` are newest first.
fn engagement(events: &[&Item], medium: &Medium, view: &View<'_>) -> Engagement {
    let ids = |wanted: EventType| -> BTreeSet<&str> {
        typed(events)
            .filter(|(kind, ..)| *kind == wanted)
            .filter_map(|(.., data)| data.text(medium.id))
            .collect()
    };
    let last = |wanted: EventType| {
        typed(events)
            .find(|(kind, ..)| *kind == wanted)
            .map(|(_, at, _)| at)
    };
    let sent = ids(medium.send);
    let opened = medium.open.map_or_else(BTreeSet::new, ids);
    let clicked = ids(medium.click);
    // Messages without a send event (sent from another system) do not count in a rate.
    let rate = |part: &BTreeSet<&str>| {
        let part = part.intersection(&sent).count();
        let share = part as f64 / sent.len() as f64;
        (!sent.is_empty()).then(|| (share * 10_000.0).round() / 10_000.0)
    };
    let (last_opened_at, last_clicked_at) = (medium.open.and_then(last), last(medium.click));
    let subscriptions = subscriptions::fold(events, medium.subscribe, view);
    Engagement {
        status: subscriptions.status,
        lists: subscriptions.lists,
        opted_in: subscriptions.opted_in,
        opted_out: subscriptions.opted_out,
        sent: sent.len(),
        opened: opened.len(),
        clicked: clicked.len(),
        bounced: medium.bounce.map_or(0, |bounce| ids(bounce).len()),
        open_rate: rate(&opened),
        click_rate: rate(&clicked),
        last_sent_at: last(medium.send),
        last_opened_at,
        last_clicked_at,
        last_bounced_at: medium.bounce.and_then(last),
        engagement: if is_within(last_clicked_at, view.now, ENGAGED_DAYS) {
            Engaged::Clicks
        } else if is_within(last_opened_at, view.now, ENGAGED_DAYS) {
            Engaged::Opens
        } else {
            Engaged::None
        },
    }
}
