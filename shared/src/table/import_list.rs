//! Stores and reads the list of imports: entries in one partition for each month.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

use super::{
    Row, Table, TableError, attribute, failure,
    imports::{Existing, state_row},
};
use crate::model::{
    import::{Entry, EntryKey},
    keys,
    time::Instant,
    value,
};

/// A page of the list of imports within one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, newest first. Expired ones are left out.
    pub entries: Vec<(EntryKey, Entry)>,
    /// The place of the last entry examined, if the month may have older ones.
    pub last: Option<String>,
}

impl Table {
    /// Stores an entry of the list. Returns whether it was stored: `false` if an existing one is kept.
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
        let data = value::to_map(entry).map_err(|error| TableError::Refused(error.into()))?;
        let row = state_row(entry_key(key), &data, expires_at);
        self.put_row(row, existing).await
    }

    /// Reads one entry, consistently. Returns `None` if it does not exist or has expired.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn entry(&self, key: &EntryKey) -> Result<Option<Entry>, TableError> {
        let row = self.get(entry_key(key)).await?;
        let now = Instant::now().seconds();
        let row = row.filter(|row| !is_expired(row, now));
        row.map(parse_entry).transpose()
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
            Some((key, parse_entry(row).ok()?))
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
        Ok(rows.filter_map(|row| parse_entry(row).ok()).collect())
    }
}

/// Returns the key of an entry.
pub(super) fn entry_key(key: &EntryKey) -> Row {
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
pub(super) fn parse_entry(row: Row) -> Result<Entry, TableError> {
    let data = attribute::partition_and_data(row).map(|(_, data)| data);
    value::from_map(&data.unwrap_or_default()).map_err(|error| TableError::Refused(error.into()))
}
