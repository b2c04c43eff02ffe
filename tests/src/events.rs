//! The events of `functions/*/events` for `sam local invoke` and `sam remote invoke`: each function accepts its own.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use local::Stack;
use serde_json::{Value, json};

use crate::support::{app::TestApp, files::JANE};

fn events(function: &str) -> Vec<(PathBuf, Value)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../functions/{function}/events"));
    let files = std::fs::read_dir(&folder).expect("events");
    let mut events: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("a text");
            (path, serde_json::from_str(&text).expect("JSON"))
        })
        .collect();
    assert!(!events.is_empty(), "{}", folder.display());
    events.sort_by(|a, b| a.0.cmp(&b.0));
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn http_functions_accept_samples() {
    let app = TestApp::with_jane().await;
    for function in [
        "profile-read",
        "note-write",
        "profile-write",
        "history",
        "imports",
    ] {
        for (path, mut event) in events(function) {
            if let Some(held) = event.pointer("/pathParameters/noteId") {
                let held = held.as_str().expect("an id").to_owned();
                name_a_note(&app, &mut event, &held).await;
            }
            if function == "imports" {
                name_the_import(&app, &mut event).await;
            }
            let response = app
                .stack
                .invoke(function, event)
                .await
                .expect("the function responds");
            let status = response["statusCode"].as_u64().expect("a status");
            // The import was not uploaded in parts.
            let expected = match path.file_stem().and_then(|name| name.to_str()) {
                Some("parts" | "complete") => 404..405,
                _ => 200..300,
            };
            assert!(expected.contains(&status), "{}: {response}", path.display());
        }
    }
}

/// Replaces the note id in an event with that of a new note.
async fn name_a_note(app: &TestApp, event: &mut Value, held: &str) {
    let profile = event["pathParameters"]["id"].as_str().expect("an id");
    let key = event["routeKey"].as_str().map(|key| key.replace(' ', "-"));
    let (status, note) = app
        .note(profile, key.as_deref(), json!({"text": "Call"}))
        .await;
    assert_eq!(status, 201, "{note}");
    let text = event.to_string();
    let named = text.replace(held, note["id"].as_str().expect("an id"));
    *event = serde_json::from_str(&named).expect("JSON");
}

/// Replaces the import id in an event with that of the file with the sample customer. Waits until no operation on it runs.
async fn name_the_import(app: &TestApp, event: &mut Value) {
    app.stack.wait_idle().await;
    let (_, page) = app.get("/imports").await;
    let imports = page["items"].as_array().expect("a page");
    let import = imports
        .iter()
        .find(|import| import["kind"] == "import" && import["state"] == "completed");
    let id = import.expect("an import")["id"].as_str().expect("an id");
    let named = event.to_string().replace("0a0febf994a72178", id);
    *event = serde_json::from_str(&named).expect("JSON");
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_accepts_samples() {
    let app = TestApp::start().await;
    let mut imported = 0;
    for (path, mut event) in events("ingest") {
        if let Some(object) = event.pointer_mut("/Records/0/s3/object") {
            imported += 1;
            let (_, file) = JANE[0];
            let key = object["key"].as_str().expect("a key").to_owned();
            // Without a version, the event identifies the file by its ETag.
            assert_eq!(
                object["eTag"],
                etag(&app.stack, file).await,
                "{}",
                path.display()
            );
            let version = app.stack.put(&key, file).await.expect("S3 takes it");
            object["versionId"] = json!(version);
        }
        let response = app.stack.invoke("ingest", event).await;
        assert_eq!(response, Ok(Value::Null), "{}", path.display());
    }
    assert_eq!(imported, 1);
    app.profile("jane@fake.com").await;
}

/// Returns the ETag of a content.
async fn etag(stack: &Stack, content: &'static str) -> String {
    let put = stack
        .s3_client()
        .put_object()
        .bucket(stack.bucket())
        .key("elsewhere")
        .body(content.as_bytes().to_vec().into())
        .send()
        .await
        .expect("S3 takes it");
    let etag = put.e_tag.expect("an ETag").trim_matches('"').to_owned();
    assert!(HEXLOWER.decode(etag.as_bytes()).is_ok(), "{etag}");
    etag
}
