//! Makes the values of records.

use rust_decimal::Decimal;
use shared::model::{
    identifier::{Notation, id_of_cell},
    value::{Map, Value, decimal},
};

use super::{
    cell::Cell,
    condition::look_up,
    document::{Each, FromCell, List, Make, Node, Operand, Operation, Part, Steps, Template},
    name::Name,
    read::{DecimalMark, Read, amount},
    scope::{Context, Scope},
    target::{Need, Target},
};
use crate::{
    record::{DECIMAL_COMMA, DECIMAL_POINT, NOT_COMPUTED},
    rows::json,
};

/// A value, and whether any of it comes from the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    Mapping,
}

impl Made {
    fn from_file(value: Value) -> Self {
        Self {
            value,
            origin: Origin::File,
        }
    }

    fn from_mapping(value: &Value) -> Option<Self> {
        (*value != Value::Null).then(|| Self {
            value: value.clone(),
            origin: Origin::Mapping,
        })
    }
}

impl<'a> Context<'a> {
    /// Makes a value; `None` if it is absent.
    pub(super) fn make(&self, scope: &Scope<'a>, node: &Node, target: Target) -> Option<Made> {
        if scope.budget.is_exceeded() {
            return None;
        }
        if node
            .when
            .as_ref()
            .is_some_and(|when| !self.holds(scope, when))
        {
            return None;
        }
        match &node.make {
            Make::Object(fields) => self.object(scope, fields, target),
            Make::List(nodes) => {
                let items = nodes
                    .iter()
                    .filter_map(|node| self.make(scope, node, target.item()));
                list(items)
            }
            Make::First(nodes) => nodes.iter().find_map(|node| self.make(scope, node, target)),
            Make::Each(each) => self.each(scope, each, target),
            leaf => {
                let made = self.leaf(scope, leaf, target)?;
                scope.budget.add(&made.value);
                Some(made)
            }
        }
    }

    /// Makes a value that does not consist of other nodes.
    fn leaf(&self, scope: &Scope<'a>, make: &Make, target: Target) -> Option<Made> {
        match make {
            Make::Name(name) => {
                let cell = self.cell(scope, *name, &self.mapping.read)?;
                Some(Made::from_file(self.mapping.read.value(
                    target,
                    cell,
                    self.identifiers,
                )))
            }
            Make::Const(value) => Made::from_mapping(value),
            Make::From(from) => self.cell_value(scope, from, target),
            Make::Template(template) => self.template(scope, template, target),
            _ => None,
        }
    }

    /// Makes an object. It is absent if nothing of it comes from the file, or if it is optional and lacks a required field.
    fn object(&self, scope: &Scope<'a>, fields: &[(String, Node)], target: Target) -> Option<Made> {
        let mut is_from_file = false;
        let made = fields.iter().filter_map(|(name, node)| {
            let target = target.field(name);
            let made = self
                .make(scope, node, target)
                .or_else(|| self.empty_list(scope, node, target))?;
            is_from_file |= made.origin == Origin::File;
            Some((name.clone(), made.value))
        });
        let map: Map = made.collect();
        let lacks_field = match target {
            Target::Object(fields, Need::Optional) => fields
                .iter()
                .any(|field| field.required && map.get(field.name).is_none()),
            _ => false,
        };
        (is_from_file && !lacks_field).then(|| Made::from_file(Value::Map(map)))
    }

    /// Returns an empty list if a field requires a list and the file has an empty one, such as an order without lines. An optional
    /// field is absent instead.
    fn empty_list(&self, scope: &Scope<'a>, node: &Node, target: Target) -> Option<Made> {
        let Target::List(_, Need::Required) = target else {
            return None;
        };
        let is_excluded = node
            .when
            .as_ref()
            .is_some_and(|when| !self.holds(scope, when));
        let is_empty = |name: &Name| self.is_empty_list(scope, *name);
        let is_found = match &node.make {
            _ if is_excluded => false,
            Make::Name(name) => is_empty(name),
            Make::From(from) => {
                let read = from.read.as_ref().unwrap_or(&self.mapping.read);
                let is_empty_text = |name: &Name| {
                    let cell = self.cell(scope, *name, read).and_then(Cell::text);
                    cell.and_then(json::value) == Some(Value::List(Vec::new()))
                };
                from.names.iter().any(is_empty)
                    || from.steps.json && from.names.iter().any(is_empty_text)
            }
            Make::First(nodes) => {
                let mut lists = nodes.iter();
                return lists.find_map(|node| self.empty_list(scope, node, target));
            }
            Make::Each(each) => match &each.list {
                List::Name(name) => is_empty(name),
                List::Numbered(_) => false,
            },
            _ => false,
        };
        is_found.then(|| Made::from_file(Value::List(Vec::new())))
    }

    fn each(&self, scope: &Scope<'a>, each: &Each, target: Target) -> Option<Made> {
        let elements = self.elements(scope, each.list).into_iter();
        list(elements.filter_map(|here| {
            let inner = Scope {
                here,
                outer: Some(scope),
                ..*scope
            };
            let holds = each
                .when
                .as_ref()
                .is_none_or(|when| self.holds(&inner, when));
            let made = holds.then(|| self.make(&inner, &each.value, target.item()))??;
            (made.origin == Origin::File).then_some(made)
        }))
    }

    fn template(&self, scope: &Scope<'a>, template: &Template, target: Target) -> Option<Made> {
        let read = template.read.as_ref().unwrap_or(&self.mapping.read);
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Name(name) => {
                    let cell = self.cell(scope, *name, read)?.text()?;
                    match (target, self.identifiers.notation) {
                        (Target::Id, Notation::Csv) => match id_of_cell(cell) {
                            Ok(id) => text.push_str(id),
                            // An ID that lost digits names others too. The record's rules reject it.
                            Err(_) => return Some(Made::from_file(cell.into())),
                        },
                        _ => text.push_str(cell),
                    }
                }
            }
        }
        Some(Made::from_file(read.value(
            target,
            Cell::Text(&text),
            self.identifiers,
        )))
    }

    fn cell_value(&self, scope: &Scope<'a>, from: &FromCell, target: Target) -> Option<Made> {
        let read = from.read.as_ref().unwrap_or(&self.mapping.read);
        let cell = from
            .names
            .iter()
            .find_map(|name| self.cell(scope, *name, read));
        let value = cell.and_then(|cell| self.steps(scope, cell, &from.steps, (target, read)));
        match value {
            Some(value) => Some(Made::from_file(value)),
            None => from.steps.default.as_ref().and_then(Made::from_mapping),
        }
    }

    /// Applies the steps to a cell.
    fn steps(
        &self,
        scope: &Scope<'a>,
        cell: Cell<'_>,
        steps: &Steps,
        (target, read): (Target, &Read),
    ) -> Option<Value> {
        let parsed = match cell {
            Cell::Text(_) if steps.json => json::value(cell.text()?),
            _ => None,
        };
        let cell = match &parsed {
            Some(value) => read.present(Cell::new(value)?)?,
            None => cell,
        };
        let Some(whole) = cell.text() else {
            return Some(read.value(target, cell, self.identifiers));
        };
        let mut text = cut(whole, steps);
        if let Some(separator) = &steps.split {
            let parts = parts(text, separator);
            match steps.part {
                Some(part) => text = parts.get(part - 1)?,
                None => {
                    let items = parts
                        .into_iter()
                        .filter_map(|part| self.step_value(part, steps, (target.item(), read)));
                    let items: Vec<_> = items.collect();
                    return (!items.is_empty()).then_some(Value::List(items));
                }
            }
        }
        if text.is_empty() {
            return None;
        }
        if steps.is_number() {
            // The text of a JSON number is its own notation.
            let number = match cell {
                Cell::Number(number) if text == number => decimal(number),
                _ => amount(text, read.decimal),
            };
            return Some(self.number(scope, number.ok_or(text), steps, read));
        }
        if text == whole && steps.values.is_none() {
            return Some(read.value(target, cell, self.identifiers));
        }
        self.step_value(text, steps, (target, read))
    }

    /// Looks up a text, or reads it for its field.
    fn step_value(
        &self,
        text: &str,
        steps: &Steps,
        (target, read): (Target, &Read),
    ) -> Option<Value> {
        match &steps.values {
            Some(lookup) => {
                let value = look_up(&lookup.values, text).or(lookup.other.as_ref())?;
                (*value != Value::Null).then(|| value.clone())
            }
            None => Some(read.value(target, Cell::Text(text), self.identifiers)),
        }
    }

    /// Computes a number. An absent operand changes nothing. If a number cannot be read, the value becomes a text that is not
    /// a number, so that the record's own rules reject it or leave it out.
    fn number(
        &self,
        scope: &Scope<'a>,
        number: Result<Decimal, &str>,
        steps: &Steps,
        read: &Read,
    ) -> Value {
        let mut number = match number {
            Ok(number) => number,
            Err(text) => return not_computed(text, read.decimal),
        };
        for (operation, operand) in &steps.sums {
            let operand = match operand {
                Operand::Number(number) => *number,
                Operand::Name(name) => match self.cell(scope, *name, read) {
                    None => continue,
                    Some(cell) => {
                        let text = cell.text().unwrap_or("a list");
                        let operand = match cell {
                            Cell::Number(number) => decimal(number),
                            _ => amount(text, read.decimal),
                        };
                        let Some(operand) = operand else {
                            return not_computed(text, read.decimal);
                        };
                        operand
                    }
                },
            };
            let result = match operation {
                Operation::Times => number.checked_mul(operand),
                Operation::Plus => number.checked_add(operand),
                Operation::Minus => number.checked_sub(operand),
            };
            let Some(result) = result else {
                return not_computed(&format!("{number} and {operand}"), read.decimal);
            };
            number = result;
        }
        if number.is_zero() {
            number = number.abs();
        } else if steps.negate {
            number = -number.abs();
        }
        Value::Number(number.to_string())
    }
}

/// Returns the text of a number that cannot be computed from a cell. It names the decimal mark with which the cell can be read.
fn not_computed(text: &str, mark: DecimalMark) -> Value {
    let note = match (mark, amount(text, mark.other())) {
        (DecimalMark::Point, Some(_)) => DECIMAL_COMMA,
        (DecimalMark::Comma, Some(_)) => DECIMAL_POINT,
        (_, None) => "",
    };
    Value::Text(format!("{NOT_COMPUTED}{text}{note}"))
}

/// Makes a list. It is absent if nothing of it comes from the file.
fn list(items: impl Iterator<Item = Made>) -> Option<Made> {
    let mut is_from_file = false;
    let values: Vec<_> = items
        .map(|item| {
            is_from_file |= item.origin == Origin::File;
            item.value
        })
        .collect();
    is_from_file.then_some(Made::from_file(Value::List(values)))
}

/// Cuts a text after and before other texts. A text without them stays whole.
fn cut<'t>(text: &'t str, steps: &Steps) -> &'t str {
    let after = steps
        .after
        .as_ref()
        .and_then(|mark| text.split_once(mark.as_str()));
    let text = after.map_or(text, |(_, after)| after);
    let before = steps
        .before
        .as_ref()
        .and_then(|mark| text.split_once(mark.as_str()));
    before.map_or(text, |(before, _)| before).trim()
}

/// Splits a text. Elements are trimmed, empty ones are dropped, and quotes around them are removed; a separator inside of quotes
/// does not separate.
fn parts<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let start = text.trim_start();
        let quoted = start.strip_prefix('"').and_then(|inner| {
            let (part, after) = inner.split_once('"')?;
            let after = after.trim_start();
            let after = match after.strip_prefix(separator.trim()) {
                Some(after) if !separator.trim().is_empty() => Some(after),
                _ if after.is_empty() => None,
                _ => return None,
            };
            Some((part, after))
        });
        let (part, after) = quoted.unwrap_or_else(|| match text.split_once(separator) {
            Some((part, after)) => (part, Some(after)),
            None => (text, None),
        });
        let part = part.trim();
        if !part.is_empty() {
            parts.push(part);
        }
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_lists() {
        let cases: [(&str, &str, &[&str]); 9] = [
            ("vip, first-order", ",", &["vip", "first-order"]),
            ("\"VIP\",\"Blog\"", ",", &["VIP", "Blog"]),
            ("\"a, b\", c", ",", &["a, b", "c"]),
            ("\"a", ",", &["\"a"]),
            ("\"a\" b,c", ",", &["\"a\" b", "c"]),
            ("a;;b;", ";", &["a", "b"]),
            ("a  b", " ", &["a", "b"]),
            ("\"a\"b c", " ", &["\"a\"b", "c"]),
            (" ", ",", &[]),
        ];
        for (text, separator, expected) in cases {
            assert_eq!(parts(text, separator), expected, "{text}");
        }
    }
}
