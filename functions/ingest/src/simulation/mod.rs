//! Tests the protocol of ADR 6 with a death at every request. The real invocations use a table and a bucket in this process, and
//! a clock that only moves when all of them wait.
//!
//! A seed determines how long each request and each event takes, and so the order of all steps. An invocation dies at any
//! request, before or after the request is executed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::sync::{Notify, OnceCell, mpsc};

use shared::model::retention::Retention;

use crate::{App, Deadline, handle};

mod budget;
mod deadlines;
mod erasing;
mod failures;
mod inspected;
mod late;
mod mapped;
mod newest;
mod operations;
mod orders;
mod rejecting;
mod schedules;
mod trial;
mod values;
mod variants;
mod wire;
mod writing;

use wire::{Bucket, Wire};

const KEY: &str = "drop/mixed/crm/a.ndjson";
const VERSION: &str = "v1";
const LAST_MODIFIED: &str = "Sat, 31 Oct 2026 00:00:00 GMT";
/// The timeout of an invocation. It reserves one second of this for its end.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Lambda's waits before the second and the third attempt.
const BACKOFF: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The maximum number of invocations of an import here. More would mean that the import never ends.
const MAX_RUNS: usize = 400;

/// A file that is dropped.
#[derive(Clone, Copy, Debug)]
struct Dropped {
    key: &'static str,
    bytes: fn() -> Vec<u8>,
}

/// The file of [`file`].
const MIXED: Dropped = Dropped {
    key: KEY,
    bytes: || file().into_bytes(),
};

/// The table and the bucket of one test, and the failures that are injected.
struct World {
    database: dynoxide::Database,
    bucket: Mutex<Bucket>,
    random: Mutex<ChaCha8Rng>,
    requests: AtomicUsize,
    /// How many items the invocations have tried to insert.
    inserts: AtomicUsize,
    /// The requests, by number, at which the invocation that sends them dies.
    deaths: Deaths,
    /// Changes responses of DynamoDB.
    tamper: Mutex<Option<wire::Tamper>>,
    events: mpsc::UnboundedSender<String>,
}

/// The requests at which the invocation that sends them dies, by number.
#[derive(Clone, Debug, Default)]
struct Deaths {
    /// The invocation dies before the request is executed.
    before: BTreeSet<usize>,
    /// The invocation dies after the request was executed.
    after: BTreeSet<usize>,
}

/// A gate at which one invocation waits before each request of an operation. The invocation dies after the first such request is
/// executed.
#[derive(Debug)]
struct Gate {
    operation: &'static str,
    /// Notified when the invocation waits at the gate.
    reached: Notify,
    open: Notify,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    items: BTreeMap<String, Value>,
    report: Value,
    rejects: BTreeSet<String>,
}

/// The number of requests, invocations, deaths and failed events that an import took.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    requests: usize,
    runs: usize,
    deaths: usize,
    failed: usize,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// Creates a world in which a file was dropped, and a receiver of its event and those of manifests.
    fn with_file(seed: u64, deaths: Deaths) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        Self::with(MIXED, seed, deaths)
    }

    fn with(
        file: Dropped,
        seed: u64,
        deaths: Deaths,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let mut bucket = Bucket::default();
        bucket.take(file.key, VERSION, LAST_MODIFIED, (file.bytes)());
        let (world, events) = Self::new(wire::database(), bucket, seed, deaths);
        world.events.send(file.key.to_owned()).unwrap();
        (world, events)
    }

    fn new(
        database: dynoxide::Database,
        bucket: Bucket,
        seed: u64,
        deaths: Deaths,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<String>) {
        let (sender, events) = mpsc::unbounded_channel();
        let world = Self {
            database,
            bucket: Mutex::new(bucket),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            requests: AtomicUsize::new(0),
            inserts: AtomicUsize::new(0),
            deaths,
            tamper: Mutex::default(),
            events: sender,
        };
        (Arc::new(world), events)
    }

    fn random<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut lock(&self.random))
    }

    async fn pause(&self, longest: u64) {
        let pause = self.random(|random| random.random_range(0..=longest));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a file with rows that replace one another, events, a body beside its event, a link, and invalid rows.
fn file() -> String {
    let event = |number: usize| {
        format!(
            r#"{{"record_type":"email_open","link":{{"mobile":"555000{}"}},"action_at":"2026-01-01T00:00:{number:02}Z","email_id":"{number}"}}"#,
            number % 3
        )
    };
    let record = |name: &str| {
        format!(
            r#"{{"record_type":"customer_record","link":{{"mobile":"5550001"}},"first_name":"{name}"}}"#
        )
    };
    let body = format!(
        r#"{{"record_type":"email_send","link":{{"mobile":"5550002"}},"action_at":"2026-01-02T00:00:00Z","email_id":"b","body":"{}"}}"#,
        "word ".repeat(1_000)
    );
    let link = r#"{"record_type":"unify","records":[{"mobile":"5550001"},{"mobile":"5550002"}]}"#;
    let rows = [
        record("Ann"),
        event(1),
        "no row".to_owned(),
        event(2),
        event(3),
        body,
        event(4),
        record("Bea"),
        link.to_owned(),
        event(5),
        event(6),
        "[]".to_owned(),
        event(7),
        event(8),
        record("Cleo"),
        event(9),
    ];
    rows.join("\n")
}

/// Puts a file into an empty table's bucket and handles its event once.
async fn handled(mut bucket: Bucket, key: &str, body: &[u8]) -> (Arc<World>, App) {
    bucket.take(key, VERSION, LAST_MODIFIED, body);
    let (world, _events) = World::new(wire::database(), bucket, 0, Deaths::default());
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
    let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3_600));
    handle(&app, event(key, VERSION, "01"), deadline)
        .await
        .unwrap();
    (world, app)
}

/// Drops the file and delivers events until none is left. Events that failed in every attempt are sent again after all others.
async fn play(
    file: Dropped,
    seed: u64,
    chunk_bytes: u64,
    copies: usize,
    deaths: Deaths,
) -> (Outcome, Effort) {
    let (world, mut events) = World::with(file, seed, deaths);
    let mut effort = Effort::default();
    let runs = Arc::new(AtomicUsize::new(0));
    let died = Arc::new(AtomicUsize::new(0));
    let mut deliveries = tokio::task::JoinSet::new();
    let mut failed = BTreeSet::new();
    loop {
        while let Ok(key) = events.try_recv() {
            for _ in 0..copies {
                let (world, key) = (Arc::clone(&world), key.clone());
                let (runs, died) = (Arc::clone(&runs), Arc::clone(&died));
                deliveries
                    .spawn(async move { deliver(&world, key, chunk_bytes, &runs, &died).await });
            }
        }
        match deliveries.join_next().await {
            Some(Ok(None)) => {}
            Some(Ok(Some(key))) => {
                failed.insert(key);
            }
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None if failed.is_empty() => break,
            None => {
                effort.failed += failed.len();
                for key in std::mem::take(&mut failed) {
                    world.events.send(key).unwrap();
                }
            }
        }
    }
    effort.requests = world.requests.load(Ordering::Relaxed);
    effort.runs = runs.load(Ordering::Relaxed);
    effort.deaths = died.load(Ordering::Relaxed);
    (outcome_of(&world, file.key), effort)
}

/// Delivers an event with Lambda's retries. Returns its key if every attempt failed.
async fn deliver(
    world: &Arc<World>,
    key: String,
    chunk_bytes: u64,
    runs: &AtomicUsize,
    died: &AtomicUsize,
) -> Option<String> {
    world.pause(3_000).await;
    let mut waits = BACKOFF.iter();
    loop {
        assert!(
            runs.fetch_add(1, Ordering::Relaxed) < MAX_RUNS,
            "the import did not end after {MAX_RUNS} invocations"
        );
        let (killer, killed) = tokio::sync::oneshot::channel();
        // Each invocation has its own process.
        let app = app(Wire::new(Arc::clone(world), killer, None), chunk_bytes);
        let event = event(&key, VERSION, "01");
        let deadline = Deadline::at(SystemTime::now() + TIMEOUT);
        let outcome = tokio::select! {
            biased;
            _ = killed => None,
            () = tokio::time::sleep(TIMEOUT) => None,
            outcome = handle(&app, event, deadline) => Some(outcome),
        };
        match outcome {
            Some(Ok(())) => return None,
            Some(Err(_)) => {}
            None => {
                died.fetch_add(1, Ordering::Relaxed);
            }
        }
        match waits.next() {
            Some(wait) => tokio::time::sleep(*wait).await,
            None => return Some(key),
        }
    }
}

/// Creates the state of a process of ingest.
fn app(wire: Wire, chunk_bytes: u64) -> App {
    App {
        key: shared::model::identity::IdentityKey::new("simulation").unwrap(),
        identifiers: shared::model::identifier::IdentifierRules::default(),
        table: shared::table::Table::new(wire.dynamodb(), wire::TABLE.to_owned()),
        s3: wire.s3(),
        bucket: "b".to_owned(),
        chunk_bytes,
        currency: "EUR".to_owned(),
        max_retries: BACKOFF.len() as u64,
        retention: Retention::default(),
        erasures: tokio::sync::Mutex::default(),
        facts_checked: OnceCell::new(),
        sources: tokio::sync::Mutex::default(),
    }
}

fn event(key: &str, version: &str, sequencer: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-10-31T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "p"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"}, "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "c",
            "bucket": {"name": "b", "ownerIdentity": {"principalId": "p"}, "arn": "arn:aws:s3:::b"},
            "object": {"key": key, "size": 1, "eTag": "e", "versionId": version, "sequencer": sequencer}
        }
    }]})
}

/// Returns the final content of the table and the bucket. Asserts that no manifest is left and that the report's status never
/// changed.
fn outcome(world: &World) -> Outcome {
    outcome_of(world, KEY)
}

fn outcome_of(world: &World, key: &str) -> Outcome {
    let bucket = lock(&world.bucket);
    assert_eq!(bucket.keys("work/"), [""; 0]);
    let key = format!("reports/{key}/{VERSION}.json");
    let text = bucket.get(&key);
    let mut report: Value = serde_json::from_slice(&text.expect("a report")).unwrap();
    let status = report["status"].as_str().unwrap();
    assert!(
        bucket.statuses(&key).iter().all(|before| *before == status),
        "a report has changed: {:?}",
        bucket.statuses(&key)
    );
    let mut rejects = BTreeSet::new();
    for key in report["rejects"].as_array().unwrap() {
        let object = bucket
            .get(key.as_str().unwrap())
            .expect("the report's rejects");
        for line in String::from_utf8(object).unwrap().lines() {
            let mut reject: Value = serde_json::from_str(line).unwrap();
            reject["line"].take();
            assert!(rejects.insert(reject.to_string()), "listed twice: {reject}");
        }
    }
    for name in [
        "started_at",
        "finished_at",
        "requests",
        "capacity_units",
        "rejects",
        // Rows far before a row are known only to the invocation that read them.
        "replaced",
        "known_sources",
    ] {
        report[name].take();
    }
    for list in ["warnings", "reasons"] {
        let entries = report[list].as_array_mut().into_iter();
        for entries in entries {
            // If the invocation that first saw the source dies before it stores its plan, no import has the warning `new_source`.
            entries.retain(|entry| {
                entry["code"] != "replaced_in_file" && entry["code"] != "new_source"
            });
            for entry in entries {
                entry["first"]["line"].take();
            }
        }
    }
    if report["warnings"] == serde_json::json!([]) {
        report["warnings"].take();
    }
    Outcome {
        items: wire::items(&world.database),
        report,
        rejects,
    }
}

/// Creates a clock that only moves when all tasks wait.
fn clock() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// Runs one schedule on its own clock.
fn schedule(seed: u64, chunk_bytes: u64, copies: usize, deaths: Deaths) -> (Outcome, Effort) {
    clock().block_on(play(MIXED, seed, chunk_bytes, copies, deaths))
}

/// A maximum size of ranges that leaves every file here in one.
const ONE_RANGE: u64 = 1 << 30;

/// Returns the number in an environment variable.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Returns the result that every schedule must have: that of one event without deaths.
fn expected() -> Outcome {
    let (expected, effort) = schedule(0, ONE_RANGE, 1, Deaths::default());
    assert_eq!(
        (&expected.report["read"], &expected.report["rejected"]),
        (&json!(16), &json!(2))
    );
    assert!(
        effort.runs > 1,
        "the deadline comes before the end: {effort:?}"
    );
    expected
}

/// Tests one death at every request of an import, before and after it is executed. `SIMULATION_STRIDE` leaves requests out: 1
/// tests all of them.
#[test]
fn survives_death_at_any_request() {
    let expected = expected();
    let (mut schedules, mut total) = (0, Effort::default());
    for (chunk_bytes, copies) in [(ONE_RANGE, 1), (ONE_RANGE, 2), (2_500, 1), (2_500, 2)] {
        let (outcome, whole) = schedule(1, chunk_bytes, copies, Deaths::default());
        assert_eq!(outcome, expected, "{chunk_bytes} {copies}");
        for number in (0..whole.requests).step_by(number("SIMULATION_STRIDE", 23) as usize) {
            for deaths in [
                Deaths {
                    before: [number].into(),
                    ..Deaths::default()
                },
                Deaths {
                    after: [number].into(),
                    ..Deaths::default()
                },
            ] {
                let (outcome, effort) = schedule(1, chunk_bytes, copies, deaths.clone());
                assert_eq!(outcome, expected, "{chunk_bytes} {copies} {deaths:?}");
                assert!(effort.deaths > 0, "{chunk_bytes} {copies} {deaths:?}");
                schedules += 1;
                total.requests += effort.requests;
                total.runs += effort.runs;
            }
        }
    }
    eprintln!("{schedules} schedules, {total:?}");
}

/// Tests `SIMULATIONS` seeds, from `SIMULATION_SEED` on. Each has its own order of steps, copies of events, ranges and deaths.
#[test]
fn survives_many_deaths_in_any_order() {
    let expected = expected();
    let first = number("SIMULATION_SEED", 0);
    let mut total = Effort::default();
    for seed in first..first + number("SIMULATIONS", 8) {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let chunk_bytes = [ONE_RANGE, 4_000, 2_500, 700][random.random_range(0..4)];
        let copies = random.random_range(1..4);
        let share = [0.0, 0.01, 0.05, 0.2][random.random_range(0..4)];
        let mut some = || (0..400).filter(|_| random.random_bool(share)).collect();
        let deaths = Deaths {
            before: some(),
            after: some(),
        };
        let (outcome, effort) = schedule(seed, chunk_bytes, copies, deaths);
        assert_eq!(outcome, expected, "seed {seed}: {effort:?}");
        total.requests += effort.requests;
        total.runs += effort.runs;
        total.deaths += effort.deaths;
        total.failed += effort.failed;
    }
    eprintln!("{total:?}");
}
