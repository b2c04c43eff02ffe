//! Responses of every route to every combination of scopes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shared::model::keys::EventType;

use super::{
    CANARY,
    planted::{is_marked, plant},
    requests::{SCOPES, pages, request, respond},
};
use crate::support::app::TestApp;

/// Returns every path that reads the profile, including all pages.
async fn readings(app: &TestApp, id: &str) -> Vec<(&'static str, String)> {
    let profile = app.profile(&format!("{CANARY}@example.com")).await;
    let events = profile["history"]["items"].as_array().expect("events");
    assert_eq!(events.len(), EventType::ALL.len());
    let identities = profile["identities"].as_array().expect("identities");
    assert_eq!(identities.len(), 4);
    let mut all: Vec<(&'static str, String)> = Vec::new();
    for identity in identities {
        let identity = identity["id"].as_str().expect("an id");
        all.push(("profile-read", format!("/profiles/{identity}")));
    }
    for include in ["summary", "attributes", "notes", "history"] {
        all.push(("profile-read", format!("/profiles/{id}?include={include}")));
    }
    for path in [
        "attributes?limit=1",
        "links?limit=1",
        "notes?limit=1",
        "export?limit=1",
    ] {
        let paths = pages(app, "profile-read", &format!("/profiles/{id}/{path}")).await;
        assert!(paths.len() > 1 || path.starts_with("notes"), "{path}");
        all.extend(paths.into_iter().map(|path| ("profile-read", path)));
    }
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    let note = notes["items"][0]["id"].as_str().expect("a note");
    all.push(("profile-read", format!("/profiles/{id}/notes/{note}")));
    let paths = pages(app, "history", &format!("/profiles/{id}/history?limit=1")).await;
    all.extend(paths.into_iter().map(|path| ("history", path)));
    for filter in [
        "channel=email",
        "channel=whatsapp",
        "channel=c4n4ry",
        "account=c4n4ry",
        "type=message",
    ] {
        all.push(("history", format!("/profiles/{id}/history?{filter}")));
    }
    for event in events {
        all.push((
            "history",
            format!(
                "/profiles/{id}/history/{}",
                event["id"].as_str().expect("an id")
            ),
        ));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn hides_personal_data_without_scope() {
    let app = TestApp::start().await;
    let id = plant(&app).await;
    let readings = readings(&app, &id).await;
    let mut marked = BTreeSet::new();
    for set in 0..1_u32 << SCOPES.len() {
        let held = (0..SCOPES.len())
            .filter(|at| set & (1 << at) != 0)
            .map(|at| SCOPES[at]);
        let scope = held.collect::<Vec<_>>().join(" ");
        let sees_all = scope.contains("profiles:read") && scope.contains("pii:read");
        for (function, path) in &readings {
            let response = respond(&app, request(function, "GET", path, &scope)).await;
            let body = response["body"].as_str().unwrap_or_default();
            let headers =
                response["headers"].to_string() + &response["multiValueHeaders"].to_string();
            assert!(!is_marked(&headers), "{scope} {path}: {headers}");
            assert_eq!(
                response["statusCode"].as_u64() == Some(200),
                is_allowed(path, &scope),
                "{scope} {path}: {body}"
            );
            if sees_all {
                if is_marked(body) {
                    marked.insert(path.clone());
                }
                let next = cursors(body);
                assert!(!is_marked(&next), "{path}: {next}");
            } else {
                assert!(!is_marked(body), "{scope} {path}: {body}");
            }
        }
        // A search does not find hidden values, and its cursor does not contain the text.
        let path = format!("/profiles/{id}/attributes/search");
        let mut search = request("profile-read", "POST", &path, &scope);
        search.event["body"] = json!({"text": CANARY, "limit": 1}).to_string().into();
        let found = respond(&app, search).await;
        let found = found["body"].as_str().unwrap_or_default();
        let next = cursors(found);
        assert!(!is_marked(&next), "{scope}: {next}");
        assert_eq!(is_marked(found), sees_all, "{scope}: {found}");
        assert_eq!(next.is_empty(), !sees_all, "{scope}: {next}");
        // A preview returns the profile and what would change.
        let mut link = request(
            "profile-write",
            "POST",
            &format!("/profiles/{id}/links?preview=true"),
            &format!("{scope} links:write"),
        );
        link.event["headers"]["idempotency-key"] = "preview".into();
        let other = json!({"identifier": {"mobile": "+61 491 570 156"}, "reason": CANARY});
        link.event["body"] = other.to_string().into();
        let linked = respond(&app, link).await;
        assert_eq!(
            linked["statusCode"] == 201,
            scope.contains("profiles:read"),
            "{linked}"
        );
        assert!(sees_all || !is_marked(&linked.to_string()), "{scope}");
        // Changing the note of another principal returns the note.
        let mut create = request(
            "note-write",
            "POST",
            &format!("/profiles/{id}/notes"),
            &scope,
        );
        create.event["headers"]["idempotency-key"] = format!("key-{set}").into();
        create.event["body"] = json!({"text": "called"}).to_string().into();
        let created = respond(&app, create).await;
        assert!(!is_marked(&created.to_string()));
        let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
        let note = notes["items"]
            .as_array()
            .expect("notes")
            .iter()
            .find(|note| is_marked(&note["text"].to_string()))
            .expect("the first note");
        let path = format!(
            "/profiles/{id}/notes/{}",
            note["id"].as_str().expect("an id")
        );
        let mut change = request("note-write", "PATCH", &path, &scope);
        change.event["headers"]["if-match"] = note["etag"].clone();
        change.event["body"] = json!({"pinned": set % 2 == 0}).to_string().into();
        let changed = respond(&app, change).await;
        assert!(
            scope.contains("pii:read") || !is_marked(&changed.to_string()),
            "{scope}: {changed}"
        );
    }
    // With all scopes the values are shown. Otherwise the search would prove nothing.
    for (function, path) in &readings {
        let has_body = !path.contains("cursor=") && !path.contains("summary");
        let is_event = *function == "history" && path.contains("/history/");
        assert!(!(has_body && is_event) || marked.contains(path), "{path}");
    }
    app.get(&format!("/profiles/{id}")).await;
    for line in app.stack.logs() {
        assert!(!is_marked(&line), "{line}");
    }
}

/// Returns whether a principal with these scopes may read a path.
fn is_allowed(path: &str, scope: &str) -> bool {
    let needs_all =
        path.contains("/export") || path.contains("account=") || path.contains("channel=c4n4ry");
    scope.contains("profiles:read") && (!needs_all || scope.contains("pii:read"))
}

/// Returns the cursors of a response: its own `next`, those of its sections, and `attributes_next`.
fn cursors(body: &str) -> String {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if name == "next" => found.push(text.clone()),
                        Value::Object(next) if name == "attributes_next" => {
                            found.extend(
                                next.values()
                                    .filter_map(|text| text.as_str().map(str::to_owned)),
                            );
                        }
                        value => collect(value, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for line in body.lines() {
        collect(&serde_json::from_str(line).unwrap_or_default(), &mut found);
    }
    found.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_titles_without_scope() {
    let app = TestApp::start().await;
    let id = plant(&app).await;
    let response = respond(
        &app,
        request(
            "profile-read",
            "GET",
            &format!("/profiles/{id}"),
            "profiles:read",
        ),
    )
    .await;
    let profile: Value =
        serde_json::from_str(response["body"].as_str().expect("a body")).expect("JSON");
    let items = profile["history"]["items"].as_array().expect("events");
    let titles: BTreeSet<_> = items
        .iter()
        .filter_map(|item| item["title"].as_str())
        .collect();
    let expected = [
        "Bought 1 item for 1.00 AUD",
        "Returned 1 item for 1.00 AUD",
        "Was sent an email",
        "Opened an email",
        "Followed a link in an email",
        "Did not receive an email: it bounced",
        "Email subscription: subscribed",
        "Was sent a text message",
        "Followed a link in a text message",
        "Text message subscription: subscribed",
        "Wrote by WhatsApp",
        "Event",
    ];
    assert_eq!(titles, BTreeSet::from(expected));
    let summary = &profile["summary"];
    assert_eq!(
        (&summary["orders"], &summary["email"]["status"]),
        (&json!(1), &json!("subscribed"))
    );
    let open = summary["open_orders"].as_array().expect("open orders");
    assert_eq!((open.len(), &summary["accounts"]), (1, &json!([])));
    assert_eq!(profile["attributes_redacted"], 12);
}

/// Cursors contain no attribute names, so long names make no long cursors.
#[tokio::test(flavor = "multi_thread")]
async fn pages_long_attribute_names() {
    let app = TestApp::start().await;
    let names: Vec<_> = (0..9)
        .map(|n| format!("{n}{}", "x".repeat(3_000)))
        .collect();
    let custom: Map<_, _> = names.iter().map(|name| (name.clone(), json!(1))).collect();
    let record = json!({"link": {"email": "a@example.com"}, "custom_fields": custom});
    app.import("drop/customer_record/crm/a.ndjson", &record.to_string())
        .await;
    let id = app.profile("a@example.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let path = format!("/profiles/{id}/attributes?category=custom&limit=2");
    let paths = pages(&app, "profile-read", &path).await;
    assert_eq!(paths.len(), 5);
    let mut seen = Vec::new();
    for path in paths {
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200);
        let items = page["items"].as_array().expect("items").iter();
        seen.extend(items.map(|item| item["name"].as_str().expect("a name").to_owned()));
    }
    assert_eq!(seen, names);
}
