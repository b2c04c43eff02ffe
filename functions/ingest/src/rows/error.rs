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
        MissingField = "missing_field",
        WrongType = "wrong_type",
        InvalidValue = "invalid_value",
        UnknownField = "unknown_field",
        AmbiguousIdentifier = "ambiguous_identifier",
        PlaceholderIdentifier = "placeholder_identifier",
        RoundedIdentifier = "rounded_identifier",
        UnknownRecordType = "unknown_record_type",
        ReservedNamespace = "reserved_namespace",
        TooMany = "too_many",
        TooDeep = "too_deep",
        RecordTooLarge = "record_too_large",
        ItemTooLarge = "item_too_large",
        ItemRefused = "item_refused",
    }
}

/// Why a row is rejected: the broken rule, the field in error, and the expected value. It never contains the actual value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    pub(crate) code: RowErrorCode,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
}

impl RowError {
    pub(crate) fn whole(code: RowErrorCode, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            expected: expected.into(),
        }
    }

    pub(crate) fn at(
        path: &impl fmt::Display,
        code: RowErrorCode,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            code,
            field: Some(path.to_string()),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: expected {}", self.expected),
            None => write!(f, "expected {}", self.expected),
        }
    }
}
