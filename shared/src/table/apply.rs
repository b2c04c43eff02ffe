//! Applies changes of single items in one transaction: all of them, or none. Each item has to be as it was read.

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use super::{Table, TableError, attribute, refused};
use crate::model::{
    change::Change,
    identity::IdentityId,
    item::Item,
    keys::{self, Marker, SortKey},
    time::Instant,
    value::Map,
    version::Version,
};

/// The maximum number of actions in a transaction, a limit of DynamoDB.
const MAX_ACTIONS: usize = 100;

/// Changes to apply together.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    /// The changes. No two have the same key.
    pub changes: &'a [Change],
    /// The idempotency record of the request.
    pub request: &'a Item,
    /// The identities concerned, with the newest erasure of each as it was read.
    pub erasures: &'a [(IdentityId, Option<Version>)],
    /// Identities that are reinstated. The markers are in `changes`; these entries of the erasure list are stored beside them.
    pub reinstated: &'a [(IdentityId, Version)],
    /// The current time, in seconds since 1970. An idempotency record that has expired counts as not seen.
    pub now: i64,
}

/// The result of applying changes.
#[derive(Clone, Debug)]
pub enum Applied {
    /// All changes are stored.
    Written,
    /// The request was seen before. This is the data of its idempotency record. Nothing was changed.
    Seen(Map),
    /// An identity was erased after its markers were read. Nothing was changed.
    Erased,
    /// An item is not as it was read. Nothing was changed.
    Changed,
}

impl Table {
    /// Applies changes, all or none.
    ///
    /// # Errors
    /// The table cannot be written, or the transaction has more than 100 actions.
    pub async fn apply(&self, transaction: Transaction<'_>) -> Result<Applied, TableError> {
        let actions = self.actions(transaction)?;
        if actions.len() > MAX_ACTIONS {
            return Err(TableError::Refused("the transaction is too large".into()));
        }
        let Err(canceled) = self.transact(actions).await else {
            return Ok(Applied::Written);
        };
        // The reasons are in the order of the actions: the record, the checks, the changes.
        let checks = 1..=transaction.erasures.len();
        match canceled.failed_conditions()[..] {
            [] => Err(canceled.error),
            [0, ..] => {
                let row = canceled.reasons[0].item().cloned();
                let seen = row.and_then(attribute::item);
                seen.map(|item| Applied::Seen(item.data))
                    .ok_or(canceled.error)
            }
            [first, ..] if checks.contains(&first) => Ok(Applied::Erased),
            _ => Ok(Applied::Changed),
        }
    }

    /// Builds the actions of a transaction.
    fn actions(&self, transaction: Transaction<'_>) -> Result<Vec<TransactWriteItem>, TableError> {
        let mut actions = vec![self.put_request(transaction.request, transaction.now)?];
        for (identity, erased) in transaction.erasures {
            let check = self.erased_as_read(identity, *erased)?;
            actions.push(TransactWriteItem::builder().condition_check(check).build());
        }
        for change in transaction.changes {
            actions.push(self.change(change)?);
        }
        for (identity, version) in transaction.reinstated {
            actions.push(self.list_reinstatement(identity, *version)?);
        }
        if !transaction.reinstated.is_empty() {
            actions.push(self.count_change()?);
        }
        Ok(actions)
    }

    /// Builds the put of an idempotency record. DynamoDB deletes expired records late, so an expired one is replaced.
    fn put_request(&self, request: &Item, now: i64) -> Result<TransactWriteItem, TableError> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(request)))
            .condition_expression("attribute_not_exists(PK) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Builds a condition check that fails unless the identity's newest erasure is still `erased`.
    fn erased_as_read(
        &self,
        identity: &IdentityId,
        erased: Option<Version>,
    ) -> Result<ConditionCheck, TableError> {
        let key = SortKey::Marker(Marker::Erased).to_text();
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(identity.as_str(), &key)));
        let check = match &erased {
            None => check.condition_expression("attribute_not_exists(PK)"),
            Some(seen) => check
                .condition_expression("#version = :seen")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":seen", attribute::version(seen)),
        };
        check.build().map_err(refused)
    }

    /// Builds the action of a change: a put or a delete on condition that the item is as it was read.
    fn change(&self, change: &Change) -> Result<TransactWriteItem, TableError> {
        let (condition, held) = condition(change.before());
        let action = TransactWriteItem::builder();
        let Some(item) = change.after() else {
            let sort = change.key().to_text();
            let mut delete = Delete::builder()
                .table_name(&self.name)
                .set_key(Some(attribute::key(change.identity().as_str(), &sort)))
                .condition_expression(condition);
            if let Some((name, value)) = held {
                delete = delete
                    .expression_attribute_names("#held", name)
                    .expression_attribute_values(":held", value);
            }
            return Ok(action.delete(delete.build().map_err(refused)?).build());
        };
        let mut put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(item)))
            .condition_expression(condition);
        if let Some((name, value)) = held {
            put = put
                .expression_attribute_names("#held", name)
                .expression_attribute_values(":held", value);
        }
        Ok(action.put(put.build().map_err(refused)?).build())
    }

    /// Builds the put of a reinstatement in the erasure list.
    fn list_reinstatement(
        &self,
        identity: &IdentityId,
        version: Version,
    ) -> Result<TransactWriteItem, TableError> {
        let (partition, sort) = keys::erasure(identity, Marker::Reinstated(version));
        let mut data = Map::new();
        data.insert("listed_at", Instant::now().to_string());
        let mut row = attribute::key(&partition, &sort);
        row.insert("version".to_owned(), attribute::version(&version));
        row.insert("data".to_owned(), attribute::map(&data));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(row))
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Builds the update that counts a change of the erasure list, so that running imports read it again.
    fn count_change(&self) -> Result<TransactWriteItem, TableError> {
        let update = Update::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(keys::ERASURES, keys::ERASURES)))
            .update_expression("ADD changes :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// Returns the condition that an item is as it was read, with the attribute `#held` and its value `:held`. An item of ingest is
/// compared by its version, an item of a support agent by its data.
fn condition(before: Option<&Item>) -> (&'static str, Option<(&'static str, AttributeValue)>) {
    match before {
        None => ("attribute_not_exists(PK)", None),
        Some(item) => {
            let held = match &item.version {
                Some(version) => ("version", attribute::version(version)),
                None => ("data", attribute::map(&item.data)),
            };
            ("#held = :held", Some(held))
        }
    }
}
