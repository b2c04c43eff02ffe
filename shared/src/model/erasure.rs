//! The erasure rule: one predicate decides which items ingest deletes and keeps out, and which a profile leaves out.
//! It depends on an identity's markers alone, so any order of invocations has the same result.

use std::collections::BTreeSet;

use crate::model::{
    item::Item,
    keys::{Marker, SortKey},
    time::Instant,
    version::Version,
};

/// How long an idempotency record is kept, in seconds. Its time of creation is its expiry minus this duration.
pub const IDEMPOTENCY_SECONDS: i64 = 24 * 60 * 60;

/// The markers of an identity, which decide what is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    erased: Option<Version>,
    suppressed: Option<Version>,
    reinstated: BTreeSet<Version>,
}

impl Markers {
    /// Returns the markers among an identity's items.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut markers = Self::default();
        for item in items {
            if let (SortKey::Marker(marker), Some(version)) = (&item.key, item.version) {
                markers.add(*marker, version);
            }
        }
        markers
    }

    /// Adds a marker. Only the newest erasure and the newest suppression count, but every reinstatement.
    pub fn add(&mut self, marker: Marker, version: Version) {
        match marker {
            Marker::Erased => self.erased = self.erased.max(Some(version)),
            Marker::Suppressed => self.suppressed = self.suppressed.max(Some(version)),
            Marker::Reinstated(version) => {
                self.reinstated.insert(version);
            }
        }
    }

    /// Returns the version of the newest erasure. A suppressed identity has one too.
    pub const fn erased(&self) -> Option<Version> {
        self.erased
    }

    /// Returns the version of the newest erasure, unless a reinstatement is newer.
    pub fn standing_erasure(&self) -> Option<Version> {
        let erased = self.erased?;
        let is_reinstated = self.reinstated.last() > Some(&erased);
        (!is_reinstated).then_some(erased)
    }

    /// Returns whether the identity is suppressed.
    pub const fn is_suppressed(&self) -> bool {
        self.suppressed.is_some()
    }

    /// Returns whether there are no markers.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether these markers of an identity erase `item`, which belongs to that identity or is a link to it.
    ///
    /// E is the newest erasure:
    ///
    /// - An item with a version is erased if its version is not newer than E, regardless of its own time.
    /// - An event or its body is also erased if its own time is not after the time of E's file.
    /// - Records, attributes and links newer than E are also erased, unless there is a reinstatement R with E < R <
    ///   version. `updated_at` is ignored, because exporters set it to the time of the export.
    /// - An item without a version (written by a support agent) is erased if it was created no later than E's file.
    ///
    /// A suppression erases everything, permanently. Markers are never erased.
    pub fn erase(&self, item: &Item) -> bool {
        if matches!(item.key, SortKey::Marker(_)) {
            return false;
        }
        if self.suppressed.is_some() {
            return true;
        }
        let Some(erased) = self.erased else {
            return false;
        };
        let is_not_after =
            |time: Option<i64>| time.is_none_or(|time| time <= erased.last_modified());
        let Some(version) = item.version else {
            return is_not_after(created_at(item));
        };
        version <= erased
            || match &item.key {
                SortKey::Event(key) | SortKey::Body(key) => is_not_after(Some(key.at().seconds())),
                _ => !self.is_reinstated_between(erased, version),
            }
    }

    /// Returns whether an item is an event whose own time is after the newest erasure's file. If it was deleted
    /// nevertheless, a file that is imported later may store it again. A body has the same time as its event, and only
    /// the event is counted.
    pub fn is_dated_ahead(&self, item: &Item) -> bool {
        match (&item.key, self.erased) {
            (SortKey::Event(key), Some(erased)) => key.at().seconds() > erased.last_modified(),
            _ => false,
        }
    }

    /// Returns whether a reinstatement is newer than `erased` and older than `version`.
    fn is_reinstated_between(&self, erased: Version, version: Version) -> bool {
        use std::ops::Bound::Excluded;
        let between = (Excluded(erased), Excluded(version));
        self.reinstated.range(between).next().is_some()
    }
}

/// Returns when a support agent created an item, in whole seconds since 1970. `None` if it is not known.
fn created_at(item: &Item) -> Option<i64> {
    match &item.key {
        SortKey::Note(id) => {
            let (seconds, _) = id.get_timestamp()?.to_unix();
            i64::try_from(seconds).ok()
        }
        SortKey::Request(_) => item.expires_at.map(|end| end - IDEMPOTENCY_SECONDS),
        SortKey::Link { .. } => item
            .data
            .text("at")
            .and_then(Instant::parse)
            .map(Instant::seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::{
        identity::{IdentityId, IdentityKey},
        keys::{EventKey, EventType},
        value::Map,
        version::ImportId,
    };

    fn id(letter: char) -> IdentityId {
        format!("{}a", letter.to_string().repeat(25))
            .parse()
            .unwrap()
    }

    fn version(at: i64) -> Version {
        Version::new(at, "01", ImportId([0; 8]), 0)
    }

    fn item(key: SortKey, at: i64) -> Item {
        Item::ingested(id('a'), key, version(at), None, Map::new())
    }

    fn event(own_time: i64, at: i64) -> Item {
        let own_time = Instant::from_seconds(own_time).unwrap();
        let key = IdentityKey::new("key").unwrap();
        let key = EventKey::new(&key, own_time, EventType::Purchase, "pos", &["1"]);
        item(SortKey::Event(key), at)
    }

    fn record(at: i64, updated_at: Option<i64>) -> Item {
        let mut record = item(SortKey::Record("crm".into()), at);
        if let Some(updated_at) = updated_at {
            let updated_at = Instant::from_seconds(updated_at).unwrap();
            record.data.insert("updated_at", updated_at.to_string());
        }
        record
    }

    fn link(at: i64) -> Item {
        let key = SortKey::Link {
            source: "crm".into(),
            other: id('b'),
        };
        item(key, at)
    }

    fn markers(erased: i64, reinstated: &[i64]) -> Markers {
        let mut markers = Markers::default();
        markers.add(Marker::Erased, version(erased));
        for at in reinstated {
            markers.add(Marker::Reinstated(version(*at)), version(*at));
        }
        markers
    }

    #[test]
    fn erases_older_versions_whatever_their_time() {
        let erased = markers(10, &[]);
        for item in [event(99, 10), event(99, 9), record(9, Some(99)), link(10)] {
            assert!(erased.erase(&item), "{item:?}");
        }
        assert!(!Markers::default().erase(&link(1)));
    }

    #[test]
    fn keeps_newer_events_that_happened_later() {
        let erased = markers(10, &[]);
        assert!(!erased.erase(&event(11, 11)));
        assert!(erased.erase(&event(10, 11)), "it happened before");
        assert!(
            markers(10, &[10, 11]).erase(&event(10, 12)),
            "a reinstatement does not bring old events back"
        );
    }

    #[test]
    fn records_and_links_need_a_reinstatement() {
        for newer in [record(20, None), record(20, Some(99)), link(20)] {
            assert!(markers(10, &[]).erase(&newer));
            assert!(markers(10, &[9]).erase(&newer), "of an earlier erasure");
            assert!(markers(10, &[20, 21]).erase(&newer), "after the item");
            assert!(!markers(10, &[15]).erase(&newer));
            assert!(!markers(10, &[9, 15, 30]).erase(&newer));
            assert!(markers(16, &[15]).erase(&newer), "erased again since");
        }
    }

    #[test]
    fn dated_ahead_are_events_after_the_file() {
        let erased = markers(10, &[]);
        assert!(erased.is_dated_ahead(&event(11, 5)));
        assert!(!erased.is_dated_ahead(&event(10, 5)));
        assert!(!erased.is_dated_ahead(&record(5, Some(11))));
    }

    #[test]
    fn notes_and_requests_go_by_their_creation() {
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, 50, 900_000_000);
        let note = Item {
            version: None,
            ..item(SortKey::Note(Uuid::new_v7(stamp)), 0)
        };
        let request = Item {
            expires_at: Some(50 + IDEMPOTENCY_SECONDS),
            version: None,
            ..item(SortKey::Request("x".into()), 0)
        };
        let mut linked = Item {
            version: None,
            ..link(0)
        };
        linked.data.insert("at", "1970-01-01T00:00:50Z");
        for item in [note, request, linked] {
            assert!(markers(50, &[]).erase(&item) && !markers(49, &[]).erase(&item));
            assert!(markers(50, &[99]).erase(&item), "{item:?}");
        }
    }

    #[test]
    fn suppressions_erase_all_but_markers() {
        let mut markers = markers(10, &[20]);
        markers.add(Marker::Suppressed, version(5));
        assert!(markers.erase(&record(99, Some(99))));
        assert!(!markers.erase(&item(SortKey::Marker(Marker::Erased), 10)));
    }

    proptest! {
        #[test]
        fn markers_combine_in_any_order(said in prop::collection::vec((0_usize..3, 0_i64..9), 0..8), seed in any::<prop::sample::Index>()) {
            let fold = |said: &[(usize, i64)]| said.iter().fold(Markers::default(), |mut all, (kind, at)| {
                let version = version(*at);
                all.add([Marker::Erased, Marker::Reinstated(version), Marker::Suppressed][*kind], version);
                all
            });
            let mut turned = said.clone();
            if !turned.is_empty() {
                let by = seed.index(turned.len());
                turned.rotate_left(by);
            }
            turned.extend_from_slice(&said);
            prop_assert_eq!(fold(&said), fold(&turned));
        }

        /// If the newer of two items with one key is erased, so is the older. The newest item never hides an older one
        /// that is left.
        #[test]
        fn an_older_item_never_outlives_a_newer_one(erased in 0_i64..9, reinstated in prop::collection::vec(0_i64..9, 0..3), older in 0_i64..9, newer in 0_i64..9) {
            prop_assume!(older <= newer);
            let markers = markers(erased, &reinstated);
            for make in [(|at| record(at, None)) as fn(i64) -> Item, link, |at| event(5, at)] {
                prop_assert!(!markers.erase(&make(newer)) || markers.erase(&make(older)));
            }
        }
    }

    #[test]
    fn markers_report_the_erasure() {
        assert!(Markers::default().is_empty());
        assert_eq!(Markers::default().erased(), None);
        let markers = markers(7, &[]);
        assert_eq!(
            (markers.is_empty(), markers.erased()),
            (false, Some(version(7)))
        );
    }
}
