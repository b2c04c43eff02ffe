//! Names of cells: columns of a CSV file, and paths in JSON.

use std::collections::BTreeSet;

use shared::model::value::{Map, Value};

/// The name of a cell, as a mapping refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// How many rows outward the name is looked up: the number of `^` before it.
    pub(super) up: usize,
    pub(super) of: NameOf,
}

/// What a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameOf {
    /// The column or path at this index of [`Names`].
    Cell(usize),
    /// The rows of a group.
    Rows,
    /// The name of the file.
    File,
    /// The name of the file without its extensions.
    Stem,
}

/// Every name of a mapping once, so that columns are found once a file and not once a row.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Vec<String>,
    /// The indexes of the names that are looked up in the rows of the file, and not only in elements of lists.
    of_rows: BTreeSet<usize>,
}

impl Names {
    /// Returns the index of a name, which is added if it is new.
    pub(super) fn add(&mut self, name: &str) -> usize {
        self.position(name).unwrap_or_else(|| {
            self.texts.push(name.to_owned());
            self.texts.len() - 1
        })
    }

    /// Adds a name that is looked up in the rows of the file. Returns its index.
    pub(super) fn add_of_row(&mut self, name: &str) -> usize {
        let index = self.add(name);
        self.of_rows.insert(index);
        index
    }

    /// Returns the names that are looked up in the rows of the file, in the order of their indexes.
    pub(super) fn of_rows(&self) -> impl Iterator<Item = &str> {
        self.of_rows.iter().map(|index| self.text(*index))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.texts.iter().position(|known| known == name)
    }

    /// Returns the name at an index.
    pub(super) fn text(&self, index: usize) -> &str {
        self.texts.get(index).map_or("", String::as_str)
    }

    /// Returns the names in the order of their indexes.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

/// Returns the value at a path such as `customer.tags[0]`. At each level, the whole text is tried as a name first, so that names
/// may contain dots and brackets.
pub(crate) fn find<'a>(map: &'a Map, path: &str) -> Option<&'a Value> {
    if let Some(value) = indexed(map, path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let inner = indexed(map, &path[..dot])?.as_map()?;
        find(inner, &path[dot + 1..])
    })
}

/// Returns whether an object has the field at which a path such as `customer.tags[0]` begins, whatever is in it.
pub(super) fn begins_in(map: &Map, path: &str) -> bool {
    let mut ends = path.match_indices(['.', '[']).map(|(end, _)| end);
    map.get(path).is_some() || ends.any(|end| map.get(&path[..end]).is_some())
}

/// Returns the value under a name with or without indexes, such as `tags[0]`.
fn indexed<'a>(map: &'a Map, text: &str) -> Option<&'a Value> {
    if let Some(value) = map.get(text) {
        return Some(value);
    }
    let (name, mut indexes) = text.split_at(text.find('[')?);
    let mut value = map.get(name)?;
    while !indexes.is_empty() {
        let (index, rest) = indexes.strip_prefix('[')?.split_once(']')?;
        value = value.as_list().get(index.parse::<usize>().ok()?)?;
        indexes = rest;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::json;

    #[test]
    fn whole_names_precede_paths() {
        let row = r#"{"a.b": 1, "a": {"b": 2, "c.d": {"e": [3, [4]]}, "f[0]": 5}, "g": [{"h": 6}], "$x": {"Y z": 7}}"#;
        let map = json::object(row).unwrap();
        for (path, number) in [
            ("a.b", "1"),
            ("a.c.d.e[0]", "3"),
            ("a.c.d.e[1][0]", "4"),
            ("a.f[0]", "5"),
            ("g[0].h", "6"),
            ("$x.Y z", "7"),
        ] {
            let found = find(&map, path);
            assert_eq!(found, Some(&Value::Number(number.to_owned())), "{path}");
        }
        for absent in ["", ".", "a.x", "g[1].h", "g[x]", "g[0", "a.", "g[0]h"] {
            assert_eq!(find(&map, absent), None, "{absent}");
        }
    }

    #[test]
    fn paths_begin_in_fields() {
        let map = json::object(r#"{"a.b": 1, "c": null, "d[0]": []}"#).unwrap();
        for path in ["a.b", "a.b.x", "c", "c.x[0]", "c[1].x", "d[0]", "d[0].x"] {
            assert!(begins_in(&map, path), "{path}");
        }
        for path in ["a", "b", "a.c", "d", "d[1]", "cx", "x.c", ""] {
            assert!(!begins_in(&map, path), "{path}");
        }
    }

    #[test]
    fn each_name_has_one_index() {
        let mut names = Names::default();
        assert_eq!(["a", "b", "a"].map(|name| names.add(name)), [0, 1, 0]);
        assert_eq!((names.text(1), names.text(2)), ("b", ""));
    }
}
