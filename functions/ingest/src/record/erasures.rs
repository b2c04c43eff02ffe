//! The erasures that an invocation knows. They decide which items it suppresses instead of storing them.

use std::{collections::HashMap, sync::Arc};

use shared::{
    model::{erasure::Markers, identity::IdentityId, item::Item, keys::Marker, version::Version},
    table::Erasure,
};

/// The erasures that an invocation applies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erasures {
    /// The erasure list, and how often it had changed when it was read.
    list: Arc<HashMap<IdentityId, Erasure>>,
    changes: u64,
    /// The markers that this invocation wrote, with the listed markers of the same identities.
    written: HashMap<IdentityId, Markers>,
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

    /// Returns how often the list had changed when it was read.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns whether the markers of `identity` erase `item`, which belongs to that identity or is a link to it.
    pub(crate) fn erase(&self, identity: &IdentityId, item: &Item) -> bool {
        let listed = || self.list.get(identity).map(|erasure| &erasure.markers);
        let markers = self.written.get(identity).or_else(listed);
        markers.is_some_and(|markers| markers.erase(item))
    }

    /// Returns whether an identity is suppressed, or erased and not reinstated since.
    pub(crate) fn contain(&self, identity: &IdentityId) -> bool {
        let listed = || self.list.get(identity).map(|erasure| &erasure.markers);
        let markers = self.written.get(identity).or_else(listed);
        markers
            .is_some_and(|markers| markers.is_suppressed() || markers.standing_erasure().is_some())
    }

    /// Returns whether `markers` are exactly those that this invocation has written for an identity. It has then deleted the
    /// identity's items, and has applied the markers to every row since.
    pub(crate) fn has_executed(&self, identity: &IdentityId, markers: &Markers) -> bool {
        self.written.get(identity) == Some(markers)
    }

    #[cfg(test)]
    pub(crate) fn of(written: HashMap<IdentityId, Markers>) -> Self {
        Self {
            written,
            ..Self::default()
        }
    }

    /// Adds a marker that the row with this version has written.
    pub(crate) fn add(&mut self, identity: &IdentityId, marker: Marker, version: Version) {
        self.first.get_or_insert(version);
        let listed = self.list.get(identity);
        self.written
            .entry(identity.clone())
            .or_insert_with(|| {
                listed
                    .map(|erasure| erasure.markers.clone())
                    .unwrap_or_default()
            })
            .add(marker, version);
    }
}
