//! Reverts and replays, among imports of the same items, duplicate events and deaths. In the end, the table must be that of the imports
//! that are not reverted.

use shared::{
    model::{
        operation::{Operation, OperationKind, Reverted},
        time::Instant,
        version::ImportId,
    },
    table::{PlanChange, TableError},
};

use super::{wire::Bucket, *};
use crate::{
    IngestError,
    import::{operation, plan::Plan},
};

/// The files of a world, oldest first. The last one has a source of its own, but may contain the same products.
const KEYS: [&str; 4] = [
    "drop/mixed/crm/a.ndjson",
    "drop/mixed/crm/b.ndjson",
    "drop/mixed/crm/c.ndjson",
    "drop/mixed/pos/d.ndjson",
];
/// The time within which events and operations begin, in milliseconds.
const SPREAD: u64 = 30_000;

/// The maximum number of events of a schedule. More would mean that operations start one another without end.
const MAX_EVENTS: usize = 2_000;

/// An operation that a test starts.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// The number of the file.
    file: usize,
    kind: OperationKind,
    /// When it is started, in milliseconds after the beginning.
    at: u64,
}

/// Returns rows whose items are also those of other files.
fn rows(random: &mut ChaCha8Rng) -> String {
    let count = random.random_range(2..10);
    let mut file = String::new();
    for row in 0..count {
        let link = |number: u64| json!({"mobile": format!("555000{number}")});
        let (customer, other) = (random.random_range(0..3), random.random_range(0..3));
        let (id, value) = (random.random_range(0..3), random.random_range(0..1_000));
        let at = |id: u64| format!("2026-01-01T00:00:0{id}Z");
        // Only the last row may have a body, so that a retry of the drop has less to read again.
        let kinds = if row + 1 == count { 0..9 } else { 1..9 };
        let row = match random.random_range(kinds) {
            4 => {
                json!({"record_type": "customer_record", "link": link(customer), "first_name": format!("Ann {value}")})
            }
            1 | 2 => {
                json!({"record_type": "email_open", "link": link(customer), "action_at": at(id), "email_id": "1"})
            }
            3 => {
                json!({"record_type": "email_open", "link": link(customer), "action_at": at(id), "replaces_action_at": at(other), "email_id": "1"})
            }
            0 => {
                json!({"record_type": "email_send", "link": link(customer), "action_at": at(id), "email_id": "b", "body": format!("{value:04} ").repeat(850)})
            }
            5 => {
                json!({"record_type": "unify", "records": [link(customer), link((customer + 1) % 3)], "unlink": value % 2 == 0})
            }
            6 => {
                json!({"record_type": "attributes", "link": link(customer), "attributes": {"a.b": value, "c.d": value}})
            }
            7 => {
                json!({"record_type": "product", "sku": format!("s{id}"), "product_id": format!("p{other}"), "title": format!("{value}")})
            }
            _ => json!({"record_type": "email_open", "link": link(customer)}),
        };
        file.push_str(&row.to_string());
        file.push('\n');
    }
    file
}

fn bucket(files: &[String]) -> Bucket {
    let mut bucket = Bucket::default();
    for (second, (key, file)) in KEYS.iter().zip(files).enumerate() {
        let last_modified = format!("Sat, 31 Oct 2026 00:00:0{second} GMT");
        bucket.take(key, VERSION, &last_modified, file.clone());
    }
    bucket
}

fn import(file: usize) -> ImportId {
    ImportId::new("b", KEYS[file], VERSION)
}

/// Runs deliveries and requests until there is nothing left to do.
async fn settle(
    world: &Arc<World>,
    events: &mut mpsc::UnboundedReceiver<String>,
    requests: Vec<(usize, Request)>,
    chunk_bytes: u64,
    copies: usize,
) -> usize {
    let died = Arc::new(AtomicUsize::new(0));
    let mut events_left = MAX_EVENTS;
    let mut tasks = tokio::task::JoinSet::new();
    for (number, request) in requests {
        let world = Arc::clone(world);
        tasks.spawn(async move {
            ask(&world, number, request, chunk_bytes).await;
            None
        });
    }
    let mut failed = BTreeSet::new();
    loop {
        while let Ok(key) = events.try_recv() {
            events_left = events_left.checked_sub(1).expect("the operations end");
            for _ in 0..copies {
                let (world, key, died) = (Arc::clone(world), key.clone(), Arc::clone(&died));
                tasks.spawn(async move {
                    let runs = AtomicUsize::new(0);
                    deliver(&world, key, chunk_bytes, &runs, &died).await
                });
            }
        }
        match tasks.join_next().await {
            Some(Ok(None)) => {}
            Some(Ok(Some(key))) => {
                failed.insert(key);
            }
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None if failed.is_empty() => break,
            None => {
                for key in std::mem::take(&mut failed) {
                    world.events.send(key).unwrap();
                }
            }
        }
    }
    died.load(Ordering::Relaxed)
}

/// Starts an operation as the API does, at its time or as soon as the import is planned. An attempt that dies is repeated.
async fn ask(world: &Arc<World>, number: usize, request: Request, chunk_bytes: u64) {
    tokio::time::sleep(Duration::from_millis(request.at)).await;
    let of = import(request.file);
    let id = Operation::new(request.kind, of, &number.to_string());
    // An import whose event failed in every attempt has no plan until the event is sent again.
    for _ in 0..1_000 {
        let (killer, killed) = tokio::sync::oneshot::channel();
        let app = app(Wire::new(Arc::clone(world), killer, None), chunk_bytes);
        let attempt = async {
            let stored = app.table.import(of).await.ok()?.plan?;
            let plan = Plan::from_map(&stored).ok()?;
            let seen = plan.last_operation;
            if seen == Some(id.id) {
                // Started by an attempt that died.
            } else if request.kind == OperationKind::Revert && plan.reverted.is_some() {
                return Some(());
            }
            let mark = Reverted {
                at: Instant::now(),
                by: "agent".to_owned(),
                by_name: None,
                import: id.id,
            };
            let change = match request.kind {
                OperationKind::Revert => PlanChange::Revert { mark: &mark, seen },
                _ => PlanChange::Restore { seen },
            };
            let started = operation::start(&app, id, &stored, change).await;
            started.ok()?.then_some(())
        };
        let outcome = tokio::select! {
            biased;
            _ = killed => None,
            outcome = attempt => outcome,
        };
        if outcome.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Returns the items of a table into which these files were imported, one event each, without deaths.
async fn imported(files: &[String], kept: &[usize]) -> BTreeMap<String, Value> {
    let (world, mut events) = World::new(wire::database(), bucket(files), 0, Deaths::default());
    for file in kept {
        world.events.send(KEYS[*file].to_owned()).unwrap();
    }
    settle(&world, &mut events, Vec::new(), ONE_RANGE, 1).await;
    wire::items(&world.database)
}

/// Returns the numbers of the files that are not reverted.
async fn kept(world: &Arc<World>) -> Vec<usize> {
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(world), killer, None), ONE_RANGE);
    let mut kept = Vec::new();
    for file in 0..KEYS.len() {
        let items = app.table.import(import(file)).await.unwrap();
        let plan = items.plan.unwrap();
        if let Some(outcome) = items.outcome {
            assert_eq!(outcome.map("reverted"), plan.map("reverted"));
        }
        if Plan::from_map(&plan).unwrap().reverted.is_none() {
            kept.push(file);
        }
    }
    kept
}

/// Runs the schedule of a seed. Returns how many operations were requested, and how many invocations died.
async fn play(seed: u64) -> (usize, usize) {
    let mut random = ChaCha8Rng::seed_from_u64(!seed);
    let files: Vec<_> = KEYS.iter().map(|_| rows(&mut random)).collect();
    let share = [0.0, 0.01, 0.05][random.random_range(0..3)];
    let mut some = || (0..2_000).filter(|_| random.random_bool(share)).collect();
    let deaths = Deaths {
        before: some(),
        after: some(),
    };
    let chunk_bytes = [ONE_RANGE, 700][random.random_range(0..2)];
    let copies = random.random_range(1..3);
    let (world, mut events) = World::new(wire::database(), bucket(&files), seed, deaths);
    for key in KEYS {
        world.events.send(key.to_owned()).unwrap();
    }
    let mut requests = Vec::new();
    for number in 0..random.random_range(1..6) {
        let kinds = [OperationKind::Revert, OperationKind::Replay];
        let request = Request {
            file: random.random_range(0..KEYS.len()),
            kind: kinds[random.random_range(0..2)],
            at: random.random_range(0..SPREAD),
        };
        requests.push((number, request));
    }
    let asked = requests.clone();
    let died = settle(&world, &mut events, requests, chunk_bytes, copies).await;
    let kept = kept(&world).await;
    assert_eq!(
        wire::items(&world.database),
        imported(&files, &kept).await,
        "seed {seed}: {asked:?}, kept {kept:?}"
    );
    assert_eq!(lock(&world.bucket).keys("work/"), [""; 0], "seed {seed}");
    (asked.len(), died)
}

/// Runs `OPERATION_SCHEDULES` seeds, from `OPERATION_SEED` on.
#[test]
fn table_is_that_of_the_imports_that_are_kept() {
    let (first, count) = (
        number("OPERATION_SEED", 0),
        number("OPERATION_SCHEDULES", 20),
    );
    let (mut operations, mut deaths) = (0, 0);
    for seed in first..first + count {
        let (asked, died) = clock().block_on(play(seed));
        operations += asked;
        deaths += died;
    }
    eprintln!("{count} schedules, {operations} operations, {deaths} deaths");
}

/// A file that is newer than a reinstatement, but was imported before it, is kept out until it is replayed.
#[test]
fn replay_stores_what_waited_for_a_reinstatement() {
    let link = json!({"mobile": "5550001"});
    let forget = json!({"record_type": "forget", "link": link}).to_string();
    let reinstate = json!({"record_type": "forget", "link": link, "reinstate": true}).to_string();
    let record = json!({"record_type": "customer_record", "link": link, "first_name": "Ann"});
    let files = [forget, reinstate, record.to_string()];
    let records = |world: &World| {
        let items = wire::items(&world.database).into_keys();
        items.filter(|key| key.contains("profile#record")).count()
    };
    clock().block_on(async {
        let (world, mut events) =
            World::new(wire::database(), bucket(&files), 0, Deaths::default());
        // The file of the record is imported before that of the reinstatement, although it is newer.
        for file in [0, 2, 1] {
            world.events.send(KEYS[file].to_owned()).unwrap();
            settle(&world, &mut events, Vec::new(), ONE_RANGE, 1).await;
            assert_eq!(records(&world), 0, "{file}");
        }
        let replay = Request {
            file: 2,
            kind: OperationKind::Replay,
            at: 0,
        };
        settle(&world, &mut events, vec![(0, replay)], ONE_RANGE, 1).await;
        assert_eq!(records(&world), 1);
    });
}

/// Fails every request of an operation of DynamoDB because of its condition. Reads show no progress of ranges.
fn conflicting(world: &World, operation: &'static str) {
    *lock(&world.tamper) = Some(Box::new(move |own, _, answer| {
        if let Some(items) = answer.1["Items"].as_array_mut() {
            items.retain(|item| item["data"]["M"]["done"].is_null());
        }
        let error = match operation {
            _ if own != operation => return,
            "TransactWriteItems" => json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}, {"Code": "None"}],
            }),
            _ => json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
            }),
        };
        *answer = (400, error);
    }));
}

/// Changes that other invocations keep overtaking are an error of the table, not of S3.
#[test]
fn reports_conflicts_as_errors_of_the_table() {
    let of = import(0);
    let row = json!({"record_type": "customer_record", "link": {"mobile": "5550001"}}).to_string();
    let is_unavailable =
        |error: &IngestError| matches!(error, IngestError::Table(TableError::Unavailable(_)));
    clock().block_on(async {
        let (world, _events) = World::new(wire::database(), bucket(&[row]), 0, Deaths::default());
        let (killer, _killed) = tokio::sync::oneshot::channel();
        let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
        let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3_600));
        // The import is planned, and its range cannot end.
        let stored = async || app.table.import(of).await.unwrap().plan.unwrap();
        *lock(&world.tamper) = Some(Box::new(|operation, _, answer| {
            if operation == "BatchExecuteStatement" {
                let error = "com.amazonaws.dynamodb.v20120810#ThrottlingException";
                *answer = (400, json!({ "__type": error }));
            }
        }));
        let imported = handle(&app, event(KEYS[0], VERSION, "01"), deadline).await;
        assert!(imported.is_err());
        *lock(&world.tamper) = None;

        let revert = Operation::new(OperationKind::Revert, of, "1");
        let mark = Reverted {
            at: Instant::now(),
            by: "agent".to_owned(),
            by_name: None,
            import: revert.id,
        };
        let change = PlanChange::Revert {
            mark: &mark,
            seen: None,
        };
        let started = operation::start(&app, revert, &stored().await, change).await;
        assert!(started.unwrap());
        let plan = Plan::from_map(&stored().await).unwrap();
        conflicting(&world, "TransactWriteItems");
        let error = operation::is_current(&app, &plan).await.unwrap_err();
        assert!(is_unavailable(&error), "{error:?}");
        conflicting(&world, "PutItem");
        let error = operation::end_unfinished_ranges(&app, of)
            .await
            .unwrap_err();
        assert!(is_unavailable(&error), "{error:?}");
    });
}
