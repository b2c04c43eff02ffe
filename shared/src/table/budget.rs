//! Limits the memory that the items of a profile take, over all of its identities.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::item::Item;

/// The maximum memory of a profile's items, in bytes. 20,000 events of one identity take about half of it.
const MAX_PROFILE_BYTES: usize = 64 << 20;

/// The memory that the items of a profile may still take. The reads of its identities share it, and run concurrently.
///
/// A page of each identity is read in any case: without its links, the profile would not be known.
#[derive(Debug)]
pub struct Budget(AtomicUsize);

impl Budget {
    /// Creates the budget of a profile.
    pub const fn profile() -> Self {
        Self::of(MAX_PROFILE_BYTES)
    }

    /// Creates a budget of this many bytes.
    pub const fn of(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes the memory of items from the budget.
    pub(super) fn take(&self, items: &[Item]) {
        let bytes = items.iter().map(|item| item.data.memory_bytes()).sum();
        let left = |left: usize| Some(left.saturating_sub(bytes));
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// Returns whether no further page may be read.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}
