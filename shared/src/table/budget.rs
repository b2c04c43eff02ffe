//! Limits the memory that the items of a profile take, over all of its identities.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::item::Item;

/// The maximum memory of a profile's items, in bytes.
///
/// Every value is charged as it is kept in memory: a null in an array takes 32 bytes, although it takes 2 in the table. A page
/// of nulls takes 17 MB.
const MAX_PROFILE_BYTES: usize = 64 << 20;
/// The maximum memory of the items that a card is made of. A batch reads 8 cards concurrently.
const MAX_CARD_BYTES: usize = 16 << 20;

/// The memory that the items of a profile may still take. The reads of its identities share it, and run concurrently.
///
/// A page of each identity is read in any case: without its links, the profile would not be known. If the budget is spent
/// when the page arrives, only its links and markers are kept.
#[derive(Debug)]
pub struct Budget(AtomicUsize);

impl Budget {
    /// Creates the budget of a profile.
    pub const fn profile() -> Self {
        Self::of(MAX_PROFILE_BYTES)
    }

    /// Creates the budget of the card of a profile.
    pub const fn card() -> Self {
        Self::of(MAX_CARD_BYTES)
    }

    /// Creates a budget of this many bytes.
    pub const fn of(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Takes the memory of items from the budget.
    pub(super) fn take(&self, items: &[Item]) {
        let bytes = items.iter().map(memory_bytes).sum();
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

/// Returns the approximate memory that an item takes, in bytes.
fn memory_bytes(item: &Item) -> usize {
    size_of::<Item>() + item.data.memory_bytes()
}

#[cfg(test)]
mod tests {
    use crate::model::value::{Map, Value};

    fn charge(values: Vec<Value>) -> usize {
        Map::from_iter([("x".to_owned(), Value::List(values))]).memory_bytes()
    }

    #[test]
    fn charges_every_value() {
        let empty = charge(Vec::new());
        // The name takes a `String` and an allocation of 32 bytes.
        assert_eq!(empty, 24 + 32 + 32);
        assert_eq!(charge(vec![Value::Null; 1_000]) - empty, 32 * 1_000);
        assert_eq!(charge(vec![Value::from("a"); 10]) - empty, (32 + 32) * 10);
        let long = Value::from("a".repeat(1_000));
        assert_eq!(charge(vec![long; 10]) - empty, (32 + 1_008) * 10);
        // The map and its entry.
        let map = Value::Map(Map::from_iter([("y".to_owned(), Value::Null)]));
        assert_eq!(charge(vec![map; 10]) - empty, (32 + 24 + 32 + 32) * 10);
    }
}
