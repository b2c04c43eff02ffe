//! A stack of a test's own.

use std::{collections::BTreeMap, ops::Deref};

use bytes::Bytes;
use local::{Options, Stack};
use reqwest::StatusCode;
use serde_json::Value;

use super::{api::Api, files::JANE};

/// The functions that the API invokes.
pub(crate) const HTTP_FUNCTIONS: [&str; 5] = [
    "profile-read",
    "history",
    "note-write",
    "profile-write",
    "imports",
];

/// A running stack and a client of its API.
pub(crate) struct TestApp {
    pub(crate) stack: Stack,
    api: Api,
}

impl Deref for TestApp {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let stack = Stack::start(options).await.expect("the stack starts");
        let api = Api::new(stack.api_url());
        Self { stack, api }
    }

    /// Starts a stack with `parameters` whose functions accept no local agent, as deployed ones do.
    pub(crate) async fn deployed(parameters: BTreeMap<String, String>) -> Self {
        let no_agent = BTreeMap::from([("AWS_SAM_LOCAL".to_owned(), String::new())]);
        let environment = HTTP_FUNCTIONS.map(|function| (function.to_owned(), no_agent.clone()));
        Self::start_with(Options {
            environment: environment.into(),
            parameters,
            ..Options::default()
        })
        .await
    }

    /// Starts a stack that contains Jane's files.
    pub(crate) async fn with_jane() -> Self {
        let app = Self::start().await;
        for (folder, rows) in JANE {
            app.import(&format!("drop/{folder}/jane.ndjson"), rows)
                .await;
        }
        app
    }

    /// Drops a file and returns its report, whose counts have to add up.
    pub(crate) async fn import(&self, key: &str, rows: &str) -> Value {
        let report = self.stack.import(key, rows.as_bytes().to_vec()).await;
        checked(report.expect("the import ends"))
    }

    /// Returns the content of an object.
    pub(crate) async fn object(&self, key: &str) -> String {
        text(key, self.stack.get(key).await.expect("S3 responds"))
    }

    /// Returns the content of an object as JSON.
    pub(crate) async fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.object(key).await).expect("JSON")
    }

    /// Invokes ingest with dead-lettered events, as an operator does, until none fails. Returns their number.
    pub(crate) async fn redrive(&self) -> usize {
        let mut sent = Vec::new();
        loop {
            let failed = self.stack.list("failed/");
            let failed: Vec<_> = failed
                .into_iter()
                .filter(|key| !sent.contains(key))
                .collect();
            if failed.is_empty() {
                return sent.len();
            }
            for key in failed {
                let event = self.json(&key).await["requestPayload"].clone();
                let mut tries = 0;
                while let Err(error) = self.stack.invoke("ingest", event.clone()).await {
                    tries += 1;
                    // On a busy machine, an invocation can exceed its short timeout.
                    assert!(tries < 20, "the fault has passed, but: {error}");
                }
                sent.push(key);
            }
            self.stack.wait_idle().await;
        }
    }

    pub(crate) async fn note(
        &self,
        id: &str,
        key: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = self
            .api
            .client
            .post(self.url(&format!("/profiles/{id}/notes")))
            .json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request).await
    }

    /// Changes a note; `etag` is the value of `If-Match`.
    pub(crate) async fn edit_note(
        &self,
        path: &str,
        etag: Option<&str>,
        body: Value,
    ) -> (StatusCode, Value) {
        let mut request = self.api.client.patch(self.url(path)).json(&body);
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        self.send(request).await
    }

    /// Deletes a note. Returns the status, and the problem if there is one.
    pub(crate) async fn delete_note(&self, path: &str, etag: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.api.client.delete(self.url(path));
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        let response = request.send().await.expect("the gateway responds");
        let (status, body) = (response.status(), response.text().await.expect("a body"));
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }
}

/// Returns a report after checking that its counts add up.
pub(super) fn checked(report: Value) -> Value {
    let count = |name: &str| {
        report[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {report}"))
    };
    let outcomes = count("written") + count("stale") + count("rejected") + count("suppressed");
    assert_eq!(count("read"), outcomes, "{report}");
    report
}

/// Returns an object's content as text.
pub(super) fn text(key: &str, object: Option<Bytes>) -> String {
    let object = object.unwrap_or_else(|| panic!("{key} does not exist"));
    String::from_utf8(object.to_vec()).expect("UTF-8")
}
