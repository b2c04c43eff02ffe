//! The requests and capacity units of imports through the API, counted between the functions and DynamoDB and S3.

use std::collections::BTreeMap;

use local::Options;
use serde_json::json;
use tests::faults::{Count, Proxy};

use super::{FILE, created, import, put, request, sent, uploaded};
use crate::support::{
    app::TestApp,
    faults::{FaultyApp, ONE_RANGE},
};

/// A stack whose function imports reaches DynamoDB and S3 through proxies that count.
async fn counting() -> (TestApp, Proxy, Proxy) {
    let (dynamodb, s3) = (Proxy::bind(0).await.unwrap(), Proxy::bind(0).await.unwrap());
    let environment = BTreeMap::from([(
        "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
        dynamodb.url().to_owned(),
    )]);
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("imports".to_owned(), environment)]),
        ..Options::default()
    })
    .await;
    dynamodb.set_upstream(app.stack.dynamodb_url());
    s3.set_upstream(app.stack.s3_url());
    // The table's facts are read once in a process, if there are any.
    app.import("drop/customer_record/crm/2026/a.ndjson", FILE)
        .await;
    assert_eq!(app.get("/imports").await.0, 200);
    dynamodb.reset_counts();
    (app, dynamodb, s3)
}

/// Returns the requests since the last call, by operation, and their capacity units.
fn taken(proxy: &Proxy) -> (BTreeMap<String, u64>, f64) {
    let counts = proxy.counts();
    proxy.reset_counts();
    let units = counts.values().map(|count: &Count| count.capacity_units);
    let units = units.sum();
    let requests = counts
        .into_iter()
        .map(|(name, count)| (name, count.requests));
    (
        requests.filter(|(_, requests)| *requests > 0).collect(),
        units,
    )
}

fn requests(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_requests() {
    let (app, dynamodb, _s3) = counting().await;
    let upload = created(&app, "k", &request()).await;
    assert_eq!(taken(&dynamodb), (requests(&[("PutItem", 2)]), 2.0));
    assert_eq!(sent(put(&upload["upload"]), FILE).await.0, 200);
    app.stack.wait_idle().await;
    import(&app, &upload).await;
    let (asked, units) = taken(&dynamodb);
    assert_eq!(asked, requests(&[("GetItem", 1), ("Query", 1)]));
    assert!(units <= 2.0, "{units}");
    for number in 0..23 {
        let mut body = request();
        body["source"] = json!(format!("s{number}"));
        uploaded(&app, &number.to_string(), &body, FILE).await;
    }
    dynamodb.reset_counts();
    let (_, page) = app.get("/imports?limit=25").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 25);
    let (asked, units) = taken(&dynamodb);
    assert_eq!(asked, requests(&[("BatchGetItem", 1), ("Query", 1)]));
    assert!(units <= 14.5, "{units}");
}

/// Beside its rows, a file takes four puts: the entry in the list, the plan, the progress and the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn counts_requests_of_file() {
    let setting = FaultyApp::start(0, ONE_RANGE, Options::default()).await;
    // The first file of a process and of a source takes more requests.
    for name in ["a", "b"] {
        setting.dynamodb.reset_counts();
        setting.s3.reset_counts();
        let key = format!("drop/customer_record/crm/{name}.ndjson");
        setting.drop(&key, FILE).await;
    }
    let puts = &setting.dynamodb.counts()["PutItem"];
    assert_eq!((puts.requests, puts.capacity_units), (4, 4.0));
    let (table, _) = taken(&setting.dynamodb);
    // The row is in the table already, so it is written with a second statement.
    let rows = [("BatchExecuteStatement", 2), ("GetItem", 2), ("PutItem", 4)];
    assert_eq!(table, requests(&rows));
    // The report, and a rejected row.
    let (bucket, _) = taken(&setting.s3);
    assert_eq!(bucket, requests(&[("GetObject", 1), ("PutObject", 2)]));
}
