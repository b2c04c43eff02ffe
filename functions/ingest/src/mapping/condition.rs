//! Evaluates conditions.

use shared::model::value::{Value, decimal};

use super::{
    cell::Cell,
    document::{Condition, Test},
    read::amount,
    scope::{Context, Scope},
};

impl<'a> Context<'a> {
    /// Returns whether a condition holds. Texts are compared without case.
    pub(super) fn holds(&self, scope: &Scope<'a>, condition: &Condition) -> bool {
        match condition {
            Condition::All(all) => all.iter().all(|condition| self.holds(scope, condition)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(scope, condition)),
            Condition::Not(condition) => !self.holds(scope, condition),
            Condition::Test(name, test) => {
                self.passes(scope, self.cell(scope, *name, &self.mapping.read), test)
            }
        }
    }

    fn passes(&self, scope: &Scope<'a>, cell: Option<Cell<'a>>, test: &Test) -> bool {
        let number = || match cell? {
            Cell::Number(number) => decimal(number),
            cell => amount(cell.text()?, self.mapping.read.decimal),
        };
        let lowercase = || Some(cell?.text()?.to_lowercase());
        match test {
            Test::Present(present) => cell.is_some() == *present,
            Test::OneOf(values) => values.iter().any(|value| is_equal(cell, Cell::new(value))),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
            Test::Starts(start) => lowercase().is_some_and(|text| text.starts_with(start)),
            Test::Contains(part) => lowercase().is_some_and(|text| text.contains(part)),
            // Two absent cells have nothing in common.
            Test::Same(name) => {
                cell.is_some() && is_equal(cell, self.cell(scope, *name, &self.mapping.read))
            }
        }
    }
}

/// Returns whether two cells contain the same value, whether they are written as texts, numbers or booleans.
fn is_equal(a: Option<Cell<'_>>, b: Option<Cell<'_>>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_none() && b.is_none();
    };
    let is_number = matches!(a, Cell::Number(_)) || matches!(b, Cell::Number(_));
    match (a.text(), b.text()) {
        (Some(a), Some(b)) => {
            a.eq_ignore_ascii_case(b)
                || !a.is_ascii() && a.to_lowercase() == b.to_lowercase()
                || is_number && decimal(a).is_some_and(|a| decimal(b) == Some(a))
        }
        _ => a == b,
    }
}

/// Returns the value of a cell in a table of lowercase cells.
pub(super) fn look_up<'v>(values: &'v [(String, Value)], cell: &str) -> Option<&'v Value> {
    let exact = values
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(cell));
    let found = exact.or_else(|| {
        let lower = (!cell.is_ascii()).then(|| cell.to_lowercase())?;
        values.iter().find(|(known, _)| *known == lower)
    });
    found.map(|(_, value)| value)
}
