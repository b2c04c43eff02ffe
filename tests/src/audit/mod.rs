//! The audit log: one line for each request, with the same request id as in the metrics and the other log lines.

mod delivery;
mod imports;
mod queries;
mod requests;
mod writes;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{app::TestApp, events::api_event};

/// The address in the events of tests.
const ADDRESS: &str = "192.0.2.1";
const ALL: &str = "profiles:read notes:write notes:admin pii:read profiles:write links:write erasures:write imports:read imports:write";
/// The fields that every line of a principal has.
const COMMON: [&str; 8] = [
    "audit",
    "outcome",
    "status",
    "request_id",
    "source_ip",
    "principal",
    "scopes",
    "pii",
];

/// A stack whose functions accept no local agent, as deployed ones do, and the requests that were sent to it.
struct Audited {
    app: TestApp,
    sent: usize,
}

/// A request to a function.
struct Request {
    function: &'static str,
    method: &'static str,
    path: String,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    fn new(function: &'static str, method: &'static str, path: impl Into<String>) -> Self {
        Self {
            function,
            method,
            path: path.into(),
            body: Value::Null,
            headers: Vec::new(),
        }
    }

    fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Audited {
    async fn start() -> Self {
        let app = TestApp::deployed(BTreeMap::new()).await;
        Self { app, sent: 0 }
    }

    /// Sends a request as the principal `vera`. Returns its audit line and the body of the response.
    async fn send(&mut self, request: &Request, scopes: &str) -> (Value, Value) {
        let claims = json!({"sub": "vera", "scope": format!("{scopes} other")});
        self.send_as(request, Some(claims)).await
    }

    async fn send_as(&mut self, request: &Request, claims: Option<Value>) -> (Value, Value) {
        self.sent += 1;
        let id = format!("request-{}", self.sent);
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut event = api_event(request.method, path, claims);
        event["requestContext"]["requestId"] = json!(id);
        event["rawQueryString"] = json!(query);
        if let Some((name, value)) = query.split_once('=') {
            event["queryStringParameters"] = json!({name: value});
        }
        for (name, value) in &request.headers {
            event["headers"][name] = json!(value);
        }
        if !request.body.is_null() {
            event["body"] = json!(request.body.to_string());
        }
        let response = self.app.stack.invoke(request.function, event).await;
        let response = response.expect("the function responds");
        let line = self
            .app
            .stack
            .audited(|line| line["request_id"] == *id)
            .await;
        let line = line.expect("an audit line");
        assert_eq!(line["status"], response["statusCode"], "{line}");
        let body = response["body"].as_str().unwrap_or_default();
        (line, serde_json::from_str(body).unwrap_or_default())
    }

    /// Checks that each request has left exactly one line.
    fn check_once(&self) {
        let lines = self.app.stack.audit_log();
        for number in 1..=self.sent {
            let id = json!(format!("request-{number}"));
            let own = lines.iter().filter(|line| line["request_id"] == id);
            assert_eq!(own.count(), 1, "{id}");
        }
    }
}

/// Checks the common fields of a line, and that it has no others than these and `others`.
fn check(line: &Value, action: &str, outcome: &str, others: Value) {
    assert_eq!(line["audit"], action, "{line}");
    assert_eq!(line["outcome"], outcome, "{line}");
    assert_eq!(line["source_ip"], ADDRESS, "{line}");
    let mut found = line.as_object().expect("an object").clone();
    for name in COMMON {
        assert!(found.remove(name).is_some(), "{name} in {line}");
    }
    if outcome == "not_found" {
        assert_eq!(found.remove("misses"), Some(json!(1)), "{line}");
    }
    assert_eq!(Value::Object(found), others, "{line}");
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}
