//! Changes of single items. A preview applies them to the items that were read, and a write applies them to the table, so
//! both have the same result.

use crate::model::{identity::IdentityId, item::Item, keys::SortKey};

/// The change of one item: it is created, replaced or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    identity: IdentityId,
    key: SortKey,
    before: Option<Item>,
    after: Option<Item>,
}

impl Change {
    /// Creates a change that stores `after`. `before` is the stored item under the same key, if there is one.
    pub fn put(before: Option<Item>, after: Item) -> Self {
        Self {
            identity: after.identity.clone(),
            key: after.key.clone(),
            before,
            after: Some(after),
        }
    }

    /// Creates a change that deletes a stored item.
    pub fn delete(before: Item) -> Self {
        Self {
            identity: before.identity.clone(),
            key: before.key.clone(),
            before: Some(before),
            after: None,
        }
    }

    /// Returns the identity whose partition contains the item.
    pub const fn identity(&self) -> &IdentityId {
        &self.identity
    }

    /// Returns the sort key of the item.
    pub const fn key(&self) -> &SortKey {
        &self.key
    }

    /// Returns the item as it was read; `None` if there was none.
    pub const fn before(&self) -> Option<&Item> {
        self.before.as_ref()
    }

    /// Returns the item to store; `None` if it is deleted.
    pub const fn after(&self) -> Option<&Item> {
        self.after.as_ref()
    }
}

/// Applies changes to the items of one identity. Changes of other identities are ignored.
pub fn apply(changes: &[Change], identity: &IdentityId, items: &mut Vec<Item>) {
    for change in changes {
        if change.identity != *identity {
            continue;
        }
        items.retain(|item| item.key != change.key);
        items.extend(change.after.clone());
    }
}
