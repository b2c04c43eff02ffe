//! Uploads that are tried.

use serde_json::json;

use super::{FILE, request, uploaded};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn tries_upload() {
    let app = TestApp::start().await;
    let mut body = request();
    body["try"] = true.into();
    let tried = uploaded(&app, "k", &body, FILE).await;
    let id = tried["id"].as_str().unwrap();
    assert_eq!(
        (&tried["kind"], &tried["state"], &tried["key"]),
        (
            &json!("try"),
            &json!("completed"),
            &json!(format!("try/customer_record/crm/{id}/customers.ndjson"))
        ),
        "{tried}"
    );
    assert_eq!(
        (&tried["written"], &tried["rejected"]),
        (&json!(1), &json!(1))
    );
    let trial = &tried["trial"];
    assert_eq!(trial["records"].as_array().unwrap().len(), 2);
    assert_eq!(trial["profiles"][0]["name"], "Jane", "{trial}");
    // Nothing is stored but the entry of the list.
    let (status, _) = app.lookup(json!({"email": "jane@fake.com"})).await;
    assert_eq!(status, 404);
    let (_, list) = app.get("/imports").await;
    assert_eq!(list["items"][0]["state"], "completed", "{list}");
    assert!(list["items"][0].get("trial").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_export_of_another_system() {
    let app = TestApp::start().await;
    let file = "Timestamp,Email\n2026-01-01 10:00:00,jane@fake.com\n";
    let body = json!({"file_name": "opens.csv", "type": "auto", "size": file.len(), "try": true});
    let tried = uploaded(&app, "k", &body, file).await;
    assert_eq!(tried["mapping"]["name"], "mailchimp-opens", "{tried}");
    let broken =
        json!({"file_name": "opens.csv", "type": "no-mapping", "size": file.len(), "try": true});
    let tried = uploaded(&app, "broken", &broken, file).await;
    assert_eq!(
        (&tried["state"], &tried["problem"]["code"]),
        (&json!("rejected"), &json!("unknown-record-type"))
    );
}
