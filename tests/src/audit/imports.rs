//! The lines of imports and of erasures.

use serde_json::{Value, json};

use super::{ALL, Audited, Request, check, text};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn records_imports() {
    let mut audited = Audited::start().await;
    let file = r#"{"link":{"email":"canary@fake.com"},"first_name":"Canary"}"#;
    let create = |key: &str, body: Value| {
        Request::new("imports", "POST", "/imports")
            .header("idempotency-key", key)
            .body(body)
    };
    let body = json!({"file_name": "canary.ndjson", "type": "customer_record", "source": "crm", "size": file.len()});
    let (line, upload) = audited.send(&create("a", body.clone()), ALL).await;
    let id = text(&upload, "id").to_owned();
    let expected = json!({"import": id, "import_type": "customer_record"});
    check(&line, "import.create", "ok", expected);
    let (line, _) = audited.send(&create("a", body), ALL).await;
    let expected = json!({"import": id, "import_type": "customer_record", "mode": "repeated"});
    check(&line, "import.create", "ok", expected);
    let forget = json!({"file_name": "canary.ndjson", "type": "forget", "size": 1});
    let (line, _) = audited.send(&create("b", forget), "imports:write").await;
    check(
        &line,
        "import.create",
        "refused",
        json!({"import_type": "forget"}),
    );
    let large = json!({"file_name": "canary.csv", "type": "purchase", "size": 200_000_000});
    let (line, large) = audited.send(&create("c", large), ALL).await;
    let large = text(&large, "id").to_owned();
    check(
        &line,
        "import.create",
        "ok",
        json!({"import": large, "import_type": "purchase"}),
    );
    let attempt = json!({"file_name": "canary.csv", "type": "purchase", "size": 1, "try": true});
    let (line, attempt) = audited.send(&create("d", attempt), ALL).await;
    let expected = json!({"import": attempt["id"], "import_type": "purchase", "mode": "try"});
    check(&line, "import.create", "ok", expected);
    let mapped = json!({"file_name": "canary.csv", "type": "canary-5550100", "size": 1});
    let (line, mapped) = audited.send(&create("e", mapped), ALL).await;
    let expected = json!({"import": mapped["id"]});
    check(&line, "import.create", "ok", expected);

    // The line of ingest names the upload, and who put the object.
    let put = crate::uploads::put(&upload["upload"]).body(file);
    assert_eq!(put.send().await.expect("S3 responds").status(), 200);
    let line = audited
        .app
        .stack
        .audited(|line| line["audit"] == "import")
        .await;
    let line = line.expect("an audit line");
    let import = text(&line, "import").to_owned();
    let expected = json!({
        "audit": "import", "outcome": "ok", "import": import, "import_type": "customer_record", "upload": id,
        "principal": "AWS:LOCAL", "source_ip": "127.0.0.1", "request_id": line["request_id"]
    });
    assert_eq!(line, expected);
    assert!(!text(&line, "request_id").is_empty());
    audited.app.stack.wait_idle().await;

    let parts = json!({"numbers": [1]});
    let tags = json!({"parts": [{"number": 1, "etag": "x"}, {"number": 2, "etag": "x"}, {"number": 3, "etag": "x"}]});
    let operate = |what: &str| {
        Request::new("imports", "POST", format!("/imports/{id}/{what}"))
            .header("idempotency-key", "o")
    };
    let get = |rest: &str| Request::new("imports", "GET", format!("/imports/{id}{rest}"));
    let both = format!("{id} {import}");
    for (request, action, outcome, others) in [
        (
            Request::new("imports", "GET", "/imports"),
            "imports.read",
            "ok",
            json!({}),
        ),
        (get(""), "import.read", "ok", json!({"import": id})),
        (
            get("/rejects"),
            "import.rejects",
            "ok",
            json!({"import": id}),
        ),
        (
            Request::new("imports", "POST", format!("/imports/{large}/parts")).body(parts),
            "import.parts",
            "ok",
            json!({"import": large, "import_type": "purchase"}),
        ),
        (
            Request::new("imports", "POST", format!("/imports/{large}/complete")).body(tags),
            "import.complete",
            "invalid",
            json!({"import": large, "import_type": "purchase"}),
        ),
        (
            get("/unknown"),
            "unknown",
            "not_found",
            json!({"import": id}),
        ),
    ] {
        let (line, response) = audited.send(&request, ALL).await;
        assert_eq!(line["outcome"], outcome, "{response}");
        check(&line, action, outcome, others);
    }
    for (what, mode) in [
        ("replay", None),
        ("revert?preview=true", Some("preview")),
        ("revert", None),
    ] {
        let (line, operation) = audited.send(&operate(what), ALL).await;
        let mut expected =
            json!({"import": both, "import_type": "customer_record", "operation": operation["id"]});
        if let Some(mode) = mode {
            expected["mode"] = json!(mode);
        }
        let action = format!("import.{}", what.split('?').next().unwrap());
        check(&line, &action, "ok", expected);
        audited.app.stack.wait_idle().await;
    }
    assert_without_canary(&audited.app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_erasures() {
    let app = TestApp::start().await;
    app.import(
        "drop/customer_record/crm/a.ndjson",
        r#"{"link":{"email":"canary@fake.com"}}"#,
    )
    .await;
    let id = app.profile("canary@fake.com").await["id"].clone();
    let report = app
        .import(
            "drop/forget/crm/canary.ndjson",
            r#"{"link":{"email":"canary@fake.com"}}"#,
        )
        .await;
    let line = app.stack.audited(|line| line["audit"] == "erasure").await;
    let line = line.expect("an audit line");
    // The MD5 form of the address is erased too.
    let ids: Vec<_> = text(&line, "profiles").split(' ').collect();
    assert!(
        ids.len() == 2 && ids.contains(&id.as_str().unwrap()),
        "{line}"
    );
    let expected = json!({
        "audit": "erasure", "outcome": "ok", "import": report["import"], "profiles": line["profiles"]
    });
    assert_eq!(line, expected);
    let is_drop = |line: &Value| line["audit"] == "import" && line["import"] == report["import"];
    let line = app.stack.audited(is_drop).await.expect("an audit line");
    assert_eq!(
        (&line["principal"], &line["source_ip"], &line["import_type"]),
        (&json!("AWS:LOCAL"), &json!("127.0.0.1"), &json!("forget"))
    );
    let reinstate = r#"{"link":{"email":"canary@fake.com"},"reinstate":true}"#;
    let report = app.import("drop/forget/crm/b.ndjson", reinstate).await;
    let line = app
        .stack
        .audited(|line| line["audit"] == "reinstatement")
        .await;
    let line = line.expect("an audit line");
    assert_eq!(line["import"], report["import"]);
    assert!(
        text(&line, "profiles").contains(id.as_str().unwrap()),
        "{line}"
    );
    let refused = app.import("drop/canary/a.ndjson", "{}").await;
    let is_refused = |line: &Value| line["import"] == refused["import"];
    let line = app.stack.audited(is_refused).await.expect("an audit line");
    assert_eq!(
        (&line["outcome"], &line["import_type"]),
        (&json!("invalid"), &Value::Null)
    );
    assert_without_canary(&app).await;
}

/// Checks that no log line contains what only customers' data and names of files contain.
async fn assert_without_canary(app: &TestApp) {
    app.stack.wait_idle().await;
    for line in app.stack.logs() {
        assert!(!line.to_lowercase().contains("canary"), "{line}");
    }
}
