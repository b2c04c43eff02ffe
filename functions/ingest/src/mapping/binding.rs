//! Finds the columns of a mapping in the header of a file, once a file.

use super::document::Mapping;
use crate::rows::flat_header;

/// The column of each name of a mapping.
pub(super) type Columns = Vec<Option<usize>>;

/// Where the names of a mapping are in the rows of a CSV file. Empty for JSON, whose rows name their fields.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub(super) columns: Columns,
    /// For each list of numbered columns, the columns of each number in ascending order.
    pub(super) numbered: Vec<Vec<Columns>>,
}

impl Binding {
    /// Finds the columns. The header is flat: names are trimmed, dots and brackets mean nothing, and the second column of a name
    /// is called `Name#2`.
    pub(crate) fn new(mapping: &Mapping, header: &[impl AsRef<str>]) -> Self {
        let header = flat_header(header);
        let of = |prefix: &str| -> Columns {
            let names = mapping.names.iter();
            names
                .map(|name| header.get(format!("{prefix}{name}").trim()).copied())
                .collect()
        };
        let numbered = mapping.numbered.iter().map(|(before, after)| {
            let mut numbers: Vec<u32> = header
                .keys()
                .filter_map(|name| number(name, before, after))
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            let prefixes = numbers
                .iter()
                .map(|number| format!("{before}{number}{after}"));
            prefixes.map(|prefix| of(&prefix)).collect()
        });
        Self {
            columns: of(""),
            numbered: numbered.collect(),
        }
    }

    /// Returns the columns whose equal cells make adjacent rows one group, or the missing ones.
    ///
    /// # Errors
    /// The file does not have all columns of the group.
    pub(crate) fn group<'a>(&self, mapping: &'a Mapping) -> Result<Vec<usize>, Vec<&'a str>> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in &mapping.group {
            match mapping.cell_of(*name) {
                Some(index) => match self.columns.get(index).copied().flatten() {
                    Some(column) => found.push(column),
                    None => missing.push(mapping.names.text(index)),
                },
                None => missing.push("@file"),
            }
        }
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(missing)
        }
    }
}

/// Returns the number of a column such as `Item 3 name`.
fn number(name: &str, before: &str, after: &str) -> Option<u32> {
    let rest = name.strip_prefix(before)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    // A leading zero would make two columns one number.
    (rest.starts_with(after) && !digits.starts_with('0')).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_numbers() {
        assert_eq!(number("Item 3 name", "Item ", " "), Some(3));
        assert_eq!(number("Item 12", "Item ", ""), Some(12));
        for other in [
            "Item name",
            "Item 03 name",
            "Item 3name",
            "Item 99999999999 name",
            "3",
        ] {
            assert_eq!(number(other, "Item ", " "), None, "{other}");
        }
    }
}
