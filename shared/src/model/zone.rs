//! The company's time zone: the zone of months and of dates without a time.

use std::borrow::Cow;

use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::time::Instant;

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Cow<'static, str>,
    rules: TimeZone,
}

/// The time zone of stacks that configure none.
pub static UTC: Zone = Zone {
    name: Cow::Borrowed("UTC"),
    rules: TimeZone::UTC,
};

impl Zone {
    /// Returns the time zone with this IANA name, such as `Australia/Hobart`, in any case. `None` if there is none. The database is
    /// part of the binary, so that results do not depend on the files of a machine.
    pub fn named(name: &str) -> Option<Self> {
        let rules = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = rules.iana_name()?.to_owned();
        Some(Self {
            name: name.into(),
            rules,
        })
    }

    /// Returns the IANA name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the date of an instant in this zone.
    pub fn date(&self, at: Instant) -> Date {
        self.rules.to_datetime(at.timestamp()).date()
    }

    /// Parses a time as [`Instant::parse`] does. A date alone is its first moment in this zone: if midnight does not exist there, the
    /// first time after it, and if it exists twice, the first one.
    pub fn parse(&self, text: &str) -> Option<Instant> {
        let instant = Instant::parse(text)?;
        let date = text.trim().parse::<Date>();
        let date = date.ok().filter(|_| !text.contains(['T', 't', ' ', ':']));
        // At the ends of the calendar, the zone's own midnight may not be an instant.
        let begins = date.and_then(|date| {
            let midnight = date.at(0, 0, 0, 0);
            let begins = self.rules.to_ambiguous_timestamp(midnight);
            Instant::truncated(begins.compatible().ok()?)
        });
        Some(begins.unwrap_or(instant))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap_or_else(|| panic!("{name}"))
    }

    fn instant(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn zones_have_iana_names() {
        assert_eq!(zone("australia/hobart").name(), "Australia/Hobart");
        assert_eq!(zone("UTC"), UTC);
        for unknown in ["", "Hobart", "Mars/Olympus", "+10:00", "AEST-10"] {
            assert_eq!(Zone::named(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn dates_are_those_of_the_zone() {
        let at = instant("2026-03-31T13:30:00Z");
        for (name, expected) in [
            ("UTC", "2026-03-31"),
            ("Australia/Hobart", "2026-04-01"),
            ("America/New_York", "2026-03-31"),
            ("Pacific/Kiritimati", "2026-04-01"),
        ] {
            assert_eq!(zone(name).date(at).to_string(), expected, "{name}");
        }
        let first = instant("0001-01-01T00:00:00Z");
        assert_eq!(zone("America/New_York").date(first).year(), 0);
    }

    #[test]
    fn dates_begin_at_midnight_of_the_zone() {
        for (name, date, expected) in [
            ("UTC", "2026-03-06", "2026-03-06T00:00:00Z"),
            ("Australia/Hobart", "2026-01-01", "2025-12-31T13:00:00Z"),
            ("Australia/Hobart", "2026-07-01", "2026-06-30T14:00:00Z"),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z"),
            // On this day there is no midnight: 00:00 becomes 01:00.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),
            // On this day midnight exists twice.
            ("America/Havana", "2025-11-02", "2025-11-02T04:00:00Z"),
            // Samoa has left this day out.
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Australia/Hobart", "0001-01-01", "0001-01-01T00:00:00Z"),
        ] {
            let at = zone(name).parse(date);
            assert_eq!(at, Some(instant(expected)), "{name} {date}");
        }
    }

    #[test]
    fn times_do_not_depend_on_the_zone() {
        let hobart = zone("Australia/Hobart");
        for text in [
            "2026-03-06T12:26:47Z",
            "2026-03-06T12:26:47+10:00",
            "2026-03-06T12:26:47",
            "2026-03-06 12:26",
        ] {
            assert_eq!(hobart.parse(text), Instant::parse(text), "{text}");
        }
        for text in ["", "now", "2026-13-01", "2026-03-06[Australia/Hobart]"] {
            assert_eq!(hobart.parse(text), None, "{text}");
        }
    }

    proptest! {
        /// The first moment of a date has that date, and the moment before it an earlier one.
        #[test]
        fn days_begin_once(days in -20_000_i64..40_000, name in prop::sample::select(vec![
            "UTC", "Australia/Hobart", "America/New_York", "Africa/Cairo", "America/Havana", "Asia/Kolkata", "America/Sao_Paulo",
        ])) {
            let zone = zone(name);
            let date = UTC.date(Instant::from_seconds(days * 86_400).unwrap());
            let begins = zone.parse(&date.to_string()).unwrap();
            prop_assert_eq!(zone.date(begins), date);
            prop_assert!(zone.date(begins.shifted(-1)) < date);
        }
    }
}
