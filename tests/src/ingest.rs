//! Ingest: files in any order and any number of times have the same result.

use std::collections::BTreeMap;

use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    events::s3_event,
    files::JANE,
    table::{clear_table, rows, to_json},
};

#[tokio::test(flavor = "multi_thread")]
async fn order_of_files_changes_nothing() {
    let once = TestApp::with_jane().await;
    let expected = once.timeless_profile("jane@fake.com").await;

    for (folder, rows) in JANE {
        let report = once
            .import(&format!("drop/{folder}/jane.ndjson"), rows)
            .await;
        assert_eq!(
            (&report["status"], &report["rejected"]),
            (&json!("completed"), &json!(0))
        );
        assert_eq!(report["written"], report["read"], "a later drop is newer");
    }
    assert_eq!(once.timeless_profile("jane@fake.com").await, expected);

    let reverse = TestApp::start().await;
    for (folder, rows) in JANE.into_iter().rev() {
        reverse
            .import(&format!("drop/{folder}/jane.ndjson"), rows)
            .await;
    }
    assert_eq!(reverse.timeless_profile("jane@fake.com").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_before_or_after() {
    let unify = r#"{"records":[{"email":"jane@fake.com"},{"mobile":"+61123456789"},{"customer_id":"7","system_name":"pos"}]}"#;
    let after = TestApp::with_jane().await;
    assert_eq!(
        after.import("drop/unify/a.ndjson", unify).await["written"],
        1
    );
    let expected = after.timeless_profile("jane@fake.com").await;

    let before = TestApp::start().await;
    before.import("drop/unify/a.ndjson", unify).await;
    for (folder, rows) in JANE {
        before
            .import(&format!("drop/{folder}/jane.ndjson"), rows)
            .await;
    }
    assert_eq!(before.timeless_profile("jane@fake.com").await, expected);

    let profile: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(profile["identities"].as_array().unwrap().len(), 3);
    for identifier in [
        json!({"mobile": "0061123456789"}),
        json!({"customer_id": "7", "system_name": "pos"}),
    ] {
        let (_, same) = before.lookup(identifier).await;
        assert_eq!(
            (&same["id"], &same["history"]["items"]),
            (&profile["id"], &profile["history"]["items"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_one_row() {
    let app = TestApp::start().await;
    let good = |id: &str| {
        format!(
            r#"{{"link":{{"mobile":"5550001"}},"action_at":"2026-01-01T00:00:00Z","email_id":"{id}"}}"#
        )
    };
    let bad = r#"{"link":{"mobile":"5550001"},"action_at":"yesterday","email_id":"b"}"#;
    let rows = format!(
        "{}\n{bad}\r\n{}\nnot json at all\n\n{}",
        good("a"),
        good("c"),
        good("d")
    );
    let report = app
        .import("drop/email_open/mailer/a b+c%é.ndjson", &rows)
        .await;
    assert_eq!(
        (&report["status"], &report["source"]),
        (&json!("completed"), &json!("mailer"))
    );
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(5), &json!(3), &json!(2))
    );

    let key = report["rejects"][0].as_str().unwrap();
    assert!(
        key.starts_with("rejects/drop/email_open/mailer/a b+c%é.ndjson/"),
        "{key}"
    );
    let rejects = app.object(key).await;
    let rejects: Vec<Value> = rejects
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let offset = rows
        .find("{\"link\":{\"mobile\":\"5550001\"},\"action_at\":\"yesterday\"")
        .unwrap();
    assert_eq!(
        rejects[0],
        json!({
            "line": 2, "offset": offset, "code": "invalid_value", "field": "action_at",
            "message": "`action_at` must be a time such as 2026-10-31T23:59:59Z.",
            "record": serde_json::from_str::<Value>(bad).unwrap()
        })
    );
    assert_eq!(
        (&rejects[1]["line"], &rejects[1]["code"]),
        (&json!(4), &json!("invalid_json"))
    );
    assert_eq!(rejects[1]["record"], "not json at all");

    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["summary"]["email"]["opened"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_rejected_files() {
    let app = TestApp::start().await;
    for (key, slug) in [
        ("drop/orders/a.ndjson", "unknown-record-type"),
        ("drop/purchase/agents/a.ndjson", "invalid-source"),
        ("drop/purchase/a.xml", "unsupported-format"),
    ] {
        let report = app.import(key, "<?xml version=\"1.0\"?>").await;
        assert_eq!(
            (&report["status"], &report["read"]),
            (&json!("rejected"), &json!(0))
        );
        assert_eq!(report["problem"]["type"], format!("/problems/{slug}"));
    }
    let empty = app.import("drop/purchase/empty.ndjson", "").await;
    assert_eq!(
        (&empty["status"], &empty["read"]),
        (&json!("completed"), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_replaced_rows_as_written() {
    let app = TestApp::start().await;
    let rows: String = (1..=60)
        .map(|number| {
            format!("{{\"link\":{{\"mobile\":\"5550001\"}},\"first_name\":\"Ann {number}\"}}\n")
        })
        .collect();
    let report = app.import("drop/customer_record/crm/a.ndjson", &rows).await;
    assert_eq!(
        (&report["read"], &report["written"]),
        (&json!(60), &json!(60))
    );
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "Ann 60");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_version_is_stale() {
    let app = TestApp::start().await;
    let key = "drop/customer_record/crm/a.ndjson";
    let row = |name: &str| format!(r#"{{"link":{{"mobile":"5550001"}},"first_name":"{name}"}}"#);
    let first = app.import(key, &row("Old")).await;
    let second = app.import(key, &row("New")).await;
    // With an empty table, the newer event comes first, then the older.
    clear_table(&app).await;
    let version = |report: &Value| report["version_id"].as_str().unwrap().to_owned();
    for (report, sequencer) in [(&second, "02"), (&first, "01")] {
        let event = s3_event(&app, key, &version(report), sequencer);
        app.stack
            .invoke("ingest", event)
            .await
            .expect("a late event is no error");
    }
    let report = format!("reports/{key}/{}.json", version(&first));
    let report: Value = serde_json::from_str(&app.object(&report).await).unwrap();
    assert_eq!((&report["read"], &report["stale"]), (&json!(1), &json!(1)));
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "New");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepts_test_event() {
    let app = TestApp::start().await;
    let event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-10-31T00:00:00.000Z",
        "Bucket": app.stack.bucket(), "RequestId": "r", "HostId": "h"});
    app.stack
        .invoke("ingest", event)
        .await
        .expect("the test event is taken");
    app.stack
        .invoke("ingest", json!({"unknown": true}))
        .await
        .expect_err("an unknown event is a failure");

    let key = "drop/purchase/gone.ndjson";
    app.stack
        .invoke("ingest", s3_event(&app, key, "no-such-version", "01"))
        .await
        .expect("a verdict");
    let report = app
        .object(&format!("reports/{key}/no-such-version.json"))
        .await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["status"], &report["problem"]["type"]),
        (&json!("failed"), &json!("/problems/object-gone"))
    );
}

/// Events in any order, each twice, store the same items to the last byte.
#[tokio::test(flavor = "multi_thread")]
async fn order_of_events_changes_nothing() {
    let app = TestApp::start().await;
    let mut events = Vec::new();
    let unify = r#"{"records":[{"email":"jane@fake.com"},{"mobile":"+61123456789"}]}"#;
    let unlink =
        r#"{"unlink":true,"records":[{"email":"jane@fake.com"},{"mobile":"+61123456789"}]}"#;
    let corrected = JANE[2].1.replace("\"quantity\": 2", "\"quantity\": 3");
    let files = JANE.into_iter().chain([
        ("unify", unify),
        ("unify", unlink),
        ("purchase", &corrected),
    ]);
    for (number, (folder, rows)) in files.enumerate() {
        let key = format!("drop/{folder}/{number}.ndjson");
        let report = app.import(&key, rows).await;
        assert_eq!(report["rejected"], 0, "{report}");
        events.push(s3_event(
            &app,
            &key,
            report["version_id"].as_str().unwrap(),
            &format!("{number:016X}"),
        ));
    }
    let mut expected = None;
    for seed in 0..6 {
        let mut order = [events.clone(), events.clone()].concat();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        clear_table(&app).await;
        for event in order {
            app.stack
                .invoke("ingest", event)
                .await
                .expect("the event is handled");
        }
        let table = table_dump(&app).await;
        assert!(table.len() > 8, "{table:#?}");
        assert_eq!(
            expected.get_or_insert_with(|| table.clone()),
            &table,
            "seed {seed}"
        );
    }
}

/// Returns all items of customers and products. The state of imports and of the table is left out, because it depends on
/// invocations.
async fn table_dump(app: &TestApp) -> BTreeMap<String, Value> {
    let mut dump = BTreeMap::new();
    for row in rows(app).await {
        let text = |name: &str| row[name].as_s().unwrap().clone();
        if text("PK").starts_with("import") || text("PK") == "config" {
            continue;
        }
        dump.insert(
            format!("{} {}", text("PK"), text("SK")),
            to_json(&aws_sdk_dynamodb::types::AttributeValue::M(row.clone())),
        );
    }
    dump
}
