//! Starts operations on imports: stores the plan of the operation, and what it changes in the plan and the outcome of the import,
//! in one transaction.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};

use super::{Existing, Table, TableError, attribute, refused};
use crate::model::{
    drop_path::DropPath,
    import::{Entry, EntryId, EntryKey, EntryKind},
    keys,
    operation::{Operation, OperationKind, Reverted},
    time::Instant,
    value::{self, Map, Value},
    version::ImportId,
};

/// The index of the action that changes the outcome of an import.
const OUTCOME_ACTION: usize = 2;
/// Fields of an import's plan that the plan of an operation does not have.
const IMPORT_ONLY_FIELDS: [&str; 3] = ["new_among", "reverted", "last_operation"];

/// An operation to start.
#[derive(Clone, Copy, Debug)]
pub struct NewOperation<'a> {
    /// The operation.
    pub operation: Operation,
    /// The stored plan of the import.
    pub plan: &'a Map,
    /// What the operation changes in the plan of the import.
    pub change: PlanChange<'a>,
    /// The `sub` of the principal that requests it; `None` if it follows from another operation.
    pub created_by: Option<&'a str>,
    /// The record types that the principal may not import. Rows of these types are rejected, as are those that the import rejected so.
    pub denied: &'a [String],
    /// When the state of the operation expires, in seconds since 1970; `None` if it does not.
    pub expires_at: Option<i64>,
}

/// The change to an import's plan, and its condition. `seen` is the import's last revert or replay as the caller read it; the change
/// fails if there is a newer one.
#[derive(Clone, Copy, Debug)]
pub enum PlanChange<'a> {
    /// Does not change the plan (a preview).
    Unchanged,
    /// Marks the import as reverted, unless it is.
    Revert {
        /// The mark.
        mark: &'a Reverted,
        /// The last revert or replay that the caller read.
        seen: Option<ImportId>,
    },
    /// Names another revert in the mark.
    RevertAgain {
        /// The revert that the mark names.
        seen: ImportId,
    },
    /// Removes the mark, if there is one.
    Restore {
        /// The last revert or replay that the caller read.
        seen: Option<ImportId>,
    },
    /// Records the operation as the last one. Fails if the import is reverted.
    Replay,
}

/// The result of starting an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum StartResult {
    /// The operation is started, now or by an earlier request. This is its plan.
    Started(Map),
    /// The import does not exist or has changed, so nothing was stored.
    Conflict,
}

impl Table {
    /// Starts an operation, unless it was started before. Its first manifest must be put afterwards.
    ///
    /// # Errors
    /// The table cannot be read or written.
    pub async fn start_operation(&self, new: NewOperation<'_>) -> Result<StartResult, TableError> {
        // The operation applies erasures as an import that is planned now.
        let plan = plan(&new, self.erasure_changes().await?)?;
        let Some(stored) = self.store_operation(&new, plan).await? else {
            return Ok(StartResult::Conflict);
        };
        let (key, entry) = entry(&new, &stored)?;
        self.put_entry(&key, &entry, Existing::Keep, new.expires_at)
            .await?;
        Ok(StartResult::Started(stored))
    }

    /// Stores the plan of an operation, unless there is one, and changes the import. Returns the plan that is stored; `None` if
    /// the import is not as it has to be.
    async fn store_operation(
        &self,
        new: &NewOperation<'_>,
        plan: Map,
    ) -> Result<Option<Map>, TableError> {
        let mut actions = vec![self.put_operation(new, &plan)?];
        actions.extend(self.change_plan(new)?);
        actions.extend(self.change_outcome(new)?);
        let mut failed = self.failed_conditions(actions.clone()).await?;
        if failed == [OUTCOME_ACTION] {
            // The import has no outcome, and must not get one that contains a mark only.
            actions.truncate(OUTCOME_ACTION);
            failed = self.failed_conditions(actions).await?;
        }
        match failed.first() {
            None => Ok(Some(plan)),
            Some(0) => Ok(self.import(new.operation.id).await?.plan),
            Some(_) => Ok(None),
        }
    }

    /// Executes actions in one transaction. Returns the indexes of those whose conditions failed; if there are any, nothing was stored.
    async fn failed_conditions(
        &self,
        actions: Vec<TransactWriteItem>,
    ) -> Result<Vec<usize>, TableError> {
        let Err(canceled) = self.transact(actions).await else {
            return Ok(Vec::new());
        };
        let failed = canceled.failed_conditions();
        if failed.is_empty() {
            return Err(canceled.error);
        }
        Ok(failed)
    }

    /// Builds the put of the operation's plan, unless there is one.
    fn put_operation(
        &self,
        new: &NewOperation<'_>,
        plan: &Map,
    ) -> Result<TransactWriteItem, TableError> {
        let row = super::imports::import_row(new.operation.id, keys::IMPORT, plan, new.expires_at);
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Builds the update of the import's plan, if the operation changes it.
    fn change_plan(&self, new: &NewOperation<'_>) -> Result<Option<TransactWriteItem>, TableError> {
        let (expression, condition) = match new.change {
            PlanChange::Unchanged => return Ok(None),
            PlanChange::Revert { .. } => (
                "SET #data.#last = :id, #data.#reverted = :mark",
                "attribute_not_exists(#data.#reverted)",
            ),
            PlanChange::RevertAgain { .. } => (
                "SET #data.#last = :id, #data.#reverted.#import = :id",
                "#data.#reverted.#import = :seen",
            ),
            PlanChange::Restore { .. } => (
                "SET #data.#last = :id REMOVE #data.#reverted",
                "attribute_exists(#data)",
            ),
            PlanChange::Replay => (
                "SET #data.#last = :id",
                "attribute_exists(#data) AND attribute_not_exists(#data.#reverted)",
            ),
        };
        let (last, seen) = match new.change {
            PlanChange::Revert { seen, .. } | PlanChange::Restore { seen } => match seen {
                Some(_) => (" AND #data.#last = :seen", seen),
                None => (" AND attribute_not_exists(#data.#last)", None),
            },
            PlanChange::RevertAgain { seen } => ("", Some(seen)),
            PlanChange::Unchanged | PlanChange::Replay => ("", None),
        };
        let id = |id: ImportId| AttributeValue::S(id.to_string());
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                &keys::import(new.operation.of),
                keys::IMPORT,
            )))
            .update_expression(expression)
            .condition_expression(format!("attribute_exists(PK) AND {condition}{last}"))
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#last", "last_operation")
            .expression_attribute_names("#reverted", "reverted")
            .expression_attribute_values(":id", id(new.operation.id));
        if let Some(seen) = seen {
            update = update.expression_attribute_values(":seen", id(seen));
        }
        if let PlanChange::Revert { mark, .. } = new.change {
            let mark = value::to_map(mark).map_err(|error| TableError::Refused(error.into()))?;
            update = update.expression_attribute_values(":mark", attribute::map(&mark));
        }
        if let PlanChange::RevertAgain { .. } = new.change {
            update = update.expression_attribute_names("#import", "import");
        }
        let update = update.build().map_err(refused)?;
        Ok(Some(TransactWriteItem::builder().update(update).build()))
    }

    /// Builds the update of the import's outcome, which contains the same mark as its plan. The list reads outcomes only.
    fn change_outcome(
        &self,
        new: &NewOperation<'_>,
    ) -> Result<Option<TransactWriteItem>, TableError> {
        let invalid = |error: serde_json::Error| TableError::Refused(error.into());
        let mark = match new.change {
            PlanChange::Unchanged | PlanChange::Replay => return Ok(None),
            PlanChange::Revert { mark, .. } => Some(value::to_map(mark).map_err(invalid)?),
            PlanChange::RevertAgain { .. } => new.plan.map("reverted").cloned().map(|mut mark| {
                mark.insert("import", new.operation.id.to_string());
                mark
            }),
            PlanChange::Restore { .. } => None,
        };
        let expression = match mark {
            Some(_) => "SET #data.#reverted = :mark",
            None => "REMOVE #data.#reverted",
        };
        let mut update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                &keys::import(new.operation.of),
                keys::OUTCOME,
            )))
            .update_expression(expression)
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#reverted", "reverted");
        if let Some(mark) = mark {
            update = update.expression_attribute_values(":mark", attribute::map(&mark));
        }
        let update = update.build().map_err(refused)?;
        Ok(Some(TransactWriteItem::builder().update(update).build()))
    }
}

/// Returns the plan of an operation: that of the import, begun now.
fn plan(new: &NewOperation<'_>, erasure_changes: u64) -> Result<Map, TableError> {
    let invalid = |error: serde_json::Error| TableError::Refused(error.into());
    let mut plan = new.plan.clone();
    for field in IMPORT_ONLY_FIELDS {
        plan.remove(field);
    }
    let operation = value::to_map(&new.operation).map_err(invalid)?;
    plan.insert("operation", Value::Map(operation));
    plan.insert("started_at", Instant::now().to_string());
    plan.insert("erasure_changes", erasure_changes);
    let mut denied: BTreeSet<_> = new.denied.iter().map(String::as_str).collect();
    denied.extend(new.plan.list("denied").iter().filter_map(Value::as_text));
    let denied = denied.into_iter().map(|name| Value::Text(name.to_owned()));
    plan.insert("denied", Value::List(denied.collect()));
    if let Some(created_by) = new.created_by {
        plan.insert("created_by", created_by);
    }
    Ok(plan)
}

/// Returns the entry of an operation in the list, and its place, which the time in its stored plan determines.
fn entry(new: &NewOperation<'_>, stored: &Map) -> Result<(EntryKey, Entry), TableError> {
    let text = |name: &str| stored.text(name).unwrap_or_default();
    let at = Instant::parse(text("started_at"));
    let at = at.ok_or_else(|| TableError::Refused("the plan has no time".into()))?;
    let object = text("key");
    let path = DropPath::parse(object);
    let Operation { id, kind, of } = new.operation;
    let entry = Entry {
        kind: match kind {
            OperationKind::Replay => EntryKind::Replay,
            OperationKind::Revert | OperationKind::Preview => EntryKind::Revert,
        },
        key: object.to_owned(),
        file_name: path.file_name.to_owned(),
        folder: path.folder.to_owned(),
        source: path.source.or(stored.text("source")).map(str::to_owned),
        size: None,
        import: Some(id.to_string()),
        of: Some(of.to_string()),
        preview: kind == OperationKind::Preview,
        created_by: new.created_by.map(str::to_owned),
        denied: Vec::new(),
        parts: None,
    };
    let id = EntryId::Import(id);
    Ok((EntryKey { at, id }, entry))
}
