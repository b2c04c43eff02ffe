//! The erasure list as an invocation knows it, which decides whether a record is kept out.

use std::{collections::HashMap, sync::Arc};

use shared::{
    model::{erasure::Markers, identity::IdentityId, item::Item, keys::Marker, version::Version},
    table::Erasure,
};

/// The erasures that an invocation applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erasures {
    /// The list, and how often it had changed when it was read.
    list: Arc<HashMap<IdentityId, Erasure>>,
    changes: u64,
    /// The markers that this invocation wrote, with the listed markers of the same identities.
    own: HashMap<IdentityId, Markers>,
    /// The version of the first row that wrote a marker.
    first: Option<Version>,
}

impl Erasures {
    /// Creates the list as it was after `changes` changes.
    pub(crate) fn listed(list: HashMap<IdentityId, Erasure>, changes: u64) -> Self {
        Self {
            list: Arc::new(list),
            changes,
            ..Self::default()
        }
    }

    /// Returns the identities of the list with their erasures.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&IdentityId, &Erasure)> {
        self.list.iter()
    }

    /// Returns the version of the first row of this invocation that wrote a marker.
    pub(crate) const fn first(&self) -> Option<Version> {
        self.first
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns whether the markers of `identity` erase `item`, which belongs to that identity or is a link to it.
    pub(crate) fn erase(&self, identity: &IdentityId, item: &Item) -> bool {
        let listed = || self.list.get(identity).map(|erasure| &erasure.markers);
        let markers = self.own.get(identity).or_else(listed);
        markers.is_some_and(|markers| markers.erase(item))
    }

    /// Returns whether this invocation has executed these markers of an identity, no others are known to it, and it has applied
    /// them since.
    pub(crate) fn has_carried_out(&self, identity: &IdentityId, markers: &Markers) -> bool {
        self.own.get(identity) == Some(markers)
    }

    #[cfg(test)]
    pub(crate) fn of(own: HashMap<IdentityId, Markers>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, identity: &IdentityId, marker: Marker, version: Version) {
        self.first.get_or_insert(version);
        let listed = self.list.get(identity);
        self.own
            .entry(identity.clone())
            .or_insert_with(|| {
                listed
                    .map(|erasure| erasure.markers.clone())
                    .unwrap_or_default()
            })
            .add(marker, version);
    }
}
