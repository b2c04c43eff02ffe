//! Follows imports, whichever client drops the files. In: objects created in the bucket and log lines of ingest. Out: events with
//! the progress, the report or the error of each import.

mod events;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use crate::stack::{Error, Stack};
pub use events::ImportEvent;
use events::{Dropped, ImportEvents};

/// The maximum time without a put to the bucket or a progress line of any import. Then waiting ends with an error.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Imports of files that any client drops.
impl Stack {
    /// Drops a file and waits for the end of its import. Returns the report, whether the file was imported or rejected.
    ///
    /// # Errors
    /// The event was dead-lettered to `failed/`, or there was neither a put to the bucket nor progress for two minutes.
    pub async fn import(&self, key: &str, body: impl Into<Bytes>) -> Result<Value, Error> {
        let mut imports = self.imports();
        imports.put(key, body).await?;
        match imports.next().await {
            Some(outcome) => outcome.map(|(_, report)| report),
            None => Err(self.not_imported(key.to_owned(), "its end was not observed".to_owned())),
        }
    }

    /// Creates a handle for dropping several files together and for receiving the events of all imports from now on.
    #[must_use]
    pub fn imports(&self) -> Imports<'_> {
        let events = {
            let (stored, logged) = self.feeds();
            ImportEvents::new(stored, logged)
        };
        Imports::new(self, events)
    }
}

/// A set of files that are dropped together. Their imports can end in any order. Also returns the events of all other imports.
#[derive(Debug)]
pub struct Imports<'a> {
    stack: &'a Stack,
    events: ImportEvents,
    /// Files that were dropped here and whose imports are not complete.
    pending: BTreeSet<Dropped>,
    last_activity: Instant,
}

impl<'a> Imports<'a> {
    pub(crate) fn new(stack: &'a Stack, events: ImportEvents) -> Self {
        Self {
            stack,
            events,
            pending: BTreeSet::new(),
            last_activity: Instant::now(),
        }
    }

    /// Puts an object whose import is waited for. Returns its version id.
    ///
    /// # Errors
    /// The bucket rejects the request.
    pub async fn put(&mut self, key: &str, body: impl Into<Bytes>) -> Result<String, Error> {
        self.put_stream(key, body.into().into()).await
    }

    /// Puts a file, as [`Imports::put`] does.
    ///
    /// # Errors
    /// The file cannot be read, or the bucket rejects the request.
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
        let dropped = (key.to_owned(), version_id.clone());
        self.events.expect(dropped.clone());
        self.pending.insert(dropped);
        self.last_activity = Instant::now();
        Ok(version_id)
    }

    /// Returns whether no file that was put here is waited for any longer.
    #[must_use]
    pub fn all_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns the key and the report of the next import that ends, among the files that were put here. Returns `None` after the
    /// last one. A report may contain the result that its file was rejected.
    ///
    /// # Errors
    /// An event was dead-lettered to `failed/`. Or there was neither a put to the bucket nor progress for two minutes, or the
    /// stack was stopped. In the last two cases no file is waited for any longer.
    pub async fn next(&mut self) -> Option<Result<(String, Value), Error>> {
        self.last_activity = Instant::now();
        while !self.all_complete() {
            let before = self.pending.len();
            let event = match self.event().await? {
                Ok(event) => event,
                Err(error) => return Some(Err(error)),
            };
            if self.pending.len() == before {
                continue;
            }
            match event {
                ImportEvent::Reported { key, report, .. } => return Some(Ok((key, report))),
                ImportEvent::Failed { key, reason, .. } => {
                    return Some(Err(self.stack.not_imported(key, reason)));
                }
                ImportEvent::Dropped { .. }
                | ImportEvent::UnderWay { .. }
                | ImportEvent::MappingChecked { .. } => {}
            }
        }
        None
    }

    /// Returns the next event of any import since this value was created, whichever client dropped the file. Returns `None` after
    /// the stack has stopped.
    ///
    /// Cancel safe: no event is lost if the future is dropped.
    ///
    /// # Errors
    /// Files that were put here are pending, and there was neither a put to the bucket nor progress for two minutes. Or they are
    /// pending and the stack was stopped. Then these files are not waited for any longer.
    pub async fn event(&mut self) -> Option<Result<ImportEvent, Error>> {
        loop {
            let listening = self.events.listen(self.stack);
            let heard = if self.pending.is_empty() {
                listening.await
            } else {
                match tokio::time::timeout_at(self.last_activity + IDLE_TIMEOUT, listening).await {
                    Ok(heard) => heard,
                    Err(_) => {
                        return Some(Err(self.abandon_pending(
                            "for two minutes, there was neither a put to the bucket nor progress",
                        )));
                    }
                }
            };
            if !heard {
                let waits = !self.all_complete();
                return waits.then(|| Err(self.abandon_pending("the stack was stopped")));
            }
            self.last_activity = Instant::now();
            let Some(event) = self.events.read(self.stack).await else {
                continue;
            };
            if let ImportEvent::Reported {
                key, version_id, ..
            }
            | ImportEvent::Failed {
                key, version_id, ..
            } = &event
            {
                self.pending.remove(&(key.clone(), version_id.clone()));
            }
            return Some(Ok(event));
        }
    }

    fn abandon_pending(&mut self, reason: &str) -> Error {
        let keys: Vec<_> = std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        self.stack.not_imported(keys.join(", "), reason.to_owned())
    }
}
