//! A write that waits for its outcome.

use shared::table::Write;

use crate::rows::RowError;

/// A batch is sent as soon as its writes have at least this many bytes.
pub(super) const MAX_BATCH_BYTES: usize = 2 << 20;
/// The maximum number of rounds of requests for an item.
pub(super) const MAX_ATTEMPTS: u32 = 10;

/// The number of a row in an invocation.
pub(super) type RowId = u64;

/// The outcome of one write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The item is stored, by this write or an earlier one of the same import.
    Stored,
    /// The table has a newer version from another import.
    Stale,
    /// The item cannot be stored.
    Rejected(RowError),
}

/// The next request for an item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Insert the item, if its key is absent.
    Insert,
    /// Update the stored item, if it is older.
    Update,
    /// Replace the stored item, which has no valid version.
    Replace,
    /// The item has its outcome.
    Done(Outcome),
}

/// An item to write, and the items with the same key and import that it supersedes.
///
/// No two statements of a request may have the same key. If this item cannot be stored, the superseded items are written.
pub(super) struct Queued {
    pub(super) row: RowId,
    pub(super) write: Write,
    pub(super) superseded: Vec<(RowId, Write)>,
    /// The next request for the item.
    pub(super) step: Step,
}

impl Queued {
    /// Returns whether the item has no outcome yet.
    pub(super) const fn is_pending(&self) -> bool {
        !matches!(self.step, Step::Done(_))
    }

    pub(super) const fn new(row: RowId, write: Write) -> Self {
        Self {
            row,
            write,
            superseded: Vec::new(),
            step: Step::Insert,
        }
    }
}
