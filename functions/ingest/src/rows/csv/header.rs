//! Maps the columns of a CSV header to places in a record. A dot nests an object; `[n]` is an array index. In a flat header, which a
//! mapping reads, they mean nothing.

use std::{borrow::Cow, collections::HashMap};

use shared::model::value::{Map, Value};

use super::{flat::flat_header, split::Columns};
use crate::{
    rows::{RowError, RowErrorCode},
    text::grouped,
};

/// The maximum number of columns of a file.
const MAX_COLUMNS: usize = 1_000;
/// The maximum nesting depth of columns, the same as in JSON.
const MAX_DEPTH: usize = crate::rows::json::MAX_DEPTH;

/// The beginning of columns with the lines of an order.
const ITEMS: &str = "products[";
const FIRST_ITEM: &str = "products[0]";

/// A parsed header: the record that the columns form together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The names of the columns, without surrounding whitespace. A name may be empty.
    names: Vec<String>,
    /// The fields of a record. Empty if the header is flat.
    record: Vec<(String, Node)>,
    /// The names such as `Name#2` of columns in a flat header, whose own name an earlier column has.
    renamed: HashMap<usize, String>,
    columns: Columns,
    /// The columns of the lines of an order, `products[0]…`, if the header has no other item of `products`. Empty if there are none.
    lines: Vec<bool>,
    /// Whether a column has no name.
    has_unnamed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Node {
    /// The column with this index, from 0.
    Cell(usize),
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
}

/// One step on the path from a record to a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl Header {
    /// Parses the cells of the header.
    ///
    /// # Errors
    /// There are too many columns, or a column's name cannot be used. The message names the column and the reason.
    pub(super) fn new(cells: &[Cow<'_, str>]) -> Result<Self, String> {
        let names = names(cells)?;
        let mut record = Vec::new();
        for (column, name) in names.iter().enumerate() {
            if name.is_empty() {
                continue;
            }
            let position = || format!("Column {} of the header", column + 1);
            let steps = steps(name).ok_or_else(|| {
                format!(
                    "{} is not a name such as link.email or products[0].quantity. Rename it.",
                    position()
                )
            })?;
            if steps.len() > MAX_DEPTH {
                return Err(format!(
                    "{} has {} levels; the limit is {MAX_DEPTH}. Remove levels.",
                    position(),
                    steps.len()
                ));
            }
            let Some((Step::Name(first), rest)) = steps.split_first() else {
                return Err(format!(
                    "{} begins with an index. Begin it with a field name.",
                    position()
                ));
            };
            add(&mut record, first, rest, column).map_err(|conflict| match conflict {
                Conflict::Overlap => format!(
                    "{} overlaps an earlier column. Rename or remove one of them.",
                    position()
                ),
                Conflict::Gap => format!(
                    "{} skips an index. Number the items from 0, in order and without gaps.",
                    position()
                ),
            })?;
        }
        let is_item = |name: &String| name.starts_with(ITEMS);
        let is_line = |name: &String| name.starts_with(FIRST_ITEM);
        let has_lines =
            names.iter().any(is_line) && names.iter().filter(|name| is_item(name)).all(is_line);
        Ok(Self {
            columns: columns(&names),
            lines: if has_lines {
                names.iter().map(is_line).collect()
            } else {
                Vec::new()
            },
            has_unnamed: names.iter().any(String::is_empty),
            names,
            renamed: HashMap::new(),
            record,
        })
    }

    /// Parses the cells of a flat header, whose names may be any text.
    ///
    /// # Errors
    /// There are too many columns, or none has a name.
    pub(super) fn flat(cells: &[Cow<'_, str>]) -> Result<Self, String> {
        let names = names(cells)?;
        let renamed = flat_header(&names).into_iter();
        let renamed = renamed.filter(|(name, column)| names[*column] != *name);
        Ok(Self {
            columns: columns(&names),
            lines: Vec::new(),
            has_unnamed: names.iter().any(String::is_empty),
            renamed: renamed.map(|(name, column)| (column, name)).collect(),
            names,
            record: Vec::new(),
        })
    }

    /// Returns the cells of the header, without surrounding whitespace.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the name by which a mapping refers to a column; `None` if it has none, or there is no such column.
    pub(super) fn flat_name(&self, column: usize) -> Option<&str> {
        let renamed = self.renamed.get(&column).map(String::as_str);
        renamed.or_else(|| self.name(column))
    }

    /// Returns the number of cells that a record must have.
    pub(super) const fn columns(&self) -> Columns {
        self.columns
    }

    /// Returns the name of a column; `None` if it has none, or there is no such column.
    pub(super) fn name(&self, column: usize) -> Option<&str> {
        let name = self.names.get(column).map(String::as_str);
        name.filter(|name| !name.is_empty())
    }

    /// Returns whether a column has no name.
    pub(super) const fn has_unnamed(&self) -> bool {
        self.has_unnamed
    }

    /// Returns the columns that have no name.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = usize> {
        let columns = self.names.iter().enumerate();
        columns.filter_map(|(column, name)| name.is_empty().then_some(column))
    }

    /// Returns whether adjacent records can be lines of one order.
    pub(super) const fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Returns whether a column belongs to the record as a whole, and not to a line of an order.
    pub(super) fn is_of_record(&self, column: usize) -> bool {
        self.name(column).is_some() && !self.is_line(column)
    }

    /// Returns whether a column belongs to a line of an order.
    pub(super) fn is_line(&self, column: usize) -> bool {
        self.lines.get(column) == Some(&true)
    }

    /// Builds the fields of a record from its cells. An empty cell is absent. An object or array is absent if all its cells are.
    pub(super) fn fields(&self, cells: &[Cow<'_, str>]) -> Result<Map, RowError> {
        self.check_count(cells)?;
        Ok(object(&self.record, cells))
    }

    /// Checks that a record has a cell for each column up to the last one with a name, and no value after the last column.
    pub(super) fn check_count(&self, cells: &[Cow<'_, str>]) -> Result<(), RowError> {
        let end = cells.iter().rposition(|cell| !cell.trim().is_empty());
        let filled = end.map_or(0, |end| end + 1);
        let Columns { least, most } = self.columns;
        if cells.len() < least || filled > most {
            return Err(self.wrong_cell_count(cells.len()));
        }
        Ok(())
    }

    /// Creates the error of a record that has another number of cells than the header.
    pub(super) fn wrong_cell_count(&self, cells: usize) -> RowError {
        let problem = format!(
            "has {} cells, but the header has {}. Quote cells that contain a delimiter or a line end.",
            grouped(cells),
            grouped(self.names.len())
        );
        RowError::whole(RowErrorCode::WrongCellCount, problem)
    }
}

/// Returns the names of the columns, without surrounding whitespace.
///
/// # Errors
/// There are too many columns, or none has a name.
fn names(cells: &[Cow<'_, str>]) -> Result<Vec<String>, String> {
    let names: Vec<_> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
    match names.iter().filter(|name| !name.is_empty()).count() {
        0 => Err("The header has no names. Add a first line that names the columns.".to_owned()),
        named if named > MAX_COLUMNS => Err(format!(
            "The header has {} columns; the limit is {}. Remove columns.",
            grouped(named),
            grouped(MAX_COLUMNS)
        )),
        _ => Ok(names),
    }
}

/// Returns the number of cells that the records below a header with these names must have.
fn columns(names: &[String]) -> Columns {
    let last = names.iter().rposition(|name| !name.is_empty());
    Columns {
        least: last.map_or(0, |last| last + 1),
        most: names.len(),
    }
}

/// Why a column does not fit the columns before it.
enum Conflict {
    /// It overlaps an earlier column.
    Overlap,
    /// Its index skips one that no earlier column has.
    Gap,
}

/// Adds a column to an object.
fn add(
    object: &mut Vec<(String, Node)>,
    name: &str,
    rest: &[Step<'_>],
    column: usize,
) -> Result<(), Conflict> {
    if let Some((_, node)) = object.iter_mut().find(|(known, _)| known == name) {
        return extend(node, rest, column);
    }
    object.push((name.to_owned(), new_node(rest, column)?));
    Ok(())
}

/// Adds a column to the node that earlier columns have built.
fn extend(node: &mut Node, rest: &[Step<'_>], column: usize) -> Result<(), Conflict> {
    match (node, rest.split_first()) {
        (Node::Object(object), Some((Step::Name(name), rest))) => add(object, name, rest, column),
        (Node::List(list), Some((Step::Index(index), rest))) => {
            let length = list.len();
            match list.get_mut(*index) {
                Some(item) => extend(item, rest, column),
                None if *index == length => {
                    list.push(new_node(rest, column)?);
                    Ok(())
                }
                None => Err(Conflict::Gap),
            }
        }
        _ => Err(Conflict::Overlap),
    }
}

/// Creates the node of a column whose path has the steps `rest` from here.
fn new_node(rest: &[Step<'_>], column: usize) -> Result<Node, Conflict> {
    Ok(match rest.split_first() {
        None => Node::Cell(column),
        Some((Step::Name(name), rest)) => {
            Node::Object(vec![((*name).to_owned(), new_node(rest, column)?)])
        }
        Some((Step::Index(0), rest)) => Node::List(vec![new_node(rest, column)?]),
        Some((Step::Index(_), _)) => return Err(Conflict::Gap),
    })
}

/// Parses a name such as `a.b[0].c`: names separated by dots, each with optional indexes.
fn steps(text: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let (name, mut indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() || name.chars().any(char::is_control) {
            return None;
        }
        steps.push(Step::Name(name));
        while !indexes.is_empty() {
            let (index, after) = indexes.strip_prefix('[')?.split_once(']')?;
            if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            steps.push(Step::Index(index.parse().ok()?));
            indexes = after;
        }
    }
    Some(steps)
}

/// Builds an object from the cells of a record.
fn object(fields: &[(String, Node)], cells: &[Cow<'_, str>]) -> Map {
    let present = fields
        .iter()
        .filter_map(|(name, node)| Some((name.clone(), value(node, cells)?)));
    present.collect()
}

/// Builds the value of a node from the cells of a record. Returns `None` if all its cells are empty.
fn value(node: &Node, cells: &[Cow<'_, str>]) -> Option<Value> {
    match node {
        Node::Cell(column) => cells
            .get(*column)
            .filter(|cell| !cell.is_empty())
            .map(|cell| Value::Text(cell.to_string())),
        Node::Object(fields) => {
            let map = object(fields, cells);
            (!map.is_empty()).then_some(Value::Map(map))
        }
        Node::List(nodes) => {
            let mut values: Vec<_> = nodes.iter().map(|node| value(node, cells)).collect();
            let length = values.iter().rposition(Option::is_some)? + 1;
            values.truncate(length);
            // A gap becomes `null`, so that later items keep their index and errors name it.
            Some(Value::List(
                values
                    .into_iter()
                    .map(|value| value.unwrap_or(Value::Null))
                    .collect(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, String> {
        let cells: Vec<_> = text.split(',').map(Cow::from).collect();
        Header::new(&cells)
    }

    fn fields(head: &str, row: &str) -> String {
        let cells: Vec<_> = row.split(',').map(Cow::from).collect();
        serde_json::to_string(&header(head).unwrap().fields(&cells).unwrap()).unwrap()
    }

    #[test]
    fn dots_nest_and_indexes_count() {
        let head =
            "link.email, products[0].price ,products[0].quantity,products[1].price,tags[0][0]";
        assert_eq!(
            fields(head, "a@b.c,1,2,3,x"),
            r#"{"link":{"email":"a@b.c"},"products":[{"price":"1","quantity":"2"},{"price":"3"}],"tags":[["x"]]}"#
        );
        assert_eq!(fields(head, ",1,,,"), r#"{"products":[{"price":"1"}]}"#);
        assert_eq!(
            fields(head, ",,,3,"),
            r#"{"products":[null,{"price":"3"}]}"#
        );
        assert_eq!(fields(head, ",,,,"), "{}");
    }

    #[test]
    fn columns_that_contradict_each_other_are_refused() {
        for (head, column) in [
            ("a,b,a", "Column 3"),
            ("a,a.b", "Column 2"),
            ("a.b,a", "Column 2"),
            ("a.b,a[0]", "Column 2"),
            ("a[1]", "Column 1"),
            ("a[0],a[2]", "Column 2"),
            ("[0]", "Column 1"),
            ("a..b", "Column 1"),
            ("a[x]", "Column 1"),
            ("a[0]b", "Column 1"),
            ("a[99999999999999999999]", "Column 1"),
        ] {
            let error = header(head).unwrap_err();
            assert!(error.starts_with(column), "{head}: {error}");
        }
        assert!(header(&vec!["x"; 1_001].join(",")).is_err());
        assert!(header(&vec!["x"; 33].join(".")).is_err());
    }

    #[test]
    fn a_record_has_as_many_cells_as_the_header() {
        let code = |row: &str| {
            let cells: Vec<_> = row.split(',').map(Cow::from).collect();
            let fields = header("a,b").unwrap().fields(&cells);
            fields.map_err(|error| error.code.as_str()).err()
        };
        assert_eq!(code("1"), Some("wrong_cell_count"));
        assert_eq!(code("1,2,3"), Some("wrong_cell_count"));
        assert_eq!(code("1,,3"), Some("wrong_cell_count"));
        // Empty cells may follow.
        for row in ["1,2", "1,2,", "1,,, ", ",,"] {
            assert_eq!(code(row), None, "{row}");
        }
    }

    #[test]
    fn columns_may_have_no_name() {
        let header = header("a,, b ,").unwrap();
        assert_eq!(header.columns(), Columns { least: 3, most: 4 });
        assert_eq!(
            [0, 1, 2, 3, 4].map(|column| header.name(column)),
            [Some("a"), None, Some("b"), None, None]
        );
        assert!(Header::new(&[Cow::from(""), Cow::from(" ")]).is_err());
    }

    #[test]
    fn lines_of_orders_are_in_the_first_item() {
        let lines = |head: &str| {
            let header = header(head).unwrap();
            (0..header.names.len())
                .filter(|column| header.is_line(*column))
                .count()
        };
        assert_eq!(
            lines("purchase_id,products[0].price_paid,products[0].product_reference.id"),
            2
        );
        assert_eq!(
            lines("purchase_id,products[0].price_paid,products[1].price_paid"),
            0
        );
        assert_eq!(lines("purchase_id,payment_types[0].name"), 0);
    }
}
