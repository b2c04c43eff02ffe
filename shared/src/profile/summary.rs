//! The summary: key figures, exact, per currency. Every figure is counted from the events; nothing is stored.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Serialize;

use super::{
    Personal, View,
    attributes::{self, Categories},
    channel::{channel, is_known_channel, normal_channel},
    history::cancellation,
    money::{Money, currency, paid, scaled},
    newest_file,
    product::{Product, ProductReference},
    recency::{ENGAGED_DAYS, within},
    subscriptions::{self, Subscription},
};
use crate::{
    item::Item,
    keys::EventType,
    time::Instant,
    value::{Map, Value},
};

/// What one month's purchases and returns came to.
#[derive(Clone, Debug, Serialize)]
pub struct MonthlySpend {
    /// `2026-10`
    pub month: String,
    /// ISO 4217, in capitals.
    pub currency: String,
    /// Returns are subtracted.
    pub amount: Decimal,
}

/// Whether a customer buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relationship {
    /// Has bought.
    Customer,
    /// Has not.
    Prospect,
}

/// The figures of one means of engagement: e-mail or text messages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Engagement {
    /// The subscription status: `unsubscribed` if any list has it, else `subscribed` if any list has it, else the newest.
    pub status: Option<String>,
    /// The subscription to each list of each source, newest first, at most 100.
    pub lists: Vec<Subscription>,
    /// How many were sent.
    pub sent: usize,
    /// How many distinct ones were opened; always 0 for text messages.
    pub opened: usize,
    /// How many distinct ones had a link followed.
    pub clicked: usize,
    /// How many bounced; always 0 for text messages.
    pub bounced: usize,
    /// How many of those sent were opened, divided by `sent`: at most 1; `null` if none was sent.
    pub open_rate: Option<f64>,
    /// How many of those sent had a link followed, divided by `sent`: at most 1; `null` if none was sent.
    pub click_rate: Option<f64>,
    /// When the last one was sent.
    pub last_sent_at: Option<Instant>,
    /// When one was last opened.
    pub last_opened_at: Option<Instant>,
    /// When a link was last followed.
    pub last_clicked_at: Option<Instant>,
    /// When one last bounced; always `null` for text messages.
    pub last_bounced_at: Option<Instant>,
    /// What the customer has done with them in the last 90 days.
    pub engagement: Engaged,
    /// Whether the customer is subscribed to any list.
    #[serde(skip)]
    pub(super) opted_in: bool,
    /// Whether the customer has unsubscribed from any list.
    #[serde(skip)]
    pub(super) opted_out: bool,
}

/// The most that a customer has lately done with what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engaged {
    /// Followed links.
    Clicks,
    /// Opened, and followed no link.
    Opens,
    /// Neither.
    #[default]
    None,
}

/// A product that the customer has bought, and how many of it.
#[derive(Clone, Debug, Serialize)]
pub struct TopProduct {
    /// Names the product.
    #[serde(skip)]
    pub reference: ProductReference,
    /// The id type of the reference, `product_id` unless the order names another.
    pub id_type: String,
    /// The product's id. Without `pii:read` it is visible if the catalog contains the product.
    pub id: Personal<String>,
    /// How many were bought; what came back is not subtracted.
    pub quantity: Decimal,
    /// Name, brand, image and url, where the product is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Map>,
}

/// A category or brand, and how many items of it were bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Top {
    /// Its name.
    pub name: String,
    /// How many items.
    pub quantity: Decimal,
}

/// The time zone of the months.
const TIME_ZONE: &str = "UTC";
/// How many products, categories and brands the summary names.
const TOP: usize = 5;
/// Categories and brands are those of so many of the most bought products: one request of the table.
pub const MAX_RANKED: usize = 100;

/// The key figures of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the customer has bought.
    pub relationship: Relationship,
    /// Purchases, without those that were canceled or voided, here and in all that follows.
    pub orders: usize,
    /// Items bought.
    pub items: u64,
    /// Returns.
    pub returns: usize,
    /// What purchases and returns come to.
    pub total_spend: Vec<Money>,
    /// What purchases come to, by their number: rounded to the total's decimal places.
    pub average_order_value: Vec<Money>,
    /// The first purchase.
    pub first_order_at: Option<Instant>,
    /// The last purchase.
    pub last_order_at: Option<Instant>,
    /// The last event of any type.
    pub last_event_at: Option<Instant>,
    /// Where events happened. Of the spellings of a channel, that of the newest event.
    pub channels: BTreeSet<String>,
    /// What each month came to, the earliest first.
    pub spend_by_month: Vec<MonthlySpend>,
    /// The time zone of the months.
    pub time_zone: &'static str,
    /// E-mail.
    pub email: Engagement,
    /// Text messages.
    pub sms: Engagement,
    /// The most bought products, at most 5.
    pub top_products: Vec<TopProduct>,
    /// The categories of which most was bought, at most 5.
    pub top_categories: Vec<Top>,
    /// The brands of which most was bought, at most 5.
    pub top_brands: Vec<Top>,
    /// Names of the segments that the customer is in.
    pub segments: BTreeSet<String>,
    /// The newest file among those that the figures are counted from.
    pub as_of: Option<Instant>,
    /// Whether the customer works for the company.
    #[serde(skip)]
    pub(super) employee: bool,
}

impl Summary {
    /// Ranks categories and brands, and names the products: `known` gives what is known of a product.
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
            top.product = Some(product.shown.clone());
            top.id = Personal::Shown(top.reference.id.clone());
        }
        self.top_categories = ranked(categories);
        self.top_brands = ranked(brands);
        self.top_products.truncate(TOP);
    }
}

fn is_blank(name: &str) -> bool {
    name.trim().is_empty()
}

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

/// Purchased quantities by product, the most bought first.
fn most_bought(events: &[&Item], view: &View<'_>) -> Vec<TopProduct> {
    let mut bought: BTreeMap<ProductReference, Decimal> = BTreeMap::new();
    for (kind, _, data) in facts(events) {
        if kind != EventType::Purchase || cancellation(data).is_some() {
            continue;
        }
        for line in data.list("products").iter().filter_map(Value::as_map) {
            let Some(product) = ProductReference::of(line) else {
                continue;
            };
            let quantity = line.decimal("quantity").unwrap_or_default();
            add(bought.entry(product).or_default(), quantity);
        }
    }
    let mut all: Vec<_> = bought
        .into_iter()
        .map(|(reference, quantity)| TopProduct {
            id_type: reference.id_type.clone(),
            id: view.show(reference.id.clone()),
            reference,
            quantity,
            product: None,
        })
        .collect();
    all.sort_by_key(|top| std::cmp::Reverse(top.quantity));
    all.truncate(MAX_RANKED);
    all
}

/// Counts the figures, without segments. `events` are the state's, each once, newest first.
pub(super) fn fold(categories: &Categories, events: &[&Item], view: &View<'_>) -> Summary {
    let mut orders = 0_usize;
    let mut items = Decimal::ZERO;
    let mut returns = 0_usize;
    let mut spend: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut bought: BTreeMap<String, (Decimal, u32)> = BTreeMap::new();
    let mut months: BTreeMap<(String, String), Decimal> = BTreeMap::new();
    let mut order_times = Vec::new();
    let mut channels = BTreeMap::new();
    for (kind, at, data) in facts(events) {
        let visible = |name: &&str| view.personal || is_known_channel(name);
        if let Some(channel) = channel(kind, data).filter(visible) {
            channels.entry(normal_channel(channel)).or_insert(channel);
        }
        let is_order = matches!(kind, EventType::Purchase | EventType::Return);
        if !is_order || cancellation(data).is_some() {
            continue;
        }
        let (currency, paid) = (currency(data, view), paid(data));
        add(spend.entry(currency.clone()).or_default(), paid);
        let date = at.date();
        let month = format!("{:04}-{:02}", date.year(), date.month());
        add(months.entry((month, currency.clone())).or_default(), paid);
        if kind == EventType::Return {
            returns += 1;
            continue;
        }
        orders += 1;
        order_times.push(at);
        for line in data.list("products").iter().filter_map(Value::as_map) {
            add(&mut items, line.decimal("quantity").unwrap_or_default());
        }
        let (total, count) = bought.entry(currency).or_default();
        add(total, paid);
        *count += 1;
    }
    let money = |(currency, amount)| Money::new(currency, amount);
    Summary {
        relationship: if orders > 0 {
            Relationship::Customer
        } else {
            Relationship::Prospect
        },
        orders,
        items: items.to_u64().unwrap_or(u64::MAX),
        returns,
        total_spend: spend.into_iter().map(money).collect(),
        average_order_value: bought
            .into_iter()
            .map(|(currency, (total, count))| average(currency, total, count))
            .collect(),
        first_order_at: order_times.last().copied(),
        last_order_at: order_times.first().copied(),
        last_event_at: facts(events).next().map(|(_, at, _)| at),
        channels: channels.into_values().map(str::to_owned).collect(),
        spend_by_month: months
            .into_iter()
            .map(|((month, currency), amount)| MonthlySpend {
                month,
                amount: scaled(&currency, amount),
                currency,
            })
            .collect(),
        time_zone: TIME_ZONE,
        email: engagement(events, &EMAIL, view),
        sms: engagement(events, &SMS, view),
        top_products: most_bought(events, view),
        top_categories: Vec::new(),
        top_brands: Vec::new(),
        segments: BTreeSet::new(),
        as_of: newest_file(events.iter().copied()),
        employee: attributes::is_employee(categories),
    }
}

fn facts<'a>(events: &[&'a Item]) -> impl Iterator<Item = (EventType, Instant, &'a Map)> {
    events.iter().filter_map(|item| {
        let key = item.event()?;
        Some((key.kind(), key.at(), &item.data))
    })
}

fn add(sum: &mut Decimal, amount: Decimal) {
    *sum = sum.saturating_add(amount);
}

/// Rounded half to even, to the places of the total.
fn average(currency: String, total: Decimal, count: u32) -> Money {
    let places = scaled(&currency, total).scale();
    let average = (total / Decimal::from(count.max(1))).round_dp(places);
    Money::new(currency, average)
}

/// The event types of e-mail or of text messages.
struct Means {
    /// The field that names a message.
    id: &'static str,
    send: EventType,
    open: Option<EventType>,
    click: EventType,
    bounce: Option<EventType>,
    subscribe: EventType,
}

const EMAIL: Means = Means {
    id: "email_id",
    send: EventType::EmailSend,
    open: Some(EventType::EmailOpen),
    click: EventType::EmailClick,
    bounce: Some(EventType::EmailBounce),
    subscribe: EventType::EmailSubscribe,
};

const SMS: Means = Means {
    id: "sms_id",
    send: EventType::SmsSend,
    open: None,
    click: EventType::SmsClick,
    bounce: None,
    subscribe: EventType::SmsSubscribe,
};

fn engagement(events: &[&Item], means: &Means, view: &View<'_>) -> Engagement {
    let ids = |wanted: EventType| -> BTreeSet<&str> {
        facts(events)
            .filter(|(kind, ..)| *kind == wanted)
            .filter_map(|(.., data)| data.text(means.id))
            .collect()
    };
    let last = |wanted: EventType| {
        facts(events)
            .find(|(kind, ..)| *kind == wanted)
            .map(|(_, at, _)| at)
    };
    let sent = ids(means.send);
    let opened = means.open.map_or_else(BTreeSet::new, ids);
    let clicked = ids(means.click);
    // Messages that were sent elsewhere are no part of a rate.
    let rate = |part: &BTreeSet<&str>| {
        let part = part.intersection(&sent).count();
        let share = part as f64 / sent.len() as f64;
        (!sent.is_empty()).then(|| (share * 10_000.0).round() / 10_000.0)
    };
    let (last_opened_at, last_clicked_at) = (means.open.and_then(last), last(means.click));
    let subscriptions = subscriptions::fold(events, means.subscribe, view);
    Engagement {
        status: subscriptions.status,
        lists: subscriptions.lists,
        opted_in: subscriptions.opted_in,
        opted_out: subscriptions.opted_out,
        sent: sent.len(),
        opened: opened.len(),
        clicked: clicked.len(),
        bounced: means.bounce.map_or(0, |bounce| ids(bounce).len()),
        open_rate: rate(&opened),
        click_rate: rate(&clicked),
        last_sent_at: last(means.send),
        last_opened_at,
        last_clicked_at,
        last_bounced_at: means.bounce.and_then(last),
        engagement: if within(last_clicked_at, view.now, ENGAGED_DAYS) {
            Engaged::Clicks
        } else if within(last_opened_at, view.now, ENGAGED_DAYS) {
            Engaged::Opens
        } else {
            Engaged::None
        },
    }
}
