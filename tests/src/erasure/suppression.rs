//! Imports after an erasure: what is suppressed, and what a reinstatement admits.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use super::{ada_and_bo, marked, soon, status};
use crate::support::{
    app::TestApp,
    erasures::unerased_items,
    events::s3_event,
    table::{Row, delete_row, rows},
};

#[tokio::test(flavor = "multi_thread")]
async fn reinstates_within_file() {
    let app = ada_and_bo().await;
    let email = json!({"email": "ada.canary@example.com"});
    let forget = json!({"link": email}).to_string();
    app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let record =
        json!({"record_type": "customer_record", "link": email, "first_name": "AdaCanary"});
    let rows: String = [
        record.clone(),
        json!({"record_type": "forget", "link": email, "reinstate": true}),
        record,
        json!({"record_type": "unify", "records": [email, {"email": "bo@example.com"}]}),
    ]
    .iter()
    .map(|row| format!("{row}\n"))
    .collect();
    let report = app.import("drop/mixed/crm/back.ndjson", &rows).await;
    assert_eq!(
        (&report["written"], &report["suppressed"]),
        (&json!(3), &json!(1)),
        "{report}"
    );
    assert_eq!(
        (&report["erased"], &report["still_held"]),
        (&Value::Null, &Value::Null),
        "{report}"
    );
    let (_, profile) = app.lookup(email).await;
    assert_eq!(
        (
            &profile["name"],
            profile["identities"].as_array().unwrap().len()
        ),
        (&json!("AdaCanary"), 2)
    );
    assert_eq!(unerased_items(&app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn suppresses_until_reinstated() {
    let app = ada_and_bo().await;
    app.import(
        "drop/forget/privacy/a.ndjson",
        r#"{"records":[{"email":"ada.canary@example.com"},{"mobile":"61400111222"}]}"#,
    )
    .await;
    // A nightly export still contains the erased customer.
    let record = r#"{"link":{"email":"ada.canary@example.com"},"first_name":"AdaCanary"}"#;
    let old = r#"{"link":{"email":"ada.canary@example.com"},"action_at":"2026-01-01T00:00:00Z","email_id":"1"}"#;
    let unify = r#"{"records":[{"email":"ada.canary@example.com"},{"email":"bo@example.com"}]}"#;
    for (folder, rows) in [
        ("customer_record", record),
        ("email_open", old),
        ("unify", unify),
    ] {
        let report = app
            .import(&format!("drop/{folder}/crm/again.ndjson"), rows)
            .await;
        assert_eq!(
            (&report["read"], &report["suppressed"], &report["written"]),
            (&json!(1), &json!(1), &json!(0)),
            "{folder}"
        );
    }
    assert_eq!(marked(&app).await, Vec::<&str>::new());
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );

    // An event after the erasure belongs to a new customer.
    let tomorrow = "2099-01-01T00:00:00Z";
    let late = app
        .import(
            "drop/email_open/crm/future.ndjson",
            &old.replace("2026-01-01T00:00:00Z", tomorrow),
        )
        .await;
    assert_eq!(late["rejected"], 1, "48 hours ahead at most");
    // A reject of an erased customer has no record.
    let rejects = app.object(late["rejects"][0].as_str().unwrap()).await;
    let reject: Value = serde_json::from_str(&rejects).unwrap();
    let fields: Vec<_> = reject.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "field", "line", "message", "offset"]);
    let soon = soon();
    let report = app
        .import(
            "drop/email_open/crm/new.ndjson",
            &old.replace("2026-01-01T00:00:00Z", &soon),
        )
        .await;
    assert_eq!(report["written"], 1);
    let (code, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    assert_eq!(
        (
            code.as_u16(),
            &profile["name"],
            profile["history"]["items"].as_array().unwrap().len()
        ),
        (200, &Value::Null, 1)
    );

    // After a reinstatement, records are stored. A late duplicate of the forget event deletes none of them.
    app.import(
        "drop/forget/privacy/b.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"reinstate":true}"#,
    )
    .await;
    assert_eq!(
        app.import("drop/customer_record/crm/back.ndjson", record)
            .await["written"],
        1
    );
    let versions = app.stack.list("reports/drop/forget/privacy/a.ndjson/");
    let version = versions[0]
        .rsplit('/')
        .next()
        .unwrap()
        .trim_end_matches(".json")
        .to_owned();
    delete_import_state(&app, "drop/forget/privacy/a.ndjson", &version).await;
    app.stack
        .invoke(
            "ingest",
            // The smallest sequencer: an erasure in the same second must not be newer than the rows that followed it.
            s3_event(&app, "drop/forget/privacy/a.ndjson", &version, "00"),
        )
        .await
        .expect("a late duplicate");
    let (_, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    assert_eq!(profile["name"], "AdaCanary");

    // A suppression is permanent.
    app.import(
        "drop/forget/privacy/c.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"suppress":true}"#,
    )
    .await;
    app.import(
        "drop/forget/privacy/d.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"reinstate":true}"#,
    )
    .await;
    for rows in [
        old.replace("2026-01-01T00:00:00Z", &soon),
        old.replace("\"1\"", "\"2\""),
    ] {
        assert_eq!(
            app.import("drop/email_open/crm/never.ndjson", &rows).await["suppressed"],
            1
        );
    }
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
    assert_eq!(marked(&app).await, Vec::<&str>::new());
}

/// A nightly export that stamps each row with the time of the export does not reinstate an erased customer.
#[tokio::test(flavor = "multi_thread")]
async fn exports_do_not_reinstate() {
    let app = TestApp::start().await;
    let faye = json!({"email": "faye@example.com"});
    let export = || {
        let rows = [
            json!({"record_type": "customer_record", "link": faye, "first_name": "Faye", "updated_at": soon()}),
            json!({"record_type": "attributes", "link": faye, "attributes": {"a.b": 1}, "updated_at": soon()}),
            json!({"record_type": "unify", "records": [faye, {"customer_id": "f-1"}]}),
        ];
        rows.map(|row| format!("{row}\n")).concat()
    };
    let first = app.import("drop/mixed/crm/1.ndjson", &export()).await;
    assert_eq!(first["written"], 3, "{first}");
    let forget = json!({"link": faye}).to_string();
    app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let nightly = app.import("drop/mixed/crm/2.ndjson", &export()).await;
    assert_eq!(
        (&nightly["suppressed"], &nightly["written"]),
        (&json!(3), &json!(0)),
        "{nightly}"
    );
    assert_eq!(status(&app, faye.clone()).await, 404);
    let reinstate = json!({"link": faye, "reinstate": true}).to_string();
    app.import("drop/forget/privacy/b.ndjson", &reinstate).await;
    let back = app.import("drop/mixed/crm/3.ndjson", &export()).await;
    assert_eq!(back["written"], 3, "{back}");
    let (_, profile) = app.lookup(faye).await;
    assert_eq!(profile["name"], "Faye");
}

/// Deletes the state of an import, so that its event is processed as a new one.
async fn delete_import_state(app: &TestApp, key: &str, version: &str) {
    let rows = rows(app).await;
    let is_import = |row: &&Row| {
        let Some(Ok(data)) = row.get("data").map(AttributeValue::as_m) else {
            return false;
        };
        let has = |name, value: &str| data.get(name) == Some(&AttributeValue::S(value.to_owned()));
        has("key", key) && has("version_id", version)
    };
    let import = rows.iter().find(is_import).expect("the import's row");
    for row in rows.iter().filter(|row| row["PK"] == import["PK"]) {
        delete_row(app, row).await;
    }
}
