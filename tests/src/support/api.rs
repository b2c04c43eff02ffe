//! A client of the HTTP API.

use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

/// A client of a stack's API. It belongs to one test: connections end with the runtime that opened them.
pub(crate) struct Api {
    url: String,
    pub(super) client: reqwest::Client,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: reqwest::Client::new(),
        }
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

    /// Searches profiles.
    pub(crate) async fn search(&self, body: Value) -> (StatusCode, Value) {
        self.send(self.client.post(self.url("/profiles/search")).json(&body))
            .await
    }

    /// Reads the header figures of several profiles.
    pub(crate) async fn batch(&self, body: Value) -> (StatusCode, Value) {
        self.send(self.client.post(self.url("/profiles/batch")).json(&body))
            .await
    }

    /// Looks up an email address and returns the profile, which has to exist.
    pub(crate) async fn profile(&self, email: &str) -> Value {
        let (status, profile) = self.lookup(json!({ "email": email })).await;
        assert_eq!(status, StatusCode::OK, "{profile}");
        profile
    }

    /// Returns the profile of an email address as text, without its times of reading and of files.
    pub(crate) async fn timeless_profile(&self, email: &str) -> String {
        let mut profile = self.profile(email).await;
        strip_as_of(&mut profile);
        serde_json::to_string_pretty(&profile).unwrap()
    }

    /// Returns the status and body of a lookup, without the times of reading and of files. An error is reduced to its type.
    pub(crate) async fn timeless_lookup(&self, identifier: Value) -> (u16, Value) {
        let (status, mut profile) = self.lookup(identifier).await;
        strip_as_of(&mut profile);
        if !status.is_success() {
            profile = profile["type"].take();
        }
        (status.as_u16(), profile)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.expect("the gateway responds");
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

    /// Requests a path that has to fail with `status`. Returns the last segment of the problem's type, and its field.
    pub(crate) async fn problem(&self, path: &str, status: u16) -> (String, Option<String>) {
        let (actual, problem) = self.get(path).await;
        assert_eq!(actual.as_u16(), status, "{problem}");
        problem_of(&problem)
    }
}

/// Returns the last segment of a problem's type, and its field.
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
