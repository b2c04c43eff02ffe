//! One cell of the input.

use shared::model::value::Value;

/// A cell of a CSV row, or a value of a JSON row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Text(&'a str),
    Number(&'a str),
    /// A boolean, a list or an object.
    Other(&'a Value),
}

impl<'a> Cell<'a> {
    /// Creates the cell of a JSON value; `None` if the value is null, or empty.
    pub(super) fn new(value: &'a Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::Null => None,
            Value::List(list) if list.is_empty() => None,
            Value::Map(map) if map.is_empty() => None,
            other => Some(Self::Other(other)),
        }
    }

    /// Returns the cell as text without whitespace and spreadsheet guards, unless it is a list or an object.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(unguarded(text.trim())),
            Self::Number(number) => Some(number),
            Self::Other(Value::Bool(true)) => Some("true"),
            Self::Other(Value::Bool(false)) => Some("false"),
            Self::Other(_) => None,
        }
    }
}

/// Removes what spreadsheets and exports add so that a cell stays text: `'00123`, `="00123"`.
fn unguarded(text: &str) -> &str {
    if let Some(inner) = text.strip_prefix("=\"").and_then(|it| it.strip_suffix('"')) {
        return inner.trim();
    }
    match text.strip_prefix(['\'', '\t']) {
        Some(rest) if rest.starts_with(is_guarded) => rest,
        _ => text,
    }
}

/// Returns whether programs put a guard before a text that begins with this character.
fn is_guarded(first: char) -> bool {
    first.is_ascii_digit() || matches!(first, '+' | '-' | '=' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_guards() {
        for (cell, text) in [
            ("'00123", "00123"),
            (" '+61 491 ", "+61 491"),
            ("=\"00123\"", "00123"),
            ("'@x", "@x"),
            ("'tis", "'tis"),
            ("'", "'"),
            ("=\"", "=\""),
            ("", ""),
        ] {
            assert_eq!(Cell::Text(cell).text(), Some(text), "{cell}");
        }
    }
}
