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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        value::Map,
        version::{ImportId, Version},
    };

    fn item(identity: char, source: &str, offset: u64) -> Item {
        let identity = identity.to_string().repeat(26).parse().unwrap();
        let version = Version::new(0, "01", ImportId([1; 8]), offset);
        Item::ingested(
            identity,
            SortKey::Record(source.into()),
            version,
            None,
            Map::new(),
        )
    }

    #[test]
    fn changes_contain_both_states() {
        let (before, after) = (item('a', "crm", 1), item('a', "crm", 2));
        let put = Change::put(Some(before.clone()), after.clone());
        assert_eq!((put.before(), put.after()), (Some(&before), Some(&after)));
        assert_eq!((put.identity(), put.key()), (&after.identity, &after.key));
        let delete = Change::delete(before.clone());
        assert_eq!((delete.before(), delete.after()), (Some(&before), None));
        assert_eq!(
            (delete.identity(), delete.key()),
            (&before.identity, &before.key)
        );
    }

    #[test]
    fn changes_apply_to_their_item() {
        let (stored, kept, other) = (
            item('a', "crm", 1),
            item('a', "pos", 1),
            item('e', "crm", 1),
        );
        let new = item('a', "crm", 2);
        let apply = |change: Change| {
            let mut items = vec![stored.clone(), kept.clone()];
            apply(&[change], &stored.identity, &mut items);
            items
        };
        let put = Change::put(Some(stored.clone()), new.clone());
        assert_eq!(apply(put), [kept.clone(), new]);
        assert_eq!(
            apply(Change::delete(stored.clone())),
            std::slice::from_ref(&kept)
        );
        assert_eq!(
            apply(Change::put(None, other)),
            [stored.clone(), kept.clone()]
        );
    }
}
