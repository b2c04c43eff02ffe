//! Parses the JSON of a row. Numbers are kept as written, the nesting depth is bounded, and damage is repaired with a warning.

use shared::model::value::{Map, Value};

use super::{
    Fields, RowError, RowErrorCode, Warning, WarningCode,
    encoding::{self, Change, Decoded},
};

/// The maximum nesting depth of a record.
pub(crate) const MAX_DEPTH: usize = 32;
/// The initial capacity for an object's fields, which is enough for most objects.
const INITIAL_FIELDS: usize = 8;
/// DynamoDB's maximum number of significant digits of a number.
const MAX_DIGITS: usize = 38;
/// DynamoDB's maximum magnitude of a number, as a power of ten.
const MAX_EXPONENT: i64 = 125;

/// The maximum number of warnings of a row that name their fields. One more for each code covers all others.
const MAX_WARNINGS: usize = 64;
/// The maximum length of a name in the path of a warning, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Parses a row that contains one JSON object. If two fields have the same name, the later one wins.
///
/// Accepts RFC 8259 and, with warnings, what common programs write beyond it: text that is not UTF-8, halves of surrogate pairs, `NaN`
/// and infinities, control characters in strings, and numbers that DynamoDB cannot store exactly.
///
/// Library parsers convert numbers to floats, or read the text that they keep at least twice. This parser reads each byte once.
pub(crate) fn fields(row: &[u8]) -> Result<Fields, RowError> {
    match std::str::from_utf8(row) {
        Ok(text) => parse(text, &[]),
        Err(_) => {
            let Decoded { text, changes } = encoding::json(row);
            parse(&text, &changes)
        }
    }
}

/// Parses the fields of a row, without its warnings.
pub(crate) fn object(row: &str) -> Result<Map, RowError> {
    fields(row.as_bytes()).map(|fields| fields.map)
}

/// Parses a text that is one JSON value, such as a cell. Returns `None` if it is not.
pub(crate) fn value(text: &str) -> Option<Value> {
    let mut parser = Parser {
        text,
        at: 0,
        changes: &[],
        warnings: Vec::new(),
    };
    let value = parser.value(1).ok()?;
    parser.peek().is_none().then_some(value)?
}

/// Returns whether a row is valid JSON, as [`fields`] accepts it.
pub(super) fn is_valid(row: &[u8]) -> bool {
    !fields(row).is_err_and(|error| error.code == RowErrorCode::InvalidJson)
}

/// Parses the text of a row, of which the strings in `changes` were not UTF-8.
fn parse(row: &str, changes: &[Change]) -> Result<Fields, RowError> {
    let mut parser = Parser {
        text: row,
        at: 0,
        changes,
        warnings: Vec::new(),
    };
    let value = parser.value(1)?;
    if parser.peek().is_some() {
        return Err(parser.syntax_error());
    }
    let Some(Value::Map(map)) = value else {
        return Err(RowError::whole(
            RowErrorCode::NotAnObject,
            "must be a JSON object.",
        ));
    };
    let warnings = parser.warnings.into_iter().map(Warning::from).collect();
    Ok(Fields {
        warnings,
        ..Fields::from(map)
    })
}

struct Parser<'a> {
    text: &'a str,
    /// The index of the next byte.
    at: usize,
    /// The strings from here on that were not UTF-8.
    changes: &'a [Change],
    warnings: Vec<Found>,
}

/// A warning, and the path of its field within the current value.
struct Found {
    code: WarningCode,
    path: String,
    /// Whether it covers all further warnings with its code, without their paths.
    is_further: bool,
}

impl From<Found> for Warning {
    fn from(found: Found) -> Self {
        if found.is_further {
            return Self::whole(found.code);
        }
        Self::at(found.code, &found.path)
    }
}

impl<'a> Parser<'a> {
    /// Parses a value at this nesting depth, from 1. Returns `None` for `NaN` or an infinity.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, RowError> {
        if depth > MAX_DEPTH {
            return Err(RowError::whole(
                RowErrorCode::TooDeep,
                format!("has more than {MAX_DEPTH} levels of nesting, the limit. Remove levels."),
            ));
        }
        let value = match self.peek() {
            Some(b'{') => Value::Map(self.map(depth)?),
            Some(b'[') => Value::List(self.list(depth)?),
            Some(b'"') => Value::Text(self.string()?),
            Some(b't') => self.literal("true", Value::Bool(true))?,
            Some(b'f') => self.literal("false", Value::Bool(false))?,
            Some(b'n') => self.literal("null", Value::Null)?,
            Some(b'N' | b'I') => return self.not_a_number(),
            Some(b'-') if self.text[self.at..].starts_with("-I") => return self.not_a_number(),
            _ => self.number()?,
        };
        Ok(Some(value))
    }

    fn map(&mut self, depth: usize) -> Result<Map, RowError> {
        self.at += 1;
        if self.skip_next(b'}') {
            return Ok(Map::new());
        }
        let mut entries = Vec::with_capacity(INITIAL_FIELDS);
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.syntax_error());
            }
            let warnings = self.warnings.len();
            let name = self.name()?;
            if !self.skip_next(b':') {
                return Err(self.syntax_error());
            }
            let value = self.value(depth + 1)?;
            if self.warnings.len() > warnings {
                self.prepend_name(warnings, &name);
            }
            match value {
                Some(value) => entries.push((name, value)),
                // The later field wins, even if it is left out.
                None => entries.retain(|(earlier, _)| *earlier != name),
            }
            if self.skip_next(b'}') {
                return Ok(entries.into_iter().collect());
            }
            if !self.skip_next(b',') {
                return Err(self.syntax_error());
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, RowError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.skip_next(b']') {
            return Ok(items);
        }
        loop {
            let warnings = self.warnings.len();
            // An item that is left out becomes `null`, so that the others keep their places.
            let value = self.value(depth + 1)?.unwrap_or(Value::Null);
            for found in &mut self.warnings[warnings..] {
                let separator = separator(&found.path);
                found.path = format!("[{}]{separator}{}", items.len(), found.path);
            }
            items.push(value);
            if self.skip_next(b']') {
                return Ok(items);
            }
            if !self.skip_next(b',') {
                return Err(self.syntax_error());
            }
        }
    }

    /// Parses the name of a field. A name in which characters are missing is an error, because it may mean another field.
    fn name(&mut self) -> Result<String, RowError> {
        let warnings = self.warnings.len();
        let name = self.string()?;
        let is_replaced = |found: &Found| found.code == WarningCode::ReplacedCharacters;
        if self.warnings[warnings..].iter().any(is_replaced) {
            return Err(RowError::whole(
                RowErrorCode::InvalidUtf8,
                "has a field name with characters that cannot be read. Correct the name, and save the file as UTF-8.",
            ));
        }
        Ok(name)
    }

    /// Adds a name in front of the paths of the warnings from `first` on.
    fn prepend_name(&mut self, first: usize, name: &str) {
        let name = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
        for found in &mut self.warnings[first..] {
            found.path = format!("{name}{}{}", separator(&found.path), found.path);
        }
    }

    /// Adds a warning about the current value.
    fn warn(&mut self, code: WarningCode) {
        let further = self.warnings.get(MAX_WARNINGS..);
        if further.is_some_and(|further| further.iter().any(|found| found.code == code)) {
            return;
        }
        self.warnings.push(Found {
            code,
            path: String::new(),
            is_further: further.is_some(),
        });
    }

    fn string(&mut self) -> Result<String, RowError> {
        self.at += 1;
        self.warn_of_change();
        let plain = self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(plain.to_owned());
        }
        self.rest_of_string(plain.to_owned())
    }

    /// Reads the rest of a string, from its first escape or control character on.
    fn rest_of_string(&mut self, mut text: String) -> Result<String, RowError> {
        let (mut is_replaced, mut has_control) = (false, false);
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(b'\\') => {
                    let escaped = self.escaped().ok_or_else(|| self.syntax_error())?;
                    is_replaced |= escaped == Escaped::HalfPair;
                    text.push(escaped.character());
                }
                Some(control) => {
                    has_control = true;
                    text.push(char::from(control));
                    self.at += 1;
                }
                None => return Err(self.syntax_error()),
            }
            text.push_str(self.plain());
        }
        if is_replaced {
            self.warn(WarningCode::ReplacedCharacters);
        }
        if has_control {
            self.warn(WarningCode::ControlCharacters);
        }
        Ok(text)
    }

    /// Adds a warning if the string that begins here was not UTF-8.
    fn warn_of_change(&mut self) {
        if let Some((change, rest)) = self.changes.split_first()
            && change.at == self.at
        {
            self.changes = rest;
            self.warn(change.code);
        }
    }

    /// Reads up to the next quote, escape or control character.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let plain = &rest[..shared::model::json::plain(rest.as_bytes())];
        self.at += plain.len();
        plain
    }

    /// Reads an escape sequence.
    fn escaped(&mut self) -> Option<Escaped> {
        self.at += 1;
        let escape = self.byte()?;
        self.at += 1;
        Some(Escaped::Character(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return None,
        }))
    }

    /// Reads the rest of a `\u` escape, and the second one of a surrogate pair.
    fn unicode(&mut self) -> Option<Escaped> {
        let high = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&high) {
            let half = Some(Escaped::HalfPair);
            return char::from_u32(high).map(Escaped::Character).or(half);
        }
        let end = self.at;
        let low = self.text[end..].starts_with("\\u").then(|| {
            self.at += 2;
            self.four_digits()
        });
        let low = low.flatten().and_then(|low| low.checked_sub(0xdc00));
        let pair = low
            .filter(|low| *low < 0x400)
            .and_then(|low| char::from_u32(0x10000 + ((high - 0xd800) << 10) + low));
        if pair.is_none() {
            // What follows is read for itself.
            self.at = end;
        }
        Some(pair.map_or(Escaped::HalfPair, Escaped::Character))
    }

    /// Reads the four hexadecimal digits of a `\u` escape.
    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits
            .chars()
            .try_fold(0, |number, digit| Some(number << 4 | digit.to_digit(16)?))
    }

    /// Parses `true`, `false` or `null`.
    fn literal(&mut self, word: &str, value: Value) -> Result<Value, RowError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.syntax_error())
    }

    /// Parses `NaN`, `Infinity` or `-Infinity`, as Python writes them.
    fn not_a_number(&mut self) -> Result<Option<Value>, RowError> {
        self.skip(b'-');
        let word = if self.byte() == Some(b'N') {
            "NaN"
        } else {
            "Infinity"
        };
        self.literal(word, Value::Null)?;
        self.warn(WarningCode::NotANumber);
        Ok(None)
    }

    /// Parses a number. One that DynamoDB cannot store exactly becomes a string with its digits.
    fn number(&mut self) -> Result<Value, RowError> {
        let begin = self.at;
        self.skip(b'-');
        let whole = self.digits();
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let is_whole = !whole.is_empty() && !leading_zero;
        let has_fraction = !self.skip(b'.') || !self.digits().is_empty();
        let has_exponent = if self.skip(b'e') || self.skip(b'E') {
            let _ = self.skip(b'+') || self.skip(b'-');
            !self.digits().is_empty()
        } else {
            true
        };
        if !(is_whole && has_fraction && has_exponent) {
            return Err(self.syntax_error());
        }
        let text = &self.text[begin..self.at];
        if let Some(number) = number(text) {
            return Ok(Value::Number(number.to_owned()));
        }
        self.warn(WarningCode::NumberAsText);
        Ok(Value::Text(text.to_owned()))
    }

    fn digits(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit());
        let digits = &rest[..end.unwrap_or(rest.len())];
        self.at += digits.len();
        digits
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips whitespace and returns the next byte.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.byte()
    }

    /// Skips whitespace, and the next byte if it is `byte`. Returns whether it was.
    fn skip_next(&mut self, byte: u8) -> bool {
        self.peek();
        self.skip(byte)
    }

    /// Skips the next byte if it is `byte`. Returns whether it was.
    fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Creates the error of invalid JSON at the current byte.
    fn syntax_error(&self) -> RowError {
        RowError::whole(
            RowErrorCode::InvalidJson,
            format!(
                "is not valid JSON. The error is at byte {} of the row.",
                self.at
            ),
        )
    }
}

/// What an escape sequence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaped {
    Character(char),
    /// Half of a surrogate pair, without the other one.
    HalfPair,
}

impl Escaped {
    const fn character(self) -> char {
        match self {
            Self::Character(character) => character,
            Self::HalfPair => char::REPLACEMENT_CHARACTER,
        }
    }
}

/// Returns what separates a name or an index from the rest of its path.
fn separator(rest: &str) -> &'static str {
    if rest.is_empty() || rest.starts_with('[') {
        ""
    } else {
        "."
    }
}

/// Returns the number as written, without a plus sign; `None` if it is invalid or DynamoDB cannot store it exactly.
pub(crate) fn number(text: &str) -> Option<&str> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    let is_number = !whole.is_empty()
        && (fraction.is_empty() != digits.contains('.'))
        && all().all(|byte| byte.is_ascii_digit());
    let is_zero = |byte: &u8| *byte == b'0';
    let zeros = all().take_while(is_zero).count() + all().rev().take_while(is_zero).count();
    let significant = (whole.len() + fraction.len()).saturating_sub(zeros);
    let magnitude = i64::try_from(whole.trim_start_matches('0').len())
        .ok()?
        .checked_add(exponent)?;
    (is_number && significant <= MAX_DIGITS && magnitude.abs() <= MAX_EXPONENT).then_some(text)
}

#[cfg(test)]
mod tests;
