//! Events of API Gateway and S3, as the functions receive them.

use serde_json::{Value, json};

use super::app::TestApp;

/// Returns an event of the HTTP API, as API Gateway sends it after the authorizer.
pub(crate) fn api_event(method: &str, path: &str, claims: Option<Value>) -> Value {
    let (route, parameters) = matched(path);
    let key = format!("{method} {route}");
    let mut event = json!({
        "version": "2.0", "routeKey": key, "pathParameters": parameters, "rawPath": path, "rawQueryString": "",
        "headers": {"host": "api.example.com", "content-type": "application/json"},
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "api.example.com", "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "requestId": "r-1", "routeKey": key, "stage": "$default",
            "time": "31/Oct/2026:00:00:00 +0000", "timeEpoch": 1_793_404_800_000_i64
        },
        "isBase64Encoded": false
    });
    if let Some(claims) = claims {
        event["requestContext"]["authorizer"] = json!({"jwt": {"claims": claims, "scopes": null}});
    }
    event
}

/// Returns the template's route that matches a path, and the path parameters.
fn matched(path: &str) -> (String, Value) {
    let (mut route, mut parameters) = (String::new(), json!({}));
    for (at, segment) in path.split('/').enumerate().skip(1) {
        let name = match (at, path.split('/').nth(3)) {
            (2, _) if !["lookup", "search", "batch"].contains(&segment) => "id",
            (4, Some("notes")) => "noteId",
            (4, Some("history")) => "eventId",
            (4, Some("links")) => "linkId",
            (4, Some("identities")) => "identityId",
            _ => {
                route += &format!("/{segment}");
                continue;
            }
        };
        route += &format!("/{{{name}}}");
        parameters[name] = segment.into();
    }
    (route, parameters)
}

/// Returns the event of a put, as S3 sends it.
pub(crate) fn s3_event(app: &TestApp, key: &str, version_id: &str, sequencer: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-10-31T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "local"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"}, "responseElements": {},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "ingest",
            "bucket": {"name": app.stack.bucket(), "ownerIdentity": {"principalId": "local"}, "arn": "arn:aws:s3:::b"},
            "object": {"key": key, "size": 1, "eTag": "e", "versionId": version_id, "sequencer": sequencer}
        }
    }]})
}
