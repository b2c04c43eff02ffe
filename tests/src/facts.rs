//! The facts of the table: what a process writes into a new table, and which tables it rejects.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use local::Options;
use serde_json::json;

use crate::support::{
    api::problem_of,
    app::TestApp,
    events::s3_event,
    table::{Row, rows},
};

const ROW: &str = r#"{"link": {"email": "ada@example.com"}, "first_name": "Ada"}"#;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Puts facts of the table.
async fn put_facts(app: &TestApp, facts: &[(&str, AttributeValue)]) {
    let facts = facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let put = app.stack.dynamodb_client().put_item();
    let put = put.table_name(app.stack.table());
    let put = put.item("PK", text("config")).item("SK", text("config"));
    put.item("data", AttributeValue::M(facts.collect()))
        .send()
        .await
        .unwrap();
}

/// Returns the fact with a sort key.
async fn fact(app: &TestApp, sort: &str) -> Option<Row> {
    let is_it = |row: &Row| row["PK"] == text("config") && row["SK"] == text(sort);
    rows(app).await.into_iter().find(is_it)
}

/// Returns the error with which ingest rejects an event.
async fn refusal(app: &TestApp) -> String {
    let key = "drop/customer_record/crm/refused.ndjson";
    let event = s3_event(app, key, "v", "01");
    let error = app.stack.invoke("ingest", event).await;
    error.expect_err("ingest refuses the table").to_string()
}

async fn status(app: &TestApp, path: &str) -> (u16, String) {
    let (status, problem) = app.get(path).await;
    (status.as_u16(), problem_of(&problem).0)
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_other_format() {
    for (format, held) in [(None, 1), (Some("3"), 3)] {
        let app = TestApp::start().await;
        let mut facts = vec![("key_check", text("x"))];
        facts.extend(format.map(|format| ("format", AttributeValue::N(format.to_owned()))));
        put_facts(&app, &facts).await;
        let message =
            format!("the table holds item format {held}; this release supports only format 2");
        let refusal = refusal(&app).await;
        assert!(refusal.contains(&message), "{refusal}");
        let id = "a".repeat(26);
        let internal = (500, "internal".to_owned());
        assert_eq!(status(&app, &format!("/profiles/{id}")).await, internal);
        assert_eq!(
            status(&app, &format!("/profiles/{id}/history")).await,
            internal
        );
        let (status, problem) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
        assert_eq!((status.as_u16(), problem_of(&problem).0), internal);
        assert_eq!(app.lookup(json!({"email": "ada@example.com"})).await.0, 500);
        let logs = app.stack.logs();
        let logged = logs.iter().filter(|line| line.contains(&message)).count();
        assert!(logged >= 4, "each of the four requests: {logs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_other_calling_code() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |code: &str| {
        let parameters = [("DefaultCallingCode".to_owned(), code.to_owned())];
        TestApp::start_with(Options {
            data_dir: Some(folder.path().to_owned()),
            parameters: BTreeMap::from(parameters),
            ..Options::default()
        })
        .await
    };
    let app = start("61").await;
    app.import("drop/customer_record/crm/a.ndjson", ROW).await;
    let ada = app.profile("ada@example.com").await;
    let facts = fact(&app, "config").await.unwrap();
    let facts = facts["data"].as_m().unwrap();
    assert_eq!(facts["calling_code"], text("61"));
    assert_eq!(facts["format"], AttributeValue::N("2".to_owned()));
    app.stack.shutdown().await;

    let app = start("61/9").await;
    let refusal = refusal(&app).await;
    assert!(refusal.contains("another DefaultCallingCode"), "{refusal}");
    let (status, problem) = app.lookup(json!({"mobile": "0491570156"})).await;
    assert_eq!(status, 500, "{problem}");
    // A read by id needs no identifier rules.
    let path = format!("/profiles/{}", ada["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_sources() {
    let app = TestApp::start().await;
    let keys = ["crm", "pos", "shop", "mail"]
        .map(|source| format!("drop/customer_record/{source}/a.ndjson"));
    // The first files of several sources are imported concurrently.
    let mut imports = app.stack.imports();
    for key in &keys {
        imports.put(key, ROW.to_owned()).await.unwrap();
    }
    while let Some(outcome) = imports.next().await {
        assert_eq!(outcome.unwrap().1["written"], 1);
    }
    app.import("drop/customer_record/crm/b.ndjson", ROW).await;
    app.import("drop/customer_record/2026/a.ndjson", ROW).await;
    let sources = fact(&app, "sources").await.unwrap();
    let sources: BTreeSet<_> = sources["sources"].as_ss().unwrap().iter().collect();
    let expected = ["crm", "default", "mail", "pos", "shop"].map(str::to_owned);
    assert_eq!(sources, expected.iter().collect());

    // Each source was new once, and its plan names the sources before it.
    let mut before = BTreeMap::new();
    for row in rows(&app).await {
        let Some(AttributeValue::M(plan)) = row.get("data") else {
            continue;
        };
        let (Some(key), Some(known)) = (plan.get("key"), plan.get("new_among")) else {
            continue;
        };
        before.insert(known.as_l().unwrap().len(), key.as_s().unwrap().clone());
    }
    assert_eq!(before.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(before[&4], "drop/customer_record/2026/a.ndjson");
    let first: BTreeSet<_> = before.into_values().take(4).collect();
    assert_eq!(first, keys.into_iter().collect());
}
