//! Operations on imports: an import is reverted, or replayed under its own version.
//!
//! An operation is an import of its own, with an id, a plan and progress. The versions of items stay those of the import that it is
//! about.

use serde::{Deserialize, Serialize};

use crate::model::{time::Instant, version::ImportId};

/// What an operation does with an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// Deletes the items that still have the versions of the import.
    Revert,
    /// Counts what a revert would delete, and changes nothing.
    Preview,
    /// Writes the rows of the import again, under its own version.
    Replay,
}

impl OperationKind {
    /// Returns the name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Preview => "preview",
            Self::Replay => "replay",
        }
    }
}

/// An operation on an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The id of the operation.
    pub id: ImportId,
    /// What the operation does.
    pub kind: OperationKind,
    /// The import that the operation is about.
    pub of: ImportId,
}

impl Operation {
    /// Creates an operation. Its id depends on all of its parameters, so a repeated request starts it once.
    pub fn new(kind: OperationKind, of: ImportId, nonce: &str) -> Self {
        // The name of a bucket cannot contain a slash, so no dropped file has this id.
        let scope = format!("operation/{}", kind.as_str());
        Self {
            id: ImportId::new(&scope, &of.to_string(), nonce),
            kind,
            of,
        }
    }
}

/// The mark of an import that was reverted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// When the import was reverted.
    pub at: Instant,
    /// The `sub` of the principal that requested it.
    pub by: String,
    /// The name of that principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<String>,
    /// The id of the revert.
    pub import: ImportId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_kind_import_and_nonce() {
        let of = ImportId([1; 8]);
        let id = |kind, of, nonce| Operation::new(kind, of, nonce).id;
        let revert = id(OperationKind::Revert, of, "a");
        assert_eq!(revert, id(OperationKind::Revert, of, "a"));
        for other in [
            id(OperationKind::Replay, of, "a"),
            id(OperationKind::Revert, ImportId([2; 8]), "a"),
            id(OperationKind::Revert, of, "b"),
        ] {
            assert_ne!(revert, other);
        }
    }

    #[test]
    fn operations_come_back() {
        let operation = Operation::new(OperationKind::Preview, ImportId([0xab; 8]), "a");
        let stored = serde_json::to_value(operation).unwrap();
        assert_eq!(
            (&stored["kind"], &stored["of"]),
            (&"preview".into(), &"abababababababab".into())
        );
        assert_eq!(
            serde_json::from_value::<Operation>(stored.clone()).unwrap(),
            operation
        );
        let mut invalid = stored;
        invalid["of"] = "x".into();
        assert!(serde_json::from_value::<Operation>(invalid).is_err());
    }
}
