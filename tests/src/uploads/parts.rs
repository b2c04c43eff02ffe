//! Multipart uploads.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{created, import, put, sent, signed_headers};
use crate::support::app::TestApp;

/// More than the largest file that is uploaded whole, in two parts.
const BYTES: usize = 100_000_001;
const PART_BYTES: usize = 64 << 20;

async fn post(app: &TestApp, path: &str, body: &Value) -> (StatusCode, Value) {
    let client = reqwest::Client::new();
    app.send(client.post(app.url(path)).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_parts() {
    let app = TestApp::start().await;
    let row = b"{\"link\":{\"email\":\"jane@fake.com\"},\"first_name\":\"Jane\"}\n";
    // One record, and blank lines.
    let mut file = row.to_vec();
    file.resize(BYTES, b'\n');
    let body = json!({"file_name": "big.ndjson", "type": "customer_record", "size": BYTES});
    let upload = created(&app, "k", &body).await;
    assert_eq!(
        upload["upload"],
        json!({"part_size": PART_BYTES, "part_count": 2})
    );
    let again = created(&app, "k", &body).await;
    assert_eq!(again["id"], upload["id"]);
    let path = format!("/imports/{}", upload["id"].as_str().unwrap());
    let (parts_path, complete_path) = (format!("{path}/parts"), format!("{path}/complete"));
    for body in [
        json!({}),
        json!({"numbers": []}),
        json!({"numbers": [0]}),
        json!({"numbers": [3]}),
        json!({"numbers": vec![1; 101]}),
        json!({"numbers": [1], "other": 1}),
    ] {
        let (status, problem) = post(&app, &parts_path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
    }
    let (status, issued) = post(&app, &parts_path, &json!({"numbers": [2, 1]})).await;
    assert_eq!(status, StatusCode::OK, "{issued}");
    let items = issued["items"].as_array().unwrap();
    let numbers: Vec<_> = items
        .iter()
        .map(|part| part["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    for part in items {
        let url = part["url"].as_str().unwrap();
        assert!(url.contains("X-Amz-Expires=900"), "{url}");
        assert_eq!(signed_headers(url), "content-length;host");
        assert_eq!(part["headers"], json!({}));
    }
    // The URL of a part accepts neither another size nor the part of another number.
    assert_eq!(
        sent(put(&items[0]), file[..PART_BYTES].to_vec()).await.0,
        403
    );
    let mut other = items[0].clone();
    let url = other["url"]
        .as_str()
        .unwrap()
        .replace("partNumber=2", "partNumber=3");
    other["url"] = url.into();
    assert_eq!(sent(put(&other), file[PART_BYTES..].to_vec()).await.0, 403);

    let mut tags = Vec::new();
    for part in items {
        let bytes = match part["number"].as_u64() {
            Some(1) => &file[..PART_BYTES],
            _ => &file[PART_BYTES..],
        };
        let response = put(part).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        tags.push(json!({"number": part["number"], "etag": etag}));
    }
    for body in [
        json!({"parts": []}),
        json!({"parts": [tags[0]]}),
        json!({"parts": [tags[0], tags[0]]}),
        json!({"parts": [tags[0], {"number": 1, "etag": "\"00000000000000000000000000000000\""}]}),
    ] {
        let (status, problem) = post(&app, &complete_path, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {problem}");
    }
    assert_eq!(import(&app, &upload).await["state"], "awaiting_upload");
    for _ in 0..2 {
        let (status, completed) = post(&app, &complete_path, &json!({"parts": tags})).await;
        assert_eq!(
            (status, &completed["id"]),
            (StatusCode::OK, &upload["id"]),
            "{completed}"
        );
    }
    app.stack.wait_idle().await;
    let import = import(&app, &upload).await;
    assert_eq!(
        (&import["state"], &import["written"]),
        (&json!("completed"), &json!(1))
    );
    assert_eq!(import["progress"]["bytes"], BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_parts_of_whole_files() {
    let app = TestApp::start().await;
    let upload = created(&app, "k", &super::request()).await;
    let path = format!("/imports/{}", upload["id"].as_str().unwrap());
    for (path, body) in [
        (format!("{path}/parts"), json!({"numbers": [1]})),
        (
            format!("{path}/complete"),
            json!({"parts": [{"number": 1, "etag": "x"}]}),
        ),
    ] {
        let (status, problem) = post(&app, &path, &body).await;
        assert_eq!(
            (status.as_u16(), problem["type"].as_str().unwrap()),
            (409, "/problems/upload-closed")
        );
    }
}
