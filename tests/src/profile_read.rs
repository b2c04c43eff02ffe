//! Profiles: freshness of sections, authentication, and log lines.

use std::collections::BTreeMap;

use local::Options;
use serde_json::{Value, json};

use crate::support::{app::TestApp, events::api_event};

#[tokio::test(flavor = "multi_thread")]
async fn dates_every_section() {
    let app = TestApp::start().await;
    let link = json!({"mobile": "5550001"});
    let record = json!({"link": link, "first_name": "Jane", "updated_at": "2020-01-01T00:00:00Z"});
    app.import("drop/customer_record/crm/a.ndjson", &record.to_string())
        .await;
    let (_, profile) = app.lookup(link.clone()).await;
    let modified = async |key: &str| {
        let head = app.stack.s3_client().head_object();
        let head = head.bucket(app.stack.bucket()).key(key).send().await;
        json!(head.unwrap().last_modified.unwrap().to_string())
    };
    // The time is that of the file, not `updated_at` of the record.
    assert_eq!(
        profile["attributes_as_of"],
        modified("drop/customer_record/crm/a.ndjson").await
    );
    let sections = |profile: &Value| {
        ["summary", "notes", "history"].map(|section| profile[section]["as_of"].clone())
    };
    assert_eq!(sections(&profile), [Value::Null, Value::Null, Value::Null]);

    let event = json!({"link": link, "action_at": "2021-01-01", "email_id": "1"});
    app.import("drop/email_open/mail/a.ndjson", &event.to_string())
        .await;
    let id = profile["id"].as_str().unwrap();
    let (_, first) = app.note(id, Some("1"), json!({"text": "Call"})).await;
    app.note(id, Some("2"), json!({"text": "Call again"})).await;
    let path = format!("/profiles/{id}/notes/{}", first["id"].as_str().unwrap());
    let etag = first["etag"].as_str();
    let (_, changed) = app.edit_note(&path, etag, json!({"pinned": true})).await;
    let (_, profile) = app.lookup(link).await;
    let opened = modified("drop/email_open/mail/a.ndjson").await;
    assert_eq!(
        sections(&profile),
        [opened.clone(), changed["updated_at"].clone(), opened]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_anonymous_when_deployed() {
    let deployed = BTreeMap::from([("AWS_SAM_LOCAL".to_owned(), String::new())]);
    let functions = ["profile-read", "note-write", "history"];
    let environment = functions
        .map(|function| (function.to_owned(), deployed.clone()))
        .into();
    let app = TestApp::start_with(Options {
        environment,
        ..Options::default()
    })
    .await;
    let id = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for path in [
        format!("/profiles/{id}"),
        format!("/profiles/{id}/notes"),
        format!("/profiles/{id}/history"),
    ] {
        assert_eq!(app.problem(&path, 401).await.0, "unauthenticated");
    }
    let (status, _) = app.note(id, Some("k"), json!({"text": "x"})).await;
    assert_eq!(status, 401);
}

/// `lambda_http` panics on some events. The process returns an error and keeps running.
#[tokio::test(flavor = "multi_thread")]
async fn survives_malformed_event() {
    let app = TestApp::with_jane().await;
    let mut event = api_event("GET", "/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa", None);
    event["rawQueryString"] = json!("a b\"c");
    app.stack
        .invoke("profile-read", event)
        .await
        .expect_err("the event can't be read");
    app.stack
        .invoke("profile-read", json!({"hello": "world"}))
        .await
        .expect_err("it is no request");
    app.profile("jane@fake.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_without_personal_data() {
    let app = TestApp::with_jane().await;
    let profile = app.profile("jane@fake.com").await;
    let id = profile["id"].as_str().unwrap();
    app.note(id, Some("k"), json!({"text": "Prefers the phone"}))
        .await;
    app.get(&format!("/profiles/{id}/history")).await;
    let logs = app.stack.logs();
    assert!(
        logs.iter()
            .any(|line| line.contains(r#""audit":"profile.lookup""#)
                && line.contains(id)
                && line.contains("local-agent"))
    );
    for personal in ["jane", "Jane", "Doe", "61400000000", "Inkerman", "Prefers"] {
        assert!(
            !logs.iter().any(|line| line.contains(personal)),
            "{personal} in {logs:#?}"
        );
    }
}
