//! Events as API Gateway sends them for custom domains, base paths and stages, with repeated headers and Base64 bodies, and in both
//! payload formats. The events follow the examples of the API Gateway documentation.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::{app::HTTP_FUNCTIONS, events::api_event, shared::SharedApp};

/// Where an API is reached: the domain, the stage, and what precedes the path of the route.
const PLACES: [(&str, &str, &str); 5] = [
    ("api.execute-api.us-east-1.amazonaws.com", "$default", ""),
    ("api.execute-api.us-east-1.amazonaws.com", "prod", "/prod"),
    ("customers.example.com", "$default", "/v1"),
    ("customers.example.com", "$default", "/customers/v1"),
    // A stage that is named like a part of the route.
    ("customers.example.com", "profiles", "/profiles"),
];

/// Moves an event to another place.
fn moved(mut event: Value, (domain, stage, prefix): (&str, &str, &str)) -> Value {
    let path = format!("{prefix}{}", event["rawPath"].as_str().expect("a path"));
    event["rawPath"] = path.as_str().into();
    event["headers"]["host"] = domain.into();
    let context = &mut event["requestContext"];
    context["http"]["path"] = path.into();
    context["domainName"] = domain.into();
    context["domainPrefix"] = domain.split('.').next().into();
    context["stage"] = stage.into();
    event
}

/// Invokes a function. Returns the status and the body, without the time of the request and without cursors.
async fn invoke(app: &SharedApp, function: &str, event: Value) -> (u64, Value) {
    let response = app.invoke(function, event).await.expect("a response");
    let status = response["statusCode"].as_u64().expect("a status");
    let text = response["body"].as_str().expect("a body");
    let mut body = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    if let Value::Object(fields) = &mut body {
        fields.retain(|name, _| name != "as_of");
    }
    (status, body)
}

async fn jane(app: &SharedApp) -> String {
    let profile = app.profile("jane@fake.com").await;
    profile["id"].as_str().expect("an id").to_owned()
}

/// Every kind of route has the same response at every place.
#[tokio::test(flavor = "multi_thread")]
async fn routes_do_not_depend_on_the_place() {
    let app = SharedApp::get().await;
    let id = jane(&app).await;
    let (_, page) = app.get(&format!("/profiles/{id}/history")).await;
    let event = page["items"][0]["id"].as_str().expect("an event");
    let email = json!({"email": "jane@fake.com"}).to_string();
    let identifier = json!({"identifier": {"mobile": "+61 491 570 110"}}).to_string();
    for (function, method, path, body, status) in [
        ("profile-read", "GET", format!("/profiles/{id}"), "", 200),
        (
            "profile-read",
            "POST",
            "/profiles/lookup".to_owned(),
            &*email,
            200,
        ),
        (
            "profile-read",
            "POST",
            "/profiles/search".to_owned(),
            &*email,
            200,
        ),
        (
            "profile-read",
            "GET",
            format!("/profiles/{id}/links"),
            "",
            200,
        ),
        (
            "profile-read",
            "GET",
            format!("/profiles/{id}/attributes"),
            "",
            200,
        ),
        (
            "profile-read",
            "GET",
            format!("/profiles/{id}/notes/{id}.x"),
            "",
            404,
        ),
        ("history", "GET", format!("/profiles/{id}/history"), "", 200),
        (
            "history",
            "GET",
            format!("/profiles/{id}/history/{event}"),
            "",
            200,
        ),
        (
            "note-write",
            "POST",
            format!("/profiles/{id}/notes"),
            "{}",
            400,
        ),
        (
            "note-write",
            "PATCH",
            format!("/profiles/{id}/notes/{id}.x"),
            "{}",
            400,
        ),
        (
            "profile-write",
            "POST",
            "/profiles".to_owned(),
            &*identifier,
            400,
        ),
        (
            "profile-write",
            "DELETE",
            format!("/profiles/{id}/links/x"),
            "",
            404,
        ),
        // Not the list of imports: it changes while other tests import files.
        ("imports", "POST", "/imports".to_owned(), "{}", 400),
        ("imports", "GET", format!("/imports/{id}"), "", 404),
    ] {
        let mut sent = api_event(method, &path, None);
        if !body.is_empty() {
            sent["body"] = body.into();
        }
        let expected = invoke(&app, function, moved(sent.clone(), PLACES[0])).await;
        assert_eq!(expected.0, status, "{method} {path}: {}", expected.1);
        for place in &PLACES[1..] {
            let found = invoke(&app, function, moved(sent.clone(), *place)).await;
            assert_eq!(found, expected, "{method} {path} at {place:?}");
        }
    }
}

/// Format 2.0 joins repeated headers with commas.
#[tokio::test(flavor = "multi_thread")]
async fn reads_joined_headers() {
    let app = SharedApp::get().await;
    let id = jane(&app).await;
    let with = |headers: Value| {
        let mut event = api_event("GET", &format!("/profiles/{id}"), None);
        for (name, value) in headers.as_object().expect("headers") {
            event["headers"][name] = value.clone();
        }
        event["cookies"] = json!(["a=1", "b=2"]);
        event
    };
    let plain = app.invoke("profile-read", with(json!({}))).await;
    let plain = plain.expect("a response");
    let tag = plain["headers"]["etag"].as_str().expect("an ETag");
    assert_eq!(plain["isBase64Encoded"], false);
    for (headers, status, encoding) in [
        (
            json!({"if-none-match": format!("\"a,b\",{tag}")}),
            304,
            None,
        ),
        (
            json!({"if-none-match": format!("\"a\", W/{tag},\"b\"")}),
            304,
            None,
        ),
        (json!({"if-none-match": "\"a\",\"b\""}), 200, None),
        (
            json!({"accept-encoding": "br,gzip;q=0.5"}),
            200,
            Some("gzip"),
        ),
        (json!({"accept-encoding": "br,gzip;q=0"}), 200, None),
    ] {
        let response = app.invoke("profile-read", with(headers.clone())).await;
        let response = response.expect("a response");
        assert_eq!(response["statusCode"], status, "{headers}");
        assert_eq!(
            response["headers"]["content-encoding"].as_str(),
            encoding,
            "{headers}"
        );
        assert_eq!(response["isBase64Encoded"], encoding.is_some(), "{headers}");
    }
}

/// Format 2.0 joins repeated parameters with commas in `queryStringParameters`. The raw query string keeps them apart.
#[tokio::test(flavor = "multi_thread")]
async fn reads_the_raw_query() {
    let app = SharedApp::get().await;
    let id = jane(&app).await;
    for (raw, parameters, status) in [
        (
            "type=email_open%2Cpurchase",
            json!({"type": "email_open,purchase"}),
            200,
        ),
        (
            "type=email_open&type=purchase",
            json!({"type": "email_open,purchase"}),
            200,
        ),
        ("limit=1&limit=2", json!({"limit": "1,2"}), 400),
        ("limit=1&_=1&_=2", json!({"limit": "1", "_": "1,2"}), 200),
    ] {
        let mut event = api_event("GET", &format!("/profiles/{id}/history"), None);
        event["rawQueryString"] = raw.into();
        event["queryStringParameters"] = parameters;
        let (found, body) = invoke(&app, "history", event).await;
        assert_eq!(found, status, "{raw}: {body}");
    }
}

/// API Gateway encodes bodies whose content type is not text.
#[tokio::test(flavor = "multi_thread")]
async fn reads_base64_bodies() {
    let app = SharedApp::get().await;
    let with = |body: &str, is_base64: bool| {
        let mut event = api_event("POST", "/profiles/lookup", None);
        event["body"] = body.into();
        event["isBase64Encoded"] = is_base64.into();
        event
    };
    let body = json!({"email": "jane@fake.com"}).to_string();
    let plain = invoke(&app, "profile-read", with(&body, false)).await;
    assert_eq!(plain.0, 200, "{}", plain.1);
    let encoded = BASE64.encode(body.as_bytes());
    assert_eq!(
        invoke(&app, "profile-read", with(&encoded, true)).await,
        plain
    );

    // The encoded text itself is not JSON, and neither is a byte that is not UTF-8.
    for (body, is_base64) in [
        (encoded, false),
        (BASE64.encode(b"{\"email\":\"\xff\"}"), true),
    ] {
        let (status, problem) = invoke(&app, "profile-read", with(&body, is_base64)).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["type"], "/problems/invalid-body");
    }
}

/// Returns an event of payload format 1.0, which REST APIs send too, at a place.
fn format_1(id: &str, scopes: &str, (domain, stage, prefix): (&str, &str, &str)) -> Value {
    let path = format!("{prefix}/profiles/{id}");
    json!({
        "version": "1.0", "resource": "/profiles/{id}", "path": path, "httpMethod": "GET",
        "headers": {"host": domain, "accept-encoding": "gzip"},
        "multiValueHeaders": {"host": [domain], "accept-encoding": ["br", "gzip"]},
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": {"id": id}, "stageVariables": null, "body": null, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": domain, "domainPrefix": "api",
            "authorizer": {"claims": {"sub": "agent", "scope": scopes}, "scopes": null},
            "extendedRequestId": "x", "httpMethod": "GET", "path": path, "protocol": "HTTP/1.1", "requestId": "r-1",
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"}, "requestTime": "31/Oct/2026:00:00:00 +0000",
            "requestTimeEpoch": 1_793_404_800_000_i64, "resourceId": "GET /profiles/{id}",
            "resourcePath": "/profiles/{id}", "stage": stage
        }
    })
}

/// The template uses format 2.0. An integration of format 1.0 is refused at every place, whatever its claims say. The function
/// still accepts the next event. The runbook quotes the error.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_payload_format_1() {
    let app = SharedApp::get().await;
    let id = jane(&app).await;
    let scopes = "profiles:read pii:read notes:write links:write profiles:write imports:read";
    let mut events: Vec<_> = PLACES
        .iter()
        .map(|place| format_1(&id, scopes, *place))
        .collect();
    let mut with_body = events[0].clone();
    with_body["httpMethod"] = "POST".into();
    with_body["body"] = BASE64.encode(b"{}").into();
    with_body["isBase64Encoded"] = true.into();
    events.push(with_body);
    for function in HTTP_FUNCTIONS {
        for event in &events {
            let error = app.invoke(function, event.clone()).await;
            let error = error.expect_err("not an event of format 2.0");
            let message = error.error_message;
            assert!(
                message.contains("this function expects a JSON payload from Amazon API Gateway"),
                "{function}: {message}"
            );
        }
    }
    let event = api_event("GET", &format!("/profiles/{id}"), None);
    assert_eq!(invoke(&app, "profile-read", event).await.0, 200);
}
