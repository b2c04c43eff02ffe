//! Data export: a header, then every stored item once, with its position in a file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{app::TestApp, events::api_event, files::four_identifiers};

#[tokio::test(flavor = "multi_thread")]
async fn contains_every_item() {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let client = reqwest::Client::new();
    let mut items: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = app.url(&format!("/profiles/{id}/export?limit=2{cursor}"));
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        let text = response.text().await.unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let end = lines.pop().unwrap();
        if cursor.is_empty() {
            check_header(&lines.remove(0), &id);
        }
        items.extend(lines);
        match end["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let stored = app
        .stack
        .dynamodb_client()
        .scan()
        .table_name(app.stack.table())
        .send()
        .await
        .unwrap();
    let of_identity = |row: &&std::collections::HashMap<
        String,
        aws_sdk_dynamodb::types::AttributeValue,
    >| row["PK"].as_s().unwrap() == &id;
    let mut keys: Vec<_> = stored
        .items()
        .iter()
        .filter(of_identity)
        .map(|row| row["SK"].as_s().unwrap().clone())
        .filter(|key| !key.starts_with("agent#request#"))
        .collect();
    keys.sort_unstable();
    let exported: Vec<_> = items
        .iter()
        .map(|item| item["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(exported, keys);
    for item in &items {
        let key = item["key"].as_str().unwrap();
        if key.starts_with("agent#") {
            assert_eq!(item["provenance"], Value::Null);
            // The author is personal data of a support agent.
            assert_eq!(item["data"], json!({"text": "Call"}));
            continue;
        }
        let provenance = &item["provenance"];
        let file = provenance["file"].as_str().expect("a file");
        let object = app.object(file).await;
        let row = &object[usize::try_from(provenance["offset"].as_u64().unwrap()).unwrap()..];
        let row: Value =
            serde_json::from_str(row.lines().next().unwrap()).expect("a record begins there");
        assert_eq!(
            row["link"]["email"]
                .as_str()
                .map(str::to_lowercase)
                .as_deref(),
            Some("jane@fake.com"),
            "{key}"
        );
    }
    let claims = json!({"sub": "agent-7", "scope": "profiles:read"});
    let event = api_event("GET", &format!("/profiles/{id}/export"), Some(claims));
    let response = app.stack.invoke("profile-read", event).await.unwrap();
    assert_eq!(response["statusCode"], 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn contains_each_item_once() {
    let app = TestApp::start().await;
    let links = four_identifiers();
    // Each identity has a record, attributes and five events. The first event has a body that is stored apart. One message is
    // stored, and therefore exported, under all four identities.
    for (n, link) in links.iter().enumerate() {
        let mut rows = vec![
            json!({"record_type": "customer_record", "link": link, "first_name": format!("Jane {n}")}),
            json!({"record_type": "attributes", "link": link, "attributes": {"sizes.shoe": n, "interests.sailing": true}}),
        ];
        for event in 0..5 {
            let body = if event == 0 {
                "long ".repeat(2_000)
            } else {
                "short".to_owned()
            };
            let id = if event == 4 {
                "the same".to_owned()
            } else {
                format!("{n}-{event}")
            };
            rows.push(json!({"record_type": "message", "link": link, "action_at": format!("2026-01-0{}", event + 1), "message_id": id, "channel": "webchat", "direction": "inbound", "body": body}));
        }
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        app.import(&format!("drop/mixed/desk/{n}.ndjson"), &rows)
            .await;
    }
    let unify = json!({"records": links}).to_string();
    app.import("drop/unify/a.ndjson", &unify).await;
    let (_, profile) = app.lookup(links[2].clone()).await;
    let identities: BTreeSet<_> = ids(&profile["identities"], "id").collect();
    assert_eq!(identities.len(), 4);
    for id in &identities {
        app.note(id, Some(id), json!({"text": format!("of {id}")}))
            .await;
    }
    // Another customer's record, which must not be exported.
    let other = json!({"link": {"mobile": "5550002"}, "first_name": "John"}).to_string();
    app.import("drop/customer_record/crm/john.ndjson", &other)
        .await;

    let stored = app.stack.dynamodb_client().scan();
    let stored = stored.table_name(app.stack.table()).send().await.unwrap();
    let key = |row: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>| {
        let text = |name: &str| row[name].as_s().unwrap().clone();
        (text("PK"), text("SK"))
    };
    let held = stored.items().iter().map(key);
    let is_exported = |(of, key): &(String, String)| {
        identities.contains(of) && !key.starts_with("agent#request#")
    };
    let mut held: Vec<_> = held.filter(is_exported).collect();
    held.sort_unstable();
    // A record, two namespaces, three links, a note, five events and a body.
    assert_eq!(held.len(), 4 * (1 + 2 + 3 + 1 + 5 + 1));

    // Every identity and every page size return the same items.
    let mut whole = BTreeMap::new();
    for (id, limit) in identities.iter().zip([1, 3, 14, 100]) {
        let (items, pages) = exported(&app, id, limit).await;
        let keys: Vec<_> = items
            .iter()
            .map(|item| (text(item, "identity"), text(item, "key")))
            .collect();
        assert_eq!(keys, held, "pages of {limit}");
        assert_eq!(pages, held.len().div_ceil(limit));
        whole.insert(limit, items);
    }
    assert!(whole.values().all(|items| *items == whole[&1]));

    for item in &whole[&100] {
        let key = text(item, "key");
        if key.starts_with("agent#") {
            assert_eq!(item["provenance"], Value::Null, "{key}");
            continue;
        }
        let file = item["provenance"]["file"].as_str().expect("a file");
        let offset = item["provenance"]["offset"].as_u64().unwrap();
        let object = app.object(file).await;
        let row = object[usize::try_from(offset).unwrap()..].lines().next();
        let row: Value = serde_json::from_str(row.unwrap()).expect("a record begins there");
        if file.starts_with("drop/unify/") {
            assert!(key.starts_with("profile#link#"), "{key}");
            continue;
        }
        let (_, own) = app.lookup(row["link"].clone()).await;
        assert!(ids(&own["identities"], "id").any(|id| id == text(item, "identity")));
        if key.starts_with("body#") {
            assert_eq!(item["data"]["body"], row["body"], "the whole text");
        }
    }
    assert!(
        !serde_json::to_string(&whole[&100])
            .unwrap()
            .contains("John")
    );
}

/// Checks the information that Art. 15(1) GDPR requires beside the data.
fn check_header(line: &Value, id: &str) {
    let header = &line["header"];
    assert_eq!(
        (&header["profile"], &header["purposes"]),
        (&id.into(), &"Customer service".into())
    );
    assert!(text(header, "recipients").contains("support agents"));
    let expected = json!({"events_days": null, "records_days": null, "attributes_days": null, "notes_days": null, "dropped_files_days": 90, "rejected_rows_days": 30, "logs_days": 30, "audit_log_days": 400, "other_days": null});
    assert_eq!(header["retention"], expected);
}

fn ids<'a>(items: &'a Value, name: &'a str) -> impl Iterator<Item = String> + 'a {
    items
        .as_array()
        .unwrap()
        .iter()
        .map(move |item| text(item, name))
}

fn text(item: &Value, name: &str) -> String {
    item[name].as_str().unwrap().to_owned()
}

/// Returns every item of an export, and the number of pages.
async fn exported(app: &TestApp, id: &str, limit: usize) -> (Vec<Value>, usize) {
    let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let url = app.url(&format!("/profiles/{id}/export?limit={limit}{cursor}"));
        let response = reqwest::get(url).await.unwrap();
        assert_eq!(response.status(), 200);
        let page = response.text().await.unwrap();
        let lines = page.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Value> = lines.collect();
        let end = lines.pop().unwrap();
        if cursor.is_empty() {
            lines.remove(0);
        }
        assert!(lines.len() <= limit);
        items.extend(lines);
        pages += 1;
        match end["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, pages),
        }
    }
}

/// The values of invalid fields are exported, shown with the scope `pii:read`, and erased with their item.
#[tokio::test(flavor = "multi_thread")]
async fn contains_invalid_fields() {
    let app = TestApp::start().await;
    let link = json!({"email": "invalid@example.com"});
    let record = json!({"link": link, "first_name": "Ann", "date_of_birth": "0000-00-00"});
    let line = json!({"price_paid": "5", "quantity": 1, "discount": "n/a"});
    let order =
        json!({"link": link, "action_at": "2026-01-02", "purchase_id": "1", "products": [line]});
    for (folder, row) in [("customer_record", &record), ("purchase", &order)] {
        let report = app
            .import(&format!("drop/{folder}/pos/a.ndjson"), &row.to_string())
            .await;
        assert_eq!(report["written"], 1, "{report}");
    }
    let profile = app.profile("invalid@example.com").await;
    let other = profile["attributes"]["other"].as_array().unwrap();
    let birth = json!({"date_of_birth": "0000-00-00"});
    let discount = json!({"products[0].discount": "n/a"});
    assert_eq!(
        (&other[0]["name"], &other[0]["value"]),
        (&"invalid_fields".into(), &birth)
    );
    let event = &profile["history"]["items"][0];
    assert_eq!(event["purchase"]["invalid_fields"], discount);
    let url = app.url(&format!(
        "/profiles/{}/export",
        profile["id"].as_str().unwrap()
    ));
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let exported: Vec<_> = lines
        .map(|line| line["data"]["invalid_fields"].clone())
        .filter(|fields| !fields.is_null())
        .collect();
    assert!(
        exported.contains(&birth) && exported.contains(&discount),
        "{text}"
    );
    let forget = json!({"link": link}).to_string();
    app.import("drop/forget/pos/a.ndjson", &forget).await;
    let table = app
        .stack
        .dynamodb_client()
        .scan()
        .table_name(app.stack.table());
    let stored = format!("{:?}", table.send().await.unwrap());
    assert!(!stored.contains("0000-00-00") && !stored.contains("n/a"));
}
