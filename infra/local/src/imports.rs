//! What became of files that were dropped: waits, by the bucket's own puts, for the reports that ingest writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::s3::Created;
use crate::stack::{Error, Stack};

/// An import is given up after this long without a single put to the bucket.
const PATIENCE: Duration = Duration::from_secs(120);

/// Files that are dropped together, and waited for in whatever order their imports end.
#[derive(Debug)]
pub struct Imports<'a> {
    stack: &'a Stack,
    created: Receiver<Created>,
    /// Keys and version ids.
    pending: BTreeSet<(String, String)>,
}

impl<'a> Imports<'a> {
    pub(crate) fn new(stack: &'a Stack, created: Receiver<Created>) -> Self {
        Self {
            stack,
            created,
            pending: BTreeSet::new(),
        }
    }

    /// Puts an object to be waited for, and answers its version id.
    ///
    /// # Errors
    /// The bucket refuses it.
    pub async fn put(&mut self, key: &str, body: impl Into<Bytes>) -> Result<String, Error> {
        self.put_stream(key, body.into().into()).await
    }

    /// As [`Imports::put`], of a file.
    ///
    /// # Errors
    /// The file can't be read, or the bucket refuses it.
    pub async fn put_file(&mut self, key: &str, path: &Path) -> Result<String, Error> {
        let body = ByteStream::from_path(path).await;
        let failed = |error| Error::Io {
            what: path.display().to_string(),
            source: std::io::Error::other(error),
        };
        self.put_stream(key, body.map_err(failed)?).await
    }

    async fn put_stream(&mut self, key: &str, body: ByteStream) -> Result<String, Error> {
        let version_id = self.stack.put_stream(key, body).await?;
        self.pending.insert((key.to_owned(), version_id.clone()));
        Ok(version_id)
    }

    /// The key and the report of the next import that is over; None once all are. A report may say that its file was
    /// rejected.
    ///
    /// # Errors
    /// An event went to `failed/`, or the bucket has been silent for two minutes, which ends all imports.
    pub async fn next(&mut self) -> Option<Result<(String, Value), Error>> {
        while !self.pending.is_empty() {
            let stored = match tokio::time::timeout(PATIENCE, self.created.recv()).await {
                Ok(Ok(created)) => Some(created.key),
                Ok(Err(RecvError::Lagged(_))) => self.missed(),
                Ok(Err(RecvError::Closed)) => return self.give_up("the stack has been stopped"),
                Err(_) => return self.give_up("nothing has been stored for two minutes"),
            };
            let Some(stored) = stored else { continue };
            let Some((dropped, outcome)) = self.outcome(&stored).await else {
                continue;
            };
            if self.pending.remove(&dropped) {
                let key = dropped.0;
                return Some(match outcome {
                    Ok(report) => Ok((key, report)),
                    Err(reason) => Err(self.stack.not_imported(key, reason)),
                });
            }
        }
        None
    }

    fn give_up(&mut self, reason: &str) -> Option<Result<(String, Value), Error>> {
        let keys: Vec<_> = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        Some(Err(self
            .stack
            .not_imported(keys.join(", "), reason.to_owned())))
    }

    /// A report that was stored while this was too far behind to hear of it.
    fn missed(&self) -> Option<String> {
        let mut reports = self
            .pending
            .iter()
            .map(|(key, version_id)| format!("reports/{key}/{version_id}.json"));
        reports.find(|report| self.stack.has(report))
    }

    /// Which import an object tells the end of, and what it says.
    async fn outcome(&self, stored: &str) -> Option<((String, String), Result<Value, String>)> {
        if stored.starts_with("reports/") {
            let report = self.json(stored).await?;
            return Some((
                (text(&report["key"]), text(&report["version_id"])),
                Ok(report),
            ));
        }
        if !stored.starts_with("failed/") {
            return None;
        }
        let failed = self.json(stored).await?;
        let object = &failed["requestPayload"]["Records"][0]["s3"]["object"];
        let key = percent_decode_str(&text(&object["key"]).replace('+', " "))
            .decode_utf8_lossy()
            .into_owned();
        let mut dropped = (key, text(&object["versionId"]));
        if dropped.0.starts_with("work/") {
            // A part of an import: its manifest names the version that it is a part of.
            let manifest = self.stack.get(&dropped.0).await.ok()??;
            let manifest = String::from_utf8_lossy(&manifest);
            dropped = self
                .pending
                .iter()
                .find(|(_, version_id)| manifest.contains(version_id.as_str()))?
                .clone();
        }
        let error = &failed["responsePayload"];
        Some((
            dropped,
            Err(format!(
                "{}: {} ({stored})",
                text(&error["errorType"]),
                text(&error["errorMessage"])
            )),
        ))
    }

    async fn json(&self, key: &str) -> Option<Value> {
        serde_json::from_slice(&self.stack.get(key).await.ok()??).ok()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
