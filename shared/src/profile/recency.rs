//! Recency: compares the age of an event with a limit in days.

use crate::model::time::Instant;

/// Customers who opened or clicked within this number of days are engaged.
pub(super) const ENGAGED_DAYS: i64 = 90;

/// Returns whether `at` is at most `days` days before `now`. A missing time is not.
pub(super) fn is_within(at: Option<Instant>, now: Instant, days: i64) -> bool {
    at.is_some_and(|at| now.seconds() - at.seconds() <= days * 86_400)
}

/// Returns whether `at` is more than `days` days before `now`. A missing time is not.
pub(super) fn is_older_than(at: Option<Instant>, now: Instant, days: i64) -> bool {
    at.is_some() && !is_within(at, now, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_itself_still_counts() {
        let at = Instant::from_seconds(1_000_000).unwrap();
        let after = |days: i64| Instant::from_seconds(1_000_000 + days * 86_400).unwrap();
        assert!(is_within(Some(at), after(30), 30) && !is_within(Some(at), after(31), 30));
        assert!(is_older_than(Some(at), after(31), 30) && !is_older_than(None, after(31), 30));
    }
}
