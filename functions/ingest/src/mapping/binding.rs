//! Finds the columns of a mapping in the header of a file, once a file.

use std::collections::HashMap;

use super::document::Mapping;

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
        let header = flat(header);
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

/// Returns the columns by their names: trimmed, without empty ones, the second column of a name as `Name#2`.
pub(super) fn flat(header: &[impl AsRef<str>]) -> HashMap<String, usize> {
    let mut columns = HashMap::with_capacity(header.len());
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(header.len());
    for (column, name) in header.iter().enumerate() {
        let name = name.as_ref().trim();
        if name.is_empty() {
            continue;
        }
        let count = counts.entry(name).or_insert(0);
        *count += 1;
        let name = if *count == 1 {
            name.to_owned()
        } else {
            format!("{name}#{count}")
        };
        columns.entry(name).or_insert(column);
    }
    columns
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
    fn flattens_headers() {
        let columns = flat(&[" a.b ", "", "c[0]", "d", "d", "d"]);
        let mut names: Vec<_> = columns.into_iter().collect();
        names.sort_by_key(|(_, column)| *column);
        let names: Vec<_> = names
            .iter()
            .map(|(name, column)| (name.as_str(), *column))
            .collect();
        assert_eq!(
            names,
            [("a.b", 0), ("c[0]", 2), ("d", 3), ("d#2", 4), ("d#3", 5)]
        );
    }

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
