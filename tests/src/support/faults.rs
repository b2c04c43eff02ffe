//! A stack whose ingest reaches DynamoDB and S3 through proxies that inject faults, and the result of an import.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use local::{Options, Stack};
use serde_json::Value;
use tests::faults::{Faults, Proxy};

use super::{
    app::TestApp,
    table::{rows, to_json},
};

pub(crate) const KEY: &str = "drop/mixed/crm/file.ndjson";

/// Larger than any file of the tests, so that a file is one range.
pub(crate) const ONE_RANGE: u64 = 1 << 40;

/// Returns the timeout of ingest as an option of a stack.
pub(crate) fn ingest_timeout(timeout: Duration) -> BTreeMap<String, Duration> {
    BTreeMap::from([("ingest".to_owned(), timeout)])
}

/// The result of an import.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// All items of customers. Of their versions, only the offset of the row is kept: the rest depends on the time and the id of
    /// the drop.
    pub(crate) table: BTreeMap<String, Value>,
    pub(crate) status: Value,
    /// read, written, stale, rejected, suppressed, truncated.
    pub(crate) counts: Vec<Value>,
    /// Ordered by offset, without line numbers, which ranges do not know.
    pub(crate) rejects: Vec<Value>,
}

/// A stack whose ingest reaches DynamoDB and S3 through one proxy each.
pub(crate) struct FaultyApp {
    pub(crate) app: TestApp,
    pub(crate) dynamodb: Proxy,
    pub(crate) s3: Proxy,
}

impl FaultyApp {
    pub(crate) async fn start(seed: u64, chunk_bytes: u64, options: Options) -> Self {
        let (dynamodb, s3) = (
            Proxy::bind(seed).await.unwrap(),
            Proxy::bind(seed).await.unwrap(),
        );
        let environment = [
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url().to_owned()),
            ("AWS_ENDPOINT_URL_S3", s3.url().to_owned()),
            ("CHUNK_BYTES", chunk_bytes.to_string()),
        ];
        let mut environment: BTreeMap<_, _> = environment
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        environment.extend(
            options
                .environment
                .get("ingest")
                .cloned()
                .unwrap_or_default(),
        );
        let app = TestApp::start_with(Options {
            environment: BTreeMap::from([("ingest".to_owned(), environment)]),
            ..options
        })
        .await;
        dynamodb.set_upstream(app.stack.dynamodb_url());
        s3.set_upstream(app.stack.s3_url());
        Self { app, dynamodb, s3 }
    }

    /// Sets the same faults for both proxies.
    pub(crate) fn set_faults(&self, faults: &Faults) {
        self.dynamodb.set_faults(faults.clone());
        self.s3.set_faults(faults.clone());
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.app.stack
    }

    /// Drops a file and waits until no event is left. Returns the version id.
    pub(crate) async fn drop(&self, key: &str, file: &str) -> String {
        let version_id = self.stack().put(key, file.to_owned()).await.unwrap();
        self.stack().wait_idle().await;
        version_id
    }

    pub(crate) async fn report(&self, key: &str, version_id: &str) -> Value {
        self.app
            .json(&format!("reports/{key}/{version_id}.json"))
            .await
    }

    /// Returns the result of a version's import. Fails if a manifest is left.
    pub(crate) async fn outcome(&self, key: &str, version_id: &str) -> Outcome {
        let report = self.report(key, version_id).await;
        let count = |name: &str| report[name].as_u64().unwrap();
        let verdicts = ["written", "stale", "rejected", "suppressed"].map(count);
        assert_eq!(count("read"), verdicts.iter().sum::<u64>(), "{report}");
        assert_eq!(self.stack().list("work/"), [""; 0], "{report}");
        let mut rejects = Vec::new();
        for key in report["rejects"].as_array().unwrap() {
            for line in self.app.object(key.as_str().unwrap()).await.lines() {
                let mut reject: Value = serde_json::from_str(line).unwrap();
                reject.as_object_mut().unwrap().remove("line");
                rejects.push(reject);
            }
        }
        rejects.sort_by_key(|reject| reject["offset"].as_u64());
        let names = [
            "read",
            "written",
            "stale",
            "rejected",
            "suppressed",
            "truncated",
        ];
        Outcome {
            table: table(&self.app).await,
            status: report["status"].clone(),
            counts: names.map(|name| report[name].clone()).into(),
            rejects,
        }
    }

    /// Returns the number of invocations that the ranges of imports took.
    pub(crate) async fn invocations(&self) -> u64 {
        let rows = rows(&self.app).await;
        let hops = rows.iter().filter_map(|row| {
            row["SK"]
                .as_s()
                .unwrap()
                .starts_with("range#")
                .then_some(())?;
            row["data"].as_m().unwrap()["hops"]
                .as_n()
                .unwrap()
                .parse::<u64>()
                .ok()
        });
        hops.sum()
    }
}

async fn table(app: &TestApp) -> BTreeMap<String, Value> {
    let mut table = BTreeMap::new();
    for mut row in rows(app).await {
        let text = |name: &str| row[name].as_s().unwrap().clone();
        let key = format!("{} {}", text("PK"), text("SK"));
        let of_runs = ["import#", "imports#", "config ", "erasures "];
        if of_runs.iter().any(|start| key.starts_with(start)) {
            continue;
        }
        if let Some(AttributeValue::M(data)) = row.get_mut("data") {
            // The time at which an invocation wrote the erasure list.
            data.remove("listed_at");
        }
        if let Some(AttributeValue::B(version)) = row.get_mut("version") {
            let place = version.as_ref()[25..].to_vec();
            *version = aws_sdk_dynamodb::primitives::Blob::new(place);
        }
        table.insert(key, to_json(&AttributeValue::M(row)));
    }
    table
}

/// Imports a file in one invocation without faults.
pub(crate) async fn import_without_faults(file: &str) -> Outcome {
    let setting = FaultyApp::start(0, ONE_RANGE, Options::default()).await;
    let version_id = setting.drop(KEY, file).await;
    assert_eq!(setting.invocations().await, 1);
    let outcome = setting.outcome(KEY, &version_id).await;
    assert_eq!(outcome.status, "completed");
    assert!(outcome.rejects.len() > file.lines().count() / 20);
    outcome
}
