//! Why a row is rejected.

use std::fmt;

use super::check::Path;

/// Why a row is rejected: a stable code, the field at fault, and what was expected there. Never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
}

impl Fault {
    pub(crate) fn whole(code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            expected: expected.into(),
        }
    }

    pub(super) fn at(path: &Path<'_>, code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: Some(path.to_string()),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: expected {}", self.expected),
            None => write!(f, "expected {}", self.expected),
        }
    }
}

/// The fault of a field of the record itself.
pub(super) fn field_fault(field: &str, code: &'static str, expected: impl Into<String>) -> Fault {
    Fault::at(&Path::Field(&Path::Record, field), code, expected)
}
