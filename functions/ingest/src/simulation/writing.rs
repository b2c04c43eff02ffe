//! Tests the writer with unexpected items and responses. The number of rounds is bounded, and only a row that cannot be stored is
//! rejected.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::{
    model::{
        identifier::Identifier,
        identity::{IdentityId, IdentityKey},
        item::Item,
        keys::SortKey,
        value::Map,
        version::{ImportId, Version},
    },
    table::{TableError, Write},
};

use super::{
    wire::{Bucket, Tamper, Wire},
    *,
};
use crate::{
    erasure,
    record::MappedRecord,
    rows::Row,
    store::{
        queued::Outcome as Verdict,
        write::{self, RowVerdict, Writer},
    },
};

/// The import that writes here. Other imports are older or newer.
const OWN: ImportId = ImportId([5; 8]);
const SECONDS: i64 = 1_790_000_000;
/// Longer than any bounded number of rounds takes.
const BOUND: Duration = Duration::from_secs(120);

/// Returns values of `version` that a manual repair or a restore may leave: no attribute, another type, or other bytes.
fn malformed() -> Vec<Option<Value>> {
    let mut malformed = vec![None];
    malformed.extend(
        [
            json!({"S": "2026-01-01"}),
            json!({"N": "9"}),
            json!({"BOOL": true}),
            json!({"NULL": true}),
            json!({"M": {}}),
            json!({"L": [{"S": "a"}]}),
            json!({"SS": ["a"]}),
            json!({"B": ""}),
            json!({"B": "/////w=="}),
            json!({"B": "A".repeat(4)}),
            json!({"B": "/".repeat(56)}),
        ]
        .map(Some),
    );
    malformed
}

fn id(number: usize) -> IdentityId {
    let link = json!({"email": format!("u{number}@fake.com")});
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    IdentityKey::new("simulation")
        .unwrap()
        .identity(&identifier)
}

fn version(import: ImportId, seconds: i64, offset: u64) -> Version {
    Version::new(SECONDS + seconds, "01", import, offset)
}

fn record(place: usize, version: Version, bytes: usize) -> Item {
    let mut data = Map::new();
    data.insert("says", "x".repeat(bytes));
    let key = SortKey::Record(format!("source{place}"));
    Item::ingested(id(1), key, version, None, data)
}

fn write_of(place: usize, version: Version) -> Write {
    Write::item(&record(place, version, 1)).unwrap()
}

/// Returns both sides of a link.
fn sides(a: usize, b: usize, version: Version) -> [Item; 2] {
    [(a, b), (b, a)].map(|(own, other)| {
        Item::ingested(
            id(own),
            SortKey::Link {
                source: "crm".to_owned(),
                other: id(other),
            },
            version,
            None,
            Map::new(),
        )
    })
}

fn row(offset: u64) -> Row {
    Row {
        offset,
        line: offset + 1,
        bytes: bytes::Bytes::from_static(b"{}"),
        framing_error: None,
        rows: 1,
        skipped: 0,
        record: None,
    }
}

fn stage(tamper: Option<Tamper>) -> (Arc<World>, App) {
    let (world, _events) = World::new(wire::database(), Bucket::default(), 0, Deaths::default());
    *lock(&world.tamper) = tamper;
    let (killer, _) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
    (world, app)
}

/// Puts an item as a manual repair may have left it.
fn put_by_hand(world: &World, item: &Item, version: Option<&Value>) {
    let mut row = json!({
        "PK": {"S": item.identity.as_str()}, "SK": {"S": item.key.to_text()}, "data": {"M": {"by": {"S": "hand"}}}
    });
    if let Some(version) = version {
        row["version"] = version.clone();
    }
    let put = json!({"TableName": wire::TABLE, "Item": row});
    let put = serde_json::from_value(put).unwrap();
    world.database.put_item(put).unwrap();
}

/// Returns the versions in the table, as DynamoDB encodes them.
fn versions(world: &World) -> Vec<Value> {
    let items = wire::items(&world.database);
    items
        .into_values()
        .map(|item| item["version"].clone())
        .collect()
}

fn spelled(version: Version) -> Value {
    json!({"B": data_encoding::BASE64.encode(version.as_bytes())})
}

#[test]
fn replaces_item_without_valid_version() {
    clock().block_on(async {
        let (world, app) = stage(None);
        let malformed = malformed();
        let version = version(OWN, 0, 7);
        for (place, old) in malformed.iter().enumerate() {
            put_by_hand(&world, &record(place, version, 1), old.as_ref());
        }
        let writes = (0..malformed.len()).map(|place| write_of(place, version));
        let written = write::all(&app.table, OWN, writes.collect());
        let outcomes = tokio::time::timeout(BOUND, written).await.unwrap().unwrap();
        assert_eq!(outcomes, vec![Verdict::Stored; malformed.len()]);
        assert_eq!(versions(&world), vec![spelled(version); malformed.len()]);
    });
}

/// An item is deleted only as it was read. That holds for an item without a valid version too.
#[test]
fn deletes_only_the_item_that_was_read() {
    clock().block_on(async {
        let (world, app) = stage(None);
        let malformed = malformed();
        let version = version(OWN, 0, 7);
        let read: Vec<Item> = (0..malformed.len())
            .map(|place| Item {
                version: None,
                ..record(place, version, 1)
            })
            .collect();
        let read: Vec<&Item> = read.iter().collect();
        for (item, old) in read.iter().zip(&malformed) {
            put_by_hand(&world, item, old.as_ref());
        }
        let deleted = erasure::delete(&app.table, &read).await.unwrap();
        assert_eq!(deleted, vec![true; malformed.len()]);
        assert!(versions(&world).is_empty());
        // An import has replaced the items since they were read.
        let writes = (0..malformed.len()).map(|place| write_of(place, version));
        write::all(&app.table, OWN, writes.collect()).await.unwrap();
        let deleted = erasure::delete(&app.table, &read).await.unwrap();
        assert_eq!(deleted, vec![false; malformed.len()]);
        assert_eq!(versions(&world).len(), malformed.len());
    });
}

/// Adds one row with these links and returns its verdict.
async fn link(app: &App, links: Vec<[Item; 2]>) -> Result<RowVerdict, TableError> {
    let mut writer = Writer::new(&app.table, OWN);
    let mapped = MappedRecord {
        links,
        ..MappedRecord::default()
    };
    let written = async {
        writer.add(row(7), mapped).await?;
        writer.finish().await
    };
    tokio::time::timeout(BOUND, written).await.unwrap()?;
    let mut verdicts = writer.take_verdicts();
    assert_eq!(verdicts.len(), 1);
    Ok(verdicts.remove(0))
}

#[test]
fn replaces_link_without_valid_version() {
    for old in malformed() {
        for by_hand in [vec![0], vec![1], vec![0, 1]] {
            clock().block_on(async {
                let (world, app) = stage(None);
                let version = version(OWN, 0, 7);
                let sides = sides(1, 2, version);
                for side in &by_hand {
                    put_by_hand(&world, &sides[*side], old.as_ref());
                }
                let verdict = link(&app, vec![sides]).await.unwrap();
                assert!(
                    matches!(verdict, RowVerdict::Written(_)),
                    "{old:?} {by_hand:?}"
                );
                assert_eq!(versions(&world), vec![spelled(version); 2], "{old:?}");
            });
        }
    }
}

/// Removes the last verdict from the first `responses` responses.
fn short(mut responses: usize) -> Tamper {
    Box::new(move |operation, _, (_, answer)| {
        if operation == "BatchExecuteStatement" && responses > 0 {
            responses -= 1;
            answer["Responses"].as_array_mut().unwrap().pop();
        }
    })
}

#[test]
fn retries_short_response() {
    clock().block_on(async {
        for responses in [3, usize::MAX] {
            let (world, app) = stage(Some(short(responses)));
            let writes = (0..3).map(|place| write_of(place, version(OWN, 0, 7)));
            let written = write::all(&app.table, OWN, writes.collect());
            let outcomes = tokio::time::timeout(BOUND, written).await.unwrap();
            match outcomes {
                Ok(outcomes) => {
                    assert_eq!((outcomes, responses), (vec![Verdict::Stored; 3], 3));
                }
                Err(error) => {
                    assert!(matches!(error, TableError::Unavailable(_)), "{error}");
                    assert_eq!(responses, usize::MAX);
                }
            }
            assert_eq!(versions(&world).len(), 3);
            let requests = world.requests.load(Ordering::Relaxed);
            assert!((4..=30).contains(&requests), "{requests}");
        }
    });
}

/// Another program deletes the item before each update and puts it back before each insert.
#[test]
fn bounds_alternating_statements() {
    clock().block_on(async {
        let tamper: Tamper = Box::new(|operation, request, (_, answer)| {
            if operation != "BatchExecuteStatement" {
                return;
            }
            let statement = request["Statements"][0]["Statement"].as_str().unwrap();
            let code = if statement.starts_with("INSERT") {
                "DuplicateItem"
            } else {
                "ConditionalCheckFailed"
            };
            answer["Responses"] = json!([{"Error": {"Code": code, "Message": "m"}}]);
        });
        let (world, app) = stage(Some(tamper));
        let writes = vec![write_of(0, version(OWN, 0, 7))];
        let began = tokio::time::Instant::now();
        let written = write::all(&app.table, OWN, writes);
        let error = tokio::time::timeout(BOUND, written).await.unwrap();
        assert!(
            matches!(error, Err(TableError::Unavailable(_))),
            "{error:?}"
        );
        let requests = world.requests.load(Ordering::Relaxed);
        assert!((10..=30).contains(&requests), "{requests}");
        // It pauses between the attempts, longer each time.
        assert!(
            began.elapsed() > Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    });
}

/// A link that cannot be stored, by the error of its transaction.
#[test]
fn rejects_row_whose_link_is_refused() {
    let cancelled = |code: &str, message: &str| {
        let body = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled", "message": "Transaction cancelled",
            "CancellationReasons": [{"Code": "None"}, {"Code": code, "Message": message}],
        });
        (400, body)
    };
    let invalid = json!({
        "__type": "com.amazon.coral.validate#ValidationException", "message": "Item size has exceeded the maximum",
    });
    for ((status, body), expected) in [
        (
            cancelled("ValidationError", "Item size to update has exceeded"),
            "item_too_large",
        ),
        (cancelled("ValidationError", "a number"), "item_refused"),
        (
            cancelled("ItemCollectionSizeLimitExceeded", "m"),
            "item_refused",
        ),
        ((400, invalid), "item_refused"),
    ] {
        clock().block_on(async {
            let refused = (status, body);
            let tamper: Tamper = Box::new(move |operation, request, answer| {
                let text = request.to_string();
                if operation == "TransactWriteItems" && text.contains(id(3).as_str()) {
                    *answer = refused.clone();
                }
            });
            let (_world, app) = stage(Some(tamper));
            let version = version(OWN, 0, 7);
            let links = vec![sides(1, 2, version), sides(1, 3, version)];
            match link(&app, links).await.unwrap() {
                RowVerdict::Rejected(_, error) => assert_eq!(error.code.as_str(), expected),
                other => panic!("{other:?}"),
            }
            let verdict = link(&app, vec![sides(1, 2, version)]).await.unwrap();
            assert!(matches!(verdict, RowVerdict::Written(_)), "{verdict:?}");
        });
    }
}

/// A link that is too large for DynamoDB itself.
#[test]
fn rejects_row_whose_link_is_too_large() {
    clock().block_on(async {
        let (world, app) = stage(None);
        let mut sides = sides(1, 2, version(OWN, 0, 7));
        sides[1].data.insert("other", "x".repeat(500_000));
        let verdict = link(&app, vec![sides]).await.unwrap();
        assert!(matches!(verdict, RowVerdict::Rejected(..)), "{verdict:?}");
        assert_eq!(versions(&world), [Value::Null; 0]);
    });
}

/// Every result of a transaction gives the row a verdict or is retried, within bounds.
#[test]
fn counts_every_row_with_a_link() {
    let conflict = || {
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled",
            "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}],
        })
    };
    clock().block_on(async {
        // A condition failed, but the item is not returned, so its version is unknown.
        for failures in [2, usize::MAX] {
            let mut left = failures;
            let tamper: Tamper = Box::new(move |operation, _, answer| {
                if operation == "TransactWriteItems" && left > 0 {
                    left -= 1;
                    *answer = (400, conflict());
                }
            });
            let (_world, app) = stage(Some(tamper));
            let verdict = link(&app, vec![sides(1, 2, version(OWN, 0, 7))]).await;
            match verdict {
                Ok(verdict) => {
                    assert_eq!(failures, 2);
                    assert!(matches!(verdict, RowVerdict::Written(_)), "{verdict:?}");
                }
                Err(error) => {
                    assert_eq!(failures, usize::MAX);
                    assert!(matches!(error, TableError::Unavailable(_)), "{error}");
                }
            }
        }
    });
}

/// The rate is limited also if the table throttles whole requests, for example because of the limits of the account.
#[test]
fn throttled_requests_limit_the_rate_of_deletions() {
    use crate::store::remove::{Removal, Remover};

    let version = version(OWN, 0, 7);
    let item = MappedRecord::from(vec![write_of(0, version)]);
    let link = MappedRecord {
        links: vec![sides(1, 2, version)],
        ..MappedRecord::default()
    };
    for (mapped, throttled) in [
        (item, "BatchExecuteStatement"),
        (link, "TransactWriteItems"),
    ] {
        clock().block_on(async {
            let (world, app) = stage(None);
            write::all(&app.table, OWN, vec![write_of(0, version)])
                .await
                .unwrap();
            app.table.put_both(&sides(1, 2, version)).await.unwrap();
            // More than the attempts of the client for one request.
            let mut left = 5;
            *lock(&world.tamper) = Some(Box::new(move |operation, _, answer| {
                if operation == throttled && left > 0 {
                    left -= 1;
                    let error = "com.amazonaws.dynamodb.v20120810#ThrottlingException";
                    *answer = (400, json!({ "__type": error }));
                }
            }));
            let mut remover = Remover::new(&app.table, Removal::Delete);
            remover.add(&row(7), &mapped).await.unwrap();
            remover.finish().await.unwrap();
            assert!(!remover.limiter.is_unlimited(), "{throttled}");
        });
    }
}

#[test]
fn deletions_count_every_request() {
    use crate::store::remove::{Removal, Remover};

    clock().block_on(async {
        let (world, app) = stage(None);
        let version = version(OWN, 0, 7);
        let writes: Vec<_> = (0..150).map(|place| write_of(place, version)).collect();
        write::all(&app.table, OWN, writes.clone()).await.unwrap();
        let mut is_first = true;
        *lock(&world.tamper) = Some(Box::new(move |operation, request, (_, answer)| {
            if operation == "BatchGetItem" && std::mem::take(&mut is_first) {
                *answer = json!({"UnprocessedKeys": request["RequestItems"]});
            }
        }));
        let before = world.requests.load(Ordering::Relaxed);
        let mut remover = Remover::new(&app.table, Removal::Delete);
        remover
            .add(&row(7), &MappedRecord::from(writes))
            .await
            .unwrap();
        remover.finish().await.unwrap();
        let sent = world.requests.load(Ordering::Relaxed) - before;
        // 100 keys twice, the other 50, and 6 batches of deletions.
        assert_eq!((remover.requests, sent), (9, 9));
        assert!(versions(&world).is_empty());
    });
}

/// The version that the table contains for a key before an import.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    Older,
    /// From another import, which is newer.
    Newer,
    /// From an earlier invocation for the same import, by the row at this offset.
    Own(u64),
}

/// The keys that one row writes, by number.
type Keys = Vec<usize>;

const KEYS: usize = 4;

/// Returns how many rows are written and how many are stale. The writer sends its batch after each row that `sent_after` marks.
async fn counts(before: &[Before], rows: &[(u64, Keys)], sent_after: &[bool]) -> (usize, usize) {
    let (world, app) = stage(None);
    for (place, before) in before.iter().enumerate() {
        let held = match before {
            Before::Nothing => continue,
            Before::Older => version(ImportId([9; 8]), -1, 0),
            Before::Newer => version(ImportId([1; 8]), 1, 0),
            Before::Own(offset) => version(OWN, 0, *offset),
        };
        put_by_hand(&world, &record(place, held, 1), Some(&spelled(held)));
    }
    let mut writer = Writer::new(&app.table, OWN);
    for ((offset, keys), is_sent) in rows.iter().zip(sent_after) {
        let version = version(OWN, 0, *offset);
        let writes = keys.iter().map(|place| write_of(*place, version));
        let mapped = MappedRecord::from(writes.collect::<Vec<_>>());
        writer.add(row(*offset), mapped).await.unwrap();
        if *is_sent {
            writer.finish().await.unwrap();
        }
    }
    writer.finish().await.unwrap();
    let (mut written, mut stale) = (0, 0);
    for verdict in writer.take_verdicts() {
        match verdict {
            RowVerdict::Written(_) => written += 1,
            RowVerdict::Stale(_) => stale += 1,
            RowVerdict::Rejected(_, error) => panic!("{error}"),
        }
    }
    (written, stale)
}

/// Returns the expected counts. A row is written unless the table has a newer version from another import for each of its keys.
fn expected(before: &[Before], rows: &[(u64, Keys)]) -> (usize, usize) {
    let is_stale = |keys: &Keys| keys.iter().all(|key| matches!(before[*key], Before::Newer));
    let stale = rows.iter().filter(|(_, keys)| is_stale(keys)).count();
    (rows.len() - stale, stale)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// The counts do not depend on the batches or on the order in which rows are added.
    #[test]
    fn counts_do_not_depend_on_batches(
        before in prop::collection::vec(
            prop_oneof![
                Just(Before::Nothing), Just(Before::Older), Just(Before::Newer), (0_u64..60).prop_map(Before::Own)
            ],
            KEYS,
        ),
        keys in prop::collection::vec(prop::collection::btree_set(0..KEYS, 1..3), 1..60),
        order in any::<prop::sample::Index>(),
        sent_after in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut rows: Vec<(u64, Keys)> = keys
            .into_iter()
            .enumerate()
            .map(|(offset, keys)| (offset as u64, keys.into_iter().collect()))
            .collect();
        let first = order.index(rows.len());
        rows.rotate_left(first);
        let expected = expected(&before, &rows);
        for sent_after in [vec![false; 60], vec![true; 60], sent_after] {
            let counted = clock().block_on(counts(&before, &rows, &sent_after));
            prop_assert_eq!(counted, expected, "{:?} {:?}", &before, &rows);
        }
    }
}

/// Imports rows that replace one another into a table with a newer version. The report counts all of them as stale.
#[test]
fn report_counts_superseded_rows_as_their_winner() {
    let row = |name: usize| {
        format!(
            r#"{{"record_type":"customer_record","link":{{"email":"u1@fake.com"}},"first_name":"{name}"}}"#
        )
    };
    let rows: BTreeMap<usize, String> = (0..30).map(|name| (name, row(name))).collect();
    let file = rows.into_values().collect::<Vec<_>>().join("\n");
    clock().block_on(async {
        let mut bucket = Bucket::default();
        bucket.take(
            "drop/mixed/crm/b.ndjson",
            "v2",
            "Sun, 01 Nov 2026 00:00:00 GMT",
            row(99),
        );
        bucket.take(KEY, VERSION, LAST_MODIFIED, file);
        let (world, _events) = World::new(wire::database(), bucket, 0, Deaths::default());
        for (key, version) in [("drop/mixed/crm/b.ndjson", "v2"), (KEY, VERSION)] {
            let (killer, _) = tokio::sync::oneshot::channel();
            let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
            let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3_600));
            handle(&app, event(key, version, "01"), deadline)
                .await
                .unwrap();
        }
        let report = lock(&world.bucket).get(&format!("reports/{KEY}/{VERSION}.json"));
        let report: Value = serde_json::from_slice(&report.unwrap()).unwrap();
        assert_eq!(
            (&report["written"], &report["stale"]),
            (&json!(0), &json!(30)),
            "{report}"
        );
    });
}
