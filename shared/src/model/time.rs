//! Parses and formats instants: RFC 3339 in UTC, as items and responses contain them. In keys, the fraction of a second always
//! has six digits, because a varying number of digits does not sort.

use std::fmt;

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// An instant within the UTC years 1 to 9999, to the microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Timestamp);

/// The number of characters of the fixed form.
pub const FIXED_CHARS: usize = 27;

/// The first and the last instant, in microseconds since 1970.
const EARLIEST: i64 = -62_135_596_800_000_000;
const LATEST: i64 = 253_402_207_200_000_000;

impl Instant {
    /// Returns the current time of this machine's clock.
    pub fn now() -> Self {
        Self::truncated(Timestamp::now()).unwrap_or(Self(Timestamp::UNIX_EPOCH))
    }

    /// Returns the instant `seconds` after 1970 began. `None` if it is outside the years 1 to 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::truncated(Timestamp::from_second(seconds).ok()?)
    }

    /// Returns the instant `milliseconds` after 1970 began. `None` if it is outside the years 1 to 9999.
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        Self::truncated(Timestamp::from_millisecond(milliseconds).ok()?)
    }

    /// Returns the instant `microseconds` after 1970 began. `None` if it is outside the years 1 to 9999.
    pub fn from_microseconds(microseconds: i64) -> Option<Self> {
        Self::truncated(Timestamp::from_microsecond(microseconds).ok()?)
    }

    /// Parses ISO 8601: a date and a time, with `Z`, an offset, or no zone, which means UTC. A date alone is its
    /// midnight. Times in the last 26 hours of the year 9999, which often mean "never", become the latest instant.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(instant) = Self::parse_fixed(text) {
            return Some(instant);
        }
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Self::truncated(timestamp);
        }
        // The parser below would ignore the name of a zone.
        if text.contains('[') {
            return None;
        }
        let civil: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
        let latest = Timestamp::from_second(Timestamp::MAX.as_second()).ok()?;
        let civil = civil.min(Offset::UTC.to_datetime(latest));
        Self::truncated(Offset::UTC.to_timestamp(civil).ok()?)
    }

    /// Parses the fixed form alone, in a tenth of the time. Keys contain this form, and a profile read parses hundreds
    /// of keys.
    pub fn parse_fixed(text: &str) -> Option<Self> {
        let bytes: &[u8; FIXED_CHARS] = text.as_bytes().try_into().ok()?;
        let marks = [
            (4, b'-'),
            (7, b'-'),
            (10, b'T'),
            (13, b':'),
            (16, b':'),
            (19, b'.'),
            (26, b'Z'),
        ];
        if marks.iter().any(|(place, mark)| bytes[*place] != *mark) {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().try_fold(0_i32, |number, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| number * 10 + i32::from(digit - b'0'))
            })
        };
        let small = |from, to| i8::try_from(number(from, to)?).ok();
        let civil = DateTime::new(
            i16::try_from(number(0, 4)?).ok()?,
            small(5, 7)?,
            small(8, 10)?,
            small(11, 13)?,
            small(14, 16)?,
            small(17, 19)?,
            number(20, 26)? * 1000,
        )
        .ok()?;
        Some(Self(Offset::UTC.to_timestamp(civil).ok()?)).filter(|_| civil.year() >= 1)
    }

    /// Returns the whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Returns the whole milliseconds since 1970.
    pub fn milliseconds(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Returns the microseconds since 1970.
    pub fn microseconds(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Returns the instant `microseconds` later, limited to the years 1 to 9999.
    pub fn shifted(self, microseconds: i64) -> Self {
        let shifted = self.microseconds().saturating_add(microseconds);
        Timestamp::from_microsecond(shifted.clamp(EARLIEST, LATEST)).map_or(self, Self)
    }

    /// Returns the form that sorts, for example `2023-03-06T12:26:47.000000Z`.
    pub fn fixed(self) -> String {
        let civil = Offset::UTC.to_datetime(self.0);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut number = |from: usize, to: usize, value: i32| {
            let mut left = value.unsigned_abs();
            for digit in text[from..to].iter_mut().rev() {
                *digit += u8::try_from(left % 10).unwrap_or(0);
                left /= 10;
            }
        };
        number(0, 4, civil.year().into());
        number(5, 7, civil.month().into());
        number(8, 10, civil.day().into());
        number(11, 13, civil.hour().into());
        number(14, 16, civil.minute().into());
        number(17, 19, civil.second().into());
        number(20, 26, civil.subsec_nanosecond() / 1000);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Returns the UTC date, for example `2023-03-06`.
    pub fn date(self) -> jiff::civil::Date {
        Offset::UTC.to_datetime(self.0).date()
    }

    /// Returns the instant as a timestamp.
    pub(super) const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Rounds down to the microsecond. Returns `None` outside the years 1 to 9999.
    pub(super) fn truncated(timestamp: Timestamp) -> Option<Self> {
        let timestamp = Timestamp::from_microsecond(
            timestamp.as_nanosecond().div_euclid(1000).try_into().ok()?,
        )
        .ok()?;
        let year = Offset::UTC.to_datetime(timestamp).year();
        (1..=9999).contains(&year).then_some(Self(timestamp))
    }
}

/// Formats the instant as in responses, with a fraction of a second only if there is one.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a time"))
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        let fixed = |text: &str| Instant::parse(text).map(Instant::fixed);
        let noon = Some("2023-03-06T12:00:00.000000Z".to_owned());
        assert_eq!(fixed("2023-03-06T12:00:00Z"), noon);
        assert_eq!(fixed("2023-03-06T12:00:00"), noon);
        assert_eq!(fixed("2023-03-06 22:00:00+10:00"), noon);
        assert_eq!(
            fixed("2023-03-06"),
            Some("2023-03-06T00:00:00.000000Z".to_owned())
        );
        assert_eq!(
            fixed("0001-01-01T00:00:00.1234567Z"),
            Some("0001-01-01T00:00:00.123456Z".to_owned())
        );
        assert_eq!(fixed("0000-12-31T23:00:00Z"), None);
        assert_eq!(fixed("yesterday"), None);
        for never in [
            "9999-12-31T23:59:59Z",
            "9999-12-31",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(
                fixed(never),
                Some("9999-12-30T22:00:00.000000Z".to_owned()),
                "{never}"
            );
        }
        // The name of a zone without an offset is refused, because it would be ignored.
        assert_eq!(fixed("2023-03-06T22:00:00[Australia/Sydney]"), None);
        assert_eq!(
            Instant::parse("2023-03-06T12:00:00.50Z")
                .unwrap()
                .to_string(),
            "2023-03-06T12:00:00.5Z"
        );
    }

    proptest! {
        #[test]
        fn the_fixed_form_sorts_and_parses(
            a in -62_135_596_800_000_000_i64..253_402_207_200_000_000,
            b in -62_135_596_800_000_000_i64..253_402_207_200_000_000,
        ) {
            let instant = |us| Instant::truncated(Timestamp::from_microsecond(us).unwrap()).unwrap();
            let (a, b) = (instant(a), instant(b));
            prop_assert_eq!(a.fixed().len(), FIXED_CHARS);
            prop_assert_eq!(a.cmp(&b), a.fixed().cmp(&b.fixed()));
            prop_assert_eq!(Instant::parse_fixed(&a.fixed()), Some(a));
        }

        #[test]
        fn the_fixed_form_is_read_as_any_other(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-6][0-9].[0-9]{6}Z") {
            // With a space instead of the `T`, the slower parser reads the time. Only that parser accepts a leap
            // second.
            let long = Instant::parse(&text.replace('T', " "));
            prop_assert_eq!(Instant::parse(&text), long);
            if let Some(fixed) = Instant::parse_fixed(&text) {
                prop_assert_eq!(Some(fixed), long);
            }
        }
    }

    #[test]
    fn instants_tell_their_parts() {
        let at = Instant::from_milliseconds(1_500).unwrap();
        assert_eq!((at.milliseconds(), at.seconds()), (1_500, 1));
        assert_eq!(at.microseconds(), 1_500_000);
        assert_eq!(at.shifted(-1).shifted(1), at);
        assert_eq!(at.shifted(-1).fixed(), "1970-01-01T00:00:01.499999Z");
        assert_eq!(at.shifted(i64::MIN).fixed(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(at.shifted(i64::MAX).fixed(), "9999-12-30T22:00:00.000000Z");
        assert_eq!(at.date(), jiff::civil::date(1970, 1, 1));
        assert_eq!(Instant::from_seconds(86_400).unwrap().date().day(), 2);
        assert_eq!(Instant::from_seconds(i64::MAX), None);
        assert!(Instant::now().date().year() >= 2026);
        assert_eq!(
            serde_json::to_string(&at).unwrap(),
            "\"1970-01-01T00:00:01.5Z\""
        );
    }
}
