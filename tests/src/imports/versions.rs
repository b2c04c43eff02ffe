//! Object versions that are deleted or replaced during their import.

use std::{collections::BTreeMap, time::Duration};

use local::Options;
use serde_json::json;
use tests::faults::Faults;

use crate::support::{
    events::s3_event,
    faults::{FaultyApp, KEY, ONE_RANGE, ingest_timeout},
    files::mixed_rows,
};

/// Starts a stack in which one invocation imports only some of a file's rows.
async fn slow(chunk_bytes: u64, environment: &[(&str, &str)]) -> FaultyApp {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options = Options {
        environment: BTreeMap::from([("ingest".to_owned(), environment.collect())]),
        timeouts: ingest_timeout(Duration::from_secs(4)),
        ..Options::default()
    };
    let setting = FaultyApp::start(6, chunk_bytes, options).await;
    setting
        .s3
        .set_faults(Faults::default().with_bandwidth(50_000));
    setting
}

/// Waits until a manifest has been put.
async fn first_manifest(setting: &FaultyApp) {
    while !setting.s3.counts().contains_key("PutObject") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_deleted_version() {
    let file = mixed_rows(600);
    for chunk_bytes in [ONE_RANGE, file.len() as u64 / 3] {
        let setting = slow(chunk_bytes, &[]).await;
        let version_id = setting.stack().put(KEY, file.clone()).await.unwrap();
        first_manifest(&setting).await;
        let client = setting.stack().s3_client();
        let delete = client
            .delete_object()
            .bucket(setting.stack().bucket())
            .key(KEY);
        delete.version_id(&version_id).send().await.unwrap();
        setting.stack().wait_idle().await;
        let outcome = setting.outcome(KEY, &version_id).await;
        assert_eq!(outcome.status, "failed");
        let report = setting.report(KEY, &version_id).await;
        assert_eq!(report["problem"]["type"], "/problems/object-gone");
        assert!(report["read"].as_u64() < Some(600), "{report}");
        assert_eq!(setting.stack().list("failed/"), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_superseded_object() {
    // The template's role may only read versions. An owner of another bucket may have disabled versioning.
    let setting = slow(ONE_RANGE, &[("AWS_ACCESS_KEY_ID", "another")]).await;
    let bucket = setting.stack().bucket().to_owned();
    let client = setting.stack().s3_client();
    // The first import ends with versioning, before the event without a version.
    let put = async |rows: usize| {
        let put = client
            .put_object()
            .bucket(&bucket)
            .key(KEY)
            .body(mixed_rows(rows).into_bytes().into());
        put.send()
            .await
            .unwrap()
            .e_tag
            .unwrap()
            .trim_matches('"')
            .to_owned()
    };
    let etag = put(600).await;
    setting.stack().wait_idle().await;
    let mut event = s3_event(&setting.app, KEY, "", "0A");
    event["Records"][0]["s3"]["object"]["eTag"] = json!(etag);
    setting
        .stack()
        .invoke("ingest", event.clone())
        .await
        .unwrap();
    put(1).await;
    setting.stack().wait_idle().await;
    let report = setting
        .app
        .json(&format!("reports/{KEY}/{etag}-0A.json"))
        .await;
    assert_eq!(
        (&report["status"], &report["problem"]["type"]),
        (&json!("superseded"), &json!("/problems/object-superseded"))
    );
    assert!(report["read"].as_u64() < Some(600), "{report}");
    // Another event of the version that no longer exists.
    event["Records"][0]["s3"]["object"]["sequencer"] = json!("0B");
    setting.stack().invoke("ingest", event).await.unwrap();
    let report = setting
        .app
        .json(&format!("reports/{KEY}/{etag}-0B.json"))
        .await;
    assert_eq!(
        (&report["status"], &report["read"]),
        (&json!("superseded"), &json!(0))
    );
    assert_eq!(setting.stack().list("work/"), [""; 0]);
}
