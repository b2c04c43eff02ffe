//! Notes: left once, however often the request is sent.

use serde_json::{Value, json};

use crate::app::{TestApp, problem_of};

async fn jane() -> (TestApp, String) {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    (app, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_left_once() {
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
        "a replay answers the first response"
    );
    let (_, notes) = app.get(&format!("/profiles/{id}/notes")).await;
    assert_eq!(notes, json!({"items": [first], "next": null}));

    let (status, problem) = app
        .note(&id, Some("key-1"), json!({"text": "Another"}))
        .await;
    assert_eq!(status, 422);
    assert_eq!(
        problem_of(&problem),
        (
            "idempotency-key-reused".to_owned(),
            Some("idempotency-key".to_owned())
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_listed_newest_first() {
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
async fn two_requests_at_once_leave_one_note() {
    let (app, id) = jane().await;
    let body = json!({"text": "Once"});
    let (a, b) = tokio::join!(
        app.note(&id, Some("key"), body.clone()),
        app.note(&id, Some("key"), body)
    );
    // One of them may meet the other's transaction: then it is told to try again.
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
async fn bad_notes_are_refused() {
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
