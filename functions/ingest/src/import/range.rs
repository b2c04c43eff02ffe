//! Imports the rows of one byte range during one invocation, until the range ends or the deadline passes.

use std::time::{Duration, Instant};

use shared::model::version::Version;

use crate::{
    App, IngestError,
    deadline::Deadline,
    erasure::{self, ForgetRow},
    import::drop_key::DropKey,
    import::plan::{self, EarlyEnd, Plan, Progress, Range},
    record::{self, Context, Erasures, Forget, Placed},
    report::Status,
    report::rejects::Rejects,
    rows::{Format, Row, Rows},
    source::inflate::{Inflated, ReadError},
    source::notification::ObjectVersion,
    source::object::{Body, OpenResult},
    source::{FileError, FileErrorKind},
    store::write::{RowVerdict, Writer},
};

/// A rejected CSV record that is more than this many times as long as the average record before it probably contains other rows.
const LONG_RECORD: u64 = 10;
/// The minimum time between two progress messages in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// The import of one byte range by one invocation, with its state.
pub(crate) struct Run<'a> {
    app: &'a App,
    plan: &'a Plan,
    drop: &'a DropKey,
    range: Range,
    version: Version,
    context: Context<'a>,
    writer: Writer<'a>,
    rejects: Rejects<'a>,
    progress: Progress,
    logged_at: Instant,
}

impl<'a> Run<'a> {
    /// Continues from `progress`. `erasures` must be at least as new as the plan.
    pub(crate) fn new(
        app: &'a App,
        plan: &'a Plan,
        drop: &'a DropKey,
        range: Range,
        progress: Progress,
        erasures: Erasures,
    ) -> Self {
        Self {
            app,
            plan,
            drop,
            range,
            version: plan.version(),
            context: Context {
                key: &app.key,
                identifiers: app.identifiers,
                source: &drop.source,
                record_type: drop.record_type,
                last_modified: plan.last_modified,
                erasures,
                event_retention_days: app.event_retention_days,
            },
            writer: Writer::new(&app.table, plan.import()),
            rejects: Rejects::new(&app.s3, &plan.object, range.number),
            progress,
            logged_at: Instant::now(),
        }
    }

    /// Imports rows until the range is done or the deadline passes. Returns the new progress.
    ///
    /// All rows that the progress counts are written; the caller saves the progress. `source` is the object from its start, if it
    /// is already open. `tries` is the number of earlier attempts from the same position.
    pub(crate) async fn run(
        mut self,
        object: &ObjectVersion,
        source: Option<Inflated<'_>>,
        deadline: Deadline,
        tries: u64,
    ) -> Result<Progress, IngestError> {
        let (mut rows, from) = self.rows();
        let read = self.read(object, source, (&mut rows, from), deadline, tries);
        match read.await {
            Ok(()) => {}
            Err(ReadError::Ingest(error)) => return Err(error),
            Err(ReadError::File(broken)) => self.end(Status::Rejected, broken),
        }
        self.writer.finish().await?;
        self.account(&rows).await?;
        // This invocation, or one that died, may have stored items of identities that were erased since the import was planned.
        let (planned, known) = (self.plan.planned(), &self.context.erasures);
        erasure::catch_up(self.app, planned, known, &mut self.progress.erased).await?;
        self.rejects.put().await?;
        self.progress.rejects.append(&mut self.rejects.names);
        self.progress.requests += self.writer.requests;
        self.progress.capacity_units += self.writer.capacity_units;
        self.progress.hops += 1;
        Ok(self.progress)
    }

    async fn read(
        &mut self,
        object: &ObjectVersion,
        source: Option<Inflated<'_>>,
        (rows, from): (&mut Rows, u64),
        mut deadline: Deadline,
        tries: u64,
    ) -> Result<(), ReadError> {
        let (format, offset) = (self.drop.format, self.progress.offset);
        if let Some(broken) = plan::too_far(format, self.plan.compressed, offset) {
            return Err(ReadError::File(broken));
        }
        let opened = match source {
            Some(source) => Some(source),
            None => self.open(object, from).await?,
        };
        let Some(mut source) = opened else {
            return Ok(());
        };
        let mut at_end = false;
        let mut row_is_first = true;
        while !deadline.is_past() {
            let Some(next) = deadline.wait(source.next()).await else {
                return Ok(());
            };
            match next? {
                Some(chunk) => rows.push(&chunk),
                None => at_end = true,
            }
            while let Some(row) = rows
                .next()
                .or_else(|| at_end.then(|| rows.finish()).flatten())
            {
                self.log_progress();
                // An object that cannot be read from the middle is read from its start. Rows before the saved offset are already
                // counted.
                if row.offset < self.progress.offset {
                    continue;
                }
                if row_is_first {
                    deadline = deadline.after(tries);
                    row_is_first = false;
                }
                if !self.row(rows, row, deadline).await? {
                    return Ok(());
                }
                self.save_position(rows, source.compressed_bytes());
                if deadline.is_past() {
                    return Ok(());
                }
            }
            if let Some(broken) = rows.broken() {
                self.end(Status::Rejected, broken.clone());
                return Ok(());
            }
            if at_end || rows.is_over() {
                self.progress.offset = self.progress.offset.max(rows.position());
                self.progress.done = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Records that the range is done up to the reader's position. `compressed` is how many bytes of a compressed object were
    /// read.
    fn save_position(&mut self, rows: &Rows, compressed: Option<u64>) {
        let progress = &mut self.progress;
        progress.offset = rows.position();
        progress.line = progress.line.and(Some(rows.line()));
        let plain = rows.position().saturating_sub(self.range.start);
        progress.consumed = progress.consumed.max(compressed.unwrap_or(plain));
    }

    /// Returns a reader for the rest of the range, and the byte of the object at which reading starts.
    fn rows(&self) -> (Rows, u64) {
        if plan::is_cut_anywhere(self.drop.format, self.plan.compressed) {
            let Progress { offset, line, .. } = self.progress;
            let lines = Rows::lines(offset, line, self.range.end);
            return (lines, offset.saturating_sub(1));
        }
        (Rows::new(self.drop.format, self.drop.bare_records()), 0)
    }

    /// Opens the object at byte `from`. If it is gone or superseded, ends the range with that problem and returns `None`.
    async fn open<'b>(
        &mut self,
        object: &'b ObjectVersion,
        from: u64,
    ) -> Result<Option<Inflated<'b>>, IngestError>
    where
        'a: 'b,
    {
        match Body::open(&self.app.s3, object, from).await? {
            OpenResult::Open(body) if self.plan.compressed => Ok(Some(Inflated::new(body).await?)),
            OpenResult::Open(body) => Ok(Some(Inflated::Plain(None, body))),
            OpenResult::Gone => {
                let detail =
                    "The object version was deleted before its end was read. Drop the file again.";
                self.end(
                    Status::Failed,
                    FileError::new(FileErrorKind::ObjectGone, detail),
                );
                Ok(None)
            }
            OpenResult::Superseded => {
                let detail = "Another object replaced this one before its end was read. Drop the file again.";
                self.end(
                    Status::Superseded,
                    FileError::new(FileErrorKind::ObjectSuperseded, detail),
                );
                Ok(None)
            }
        }
    }

    /// Imports one row. Returns `false` only for a forget row that was not completed before the deadline.
    async fn row(
        &mut self,
        rows: &Rows,
        row: Row,
        deadline: Deadline,
    ) -> Result<bool, IngestError> {
        self.progress.counts.read += 1;
        let fields = || rows.fields(&row).and_then(record::unwrapped);
        let placed = fields()
            .and_then(|fields| record::place(&self.context, self.version.at(row.offset), fields));
        match placed {
            Ok(Placed {
                forget: Some(forget),
                ..
            }) => {
                if !self.forget(&row, &forget, deadline).await? {
                    self.progress.counts.read -= 1;
                    return Ok(false);
                }
            }
            Ok(placed) => self.write(row, placed).await?,
            Err(fault) => {
                self.progress.counts.rejected += 1;
                self.progress.counts.unread += self.swallowed(rows, &row);
                let line = self.progress.line.and(Some(row.line));
                self.rejects
                    .add(&row, line, fields().ok().as_ref(), &fault)
                    .await?;
            }
        }
        self.account(rows).await?;
        Ok(true)
    }

    /// Returns how many rows a rejected CSV record contains besides its own, usually because of a stray quote.
    ///
    /// These are its lines except the first, if it is more than [`LONG_RECORD`] times as long as the average record before it.
    /// The first record is compared with the header.
    fn swallowed(&self, rows: &Rows, row: &Row) -> u64 {
        let lines = rows.line().saturating_sub(row.line).saturating_sub(1);
        let before = self.progress.counts.read.saturating_sub(1).max(1);
        let average = row.offset / before;
        let bytes = rows.position().saturating_sub(row.offset);
        if self.drop.format == Format::Csv && bytes > LONG_RECORD * average {
            lines
        } else {
            0
        }
    }

    async fn write(&mut self, row: Row, placed: Placed) -> Result<(), IngestError> {
        if !placed.kept_out.is_empty() {
            erasure::delete(&self.app.table, &placed.kept_out.iter().collect::<Vec<_>>()).await?;
        }
        if placed.writes.is_empty() && placed.links.is_empty() {
            self.progress.counts.suppressed += 1;
            return Ok(());
        }
        self.progress.counts.truncated += u64::from(placed.truncated);
        Ok(self.writer.add(row, placed).await?)
    }

    /// Executes a forget row, after all rows before it are stored. Returns whether it was completed before the deadline.
    async fn forget(
        &mut self,
        row: &Row,
        forget: &Forget,
        deadline: Deadline,
    ) -> Result<bool, IngestError> {
        self.writer.finish().await?;
        let forget = ForgetRow {
            forget,
            version: self.version.at(row.offset),
            expires_at: plan::expiry(),
            deadline,
        };
        let erased = &mut self.progress.erased;
        let executed =
            erasure::forget(self.app, forget, &mut self.context.erasures, erased).await?;
        let Some(executed) = executed else {
            return Ok(false);
        };
        self.progress.exclude(executed.excluded);
        let counts = &mut self.progress.counts;
        *(if executed.is_stored {
            &mut counts.written
        } else {
            &mut counts.stale
        }) += 1;
        Ok(true)
    }

    /// Counts the verdicts received since the last call, and adds rejected rows to the rejects.
    async fn account(&mut self, rows: &Rows) -> Result<(), IngestError> {
        for verdict in self.writer.verdicts() {
            match verdict {
                RowVerdict::Written => self.progress.counts.written += 1,
                RowVerdict::Stale => self.progress.counts.stale += 1,
                RowVerdict::Rejected(row, fault) => {
                    self.progress.counts.rejected += 1;
                    let line = self.progress.line.and(Some(row.line));
                    let fields = rows.fields(&row).and_then(record::unwrapped).ok();
                    self.rejects
                        .add(&row, line, fields.as_ref(), &fault)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Logs the progress at most once per [`LOG_INTERVAL`], for operators who wait for a large file. `start` and `offset` are
    /// bytes of the decompressed content; `size` is the size of the stored object.
    fn log_progress(&mut self) {
        if self.logged_at.elapsed() < LOG_INTERVAL {
            return;
        }
        self.logged_at = Instant::now();
        tracing::info!(
            import = %self.plan.import(),
            version_id = self.plan.object.version_id,
            range = self.range.number,
            read = self.progress.counts.read,
            start = self.range.start,
            offset = self.progress.offset,
            size = self.plan.size,
            compressed = self.plan.compressed,
            "import under way"
        );
    }

    fn end(&mut self, status: Status, broken: FileError) {
        self.progress.done = true;
        self.progress.end = Some(EarlyEnd::new(status, broken));
    }
}
