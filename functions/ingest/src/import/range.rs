//! Imports the rows of one byte range during one invocation, until the range ends or the deadline passes.

use std::time::{Duration, Instant};

use shared::{
    model::{import::expiry_after, keys, operation::OperationKind, value::Map, version::Version},
    table::Write,
};

use crate::{
    App, IngestError,
    deadline::Deadline,
    erasure::{self, ForgetRow, journal::Journal},
    import::account::Account,
    import::drop_key::DropKey,
    import::plan::{Content, EarlyEnd, Plan, Progress, Range},
    import::reading::{Reading, Records},
    import::replaced::{self, Preceding},
    record::{self, Context, Erasures, Forget, MappedRecord, Rejection},
    report::Status,
    report::rejects::{Given, MAX_RANGE_BYTES, MAX_REJECTS, Rejects},
    rows::{Fields, Row, RowError, Rows, Start, Warning, WarningCode},
    source::inflate::{Inflated, ReadError},
    source::object::{Body, OpenResult},
    source::{FileError, FileErrorKind},
    store::remove::{Removal, Remover},
    store::write::{RowVerdict, Writer},
};

/// The minimum time between two progress messages in the log.
const PROGRESS_LOG_INTERVAL: Duration = Duration::from_secs(2);

/// The minimum time between two reports of a range's progress to the table.
const LIVE_INTERVAL: Duration = Duration::from_secs(5);
/// The maximum wait for such a report. Nothing depends on it.
const LIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How many days the table keeps the identities that a row with the scope `profile` erases. Only an event that is sent again needs them,
/// and the failure queue keeps events for 14 days.
const TARGET_DAYS: u64 = 15;

/// The byte range that an invocation imports, from its saved progress on.
pub(crate) struct Work<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) drop: &'a DropKey,
    pub(crate) reading: Reading,
    pub(crate) range: Range,
    pub(crate) progress: Progress,
    /// The number of earlier attempts from the same offset.
    pub(crate) earlier_attempts: u64,
}

/// The import of one byte range by one invocation, with its state.
pub(crate) struct Run<'a> {
    app: &'a App,
    work: Work<'a>,
    /// The version of a row at the start of the object.
    version: Version,
    context: Context<'a>,
    writer: Writer<'a>,
    /// Removes the items of rows instead of writing them, if the import is reverted.
    remover: Option<Remover<'a>>,
    rejects: Rejects<'a>,
    journal: Journal<'a>,
    preceding: Preceding,
    logged_at: Instant,
    live_at: Instant,
}

impl<'a> Run<'a> {
    /// Prepares the import of a range. `erasures` must be at least as new as the plan.
    pub(crate) fn new(app: &'a App, work: Work<'a>, erasures: Erasures) -> Self {
        let Work { plan, drop, .. } = work;
        let removal = match plan.kind() {
            None | Some(OperationKind::Replay) => None,
            Some(OperationKind::Revert) => Some(Removal::Delete),
            Some(OperationKind::Preview) => Some(Removal::Count),
        };
        // A revert also deletes items of identities that were erased after the import.
        let erasures = match removal {
            Some(_) => Erasures::default(),
            None => erasures,
        };
        Self {
            app,
            version: plan.version(),
            remover: removal.map(|removal| Remover::new(&app.table, removal)),
            context: Context {
                key: &app.key,
                identifiers: app.identifiers,
                source: plan.source(drop),
                record_type: work.reading.record_type(),
                last_modified: plan.last_modified,
                erasures,
                retention: app.retention,
                denied: &work.plan.denied,
            },
            writer: Writer::new(&app.table, plan.import()),
            rejects: Rejects::new(
                &app.s3,
                &plan.object.bucket,
                plan.report_keys(),
                work.range.number,
                work.reading.is_mapped().then(|| plan.source(drop)),
            ),
            journal: Journal::new(&app.s3, &app.bucket, work.range.number),
            preceding: Preceding::from_text(work.progress.last_row.as_deref()),
            logged_at: Instant::now(),
            live_at: Instant::now(),
            work,
        }
    }

    /// Imports rows until the range is done or the deadline passes. Returns the new progress.
    ///
    /// All rows that the progress counts are written; the caller saves the progress. `source` is the object from its start, if it
    /// is already open.
    pub(crate) async fn run(
        mut self,
        source: Option<Inflated<'a>>,
        deadline: Deadline,
    ) -> Result<Progress, IngestError> {
        let (mut rows, from) = self.rows();
        match self.read(source, &mut rows, from, deadline).await {
            Ok(()) => {}
            Err(ReadError::Ingest(error)) => return Err(error),
            Err(ReadError::File(error)) => self.end(Status::Rejected, error),
        }
        if self.work.progress.done && self.remover.is_none() {
            for warning in self.work.reading.missing_columns(&rows) {
                self.work.progress.tally.warn(&warning, None);
            }
        }
        self.finish(&rows).await?;
        // This invocation, or one that died, may have stored items of identities that were erased since the import was planned.
        if self.remover.is_none() {
            let (planned, known) = (self.work.plan.planned(), &self.context.erasures);
            erasure::catch_up(self.app, planned, known, &mut self.work.progress.erased).await?;
        }
        self.rejects.put().await?;
        self.journal.put().await?;
        self.work.progress.rejects.append(&mut self.rejects.names);
        self.work.progress.last_row = self.preceding.to_text();
        self.work.progress.requests += self.writer.requests;
        self.work.progress.capacity_units += self.writer.capacity_units;
        self.work.progress.invocations += 1;
        Ok(self.work.progress)
    }

    /// Waits until all rows are written or removed, and counts them.
    async fn finish(&mut self, rows: &Rows) -> Result<(), IngestError> {
        let progress = &mut self.work.progress;
        if let Some(remover) = &mut self.remover {
            remover.finish().await?;
            progress.requests += remover.requests;
            progress.capacity_units += remover.capacity_units;
        }
        self.writer.finish().await?;
        self.account(rows).await
    }

    /// Reads rows until the range is done or the deadline passes, and writes them. Opens the object at byte `from` unless `source`
    /// is open.
    async fn read(
        &mut self,
        source: Option<Inflated<'a>>,
        rows: &mut Rows,
        from: u64,
        mut deadline: Deadline,
    ) -> Result<(), ReadError> {
        let Some(mut source) = self.source(source, from).await? else {
            return Ok(());
        };
        let mut at_end = false;
        let mut is_first_row = true;
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
                self.report_live().await;
                // An object that cannot be read from the middle is read from its start. Rows before the saved offset are already
                // counted.
                if row.offset < self.work.progress.offset {
                    continue;
                }
                if is_first_row {
                    deadline = deadline.for_attempt(self.work.earlier_attempts);
                    is_first_row = false;
                }
                if !self.row(rows, row, deadline).await? {
                    return Ok(());
                }
                self.save_position(rows, source.compressed_bytes());
                if deadline.is_past() {
                    return Ok(());
                }
            }
            if let Some(error) = rows.error() {
                self.end(Status::Rejected, error.clone());
                return Ok(());
            }
            if at_end || rows.is_over() {
                if at_end {
                    self.work.progress.skipped += rows.skipped_at_end();
                }
                self.work.progress.offset = self.work.progress.offset.max(rows.position());
                self.work.progress.done = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the object from byte `from` on; `None` if it is no longer available.
    async fn source(
        &mut self,
        source: Option<Inflated<'a>>,
        from: u64,
    ) -> Result<Option<Inflated<'a>>, ReadError> {
        let offset = self.work.progress.offset;
        if let Some(error) = self.content().exceeds_rescan_limit(offset) {
            return Err(ReadError::File(error));
        }
        Ok(match source {
            Some(source) => Some(source),
            None => self.open(from).await?,
        })
    }

    /// Records that the range is done up to the reader's position. `compressed` is how many bytes of a compressed object were
    /// read.
    fn save_position(&mut self, rows: &Rows, compressed: Option<u64>) {
        let progress = &mut self.work.progress;
        progress.offset = rows.position();
        progress.line = progress.line.and(Some(rows.line()));
        let plain = rows.position().saturating_sub(self.work.range.start);
        progress.consumed = progress.consumed.max(compressed.unwrap_or(plain));
    }

    /// Returns the properties of the object's content.
    const fn content(&self) -> Content {
        Content {
            layout: self.work.plan.layout,
            compressed: self.work.plan.compressed,
        }
    }

    /// Returns a reader for the rest of the range, and the byte of the object at which reading starts.
    fn rows(&self) -> (Rows, u64) {
        if self.content().is_splittable() {
            let Progress { offset, line, .. } = self.work.progress;
            let start = if offset == self.work.range.start {
                Start::Cut(offset)
            } else {
                Start::Value(offset)
            };
            let lines = Rows::lines(start, line, self.work.range.end);
            return (lines, offset.saturating_sub(1));
        }
        (self.work.reading.rows(self.work.plan.layout), 0)
    }

    /// Opens the object at byte `from`. If it is gone or superseded, ends the range with that problem and returns `None`.
    async fn open(&mut self, from: u64) -> Result<Option<Inflated<'a>>, IngestError> {
        match Body::open(&self.app.s3, &self.work.plan.object, from).await? {
            OpenResult::Open(body) if self.work.plan.compressed => {
                Ok(Some(Inflated::new(body).await?))
            }
            OpenResult::Open(body) => Ok(Some(Inflated::plain(body))),
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
        let skipped = row.skipped;
        let is_done = if let Reading::Mapped(mapped) = &self.work.reading {
            let records = mapped.records(rows, &row);
            self.records(rows, row, records).await?;
            true
        } else {
            let fields = self.work.reading.record(rows, &row);
            let mapped = fields.map_err(Rejection::from).and_then(|fields| {
                record::map_record(&self.context, self.version.at(row.offset), fields)
            });
            self.record(rows, row, mapped, deadline).await?
        };
        if is_done {
            self.work.progress.skipped += skipped;
            self.account(rows).await?;
        }
        Ok(is_done)
    }

    /// Imports the record of a row. Returns `false` only for a forget row that was not completed before the deadline.
    async fn record(
        &mut self,
        rows: &Rows,
        row: Row,
        mapped: Result<MappedRecord, Rejection>,
        deadline: Deadline,
    ) -> Result<bool, IngestError> {
        match mapped {
            Ok(mapped) => match &mapped.forget {
                Some(_) if self.work.plan.operation.is_some() => self.skip_erasure(&row),
                Some(forget) => {
                    if !self.forget(&row, forget, deadline).await? {
                        return Ok(false);
                    }
                    self.counting(rows).accept(&row, &mapped);
                }
                None => self.accept(rows, row.clone(), mapped).await?,
            },
            Err(rejection) => self.reject(rows, &row, &rejection).await?,
        }
        self.work.progress.counts.read += row.rows;
        Ok(true)
    }

    /// Counts a record, and writes or removes its items.
    async fn accept(
        &mut self,
        rows: &Rows,
        row: Row,
        mapped: MappedRecord,
    ) -> Result<(), IngestError> {
        if self.remover.is_some() {
            return self.remove(&row, &mapped).await;
        }
        self.counting(rows).accept(&row, &mapped);
        self.write(row, mapped).await
    }

    /// Passes the items of a row to the remover.
    async fn remove(&mut self, row: &Row, mapped: &MappedRecord) -> Result<(), IngestError> {
        let Some(remover) = &mut self.remover else {
            return Ok(());
        };
        let is_product = |write: &Write| write.key().1 == keys::PRODUCT;
        if mapped.writes.first().is_some_and(is_product) {
            self.work.progress.removed.products += row.count();
        }
        Ok(remover.add(row, mapped).await?)
    }

    /// Counts a forget row that a revert or a replay skips. What it erased stays erased: its markers are kept, so a replay has
    /// nothing to repeat.
    fn skip_erasure(&mut self, row: &Row) {
        let place = self.work.progress.place(row);
        let progress = &mut self.work.progress;
        progress.removed.skipped_erasures += row.count();
        let warning = Warning::whole(WarningCode::SkippedErasure);
        progress.tally.warn(&warning, Some(place));
    }

    /// Imports the records that a mapping made of a row. Counts records instead of rows.
    async fn records(
        &mut self,
        rows: &Rows,
        row: Row,
        records: Result<Records, RowError>,
    ) -> Result<(), IngestError> {
        let progress = &mut self.work.progress;
        let read = match records {
            Ok(records) if records.is_empty() => {
                progress.skipped += row.rows;
                return Ok(());
            }
            Ok(records) => records,
            Err(error) => vec![Err(error)],
        };
        progress.mapped_rows += row.rows;
        progress.counts.read += read.len() as u64;
        let version = self.version.at(row.offset);
        let map = |fields: Result<_, RowError>| record::map_record(&self.context, version, fields?);
        let mut mapped: Vec<_> = read.into_iter().map(map).collect();
        let replaced = replaced::keep_last(&mut mapped);
        for (number, mapped) in mapped.into_iter().enumerate() {
            let row = Row {
                record: Some(number),
                ..row.clone()
            };
            match mapped {
                Ok(left) if self.remover.is_some() => self.remove(&row, &left).await?,
                Ok(left) if replaced.contains(&number) => {
                    self.counting(rows).replace(&row);
                    self.write_rest(row, left).await?;
                }
                Ok(mapped) => self.accept(rows, row, mapped).await?,
                Err(rejection) => self.reject(rows, &row, &rejection).await?,
            }
        }
        Ok(())
    }

    /// Writes what is left of a record whose main item a later record of the row replaces.
    async fn write_rest(&mut self, row: Row, left: MappedRecord) -> Result<(), IngestError> {
        if left.writes.is_empty() && left.links.is_empty() {
            self.work.progress.counts.written += 1;
            return Ok(());
        }
        self.write(row, left).await
    }

    /// Returns where the records of `rows` are counted.
    fn counting<'b>(&'b mut self, rows: &'b Rows) -> Account<'b> {
        Account {
            progress: &mut self.work.progress,
            preceding: &mut self.preceding,
            reading: &self.work.reading,
            rows,
        }
    }

    /// Passes the items of a row to the writer. Counts the row as suppressed if none is left.
    async fn write(&mut self, row: Row, mapped: MappedRecord) -> Result<(), IngestError> {
        if !mapped.suppressed_links.is_empty() {
            erasure::delete(
                &self.app.table,
                &mapped.suppressed_links.iter().collect::<Vec<_>>(),
            )
            .await?;
        }
        if mapped.writes.is_empty() && mapped.links.is_empty() {
            self.work.progress.counts.suppressed += row.count();
            return Ok(());
        }
        self.work.progress.counts.truncated += u64::from(mapped.truncated);
        Ok(self.writer.add(row, mapped).await?)
    }

    /// Executes a forget row, after all rows before it are stored. Returns whether it was completed before the deadline.
    async fn forget(
        &mut self,
        row: &Row,
        forget: &Forget,
        deadline: Deadline,
    ) -> Result<bool, IngestError> {
        self.writer.finish().await?;
        let version = self.version.at(row.offset);
        let forget_row = ForgetRow {
            forget,
            version,
            expires_at: expiry_after(TARGET_DAYS),
            deadline,
        };
        let erased = &mut self.work.progress.erased;
        let executed =
            erasure::forget(self.app, forget_row, &mut self.context.erasures, erased).await?;
        let Some(executed) = executed else {
            return Ok(false);
        };
        let identities = &executed.identities;
        self.journal.add(forget, identities, version).await?;
        self.work.progress.exclude(executed.excluded);
        let counts = &mut self.work.progress.counts;
        if executed.is_stored {
            counts.written += 1;
        } else {
            counts.stale += 1;
        }
        Ok(true)
    }

    /// Counts the verdicts received since the last call, and adds rejected rows to the rejects.
    async fn account(&mut self, rows: &Rows) -> Result<(), IngestError> {
        if let Some(remover) = &mut self.remover {
            let removed = remover.take_removed();
            self.work.progress.removed.add(&removed);
        }
        for verdict in self.writer.take_verdicts() {
            match verdict {
                RowVerdict::Written(row) => self.work.progress.counts.written += row.count(),
                RowVerdict::Stale(row) => self.work.progress.counts.stale += row.count(),
                RowVerdict::Rejected(row, error) => self.reject(rows, &row, &error.into()).await?,
            }
        }
        Ok(())
    }

    /// Counts a rejected row and adds it to the rejects, unless those of the byte range are too many or too large. The first rows to be
    /// rejected are kept. The progress contains the counts and the size, so a continuation keeps the same rows as one invocation.
    async fn reject(
        &mut self,
        rows: &Rows,
        row: &Row,
        rejection: &Rejection,
    ) -> Result<(), IngestError> {
        if self.remover.is_some() {
            // The import has reported it.
            self.work.progress.counts.rejected += row.count();
            return Ok(());
        }
        let is_large = self.work.progress.reject_bytes >= MAX_RANGE_BYTES;
        let counts = &mut self.work.progress.counts;
        let is_full = is_large || counts.rejected - counts.rejects_omitted >= MAX_REJECTS;
        if is_full {
            counts.rejects_omitted += row.count();
        }
        self.work.progress.reject(row, rejection);
        if is_full {
            return Ok(());
        }
        let line = self.work.progress.place(row).line;
        // Mapping has consumed the fields. They are parsed again, because few rows are rejected.
        let (row, fields) = self.work.reading.rejected(rows, row);
        let is_erased = |fields: &Fields| record::names_erased(&self.context, self.version, fields);
        let given = match &fields {
            Some(fields) if is_erased(fields) => Given::Nothing,
            fields => Given::Row(fields.as_ref()),
        };
        let errors = &rejection.errors;
        self.work.progress.reject_bytes += self.rejects.add(&row, line, given, errors).await?;
        Ok(())
    }

    /// Logs the progress at most once per [`PROGRESS_LOG_INTERVAL`], for operators who wait for a large file. `start` and `offset` are
    /// bytes of the decompressed content; `size` is the size of the stored object.
    fn log_progress(&mut self) {
        if self.logged_at.elapsed() < PROGRESS_LOG_INTERVAL {
            return;
        }
        self.logged_at = Instant::now();
        tracing::info!(
            import = %self.work.plan.id(),
            version_id = self.work.plan.object.version_id,
            range = self.work.range.number,
            read = self.work.progress.counts.read,
            start = self.work.range.start,
            offset = self.work.progress.offset,
            size = self.work.plan.size,
            compressed = self.work.plan.compressed,
            "import under way"
        );
    }

    /// Stores the progress for readers of the list of imports, at most once per [`LIVE_INTERVAL`]. A failure is ignored: the saved
    /// progress does not depend on it.
    async fn report_live(&mut self) {
        if self.live_at.elapsed() < LIVE_INTERVAL {
            return;
        }
        self.live_at = Instant::now();
        let Work {
            plan,
            progress,
            range,
            ..
        } = &self.work;
        // Rows are read before they are written. What is read is reduced by the share of rows without a verdict.
        let read = progress.counts.read.max(1);
        let reduced = |number: u64| {
            let accounted = progress.counts.accounted() + progress.removed.accounted();
            let reduced = u128::from(number) * u128::from(accounted) / u128::from(read);
            u64::try_from(reduced).unwrap_or(number)
        };
        let mut live = Map::new();
        live.insert("at", shared::model::time::Instant::now().to_string());
        live.insert("bytes", reduced(progress.consumed));
        live.insert("rows", reduced(progress.rows(plan)));
        let put = self
            .app
            .table
            .put_live(plan.id(), range.number, &live, self.app.expiry());
        let _ = tokio::time::timeout(LIVE_TIMEOUT, put).await;
    }

    /// Ends the range early.
    fn end(&mut self, status: Status, error: FileError) {
        self.work.progress.done = true;
        self.work.progress.end = Some(EarlyEnd::new(status, error));
    }
}
