//! When things happen: two years that end on a fixed day, so that the same seed makes the same files.

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt as _};

/// How many days the sample data spans.
pub(super) const DAYS: i64 = 730;
/// The first second of the first day: 2024-11-01.
const START: Timestamp = Timestamp::constant(1_730_419_200, 0);

/// A moment of the two years, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Timestamp);

impl Moment {
    /// Some moment in the waking hours of a day; days are counted from 0 and end with the two years.
    pub(super) fn on(random: &mut impl Rng, day: i64) -> Self {
        let seconds = random.random_range(7 * 3_600..21 * 3_600);
        Self(
            START
                + SignedDuration::from_hours(24 * day.clamp(0, DAYS - 1))
                + SignedDuration::from_secs(seconds),
        )
    }

    /// So many minutes later.
    pub(super) fn after(self, minutes: i64) -> Self {
        Self(self.0 + SignedDuration::from_mins(minutes))
    }

    /// As files give times.
    pub(super) fn text(self) -> String {
        self.0.to_string()
    }
}
