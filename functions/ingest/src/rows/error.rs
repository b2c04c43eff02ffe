//! The error of a rejected row.

use std::fmt;

use crate::names::named;

named! {
    /// The rule that a rejected row breaks. `infra/docs/reference/errors.md` explains each to the person who dropped the file.
    RowErrorCode {
        InvalidJson = "invalid_json",
        InvalidCsv = "invalid_csv",
        InvalidUtf8 = "invalid_utf8",
        NotAnObject = "not_an_object",
        UnclosedQuote = "unclosed_quote",
        WrongCellCount = "wrong_cell_count",
        BrokenOrder = "broken_order",
        OrderTooLarge = "order_too_large",
        GroupNotAdjacent = "group_not_adjacent",
        MissingField = "missing_field",
        WrongType = "wrong_type",
        InvalidValue = "invalid_value",
        UnknownField = "unknown_field",
        AmbiguousIdentifier = "ambiguous_identifier",
        PlaceholderIdentifier = "placeholder_identifier",
        RoundedIdentifier = "rounded_identifier",
        UnknownRecordType = "unknown_record_type",
        NotPermitted = "not_permitted",
        ReservedNamespace = "reserved_namespace",
        TooMany = "too_many",
        TooDeep = "too_deep",
        RecordTooLarge = "record_too_large",
        ItemTooLarge = "item_too_large",
        ItemRefused = "item_refused",
    }
}

/// Why a row is rejected: the broken rule, the field in error, the problem and its fix. It never contains the given value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    pub(crate) code: RowErrorCode,
    pub(crate) field: Option<String>,
    /// What is wrong with the field or the row, and how to fix it. A predicate such as `must be a string.`
    pub(crate) problem: String,
}

impl RowError {
    pub(crate) fn whole(code: RowErrorCode, problem: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            problem: problem.into(),
        }
    }

    pub(crate) fn at(
        path: &impl fmt::Display,
        code: RowErrorCode,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            code,
            field: Some(path.to_string()),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "`{field}` {}", self.problem),
            None => write!(f, "The row {}", self.problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_field_or_row() {
        let field = RowError::at(&"a.b", RowErrorCode::WrongType, "must be a string.");
        assert_eq!(field.to_string(), "`a.b` must be a string.");
        let row = RowError::whole(RowErrorCode::NotAnObject, "must be a JSON object.");
        assert_eq!(row.to_string(), "The row must be a JSON object.");
    }
}
