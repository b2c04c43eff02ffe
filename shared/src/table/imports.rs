//! What the table keeps of imports: a plan, put once, and for each range how far it has come.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{Row, Table, TableError, attribute, failure};
use crate::{keys, value::Map, version::ImportId};

/// The items of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportItems {
    /// The plan; `None` if there is no such import.
    pub plan: Option<Map>,
    /// How far each range has come, by its number; those not begun are missing.
    pub ranges: Vec<(usize, Map)>,
}

impl Table {
    /// Puts an import's plan, unless there is one. Answers whether this one stands.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn put_plan(
        &self,
        import: ImportId,
        plan: &Map,
        expires_at: i64,
    ) -> Result<bool, TableError> {
        self.put_import_item(import, keys::IMPORT, plan, expires_at)
            .await
    }

    /// Puts an item of an import, unless it is there.
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
        conditional(put.send().await)
    }

    /// Everything that is kept of an import, read consistently.
    ///
    /// # Errors
    /// The table did not answer.
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

    /// Notes how far a range has come from `began`, where nobody else has come further (`begun`: whether that offset
    /// was stored). That its object was `lost` is no way on: who has read it all the same takes that one's place.
    /// Answers whether it was so.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn checkpoint(
        &self,
        import: ImportId,
        range: usize,
        began: u64,
        begun: bool,
        data: &Map,
        expires_at: i64,
    ) -> Result<bool, TableError> {
        let row = import_row(import, &keys::range(range), data, expires_at);
        let mut condition = if begun {
            "#data.#offset = :began AND #data.#done = :no".to_owned()
        } else {
            "attribute_not_exists(#data)".to_owned()
        };
        let mut put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .expression_attribute_names("#data", "data");
        if begun {
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
        if begun || !is_lost {
            put = put
                .expression_attribute_names("#offset", "offset")
                .expression_attribute_values(":began", AttributeValue::N(began.to_string()));
        }
        conditional(put.condition_expression(condition).send().await)
    }

    /// Counts that a range is tried again from where it stands. Answers how often that was, since it last came on.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn count_attempt(
        &self,
        import: ImportId,
        range: usize,
        expires_at: i64,
    ) -> Result<u64, TableError> {
        let answer = self
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
        let attempts = answer
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

/// Whether a conditional put's condition held.
pub(super) fn conditional<O, R>(
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
