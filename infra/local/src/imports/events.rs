//! Observes imports and checks of mappings from outside the functions. In: objects stored in the bucket and log lines of ingest.
//! Out: import events.
//!
//! The consumer decides which imports matter and how long to wait.
//!
//! Progress comes from the log because nothing else contains it: an invocation stores the state of its byte range in the table
//! only at its end, which is up to 15 minutes or a whole file later.

use std::collections::{BTreeMap, VecDeque};

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::s3::Created;
use crate::stack::Stack;

/// The key prefix of mappings.
const MAPPINGS: &str = "mappings/";
/// The key prefix of the reports on mappings.
const MAPPING_REPORTS: &str = "reports/mappings/";
/// The message that ingest logs for an invocation in progress.
const UNDER_WAY: &str = "import under way";

/// An observed step of an import. The version id is empty if the bucket has no versions.
#[derive(Debug, Clone, PartialEq)]
pub enum ImportEvent {
    /// An object was put under `drop/` or `try/`.
    Dropped {
        /// The object's key.
        key: String,
        /// The object's version id.
        version_id: String,
        /// The object's size, in bytes.
        size: u64,
    },
    /// Progress of a long import, every few seconds. The figures are the totals of all its byte ranges.
    UnderWay {
        /// The object's key.
        key: String,
        /// The object's version id.
        version_id: String,
        /// The number of rows read so far. It decreases if an invocation died and was restarted.
        rows: u64,
        /// The number of decompressed bytes read so far.
        bytes: u64,
        /// The total number of decompressed bytes; `None` if the object is compressed, since the total is then unknown.
        size: Option<u64>,
    },
    /// The import is complete.
    Reported {
        /// The object's key.
        key: String,
        /// The object's version id.
        version_id: String,
        /// The report. It may contain the result that the file was rejected.
        report: Value,
    },
    /// All attempts at a byte range of the import, or at the check of a mapping, failed. The event is dead-lettered under
    /// `failed/`. There is no report until the event has been sent again and succeeded.
    Failed {
        /// The object's key.
        key: String,
        /// The object's version id.
        version_id: String,
        /// The error of the function, or of its process.
        reason: String,
    },
    /// A mapping that was put was checked.
    MappingChecked {
        /// The mapping's key.
        key: String,
        /// The report. It may contain the result that the mapping is invalid.
        report: Value,
    },
}

/// A key and a version id.
pub(crate) type Dropped = (String, String);

/// An observed signal that was not interpreted yet.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    Stored(Created),
    /// The key of an object that was found after puts had been missed.
    Found(String),
    Logged(Line),
}

/// The fields of ingest's log line for an invocation in progress.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Line {
    version_id: String,
    range: u64,
    read: u64,
    start: u64,
    offset: u64,
    size: u64,
    compressed: bool,
}

/// The progress of an import that is not complete.
#[derive(Debug, Default)]
struct Running {
    /// Rows and bytes read, by the number of the byte range.
    ranges: BTreeMap<u64, (u64, u64)>,
    failed: bool,
}

/// Receives signals from the bucket and the functions, and interprets them.
#[derive(Debug)]
pub(crate) struct ImportEvents {
    created: Receiver<Created>,
    lines: Receiver<String>,
    /// Signals that were received but not interpreted.
    waiting: VecDeque<Signal>,
    running: BTreeMap<Dropped, Running>,
}

impl ImportEvents {
    pub(crate) fn new(created: Receiver<Created>, lines: Receiver<String>) -> Self {
        Self {
            created,
            lines,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
        }
    }

    /// Registers an import, in case its put is missed.
    pub(crate) fn expect(&mut self, dropped: Dropped) {
        self.running.entry(dropped).or_default();
    }

    /// Waits for the next signal, for [`ImportEvents::read`]. Returns `false` if the stack has stopped.
    ///
    /// Cancel safe: no signal is lost if the future is dropped.
    pub(crate) async fn listen(&mut self, stack: &Stack) -> bool {
        while self.waiting.is_empty() {
            tokio::select! {
                created = self.created.recv() => match created {
                    Ok(created) => self.waiting.push_back(Signal::Stored(created)),
                    Err(RecvError::Lagged(_)) => self.find_missed(stack),
                    Err(RecvError::Closed) => return false,
                },
                line = self.lines.recv() => match line {
                    Ok(line) => self.waiting.extend(under_way(&line).map(Signal::Logged)),
                    // The next line contains newer totals than the missed ones.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return false,
                },
            }
        }
        true
    }

    /// Interprets the oldest signal. Returns `None` if it is not an import event.
    ///
    /// Cancel safe: the signal is kept if the future is dropped.
    pub(crate) async fn read(&mut self, stack: &Stack) -> Option<ImportEvent> {
        let event = match self.waiting.front()?.clone() {
            Signal::Logged(line) => self.progress(line),
            Signal::Stored(created) if is_dropped(&created.key) => self.dropped(created),
            Signal::Stored(Created { key, .. }) | Signal::Found(key) => self.end(stack, &key).await,
        };
        self.waiting.pop_front();
        event
    }

    /// Looks for objects that were stored while the receiver lagged behind.
    fn find_missed(&mut self, stack: &Stack) {
        let reports = self
            .running
            .keys()
            .map(|(key, version_id)| format!("reports/{key}/{version_id}.json"))
            .filter(|report| stack.has(report));
        let found = reports.chain(stack.list("failed/"));
        self.waiting.extend(found.map(Signal::Found));
    }

    fn dropped(&mut self, created: Created) -> Option<ImportEvent> {
        // The marker of a folder is empty and gets no report.
        if created.key.ends_with('/') {
            return None;
        }
        let (key, version_id) = (created.key, created.version_id.unwrap_or_default());
        self.expect((key.clone(), version_id.clone()));
        Some(ImportEvent::Dropped {
            key,
            version_id,
            size: created.size,
        })
    }

    fn progress(&mut self, line: Line) -> Option<ImportEvent> {
        let mut running = self.running.iter_mut();
        let ((key, version_id), import) =
            running.find(|((_, version_id), _)| *version_id == line.version_id)?;
        if import.failed {
            return None;
        }
        let bytes = line.offset.saturating_sub(line.start);
        import.ranges.insert(line.range, (line.read, bytes));
        Some(ImportEvent::UnderWay {
            key: key.clone(),
            version_id: version_id.clone(),
            rows: import.ranges.values().map(|(rows, _)| rows).sum(),
            bytes: import.ranges.values().map(|(_, bytes)| bytes).sum(),
            size: (!line.compressed).then_some(line.size),
        })
    }

    /// Returns the end of an import or of a check, if a stored object is a report or a failed event.
    async fn end(&mut self, stack: &Stack, stored: &str) -> Option<ImportEvent> {
        if stored.starts_with(MAPPING_REPORTS) {
            let report = json(stack, stored).await?;
            let key = stored.trim_start_matches("reports/").to_owned();
            return Some(ImportEvent::MappingChecked { key, report });
        }
        if stored.starts_with("reports/") {
            let report = json(stack, stored).await?;
            let (key, version_id) = (text(&report["key"]), text(&report["version_id"]));
            // Two ranges that end at the same time put the same report.
            self.running.remove(&(key.clone(), version_id.clone()))?;
            return Some(ImportEvent::Reported {
                key,
                version_id,
                report,
            });
        }
        if !stored.starts_with("failed/") {
            return None;
        }
        let failed = json(stack, stored).await?;
        let (mut key, mut version_id) = object_of(&failed);
        if key.starts_with("work/") {
            // For a byte range of an import, the manifest contains the key and version of the original object.
            let manifest = json(stack, &key).await?;
            (key, version_id) = (text(&manifest["key"]), text(&manifest["version_id"]));
        }
        if !key.starts_with(MAPPINGS) {
            let import = self.running.get_mut(&(key.clone(), version_id.clone()))?;
            if std::mem::replace(&mut import.failed, true) {
                return None;
            }
        }
        let error = &failed["responsePayload"];
        let (kind, message) = (text(&error["errorType"]), text(&error["errorMessage"]));
        Some(ImportEvent::Failed {
            key,
            version_id,
            reason: format!("{kind}: {message} ({stored})"),
        })
    }
}

/// Returns whether a key is that of a file to import or to try.
fn is_dropped(key: &str) -> bool {
    key.starts_with("drop/") || key.starts_with("try/")
}

/// Parses a log line of a function. Returns `None` for other messages.
fn under_way(line: &str) -> Option<Line> {
    // Checked first, because most lines contain other messages and need no parsing.
    if !line.contains(UNDER_WAY) {
        return None;
    }
    let mut line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get_mut("fields")?.take();
    (fields["message"] == UNDER_WAY).then_some(())?;
    serde_json::from_value(fields).ok()
}

/// Returns the object of a failed event.
fn object_of(failed: &Value) -> Dropped {
    let object = &failed["requestPayload"]["Records"][0]["s3"]["object"];
    let key = percent_decode_str(&text(&object["key"]).replace('+', " "))
        .decode_utf8_lossy()
        .into_owned();
    (key, text(&object["versionId"]))
}

async fn json(stack: &Stack, key: &str) -> Option<Value> {
    serde_json::from_slice(&stack.get(key).await.ok()??).ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::broadcast;

    use super::*;

    fn line(range: u64, read: u64, offset: u64, compressed: bool) -> String {
        json!({
            "timestamp": "2026-01-01T00:00:00Z", "level": "INFO", "target": "ingest::range",
            "fields": {
                "message": UNDER_WAY, "import": "0707070707070707", "version_id": "v", "range": range,
                "read": read, "start": range * 100, "offset": offset, "size": 200, "compressed": compressed,
            },
        })
        .to_string()
    }

    fn heard(events: &mut ImportEvents, text: &str) -> Option<(u64, u64, Option<u64>)> {
        match events.progress(under_way(text)?)? {
            ImportEvent::UnderWay {
                rows, bytes, size, ..
            } => Some((rows, bytes, size)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_summed_until_the_import_has_failed() {
        let mut events = ImportEvents::new(
            broadcast::Sender::new(1).subscribe(),
            broadcast::Sender::new(1).subscribe(),
        );
        let dropped = || ("drop/purchase/a.ndjson".to_owned(), "v".to_owned());
        assert_eq!(heard(&mut events, &line(0, 3, 30, false)), None);
        events.expect(dropped());
        let said = heard(&mut events, &line(0, 3, 30, false));
        assert_eq!(said, Some((3, 30, Some(200))));
        let said = heard(&mut events, &line(1, 4, 140, false));
        assert_eq!(said, Some((7, 70, Some(200))));
        // The invocation died and was restarted.
        let said = heard(&mut events, &line(0, 1, 10, true));
        assert_eq!(said, Some((5, 50, None)));
        events.running.get_mut(&dropped()).unwrap().failed = true;
        assert_eq!(heard(&mut events, &line(0, 9, 90, false)), None);
    }

    #[test]
    fn other_lines_say_nothing() {
        assert!(under_way(&line(0, 1, 2, false)).is_some());
        for other in [
            "import under way",
            r#"{"fields":{"message":"import reported","note":"import under way"}}"#,
            r#"{"fields":{"message":"import under way"}}"#,
            "{}",
        ] {
            assert_eq!(under_way(other), None, "{other}");
        }
    }

    #[test]
    fn a_failed_event_names_its_object() {
        let object = json!({ "key": "drop/purchase/a+b%2Bc/%C3%BC.csv", "versionId": "v" });
        let failed = json!({ "requestPayload": { "Records": [{ "s3": { "object": object } }] } });
        let named = ("drop/purchase/a b+c/ü.csv".to_owned(), "v".to_owned());
        assert_eq!(object_of(&failed), named);
    }
}
