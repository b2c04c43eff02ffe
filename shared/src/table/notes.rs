//! Notes in the table. A note is stored once, and changed or deleted only if it is still as it was read.

use aws_sdk_dynamodb::{
    config::{self, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeValue, ConditionCheck, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};

use super::{
    Table, TableError, attribute, failure,
    transaction::{cancellation, passes},
};
use crate::model::{
    identity::IdentityId,
    item::Item,
    keys::{Marker, SortKey},
    value::Map,
    version::Version,
};

/// The result of storing a note.
#[derive(Clone, Debug)]
pub enum NotePut {
    /// The note is stored.
    Written,
    /// The request was seen before. This is the data of its idempotency record.
    Seen(Map),
    /// The identity was erased after its markers were read.
    Erased,
}

impl Table {
    /// Stores a note and `again`, the idempotency record of its request. Stores neither if the request was seen before,
    /// or if the identity was erased after its markers were read. `erased` is the erasure in those markers. An
    /// idempotency record that has expired by `now` (seconds since 1970) counts as not seen.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_note(
        &self,
        note: &Item,
        again: &Item,
        now: i64,
        erased: Option<Version>,
    ) -> Result<NotePut, TableError> {
        let put = self.put_if(note, "attribute_not_exists(PK)", None)?;
        // DynamoDB deletes expired items late, so an expired record is overwritten.
        let condition = "attribute_not_exists(PK) OR expires_at <= :now";
        let remember = self.put_if(again, condition, Some(now))?;
        let not_erased = self.erased_as_read(&note.identity, erased)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().put(remember).build())
            .transact_items(
                TransactWriteItem::builder()
                    .condition_check(not_erased)
                    .build(),
            )
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(answer) => {
                self.consumed.write(answer.consumed_capacity());
                return Ok(NotePut::Written);
            }
            Err(error) => error,
        };
        let reasons = match error.as_service_error() {
            Some(service) if service.is_transaction_canceled_exception() => cancellation(service),
            _ => return Err(failure(error)),
        };
        let failed = |at: usize| {
            reasons
                .get(at)
                .filter(|(code, _)| code == "ConditionalCheckFailed")
        };
        if let Some((_, item)) = failed(1) {
            let seen = item.clone().and_then(attribute::item);
            return seen
                .map(|item| NotePut::Seen(item.data))
                .ok_or_else(|| failure(error));
        }
        if failed(2).is_some() {
            return Ok(NotePut::Erased);
        }
        Err(if passes(&reasons) {
            TableError::Busy(error.into())
        } else {
            failure(error)
        })
    }

    /// Creates a put on `condition`, in which `:now` is `now`. If it fails, the response contains the present item.
    fn put_if(&self, item: &Item, condition: &str, now: Option<i64>) -> Result<Put, TableError> {
        let mut put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(item)))
            .condition_expression(condition)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(now) = now {
            put = put.expression_attribute_values(":now", AttributeValue::N(now.to_string()));
        }
        put.build()
            .map_err(|error| TableError::Refused(error.into()))
    }

    /// Creates a condition check: the identity's erasure is still `erased`.
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
        check
            .build()
            .map_err(|error| TableError::Refused(error.into()))
    }

    /// Replaces the data of the note `held` with `changed`. Returns whether the note was still as it was read.
    ///
    /// # Errors
    /// The table cannot be written, or it is not known whether the change was applied.
    pub async fn change_note(&self, held: &Item, changed: &Map) -> Result<bool, TableError> {
        let lost = match self.change_once(held, changed, once()).await {
            Err(error @ TableError::Busy(_)) => error,
            known => return known,
        };
        if self.change_once(held, changed, tries()).await? {
            return Ok(true);
        }
        // The first attempt may have been applied, so that the condition of the second one failed. If the note has
        // changed since, the result is unknown.
        let found = self.items(std::slice::from_ref(&held.identity), &held.key);
        match found.await?.first() {
            Some(item) if item.data == *changed => Ok(true),
            _ => Err(lost),
        }
    }

    async fn change_once(
        &self,
        held: &Item,
        changed: &Map,
        config: config::Builder,
    ) -> Result<bool, TableError> {
        let mut row = attribute::row(held);
        row.insert("data".to_owned(), attribute::map(changed));
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("#data = :held")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":held", attribute::map(&held.data))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(config)
            .send()
            .await;
        match result {
            Ok(answer) => {
                self.consumed.write(answer.consumed_capacity());
                Ok(true)
            }
            Err(error) => as_it_was(error, |e| e.is_conditional_check_failed_exception()),
        }
    }

    /// Deletes the note `held`. Returns whether the note was still as it was read.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn delete_note(&self, held: &Item) -> Result<bool, TableError> {
        match self.delete_once(held, once()).await {
            Err(TableError::Busy(_)) => {}
            known => return known,
        }
        if self.delete_once(held, tries()).await? {
            return Ok(true);
        }
        // The first attempt may have deleted the note. If the note exists with other data, it did not: a deleted note
        // is never stored again.
        let found = self.items(std::slice::from_ref(&held.identity), &held.key);
        Ok(found.await?.is_empty())
    }

    async fn delete_once(&self, held: &Item, config: config::Builder) -> Result<bool, TableError> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                held.identity.as_str(),
                &held.key.to_text(),
            )))
            .condition_expression("#data = :held")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":held", attribute::map(&held.data))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(config)
            .send()
            .await;
        match result {
            Ok(answer) => {
                self.consumed.write(answer.consumed_capacity());
                Ok(true)
            }
            Err(error) => as_it_was(error, |e| e.is_conditional_check_failed_exception()),
        }
    }
}

/// Disables the client's own retries of a conditional write. With them, the condition could fail because an earlier
/// attempt was applied and its response was lost.
fn once() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

/// Allows the client's own retries, for an attempt that is known to be the second.
fn tries() -> config::Builder {
    config::Builder::new()
}

/// Returns `false` if the condition failed, and the failure otherwise.
fn as_it_was<E, R>(
    error: SdkError<E, R>,
    is_condition: impl FnOnce(&E) -> bool,
) -> Result<bool, TableError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    if error.as_service_error().is_some_and(is_condition) {
        return Ok(false);
    }
    Err(failure(error))
}
