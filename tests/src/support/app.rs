//! A stack to test against, and the requests that a client makes.

use local::{Options, Stack};
use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use super::files::JANE;

/// A running stack.
pub(crate) struct TestApp {
    pub(crate) stack: Stack,
    client: reqwest::Client,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let stack = Stack::start(options).await.expect("the stack starts");
        Self {
            stack,
            client: reqwest::Client::new(),
        }
    }

    /// A stack that holds Jane's files.
    pub(crate) async fn with_jane() -> Self {
        let app = Self::start().await;
        for (folder, rows) in JANE {
            app.import(&format!("drop/{folder}/jane.ndjson"), rows)
                .await;
        }
        app
    }

    /// Drops a file and awaits its report, which has to add up.
    pub(crate) async fn import(&self, key: &str, rows: &str) -> Value {
        let report = self
            .stack
            .import(key, rows.as_bytes().to_vec())
            .await
            .expect("the import ends");
        let count = |name: &str| {
            report[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name} in {report}"))
        };
        let verdicts = count("written") + count("stale") + count("rejected") + count("suppressed");
        assert_eq!(count("read"), verdicts, "{report}");
        report
    }

    /// What an object of the bucket holds.
    pub(crate) async fn object(&self, key: &str) -> String {
        let object = self
            .stack
            .get(key)
            .await
            .expect("S3 answers")
            .unwrap_or_else(|| panic!("{key} is not there"));
        String::from_utf8(object.to_vec()).expect("UTF-8")
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(self.client.get(self.url(path))).await
    }

    pub(crate) async fn lookup(&self, identifier: Value) -> (StatusCode, Value) {
        self.send(
            self.client
                .post(self.url("/profiles/lookup"))
                .json(&identifier),
        )
        .await
    }

    /// The profile of an e-mail address.
    pub(crate) async fn profile(&self, email: &str) -> Value {
        let (status, profile) = self.lookup(json!({ "email": email })).await;
        assert_eq!(status, StatusCode::OK, "{profile}");
        profile
    }

    /// A profile's document without what the time of reading and the files' own times say.
    pub(crate) async fn timeless_profile(&self, email: &str) -> String {
        let mut profile = self.profile(email).await;
        strip_as_of(&mut profile);
        serde_json::to_string_pretty(&profile).unwrap()
    }

    /// What is answered to who asks for an identifier, less what the time of reading and the files' own times say.
    pub(crate) async fn timeless_lookup(&self, identifier: Value) -> (u16, Value) {
        let (status, mut profile) = self.lookup(identifier).await;
        strip_as_of(&mut profile);
        if !status.is_success() {
            profile = profile["type"].take();
        }
        (status.as_u16(), profile)
    }

    pub(crate) async fn note(
        &self,
        id: &str,
        key: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = self
            .client
            .post(self.url(&format!("/profiles/{id}/notes")))
            .json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request).await
    }

    /// Changes a note, where `etag` is what it is read as.
    pub(crate) async fn edit_note(
        &self,
        path: &str,
        etag: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = self.client.patch(self.url(path)).json(&body);
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        self.send(request).await
    }

    /// Deletes a note; answers the status and the problem, if there is one.
    pub(crate) async fn delete_note(&self, path: &str, etag: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.client.delete(self.url(path));
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        let response = request.send().await.expect("the gateway answers");
        let (status, body) = (response.status(), response.text().await.expect("a body"));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.api_url())
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.expect("the gateway answers");
        let status = response.status();
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .expect("a content type")
            .clone();
        let expected = if status.is_success() {
            "application/json"
        } else {
            "application/problem+json"
        };
        let body = response.text().await.expect("a body");
        assert_eq!(content_type, expected, "{body}");
        (status, serde_json::from_str(&body).expect("JSON"))
    }

    /// The type's last part, and the field, of a problem with this status.
    pub(crate) async fn problem(&self, path: &str, status: u16) -> (String, Option<String>) {
        let (actual, problem) = self.get(path).await;
        assert_eq!(actual.as_u16(), status, "{problem}");
        problem_of(&problem)
    }
}

/// The type's last part, and the field.
pub(crate) fn problem_of(problem: &Value) -> (String, Option<String>) {
    assert!(
        !problem["request_id"]
            .as_str()
            .expect("a request id")
            .is_empty()
    );
    let slug = problem["type"]
        .as_str()
        .expect("a type")
        .trim_start_matches("/problems/");
    (
        slug.to_owned(),
        problem["field"].as_str().map(str::to_owned),
    )
}

fn strip_as_of(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !name.ends_with("as_of"));
            map.values_mut().for_each(strip_as_of);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_as_of),
        _ => {}
    }
}
