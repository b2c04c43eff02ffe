//! The path of a value in a record, and the errors at one.

use std::fmt;

use crate::rows::{RowError, RowErrorCode};

/// The path of a value in a record, such as `products[1].quantity`.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    /// The record itself.
    Record,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of an array, counted from 0.
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// Formats the path without array indexes, such as `products[].quantity`.
    pub(super) fn without_indexes(&self) -> String {
        match self {
            Self::Record => String::new(),
            Self::Field(Self::Record, name) => (*name).to_owned(),
            Self::Field(parent, name) => format!("{}.{name}", parent.without_indexes()),
            Self::Index(parent, _) => format!("{}[]", parent.without_indexes()),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record => Ok(()),
            Self::Field(Self::Record, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Creates the error of a top-level field of a record.
pub(super) fn field_error(field: &str, code: RowErrorCode, problem: impl Into<String>) -> RowError {
    RowError::at(&Path::Field(&Path::Record, field), code, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_paths() {
        let products = Path::Field(&Path::Record, "products");
        let line = Path::Index(&products, 3);
        let price = Path::Field(&line, "price_paid");
        assert_eq!(price.to_string(), "products[3].price_paid");
        assert_eq!(price.without_indexes(), "products[].price_paid");
        assert_eq!(Path::Record.to_string(), "");
    }
}
