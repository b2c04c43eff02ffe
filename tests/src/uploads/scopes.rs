//! Scopes of uploads. A file that erases customers or links identities needs their scopes, whatever its folder.

use std::collections::BTreeMap;

use local::Options;
use serde_json::{Value, json};

use super::{FILE, put, request, sent};
use crate::support::{app::TestApp, events::api_event};

/// Starts a stack whose functions accept no local agent, as deployed ones do.
async fn deployed() -> TestApp {
    let no_local_principal = BTreeMap::from([("AWS_SAM_LOCAL".to_owned(), String::new())]);
    TestApp::start_with(Options {
        environment: BTreeMap::from([("imports".to_owned(), no_local_principal)]),
        ..Options::default()
    })
    .await
}

/// Sends a request with these scopes. Returns the status and the body.
async fn ask(app: &TestApp, method: &str, path: &str, call: (Option<&str>, Value)) -> (u64, Value) {
    let (scopes, body) = call;
    let claims = scopes.map(|scopes| json!({"sub": "a", "scope": scopes}));
    let mut event = api_event(method, path, claims);
    let key = format!("{}-{body}", scopes.unwrap_or_default()).replace([' ', '"'], "-");
    let key: String = key
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    event["headers"]["idempotency-key"] = key.into();
    if !body.is_null() {
        event["body"] = body.to_string().into();
    }
    let response = app.stack.invoke("imports", event).await.unwrap();
    let body = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    (response["statusCode"].as_u64().unwrap(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_every_principal() {
    let app = deployed().await;
    let (_, upload) = ask(&app, "POST", "/imports", (Some("imports:write"), request())).await;
    let id = upload["id"].as_str().unwrap();
    assert_eq!(sent(put(&upload["upload"]), FILE).await.0, 200);
    app.stack.wait_idle().await;
    let parts = json!({"numbers": [1]});
    let tags = json!({"parts": [{"number": 1, "etag": "x"}]});
    let (read, write) = ("imports:read", "imports:write");
    for (method, path, body, scopes, expected) in [
        ("GET", "/imports".to_owned(), Value::Null, read, 200),
        ("GET", format!("/imports/{id}"), Value::Null, read, 200),
        (
            "GET",
            format!("/imports/{id}/rejects"),
            Value::Null,
            "imports:read pii:read",
            200,
        ),
        ("POST", "/imports".to_owned(), request(), write, 201),
        ("POST", format!("/imports/{id}/parts"), parts, write, 409),
        ("POST", format!("/imports/{id}/complete"), tags, write, 409),
        (
            "POST",
            "/imports/0a0febf994a72178/replay".to_owned(),
            Value::Null,
            write,
            404,
        ),
        (
            "POST",
            format!("/imports/{id}/revert"),
            Value::Null,
            write,
            202,
        ),
    ] {
        let (status, _) = ask(&app, method, &path, (None, body.clone())).await;
        assert_eq!(status, 401, "{method} {path}");
        let all = "profiles:read notes:write notes:admin pii:read profiles:write links:write erasures:write imports:read imports:write";
        for lacking in scopes.split(' ') {
            let others: Vec<_> = all.split(' ').filter(|scope| *scope != lacking).collect();
            let others = others.join(" ");
            let (status, _) = ask(&app, method, &path, (Some(&others), body.clone())).await;
            assert_eq!(status, 403, "{method} {path} without {lacking}");
        }
        let (status, response) = ask(&app, method, &path, (Some(scopes), body)).await;
        assert_eq!(status, expected, "{method} {path}: {response}");
        assert!(
            scopes.contains("pii") || !response.to_string().contains("jane"),
            "{response}"
        );
    }
    // The samples of a tried file contain personal data.
    let mut body = request();
    body["try"] = true.into();
    let (_, upload) = ask(&app, "POST", "/imports", (Some(write), body)).await;
    assert_eq!(sent(put(&upload["upload"]), FILE).await.0, 200);
    app.stack.wait_idle().await;
    let path = format!("/imports/{}", upload["id"].as_str().unwrap());
    let (_, tried) = ask(&app, "GET", &path, (Some(read), Value::Null)).await;
    assert_eq!(
        (&tried["state"], tried.get("trial")),
        (&json!("completed"), None)
    );
    assert!(!tried.to_string().contains("Jane") && !tried.to_string().contains("jane@"));
    let (_, tried) = ask(
        &app,
        "GET",
        &path,
        (Some("imports:read pii:read"), Value::Null),
    )
    .await;
    assert!(tried["trial"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_need_the_scopes_of_their_rows() {
    let app = deployed().await;
    let write = "imports:write";
    for (folder, needed) in [
        ("forget", &["erasures:write"][..]),
        ("unify", &["links:write"]),
        ("mixed", &["erasures:write", "links:write"]),
    ] {
        let mut body = request();
        body["type"] = folder.into();
        for lacking in needed {
            let others = needed.iter().filter(|scope| *scope != lacking).copied();
            let scopes: Vec<_> = others.chain([write]).collect();
            let call = (Some(scopes.join(" ")), body.clone());
            let (status, problem) =
                ask(&app, "POST", "/imports", (call.0.as_deref(), call.1)).await;
            assert_eq!(status, 403, "{folder} without {lacking}: {problem}");
        }
        let all = [needed, &[write]].concat().join(" ");
        let (status, response) = ask(&app, "POST", "/imports", (Some(&all), body)).await;
        assert_eq!(status, 201, "{folder}: {response}");
    }
}

/// A mapping may link identities. Only ingest knows, so it rejects these rows.
#[tokio::test(flavor = "multi_thread")]
async fn mapped_rows_need_the_scopes_of_their_types() {
    let app = deployed().await;
    let mapping = json!({
        "mapping": 1, "source": "pos",
        "records": [{"type": "unify", "record": {"records": [{"email": "Email"}, {"mobile": "Phone"}]}}],
    });
    let put_mapping = app.stack.put("mappings/links.json", mapping.to_string());
    put_mapping.await.unwrap();
    app.stack.wait_idle().await;
    let file = "Email,Phone\njane@fake.com,+61400000001\n";
    for (folder, is_try) in [("links", false), ("links", true)] {
        let body =
            json!({"file_name": "links.csv", "type": folder, "size": file.len(), "try": is_try});
        for (scopes, expected) in [
            ("imports:write", (0, 1)),
            ("imports:write erasures:write", (0, 1)),
            ("imports:write links:write", (1, 0)),
        ] {
            let call = (Some(scopes), body.clone());
            let (status, upload) = ask(&app, "POST", "/imports", call).await;
            assert_eq!(status, 201, "{upload}");
            assert_eq!(sent(put(&upload["upload"]), file).await.0, 200);
            app.stack.wait_idle().await;
            let path = format!("/imports/{}", upload["id"].as_str().unwrap());
            let (_, import) = ask(&app, "GET", &path, (Some("imports:read"), Value::Null)).await;
            let counts = (import["written"].as_u64(), import["rejected"].as_u64());
            assert_eq!(
                counts,
                (Some(expected.0), Some(expected.1)),
                "{folder}, {scopes}: {import}"
            );
            if expected.1 > 0 {
                assert_eq!(import["reasons"][0]["code"], "not_permitted", "{import}");
            }
        }
    }
}
