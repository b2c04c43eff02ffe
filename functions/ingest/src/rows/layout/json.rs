//! Distinguishes NDJSON from JSON by the first line.

use super::{Format, Text};

/// How the value that a line begins with ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// The line contains all of it.
    Whole { has_records: bool },
    /// It continues on the next line. `opens` states that the line ends where a value or a field follows.
    Open { has_records: bool, opens: bool },
}

/// Returns the format of content that begins with an object; `None` if more bytes are needed.
pub(super) fn object(text: Text<'_>, named: Option<Format>) -> Option<Format> {
    if named == Some(Format::Json) {
        return named;
    }
    let is_lines = named == Some(Format::Ndjson);
    let (line, rest) = text.first_line()?;
    let is_one_line = text.extent.is_whole() && rest.bytes.is_empty();
    match first_value(line) {
        // One object with `records` may be an envelope. The JSON reader knows whether it is.
        Value::Whole { has_records: true } => match rest.first_visible()? {
            None => Some(Format::Json),
            Some(_) => Some(Format::Ndjson),
        },
        Value::Whole { .. } => Some(Format::Ndjson),
        // The line may be longer than the bytes that are looked at.
        Value::Open { has_records, .. } if is_one_line => Some(if has_records || !is_lines {
            Format::Json
        } else {
            Format::Ndjson
        }),
        Value::Open { opens, .. } => Some(if opens || !is_lines {
            Format::Json
        } else {
            // The first row is broken.
            Format::Ndjson
        }),
    }
}

/// Returns the format of content that begins with an array; `None` if more bytes are needed.
pub(super) fn array(text: Text<'_>, named: Option<Format>) -> Option<Format> {
    if named == Some(Format::Json) {
        return named;
    }
    let (line, rest) = text.first_line()?;
    match first_value(line) {
        Value::Open { .. } => Some(Format::Json),
        // After an array, JSON has nothing else. If more lines follow, each is a row, though this one is not an object.
        Value::Whole { .. } => Some(match rest.first_visible()? {
            None => Format::Json,
            Some(_) => Format::Ndjson,
        }),
    }
}

/// Scans the object or array that a line begins with.
fn first_value(line: &[u8]) -> Value {
    let line = line.trim_ascii_end();
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let (mut string_start, mut last_string) = (0, &line[..0]);
    // Whether the value of the field `records` of the outermost object comes next.
    let mut is_next = false;
    let mut has_records = false;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' if in_string => {
                in_string = false;
                last_string = &line[string_start..at];
            }
            _ if in_string => {}
            b'"' => (in_string, string_start) = (true, at + 1),
            b':' => {
                is_next = depth == 1 && last_string == b"records";
                continue;
            }
            b'{' | b'[' => {
                has_records |= is_next && *byte == b'[';
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Value::Whole { has_records };
                }
            }
            byte if byte.is_ascii_whitespace() => continue,
            _ => {}
        }
        is_next = false;
    }
    let opens = !in_string && matches!(line.last(), Some(b'{' | b'['));
    Value::Open { has_records, opens }
}
