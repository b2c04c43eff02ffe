//! Finds the list of rows in a document by its path, such as `data.items`. What is around the list is not kept, whatever its size.

use super::{
    super::{FileError, FileErrorKind},
    shape::{self, Scan, Step},
};

/// The maximum length of a character in JSON, in bytes: an escape such as `\u0061`.
const MAX_ESCAPE_BYTES: usize = 6;

/// The search for the list in the documents of a file, one after the other.
#[derive(Debug)]
pub(super) struct Search {
    path: String,
    /// Where the document begins: its offset and its line. `None` before the document.
    start: Option<(u64, u64)>,
    scan: Scan,
    /// For each open object on the path, from the outermost one on: where the rest of the path begins.
    open: Vec<usize>,
    /// The last name or string in the innermost object on the path, with its quotes. Cut if it is longer than any name on the path.
    name: Vec<u8>,
    /// The meaning of the value that comes next.
    next: Next,
}

/// The meaning of a value, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// It is not on the path.
    #[default]
    Other,
    /// If it is an object, the path continues in it from this byte on.
    Object(usize),
    /// It is the list.
    List,
}

/// What a search found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The list, in `depth` nested objects. Its first value or its end follows; or `null`, which some programs write for an empty list.
    List { depth: u64, is_null: bool },
    /// The document does not have the list.
    Error(FileError),
}

impl Search {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            start: None,
            scan: Scan::default(),
            open: Vec::new(),
            name: Vec::new(),
            next: Next::Other,
        }
    }

    /// Returns whether a document has begun.
    pub(super) const fn has_begun(&self) -> bool {
        self.start.is_some()
    }

    /// Begins a document at this position.
    pub(super) fn begin(&mut self, offset: u64, line: u64) {
        self.start = Some((offset, line));
        self.scan = Scan::default();
        self.open.clear();
        self.next = Next::Object(0);
    }

    /// Scans the next bytes of the document. Returns how many of them are before what was found; all, if nothing was found.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> (usize, Option<Found>) {
        for (at, byte) in bytes.iter().enumerate() {
            if !self.scan.in_string && !byte.is_ascii_whitespace() {
                match (std::mem::take(&mut self.next), byte) {
                    (Next::List, b'[') => return (at + 1, Some(self.list(false))),
                    (Next::List, b'n') => return (at, Some(self.list(true))),
                    (Next::Object(rest), b'{') => self.open.push(rest),
                    // Only the first byte of a document finds no open object.
                    _ if self.open.is_empty() => {
                        let problem = "is not an object, so it does not have the list";
                        return (at, Some(Found::Error(self.error(problem))));
                    }
                    _ => {}
                }
            }
            if self.step(*byte) == Step::EndsAfter {
                return (
                    at + 1,
                    Some(Found::Error(self.error("does not have the list"))),
                );
            }
        }
        (bytes.len(), None)
    }

    /// Returns the error of a document that ends before its list.
    pub(super) fn unfinished(&self) -> FileError {
        self.error("ends before the list")
    }

    /// Scans a byte of the document, and notes the names in the innermost object on the path.
    fn step(&mut self, byte: u8) -> Step {
        let was_string = self.scan.in_string;
        let step = self.scan.step(byte);
        let depth = self.open.len() as u64;
        if self.scan.depth < depth {
            self.open.pop();
        }
        if self.scan.depth != depth {
            return step;
        }
        match (was_string, self.scan.in_string) {
            (false, true) => {
                self.name.clear();
                self.name.push(byte);
            }
            (true, _) if self.name.len() < MAX_ESCAPE_BYTES * self.path.len() + 2 => {
                self.name.push(byte);
            }
            (false, false) if byte == b':' => self.next = self.meaning(),
            _ => {}
        }
        step
    }

    /// Returns the meaning of the value after the last name. The rest of the path may be the name, or begin with it and a dot.
    fn meaning(&self) -> Next {
        let rest = self.open.last().and_then(|at| self.path.get(*at..));
        let name = shape::text(&self.name);
        let (Some(rest), Some(name)) = (rest, name) else {
            return Next::Other;
        };
        match rest.strip_prefix(name.as_str()) {
            Some("") => Next::List,
            Some(after) if after.starts_with('.') => {
                Next::Object(self.path.len() - after.len() + 1)
            }
            _ => Next::Other,
        }
    }

    /// Ends the search in this document, because the list is found.
    fn list(&mut self, is_null: bool) -> Found {
        self.start = None;
        Found::List {
            depth: self.scan.depth,
            is_null,
        }
    }

    fn error(&self, problem: &str) -> FileError {
        let (offset, line) = self.start.unwrap_or_default();
        FileError::new(
            FileErrorKind::BrokenJson,
            format!(
                "The JSON document at byte {offset}, line {line} {problem} `{}`, in which the mapping expects the rows. Only the rows \
                 before it were processed. Correct the document, or `rows` in the mapping, and drop the file again.",
                self.path
            ),
        )
    }
}
