//! Uploads through the API: creation, presigned URLs, parts, tries, and the list of imports.

mod cost;
mod list;
mod parts;
mod rejects;
mod scopes;
mod trial;
mod urls;

use bytes::Bytes;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{app::TestApp, contract::Contract};

/// Two records, of which the second one is rejected.
const FILE: &str = "{\"link\":{\"email\":\"jane@fake.com\"},\"first_name\":\"Jane\"}\n{\"link\":{\"email\":\"x\"}}\n";

/// Returns the body of a request to upload `FILE`.
fn request() -> Value {
    json!({"file_name": "customers.ndjson", "type": "customer_record", "source": "crm", "size": FILE.len()})
}

/// Creates an upload with this body and idempotency key.
async fn create(app: &TestApp, key: &str, body: &Value) -> (StatusCode, Value) {
    let client = reqwest::Client::new();
    let post = client
        .post(app.url("/imports"))
        .header("idempotency-key", key);
    app.send(post.json(body)).await
}

/// Creates an upload, which has to succeed.
async fn created(app: &TestApp, key: &str, body: &Value) -> Value {
    let (status, upload) = create(app, key, body).await;
    assert_eq!(status, StatusCode::CREATED, "{upload}");
    upload
}

/// Builds the request that uploads a file or a part as the API says.
pub(crate) fn put(upload: &Value) -> RequestBuilder {
    let method: Method = upload["method"].as_str().unwrap().parse().unwrap();
    let client = reqwest::Client::new();
    let mut request = client.request(method, upload["url"].as_str().unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request
}

/// Returns the names of the headers that the signature of a URL covers.
fn signed_headers(url: &str) -> String {
    let url = reqwest::Url::parse(url).unwrap();
    let mut parameters = url.query_pairs();
    let signed = parameters.find(|(name, _)| name == "X-Amz-SignedHeaders");
    signed.unwrap().1.into_owned()
}

/// The maximum number of attempts to send a request that may be refused before its body was read.
const MAX_ATTEMPTS: usize = 10;

/// Sends a request to S3. Returns the status and the error code.
async fn sent(request: RequestBuilder, body: impl Into<Bytes>) -> (u16, String) {
    let request = request.body(body.into());
    let mut attempts = 0;
    let response = loop {
        attempts += 1;
        match request.try_clone().unwrap().send().await {
            Ok(response) => break response,
            // The connection was closed while the body was sent, so the response is lost.
            Err(error) => assert!(attempts < MAX_ATTEMPTS, "{error}"),
        }
    };
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let code = text.split("<Code>").nth(1).unwrap_or_default();
    (status, code.split('<').next().unwrap().to_owned())
}

/// Uploads a file and waits until it is imported. Returns the import.
async fn uploaded(app: &TestApp, key: &str, body: &Value, file: &str) -> Value {
    let upload = created(app, key, body).await;
    assert_eq!(sent(put(&upload["upload"]), file.to_owned()).await.0, 200);
    app.stack.wait_idle().await;
    import(app, &upload).await
}

/// Returns the current document of an import.
async fn import(app: &TestApp, import: &Value) -> Value {
    let path = format!("/imports/{}", import["id"].as_str().unwrap());
    let (status, import) = app.get(&path).await;
    assert_eq!(status, StatusCode::OK, "{import}");
    import
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_file() {
    let app = TestApp::start().await;
    let upload = created(&app, "k", &request()).await;
    let id = upload["id"].as_str().unwrap();
    let key = format!("drop/customer_record/crm/{id}/customers.ndjson");
    let expected = json!({
        "id": id, "kind": "import", "state": "awaiting_upload", "key": key, "file_name": "customers.ndjson",
        "type": "customer_record", "source": "crm", "size": FILE.len(), "created_by": "local-agent",
        "created_at": upload["created_at"], "upload": upload["upload"],
    });
    assert_eq!(upload, expected);
    assert_eq!(upload["upload"]["headers"], json!({"if-none-match": "*"}));

    // A repeated request returns the same upload. Another one needs another key.
    let again = created(&app, "k", &request()).await;
    assert_eq!(again["id"], upload["id"]);
    let mut other = request();
    other["size"] = 7.into();
    let (status, problem) = create(&app, "k", &other).await;
    assert_eq!(
        (status.as_u16(), problem["type"].as_str().unwrap()),
        (409, "/problems/idempotency-key-reused")
    );

    assert_eq!(sent(put(&upload["upload"]), FILE).await.0, 200);
    app.stack.wait_idle().await;
    let import = import(&app, &upload).await;
    let bytes = FILE.len();
    let fields = json!({
        "state": "completed", "read": 2, "written": 1, "stale": 0, "rejected": 1, "suppressed": 0,
        "rows": {"read": 2, "skipped": 0}, "size": bytes,
        "progress": {"bytes": bytes, "total_bytes": bytes, "rows": 2},
        "reasons": [{"code": "invalid_value", "field": "link.email", "count": 1, "first": {"line": 2, "offset": 55}}],
    });
    for (name, expected) in fields.as_object().unwrap() {
        assert_eq!(&import[name], expected, "{name} of {import}");
    }
    assert!(import["finished_at"].is_string(), "{import}");
    assert_eq!(
        app.profile("jane@fake.com").await["id"]
            .as_str()
            .unwrap()
            .len(),
        26
    );
    for line in app.stack.logs() {
        assert!(
            !line.contains("jane") && !line.contains("X-Amz-Signature"),
            "{line}"
        );
    }
    // The repeated request still returns it.
    let again = created(&app, "k", &request()).await;
    assert_eq!(
        (&again["id"], &again["state"]),
        (&upload["id"], &json!("completed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_invalid_requests() {
    let app = TestApp::start().await;
    for (field, value) in [
        ("file_name", json!("")),
        ("file_name", json!("a/b.csv")),
        ("file_name", json!("_SUCCESS")),
        ("file_name", json!(".hidden")),
        ("file_name", json!("_a=b.csv")),
        ("file_name", json!("a\n.csv")),
        ("file_name", json!("é".repeat(128))),
        ("file_name", json!("a_$folder$")),
        ("file_name", Value::Null),
        ("type", json!("Purchases")),
        ("type", json!("../try")),
        ("type", json!("try")),
        ("source", json!("CRM")),
        ("source", json!("agents")),
        ("source", json!("0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d")),
        ("size", json!(0)),
        ("size", json!(-1)),
        ("size", json!(1.5)),
        ("size", json!((5_u64 << 40) + 1)),
        ("try", json!("yes")),
        ("other", json!(1)),
    ] {
        let mut body = request();
        body[field] = value.clone();
        let (status, problem) = create(&app, "k", &body).await;
        assert_eq!(
            (
                status.as_u16(),
                problem["type"].as_str().unwrap(),
                problem["field"].as_str()
            ),
            (400, "/problems/invalid-body", Some(field)),
            "{value}: {problem}"
        );
    }
    let mut body = request();
    body["type"] = json!("customer-records");
    // It may be the name of a mapping, so ingest decides.
    created(&app, "mapping", &body).await;
    body["type"] = json!("Customer_records");
    let (_, problem) = create(&app, "k", &body).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("Did you mean `customer_record`?"),
        "{detail}"
    );
    for path in [
        "/imports/x",
        "/imports/0a0febf994a72178",
        "/imports/0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d",
    ] {
        assert_eq!(app.problem(path, 404).await.0, "import-not-found", "{path}");
    }
    let longest = "é".repeat(127) + "x";
    let mut body = request();
    body["file_name"] = json!(longest);
    let import = uploaded(&app, "longest", &body, FILE).await;
    assert_eq!(import["state"], "completed", "{import}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_refused_files() {
    let app = TestApp::start().await;
    let mut body = request();
    body["type"] = json!("no-such-mapping");
    let import = uploaded(&app, "k", &body, FILE).await;
    assert_eq!(
        (&import["state"], &import["problem"]["code"]),
        (&json!("rejected"), &json!("unknown-record-type")),
        "{import}"
    );
    assert!(import["problem"]["detail"].is_string() && import.get("progress").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_contract() {
    let app = TestApp::start().await;
    let contract = Contract::read();
    let client = reqwest::Client::new();
    let mut body = request();
    for (key, is_try, bytes) in [
        ("a", false, FILE.len()),
        ("b", true, FILE.len()),
        ("c", false, 100_000_001),
    ] {
        body["try"] = is_try.into();
        body["size"] = bytes.into();
        let post = client
            .post(app.url("/imports"))
            .header("idempotency-key", key);
        let response = post.json(&body).send().await.unwrap();
        let upload = contract.check(("POST", "/imports"), response).await;
        let path = format!("/imports/{}", upload["id"].as_str().unwrap());
        let parts = client
            .post(app.url(&format!("{path}/parts")))
            .json(&json!({"numbers": [1]}));
        let parts = parts.send().await.unwrap();
        contract.check(("POST", "/imports/{id}/parts"), parts).await;
        if bytes == FILE.len() {
            assert_eq!(sent(put(&upload["upload"]), FILE).await.0, 200);
            app.stack.wait_idle().await;
        }
        let import = client.get(app.url(&path)).send().await.unwrap();
        contract.check(("GET", "/imports/{id}"), import).await;
        let rejects = client
            .get(app.url(&format!("{path}/rejects")))
            .send()
            .await
            .unwrap();
        contract
            .check(("GET", "/imports/{id}/rejects"), rejects)
            .await;
        let complete = client.post(app.url(&format!("{path}/complete")));
        let tags = json!({"parts": [{"number": 1, "etag": "x"}]});
        let complete = complete.json(&tags).send().await.unwrap();
        contract
            .check(("POST", "/imports/{id}/complete"), complete)
            .await;
    }
    // Every field of an outcome: a refused file, and one that erases.
    app.import("drop/nothing/a.ndjson", FILE).await;
    let forget = r#"{"link":{"email":"jane@fake.com"}}"#;
    app.import("drop/forget/crm/a.ndjson", forget).await;
    app.import(
        "drop/customer_record/crm/a.csv",
        "link.email,unknown,first_name\na@b.co,1,Ann\na@b.co,1,Bea\n",
    )
    .await;
    let page = client.get(app.url("/imports")).send().await.unwrap();
    let page = contract.check(("GET", "/imports"), page).await;
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 6, "{page}");
    assert!(
        items[1]["erased"]["records"] == 1 && items[0]["warnings"].is_array(),
        "{page}"
    );
    let missing = client.get(app.url("/imports/x")).send().await.unwrap();
    contract.check(("GET", "/imports/{id}"), missing).await;
}
