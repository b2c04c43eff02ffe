//! The delivery of lines to the audit log.

use std::collections::BTreeMap;

use local::Options;
use serde_json::{Value, json};

use crate::support::app::TestApp;

/// If CloudWatch Logs does not store lines, the delivery is retried, and then dead-lettered with its lines.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_undelivered_lines() {
    let other = ("AUDIT_LOG_GROUP".to_owned(), "another-group".to_owned());
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("audit".to_owned(), BTreeMap::from([other]))]),
        ..Options::default()
    })
    .await;
    let (_, problem) = app.get("/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
    let failed = loop {
        if let Some(key) = app.stack.list("failed/").pop() {
            break app.json(&key).await;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        failed["responsePayload"]["errorType"], "Request",
        "{failed}"
    );
    let data = failed["requestPayload"]["awslogs"]["data"]
        .as_str()
        .unwrap();
    let packed = data_encoding::BASE64.decode(data.as_bytes()).unwrap();
    let delivery: Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(&packed[..])).unwrap();
    let lines = delivery["logEvents"].as_array().unwrap().iter();
    let lines =
        lines.map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines[0]["request_id"], problem["request_id"], "{lines:?}");
    let errors = app.stack.logs().into_iter();
    let errors = errors.filter(|line| line.contains("audit lines not stored"));
    assert_eq!(errors.count(), 3, "one for each attempt");
    assert_eq!(app.stack.audit_log(), Vec::<Value>::new());
}

/// CloudWatch Logs checks the function with a message that has no lines of a function.
#[tokio::test(flavor = "multi_thread")]
async fn ignores_control_messages() {
    let app = TestApp::start().await;
    let control = include_str!("../../../functions/audit/events/control.json");
    let event = serde_json::from_str(control).expect("JSON");
    let response = app.stack.invoke("audit", event).await;
    assert_eq!(response.expect("it is accepted"), Value::Null);
    let other = app.stack.invoke("audit", json!({"Records": []})).await;
    other.expect_err("it is not a delivery");
    assert_eq!(app.stack.audit_log(), Vec::<Value>::new());
}
