//! The write units of exports that built-in mappings read: new, and dropped again unchanged.

use std::collections::BTreeMap;

use local::Options;
use serde_json::Value;
use tests::{exports::SAMPLES, faults::Proxy};

use crate::{other_systems::sample, support::app::TestApp};

/// The price of a million write units, in US dollars.
const DOLLARS: f64 = 0.625;
const PAGE: &str = include_str!("../../infra/docs/guides/cost.md");

/// Starts a stack whose ingest reaches DynamoDB through a counting proxy.
async fn counted() -> (TestApp, Proxy) {
    let proxy = Proxy::bind(1).await.unwrap();
    let url = proxy.url().to_owned();
    let variables = BTreeMap::from([("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url)]);
    let app = TestApp::start_with(Options {
        environment: [("ingest".to_owned(), variables)].into(),
        ..Options::default()
    })
    .await;
    proxy.set_upstream(app.stack.dynamodb_url());
    (app, proxy)
}

/// Imports a file. Returns its report, the write units, and the number of statements. Links are transactions, not statements.
async fn units(app: &TestApp, proxy: &Proxy, key: &str, body: &str) -> (Value, f64, u64) {
    proxy.reset_counts();
    let report = app.import(key, body).await;
    let counts = proxy.counts();
    let statements = counts.values().map(|count| count.statements).sum();
    let units = report["capacity_units"].as_f64().expect("units");
    assert_eq!(report["read"], report["written"], "{key}: {report}");
    (report, units, statements)
}

/// Prints the write units of the sample of each built-in mapping, and compares them with the table in `infra/docs/guides/cost.md`.
#[tokio::test(flavor = "multi_thread")]
async fn measures_write_units_of_exports() {
    let (app, proxy) = counted().await;
    let mut missing = Vec::new();
    for (name, mapping) in SAMPLES {
        let file = name.rsplit('/').next().unwrap_or(name);
        // A source for each mapping, because records of one source replace one another. Mappings may read the name of the file.
        let import = async |folder: &str| {
            let key = format!("drop/{mapping}/{mapping}/{folder}/{file}");
            units(&app, &proxy, &key, &sample(name)).await
        };
        let (report, new, items) = import("new").await;
        let (_, again, statements) = import("again").await;
        // An INSERT of each item fails before its UPDATE. DynamoDB bills a unit for it, which the local table does not report.
        let again = again + (statements - items) as f64;
        let rows = report["rows"]["read"].as_f64().expect("rows");
        let records = report["read"].as_f64().expect("records");
        let cell = |units: f64| format!("{:.1} ({:.1})", units / rows, units / records);
        let dollars = |units: f64| format!("{:.2}", units / rows * DOLLARS);
        let line = format!(
            "| `{mapping}` | {rows}, {records} | {} | {} | {} | {} |",
            cell(new),
            cell(again),
            dollars(new),
            dollars(again)
        );
        println!("{line}");
        if !PAGE.contains(&line) {
            missing.push(line);
        }
    }
    assert!(
        missing.is_empty(),
        "infra/docs/guides/cost.md does not say:\n{}",
        missing.join("\n")
    );
}
