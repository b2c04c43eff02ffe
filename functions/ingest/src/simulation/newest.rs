//! Tests last write wins exhaustively. Every history of a few writes of one item is played in every order and with every
//! repetition, with the statements that ingest sends. Every order of a few rows that are events, records, links and erasures is
//! played too.

use shared::{
    model::{
        identifier::Identifier,
        identity::{IdentityId, IdentityKey},
        item::Item,
        keys::SortKey,
        value::Map,
        version::{ImportId, Version},
    },
    table::{self, BATCH_SIZE, Consistency, Write},
};
use tests::model::{Drop, Forget, Row, When};

use super::{schedules::Stage, *};
use crate::store::{queued::Outcome as Verdict, write};

/// The number of versions. Each belongs to a different import.
const VERSIONS: usize = 4;
/// The content of a version: one of two values, or nothing, as in a tombstone.
const BODIES: [&str; 3] = ["a", "b", ""];

fn version(number: usize) -> Version {
    let number = u8::try_from(number).unwrap();
    Version::new(
        1_790_000_000 + i64::from(number / 2),
        "01",
        ImportId([number; 8]),
        7,
    )
}

/// Returns all sequences of this length over this many symbols.
fn sequences(symbols: usize, length: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..symbols.pow(length as u32)).map(move |mut number| {
        let symbol = |_| {
            let symbol = number % symbols;
            number /= symbols;
            symbol
        };
        (0..length).map(symbol).collect()
    })
}

/// `NEWEST_WRITES` is the maximum number of writes of a history.
#[test]
fn small_histories_end_in_newest_version() {
    let longest = number("NEWEST_WRITES", 3) as usize;
    let link = json!({"mobile": "5550001"});
    let link = Identifier::from_json(link.as_object().unwrap()).unwrap();
    let id = IdentityKey::new("simulation").unwrap().identity(&link);
    // Each history has its own item, so a request executes one step of 25 histories.
    let mut histories = Vec::new();
    for length in 1..=longest {
        for order in sequences(VERSIONS, length) {
            let versions = 1 + order.iter().max().unwrap();
            // The contents of versions above the highest one written make no difference.
            for bodies in sequences(BODIES.len(), versions) {
                histories.push((order.clone(), bodies));
            }
        }
    }
    clock().block_on(async {
        for batch in histories.chunks(BATCH_SIZE) {
            let (world, _events) =
                World::new(wire::database(), Bucket::default(), 0, Deaths::default());
            let (killer, _killed) = tokio::sync::oneshot::channel();
            let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
            for step in 0..longest {
                let going = || {
                    batch
                        .iter()
                        .enumerate()
                        .filter(|(_, (order, _))| order.len() > step)
                };
                for number in 0..VERSIONS {
                    let now = || going().filter(|(_, (order, _))| order[step] == number);
                    let writes: Vec<_> = now()
                        .map(|(place, (_, bodies))| write_of(&id, place, number, bodies))
                        .collect();
                    if writes.is_empty() {
                        continue;
                    }
                    let import = ImportId([u8::try_from(number).unwrap(); 8]);
                    let verdicts = write::all(&app.table, import, writes).await.unwrap();
                    for ((_, (order, bodies)), verdict) in now().zip(verdicts) {
                        let is_newest = order[..step].iter().all(|earlier| *earlier <= number);
                        let expected = if is_newest {
                            Verdict::Stored
                        } else {
                            Verdict::Stale
                        };
                        assert_eq!(verdict, expected, "{order:?} {bodies:?}, step {step}");
                    }
                }
            }
            let items = app
                .table
                .identity(&id, Consistency::Strong, &shared::table::Budget::profile())
                .await
                .unwrap()
                .items;
            assert_eq!(items.len(), batch.len());
            for (place, (order, bodies)) in batch.iter().enumerate() {
                let newest = *order.iter().max().unwrap();
                let item = items.iter().find(|item| item.key == key_of(place)).unwrap();
                let found = (item.version, item.data.text("says").unwrap_or_default());
                assert_eq!(
                    found,
                    (Some(version(newest)), BODIES[bodies[newest]]),
                    "{order:?} {bodies:?}"
                );
            }
        }
    });
    eprintln!("{} histories", histories.len());
}

fn key_of(place: usize) -> SortKey {
    SortKey::Record(format!("source{place}"))
}

fn write_of(id: &IdentityId, place: usize, number: usize, bodies: &[usize]) -> Write {
    let mut data = Map::new();
    if !BODIES[bodies[number]].is_empty() {
        data.insert("says", BODIES[bodies[number]]);
    }
    let item = Item::ingested(id.clone(), key_of(place), version(number), None, data);
    Write::item(&item).unwrap()
}

/// If the two sides of a link were stored separately, only one of them could be left. An erasure could delete one side while a
/// late invocation stores the other. The erased identity would then be named in another identity's partition, where nothing leads
/// to it.
#[test]
fn stores_both_sides_of_link_or_neither() {
    let [a, b] = [0, 1].map(schedules::id);
    let side = |own: &IdentityId, other: &IdentityId, number| {
        let key = SortKey::Link {
            source: "crm".to_owned(),
            other: other.clone(),
        };
        Item::ingested(own.clone(), key, version(number), None, Map::new())
    };
    let both = |number| [side(&a, &b, number), side(&b, &a, number)];
    clock().block_on(async {
        let (world, _events) =
            World::new(wire::database(), Bucket::default(), 0, Deaths::default());
        let (killer, _) = tokio::sync::oneshot::channel();
        let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
        // The state during an erasure: the far side is deleted, the own side is not.
        app.table
            .insert(&[&Write::item(&both(1)[0]).unwrap()])
            .await
            .unwrap();
        for held in [0, 1] {
            let (verdict, _) = app.table.put_both(&both(held)).await.unwrap();
            assert_eq!(verdict, table::Verdict::NotNewer(version(1)));
            assert_eq!(wire::items(&world.database).len(), 1);
        }
        let (verdict, units) = app.table.put_both(&both(2)).await.unwrap();
        assert_eq!((verdict, units), (table::Verdict::Stored, 4.0));
        assert_eq!(wire::items(&world.database).len(), 2);
    });
}

/// Returns one row of each kind, about one customer or between two.
fn rows() -> [Row; 10] {
    let event = |at, moved| Row::Event {
        customer: 0,
        name: 0,
        at,
        moved,
    };
    let record = |updated| Row::Record {
        customer: 0,
        updated,
    };
    let link = |live| Row::Link { a: 0, b: 1, live };
    let forget = |kind| Row::Forget { customer: 0, kind };
    [
        event(When::Past, false),
        event(When::Future, true),
        event(When::Past, true),
        record(None),
        record(Some(When::Future)),
        link(true),
        link(false),
        forget(Forget::Erase),
        forget(Forget::Suppress),
        forget(Forget::Reinstate),
    ]
}

/// `NEWEST_ROWS` is the number of rows. `NEWEST_STRIDE` leaves cases out: 1 tests all of them.
///
/// Every list of rows, from the oldest to the newest, is delivered in every order, with none or any one of them twice.
#[test]
fn any_order_of_rows_gives_same_profiles() {
    let count = number("NEWEST_ROWS", 3) as usize;
    let stride = number("NEWEST_STRIDE", 997) as usize;
    let all = rows();
    let mut cases = Vec::new();
    for chosen in sequences(all.len(), count) {
        let drops: Vec<_> = chosen
            .iter()
            .enumerate()
            .map(|(place, row)| Drop {
                key: u8::try_from(place).unwrap(),
                rows: vec![all[*row].clone()],
                copies: 1,
                deleted: false,
            })
            .collect();
        for length in [count, count + 1] {
            let orders = sequences(count, length);
            let complete = orders.filter(|order| (0..count).all(|place| order.contains(&place)));
            cases.extend(complete.map(|order| (drops.clone(), order)));
        }
    }
    let played = cases.iter().step_by(stride);
    eprintln!("{} of {} orders", played.len(), cases.len());
    for (drops, order) in played {
        clock().block_on(async {
            let stage = Stage::new(drops.clone(), 0, ONE_RANGE);
            for place in order {
                stage.deliver(*place).await;
            }
            stage.check(order, Some(order)).await;
        });
    }
}
