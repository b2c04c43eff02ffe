//! The item: one entry of the table, of any kind of key. `table` converts it to and from DynamoDB's attributes.

use crate::model::{
    find::term::Find,
    identifier::Identifier,
    identity::IdentityId,
    keys::{EventKey, SortKey},
    value::Map,
    version::Version,
};

/// One item of an identity's partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The identity whose partition contains the item.
    pub identity: IdentityId,
    /// The sort key.
    pub key: SortKey,
    /// The version of the record that wrote the item; `None` if a support agent wrote it.
    pub version: Option<Version>,
    /// The identifier of the identity, in the type that the record used.
    pub link: Option<Identifier>,
    /// The source of the record; only subscription events have it.
    pub source: Option<String>,
    /// The fields of the record, without key and link. An event without data is a tombstone: it was moved to another
    /// time.
    pub data: Map,
    /// When the item expires, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The values under which a search finds the item. They are not read back, so they are empty in items from the
    /// table.
    pub find: Find,
}

impl Item {
    /// Creates an item that ingest writes.
    pub fn ingested(
        identity: IdentityId,
        key: SortKey,
        version: Version,
        link: Option<Identifier>,
        data: Map,
    ) -> Self {
        Self {
            identity,
            key,
            version: Some(version),
            link,
            source: None,
            data,
            expires_at: None,
            find: Find::default(),
        }
    }

    /// Returns whether the item has expired at `now`, in seconds since 1970. DynamoDB deletes expired items days later.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Returns the event's key, if the item is an event.
    pub const fn event(&self) -> Option<&EventKey> {
        match &self.key {
            SortKey::Event(key) => Some(key),
            _ => None,
        }
    }

    /// Returns whether the item is a tombstone: an event that was moved to another time.
    pub fn is_tombstone(&self) -> bool {
        self.event().is_some() && self.data.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::version::ImportId;

    fn item(key: SortKey, data: Map) -> Item {
        let version = Version::new(0, "01", ImportId([1; 8]), 0);
        Item::ingested("a".repeat(26).parse().unwrap(), key, version, None, data)
    }

    #[test]
    fn events_without_data_are_tombstones() {
        let key = EventKey::parse("2026-01-02T00:00:00.000000Z#sms_send#aaaaaaaaaaaaaaaa").unwrap();
        let mut data = Map::new();
        assert!(item(SortKey::Event(key.clone()), data.clone()).is_tombstone());
        assert!(!item(SortKey::Record("crm".into()), data.clone()).is_tombstone());
        data.insert("a", true);
        let event = item(SortKey::Event(key.clone()), data.clone());
        assert!(!event.is_tombstone());
        assert_eq!(event.event(), Some(&key));
        assert_eq!(item(SortKey::Record("crm".into()), data).event(), None);
    }

    #[test]
    fn items_expire_at_their_time() {
        let mut item = item(SortKey::Record("crm".into()), Map::new());
        assert!(!item.is_expired(i64::MAX));
        item.expires_at = Some(7);
        assert_eq!(
            [6, 7, 8].map(|now| item.is_expired(now)),
            [false, true, true]
        );
    }
}
