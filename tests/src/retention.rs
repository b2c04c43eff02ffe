//! Retention of records, links, attributes and notes: when they expire, what renews them, and that reads leave expired ones out.

use std::{collections::BTreeMap, time::SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use local::Options;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    table::{Row, rows},
};

const DAY: u64 = 24 * 60 * 60;
const RECORD: &str = r#"{"link":{"email":"jane@example.com"},"first_name":"Jane"}"#;
const LINK: &str = r#"{"records":[{"email":"jane@example.com"},{"mobile":"5550001"}]}"#;
const ATTRIBUTES: &str = r#"{"link":{"email":"jane@example.com"},"attributes":{"a.b":"x"}}"#;

/// Starts a stack with these retention periods of ingest and note-write, and Jane.
async fn start(days: [(&str, &str, u64); 3]) -> TestApp {
    let mut environment: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (function, variable, days) in days {
        let own = environment.entry(function.to_owned()).or_default();
        own.insert(variable.to_owned(), days.to_string());
    }
    let app = TestApp::start_with(Options {
        environment,
        ..Options::default()
    })
    .await;
    drop_all(&app, "a").await;
    app
}

async fn drop_all(app: &TestApp, name: &str) {
    for (folder, row) in [
        ("customer_record", RECORD),
        ("unify", LINK),
        ("attributes", ATTRIBUTES),
    ] {
        let key = format!("drop/{folder}/crm/{name}.ndjson");
        let report = app.import(&key, row).await;
        assert_eq!(report["written"], 1, "{report}");
    }
}

const DAYS: [(&str, &str, u64); 3] = [
    ("ingest", "RECORD_RETENTION_DAYS", 10),
    ("ingest", "ATTRIBUTE_RETENTION_DAYS", 20),
    ("note-write", "NOTE_RETENTION_DAYS", 30),
];

/// Returns the items of customers whose keys begin so.
async fn items(app: &TestApp, prefix: &str) -> Vec<Row> {
    let mut found = rows(app).await;
    found.retain(|row| row["SK"].as_s().unwrap().starts_with(prefix));
    found
}

/// Returns in how many days an item expires; `None` if it does not.
fn days(row: &Row) -> Option<u64> {
    let end: u64 = row.get("expires_at")?.as_n().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Some((end - now.unwrap().as_secs() + DAY / 2) / DAY)
}

async fn set_expiry(app: &TestApp, row: &Row, end: u64) {
    let keys = ["PK", "SK"].map(|name| (name.to_owned(), row[name].clone()));
    app.stack
        .dynamodb_client()
        .update_item()
        .table_name(app.stack.table())
        .set_key(Some(keys.into()))
        .update_expression("SET expires_at = :end")
        .expression_attribute_values(":end", AttributeValue::N(end.to_string()))
        .send()
        .await
        .unwrap();
}

async fn jane(app: &TestApp) -> (u16, Value) {
    let (status, profile) = app.lookup(json!({"email": "jane@example.com"})).await;
    (status.as_u16(), profile)
}

#[tokio::test(flavor = "multi_thread")]
async fn expires_after_newest_file() {
    let app = start(DAYS).await;
    let (_, profile) = jane(&app).await;
    let id = profile["id"].as_str().unwrap();
    let (status, note) = app.note(id, Some("k"), json!({"text": "Call"})).await;
    assert_eq!(status, 201, "{note}");
    for (prefix, count, expected) in [
        ("profile#record#", 1, 10),
        ("profile#link#", 2, 10),
        ("profile#attributes#", 1, 20),
        ("agent#note#", 1, 30),
    ] {
        let found = items(&app, prefix).await;
        assert_eq!(found.len(), count, "{prefix}");
        for row in &found {
            assert_eq!(days(row), Some(expected), "{prefix}");
            // As if the file was old.
            set_expiry(&app, row, 1_000).await;
        }
    }
    // DynamoDB deletes expired items later. Until then, reads leave them out.
    assert_eq!(jane(&app).await.0, 404);
    let note = format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap());
    assert_eq!(app.get(&note).await.0, 404);

    // The same rows in a newer file renew them.
    drop_all(&app, "b").await;
    let (status, profile) = jane(&app).await;
    assert_eq!((status, &profile["name"]), (200, &json!("Jane")));
    assert_eq!(profile["identities"].as_array().unwrap().len(), 2);
    for row in items(&app, "profile#").await {
        assert!(days(&row).is_some_and(|days| days >= 10), "{row:?}");
    }
}

/// A change keeps the expiry of a note: the retention counts from its creation.
#[tokio::test(flavor = "multi_thread")]
async fn changes_do_not_renew_notes() {
    let app = start(DAYS).await;
    let (_, profile) = jane(&app).await;
    let id = profile["id"].as_str().unwrap();
    let (_, note) = app.note(id, Some("k"), json!({"text": "Call"})).await;
    let before = items(&app, "agent#note#").await;
    let end = before[0]["expires_at"].as_n().unwrap().clone();
    let path = format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap());
    let (status, _) = app
        .edit_note(&path, note["etag"].as_str(), json!({"text": "Called"}))
        .await;
    assert_eq!(status, 200);
    let after = items(&app, "agent#note#").await;
    assert_eq!(after[0]["expires_at"].as_n().unwrap(), &end);
}

/// By default nothing expires, and no item has the attribute.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_permanently_by_default() {
    let app = start(DAYS.map(|(function, variable, _)| (function, variable, 0))).await;
    let found = items(&app, "profile#").await;
    assert_eq!(found.len(), 4);
    for row in found {
        assert!(!row.contains_key("expires_at"), "{row:?}");
    }
}
