//! Finds the borders between JSON values that are side by side, without a line end between them, as Amazon Data Firehose writes
//! them.
//!
//! A `{` that follows a `}` or a record separator (RFC 7464) never occurs within valid JSON, except within a string. So it is a border
//! unless it is in a string. If the text before a border is not valid JSON, a quote may be missing or superfluous. Then the first
//! border that seemed to be in a string counts, so that a broken value costs as little as possible.

use super::{BOM, json};

/// The separator before each value of a JSON text sequence (RFC 7464).
pub(super) const RECORD_SEPARATOR: u8 = 0x1E;
/// The maximum number of bytes of whitespace at a border. Limits how far a search looks back.
pub(super) const MAX_WHITESPACE: usize = 1024;

/// Returns whether a `{` after these bytes is a border, unless it is in a string. They begin with the value before.
pub(super) fn follows_value(before: &[u8]) -> bool {
    let mut rest = &before[before.len().saturating_sub(MAX_WHITESPACE)..];
    let mut is_separated = false;
    loop {
        match rest {
            [front @ .., byte] if byte.is_ascii_whitespace() => rest = front,
            [front @ .., RECORD_SEPARATOR] => {
                is_separated = true;
                rest = front;
            }
            [front @ .., 0xEF, 0xBB, 0xBF] => rest = front,
            [] => return false,
            [.., byte] => return is_separated || *byte == b'}',
        }
    }
}

/// Returns a value and the number of bytes before it, without whitespace, record separators and byte order marks around it.
pub(super) fn trim(value: &[u8]) -> (usize, &[u8]) {
    let front = blanks(value);
    let mut rest = &value[front..];
    loop {
        match rest {
            [front @ .., byte] if is_blank(*byte) => rest = front,
            [front @ .., 0xEF, 0xBB, 0xBF] => rest = front,
            _ => return (front, rest),
        }
    }
}

/// Returns the number of bytes before the first value.
pub(super) fn blanks(text: &[u8]) -> usize {
    let mut rest = text;
    loop {
        match rest {
            [byte, back @ ..] if is_blank(*byte) => rest = back,
            [0xEF, 0xBB, 0xBF, back @ ..] => rest = back,
            _ => return text.len() - rest.len(),
        }
    }
}

/// Returns whether a byte may be between values.
pub(super) fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == RECORD_SEPARATOR
}

/// Returns whether bytes are the beginning of a byte order mark, of which more may follow.
pub(super) fn is_part_of_mark(bytes: &[u8]) -> bool {
    bytes.len() < BOM.len() && BOM.starts_with(bytes)
}

/// The borders within the current value, found so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Borders {
    /// How many bytes of the value are scanned.
    scanned: usize,
    state: State,
    /// The first border that is in a string.
    first_in_string: Option<usize>,
}

/// The position after the scanned bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    InString,
    /// After a backslash outside of a string. The value is broken, so its quotes do not count. Without this rule, a quote might be
    /// escaped or not, depending on where a scan begins, and the time would be quadratic.
    Broken,
}

impl Borders {
    /// Returns where the value ends, if a border is at `at`. `value` begins with the value and contains at least `at` bytes.
    pub(super) fn end_at(&mut self, at: usize, value: &[u8]) -> Option<usize> {
        self.scan(&value[..at]);
        if self.state != State::InString {
            return Some(self.end(&value[..at]));
        }
        self.first_in_string.get_or_insert(at);
        None
    }

    /// Returns where a value ends that reaches to the end of the text.
    pub(super) fn end(&self, text: &[u8]) -> usize {
        match self.first_in_string {
            Some(border) if !json::is_valid(trim(text).1) => border,
            _ => text.len(),
        }
    }

    /// Returns where a value ends that is too large for its border to be searched further.
    pub(super) fn first_in_string(&self) -> Option<usize> {
        self.first_in_string
    }

    /// Notes that bytes before the value are gone.
    pub(super) fn shift(&mut self, count: usize) {
        self.scanned = self.scanned.saturating_sub(count);
        self.first_in_string = self.first_in_string.map(|at| at.saturating_sub(count));
    }

    /// Determines whether the end of the text is in a string.
    fn scan(&mut self, text: &[u8]) {
        while let Some(rest) = text.get(self.scanned..).filter(|rest| !rest.is_empty()) {
            if self.state == State::Broken {
                self.scanned = text.len();
                return;
            }
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                self.scanned = text.len();
                return;
            };
            self.scanned += found + 1;
            self.state = match (self.state, rest[found]) {
                (State::Outside, b'"') => State::InString,
                (State::InString, b'"') => State::Outside,
                (State::InString, _) => {
                    // The next byte is escaped.
                    self.scanned += 1;
                    State::InString
                }
                (State::Outside | State::Broken, _) => State::Broken,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_borders() {
        for before in [
            &b"{}"[..],
            b"{} ",
            b"x}\r\t ",
            b"{\x1E",
            b"1 \x1E ",
            b"{}\xEF\xBB\xBF",
            b"{} \x1E\xEF\xBB\xBF ",
        ] {
            assert!(follows_value(before), "{before:?}");
        }
        for before in [
            &b""[..],
            b"  ",
            b"\x1E",
            b"\xEF\xBB\xBF",
            b"\x1E \xEF\xBB\xBF",
            b"{},",
            b"[",
            b"{\"a\": ",
            b"}\xBB\xBF",
        ] {
            assert!(!follows_value(before), "{before:?}");
        }
        let blanks = |count| [&b"{}"[..], &vec![b' '; count]].concat();
        assert!(follows_value(&blanks(MAX_WHITESPACE - 1)));
        assert!(!follows_value(&blanks(MAX_WHITESPACE)));
    }

    #[test]
    fn trims_what_separates_values() {
        assert_eq!(trim(b"\xEF\xBB\xBF \x1E{ }\x1E\r\n"), (5, &b"{ }"[..]));
        assert_eq!(trim(b" \t"), (2, &b""[..]));
        assert_eq!(trim(b""), (0, &b""[..]));
        assert_eq!(trim(b"\xBB\xBFa"), (0, &b"\xBB\xBFa"[..]));
    }
}
