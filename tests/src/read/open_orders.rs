//! Open orders and accounts in the summary.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::model::time::Instant;

use crate::support::shared::SharedApp;

/// Returns the time this number of days ago.
fn days_ago(days: i64) -> String {
    Instant::now()
        .shifted(-days * 86_400 * 1_000_000)
        .to_string()
}

fn order(days: i64, id: &str, fields: Value) -> Value {
    let line = json!({"price_paid": "5.00", "quantity": 1, "size": "M", "product_reference": {"id": "OO-1", "id_type": "sku"}});
    let mut row = json!({
        "link": {"email": "petra@example.com"}, "action_at": days_ago(days), "type": "ecommerce", "purchase_id": id,
        "order_number": format!("#{id}"), "currency": "AUD", "products": [line],
    });
    let fields = fields.as_object().expect("fields").clone();
    row.as_object_mut().expect("a row").extend(fields);
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_open_orders_and_accounts() {
    let app = SharedApp::get().await;
    let product = json!({"id": "P-OO-1", "sku": "OO-1", "name": "Linen dress", "brand": "Sawyer", "images": ["https://shop.example.com/dress.jpg"]});
    let report = app
        .import("drop/product/open/a.ndjson", &product.to_string())
        .await;
    assert_eq!(report["rejected"], 0, "{report}");
    let parcel = json!({"status": "in_transit", "carrier": "Australia Post", "tracking_number": "36LB4503", "shipped_at": days_ago(3)});
    let mut delivered = parcel.clone();
    delivered["delivered_at"] = json!(days_ago(1));
    let rows = [
        order(
            4,
            "OO-1",
            json!({"status": "paid", "fulfillments": [parcel]}),
        ),
        order(
            5,
            "OO-2",
            json!({"status": "paid", "fulfillments": [delivered]}),
        ),
        order(6, "OO-3", json!({"status": "Partially Fulfilled"})),
        order(
            7,
            "OO-4",
            json!({"status": "canceled", "fulfillments": [parcel]}),
        ),
        order(80, "OO-5", json!({"status": "on-hold"})),
        order(100, "OO-6", json!({"status": "open"})),
    ];
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    app.import("drop/purchase/open/a.ndjson", &rows).await;
    let message = json!({"link": {"email": "petra@example.com"}, "action_at": days_ago(2), "message_id": "1", "channel": "instagram",
        "direction": "inbound", "account": {"id": "ig-open", "name": "@open"}, "body": "Hi"});
    app.import("drop/message/open/a.ndjson", &message.to_string())
        .await;

    let profile = app.profile("petra@example.com").await;
    let id = profile["id"].as_str().expect("an id");
    let (status, alone) = app.get(&format!("/profiles/{id}?include=summary")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(alone["summary"], profile["summary"]);
    let open = profile["summary"]["open_orders"]
        .as_array()
        .expect("open orders");
    let number = |event: &Value| event["purchase"]["order_number"].clone();
    let numbers: Vec<_> = open.iter().map(number).collect();
    assert_eq!(numbers, [json!("#OO-1"), json!("#OO-3"), json!("#OO-5")]);
    let history = profile["history"]["items"].as_array().expect("events");
    for order in open {
        assert!(history.contains(order), "{order}");
        let line = &order["purchase"]["products"][0];
        assert_eq!(line["product"]["name"], "Linen dress", "{order}");
    }
    assert_eq!(
        open[0]["purchase"]["fulfillments"][0]["tracking_number"],
        "36LB4503"
    );
    let accounts = json!([{"channel": "instagram", "id": "ig-open", "name": "@open"}]);
    assert_eq!(profile["summary"]["accounts"], accounts);
    let (_, page) = app
        .get(&format!("/profiles/{id}/history?account=ig-open"))
        .await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}
