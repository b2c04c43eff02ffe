//! The item: what one entry of the table holds, whatever the kind of its key. Not here: how DynamoDB spells it
//! (`table`).

use crate::{
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
    /// The partition.
    pub identity: IdentityId,
    /// The sort key.
    pub key: SortKey,
    /// Where the item came from; `None` for what agents write.
    pub version: Option<Version>,
    /// The identifier that names the identity, as the record gave it.
    pub link: Option<Identifier>,
    /// The source of the record; only subscription events have it.
    pub source: Option<String>,
    /// What the record said beyond key and link. An event without data was moved away: a tombstone.
    pub data: Map,
    /// When the item may go, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The values under which a search finds it. Not read back: empty in items from the table.
    pub find: Find,
}

impl Item {
    /// An item that ingest writes.
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

    /// Whether its time is over at `now`, in seconds since 1970: DynamoDB takes such items away days later.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The event's key, if this is one.
    pub const fn event(&self) -> Option<&EventKey> {
        match &self.key {
            SortKey::Event(key) => Some(key),
            _ => None,
        }
    }

    /// Whether this stands for an event that was moved to another time.
    pub fn is_tombstone(&self) -> bool {
        self.event().is_some() && self.data.is_empty()
    }
}
