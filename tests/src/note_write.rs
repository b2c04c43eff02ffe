//! Notes: creation with idempotency keys, changes with ETags, pages and masking.

use std::{collections::BTreeMap, time::Duration};

use local::Options;
use serde_json::{Value, json};
use tests::faults::{Fault, Faults, Proxy};

use crate::support::{
    api::problem_of,
    app::TestApp,
    events::api_event,
    files::JANE,
    table::{contains_text, rows},
};

async fn jane() -> (TestApp, String) {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    (app, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_one_note() {
    let (app, id) = jane().await;
    let body = json!({"text": "Prefers the phone.\nAfter five."});
    let (status, first) = app.note(&id, Some("key-1"), body.clone()).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(
        (&first["text"], &first["author"]),
        (&body["text"], &json!("local-agent"))
    );
    assert_eq!(first["pinned"], false);

    let (status, again) = app.note(&id, Some("key-1"), body).await;
    assert_eq!(
        (status.as_u16(), &again),
        (201, &first),
        "a replay returns the first response"
    );
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes, json!({"items": [first], "next": null}));

    let (status, problem) = app
        .note(&id, Some("key-1"), json!({"text": "Another"}))
        .await;
    assert_eq!(status, 409);
    assert_eq!(
        problem_of(&problem),
        (
            "idempotency-key-reused".to_owned(),
            Some("idempotency-key".to_owned())
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_newest_first() {
    let (app, id) = jane().await;
    for number in 0..7 {
        let (status, _) = app
            .note(
                &id,
                Some(&format!("key-{number}")),
                json!({"text": format!("Note {number}")}),
            )
            .await;
        assert_eq!(status, 201);
    }
    let mut texts: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = app
            .get(&format!("/profiles/{id}/notes?limit=3{cursor}"))
            .await;
        texts.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|note| note["text"].clone()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(
        texts,
        (0..7)
            .rev()
            .map(|number| json!(format!("Note {number}")))
            .collect::<Vec<_>>()
    );
    let profile = app.profile("jane@fake.com").await;
    assert_eq!(profile["notes"]["items"].as_array().unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_create_one_note() {
    let (app, id) = jane().await;
    let body = json!({"text": "Once"});
    let (a, b) = tokio::join!(
        app.note(&id, Some("key"), body.clone()),
        app.note(&id, Some("key"), body)
    );
    // One request may conflict with the transaction of the other. Then its response asks for a retry.
    let stored: Vec<_> = [&a, &b]
        .into_iter()
        .filter(|(status, _)| *status == 201)
        .collect();
    assert!(!stored.is_empty(), "{a:?} {b:?}");
    assert!(stored.iter().all(|(_, note)| note == &stored[0].1));
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_invalid_notes() {
    let (app, id) = jane().await;
    let long = "x".repeat(10_001);
    for (key, body, status, slug, field) in [
        (
            None,
            json!({"text": "x"}),
            400,
            "invalid-header",
            "idempotency-key",
        ),
        (Some("k"), json!({"text": ""}), 400, "invalid-body", "text"),
        (
            Some("k"),
            json!({"text": long}),
            400,
            "invalid-body",
            "text",
        ),
        (Some("k"), json!({"text": 1}), 400, "invalid-body", "text"),
        (Some("k"), json!({}), 400, "invalid-body", "text"),
        (
            Some("k"),
            json!({"text": "x", "author": "someone"}),
            400,
            "invalid-body",
            "author",
        ),
    ] {
        let (actual, problem) = app.note(&id, key, body).await;
        assert_eq!(actual.as_u16(), status, "{problem}");
        assert_eq!(
            problem_of(&problem),
            (slug.to_owned(), Some(field.to_owned()))
        );
    }
    let (status, problem) = app
        .note(
            "aaaaaaaaaaaaaaaaaaaaaaaaaa",
            Some("k"),
            json!({"text": "x"}),
        )
        .await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (404, "profile-not-found")
    );
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes["items"], json!([]));
}

/// Returns the path of a note.
fn path(id: &str, note: &Value) -> String {
    format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_matching_etag() {
    let (app, id) = jane().await;
    let (_, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let path = path(&id, &note);
    let etag = note["etag"].as_str().unwrap();
    let (status, changed) = app
        .edit_note(&path, Some(etag), json!({"text": "Write", "pinned": true}))
        .await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["text"], &changed["pinned"], &changed["id"]),
        (&json!("Write"), &json!(true), &note["id"])
    );
    assert_eq!(changed["created_at"], note["created_at"]);
    let time = |note: &Value| {
        note["updated_at"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    assert!(time(&changed) > time(&note));
    assert_ne!(changed["etag"], note["etag"]);
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes["items"], json!([changed]));
    assert_eq!(app.get(&path).await, (200.try_into().unwrap(), changed));

    let slug =
        |(status, problem): (reqwest::StatusCode, Value)| (status.as_u16(), problem_of(&problem).0);
    let text = json!({"text": "Late"});
    let late = slug(app.edit_note(&path, Some(etag), text.clone()).await);
    assert_eq!(late, (412, "note-changed".to_owned()));
    let blind = slug(app.edit_note(&path, None, text.clone()).await);
    assert_eq!(blind, (428, "precondition-required".to_owned()));
    let bare = slug(app.edit_note(&path, Some("abc"), text.clone()).await);
    assert_eq!(bare, (400, "invalid-header".to_owned()));
    let empty = slug(app.edit_note(&path, Some("*"), json!({})).await);
    assert_eq!(empty, (400, "invalid-body".to_owned()));
    let elsewhere = format!("/profiles/{id}/notes/{id}.0190a0a0-0000-7000-8000-000000000000");
    let unknown = slug(app.edit_note(&elsewhere, Some("*"), text).await);
    assert_eq!(unknown, (404, "note-not-found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_matching_etag() {
    let (app, id) = jane().await;
    let (_, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let path = path(&id, &note);
    assert_eq!(app.delete_note(&path, None).await.0, 428);
    assert_eq!(app.delete_note(&path, Some("\"x\"")).await.0, 412);
    let etag = note["etag"].as_str();
    assert_eq!(app.delete_note(&path, etag).await.0, 204);
    let (status, problem) = app.delete_note(&path, etag).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (404, "note-not-found")
    );
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes["items"], json!([]));
    let not_found = ("note-not-found".to_owned(), None);
    assert_eq!(app.problem(&path, 404).await, not_found);
    let garbled = format!("/profiles/{id}/notes/{id}.x");
    assert_eq!(app.problem(&garbled, 404).await, not_found);
    let elsewhere = path.replace(
        &format!("/profiles/{id}/"),
        "/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/",
    );
    let no_profile = ("profile-not-found".to_owned(), None);
    assert_eq!(app.problem(&elsewhere, 404).await, no_profile);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_conflict() {
    let (app, id) = jane().await;
    let (_, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let path = path(&id, &note);
    let etag = note["etag"].as_str();
    let (a, b) = tokio::join!(
        app.edit_note(&path, etag, json!({"text": "A"})),
        app.edit_note(&path, etag, json!({"text": "B"})),
    );
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{a:?} {b:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_author_or_admin_changes() {
    let (app, id) = jane().await;
    let (_, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let path = path(&id, &note);
    let ask = async |method: &str, sub: &str, scope: &str, body: Option<Value>| {
        let mut event = api_event(method, &path, Some(json!({"sub": sub, "scope": scope})));
        event["headers"]["if-match"] = json!("*");
        if let Some(body) = body {
            event["body"] = json!(body.to_string());
        }
        let response = app
            .stack
            .invoke("note-write", event)
            .await
            .expect("a response");
        let body = response["body"].as_str().unwrap_or("null");
        (
            response["statusCode"].as_u64().unwrap(),
            serde_json::from_str::<Value>(body).unwrap_or(Value::Null),
        )
    };
    let text = || Some(json!({"pinned": true}));
    let (status, problem) = ask("PATCH", "agent-7", "notes:write", text()).await;
    assert_eq!(
        (status, problem_of(&problem).0.as_str()),
        (403, "forbidden")
    );
    assert_eq!(ask("DELETE", "agent-7", "notes:write", None).await.0, 403);
    assert_eq!(
        ask("PATCH", "local-agent", "profiles:read", text()).await.0,
        403
    );
    // A principal with `notes:admin` may lack `pii:read`.
    let (status, changed) = ask("PATCH", "agent-7", "notes:write notes:admin", text()).await;
    assert_eq!(
        (status, &changed["text"]),
        (200, &json!({"redacted": true}))
    );
    let (status, own) = ask("PATCH", "local-agent", "notes:write", text()).await;
    assert_eq!((status, &own["text"]), (200, &json!("Call")));
    let admin = ask("DELETE", "agent-7", "notes:write notes:admin", None).await;
    assert_eq!(admin.0, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_to_first_page() {
    let (app, id) = jane().await;
    for number in 0..6 {
        let body = json!({"text": format!("Note {number}"), "pinned": number == 1});
        let (status, _) = app.note(&id, Some(&format!("k{number}")), body).await;
        assert_eq!(status, 201);
    }
    let texts = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|note| note["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, first) = app.get(&format!("/profiles/{id}/notes?limit=3")).await;
    assert_eq!(texts(&first), ["Note 1", "Note 5", "Note 4", "Note 3"]);
    let next = first["next"].as_str().unwrap();
    let (_, second) = app
        .get(&format!("/profiles/{id}/notes?limit=3&cursor={next}"))
        .await;
    assert_eq!(texts(&second), ["Note 2", "Note 0"]);
    assert_eq!(second["next"], Value::Null);
    let profile = app.profile("jane@fake.com").await;
    assert_eq!(texts(&profile["notes"])[0], "Note 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_response_confirms_change() {
    let proxy = Proxy::bind(0).await.unwrap();
    let url = (
        "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
        proxy.url().to_owned(),
    );
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("note-write".to_owned(), BTreeMap::from([url]))]),
        ..Options::default()
    })
    .await;
    proxy.set_upstream(app.stack.dynamodb_url());
    let (folder, rows) = JANE[0];
    app.import(&format!("drop/{folder}/jane.ndjson"), rows)
        .await;
    let profile = app.profile("jane@fake.com").await;
    let id = profile["id"].as_str().unwrap();
    let (_, note) = app.note(id, Some("k"), json!({"text": "Call"})).await;
    let path = path(id, &note);
    // Repeat until the first response is lost.
    let lose = async |operation: &str| {
        proxy.set_faults(Faults::default().with_on(operation, Fault::Lost, 1.0));
        while proxy
            .counts()
            .get(operation)
            .is_none_or(|count| count.faults == 0)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxy.set_faults(Faults::default());
    };
    let etag = note["etag"].as_str();
    let edit = app.edit_note(&path, etag, json!({"text": "Write"}));
    let ((status, changed), ()) = futures::future::join(edit, lose("PutItem")).await;
    assert_eq!((status.as_u16(), &changed["text"]), (200, &json!("Write")));
    let delete = app.delete_note(&path, changed["etag"].as_str());
    let ((status, problem), ()) = futures::future::join(delete, lose("DeleteItem")).await;
    assert_eq!(status, 204, "{problem}");
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_card_numbers() {
    let (app, id) = jane().await;
    let text = "Card 4111 1111 1111 1111, order 1042";
    let (status, note) = app.note(&id, Some("k"), json!({"text": text})).await;
    let masked = "Card **** **** **** 1111, order 1042";
    assert_eq!((status.as_u16(), &note["text"]), (201, &json!(masked)));
    let path = format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap());
    let change = json!({"text": "5555-5555-5555-4444"});
    let (_, changed) = app.edit_note(&path, note["etag"].as_str(), change).await;
    assert_eq!(changed["text"], "****-****-****-4444");
    let rows = rows(&app).await;
    let is_stored = |part| rows.iter().any(|row| contains_text(row, part));
    assert!(is_stored("****-4444") && !is_stored("5555-5555"));
    let is_count = |line: &String| line.contains("CardNumbersMasked");
    assert_eq!(
        app.stack
            .logs()
            .iter()
            .filter(|line| is_count(line))
            .count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_last_editor() {
    let (app, id) = jane().await;
    let path = format!("/profiles/{id}/notes");
    let mut event = api_event(
        "POST",
        &path,
        Some(json!({"sub": "vera", "name": "Vera Lindt", "scope": "notes:write"})),
    );
    event["headers"]["idempotency-key"] = "k".into();
    event["body"] = json!({"text": "Called"}).to_string().into();
    let response = app.stack.invoke("note-write", event).await.unwrap();
    let note: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&note["author"], note.get("updated_by")),
        (&json!("vera"), None)
    );
    assert_eq!(note["author_name"], "Vera Lindt");
    let export = app.url(&format!("/profiles/{id}/export"));
    let export = reqwest::get(export).await.unwrap().text().await.unwrap();
    assert!(
        export.contains("Called") && !export.contains("Lindt"),
        "{export}"
    );
    let path = format!("{path}/{}", note["id"].as_str().unwrap());
    let (_, changed) = app
        .edit_note(
            &path,
            note["etag"].as_str(),
            json!({"text": "Called twice"}),
        )
        .await;
    let (author, changer) = (&changed["author"], &changed["updated_by"]);
    assert_eq!((author, changer), (&json!("vera"), &json!("local-agent")));
    // The local agent's token has no name.
    let names = (changed.get("author_name"), changed.get("updated_by_name"));
    assert_eq!(names, (Some(&json!("Vera Lindt")), None));
}

/// A repeated request returns the current note, not the original one.
#[tokio::test(flavor = "multi_thread")]
async fn replay_returns_current_note() {
    let (app, id) = jane().await;
    let body = json!({"text": "Call back"});
    let (_, note) = app.note(&id, Some("k"), body.clone()).await;
    let path = format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap());
    let (_, changed) = app
        .edit_note(&path, note["etag"].as_str(), json!({"text": "Called"}))
        .await;
    let (status, again) = app.note(&id, Some("k"), body.clone()).await;
    assert_eq!((status.as_u16(), &again), (201, &changed));
    let (status, _) = app.delete_note(&path, again["etag"].as_str()).await;
    assert_eq!(status, 204);
    let (status, problem) = app.note(&id, Some("k"), body.clone()).await;
    assert_eq!(status, 409);
    let expected = (
        "note-deleted".to_owned(),
        Some("idempotency-key".to_owned()),
    );
    assert_eq!(problem_of(&problem), expected);
    let (status, _) = app.note(&id, Some("another"), body).await;
    assert_eq!(status, 201);
}

/// Notes are read apart from events, and the page of notes ends at the limit of a response.
#[tokio::test(flavor = "multi_thread")]
async fn many_notes_hide_no_order() {
    let app = TestApp::start().await;
    let order = |n: u32| json!({"link": {"email": "a@example.com"}, "action_at": format!("2026-01-{n:02}"), "type": "physical", "purchase_id": n.to_string(), "products": [{"price_paid": "1", "quantity": 1}]});
    let rows: String = (1..=28).map(|n| format!("{}\n", order(n))).collect();
    app.import("drop/purchase/pos/a.ndjson", &rows).await;
    let id = app.profile("a@example.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let text = "\u{1f600}".repeat(10_000);
    for n in 0..240 {
        let (status, _) = app
            .note(
                &id,
                Some(&format!("k{n}")),
                json!({"text": text, "pinned": n % 9 == 0}),
            )
            .await;
        assert_eq!(status, 201);
    }
    let profile = app.profile("a@example.com").await;
    assert_eq!(profile["summary"]["orders"], 28);
    assert_eq!(profile["history"]["items"].as_array().unwrap().len(), 25);
    let notes = profile["notes"]["items"].as_array().unwrap().len();
    assert!((25..=45).contains(&notes), "{notes}");
    let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
    loop {
        let (status, page) = app
            .get(&format!("/profiles/{id}/notes?limit=100{cursor}"))
            .await;
        assert_eq!(status, 200);
        for note in page["items"].as_array().unwrap() {
            assert!(
                seen.insert(note["id"].as_str().unwrap().to_owned()),
                "twice"
            );
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn explains_weak_etag() {
    let (app, id) = jane().await;
    let (_, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    let path = format!("/profiles/{id}/notes/{}", note["id"].as_str().unwrap());
    let etag = note["etag"].as_str().unwrap();
    let weak = format!("W/{etag}");
    let explains = |problem: &Value| {
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("proxy") && detail.contains("compress") && detail.contains("etag"),
            "{detail}"
        );
    };
    let (status, problem) = app
        .edit_note(&path, Some(&weak), json!({"pinned": true}))
        .await;
    assert_eq!(status, 400);
    assert_eq!(
        problem_of(&problem),
        ("invalid-header".to_owned(), Some("if-match".to_owned()))
    );
    explains(&problem);
    let (status, problem) = app.delete_note(&path, Some(&weak)).await;
    assert_eq!(status, 400);
    explains(&problem);
    // A strong ETag beside it is accepted.
    let both = format!("{weak}, {etag}");
    let (status, _) = app
        .edit_note(&path, Some(&both), json!({"pinned": true}))
        .await;
    assert_eq!(status, 200);
}
