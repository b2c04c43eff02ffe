//! Cards: the header figures of a profile, as searches and batches return them. Figures are computed from one page of events;
//! if that page cannot decide them, they are `null`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Identity, Personal, Profile, View, attributes, status::cancellation, summary::Relationship,
    versions,
};
use crate::model::{
    erasure::Markers, identity::IdentityId, item::Item, keys::EventType, time::Instant,
};

/// The events of a profile that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// All events.
    All,
    /// At least the events after this time.
    Since(Instant),
}

impl Cover {
    /// Returns the events that both this and a page cover, which ends at `time`.
    #[must_use]
    pub fn and_since(self, time: Instant) -> Self {
        match self {
            Self::All => Self::Since(time),
            Self::Since(other) => Self::Since(other.max(time)),
        }
    }

    /// Returns whether no unread event can be newer than an event at `at`, or replace it as a newer version.
    fn decides(self, at: Instant) -> bool {
        match self {
            Self::All => true,
            Self::Since(time) => at > time.shifted(versions::WINDOW),
        }
    }
}

/// What was read of a profile to compute its card.
#[derive(Clone, Debug)]
pub struct Summarized {
    /// The profile, with the heads of its identities and some of its events.
    pub profile: Profile,
    /// The markers of each identity that was read.
    pub markers: BTreeMap<IdentityId, Markers>,
    /// The events that were read.
    pub cover: Cover,
}

/// The header figures of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// The canonical id.
    pub id: IdentityId,
    /// The customer's name, if a customer record contains one.
    pub name: Option<Personal<String>>,
    /// The identities of the profile.
    pub identities: Vec<Identity>,
    /// Whether the customer has bought; `null` if the events that were read do not decide it.
    pub relationship: Option<Relationship>,
    /// The time of the last purchase; `null` if there is none, or if the events that were read do not decide it.
    pub last_order_at: Option<Instant>,
    /// Whether the profile has data that this response does not consider.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Summarized {
    /// Returns the card as the client can see it.
    pub fn card(&self, view: &View<'_>) -> Card {
        let profile = &self.profile;
        let events = profile.state.events();
        let (relationship, last_order_at) = figures(&events, self.cover);
        Card {
            id: profile.closure.id(),
            name: attributes::name(&profile.state).map(|name| view.show(name)),
            identities: profile.identities(view),
            relationship,
            last_order_at,
            partial: profile.partial || profile.closure.is_partial(),
        }
    }

    /// Returns whether the markers of the item's identity erase it.
    pub fn erases(&self, item: &Item) -> bool {
        self.markers
            .get(&item.identity)
            .is_some_and(|markers| markers.erase(item))
    }
}

/// Returns the relationship and the time of the last purchase. `events` are the shown events, newest first.
fn figures(events: &[&Item], cover: Cover) -> (Option<Relationship>, Option<Instant>) {
    let mut orders = events.iter().filter_map(|item| {
        let key = item.event()?;
        let is_order = key.kind() == EventType::Purchase && cancellation(&item.data).is_none();
        is_order.then(|| key.at())
    });
    match orders.next() {
        Some(at) if cover.decides(at) => (Some(Relationship::Customer), Some(at)),
        None if cover == Cover::All => (Some(Relationship::Prospect), None),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        identity::IdentityKey,
        keys::{EventKey, SortKey},
        value::Map,
        version::{ImportId, Version},
    };

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(seconds).unwrap()
    }

    fn event(kind: EventType, seconds: i64, status: &str) -> Item {
        let key = IdentityKey::new("key").unwrap();
        let mut data = Map::new();
        data.insert("status", status);
        Item::ingested(
            "a".repeat(26).parse().unwrap(),
            SortKey::Event(EventKey::new(&key, at(seconds), kind, "pos", &["1"])),
            Version::new(0, "01", ImportId([0; 8]), 0),
            None,
            data,
        )
    }

    #[test]
    fn figures_need_the_events_that_decide_them() {
        let order = event(EventType::Purchase, 100 * HOUR, "paid");
        let canceled = event(EventType::Purchase, 101 * HOUR, "voided");
        let message = event(EventType::Message, 102 * HOUR, "");
        let customer = (Some(Relationship::Customer), Some(at(100 * HOUR)));
        let prospect = (Some(Relationship::Prospect), None);
        let since = |hour: i64| Cover::Since(at(hour * HOUR));
        for (events, cover, expected) in [
            (vec![&message, &canceled, &order], Cover::All, customer),
            (vec![&message, &canceled, &order], since(75), customer),
            // A newer version of the order can be up to 24 hours earlier.
            (vec![&message, &canceled, &order], since(76), (None, None)),
            (vec![&message, &canceled], Cover::All, prospect),
            (vec![&message, &canceled], since(75), (None, None)),
            (vec![], Cover::All, prospect),
        ] {
            assert_eq!(figures(&events, cover), expected, "{cover:?}");
        }
    }

    #[test]
    fn covers_what_all_pages_cover() {
        let cover = Cover::All.and_since(at(5)).and_since(at(3));
        assert_eq!(cover, Cover::Since(at(5)));
    }
}
