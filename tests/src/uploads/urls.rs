//! A presigned URL uploads one file of one size under one key, once, for 15 minutes.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use serde_json::json;

use super::{FILE, created, put, request, sent, signed_headers};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn binds_url() {
    let app = TestApp::start().await;
    let upload = created(&app, "k", &request()).await["upload"].take();
    let url = upload["url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    // No header of encryption: the bucket adds its own key, and its policy refuses others. No checksum of an empty body.
    assert_eq!(signed_headers(url), "content-length;host;if-none-match");
    assert_eq!(upload["headers"], json!({"if-none-match": "*"}));
    for name in ["server-side-encryption", "checksum"] {
        assert!(!url.to_ascii_lowercase().contains(name), "{url}");
    }
    let with_url = |url: String| {
        let mut upload = upload.clone();
        upload["url"] = url.into();
        put(&upload)
    };
    // Another key, another size, another method, no condition, another expiry.
    let refused = (403, "SignatureDoesNotMatch".to_owned());
    let other_key = url.replace("customers.ndjson", "customers2.ndjson");
    assert_eq!(sent(with_url(other_key), FILE).await, refused);
    for file in [format!("{FILE} "), FILE[1..].to_owned(), String::new()] {
        assert_eq!(sent(put(&upload), file).await, refused);
    }
    let later = url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000");
    assert_eq!(sent(with_url(later), FILE).await, refused);
    let client = reqwest::Client::new();
    assert_eq!(sent(client.put(url), FILE).await.0, 403);
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let request = client
            .request(method.clone(), url)
            .header("if-none-match", "*");
        assert_eq!(sent(request, FILE).await.0, 403, "{method}");
    }
    assert_eq!(app.stack.list("drop/"), [""; 0]);

    // A URL works once.
    assert_eq!(sent(put(&upload), FILE).await.0, 200);
    let exists = (412, "PreconditionFailed".to_owned());
    assert_eq!(sent(put(&upload), FILE).await, exists);
}

/// Without the local endpoint, a URL names the bucket's host in the region. A host without a region redirects until DNS knows a
/// new bucket, and the signature does not cover the other host. The credentials of a role have a session token.
#[tokio::test(flavor = "multi_thread")]
async fn names_regional_host() {
    for region in ["us-east-1", "eu-west-1", "cn-north-1"] {
        let environment = [
            ("AWS_ENDPOINT_URL_S3", ""),
            ("AWS_REGION", region),
            ("AWS_SESSION_TOKEN", "token"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let app = TestApp::start_with(local::Options {
            environment: [("imports".to_owned(), environment.into())].into(),
            ..local::Options::default()
        })
        .await;
        let upload = created(&app, "k", &request()).await["upload"].take();
        let url = upload["url"].as_str().unwrap();
        let ending = if region == "cn-north-1" { ".cn" } else { "" };
        let bucket = app.stack.bucket();
        let place = format!("https://{bucket}.s3.{region}.amazonaws.com{ending}/drop/");
        assert!(url.starts_with(&place), "{url}");
        assert!(url.contains("&X-Amz-Security-Token=token"), "{url}");
        assert_eq!(signed_headers(url), "content-length;host;if-none-match");
    }
}

/// The time of a signature is part of it, so a URL of 16 minutes ago is one that the client signs with that time.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_expired_url() {
    let app = TestApp::start().await;
    let ago = |minutes: u64| SystemTime::now() - Duration::from_secs(minutes * 60);
    for (minutes, expected) in [(14, 200), (16, 403)] {
        let config = PresigningConfig::builder()
            .start_time(ago(minutes))
            .expires_in(Duration::from_secs(15 * 60));
        let put = app
            .stack
            .s3_client()
            .put_object()
            .bucket(app.stack.bucket());
        let put = put.key("other/a").presigned(config.build().unwrap());
        let url = put.await.unwrap().uri().to_owned();
        let (status, code) = sent(reqwest::Client::new().put(url), "x").await;
        assert_eq!(status, expected, "{minutes} minutes: {code}");
    }
}

/// The signature of a URL is that of the function's role.
#[tokio::test(flavor = "multi_thread")]
async fn grants_what_the_role_grants() {
    let app = TestApp::start().await;
    let credentials = aws_sdk_s3::config::Credentials::from_keys("imports", "local", None);
    let client = app.stack.s3_client();
    let config = client
        .config()
        .to_builder()
        .credentials_provider(credentials);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    for (key, expected) in [
        ("drop/purchase/a", 200),
        ("mappings/a.json", 403),
        ("reports/a", 403),
    ] {
        let config = PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
        let put = client.put_object().bucket(app.stack.bucket()).key(key);
        let url = put.presigned(config).await.unwrap().uri().to_owned();
        let (status, _) = sent(reqwest::Client::new().put(url), "x").await;
        assert_eq!(status, expected, "{key}");
    }
}

/// A page of another origin can upload if the bucket allows its origin, and reads the `ETag` of a part.
#[tokio::test(flavor = "multi_thread")]
async fn allows_origins() {
    let app = TestApp::start_with(local::Options {
        parameters: [(
            "CorsOrigins".to_owned(),
            "https://desk.example.com".to_owned(),
        )]
        .into(),
        ..local::Options::default()
    })
    .await;
    let upload = created(&app, "k", &request()).await["upload"].take();
    let url = upload["url"].as_str().unwrap();
    let client = reqwest::Client::new();
    for (origin, expected) in [
        ("https://desk.example.com", true),
        (app.stack.api_url(), true),
        ("https://other.example.com", false),
    ] {
        let preflight = client
            .request(reqwest::Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "if-none-match");
        let response = preflight.send().await.unwrap();
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), expected, "{origin}");
        assert_eq!(response.status().is_success(), expected, "{origin}");
    }
    let put = put(&upload).header("origin", "https://desk.example.com");
    let response = put.body(FILE).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let exposed = &response.headers()["access-control-expose-headers"];
    assert_eq!(exposed, "ETag,x-amz-version-id");
    assert!(response.headers().contains_key("x-amz-version-id"));
}
