//! The Find attributes and their indexes: content, cost, and that they contain no personal data.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::model::find::INDEXES;

use crate::support::{app::TestApp, table::rows};

/// Returns the kind of each entry in an index, without hash and shard, by the item's sort key.
async fn kinds(app: &TestApp, index: &str) -> BTreeMap<String, String> {
    let scan = app.stack.dynamodb_client().scan();
    let scan = scan.table_name(app.stack.table()).index_name(index);
    let found = scan.into_paginator().items().send();
    let found = found
        .collect::<Result<Vec<_>, _>>()
        .await
        .expect("the index responds");
    let text = |value: &AttributeValue| value.as_s().expect("a text").clone();
    let kind = |value: &str| value.split('#').next().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|row| (text(&row["SK"]), kind(&text(&row[index]))))
        .collect()
}

/// Returns the entries of the four indexes. An event's key is reduced to its type.
async fn all_kinds(app: &TestApp) -> [BTreeSet<(String, String)>; 4] {
    let mut all = [const { BTreeSet::new() }; 4];
    for (kinds_of_index, index) in all.iter_mut().zip(INDEXES) {
        for (sort, kind) in kinds(app, index).await {
            let parts: Vec<_> = sort.split('#').collect();
            let item = match parts.as_slice() {
                ["event", _, event, _] => event,
                _ => sort.as_str(),
            };
            kinds_of_index.insert((item.to_owned(), kind));
        }
    }
    all
}

fn these<const N: usize>(kinds: [(&str, &str); N]) -> BTreeSet<(String, String)> {
    kinds
        .map(|(item, kind)| (item.to_owned(), kind.to_owned()))
        .into()
}

fn record(fields: Value) -> String {
    let mut record = json!({"link": {"mobile": "61491570156"}});
    for (name, value) in fields.as_object().expect("fields") {
        record[name] = value.clone();
    }
    record.to_string()
}

fn purchase(link: &Value, at: &str, more: Value) -> String {
    let line = json!({"price_paid": "1.00", "quantity": 1});
    let mut row = json!({"link": link, "action_at": at, "type": "ecommerce", "products": [line]});
    for (name, value) in more.as_object().expect("fields") {
        row[name] = value.clone();
    }
    row.to_string()
}

const RECORD: &str = "profile#record#crm";

async fn import_record(app: &TestApp, fields: Value) -> f64 {
    let report = app
        .import("drop/customer_record/crm/a.ndjson", &record(fields))
        .await;
    assert_eq!(report["written"], 1, "{report}");
    report["capacity_units"].as_f64().expect("units")
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_current_records() {
    let app = TestApp::start().await;
    let full = json!({"first_name": "Jane", "last_name": "Doe", "email": "jane@example.com", "mobile": "61491570156", "customer_id": "1042"});
    // One unit for the item and one for each entry.
    assert_eq!(import_record(&app, full.clone()).await, 5.0);
    let all = [
        these([(RECORD, "name")]),
        these([(RECORD, "email")]),
        these([(RECORD, "mobile")]),
        these([(RECORD, "customer")]),
    ];
    assert_eq!(all_kinds(&app).await, all);
    // The update takes one unit and writes no index. (DynamoDB also bills the failed INSERT; the local table does not report it.)
    assert_eq!(import_record(&app, full.clone()).await, 1.0);
    assert_eq!(all_kinds(&app).await, all);
    let mut renamed = full.clone();
    renamed["last_name"] = json!("Dough");
    assert_eq!(import_record(&app, renamed).await, 3.0, "one entry moved");
    let mut spelled = full.clone();
    spelled["last_name"] = json!("DOUGH");
    assert_eq!(import_record(&app, spelled).await, 1.0, "the same name");

    let less = json!({"first_name": "Guest", "mobile": "61491570156", "customer_id": "1042"});
    assert_eq!(
        import_record(&app, less).await,
        3.0,
        "name and email removed"
    );
    assert_eq!(
        all_kinds(&app).await,
        [these([]), these([]), all[2].clone(), all[3].clone()]
    );
    import_record(&app, full).await;
    assert_eq!(all_kinds(&app).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_no_plain_events() {
    let app = TestApp::start().await;
    let link = json!({"mobile": "61491570156"});
    let at = "2026-01-02T03:04:05Z";
    let send = json!({"link": link, "action_at": at, "email_id": "1", "to": {"email": "jane@example.com", "name": "Jane Doe"}});
    let report = app
        .import("drop/email_send/mail/a.ndjson", &send.to_string())
        .await;
    assert_eq!(report["capacity_units"], 1.0);
    let attributes = json!({"link": link, "attributes": {"figures.customer_id": "1042"}});
    app.import("drop/attributes/crm/a.ndjson", &attributes.to_string())
        .await;
    let other = json!({"customer_id": "7"});
    app.import(
        "drop/unify/crm/a.ndjson",
        &json!({"records": [link, other]}).to_string(),
    )
    .await;
    assert_eq!(all_kinds(&app).await, [const { BTreeSet::new() }; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_orders() {
    let app = TestApp::start().await;
    let link = json!({"mobile": "61491570156"});
    let (first, second) = ("2026-01-02T03:04:05Z", "2026-01-03T03:04:05Z");
    let import = async |row: String| {
        let report = app.import("drop/purchase/shop/a.ndjson", &row).await;
        assert_eq!(report["written"], 1, "{report}");
        report["capacity_units"].as_f64().expect("units")
    };
    let order = ("purchase", "order");
    let numbered = json!({"purchase_id": "gid-7", "order_number": "#1042"});
    assert_eq!(import(purchase(&link, first, numbered.clone())).await, 3.0);
    assert_eq!(all_kinds(&app).await[..2], [these([order]), these([order])]);
    assert_eq!(import(purchase(&link, first, numbered)).await, 1.0);
    // Without a number, the id is indexed as the number.
    let plain = json!({"purchase_id": "gid-7"});
    assert_eq!(import(purchase(&link, first, plain.clone())).await, 4.0);
    assert_eq!(all_kinds(&app).await[..2], [these([order]), these([])]);
    // After a move, the tombstone is not indexed.
    let mut moved = plain;
    moved["replaces_action_at"] = json!(first);
    import(purchase(&link, second, moved)).await;
    let sorts: Vec<_> = kinds(&app, "Find1").await.into_keys().collect();
    assert_eq!(sorts.len(), 1, "{sorts:?}");
    assert!(sorts[0].starts_with("event#2026-01-03"), "{sorts:?}");

    let line = json!({"price_paid": "-1.00", "quantity": -1});
    let returned = json!({"link": link, "action_at": second, "type": "ecommerce", "return_id": "R7", "products": [line]});
    let report = app
        .import("drop/return/shop/a.ndjson", &returned.to_string())
        .await;
    assert_eq!(report["capacity_units"], 2.0);
    assert_eq!(
        all_kinds(&app).await[0],
        these([order, ("return", "order")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn removes_erased_items() {
    let app = TestApp::start().await;
    let link = json!({"mobile": "61491570156"});
    let fields = json!({"first_name": "Jane", "email": "jane@example.com"});
    import_record(&app, fields.clone()).await;
    let order = purchase(
        &link,
        "2026-01-02T03:04:05Z",
        json!({"purchase_id": "1042"}),
    );
    app.import("drop/purchase/shop/a.ndjson", &order).await;
    let before = all_kinds(&app).await;
    assert_eq!(before[0], these([(RECORD, "name"), ("purchase", "order")]));
    let forget = app
        .import(
            "drop/forget/crm/a.ndjson",
            &json!({"link": link}).to_string(),
        )
        .await;
    assert_eq!(forget["written"], 1, "{forget}");
    assert_eq!(all_kinds(&app).await, [const { BTreeSet::new() }; 4]);
    let again = json!({"link": link, "reinstate": true});
    app.import("drop/forget/crm/b.ndjson", &again.to_string())
        .await;
    import_record(&app, fields).await;
    assert_eq!(all_kinds(&app).await[0], these([(RECORD, "name")]));
    assert_eq!(all_kinds(&app).await[1], before[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_contain_nothing_personal() {
    const CANARY: &str = "c4n4ry";
    let app = TestApp::start().await;
    let mark = |what: &str| format!("{CANARY}{what}");
    let email = format!("{CANARY}@example.com");
    let fields = json!({"first_name": mark("first"), "last_name": mark("last"), "email": email, "mobile": "61491570157", "customer_id": mark("id")});
    import_record(&app, fields).await;
    let links = [
        json!({"email": email}),
        json!({"customer_id": mark("id"), "system_name": "pos"}),
        json!({"external_id": mark("x"), "system_name": "pos"}),
    ];
    for (number, link) in links.iter().enumerate() {
        let order = json!({"purchase_id": mark("order"), "order_number": mark("number")});
        let row = purchase(link, "2026-01-02T03:04:05Z", order);
        app.import(&format!("drop/purchase/shop/{number}.ndjson"), &row)
            .await;
        let record = json!({"link": link, "first_name": mark("first")}).to_string();
        app.import(
            &format!("drop/customer_record/pos/{number}.ndjson"),
            &record,
        )
        .await;
    }
    let mut values = 0;
    for row in rows(&app).await {
        for name in ["PK", "SK"].into_iter().chain(INDEXES) {
            let Some(value) = row.get(name) else { continue };
            let value = value.as_s().expect("a text");
            values += usize::from(name.starts_with("Find"));
            assert!(
                !value.contains(CANARY) && !value.contains("61491570157"),
                "{name}: {value}"
            );
        }
    }
    // Four entries of the full record; for each link, a name and two of an order; two of the records' ids.
    assert_eq!(values, 4 + 3 * (1 + 2) + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_omit_find_attributes() {
    let app = TestApp::start().await;
    import_record(
        &app,
        json!({"first_name": "Jane", "email": "jane@example.com"}),
    )
    .await;
    let (_, profile) = app.lookup(json!({"mobile": "61491570156"})).await;
    let id = profile["id"].as_str().expect("an id");
    let export = reqwest::get(app.url(&format!("/profiles/{id}/export"))).await;
    let export = export
        .expect("the gateway responds")
        .text()
        .await
        .expect("a body");
    assert!(export.contains("jane@example.com"), "{export}");
    for internal in INDEXES.into_iter().chain(["name#", "email#"]) {
        assert!(!export.contains(internal), "{internal}: {export}");
    }
}
