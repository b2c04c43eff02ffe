//! Items that an erasure must not miss, and profiles that must not show them.

use serde_json::{Value, json};

use super::{MARKED, ada_and_bo, identity_id, in_hours, sha256, status};
use crate::support::app::TestApp;

/// A POS stamps rows with its local clock, 11 hours ahead of UTC.
#[tokio::test(flavor = "multi_thread")]
async fn erases_future_dates() {
    let app = TestApp::start().await;
    let erin = json!({"email": "erin@example.com"});
    let ahead = in_hours(11);
    let ahead = ahead.trim_end_matches('Z');
    let key = "drop/purchase/pos/a.ndjson";
    let purchase = json!({"link": erin, "action_at": ahead, "type": "physical", "purchase_id": "E-1",
        "products": [{"price_paid": "12.00", "quantity": 1}], "currency": "AUD"});
    let sms = json!({"link": erin, "action_at": "2026-01-01T00:00:00Z", "sms_id": "s"});
    for (key, row) in [
        (
            "drop/customer_record/pos/a.ndjson",
            json!({"link": erin, "first_name": "Erin", "updated_at": ahead}),
        ),
        (
            "drop/attributes/pos/a.ndjson",
            json!({"link": erin, "attributes": {"a.b": 1}, "updated_at": ahead}),
        ),
        (key, purchase.clone()),
        ("drop/sms_send/pos/a.ndjson", sms),
    ] {
        let report = app.import(key, &row.to_string()).await;
        assert_eq!(report["written"], 1, "{report}");
    }
    let forget = json!({"link": erin}).to_string();
    let report = app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let erased = &report["erased"];
    assert_eq!(
        (
            &report["status"],
            &erased["records"],
            &erased["attributes"],
            &erased["events"],
            &erased["dated_ahead"],
        ),
        (
            &json!("completed"),
            &json!(1),
            &json!(1),
            &json!(2),
            &json!(1)
        ),
        "{report}"
    );
    assert!(
        report["advice"].as_str().unwrap().contains("48 hours"),
        "{report}"
    );
    assert_eq!(status(&app, erin.clone()).await, 404);
    let sha256 = json!({"email_sha256": sha256("erin@example.com")});
    assert_eq!(status(&app, sha256).await, 404);
    // No event is left, so none is dated ahead and there is no advice.
    let again = app.import("drop/forget/privacy/b.ndjson", &forget).await;
    assert_eq!(again["advice"], Value::Null, "{again}");
}

/// Links of a source that links an identity to too many others are ignored; links of other sources count.
#[tokio::test(flavor = "multi_thread")]
async fn junk_links_hide_no_customer() {
    let app = TestApp::start().await;
    let ada = json!({"email": "ada.canary@example.com"});
    let phone = json!({"mobile": "61400111222"});
    let order = json!({"link": ada, "action_at": "2026-01-01T00:00:00Z", "type": "ecommerce", "purchase_id": "1",
        "products": [{"price_paid": "12.00", "quantity": 1}], "currency": "AUD"});
    let unify = json!({"records": [ada, phone]}).to_string();
    app.import("drop/purchase/shop/a.ndjson", &order.to_string())
        .await;
    app.import("drop/unify/crm/a.ndjson", &unify).await;
    let junk: String = (0..33)
        .map(|number| json!({"records": [ada, {"customer_id": format!("junk-{number}")}]}))
        .map(|row| format!("{row}\n"))
        .collect();
    let report = app.import("drop/unify/junk/a.ndjson", &junk).await;
    assert_eq!(report["written"], 33, "{report}");
    let excluded = |document: &Value| {
        let links = document["excluded_links"].as_array().unwrap();
        assert_eq!(links.len(), 1, "{document}");
        (links[0]["source"].clone(), links[0]["links"].clone())
    };
    for link in [&ada, &phone] {
        let (_, profile) = app.lookup(link.clone()).await;
        assert_eq!(profile["summary"]["orders"], 1, "{link}");
        assert_eq!(profile["partial"], true);
        assert_eq!(excluded(&profile), (json!("junk"), json!(33)));
    }
    let (_, profile) = app.lookup(phone.clone()).await;
    let id = profile["id"].as_str().unwrap();
    // An alarm uses this metric.
    let logs = app.stack.logs();
    let counted = logs
        .iter()
        .filter(|line| line.contains("\"ExcludedLinks\":1"));
    assert_eq!(counted.count(), 3);
    let export = reqwest::get(app.url(&format!("/profiles/{id}/export?limit=100")))
        .await
        .unwrap();
    let export = export.text().await.unwrap();
    let end: Value = serde_json::from_str(export.lines().last().unwrap()).unwrap();
    assert_eq!(
        (excluded(&end), &end["partial"]),
        ((json!("junk"), json!(33)), &json!(true))
    );
    assert!(export.contains("event#"), "{export}");

    let forget = json!({"link": phone, "scope": "profile"}).to_string();
    let report = app.import("drop/forget/privacy/a.ndjson", &forget).await;
    assert_eq!(excluded(&report), (json!("junk"), json!(33)));
    assert_eq!(report["erased"]["events"], 1, "{report}");
    for link in [ada, phone] {
        assert_eq!(status(&app, link).await, 404);
    }
    let left = json!({"customer_id": "junk-1"});
    assert_eq!(status(&app, left).await, 404, "its only link is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn hides_erased_customer_immediately() {
    let app = ada_and_bo().await;
    let (_, before) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    let id = identity_id(&app.stack, "ada.canary@example.com");
    // Only the marker, as stored before the first deletion.
    let mut version = vec![0x00, 0xFF, 0xFF, 0xFF, 0xFF];
    version.resize(31, 0);
    app.stack
        .dynamodb_client()
        .put_item()
        .table_name(app.stack.table())
        .item("PK", aws_sdk_dynamodb::types::AttributeValue::S(id.clone()))
        .item(
            "SK",
            aws_sdk_dynamodb::types::AttributeValue::S("profile#marker#erased".into()),
        )
        .item(
            "version",
            aws_sdk_dynamodb::types::AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(
                version,
            )),
        )
        .item(
            "data",
            aws_sdk_dynamodb::types::AttributeValue::M(Default::default()),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
    for path in ["", "/history", "/notes"] {
        assert_eq!(
            app.get(&format!("/profiles/{id}{path}")).await.0,
            404,
            "{path}"
        );
    }
    assert_eq!(
        app.note(&id, Some("n2"), json!({"text": "too late"}))
            .await
            .0,
        404
    );
    let (_, bo) = app.lookup(json!({"email": "bo@example.com"})).await;
    let shown = bo.to_string();
    assert!(MARKED.iter().all(|value| !shown.contains(value)), "{shown}");
    assert!(before.to_string().contains("AdaCanary"));
}
