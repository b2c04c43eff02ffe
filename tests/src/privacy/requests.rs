//! Requests of principals with chosen scopes.

use serde_json::{Map, Value, json};

use crate::support::{app::TestApp, events::api_event};

pub(super) const SCOPES: [&str; 4] = ["profiles:read", "notes:write", "notes:admin", "pii:read"];

/// A request to a function.
pub(super) struct Request {
    pub(super) function: &'static str,
    pub(super) event: Value,
}

pub(super) fn request(function: &'static str, method: &str, path: &str, scope: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut event = api_event(
        method,
        path,
        Some(json!({"sub": "agent-7", "scope": scope})),
    );
    event["rawQueryString"] = query.into();
    let parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.to_owned(), Value::from(value)));
    event["queryStringParameters"] = parameters.collect::<Map<_, _>>().into();
    Request { function, event }
}

pub(super) async fn respond(app: &TestApp, request: Request) -> Value {
    app.stack
        .invoke(request.function, request.event)
        .await
        .expect("a response")
}

/// Follows the pages of a listing. Returns the paths of all pages, including the first.
pub(super) async fn pages(app: &TestApp, function: &'static str, path: &str) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    loop {
        let last = paths.last().expect("a path");
        let response = respond(app, request(function, "GET", last, &SCOPES.join(" "))).await;
        let body = response["body"].as_str().expect("a body");
        let end = body.lines().last().expect("a line");
        let page: Value = serde_json::from_str(end).expect("JSON");
        match page["next"].as_str() {
            Some(next) => paths.push(format!("{path}&cursor={next}")),
            None => return paths,
        }
        assert!(paths.len() < 200);
    }
}
