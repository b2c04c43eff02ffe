//! Checks a value against the kind of its field and converts it to its stored form.

use jiff::civil;
use rust_decimal::Decimal;
use shared::model::{
    file_time::{self, TimeError},
    identifier::{self, MAX_PART_BYTES, Notation},
    time::Instant,
    value::{Map, Value, decimal},
};

use super::{
    cards,
    findings::Findings,
    kind::{Field, Kind, Number, OnError},
    number,
    path::Path,
    similar::similar,
};
use crate::{
    rows::{RowError, RowErrorCode, WarningCode, json},
    text::grouped,
};

/// How far an event, or a record's `updated_at`, may be after its file's last modification, in seconds.
const MAX_AHEAD_SECONDS: i64 = 48 * 60 * 60;
/// The first second of 1971. Earlier times are placeholders of systems that have no time.
const EARLIEST_SECOND: i64 = 31_536_000;
/// The earliest date of birth.
const EARLIEST_BIRTH: civil::Date = civil::Date::constant(1880, 1, 1);
const ROUNDED_TIME: &str = "is a rounded number such as 1.77E+09, so digits are missing. Format the column as text, and export it again.";
const QUANTITY: Number = Number {
    integer: false,
    low: None,
    high: None,
};

/// Checks the fields of a row.
pub(super) struct Checker<'a> {
    /// When the file was last modified, in seconds since 1970.
    pub(super) last_modified: i64,
    /// How the row is written, which decides how IDs are read.
    pub(super) notation: Notation,
    /// The top-level fields that the record type reads itself. A misspelled name may mean one of them.
    pub(super) own: &'a [&'static str],
    pub(super) findings: &'a mut Findings,
}

impl Checker<'_> {
    /// Checks the fields of an object and converts them in place. A field that is `null` counts as absent.
    pub(super) fn fields(&mut self, known: &[Field], map: &mut Map, path: &Path<'_>) {
        let mut present = 0;
        for field in known {
            let path = Path::Field(path, field.name);
            let stays = match map.get_mut(field.name) {
                None => {
                    self.missing(field, &path);
                    continue;
                }
                Some(value) if is_absent(&field.kind, value) => {
                    self.missing(field, &path);
                    false
                }
                Some(value) => self.stays(&field.kind, field.on_error, value, &path),
            };
            if stays {
                present += 1;
            } else {
                map.remove(field.name);
            }
        }
        if present < map.len() {
            self.unknown(known, map, path);
        }
    }

    /// Notes that a field is absent, if each row should have it.
    fn missing(&mut self, field: &Field, path: &Path<'_>) {
        match field.on_error {
            _ if !field.required => {}
            OnError::LeaveOut => self.findings.warn(WarningCode::MissingField, path),
            OnError::Reject => {
                let problem = format!("is missing. Add {}.", expectation(&field.kind));
                let code = RowErrorCode::MissingField;
                self.findings.errors.push(RowError::at(path, code, problem));
            }
        }
    }

    /// Checks a value. If it breaks its rule, notes the error as `on_error` requires and returns `false`.
    fn stays(
        &mut self,
        kind: &Kind,
        on_error: OnError,
        value: &mut Value,
        path: &Path<'_>,
    ) -> bool {
        let checked = self.check(kind, on_error, value, path);
        let Err((code, problem)) = checked else {
            return true;
        };
        match on_error {
            OnError::Reject => {
                let error = RowError::at(path, code, problem);
                self.findings.errors.push(error);
            }
            OnError::LeaveOut => {
                let value = std::mem::replace(value, Value::Null);
                self.findings.leave_out(value, path);
            }
        }
        false
    }

    /// Checks a value and converts it to its stored form. If it breaks the rule, it is not changed.
    fn check(
        &mut self,
        kind: &Kind,
        on_error: OnError,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), (RowErrorCode, String)> {
        match (kind, &mut *value) {
            (Kind::Text, Value::Text(_))
            | (Kind::Flag, Value::Bool(_))
            | (Kind::Attributes, Value::Map(_)) => {}
            (Kind::Free, Value::Text(text)) => cards::mask_text(text, path, self.findings),
            (Kind::Text | Kind::Free, Value::Number(text)) => {
                *value = Value::Text(std::mem::take(text));
            }
            (Kind::Amount(bounds), Value::Number(_) | Value::Text(_)) => {
                self.number(*bounds, value, path)?;
            }
            (Kind::Quantity, Value::Number(_) | Value::Text(_)) => {
                self.number(QUANTITY, value, path)?;
            }
            (Kind::List(kind, most), Value::List(list)) => {
                if list.len() > *most {
                    return Err((
                        RowErrorCode::TooMany,
                        format!(
                            "has {} items; the limit is {}. Remove items or split the record.",
                            grouped(list.len()),
                            grouped(*most)
                        ),
                    ));
                }
                let mut index = 0;
                list.retain_mut(|item| {
                    index += 1;
                    self.stays(kind, on_error, item, &Path::Index(path, index - 1))
                });
            }
            (Kind::Object(known), Value::Map(map)) => self.fields(known, map, path),
            (Kind::MapOf(kind), Value::Map(map)) => map
                .retain(|name, value| self.stays(kind, on_error, value, &Path::Field(path, name))),
            (Kind::Open, Value::Map(map)) => {
                for (name, value) in map.iter_mut() {
                    cards::mask_value(value, name, &Path::Field(path, name), self.findings);
                }
            }
            _ => *value = self.scalar(kind, value)?,
        }
        Ok(())
    }

    /// Checks an exact number and stores it as a number.
    fn number(
        &mut self,
        bounds: Number,
        value: &mut Value,
        path: &Path<'_>,
    ) -> Result<(), (RowErrorCode, String)> {
        let (Value::Number(text) | Value::Text(text)) = &mut *value else {
            return Ok(());
        };
        let given = text.trim();
        let exact = number::exact(bounds, given)
            .map_err(|problem| (RowErrorCode::InvalidValue, problem))?;
        if exact.rounded {
            self.findings.warn(WarningCode::RoundedAmount, path);
        }
        let stored = match exact.stored {
            Some(stored) => stored,
            None if given.len() < text.len() => given.to_owned(),
            None => std::mem::take(text),
        };
        *value = Value::Number(stored);
        Ok(())
    }

    /// Converts a string or a number to the stored form of its kind.
    fn scalar(&self, kind: &Kind, value: &Value) -> Result<Value, (RowErrorCode, String)> {
        match (kind, value) {
            (Kind::Id, Value::Text(text) | Value::Number(text)) => {
                read_id(text, self.notation).map(Value::from)
            }
            (Kind::Time | Kind::UpdateTime, Value::Text(text)) if file_time::is_rounded(text) => {
                Err((RowErrorCode::InvalidValue, ROUNDED_TIME.to_owned()))
            }
            (kind, Value::Text(text) | Value::Number(text)) => self
                .of_text(kind, text)
                .ok_or_else(|| self.problem(kind, value)),
            _ => Err((RowErrorCode::WrongType, must_be(kind))),
        }
    }

    /// Converts a string, or the text of a number, to the stored form of its kind. Returns `None` if it is not valid.
    fn of_text(&self, kind: &Kind, text: &str) -> Option<Value> {
        match kind {
            Kind::Flag if text.trim().eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Kind::Flag if text.trim().eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Kind::Latitude => degrees(text, 90),
            Kind::Longitude => degrees(text, 180),
            Kind::BirthDate => self.birth_date(text).map(Value::from),
            Kind::Time | Kind::UpdateTime => {
                let at = file_time::instant_of_number(text).ok()?;
                let is_late = matches!(kind, Kind::UpdateTime) && is_ahead(at, self.last_modified);
                (!is_placeholder(at) && !is_late).then(|| at.to_string().into())
            }
            Kind::Url => {
                let text = text.trim();
                (!text.contains(char::is_control)).then(|| text.into())
            }
            Kind::Currency => {
                let code = text.trim();
                (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic()))
                    .then(|| code.to_ascii_uppercase().into())
            }
            Kind::OneOf(words) => {
                let text = text.trim();
                words
                    .iter()
                    .find(|word| word.eq_ignore_ascii_case(text))
                    .map(|word| (*word).into())
            }
            _ => None,
        }
    }

    /// Parses a date of birth. Returns it in the form `1985-12-31`.
    fn birth_date(&self, text: &str) -> Option<String> {
        let date = file_time::date(text)?;
        // The file's date, in the time zone in which it is the latest.
        let latest = Instant::from_seconds(self.last_modified.saturating_add(14 * 60 * 60))?.date();
        (EARLIEST_BIRTH..=latest)
            .contains(&date)
            .then(|| date.to_string())
    }

    /// Returns the code and the problem of a string or number that is not valid.
    fn problem(&self, kind: &Kind, value: &Value) -> (RowErrorCode, String) {
        let is_text = matches!(value, Value::Text(_));
        let code = match kind {
            Kind::Latitude | Kind::Longitude | Kind::Time | Kind::UpdateTime | Kind::BirthDate => {
                RowErrorCode::InvalidValue
            }
            Kind::List(..) | Kind::Object(_) | Kind::MapOf(_) | Kind::Open | Kind::Attributes => {
                RowErrorCode::WrongType
            }
            _ if is_text => RowErrorCode::InvalidValue,
            _ => RowErrorCode::WrongType,
        };
        (code, must_be(kind))
    }

    /// Notes the fields of an object that no rule names, and masks card numbers in them.
    fn unknown(&mut self, known: &[Field], map: &mut Map, path: &Path<'_>) {
        let own = match path {
            Path::Record => self.own,
            _ => &[],
        };
        for (name, value) in map.iter_mut() {
            if known.iter().any(|field| field.name == name) {
                continue;
            }
            let path = Path::Field(path, name);
            let names = known.iter().map(|field| field.name);
            let like = similar(name, names.chain(own.iter().copied()));
            self.findings.add_unknown(&path, like);
            cards::mask_value(value, name, &path, self.findings);
        }
    }
}

/// Returns whether a value means that its field is absent: `null`, or an empty string where a string is not free text. PHP
/// writes an empty object as `[]`.
fn is_absent(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) => true,
        (Kind::Text | Kind::Free, _) => false,
        (_, Value::Text(text)) => text.trim().is_empty(),
        (Kind::Object(_) | Kind::MapOf(_) | Kind::Open | Kind::Attributes, Value::List(list)) => {
            list.is_empty()
        }
        _ => false,
    }
}

/// Reads the ID of an event or product. In CSV, the rules of identifiers apply.
///
/// # Errors
/// The ID is not valid, or lost digits in a spreadsheet. The error states the problem and its fix.
pub(super) fn read_id(text: &str, notation: Notation) -> Result<&str, (RowErrorCode, String)> {
    let text = match notation {
        Notation::Json => text,
        Notation::Csv => identifier::id_of_cell(text)
            .map_err(|problem| (RowErrorCode::RoundedIdentifier, problem.to_owned()))?,
    };
    id(text).ok_or_else(|| (RowErrorCode::InvalidValue, must_be(&Kind::Id)))
}

/// Trims a value that becomes part of a key. Returns `None` if it is empty, has more than [`MAX_PART_BYTES`] bytes, or contains a control
/// character or U+FFFD. That character replaces others, so different values could become equal.
pub(super) fn id(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_bad =
        |character: char| character.is_control() || character == char::REPLACEMENT_CHARACTER;
    let fits = !text.is_empty() && text.len() <= MAX_PART_BYTES && !text.contains(is_bad);
    fits.then_some(text)
}

/// Checks degrees: from `-bound`, inclusive, to `bound`, exclusive.
fn degrees(text: &str, bound: i64) -> Option<Value> {
    let text = json::number(text.trim())?;
    let number = decimal(text)?;
    (number >= Decimal::from(-bound) && number < Decimal::from(bound))
        .then(|| Value::Number(text.to_owned()))
}

/// Parses the time of an event. `last_modified` is that of its file, in seconds since 1970.
///
/// # Errors
/// The value is not a time, or the time is more than [`MAX_AHEAD_SECONDS`] after the file. Such a record would stay the newest,
/// and could not be corrected or erased. The error states the problem and its fix.
pub(super) fn event_time(
    value: &Value,
    last_modified: i64,
) -> Result<Instant, (RowErrorCode, String)> {
    let read = match value {
        Value::Text(text) => file_time::instant(text),
        Value::Number(number) => file_time::instant_of_number(number),
        _ => return Err((RowErrorCode::WrongType, must_be(&Kind::Time))),
    };
    let invalid = |problem: &str| (RowErrorCode::InvalidValue, problem.to_owned());
    let at = read.map_err(|error| match error {
        TimeError::Ambiguous => invalid(
            "has a form that can be read in several ways. Write the year, the month and the day in this order, such as 2026-11-20.",
        ),
        TimeError::Rounded => invalid(ROUNDED_TIME),
        TimeError::ZoneName => invalid(
            "names a time zone. Write its offset instead, such as 2026-11-20T01:15:00+10:00.",
        ),
        TimeError::Unreadable => (RowErrorCode::InvalidValue, must_be(&Kind::Time)),
    })?;
    if is_ahead(at, last_modified) {
        return Err(invalid(
            "is more than 48 hours after the file was last modified, the limit. Correct the time.",
        ));
    }
    Ok(at)
}

/// Returns whether a time is a placeholder for a missing one.
pub(super) fn is_placeholder(at: Instant) -> bool {
    at.seconds() < EARLIEST_SECOND
}

fn is_ahead(at: Instant, last_modified: i64) -> bool {
    at.seconds() > last_modified.saturating_add(MAX_AHEAD_SECONDS)
}

fn must_be(kind: &Kind) -> String {
    format!("must be {}.", expectation(kind))
}

/// Describes the values of a kind, with their limits.
fn expectation(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Free => "a string".to_owned(),
        Kind::Id => format!("1 to {MAX_PART_BYTES} bytes without control characters and U+FFFD"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Amount(bounds) => number::expectation(*bounds),
        Kind::Quantity => number::expectation(QUANTITY),
        Kind::Latitude => "a number of degrees from -90 to below 90".to_owned(),
        Kind::Longitude => "a number of degrees from -180 to below 180".to_owned(),
        Kind::BirthDate => "a date such as 1985-12-31, from 1880 to the day of the file".to_owned(),
        Kind::Time | Kind::UpdateTime => "a time such as 2026-10-31T23:59:59Z".to_owned(),
        Kind::Url => "a URL".to_owned(),
        Kind::Currency => "an ISO 4217 code of three letters, such as AUD".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::List(..) => "an array".to_owned(),
        Kind::Object(_) | Kind::MapOf(_) | Kind::Open | Kind::Attributes => "an object".to_owned(),
    }
}
