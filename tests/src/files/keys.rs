//! Object keys, versions, and rows that replace one another.

use serde_json::json;

use crate::support::{app::TestApp, events::s3_event};

#[tokio::test(flavor = "multi_thread")]
async fn accepts_any_key() {
    let app = TestApp::start().await;
    let row = r#"{"link":{"mobile":"5550001"},"first_name":"A"}"#;
    let long = format!(
        "drop/customer_record/crm/{}.ndjson",
        "k".repeat(1_000 - "drop/customer_record/crm/.ndjson".len())
    );
    for key in [
        "drop/customer_record/crm/a b+c%20d&e=f?g#h.ndjson",
        "drop/customer_record/crm/2026/11/ü/日本/😀.ndjson",
        "drop/customer_record/crm/x..%2F..%2Fetc.ndjson",
        long.as_str(),
    ] {
        let report = app.import(key, row).await;
        assert_eq!(
            (&report["written"], &report["key"]),
            (&json!(1), &json!(key))
        );
    }
    let bad = app.import(&long.replace("/crm/", "/agents/"), row).await;
    assert_eq!(bad["problem"]["type"], "/problems/invalid-source");
    // The marker object of a folder is not imported. A later file has a report, so the marker's event is processed.
    app.stack
        .put("drop/customer_record/crm/", "")
        .await
        .unwrap();
    app.import("drop/customer_record/crm/after.ndjson", row)
        .await;
    assert!(
        app.stack
            .list("reports/drop/customer_record/crm//")
            .is_empty()
    );
    // With content, it is a file.
    let report = app.import("drop/customer_record/crm/", row).await;
    assert_eq!(report["read"], 1, "{report}");
    let (_, list) = app.get("/imports?limit=1").await;
    assert_eq!(list["items"][0]["file_name"], "crm", "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_every_version() {
    let app = TestApp::start().await;
    let key = "drop/email_open/a.ndjson";
    let rows = |from: usize| {
        (from..from + 500).map(|id| format!("{{\"link\":{{\"mobile\":\"5550001\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"email_id\":\"{id}\"}}\n")).collect::<String>()
    };
    let mut imports = app.stack.imports();
    for version in 0..3 {
        // The next version is put while the previous one is imported.
        imports.put(key, rows(version * 400)).await.unwrap();
    }
    while let Some(outcome) = imports.next().await {
        let (_, report) = outcome.unwrap();
        assert_eq!(
            (&report["read"], &report["rejected"]),
            (&json!(500), &json!(0))
        );
    }
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["summary"]["email"]["opened"], 1_300);

    let mut combined = Vec::new();
    for name in ["b", "c"] {
        let key = format!("elsewhere/{name}");
        let version = app.stack.put(&key, "").await.unwrap();
        let event = s3_event(
            &app,
            &format!("drop/email_open/{name}.ndjson"),
            &version,
            "01",
        );
        combined.push(event["Records"][0].clone());
    }
    // Neither version exists at the key in the event. Each gets its own report.
    app.stack
        .invoke("ingest", json!({"Records": combined}))
        .await
        .expect("both are seen to");
    assert_eq!(
        app.stack.list("reports/drop/email_open/b.ndjson/").len()
            + app.stack.list("reports/drop/email_open/c.ndjson/").len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn last_row_wins() {
    let app = TestApp::start().await;
    // One key in many batches, between rows of other keys.
    let row = |number: usize| {
        let mobile = if number.is_multiple_of(10) {
            "5550001".to_owned()
        } else {
            format!("9{number:07}")
        };
        format!("{{\"link\":{{\"mobile\":\"{mobile}\"}},\"first_name\":\"N{number}\"}}\n")
    };
    let report = app
        .import(
            "drop/customer_record/crm/a.ndjson",
            &(0..=1_000).map(row).collect::<String>(),
        )
        .await;
    assert_eq!(
        (&report["read"], &report["written"]),
        (&json!(1_001), &json!(1_001))
    );
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "N1000");

    // Two sources have one customer. Both records are kept, and each has a part of the name.
    app.import(
        "drop/customer_record/pos/a.ndjson",
        r#"{"link":{"mobile":"5550001"},"last_name":"Okafor","city":"Leeds"}"#,
    )
    .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "N1000 Okafor");
    let names: Vec<_> = profile["attributes"]["customer"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attribute| (attribute["name"].clone(), attribute["source"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            (json!("first_name"), json!("crm")),
            (json!("last_name"), json!("pos"))
        ]
    );

    // A correction moves an event, in any order of files.
    let event = |at: &str, more: &str| {
        format!(
            "{{\"link\":{{\"mobile\":\"5550002\"}},\"action_at\":\"{at}\",\"message_id\":\"m\",\"channel\":\"sms\",\"direction\":\"inbound\"{more}}}"
        )
    };
    app.import("drop/message/a.ndjson", &event("2026-01-01T00:00:00Z", ""))
        .await;
    app.import(
        "drop/message/b.ndjson",
        &event(
            "2026-01-05T00:00:00Z",
            ",\"replaces_action_at\":\"2026-01-01T00:00:00Z\"",
        ),
    )
    .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550002"})).await;
    let times: Vec<_> = profile["history"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["at"].clone())
        .collect();
    assert_eq!(times, ["2026-01-05T00:00:00Z"]);
}
