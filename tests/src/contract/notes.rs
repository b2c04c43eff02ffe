//! Operations on notes.

use serde_json::{Value, json};

use super::caller::{Caller, Request};

#[tokio::test(flavor = "multi_thread")]
async fn responses_match() {
    let mut caller = Caller::start().await;
    let (_, id) = caller.jane().await;
    let notes = format!("/profiles/{id}/notes");
    let create = |text: &str| {
        let request = Request::new("POST", "/profiles/{id}/notes").path(&notes);
        request.body(json!({"text": text}))
    };
    let note = create("Call").header("idempotency-key", "k");
    let note = caller.call(note, 201).await.body;
    let other = create("Write").header("idempotency-key", "k");
    caller.call(other, 409).await;
    caller.call(create("Write"), 400).await;
    caller.call_pages("notes", &id).await;

    let path = format!("{notes}/{}", note["id"].as_str().expect("an id"));
    let one = |method| Request::new(method, "/profiles/{id}/notes/{noteId}").path(&path);
    let read = caller.call(one("GET"), 200).await;
    assert_eq!(
        (&read.body, read.etag.as_deref()),
        (&note, note["etag"].as_str())
    );
    let nothing = one("GET").path(format!("{notes}/{id}.x"));
    caller.call(nothing, 404).await;
    for (method, tag, status) in [
        ("PATCH", Some("*"), 200),
        ("PATCH", Some("\"x\""), 412),
        ("PATCH", None, 428),
        ("DELETE", Some("\"x\""), 412),
        ("DELETE", None, 428),
        ("DELETE", Some("*"), 204),
        ("DELETE", Some("*"), 404),
    ] {
        let body = match method {
            "PATCH" => json!({"pinned": true}),
            _ => Value::Null,
        };
        let mut request = one(method).body(body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        caller.call(request, status).await;
    }
    caller.check_complete("notes");
}
