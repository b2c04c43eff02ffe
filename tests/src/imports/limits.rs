//! Limits of an invocation and of a file.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local::Options;
use serde_json::json;
use shared::model::{keys, version::ImportId};
use tests::faults::Faults;

use crate::support::{
    events::s3_event,
    faults::{FaultyApp, ONE_RANGE, ingest_timeout},
    files::mixed_rows,
    table::clear_table,
};

#[tokio::test(flavor = "multi_thread")]
async fn imports_every_record_of_event() {
    let options = Options {
        timeouts: ingest_timeout(Duration::from_secs(4)),
        ..Options::default()
    };
    let setting = FaultyApp::start(5, ONE_RANGE, options).await;
    let rows = |first: usize| {
        mixed_rows(100)
            .lines()
            .skip(first)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let mut event = json!({"Records": []});
    let mut reports = Vec::new();
    for number in 0..4 {
        let key = format!("drop/mixed/crm/{number}.ndjson");
        let version_id = setting.drop(&key, &rows(number)).await;
        let again = s3_event(&setting.app, &key, &version_id, "0F");
        event["Records"]
            .as_array_mut()
            .unwrap()
            .push(again["Records"][0].clone());
        reports.push(format!("reports/{key}/{version_id}.json"));
    }
    // Without their state, all objects are new.
    clear_table(&setting.app).await;
    // No invocation can finish one object.
    setting
        .s3
        .set_faults(Faults::default().with_bandwidth(6_000));
    // As many attempts as Lambda makes: the last put is slow too.
    let mut tries = 1;
    while let Err(error) = setting.stack().invoke("ingest", event.clone()).await {
        tries += 1;
        assert!(tries <= 3, "{error}");
    }
    setting.stack().wait_idle().await;
    assert!(setting.invocations().await >= 8);
    for report in reports {
        let report = setting.app.json(&report).await;
        assert_eq!(report["status"], "completed", "{report}");
    }
    assert_eq!(setting.stack().list("work/"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_beyond_rescan_limit() {
    const FAR: u64 = 33 << 30;
    let setting = FaultyApp::start(1, ONE_RANGE, Options::default()).await;
    let (key, file) = (
        "drop/sms_send/shop/a.csv",
        "link.mobile,action_at,sms_id\n5550001,2026-01-01,1\n",
    );
    let version_id = setting.drop(key, file).await;
    assert_eq!(
        setting.report(key, &version_id).await["status"],
        "completed"
    );
    // Set the progress of an import that has read far into a larger file.
    let bucket = setting.stack().bucket().to_owned();
    let import = ImportId::new(&bucket, key, &version_id);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = setting.stack().dynamodb_client().update_item();
    update
        .table_name(setting.stack().table())
        .key("PK", text(&keys::import(import)))
        .key("SK", text(&keys::range(0)))
        .update_expression("SET #data.done = :no, #data.#offset = :far")
        .expression_attribute_names("#data", "data")
        .expression_attribute_names("#offset", "offset")
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":far", AttributeValue::N(FAR.to_string()))
        .send()
        .await
        .unwrap();
    setting
        .drop(&format!("work/{import}/0-{FAR}.json"), "{}")
        .await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (
            &report["status"],
            &report["problem"]["type"],
            &report["written"]
        ),
        (
            &json!("rejected"),
            &json!("/problems/file-too-large"),
            &json!(1)
        ),
        "{report}"
    );
    assert_eq!(setting.stack().list("work/"), [""; 0]);
    assert_eq!(setting.stack().list("failed/"), [""; 0]);
}
