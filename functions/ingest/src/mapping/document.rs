//! The parsed form of a mapping. `parse` creates it, `validate` checks it against the record types, and `map` applies it.

use rust_decimal::Decimal;
use shared::model::value::{Map, Value};

use super::{
    name::{Name, NameOf, Names, begins_in},
    read::Read,
};
use crate::{
    record::RecordType,
    rows::{Encoding, Format, MappedInput},
};

/// A mapping: how the rows of an export become records.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    /// The source of the records, unless the object's key contains one.
    pub(crate) source: Option<String>,
    pub(crate) recognize: Option<Recognize>,
    pub(crate) input: InputOptions,
    /// The columns whose equal cells make adjacent rows one group.
    pub(crate) group: Vec<Name>,
    /// The rows that produce nothing.
    pub(crate) skip: Option<Condition>,
    pub(crate) records: Vec<Entry>,
    pub(super) read: Read,
    /// The names that the mapping uses.
    pub(super) names: Names,
    /// The beginnings of numbered columns, such as `Product Item {n} `, as the text before and after the number.
    pub(super) numbered: Vec<(String, String)>,
}

/// What identifies the export among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recognize {
    pub(crate) by: RecognizeBy,
    /// Whether the file has these columns only, for exports with few columns of common names.
    pub(crate) exact: bool,
}

/// The columns or fields that an export has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecognizeBy {
    /// Columns of a CSV file.
    Columns(Vec<String>),
    /// Paths in the rows of a JSON file.
    Fields(Vec<String>),
}

/// How the file is written, as far as the mapping specifies it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InputOptions {
    pub(crate) format: Option<Format>,
    pub(crate) delimiter: Option<char>,
    pub(crate) encoding: Option<Encoding>,
    /// The number of lines before the header.
    pub(crate) skip_lines: u64,
    /// The path of the list of rows in a JSON document.
    pub(crate) rows: Option<String>,
}

/// One kind of record that a row produces.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) kind: KindOfRecord,
    pub(super) when: Option<Condition>,
    /// The list whose elements each produce a record.
    pub(super) each: Option<List>,
    pub(super) record: Node,
}

/// The record type of an entry.
#[derive(Debug)]
pub(super) enum KindOfRecord {
    Fixed(RecordType, String),
    /// A value that yields the name of the type.
    Chosen(Node),
    Invalid,
}

/// A value, and the condition without which it is absent.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) make: Make,
    pub(super) when: Option<Condition>,
}

/// How a value is made.
#[derive(Debug)]
pub(super) enum Make {
    /// The value under a name.
    Name(Name),
    Const(Value),
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    /// The first value that is present.
    First(Vec<Node>),
    From(Box<FromCell>),
    Template(Box<Template>),
    Each(Box<Each>),
    /// The parser reported a fault here.
    Invalid,
}

/// The first present cell, and the steps that change it.
#[derive(Debug)]
pub(super) struct FromCell {
    pub(super) names: Vec<Name>,
    pub(super) steps: Steps,
    /// Overrides the mapping's settings.
    pub(super) read: Option<Read>,
}

/// Steps, in the order in which they are applied.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) json: bool,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
    pub(super) split: Option<String>,
    /// The number of the part that a split keeps, from 1.
    pub(super) part: Option<usize>,
    pub(super) values: Option<Lookup>,
    pub(super) sums: Vec<(Operation, Operand)>,
    pub(super) negate: bool,
    pub(super) default: Option<Value>,
}

/// A table from cells to values.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// The lowercase cells, and their values.
    pub(super) values: Vec<(String, Value)>,
    pub(super) other: Option<Value>,
}

/// An operation on exact decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Times,
    Plus,
    Minus,
}

/// The right side of an operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Name(Name),
    Number(Decimal),
}

/// A text with names in it.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
    pub(super) read: Option<Read>,
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Name(Name),
}

/// One value for each element of a list.
#[derive(Debug)]
pub(super) struct Each {
    pub(super) list: List,
    pub(super) value: Node,
    /// The condition that an element must meet.
    pub(super) when: Option<Condition>,
}

/// The list that an `each` iterates over.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    /// The rows of a group, or a list of the input.
    Name(Name),
    /// The numbered columns at this index of [`Mapping::numbered`].
    Numbered(usize),
}

/// A condition on the cells of a row.
#[derive(Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Name, Test),
}

/// A test of one cell.
#[derive(Debug)]
pub(crate) enum Test {
    /// The cell is one of these values. `null` is an absent cell.
    OneOf(Vec<Value>),
    Present(bool),
    Above(Decimal),
    Below(Decimal),
    /// The text begins with this lowercase text.
    Starts(String),
    /// The text contains this lowercase text.
    Contains(String),
    Same(Name),
}

impl Mapping {
    /// Returns how the rows of a file of this format are read. Only rows of CSV files form groups.
    pub(crate) fn input_of(&self, format: Format) -> MappedInput {
        let columns = self.group.iter().filter_map(|name| self.cell_of(*name));
        let group = columns.map(|index| self.names.text(index).to_owned());
        MappedInput {
            group: match format {
                Format::Csv => group.collect(),
                Format::Ndjson | Format::Json => Vec::new(),
            },
            skip_lines: self.input.skip_lines,
            rows: self.input.rows.clone(),
        }
    }

    /// Returns what identifies the export; `None` if nothing does, or if the rows follow other lines, so that the beginning of a file does
    /// not show them.
    pub(crate) fn recognizable(&self) -> Option<&Recognize> {
        let is_shown = self.input.skip_lines == 0;
        self.recognize.as_ref().filter(|_| is_shown)
    }

    /// Returns the names that the mapping looks up in the rows of a file, without those in elements of lists.
    pub(crate) fn fields_of_rows(&self) -> impl Iterator<Item = &str> {
        self.names.of_rows()
    }

    /// Returns how many of these names begin in a field of a JSON object.
    pub(crate) fn fields_read_of(&self, object: &Map) -> usize {
        let names = self.fields_of_rows();
        names.filter(|path| begins_in(object, path)).count()
    }

    /// Returns whether a record of the mapping may have this type. None erases a customer.
    pub(crate) fn may_make(&self, record_type: RecordType) -> bool {
        let makes = |entry: &Entry| match &entry.kind {
            KindOfRecord::Fixed(kind, _) => *kind == record_type,
            KindOfRecord::Chosen(_) => true,
            KindOfRecord::Invalid => false,
        };
        record_type != RecordType::Forget && self.records.iter().any(makes)
    }

    /// Returns the index of a name of a cell.
    pub(super) fn cell_of(&self, name: Name) -> Option<usize> {
        match name.of {
            NameOf::Cell(index) => Some(index),
            _ => None,
        }
    }
}

impl Steps {
    /// Returns whether the steps compute a number.
    pub(super) fn is_number(&self) -> bool {
        self.negate || !self.sums.is_empty()
    }
}
