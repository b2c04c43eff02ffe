//! Shows imports and checks of mappings: a progress bar for each long import in a terminal, and in any case one line when an import
//! or a check ends.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use local::{Error, ImportEvent, Imports};
use serde_json::Value;

use crate::cli::report_line;

/// Files that have waited longer than this are counted on a line of their own. After this time, ingest has reported progress of a file whose
/// import has started.
const COUNTED_AFTER: Duration = Duration::from_secs(3);
/// The period over which a rate is computed.
const RATE_PERIOD: Duration = Duration::from_secs(10);
/// The time between two redraws of a bar.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Follows all imports and shows them on standard error.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    pub(crate) imports: Imports<'a>,
    bars: MultiProgress,
    /// Incomplete imports, by version id and key.
    running: BTreeMap<(String, String), Running>,
    /// The line with the number of waiting files.
    waiting: Option<ProgressBar>,
}

/// An import that is not complete. It has a bar after ingest has reported progress, so that bars of short imports do not flicker.
#[derive(Debug)]
struct Running {
    dropped_at: Instant,
    bar: Option<ProgressBar>,
    rate: Rate,
}

/// The recent rate, in rows per second.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl<'a> Progress<'a> {
    /// Creates the display. `with_bars` must be `false` if standard error is not a terminal, such as a file.
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

    /// Shows imports until the next one ends. Returns its key and its report, if it has one. Returns `None` after the stack has
    /// stopped.
    ///
    /// # Errors
    /// Waiting for the files that were put here ended, see [`Imports::event`].
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
                    let line = report_line::line(&key, &report);
                    self.finish(version_id, &key, &line);
                    return Some(Ok((key, Some(report))));
                }
                Ok(ImportEvent::MappingChecked { key, report }) => {
                    self.print(&report_line::mapping(&key, &report));
                }
                Ok(ImportEvent::Failed {
                    key,
                    version_id,
                    reason,
                }) => {
                    self.finish(version_id, &key, &report_line::failed(&key, &reason));
                    return Some(Ok((key, None)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Writes other output without interfering with the bars.
    pub(crate) fn suspend_bars<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// Updates the bar of an import.
    fn under_way(
        &mut self,
        version_id: String,
        key: String,
        rows: u64,
        bytes: u64,
        size: Option<u64>,
    ) {
        let name = report_line::name(&key);
        let Some(running) = self.running.get_mut(&(version_id, key)) else {
            return;
        };
        let bar = running.bar.get_or_insert_with(|| {
            // Bars are in the order in which imports started, above the count of waiting files.
            let bar = match &self.waiting {
                Some(waiting) => self.bars.insert_before(waiting, ProgressBar::no_length()),
                None => self.bars.add(ProgressBar::no_length()),
            };
            bar.set_style(style(size.is_some()));
            bar.set_prefix(name);
            bar.enable_steady_tick(REDRAW_INTERVAL);
            bar
        });
        if let Some(size) = size {
            bar.set_length(size);
        }
        bar.set_position(bytes);
        bar.set_message(report_line::progress(
            rows,
            running.rate.of(Instant::now(), rows),
        ));
    }

    /// Removes the bar of an import and prints its line.
    fn finish(&mut self, version_id: String, key: &str, line: &str) {
        let ended = self.running.remove(&(version_id, key.to_owned()));
        if let Some(bar) = ended.and_then(|ended| ended.bar) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
        self.print(line);
        self.count_waiting();
    }

    fn print(&self, line: &str) {
        // Not an error: standard error may be closed.
        let _ = self.suspend_bars(|| writeln!(std::io::stderr(), "{line}"));
    }

    /// Updates the count of waiting files.
    fn count_waiting(&mut self) {
        let waits = |running: &&Running| {
            running.bar.is_none() && running.dropped_at.elapsed() >= COUNTED_AFTER
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
            bar.enable_steady_tick(REDRAW_INTERVAL);
            bar
        });
        bar.set_message(match count {
            1 => "1 file is waiting".to_owned(),
            count => format!("{count} files are waiting"),
        });
    }
}

impl Drop for Progress<'_> {
    /// Removes the bars, which would no longer move.
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
    /// Adds the current number of rows and returns the rate. Returns `None` until one second can be compared.
    fn of(&mut self, now: Instant, rows: u64) -> Option<f64> {
        self.0.push_back((now, rows));
        // The oldest entry that is kept is the newest one that is old enough.
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| now - *at >= RATE_PERIOD)
        {
            self.0.pop_front();
        }
        let (at, before) = self.0.front()?;
        let seconds = (now - *at).as_secs_f64();
        (seconds >= 1.0).then(|| rows.saturating_sub(*before) as f64 / seconds)
    }
}

/// Returns the style of a bar. With a known size, it shows the remaining bytes.
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
        // Rows from more than ten seconds ago no longer count.
        assert_eq!(at(12, 7_000), Some(400.0));
        assert_eq!(at(14, 9_000), Some(600.0));
        // The invocation died and was restarted.
        assert_eq!(at(16, 1_000), Some(0.0));
    }
}
