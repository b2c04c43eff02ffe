//! Least privilege. In every test, the local stack rejects what a function's role does not allow, so no permission is missing.
//! These tests show that none is unused, and check writes that a policy cannot restrict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws_sdk_dynamodb::{
    config::Credentials, error::ProvideErrorMetadata as _, types::AttributeValue,
};
use local::{Options, Permission};
use serde_json::json;

use crate::support::{
    app::TestApp,
    events::s3_event,
    files::JANE,
    table::{Row, rows},
};

/// Uses every permission of the functions once. A new permission has to be used here.
async fn everything() -> TestApp {
    let small_chunks = BTreeMap::from([("CHUNK_BYTES".to_owned(), "300".to_owned())]);
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("ingest".to_owned(), small_chunks)]),
        ..Options::default()
    })
    .await;
    for (folder, rows) in JANE {
        app.import(&format!("drop/{folder}/jane.ndjson"), rows)
            .await;
    }
    // A file in ranges, whose manifests are in `work/`.
    let many: String = (0..20)
        .map(|number| {
            format!("{{\"link\":{{\"mobile\":\"555{number:04}\"}},\"first_name\":\"Ann\"}}\n")
        })
        .collect();
    app.import("drop/customer_record/crm/many.ndjson", &many)
        .await;
    // Two linked identities that are erased together.
    app.import(
        "drop/unify/crm/two.ndjson",
        r#"{"records":[{"mobile":"5550000"},{"mobile":"5550001"}]}"#,
    )
    .await;
    let report = app
        .import(
            "drop/forget/crm/one.ndjson",
            r#"{"link":{"mobile":"5550000"},"scope":"profile"}"#,
        )
        .await;
    assert_eq!(report["written"], 1, "{report}");
    // A file twice, so that items are updated, with a rejected row; and a version that does not exist.
    let file = "{\"link\":{\"email\":\"jane@fake.com\"},\"first_name\":\"Jane\"}\nno row\n";
    for _ in 0..2 {
        app.import("drop/customer_record/crm/jane.ndjson", file)
            .await;
    }
    let gone = s3_event(&app, "drop/purchase/gone.ndjson", "no-such-version", "01");
    app.stack.invoke("ingest", gone).await.expect("a verdict");
    // A mapping, and one that was deleted before it was checked.
    let put = app.stack.put("mappings/pos.json", "{}").await;
    put.expect("S3 takes it");
    app.stack.wait_idle().await;
    let deleted = s3_event(&app, "mappings/deleted.json", "no-such-version", "01");
    let check = app.stack.invoke("ingest-check", deleted).await;
    check.expect("nothing to check");
    // A file that a mapping reads, and one that is tried, of which the mapping is recognized.
    let export = "Timestamp,Email\n2026-01-01 10:00:00,jane@fake.com\n";
    for key in ["drop/mailchimp-opens/a.csv", "try/auto/a.csv"] {
        let report = app.import(key, export).await;
        assert_eq!(report["written"], 1, "{report}");
    }

    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for path in ["", "/notes", "/history"] {
        let (status, response) = app.get(&format!("/profiles/{id}{path}")).await;
        assert_eq!(status, 200, "{response}");
    }
    for query in ["order", "mobile", "customer_id"] {
        let (status, response) = app.search(json!({query: "5550107"})).await;
        assert_eq!(status, 200, "{response}");
    }
    let (status, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    assert_eq!(status, 201, "{note}");
    let path = format!(
        "/profiles/{id}/notes/{}",
        note["id"].as_str().expect("an id")
    );
    let (status, response) = app
        .edit_note(&path, Some("*"), json!({"text": "Write"}))
        .await;
    assert_eq!(status, 200, "{response}");
    let (status, response) = app.delete_note(&path, Some("*")).await;
    assert_eq!(status, 204, "{response}");
    change_profiles(&app, &id).await;
    upload_files(&app).await;
    take_back(&app).await;
    let line = app.stack.audited(|line| line["audit"] == "import.revert");
    line.await.expect("the audit log has the last request");
    app
}

/// Reverts a file that links two identities.
async fn take_back(app: &TestApp) {
    let report = app
        .import(
            "drop/unify/crm/wrong.ndjson",
            r#"{"records":[{"mobile":"5550008"},{"mobile":"5550009"}]}"#,
        )
        .await;
    let import = report["import"].as_str().expect("an id");
    let request = reqwest::Client::new()
        .post(app.url(&format!("/imports/{import}/revert")))
        .header("idempotency-key", "r");
    let (status, revert) = app.send(request).await;
    assert_eq!(status, 202, "{revert}");
    app.stack.wait_idle().await;
    let path = format!("/imports/{}", revert["id"].as_str().expect("an id"));
    let (_, revert) = app.get(&path).await;
    assert_eq!(revert["deleted"], 1, "{revert}");
}

/// Uploads a file and tries another one; reads the list, the results and the rejected rows.
async fn upload_files(app: &TestApp) {
    let client = reqwest::Client::new();
    let file = "no row\n";
    for is_try in [false, true] {
        let body = json!({"file_name": "a.ndjson", "type": "customer_record", "size": file.len(), "try": is_try});
        let request = client
            .post(app.url("/imports"))
            .header("idempotency-key", format!("u-{is_try}"));
        let (status, upload) = app.send(request.json(&body)).await;
        assert_eq!(status, 201, "{upload}");
        let put = client
            .put(upload["upload"]["url"].as_str().expect("a URL"))
            .header("if-none-match", "*");
        let put = put.body(file).send().await.expect("S3 responds");
        assert_eq!(put.status(), 200);
        app.stack.wait_idle().await;
        let path = format!("/imports/{}", upload["id"].as_str().expect("an id"));
        let (_, import) = app.get(&path).await;
        assert_eq!(import["rejected"], 1, "{import}");
        let (status, rejects) = app.get(&format!("{path}/rejects")).await;
        assert_eq!(status, 200, "{rejects}");
    }
    let (status, list) = app.get("/imports").await;
    assert_eq!(status, 200, "{list}");
}

/// The role of imports reads and writes the list and the state of imports, and nothing of customers.
#[tokio::test(flavor = "multi_thread")]
async fn imports_cannot_read_customers() {
    let app = TestApp::with_jane().await;
    let client = app.stack.dynamodb_client();
    let credentials = Credentials::new("imports", "local", None, None, "test");
    let config = client.config().to_builder();
    let config = config.credentials_provider(credentials).build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let key = |text: &str| AttributeValue::S(text.to_owned());
    for (partition, expected) in [
        ("config", None),
        ("imports#2026-11", None),
        (&id, Some("AccessDeniedException")),
        ("erased#a", Some("AccessDeniedException")),
    ] {
        let get = client
            .get_item()
            .table_name(app.stack.table())
            .key("PK", key(partition))
            .key("SK", key("config"));
        let error = get.send().await.err();
        let code = error.as_ref().and_then(|error| error.code());
        assert_eq!(code, expected, "{partition}");
    }
    for (partition, expected) in [
        ("upload#x", None),
        ("import#0a0febf994a72178", None),
        ("config", Some("AccessDeniedException")),
        ("erasures", Some("AccessDeniedException")),
        (&id, Some("AccessDeniedException")),
    ] {
        let put = client
            .put_item()
            .table_name(app.stack.table())
            .item("PK", key(partition))
            .item("SK", key("x"));
        let error = put.send().await.err();
        let code = error.as_ref().and_then(|error| error.code());
        assert_eq!(code, expected, "{partition}");
    }
}

/// Creates a profile of an erased customer, links it, and withdraws the decision.
async fn change_profiles(app: &TestApp, id: &str) {
    let forget = r#"{"link":{"email":"vera@fake.com"}}"#;
    app.import("drop/forget/crm/vera.ndjson", forget).await;
    let client = reqwest::Client::new();
    let body = json!({"identifier": {"email": "vera@fake.com"}, "reason": "Ordered again", "reinstate": true});
    let request = client
        .post(app.url("/profiles"))
        .header("idempotency-key", "p");
    let (status, response) = app.send(request.json(&body)).await;
    assert_eq!(status, 201, "{response}");
    let body = json!({"identity": response["id"], "reason": "Same order"});
    let request = client
        .post(app.url(&format!("/profiles/{id}/links")))
        .header("idempotency-key", "l");
    let (status, response) = app.send(request.json(&body)).await;
    assert_eq!(status, 201, "{response}");
    let link = response["changes"]["links"][0]["id"]
        .as_str()
        .expect("an id");
    let request = client
        .delete(app.url(&format!("/profiles/{id}/links/{link}")))
        .header("idempotency-key", "u")
        .header("if-match", "*");
    let (status, response) = app.send(request).await;
    assert_eq!(status, 200, "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_only_used_permissions() {
    let app = everything().await;
    let (allowed, used) = (app.stack.allowed(), app.stack.used());
    println!("{}", table(&allowed));
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "allowed in template.yaml and not used: take it out there, or use it in `everything`: {unused:#?}"
    );
    assert!(used.is_subset(&allowed));
    let functions: BTreeSet<_> = used
        .iter()
        .map(|permission| permission.function.as_str())
        .collect();
    assert_eq!(functions.len(), 8, "{functions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_cannot_write() {
    let app = TestApp::start().await;
    let reads = [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:Query",
    ];
    for permission in app.stack.allowed() {
        let (function, action) = (permission.function.as_str(), permission.action.as_str());
        let is_read = reads.contains(&action);
        match function {
            "profile-read" | "history" => assert!(is_read, "{permission:?}"),
            // Checks put reports.
            "ingest-check" => assert!(is_read || action.starts_with("s3:"), "{permission:?}"),
            _ => {}
        }
    }
}

/// Ingest-check has the code of ingest. Its role keeps it from importing a file.
#[tokio::test(flavor = "multi_thread")]
async fn checks_cannot_write() {
    let app = TestApp::with_jane().await;
    let before = items(&app).await;
    let client = app.stack.dynamodb_client();
    let credentials = Credentials::new("ingest-check", "local", None, None, "test");
    let config = client.config().to_builder();
    let config = config.credentials_provider(credentials).build();
    let put = aws_sdk_dynamodb::Client::from_conf(config)
        .put_item()
        .table_name(app.stack.table())
        .item("PK", AttributeValue::S("p".to_owned()))
        .item("SK", AttributeValue::S("s".to_owned()));
    let error = put.send().await.expect_err("the role does not allow it");
    let code = error.as_service_error().and_then(|error| error.code());
    assert_eq!(code, Some("AccessDeniedException"));

    let (key, row) = (
        "drop/customer_record/crm/a.ndjson",
        r#"{"link":{"email":"a@b.example"}}"#,
    );
    let version = app.stack.put(key, row).await.expect("S3 takes it");
    app.stack.wait_idle().await;
    let imported = items(&app).await;
    assert!(imported.len() > before.len());
    let event = s3_event(&app, key, &version, "01");
    let error = app.stack.invoke("ingest-check", event).await;
    let message = error.expect_err("no import").error_message;
    assert!(
        message.contains("is not authorized to perform"),
        "{message}"
    );
    assert_eq!(items(&app).await, imported);
}

/// A policy can only restrict partition keys.
#[tokio::test(flavor = "multi_thread")]
async fn note_write_writes_only_notes() {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let before = items(&app).await;
    let (status, note) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    assert_eq!(status, 201);
    let path = format!(
        "/profiles/{id}/notes/{}",
        note["id"].as_str().expect("an id")
    );
    let (status, response) = app
        .edit_note(&path, Some("*"), json!({"text": "Write"}))
        .await;
    assert_eq!(status, 200, "{response}");
    let mut after = items(&app).await;
    for (key, item) in before {
        assert_eq!(after.remove(&key), Some(item), "{key:?} has changed");
    }
    let kinds: Vec<_> = after
        .keys()
        .map(|(partition, sort)| {
            assert_eq!(*partition, id);
            sort.rsplit_once('#').expect("a kind").0
        })
        .collect();
    assert_eq!(kinds, ["agent#note", "agent#request"]);
}

/// A policy can only restrict partition keys.
#[tokio::test(flavor = "multi_thread")]
async fn profile_write_writes_only_items_of_agents() {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let before = items(&app).await;
    change_profiles(&app, &id).await;
    let mut after = items(&app).await;
    for (key, item) in before {
        // The list of sources and the count of erasures change with the file.
        if key.1 != "sources" && key.1 != "erasures" {
            assert_eq!(after.remove(&key), Some(item), "{key:?} has changed");
        }
    }
    let kinds: BTreeSet<_> = after
        .keys()
        .filter(|(partition, _)| partition.len() == 26)
        .map(|(_, sort)| sort.split('#').take(3).collect::<Vec<_>>().join("#"))
        .map(|kind| {
            kind.split_once("request")
                .map_or(kind.clone(), |(kind, _)| kind.to_owned())
        })
        .collect();
    // The marker of the erasure is from the file.
    let expected = [
        "agent#",
        "profile#marker#erased",
        "profile#marker#reinstated",
        "profile#record#agents",
    ];
    assert_eq!(kinds, expected.map(str::to_owned).into());
}

/// Returns all items of the table by key.
async fn items(app: &TestApp) -> BTreeMap<(String, String), Row> {
    let text = |row: &Row, name: &str| row[name].as_s().expect("a text").clone();
    rows(app)
        .await
        .into_iter()
        .map(|row| ((text(&row, "PK"), text(&row, "SK")), row))
        .collect()
}

/// Returns the permissions as a Markdown table.
fn table(permissions: &BTreeSet<Permission>) -> String {
    let mut text = "| function | action | resource |\n| --- | --- | --- |\n".to_owned();
    for Permission {
        function,
        action,
        resource,
    } in permissions
    {
        writeln!(text, "| {function} | `{action}` | `{resource}` |").expect("a String takes it");
    }
    text
}
