//! The shape of a `.json` file, told by its first bytes; and how far a JSON value reaches. Whether a value is
//! valid is not looked at here: its row is parsed later.

use super::super::{BOM, MAX_ROW};

/// How deep a field of the object lies.
const IN_OBJECT: u64 = 1;
/// How deep a field of a value of its `records` lies.
const IN_VALUE: u64 = 3;
/// The names in a link, or around it.
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

/// How a file holds its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row a line.
    Lines,
    /// Values one after another.
    Sequence,
    /// A list whose first value, or end, follows at the byte `from`.
    List { from: usize },
}

/// Tells the shape; `None` if more of the file is needed.
pub(super) fn of(start: &[u8], bare_records: Option<bool>, at_end: bool) -> Option<Shape> {
    if !at_end && start.len() < BOM.len() && BOM.starts_with(start) {
        return None;
    }
    let bom = if start.starts_with(BOM) { BOM.len() } else { 0 };
    let blanks = start[bom..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let from = bom + blanks;
    match start.get(from) {
        None => at_end.then_some(Shape::Lines),
        Some(b'[') => Some(Shape::List { from: from + 1 }),
        // The same is looked at, however much more has come.
        Some(b'{') => object(&start[..start.len().min(MAX_ROW + 1)], from, bare_records)
            .or_else(|| (at_end || start.len() > MAX_ROW).then_some(Shape::Sequence)),
        Some(_) => Some(Shape::Lines),
    }
}

/// The shape of a file that begins with an object.
///
/// Where each row names its own type, the object is an envelope if a value of its `records` does so: links don't. It
/// need not be the first one, which may be broken. A unify or forget record holds links, whatever these say.
fn object(start: &[u8], from: usize, mut bare_records: Option<bool>) -> Option<Shape> {
    let mut scan = Scan::default();
    let mut string_began = 0;
    let mut last_string: &[u8] = b"";
    // The object's field whose value comes next.
    let mut field: Option<String> = None;
    let mut records: Option<Records> = None;
    for (at, byte) in start.iter().enumerate().skip(from) {
        if let Some(name) = field.take_if(|_| !byte.is_ascii_whitespace()) {
            match (name.as_str(), bare_records) {
                ("record_type", None) if holds_links(&start[at..]) => bare_records = Some(true),
                ("records", Some(false)) if *byte == b'[' => {
                    return Some(Shape::List { from: at + 1 });
                }
                ("records", None) if *byte == b'[' => records = Some(Records::new(at + 1)),
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
                    name => records.note(name),
                },
                _ => {}
            }
        }
        if scan.depth == IN_OBJECT {
            // The list is over, if there was one.
            records = None;
        }
        if step == Step::EndsAfter {
            // One object on its line is one row of many; one on several lines is written by hand.
            let one_line = !start[from..at].contains(&b'\n');
            return Some(if one_line {
                Shape::Lines
            } else {
                Shape::Sequence
            });
        }
    }
    // No record reaches this far: such a list is an envelope's, unless what is seen of it plainly holds links.
    let records = records.filter(|records| start.len() > MAX_ROW && records.links != Some(true))?;
    Some(Shape::List { from: records.from })
}

/// A list called `records`, as far as it is seen.
struct Records {
    /// Where its first value, or end, follows.
    from: usize,
    /// Whether the names in its values are those of links; `None` before the first name.
    links: Option<bool>,
}

impl Records {
    fn new(from: usize) -> Self {
        Self { from, links: None }
    }

    /// Takes a name in one of the values in; `None` is one that can't be read.
    fn note(&mut self, name: Option<&str>) {
        let is_links = name.is_some_and(|name| LINK.contains(&name));
        self.links = Some(is_links && self.links != Some(false));
    }
}

/// Whether a record type follows whose records hold links.
fn holds_links(start: &[u8]) -> bool {
    start.starts_with(b"\"unify\"") || start.starts_with(b"\"forget\"")
}

/// What a string says, its quotes included; `None` if it is broken.
fn text(string: &[u8]) -> Option<String> {
    serde_json::from_slice(string).ok()
}

/// How far a value reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    began: bool,
}

/// What a byte is to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Inside,
    /// It is the value's last.
    EndsAfter,
    /// It is none of the value's.
    EndsBefore,
}

impl Scan {
    /// Takes the value's next byte in.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        let first = !std::mem::replace(&mut self.began, true);
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
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
            // A number or a word, and what ends it.
            b',' | b']' | b'}' | b'"' | b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r' => {
                return Step::EndsBefore;
            }
            _ => {}
        }
        Step::Inside
    }
}
