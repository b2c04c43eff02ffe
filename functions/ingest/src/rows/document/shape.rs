//! Detects the shape of a `.json` file from its first bytes, and finds the end of a JSON value. Values are not validated here;
//! their rows are parsed later.

use super::super::{MAX_ROW_BYTES, RecordsField, border, lines::Input};

/// The nesting depth of a field of the object.
pub(super) const IN_OBJECT: u64 = 1;
/// The nesting depth of a field of a value in the object's `records`.
const IN_VALUE: u64 = 3;
/// The field names in a link or around it.
const LINK: [&str; 11] = [
    "customer_id",
    "email",
    "email_md5",
    "email_sha256",
    "external_id",
    "id_type",
    "link",
    "link_type",
    "link_value",
    "mobile",
    "system_name",
];

/// How a file contains its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row per line.
    Lines,
    /// Values that follow one another.
    Sequence,
    /// A list. Its first value, or its end, follows at byte `from`.
    List { from: usize },
}

/// Detects the shape from the first bytes of a file, without whitespace in front of them. Returns `None` if more of the file is needed.
pub(super) fn of(start: &[u8], field: RecordsField, input: Input) -> Option<Shape> {
    let is_complete = input == Input::Complete;
    match start.first() {
        None => is_complete.then_some(Shape::Lines),
        Some(_) if !is_complete && border::is_part_of_mark(start) => None,
        Some(b'[') => Some(Shape::List { from: 1 }),
        // Only these bytes are used, so that the result does not depend on the size of the chunks.
        Some(b'{') => object(&start[..start.len().min(MAX_ROW_BYTES + 1)], field)
            .or_else(|| (is_complete || start.len() > MAX_ROW_BYTES).then_some(Shape::Sequence)),
        Some(_) => Some(Shape::Lines),
    }
}

/// Returns the shape of a file that begins with an object.
///
/// If each row specifies its own type, the object is an envelope if a value of its `records` has a type, because links have none.
/// That value need not be the first one, which may be broken. A unify or forget record contains links, whatever fields these
/// have.
fn object(start: &[u8], mut meaning: RecordsField) -> Option<Shape> {
    let mut scan = Scan::default();
    let mut string_began = 0;
    let mut last_string: &[u8] = b"";
    // The field of the object whose value comes next.
    let mut field: Option<String> = None;
    let mut records: Option<Records> = None;
    for (at, byte) in start.iter().enumerate() {
        if let Some(name) = field.take_if(|_| !byte.is_ascii_whitespace()) {
            match (name.as_str(), meaning) {
                ("record_type", RecordsField::Undecided) if contains_links(&start[at..]) => {
                    meaning = RecordsField::Links;
                }
                ("records", RecordsField::Rows) if *byte == b'[' => {
                    return Some(Shape::List { from: at + 1 });
                }
                ("records", RecordsField::Undecided) if *byte == b'[' => {
                    records = Some(Records::new(at + 1))
                }
                _ => {}
            }
        }
        let was_string = scan.in_string;
        let step = scan.step(*byte);
        match (was_string, scan.in_string) {
            (false, true) => string_began = at,
            (true, false) => last_string = &start[string_began..=at],
            _ => {}
        }
        if *byte == b':' && !was_string {
            match (scan.depth, &mut records) {
                (IN_OBJECT, _) => field = text(last_string),
                (IN_VALUE, Some(records)) => match text(last_string).as_deref() {
                    Some("record_type") => return Some(Shape::List { from: records.from }),
                    name => records.add_name(name),
                },
                _ => {}
            }
        }
        if scan.depth == IN_OBJECT {
            // The list, if any, has ended.
            records = None;
        }
        if step == Step::EndsAfter {
            // An object on one line is the first of many rows. An object on several lines was written by hand.
            let is_one_line = !start[..at].contains(&b'\n');
            return Some(if is_one_line {
                Shape::Lines
            } else {
                Shape::Sequence
            });
        }
    }
    // No record is this large. The list belongs to an envelope, unless all its names so far are those of links.
    let records =
        records.filter(|records| start.len() > MAX_ROW_BYTES && records.links != Some(true))?;
    Some(Shape::List { from: records.from })
}

/// A list called `records`, as far as it has been read.
struct Records {
    /// Where its first value, or its end, follows.
    from: usize,
    /// Whether the names in its values are those of links; `None` before the first name.
    links: Option<bool>,
}

impl Records {
    fn new(from: usize) -> Self {
        Self { from, links: None }
    }

    /// Records a name in one of the values; `None` if it cannot be read.
    fn add_name(&mut self, name: Option<&str>) {
        let is_links = name.is_some_and(|name| LINK.contains(&name));
        self.links = Some(is_links && self.links != Some(false));
    }
}

/// Returns whether the next bytes are a record type whose records contain links.
fn contains_links(start: &[u8]) -> bool {
    start.starts_with(b"\"unify\"") || start.starts_with(b"\"forget\"")
}

/// Parses a string with its quotes; `None` if it is invalid.
pub(super) fn text(string: &[u8]) -> Option<String> {
    serde_json::from_slice(string).ok()
}

/// Finds the end of a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// The nesting depth after the last byte.
    pub(super) depth: u64,
    pub(super) in_string: bool,
    /// Whether the next byte of a string is escaped.
    is_escaped: bool,
    /// Whether a byte was scanned.
    has_begun: bool,
}

/// The position of a byte relative to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The byte is part of the value, and more may follow.
    Inside,
    /// The byte is the value's last.
    EndsAfter,
    /// The byte is not part of the value.
    EndsBefore,
}

impl Scan {
    /// Starts inside this number of nested objects.
    pub(super) fn in_objects(depth: u64) -> Self {
        Self {
            depth,
            has_begun: true,
            ..Self::default()
        }
    }

    /// Scans the next byte of the value.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.has_begun, true);
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return if self.depth == 0 {
                        Step::EndsAfter
                    } else {
                        Step::Inside
                    };
                }
                _ => {}
            }
            return Step::Inside;
        }
        match byte {
            b'"' if self.depth > 0 || first => self.in_string = true,
            b'{' | b'[' if self.depth > 0 || first => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Step::EndsAfter;
                }
            }
            _ if self.depth > 0 || first => {}
            // The value is a number, `true`, `false` or `null`. These bytes end it.
            b',' | b']' | b'}' | b'"' | b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r' => {
                return Step::EndsBefore;
            }
            _ => {}
        }
        Step::Inside
    }
}
