//! Evaluates conditions.

use rust_decimal::Decimal;
use shared::model::value::{Value, decimal};

use super::{
    cell::Cell,
    document::{Condition, Test},
    name::{Name, NameOf},
    read::{DecimalMark, amount},
    scope::{Context, Scope},
};
use crate::rows::{RowError, RowErrorCode};

/// A cell that a condition compares with a limit, and that cannot be read as an amount.
#[derive(Debug)]
struct Unreadable<'a> {
    name: Name,
    text: &'a str,
}

impl<'a> Context<'a> {
    /// Returns whether a condition holds. Texts are compared without case. If that depends on a cell that cannot be read as an
    /// amount, the row fails.
    pub(super) fn holds(&self, scope: &Scope<'a>, condition: &Condition) -> bool {
        self.outcome(scope, condition).unwrap_or_else(|unreadable| {
            scope.error.get_or_init(|| self.error(&unreadable));
            false
        })
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// The condition depends on a cell that cannot be read as an amount. It does not if another part of it decides.
    fn outcome(&self, scope: &Scope<'a>, condition: &Condition) -> Result<bool, Unreadable<'a>> {
        match condition {
            Condition::All(conditions) => {
                let mut outcome = Ok(true);
                for condition in conditions {
                    match self.outcome(scope, condition) {
                        Ok(true) => {}
                        Ok(false) => return Ok(false),
                        error => outcome = error,
                    }
                }
                outcome
            }
            Condition::Any(conditions) => {
                let mut outcome = Ok(false);
                for condition in conditions {
                    match self.outcome(scope, condition) {
                        Ok(false) => {}
                        Ok(true) => return Ok(true),
                        error => outcome = error,
                    }
                }
                outcome
            }
            Condition::Not(condition) => Ok(!self.outcome(scope, condition)?),
            Condition::Test(name, test) => self.passes(scope, *name, test),
        }
    }

    fn passes(&self, scope: &Scope<'a>, name: Name, test: &Test) -> Result<bool, Unreadable<'a>> {
        let cell = self.cell(scope, name, &self.mapping.read);
        let lowercase = || Some(cell?.text()?.to_lowercase());
        Ok(match test {
            Test::Above(bound) => self.compares(name, cell, |number| number > *bound)?,
            Test::Below(bound) => self.compares(name, cell, |number| number < *bound)?,
            Test::Present(present) => cell.is_some() == *present,
            Test::OneOf(values) => values.iter().any(|value| is_equal(cell, Cell::new(value))),
            Test::Starts(start) => lowercase().is_some_and(|text| text.starts_with(start)),
            Test::Contains(part) => lowercase().is_some_and(|text| text.contains(part)),
            // Two absent cells have nothing in common.
            Test::Same(name) => {
                cell.is_some() && is_equal(cell, self.cell(scope, *name, &self.mapping.read))
            }
        })
    }

    /// Returns whether the amount of a cell passes a test. A cell without digits, such as `free`, does not pass.
    fn compares(
        &self,
        name: Name,
        cell: Option<Cell<'a>>,
        test: impl Fn(Decimal) -> bool,
    ) -> Result<bool, Unreadable<'a>> {
        let Some((cell, text)) = cell.and_then(|cell| Some((cell, cell.text()?))) else {
            return Ok(false);
        };
        let number = match cell {
            Cell::Number(number) => decimal(number),
            _ => amount(text, self.mapping.read.decimal),
        };
        match number {
            Some(number) => Ok(test(number)),
            None if text.contains(char::is_numeric) => Err(Unreadable { name, text }),
            None => Ok(false),
        }
    }

    fn error(&self, unreadable: &Unreadable<'_>) -> RowError {
        let name = match unreadable.name.of {
            NameOf::Cell(index) => self.mapping.names.text(index),
            NameOf::File | NameOf::Stem | NameOf::Rows => "@file",
        };
        let mark = self.mapping.read.decimal;
        let fix = match (mark, amount(unreadable.text, mark.other())) {
            (DecimalMark::Point, Some(_)) => {
                "It has a decimal comma. Specify `\"decimal\": \",\"` in the mapping."
            }
            (DecimalMark::Comma, Some(_)) => {
                "It has a decimal point. Specify `\"decimal\": \".\"` in the mapping."
            }
            (_, None) => {
                "Write the number alone, such as 12.50, or list the cell under `absent` in the mapping."
            }
        };
        let problem = format!("is compared with a limit, but cannot be read as an amount. {fix}");
        RowError::at(&name, RowErrorCode::InvalidValue, problem)
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
