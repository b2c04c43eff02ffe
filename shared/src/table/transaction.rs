//! Writes two items in one transaction, and reads why a transaction was canceled.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};

use super::{Row, Table, TableError, Verdict, attribute, failure};
use crate::model::{item::Item, version::VERSION_BYTES};

/// The condition of a put: the key is free, the stored item is older, or its `version` is not valid, for example after
/// a manual repair.
const REPLACEABLE: &str = "attribute_not_exists(#version) OR #version < :version \
    OR NOT attribute_type(#version, :binary) OR size(#version) <> :bytes";

/// The code for an item that another transaction uses.
const CONFLICT: &str = "TransactionConflict";
/// The code for an item whose condition failed.
const CONDITION: &str = "ConditionalCheckFailed";
/// Codes of failures that a retry may overcome.
const RETRYABLE: [&str; 5] = [
    CONFLICT,
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "InternalServerError",
];

impl Table {
    /// Writes both of two items, or neither. Returns the verdict on both and the write units consumed, as far as DynamoDB
    /// reports them:
    ///
    /// - `Stored`: both are stored. An item without a valid version is older than every other.
    /// - `NotNewer`: the table has one of them in this version, so neither is stored.
    /// - `Throttled`: another transaction works on one of them, or a condition failed for a reason that is not reported.
    /// - `Refused`, `TooLarge`: one of them can't be stored.
    ///
    /// # Errors
    /// The request failed. Both items may have been written.
    pub async fn put_both(&self, items: &[Item; 2]) -> Result<(Verdict, f64), TableError> {
        let result = self
            .client
            .transact_write_items()
            .transact_items(self.put_newer(&items[0])?)
            .transact_items(self.put_newer(&items[1])?)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(output) => {
                let consumed = output.consumed_capacity().iter();
                let units = consumed.filter_map(|consumed| consumed.capacity_units());
                return Ok((Verdict::Stored, units.sum()));
            }
            Err(error) => error,
        };
        let reasons = error
            .as_service_error()
            .map(cancellation)
            .unwrap_or_default();
        let stored = reasons
            .iter()
            .filter_map(|(_, item)| attribute::version_of(item.as_ref()?))
            .max();
        if let Some(stored) = stored {
            // DynamoDB charges a refused transaction too, but does not report the units.
            return Ok((Verdict::NotNewer(stored), 0.0));
        }
        if reasons
            .iter()
            .any(|(code, _)| [CONFLICT, CONDITION].contains(&code.as_str()))
        {
            return Ok((Verdict::Throttled, 0.0));
        }
        if let Some(verdict) = error.as_service_error().and_then(rejected_item) {
            return Ok((verdict, 0.0));
        }
        if is_retryable(&reasons) {
            return Err(TableError::Unavailable(error.into()));
        }
        Err(failure(error))
    }

    /// Builds a put that succeeds if the key is free, or the stored item is older or has no valid version.
    fn put_newer(&self, item: &Item) -> Result<TransactWriteItem, TableError> {
        let version = item.version.as_ref();
        let version =
            version.ok_or_else(|| TableError::Refused("an item has no version".into()))?;
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(item)))
            .condition_expression(REPLACEABLE)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", attribute::version(version))
            .expression_attribute_values(":binary", AttributeValue::S("B".to_owned()))
            .expression_attribute_values(":bytes", AttributeValue::N(VERSION_BYTES.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| TableError::Refused(error.into()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// Returns the verdict on a transaction that was canceled because one of its items cannot be stored.
fn rejected_item(error: &TransactWriteItemsError) -> Option<Verdict> {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return None;
    };
    let mut reasons = cancelled.cancellation_reasons().iter();
    reasons.find_map(|reason| {
        let code = reason.code()?;
        let message = reason.message().unwrap_or_default();
        match code {
            "ValidationError" if message.contains("size") => Some(Verdict::TooLarge),
            "ValidationError" | "ItemCollectionSizeLimitExceeded" => {
                Some(Verdict::Refused(code.to_owned()))
            }
            _ => None,
        }
    })
}

/// Returns the code and the stored item of each action of a canceled transaction.
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

/// Returns whether a retry may overcome one of the reasons for which a transaction was canceled.
pub(super) fn is_retryable(reasons: &[(String, Option<Row>)]) -> bool {
    reasons
        .iter()
        .any(|(code, _)| RETRYABLE.contains(&code.as_str()))
}
