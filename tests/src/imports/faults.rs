//! Faults of DynamoDB and S3, and events that fail.

use std::time::Duration;

use local::Options;
use serde_json::json;
use shared::model::version::ImportId;
use tests::faults::{Fault, Faults};

use super::statuses;
use crate::support::{
    environment::env_number,
    events::s3_event,
    faults::{FaultyApp, KEY, ONE_RANGE, import_without_faults},
    files::mixed_rows,
    table::clear_table,
};

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_faults() {
    let file = mixed_rows(300);
    let expected = import_without_faults(&file).await;
    let none = Faults::default;
    let seed = env_number("IMPORT_SEED", 11);
    let kinds = [
        ("throttled", none().with(Fault::Throttled, 0.2)),
        ("failed", none().with(Fault::Failed, 0.2)),
        ("reset", none().with(Fault::Reset, 0.2)),
        ("lost", none().with(Fault::Lost, 0.2)),
        (
            "cut",
            none()
                .with(Fault::Cut, 0.2)
                .with_on("GetObject", Fault::Cut, 0.5),
        ),
        ("stalled", none().with(Fault::Stalled, 0.1)),
        ("wrong etag", none().with(Fault::WrongEtag, 0.5)),
        ("statements", none().with_failing_statements(0.3)),
        ("write units", none().with_write_units(60)),
        (
            "slow",
            none()
                .with_bandwidth(300_000)
                .with_latency(Duration::from_millis(100)),
        ),
    ];
    // The cases run concurrently: most of their time is waiting.
    let tries = kinds.map(async |(name, faults)| {
        let setting = FaultyApp::start(seed, file.len() as u64 / 3, Options::default()).await;
        setting.set_faults(&faults);
        let began = std::time::Instant::now();
        let version_id = setting.drop(KEY, &file).await;
        let passed = began.elapsed();
        setting.set_faults(&none());
        let again = setting.app.redrive().await;
        assert_eq!(setting.outcome(KEY, &version_id).await, expected, "{name}");
        let faults = [&setting.dynamodb, &setting.s3].map(|proxy| {
            let counts = proxy.counts();
            counts
                .values()
                .map(|count| count.faults + count.failed_statements)
                .sum::<u64>()
        });
        assert!(
            name == "slow" || faults.iter().sum::<u64>() > 0,
            "{name}: no fault was injected"
        );
        eprintln!("{name}: {passed:?}, faults {faults:?}, events sent again {again}");
    });
    futures::future::join_all(tries).await;
}

/// An event that fails in every attempt is dead-lettered. There is no report until it is sent again and succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn reports_after_redrive() {
    let file = mixed_rows(200);
    let poisons = [
        ("BatchExecuteStatement", Fault::Throttled),
        ("GetObject", Fault::Failed),
    ];
    // The cases run concurrently: most of their time is waiting.
    let tries = poisons.map(async |(operation, fault)| {
        let setting = FaultyApp::start(3, ONE_RANGE, Options::default()).await;
        let faults = Faults::default().with_on(operation, fault, 1.0);
        setting.set_faults(&faults);
        let version_id = setting.drop(KEY, &file).await;
        let failed = setting.stack().list("failed/");
        assert_eq!(failed.len(), 1, "{operation} {fault:?}");
        let failed = setting.app.json(&failed[0]).await;
        assert_eq!(failed["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(setting.stack().list("reports/"), [""; 0], "{operation}");
        let last = |line: &String| line.contains("this attempt may be the last");
        let warned = setting
            .stack()
            .logs()
            .iter()
            .filter(|line| last(line))
            .count();
        assert_eq!(warned, 1, "{operation} {fault:?}");
        // After the fault, the event can be sent again.
        setting.set_faults(&Faults::default());
        setting.app.redrive().await;
        assert_eq!(setting.outcome(KEY, &version_id).await.status, "completed");
        assert_eq!(statuses(&setting, &version_id).await, ["completed"]);
    });
    futures::future::join_all(tries).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_killed_range() {
    let setting = FaultyApp::start(4, ONE_RANGE, Options::default()).await;
    setting.dynamodb.set_faults(Faults::default().with_on(
        "BatchExecuteStatement",
        Fault::Stalled,
        1.0,
    ));
    let version_id = setting.stack().put(KEY, mixed_rows(100)).await.unwrap();
    let mut killed = 0;
    while setting.stack().list("failed/").is_empty() {
        let stalled = || {
            setting
                .dynamodb
                .counts()
                .get("BatchExecuteStatement")
                .map_or(0, |count| count.requests)
        };
        let before = stalled();
        while stalled() == before && setting.stack().list("failed/").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        setting.stack().kill_working("ingest");
        killed += 1;
        assert!(killed < 10, "{killed} invocations and no dead letter");
    }
    assert_eq!(setting.stack().list("reports/"), [""; 0]);
    setting.dynamodb.set_faults(Faults::default());
    setting.app.redrive().await;
    assert_eq!(setting.outcome(KEY, &version_id).await.status, "completed");
    assert_eq!(statuses(&setting, &version_id).await, ["completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_every_failed_object() {
    let setting = FaultyApp::start(7, ONE_RANGE, Options::default()).await;
    let mut event = json!({"Records": []});
    let mut imports = Vec::new();
    for number in 0..3 {
        let key = format!("drop/mixed/crm/{number}.ndjson");
        let version_id = setting.drop(&key, &mixed_rows(1)).await;
        imports.push(ImportId::new(setting.stack().bucket(), &key, &version_id).to_string());
        let one = s3_event(&setting.app, &key, &version_id, "0F");
        let records = event["Records"].as_array_mut().unwrap();
        records.push(one["Records"][0].clone());
    }
    clear_table(&setting.app).await;
    let faults = Faults::default().with_on("GetObject", Fault::Failed, 1.0);
    setting.s3.set_faults(faults);
    let error = setting.stack().invoke("ingest", event).await.unwrap_err();
    assert!(
        error.to_string().contains("3 of 3 objects failed"),
        "{error}"
    );
    let logs = setting.stack().logs();
    let failed = logs.iter().filter(|line| line.contains("object failed"));
    let failed: Vec<_> = failed.collect();
    for import in imports {
        let own = failed.iter().filter(|line| line.contains(&import));
        assert_eq!(own.count(), 1, "{import}: {failed:?}");
    }
}
