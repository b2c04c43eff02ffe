//! What became of files that were dropped: waits, by the bucket's own puts, for the reports that ingest writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::s3::{Created, Store};

/// An import is given up after this long without a single put to the bucket.
const PATIENCE: Duration = Duration::from_secs(120);

/// One version of one object.
pub(crate) type Dropped = (String, String);

/// What became of one of them.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) dropped: Dropped,
    /// The report, or why there is none.
    pub(crate) report: Result<Value, String>,
}

/// Waits for reports. Made before the files are put, so that it misses none.
pub(crate) struct Imports {
    store: Arc<Store>,
    client: aws_sdk_s3::Client,
    bucket: String,
    created: Receiver<Created>,
}

impl Imports {
    pub(crate) fn new(store: Arc<Store>, client: aws_sdk_s3::Client, bucket: &str) -> Self {
        let created = store.subscribe();
        Self {
            store,
            client,
            bucket: bucket.to_owned(),
            created,
        }
    }

    /// The next outcome of one of those that are waited for, which it takes off the list.
    pub(crate) async fn next(
        &mut self,
        pending: &mut BTreeSet<Dropped>,
    ) -> Result<Outcome, String> {
        loop {
            let created = match tokio::time::timeout(PATIENCE, self.created.recv()).await {
                Err(_) => {
                    return Err(format!(
                        "nothing has been stored for {} seconds",
                        PATIENCE.as_secs()
                    ));
                }
                Ok(Err(RecvError::Closed)) => return Err("the stack has been stopped".to_owned()),
                Ok(Err(RecvError::Lagged(_))) => match self.missed(pending) {
                    Some(key) => key,
                    None => continue,
                },
                Ok(Ok(created)) => created.key,
            };
            let Some(outcome) = self.outcome(&created, pending).await else {
                continue;
            };
            if pending.remove(&outcome.dropped) {
                return Ok(outcome);
            }
        }
    }

    /// A report that was stored while this was too far behind to hear of it.
    fn missed(&self, pending: &BTreeSet<Dropped>) -> Option<String> {
        let reports = pending
            .iter()
            .map(|(key, version_id)| format!("reports/{key}/{version_id}.json"));
        reports
            .into_iter()
            .find(|report| self.store.has(&self.bucket, report))
    }

    async fn outcome(&self, key: &str, pending: &BTreeSet<Dropped>) -> Option<Outcome> {
        if key.starts_with("reports/") {
            let report: Value = serde_json::from_slice(&self.get(key).await?).ok()?;
            let dropped = (text(&report["key"]), text(&report["version_id"]));
            return Some(Outcome {
                dropped,
                report: Ok(report),
            });
        }
        if !key.starts_with("failed/") {
            return None;
        }
        let failed: Value = serde_json::from_slice(&self.get(key).await?).ok()?;
        let object = &failed["requestPayload"]["Records"][0]["s3"]["object"];
        let failed_key = percent_decode_str(&text(&object["key"]).replace('+', " "))
            .decode_utf8_lossy()
            .into_owned();
        let mut dropped = (failed_key, text(&object["versionId"]));
        if dropped.0.starts_with("work/") {
            // A part of an import: its manifest names the version that it is a part of.
            let manifest = self.get(&dropped.0).await?;
            let manifest = String::from_utf8_lossy(&manifest);
            dropped = pending
                .iter()
                .find(|(_, version_id)| manifest.contains(version_id.as_str()))?
                .clone();
        }
        let error = &failed["responsePayload"];
        let error = format!(
            "{}: {} ({key})",
            text(&error["errorType"]),
            text(&error["errorMessage"])
        );
        Some(Outcome {
            dropped,
            report: Err(error),
        })
    }

    async fn get(&self, key: &str) -> Option<Bytes> {
        let object = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
            .ok()?;
        Some(object.body.collect().await.ok()?.into_bytes())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
