//! Stores and reads the list of imports: entries in one partition for each month, and the outcome of each import.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
};

use super::{
    Consistency, MAX_GET, Row, Table, TableError, attribute, failure, imports,
    unless_condition_failed,
};
use crate::model::{
    import::{Entry, EntryKey},
    keys,
    time::Instant,
    value::{self, Map},
    version::ImportId,
};

/// A page of the list of imports within one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, newest first. Expired ones are left out.
    pub entries: Vec<(EntryKey, Entry)>,
    /// The place of the last entry examined, if the month may have older ones.
    pub last: Option<String>,
}

/// Whether a put keeps what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// What is stored stays.
    Keep,
    /// The put replaces what is stored.
    Replace,
}

impl Table {
    /// Stores an entry of the list. Returns whether it was stored: `false` if there is one that has to stay.
    ///
    /// # Errors
    /// The table cannot be written, or the entry cannot be converted.
    pub async fn put_entry(
        &self,
        key: &EntryKey,
        entry: &Entry,
        existing: Existing,
        expires_at: Option<i64>,
    ) -> Result<bool, TableError> {
        let data = value::to_map(entry).map_err(|error| TableError::Invalid(error.into()))?;
        let row = imports::state_row(entry_row(key), &data, expires_at);
        self.put_state(row, existing).await
    }

    /// Stores that the import of the object `object` belongs to an upload, unless another import does. Returns the entry of the
    /// upload; `None` if there is no such upload of this object.
    ///
    /// # Errors
    /// The table cannot be written, or the entry cannot be read.
    pub async fn begin_upload(
        &self,
        key: &EntryKey,
        object: &str,
        import: ImportId,
    ) -> Result<Option<Entry>, TableError> {
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(entry_row(key)))
            .update_expression("SET #data.#import = if_not_exists(#data.#import, :import)")
            .condition_expression("#data.#key = :key")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":key", AttributeValue::S(object.to_owned()))
            .expression_attribute_names("#import", "import")
            .expression_attribute_values(":import", AttributeValue::S(import.to_string()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let changed = unless_condition_failed(output)?;
        let row = changed.and_then(|output| output.attributes);
        row.map(entry_of).transpose()
    }

    /// Reads one entry, consistently. Returns `None` if it does not exist or has expired.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn entry(&self, key: &EntryKey) -> Result<Option<Entry>, TableError> {
        let row = self.get(entry_row(key)).await?;
        let now = Instant::now().seconds();
        let row = row.filter(|row| !is_expired(row, now));
        row.map(entry_of).transpose()
    }

    /// Reads the entries of a month (`2026-11`), newest first, older than the place `before`. Examines at most `limit`.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn entries(
        &self,
        month: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<EntryPage, TableError> {
        let partition = keys::imports(month);
        let start = before.map(|sort| attribute::key(&partition, sort));
        let output = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        self.consumed.read(output.consumed_capacity());
        let last = output.last_evaluated_key.as_ref();
        let last = last.and_then(|key| key.get("SK")?.as_s().ok().cloned());
        let now = Instant::now().seconds();
        let rows = output.items.unwrap_or_default().into_iter();
        // DynamoDB deletes expired items late.
        let entries = rows.filter(|row| !is_expired(row, now));
        let entries = entries.filter_map(|row| {
            let key = EntryKey::parse(row.get("SK")?.as_s().ok()?)?;
            Some((key, entry_of(row).ok()?))
        });
        Ok(EntryPage {
            entries: entries.collect(),
            last,
        })
    }

    /// Reads all entries of a month (`2026-11`), consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn entries_of_month(&self, month: &str) -> Result<Vec<Entry>, TableError> {
        let rows = self.rows(keys::imports(month)).await?.into_iter();
        Ok(rows.filter_map(|row| entry_of(row).ok()).collect())
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
        self.put_state(imports::state_row(key, outcome, expires_at), existing)
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
        let row = imports::state_row(key, live, expires_at);
        self.put_state(row, Existing::Replace).await?;
        Ok(())
    }

    /// Stores the idempotency record of an upload, unless there is one that has not expired by `now` (seconds since 1970).
    /// Returns the data of the record that is stored.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn claim_upload(
        &self,
        hash: &str,
        data: &Map,
        now: i64,
        expires_at: i64,
    ) -> Result<Map, TableError> {
        let partition = keys::upload_request(hash);
        let key = attribute::key(&partition, &partition);
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(imports::state_row(key, data, Some(expires_at))))
            // DynamoDB deletes expired items late, so an expired record is overwritten.
            .condition_expression("attribute_not_exists(PK) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match put {
            Ok(output) => {
                self.consumed.write(output.consumed_capacity());
                return Ok(data.clone());
            }
            Err(error) => error,
        };
        use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException;
        let seen = match error.as_service_error() {
            Some(ConditionalCheckFailedException(seen)) => seen.item().cloned(),
            _ => None,
        };
        let seen = seen.and_then(attribute::partition_and_data);
        seen.map(|(_, data)| data).ok_or_else(|| failure(error))
    }

    /// Puts an item of the list or of an import. Returns whether it was stored.
    async fn put_state(&self, row: Row, existing: Existing) -> Result<bool, TableError> {
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
}

/// Returns the key of an entry.
fn entry_row(key: &EntryKey) -> Row {
    let sort = key.to_string();
    attribute::key(&keys::imports(&keys::month(key.at)), &sort)
}

fn is_expired(row: &Row, now: i64) -> bool {
    let end = row
        .get("expires_at")
        .and_then(|end| end.as_n().ok()?.parse::<i64>().ok());
    end.is_some_and(|end| end <= now)
}

/// Reads an entry.
fn entry_of(row: Row) -> Result<Entry, TableError> {
    let data = attribute::partition_and_data(row).map(|(_, data)| data);
    value::from_map(&data.unwrap_or_default()).map_err(|error| TableError::Refused(error.into()))
}
