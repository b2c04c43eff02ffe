//! Finds the columns of a flat header, whose names may be any text.

use std::collections::HashMap;

/// Returns the columns by their names: trimmed, without empty ones, the second column of a name as `Name#2`.
pub(crate) fn flat_header(header: &[impl AsRef<str>]) -> HashMap<String, usize> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flattens_headers() {
        let columns = flat_header(&[" a.b ", "", "c[0]", "d", "d", "d"]);
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
}
