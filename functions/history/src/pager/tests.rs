//! Checks that pages of any size, order and filter contain the same events as the fold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use shared::{
    model::{
        identifier::Identifier,
        identity::IdentityKey,
        version::{ImportId, Version},
    },
    profile::{State, channel::normal_channel},
};

use super::*;

const HOUR: i64 = 3_600_000_000;
/// Noon (UTC) of a day, in microseconds.
const NOON: i64 = 1_700_049_600_000_000;

fn identity(n: u8) -> IdentityId {
    let object = serde_json::json!({ "customer_id": format!("c-{n}") });
    let identifier = Identifier::from_json(object.as_object().unwrap()).unwrap();
    IdentityKey::new("key").unwrap().identity(&identifier)
}

fn at(microseconds: i64) -> Instant {
    Instant::from_seconds(0).unwrap().shifted(microseconds)
}

fn event(owner: u8, kind: EventType, id: &str, time: i64, written: u64) -> Item {
    let mut data = Map::new();
    data.insert(
        "type",
        ["ecommerce", "physical"][usize::try_from(written % 2).unwrap()],
    );
    data.insert(
        "channel",
        ["web chat", "WebChat", "post"][usize::try_from(written % 3).unwrap()],
    );
    let key = SortKey::Event(EventKey::new(
        &IdentityKey::new("key").unwrap(),
        at(NOON + time),
        kind,
        "shop",
        &[id],
    ));
    let version = Version::new(1_800_000_000, "01", ImportId([1; 8]), written);
    Item::ingested(identity(owner), key, version, None, data)
}

/// The partitions of a table, each sorted.
type Stored = BTreeMap<IdentityId, Vec<Item>>;

fn stored(items: &[Item]) -> Stored {
    let state: State = items.iter().cloned().collect();
    let mut stored = Stored::new();
    for item in state.items() {
        stored
            .entry(item.identity.clone())
            .or_default()
            .push(item.clone());
    }
    stored
}

/// Returns the table's response to a read.
fn respond(stored: &Stored, range: &EventRange, wanted: &Wanted) -> Items {
    let mut items: Vec<_> = stored.get(&wanted.identity).cloned().unwrap_or_default();
    items.retain(|item| {
        let key = item.event().unwrap();
        range.from.is_none_or(|from| key.at() >= from) && range.to.is_none_or(|to| key.at() < to)
    });
    if range.order == Order::NewestFirst {
        items.reverse();
    }
    if let Some(place) = &wanted.after {
        let SortKey::Event(place) = place else {
            panic!("{place:?}")
        };
        items.retain(|item| is_before(place, item.event().unwrap(), range.order));
    }
    let more = items.len() > wanted.limit;
    items.truncate(wanted.limit);
    let next = items.last().filter(|_| more).map(|item| item.key.clone());
    Items {
        items,
        next,
        ..Items::default()
    }
}

/// The parameters for paging through a history.
#[derive(Clone, Debug)]
struct Paging {
    limit: usize,
    /// The number of events to keep of a longer page, as when a response is cut to its maximum size.
    cut: usize,
    /// The number of events in the first read of an identity.
    read: usize,
    budget: usize,
}

/// Returns all pages of a history, and the number of reads.
fn page_through(stored: &Stored, filter: &Filter, paging: &Paging) -> (Vec<Vec<Item>>, usize) {
    let (mut pages, mut reads, mut begin) = (Vec::new(), 0, None);
    loop {
        let identities = stored.keys().cloned().collect();
        let mut pager = Pager::new(filter, identities, begin.clone(), paging.limit);
        pager.budget = paging.budget;
        for source in &mut pager.sources {
            source.limit = paging.read;
        }
        let range = pager.range().clone();
        let merged = loop {
            match pager.step() {
                Step::Done(merged) => break merged,
                Step::Read(wanted) => {
                    reads += wanted.len();
                    for wanted in wanted {
                        let items = respond(stored, &range, &wanted);
                        pager.fill(&wanted, items);
                    }
                }
            }
        };
        let mut items: Vec<_> = merged.items().cloned().collect();
        let mut next = merged.next.clone();
        if items.len() > paging.cut {
            items.truncate(paging.cut);
            next = merged.position_after(paging.cut - 1);
        } else if next.is_some() && !merged.partial {
            assert_eq!(items.len(), paging.limit, "only the last page may be short");
            assert_eq!(next, merged.position_after(paging.limit - 1));
        }
        pages.push(items);
        let Some(place) = next else {
            return (pages, reads);
        };
        let advance = begin.as_ref().is_none_or(|begin: &EventPosition| {
            begin.since.is_some()
                && place
                    == EventPosition {
                        since: None,
                        ..begin.clone()
                    }
                || is_before(&begin.after, &place.after, filter.range.order)
        });
        assert!(advance, "from {begin:?} to {place:?}");
        assert_eq!(
            EventPosition::parse(&place.to_text()).as_ref(),
            Some(&place)
        );
        begin = Some(place);
        assert!(pages.len() < 1_000);
    }
}

/// Returns the events that the fold shows and the filter passes.
fn folded(items: &[Item], filter: &Filter) -> Vec<Item> {
    let state: State = items.iter().cloned().collect();
    let mut shown: Vec<_> = state.events().into_iter().cloned().collect();
    if filter.range.order == Order::OldestFirst {
        shown.reverse();
    }
    shown.retain(|item| filter.includes(item.event().unwrap().at()) && filter.passes(item));
    shown
}

const KINDS: [EventType; 3] = [
    EventType::Purchase,
    EventType::Message,
    EventType::EmailOpen,
];

fn items() -> impl Strategy<Value = Vec<Item>> {
    // Few ids, and times near multiples of 12 hours, give chains, versions exactly 24 hours apart and versions at the same time.
    let time = prop_oneof![
        (0_i64..10, -1_i64..2).prop_map(|(half_days, more)| half_days * 12 * HOUR + more),
        0_i64..120 * HOUR,
    ];
    let item = (
        0_u8..3,
        prop::sample::select(KINDS.to_vec()),
        "[ab]",
        time,
        0_u8..8,
    );
    prop::collection::vec(item, 0..40).prop_map(|drawn| {
        let mut order: Vec<_> = (0..drawn.len() as u64).collect();
        // The order of versions must not follow the order of times.
        order.sort_by_key(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let items = drawn.into_iter().zip(order);
        items
            .map(|((owner, kind, id, time, moved), written)| {
                let mut item = event(owner, kind, &id, time, written);
                if moved == 0 {
                    item.data = Map::new();
                }
                item
            })
            .collect()
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let moment = || prop::option::of((0_i64..10).prop_map(|n| at(NOON + n * 12 * HOUR)));
    let types = prop::collection::btree_set(prop::sample::select(KINDS.to_vec()), 0..2);
    let channel = prop::option::weighted(0.3, Just(normal_channel("Web-Chat")));
    let order = prop::sample::select(vec![Order::NewestFirst, Order::OldestFirst]);
    (types, channel, moment(), moment(), order).prop_map(|(types, channel, from, to, order)| {
        Filter {
            types: types.into_iter().collect::<BTreeSet<_>>(),
            channel,
            account: None,
            range: EventRange { from, to, order },
        }
    })
}

fn paging() -> impl Strategy<Value = Paging> {
    (1_usize..8, 1_usize..8, 1_usize..12).prop_map(|(limit, cut, read)| Paging {
        limit,
        cut,
        read,
        budget: MAX_EXAMINED,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn pages_hold_what_the_fold_shows(items in items(), filter in filter(), paging in paging()) {
        let (pages, _) = page_through(&stored(&items), &filter, &paging);
        prop_assert_eq!(pages.concat(), folded(&items, &filter));
    }

    /// If there is too much to read, an event may be shown beside its newer version, but none is hidden.
    #[test]
    fn partial_pages_end_and_hide_nothing(
        items in items(), filter in filter(), paging in paging(), budget in 1_usize..20,
    ) {
        let paging = Paging { budget, ..paging };
        let (pages, _) = page_through(&stored(&items), &filter, &paging);
        let found = pages.concat();
        let keys: Vec<_> = found.iter().filter_map(Item::event).collect();
        let is_ordered = keys.is_sorted_by(|a, b| is_before(a, b, filter.range.order));
        prop_assert!(is_ordered, "each once, in order");
        for item in folded(&items, &filter) {
            prop_assert!(found.contains(&item));
        }
    }
}

fn all() -> Filter {
    Filter::default()
}

fn usual(limit: usize) -> Paging {
    Paging {
        limit,
        cut: limit,
        read: limit + 1 + LOOK_AHEAD,
        budget: MAX_EXAMINED,
    }
}

#[test]
fn a_version_is_found_across_a_border() {
    use EventType::Purchase;
    // For ids a and b the older version is shown last, for c first.
    let items = [
        event(0, Purchase, "a", 10 * HOUR, 9),
        event(0, Purchase, "b", 9 * HOUR, 8),
        event(0, Purchase, "c", 8 * HOUR, 1),
        event(0, Purchase, "a", 7 * HOUR, 2),
        event(0, Purchase, "d", 6 * HOUR, 3),
        event(0, Purchase, "b", 5 * HOUR, 4),
        event(0, Purchase, "c", 4 * HOUR, 5),
    ];
    let (pages, _) = page_through(&stored(&items), &all(), &usual(1));
    let hours = |page: &Vec<Item>| {
        let hour = |item: &Item| (item.event().unwrap().at().microseconds() - NOON) / HOUR;
        page.iter().map(hour).collect::<Vec<_>>()
    };
    assert_eq!(
        pages.iter().map(hours).collect::<Vec<_>>(),
        [[10], [9], [6], [4]]
    );
}

/// The events are on different days, so the events read for the page are enough.
#[test]
fn a_page_takes_one_read_of_each_identity() {
    let items: Vec<_> = (0..100)
        .map(|n| {
            event(
                0,
                EventType::Purchase,
                &n.to_string(),
                n * 7 * HOUR,
                n.unsigned_abs(),
            )
        })
        .collect();
    for limit in [1, 25, 50] {
        let (pages, reads) = page_through(&stored(&items), &all(), &usual(limit));
        assert_eq!((pages.len(), reads), (100 / limit, 100 / limit), "{limit}");
    }
}

/// Eleven events a day: the page's last versions are outside the first read. The second read must not read four times as much.
#[test]
fn a_busy_day_takes_a_second_read_of_the_same_size() {
    let items: Vec<_> = (0..300)
        .map(|n| {
            event(
                0,
                EventType::Purchase,
                &n.to_string(),
                n * 2 * HOUR + n * HOUR / 5,
                n.unsigned_abs(),
            )
        })
        .collect();
    let stored = stored(&items);
    let filter = all();
    let mut pager = Pager::new(&filter, stored.keys().cloned().collect(), None, 10);
    let range = pager.range().clone();
    let mut limits = Vec::new();
    let merged = loop {
        match pager.step() {
            Step::Done(merged) => break merged,
            Step::Read(wanted) => {
                for wanted in wanted {
                    limits.push(wanted.limit);
                    pager.fill(&wanted, respond(&stored, &range, &wanted));
                }
            }
        }
    };
    assert_eq!(merged.items().count(), 10);
    assert_eq!(limits, [19, 19]);
}

/// Openings have no versions, so no events beyond the page are read for them, even if a day contains many.
#[test]
fn nothing_is_read_ahead_of_events_without_versions() {
    let items: Vec<_> = (0..1_000)
        .map(|n| event(0, EventType::EmailOpen, &n.to_string(), n, n.unsigned_abs()))
        .collect();
    let (pages, reads) = page_through(&stored(&items), &all(), &usual(100));
    assert_eq!((pages.len(), reads), (10, 10));
}

#[test]
fn a_day_with_too_much_to_read_is_paged_to_its_end() {
    let mut items: Vec<_> = (0..20_000)
        .map(|n| event(0, EventType::EmailOpen, &n.to_string(), n, n.unsigned_abs()))
        .collect();
    items.push(event(0, EventType::Purchase, "p", 30_000, 1));
    items.push(event(0, EventType::Purchase, "q", 29_000, 1));
    let purchases = Filter {
        types: BTreeSet::from([EventType::Purchase]),
        ..all()
    };
    let (pages, _) = page_through(&stored(&items), &purchases, &usual(1));
    let found = pages.concat();
    assert_eq!(found.len(), 2);
    let (pages, _) = page_through(&stored(&items), &all(), &usual(100));
    assert_eq!(pages.concat().len(), 20_002);
}

/// With large events, a read returns fewer than requested.
#[test]
fn a_page_ends_after_its_share_of_reads() {
    let items: Vec<_> = (0..100)
        .map(|n| event(0, EventType::Purchase, &n.to_string(), n, n.unsigned_abs()))
        .collect();
    let stored = stored(&items);
    let filter = all();
    let mut pager = Pager::new(&filter, stored.keys().cloned().collect(), None, 100);
    let merged = loop {
        match pager.step() {
            Step::Done(merged) => break merged,
            Step::Read(wanted) => {
                let range = pager.range().clone();
                let small = Wanted {
                    limit: 1,
                    after: wanted[0].after.clone(),
                    identity: wanted[0].identity.clone(),
                    source: 0,
                };
                pager.fill(&wanted[0], respond(&stored, &range, &small));
            }
        }
    };
    assert!(merged.partial);
    assert_eq!(merged.items().count(), MAX_READS);
    let last = merged.items().last().and_then(Item::event).cloned();
    assert_eq!(merged.next.map(|place| place.after), last);
}
