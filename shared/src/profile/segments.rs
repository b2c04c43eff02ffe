//! Segments: rules over the summary and the time, all in one table.

use super::summary::{Relationship, Summary};
use crate::time::Instant;

/// A customer whose first order is not older than this is new.
const NEW_DAYS: i64 = 30;
/// A customer whose last order is older than this is lapsing.
const LAPSING_DAYS: i64 = 180;
/// A customer whose last order is older than this has lapsed.
const LAPSED_DAYS: i64 = 365;
/// A customer with at least this many orders is a VIP.
const VIP_ORDERS: usize = 10;
/// Opened or clicked within this time: engaged.
pub(super) const ENGAGED_DAYS: i64 = 90;

type Rule = fn(&Summary, Instant) -> bool;

/// Name and rule of every segment.
const SEGMENTS: [(&str, Rule); 15] = [
    ("prospect", |s, _| s.relationship == Relationship::Prospect),
    ("one_time", |s, _| s.orders == 1),
    ("repeat", |s, _| s.orders > 1),
    ("vip", |s, _| s.orders >= VIP_ORDERS),
    ("new", |s, now| within(s.first_order_at, now, NEW_DAYS)),
    ("active", |s, now| {
        within(s.last_order_at, now, LAPSING_DAYS)
    }),
    ("lapsing", |s, now| {
        past(s.last_order_at, now, LAPSING_DAYS) && !past(s.last_order_at, now, LAPSED_DAYS)
    }),
    ("lapsed", |s, now| past(s.last_order_at, now, LAPSED_DAYS)),
    ("returner", |s, _| s.returns > 0),
    ("email_opted_in", |s, _| s.email.opted_in),
    ("email_opens", |s, now| {
        within(s.email.last_opened_at, now, ENGAGED_DAYS)
    }),
    ("email_clicks", |s, now| {
        within(s.email.last_clicked_at, now, ENGAGED_DAYS)
    }),
    ("email_opted_out", |s, _| s.email.opted_out),
    ("sms_subscribed", |s, _| s.sms.opted_in),
    ("employee", |s, _| s.employee),
];

/// The names of the segments that `summary` falls into at `now`.
pub(super) fn of(summary: &Summary, now: Instant) -> impl Iterator<Item = &'static str> {
    SEGMENTS
        .into_iter()
        .filter(move |(_, rule)| rule(summary, now))
        .map(|(name, _)| name)
}

pub(super) fn within(at: Option<Instant>, now: Instant, days: i64) -> bool {
    at.is_some_and(|at| now.seconds() - at.seconds() <= days * 86_400)
}

fn past(at: Option<Instant>, now: Instant, days: i64) -> bool {
    at.is_some() && !within(at, now, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_itself_still_counts() {
        let at = Instant::from_seconds(1_000_000).unwrap();
        let after = |days: i64| Instant::from_seconds(1_000_000 + days * 86_400).unwrap();
        assert!(within(Some(at), after(30), 30) && !within(Some(at), after(31), 30));
        assert!(past(Some(at), after(31), 30) && !past(None, after(31), 30));
    }
}
