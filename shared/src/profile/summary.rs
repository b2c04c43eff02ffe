//! The summary: key figures, exact, per currency. Every figure is counted from the events; nothing is stored.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use serde::Serialize;

use super::{
    State, View, attributes,
    history::channel,
    money::{Money, currency, paid, scaled},
    segments,
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
    /// The last subscription status.
    pub status: Option<String>,
    /// How many were sent.
    pub sent: usize,
    /// How many distinct ones were opened; always 0 for text messages.
    pub opened: usize,
    /// How many distinct ones had a link followed.
    pub clicked: usize,
    /// How many bounced; always 0 for text messages.
    pub bounced: usize,
    /// `opened ÷ sent`; `null` where none was sent.
    pub open_rate: Option<f64>,
    /// `clicked ÷ sent`; `null` where none was sent.
    pub click_rate: Option<f64>,
    /// When the last one was sent.
    pub last_sent_at: Option<Instant>,
    /// When one was last opened.
    pub last_opened_at: Option<Instant>,
    /// When a link was last followed.
    pub last_clicked_at: Option<Instant>,
}

/// The key figures of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the customer has bought.
    pub relationship: Relationship,
    /// Purchases.
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
    /// Where events happened.
    pub channels: BTreeSet<String>,
    /// What each month came to, the earliest first.
    pub spend_by_month: Vec<MonthlySpend>,
    /// E-mail.
    pub email: Engagement,
    /// Text messages.
    pub sms: Engagement,
    /// Names of the segments that the customer is in.
    pub segments: BTreeSet<String>,
}

/// Counts the figures. `events` are the state's, each once, the newest first.
pub(super) fn fold(state: &State, events: &[&Item], view: &View<'_>) -> Summary {
    let mut orders = 0_usize;
    let mut items = Decimal::ZERO;
    let mut returns = 0_usize;
    let mut spend: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut bought: BTreeMap<String, (Decimal, u32)> = BTreeMap::new();
    let mut months: BTreeMap<(String, String), Decimal> = BTreeMap::new();
    let mut order_times = Vec::new();
    let mut channels = BTreeSet::new();
    for (kind, at, data) in facts(events) {
        channels.extend(channel(kind, data).map(str::to_owned));
        if !matches!(kind, EventType::Purchase | EventType::Return) {
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
    let mut summary = Summary {
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
        channels,
        spend_by_month: months
            .into_iter()
            .map(|((month, currency), amount)| MonthlySpend {
                month,
                amount: scaled(&currency, amount),
                currency,
            })
            .collect(),
        email: email(events),
        sms: sms(events),
        segments: BTreeSet::new(),
    };
    summary.segments = segments::of(&summary, view.now)
        .map(str::to_owned)
        .collect();
    summary.segments.extend(attributes::segments(state, view));
    summary
}

fn facts<'a>(events: &[&'a Item]) -> impl Iterator<Item = (EventType, Instant, &'a Map)> {
    events.iter().filter_map(|item| {
        let key = item.event()?;
        Some((key.kind(), key.at()?, &item.data))
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

fn email(events: &[&Item]) -> Engagement {
    use EventType::{EmailBounce, EmailClick, EmailOpen, EmailSend, EmailSubscribe};
    engagement(
        events,
        "email_id",
        EmailSend,
        Some(EmailOpen),
        EmailClick,
        Some(EmailBounce),
        EmailSubscribe,
    )
}

fn sms(events: &[&Item]) -> Engagement {
    engagement(
        events,
        "sms_id",
        EventType::SmsSend,
        None,
        EventType::SmsClick,
        None,
        EventType::SmsSubscribe,
    )
}

fn engagement(
    events: &[&Item],
    id: &str,
    send: EventType,
    open: Option<EventType>,
    click: EventType,
    bounce: Option<EventType>,
    subscribe: EventType,
) -> Engagement {
    let distinct = |wanted: EventType| {
        let ids = facts(events)
            .filter(|(kind, ..)| *kind == wanted)
            .filter_map(|(.., data)| data.text(id));
        ids.collect::<BTreeSet<_>>().len()
    };
    let last = |wanted: EventType| {
        facts(events)
            .find(|(kind, ..)| *kind == wanted)
            .map(|(_, at, _)| at)
    };
    let (sent, opened, clicked) = (distinct(send), open.map_or(0, distinct), distinct(click));
    let rate =
        |part: usize| (sent > 0).then(|| (part as f64 / sent as f64 * 10_000.0).round() / 10_000.0);
    let status = facts(events).find(|(kind, ..)| *kind == subscribe);
    Engagement {
        status: status
            .and_then(|(.., data)| data.text("status"))
            .map(str::to_owned),
        sent,
        opened,
        clicked,
        bounced: bounce.map_or(0, distinct),
        open_rate: rate(opened),
        click_rate: rate(clicked),
        last_sent_at: last(send),
        last_opened_at: open.and_then(last),
        last_clicked_at: last(click),
    }
}
