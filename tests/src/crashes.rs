//! Crash points: ingest is killed before and after each request of an import, and retried as Lambda does. The result is that of an
//! import without crashes. One file contains all record types, the other is an export that a team's mapping reads.

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

/// The maximum number of imports for one crash point.
const TRIES: usize = 3;

/// The number of customers that are stored before and erased by the file.
const FORGOTTEN: usize = 6;

/// The number of receipts of a file in which the pattern of [`receipts`] begins again.
const PATTERN: usize = 16;

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

/// A file whose import is interrupted.
struct Dropped {
    key: &'static str,
    file: String,
    /// The object with the team's mapping, if the file needs one.
    mapping: Option<(&'static str, String)>,
    /// An object that is imported before the file. It is of the same source: an import that dies before it stores its plan loses the
    /// warning `new_source`.
    earlier: (&'static str, String),
    /// The customers whose profiles are compared.
    customers: Vec<Value>,
}

/// The result of an import.
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

/// Returns sample rows of all record types, links among them, rows that are rejected, and three erasures.
fn all_types(count: usize) -> Dropped {
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
    let links: Vec<_> = rows.iter().filter_map(|row| row.get("link")).collect();
    let seen = links.iter().step_by(links.len() / 5).copied().cloned();
    Dropped {
        key: "drop/mixed/crm/all.ndjson",
        file,
        mapping: None,
        earlier: ("drop/mixed/crm/earlier.ndjson", earlier()),
        customers: seen.chain((0..FORGOTTEN).map(forgotten)).collect(),
    }
}

/// Returns receipts of a POS that a team's own mapping reads. They have one to three lines each, and give purchases, returns and links.
/// Some are skipped, cannot be read, lack a value, or are of customers who are erased permanently.
fn receipts(count: usize) -> Dropped {
    let header = "Receipt;Kind;Sold at;Member;Email;Article;EAN;Pieces;Amount;Paid by;Shop";
    let mut file = format!("{header}\n");
    let member = |number: usize| format!("M-{}", number % 11);
    let email = |number: usize| format!("member.{}@fake.com", number % 11);
    for number in 0..count {
        let (kind, sign) = match number % PATTERN {
            3 => ("training", ""),
            5 | 12 => ("refund", "-"),
            _ => ("sale", ""),
        };
        let amount = if number % PATTERN == 7 {
            "much"
        } else {
            "7,50"
        };
        let (day, minute) = (1 + number / 60 % 28, number % 60);
        let common = format!(
            "{kind};{day:02}.08.2026 09:{minute:02};{};{}",
            member(number),
            email(number)
        );
        for line in 0..=number % 3 {
            let common = if line == 0 { &common } else { ";;;" };
            writeln!(
                file,
                "R-{number};{common};\"Article {line}, blue\";931234567890{line};{sign}1;{sign}{amount};card;Fitzroy"
            )
            .unwrap();
        }
        if number % PATTERN == 9 {
            writeln!(file, "R-{number};\"sale\" x;").unwrap();
        }
    }
    let mapping = include_str!("../../functions/ingest/src/mapping/samples/own/pos-receipts.json");
    let erased = json!({"record_type": "forget", "link": {"email": email(4)}, "suppress": true});
    Dropped {
        key: "drop/auto/receipts.csv",
        file,
        mapping: Some(("mappings/pos-receipts.json", mapping.to_owned())),
        earlier: (
            "drop/mixed/pos/earlier.ndjson",
            format!("{}{erased}\n", earlier()),
        ),
        customers: (0..11)
            .map(|number| json!({"email": email(number)}))
            .collect(),
    }
}

/// Imports a file under a trap. Returns the result, and whether the trap was triggered.
async fn import(dropped: &Dropped, trap: &Arc<Trap>) -> (End, bool) {
    let Dropped { key, file, .. } = dropped;
    let setting = FaultyApp::start(0, file.len() as u64 / 2 + 1, Options::default()).await;
    for (key, object) in [Some(&dropped.earlier), dropped.mapping.as_ref()]
        .into_iter()
        .flatten()
    {
        setting.drop(key, object).await;
    }
    for proxy in [&setting.dynamodb, &setting.s3] {
        proxy.set_trap(Some(Arc::clone(trap)));
    }
    let stack = &setting.app.stack;
    let version_id = stack.put(key, file.clone()).await.unwrap();
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
    (end(&setting, dropped, &version_id).await, sprang)
}

async fn end(setting: &FaultyApp, dropped: &Dropped, version_id: &str) -> End {
    let mut report = setting.report(dropped.key, version_id).await;
    // The other counts miss what the killed invocation had deleted.
    report["identities_erased"] = report["erased"]["identities"].clone();
    for name in OF_RUNS {
        report.as_object_mut().unwrap().remove(name);
    }
    if let Some(mapping) = report["mapping"].as_object_mut() {
        mapping.remove("version_id");
    }
    let mut profiles = Vec::new();
    for customer in &dropped.customers {
        profiles.push(setting.app.timeless_lookup(customer.clone()).await);
    }
    End {
        outcome: setting.outcome(dropped.key, version_id).await,
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

/// Imports a file without crashes. Returns the result and the operations of its requests. The report must contain these counts.
async fn uninterrupted(dropped: &Dropped, counted: &[&str]) -> (End, Vec<String>) {
    let trap = Arc::new(Trap::counting());
    let (end, _) = import(dropped, &trap).await;
    let report = &end.report;
    assert_eq!(report["status"], "completed", "{report}");
    for name in counted {
        assert!(report[name].as_u64() > Some(2), "{name}: {report}");
    }
    let statuses: BTreeSet<_> = end.profiles.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, BTreeSet::from([200, 404]));
    (end, trap.operations())
}

/// Kills an import at each crash point. `CRASH_POINTS` is their number (a number larger than all is the full sweep), `CRASH_JOBS` that
/// of concurrent imports.
async fn sweep(dropped: &Dropped, expected: &End, operations: &[String]) {
    let points = points(operations, env_number("CRASH_POINTS", 6) as usize);
    let (all, began) = (points.len(), Instant::now());
    let mut counts = BTreeMap::new();
    for operation in operations {
        *counts.entry(operation).or_insert(0) += 1;
    }
    eprintln!(
        "{}: {} rows, {} requests, {all} kills: {counts:?}",
        dropped.key,
        dropped.file.lines().count(),
        operations.len(),
    );
    let (done, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let kill = async |(at, moment): (usize, Moment)| {
        let sprang = kill(dropped, expected, at, moment).await;
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

/// Kills an import at a request and checks its result. Returns whether the import made the request.
async fn kill(dropped: &Dropped, expected: &End, mut at: usize, moment: Moment) -> bool {
    for _ in 0..TRIES {
        let trap = Arc::new(Trap::new(at, moment));
        let (end, sprang) = import(dropped, &trap).await;
        assert_eq!(end.report, expected.report, "{moment:?} request {at}");
        assert_eq!(end.profiles, expected.profiles, "{moment:?} request {at}");
        assert!(
            end == *expected,
            "{moment:?} request {at}: the tables differ"
        );
        if sprang {
            return true;
        }
        // The number of requests depends on timing, because it determines the batches and the reads of the erasure list. This
        // import had fewer, so the next attempt takes its last request.
        at = trap.operations().len() - 1;
    }
    false
}

/// `CRASH_ROWS` is the size of the file.
#[tokio::test(flavor = "multi_thread")]
async fn kills_change_nothing() {
    let dropped = all_types(env_number("CRASH_ROWS", 300) as usize);
    let (expected, operations) = uninterrupted(&dropped, &["rejected"]).await;
    assert_eq!(
        expected.report["identities_erased"], 8,
        "{}",
        expected.report
    );
    sweep(&dropped, &expected, &operations).await;
}

/// `CRASH_RECEIPTS` is the number of groups of the file.
#[tokio::test(flavor = "multi_thread")]
async fn kills_change_nothing_of_mapped_files() {
    let dropped = receipts(env_number("CRASH_RECEIPTS", 48) as usize);
    let (expected, operations) = uninterrupted(&dropped, &["rejected", "suppressed"]).await;
    let report = &expected.report;
    assert_eq!(
        report["mapping"],
        json!({"name": "pos-receipts"}),
        "{report}"
    );
    assert!(report["rows"]["skipped"].as_u64() > Some(2), "{report}");
    sweep(&dropped, &expected, &operations).await;
}
