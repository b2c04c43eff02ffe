//! Access: every route for every kind of principal, and ids and cursors that are foreign, truncated or changed.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::support::{app::TestApp, events::api_event};

fn claims(subject: &str, scopes: &str) -> Option<Value> {
    Some(json!({"sub": subject, "scope": scopes}))
}

/// Invokes a function with an event of the gateway. Returns status, ETag and body.
async fn ask(app: &TestApp, function: &str, event: Value) -> (u16, Option<String>, Value) {
    let response = app
        .stack
        .invoke(function, event)
        .await
        .expect("the function responds");
    let status = u16::try_from(response["statusCode"].as_u64().expect("a status")).unwrap();
    let body = response["body"].as_str().unwrap_or_default();
    let etag = response["headers"]["etag"].as_str().map(str::to_owned);
    (
        status,
        etag,
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn with_body(mut event: Value, body: &Value) -> Value {
    event["body"] = body.to_string().into();
    event
}

fn with_header(mut event: Value, name: &str, value: &str) -> Value {
    event["headers"][name] = value.into();
    event
}

fn with_query(mut event: Value, query: &str) -> Value {
    event["rawQueryString"] = query.into();
    event["queryStringParameters"] = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    event
}

const ALL: &str = "profiles:read notes:write notes:admin pii:read";

/// Creates a note as `author`. Returns its id and ETag.
async fn note(app: &TestApp, id: &str, author: &str, key: &str) -> (String, String) {
    let event = api_event(
        "POST",
        &format!("/profiles/{id}/notes"),
        claims(author, "notes:write"),
    );
    let event = with_header(event, "idempotency-key", key);
    let (status, _, note) = ask(
        app,
        "note-write",
        with_body(event, &json!({"text": "Called"})),
    )
    .await;
    assert_eq!(status, 201, "{note}");
    (
        note["id"].as_str().unwrap().to_owned(),
        note["etag"].as_str().unwrap().to_owned(),
    )
}

async fn jane(app: &TestApp) -> String {
    let row = r#"{"link":{"email":"jane@fake.com"},"action_at":"2026-01-01T00:00:00Z","message_id":"1","channel":"x","direction":"inbound","body":"private words"}"#;
    app.import("drop/message/desk/jane.ndjson", row).await;
    app.import(
        "drop/customer_record/crm/jane.ndjson",
        r#"{"link":{"email":"jane@fake.com"},"first_name":"Jane"}"#,
    )
    .await;
    let event = api_event("POST", "/profiles/lookup", claims("a", ALL));
    let (status, _, profile) = ask(
        app,
        "profile-read",
        with_body(event, &json!({"email": "jane@fake.com"})),
    )
    .await;
    assert_eq!(status, 200, "{profile}");
    profile["id"].as_str().unwrap().to_owned()
}

/// Each route that changes a profile needs its own scope and the scope to read profiles. A reinstatement needs one more.
#[tokio::test(flavor = "multi_thread")]
async fn checks_every_principal_of_changes() {
    let app = TestApp::deployed(BTreeMap::new()).await;
    let id = jane(&app).await;
    let forget = r#"{"link":{"email":"erased@fake.com"}}"#;
    app.import("drop/forget/crm/a.ndjson", forget).await;
    let (profiles, links) = ("profiles:write", "links:write");
    let reinstate = json!({"identifier": {"email": "erased@fake.com"}, "reason": "Ordered again", "reinstate": true});
    let mobile = json!({"identifier": {"mobile": "+61400000000"}, "reason": "Told on the phone"});
    let other = {
        let event = api_event(
            "POST",
            &format!("/profiles/{id}/links"),
            claims("a", "profiles:read links:write"),
        );
        let event = with_header(with_body(event, &mobile), "idempotency-key", "k");
        let (status, _, outcome) = ask(&app, "profile-write", event).await;
        assert_eq!(status, 201, "{outcome}");
        outcome["changes"]["identities"]["added"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let [low, high] = if other < id {
        [&other, &id]
    } else {
        [&id, &other]
    };
    // Method, path, body, scope and status. Jane is linked, so her mobile can be linked again, separated and unlinked.
    let changes = [
        (
            "POST",
            "/profiles".to_owned(),
            json!({"identifier": {"email": "vera@fake.com"}}),
            profiles,
            201,
        ),
        ("POST", "/profiles".to_owned(), reinstate, profiles, 403),
        ("POST", format!("/profiles/{id}/links"), mobile, links, 200),
        (
            "DELETE",
            format!("/profiles/{id}/identities/{other}"),
            Value::Null,
            links,
            200,
        ),
        (
            "DELETE",
            format!("/profiles/{id}/links/{low}.{high}.agents"),
            Value::Null,
            links,
            200,
        ),
    ];
    for (number, (method, path, body, scope, expected)) in changes.iter().enumerate() {
        let event = |claims, key: &str| {
            let event = with_header(api_event(method, path, claims), "if-match", "*");
            let event = with_header(event, "idempotency-key", key);
            if body.is_null() {
                event
            } else {
                with_body(event, body)
            }
        };
        for rejected in [
            None,
            Some(json!({})),
            Some(json!({"sub": "", "scope": scope})),
        ] {
            let (status, ..) = ask(&app, "profile-write", event(rejected, "unknown")).await;
            assert_eq!(status, 401, "{method} {path}");
        }
        let others = "notes:write notes:admin pii:read erasures:write";
        let wrong = if *scope == links { profiles } else { links };
        for lacking in [
            String::new(),
            "profiles:read".to_owned(),
            (*scope).to_owned(),
            format!("profiles:read {others} {wrong}"),
            format!("{scope} {others}"),
        ] {
            let (status, ..) = ask(
                &app,
                "profile-write",
                event(claims("a", &lacking), "lacking"),
            )
            .await;
            assert_eq!(status, 403, "{method} {path} {lacking}");
        }
        let enough = format!("profiles:read {scope}");
        let (status, _, response) = ask(
            &app,
            "profile-write",
            event(claims("a", &enough), &format!("enough-{number}")),
        )
        .await;
        assert_eq!(status, *expected, "{method} {path}: {response}");
        for personal in ["Jane", "jane@fake.com", "vera@fake.com", "61400000000"] {
            assert!(
                !response.to_string().contains(personal),
                "{path}: {personal}"
            );
        }
        if *expected == 403 {
            let enough = format!("{enough} erasures:write");
            let (status, _, response) = ask(
                &app,
                "profile-write",
                event(claims("a", &enough), "reinstates"),
            )
            .await;
            assert_eq!(status, 201, "{response}");
        }
    }
}

/// The routes that read: function, method, path and body. `{id}` and `{event}` are IDs of Jane.
const READS: [(&str, &str, &str, &str); 10] = [
    ("profile-read", "GET", "/profiles/{id}", "null"),
    (
        "profile-read",
        "POST",
        "/profiles/lookup",
        r#"{"email":"jane@fake.com"}"#,
    ),
    (
        "profile-read",
        "POST",
        "/profiles/search",
        r#"{"name":"Jane"}"#,
    ),
    (
        "profile-read",
        "POST",
        "/profiles/batch",
        r#"{"profiles":[{"email":"jane@fake.com"}]}"#,
    ),
    ("profile-read", "GET", "/profiles/{id}/attributes", "null"),
    (
        "profile-read",
        "POST",
        "/profiles/{id}/attributes/search",
        r#"{"text":"name"}"#,
    ),
    ("profile-read", "GET", "/profiles/{id}/links", "null"),
    ("profile-read", "GET", "/profiles/{id}/notes", "null"),
    ("history", "GET", "/profiles/{id}/history", "null"),
    ("history", "GET", "/profiles/{id}/history/{event}", "null"),
];

/// Returns the claims of requests without a principal.
fn unauthenticated() -> [Option<Value>; 5] {
    [
        None,
        Some(json!({})),
        Some(json!({"scope": ALL})),
        Some(json!({"sub": "", "scope": ALL})),
        Some(json!({"iss": "x", "aud": "y"})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_every_principal() {
    let app = TestApp::deployed(BTreeMap::new()).await;
    let id = jane(&app).await;
    let same = r#"{"records":[{"email":"jane@fake.com"},{"mobile":"+61400000000"}]}"#;
    app.import("drop/unify/crm/jane.ndjson", same).await;
    let event_id = {
        let event = api_event("GET", &format!("/profiles/{id}/history"), claims("a", ALL));
        ask(&app, "history", event).await.2["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (function, method, path, body) in READS {
        let path = path.replace("{id}", &id).replace("{event}", &event_id);
        let body = serde_json::from_str(body).expect("JSON");
        let event = |claims| with_body(api_event(method, &path, claims), &body);
        check_read(&app, function, &path, event).await;
    }

    let (note_id, etag) = note(&app, &id, "author", "k1").await;
    let path = format!("/profiles/{id}/notes/{note_id}");
    check_reads_of_note(&app, &path, &etag).await;
    check_refused_changes(&app, &path, &etag).await;
    check_creation(&app, &id).await;
    // The key of another principal is another key.
    let (other, _) = note(&app, &id, "another", "k1").await;
    assert_ne!(other, note_id);
    check_changes(&app, &path, &etag).await;
}

/// Checks a route that reads a profile without notes.
async fn check_read(
    app: &TestApp,
    function: &str,
    path: &str,
    event: impl Fn(Option<Value>) -> Value,
) {
    for claims in unauthenticated() {
        let status = ask(app, function, event(claims.clone())).await.0;
        assert_eq!(status, 401, "{function} {path} {claims:?}");
    }
    for lacking in [
        "",
        "notes:write",
        "notes:admin pii:read",
        "profiles:reader",
        "PROFILES:READ",
    ] {
        let status = ask(app, function, event(claims("a", lacking))).await.0;
        assert_eq!(status, 403, "{function} {path} {lacking}");
    }
    let (status, _, redacted) = ask(app, function, event(claims("a", "profiles:read"))).await;
    assert_eq!(status, 200, "{function} {path}");
    for personal in ["Jane", "jane@fake.com", "private words", "Called"] {
        assert!(
            !redacted.to_string().contains(personal),
            "{path}: {personal}"
        );
    }
    let both = claims("a", "profiles:read pii:read");
    let (status, _, shown) = ask(app, function, event(both)).await;
    assert_eq!(status, 200);
    let is_notes = path.ends_with("/notes");
    assert_eq!(
        shown == redacted,
        is_notes,
        "{path}: there are no notes yet"
    );
}

async fn check_reads_of_note(app: &TestApp, path: &str, etag: &str) {
    let get = |claims| api_event("GET", path, claims);
    for claims in unauthenticated() {
        let (status, ..) = ask(app, "profile-read", get(claims.clone())).await;
        assert_eq!(status, 401, "{claims:?}");
    }
    let (status, ..) = ask(app, "profile-read", get(claims("author", "notes:write"))).await;
    assert_eq!(status, 403);
    for (scopes, text) in [
        ("profiles:read", json!({"redacted": true})),
        ("profiles:read pii:read", json!("Called")),
    ] {
        let (status, tag, read) = ask(app, "profile-read", get(claims("a", scopes))).await;
        assert_eq!((status, &read["text"]), (200, &text), "{scopes}");
        assert_eq!(tag.as_deref(), Some(etag));
    }
}

/// Builds a request that changes or deletes the note at `path`.
fn change(method: &str, path: &str, claims: Option<Value>, etag: &str) -> Value {
    let event = with_header(api_event(method, path, claims), "if-match", etag);
    if method == "PATCH" {
        with_body(event, &json!({"text": "Changed"}))
    } else {
        event
    }
}

/// Checks that only the author and administrators change a note, and only with its ETag.
async fn check_refused_changes(app: &TestApp, path: &str, etag: &str) {
    for method in ["PATCH", "DELETE"] {
        let status_of = async |claims, etag: &str| {
            let event = change(method, path, claims, etag);
            ask(app, "note-write", event).await.0
        };
        for claims in unauthenticated() {
            assert_eq!(status_of(claims, etag).await, 401, "{method}");
        }
        for (subject, scopes) in [
            ("author", ""),
            ("author", "profiles:read"),
            ("another", "notes:write"),
            ("another", "notes:write pii:read profiles:read"),
            ("another", "notes:admin"),
        ] {
            let status = status_of(claims(subject, scopes), etag).await;
            assert_eq!(status, 403, "{method} {subject} {scopes}");
        }
        let status = status_of(claims("author", "notes:write"), "\"other\"").await;
        assert_eq!(status, 412, "{method}");
    }
}

/// Checks that a note is not created without a principal that may write notes.
async fn check_creation(app: &TestApp, id: &str) {
    for (claims, status) in [
        (None, 401),
        (claims("a", "profiles:read pii:read notes:admin"), 403),
    ] {
        let event = api_event("POST", &format!("/profiles/{id}/notes"), claims);
        let event = with_header(event, "idempotency-key", "k2");
        let event = with_body(event, &json!({"text": "x"}));
        assert_eq!(ask(app, "note-write", event).await.0, status);
    }
}

/// Changes a note as its author, and deletes it as an administrator.
async fn check_changes(app: &TestApp, path: &str, etag: &str) {
    let author = claims("author", "notes:write");
    let event = change("PATCH", path, author, etag);
    let (status, _, changed) = ask(app, "note-write", event).await;
    assert_eq!(
        (status, &changed["text"], &changed["author"]),
        (200, &json!("Changed"), &json!("author"))
    );
    let etag = changed["etag"].as_str().unwrap();
    let admin = claims("boss", "notes:write notes:admin");
    let event = change("DELETE", path, admin, etag);
    let (status, ..) = ask(app, "note-write", event).await;
    assert_eq!(status, 204, "an admin deletes what another wrote");
}

/// Look-ups, searches and batches need a scope of their own if the stack separates them. Otherwise either scope is enough.
#[tokio::test(flavor = "multi_thread")]
async fn separates_lookups() {
    let jane = json!({"email": "jane@fake.com"});
    let finds = [
        ("lookup", jane.clone()),
        ("search", jane.clone()),
        ("batch", json!({"profiles": [jane]})),
    ];
    for (separate, scopes) in [
        (
            "off",
            [
                ("profiles:read", 200),
                ("profiles:lookup", 200),
                ("profiles:read profiles:lookup", 200),
                ("pii:read", 403),
            ],
        ),
        (
            "on",
            [
                ("profiles:read", 403),
                ("profiles:lookup", 200),
                ("profiles:read profiles:lookup", 200),
                ("pii:read", 403),
            ],
        ),
    ] {
        let parameter = ("SeparateLookup".to_owned(), separate.to_owned());
        let app = TestApp::deployed(BTreeMap::from([parameter])).await;
        let row = r#"{"link":{"email":"jane@fake.com"},"first_name":"Jane"}"#;
        app.import("drop/customer_record/crm/jane.ndjson", row)
            .await;
        let mut id = String::new();
        for (scope, expected) in scopes {
            for (route, body) in &finds {
                let path = format!("/profiles/{route}");
                let event = with_body(api_event("POST", &path, claims("a", scope)), body);
                let (status, _, found) = ask(&app, "profile-read", event).await;
                assert_eq!(status, expected, "{separate} {scope} {path}: {found}");
                if let Some(found) = found["id"].as_str() {
                    id = found.to_owned();
                }
            }
        }
        // An id needs the scope to read, whether or not look-ups are separate.
        for (scope, expected) in [("profiles:read", 200), ("profiles:lookup", 403)] {
            let event = api_event("GET", &format!("/profiles/{id}"), claims("a", scope));
            assert_eq!(
                ask(&app, "profile-read", event).await.0,
                expected,
                "{scope}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_foreign_ids() {
    let app = TestApp::deployed(BTreeMap::new()).await;
    let id = jane(&app).await;
    let events: String = (0..30).map(|number| format!("{{\"link\":{{\"mobile\":\"5550001\"}},\"action_at\":\"2026-01-01T00:00:{number:02}Z\",\"message_id\":\"{number}\",\"channel\":\"sms\",\"direction\":\"inbound\",\"body\":\"bo's\"}}\n")).collect();
    app.import("drop/message/desk/bo.ndjson", &events).await;
    let lookup = with_body(
        api_event("POST", "/profiles/lookup", claims("a", ALL)),
        &json!({"mobile": "5550001"}),
    );
    let bo = ask(&app, "profile-read", lookup).await.2["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = |of: &str, query: &str| {
        with_query(
            api_event("GET", &format!("/profiles/{of}/history"), claims("a", ALL)),
            query,
        )
    };
    let (_, _, first) = ask(&app, "history", page(&bo, "limit=5")).await;
    let cursor = first["next"].as_str().unwrap().to_owned();
    let ids: BTreeSet<String> = first["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();

    // A cursor belongs to its profile.
    let other = page(&id, &format!("limit=5&cursor={cursor}"));
    let (status, _, problem) = ask(&app, "history", other).await;
    let expected = (400, &json!("/problems/invalid-cursor"));
    assert_eq!((status, &problem["type"]), expected, "{problem}");
    for query in [
        format!("limit=5&cursor={cursor}&type=message"),
        format!("cursor={cursor}&channel=sms"),
        format!("cursor={cursor}&order=oldest"),
    ] {
        let (status, _, problem) = ask(&app, "history", page(&bo, &query)).await;
        assert_eq!(
            (status, &problem["type"]),
            (400, &json!("/problems/invalid-cursor")),
            "{query}"
        );
    }
    let notes = with_query(
        api_event("GET", &format!("/profiles/{bo}/notes"), claims("a", ALL)),
        &format!("cursor={cursor}"),
    );
    assert_eq!(ask(&app, "profile-read", notes).await.0, 400);

    // An event and a note of another profile are not found under this one.
    for event_id in &ids {
        let event = api_event(
            "GET",
            &format!("/profiles/{id}/history/{event_id}"),
            claims("a", ALL),
        );
        assert_eq!(ask(&app, "history", event).await.0, 404, "{event_id}");
    }
    let (note_id, etag) = note(&app, &bo, "author", "k1").await;
    let delete = with_header(
        api_event(
            "DELETE",
            &format!("/profiles/{id}/notes/{note_id}"),
            claims("author", "notes:write"),
        ),
        "if-match",
        &etag,
    );
    assert_eq!(ask(&app, "note-write", delete).await.0, 404);
    let read = format!("/profiles/{id}/notes/{note_id}");
    let read = api_event("GET", &read, claims("a", ALL));
    assert_eq!(ask(&app, "profile-read", read).await.0, 404);

    // A random change is rejected or is a position in the same profile.
    let second = r#"{"link":{"email":"jane@fake.com"},"action_at":"2026-01-02T00:00:00Z","message_id":"2","channel":"x","direction":"inbound"}"#;
    app.import("drop/message/desk/second.ndjson", second).await;
    let (_, _, own) = ask(&app, "history", page(&id, "limit=1")).await;
    let cursor = own["next"].as_str().unwrap().to_owned();
    let mut random = StdRng::seed_from_u64(1);
    let event_id = ids.first().unwrap();
    for round in 0..300 {
        let mutate = |text: &str, random: &mut StdRng| {
            let mut bytes = text.as_bytes().to_vec();
            match random.random_range(0..4) {
                0 => bytes.truncate(random.random_range(0..bytes.len())),
                1 => bytes.push(b'A'),
                2 => {
                    let (from, to) = (
                        random.random_range(0..bytes.len()),
                        random.random_range(0..bytes.len()),
                    );
                    bytes.swap(from, to);
                }
                _ => {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] =
                        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
                            [random.random_range(0..65)];
                }
            }
            String::from_utf8(bytes).unwrap()
        };
        let (status, _, response) = ask(
            &app,
            "history",
            page(&id, &format!("cursor={}", mutate(&cursor, &mut random))),
        )
        .await;
        assert!(matches!(status, 200 | 400), "{round}: {status} {response}");
        assert!(
            !response.to_string().contains("bo's"),
            "{round}: {response}"
        );
        let changed = mutate(event_id, &mut random);
        let event = api_event(
            "GET",
            &format!("/profiles/{id}/history/{changed}"),
            claims("a", ALL),
        );
        let (status, _, response) = ask(&app, "history", event).await;
        assert!(
            matches!(status, 400 | 404),
            "{round}: {changed} {status} {response}"
        );
        let changed = mutate(&bo, &mut random);
        let event = api_event("GET", &format!("/profiles/{changed}"), claims("a", ALL));
        let (status, _, response) = ask(&app, "profile-read", event).await;
        assert!(
            matches!(status, 400 | 404) || changed == bo,
            "{round}: {changed} {status} {response}"
        );
    }
}

/// Each list of a profile refuses a cursor of another profile, and continues under the ID of every identity of its own.
#[tokio::test(flavor = "multi_thread")]
async fn cursors_belong_to_profiles() {
    let app = TestApp::start().await;
    let other = jane(&app).await;
    let links = r#"{"records":[{"mobile":"5550001"},{"customer_id":"B1"},{"customer_id":"B2"}]}"#;
    app.import("drop/unify/desk/bo.ndjson", links).await;
    let events: String = (0..3).map(|number| format!("{{\"link\":{{\"mobile\":\"5550001\"}},\"action_at\":\"2026-01-01T00:00:{number:02}Z\",\"message_id\":\"{number}\",\"channel\":\"sms\",\"direction\":\"inbound\",\"body\":\"bo's\"}}\n")).collect();
    app.import("drop/message/desk/bo.ndjson", &events).await;
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    let ids: Vec<_> = profile["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identity| identity["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
    for text in ["First", "Second"] {
        app.note(ids[0], Some(text), json!({"text": text})).await;
    }
    let client = reqwest::Client::new();
    for list in ["history", "notes", "attributes", "links", "export"] {
        let path = |id: &str, query: &str| format!("/profiles/{id}/{list}?limit=1{query}");
        for first in &ids {
            let page = client.get(app.url(&path(first, ""))).send().await.unwrap();
            let page = page.text().await.unwrap();
            let end: Value = serde_json::from_str(page.lines().last().unwrap()).unwrap();
            let cursor = format!("&cursor={}", end["next"].as_str().unwrap());
            for id in &ids {
                let response = client.get(app.url(&path(id, &cursor))).send();
                let status = response.await.unwrap().status();
                assert_eq!(status, 200, "{list} of {first} under {id}");
            }
            let problem = app.problem(&path(&other, &cursor), 400).await;
            let expected = ("invalid-cursor".to_owned(), Some("cursor".to_owned()));
            assert_eq!(problem, expected, "{list}");
        }
    }
}
