//! Reads cells: converts what the field of a record does not accept as it is.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    fmt::strtime::BrokenDownTime,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use shared::model::{
    file_time,
    identifier::{CallingCode, Identifier, IdentifierRules, Notation, Scalar},
    time::Instant,
    value::{Value, decimal},
};

use super::{cell::Cell, target::Target};

/// Currency abbreviations that can be written beside an amount. Symbols and three-letter codes are recognized without a list.
const CURRENCY_WORDS: [&str; 9] = ["kr", "kr.", "zł", "Kč", "Ft", "lei", "Rs", "Rs.", "лв"];
/// Numbers below this are seconds since 1970, not milliseconds.
const MAX_SECONDS: i64 = 100_000_000_000;

/// How cells are read, as a mapping specifies it.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    /// The notations of times, in the order in which they are tried.
    pub(super) time: Vec<TimeNotation>,
    /// Patterns of dates.
    pub(super) date: Vec<String>,
    /// The zone of times without one.
    pub(super) zone: Option<TimeZone>,
    pub(super) decimal: DecimalMark,
    /// The country of phone numbers without a country code.
    pub(super) calling_code: Option<CallingCode>,
    /// Cells that mean an absent value.
    pub(super) absent: Vec<String>,
}

/// A notation of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeNotation {
    /// Seconds since 1970.
    Unix,
    /// A pattern of `strptime`.
    Pattern(String),
}

/// The character between the integer and the fraction of an amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DecimalMark {
    #[default]
    Point,
    Comma,
}

impl DecimalMark {
    /// Returns the mark that separates thousands, if any does.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Point => Self::Comma,
            Self::Comma => Self::Point,
        }
    }
}

/// How the identifiers of a file are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identifiers {
    /// The rules of the stack.
    pub(crate) rules: IdentifierRules,
    pub(crate) notation: Notation,
}

impl Read {
    /// Returns the cell, unless it is empty or means an absent value.
    pub(super) fn present<'a>(&self, cell: Cell<'a>) -> Option<Cell<'a>> {
        match cell.text() {
            Some(text) if text.is_empty() || self.absent.iter().any(|absent| absent == text) => {
                None
            }
            _ => Some(cell),
        }
    }

    /// Reads a cell for its field. What cannot be converted stays as it is, so that the record's own rules reject it or leave it
    /// out, with a message.
    pub(super) fn value(&self, target: Target, cell: Cell<'_>, identifiers: Identifiers) -> Value {
        let cell = match (cell, target) {
            // People may begin a text with an apostrophe.
            (Cell::Text(text), Target::Free) => return text.trim().into(),
            (Cell::Text(_), _) => cell.text().map_or(cell, Cell::Text),
            _ => cell,
        };
        self.converted(target, cell, identifiers)
            .unwrap_or_else(|| match cell {
                Cell::Text(text) => text.into(),
                Cell::Number(number) => Value::Number(number.to_owned()),
                Cell::Other(value) => value.clone(),
            })
    }

    /// Converts a cell for its field. Returns `None` if it is not necessary or not possible.
    fn converted(&self, target: Target, cell: Cell<'_>, identifiers: Identifiers) -> Option<Value> {
        let text = cell.text()?;
        match target {
            Target::Number if matches!(cell, Cell::Text(_)) && !is_plain(text) => {
                let number = amount(text, self.decimal)?;
                Some(Value::Number(number.to_string()))
            }
            // `1.0` is 1, as people and scripts write pieces.
            Target::Quantity if matches!(cell, Cell::Text(_)) && !is_digits(text) => {
                let number = amount(text, self.decimal)?;
                let number = if number.fract().is_zero() {
                    number.trunc()
                } else {
                    number
                };
                Some(Value::Number(number.to_string()))
            }
            Target::Flag => flag(text).map(Value::Bool),
            // The record's rules reject it.
            Target::Time if matches!(cell, Cell::Text(_)) && file_time::is_rounded(text) => None,
            Target::Time => Some(self.time(text)?.fixed().into()),
            Target::Date => Some(self.date(text)?.to_string().into()),
            Target::Identifier(name) => self.identifier(name, cell, identifiers).map(Value::from),
            // Only the mapping knows its calling code. For the rest, the record's rules read identifiers themselves.
            Target::LinkedMobile if self.calling_code.is_some() => self
                .identifier("mobile", cell, identifiers)
                .map(Value::from),
            _ => None,
        }
    }

    /// Reads a time that has one of the mapping's notations, or no zone.
    fn time(&self, text: &str) -> Option<Instant> {
        let text = &*file_time::with_spaces(text);
        let mut notations = self.time.iter();
        let read = notations.find_map(|notation| match notation {
            TimeNotation::Unix => unix(text),
            TimeNotation::Pattern(pattern) => self.by_pattern(pattern, text),
        });
        read.or_else(|| {
            let zone = self.zone.as_ref()?;
            // With a zone of its own, the text does not accept another one.
            let in_utc = file_time::instant(&format!("{text} UTC"))
                .or_else(|_| file_time::instant(&format!("{text} 00:00 UTC")))
                .ok()?;
            let utc = Timestamp::from_microsecond(in_utc.microseconds()).ok()?;
            instant(zone.to_timestamp(Offset::UTC.to_datetime(utc)).ok()?)
        })
    }

    fn by_pattern(&self, pattern: &str, text: &str) -> Option<Instant> {
        let parsed = parsed(pattern, text)?;
        if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return instant(parsed.to_timestamp().ok()?);
        }
        let midnight = || Some(parsed.to_date().ok()?.to_datetime(Time::midnight()));
        let civil = parsed.to_datetime().ok().or_else(midnight)?;
        let timestamp = match &self.zone {
            Some(zone) => zone.to_timestamp(civil),
            None => Offset::UTC.to_timestamp(civil),
        };
        instant(timestamp.ok()?)
    }

    fn date(&self, text: &str) -> Option<Date> {
        let text = &*file_time::with_spaces(text);
        let mut patterns = self.date.iter();
        patterns.find_map(|pattern| parsed(pattern, text)?.to_date().ok())
    }

    /// Returns the normal form of an identifier.
    fn identifier(&self, name: &str, cell: Cell<'_>, identifiers: Identifiers) -> Option<String> {
        let scalar = match cell {
            Cell::Number(number) => Scalar::Number(number.into()),
            cell => Scalar::Text(cell.text()?.into()),
        };
        let rules = IdentifierRules {
            calling_code: self.calling_code.or(identifiers.rules.calling_code),
        };
        let fields = [(name, scalar)];
        let normal = Identifier::from_fields(fields, identifiers.notation, rules).ok()?;
        let text = normal.value();
        // The record's rules read the text again. They may take a number without a plus sign for a national one.
        let is_national = name == "mobile" && identifiers.rules.calling_code.is_some() && {
            let fields = [(name, Scalar::Text(text.into()))];
            let again = Identifier::from_fields(fields, Notation::Json, identifiers.rules);
            again.map_or(true, |again| again.value() != text)
        };
        Some(if is_national {
            format!("+{text}")
        } else {
            text.to_owned()
        })
    }
}

/// Returns the zone of a name of the IANA database, such as `Europe/Paris`. Abbreviations have several meanings.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let has_one_meaning = name.contains('/') || matches!(name, "UTC" | "GMT");
    has_one_meaning.then(|| TimeZoneDatabase::bundled().get(name).ok())?
}

/// Returns whether a pattern can be used: what it formats, it parses, with a date.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let mut sample = BrokenDownTime::from(Offset::UTC.to_datetime(Timestamp::UNIX_EPOCH));
    sample.set_offset(Some(Offset::UTC));
    sample.set_timestamp(Some(Timestamp::UNIX_EPOCH));
    let text = sample.to_string(pattern);
    let parsed = text.and_then(|text| BrokenDownTime::parse(pattern, text));
    parsed.is_ok_and(|parsed| parsed.to_date().is_ok() || parsed.timestamp().is_some())
}

/// Parses a text by a pattern. `%Y` needs four digits: `26` is the year of another pattern.
fn parsed(pattern: &str, text: &str) -> Option<BrokenDownTime> {
    let parsed = BrokenDownTime::parse(pattern, text).ok()?;
    let is_whole = |year: i16| year >= 1_000 || text.contains(&format!("{year:04}"));
    parsed.year().is_none_or(is_whole).then_some(parsed)
}

fn instant(timestamp: Timestamp) -> Option<Instant> {
    Instant::from_microseconds(timestamp.as_microsecond())
}

/// Reads seconds since 1970. Larger numbers are left to the record's rules, which tell units apart.
fn unix(text: &str) -> Option<Instant> {
    let seconds = decimal(text)?;
    if seconds.abs() >= Decimal::from(MAX_SECONDS) {
        return None;
    }
    let microseconds = seconds.checked_mul(Decimal::from(1_000_000))?;
    Instant::from_microseconds(microseconds.floor().to_i64()?)
}

fn flag(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match () {
        () if is(["yes", "y", "1", "true"]) => Some(true),
        () if is(["no", "n", "0", "false"]) => Some(false),
        () => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a text is digits with at most a minus sign and a point, which every amount may be.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // A point before three digits may separate thousands.
    fraction.len() != 3
        && !text.ends_with('.')
        && !whole.is_empty()
        && is_digits(whole)
        && is_digits(fraction)
}

/// Reads an amount with a currency symbol or code, separators of thousands, or parentheses instead of a minus sign. A currency with
/// only a minus sign is 0, as spreadsheets show it in their accounting formats.
pub(super) fn amount(text: &str, mark: DecimalMark) -> Option<Decimal> {
    if mark == DecimalMark::Point && is_plain(text) {
        return Decimal::from_str_exact(text).ok();
    }
    let bare = without_currency(text);
    if bare.len() < text.len() && matches!(bare, "-" | "\u{2212}") {
        return Some(Decimal::ZERO);
    }
    let text = bare;
    let (text, in_parentheses) = match text.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let (text, minus_before) = without_sign(without_currency(text.trim()));
    let (text, minus_after) = without_sign(without_currency(text));
    let digits = ungrouped(without_currency(text), mark)?;
    let number = Decimal::from_str_exact(&digits).ok()?;
    let signs = [in_parentheses, minus_before, minus_after];
    match signs.iter().filter(|sign| **sign).count() {
        0 => Some(number),
        1 => Some(-number),
        _ => None,
    }
}

/// Removes a sign and returns whether it is a minus.
fn without_sign(text: &str) -> (&str, bool) {
    if let Some(rest) = text.strip_prefix(['-', '\u{2212}']) {
        return (rest.trim_start(), true);
    }
    if let Some(rest) = text.strip_suffix(['-', '\u{2212}']) {
        return (rest.trim_end(), true);
    }
    (text.strip_prefix('+').unwrap_or(text), false)
}

/// Removes a currency symbol, word or code from the beginning and the end.
fn without_currency(text: &str) -> &str {
    let is_word = |c: char| c.is_alphabetic() || c == '.' || is_symbol(c);
    let start = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(start);
    let text = if is_currency(word) {
        rest.trim_start()
    } else {
        text
    };
    let end = text.rfind(|c| !is_word(c)).map_or(0, |last| {
        last + text[last..].chars().next().map_or(0, char::len_utf8)
    });
    let (rest, word) = text.split_at(end);
    if is_currency(word) {
        rest.trim_end()
    } else {
        text
    }
}

fn is_symbol(c: char) -> bool {
    matches!(c, '$' | '¢' | '£' | '¤' | '¥' | '\u{20A0}'..='\u{20CF}')
}

fn is_currency(word: &str) -> bool {
    let letters = word.trim_end_matches(is_symbol);
    let is_code = letters.len() == 3 && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    // Such as `€`, `US$`, `R$`.
    let is_symbol = letters.len() < word.len()
        && letters.len() <= 3
        && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code || is_symbol || CURRENCY_WORDS.contains(&word)
}

/// Removes separators of thousands and replaces the decimal mark with a point. Returns `None` if separators are elsewhere.
fn ungrouped(text: &str, mark: DecimalMark) -> Option<String> {
    let (mark, other) = match mark {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let (whole, fraction) = match text.split_once(mark) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_separator =
        |c: char| c == other || matches!(c, ' ' | '\u{A0}' | '\u{202F}' | '\'' | '\u{2019}');
    let separators: Vec<char> = whole.chars().filter(|c| is_separator(*c)).collect();
    if separators.windows(2).any(|pair| pair[0] != pair[1]) {
        return None;
    }
    let groups: Vec<&str> = whole.split(is_separator).collect();
    let (last, first) = groups.split_last()?;
    // In India, groups after the first have two digits.
    let are_groups = first.is_empty()
        || last.len() == 3
            && first.iter().all(|group| (1..=3).contains(&group.len()))
            && first.iter().skip(1).all(|group| group.len() >= 2);
    let fraction = fraction.unwrap_or("");
    let is_number = groups.iter().all(|group| is_digits(group)) && is_digits(fraction);
    let has_digits = !last.is_empty() || first.is_empty() && !fraction.is_empty();
    (are_groups && is_number && has_digits).then(|| {
        let whole = groups.concat();
        let whole = if whole.is_empty() { "0" } else { &whole };
        if fraction.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction}")
        }
    })
}
