//! Converts a request to an event of payload format 2.0.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use data_encoding::BASE64;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::routes::{RouteMatch, form_decoded};
use crate::template::ACCOUNT;

/// Decodes a path as API Gateway does before routing. A path that is not valid UTF-8 after decoding stays as it is.
pub(super) fn decoded_path(path: &str) -> String {
    percent_decode_str(path)
        .decode_utf8()
        .map_or_else(|_| path.to_owned(), std::borrow::Cow::into_owned)
}

/// A request that matches a route.
pub(super) struct Routed<'a> {
    pub(super) parts: &'a Parts,
    /// The path, see [`decoded_path`].
    pub(super) path: &'a str,
    pub(super) matched: &'a RouteMatch<'a>,
    pub(super) body: &'a [u8],
    pub(super) peer: SocketAddr,
    pub(super) request_id: &'a str,
}

/// Returns the event for the function of a request's route.
pub(super) fn event(request: &Routed<'_>) -> Value {
    let Routed {
        parts,
        matched,
        body,
        ..
    } = *request;
    let route_key = match matched.route.path.as_str() {
        "$default" => "$default".to_owned(),
        path => format!("{} {path}", matched.route.method),
    };
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": query,
        "headers": headers(&parts.headers),
        "requestContext": context(request, &route_key),
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = Value::from(cookies);
    }
    let parameters = query_parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = Value::Object(parameters);
    }
    if !matched.parameters.is_empty() {
        event["pathParameters"] = Value::Object(joined(matched.parameters.iter().cloned()));
    }
    if !body.is_empty() {
        let (body, is_base64) = body_of(
            body,
            text_of(&parts.headers, header::CONTENT_TYPE).as_deref(),
        );
        event["body"] = body;
        event["isBase64Encoded"] = is_base64;
    }
    event
}

/// Returns the `requestContext` of an event.
fn context(request: &Routed<'_>, route_key: &str) -> Value {
    let parts = request.parts;
    let domain = text_of(&parts.headers, header::HOST).unwrap_or_else(|| "localhost".to_owned());
    let now = Timestamp::now();
    json!({
        "accountId": ACCOUNT,
        "apiId": "local",
        "domainName": domain,
        "domainPrefix": domain.split(['.', ':']).next().unwrap_or_default(),
        "http": {
            "method": parts.method.as_str(),
            "path": request.path,
            "protocol": format!("{:?}", parts.version),
            "sourceIp": request.peer.ip().to_string(),
            "userAgent": text_of(&parts.headers, header::USER_AGENT).unwrap_or_default(),
        },
        "requestId": request.request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": now.as_millisecond(),
    })
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Returns the body, and whether it is encoded as Base64.
fn body_of(body: &[u8], content_type: Option<&str>) -> (Value, Value) {
    match std::str::from_utf8(body)
        .ok()
        .filter(|_| is_text(content_type))
    {
        Some(text) => (Value::from(text), Value::Bool(false)),
        None => (Value::from(BASE64.encode(body)), Value::Bool(true)),
    }
}

/// Returns the query parameters, decoded.
fn query_parameters(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    joined(pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decoded(name), form_decoded(value))
    }))
}

/// Joins the values of each name with commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name)
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert(value);
    }
    all.into_iter()
        .map(|(name, value)| (name, Value::String(value)))
        .collect()
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let others = headers.iter().filter(|(name, _)| *name != header::COOKIE);
    joined(others.map(|(name, value)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    }))
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|c| !c.is_empty())
        .collect()
}

/// Returns whether a body of this type is passed as a string. Other bodies are encoded as Base64.
fn is_text(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else {
        return true;
    };
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || [
            "application/json",
            "application/javascript",
            "application/xml",
            "application/x-www-form-urlencoded",
        ]
        .contains(&kind.as_str())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::template::Route;

    fn made(request: Request<()>, body: &[u8]) -> Value {
        let route = Route {
            method: "ANY".into(),
            path: "/profiles/{id}/notes".into(),
        };
        let parameters = vec![("id".to_owned(), "a b".to_owned())];
        let matched = RouteMatch {
            route: &route,
            function: "F",
            parameters,
        };
        let (parts, ()) = request.into_parts();
        let path = decoded_path(parts.uri.path());
        event(&Routed {
            parts: &parts,
            path: &path,
            matched: &matched,
            body,
            peer: "10.1.2.3:9".parse().unwrap(),
            request_id: "r-1",
        })
    }

    #[test]
    fn a_request_becomes_an_event_of_format_2() {
        let request = Request::post("/profiles/a%20b/notes?x=1&x=2+3&y=%C3%BC&flag")
            .header("Host", "api.example:3000")
            .header("X-Many", "1")
            .header("x-many", "2")
            .header("Cookie", "a=1; b=2")
            .header("User-Agent", "test")
            .header("Content-Type", "application/json; charset=utf-8");
        let event = made(request.body(()).unwrap(), b"{}");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "ANY /profiles/{id}/notes");
        assert_eq!(event["rawPath"], "/profiles/a b/notes");
        assert_eq!(event["rawQueryString"], "x=1&x=2+3&y=%C3%BC&flag");
        assert_eq!(
            event["queryStringParameters"],
            json!({ "x": "1,2 3", "y": "ü", "flag": "" })
        );
        assert_eq!(event["pathParameters"], json!({ "id": "a b" }));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x-many"], "1,2");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("{}"), &json!(false))
        );
        let context = &event["requestContext"];
        let http = json!({ "method": "POST", "path": "/profiles/a b/notes", "protocol": "HTTP/1.1",
            "sourceIp": "10.1.2.3", "userAgent": "test" });
        assert_eq!(context["http"], http);
        assert_eq!(
            (&context["stage"], &context["requestId"]),
            (&json!("$default"), &json!("r-1"))
        );
        assert_eq!(
            context["time"].as_str().unwrap().len(),
            "12/Mar/2020:19:03:58 +0000".len()
        );
    }

    #[test]
    fn what_is_not_there_is_left_out_and_what_is_no_text_is_base64() {
        let event = made(Request::get("/profiles/x/notes").body(()).unwrap(), b"");
        for name in ["body", "cookies", "queryStringParameters"] {
            assert_eq!(event.get(name), None, "{name}");
        }
        let binary = Request::post("/profiles/x/notes")
            .header("content-type", "image/png")
            .body(())
            .unwrap();
        let event = made(binary, b"\xff\x00");
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!("/wA="), &json!(true))
        );
        let broken = Request::post("/profiles/x/notes")
            .header("content-type", "application/json")
            .body(())
            .unwrap();
        assert_eq!(made(broken, b"\xff")["isBase64Encoded"], json!(true));
    }
}
