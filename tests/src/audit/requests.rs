//! The lines of requests: successful, refused and failed.

use std::collections::{BTreeMap, BTreeSet};

use local::Options;
use serde_json::{Value, json};

use super::{
    ADDRESS, ALL, Audited, Request, check, text,
    writes::{record_links, record_notes},
};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn records_every_route() {
    let mut audited = Audited::start().await;
    let rows = [
        (
            "customer_record/crm/a.ndjson",
            r#"{"link":{"email":"jane@fake.com"},"first_name":"Jane","last_name":"Canary","mobile":"+61400000000"}"#,
        ),
        (
            "customer_record/pos/b.ndjson",
            r#"{"link":{"customer_id":"canary-1017","system_name":"pos"},"first_name":"Jane","last_name":"Canary","email":"jane@fake.com"}"#,
        ),
        (
            "email_open/mail/a.ndjson",
            r#"{"link":{"email":"jane@fake.com"},"action_at":"2026-01-01","email_id":"1"}"#,
        ),
    ];
    for (key, row) in rows {
        audited.app.import(&format!("drop/{key}"), row).await;
    }
    let lookup = |body: Value| Request::new("profile-read", "POST", "/profiles/lookup").body(body);
    let (line, jane) = audited
        .send(&lookup(json!({"email": "jane@fake.com"})), ALL)
        .await;
    let id = text(&jane, "id").to_owned();
    check(
        &line,
        "profile.lookup",
        "ok",
        json!({"profiles": id, "sections": "all"}),
    );
    assert_eq!(
        (
            text(&line, "principal"),
            text(&line, "scopes"),
            &line["pii"]
        ),
        (
            "vera",
            ALL.split(' ').collect::<Vec<_>>().join(" ").as_str(),
            &json!(true)
        ),
    );
    let pos = json!({"customer_id": "canary-1017", "system_name": "pos"});
    let (_, other) = audited.send(&lookup(pos), ALL).await;
    let other = text(&other, "id").to_owned();

    // A lookup that finds nothing records the id that it asked for, and the profiles in its hints.
    let (line, problem) = audited
        .send(
            &lookup(json!({"customer_id": "canary-1017"})),
            "profiles:read",
        )
        .await;
    let missing = text(&problem, "id").to_owned();
    let expected = json!({"profiles": missing, "sections": "all", "hints": other});
    check(&line, "profile.lookup", "not_found", expected);
    assert_eq!(line["pii"], false);

    let get = |path: &str| Request::new("profile-read", "GET", format!("/profiles/{id}{path}"));
    let nothing = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let batch = json!({"profiles": [{"id": id}, {"id": nothing}]});
    let nothing_stored = json!({"email": "nothing.canary@fake.com"});
    let (_, problem) = audited.send(&lookup(nothing_stored.clone()), ALL).await;
    let of_nothing = text(&problem, "id").to_owned();
    let search = |body: Value| Request::new("profile-read", "POST", "/profiles/search").body(body);
    let whole_name = search(json!({"name": "Jane Canary"}));
    let (line, found) = audited.send(&whole_name, ALL).await;
    check(
        &line,
        "profile.search",
        "ok",
        json!({"profiles": text(&line, "profiles")}),
    );
    let ids: BTreeSet<_> = text(&line, "profiles").split(' ').collect();
    assert_eq!(ids, BTreeSet::from([id.as_str(), &other]), "{found}");
    let one = json!({"profiles": id});
    for (request, action, others) in [
        (
            get(""),
            "profile.read",
            json!({"profiles": id, "sections": "all"}),
        ),
        (
            get("?include=notes,summary"),
            "profile.read",
            json!({"profiles": id, "sections": "notes,summary"}),
        ),
        (
            get("?include=matches"),
            "profile.read",
            json!({"profiles": id, "sections": "matches", "matches": other}),
        ),
        (get("/attributes"), "attributes.read", one.clone()),
        (get("/notes"), "notes.read", one.clone()),
        (get("/links"), "links.read", one.clone()),
        (get("/export"), "profile.export", one.clone()),
        (
            Request::new(
                "profile-read",
                "POST",
                format!("/profiles/{id}/attributes/search"),
            )
            .body(json!({"text": "canary"})),
            "attributes.search",
            one.clone(),
        ),
        (
            Request::new("profile-read", "POST", "/profiles/batch").body(batch),
            "profile.batch",
            json!({"profiles": id, "missed": nothing, "misses": 1}),
        ),
        (
            search(nothing_stored),
            "profile.search",
            json!({"missed": of_nothing, "misses": 1}),
        ),
        (
            search(json!({"order": "canary-1"})),
            "profile.search",
            json!({"misses": 1}),
        ),
        (
            Request::new("history", "GET", format!("/profiles/{id}/history")),
            "history.read",
            one.clone(),
        ),
    ] {
        let (line, _) = audited.send(&request, ALL).await;
        check(&line, action, "ok", others);
    }
    let history = Request::new("history", "GET", format!("/profiles/{id}/history"));
    let (_, page) = audited.send(&history, ALL).await;
    let event = text(&page["items"][0], "id");
    let event_path = format!("/profiles/{id}/history/{event}");
    let (line, _) = audited
        .send(&Request::new("history", "GET", event_path), ALL)
        .await;
    check(
        &line,
        "event.read",
        "ok",
        json!({"profiles": id, "event": event}),
    );

    record_notes(&mut audited, &id).await;
    record_links(&mut audited, &id, &other).await;
    audited.check_once();
    for line in audited.app.stack.logs() {
        for personal in ["jane@", "canary", "61400000000"] {
            assert!(
                !line.to_lowercase().contains(personal),
                "{personal}: {line}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_refusals_and_failures() {
    let mut audited = Audited::start().await;
    let id = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let one = json!({"profiles": id});
    let path = |rest: &str| format!("/profiles/{id}{rest}");
    let note =
        |rest: &str| Request::new("note-write", "POST", path(rest)).body(json!({"text": "x"}));
    for (request, scopes, action, outcome, others) in [
        (
            Request::new("profile-read", "GET", path("")),
            "notes:write",
            "profile.read",
            "refused",
            one.clone(),
        ),
        (
            Request::new("profile-read", "GET", path("/export")),
            "profiles:read",
            "profile.export",
            "refused",
            one.clone(),
        ),
        (
            Request::new("profile-read", "GET", path("")),
            ALL,
            "profile.read",
            "not_found",
            json!({"profiles": id, "sections": "all"}),
        ),
        (
            Request::new("profile-read", "GET", path("?include=canary")),
            ALL,
            "profile.read",
            "invalid",
            one.clone(),
        ),
        (
            Request::new("profile-read", "GET", "/profiles/canary@fake.com"),
            ALL,
            "profile.read",
            "not_found",
            json!({}),
        ),
        (
            Request::new("profile-read", "POST", "/profiles/lookup")
                .body(json!({"email": "canary"})),
            ALL,
            "profile.lookup",
            "invalid",
            json!({}),
        ),
        (
            Request::new("history", "GET", path("/history/canary")),
            ALL,
            "event.read",
            "not_found",
            one.clone(),
        ),
        (note("/notes"), ALL, "note.create", "invalid", one.clone()),
        (
            note("/notes").header("idempotency-key", "k"),
            ALL,
            "note.create",
            "not_found",
            one.clone(),
        ),
        (
            Request::new("profile-read", "GET", "/unknown"),
            ALL,
            "unknown",
            "not_found",
            json!({}),
        ),
    ] {
        let (line, _) = audited.send(&request, scopes).await;
        check(&line, action, outcome, others);
    }
    let read = Request::new("profile-read", "GET", path(""));
    for claims in [None, Some(json!({"scope": ALL}))] {
        let (line, _) = audited.send_as(&read, claims).await;
        let expected = json!({
            "audit": "profile.read", "outcome": "refused", "status": 401, "request_id": line["request_id"],
            "source_ip": ADDRESS, "profiles": id
        });
        assert_eq!(line, expected);
    }
    audited.check_once();
    for line in audited.app.stack.logs() {
        assert!(!line.to_lowercase().contains("canary"), "{line}");
    }
}

/// The audit line, the metrics and the errors of a request have the same request id. Metrics have it since they were introduced.
#[tokio::test(flavor = "multi_thread")]
async fn names_one_request_id() {
    // Nothing listens on the port.
    let nowhere = (
        "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
        "http://127.0.0.1:9".to_owned(),
    );
    let environment = BTreeMap::from([("history".to_owned(), BTreeMap::from([nowhere]))]);
    let app = TestApp::start_with(Options {
        environment,
        ..Options::default()
    })
    .await;
    let (status, problem) = app
        .get("/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/history")
        .await;
    assert_eq!(status, 503, "{problem}");
    let id = problem["request_id"].clone();
    let line = app.stack.audited(|line| line["request_id"] == id).await;
    let line = line.expect("an audit line");
    assert_eq!(
        (&line["audit"], &line["outcome"], &line["principal"]),
        (
            &json!("history.read"),
            &json!("failed"),
            &json!("local-agent")
        )
    );
    assert_eq!(line["source_ip"], "127.0.0.1");
    let logs = app.stack.logs();
    let lines: Vec<Value> = logs
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let error = lines.iter().find(|line| line["level"] == "ERROR");
    let error = error.expect("an error line");
    assert_eq!(error["span"]["request_id"], id, "{error}");
    assert_eq!(error["fields"]["request_id"], id, "{error}");
    let measured = app.stack.logs().into_iter().any(|line| {
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        line["_aws"].is_object() && line["request_id"] == id
    });
    assert!(measured, "{id}");
}
