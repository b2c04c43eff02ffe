//! Erasure: the one rule by which items are deleted, kept out by ingest, and left out when a profile is folded.
//! What an identity's markers say is all that the rule needs, so any order of runs comes to the same.

use crate::{
    item::Item,
    keys::{Marker, SortKey},
    time::Instant,
    version::Version,
};

/// For how long a note request is remembered, in seconds: its item knows its own time by its end.
pub const REMEMBERED_SECONDS: i64 = 24 * 60 * 60;

/// What was said of an identity's erasure: of each kind the newest word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    erased: Option<Version>,
    reinstated: Option<Version>,
    suppressed: Option<Version>,
}

impl Markers {
    /// The markers among an identity's items.
    pub fn of<'a>(items: impl IntoIterator<Item = &'a Item>) -> Self {
        let mut markers = Self::default();
        for item in items {
            if let (SortKey::Marker(marker), Some(version)) = (&item.key, item.version) {
                markers.add(*marker, version);
            }
        }
        markers
    }

    /// Takes a marker in, unless a newer one of its kind is known.
    pub fn add(&mut self, marker: Marker, version: Version) {
        let held = match marker {
            Marker::Erased => &mut self.erased,
            Marker::Reinstated => &mut self.reinstated,
            Marker::Suppressed => &mut self.suppressed,
        };
        *held = (*held).max(Some(version));
    }

    /// The version of the erasure, if there was one. A suppression is one too.
    pub const fn erased(&self) -> Option<Version> {
        self.erased
    }

    /// Whether nothing was ever said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether these markers of an identity erase `item`, which is of that identity, or a link to it.
    ///
    /// What has a time of its own is erased if that is not after the erasure. What has none (links, records without
    /// `updated_at`) is erased unless both it and a reinstatement are newer than the erasure. A suppression erases
    /// all, for good. Markers stay.
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
        match own_time(item) {
            Some(time) => time <= erased.last_modified(),
            None => item.version <= Some(erased) || self.reinstated <= Some(erased),
        }
    }
}

/// The time that an item itself tells, in whole seconds since 1970: an event's `action_at`, a record's `updated_at`, a
/// note's creation.
pub fn own_time(item: &Item) -> Option<i64> {
    match &item.key {
        SortKey::Event(key) | SortKey::Body(key) => Some(key.at().seconds()),
        SortKey::Record(_) | SortKey::Attributes { .. } => item
            .data
            .text("updated_at")
            .and_then(Instant::parse)
            .map(Instant::seconds),
        SortKey::Note(id) => {
            let (seconds, _) = id.get_timestamp()?.to_unix();
            i64::try_from(seconds).ok()
        }
        SortKey::Again(_) => item.expires_at.map(|end| end - REMEMBERED_SECONDS),
        SortKey::Link(_) | SortKey::Marker(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        identity::IdentityId,
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

    fn item(key: SortKey, at: i64, updated_at: Option<i64>) -> Item {
        let mut data = Map::new();
        data.insert("x", "y");
        if let Some(updated_at) = updated_at {
            data.insert(
                "updated_at",
                Instant::from_seconds(updated_at).unwrap().to_string(),
            );
        }
        Item::ingested(id('a'), key, version(at), None, data)
    }

    fn markers(erased: i64, reinstated: Option<i64>) -> Markers {
        let mut markers = Markers::default();
        markers.add(Marker::Erased, version(erased));
        if let Some(reinstated) = reinstated {
            markers.add(Marker::Reinstated, version(reinstated));
        }
        markers
    }

    #[test]
    fn own_times_decide_and_then_reinstatements() {
        let event = |at| {
            item(
                SortKey::Event(EventKey::new(
                    Instant::from_seconds(at).unwrap(),
                    EventType::Purchase,
                    "pos",
                    &["1"],
                )),
                99,
                None,
            )
        };
        let record = |at, updated_at| item(SortKey::Record("crm".into()), at, updated_at);
        let link = |at| item(SortKey::Link(id('b')), at, None);
        let erased = markers(10, None);
        assert!(erased.erase(&event(10)) && !erased.erase(&event(11)));
        assert!(erased.erase(&record(99, Some(10))) && !erased.erase(&record(5, Some(11))));
        assert!(
            erased.erase(&record(99, None)) && erased.erase(&link(99)),
            "nothing brings them back by itself"
        );
        let back = markers(10, Some(20));
        assert!(
            back.erase(&record(9, None))
                && !back.erase(&record(11, None))
                && !back.erase(&link(11))
        );
        assert!(back.erase(&event(10)));
        assert!(
            markers(10, Some(9)).erase(&link(99)),
            "that reinstatement is of an earlier erasure"
        );
        assert!(!Markers::default().erase(&link(1)));
    }

    #[test]
    fn notes_and_their_requests_know_when_they_were_made() {
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, 50, 900_000_000);
        let note = Item {
            version: None,
            ..item(SortKey::Note(Uuid::new_v7(stamp)), 0, None)
        };
        assert!(markers(50, None).erase(&note) && !markers(49, None).erase(&note));
        let again = Item {
            expires_at: Some(50 + REMEMBERED_SECONDS),
            version: None,
            ..item(SortKey::Again("x".into()), 0, None)
        };
        assert!(markers(50, None).erase(&again) && !markers(49, None).erase(&again));
    }

    #[test]
    fn a_suppression_is_for_good_and_markers_stay() {
        let mut markers = markers(10, Some(20));
        markers.add(Marker::Suppressed, version(5));
        assert!(markers.erase(&item(SortKey::Record("crm".into()), 99, Some(99))));
        assert!(!markers.erase(&item(SortKey::Marker(Marker::Erased), 10, None)));
    }

    proptest! {
        #[test]
        fn markers_come_in_any_order(said in prop::collection::vec((0_usize..3, 0_i64..9), 0..8), seed in any::<prop::sample::Index>()) {
            let kinds = [Marker::Erased, Marker::Reinstated, Marker::Suppressed];
            let fold = |said: &[(usize, i64)]| said.iter().fold(Markers::default(), |mut all, (kind, at)| { all.add(kinds[*kind], version(*at)); all });
            let mut turned = said.clone();
            if !turned.is_empty() {
                let by = seed.index(turned.len());
                turned.rotate_left(by);
            }
            turned.extend_from_slice(&said);
            prop_assert_eq!(fold(&said), fold(&turned));
        }
    }

    #[test]
    fn markers_say_what_was_said() {
        assert!(Markers::default().is_empty());
        assert_eq!(Markers::default().erased(), None);
        let markers = markers(7, None);
        assert_eq!(
            (markers.is_empty(), markers.erased()),
            (false, Some(version(7)))
        );
    }
}
