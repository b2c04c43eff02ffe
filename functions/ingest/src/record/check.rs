//! Checks a value against the kind of its field and converts it to its stored form.

use std::fmt;

use jiff::civil;
use rust_decimal::Decimal;
use shared::model::{
    identifier::MAX_PART_BYTES,
    time::Instant,
    value::{Map, Value, decimal},
};

use super::kind::{Field, Kind, Number};
use crate::{
    rows::{RowError, RowErrorCode, json},
    text::grouped,
};

/// The maximum number of digits before the decimal point of an amount, so that every sum in a profile is exact.
const MAX_DIGITS: u32 = 15;
/// Amounts must be below this.
const MAX_AMOUNT: i64 = 10_i64.pow(MAX_DIGITS);
/// The maximum number of decimal places of an amount.
const MAX_PLACES: u32 = 9;

/// The path of a value in a record, such as `products[1].quantity`.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The record itself.
    Record,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of an array, counted from 0.
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => Ok(()),
            Self::Field(Self::Record, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Creates the error of a top-level field of a record.
pub(super) fn field_error(field: &str, code: RowErrorCode, problem: impl Into<String>) -> RowError {
    RowError::at(&Path::Field(&Path::Record, field), code, problem)
}

/// Checks the fields of an object. A field that is `null` counts as absent.
pub(crate) fn fields(fields: &[Field], mut map: Map, path: &Path<'_>) -> Result<Map, RowError> {
    for field in fields {
        let path = Path::Field(path, field.name);
        match map.get_mut(field.name) {
            None | Some(Value::Null) if field.required => {
                return Err(RowError::at(
                    &path,
                    RowErrorCode::MissingField,
                    format!("is missing. Add {}.", expectation(&field.kind)),
                ));
            }
            None => {}
            Some(Value::Null) => {
                map.remove(field.name);
            }
            Some(value) => {
                *value = check(&field.kind, std::mem::replace(value, Value::Null), &path)?
            }
        }
    }
    Ok(map)
}

/// Checks a value and converts it to its stored form.
fn check(kind: &Kind, value: Value, path: &Path<'_>) -> Result<Value, RowError> {
    let wrong_type = || RowError::at(path, RowErrorCode::WrongType, must_be(kind));
    let invalid = || RowError::at(path, RowErrorCode::InvalidValue, must_be(kind));
    match (kind, value) {
        (Kind::Flag, Value::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Flag, Value::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(invalid()),
        },
        (Kind::Amount(bounds), Value::Number(text)) => amount(*bounds, &text).ok_or_else(invalid),
        (Kind::Amount(bounds), Value::Text(text)) => {
            amount(*bounds, text.trim()).ok_or_else(invalid)
        }
        (Kind::Latitude, value) => degrees(value, 90).ok_or_else(invalid),
        (Kind::Longitude, value) => degrees(value, 180).ok_or_else(invalid),
        (Kind::List(kind, most), Value::List(list)) => {
            if list.len() > *most {
                return Err(RowError::at(
                    path,
                    RowErrorCode::TooMany,
                    format!(
                        "has {} items; the limit is {}. Remove items or split the record.",
                        grouped(list.len()),
                        grouped(*most)
                    ),
                ));
            }
            let items = list.into_iter().enumerate();
            let checked = items.map(|(index, item)| check(kind, item, &Path::Index(path, index)));
            Ok(Value::List(checked.collect::<Result<_, _>>()?))
        }
        (Kind::Object(known), Value::Map(map)) => Ok(Value::Map(fields(known, map, path)?)),
        (Kind::MapOf(kind), Value::Map(map)) => {
            let entries = map.into_iter().map(|(name, value)| {
                let value = check(kind, value, &Path::Field(path, &name))?;
                Ok((name, value))
            });
            Ok(Value::Map(entries.collect::<Result<_, RowError>>()?))
        }
        (Kind::Open, Value::Map(map)) => Ok(Value::Map(map)),
        // The other kinds are strings.
        (Kind::Text | Kind::Id, Value::Number(text)) => of_text(kind, text).ok_or_else(invalid),
        (
            Kind::Text
            | Kind::Id
            | Kind::Date
            | Kind::Time
            | Kind::Url
            | Kind::Currency
            | Kind::OneOf(_),
            Value::Text(text),
        ) => of_text(kind, text).ok_or_else(invalid),
        _ => Err(wrong_type()),
    }
}

/// Converts a string to the stored form of its kind. Returns `None` if it is not valid.
fn of_text(kind: &Kind, text: String) -> Option<Value> {
    match kind {
        Kind::Text => Some(text.into()),
        Kind::Id => id(&text).map(Value::from),
        Kind::Date => date(text.trim()).map(Value::from),
        Kind::Time => Some(Instant::parse(&text)?.to_string().into()),
        Kind::Url => is_url(text.trim()).then(|| text.trim().into()),
        Kind::Currency => {
            let code = text.trim().to_ascii_uppercase();
            (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
                .then(|| code.into())
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

/// Trims a value that becomes part of a key. Returns `None` if it is empty, has more than [`MAX_PART_BYTES`] bytes or contains a control character.
pub(crate) fn id(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits =
        !text.is_empty() && text.len() <= MAX_PART_BYTES && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// Checks an exact number against its bounds. Returns `None` if it is outside of them or has too many digits.
fn amount(bounds: Number, text: &str) -> Option<Value> {
    let number = decimal(json::number(text)?)?;
    let fits = number.abs() < Decimal::from(MAX_AMOUNT)
        && number.normalize().scale() <= MAX_PLACES
        && (!bounds.integer || number.fract().is_zero())
        && bounds.low.is_none_or(|low| number >= Decimal::from(low))
        && bounds.high.is_none_or(|high| number <= Decimal::from(high));
    fits.then(|| Value::Number(number.to_string()))
}

/// Checks degrees: from `-bound`, inclusive, to `bound`, exclusive.
fn degrees(value: Value, bound: i64) -> Option<Value> {
    let (Value::Number(text) | Value::Text(text)) = value else {
        return None;
    };
    let text = json::number(text.trim())?;
    let number = decimal(text)?;
    (number >= Decimal::from(-bound) && number < Decimal::from(bound))
        .then(|| Value::Number(text.to_owned()))
}

/// Parses the date of a date or a time. Returns it in the form `1985-12-31`.
fn date(text: &str) -> Option<String> {
    // The date of a time is the one that is written, whatever the zone.
    let date: civil::Date = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
    (1..=9999).contains(&date.year()).then(|| date.to_string())
}

/// Returns whether a string is an HTTP or HTTPS URL with a host and without whitespace.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !host.is_empty()
        && !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

fn must_be(kind: &Kind) -> String {
    format!("must be {}.", expectation(kind))
}

/// Describes the values of a kind, with their limits.
fn expectation(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Id => format!("1 to {MAX_PART_BYTES} bytes without control characters"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Amount(bounds) => {
            let (what, digits) = if bounds.integer {
                ("an integer", format!("with at most {MAX_DIGITS} digits"))
            } else {
                let digits = format!(
                    "with at most {MAX_DIGITS} digits before the point and {MAX_PLACES} after it"
                );
                ("a decimal", digits)
            };
            match (bounds.low, bounds.high) {
                (Some(low), _) => format!("{what} of at least {low}, {digits}"),
                (_, Some(high)) => format!("{what} of at most {high}, {digits}"),
                _ => format!("{what} {digits}"),
            }
        }
        Kind::Latitude => "a number of degrees from -90 to below 90".to_owned(),
        Kind::Longitude => "a number of degrees from -180 to below 180".to_owned(),
        Kind::Date => "a date such as 1985-12-31".to_owned(),
        Kind::Time => "a time such as 2026-10-31T23:59:59Z".to_owned(),
        Kind::Url => "an http or https URL".to_owned(),
        Kind::Currency => "an ISO 4217 code of three letters, such as AUD".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::List(..) => "an array".to_owned(),
        Kind::Object(_) | Kind::MapOf(_) | Kind::Open => "an object".to_owned(),
    }
}
