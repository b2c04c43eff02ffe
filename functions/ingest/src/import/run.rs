//! Handles one notification. A dropped object is planned once, and its first range is begun. A manifest continues a range.
//!
//! ADR 6 explains why every interleaving of invocations, and the death of any of them, has the same result.

use shared::{
    model::{
        operation::{Operation, OperationKind},
        version::ImportId,
    },
    runtime::audit::Outcome,
    table::{Before, Checkpoint, Existing, ImportItems},
};

use crate::{
    App, IngestError, audit,
    counts::Erased,
    deadline::Deadline,
    erasure,
    import::choice::{Chosen, choose},
    import::drop_key::{DropKey, Folder, is_ignored},
    import::inspect::Inspected,
    import::list,
    import::manifest::{self, Manifest},
    import::open::{Inspection, open},
    import::operation,
    import::outcome,
    import::plan::{self, Content, EarlyEnd, Plan, Progress},
    import::range::{Run, Work},
    import::reading::Reading,
    record::Erasures,
    report::measure,
    report::{Report, Status},
    source::inflate::Inflated,
    source::notification::ObjectVersion,
    source::object::OpenResult,
    source::{FileError, FileErrorKind},
    text::grouped,
};

/// The maximum number of invocations for one range. Each makes progress, but this alone does not bound the size of a file.
const MAX_INVOCATIONS: u64 = 10_000;

/// Returns the import that a notification's object belongs to: its own, or the one that its manifest names.
pub(crate) fn import_of(object: &ObjectVersion) -> ImportId {
    let is_manifest = object.key.starts_with(manifest::PREFIX);
    is_manifest
        .then(|| Manifest::parse(&object.key))
        .flatten()
        .map_or_else(|| object.import(), |manifest| manifest.import)
}

/// Imports the object named by a notification, or continues the import if the object is a manifest.
pub(crate) async fn run(
    app: &App,
    object: &ObjectVersion,
    deadline: Deadline,
) -> Result<(), IngestError> {
    if object.key.starts_with(manifest::PREFIX) {
        return match Manifest::parse(&object.key) {
            Some(manifest) => resume(app, object, manifest, deadline).await,
            None => Ok(()),
        };
    }
    if is_ignored(object) {
        tracing::info!(import = %object.import(), "object ignored: its name, or that of a folder, marks it as hidden");
        return Ok(());
    }
    begin(app, object, deadline).await
}

/// Plans the import of a dropped object and begins its first range.
async fn begin(app: &App, object: &ObjectVersion, deadline: Deadline) -> Result<(), IngestError> {
    let import = object.import();
    // First, so that the list also contains files that are never planned.
    let denied = list::add(app, object).await?;
    let drop = match DropKey::parse(&object.key) {
        Ok(drop) => drop,
        Err(error) => {
            return report_unread(app, object, Status::Rejected, error).await;
        }
    };
    let chosen = match choose(app, object, &drop).await? {
        Ok(chosen) => chosen,
        Err(error) => return report_unread(app, object, Status::Rejected, error).await,
    };
    let (opened, inspected) = match open_or_count(app, object, &drop, &chosen).await? {
        OpenResult::Open(opened) => opened,
        // The import was planned before. Its stored progress stays valid.
        _ if app.table.import(import).await?.plan.is_some() => {
            return continue_range(app, object, import, 0, deadline).await;
        }
        OpenResult::Gone => return report_gone(app, object).await,
        OpenResult::Superseded => return report_superseded(app, object).await,
    };
    let (layout, contents) = match inspected {
        Ok(Inspected::Content(layout, contents)) => (layout, contents),
        Ok(Inspected::Empty) => return put_first(app, object, &outcome::empty(object)).await,
        Err(error) => return report_unread(app, object, Status::Rejected, error).await,
    };
    let content = Content {
        layout,
        compressed: opened.stream.is_compressed(),
    };
    // Decompressed content is at least as large as the stored object, so the limit applies to the stored size too.
    if let Some(error) = content.exceeds_rescan_limit(opened.size) {
        return report_unread(app, object, Status::Rejected, error).await;
    }
    let erasures = erasure::read(app).await?;
    let mut plan = opened.plan(object, layout, chosen.of(contents));
    plan.erasure_changes = erasures.changes();
    plan.starts = plan::starts(opened.size, app.chunk_bytes, content);
    plan.denied = denied;
    plan.new_among = app.new_among(plan.source(&drop)).await?;
    // Before the plan is stored: after that, no repeated event would write the line.
    audit::import(object, &key_parts(object), Outcome::Ok);
    if !app
        .table
        .put_plan(import, &plan.to_map()?, app.expiry())
        .await?
    {
        // The event is a duplicate, or an earlier invocation for it died. The plan that is already stored applies.
        return continue_range(app, object, import, 0, deadline).await;
    }
    enqueue_ranges(app, &plan, &ImportItems::default()).await?;
    start(app, &plan, &drop, (*opened.stream, erasures), deadline).await
}

/// Reports an object whose version was deleted before it was read.
async fn report_gone(app: &App, object: &ObjectVersion) -> Result<(), IngestError> {
    let detail = "The object version was deleted before it was read. Drop the file again.";
    let problem = FileError::new(FileErrorKind::ObjectGone, detail);
    report_unread(app, object, Status::Failed, problem).await
}

/// Reports an object that another one replaced before it was read.
async fn report_superseded(app: &App, object: &ObjectVersion) -> Result<(), IngestError> {
    let detail = "Another object replaced this one before it was read. Drop the file again.";
    let problem = FileError::new(FileErrorKind::ObjectSuperseded, detail);
    report_unread(app, object, Status::Superseded, problem).await
}

/// Begins the first range of an import that was just planned.
async fn start(
    app: &App,
    plan: &Plan,
    drop: &DropKey,
    opened: (Inflated<'_>, Erasures),
    deadline: Deadline,
) -> Result<(), IngestError> {
    let Some(range) = plan.range(0) else {
        return Ok(());
    };
    let work = Work {
        plan,
        drop,
        reading: reading(app, plan, drop)?,
        range,
        progress: Progress::at_start(plan, range),
        earlier_attempts: 0,
    };
    let before = Before::NotBegun(range.start);
    import_range(app, work, before, Some(opened), deadline).await
}

/// Returns how the rows of a planned import become records.
fn reading(app: &App, plan: &Plan, drop: &DropKey) -> Result<Reading, IngestError> {
    let reading = Reading::new(plan, drop, app.identifiers);
    // The mapping was valid when the import was planned, by another release.
    reading.map_err(|_| IngestError::OtherForm)
}

/// Writes the report of a file of which nothing is read, unless there is a report.
async fn report_unread(
    app: &App,
    object: &ObjectVersion,
    status: Status,
    problem: FileError,
) -> Result<(), IngestError> {
    let report = outcome::unread(object).with_problem(status, problem);
    put_first(app, object, &report).await
}

/// Puts the report of a file of which nothing is read, unless there is a report.
async fn put_first(app: &App, object: &ObjectVersion, report: &Report) -> Result<(), IngestError> {
    let outcome = match report.status {
        Status::Rejected => Outcome::Invalid,
        Status::Failed | Status::Superseded => Outcome::Failed,
        _ => Outcome::Ok,
    };
    let mut parts = key_parts(object);
    if !DropKey::parse(&object.key).is_ok_and(|drop| drop.folder != Folder::Mapping) {
        // Nothing shows that there is a mapping of this name, so it may be any name.
        parts.import_type.clear();
    }
    audit::import(object, &parts, outcome);
    let outcome = report.to_outcome(object)?;
    app.table
        .put_outcome(object.import(), &outcome, Existing::Keep, app.expiry())
        .await?;
    if report.put_first(&app.s3, object).await? {
        measure::import(report, None);
    }
    Ok(())
}

/// Returns the parts of the key of a dropped object, for its audit line.
fn key_parts(object: &ObjectVersion) -> audit::KeyParts {
    match DropKey::parse(&object.key) {
        Ok(drop) => audit::KeyParts {
            upload: drop.upload.map(|id| id.to_string()).unwrap_or_default(),
            import_type: drop.name,
        },
        Err(_) => audit::KeyParts::default(),
    }
}

/// Opens a dropped object. Counts a failure as an attempt at the import.
async fn open_or_count<'a>(
    app: &'a App,
    object: &'a ObjectVersion,
    drop: &DropKey,
    chosen: &Chosen,
) -> Result<OpenResult<Inspection<'a>>, IngestError> {
    match open(app, object, drop, chosen).await {
        Ok(opened) => Ok(opened),
        Err(error) => {
            let import = object.import();
            let failures = app.table.count_attempt(import, 0, app.expiry()).await?;
            warn_last_attempt(app, import, 0, failures);
            Err(error)
        }
    }
}

/// Continues a range from the offset in its manifest. If the range is past that offset, schedules its rest or reports.
async fn resume(
    app: &App,
    object: &ObjectVersion,
    manifest: Manifest,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let items = app.table.import(manifest.import).await?;
    if let Some(plan) = &items.plan {
        let plan = Plan::from_map(plan)?;
        if plan.operation.is_some() && manifest.range == 0 && plan::stored(&items, 0).is_none() {
            begin_operation(app, &plan, &items).await?;
        }
        let progress = Progress::of(&plan, &items, manifest.range)?;
        if progress.is_some_and(|progress| !progress.done && progress.offset == manifest.offset) {
            continue_range(app, object, manifest.import, manifest.range, deadline).await?;
        } else {
            purge(app, &plan).await?;
            finish_range(app, &plan, &items, manifest.range).await?;
        }
    }
    manifest.delete(&app.s3, &object.bucket).await
}

/// Begins an operation: from now on, no other invocation changes the progress of an import that is reverted. Puts the manifests
/// of all ranges but the first.
async fn begin_operation(app: &App, plan: &Plan, items: &ImportItems) -> Result<(), IngestError> {
    if let Some(Operation {
        kind: OperationKind::Revert,
        of,
        ..
    }) = plan.operation
    {
        operation::end_unfinished_ranges(app, of).await?;
    }
    enqueue_ranges(app, plan, items).await
}

/// Continues a range from its stored progress.
///
/// For a dropped object, also puts the manifests of all other unfinished ranges again. If its own range is past the start, only
/// schedules the rest of that range or reports.
async fn continue_range(
    app: &App,
    object: &ObjectVersion,
    import: ImportId,
    number: usize,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let items = app.table.import(import).await?;
    let Some(plan) = &items.plan else {
        return Ok(());
    };
    let plan = Plan::from_map(plan)?;
    let is_drop = !object.key.starts_with(manifest::PREFIX);
    let Some(progress) = Progress::of(&plan, &items, number)? else {
        return Ok(());
    };
    if !operation::is_current(app, &plan).await? {
        return Ok(());
    }
    if is_drop {
        enqueue_ranges(app, &plan, &items).await?;
        if progress.offset > 0 || progress.done {
            purge(app, &plan).await?;
            return finish_range(app, &plan, &items, number).await;
        }
    }
    let Ok(drop) = DropKey::parse(&plan.object.key) else {
        return Ok(());
    };
    // The first attempt at a dropped object is not counted, to save one write for every file.
    let attempts = app
        .table
        .count_attempt(import, number, app.expiry())
        .await?
        + u64::from(is_drop);
    warn_last_attempt(app, import, number, attempts);
    let before = progress.before(&items, number);
    let Some(range) = plan.range(number) else {
        return Ok(());
    };
    let work = Work {
        plan: &plan,
        drop: &drop,
        reading: reading(app, &plan, &drop)?,
        range,
        progress,
        earlier_attempts: attempts - 1,
    };
    import_range(app, work, before, None, deadline).await
}

/// Warns that the event of a range goes to the failure queue if this attempt fails.
///
/// There is no report in that case. The event can be sent again, and the import continues from the stored progress. Duplicate
/// events share their attempts, so another attempt may remain.
fn warn_last_attempt(app: &App, import: ImportId, range: usize, attempts: u64) {
    if attempts > app.max_retries {
        tracing::warn!(%import, range, attempts, "this attempt may be the last; if it fails, the event goes to the failure queue");
    }
}

/// Imports a byte range, saves its progress and schedules the rest.
///
/// `before` is what is stored of the range's progress. If this invocation has just planned the import, `opened` is the object from
/// its start, and the erasures read before the import was planned.
async fn import_range<'a>(
    app: &'a App,
    work: Work<'a>,
    before: Before,
    opened: Option<(Inflated<'a>, Erasures)>,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let (plan, number, start) = (work.plan, work.range.number, work.progress.offset);
    let (source, erasures) = match opened {
        Some((source, erasures)) => (Some(source), erasures),
        None => (None, erasure::read(app).await?),
    };
    let run = Run::new(app, work, erasures);
    let mut progress = run.run(source, deadline).await?;
    if !progress.done && progress.offset == start {
        return Err(IngestError::NoProgress);
    }
    if !progress.done && progress.invocations >= MAX_INVOCATIONS {
        progress.done = true;
        let detail = format!(
            "The import did not finish within {} invocations, the limit. Split the file, and drop the parts.",
            grouped(MAX_INVOCATIONS)
        );
        let error = FileError::new(FileErrorKind::TooManyInvocations, detail);
        progress.end = Some(EarlyEnd::new(Status::Failed, error));
    }
    let checkpoint = Checkpoint {
        range: number,
        before,
        data: &progress.to_map()?,
        expires_at: app.expiry(),
    };
    let is_saved = app.table.checkpoint(plan.id(), checkpoint).await?;
    // An operation may have been replaced by another one meanwhile, which reading the plans shows.
    if is_saved && progress.done && plan.starts.len() == 1 && plan.operation.is_none() {
        return report(app, plan, &[progress]).await;
    }
    let items = app.table.import(plan.id()).await?;
    finish_range(app, plan, &items, number).await
}

/// Deletes items of identities that were erased since the import was planned. Another invocation for the same range may have
/// stored them before it died.
async fn purge(app: &App, plan: &Plan) -> Result<(), IngestError> {
    if matches!(
        plan.kind(),
        Some(OperationKind::Revert | OperationKind::Preview)
    ) {
        return Ok(());
    }
    let (known, mut erased) = (Erasures::default(), Erased::default());
    erasure::catch_up(app, plan.planned(), &known, &mut erased).await
}

/// Schedules the rest of a range: puts its next manifest or, if all ranges are done, the report. `items` must have been read after the
/// last write of this invocation.
async fn finish_range(
    app: &App,
    plan: &Plan,
    items: &ImportItems,
    number: usize,
) -> Result<(), IngestError> {
    let stored = items.plan.as_ref().map(Plan::from_map).transpose()?;
    let plan = stored.as_ref().unwrap_or(plan);
    if !operation::is_current(app, plan).await? {
        return Ok(());
    }
    let Some(progress) = Progress::of(plan, items, number)? else {
        return Ok(());
    };
    if !progress.done {
        let manifest = Manifest {
            import: plan.id(),
            range: number,
            offset: progress.offset,
        };
        return manifest.put(&app.s3, plan).await;
    }
    let ranges = Progress::all(plan, items)?;
    if ranges.iter().all(|range| range.done) {
        match plan.operation {
            Some(own) => operation::finish(app, plan, own, &ranges).await?,
            None => report(app, plan, &ranges).await?,
        }
    }
    Ok(())
}

/// Puts a manifest for every unfinished range except the first.
async fn enqueue_ranges(app: &App, plan: &Plan, items: &ImportItems) -> Result<(), IngestError> {
    let left = Progress::all(plan, items)?
        .into_iter()
        .enumerate()
        .skip(1)
        .filter(|(_, range)| !range.done);
    let manifests = left.map(|(range, progress)| async move {
        let manifest = Manifest {
            import: plan.id(),
            range,
            offset: progress.offset,
        };
        manifest.put(&app.s3, plan).await
    });
    futures::future::try_join_all(manifests).await?;
    Ok(())
}

/// Puts the report of an import whose ranges are all done.
///
/// A range that ended because its object was lost may still make progress, through an invocation that had read the object. That
/// invocation may have put its report before this one. The progress is therefore read again until it matches the report.
async fn report(app: &App, plan: &Plan, ranges: &[Progress]) -> Result<(), IngestError> {
    let mut reported = ranges.to_vec();
    let mut is_first = false;
    loop {
        let report = outcome::from_progress(plan, &reported).with_remaining_copies(&app.retention);
        let mut outcome = report.to_outcome(&plan.object)?;
        outcome.insert("size", plan.size);
        outcome.insert("bytes", outcome::consumed(plan, &report, &reported));
        app.table
            .put_outcome(plan.import(), &outcome, Existing::Replace, app.expiry())
            .await?;
        is_first |= report.put(&app.s3, &plan.object).await?;
        let current = if reported.iter().any(Progress::is_lost) {
            Progress::all(plan, &app.table.import(plan.id()).await?)?
        } else {
            reported.clone()
        };
        if current == reported || current.iter().any(|range| !range.done) {
            if is_first {
                measure::import(&report, Some(plan.last_modified));
            }
            return Ok(());
        }
        reported = current;
    }
}
