//! The types of attributes.

use crate::model::value::Value;

/// The maximum length of a `string`, in bytes. A longer value is a `text`.
const MAX_STRING_BYTES: usize = 256;

/// Returns the type of an attribute, as the API names it.
pub(super) fn kind(name: &str, value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "flag",
        Value::Number(_) => "number",
        Value::Text(text) if is_date(text) => "date",
        Value::Text(text) if name.ends_with("_at") && is_time(text) => "date",
        Value::Text(text) if text.len() <= MAX_STRING_BYTES => "string",
        _ => "text",
    }
}

/// Returns whether a text is a date as RFC 3339 writes it, such as `2026-08-14`.
fn is_date(text: &str) -> bool {
    has_form(text, b"0000-00-00") && text.parse::<jiff::civil::Date>().is_ok()
}

/// Returns whether a text is a time as RFC 3339 writes it and browsers read it: with seconds, a zone, and no leap second.
fn is_time(text: &str) -> bool {
    const SECONDS: &[u8] = b"0000-00-00T00:00:00";
    let Some((civil, rest)) = text.split_at_checked(SECONDS.len()) else {
        return false;
    };
    let fraction = rest.strip_prefix('.').unwrap_or("");
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let zone = if digits == 0 {
        rest
    } else {
        &fraction[digits..]
    };
    has_form(civil, SECONDS)
        && (zone == "Z" || has_form(zone, b"+00:00") || has_form(zone, b"-00:00"))
        && !civil.ends_with(":60")
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Returns whether a text has digits where `form` has zeros, and the other bytes of `form` where it has them.
fn has_form(text: &str, form: &[u8]) -> bool {
    let is_same = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == *form,
    };
    text.len() == form.len() && text.bytes().zip(form).all(is_same)
}
