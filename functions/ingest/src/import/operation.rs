//! Executes operations on imports: reverts, previews of reverts, and replays. In: the plan of an operation, which is an import of its
//! own. Out: its outcome, and the operations that have to follow.
//!
//! The mark `reverted` in the plan of an import decides whether its rows are to be stored. Every invocation reads the mark after its
//! last write. If the mark contradicts what it did, it starts the operation that the mark demands once more. ADR 31 explains why the
//! result is right in every order of invocations.

use shared::{
    model::{
        operation::{Operation, OperationKind, Reverted},
        value::Map,
        version::ImportId,
    },
    table::{Checkpoint, Existing, NewOperation, PlanChange, StartResult, TableError},
};

use crate::{
    App, IngestError,
    counts::Removed,
    import::candidates::{self, Candidates},
    import::manifest::Manifest,
    import::outcome,
    import::plan::{EarlyEnd, Plan, Progress},
    report::Status,
    source::{FileError, FileErrorKind},
};

/// The maximum number of replays that are started concurrently.
const CONCURRENT_STARTS: usize = 16;
/// The maximum number of replays that an outcome lists.
const MAX_LISTED: usize = 100;
/// The maximum number of attempts to change the plan of an import, or the progress of its ranges, which other invocations change too.
const MAX_CONFLICTS: u32 = 10;

/// The import that an operation is about.
struct Original {
    stored: Map,
    plan: Plan,
}

/// Reads the plan of an import; `None` if it has expired.
async fn original(app: &App, import: ImportId) -> Result<Option<Original>, IngestError> {
    let Some(stored) = app.table.import(import).await?.plan else {
        return Ok(None);
    };
    let plan = Plan::from_map(&stored)?;
    Ok(Some(Original { stored, plan }))
}

/// Returns whether the plan is still current: whether the mark `reverted` of its import agrees with it. If the mark demands the
/// opposite, starts that operation again, because this invocation may have written after that operation had passed.
///
/// Read the plan of a dropped file after the last write of this invocation. The plan of an operation's import is read here.
pub(crate) async fn is_current(app: &App, plan: &Plan) -> Result<bool, IngestError> {
    let Some(own) = plan.operation else {
        if plan.reverted.is_some() {
            revert_again(app, plan.import()).await?;
            return Ok(false);
        }
        return Ok(true);
    };
    if own.kind == OperationKind::Preview {
        return Ok(true);
    }
    let original = original(app, own.of).await?;
    let reverted = original
        .as_ref()
        .and_then(|found| found.plan.reverted.as_ref());
    match (own.kind, reverted, &original) {
        (OperationKind::Revert, Some(Reverted { import, .. }), _) if *import == own.id => {
            return Ok(true);
        }
        (OperationKind::Replay, None, Some(_)) => return Ok(true),
        (OperationKind::Replay, Some(_), _) => revert_again(app, own.of).await?,
        (OperationKind::Revert, None, Some(found)) => {
            let again = Operation::new(OperationKind::Replay, own.of, &nonce());
            start(app, again, &found.stored, PlanChange::Replay).await?;
        }
        _ => {}
    }
    put_superseded(app, plan).await?;
    Ok(false)
}

/// Returns a random nonce.
fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Starts the revert of an import again, in place of the revert that the mark names. Does nothing if the mark was removed.
async fn revert_again(app: &App, of: ImportId) -> Result<(), IngestError> {
    let again = Operation::new(OperationKind::Revert, of, &nonce());
    for _ in 0..MAX_CONFLICTS {
        let Some(Original { stored, plan }) = original(app, of).await? else {
            return Ok(());
        };
        let Some(reverted) = plan.reverted else {
            return Ok(());
        };
        let change = PlanChange::RevertAgain {
            seen: reverted.import,
        };
        if start(app, again, &stored, change).await? {
            tracing::warn!(import = %of, revert = %again.id, "the import is reverted again, because a late invocation may have stored rows");
            return Ok(());
        }
    }
    Err(kept_changing("the revert of an import kept changing"))
}

/// Starts an operation, unless it was started before. Returns `false` if the import has changed, so that it must not be started.
pub(crate) async fn start(
    app: &App,
    operation: Operation,
    stored: &Map,
    change: PlanChange<'_>,
) -> Result<bool, IngestError> {
    let new = NewOperation {
        operation,
        plan: stored,
        change,
        created_by: None,
        denied: &[],
        expires_at: app.expiry(),
    };
    let StartResult::Started(plan) = app.table.start_operation(new).await? else {
        return Ok(false);
    };
    let first = Manifest {
        import: operation.id,
        range: 0,
        offset: 0,
    };
    first.put(&app.s3, &Plan::from_map(&plan)?).await?;
    Ok(true)
}

/// Ends the unfinished ranges of an import as failed, so that no later invocation saves progress. A dead-lettered import has such
/// ranges, and its events can be redriven.
pub(crate) async fn end_unfinished_ranges(app: &App, of: ImportId) -> Result<(), IngestError> {
    for _ in 0..MAX_CONFLICTS {
        let items = app.table.import(of).await?;
        let Some(plan) = &items.plan else {
            return Ok(());
        };
        let plan = Plan::from_map(plan)?;
        let mut has_ended = true;
        for number in 0..plan.starts.len() {
            let Some(mut progress) = Progress::of(&plan, &items, number)? else {
                continue;
            };
            if progress.done && !progress.is_lost() {
                continue;
            }
            let before = progress.before(&items, number);
            let detail = "The import was reverted before it had ended.";
            let error = FileError::new(FileErrorKind::RevertedEarly, detail);
            progress.done = true;
            progress.end = Some(EarlyEnd::new(Status::Failed, error));
            let checkpoint = Checkpoint {
                range: number,
                before,
                data: &progress.to_map()?,
                expires_at: app.expiry(),
            };
            has_ended &= app.table.checkpoint(of, checkpoint).await?;
        }
        if has_ended {
            return Ok(());
        }
    }
    Err(kept_changing("the progress of an import kept changing"))
}

/// Returns the error of a change that other invocations overtook in every attempt.
fn kept_changing(reason: &'static str) -> IngestError {
    IngestError::Table(TableError::Unavailable(reason.into()))
}

/// Ends an operation whose ranges are all done. After a revert, starts the replays of older imports first.
pub(crate) async fn finish(
    app: &App,
    plan: &Plan,
    own: Operation,
    ranges: &[Progress],
) -> Result<(), IngestError> {
    let mut removed = Removed::default();
    for range in ranges {
        removed.add(&range.removed);
    }
    let report = outcome::from_progress(plan, ranges);
    let mut stored = report.to_outcome(&plan.object)?;
    stored.insert("size", plan.size);
    stored.insert("skipped_erasures", removed.skipped_erasures);
    if own.kind != OperationKind::Replay {
        for (name, count) in [
            ("deleted", removed.deleted),
            ("replaced_since", removed.replaced_since),
            ("not_found", removed.not_found),
        ] {
            stored.insert(name, count);
        }
        let found = match report.problem {
            // Nothing, or only a part, was reverted.
            Some(_) => Candidates::default(),
            None => candidates::find(app, plan, &removed).await?,
        };
        if own.kind == OperationKind::Revert {
            replay(app, own, &found).await?;
        }
        stored.insert("replays", found.to_map(MAX_LISTED));
    }
    app.table
        .put_outcome(own.id, &stored, Existing::Replace, app.expiry())
        .await?;
    report.log();
    Ok(())
}

/// Starts the replays of imports. The ID of a replay depends on the revert, so ending the revert twice starts each replay once.
async fn replay(app: &App, revert: Operation, found: &Candidates) -> Result<(), IngestError> {
    let nonce = revert.id.to_string();
    for group in found.imports.chunks(CONCURRENT_STARTS) {
        let starts = group.iter().map(|(import, stored)| {
            let operation = Operation::new(OperationKind::Replay, *import, &nonce);
            // Skips an import that was reverted after it was listed.
            start(app, operation, stored, PlanChange::Replay)
        });
        futures::future::try_join_all(starts).await?;
    }
    Ok(())
}

/// Puts the outcome of an operation that another one has replaced, unless it has ended.
async fn put_superseded(app: &App, plan: &Plan) -> Result<(), IngestError> {
    let detail = "A later revert or replay of the import replaced this one.";
    let error = FileError::new(FileErrorKind::OperationSuperseded, detail);
    let report = outcome::from_progress(plan, &[]).with_problem(Status::Superseded, error);
    let stored = report.to_outcome(&plan.object)?;
    app.table
        .put_outcome(plan.id(), &stored, Existing::Keep, app.expiry())
        .await?;
    Ok(())
}
