//! Collects the standard output and error of the functions, for tests and optionally for display.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{broadcast, mpsc};

/// The maximum number of lines to keep. Older lines are dropped.
const MAX_LINES: usize = 100_000;
/// The number of lines that a subscriber can lag behind before it misses some.
const SUBSCRIBER_BUFFER: usize = 4096;

/// A line of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The name of the function.
    pub(crate) from: String,
    pub(crate) text: String,
}

/// The functions' log lines, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    lines: Arc<Mutex<VecDeque<String>>>,
    followers: broadcast::Sender<String>,
    /// Receives every line; `None` if nothing subscribes to the log groups.
    subscriptions: Option<mpsc::UnboundedSender<Line>>,
    /// Whether each line is also written to standard error.
    is_shown: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Logs {
    /// Creates an empty log. `shown` also writes each line to standard error, prefixed with the name of its function.
    pub(crate) fn new(shown: bool) -> Self {
        Self {
            lines: Arc::default(),
            followers: broadcast::Sender::new(SUBSCRIBER_BUFFER),
            subscriptions: None,
            is_shown: shown,
        }
    }

    /// Sends every line to the subscriptions of the log groups.
    pub(crate) fn with_subscriptions(mut self, lines: mpsc::UnboundedSender<Line>) -> Self {
        self.subscriptions = Some(lines);
        self
    }

    /// Adds a line. `from` is the name of its function.
    pub(crate) fn push(&self, from: &str, line: String) {
        if self.is_shown {
            eprintln!("{from} | {line}");
        }
        if let Some(subscriptions) = &self.subscriptions {
            // Not an error: the stack may be stopping.
            let _ = subscriptions.send(Line {
                from: from.to_owned(),
                text: line.clone(),
            });
        }
        if self.followers.receiver_count() > 0 {
            // Not an error: all subscribers may have gone since the check.
            let _ = self.followers.send(line.clone());
        }
        let mut lines = self.lines();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Subscribes to every line from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<String> {
        self.followers.subscribe()
    }

    /// Returns all lines, oldest first.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lines().iter().cloned().collect()
    }

    /// Returns the last `count` lines, for an error message.
    pub(crate) fn tail(&self, count: usize) -> String {
        let lines = self.lines();
        let skipped = lines.len().saturating_sub(count);
        lines
            .iter()
            .skip(skipped)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Adds the lines of a process until it closes the stream.
    pub(crate) async fn follow(self, from: String, stream: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            self.push(&from, String::from_utf8_lossy(&line).trim_end().to_owned());
        }
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
