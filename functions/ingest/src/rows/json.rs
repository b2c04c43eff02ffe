//! Parses the JSON of a row. Numbers are kept as written, and the nesting depth is bounded.

use shared::model::value::{Map, Value};

use super::{Fields, RowError, RowErrorCode};

/// The maximum nesting depth of a record.
pub(crate) const MAX_DEPTH: usize = 32;
/// The initial capacity for an object's fields, which is enough for most objects.
const INITIAL_FIELDS: usize = 8;
/// DynamoDB's maximum number of significant digits of a number.
const MAX_DIGITS: usize = 38;
/// DynamoDB's maximum magnitude of a number, as a power of ten.
const MAX_EXPONENT: i64 = 125;

/// Parses a row that contains one JSON object (RFC 8259). If two fields have the same name, the later one wins.
///
/// Library parsers convert numbers to floats, or read the text that they keep at least twice. This parser reads each byte once.
pub(crate) fn object(row: &str) -> Result<Map, RowError> {
    let mut parser = Parser { text: row, at: 0 };
    let value = parser.value(1)?;
    if parser.peek().is_some() {
        return Err(parser.syntax_error());
    }
    match value {
        Value::Map(map) => Ok(map),
        _ => Err(RowError::whole(
            RowErrorCode::NotAnObject,
            "must be a JSON object.",
        )),
    }
}

/// Parses the bytes of a row that contains one JSON object.
pub(crate) fn fields(row: &[u8]) -> Result<Fields, RowError> {
    let text = std::str::from_utf8(row).map_err(|_| {
        RowError::whole(
            RowErrorCode::InvalidUtf8,
            "is not valid UTF-8. Save the file as UTF-8.",
        )
    })?;
    object(text).map(Fields::from)
}

struct Parser<'a> {
    text: &'a str,
    /// The index of the next byte.
    at: usize,
}

impl<'a> Parser<'a> {
    /// Parses a value at this nesting depth, from 1.
    fn value(&mut self, depth: usize) -> Result<Value, RowError> {
        if depth > MAX_DEPTH {
            return Err(RowError::whole(
                RowErrorCode::TooDeep,
                format!("has more than {MAX_DEPTH} levels of nesting, the limit. Remove levels."),
            ));
        }
        match self.peek() {
            Some(b'{') => self.map(depth).map(Value::Map),
            Some(b'[') => self.list(depth).map(Value::List),
            Some(b'"') => self.string().map(Value::Text),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => self.number().map(Value::Number),
        }
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
            let name = self.string()?;
            if !self.skip_next(b':') {
                return Err(self.syntax_error());
            }
            entries.push((name, self.value(depth + 1)?));
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
            items.push(self.value(depth + 1)?);
            if self.skip_next(b']') {
                return Ok(items);
            }
            if !self.skip_next(b',') {
                return Err(self.syntax_error());
            }
        }
    }

    fn string(&mut self) -> Result<String, RowError> {
        self.at += 1;
        let plain = self.plain();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(plain.to_owned());
        }
        let mut text = plain.to_owned();
        loop {
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escaped().ok_or_else(|| self.syntax_error())?),
                // A control character, or the end of the row.
                _ => return Err(self.syntax_error()),
            }
            text.push_str(self.plain());
        }
    }

    /// Reads up to the next quote, escape or control character.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let plain = &rest[..shared::model::json::plain(rest.as_bytes())];
        self.at += plain.len();
        plain
    }

    /// Reads an escape sequence and returns its character.
    fn escaped(&mut self) -> Option<char> {
        self.at += 1;
        let escape = self.byte()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.four_digits()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                // A pair of surrogates encodes one character.
                let low = self.text[self.at..].starts_with("\\u").then(|| {
                    self.at += 2;
                    self.four_digits()
                })??;
                let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + low);
            }
            _ => return None,
        })
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

    fn number(&mut self) -> Result<String, RowError> {
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
        let number = number(&self.text[begin..self.at]).ok_or_else(|| {
            RowError::whole(
                RowErrorCode::InvalidValue,
                format!(
                    "contains a number that cannot be stored exactly. The limits are {MAX_DIGITS} digits and an exponent of \
                     {MAX_EXPONENT}. Send it as a string."
                ),
            )
        })?;
        Ok(number.to_owned())
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(row: &str) -> &'static str {
        object(row).unwrap_err().code.as_str()
    }

    #[test]
    fn numbers_stay_as_written() {
        let map = object(r#"{"a": 12.50, "b": -0.1e2, "c": 100000000000000000000.5}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&map).unwrap(),
            r#"{"a":12.50,"b":-0.1e2,"c":100000000000000000000.5}"#
        );
        assert_eq!(
            code(&format!(r#"{{"a": {}}}"#, "1".repeat(39))),
            "invalid_value"
        );
        assert_eq!(code(r#"{"a": 1e126}"#), "invalid_value");
        assert_eq!(number("1."), None);
        assert_eq!(number(".5"), None);
        assert_eq!(number("1_000"), None);
        assert_eq!(number("+7"), Some("7"));
    }

    #[test]
    fn exponents_and_escapes_are_read() {
        for number in ["1e5", "1E5", "1e+5", "1e-5", "1.5E-2", "0e0"] {
            let map = object(&format!(r#"{{"a": {number}}}"#)).unwrap();
            assert_eq!(map.get("a"), Some(&Value::Number(number.to_owned())));
        }
        for (escaped, text) in [
            (r#"\"\\\/"#, "\"\\/"),
            (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
            (r"a\u0041b\u00e9c\uFFfdd", "aAbéc\u{FFFD}d"),
            (r"\ud800\udc00\uDBFF\uDFFFe", "\u{10000}\u{10FFFF}e"),
            (r"\ud83d\ude00\u0031", "\u{1F600}1"),
        ] {
            let map = object(&format!(r#"{{"a":"{escaped}"}}"#)).unwrap();
            assert_eq!(map.text("a"), Some(text), "{escaped}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(code("[1]"), "not_an_object");
        assert_eq!(code(""), "invalid_json");
        assert_eq!(code(r#"{"a":1} {"#), "invalid_json");
        for broken in [
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\ud800\u0041"}"#,
            r#"{"a":"\udc00"}"#,
            r#"{"a":"\ud800\ue000"}"#,
            r#"{"a":"\ud800 udc00"}"#,
            r#"{"a":"\u+123"}"#,
            r#"{"a":"\u00"}"#,
            r#"{"a":"\x"}"#,
            "{\"a\":\"\u{1}\"}",
            r#"{"a":01}"#,
            r#"{"a":-}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":1e}"#,
            r#"{"a":+1}"#,
            r#"{"a":nul}"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":"b"#,
            r#"{1:2}"#,
            "{",
        ] {
            assert_eq!(code(broken), "invalid_json", "{broken}");
        }
        let at = |row| object(row).unwrap_err().to_string();
        assert!(
            at(r#"{"a":1} {"#).contains("byte 8 "),
            "{}",
            at(r#"{"a":1} {"#)
        );
        assert_eq!(
            code(&format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33))),
            "too_deep"
        );
        assert!(object(&format!("{}1{}", r#"{"a":"#.repeat(31), "}".repeat(31))).is_ok());
        let nested = |depth| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(object(&nested(31)).is_ok());
        assert_eq!(code(&nested(32)), "too_deep");
    }

    proptest! {
        #[test]
        fn any_json_comes_back(text in "[a-z\"\\\\\u{1F600}\u{e9}]{0,12}", number in any::<i64>(), flag: bool) {
            let json = serde_json::json!({"b": [text, number, {"x": flag}], "a": null});
            let map = object(&json.to_string()).unwrap();
            prop_assert_eq!(serde_json::to_value(&map).unwrap(), json);
        }

        /// Another parser accepts the same texts and returns the same values.
        #[test]
        fn it_reads_as_another_parser_does(
            text in "(\\{|\\}|\\[|\\]|,|:|\"[a-zé]{0,2}\"|\"(\\\\([nt/u\"b]|u00e9|ud83d\\\\ude00|ud83d|ude00)){1,2}\"|-?[0-9]{1,3}|[0-9][.]?[0-9]?([eE][+-]?[0-9])?|true|null|nul| |\n|\t|\u{1}){0,12}",
            object_around: bool,
        ) {
            let text = if object_around { format!("{{\"a\":{text}}}") } else { text };
            let own = object(&text);
            let other = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            match (own, other) {
                (Ok(own), Ok(other)) => {
                    let own: serde_json::Value = serde_json::from_str(&serde_json::to_string(&own).unwrap()).unwrap();
                    prop_assert_eq!(own, serde_json::Value::Object(other));
                }
                (Err(_), Err(_)) => {}
                (own, other) => prop_assert!(false, "{text:?}: {own:?}, {other:?}"),
            }
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\",:a0-9.eE+-]{0,40}") {
            let _ = object(&text);
        }
    }
}
