//! Handles `POST /imports/{id}/revert` and `POST /imports/{id}/replay`: starts an operation on an import. Ingest executes it.

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use shared::{
    http::{
        self, Call, Field,
        problem::{Kind, Problem},
    },
    model::{
        drop_path::DropPath,
        import::{EntryId, EntryKind, state_expiry},
        keys,
        operation::{Operation, OperationKind, Reverted},
        time::Instant,
        value::Map,
        version::ImportId,
    },
    table::{ImportItems, NewOperation, PlanChange, StartResult},
};

use crate::{
    body,
    bucket::Bucket,
    document, show,
    status::{self, State},
};

/// Starts the revert of an import, or its preview.
pub(crate) async fn revert(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let kind = if call.parameters(&["preview"])?.flag("preview")? {
        call.audit(Field::Mode, "preview");
        OperationKind::Preview
    } else {
        OperationKind::Revert
    };
    operate(bucket, call, kind).await
}

/// Starts the replay of an import.
pub(crate) async fn replay(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    operate(bucket, call, OperationKind::Replay).await
}

/// Starts an operation, unless an earlier request with the same idempotency key has.
async fn operate(
    bucket: &Bucket,
    call: &Call<'_>,
    kind: OperationKind,
) -> Result<Response<Body>, Problem> {
    let idempotency_key = http::idempotency_key(call.request, kind.as_str())?;
    let of = import(call).await?;
    call.audit(Field::Import, of);
    let items = call.app.table.import(of).await?;
    let plan = require_plan(&items, kind)?;
    call.audit(Field::ImportType, folder(plan));
    body::require_scopes(call.principal, folder(plan))?;
    let nonce = keys::request_hash(&call.principal.subject, idempotency_key);
    let operation = Operation::new(kind, of, &nonce);
    call.audit(Field::Operation, operation.id);
    let mut started = call.app.table.import(operation.id).await?;
    if started.plan.is_none() {
        let seen = require_idle(call, kind, &items, plan).await?;
        started.plan = Some(start(call, operation, plan, seen).await?);
    }
    // An earlier request may have died before it put the manifest. Once the operation has begun, a second manifest has no effect.
    if started.outcome.is_none() {
        bucket.put_manifest(operation.id).await?;
    }
    let id = operation.id.to_string();
    let mut document = document::of_items(&id, &started).ok_or_else(show::not_found)?;
    document::add_items(&mut document, &started, show::now(call));
    let mut response = http::json(StatusCode::ACCEPTED, &document)?;
    if let Ok(location) = HeaderValue::from_str(&format!("/imports/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Returns the import that the path names, by its own id or by that of its upload.
async fn import(call: &Call<'_>) -> Result<ImportId, Problem> {
    match show::id(call)? {
        EntryId::Import(import) => Ok(import),
        EntryId::Upload(_) => {
            let (_, entry) = show::upload(call).await?;
            if entry.kind == EntryKind::Try {
                let detail = "A try stores nothing. There is nothing to revert or replay.";
                return Err(Problem::new(Kind::IMPORT_UNREAD, detail));
            }
            entry.import().ok_or_else(unread)
        }
    }
}

/// Returns the plan of the import. It is an error if the file was rejected as a whole, if the import does not exist, or if it is
/// itself an operation.
fn require_plan(items: &ImportItems, kind: OperationKind) -> Result<&Map, Problem> {
    match (&items.plan, &items.outcome) {
        (None, None) => Err(show::not_found()),
        (None, Some(_)) => Err(unread()),
        (Some(plan), _) => match plan.map("operation") {
            None => Ok(plan),
            Some(own) => Err(operation_on_operation(own, kind)),
        },
    }
}

/// Returns the problem that an operation is requested on the operation `own`.
fn operation_on_operation(own: &Map, kind: OperationKind) -> Problem {
    let is_revert = own.text("kind") == Some(OperationKind::Revert.as_str());
    let detail = if is_revert && kind != OperationKind::Replay {
        "A revert cannot be reverted. Replay the import that it reverted."
    } else {
        "This is itself a revert or a replay. Name the import in its field `of`."
    };
    Problem::new(Kind::IMPORT_UNREAD, detail)
}

fn unread() -> Problem {
    let detail = "No row of the file was read. There is nothing to revert or replay.";
    Problem::new(Kind::IMPORT_UNREAD, detail)
}

/// Returns the folder of a planned file.
fn folder(plan: &Map) -> &str {
    DropPath::parse(plan.text("key").unwrap_or_default()).folder
}

/// Checks that neither the import nor an operation on it runs, and that its state allows this kind. Returns the last operation.
async fn require_idle(
    call: &Call<'_>,
    kind: OperationKind,
    items: &ImportItems,
    plan: &Map,
) -> Result<Option<ImportId>, Problem> {
    let now = show::now(call);
    let state = |items: &ImportItems| status::of_import(items, now.retries, now.at);
    let is_reverted = plan.get("reverted").is_some();
    let running = |what: &str| {
        let detail = format!("{what} is running. Wait until it has ended.");
        Problem::new(Kind::IMPORT_RUNNING, detail)
    };
    if state(items) == State::Running && !is_reverted {
        return Err(running("The import"));
    }
    // A preview changes nothing, so it may run beside an operation.
    if kind == OperationKind::Preview {
        return Ok(None);
    }
    let last = plan.text("last_operation").and_then(|id| id.parse().ok());
    if let Some(last) = last
        && state(&call.app.table.import(last).await?) == State::Running
    {
        return Err(running("A revert or replay of the import"));
    }
    match kind {
        OperationKind::Revert if is_reverted => {
            let detail = "The import was already reverted. Its field `reverted` names the revert.";
            Err(Problem::new(Kind::IMPORT_REVERTED, detail))
        }
        // A replay skips erasures, which the rest of the file may contain.
        OperationKind::Replay if !is_reverted && items.outcome.is_none() => {
            let detail = "The import has not ended. Its event is in the failure queue: redrive the event, or revert the import.";
            Err(Problem::new(Kind::IMPORT_RUNNING, detail))
        }
        _ => Ok(last),
    }
}

/// Stores the plan of an operation and what it changes in the plan of the import. Returns the plan of the operation.
async fn start(
    call: &Call<'_>,
    operation: Operation,
    plan: &Map,
    seen: Option<ImportId>,
) -> Result<Map, Problem> {
    let writer = call.principal.writer();
    let mark = Reverted {
        at: Instant::now(),
        by: writer.subject.to_owned(),
        by_name: writer.name.map(str::to_owned),
        import: operation.id,
    };
    let new = NewOperation {
        operation,
        plan,
        change: match operation.kind {
            OperationKind::Revert => PlanChange::Revert { mark: &mark, seen },
            OperationKind::Preview => PlanChange::Unchanged,
            OperationKind::Replay => PlanChange::Restore { seen },
        },
        created_by: Some(writer.subject),
        denied: &body::denied(call.principal),
        expires_at: state_expiry(call.app.config.retention.raw_files),
    };
    match call.app.table.start_operation(new).await? {
        StartResult::Started(plan) => Ok(plan),
        StartResult::Conflict => {
            let detail =
                "Another revert or replay of the import began meanwhile. Wait until it has ended.";
            Err(Problem::new(Kind::IMPORT_RUNNING, detail))
        }
    }
}
