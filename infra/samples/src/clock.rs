//! The times of events. They are in two years that end on a fixed day, so that the same seed produces the same files.

use jiff::tz::{self, Offset};
use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt as _};

/// The number of days that the sample data spans.
pub(crate) const DAYS: i64 = 730;
/// The first second of the first day: 2024-11-01.
const START: Timestamp = Timestamp::constant(1_730_419_200, 0);

const BRISBANE: Offset = tz::offset(10);

/// A time in the two years, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Timestamp);

impl Moment {
    /// Returns a random time between 07:00 and 21:00 UTC on a day. Days count from 0 and are limited to the two years.
    pub(crate) fn on(random: &mut impl Rng, day: i64) -> Self {
        let seconds = random.random_range(7 * 3_600..21 * 3_600);
        Self(
            START
                + SignedDuration::from_hours(24 * day.clamp(0, DAYS - 1))
                + SignedDuration::from_secs(seconds),
        )
    }

    /// Returns the time `minutes` minutes later.
    pub(crate) fn after(self, minutes: i64) -> Self {
        Self(self.0 + SignedDuration::from_mins(minutes))
    }

    /// Returns whether the time is in the two years.
    pub(crate) fn is_past(self) -> bool {
        self.0 < START + SignedDuration::from_hours(24 * DAYS)
    }

    /// Returns the time in the format of the files.
    pub(crate) fn text(self) -> String {
        self.0.to_string()
    }

    /// Returns the time in Brisbane, which has no daylight saving time, in the format of Shopify: `2026-10-06 10:37:33 +1000`.
    pub(crate) fn brisbane(self) -> String {
        let time = BRISBANE.to_datetime(self.0);
        format!("{} +1000", time.strftime("%F %T"))
    }
}
