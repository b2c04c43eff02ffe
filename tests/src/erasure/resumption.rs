//! Erasures that take several invocations.

use std::time::Duration;

use local::{Options, Stack};
use serde_json::json;
use shared::{
    model::{
        identity::{IdentityId, IdentityKey},
        keys::Marker,
        version::{ImportId, Version},
    },
    table::{BATCH_SIZE, Table, Verdict, Write},
};
use tests::faults::Faults;

use super::{identifier, mobile};
use crate::support::{
    app::TestApp,
    erasures::unerased_items,
    faults::{FaultyApp, ONE_RANGE, ingest_timeout},
    table::rows,
};

/// Starts a stack whose ingest times out after `seconds`. Each request to the table takes `delay` milliseconds longer.
async fn slow(seconds: u64, delay: u64) -> FaultyApp {
    let options = Options {
        timeouts: ingest_timeout(Duration::from_secs(seconds)),
        ..Options::default()
    };
    let setting = FaultyApp::start(0, ONE_RANGE, options).await;
    let faults = Faults::default().with_delay(Duration::from_millis(delay));
    setting.dynamodb.set_faults(faults);
    setting
}

/// Inserts list entries and markers for identities, as an invocation does before it deletes anything.
async fn insert_markers(stack: &Stack, identities: &[IdentityId]) {
    let table = Table::new(stack.dynamodb_client(), stack.table().to_owned());
    let version = Version::new(2_000_000_000, "01", ImportId([7; 8]), 0);
    let kinds: [fn(&IdentityId, Marker, Version) -> Write; 2] = [Write::listed, Write::marker];
    for kind in kinds {
        for batch in identities.chunks(BATCH_SIZE) {
            let writes: Vec<Write> = batch
                .iter()
                .map(|identity| kind(identity, Marker::Erased, version))
                .collect();
            let written = table.insert(&writes.iter().collect::<Vec<_>>()).await;
            let verdicts = written.unwrap().verdicts;
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Stored));
        }
    }
    table.count_erasure_change().await.unwrap();
}

async fn has_event(app: &TestApp) -> bool {
    let rows = rows(app).await;
    let mut keys = rows.iter().map(|row| row["SK"].as_s().expect("a key"));
    keys.any(|key| key.starts_with("event#"))
}

#[tokio::test(flavor = "multi_thread")]
async fn purges_at_end_of_import() {
    let (setting, key) = (slow(60, 5).await, "drop/mixed/crm/a.ndjson");
    let stack = &setting.app.stack;
    // The file takes 6 s.
    let faults = Faults::default().with_bandwidth(3_000);
    setting.s3.set_faults(faults);
    let opens = (0..100).map(|number| json!({"record_type": "email_open", "link": mobile(number), "action_at": "2026-01-01T00:00:00Z", "email_id": "1"}));
    let pairs = (0..50).map(|number| json!({"record_type": "unify", "records": [mobile(2 * number), mobile(2 * number + 1)]}));
    let file: String = opens.chain(pairs).map(|row| format!("{row}\n")).collect();
    let version_id = stack.put(key, file).await.unwrap();
    // An event is stored, so the invocation has read the erasure list.
    while !has_event(&setting.app).await {
        tokio::task::yield_now().await;
    }
    let ids = IdentityKey::new(stack.identity_key()).unwrap();
    let identities: Vec<_> = (0..400)
        .map(|number| ids.identity(&identifier(&mobile(number))))
        .collect();
    insert_markers(stack, &identities).await;
    stack.wait_idle().await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (&report["status"], &report["written"]),
        (&json!("completed"), &json!(150)),
        "{report}"
    );
    let erased = &report["erased"];
    assert_eq!(
        (&erased["identities"], &erased["events"], &erased["links"]),
        (&json!(0), &json!(100), &json!(100)),
        "{report}"
    );
    assert_eq!(stack.list("failed/"), [""; 0]);
    assert_eq!(setting.invocations().await, 1);
    assert_eq!(unerased_items(&setting.app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn resumes_after_erased_identities() {
    let (setting, key) = (slow(5, 10).await, "drop/forget/privacy/a.ndjson");
    let count = 300;
    let file: String = (0..count)
        .map(|number| format!("{}\n", json!({"link": mobile(number)})))
        .collect();
    let version_id = setting.drop(key, &file).await;
    // On a busy machine, an event may have failed.
    setting.dynamodb.set_faults(Faults::default());
    setting.app.redrive().await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (&report["written"], &report["erased"]["identities"]),
        (&json!(count), &json!(count)),
        "{report}"
    );
    let invocations = setting.invocations().await;
    assert!(invocations >= 4, "{invocations}");
    // Each attempt opens the file, also one that fails.
    let attempts = setting.s3.counts()["GetObject"].requests;
    let updates = setting.dynamodb.counts()["UpdateItem"].requests;
    eprintln!("{invocations} invocations, {attempts} attempts, {updates} updates");
    // Each erased identity is counted as a change of the erasure list, and each attempt counts itself. An attempt that fails repeats the
    // identities after the stored offset, fewer than 60. Attempts from the start of the file would repeat all identities before it.
    assert!(
        updates < count + 60 * attempts,
        "{updates} updates in {attempts} attempts"
    );
}
