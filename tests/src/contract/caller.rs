//! Requests whose responses are checked against the contract.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::NOTHING;
use crate::support::{app::TestApp, contract::Contract};

/// A stack with Jane's files, and the operations that succeeded there.
pub(super) struct Caller {
    pub(super) app: TestApp,
    contract: Contract,
    client: reqwest::Client,
    succeeded: BTreeSet<(String, String)>,
}

/// A request for an operation of the contract.
pub(super) struct Request<'a> {
    method: &'a str,
    route: &'a str,
    path: String,
    headers: Vec<(&'a str, &'a str)>,
    body: Value,
}

impl<'a> Request<'a> {
    /// Creates a request without headers and body. `route` is the path in the contract.
    pub(super) fn new(method: &'a str, route: &'a str) -> Self {
        Self {
            method,
            route,
            path: route.to_owned(),
            headers: Vec::new(),
            body: Value::Null,
        }
    }

    /// Sets the path, if it differs from the route.
    pub(super) fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub(super) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the body. `null` sends none.
    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

/// A response that matches the contract.
pub(super) struct Response {
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

impl Caller {
    /// Starts a stack with Jane's files, a long message and attributes of hers.
    pub(super) async fn start() -> Self {
        let app = TestApp::with_jane().await;
        let long = json!({"link": {"email": "jane@fake.com"}, "action_at": "2026-01-01T00:00:00Z", "message_id": "m",
            "channel": "webchat", "direction": "inbound", "account": {"id": "a", "name": "Shop"},
            "author": {"name": "Jane"}, "body": "Where is it? ".repeat(1000), "attachments": [{"url": "https://fake.com/a.jpg"}]});
        let interests = json!({"link": {"email": "jane@fake.com"}, "attributes": {"interests.knit": {"value": true, "confidence": 1.5}, "sizes.top": "M"}});
        for (folder, row) in [("message/desk", long), ("attributes/crm", interests)] {
            app.import(&format!("drop/{folder}/a.ndjson"), &row.to_string())
                .await;
        }
        Self {
            app,
            contract: Contract::read(),
            client: reqwest::Client::new(),
            succeeded: BTreeSet::new(),
        }
    }

    /// Returns Jane's profile and its ID.
    pub(super) async fn jane(&self) -> (Value, String) {
        let profile = self.app.profile("jane@fake.com").await;
        let id = profile["id"].as_str().expect("an id").to_owned();
        (profile, id)
    }

    /// Sends a request. Panics if the response does not match the contract or has another status.
    pub(super) async fn call(&mut self, request: Request<'_>, status: u16) -> Response {
        let Request {
            method,
            route,
            path,
            headers,
            body,
        } = request;
        let method_of = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut builder = self.client.request(method_of, self.app.url(&path));
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if !body.is_null() {
            builder = builder.json(&body);
        }
        let response = builder.send().await.expect("a response");
        let received = response.status().as_u16();
        let etag = response.headers().get("etag");
        let etag = etag.map(|tag| tag.to_str().expect("a tag").to_owned());
        let found = self.contract.check((method, route), response).await;
        assert_eq!(received, status, "{method} {path} {body}: {found}");
        if received < 300 {
            let operation = (method.to_owned(), route.to_owned());
            self.succeeded.insert(operation);
        }
        Response { etag, body: found }
    }

    /// Requests pages of a section of a profile: with valid and invalid parameters, and of a profile that does not exist.
    pub(super) async fn call_pages(&mut self, section: &str, id: &str) {
        let route = format!("/profiles/{{id}}/{section}");
        for (id, query, status) in [
            (id, "", 200),
            (id, "?limit=1", 200),
            (id, "?limit=0", 400),
            (id, "?cursor=x", 400),
            (NOTHING, "", 404),
        ] {
            let path = format!("/profiles/{id}/{section}{query}");
            self.call(Request::new("GET", &route).path(path), status)
                .await;
        }
    }

    /// Panics if the operations that succeeded are not those of a tag of the contract.
    pub(super) fn check_complete(&self, tag: &str) {
        assert_eq!(
            self.succeeded,
            self.contract.operations_of(tag),
            "a successful request for each operation of the tag {tag}"
        );
    }
}
