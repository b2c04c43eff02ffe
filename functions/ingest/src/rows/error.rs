//! The error of a rejected row.

use std::fmt;

/// Why a row is rejected: a stable code, the field in error, and the expected value. It never contains the actual value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowError {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
}

impl RowError {
    pub(crate) fn whole(code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            expected: expected.into(),
        }
    }

    pub(crate) fn at(
        path: &impl fmt::Display,
        code: &'static str,
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
