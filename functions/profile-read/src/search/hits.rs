//! The hits of a search: which identities may match, and why a profile matches. Reads the indexes, and verifies orders
//! against their items. Records are verified when the profile is read.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    model::{
        find::Find,
        identifier::IdentifierRules,
        identity::{IdentityId, IdentityKey},
        item::Item,
        keys::SortKey,
    },
    profile::{
        Match, candidate::OlderVersion, card::Summarized, history::event_id,
        versions::is_newer_version,
    },
    table::{Table, TableError},
};

use super::query::{Place, Query};

/// How Find attributes are computed: the identity key and the rules of identifiers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) key: &'a IdentityKey,
    pub(crate) rules: IdentifierRules,
}

impl Terms<'_> {
    /// Returns whether a search for the query's term finds the item.
    fn finds(self, query: &Query, item: &Item) -> bool {
        Find::of(self.key, item, self.rules).contains(query.term)
    }

    /// Returns why a profile that was read matches, without orders: records that contain the value, and the identity that
    /// the value names.
    pub(crate) fn heads(self, query: &Query, of: &Summarized, identity: &IdentityId) -> Vec<Match> {
        let mut items = of.profile.state.of(identity);
        let mut matches = Vec::new();
        let is_named = query.named.as_ref() == Some(identity);
        if is_named && items.any(|item| !matches!(item.key, SortKey::Marker(_))) {
            matches.push(Match::identifier(query.kind(), identity.clone()));
        }
        let records = of.profile.state.of(identity);
        let records = records.filter(|item| matches!(item.key, SortKey::Record(_)));
        let found = records.filter(|item| self.finds(query, item));
        matches.extend(found.filter_map(|item| Match::item(query.term, item)));
        matches
    }
}

/// The profiles that were read so far, by the identity with which they were read.
pub(crate) type Read = BTreeMap<IdentityId, Summarized>;

/// The hits of a query.
#[derive(Debug)]
pub(crate) struct Hits<'a> {
    terms: Terms<'a>,
    query: &'a Query,
    /// The identities that may match, in order.
    places: BTreeSet<Place>,
    /// The orders that match.
    orders: Vec<Item>,
    /// Whether there may be more hits.
    pub(crate) partial: bool,
}

impl<'a> Hits<'a> {
    /// Reads the hits of a query. Orders are read and verified.
    ///
    /// # Errors
    /// The indexes or the table cannot be read.
    pub(crate) async fn read(
        table: &Table,
        terms: Terms<'a>,
        query: &'a Query,
    ) -> Result<Self, TableError> {
        let mut found = table.hits(query.term).await?;
        let is_event = |(_, key): &(_, SortKey)| matches!(key, SortKey::Event(_));
        let (events, records): (Vec<_>, Vec<_>) = found.keys.drain(..).partition(is_event);
        let (mut orders, unread) = table.find_data(&events).await?;
        orders.retain(|item| terms.finds(query, item));
        let of_orders = orders.iter().map(|item| item.identity.clone());
        let of_records = records.into_iter().map(|(identity, _)| identity);
        let identities = of_orders.chain(of_records).chain(query.named.clone());
        let places = identities.map(|identity| Place::new(query, identity));
        Ok(Self {
            places: places.collect(),
            terms,
            query,
            orders,
            partial: found.partial || unread,
        })
    }

    /// Returns the places after a position, in order.
    pub(crate) fn after(&self, position: Option<&Place>) -> Vec<&Place> {
        let places = self.places.iter();
        places
            .filter(|place| position.is_none_or(|position| *place > position))
            .collect()
    }

    /// Returns the identities with other versions of the orders of `members`. They have to be read before the place of a
    /// member is decided.
    pub(crate) fn with_versions<'b>(
        &'b self,
        members: &'b [IdentityId],
    ) -> impl Iterator<Item = &'b IdentityId> {
        let own = self.orders.iter();
        let own = own.filter(|item| members.contains(&item.identity));
        let others = own.flat_map(|order| {
            let is_version =
                |other: &&Item| is_newer_version(order, other) || is_newer_version(other, order);
            self.orders.iter().filter(is_version)
        });
        others.map(|item| &item.identity)
    }

    /// Returns why the profile at a place matches, and the older versions of its orders in other profiles. `None` if it does
    /// not match, or if it belongs to an earlier place.
    pub(crate) fn matches(
        &self,
        place: &Place,
        read: &Read,
    ) -> Option<(Vec<Match>, Vec<OlderVersion>)> {
        let of = read.get(&place.identity)?;
        let members = of.profile.closure.members();
        let places = self.places.iter();
        let mut places = places.filter(|place| members.contains(&place.identity));
        let first = places.find(|place| {
            let identity = &place.identity;
            let mut orders = self.orders.iter();
            !self.terms.heads(self.query, of, identity).is_empty()
                || orders.any(|item| item.identity == *identity && !of.erases(item))
        });
        if first != Some(place) {
            return None;
        }
        let mut found = (Vec::new(), Vec::new());
        for identity in &members {
            found.0.extend(self.terms.heads(self.query, of, identity));
        }
        let is_left = |item: &&Item| !of.erases(item) && !is_erased(item, read);
        let left: Vec<_> = self.orders.iter().filter(is_left).collect();
        let own = left.iter().filter(|item| members.contains(&item.identity));
        for order in own {
            if left.iter().any(|other| is_newer_version(other, order)) {
                continue;
            }
            found.0.extend(Match::item(self.query.term, order));
            let older = left.iter().filter(|other| is_newer_version(order, other));
            let elsewhere = older.filter(|other| !members.contains(&other.identity));
            found
                .1
                .extend(elsewhere.filter_map(|other| older_version(other, read)));
        }
        (!found.0.is_empty()).then_some(found)
    }
}

/// Returns whether the markers of an item's identity erase it, as far as the identity was read.
fn is_erased(item: &Item, read: &Read) -> bool {
    read.get(&item.identity).is_some_and(|of| of.erases(item))
}

/// Names an older version of an order in another profile.
fn older_version(item: &Item, read: &Read) -> Option<OlderVersion> {
    Some(OlderVersion {
        id: read.get(&item.identity)?.profile.closure.id(),
        identity: item.identity.clone(),
        event: event_id(&item.identity, item.event()?),
    })
}
