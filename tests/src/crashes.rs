//! Crash points: ingest is killed before and after each request of an import of all record types, and retried as Lambda does. The
//! result is that of an import without crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use local::Options;
use serde_json::{Value, json};
use tests::faults::{Moment, Trap};

use crate::support::{
    environment::env_number,
    faults::{FaultyApp, Outcome},
    files::sample_rows,
};

const KEY: &str = "drop/mixed/crm/all.ndjson";

const EARLIER: &str = "drop/mixed/crm/earlier.ndjson";

/// The maximum number of imports for one crash point.
const TRIES: usize = 3;

/// The number of customers that are stored before and erased by the file.
const FORGOTTEN: usize = 6;

/// Fields of a report that depend on invocations, not on the result.
const OF_RUNS: [&str; 9] = [
    "import",
    "version_id",
    "started_at",
    "finished_at",
    "requests",
    "capacity_units",
    "rejects",
    "still_held",
    "erased",
];

/// The result of an import of all record types.
#[derive(Debug, PartialEq)]
struct End {
    outcome: Outcome,
    report: Value,
    profiles: Vec<(u16, Value)>,
}

/// Returns rows of the customers to erase, linked in pairs.
fn earlier() -> String {
    let mut file = String::new();
    for number in 0..FORGOTTEN {
        let link = forgotten(number);
        for row in [
            json!({"record_type": "customer_record", "link": link, "first_name": "Gone"}),
            json!({"record_type": "email_open", "link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": "1"}),
            json!({"record_type": "email_send", "link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": "1", "body": "word ".repeat(1_000)}),
            json!({"record_type": "unify", "records": [link, forgotten(number ^ 1)]}),
        ] {
            writeln!(file, "{row}").unwrap();
        }
    }
    file
}

fn forgotten(number: usize) -> Value {
    json!({"email": format!("gone.{number}@fake.com")})
}

/// Returns sample rows of all record types, rows that are rejected, and three erasures.
fn file(count: usize) -> String {
    let rows = sample_rows(count);
    let types: BTreeSet<_> = rows
        .iter()
        .map(|row| row["record_type"].as_str().unwrap())
        .collect();
    assert_eq!(types.len(), 16, "{types:?}");
    let mut file = String::new();
    for (number, row) in rows.iter().enumerate() {
        writeln!(file, "{row}").unwrap();
        if number % 97 == 5 {
            file.push_str("{\"record_type\":\"email_open\",\"link\":{\"mobile\":\"5550001\"}}\n");
        }
        // Erases one customer of a pair, or a whole profile.
        let third = rows.len() / 3;
        if number % third == third / 2 {
            let pair = number / third;
            let scope = if pair == 1 { "profile" } else { "identity" };
            let row = json!({"record_type": "forget", "link": forgotten(2 * pair), "scope": scope});
            writeln!(file, "{row}").unwrap();
        }
    }
    file
}

/// Imports the file under a trap. Returns the result, and whether the trap was triggered.
async fn import(file: &str, trap: &Arc<Trap>) -> (End, bool) {
    let setting = FaultyApp::start(0, file.len() as u64 / 2 + 1, Options::default()).await;
    setting.drop(EARLIER, &earlier()).await;
    for proxy in [&setting.dynamodb, &setting.s3] {
        proxy.set_trap(Some(Arc::clone(trap)));
    }
    let stack = &setting.app.stack;
    let version_id = stack.put(KEY, file.to_owned()).await.unwrap();
    let sprang = tokio::select! {
        () = trap.sprung() => true,
        () = stack.wait_idle() => false,
    };
    if sprang {
        stack.kill_working("ingest");
        let kills = || {
            stack
                .logs()
                .iter()
                .any(|line| line.contains("signal: killed"))
        };
        while !kills() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        trap.open();
        stack.wait_idle().await;
    }
    // There is one kill and one retry.
    if let Some(key) = stack.list("failed/").first() {
        panic!("dead-lettered: {}", setting.app.json(key).await);
    }
    (end(&setting, file, &version_id).await, sprang)
}

async fn end(setting: &FaultyApp, file: &str, version_id: &str) -> End {
    let mut report = setting.report(KEY, version_id).await;
    // The other counts miss what the killed invocation had deleted.
    report["identities_erased"] = report["erased"]["identities"].clone();
    for name in OF_RUNS {
        report.as_object_mut().unwrap().remove(name);
    }
    let links = file.lines().filter_map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row.get("link").cloned()
    });
    let links: Vec<Value> = links.collect();
    let mut profiles = Vec::new();
    let seen = links.iter().step_by(links.len() / 5).cloned();
    for link in seen.chain((0..FORGOTTEN).map(forgotten)) {
        profiles.push(setting.app.timeless_lookup(link).await);
    }
    End {
        outcome: setting.outcome(KEY, version_id).await,
        report,
        profiles,
    }
}

/// Returns `wanted` crash points, or all. They include the first and the last request and one of each operation.
fn points(operations: &[String], wanted: usize) -> Vec<(usize, Moment)> {
    let moments = [Moment::Before, Moment::After];
    let all = operations.len() * 2;
    let mut points: BTreeSet<usize> = if wanted < all {
        (0..wanted)
            .map(|point| point * (all - 1) / (wanted - 1))
            .collect()
    } else {
        (0..all).collect()
    };
    let kinds: BTreeSet<_> = operations.iter().collect();
    for (at, kind) in kinds.into_iter().enumerate() {
        let mut places = (0..operations.len()).filter(|place| operations[*place] == *kind);
        let place = if at % 2 == 0 {
            places.next()
        } else {
            places.next_back()
        };
        points.insert(place.unwrap() * 2 + at / 2 % 2);
    }
    points
        .into_iter()
        .map(|point| (point / 2, moments[point % 2]))
        .collect()
}

/// `CRASH_ROWS`: rows of the file. `CRASH_POINTS`: crash points; a larger number than there are runs all. `CRASH_JOBS`: concurrent
/// imports.
#[tokio::test(flavor = "multi_thread")]
async fn kills_change_nothing() {
    let file = file(env_number("CRASH_ROWS", 300) as usize);
    let trap = Arc::new(Trap::counting());
    let (expected, _) = import(&file, &trap).await;
    assert_eq!(
        expected.report["status"], "completed",
        "{}",
        expected.report
    );
    assert!(
        expected.report["rejected"].as_u64() > Some(2),
        "{}",
        expected.report
    );
    let statuses: BTreeSet<_> = expected
        .profiles
        .iter()
        .map(|(status, _)| *status)
        .collect();
    assert_eq!(statuses, BTreeSet::from([200, 404]));
    let operations = trap.operations();
    let points = points(&operations, env_number("CRASH_POINTS", 6) as usize);
    assert_eq!(
        expected.report["identities_erased"], 8,
        "{}",
        expected.report
    );
    let (all, began) = (points.len(), Instant::now());
    eprintln!(
        "{} rows, {} requests, {all} kills: {:?}",
        file.lines().count(),
        operations.len(),
        operations
            .iter()
            .fold(BTreeMap::new(), |mut counts, operation| {
                *counts.entry(operation).or_insert(0) += 1;
                counts
            })
    );
    let (done, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let kill = async |(mut at, moment): (usize, Moment)| {
        let mut sprang = false;
        for _ in 0..TRIES {
            let trap = Arc::new(Trap::new(at, moment));
            let end;
            (end, sprang) = import(&file, &trap).await;
            assert_eq!(end.report, expected.report, "{moment:?} request {at}");
            assert_eq!(end.profiles, expected.profiles, "{moment:?} request {at}");
            assert!(
                end == expected,
                "{moment:?} request {at}: the tables differ"
            );
            if sprang {
                break;
            }
            // The number of requests depends on timing, because it determines the batches and the reads of the erasure list. This
            // import had fewer, so the next attempt takes its last request.
            at = trap.operations().len() - 1;
        }
        missed.fetch_add(usize::from(!sprang), Ordering::Relaxed);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(20) || done == all {
            eprintln!("{done} of {all} kills, {:?}", began.elapsed());
        }
    };
    let jobs = env_number("CRASH_JOBS", 2) as usize;
    futures::stream::iter(points)
        .map(kill)
        .buffer_unordered(jobs)
        .collect::<Vec<()>>()
        .await;
    let missed = missed.into_inner();
    assert!(
        missed <= 1 + all / 20,
        "{missed} of {all} did not come to their request"
    );
    eprintln!("{} killed, {missed} imports ended before", all - missed);
}
