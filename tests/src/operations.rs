//! Imports that are reverted and repeated through the API.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use local::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::faults::Faults;

use crate::support::{
    api::problem_of,
    app::TestApp,
    faults::{FaultyApp, ONE_RANGE, ingest_timeout},
    files::{mixed_rows, sample_rows},
    table::{rows, to_json},
};

const KEY: &str = "drop/mixed/crm/file.ndjson";

/// Returns all items of customers and products, with their versions.
async fn items(app: &TestApp) -> BTreeMap<String, Value> {
    let states = ["import", "config", "erasures", "upload"];
    let rows = rows(app).await.into_iter().map(|row| {
        let text = |name: &str| row[name].as_s().unwrap().clone();
        let key = format!("{} {}", text("PK"), text("SK"));
        (key, to_json(&AttributeValue::M(row)))
    });
    rows.filter(|(key, _)| !states.iter().any(|state| key.starts_with(state)))
        .collect()
}

/// Sends a request for an operation.
async fn request_operation(
    app: &TestApp,
    import: &str,
    operation: &str,
    key: &str,
) -> (StatusCode, Value) {
    let client = reqwest::Client::new();
    let post = client.post(app.url(&format!("/imports/{import}/{operation}")));
    app.send(post.header("idempotency-key", key)).await
}

async fn get_import(app: &TestApp, id: &str) -> Value {
    let (status, import) = app.get(&format!("/imports/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{import}");
    import
}

/// Executes an operation. Returns its document after its end and that of all replays.
async fn run_operation(app: &TestApp, import: &str, operation: &str, key: &str) -> Value {
    let (status, started) = request_operation(app, import, operation, key).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{started}");
    assert_eq!(started["of"], import, "{started}");
    app.stack.wait_idle().await;
    let ended = get_import(app, started["id"].as_str().unwrap()).await;
    assert_eq!(started["created_at"], ended["created_at"]);
    ended
}

/// Returns an import as the list shows it.
async fn find_in_list(app: &TestApp, id: &Value) -> Value {
    let (_, page) = app.get("/imports").await;
    let mut items = page["items"].as_array().unwrap().iter();
    let item = items.find(|item| item["id"] == *id);
    item.unwrap_or_else(|| panic!("{id} in {page}")).clone()
}

/// Imports a file. Returns the id of the import.
async fn import(app: &TestApp, key: &str, rows: &str) -> String {
    let report = app.import(key, rows).await;
    report["import"].as_str().unwrap().to_owned()
}

/// Returns the verdicts on the rows of a revert.
fn verdicts(revert: &Value) -> [u64; 4] {
    ["deleted", "replaced_since", "not_found", "skipped_erasures"].map(|name| {
        revert[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} in {revert}"))
    })
}

fn record(name: &str) -> String {
    let link = json!({"email": "jane@example.com"});
    let row = json!({"record_type": "customer_record", "link": link, "first_name": name});
    format!("{row}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_back_and_restores_all_record_types() {
    let app = TestApp::start().await;
    let file: String = sample_rows(120)
        .iter()
        .map(|row| format!("{row}\n"))
        .collect();
    let id = import(&app, KEY, &file).await;
    let imported = items(&app).await;
    assert!(imported.len() > 100, "{}", imported.len());

    let revert = run_operation(&app, &id, "revert", "a").await;
    assert_eq!(items(&app).await, BTreeMap::new(), "{revert}");
    assert_eq!(
        (&revert["kind"], &revert["state"], &revert["rejected"]),
        (&json!("revert"), &json!("completed"), &json!(0))
    );
    let [deleted, replaced, not_found, skipped] = verdicts(&revert);
    assert_eq!((replaced, skipped), (0, 0), "{revert}");
    assert_eq!(deleted + not_found, 120, "{revert}");
    let import = get_import(&app, &id).await;
    let reverted = &import["reverted"];
    assert_eq!(
        (&reverted["by"], &reverted["import"]),
        (&json!("local-agent"), &revert["id"])
    );
    assert_eq!(find_in_list(&app, &json!(id)).await["reverted"], *reverted);
    // An operation has a time of its own.
    let created_at = revert["created_at"].as_str().unwrap();
    assert!(created_at > import["created_at"].as_str().unwrap());
    assert_eq!(
        find_in_list(&app, &revert["id"]).await["created_at"],
        created_at
    );

    let replay = run_operation(&app, &id, "replay", "b").await;
    assert_eq!(items(&app).await, imported, "{replay}");
    assert_eq!(
        (&replay["kind"], &replay["state"], &replay["written"]),
        (&json!("replay"), &json!("completed"), &json!(120))
    );
    assert_eq!(get_import(&app, &id).await["reverted"], Value::Null);
    assert_eq!(
        find_in_list(&app, &json!(id)).await["reverted"],
        Value::Null
    );
    let (_, page) = app.get("/imports").await;
    let list = page["items"].as_array().unwrap().iter();
    let list: Vec<_> = list.map(|item| (&item["kind"], &item["id"])).collect();
    let (replayed, reverted) = (&replay["id"], &revert["id"]);
    assert_eq!(
        list,
        [
            (&json!("replay"), replayed),
            (&json!("revert"), reverted),
            (&json!("import"), &json!(id))
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_older_files_and_keeps_newer_ones() {
    let app = TestApp::start().await;
    let other = import(&app, "drop/mixed/pos/o.ndjson", &record("Other")).await;
    let first = import(&app, "drop/mixed/crm/a.ndjson", &record("Ann")).await;
    let after_first = items(&app).await;
    let second = import(&app, "drop/mixed/crm/b.ndjson", &record("Bea")).await;
    let after_second = items(&app).await;
    let third = import(&app, "drop/mixed/crm/c.ndjson", &record("Cleo")).await;
    let after_third = items(&app).await;

    let revert = run_operation(&app, &second, "revert", "a").await;
    assert_eq!(verdicts(&revert), [0, 1, 0, 0], "{revert}");
    assert_eq!(revert["replays"]["items"], json!([first]), "{other}");
    assert_eq!(items(&app).await, after_third);

    // The second import is reverted, so the first one is what is left.
    let preview = run_operation(&app, &third, "revert?preview=true", "b").await;
    assert_eq!(preview["preview"], true);
    assert_eq!(items(&app).await, after_third);
    assert_eq!(get_import(&app, &third).await["reverted"], Value::Null);
    let revert = run_operation(&app, &third, "revert", "c").await;
    assert_eq!(verdicts(&revert), [1, 0, 0, 0], "{revert}");
    for name in ["deleted", "replaced_since", "not_found", "replays", "read"] {
        assert_eq!(preview[name], revert[name], "{name}");
    }
    assert_eq!(items(&app).await, after_first);

    run_operation(&app, &second, "replay", "d").await;
    assert_eq!(items(&app).await, after_second);
    run_operation(&app, &third, "replay", "e").await;
    assert_eq!(items(&app).await, after_third);
    // A replay of an older file changes nothing.
    let replay = run_operation(&app, &first, "replay", "f").await;
    assert_eq!(
        (&replay["written"], &replay["stale"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(items(&app).await, after_third);
}

/// Products have no source, so the files of other sources are replayed too.
#[tokio::test(flavor = "multi_thread")]
async fn restores_products_of_other_sources() {
    let app = TestApp::start().await;
    let product = |title: &str| json!({"sku": "s1", "title": title}).to_string();
    let first = import(&app, "drop/product/shop/a.ndjson", &product("Old")).await;
    let customers = "drop/customer_record/shop/b.ndjson";
    import(&app, customers, &record("Ann")).await;
    let before = items(&app).await;
    let second = import(&app, "drop/product/crm/c.ndjson", &product("New")).await;
    let revert = run_operation(&app, &second, "revert", "a").await;
    assert_eq!(revert["replays"], json!({"count": 1, "items": [first]}));
    assert_eq!(items(&app).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn skips_erasures() {
    let app = TestApp::start().await;
    let forget = json!({"record_type": "forget", "link": {"email": "gone@example.com"}});
    let file = format!("{}{forget}\nno row\n", record("Ann"));
    let id = import(&app, KEY, &file).await;
    let revert = run_operation(&app, &id, "revert", "a").await;
    assert_eq!(verdicts(&revert), [1, 0, 0, 1], "{revert}");
    assert_eq!(
        (&revert["read"], &revert["rejected"]),
        (&json!(3), &json!(1))
    );
    let skipped = &revert["warnings"][0];
    assert_eq!(
        (&skipped["code"], &skipped["first"]["line"]),
        (&json!("skipped_erasure"), &json!(2)),
        "{revert}"
    );
    // The markers of the erasure stay.
    let left = items(&app).await;
    assert!(left.len() > 1, "{left:?}");
    assert!(left.keys().all(|key| key.ends_with("#erased")), "{left:?}");
    let replay = run_operation(&app, &id, "replay", "b").await;
    assert_eq!(
        (
            &replay["written"],
            &replay["skipped_erasures"],
            &replay["rejected"]
        ),
        (&json!(1), &json!(1), &json!(1)),
        "{replay}"
    );
    let path = format!("/imports/{}/rejects", replay["id"].as_str().unwrap());
    let (_, rejects) = app.get(&path).await;
    assert_eq!(rejects["items"][0]["line"], 3, "{rejects}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_cannot_be_taken_back() {
    let app = TestApp::start().await;
    let id = import(&app, KEY, &record("Ann")).await;
    let unread = import(&app, "drop/purchase/crm/a.zip", "PK\u{3}\u{4}").await;
    let problem = async |import: &str, operation: &str, key: &str| {
        let (status, problem) = request_operation(&app, import, operation, key).await;
        (status.as_u16(), problem_of(&problem).0)
    };
    for operation in ["revert", "replay", "revert?preview=true"] {
        assert_eq!(
            problem(&unread, operation, "a").await,
            (409, "import-unread".to_owned()),
            "{operation}"
        );
        assert_eq!(
            problem("0123456789abcdef", operation, "a").await,
            (404, "import-not-found".to_owned())
        );
    }
    assert_eq!(problem(&id, "revert?preview=yes", "a").await.0, 400);
    assert_eq!(problem(&id, "replay?preview=true", "a").await.0, 400);
    let revert = run_operation(&app, &id, "revert", "a").await;
    // A repeated request returns the same revert.
    let (status, again) = request_operation(&app, &id, "revert", "a").await;
    assert_eq!((status.as_u16(), &again["id"]), (202, &revert["id"]));
    app.stack.wait_idle().await;
    assert_eq!(
        problem(&id, "revert", "b").await,
        (409, "import-reverted".to_owned())
    );
    let preview = run_operation(&app, &id, "revert?preview=true", "b").await;
    assert_eq!(verdicts(&preview), [0, 0, 1, 0], "{preview}");
    let (status, refused) =
        request_operation(&app, revert["id"].as_str().unwrap(), "revert", "c").await;
    assert_eq!(
        (status.as_u16(), problem_of(&refused).0.as_str()),
        (409, "import-unread")
    );
    assert_eq!(
        refused["detail"],
        "A revert cannot be reverted. Replay the import that it reverted."
    );
    // Without the file, a replay ends as failed.
    for version in app.stack.list("reports/drop/mixed/crm/file.ndjson/") {
        let version = version
            .rsplit('/')
            .next()
            .unwrap()
            .trim_end_matches(".json")
            .to_owned();
        let delete = app
            .stack
            .s3_client()
            .delete_object()
            .bucket(app.stack.bucket());
        delete.key(KEY).version_id(version).send().await.unwrap();
    }
    let replay = run_operation(&app, &id, "replay", "d").await;
    assert_eq!(
        (&replay["state"], &replay["problem"]["code"]),
        (&json!("failed"), &json!("object-gone")),
        "{replay}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_tries() {
    let app = TestApp::start().await;
    let body = json!({"file_name": "a.ndjson", "type": "mixed", "size": 10, "try": true});
    let post = reqwest::Client::new().post(app.url("/imports"));
    let (_, upload) = app
        .send(post.header("idempotency-key", "a").json(&body))
        .await;
    for operation in ["revert", "replay"] {
        let (status, problem) =
            request_operation(&app, upload["id"].as_str().unwrap(), operation, "b").await;
        assert_eq!(
            (status.as_u16(), problem_of(&problem).0.as_str()),
            (409, "import-unread")
        );
        assert_eq!(
            problem["detail"],
            "A try stores nothing. There is nothing to revert or replay."
        );
    }
}

/// A long revert takes several invocations, of which one is killed. Meanwhile no other operation may begin.
#[tokio::test(flavor = "multi_thread")]
async fn continues_after_kill() {
    let file = mixed_rows(1_500);
    let options = Options {
        timeouts: ingest_timeout(Duration::from_secs(3)),
        ..Options::default()
    };
    let setting = FaultyApp::start(1, ONE_RANGE, options).await;
    let app = &setting.app;
    let id = import(app, KEY, &file).await;
    let imported = items(app).await;
    setting.app.redrive().await;
    setting
        .dynamodb
        .set_faults(Faults::default().with_latency(Duration::from_millis(100)));
    setting
        .s3
        .set_faults(Faults::default().with_bandwidth(100_000));
    let (status, revert) = request_operation(app, &id, "revert", "a").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{revert}");
    let deletes = || {
        let counts = setting.dynamodb.counts();
        counts
            .get("BatchExecuteStatement")
            .map_or(0, |count| count.requests)
    };
    let before = deletes();
    while deletes() < before + 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (status, problem) = request_operation(app, &id, "replay", "b").await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (409, "import-running")
    );
    app.stack.kill_working("ingest");
    app.stack.wait_idle().await;
    setting.set_faults(&Faults::default());
    app.redrive().await;
    let revert = get_import(app, revert["id"].as_str().unwrap()).await;
    assert_eq!(revert["state"], "completed", "{revert}");
    assert_eq!(items(app).await, BTreeMap::new(), "{revert}");
    assert_eq!(app.stack.list("work/"), [""; 0]);
    let range = rows(app).await.into_iter().filter_map(|row| {
        let is_own = row["PK"]
            .as_s()
            .unwrap()
            .ends_with(revert["id"].as_str().unwrap());
        let hops = row.get("data")?.as_m().ok()?.get("hops")?.as_n().ok()?;
        is_own.then(|| hops.parse::<u64>().unwrap())
    });
    assert!(
        range.max() > Some(1),
        "the revert takes several invocations"
    );
    run_operation(app, &id, "replay", "c").await;
    app.redrive().await;
    assert_eq!(items(app).await, imported);
}

/// Counts requests at the wire: an item costs a read, and a deleted one also a write. The page about costs names these numbers.
#[tokio::test(flavor = "multi_thread")]
async fn costs_a_read_and_a_write_for_each_item() {
    let setting = FaultyApp::start(1, ONE_RANGE, Options::default()).await;
    let app = &setting.app;
    let file: String = (0..100)
        .map(|number| {
            let link = json!({"mobile": format!("61400{number:06}")});
            let row = json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": "1"});
            format!("{row}\n")
        })
        .collect();
    let id = import(app, "drop/email_open/crm/a.ndjson", &file).await;
    for (operation, statements) in [("revert?preview=true", 0), ("revert", 100)] {
        setting.dynamodb.reset_counts();
        let revert = run_operation(app, &id, operation, operation).await;
        assert_eq!(verdicts(&revert), [100, 0, 0, 0], "{revert}");
        let counts = setting.dynamodb.counts();
        let requests = |name: &str| counts.get(name).map_or(0, |count| count.requests);
        let sent = counts.values().map(|count| count.statements).sum::<u64>();
        assert_eq!(sent, statements, "{operation}");
        // A request reads 25 items.
        assert_eq!(requests("BatchGetItem"), 4, "{operation}");
    }
}
