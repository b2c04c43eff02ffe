//! Changes and deletes notes. A note is changed or deleted only if it is still as it was read.

use aws_sdk_dynamodb::{
    config::{self, retry::RetryConfig},
    types::ReturnConsumedCapacity,
};

use super::{Table, TableError, attribute, unless_condition_failed};
use crate::model::{item::Item, value::Map};

impl Table {
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
        let output = unless_condition_failed(result)?;
        if let Some(output) = &output {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(output.is_some())
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
        let output = unless_condition_failed(result)?;
        if let Some(output) = &output {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(output.is_some())
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
