//! Executes transactions, and reads why one was canceled. Writes two items in one transaction.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConsumedCapacity, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};

use super::{Table, TableError, Verdict, attribute, failure, refused};
use crate::model::{item::Item, version::VERSION_BYTES};

/// The condition of a put: the key is free, the stored item is older, or its `version` is not valid, for example after
/// a manual repair.
const REPLACEABLE: &str = "attribute_not_exists(#version) OR #version < :version \
    OR NOT attribute_type(#version, :binary) OR size(#version) <> :bytes";

/// The code for an item that another transaction uses.
pub(super) const CONFLICT: &str = "TransactionConflict";
/// The code for an item whose condition failed.
pub(super) const CONDITION: &str = "ConditionalCheckFailed";
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
        let actions = vec![self.put_newer(&items[0])?, self.put_newer(&items[1])?];
        let canceled = match self.transact(actions).await {
            Ok(units) => return Ok((Verdict::Stored, units)),
            Err(canceled) => canceled,
        };
        let reasons = canceled.reasons.iter();
        let stored = reasons.filter_map(|reason| attribute::version_of(reason.item()?));
        // DynamoDB charges a refused transaction too, but does not report the units.
        if let Some(stored) = stored.max() {
            return Ok((Verdict::NotNewer(stored), 0.0));
        }
        if canceled.has(CONFLICT) || canceled.has(CONDITION) {
            return Ok((Verdict::Throttled, 0.0));
        }
        match canceled.rejected_item() {
            Some(verdict) => Ok((verdict, 0.0)),
            None => Err(canceled.error),
        }
    }

    /// Executes actions in one transaction. Returns the write units consumed.
    pub(super) async fn transact(&self, actions: Vec<TransactWriteItem>) -> Result<f64, Canceled> {
        let result = self
            .client
            .transact_write_items()
            .set_transact_items(Some(actions))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match result {
            Ok(output) => {
                let consumed = output.consumed_capacity();
                self.consumed.write(consumed);
                let units = consumed.iter().filter_map(ConsumedCapacity::capacity_units);
                Ok(units.sum())
            }
            Err(error) => Err(Canceled::new(error)),
        }
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
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// A transaction that was not executed, as far as is known.
#[derive(Debug)]
pub(super) struct Canceled {
    /// The reason for each action, in the order of the actions; empty if the request failed.
    pub(super) reasons: Vec<CancellationReason>,
    /// The error, for callers that expect none of the reasons.
    pub(super) error: TableError,
}

impl Canceled {
    fn new(error: SdkError<TransactWriteItemsError>) -> Self {
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                canceled.cancellation_reasons().to_vec()
            }
            _ => Vec::new(),
        };
        let mut codes = reasons.iter().filter_map(CancellationReason::code);
        let error = if codes.any(|code| RETRYABLE.contains(&code)) {
            TableError::Unavailable(error.into())
        } else {
            failure(error)
        };
        Self { reasons, error }
    }

    /// Returns whether one of the reasons has this code.
    pub(super) fn has(&self, code: &str) -> bool {
        let mut reasons = self.reasons.iter();
        reasons.any(|reason| reason.code() == Some(code))
    }

    /// Returns the indexes of the actions whose conditions failed.
    pub(super) fn failed_conditions(&self) -> Vec<usize> {
        let reasons = self.reasons.iter().enumerate();
        let failed = reasons.filter(|(_, reason)| reason.code() == Some(CONDITION));
        failed.map(|(index, _)| index).collect()
    }

    /// Returns the verdict on a transaction with an item that cannot be stored.
    fn rejected_item(&self) -> Option<Verdict> {
        self.reasons.iter().find_map(|reason| {
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
}
