//! Versions: among events of one id that are less than 24 hours apart, the newest version is shown.

use super::*;
use crate::profile::cursor::PositionIn;
use crate::profile::versions::{self, EventPosition};

const HOUR: i64 = 3_600_000_000;

/// Creates an event with this type and id, `time` microseconds after `at(1)`.
fn sent(owner: u8, kind: EventType, id: &str, time: i64, written: u8) -> Item {
    let (identity, link) = identity(owner);
    let key = EventKey::new(
        &IdentityKey::new("key").unwrap(),
        at(1).shifted(time),
        kind,
        "shop",
        &[id],
    );
    let data = order(id, "1.00", "1");
    Item::ingested(
        identity,
        SortKey::Event(key),
        version(written),
        Some(link),
        data,
    )
}

/// Returns the numbers of the shown versions, oldest event first.
fn shown(items: &[Item]) -> Vec<u8> {
    let state: State = items.iter().cloned().collect();
    let mut shown = state.events();
    shown.reverse();
    let numbers = shown.iter().map(|item| {
        (0..u8::MAX)
            .find(|n| item.version == Some(version(*n)))
            .unwrap()
    });
    numbers.collect()
}

#[test]
fn the_newest_version_is_shown() {
    use EventType::{
        EmailBounce, EmailClick, EmailOpen, EmailSend, Message, Purchase, Return, SmsSend,
    };
    let pair = |kind, apart, first, second| {
        shown(&[
            sent(0, kind, "a", 0, first),
            sent(0, kind, "a", apart, second),
        ])
    };
    for kind in [Purchase, Return, Message, EmailSend, SmsSend, EmailBounce] {
        assert_eq!(pair(kind, 437_000, 1, 2), [2], "{kind}");
        assert_eq!(pair(kind, 24 * HOUR - 1, 2, 1), [2], "{kind}");
        assert_eq!(pair(kind, 24 * HOUR, 2, 1), [2, 1], "{kind}");
    }
    for kind in [EmailOpen, EmailClick] {
        assert_eq!(pair(kind, 1, 1, 2), [1, 2], "{kind}");
    }
    // An event with another id or type is another event.
    let items = [
        sent(0, Purchase, "a", 0, 1),
        sent(0, Purchase, "b", 1, 2),
        sent(0, Return, "a", 2, 3),
    ];
    assert_eq!(shown(&items), [1, 2, 3]);
    // An event of another identity can be the same event.
    assert_eq!(
        shown(&[
            sent(0, Purchase, "a", 0, 2),
            sent(1, Purchase, "a", HOUR, 1)
        ]),
        [2]
    );
}

#[test]
fn chains_are_decided_pair_by_pair() {
    let chain = |versions: &[u8]| {
        let item = |(n, written): (usize, &u8)| {
            let hours = i64::try_from(n).unwrap() * 20;
            sent(0, EventType::Purchase, "a", hours * HOUR, *written)
        };
        shown(&versions.iter().enumerate().map(item).collect::<Vec<_>>())
    };
    assert_eq!(chain(&[1, 2, 3]), [3]);
    assert_eq!(chain(&[3, 2, 1]), [3]);
    assert_eq!(chain(&[1, 3, 2]), [3]);
    assert_eq!(chain(&[2, 1, 3]), [2, 3]);
    assert_eq!(chain(&[4, 1, 3, 2]), [4, 3]);
}

#[test]
fn a_moved_event_replaces_nothing() {
    let mut tombstone = sent(0, EventType::Purchase, "a", HOUR, 9);
    tombstone.data = Map::new();
    let items = [
        sent(0, EventType::Purchase, "a", 0, 1),
        sent(0, EventType::Purchase, "a", HOUR, 2),
        tombstone,
    ];
    assert_eq!(shown(&items), [1]);
}

#[test]
fn figures_count_the_newest_version() {
    let items = [
        event(0, 1, EventType::Purchase, "p", 1, order("p", "80.00", "1")),
        sent(0, EventType::Purchase, "p", 437_000, 2),
    ];
    let document: serde_json::Value = serde_json::from_str(&document(&items)).unwrap();
    let summary = &document["summary"];
    assert_eq!(
        (&summary["orders"], &summary["total_spend"][0]["amount"]),
        (&1.into(), &"1.00".into())
    );
    assert_eq!(document["history"]["items"].as_array().unwrap().len(), 1);
    let newest = serde_json::to_value(at(1).shifted(437_000)).unwrap();
    assert_eq!(
        (&summary["last_event_at"], &summary["first_order_at"]),
        (&newest, &newest)
    );
}

/// The newer version is the last event of the first page; the event that it replaces would be on the second.
#[test]
fn a_first_pages_cursor_knows_what_it_replaces() {
    let mut items: Vec<_> = (0..30)
        .map(|n| {
            sent(
                0,
                EventType::EmailOpen,
                &n.to_string(),
                -i64::from(n) * HOUR,
                n,
            )
        })
        .collect();
    items.push(sent(0, EventType::Purchase, "a", -24 * HOUR + 1, 200));
    let next = |items: &[Item]| {
        let document: serde_json::Value = serde_json::from_str(&document(items)).unwrap();
        let cursor = document["history"]["next"].as_str().unwrap().to_owned();
        let position =
            PositionIn::decode(Listing::History, "", &cursor, EventPosition::parse).unwrap();
        position.within(&Closure::new(identity(0).0)).unwrap()
    };
    let purchase = items.last().unwrap().event().unwrap().clone();
    assert_eq!(
        next(&items),
        EventPosition {
            after: purchase.clone(),
            since: None
        }
    );
    items.push(sent(0, EventType::Purchase, "a", -26 * HOUR, 1));
    assert_eq!(
        next(&items),
        EventPosition {
            since: Some(purchase.at()),
            after: purchase
        }
    );
}

proptest! {
    #[test]
    fn an_event_is_shown_if_no_version_is_newer(
        drawn in prop::collection::vec((0_u8..2, 0_i64..8, -1_i64..2, any::<bool>()), 0..24),
    ) {
        let items: Vec<_> = drawn
            .iter()
            .zip(0_u8..)
            .map(|((owner, half_days, more, odd), n)| {
                let written = n.wrapping_mul(37) % 101;
                let id = if *odd { "a" } else { "b" };
                settle(sent(*owner, EventType::Purchase, id, half_days * 12 * HOUR + more, written))
            })
            .collect();
        let state: State = items.iter().cloned().collect();
        let all = state.keyed_events();
        let expected: Vec<_> = all
            .iter()
            .filter(|item| {
                let key = item.event().unwrap();
                !all.iter().any(|other| {
                    let other_key = other.event().unwrap();
                    let apart = (other_key.at().microseconds() - key.at().microseconds()).abs();
                    other_key.hash() == key.hash()
                        && apart < 24 * HOUR
                        && (other.version, other_key) > (item.version, key)
                })
            })
            .copied()
            .collect();
        prop_assert_eq!(versions::shown(&all), expected);
    }
}
