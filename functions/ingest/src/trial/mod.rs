//! Tries files under `try/`. In: the object that a notification names. Out: a report of what an import of the file would do, with the
//! first records and the profiles that they would show. Nothing is stored but the report.

mod sample;

use crate::{
    App, IngestError,
    deadline::Deadline,
    erasure,
    import::{
        self,
        account::Account,
        choice::choose,
        drop_key::{DropKey, is_ignored},
        inspect::Inspected,
        list, outcome,
        plan::{EarlyEnd, Plan, Progress},
        reading::Reading,
        replaced::{self, Preceding},
    },
    record::{self, Context, Erasures, MappedRecord, Rejection},
    report::{Report, Status, keys_of},
    rows::{Fields, Row, Rows, Warning, WarningCode},
    source::{
        FileError, FileErrorKind,
        inflate::{Inflated, ReadError},
        notification::ObjectVersion,
        object::{Body, OpenResult},
    },
};
use sample::{Linked, Sample};

/// The key prefix of files to try.
pub(crate) const PREFIX: &str = "try/";
/// The maximum number of decompressed bytes that are tried.
const MAX_BYTES: u64 = 64 << 20;

/// A file that is tried, and what all of its rows share.
struct Trial<'a> {
    app: &'a App,
    plan: Plan,
    source: String,
    reading: Reading,
    erasures: Erasures,
}

/// Tries the object that a notification names, and puts the report.
pub(crate) async fn run(
    app: &App,
    object: &ObjectVersion,
    deadline: Deadline,
) -> Result<(), IngestError> {
    if is_ignored(object) {
        return Ok(());
    }
    let (report, sample) = match open(app, object).await? {
        Ok((trial, first)) => trial.run(first, deadline).await?,
        Err(report) => (*report, Sample::default()),
    };
    sample.put(app, object, report).await
}

/// Opens a file to try. The inner error is the report of a file of which nothing is read.
async fn open<'a>(
    app: &'a App,
    object: &'a ObjectVersion,
) -> Result<Result<(Trial<'a>, Inflated<'a>), Box<Report>>, IngestError> {
    let failed = |status, problem| {
        let report = outcome::unread(object).with_problem(status, problem);
        Ok(Err(Box::new(report)))
    };
    let drop = match DropKey::parse(&object.key) {
        Ok(drop) => drop,
        Err(error) => return failed(Status::Rejected, error),
    };
    let chosen = match choose(app, object, &drop).await? {
        Ok(chosen) => chosen,
        Err(error) => return failed(Status::Rejected, error),
    };
    let (opened, inspected) = match import::open::open(app, object, &drop, &chosen).await? {
        OpenResult::Open(opened) => opened,
        OpenResult::Gone | OpenResult::Superseded => {
            let detail =
                "The object was deleted or replaced before it was read. Put the file again.";
            let problem = FileError::new(FileErrorKind::ObjectGone, detail);
            return failed(Status::Failed, problem);
        }
    };
    let (layout, contents) = match inspected {
        Ok(Inspected::Content(layout, contents)) => (layout, contents),
        Ok(Inspected::Empty) => return Ok(Err(Box::new(outcome::empty(object)))),
        Err(error) => return failed(Status::Rejected, error),
    };
    let mut plan = opened.plan(object, layout, chosen.of(contents));
    plan.denied = list::denied(app, &drop).await?;
    let reading =
        Reading::new(&plan, &drop, app.identifiers).map_err(|_| IngestError::OtherForm)?;
    let trial = Trial {
        app,
        source: plan.source(&drop).to_owned(),
        plan,
        reading,
        erasures: erasure::read(app).await?,
    };
    Ok(Ok((trial, *opened.stream)))
}

/// The records of a row.
struct Tried {
    /// Their fields, as far as they can be read.
    fields: Vec<Option<Fields>>,
    /// What they would store.
    mapped: Vec<Result<MappedRecord, Rejection>>,
    /// The numbers of those whose main item a later record replaces.
    replaced: Vec<usize>,
}

/// How far a file was read.
enum End {
    /// To its end.
    Whole,
    /// To a limit.
    Part,
    /// To an error.
    Error(FileError),
}

impl Trial<'_> {
    /// Reads the file twice: first to count its records, and then to collect what the profiles of the first records consist of.
    async fn run(
        self,
        first: Inflated<'_>,
        deadline: Deadline,
    ) -> Result<(Report, Sample), IngestError> {
        let mut progress = Progress {
            line: Some(1),
            ..Progress::default()
        };
        let mut sample = Sample::default();
        let mut linked = Linked::default();
        let mut preceding = Preceding::default();
        let read = self.read(first, deadline, |rows, row| {
            let mut counting = Account {
                progress: &mut progress,
                preceding: &mut preceding,
                reading: &self.reading,
                rows,
            };
            self.count(&mut counting, &row, &mut sample, &mut linked);
        });
        let (end, rows) = read.await?;
        for warning in self.reading.missing_columns(&rows) {
            progress.tally.warn(&warning, None);
        }
        match end {
            End::Whole => {
                progress.consumed = self.plan.size;
                progress.skipped += rows.skipped_at_end();
            }
            End::Part => {
                progress.consumed = self.plan.size;
                let warning = Warning::whole(WarningCode::PartTried);
                progress.tally.warn(&warning, None);
            }
            End::Error(error) => progress.end = Some(EarlyEnd::new(Status::Rejected, error)),
        }
        sample.members = linked.members_of(&sample.identities);
        if !sample.members.is_empty()
            && let OpenResult::Open(body) = Body::open(&self.app.s3, &self.plan.object, 0).await?
        {
            let second = Inflated::new(body).await?;
            let read = self.read(second, deadline, |rows, row| {
                let records = self.records(rows, &row).mapped.into_iter();
                for mapped in records.flatten() {
                    sample.collect(&mapped);
                }
            });
            read.await?;
        }
        Ok((outcome::from_progress(&self.plan, &[progress]), sample))
    }

    /// Reads the rows of the file, up to the limits. Returns the reader as it is then.
    async fn read(
        &self,
        mut source: Inflated<'_>,
        deadline: Deadline,
        mut visit: impl FnMut(&Rows, Row),
    ) -> Result<(End, Rows), IngestError> {
        let mut rows = self.reading.rows(self.plan.layout);
        let mut at_end = false;
        let end = loop {
            match source.next().await {
                Ok(Some(chunk)) => rows.push(&chunk),
                Ok(None) => at_end = true,
                Err(ReadError::File(error)) => break End::Error(error),
                Err(ReadError::Ingest(error)) => return Err(error),
            }
            while let Some(row) = rows
                .next()
                .or_else(|| at_end.then(|| rows.finish()).flatten())
            {
                visit(&rows, row);
                if rows.position() > MAX_BYTES || deadline.is_past() {
                    return Ok((End::Part, rows));
                }
            }
            if let Some(error) = rows.error() {
                break End::Error(error.clone());
            }
            if at_end {
                break End::Whole;
            }
        };
        Ok((end, rows))
    }

    /// Returns the records of a row.
    fn records(&self, rows: &Rows, row: &Row) -> Tried {
        let context = Context {
            key: &self.app.key,
            identifiers: self.app.identifiers,
            source: &self.source,
            record_type: self.reading.record_type(),
            last_modified: self.plan.last_modified,
            erasures: self.erasures.clone(),
            retention: self.app.retention,
            denied: &self.plan.denied,
        };
        let read = match self.reading.records(rows, row) {
            Ok(records) => records,
            Err(error) => vec![Err(error)],
        };
        let version = self.plan.version().at(row.offset);
        let fields = read.iter().map(|fields| fields.as_ref().ok().cloned());
        let fields = fields.collect();
        let mapped = read
            .into_iter()
            .map(|fields| record::map_record(&context, version, fields?));
        let mut mapped: Vec<_> = mapped.collect();
        let replaced = replaced::keep_last(&mut mapped);
        Tried {
            fields,
            mapped,
            replaced,
        }
    }

    /// Counts the records of a row as an import would. No record is stale, because nothing is read from the table.
    fn count(
        &self,
        counting: &mut Account<'_>,
        row: &Row,
        sample: &mut Sample,
        linked: &mut Linked,
    ) {
        let Tried {
            fields,
            mapped: records,
            replaced,
        } = self.records(counting.rows, row);
        let progress = &mut *counting.progress;
        progress.skipped += row.skipped;
        if records.is_empty() {
            progress.skipped += row.rows;
            return;
        }
        let is_mapped = matches!(self.reading, Reading::Mapped(_));
        progress.mapped_rows += if is_mapped { row.rows } else { 0 };
        for (number, (fields, mapped)) in fields.into_iter().zip(records).enumerate() {
            let row = Row {
                record: is_mapped.then_some(number),
                ..row.clone()
            };
            counting.progress.counts.read += row.count();
            match &mapped {
                Ok(_) if replaced.contains(&number) => counting.replace(&row),
                Ok(record) => counting.accept(&row, record),
                Err(rejection) => counting.progress.reject(&row, rejection),
            }
            let counts = &mut counting.progress.counts;
            if let Ok(record) = &mapped {
                let is_left_out = record.writes.is_empty()
                    && record.links.is_empty()
                    && record.forget.is_none()
                    && !replaced.contains(&number);
                if is_left_out {
                    counts.suppressed += row.count();
                } else {
                    counts.written += row.count();
                }
                counts.truncated += u64::from(record.truncated);
                linked.add(record);
            }
            let place = counting.progress.place(&row);
            sample.add(place, fields, &mapped);
        }
    }
}

/// Returns the key of the report of a file that was tried.
fn report_key(object: &ObjectVersion) -> String {
    keys_of(object).report()
}
