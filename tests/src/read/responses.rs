//! Headers of responses, and routes behind a path prefix.

use serde_json::json;

use crate::support::{events::api_event, shared::SharedApp};

/// No response may be cached or read as another type, whatever its status.
#[tokio::test(flavor = "multi_thread")]
async fn forbids_caching_and_sniffing() {
    let app = SharedApp::get().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let client = reqwest::Client::new();
    let mut tag = None;
    for (path, status) in [
        (format!("/profiles/{id}"), 200),
        (format!("/profiles/{id}"), 304),
        (format!("/profiles/{id}/attributes"), 200),
        (format!("/profiles/{id}/notes"), 200),
        (format!("/profiles/{id}/export"), 200),
        (format!("/profiles/{id}/history"), 200),
        (format!("/profiles/{id}/history/x"), 404),
        ("/profiles/x".to_owned(), 404),
        (format!("/profiles/{id}?limit=1"), 400),
    ] {
        let mut request = client.get(app.url(&path));
        if let Some(tag) = tag.take() {
            request = request.header("if-none-match", tag);
        }
        let response = request.send().await.expect("a response");
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        assert_eq!(
            response.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
        tag = response
            .headers()
            .get("etag")
            .filter(|_| status == 200)
            .cloned();
    }
    let request = client
        .post(app.url("/profiles/lookup"))
        .json(&json!({"email": "jane@fake.com"}));
    let response = request.send().await.expect("a response");
    assert_eq!(response.headers()["cache-control"], "no-store");
}

/// A stage, the base path of a custom domain, and function URLs, whose paths API Gateway does not match.
#[tokio::test(flavor = "multi_thread")]
async fn ignores_path_prefix() {
    let app = SharedApp::get().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/profiles/{id}/history");
    for raw in [
        path.clone(),
        format!("/prod{path}"),
        format!("/customers/v1{path}"),
    ] {
        let mut event = api_event("GET", &path, None);
        event["rawPath"] = raw.as_str().into();
        event["requestContext"]["http"]["path"] = raw.as_str().into();
        let response = app.invoke("history", event).await.unwrap();
        assert_eq!(response["statusCode"], 200, "{raw}");
    }
    let mut event = api_event("GET", &path, None);
    event["routeKey"] = "$default".into();
    event["requestContext"]["routeKey"] = "$default".into();
    event.as_object_mut().unwrap().remove("pathParameters");
    let response = app.invoke("history", event).await.unwrap();
    assert_eq!(response["statusCode"], 200);
}
