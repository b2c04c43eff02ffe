//! Segments: rules over the summary and the current time, all in one table.

use std::collections::BTreeSet;

use super::{
    attributes::{self, Categories},
    recency::{ENGAGED_DAYS, is_older_than, is_within},
    summary::{Relationship, Summary},
};
use crate::model::time::Instant;

/// A customer whose first order is at most this many days old is new.
const NEW_DAYS: i64 = 30;
/// A customer whose last order is older than this many days is lapsing.
const LAPSING_DAYS: i64 = 180;
/// A customer whose last order is older than this many days has lapsed.
const LAPSED_DAYS: i64 = 365;
/// A customer with at least this many orders is a VIP.
const VIP_ORDERS: usize = 10;

type Rule = fn(&Summary, Instant) -> bool;

/// The name and rule of every segment.
const SEGMENTS: [(&str, Rule); 15] = [
    ("prospect", |s, _| s.relationship == Relationship::Prospect),
    ("one_time", |s, _| s.orders == 1),
    ("repeat", |s, _| s.orders > 1),
    ("vip", |s, _| s.orders >= VIP_ORDERS),
    ("new", |s, now| is_within(s.first_order_at, now, NEW_DAYS)),
    ("active", |s, now| {
        is_within(s.last_order_at, now, LAPSING_DAYS)
    }),
    ("lapsing", |s, now| {
        is_older_than(s.last_order_at, now, LAPSING_DAYS)
            && !is_older_than(s.last_order_at, now, LAPSED_DAYS)
    }),
    ("lapsed", |s, now| {
        is_older_than(s.last_order_at, now, LAPSED_DAYS)
    }),
    ("returner", |s, _| s.returns > 0),
    ("email_opted_in", |s, _| s.email.opted_in),
    ("email_opens", |s, now| {
        is_within(s.email.last_opened_at, now, ENGAGED_DAYS)
    }),
    ("email_clicks", |s, now| {
        is_within(s.email.last_clicked_at, now, ENGAGED_DAYS)
    }),
    ("email_opted_out", |s, _| s.email.opted_out),
    ("sms_subscribed", |s, _| s.sms.opted_in),
    ("employee", |s, _| s.employee),
];

/// Sets the segments of a summary: those whose rule applies at `now`, and those named by attributes.
pub(super) fn assign(summary: &mut Summary, categories: &Categories, now: Instant) {
    let mut segments: BTreeSet<_> = of(summary, now).map(str::to_owned).collect();
    segments.extend(attributes::segments(categories).map(str::to_owned));
    summary.segments = segments;
}

/// Returns the names of the segments whose rule applies to `summary` at `now`.
fn of(summary: &Summary, now: Instant) -> impl Iterator<Item = &'static str> {
    SEGMENTS
        .into_iter()
        .filter(move |(_, rule)| rule(summary, now))
        .map(|(name, _)| name)
}
