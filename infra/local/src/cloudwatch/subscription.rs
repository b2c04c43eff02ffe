//! Subscription filters: sends the lines of log groups that match a filter to a function.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::logs::Line;
use crate::notifications::Notifier;
use crate::template::{ACCOUNT, Function};

/// The maximum number of lines in a delivery.
const MAX_LINES: usize = 1_000;

/// Delivers the lines of the functions.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    /// The functions by name.
    functions: BTreeMap<String, Function>,
    notifier: Notifier,
}

impl Subscriptions {
    /// Creates the deliveries of the functions' subscriptions. Failed events are retried and dead-lettered like those of S3.
    pub(crate) fn new(notifier: Notifier) -> Self {
        let functions = notifier.functions.iter();
        let functions = functions.map(|function| (function.name.clone(), function.clone()));
        Self {
            functions: functions.collect(),
            notifier,
        }
    }

    /// Delivers lines until the sender is dropped. Waiting lines of a function are delivered together.
    pub(crate) async fn run(self, mut lines: mpsc::UnboundedReceiver<Line>) {
        while let Some(first) = lines.recv().await {
            let mut by_function = BTreeMap::from([(first.from, vec![first.text])]);
            for _ in 1..MAX_LINES {
                let Ok(line) = lines.try_recv() else { break };
                by_function.entry(line.from).or_default().push(line.text);
            }
            for (function, lines) in by_function {
                self.deliver(&function, &lines).await;
            }
        }
    }

    /// Delivers lines of a function to each function that subscribes to them.
    async fn deliver(&self, from: &str, lines: &[String]) {
        let Some(group) = self.functions.get(from).map(|function| &function.log_group) else {
            return;
        };
        for function in self.functions.values() {
            for subscription in &function.subscriptions {
                let matching = lines
                    .iter()
                    .filter(|line| has_field(line, &subscription.field));
                let matching: Vec<_> = matching.collect();
                if subscription.log_group != *group || matching.is_empty() {
                    continue;
                }
                // Writing to memory does not fail.
                if let Ok(event) = event(group, &matching) {
                    self.notifier.deliver(function, event).await;
                }
            }
        }
    }
}

/// Returns whether a line is a JSON object with a string in the field.
fn has_field(line: &str, field: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    line[field].is_string()
}

/// Returns the event of a delivery, in the format of CloudWatch Logs.
fn event(group: &str, lines: &[&String]) -> io::Result<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let events: Vec<_> = lines
        .iter()
        .map(|line| json!({"id": Uuid::new_v4().simple().to_string(), "timestamp": now, "message": line}))
        .collect();
    let delivery = json!({
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": "local",
        "subscriptionFilters": ["local"],
        "logEvents": events,
    });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(delivery.to_string().as_bytes())?;
    Ok(json!({"awslogs": {"data": BASE64.encode(&encoder.finish()?)}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_by_a_field() {
        assert!(has_field(r#"{"audit":"profile.read"}"#, "audit"));
        for line in [
            r#"{"audit":1}"#,
            r#"{"level":"INFO","fields":{"audit":"x"}}"#,
            r#""audit""#,
            "START audit",
            "",
        ] {
            assert!(!has_field(line, "audit"), "{line}");
        }
    }
}
