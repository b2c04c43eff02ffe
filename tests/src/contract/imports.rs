//! Operations on uploads and imports.

use serde_json::{Value, json};

use super::caller::{Caller, Request};
use crate::uploads::put;

#[tokio::test(flavor = "multi_thread")]
async fn responses_match() {
    let mut caller = Caller::start().await;
    create(&mut caller).await;
    upload_parts(&mut caller).await;
    let import = list(&mut caller).await;
    operate(&mut caller, &import).await;
    caller.check_complete("imports");
}

async fn create(caller: &mut Caller) {
    let file = json!({"file_name": "a.ndjson", "type": "customer_record", "size": 1});
    for (body, status) in [(file, 201), (Value::Null, 415)] {
        let request = Request::new("POST", "/imports").header("idempotency-key", "t");
        caller.call(request.body(body), status).await;
    }
}

/// Uploads a file in two parts. It is only tried, because a try reads little of it.
async fn upload_parts(caller: &mut Caller) {
    let size = 100_000_001;
    let file =
        json!({"file_name": "a.ndjson", "type": "customer_record", "size": size, "try": true});
    let request = Request::new("POST", "/imports").header("idempotency-key", "u");
    let upload = caller.call(request.body(file), 201).await.body;
    let path = format!("/imports/{}", upload["id"].as_str().expect("an id"));
    let request = Request::new("POST", "/imports/{id}/parts")
        .path(format!("{path}/parts"))
        .body(json!({"numbers": [1, 2]}));
    let parts = caller.call(request, 200).await.body;
    let part_bytes = upload["upload"]["part_size"].as_u64().expect("a size");
    let parts = parts["items"].as_array().expect("parts").iter();
    let mut tags = Vec::new();
    for (part, bytes) in parts.zip([part_bytes, size - part_bytes]) {
        let file = vec![b'\n'; usize::try_from(bytes).expect("a part fits the memory")];
        let response = put(part).body(file).send().await.expect("a response");
        let etag = response.headers()["etag"].to_str().expect("a tag");
        tags.push(json!({"number": part["number"], "etag": etag}));
    }
    for (parts, status) in [(json!([]), 400), (json!(tags), 200)] {
        let request = Request::new("POST", "/imports/{id}/complete")
            .path(format!("{path}/complete"))
            .body(json!({"parts": parts}));
        caller.call(request, status).await;
    }
    caller.app.stack.wait_idle().await;
}

/// Returns the path of the newest completed import.
async fn list(caller: &mut Caller) -> String {
    let list = |query| Request::new("GET", "/imports").path(format!("/imports?{query}"));
    caller.call(list("cursor=x"), 400).await;
    let page = caller.call(list("limit=25"), 200).await.body;
    let mut imports = page["items"].as_array().expect("imports").iter();
    let import =
        imports.find(|import| import["state"] == "completed" && import["kind"] == "import");
    let id = import.expect("a completed import")["id"].as_str();
    format!("/imports/{}", id.expect("an id"))
}

/// Reads an import, replays it and reverts it.
async fn operate(caller: &mut Caller, import: &str) {
    for (method, end, key, status) in [
        ("GET", "", "", 200),
        ("GET", "/rejects", "", 200),
        ("POST", "/replay", "v", 202),
        ("POST", "/revert", "w", 202),
        ("POST", "/revert", "x", 409),
    ] {
        let route = format!("/imports/{{id}}{end}");
        let request = Request::new(method, &route)
            .path(format!("{import}{end}"))
            .header("idempotency-key", key);
        caller.call(request, status).await;
        caller.app.stack.wait_idle().await;
    }
}
