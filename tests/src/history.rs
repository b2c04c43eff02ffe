//! The history after stored items have changed or expired.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::StreamExt as _;
use local::Options;
use serde_json::{Value, json};

use crate::support::{app::TestApp, table::rows};

async fn mobile_profile(app: &TestApp) -> String {
    let (status, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(status, 200, "{profile}");
    profile["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_and_months_are_in_business_time_zone() {
    let zone = ("BusinessTimeZone".to_owned(), "Australia/Hobart".to_owned());
    let app = TestApp::start_with(Options {
        parameters: BTreeMap::from([zone]),
        ..Options::default()
    })
    .await;
    // Midnight in Hobart is at 14:00 UTC in July.
    let rows: String = ["2026-07-31T13:59:59Z", "2026-07-31T14:00:00Z"]
        .map(|at| {
            let line = json!({"price_paid": "5.00", "quantity": 1});
            let row = json!({"link": {"mobile": "5550001"}, "action_at": at, "type": "physical", "purchase_id": at, "products": [line]});
            format!("{row}\n")
        })
        .concat();
    app.import("drop/purchase/a.ndjson", &rows).await;
    let id = mobile_profile(&app).await;
    let (_, profile) = app.get(&format!("/profiles/{id}?include=summary")).await;
    let summary = &profile["summary"];
    assert_eq!(summary["time_zone"], "Australia/Hobart");
    let months = summary["spend_by_month"].as_array().unwrap().iter();
    let months: Vec<_> = months.map(|month| &month["month"]).collect();
    assert_eq!(months, ["2026-07", "2026-08"]);
    for (filter, expected) in [
        ("from=2026-08-01", "2026-07-31T14:00:00Z"),
        ("to=2026-08-01", "2026-07-31T13:59:59Z"),
        ("from=2026-07-31T14:00:00", "2026-07-31T14:00:00Z"),
    ] {
        let (_, page) = app.get(&format!("/profiles/{id}/history?{filter}")).await;
        let items = page["items"].as_array().unwrap().iter();
        let times: Vec<_> = items.map(|item| &item["at"]).collect();
        assert_eq!(times, [expected], "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_whole_body() {
    let app = TestApp::start().await;
    let body = "Where is my parcel? ".repeat(1000);
    let rows = format!(
        "{}\n{}\n",
        json!({"link": {"mobile": "5550001"}, "action_at": "2026-01-01T00:00:00Z", "message_id": "long",
            "channel": "webchat", "direction": "inbound", "body": body}),
        json!({"link": {"mobile": "5550001"}, "action_at": "2026-01-01T00:01:00Z", "message_id": "short",
            "channel": "webchat", "direction": "inbound", "body": "Hello"}),
    );
    app.import("drop/message/a.ndjson", &rows).await;
    let id = mobile_profile(&app).await;
    let (_, page) = app.get(&format!("/profiles/{id}/history")).await;
    let short = &page["items"][0];
    let long = &page["items"][1];
    assert!(long["message"]["body"].as_str().unwrap().len() <= 400);
    assert_eq!(long["message"]["body_bytes"], 20_000);
    let path = |item: &Value| format!("/profiles/{id}/history/{}", item["id"].as_str().unwrap());
    assert_eq!(
        &app.get(&path(short)).await.1,
        short,
        "nothing more to say of it"
    );
    let (status, whole) = app.get(&path(long)).await;
    assert_eq!(
        (status.as_u16(), &whole["message"]["body"]),
        (200, &json!(body))
    );
    assert_eq!(whole["message"]["body_bytes"], Value::Null);

    // A body of another version does not belong to this event.
    let client = app.stack.dynamodb_client();
    let found = client
        .query()
        .table_name(app.stack.table())
        .key_condition_expression("PK = :pk AND begins_with(SK, :body)")
        .expression_attribute_values(":pk", AttributeValue::S(id.clone()))
        .expression_attribute_values(":body", AttributeValue::S("body#".into()))
        .send()
        .await
        .unwrap();
    let mut stored = found.items()[0].clone();
    let mut version = stored["version"].as_b().unwrap().clone().into_inner();
    version[30] ^= 1;
    stored.insert("version".into(), AttributeValue::B(version.into()));
    client
        .put_item()
        .table_name(app.stack.table())
        .set_item(Some(stored.clone()))
        .send()
        .await
        .unwrap();
    let (_, cut) = app.get(&path(long)).await;
    assert_eq!(&cut, long, "the beginning, and how long the whole is");
    client
        .delete_item()
        .table_name(app.stack.table())
        .key("PK", stored["PK"].clone())
        .key("SK", stored["SK"].clone())
        .send()
        .await
        .unwrap();
    assert_eq!(&app.get(&path(long)).await.1, long);

    for event in [
        "x",
        &format!("{id}.x"),
        &format!("{id}."),
        "aaaaaaaaaaaaaaaaaaaaaaaaaa.x",
    ] {
        let problem = app
            .problem(&format!("/profiles/{id}/history/{event}"), 404)
            .await;
        assert_eq!(problem.0, "event-not-found");
    }
    // An event of another profile is not found under this one.
    app.import("drop/message/b.ndjson", &rows.replace("5550001", "5550002"))
        .await;
    let (_, other) = app.lookup(json!({"mobile": "5550002"})).await;
    let event = other["history"]["items"][0]["id"].as_str().unwrap();
    let problem = app
        .problem(&format!("/profiles/{id}/history/{event}"), 404)
        .await;
    assert_eq!(problem.0, "event-not-found");
}

/// DynamoDB deletes expired items days later, and items that expired years ago never.
#[tokio::test(flavor = "multi_thread")]
async fn skips_expired_events() {
    let app = TestApp::start().await;
    let row = |link: &str, day: usize, number: usize| {
        let at = format!(
            "{:02}:{:02}:{:02}",
            number / 3600,
            number / 60 % 60,
            number % 60
        );
        format!(
            "{{\"link\":{link},\"action_at\":\"2026-01-{day:02}T{at}Z\",\"sms_id\":\"s{number}\"}}\n"
        )
    };
    let (mobile, email) = (r#"{"mobile":"5550001"}"#, r#"{"email":"a@example.com"}"#);
    let old: String = (0..6_000).map(|number| row(mobile, 1, number)).collect();
    // Events of the following days, and one that only the other identity still has.
    let new: String = (0..3)
        .map(|number| row(email, 2, number))
        .chain([row(email, 1, 3_000)])
        .collect();
    app.import("drop/sms_send/old.ndjson", &old).await;
    let (_, before) = app.lookup(json!({"mobile": "5550001"})).await;
    let old = before["history"]["items"][0]["id"].clone();
    let client = app.stack.dynamodb_client();
    let table = app.stack.table();
    let puts = rows(&app).await.into_iter().filter_map(|mut stored| {
        let is_event = stored["SK"].as_s().unwrap().starts_with("event#");
        stored.insert("expires_at".to_owned(), AttributeValue::N("7".to_owned()));
        let put = client.put_item().table_name(table).set_item(Some(stored));
        is_event.then(|| put.send())
    });
    let puts: Vec<_> = futures::stream::iter(puts)
        .buffer_unordered(16)
        .collect()
        .await;
    assert!(puts.len() == 6_000 && puts.iter().all(Result::is_ok));
    app.import("drop/sms_send/new.ndjson", &new).await;
    let unify = format!("{{\"records\":[{mobile},{email}]}}");
    app.import("drop/unify/a.ndjson", &unify).await;
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    let id = profile["id"].as_str().unwrap();
    assert_eq!(profile["history"]["items"].as_array().unwrap().len(), 4);
    for limit in [1, 2, 100] {
        let path = format!("/profiles/{id}/history?limit={limit}");
        for order in ["newest", "oldest"] {
            let (mut found, mut cursor) = (0, String::new());
            loop {
                let (status, page) = app.get(&format!("{path}&order={order}{cursor}")).await;
                assert_eq!(status, 200, "{page}");
                found += page["items"].as_array().unwrap().len();
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(found, 4, "{order}, {limit} at a time");
        }
        let (mut keys, mut cursor) = (Vec::new(), String::new());
        loop {
            let url = app.url(&format!("/profiles/{id}/export?limit={limit}{cursor}"));
            let text = reqwest::get(url).await.unwrap().text().await.unwrap();
            let (items, end) = text.trim().rsplit_once('\n').unwrap_or(("", text.trim()));
            let items = items
                .lines()
                .filter(|line| !line.starts_with(r#"{"header":"#));
            keys.extend(items.map(|line| {
                let item: Value = serde_json::from_str(line).unwrap();
                item["key"].as_str().unwrap().to_owned()
            }));
            let end: Value = serde_json::from_str(end).unwrap();
            match end["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(keys.len(), 6, "{limit} at a time: {keys:?}");
    }
    let path = format!("/profiles/{id}/history/{}", old.as_str().unwrap());
    assert_eq!(app.get(&path).await.0, 404);
}
