//! Exports of other systems: dropped unchanged, their customers are found with the right figures.

use serde_json::{Value, json};
use tests::exports::SAMPLES;

use crate::support::app::TestApp;

/// Returns the text of a sample.
pub(crate) fn sample(name: &str) -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../functions/ingest/src/mapping/samples/"
    );
    std::fs::read_to_string(format!("{folder}{name}")).expect("a sample")
}

/// Returns those figures of a profile that exports change.
async fn figures(app: &TestApp, email: &str) -> Value {
    let profile = app.profile(email).await;
    let summary = &profile["summary"];
    json!({
        "name": profile["name"],
        "identities": profile["identities"].as_array().map(Vec::len),
        "orders": summary["orders"], "items": summary["items"], "returns": summary["returns"],
        "spend": summary["total_spend"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_of_exports_are_found() {
    let app = TestApp::start().await;
    for (name, mapping) in SAMPLES {
        let report = app
            .import(&format!("drop/auto/{name}"), &sample(name))
            .await;
        assert_eq!(report["status"], "completed", "{name}: {report}");
        assert_eq!(
            report["mapping"],
            json!({"name": mapping}),
            "{name}: {report}"
        );
        assert_eq!(report["rejected"], 0, "{name}: {report}");
    }
    // The files share a phone number, so Jane and Ines are one customer.
    let ines = figures(&app, "ines.v@example.com").await;
    assert_eq!(ines, figures(&app, "jane@example.com").await);
    let spend =
        json!([{"amount": "184.90", "currency": "AUD"}, {"amount": "31.00", "currency": "USD"}]);
    assert_eq!(
        ines,
        json!({"name": "Ines Villase\u{f1}or", "identities": 9, "orders": 4, "items": 12, "returns": 2, "spend": spend})
    );
    for (email, name) in [
        ("camille@example.com", "Camille Durand"),
        ("br@example.com", "Bruno Durand"),
    ] {
        let found = figures(&app, email).await;
        assert_eq!(
            (&found["name"], &found["identities"]),
            (&json!(name), &json!(2)),
            "{email}"
        );
    }
}

/// Returns a section without the time of the newest file.
fn timeless(section: &Value) -> Value {
    let mut section = section.clone();
    if let Some(fields) = section.as_object_mut() {
        fields.remove("as_of");
    }
    section
}

/// Exported again after orders were cancelled and refunded, every figure is that of the new export alone.
#[tokio::test(flavor = "multi_thread")]
async fn later_exports_replace_earlier_ones() {
    let (orders, webhooks) = (
        "shopify/orders_export_1.csv",
        "shopify/orders_webhook.ndjson",
    );
    let mut after = [sample(orders), sample(webhooks)];
    for (from, to) in [
        ("paid,2026-10-06", "voided,2026-10-06"),
        (",partially_refunded,", ",refunded,"),
        (",voided,", ",paid,"),
        (",2026-09-19 09:00:00 +1000,,", ",,,"),
        (
            "\"cancelled_at\": null",
            "\"cancelled_at\": \"2026-11-01T00:00:00Z\"",
        ),
        (
            "\"financial_status\": \"paid\"",
            "\"financial_status\": \"refunded\"",
        ),
    ] {
        assert!(after.iter().any(|text| text.contains(from)), "{from}");
        after = after.map(|text| text.replace(from, to));
    }
    let (twice, once) = (TestApp::start().await, TestApp::start().await);
    for name in [orders, webhooks] {
        twice
            .import(&format!("drop/auto/{name}"), &sample(name))
            .await;
    }
    let before = twice.profile("ines.v@example.com").await;
    for app in [&twice, &once] {
        for (name, text) in [orders, webhooks].into_iter().zip(&after) {
            let report = app.import(&format!("drop/auto/{name}"), text).await;
            assert_eq!(report["rejected"], 0, "{report}");
        }
    }
    for email in ["ines.v@example.com", "lee@example.com"] {
        let mut found = twice.profile(email).await;
        let mut expected = once.profile(email).await;
        for profile in [&mut found, &mut expected] {
            // The time of the request.
            profile["summary"]["as_of"].take();
        }
        for section in ["summary", "identities"] {
            let (found, expected) = (timeless(&found[section]), timeless(&expected[section]));
            assert_eq!(found, expected, "{email} {section}");
        }
        let events = |profile: &Value| {
            let items = profile["history"]["items"]
                .as_array()
                .expect("a page")
                .iter();
            let details =
                |item: &Value| json!([item["type"], item["at"], item["purchase"], item["return"]]);
            items.map(details).collect::<Vec<_>>()
        };
        assert_eq!(events(&found), events(&expected), "{email}");
        assert!(
            events(&found)
                .iter()
                .all(|event| !event[2].is_null() || !event[3].is_null())
        );
    }
    let after = twice.profile("ines.v@example.com").await;
    assert_ne!(
        before["history"]["items"], after["history"]["items"],
        "the status is shown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_store_nothing() {
    let app = TestApp::start().await;
    let name = "shopify/orders_export_1.csv";
    let tried = app.import(&format!("try/auto/{name}"), &sample(name)).await;
    assert_eq!(
        app.lookup(json!({"email": "ines.v@example.com"})).await.0,
        404
    );
    let imported = app
        .import(&format!("drop/auto/{name}"), &sample(name))
        .await;
    for field in [
        "status",
        "mapping",
        "source",
        "rows",
        "read",
        "written",
        "rejected",
        "suppressed",
        "replaced",
        "reasons",
    ] {
        assert_eq!(tried[field], imported[field], "{field}");
    }
    assert_eq!(tried["records"].as_array().map(Vec::len), Some(5));
    let shown = &tried["profiles"][0];
    let found = app.profile("ines.v@example.com").await;
    for field in ["id", "identities", "summary"] {
        let (shown, found) = (timeless(&shown[field]), timeless(&found[field]));
        assert_eq!(shown, found, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_files_are_tried_in_part() {
    let app = TestApp::start().await;
    let mut rows = String::new();
    for number in 0..90 {
        let body = "x".repeat(900_000);
        rows += &format!(
            "{{\"link\":{{\"email\":\"a{number}@example.com\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"message_id\":\"{number}\",\
             \"channel\":\"chat\",\"direction\":\"inbound\",\"body\":\"{body}\"}}\n"
        );
    }
    let report = app.import("try/message/desk/large.ndjson", &rows).await;
    assert_eq!(report["status"], "completed", "{report}");
    let read = report["read"].as_u64().expect("a count");
    assert_eq!(
        read,
        (64_u64 << 20).div_ceil(900_130),
        "{}",
        report["warnings"]
    );
    let codes = report["warnings"].as_array().expect("a list").iter();
    let codes: Vec<_> = codes.map(|warning| &warning["code"]).collect();
    assert!(codes.contains(&&json!("part_tried")), "{codes:?}");
    assert_eq!(report["records"].as_array().map(Vec::len), Some(20));
}
