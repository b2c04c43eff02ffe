//! Reads an identity's events in either order, all of its items, the items under one key, and the plans of imports.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Budget, Consistency, Fields, Items, MAX_GET, MAX_PAGES, Order, Range, Table, TableError,
    attribute,
};
use crate::{
    model::{
        identity::IdentityId,
        item::Item,
        keys::{self, SortKey},
        time::Instant,
        version::{ImportId, Version},
    },
    profile::provenance::Files,
};

/// The events to read, and their order.
#[derive(Clone, Debug, Default)]
pub struct EventRange {
    /// The earliest time, inclusive.
    pub from: Option<Instant>,
    /// The latest time, exclusive.
    pub to: Option<Instant>,
    /// The order of the events.
    pub order: Order,
}

impl EventRange {
    /// Returns the lowest and the highest sort key of the range after `position`, an event's key.
    fn bounds(&self, position: Option<&SortKey>) -> (String, String) {
        let (low, high) = keys::EVENTS;
        // A time sorts before every key that begins with it, so `from` is inclusive and `to` is exclusive.
        let key = |at: Instant| format!("{low}{}", at.fixed());
        let mut bounds = (
            self.from.map_or_else(|| low.to_owned(), key),
            self.to.map_or_else(|| high.to_owned(), key),
        );
        if let Some(position) = position {
            let position = position.to_text();
            if self.order == Order::OldestFirst {
                bounds.0 = bounds.0.max(position);
            } else {
                bounds.1 = bounds.1.min(position);
            }
        }
        bounds
    }
}

impl Table {
    /// Reads at most `limit` events of an identity after `position`, an event's key, in the range's direction.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn events(
        &self,
        id: &IdentityId,
        range: &EventRange,
        position: Option<&SortKey>,
        limit: usize,
    ) -> Result<Items, TableError> {
        let (low, high) = range.bounds(position);
        if low > high {
            return Ok(Items::default());
        }
        // `BETWEEN` includes its bounds. One more item is read, and the item at `position` is removed.
        let range = Range {
            low: &low,
            high: Some(&high),
            limit: Some(limit + usize::from(position.is_some())),
            pages: MAX_PAGES,
            fields: Fields::All,
            consistency: Consistency::Eventual,
            order: range.order,
            budget: None,
        };
        Ok(after(position, limit, self.query(id, range).await?))
    }

    /// Reads the newest events of an identity: at most `limit`, or else as many as a read returns. Stops after a page with which
    /// the budget is spent.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(super) async fn newest_events(
        &self,
        id: &IdentityId,
        limit: Option<usize>,
        consistency: Consistency,
        budget: &Budget,
    ) -> Result<Items, TableError> {
        let (low, high) = keys::EVENTS;
        let range = Range {
            low,
            high: Some(high),
            limit,
            pages: MAX_PAGES,
            fields: Fields::All,
            consistency,
            order: Order::NewestFirst,
            budget: Some(budget),
        };
        self.query(id, range).await
    }

    /// Reads at most `limit` items of an identity after `position`, of every kind, in key order and consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn everything(
        &self,
        id: &IdentityId,
        position: Option<&SortKey>,
        limit: usize,
    ) -> Result<Items, TableError> {
        let low = position.map(SortKey::to_text);
        let range = Range {
            // No key sorts before a space.
            low: low.as_deref().unwrap_or(" "),
            high: None,
            limit: Some(limit + usize::from(position.is_some())),
            pages: MAX_PAGES,
            fields: Fields::All,
            consistency: Consistency::Strong,
            order: Order::OldestFirst,
            budget: None,
        };
        Ok(after(position, limit, self.query(id, range).await?))
    }

    /// Reads the plans of the imports that wrote these versions, at most 100 imports per request. Plans that are no longer
    /// stored are missing.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn files(
        &self,
        versions: impl IntoIterator<Item = Version>,
    ) -> Result<Files, TableError> {
        let imports: BTreeSet<_> = versions.into_iter().map(|v| v.import()).collect();
        let imports: Vec<_> = imports.into_iter().collect();
        let mut plans = BTreeMap::new();
        for chunk in imports.chunks(MAX_GET) {
            let keys = chunk
                .iter()
                .map(|import| attribute::key(&keys::import(*import), keys::IMPORT))
                .collect();
            let (rows, _) = self.get_all(keys, Consistency::Eventual).await?;
            let mut found: HashMap<_, _> = rows
                .into_iter()
                .filter_map(attribute::partition_and_data)
                .collect();
            let plan = |import: &ImportId| Some((*import, found.remove(&keys::import(*import))?));
            plans.extend(chunk.iter().filter_map(plan));
        }
        Ok(Files::new(plans))
    }

    /// Reads the items under `key` in the partitions of at most 100 identities, consistently. Expired items are left
    /// out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn items(
        &self,
        identities: &[IdentityId],
        key: &SortKey,
    ) -> Result<Vec<Item>, TableError> {
        let sort = key.to_text();
        let keys = identities
            .iter()
            .map(|id| attribute::key(id.as_str(), &sort))
            .collect();
        let (rows, _) = self.get_all(keys, Consistency::Strong).await?;
        let now = Instant::now().seconds();
        let items = rows.into_iter().filter_map(attribute::item);
        Ok(items.filter(|item| !item.is_expired(now)).collect())
    }
}

/// Returns at most `limit` of the items that were read, without the item at `position`.
fn after(position: Option<&SortKey>, limit: usize, mut read: Items) -> Items {
    read.items.retain(|item| Some(&item.key) != position);
    if read.items.len() > limit {
        read.items.truncate(limit);
        read.next = read.items.last().map(|item| item.key.clone());
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        identity::IdentityKey,
        keys::{EventKey, EventType},
    };

    #[test]
    fn bounds_end_at_position_and_range() {
        let at = |second| Instant::from_seconds(second).unwrap();
        let key = |second| {
            SortKey::Event(EventKey::new(
                &IdentityKey::new("key").unwrap(),
                at(second),
                EventType::Message,
                "s",
                &["1"],
            ))
        };
        let mut range = EventRange {
            from: Some(at(10)),
            to: Some(at(20)),
            order: Order::NewestFirst,
        };
        let stored = |second| key(second).to_text();
        let within = |range: &EventRange, position, second| {
            let (low, high) = range.bounds(position);
            low <= stored(second) && stored(second) <= high
        };
        assert!(within(&range, None, 10) && within(&range, None, 19));
        assert!(!within(&range, None, 9) && !within(&range, None, 20));
        let position = key(15);
        assert!(within(&range, Some(&position), 14) && !within(&range, Some(&position), 16));
        range.order = Order::OldestFirst;
        assert!(within(&range, Some(&position), 16) && !within(&range, Some(&position), 14));
        // A place outside the range, which only a forged cursor contains, does not widen the range.
        let (early, late) = (key(5), key(25));
        assert!(!within(&range, Some(&early), 9) && !within(&range, Some(&late), 26));
    }
}
