//! Parses the times and dates that files contain. In: the text of a field. Out: an [`Instant`] or a date.
//!
//! The API accepts only what [`Instant::parse`] accepts. Files come from databases, spreadsheets, mail servers and scripts, so this
//! parser also accepts their forms, as far as each has only one meaning.

use std::borrow::Cow;

use jiff::{
    Span,
    civil::{Date, DateTime, Time},
    fmt::rfc2822,
    tz::Offset,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{time::Instant, value::decimal};

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// The text is a time in more than one notation, for example `11/12/2026`.
    Ambiguous,
    /// The text is a number in exponent notation, for example `1.77E+09`: a spreadsheet has rounded an epoch.
    Rounded,
    /// The text names a time zone instead of an offset, for example `2026-11-20 01:15 AEST`.
    ZoneName,
    /// The text is not a time in any known notation, or has parts out of their range.
    Unreadable,
}

/// The smallest number that is read as an epoch, except 0. In seconds, it is a time in 1973. Smaller numbers are years, compact
/// dates or days of a spreadsheet.
const MIN_EPOCH: i64 = 100_000_000;
/// The unit of an epoch: numbers below the first value are multiplied by the second one to become microseconds.
const EPOCH_UNITS: [(i64, i64); 3] = [
    (100_000_000_000, 1_000_000),
    (100_000_000_000_000, 1_000),
    (100_000_000_000_000_000, 1),
];
/// The first number that is not an epoch in nanoseconds anymore: a time in the year 5138.
const MAX_EPOCH: i128 = 100_000_000_000_000_000_000;

/// Parses a time. Without a zone it is UTC, and a date alone is its midnight. Accepts:
///
/// - what [`Instant::parse`] accepts;
/// - a date with the year first, a time of day, and a zone, each also after a space: `2026-11-20 1:15 PM`, `2026/11/20 01:15:00
///   UTC`, `2026-11-20 01:15:00.123 +1000`, `2026-11-20T24:00:00Z`;
/// - the same without separators: `20261120011500`, `20261120T011500.123 +1000`;
/// - RFC 2822: `Fri, 20 Nov 2026 01:15:00 GMT`;
/// - seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by their magnitude.
///
/// # Errors
/// The text has another form, a form with several meanings, or lost digits.
pub fn instant(text: &str) -> Result<Instant, TimeError> {
    match Instant::parse(text) {
        Some(instant) => Ok(instant),
        None if is_rounded(text) => Err(TimeError::Rounded),
        None => other_form(text),
    }
}

/// Parses a JSON number like [`instant`]. Unlike a text, it may have an exponent, because programs write numbers so without rounding.
///
/// # Errors
/// The number is not a time.
pub fn instant_of_number(number: &str) -> Result<Instant, TimeError> {
    Instant::parse(number).map_or_else(|| other_form(number), Ok)
}

/// Returns whether a text is a number in exponent notation, also with a decimal comma.
pub fn is_rounded(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.contains(['e', 'E'])
        && decimal(&text.replace(',', ".")).is_some()
}

/// Parses the forms that [`Instant::parse`] does not accept.
fn other_form(text: &str) -> Result<Instant, TimeError> {
    let text = with_spaces(text);
    let text = text.trim();
    if text.starts_with(|first: char| first.is_ascii_digit())
        && let Some(number) = decimal(text)
    {
        return number_of(text, number);
    }
    if is_ambiguous(text) {
        return Err(TimeError::Ambiguous);
    }
    let extended = extended(text);
    if let Some((date, rest)) = date_part(extended.as_deref().unwrap_or(text)) {
        return with_time(date, rest);
    }
    let timestamp = rfc2822::DateTimeParser::new().parse_timestamp(text);
    let milliseconds = timestamp.map(|at| at.as_millisecond());
    milliseconds
        .ok()
        .and_then(Instant::from_milliseconds)
        .ok_or(TimeError::Unreadable)
}

/// Parses a date, or the date of a time as it is written, whatever the zone. Returns `None` if the text is not a date in the
/// years 1 to 9999 with the year first.
pub fn date(text: &str) -> Option<Date> {
    let text = with_spaces(text);
    let text = text.trim();
    let strict = || text.strip_suffix('Z').unwrap_or(text).parse().ok();
    let lenient = || {
        let extended = extended(text);
        let (date, rest) = date_part(extended.as_deref().unwrap_or(text))?;
        with_time(date, rest).ok().map(|_| date)
    };
    strict()
        .or_else(lenient)
        .filter(|date: &Date| (1..=9999).contains(&date.year()))
}

/// Replaces whitespace outside of ASCII with spaces. JavaScript, for example, writes U+202F before `PM`.
pub fn with_spaces(text: &str) -> Cow<'_, str> {
    let is_other = |c: char| c.is_whitespace() && !c.is_ascii();
    if text.is_ascii() || !text.contains(is_other) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.replace(is_other, " "))
    }
}

/// Converts a number to a time: a compact date and time of 14 digits, or an epoch.
fn number_of(text: &str, number: Decimal) -> Result<Instant, TimeError> {
    let whole = text.split('.').next().unwrap_or_default();
    let is_digits = whole.bytes().all(|byte| byte.is_ascii_digit());
    match whole.len() {
        14 if is_digits => compact(text).ok_or(TimeError::Unreadable),
        // Milliseconds of 1976, or the 20th of November 2026.
        12 if is_digits && compact(&format!("{whole}00")).is_some() => Err(TimeError::Ambiguous),
        _ => epoch(number).ok_or(TimeError::Unreadable),
    }
}

/// Converts `YYYYMMDDhhmmss`, also with a fraction of the second, to a time in UTC.
fn compact(text: &str) -> Option<Instant> {
    let extended = extended(text)?;
    let (date, rest) = date_part(&extended)?;
    with_time(date, rest).ok()
}

/// Writes the separators of a compact date and of the compact time after it: `20261120T011500.5Z` becomes `2026-11-20T01:15:00.5Z`.
/// Returns `None` if the text begins with another number of digits.
fn extended(text: &str) -> Option<String> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (date, time, rest) = match digits(text) {
        14 => (&text[..8], &text[8..14], &text[14..]),
        8 => {
            let (date, rest) = text.split_at(8);
            let time = rest.strip_prefix(['T', 't', ' ']).unwrap_or_default();
            match digits(time) {
                length @ (4 | 6) => (date, &time[..length], &time[length..]),
                _ => (date, "", rest),
            }
        }
        _ => return None,
    };
    let mut extended = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    for (start, separator) in [(0, 'T'), (2, ':'), (4, ':')] {
        if let Some(part) = time.get(start..start + 2) {
            extended.push(separator);
            extended.push_str(part);
        }
    }
    Some(extended + rest)
}

/// Converts a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
fn epoch(number: Decimal) -> Option<Instant> {
    if !number.is_zero() && number < Decimal::from(MIN_EPOCH) {
        return None;
    }
    let unit = EPOCH_UNITS
        .iter()
        .find(|(below, _)| number < Decimal::from(*below));
    let microseconds = match unit {
        Some((_, factor)) => number.checked_mul(Decimal::from(*factor))?,
        None if number < Decimal::from(MAX_EPOCH) => number / Decimal::from(1_000),
        None => return None,
    };
    Instant::from_microseconds(microseconds.floor().to_i64()?)
}

/// Returns whether a text begins with a date whose year is not first: its parts can be read in several orders.
fn is_ambiguous(text: &str) -> bool {
    let mut rest = text;
    let mut digits = || {
        let end = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (_, after) = rest.split_at(end);
        rest = after.strip_prefix(['/', '.', '-']).unwrap_or("");
        (end, after.len() - rest.len())
    };
    let (first, second, third) = (digits(), digits(), digits());
    let is_short = |(digits, _): (usize, usize)| (1..=2).contains(&digits);
    is_short(first) && is_short(second) && matches!(third.0, 2 | 4)
}

/// Splits a date with the year first off the start of a text: `2026-11-20`, `2026/11/20`, `2026.11.20` or `2026-1-5`.
fn date_part(text: &str) -> Option<(Date, &str)> {
    let (year, rest) = number(text, 4)?;
    let separator = rest
        .chars()
        .next()
        .filter(|c| matches!(c, '-' | '/' | '.'))?;
    let (month, rest) = number(rest.strip_prefix(separator)?, 2)?;
    let (day, rest) = number(rest.strip_prefix(separator)?, 2)?;
    // A year of fewer digits is not a year.
    if text.as_bytes().get(3)?.is_ascii_digit() && !rest.starts_with(|c: char| c.is_ascii_digit()) {
        let date = Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
        return Some((date, rest));
    }
    None
}

/// Splits a number of 1 to `most` digits off the start of a text.
fn number(text: &str, most: usize) -> Option<(i16, &str)> {
    let end = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// Adds the time of day and the zone in `rest` to a date.
fn with_time(date: Date, rest: &str) -> Result<Instant, TimeError> {
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    if rest.is_empty() {
        return instant_at(date.to_datetime(Time::midnight()), Offset::UTC)
            .ok_or(TimeError::Unreadable);
    }
    let (time, rest) = time_part(rest).ok_or(TimeError::Unreadable)?;
    let offset = offset(rest.trim())?;
    let civil = match time {
        Some(time) => Some(date.to_datetime(time)),
        // 24:00 is the midnight that ends the day.
        None => date
            .checked_add(Span::new().days(1))
            .ok()
            .map(|date| date.to_datetime(Time::midnight())),
    };
    civil
        .and_then(|civil| instant_at(civil, offset))
        .ok_or(TimeError::Unreadable)
}

/// Splits a time of day off the start of a text; its hour may have one digit, and `AM` or `PM` may follow. The time of 24:00 is
/// `None`.
fn time_part(text: &str) -> Option<(Option<Time>, &str)> {
    let (hour, rest) = number(text, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(':')?, 2)?;
    let (mut second, mut nanosecond) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (second, rest) = number(after, 2)?;
        if let Some(after) = rest.strip_prefix(['.', ',']) {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            nanosecond = format!("{:0<9.9}", &after[..digits]).parse().ok()?;
            rest = &after[digits..];
        }
    }
    let (hour, rest) = half_day(hour, rest)?;
    if (hour, minute, second, nanosecond) == (24, 0, 0, 0) {
        return Some((None, rest));
    }
    let part = |number: i16| i8::try_from(number).ok();
    // A leap second is the second before it, as everywhere.
    let time = Time::new(
        part(hour)?,
        part(minute)?,
        part(second.min(59))?,
        nanosecond,
    );
    (second <= 60).then_some((Some(time.ok()?), rest))
}

/// Applies `AM` or `PM` at the start of `rest` to an hour. Returns `None` if the hour does not exist.
fn half_day(hour: i16, rest: &str) -> Option<(i16, &str)> {
    let trimmed = rest.trim_start();
    let Some(mark) = trimmed.get(..2).map(str::to_ascii_lowercase) else {
        return Some((hour, rest));
    };
    let after_noon = match mark.as_str() {
        "am" => 0,
        "pm" => 12,
        _ => return Some((hour, rest)),
    };
    (1..=12)
        .contains(&hour)
        .then(|| (hour % 12 + after_noon, &trimmed[2..]))
}

/// Parses a zone: `Z`, `UTC`, `GMT`, `+10`, `+1000`, `+10:00`, `UTC+10`, or nothing, which means UTC.
fn offset(text: &str) -> Result<Offset, TimeError> {
    let name = text.split(['+', '-']).next().unwrap_or_default();
    let rest = &text[name.len()..];
    if !matches!(
        name.trim_end().to_ascii_uppercase().as_str(),
        "" | "Z" | "UTC" | "GMT" | "UT"
    ) {
        let is_name = name.starts_with(|first: char| first.is_alphabetic());
        return Err(if is_name {
            TimeError::ZoneName
        } else {
            TimeError::Unreadable
        });
    }
    seconds(rest)
        .and_then(|seconds| Offset::from_seconds(seconds).ok())
        .ok_or(TimeError::Unreadable)
}

/// Returns the seconds of an offset: nothing, `+hh`, `+hhmm` or `+hh:mm`.
fn seconds(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let (sign, digits) = (text.get(..1)?, text.get(1..)?);
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => digits.split_at_checked(2)?,
        5 => digits.split_once(':')?,
        _ => return None,
    };
    let part = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<i32>().ok())?
    };
    let (hours, minutes) = (part(hours)?, part(minutes)?);
    let seconds = (hours * 60 + minutes) * 60;
    (hours < 24 && minutes < 60).then_some(if sign == "-" { -seconds } else { seconds })
}

fn instant_at(civil: DateTime, offset: Offset) -> Option<Instant> {
    Instant::from_microseconds(offset.to_timestamp(civil).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixed(text: &str) -> Result<String, TimeError> {
        instant(text).map(Instant::fixed)
    }

    #[test]
    fn reads_every_form_with_one_meaning() {
        for text in [
            "2026-11-20T01:15:00Z",
            "2026-11-20 01:15:00 UTC",
            "2026-11-20 01:15:00UTC",
            "2026-11-20T01:15:00 utc",
            "2026-11-20 01:15:00 GMT",
            "2026-11-20 01:15:00 Z",
            "2026-11-20t01:15:00z",
            "2026-11-20 01:15:00 +0000",
            "2026-11-20 01:15:00 +00:00",
            "2026-11-20 11:15:00 +10",
            "2026-11-20 11:15:00+1000",
            "2026-11-20T11:15:00 +10:00",
            "2026-11-19 15:45:00 -0930",
            "2026-11-20 11:15:00 UTC+10",
            "2026-11-20 11:15:00 GMT+1000",
            "2026-11-20T01:15:00+0000",
            "2026-11-20T01:15:00+00",
            "2026-11-20T01:15Z",
            "2026-11-20 01:15",
            "2026-11-20  1:15",
            "2026-11-20 1:15 AM",
            "2026-11-20 1:15:00am UTC",
            "2026-11-20\u{a0}1:15\u{202f}AM",
            "\u{3000}2026-11-20\u{2009}01:15\u{a0}+00:00\u{a0}",
            "Fri,\u{a0}20 Nov\u{202f}2026 01:15:00 GMT",
            "2026/11/20 01:15:00",
            "2026.11.20 01:15",
            "20261120T011500Z",
            "20261120T0115",
            "20261120t011500 UTC",
            "20261120 011500",
            "20261120 1:15 AM",
            "20261120T111500+1000",
            "20261120T111500 +10:00",
            "20261120011500",
            "20261120011500 UTC",
            "20261120011500.0",
            "1795137300",
            " 1795137300 ",
            "1795137300.0",
            "1795137300000",
            "1795137300000000",
            "1795137300000000000",
            "Fri, 20 Nov 2026 01:15:00 GMT",
            "Fri, 20 Nov 2026 11:15:00 +1000",
            "20 Nov 2026 01:15:00 +0000",
        ] {
            assert_eq!(
                fixed(text).unwrap(),
                "2026-11-20T01:15:00.000000Z",
                "{text}"
            );
        }
        for (text, expected) in [
            ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
            ("20261120", "2026-11-20T00:00:00.000000Z"),
            ("2026-1-5", "2026-01-05T00:00:00.000000Z"),
            ("2026-11-20 12:00 am", "2026-11-20T00:00:00.000000Z"),
            ("2026-11-20 12:30 PM", "2026-11-20T12:30:00.000000Z"),
            ("2026-11-20T24:00:00Z", "2026-11-21T00:00:00.000000Z"),
            ("2026-12-31 24:00", "2027-01-01T00:00:00.000000Z"),
            ("2026-11-20 01:15:60 UTC", "2026-11-20T01:15:59.000000Z"),
            (
                "2026-11-20 01:15:00.123 +1000",
                "2026-11-19T15:15:00.123000Z",
            ),
            ("2026-11-20 01:15:00,5 UTC", "2026-11-20T01:15:00.500000Z"),
            ("20261120T011500.123", "2026-11-20T01:15:00.123000Z"),
            ("20261120T011500,5 UTC", "2026-11-20T01:15:00.500000Z"),
            ("20261120011500.123456", "2026-11-20T01:15:00.123456Z"),
            ("20261120T240000Z", "2026-11-21T00:00:00.000000Z"),
            ("1795137300.123456789", "2026-11-20T01:15:00.123456Z"),
            ("1795137300123", "2026-11-20T01:15:00.123000Z"),
            ("0", "1970-01-01T00:00:00.000000Z"),
            ("100000000", "1973-03-03T09:46:40.000000Z"),
        ] {
            assert_eq!(fixed(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_may_have_an_exponent() {
        let expected = fixed("1795137300").unwrap();
        for number in ["1.7951373e9", "1795137300.0", "17951373E+2"] {
            let at = instant_of_number(number).unwrap();
            assert_eq!(at.fixed(), expected, "{number}");
        }
        assert_eq!(instant_of_number("1e5"), Err(TimeError::Unreadable));
    }

    #[test]
    fn rejects_other_forms() {
        use TimeError::{Ambiguous, Rounded, Unreadable, ZoneName};
        for (text, expected) in [
            ("20/11/2026", Ambiguous),
            ("20/11/2026 01:15", Ambiguous),
            ("11/20/2026 10:00", Ambiguous),
            ("20.11.2026", Ambiguous),
            ("20-11-2026", Ambiguous),
            ("1/2/26", Ambiguous),
            ("26-11-20", Ambiguous),
            ("202611200115", Ambiguous),
            ("1.77E+09", Rounded),
            ("1.77270E+12", Rounded),
            ("1,77E+09", Rounded),
            (" 2E9 ", Rounded),
            ("1.7951373e9", Rounded),
            ("2026-11-20 01:15 AEST", ZoneName),
            ("2026-11-20 01:15:00 Europe/Berlin", ZoneName),
            ("", Unreadable),
            ("soon", Unreadable),
            ("2026", Unreadable),
            ("46346.05", Unreadable),
            ("99999999", Unreadable),
            ("-1795137300", Unreadable),
            ("1e25", Rounded),
            ("1e", Unreadable),
            ("123456789012345678901234567890", Unreadable),
            ("20261320011500", Unreadable),
            ("20261320011500.5", Unreadable),
            ("202611200115.0", Ambiguous),
            ("20261320T011500 UTC", Unreadable),
            ("20261120T01150 UTC", Unreadable),
            ("20261120T011500 AEST", ZoneName),
            ("20261120.5 UTC", Unreadable),
            ("2026112001 UTC", Unreadable),
            ("2026-13-20 01:15:00 UTC", Unreadable),
            ("2026-02-30 01:15:00 UTC", Unreadable),
            ("2026-11-20 24:00:01", Unreadable),
            ("2026-11-20 25:00", Unreadable),
            ("2026-11-20 13:00 PM", Unreadable),
            ("2026-11-20 0:00 AM", Unreadable),
            ("2026-11-20 01:60", Unreadable),
            ("2026-11-20 01:15:61", Unreadable),
            ("2026-11-20 01:15 +2500", Unreadable),
            ("2026-11-20 01:15 +1", Unreadable),
            ("2026-11-20 01:15 +1é1", Unreadable),
            ("2026-11-20 01:15 ?", Unreadable),
            ("2026-11-20 é", Unreadable),
            ("2026-11/20", Unreadable),
            ("026-11-20", Unreadable),
            ("Mon, 20 Nov 2026 01:15:00 GMT", Unreadable),
            ("0000-12-31 23:59:59 UTC", Unreadable),
        ] {
            assert_eq!(fixed(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn reads_dates() {
        for text in [
            "1985-12-31",
            " 1985-12-31 ",
            "\u{a0}1985-12-31\u{202f}00:00",
            "1985-12-31T00:00:00Z",
            "1985-12-31T23:00:00+10:00",
            "1985-12-31 00:00:00",
            "1985-12-31 00:00:00 UTC",
            "1985/12/31",
            "19851231",
            "19851231T120000",
            "19851231 00:00",
        ] {
            assert_eq!(date(text), Some(jiff::civil::date(1985, 12, 31)), "{text}");
        }
        for text in [
            "",
            "0000-00-00",
            "31/12/1985",
            "1985-02-30",
            "1985-12-31 x",
            "473385600",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9TZ:+. /,eamputcGMT\u{a0}\u{202f}\u{e9}-]{0,30}") {
            let _ = (instant(&text), date(&text));
        }

        /// What the API accepts has the same meaning in files.
        #[test]
        fn reads_strict_forms_alike(seconds in -62_135_596_800_i64..253_402_207_200) {
            let at = Instant::from_seconds(seconds).unwrap();
            prop_assert_eq!(instant(&at.to_string()), Ok(at));
            prop_assert_eq!(instant(&at.fixed()), Ok(at));
        }

        #[test]
        fn reads_epochs_of_every_unit(seconds in 1_000_000_000_i64..10_000_000_000) {
            let at = Instant::from_seconds(seconds).unwrap();
            for zeros in ["", "000", "000000", "000000000"] {
                prop_assert_eq!(instant(&format!("{seconds}{zeros}")), Ok(at));
            }
        }
    }
}
