//! Splits newline-delimited JSON into rows. Several values may be side by side on a line. Keeps at most one row in memory.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{
    FramingError, MAX_ROW_BYTES, Row, beginning,
    border::{self, Borders, MAX_WHITESPACE},
};

/// The maximum number of bytes that are searched for the end of a row: the row, and whitespace after it.
const MAX_SEARCHED_BYTES: usize = MAX_ROW_BYTES + MAX_WHITESPACE;

/// Where reading starts in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The start of a byte range. It may be inside a line, which belongs to the previous range.
    Cut(u64),
    /// The start of a value or of a line, as an earlier reader returned it.
    Value(u64),
}

/// Whether more of a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// More bytes may follow.
    Partial,
    /// These are all bytes of the file.
    Complete,
}

/// The position of the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of a line.
    Line,
    /// Inside a line, at the start of a value.
    Value,
    /// Inside a line of the previous range.
    OtherRange,
    /// One byte before the known start of a line or value.
    BeforeStart,
}

/// Where a row ends in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At a line end.
    Line(usize),
    /// Inside a line.
    Value(usize),
}

/// Splits chunks into rows.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: BytesMut,
    /// How many bytes of the buffer are searched for the end of the row.
    searched: usize,
    borders: Borders,
    /// Where the buffer begins in the object, in bytes.
    offset: u64,
    /// The line at which the buffer begins, from 1.
    number: u64,
    place: Place,
    /// Lines that begin here or later belong to the next range.
    range_end: Option<u64>,
    /// The beginning of a row that is too large. The rest of the row is skipped.
    skipping: Option<Row>,
}

impl Lines {
    /// Splits a whole object.
    pub(crate) fn new() -> Self {
        Self::from(Start::Cut(0), 1, None)
    }

    /// Splits the rest of an object, from the start of a line or value on. The pushed bytes begin there.
    pub(super) fn at(offset: u64, number: u64) -> Self {
        Self {
            offset,
            number,
            ..Self::new()
        }
    }

    /// Splits the lines from `start` on that begin before `range_end`. Unless the start is 0, the pushed bytes begin one byte before
    /// it.
    pub(crate) fn from(start: Start, number: u64, range_end: Option<u64>) -> Self {
        let (start, place) = match start {
            Start::Cut(0) | Start::Value(0) => (0, Place::Line),
            Start::Cut(start) => (start, Place::OtherRange),
            Start::Value(start) => (start, Place::BeforeStart),
        };
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            borders: Borders::default(),
            offset: start.saturating_sub(1),
            number,
            place,
            range_end,
            skipping: None,
        }
    }

    /// Returns where the next row begins at the earliest.
    pub(crate) fn position(&self) -> u64 {
        self.skipping.as_ref().map_or(self.offset, |row| row.offset)
    }

    pub(crate) fn line(&self) -> u64 {
        self.number
    }

    /// Returns whether the next line belongs to the next range. All values of a line belong to the range in which the line begins.
    pub(crate) fn is_over(&self) -> bool {
        self.place == Place::Line
            && self.skipping.is_none()
            && self.range_end.is_some_and(|end| self.offset >= end)
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the next complete row. Lines of whitespace are not rows.
    pub(crate) fn next(&mut self) -> Option<Row> {
        self.split(Input::Partial)
    }

    /// Returns the next of the last rows. Call it until it returns `None`.
    pub(crate) fn finish(&mut self) -> Option<Row> {
        self.split(Input::Complete)
    }

    /// Returns the next row.
    pub(super) fn split(&mut self, input: Input) -> Option<Row> {
        self.skip_to_start();
        while !self.is_over() && !matches!(self.place, Place::OtherRange | Place::BeforeStart) {
            let row = match self.find_end() {
                Some(end) => self.take(end),
                None if input == Input::Complete && !self.buffer.is_empty() => {
                    let end = self.borders.end(&self.buffer);
                    self.take(End::Value(end))
                }
                None if input == Input::Complete => return self.skipping.take(),
                None => return None,
            };
            if row.is_some() {
                return row;
            }
        }
        None
    }

    /// Skips bytes before the first row.
    fn skip_to_start(&mut self) {
        let count = match self.place {
            Place::Line | Place::Value => return,
            Place::BeforeStart => 1,
            Place::OtherRange => {
                let line_end = memchr::memchr(b'\n', &self.buffer);
                line_end.map_or(self.buffer.len(), |end| end + 1)
            }
        };
        if count == 0 || self.buffer.len() < count {
            return;
        }
        self.place = match (self.buffer[count - 1], self.place) {
            (b'\n', _) => Place::Line,
            (_, Place::BeforeStart) => Place::Value,
            (_, place) => place,
        };
        self.discard(count);
    }

    /// Returns where the next row ends, if the buffer contains its end.
    fn find_end(&mut self) -> Option<End> {
        while let Some(found) = memchr::memchr2(b'\n', b'{', &self.buffer[self.searched..]) {
            let at = self.searched + found;
            if self.discard_whitespace(at) {
                continue;
            }
            if let Some(border) = self.limit(at) {
                return Some(End::Value(border));
            }
            self.searched = at + 1;
            if self.buffer[at] == b'\n' {
                let end = self.borders.end(&self.buffer[..at]);
                return Some(if end == at {
                    End::Line(at)
                } else {
                    End::Value(end)
                });
            }
            if !border::follows_value(&self.buffer[..at]) {
                continue;
            }
            if self.skipping.is_some() {
                return Some(End::Value(at));
            }
            if let Some(end) = self.borders.end_at(at, &self.buffer) {
                return Some(End::Value(end));
            }
        }
        self.searched = self.buffer.len();
        self.discard_whitespace(self.buffer.len());
        let border = self.limit(self.buffer.len());
        if self.skipping.is_some() {
            // A border can be recognized by these bytes.
            self.discard(self.buffer.len().saturating_sub(MAX_WHITESPACE));
        }
        border.map(End::Value)
    }

    /// Removes whitespace before a row that reaches to `at` or beyond, if the row may be too large. Returns whether there was any.
    fn discard_whitespace(&mut self, at: usize) -> bool {
        if at <= MAX_SEARCHED_BYTES || self.skipping.is_some() {
            return false;
        }
        let count = border::blanks(&self.buffer[..at]);
        if count == 0 {
            return false;
        }
        self.discard(count);
        self.borders.shift(count);
        self.place = Place::Value;
        true
    }

    /// Limits the size of a row that reaches to `at` or beyond. If it is too large, it ends at the first border in a string. If there is
    /// none, it is skipped up to the next border of any kind.
    fn limit(&mut self, at: usize) -> Option<usize> {
        if at <= MAX_SEARCHED_BYTES || self.skipping.is_some() {
            return None;
        }
        let border = self.borders.first_in_string();
        if border.is_none() {
            self.skipping = Some(Row {
                bytes: beginning(&self.buffer),
                framing_error: Some(FramingError::TooLarge),
                ..Row::new(self.offset, self.number, Bytes::new())
            });
        }
        border
    }

    /// Takes a row; `None` if it contains only whitespace.
    fn take(&mut self, end: End) -> Option<Row> {
        let (End::Line(length) | End::Value(length)) = end;
        let text = self.buffer.split_to(length).freeze();
        let skipped = self.skipping.take();
        let row = skipped.or_else(|| self.row(&text));
        self.offset += length as u64;
        self.searched = 0;
        self.borders = Borders::default();
        self.place = Place::Value;
        if matches!(end, End::Line(_)) {
            self.discard(1);
            self.number += 1;
            self.place = Place::Line;
        }
        row
    }

    /// Returns a text at the start of the buffer as a row; `None` if it contains only whitespace.
    fn row(&self, text: &Bytes) -> Option<Row> {
        let (front, value) = border::trim(text);
        if value.is_empty() {
            return None;
        }
        let too_large = value.len() > MAX_ROW_BYTES;
        let bytes = if too_large {
            beginning(value)
        } else {
            text.slice(front..front + value.len())
        };
        Some(Row {
            framing_error: too_large.then_some(FramingError::TooLarge),
            ..Row::new(self.offset + front as u64, self.number, bytes)
        })
    }

    /// Removes bytes from the start of the buffer.
    fn discard(&mut self, count: usize) {
        self.buffer.advance(count);
        self.offset += count as u64;
        self.searched = self.searched.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &[u8], chunk: usize) -> Vec<Row> {
        let mut lines = Lines::new();
        let mut found = Vec::new();
        for chunk in text.chunks(chunk) {
            lines.push(chunk);
            while let Some(line) = lines.next() {
                found.push(line);
            }
            assert!(
                lines.buffer.len() <= MAX_SEARCHED_BYTES,
                "what is held is bounded"
            );
        }
        while let Some(row) = lines.finish() {
            found.push(row);
        }
        assert_eq!(lines.next(), None, "nothing follows the last row");
        found
    }

    #[test]
    fn rows_know_their_place() {
        let rows: Vec<_> = cut(b"\xEF\xBB\xBF{}\r\n\n  [1] \nlast", 3)
            .into_iter()
            .map(|line| (line.offset, line.line, line.bytes))
            .collect();
        assert_eq!(
            rows,
            [
                (3, 1, "{}".into()),
                (10, 3, "[1]".into()),
                (15, 4, Bytes::from("last"))
            ]
        );
        assert_eq!(cut(b"", 1), []);
    }

    #[test]
    fn a_row_too_large_is_cut_and_the_next_one_is_found() {
        let mut text = vec![b'x'; 3 * MAX_ROW_BYTES];
        text.extend_from_slice(b"\n{}\n");
        for chunk in [1 << 12, 1 << 18, 1 << 23] {
            let rows = cut(&text, chunk);
            assert_eq!(
                (rows[0].offset, rows[0].line, rows[0].framing_error),
                (0, 1, Some(FramingError::TooLarge))
            );
            assert_eq!(
                (rows[1].offset, rows[1].line, rows[1].framing_error),
                (3 * MAX_ROW_BYTES as u64 + 1, 2, None)
            );
            assert_eq!(rows.len(), 2);
        }
        for (bytes, framing_error) in [
            (MAX_ROW_BYTES, None),
            (MAX_ROW_BYTES + 1, Some(FramingError::TooLarge)),
        ] {
            assert_eq!(
                cut(&vec![b'x'; bytes], 1 << 18)[0].framing_error,
                framing_error
            );
        }
    }

    /// Returns the rows of one range of a text.
    fn range(text: &[u8], start: usize, end: Option<usize>, chunk: usize) -> Vec<Row> {
        let mut lines = Lines::from(Start::Cut(start as u64), 1, end.map(|end| end as u64));
        let mut found = Vec::new();
        for chunk in text[start.saturating_sub(1)..].chunks(chunk) {
            lines.push(chunk);
            while let Some(row) = lines.next() {
                found.push(row);
            }
        }
        while let Some(row) = lines.finish() {
            found.push(row);
        }
        found
    }

    #[test]
    fn a_long_line_belongs_to_the_range_that_it_begins_in() {
        let mut text = b"a\n".to_vec();
        text.resize(3 * MAX_ROW_BYTES, b'x');
        text.extend_from_slice(b"\nb");
        let middle = MAX_ROW_BYTES;
        let rows = range(&text, 0, Some(middle), 1 << 16);
        assert_eq!(
            (rows.len(), rows[1].framing_error),
            (2, Some(FramingError::TooLarge))
        );
        assert_eq!(range(&text, middle, Some(2 * middle), 1 << 16), []);
        assert_eq!(range(&text, 2 * middle, None, 1 << 16).len(), 1);
    }

    /// Returns the texts of the rows.
    fn texts(text: &str) -> Vec<String> {
        let rows = cut(text.as_bytes(), 2).into_iter();
        rows.map(|row| String::from_utf8(row.bytes.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn splits_values_side_by_side() {
        for (text, rows) in [
            (
                r#"{"a":1}{"b":{}}{"c":[{},{}]}"#,
                &[r#"{"a":1}"#, r#"{"b":{}}"#, r#"{"c":[{},{}]}"#][..],
            ),
            (
                "{\"a\":1} \t{\"b\":2}\r\n{\"c\":3}",
                &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"],
            ),
            ("\u{1E}{}\n\u{1E}{}\n", &["{}", "{}"]),
            ("\u{1E}{}\u{1E}{} \u{1E} {}\u{1E}", &["{}", "{}", "{}"]),
            (
                "\u{feff}{}\n\u{feff}{}{}\u{feff}{}\n\u{feff}\n",
                &["{}", "{}", "{}", "{}"],
            ),
            // Within a string.
            (
                r#"{"a":"}{ \"}{"}{"b":"}{"}"#,
                &[r#"{"a":"}{ \"}{"}"#, r#"{"b":"}{"}"#],
            ),
            ("{\"a\":\"\u{1E}{\"}", &["{\"a\":\"\u{1E}{\"}"]),
        ] {
            assert_eq!(texts(text), rows, "{text}");
        }
    }

    #[test]
    fn a_broken_value_costs_only_itself() {
        for (text, rows) in [
            (r#"{"a":}{"b":1}"#, &[r#"{"a":}"#, r#"{"b":1}"#][..]),
            (r#"{"a":1}garbage"#, &[r#"{"a":1}garbage"#]),
            (r#"{"a":1}garbage{"b":1}"#, &[r#"{"a":1}garbage{"b":1}"#]),
            (r#"garbage}{"b":1}"#, &["garbage}", r#"{"b":1}"#]),
            // A bracket is missing.
            (
                r#"{"a":[{"b":1}{"c":2}{"d":3}"#,
                &[r#"{"a":[{"b":1}"#, r#"{"c":2}"#, r#"{"d":3}"#],
            ),
            ("{\"a\":\u{1E}{\"b\":1}", &["{\"a\":", "{\"b\":1}"]),
            // A quote is missing.
            (r#"{"a":"x}{"b":1}"#, &[r#"{"a":"x}"#, r#"{"b":1}"#]),
            (
                r#"{"a":"x}{"b":"y"}{"c":"z"}"#,
                &[r#"{"a":"x}"#, r#"{"b":"y"}"#, r#"{"c":"z"}"#],
            ),
            (
                r#"{"a":"x}{"b":"y"}{"c":"z}"#,
                &[r#"{"a":"x}"#, r#"{"b":"y"}"#, r#"{"c":"z}"#],
            ),
            (r#"{"a":\"x}{"b":"y"}"#, &[r#"{"a":\"x}"#, r#"{"b":"y"}"#]),
        ] {
            assert_eq!(texts(text), rows, "{text}");
        }
    }

    #[test]
    fn a_value_too_large_ends_at_the_next_border() {
        let long = "x".repeat(3 * MAX_ROW_BYTES);
        for first in [
            format!(r#"{{"a":"{long}"}}"#),
            format!(r#"{{"a":"{long}}}"#),
        ] {
            let text = format!(r#"{first} {{"b":"y"}}{{"c":"z"}}"#);
            for chunk in [1 << 12, 1 << 18, 1 << 23] {
                let rows = cut(text.as_bytes(), chunk);
                let errors: Vec<_> = rows.iter().map(|row| row.framing_error).collect();
                assert_eq!(errors, [Some(FramingError::TooLarge), None, None]);
                assert_eq!(rows[0].bytes.len(), crate::rows::MAX_REJECT_BYTES);
                assert_eq!(rows[1].offset, first.len() as u64 + 1);
            }
        }
        // A quote is missing in a small value of a long line.
        let good = r#"{"b":"y"}"#.repeat(300_000);
        for chunk in [1 << 12, 1 << 23] {
            let rows = cut(format!(r#"{{"a":"x}}{good}"#).as_bytes(), chunk);
            assert_eq!(
                (rows.len(), &*rows[0].bytes),
                (300_001, &br#"{"a":"x}"#[..])
            );
        }
    }

    #[test]
    fn whitespace_is_not_kept() {
        let blanks = " ".repeat(3 * MAX_ROW_BYTES);
        let text = format!("{blanks}{{}}\n{blanks}\n{blanks}\u{feff}{{}} {{}}");
        for chunk in [1 << 12, 1 << 23] {
            let rows = cut(text.as_bytes(), chunk);
            let places: Vec<_> = rows
                .iter()
                .map(|row| (row.line, row.framing_error))
                .collect();
            assert_eq!(places, [(1, None), (3, None), (3, None)]);
            assert_eq!(rows[0].offset, blanks.len() as u64);
        }
        // The line belongs to the range that it begins in.
        let middle = MAX_ROW_BYTES;
        assert_eq!(range(text.as_bytes(), 0, Some(middle), 1 << 12).len(), 1);
        let rows = range(text.as_bytes(), middle, Some(2 * middle), 1 << 12);
        assert_eq!(rows, []);
    }

    #[test]
    fn takes_linear_time() {
        for unit in [
            r#"{"}"#,
            r#"{\"}"#,
            r#"{"\"}"#,
            r#"{""\"}"#,
            "{[}",
            "{{}",
            "}{",
            "\u{1E}{",
            "\u{1E}{\"",
            "\u{feff}{",
            " {",
        ] {
            let text = unit.repeat((MAX_ROW_BYTES / 4) / unit.len());
            let began = std::time::Instant::now();
            assert!(!cut(text.as_bytes(), 1 << 16).is_empty(), "{unit}");
            // Quadratic time would be minutes.
            assert!(began.elapsed().as_secs() < 20, "{unit}");
        }
    }

    /// Reads a range in several steps. Each continues at the position after a row.
    fn continued(text: &[u8], start: usize, end: Option<usize>, chunk: usize) -> Vec<Row> {
        let mut found = Vec::new();
        let (mut from, mut number) = (Start::Cut(start as u64), 1);
        loop {
            let mut lines = Lines::from(from, number, end.map(|end| end as u64));
            let (Start::Cut(at) | Start::Value(at)) = from;
            let mut row = None;
            for chunk in text[(at as usize).saturating_sub(1)..].chunks(chunk) {
                lines.push(chunk);
                row = lines.next();
                if row.is_some() {
                    break;
                }
            }
            let Some(row) = row.or_else(|| lines.finish()) else {
                return found;
            };
            found.push(row);
            (from, number) = (Start::Value(lines.position()), lines.line());
        }
    }

    /// Lines with values side by side, and broken ones.
    const VALUES: &str =
        "(\\{|\\}|\\{\"a\":1\\}|\\{\"\\}\\{\"\\}|\"|\\\\|\u{1E}|\u{FEFF}|x| |\n|\r){0,30}";

    proptest! {
        #[test]
        fn values_do_not_depend_on_chunks_and_ranges(text in VALUES, cuts in prop::collection::vec(0_usize..60, 0..4), chunk in 1_usize..9) {
            let text = text.as_bytes();
            let whole = cut(text, text.len().max(1));
            prop_assert_eq!(&cut(text, chunk), &whole);
            prop_assert_eq!(&continued(text, 0, None, chunk), &whole);
            for row in &whole {
                prop_assert!(text[row.offset as usize..].starts_with(&row.bytes));
                let before = &text[..row.offset as usize];
                prop_assert_eq!(row.line, 1 + memchr::memchr_iter(b'\n', before).count() as u64);
            }
            let mut starts: Vec<_> = cuts.into_iter().filter(|cut| *cut < text.len()).chain([0]).collect();
            starts.sort_unstable();
            let places = |rows: Vec<Row>| rows.into_iter().map(|row| (row.offset, row.bytes)).collect::<Vec<_>>();
            let (mut found, mut in_steps) = (Vec::new(), Vec::new());
            for (at, start) in starts.iter().enumerate() {
                let end = starts.get(at + 1).copied();
                found.extend(places(range(text, *start, end, chunk)));
                in_steps.extend(places(continued(text, *start, end, chunk)));
            }
            prop_assert_eq!(&found, &places(whole));
            prop_assert_eq!(in_steps, found);
        }

        /// Nothing but whitespace and separators is lost between the rows.
        #[test]
        fn rows_contain_every_byte(text in VALUES) {
            let is_text = |byte: &u8| !border::is_blank(*byte) && !b"\xEF\xBB\xBF".contains(byte);
            let rows = cut(text.as_bytes(), 3);
            let found: Vec<u8> = rows.iter().flat_map(|row| row.bytes.to_vec()).filter(is_text).collect();
            let expected: Vec<u8> = text.bytes().filter(is_text).collect();
            prop_assert_eq!(found, expected);
        }

        /// Valid objects are found, however they are separated.
        #[test]
        fn finds_objects(names in prop::collection::vec("[a}{\"\\\\ \u{1F600}]{0,6}", 0..6), separators in prop::collection::vec("( |\n|\u{1E}|\u{FEFF}|\t\r\n){0,3}", 7), chunk in 1_usize..9) {
            let objects: Vec<_> = names.iter().map(|name| serde_json::json!({"b": [{name.as_str(): name.as_str()}, {}]}).to_string()).collect();
            let mut text = separators[6].clone();
            for (object, separator) in objects.iter().zip(&separators) {
                text += object;
                text += separator;
            }
            let rows: Vec<_> = cut(text.as_bytes(), chunk).into_iter().map(|row| row.bytes).collect();
            prop_assert_eq!(rows, objects);
        }

        /// The rows of any number of ranges, divided anywhere, are those of the whole.
        #[test]
        fn ranges_share_out_the_rows(text in "[ab \n\r]{0,60}", cuts in prop::collection::vec(0_usize..60, 0..4), chunk in 1_usize..9) {
            let text = text.as_bytes();
            let mut starts: Vec<_> = cuts.into_iter().filter(|cut| *cut < text.len()).chain([0]).collect();
            starts.sort_unstable();
            let places = |rows: Vec<Row>| rows.into_iter().map(|row| (row.offset, row.bytes)).collect::<Vec<_>>();
            let mut found = Vec::new();
            for (at, start) in starts.iter().enumerate() {
                found.extend(places(range(text, *start, starts.get(at + 1).copied(), chunk)));
            }
            prop_assert_eq!(found, places(cut(text, text.len().max(1))));
        }

        #[test]
        fn chunks_do_not_matter(text in "[ab \n\r]{0,60}", chunk in 1_usize..9) {
            let whole = cut(text.as_bytes(), text.len().max(1));
            prop_assert_eq!(&cut(text.as_bytes(), chunk), &whole);
            let rows: Vec<_> = text.split('\n').map(|row| row.trim_ascii()).filter(|row| !row.is_empty()).collect();
            let bytes: Vec<_> = whole.iter().map(|line| line.bytes.clone()).collect();
            prop_assert_eq!(bytes, rows);
            for line in whole {
                prop_assert!(text.as_bytes()[line.offset as usize..].starts_with(&line.bytes));
            }
        }
    }
}
