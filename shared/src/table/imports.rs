//! Stores and reads the state of imports: a plan, stored once, the progress of each byte range, and an outcome.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValue};

use super::{
    Consistency, MAX_GET, Row, Table, TableError, attribute, failure, unless_condition_failed,
};
use crate::model::{keys, time::Instant, value::Map, version::ImportId};

/// The items of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportItems {
    /// The plan; `None` if the import does not exist.
    pub plan: Option<Map>,
    /// The number of each range and its progress. Ranges that have not begun are missing.
    pub ranges: Vec<(usize, Map)>,
    /// The number of each range and its attempts since it last advanced. Ranges without any are missing.
    pub attempts: Vec<(usize, Attempts)>,
    /// The number of each range and what it last reported while it was running.
    pub live: Vec<(usize, Map)>,
    /// The final state and the counts; `None` if the import has not ended.
    pub outcome: Option<Map>,
}

/// The attempts at a range from its stored offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many there were.
    pub count: u64,
    /// When the last one began, in seconds since 1970.
    pub at: i64,
}

impl Attempts {
    fn of(row: &Row) -> Option<Self> {
        let number = |name: &str| row.get(name)?.as_n().ok();
        Some(Self {
            count: number("attempts")?.parse().ok()?,
            at: number("attempted_at").and_then(|at| at.parse().ok())?,
        })
    }
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
    /// When the progress expires, in seconds since 1970; `None` if it does not.
    pub expires_at: Option<i64>,
}

/// The progress of a range before an invocation: the offset at which the invocation began, in bytes, and whether it was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// No progress was stored.
    NotBegun(u64),
    /// This offset was stored.
    Stored(u64),
}

/// The treatment of an item that already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Keeps it.
    Keep,
    /// Replaces it.
    Replace,
}

impl ImportItems {
    /// Adds an item of the import.
    fn add(&mut self, row: Row) {
        let Some(sort) = row.get("SK").and_then(|sort| sort.as_s().ok()).cloned() else {
            return;
        };
        let range = keys::parse_range(&sort);
        if let (Some(number), Some(attempts)) = (range, Attempts::of(&row)) {
            self.attempts.push((number, attempts));
        }
        let Some((_, data)) = attribute::partition_and_data(row) else {
            return;
        };
        if let Some(number) = range {
            self.ranges.push((number, data));
        } else if let Some(number) = keys::parse_live(&sort) {
            self.live.push((number, data));
        } else if sort == keys::IMPORT {
            self.plan = Some(data);
        } else if sort == keys::OUTCOME {
            self.outcome = Some(data);
        }
    }
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
        expires_at: Option<i64>,
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
        expires_at: Option<i64>,
    ) -> Result<bool, TableError> {
        let row = import_row(import, sort, data, expires_at);
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(PK)");
        Ok(unless_condition_failed(put.send().await)?.is_some())
    }

    /// Reads all that is stored of an import, consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn import(&self, import: ImportId) -> Result<ImportItems, TableError> {
        let mut items = ImportItems::default();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("PK = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(keys::import(import)))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(failure)?;
            self.consumed.read(page.consumed_capacity());
            for row in page.items.unwrap_or_default() {
                items.add(row);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
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
        let put = put.condition_expression(condition).send().await;
        Ok(unless_condition_failed(put)?.is_some())
    }

    /// Reads the plans of imports, consistently, at most 100 imports per request. Imports without a plan are left out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn plans(&self, imports: &[ImportId]) -> Result<Vec<(ImportId, Map)>, TableError> {
        let mut plans = Vec::new();
        for chunk in imports.chunks(MAX_GET) {
            let keys = chunk
                .iter()
                .map(|import| attribute::key(&keys::import(*import), keys::IMPORT));
            let (rows, _) = self.get_all(keys.collect(), Consistency::Strong).await?;
            let found = rows.into_iter().filter_map(attribute::partition_and_data);
            plans.extend(
                found.filter_map(|(partition, plan)| Some((keys::parse_import(&partition)?, plan))),
            );
        }
        Ok(plans)
    }

    /// Reads the outcomes of at most 100 imports. Imports without one are left out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn outcomes(
        &self,
        imports: &[ImportId],
    ) -> Result<HashMap<ImportId, Map>, TableError> {
        let keys = imports
            .iter()
            .map(|import| attribute::key(&keys::import(*import), keys::OUTCOME));
        let (rows, _) = self.get_all(keys.collect(), Consistency::Eventual).await?;
        let outcomes = rows.into_iter().filter_map(attribute::partition_and_data);
        Ok(outcomes
            .filter_map(|(partition, data)| Some((keys::parse_import(&partition)?, data)))
            .collect())
    }

    /// Stores the outcome of an import: its final state and its counts. Returns whether it was stored.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_outcome(
        &self,
        import: ImportId,
        outcome: &Map,
        existing: Existing,
        expires_at: Option<i64>,
    ) -> Result<bool, TableError> {
        let key = attribute::key(&keys::import(import), keys::OUTCOME);
        self.put_row(state_row(key, outcome, expires_at), existing)
            .await
    }

    /// Stores what a running range reports about its progress.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn put_live(
        &self,
        import: ImportId,
        range: usize,
        live: &Map,
        expires_at: Option<i64>,
    ) -> Result<(), TableError> {
        let key = attribute::key(&keys::import(import), &keys::live(range));
        let row = state_row(key, live, expires_at);
        self.put_row(row, Existing::Replace).await?;
        Ok(())
    }

    /// Puts an item of the list or of an import. Returns whether it was stored.
    pub(super) async fn put_row(&self, row: Row, existing: Existing) -> Result<bool, TableError> {
        let condition = (existing == Existing::Keep).then(|| "attribute_not_exists(PK)".to_owned());
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .set_condition_expression(condition)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let put = unless_condition_failed(put)?;
        if let Some(output) = &put {
            self.consumed.write(output.consumed_capacity());
        }
        Ok(put.is_some())
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
        expires_at: Option<i64>,
    ) -> Result<u64, TableError> {
        let expiry = expires_at.map(|at| AttributeValue::N(at.to_string()));
        let update = match expiry {
            None => "ADD attempts :one SET attempted_at = :now",
            Some(_) => "ADD attempts :one SET attempted_at = :now, expires_at = :expires_at",
        };
        let now = Instant::now().seconds().to_string();
        let mut values = HashMap::from([
            (":one".to_owned(), AttributeValue::N("1".to_owned())),
            (":now".to_owned(), AttributeValue::N(now)),
        ]);
        values.extend(expiry.map(|expiry| (":expires_at".to_owned(), expiry)));
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                &keys::import(import),
                &keys::range(range),
            )))
            .update_expression(update)
            .set_expression_attribute_values(Some(values))
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

/// Builds an item of an import.
pub(super) fn import_row(import: ImportId, sort: &str, data: &Map, expires_at: Option<i64>) -> Row {
    state_row(
        attribute::key(&keys::import(import), sort),
        data,
        expires_at,
    )
}

/// Adds data and expiry to the key of an item.
pub(super) fn state_row(mut row: Row, data: &Map, expires_at: Option<i64>) -> Row {
    row.insert("data".to_owned(), attribute::map(data));
    if let Some(at) = expires_at {
        row.insert("expires_at".to_owned(), AttributeValue::N(at.to_string()));
    }
    row
}
