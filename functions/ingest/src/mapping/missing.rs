//! Finds the columns without which a mapping cannot make the records of a file.

use super::{
    binding::{Binding, Columns},
    document::{Condition, Entry, KindOfRecord, List, Make, Mapping, Node, Part, Test},
    name::{Name, NameOf},
    target::{Target, needed},
};
use crate::record::RecordType;

/// Returns the missing columns of a CSV file, each once; none if every required field can be made. Entries whose condition needs
/// a missing column produce nothing, unless no other entry is left.
pub(crate) fn missing_columns<'a>(mapping: &'a Mapping, binding: &Binding) -> Vec<&'a str> {
    let finder = Finder { mapping, binding };
    let mut missing = binding.group(mapping).err().unwrap_or_default();
    let mut is_useful = false;
    let mut conditions = Vec::new();
    for entry in &mapping.records {
        let unmet = |when| finder.unmet(when, &binding.columns);
        let unmet = entry.when.as_ref().and_then(unmet);
        match unmet {
            Some(names) => conditions.extend(names),
            None => is_useful |= finder.entry(entry, &mut missing),
        }
    }
    if !is_useful && missing.is_empty() {
        missing = conditions;
    }
    let mut seen = Vec::new();
    missing.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    missing
}

/// Finds what cannot be made of the columns of a file.
pub(super) struct Finder<'a, 'b> {
    pub(super) mapping: &'a Mapping,
    pub(super) binding: &'b Binding,
}

impl<'a> Finder<'a, '_> {
    /// Adds the columns that an entry misses. Returns whether the entry can produce a record.
    pub(super) fn entry(&self, entry: &'a Entry, missing: &mut Vec<&'a str>) -> bool {
        let kind = match &entry.kind {
            KindOfRecord::Fixed(kind, _) => Some(*kind),
            KindOfRecord::Chosen(node) => {
                if let Some(names) = self.lacking(node, Target::Any, &self.binding.columns) {
                    missing.extend(names);
                }
                None
            }
            KindOfRecord::Invalid => None,
        };
        let Make::Object(fields) = &entry.record.make else {
            return false;
        };
        let required: Vec<&str> = match kind {
            Some(kind) => {
                let fields = kind.fields().iter().filter(|field| field.required);
                needed(kind)
                    .iter()
                    .copied()
                    .chain(fields.map(|field| field.name))
                    .collect()
            }
            None => vec!["link"],
        };
        // Without attributes, or with one identifier, such a record is not produced.
        let is_optional = matches!(kind, Some(RecordType::Attributes | RecordType::Unify));
        let mut is_complete = true;
        for (name, node) in fields
            .iter()
            .filter(|(name, _)| required.contains(&name.as_str()))
        {
            let target = kind.map_or(Target::Any, |kind| Target::Record(kind).field(name));
            if let Some(names) = self.lacking(node, target, &self.binding.columns) {
                is_complete = false;
                if !is_optional {
                    missing.extend(names);
                }
            }
        }
        is_complete
    }

    /// Returns the columns without which a value is always absent; `None` if it can be made.
    pub(super) fn lacking(
        &self,
        node: &'a Node,
        target: Target,
        columns: &Columns,
    ) -> Option<Vec<&'a str>> {
        match &node.make {
            Make::Name(name) => self.lacks(*name, columns),
            Make::Const(_) => None,
            Make::Object(fields) => {
                let required: Vec<_> = match target {
                    Target::Object(known, _) => {
                        let known = known.iter().filter(|field| field.required);
                        known.map(|field| field.name).collect()
                    }
                    _ => fields.iter().map(|(name, _)| name.as_str()).collect(),
                };
                let made = fields
                    .iter()
                    .filter(|(name, _)| required.contains(&name.as_str()));
                let made = made.map(|(name, node)| self.lacking(node, target.field(name), columns));
                match target {
                    // Of an open object, one field is enough.
                    Target::MapOf(_) | Target::Any => any(made),
                    _ => all(made),
                }
            }
            Make::List(nodes) => any(nodes
                .iter()
                .map(|node| self.lacking(node, target.item(), columns))),
            Make::First(nodes) => any(nodes.iter().map(|node| self.lacking(node, target, columns))),
            Make::From(from) if from.steps.default.is_some() => None,
            Make::From(from) => any(from.names.iter().map(|name| self.lacks(*name, columns))),
            Make::Template(template) => all(template.parts.iter().map(|part| match part {
                Part::Text(_) => None,
                Part::Name(name) => self.lacks(*name, columns),
            })),
            Make::Each(each) => match each.list {
                List::Numbered(index) => {
                    match self.binding.numbered.get(index).and_then(|it| it.first()) {
                        Some(columns) => self.lacking(&each.value, target.item(), columns),
                        None => self
                            .mapping
                            .numbered
                            .get(index)
                            .map(|(before, _)| vec![before.as_str()]),
                    }
                }
                List::Name(name) => self
                    .lacks(name, columns)
                    .or_else(|| self.lacking(&each.value, target.item(), columns)),
            },
            Make::Invalid => None,
        }
    }

    /// Returns the name of a column that the file does not have; `None` if it has it.
    pub(super) fn lacks(&self, name: Name, columns: &Columns) -> Option<Vec<&'a str>> {
        let NameOf::Cell(index) = name.of else {
            return None;
        };
        let columns = if name.up > 0 {
            &self.binding.columns
        } else {
            columns
        };
        let is_missing = columns.get(index).copied().flatten().is_none();
        is_missing.then(|| vec![self.mapping.names.text(index)])
    }

    /// Returns the columns without which a condition never holds; `None` if it may hold.
    pub(super) fn unmet(
        &self,
        condition: &'a Condition,
        columns: &Columns,
    ) -> Option<Vec<&'a str>> {
        match condition {
            Condition::All(conditions) => all(conditions.iter().map(|it| self.unmet(it, columns))),
            Condition::Any(conditions) => any(conditions.iter().map(|it| self.unmet(it, columns))),
            Condition::Not(_) => None,
            Condition::Test(name, test) => match test {
                Test::Present(false) => None,
                Test::Same(other) => all([name, other]
                    .into_iter()
                    .map(|name| self.lacks(*name, columns))),
                Test::OneOf(values) if values.contains(&shared::model::value::Value::Null) => None,
                _ => self.lacks(*name, columns),
            },
        }
    }
}

/// All of them are needed.
fn all<'a>(lacking: impl Iterator<Item = Option<Vec<&'a str>>>) -> Option<Vec<&'a str>> {
    let names: Vec<_> = lacking.flatten().flatten().collect();
    (!names.is_empty()).then_some(names)
}

/// One of them is enough.
fn any<'a>(lacking: impl Iterator<Item = Option<Vec<&'a str>>>) -> Option<Vec<&'a str>> {
    let mut names = Vec::new();
    for lacks in lacking {
        names.extend(lacks?);
    }
    Some(names)
}
