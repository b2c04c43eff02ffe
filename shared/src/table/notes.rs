//! Stores, changes and deletes notes. A note is stored once, and changed or deleted only if it is still as it was read.

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
    transaction::{cancellation, is_retryable},
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
    /// Stores a note and the idempotency record of its request. Stores neither if the request was seen before, or if the
    /// identity was erased after its markers were read. `erased` is the erasure in those markers. An idempotency record
    /// that has expired by `now` (seconds since 1970) counts as not seen.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_note(
        &self,
        note: &Item,
        idempotency_record: &Item,
        now: i64,
        erased: Option<Version>,
    ) -> Result<NotePut, TableError> {
        let put_note = self.put_if(note, "attribute_not_exists(PK)", None)?;
        // DynamoDB deletes expired items late, so an expired record is overwritten.
        let condition = "attribute_not_exists(PK) OR expires_at <= :now";
        let put_record = self.put_if(idempotency_record, condition, Some(now))?;
        let check_erasure = self.erased_as_read(&note.identity, erased)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put_note).build())
            .transact_items(TransactWriteItem::builder().put(put_record).build())
            .transact_items(
                TransactWriteItem::builder()
                    .condition_check(check_erasure)
                    .build(),
            )
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                return Ok(NotePut::Written);
            }
            Err(error) => error,
        };
        let reasons = match error.as_service_error() {
            Some(service) if service.is_transaction_canceled_exception() => cancellation(service),
            _ => return Err(failure(error)),
        };
        // The reasons are in the order of the actions: the note, the record, the check.
        let failed = |action: usize| {
            reasons
                .get(action)
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
        Err(if is_retryable(&reasons) {
            TableError::Unavailable(error.into())
        } else {
            failure(error)
        })
    }

    /// Builds a put with a condition, in which `:now` is `now`. If the condition fails, the response contains the stored item.
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

    /// Builds a condition check that fails unless the identity's newest erasure is still `erased`.
    pub(super) fn erased_as_read(
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

    /// Replaces the data of a note, as it was `read`, with `changed`. Returns whether the note was still as it was read.
    ///
    /// # Errors
    /// The table cannot be written, or it is not known whether the change was applied.
    pub async fn change_note(&self, read: &Item, changed: &Map) -> Result<bool, TableError> {
        let lost = match self.change_once(read, changed, without_retries()).await {
            Err(error @ TableError::Unavailable(_)) => error,
            known => return known,
        };
        if self.change_once(read, changed, with_retries()).await? {
            return Ok(true);
        }
        // The first attempt may have been applied, so that the condition of the second one failed. If the note has
        // changed since, the result is unknown.
        let found = self.items(std::slice::from_ref(&read.identity), &read.key);
        match found.await?.first() {
            Some(item) if item.data == *changed => Ok(true),
            _ => Err(lost),
        }
    }

    /// Sends one conditional put of a note. Returns whether the condition was met.
    async fn change_once(
        &self,
        read: &Item,
        changed: &Map,
        config: config::Builder,
    ) -> Result<bool, TableError> {
        let mut row = attribute::row(read);
        row.insert("data".to_owned(), attribute::map(changed));
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("#data = :held")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":held", attribute::map(&read.data))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(config)
            .send()
            .await;
        match result {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(true)
            }
            Err(error) => {
                unless_condition_failed(error, |e| e.is_conditional_check_failed_exception())
            }
        }
    }

    /// Deletes a note, as it was `read`. Returns whether the note was still as it was read.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn delete_note(&self, read: &Item) -> Result<bool, TableError> {
        match self.delete_once(read, without_retries()).await {
            Err(TableError::Unavailable(_)) => {}
            known => return known,
        }
        if self.delete_once(read, with_retries()).await? {
            return Ok(true);
        }
        // The first attempt may have deleted the note. If the note exists with other data, it did not: a deleted note
        // is never stored again.
        let found = self.items(std::slice::from_ref(&read.identity), &read.key);
        Ok(found.await?.is_empty())
    }

    /// Sends one conditional delete of a note. Returns whether the condition was met.
    async fn delete_once(&self, read: &Item, config: config::Builder) -> Result<bool, TableError> {
        let result = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                read.identity.as_str(),
                &read.key.to_text(),
            )))
            .condition_expression("#data = :held")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":held", attribute::map(&read.data))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .customize()
            .config_override(config)
            .send()
            .await;
        match result {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                Ok(true)
            }
            Err(error) => {
                unless_condition_failed(error, |e| e.is_conditional_check_failed_exception())
            }
        }
    }
}

/// Returns the configuration without the client's own retries. With them, the condition of a write could fail because an
/// earlier attempt was applied and its response was lost.
fn without_retries() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

/// Returns the configuration with the client's own retries, for an attempt that is known to be the second.
fn with_retries() -> config::Builder {
    config::Builder::new()
}

/// Returns `false` if a write failed because of its condition, and any other failure as an error.
fn unless_condition_failed<E, R>(
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
