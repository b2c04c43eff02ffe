//! Computes profiles as they are and as they would be after changes. Each identity is read once, so both are computed from the same
//! items.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::{
    Budget, Consistency, Items, Table, TableError,
    reader::{CONCURRENT_READS, Found, Notes, whole},
};
use crate::{
    model::{
        change::{self, Change},
        closure::Closure,
        erasure::Markers,
        identity::IdentityId,
        item::Item,
    },
    profile::Profile,
};

/// The items of identities as they were read: consistently, with their notes and with erased items.
#[derive(Debug)]
pub struct Snapshot<'a> {
    table: &'a Table,
    read: BTreeMap<IdentityId, Items>,
    budget: Budget,
}

impl<'a> Snapshot<'a> {
    /// Creates a snapshot in which no identity has been read.
    pub const fn new(table: &'a Table) -> Self {
        Self {
            table,
            read: BTreeMap::new(),
            budget: Budget::profile(),
        }
    }

    /// Reads the identities that were not read yet.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn load(&mut self, identities: &[IdentityId]) -> Result<(), TableError> {
        let missing = identities.iter().filter(|id| !self.read.contains_key(id));
        let missing: Vec<_> = missing.collect();
        let read_one = |id| {
            whole(
                self.table,
                id,
                (Consistency::Strong, Notes::Newest),
                &self.budget,
            )
        };
        let mut read = Vec::with_capacity(missing.len());
        for group in missing.chunks(CONCURRENT_READS) {
            read.extend(try_join_all(group.iter().copied().map(read_one)).await?);
        }
        self.read.extend(missing.into_iter().cloned().zip(read));
        Ok(())
    }

    /// Returns the profile that the identity `requested` belongs to, as it would be after `changes`. Reads what is missing.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn profile(
        &mut self,
        requested: &IdentityId,
        changes: &[Change],
    ) -> Result<Profile, TableError> {
        let mut found = Found::new(Closure::new(requested.clone()));
        loop {
            let round = found.pending();
            if round.is_empty() {
                return Ok(found.into_profile());
            }
            self.load(&round).await?;
            let changed = |id| Items {
                items: self.changed(id, changes),
                next: self.read.get(id).and_then(|items| items.next.clone()),
                ..Items::default()
            };
            let read = round.iter().map(changed).collect();
            found.add(round, read);
        }
    }

    /// Returns the items of an identity that was read, even erased ones.
    pub fn items(&self, identity: &IdentityId) -> &[Item] {
        let read = self.read.get(identity);
        read.map_or(&[], |items| items.items.as_slice())
    }

    /// Returns the items of an identity that was read, after `changes`.
    pub fn changed(&self, identity: &IdentityId, changes: &[Change]) -> Vec<Item> {
        let mut items = self.items(identity).to_vec();
        change::apply(changes, identity, &mut items);
        items
    }

    /// Returns the markers of an identity that was read.
    pub fn markers(&self, identity: &IdentityId) -> Markers {
        Markers::of(self.items(identity))
    }
}
