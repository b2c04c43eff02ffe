//! What a transaction comes to, and the one that writes two items.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};

use super::{Row, Table, TableError, Verdict, attribute, failure};
use crate::item::Item;

/// Another transaction is at the same item.
const CONFLICT: &str = "TransactionConflict";
/// Codes of what another try may get through.
const PASSING: [&str; 5] = [
    CONFLICT,
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "InternalServerError",
];

impl Table {
    /// Writes both of two items, or neither where the key of either is taken by what is not older: `Stored` or `Held`; `Busy`
    /// where another transaction is at one of them. Answers that and the write units consumed, as far as they are told.
    ///
    /// # Errors
    /// The table did not answer; nothing is known of either.
    pub async fn put_both(&self, items: &[Item; 2]) -> Result<(Verdict, f64), TableError> {
        let put = |item: &Item| {
            let version = item.version.as_ref();
            let version =
                version.ok_or_else(|| TableError::Refused("an item has no version".into()))?;
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(attribute::row(item)))
                .condition_expression("attribute_not_exists(PK) OR #version < :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", attribute::version(version))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .build()
                .map_err(|error| TableError::Refused(error.into()))?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        let result = self
            .client
            .transact_write_items()
            .transact_items(put(&items[0])?)
            .transact_items(put(&items[1])?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(answer) => {
                let consumed = answer.consumed_capacity().iter();
                let units = consumed.filter_map(|consumed| consumed.capacity_units());
                return Ok((Verdict::Stored, units.sum()));
            }
            Err(error) => error,
        };
        let reasons = error
            .as_service_error()
            .map(cancellation)
            .unwrap_or_default();
        let held = reasons
            .iter()
            .filter_map(|(_, item)| attribute::held_version(item.as_ref()?))
            .max();
        if let Some(held) = held {
            // What was refused was charged too, and is not told.
            return Ok((Verdict::Held(held), 0.0));
        }
        if reasons.iter().any(|(code, _)| code == CONFLICT) {
            return Ok((Verdict::Busy, 0.0));
        }
        if passes(&reasons) {
            return Err(TableError::Busy(error.into()));
        }
        Err(failure(error))
    }
}

/// Code and old item of each part of a cancelled transaction.
pub(super) fn cancellation(error: &TransactWriteItemsError) -> Vec<(String, Option<Row>)> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return Vec::new();
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons
        .map(|reason| {
            (
                reason.code().unwrap_or_default().to_owned(),
                reason.item().cloned(),
            )
        })
        .collect()
}

/// Whether one of the reasons for which a transaction was cancelled passes.
pub(super) fn passes(reasons: &[(String, Option<Row>)]) -> bool {
    reasons
        .iter()
        .any(|(code, _)| PASSING.contains(&code.as_str()))
}
