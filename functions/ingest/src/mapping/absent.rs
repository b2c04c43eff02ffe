//! Finds the columns that a file lacks although they change what its records contain: those of conditions, computations and currencies.

use super::{
    binding::{Binding, Columns},
    document::{Condition, Entry, KindOfRecord, List, Make, Mapping, Node, Operand, Part, Test},
    missing::Finder,
    name::Name,
    target::Target,
};

/// Returns the absent columns of a CSV file that conditions, computations and currencies of the mapping name, each once. A column is
/// left out if the file has another one that the mapping reads in its place, or if nothing would be made with it either.
pub(crate) fn absent_columns(mapping: &Mapping, binding: &Binding) -> Vec<String> {
    let mut search = AbsentColumns {
        finder: Finder { mapping, binding },
        found: Vec::new(),
        replaceable: Vec::new(),
    };
    let row = Place {
        columns: &binding.columns,
        numbered: None,
    };
    if let Some(skip) = &mapping.skip {
        search.condition(skip, row);
    }
    for entry in &mapping.records {
        search.entry(entry, row);
    }
    let replaceable = search.replaceable;
    search.found.retain(|column| !replaceable.contains(column));
    search.found
}

/// Where names are looked up: in a row, or in columns with a number.
#[derive(Clone, Copy)]
struct Place<'a> {
    columns: &'a Columns,
    /// The text before and after the number.
    numbered: Option<&'a (String, String)>,
}

struct AbsentColumns<'a, 'b> {
    finder: Finder<'a, 'b>,
    found: Vec<String>,
    /// The absent columns in whose place the mapping reads another one.
    replaceable: Vec<String>,
}

impl<'a, 'b> AbsentColumns<'a, 'b>
where
    'a: 'b,
{
    fn entry(&mut self, entry: &'a Entry, row: Place<'b>) {
        let Some(place) = entry
            .each
            .map_or(Some(row), |list| self.elements(list, row))
        else {
            return;
        };
        if let Some(when) = &entry.when {
            let mut needed = Vec::new();
            self.finder.entry(entry, &mut needed);
            self.condition_of_record(when, &needed, place);
            if self.finder.unmet(when, place.columns).is_some() {
                return;
            }
        }
        let target = match &entry.kind {
            KindOfRecord::Fixed(kind, _) => Target::Record(*kind),
            KindOfRecord::Chosen(node) => {
                self.node(node, Target::Any, place);
                Target::Any
            }
            KindOfRecord::Invalid => return,
        };
        if let Make::Object(fields) = &entry.record.make {
            self.fields(fields, target, place);
        }
    }

    /// Returns where the names of the elements of a list are looked up; `None` if a file has none.
    fn elements(&self, list: List, row: Place<'b>) -> Option<Place<'b>> {
        match list {
            List::Name(_) => Some(row),
            List::Numbered(index) => Some(Place {
                columns: self.finder.binding.numbered.get(index)?.first()?,
                numbered: self.finder.mapping.numbered.get(index),
            }),
        }
    }

    fn fields(&mut self, fields: &'a [(String, Node)], target: Target, place: Place<'b>) {
        for (name, node) in fields {
            if name == "currency" {
                self.currency(node, place);
            }
            self.node(node, target.field(name), place);
        }
    }

    fn node(&mut self, node: &'a Node, target: Target, place: Place<'b>) {
        if self.finder.lacking(node, target, place.columns).is_some() {
            return;
        }
        let absent = self.absent_sources(node, place);
        self.replaceable.extend(absent.unwrap_or_default());
        if let Some(when) = &node.when {
            self.condition(when, place);
        }
        match &node.make {
            Make::Object(fields) => self.fields(fields, target, place),
            Make::List(nodes) => {
                for node in nodes {
                    self.node(node, target.item(), place);
                }
            }
            Make::First(nodes) => {
                for node in nodes {
                    self.node(node, target, place);
                }
            }
            Make::From(from) => {
                for (_, operand) in &from.steps.sums {
                    if let Operand::Name(name) = operand {
                        self.name(*name, place);
                    }
                }
            }
            Make::Each(each) => {
                let Some(place) = self.elements(each.list, place) else {
                    return;
                };
                if let Some(when) = &each.when {
                    self.condition(when, place);
                }
                self.node(&each.value, target.item(), place);
            }
            Make::Name(_) | Make::Const(_) | Make::Template(_) | Make::Invalid => {}
        }
    }

    /// Adds the columns of a currency, if the file has none of them. Amounts are then in the default currency.
    fn currency(&mut self, node: &'a Node, place: Place<'b>) {
        if let Err(columns) = self.absent_sources(node, place) {
            columns.into_iter().for_each(|column| self.add(column));
        }
    }

    /// Returns the absent columns of those that a value may come from.
    ///
    /// # Errors
    /// All of them are absent.
    fn absent_sources(&self, node: &'a Node, place: Place<'b>) -> Result<Vec<String>, Vec<String>> {
        let mut names = Vec::new();
        sources(node, &mut names);
        let absent = names.iter().filter_map(|name| self.absent(*name, place));
        let absent: Vec<_> = absent.collect();
        match absent.len() < names.len() {
            true => Ok(absent),
            false => Err(absent),
        }
    }

    /// Adds the columns of a record's condition. A column is left out if the condition only requires it, and the record needs it for a
    /// field: without it, as without a value in it, there is no record. `needed` are the absent columns that the record needs.
    fn condition_of_record(
        &mut self,
        condition: &'a Condition,
        needed: &[&'a str],
        place: Place<'b>,
    ) {
        match condition {
            Condition::All(conditions) => {
                for condition in conditions {
                    self.condition_of_record(condition, needed, place);
                }
            }
            Condition::Test(name, Test::Present(true))
                if self
                    .absent(*name, place)
                    .is_some_and(|column| needed.contains(&column.as_str())) => {}
            condition => self.condition(condition, place),
        }
    }

    fn condition(&mut self, condition: &'a Condition, place: Place<'b>) {
        match condition {
            Condition::All(conditions) | Condition::Any(conditions) => {
                for condition in conditions {
                    self.condition(condition, place);
                }
            }
            Condition::Not(condition) => self.condition(condition, place),
            Condition::Test(name, test) => {
                self.name(*name, place);
                if let Test::Same(name) = test {
                    self.name(*name, place);
                }
            }
        }
    }

    /// Adds the column of a name, if the file does not have it.
    fn name(&mut self, name: Name, place: Place<'b>) {
        if let Some(column) = self.absent(name, place) {
            self.add(column);
        }
    }

    fn add(&mut self, column: String) {
        if !self.found.contains(&column) {
            self.found.push(column);
        }
    }

    /// Returns the column of a name, with `{n}` for a number; `None` if the file has it.
    fn absent(&self, name: Name, place: Place<'b>) -> Option<String> {
        let text = self.finder.lacks(name, place.columns)?.concat();
        Some(match place.numbered {
            Some((before, after)) if name.up == 0 => format!("{before}{{n}}{after}{text}"),
            _ => text,
        })
    }
}

/// Collects the names that a value may come from.
fn sources(node: &Node, names: &mut Vec<Name>) {
    match &node.make {
        Make::Name(name) => names.push(*name),
        Make::From(from) => names.extend(&from.names),
        Make::First(nodes) => nodes.iter().for_each(|node| sources(node, names)),
        Make::Template(template) => {
            names.extend(template.parts.iter().filter_map(|part| match part {
                Part::Name(name) => Some(*name),
                Part::Text(_) => None,
            }))
        }
        _ => {}
    }
}
