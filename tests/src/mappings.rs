//! Mappings of teams: each one that is put under `mappings/` is checked, and gets a report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use local::{Delivery, ImportEvent, Options};
use serde_json::{Value, json};
use tests::faults::{Moment, Proxy, Trap};

use crate::support::app::TestApp;

/// A mapping without a fault.
fn valid() -> Value {
    json!({
        "mapping": 1, "source": "pos",
        "records": [{"type": "unify", "record": {"records": [{"email": "Email"}, {"mobile": "Phone"}]}}]
    })
}

/// Puts an object under `mappings/` and returns its version and its report.
async fn put(app: &TestApp, name: &str, body: &str) -> (String, Value) {
    let key = format!("mappings/{name}");
    let version = app.stack.put(&key, body.as_bytes().to_vec()).await;
    app.stack.wait_idle().await;
    let report = app.json(&format!("reports/{key}")).await;
    (version.expect("S3 takes it"), report)
}

/// Returns a report without the fields that differ each time.
fn without_time(mut report: Value) -> Value {
    let at = report["checked_at"].as_str().expect("a time").to_owned();
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    report.as_object_mut().expect("fields").remove("checked_at");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_on_valid_mappings() {
    let app = TestApp::start().await;
    let mut imports = app.stack.imports();
    let (version, report) = put(&app, "pos.json", &valid().to_string()).await;
    let event = imports.event().await.expect("an event").expect("no error");
    let key = "mappings/pos.json".to_owned();
    let checked = ImportEvent::MappingChecked {
        key,
        report: report.clone(),
    };
    assert_eq!(event, checked);
    let expected = json!({
        "mapping": "pos", "version_id": version, "status": "valid", "source": "pos",
        "overrides_builtin": false, "errors": [], "warnings": []
    });
    assert_eq!(without_time(report), expected);

    // Without a source, and with a field that no record type has.
    let mut mapping = valid();
    mapping.as_object_mut().expect("keys").remove("source");
    mapping["records"][0]["record"]["shelf_color"] = json!("Color");
    let (version, report) = put(&app, "shopify-orders.json", &mapping.to_string()).await;
    let warnings = report["warnings"].as_array().expect("a list").clone();
    assert_eq!(warnings.len(), 1, "{report}");
    assert_eq!(warnings[0]["place"], "records[0].record.shelf_color");
    let expected = json!({
        "mapping": "shopify-orders", "version_id": version, "status": "valid",
        "overrides_builtin": true, "errors": [], "warnings": warnings
    });
    assert_eq!(without_time(report), expected);
    assert_eq!(app.stack.list("failed/"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_errors_with_their_places() {
    let app = TestApp::start().await;
    let mut mapping = valid();
    mapping["records"][0]["record"]["records"] =
        json!([{"email": {"from": "Email", "trim": true}}]);
    mapping["recognizes"] = json!({"columns": ["Email"]});
    let (version, report) = put(&app, "pos.json", &mapping.to_string()).await;
    let errors = report["errors"].as_array().expect("a list").clone();
    let places: Vec<_> = errors.iter().map(|error| &error["place"]).collect();
    assert!(places.contains(&&json!("recognizes")), "{report}");
    assert!(
        places.contains(&&json!("records[0].record.records[0].email.trim")),
        "{report}"
    );
    let expected = json!({
        "mapping": "pos", "version_id": version, "status": "invalid",
        "overrides_builtin": false, "errors": errors, "warnings": []
    });
    assert_eq!(without_time(report), expected);

    let problem = |report: &Value| report["errors"][0]["problem"].as_str().map(str::to_owned);
    let large = format!("{}{}", valid(), " ".repeat(200_000));
    let (_, report) = put(&app, "large.json", &large).await;
    assert_eq!(
        problem(&report).as_deref(),
        Some("has more than 65,536 bytes, the limit. Shorten it.")
    );
    let (_, report) = put(&app, "empty.json", "").await;
    assert!(
        problem(&report).is_some_and(|text| text.starts_with("is not valid JSON")),
        "{report}"
    );
    // Too many errors to list.
    let keys: serde_json::Map<_, _> = (0..250).map(|n| (format!("k{n}"), json!(n))).collect();
    let (_, report) = put(&app, "many.json", &Value::Object(keys).to_string()).await;
    let errors = report["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 101);
    let last = errors[100]["problem"].as_str().expect("a text");
    assert!(
        last.starts_with("has 15") && last.ends_with(" more errors."),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_wrong_names() {
    let app = TestApp::start().await;
    let body = valid().to_string();
    for (key, problem) in [
        ("auto.json", "has a reserved name"),
        ("purchase.json", "has the name of a record type"),
        ("Jane Doe.json", "has an invalid name"),
        ("pos.yaml", "has a key without the extension .json"),
        ("shop/pos.json", "is in a folder"),
    ] {
        let (version, report) = put(&app, key, &body).await;
        assert_eq!(report["mapping"], key);
        assert_eq!(report["version_id"], version);
        assert_eq!(report["status"], "invalid");
        assert_eq!(report["errors"][0]["place"], "");
        let text = report["errors"][0]["problem"].as_str().expect("a text");
        assert!(text.starts_with(problem), "{key}: {text}");
    }
    let longest = format!("mappings/{}.json", "x".repeat(1_010));
    app.stack
        .put(&longest, body.clone())
        .await
        .expect("S3 takes it");
    app.stack.wait_idle().await;
    let before = app.stack.list("reports/");
    assert_eq!(before.len(), 6, "{before:?}");
    for (hidden, content) in [
        ("_pos.json", body.as_str()),
        (".pos.json", &*body),
        ("old/", ""),
        (".git/pos.json", &*body),
    ] {
        let key = format!("mappings/{hidden}");
        app.stack
            .put(&key, content.to_owned())
            .await
            .expect("S3 takes it");
    }
    app.stack.wait_idle().await;
    assert_eq!(app.stack.list("reports/"), before);
    assert_eq!(app.stack.list("failed/"), [""; 0]);
    // A wrong name may contain personal data.
    assert!(!app.stack.logs().iter().any(|line| line.contains("Jane")));
}

/// Events arrive repeatedly and in any order, and two invocations run concurrently. The report is that of the newest version.
#[tokio::test(flavor = "multi_thread")]
async fn reports_on_the_newest_version() {
    let app = TestApp::start_with(Options {
        delivery: Delivery {
            duplicates: 1,
            scatter: Duration::from_millis(300),
        },
        ..Options::default()
    })
    .await;
    let mut newest = String::new();
    for number in 0..20 {
        let mut mapping = valid();
        mapping["source"] = json!(format!("pos{number}"));
        let put = app
            .stack
            .put("mappings/pos.json", mapping.to_string())
            .await;
        newest = put.expect("S3 takes it");
    }
    app.stack.wait_idle().await;
    let report = app.json("reports/mappings/pos.json").await;
    assert_eq!(report["version_id"], newest);
    assert_eq!(report["source"], "pos19");
    assert_eq!(app.stack.list("failed/"), [""; 0]);
}

/// An invocation that puts the report on an older version late replaces it with that on the newest.
#[tokio::test(flavor = "multi_thread")]
async fn corrects_a_late_report() {
    let s3 = Proxy::bind(1).await.unwrap();
    let environment = BTreeMap::from([("AWS_ENDPOINT_URL_S3".to_owned(), s3.url().to_owned())]);
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("ingest-check".to_owned(), environment)]),
        ..Options::default()
    })
    .await;
    s3.set_upstream(app.stack.s3_url());
    // The first put of a report gets no response. The client repeats it after its timeout of 10 s.
    let trap = Arc::new(Trap::new(1, Moment::Before));
    s3.set_trap(Some(Arc::clone(&trap)));
    let put = app.stack.put("mappings/pos.json", "{}").await;
    put.expect("S3 takes it");
    trap.sprung().await;
    assert_eq!(trap.operations(), ["GetObject", "PutObject"]);
    trap.open();
    let put = app.stack.put("mappings/pos.json", valid().to_string());
    let newest = put.await.expect("S3 takes it");
    app.stack.wait_idle().await;
    let report = app.json("reports/mappings/pos.json").await;
    assert_eq!(report["version_id"], newest);
    let puts = trap.operations();
    let puts = puts.iter().filter(|operation| *operation == "PutObject");
    // The caught one, that of the second invocation, the repeated one, and the correction.
    assert_eq!(puts.count(), 4);
}

/// One line per check, for the dashboard.
#[tokio::test(flavor = "multi_thread")]
async fn measures_checks() {
    let app = TestApp::start().await;
    put(&app, "pos.json", &valid().to_string()).await;
    put(&app, "shop.json", "{}").await;
    put(&app, "Pos.json", "{}").await;
    // The lines may follow the report.
    app.stack.wait_idle().await;
    let logs = app.stack.logs();
    let lines = logs
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines: Vec<Value> = lines
        .filter(|line: &Value| line["MappingsChecked"].is_number())
        .collect();
    assert_eq!(lines.len(), 3);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["FunctionName"], "IngestCheckFunction");
            (&line["mapping"], line["MappingsInvalid"].as_f64())
        })
        .collect();
    assert_eq!(
        told,
        [
            (&json!("pos"), Some(0.0)),
            (&json!("shop"), Some(1.0)),
            (&Value::Null, Some(1.0))
        ]
    );
}
