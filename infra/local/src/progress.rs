//! What is seen of imports: in a terminal a bar for each that takes its time, and everywhere a line once it is over.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use local::{Error, ImportEvent, Imports};
use serde_json::Value;

use crate::account;

/// Files that have waited this long for their turn are counted on a line of their own. Of one whose turn has come
/// ingest has said so by then.
const WAITS_LONG: Duration = Duration::from_secs(3);
/// Rates are of this long.
const RATE_OF: Duration = Duration::from_secs(10);
const REDRAWN_EVERY: Duration = Duration::from_millis(100);

/// Follows all imports, and shows them on standard error.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    pub(crate) imports: Imports<'a>,
    bars: MultiProgress,
    /// By version id and key.
    running: BTreeMap<(String, String), Running>,
    waiting: Option<ProgressBar>,
}

/// An import that is not over. It has a bar once ingest has said how far it is, so that short ones don't flicker.
#[derive(Debug)]
struct Running {
    dropped_at: Instant,
    bar: Option<ProgressBar>,
    rate: Rate,
}

/// Rows in a second, lately.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl<'a> Progress<'a> {
    /// `with_bars`: where lines come one by one, such as in a file, there can be none.
    pub(crate) fn new(imports: Imports<'a>, with_bars: bool) -> Self {
        let target = if with_bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            imports,
            bars: MultiProgress::with_draw_target(target),
            running: BTreeMap::new(),
            waiting: None,
        }
    }

    /// Shows imports until the next one is over, and answers its key and, if it has one, its report; None once the stack
    /// has been stopped.
    ///
    /// # Errors
    /// Files that were put here are waited for no longer.
    pub(crate) async fn next(&mut self) -> Option<Result<(String, Option<Value>), Error>> {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            let event = tokio::select! {
                event = self.imports.event() => event?,
                _ = second.tick() => {
                    self.count_waiting();
                    continue;
                }
            };
            match event {
                Ok(ImportEvent::Dropped {
                    key, version_id, ..
                }) => {
                    let running = Running {
                        dropped_at: Instant::now(),
                        bar: None,
                        rate: Rate::default(),
                    };
                    self.running.insert((version_id, key), running);
                }
                Ok(ImportEvent::UnderWay {
                    key,
                    version_id,
                    rows,
                    bytes,
                    size,
                }) => {
                    self.under_way(version_id, key, rows, bytes, size);
                }
                Ok(ImportEvent::Reported {
                    key,
                    version_id,
                    report,
                }) => {
                    let line = account::line(&key, &report);
                    self.over(version_id, &key, &line);
                    return Some(Ok((key, Some(report))));
                }
                Ok(ImportEvent::Failed {
                    key,
                    version_id,
                    reason,
                }) => {
                    self.over(version_id, &key, &account::failed(&key, &reason));
                    return Some(Ok((key, None)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Writes something else without a bar in between.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    fn under_way(
        &mut self,
        version_id: String,
        key: String,
        rows: u64,
        bytes: u64,
        size: Option<u64>,
    ) {
        let name = account::name(&key);
        let Some(running) = self.running.get_mut(&(version_id, key)) else {
            return;
        };
        let bar = running.bar.get_or_insert_with(|| {
            // In the order in which they began, above those that wait.
            let bar = match &self.waiting {
                Some(waiting) => self.bars.insert_before(waiting, ProgressBar::no_length()),
                None => self.bars.add(ProgressBar::no_length()),
            };
            bar.set_style(style(size.is_some()));
            bar.set_prefix(name);
            bar.enable_steady_tick(REDRAWN_EVERY);
            bar
        });
        if let Some(size) = size {
            bar.set_length(size);
        }
        bar.set_position(bytes);
        bar.set_message(account::progress(
            rows,
            running.rate.of(Instant::now(), rows),
        ));
    }

    fn over(&mut self, version_id: String, key: &str, line: &str) {
        let ended = self.running.remove(&(version_id, key.to_owned()));
        if let Some(bar) = ended.and_then(|ended| ended.bar) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        // Nobody may be reading.
        let _ = self.aside(|| writeln!(std::io::stderr(), "{line}"));
        self.count_waiting();
    }

    /// Counts the files whose turn has not come.
    fn count_waiting(&mut self) {
        let waits = |running: &&Running| {
            running.bar.is_none() && running.dropped_at.elapsed() >= WAITS_LONG
        };
        let count = self.running.values().filter(waits).count();
        if count == 0 {
            if let Some(bar) = self.waiting.take() {
                bar.finish_and_clear();
                self.bars.remove(&bar);
            }
            return;
        }
        let bar = self.waiting.get_or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::no_length());
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(REDRAWN_EVERY);
            bar
        });
        bar.set_message(match count {
            1 => "1 file waits for its turn".to_owned(),
            count => format!("{count} files wait for their turn"),
        });
    }
}

impl Drop for Progress<'_> {
    /// Leaves no bar that stands still.
    fn drop(&mut self) {
        let bars = self
            .running
            .values()
            .filter_map(|running| running.bar.as_ref());
        bars.chain(&self.waiting)
            .for_each(ProgressBar::finish_and_clear);
    }
}

impl Rate {
    /// Takes in how many rows there are now. None until there is something to compare them with.
    fn of(&mut self, now: Instant, rows: u64) -> Option<f64> {
        self.0.push_back((now, rows));
        // The oldest one that is kept is the last that is old enough.
        while self.0.get(1).is_some_and(|(at, _)| now - *at >= RATE_OF) {
            self.0.pop_front();
        }
        let (at, before) = self.0.front()?;
        let seconds = (now - *at).as_secs_f64();
        (seconds >= 1.0).then(|| rows.saturating_sub(*before) as f64 / seconds)
    }
}

/// How a bar looks: with the object's bytes where they say how much is left.
fn style(has_size: bool) -> ProgressStyle {
    let template = if has_size {
        "{spinner} {prefix} {bar:24} {bytes}/{total_bytes} {msg}"
    } else {
        "{spinner} {prefix} {bytes} decompressed {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds() {
        let (begin, mut rate) = (Instant::now(), Rate::default());
        let mut at = |seconds: u64, rows| rate.of(begin + Duration::from_secs(seconds), rows);
        assert_eq!(at(0, 1_000), None);
        assert_eq!(at(2, 3_000), Some(1_000.0));
        assert_eq!(at(4, 3_000), Some(500.0));
        // What was more than ten seconds ago no longer counts.
        assert_eq!(at(12, 7_000), Some(400.0));
        assert_eq!(at(14, 9_000), Some(600.0));
        // A run died and was begun again.
        assert_eq!(at(16, 1_000), Some(0.0));
    }
}
