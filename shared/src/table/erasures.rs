//! Erasure in the table: the erasure list, with which ingest keeps erased identities out, and the deletion of items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Consistency, Fields, Items, MAX_PAGES, Order, Range, Row, Table, TableError, Verdict, Write,
    attribute, failure,
};
use crate::model::{
    erasure::Markers,
    identity::IdentityId,
    item::Item,
    keys::{self, Marker, SortKey},
    time::Instant,
    value::{Map, Value},
    version::{ImportId, Version},
};

/// The number of shards of the list that are read concurrently.
const CONCURRENT_SHARDS: usize = 8;

/// The entries of the erasure list about one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    /// The markers of the identity.
    pub markers: Markers,
    /// The time of the newest entry by the writer's clock, in seconds since 1970; 0 if it is not known.
    pub listed_at: i64,
}

/// A page of an identity's items, with only the data that the erasure rule needs.
#[derive(Clone, Debug, Default)]
pub struct ItemsWithoutData {
    /// The items. Their data contains at most `at`, the time of a support agent's link.
    pub items: Vec<Item>,
    /// The sort key to continue after; `None` on the last page.
    pub next: Option<String>,
}

impl Write {
    /// Creates a write of an identity's marker.
    pub fn marker(identity: &IdentityId, marker: Marker, version: Version) -> Self {
        Self::new(
            identity.to_string(),
            SortKey::Marker(marker).to_text(),
            version,
            &Map::new(),
        )
    }

    /// Creates a write of an entry of the erasure list.
    pub fn listed(identity: &IdentityId, marker: Marker, version: Version) -> Self {
        let (partition, sort) = keys::erasure(identity, marker);
        let mut data = Map::new();
        data.insert("listed_at", Instant::now().to_string());
        Self::new(partition, sort, version, &data)
    }
}

impl Table {
    /// Returns how many times the erasure list has changed. Reads consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn erasure_changes(&self) -> Result<u64, TableError> {
        let counter = self
            .get(attribute::key(keys::ERASURES, keys::ERASURES))
            .await?;
        Ok(counter.as_ref().and_then(changes).unwrap_or_default())
    }

    /// Counts a change of the erasure list and returns the new count. Call it after listing an erasure and before
    /// deleting items.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn count_erasure_change(&self) -> Result<u64, TableError> {
        let output = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(keys::ERASURES, keys::ERASURES)))
            .update_expression("ADD changes :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(failure)?;
        Ok(output
            .attributes
            .as_ref()
            .and_then(changes)
            .unwrap_or_default())
    }

    /// Reads the whole erasure list, consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn erasures(&self) -> Result<HashMap<IdentityId, Erasure>, TableError> {
        let shards = stream::iter(keys::erasures())
            .map(|shard| self.rows(shard))
            .buffer_unordered(CONCURRENT_SHARDS);
        let rows: Vec<Vec<Row>> = shards.try_collect().await?;
        let mut list: HashMap<IdentityId, Erasure> = HashMap::new();
        for row in rows.into_iter().flatten() {
            let sort = row.get("SK").and_then(|sort| sort.as_s().ok());
            let (Some((identity, marker)), Some(version)) = (
                sort.and_then(|sort| keys::parse_erasure(sort)),
                attribute::version_of(&row),
            ) else {
                continue;
            };
            let data = attribute::partition_and_data(row)
                .map(|(_, data)| data)
                .unwrap_or_default();
            let listed_at = data
                .text("listed_at")
                .and_then(Instant::parse)
                .map_or(0, Instant::seconds);
            let erasure = list.entry(identity).or_default();
            erasure.markers.add(marker, version);
            erasure.listed_at = erasure.listed_at.max(listed_at);
        }
        Ok(list)
    }

    /// Reads the markers of an identity, consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn markers(&self, id: &IdentityId) -> Result<Markers, TableError> {
        let (low, high) = keys::MARKERS;
        let range = Range {
            low,
            high: Some(high),
            limit: None,
            pages: usize::MAX,
            fields: Fields::All,
            consistency: Consistency::Strong,
            order: Order::OldestFirst,
            budget: None,
        };
        Ok(Markers::of(&self.query(id, range).await?.items))
    }

    /// Reads one page of an identity's items of every kind, in key order and consistently. The items contain only the
    /// data that the erasure rule needs. `after` is the `next` of the previous page.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn items_without_data(
        &self,
        id: &IdentityId,
        after: Option<&str>,
    ) -> Result<ItemsWithoutData, TableError> {
        let page = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(id.to_string()))
            .projection_expression("PK, SK, #version, expires_at, #data.#at")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#data", "data")
            .expression_attribute_names("#at", "at")
            .consistent_read(true)
            .set_exclusive_start_key(after.map(|sort| attribute::key(id.as_str(), sort)))
            .send()
            .await
            .map_err(failure)?;
        let next = page.last_evaluated_key.as_ref();
        Ok(ItemsWithoutData {
            next: next.and_then(|key| key.get("SK")?.as_s().ok().cloned()),
            items: page
                .items
                .unwrap_or_default()
                .into_iter()
                .filter_map(attribute::item)
                .collect(),
        })
    }

    /// Reads an identity's head, consistently. The items contain only the attributes that decide which identities are
    /// linked: links, markers and the identifiers of records. The data of records and attributes is left out.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn linked_identities(&self, id: &IdentityId) -> Result<Items, TableError> {
        let (low, high) = keys::HEAD;
        let range = Range {
            low,
            high: Some(high),
            limit: None,
            pages: MAX_PAGES,
            fields: Fields::Links,
            consistency: Consistency::Strong,
            order: Order::NewestFirst,
            budget: None,
        };
        self.query(id, range).await
    }

    /// Reads the newest event of an identity, consistently.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn newest_event(&self, id: &IdentityId) -> Result<Option<Item>, TableError> {
        let (low, high) = keys::EVENTS;
        let range = Range {
            low,
            high: Some(high),
            limit: Some(1),
            pages: 1,
            fields: Fields::All,
            consistency: Consistency::Strong,
            order: Order::NewestFirst,
            budget: None,
        };
        Ok(self.query(id, range).await?.items.pop())
    }

    /// Reads the far side of each link: the item that the other identity's partition contains. Reads consistently. Absent
    /// items are skipped.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn far_links(&self, links: &[&Item]) -> Result<Vec<Item>, TableError> {
        let keys: Vec<Row> = links
            .iter()
            .filter_map(|link| {
                let SortKey::Link { source, other } = &link.key else {
                    return None;
                };
                let far = SortKey::Link {
                    source: source.clone(),
                    other: link.identity.clone(),
                };
                Some(attribute::key(other.as_str(), &far.to_text()))
            })
            .collect();
        let mut found = Vec::new();
        for keys in keys.chunks(super::MAX_GET) {
            let (rows, _) = self.get_all(keys.to_vec(), Consistency::Strong).await?;
            found.extend(rows.into_iter().filter_map(attribute::item));
        }
        Ok(found)
    }

    /// Stores which identities the row at `offset` of an import erases, unless that is already stored. Returns the
    /// stored identities.
    ///
    /// # Errors
    /// The table cannot be read or written.
    pub async fn store_targets(
        &self,
        import: ImportId,
        offset: u64,
        targets: &[IdentityId],
        expires_at: i64,
    ) -> Result<Vec<IdentityId>, TableError> {
        let sort = keys::targets(offset);
        let mut data = Map::new();
        data.insert(
            "identities",
            Value::List(targets.iter().map(|id| id.as_str().into()).collect()),
        );
        if self
            .put_import_item(import, &sort, &data, Some(expires_at))
            .await?
        {
            return Ok(targets.to_vec());
        }
        let stored = self
            .get(attribute::key(&keys::import(import), &sort))
            .await?;
        let (_, data) = stored
            .and_then(attribute::partition_and_data)
            .unwrap_or_default();
        Ok(data
            .list("identities")
            .iter()
            .filter_map(|id| id.as_text()?.parse().ok())
            .collect())
    }

    /// Deletes items, each only if the stored version is the same, or if neither has a valid one. Takes at most 25 items,
    /// no two with the same key. The verdict `Missing` means that the item is absent or has changed.
    ///
    /// # Errors
    /// The request failed. Any of the items may have been deleted.
    pub async fn delete_items(&self, items: &[&Item]) -> Result<Vec<Verdict>, TableError> {
        let statements = items.iter().map(|item| {
            let key = (item.identity.as_str(), &*item.key.to_text());
            self.delete_statement(key, item.version.as_ref())
        });
        let statements = statements.collect::<Result<_, _>>()?;
        Ok(self.delete_batch(statements).await?.verdicts)
    }
}

/// Reads the counter of changes from its item.
fn changes(row: &Row) -> Option<u64> {
    row.get("changes")?.as_n().ok()?.parse().ok()
}
