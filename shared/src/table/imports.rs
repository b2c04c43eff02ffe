//! Stores and reads the state of imports: a plan, stored once, and the progress of each byte range.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{Row, Table, TableError, attribute, failure};
use crate::model::{keys, value::Map, version::ImportId};

/// The items of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportItems {
    /// The plan; `None` if the import does not exist.
    pub plan: Option<Map>,
    /// The number of each range and its progress. Ranges that have not begun are missing.
    pub ranges: Vec<(usize, Map)>,
}

/// The progress of a range, to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint<'a> {
    /// The number of the range.
    pub range: usize,
    /// The stored progress that this one replaces.
    pub before: Before,
    /// The progress.
    pub data: &'a Map,
    /// When the progress expires, in seconds since 1970.
    pub expires_at: i64,
}

/// The progress of a range before an invocation: the offset at which the invocation began, in bytes, and whether it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// No progress was stored.
    NotBegun(u64),
    /// This offset was stored.
    Stored(u64),
}

impl Table {
    /// Stores an import's plan unless one exists. Returns whether this plan was stored.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_plan(
        &self,
        import: ImportId,
        plan: &Map,
        expires_at: i64,
    ) -> Result<bool, TableError> {
        self.put_import_item(import, keys::IMPORT, plan, expires_at)
            .await
    }

    /// Stores an item of an import unless it exists. Returns whether it was stored.
    pub(super) async fn put_import_item(
        &self,
        import: ImportId,
        sort: &str,
        data: &Map,
        expires_at: i64,
    ) -> Result<bool, TableError> {
        let row = import_row(import, sort, data, expires_at);
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(PK)");
        was_applied(put.send().await)
    }

    /// Reads an import's plan and ranges, consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn import(&self, import: ImportId) -> Result<ImportItems, TableError> {
        let mut items = ImportItems::default();
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(keys::import(import)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(row) = pages.next().await {
            let row = row.map_err(failure)?;
            let sort = row.get("SK").and_then(|sort| sort.as_s().ok()).cloned();
            let (Some(sort), Some((_, data))) = (sort, attribute::partition_and_data(row)) else {
                continue;
            };
            if sort == keys::IMPORT {
                items.plan = Some(data);
            } else if let Some(number) = keys::parse_range(&sort) {
                items.ranges.push((number, data));
            }
        }
        Ok(items)
    }

    /// Stores the progress of a range, unless another invocation has advanced it. An object that was recorded as `lost` is
    /// not progress: an invocation that could read it replaces that record. Returns whether the progress was stored.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn checkpoint(
        &self,
        import: ImportId,
        checkpoint: Checkpoint<'_>,
    ) -> Result<bool, TableError> {
        let Checkpoint {
            range,
            before,
            data,
            expires_at,
        } = checkpoint;
        let row = import_row(import, &keys::range(range), data, expires_at);
        let (began, mut condition) = match before {
            Before::NotBegun(offset) => (offset, "attribute_not_exists(#data)".to_owned()),
            Before::Stored(offset) => {
                let condition = "#data.#offset = :began AND #data.#done = :no";
                (offset, condition.to_owned())
            }
        };
        let is_begun = matches!(before, Before::Stored(_));
        let mut put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .expression_attribute_names("#data", "data");
        if is_begun {
            put = put
                .expression_attribute_names("#done", "done")
                .expression_attribute_values(":no", AttributeValue::Bool(false));
        }
        let is_lost = data.flag("lost") == Some(true);
        if !is_lost {
            condition += " OR #data.#offset = :began AND #data.#lost = :yes";
            put = put
                .expression_attribute_names("#lost", "lost")
                .expression_attribute_values(":yes", AttributeValue::Bool(true));
        }
        if is_begun || !is_lost {
            put = put
                .expression_attribute_names("#offset", "offset")
                .expression_attribute_values(":began", AttributeValue::N(began.to_string()));
        }
        was_applied(put.condition_expression(condition).send().await)
    }

    /// Counts an attempt of a range from its stored offset. Returns the number of attempts since the range last
    /// advanced.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn count_attempt(
        &self,
        import: ImportId,
        range: usize,
        expires_at: i64,
    ) -> Result<u64, TableError> {
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                &keys::import(import),
                &keys::range(range),
            )))
            .update_expression("ADD attempts :one SET expires_at = :expires_at")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":expires_at", AttributeValue::N(expires_at.to_string()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(failure)?;
        let attempts = output
            .attributes
            .and_then(|row| row.get("attempts")?.as_n().ok()?.parse().ok());
        Ok(attempts.unwrap_or(1))
    }
}

fn import_row(import: ImportId, sort: &str, data: &Map, expires_at: i64) -> Row {
    let mut row = attribute::key(&keys::import(import), sort);
    row.insert("data".to_owned(), attribute::map(data));
    row.insert(
        "expires_at".to_owned(),
        AttributeValue::N(expires_at.to_string()),
    );
    row
}

/// Returns whether a conditional put was applied; any failure except that of the condition is an error.
pub(super) fn was_applied<O, R>(
    result: Result<
        O,
        aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::put_item::PutItemError, R>,
    >,
) -> Result<bool, TableError>
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match result {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
        {
            Ok(false)
        }
        Err(error) => Err(failure(error)),
    }
}
