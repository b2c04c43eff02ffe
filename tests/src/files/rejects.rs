//! Rejected rows.

use serde_json::{Value, json};

use crate::support::{app::TestApp, files::gzip};

#[tokio::test(flavor = "multi_thread")]
async fn reimports_rejects() {
    let app = TestApp::start().await;
    let csv = "link.mobile,action_at,email_id\n5550001,2026-01-01,a\n5550001,never,b\n5550001,2026-01-01\n\"1\"x,2026-01-01,c\n5550001,2026-01-01,\"d\n";
    let report = app.import("drop/email_open/mail/a.csv", csv).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(5), &json!(1), &json!(4))
    );
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    let faults: Vec<Value> = rejects
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|reject| {
            json!([
                reject["line"],
                reject["offset"],
                reject["code"],
                reject["field"],
                reject["record"]
            ])
        })
        .collect();
    assert_eq!(
        faults,
        [
            json!([3, 52, "invalid_value", "action_at", {"link": {"mobile": "5550001"}, "action_at": "never", "email_id": "b"}]),
            json!([4, 68, "wrong_cell_count", null, "5550001,2026-01-01"]),
            json!([5, 87, "invalid_csv", null, "\"1\"x,2026-01-01,c"]),
            json!([6, 105, "unclosed_quote", null, "5550001,2026-01-01,\"d"]),
        ]
    );

    // Unchanged, the same rows are rejected again. Corrected, they are stored.
    let again = app
        .import("drop/email_open/mail/again.ndjson", &rejects)
        .await;
    assert_eq!((&again["read"], &again["rejected"]), (&json!(4), &json!(4)));
    let twice = app.object(again["rejects"][0].as_str().unwrap()).await;
    let first = |text: &str| serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first(&twice)["field"], &first(&twice)["code"]),
        (&first(&rejects)["field"], &first(&rejects)["code"])
    );
    let corrected = app
        .import(
            "drop/email_open/mail/corrected.ndjson",
            &rejects.replace("never", "2026-01-02"),
        )
        .await;
    assert_eq!(
        (&corrected["written"], &corrected["rejected"]),
        (&json!(1), &json!(3))
    );
    let twice_corrected = app
        .import(
            "drop/email_open/mail/twice.ndjson",
            &twice.replace("never", "2026-01-03"),
        )
        .await;
    assert_eq!(twice_corrected["written"], 1, "a reject of a reject");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_large_items() {
    let app = TestApp::start().await;
    let row = |id: &str, size: usize| {
        json!({"link": {"mobile": "5550001"}, "action_at": "2026-01-01T00:00:00Z", "email_id": id, "note": "x".repeat(size)}).to_string() + "\n"
    };
    let rows = [
        row("a", 1),
        row("b", 450_000),
        row("c", 2),
        row("d", 1 << 20),
    ]
    .concat();
    let report = app.import("drop/email_open/a.ndjson", &rows).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    let mut codes: Vec<_> = rejects
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["code"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    codes.sort();
    assert_eq!(codes, ["item_too_large", "record_too_large"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_row_before_rejected_update() {
    let app = TestApp::start().await;
    let row = |name: &str, note: &str| {
        json!({"link": {"email": "a@example.com"}, "first_name": name, "custom_fields": {"note": note}}).to_string() + "\n"
    };
    let large = "x".repeat(450_000);
    let rows = [
        row("One", "1"),
        row("Two", "2"),
        row("Three", &large),
        row("Four", &large),
    ]
    .concat();
    let report = app.import("drop/customer_record/crm/a.ndjson", &rows).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let profile = app.profile("a@example.com").await.to_string();
    assert!(profile.contains("Two") && !profile.contains("Three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_csv_row_with_fields() {
    let app = TestApp::start().await;
    let rows = format!(
        "link.email,first_name,custom_fields.note\na@example.com,Ann,{}\n",
        "x".repeat(450_000)
    );
    let report = app.import("drop/customer_record/crm/a.csv", &rows).await;
    assert_eq!(report["rejected"], 1);
    let reject = app.object(report["rejects"][0].as_str().unwrap()).await;
    let reject: Value = serde_json::from_str(&reject).unwrap();
    assert_eq!(reject["code"], "item_too_large");
    assert_eq!(reject["record"]["link"], json!({"email": "a@example.com"}));
    let note = reject["record"]["custom_fields"]["note"].as_str().unwrap();
    assert_eq!(note.len(), 450_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_too_many_namespaces() {
    let app = TestApp::start().await;
    let row = |namespaces: usize| {
        let attributes: serde_json::Map<_, _> = (0..namespaces)
            .map(|number| (format!("n{number}.a"), json!(1)))
            .collect();
        json!({"link": {"email": "a@example.com"}, "attributes": attributes, "junk": "x".repeat(2_000)}).to_string() + "\n"
    };
    let rows = [row(100), row(101)].concat();
    let report = app.import("drop/attributes/crm/a.ndjson", &rows).await;
    assert_eq!(
        (&report["written"], &report["rejected"]),
        (&json!(1), &json!(1))
    );
    let reject = app.object(report["rejects"][0].as_str().unwrap()).await;
    assert!(reject.contains(r#""code":"too_many","field":"attributes""#));
}

/// A few kilobytes of compressed content contain many wrong rows.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_rejects_of_a_range() {
    let app = TestApp::start().await;
    let bomb = gzip(&b"x\n".repeat(60_000));
    assert!(bomb.len() < 4_096, "{}", bomb.len());
    let report = app
        .stack
        .import("drop/email_open/mail/bomb.ndjson.gz", bomb)
        .await;
    let report = report.unwrap();
    assert_eq!(
        (&report["rejected"], &report["rejects_omitted"]),
        (&json!(60_000), &json!(50_000))
    );
    let mut kept = 0;
    for key in report["rejects"].as_array().unwrap() {
        kept += app.object(key.as_str().unwrap()).await.lines().count();
    }
    assert_eq!(kept, 10_000);
    let import = report["import"].as_str().unwrap();
    let (_, shown) = app.get(&format!("/imports/{import}")).await;
    assert_eq!(shown["rejects_omitted"], 50_000, "{shown}");
}

/// Nulls take little space in a file, and much memory. A record with too many of them is not stored.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_records_of_nulls() {
    let app = TestApp::start().await;
    let nulls = |count: usize| {
        let nulls = vec![json!(null); count];
        json!({"link": {"mobile": "5550001"}, "x": nulls}).to_string()
    };
    for source in ["crm", "shop", "pos"] {
        let key = format!("drop/customer_record/{source}/a.ndjson");
        let report = app.import(&key, &nulls(190_000)).await;
        assert_eq!(report["reasons"][0]["code"], "too_many", "{report}");
    }
    let (status, _) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(status, 404);
}
