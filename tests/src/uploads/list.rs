//! The list of imports: its order, its pages, and imports that are under way or have failed.

use std::{collections::BTreeMap, time::Duration};

use local::Options;
use serde_json::{Value, json};
use tests::faults::Faults;

use super::{FILE, created, import, request, uploaded};
use crate::support::{
    app::TestApp,
    events::s3_event,
    faults::{FaultyApp, ONE_RANGE, ingest_timeout},
};

async fn page(app: &TestApp, query: &str) -> (Vec<Value>, Option<String>) {
    let (status, page) = app.get(&format!("/imports{query}")).await;
    assert_eq!(status, 200, "{page}");
    let next = page["next"].as_str().map(str::to_owned);
    (page["items"].as_array().unwrap().clone(), next)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_newest_first() {
    let app = TestApp::start().await;
    assert_eq!(page(&app, "").await, (Vec::new(), None));
    let dropped = app
        .import("drop/customer_record/crm/2026/a.ndjson", FILE)
        .await;
    let first = uploaded(&app, "1", &request(), FILE).await;
    let refused = app.import("drop/nothing/b.ndjson", FILE).await;
    app.import("drop/customer_record/crm/empty.ndjson", "")
        .await;
    let gone = s3_event(&app, "drop/purchase/gone.ndjson", "no-such-version", "01");
    // The event is dated in the first month of the list.
    app.stack.invoke("ingest", gone).await.unwrap();
    let waiting = created(&app, "2", &request()).await;

    let (items, next) = page(&app, "").await;
    assert_eq!(next, None);
    let facts: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["state"].as_str().unwrap(),
                item["file_name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("awaiting_upload", "customers.ndjson"),
            ("completed", "empty.ndjson"),
            ("rejected", "b.ndjson"),
            ("completed", "customers.ndjson"),
            ("completed", "a.ndjson"),
            ("failed", "gone.ndjson"),
        ]
    );
    assert!(items.iter().is_sorted_by_key(|item| {
        let at: jiff::Timestamp = item["created_at"].as_str().unwrap().parse().unwrap();
        std::cmp::Reverse(at)
    }));
    assert_eq!(items[0]["id"], waiting["id"]);
    assert_eq!(items[1]["warnings"][0]["code"], "empty_file");
    assert_eq!(items[2]["id"], refused["import"]);
    assert_eq!(items[2]["problem"]["code"], "unknown-record-type");
    assert_eq!(items[3], first);
    assert_eq!(
        (&items[4]["id"], &items[4]["source"]),
        (&dropped["import"], &json!("crm"))
    );
    assert_eq!(items[4]["written"], 1);
    // One by one, from the list and by their ids.
    let mut query = "?limit=1".to_owned();
    for item in &items {
        let (one, next) = page(&app, &query).await;
        assert_eq!(one, std::slice::from_ref(item));
        let mut alone = import(&app, item).await;
        alone["created_by"] = item["created_by"].clone();
        for name in [
            "id",
            "state",
            "key",
            "type",
            "created_at",
            "written",
            "problem",
        ] {
            assert_eq!(alone[name], item[name], "{name}");
        }
        query = format!("?limit=1&cursor={}", next.unwrap_or_default());
    }
    for query in ["?limit=0", "?limit=101", "?cursor=x", "?other=1"] {
        app.problem(&format!("/imports{query}"), 400).await;
    }
}

/// Returns rows of about 500 KB.
fn many_rows() -> String {
    let row =
        |number| format!("{{\"link\":{{\"mobile\":\"555{number:05}\"}},\"first_name\":\"Ann\"}}\n");
    (0..10_000).map(row).collect()
}

/// Reads the first import of the list until `is_wanted` returns `true`. Returns the numbers of rows that its progress showed.
async fn watch(app: &TestApp, is_wanted: impl Fn(&Value) -> bool) -> (Vec<u64>, Value) {
    let mut seen = vec![0];
    let watch = async {
        loop {
            let (items, _) = page(app, "").await;
            let import = items.first().cloned().unwrap_or_default();
            let rows = import["progress"]["rows"].as_u64().unwrap_or_default();
            if seen.last() != Some(&rows) {
                seen.push(rows);
            }
            if is_wanted(&import) {
                return import;
            }
            // The API has no notification.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let import = tokio::time::timeout(Duration::from_secs(120), watch).await;
    let import = import.expect("the import gets there");
    (seen, import)
}

/// Progress is saved at the end of each invocation.
#[tokio::test(flavor = "multi_thread")]
async fn shows_progress_across_invocations() {
    let options = Options {
        timeouts: ingest_timeout(Duration::from_secs(3)),
        ..Options::default()
    };
    let setting = FaultyApp::start(1, ONE_RANGE, options).await;
    let slow = Faults::default().with_bandwidth(100_000);
    setting.s3.set_faults(slow);
    let app = &setting.app;
    let put = app
        .stack
        .put("drop/customer_record/crm/a.ndjson", many_rows());
    put.await.unwrap();
    let (seen, import) = watch(app, |import| import["state"] == "completed").await;
    assert!(seen.is_sorted() && seen.len() > 3, "{seen:?}");
    assert_eq!(seen.last(), Some(&10_000));
    assert_eq!(import["written"], 10_000);
    let progress = &import["progress"];
    assert_eq!(progress["bytes"], progress["total_bytes"]);
    app.stack.wait_idle().await;
}

/// A running invocation reports its progress every 5 seconds, before it saves any.
#[tokio::test(flavor = "multi_thread")]
async fn shows_progress_within_an_invocation() {
    let setting = FaultyApp::start(1, ONE_RANGE, Options::default()).await;
    let slow = Faults::default().with_bandwidth(50_000);
    setting.s3.set_faults(slow);
    let app = &setting.app;
    let put = app
        .stack
        .put("drop/customer_record/crm/a.ndjson", many_rows());
    put.await.unwrap();
    let is_under_way = |import: &Value| import["progress"]["rows"].as_u64() > Some(0);
    let (_, import) = watch(app, is_under_way).await;
    assert_eq!(import["state"], "running", "{import}");
    let progress = &import["progress"];
    let (bytes, total) = (progress["bytes"].as_u64(), progress["total_bytes"].as_u64());
    assert!(bytes > Some(0) && bytes < total, "{progress}");
    let (_, import) = watch(app, |import| import["state"] == "completed").await;
    assert_eq!(import["written"], 10_000);
    app.stack.wait_idle().await;
}

/// `failed` is derived: no attempt is left, and the last one is long over.
#[tokio::test(flavor = "multi_thread")]
async fn derives_failure() {
    let app = TestApp::start_with(Options {
        timeouts: ingest_timeout(Duration::from_secs(1)),
        ..Options::default()
    })
    .await;
    // An invocation reserves a second for its end. With a shorter timeout it never processes a row.
    let put = app
        .stack
        .put("drop/customer_record/crm/a.ndjson", FILE)
        .await;
    put.unwrap();
    app.stack.wait_idle().await;
    assert_eq!(app.stack.list("failed/").len(), 1);
    let (items, _) = page(&app, "").await;
    assert_eq!(items[0]["state"], "running", "{items:?}");
    let id = items[0]["id"].as_str().unwrap();
    let update = app.stack.dynamodb_client().update_item();
    let update = update
        .table_name(app.stack.table())
        .key("PK", text(&format!("import#{id}")))
        .key("SK", text("range#0"))
        .update_expression("SET attempted_at = attempted_at - :seconds")
        .expression_attribute_values(
            ":seconds",
            aws_sdk_dynamodb::types::AttributeValue::N("1000".to_owned()),
        );
    update.send().await.unwrap();
    assert_eq!(page(&app, "").await.0[0]["state"], "failed");
    assert_eq!(import(&app, &items[0]).await["state"], "failed");
}

fn text(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}

/// Without a limit for files, imports are listed without end; else as long as their file is kept.
#[tokio::test(flavor = "multi_thread")]
async fn keeps_state_as_long_as_the_file() {
    for (days, expected) in [("0", None), ("1", Some(30)), ("90", Some(99))] {
        let variables = [("RAW_FILE_DAYS".to_owned(), days.to_owned())];
        let environment = ["ingest", "imports"]
            .map(|function| (function.to_owned(), BTreeMap::from(variables.clone())));
        let app = TestApp::start_with(Options {
            environment: environment.into(),
            ..Options::default()
        })
        .await;
        uploaded(&app, "k", &request(), FILE).await;
        app.import("drop/customer_record/crm/a.ndjson", FILE).await;
        let rows = crate::support::table::rows(&app).await;
        let mut found = 0;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        for row in rows {
            let partition = row["PK"].as_s().unwrap();
            if !partition.starts_with("import") {
                continue;
            }
            found += 1;
            let end = row
                .get("expires_at")
                .map(|end| end.as_n().unwrap().parse::<u64>().unwrap());
            let left = end.map(|end| (end - now).div_ceil(86_400));
            assert_eq!(left, expected, "{row:?}");
        }
        assert_eq!(found, 8, "two entries, plans, ranges and outcomes");
    }
}
