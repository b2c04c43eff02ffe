//! Collects the standard output and error of the functions, for tests and optionally for display.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, mpsc, oneshot};
use uuid::Uuid;

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

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pipe to which a process writes its standard output and error.
///
/// A response and the log lines before it arrive on different ways. `drain` makes their order certain.
#[derive(Debug)]
pub(crate) struct Output {
    writer: PipeWriter,
    /// Ends a part of the output. No process writes it.
    mark: Uuid,
    /// Receives the notices that the thread sends when it reads a mark, one for each mark.
    drains: std::sync::mpsc::Sender<oneshot::Sender<()>>,
}

impl Output {
    /// Creates a pipe and a thread that adds its lines to `logs`. The thread ends when all writers are closed.
    pub(crate) fn new(from: &str, logs: &Logs) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mark = Uuid::new_v4();
        let (drains, drained) = std::sync::mpsc::channel();
        let (from, logs) = (from.to_owned(), logs.clone());
        std::thread::Builder::new()
            .name("logs".into())
            .spawn(move || follow(reader, mark, &drained, |line| logs.push(&from, line)))?;
        Ok(Self {
            writer,
            mark,
            drains,
        })
    }

    /// Returns a writer for a process.
    pub(crate) fn writer(&self) -> io::Result<PipeWriter> {
        self.writer.try_clone()
    }

    /// Waits until everything that was written before is in the logs.
    pub(crate) async fn drain(&self) {
        let (notice, drained) = oneshot::channel();
        // One write, because the output of a process could come between two.
        let mark = format!("{}\n", self.mark);
        // Both fail only if the thread has ended. Then there is nothing to wait for.
        if self.drains.send(notice).is_ok() && (&self.writer).write_all(mark.as_bytes()).is_ok() {
            let _ = drained.await;
        }
    }
}

/// Passes on the lines of a pipe until all its writers are closed.
fn follow(
    reader: PipeReader,
    mark: Uuid,
    drained: &std::sync::mpsc::Receiver<oneshot::Sender<()>>,
    mut push: impl FnMut(String),
) {
    let mark = mark.to_string();
    for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let Some(unfinished) = line.strip_suffix(&mark) else {
            push(line.trim_end().to_owned());
            continue;
        };
        if !unfinished.is_empty() {
            push(unfinished.trim_end().to_owned());
        }
        if let Ok(notice) = drained.try_recv() {
            let _ = notice.send(());
        }
    }
}
