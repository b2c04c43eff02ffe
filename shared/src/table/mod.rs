//! Reads and writes the DynamoDB table, with one method per access pattern. Takes and returns items; DynamoDB types stay in this
//! folder.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{BuildError, ProvideErrorMetadata, SdkError},
    operation::query::QueryOutput,
    types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity},
};

use futures::future::try_join_all;
use tokio::sync::Semaphore;

use crate::model::{
    closure::MAX_LINK_ITEMS,
    identity::IdentityId,
    item::Item,
    keys::{self, SortKey},
    time::Instant,
    value::Map,
};

mod apply;
mod attribute;
mod batch;
mod budget;
mod consumed;
mod erasures;
mod facts;
mod import_list;
mod imports;
mod notes;
mod operations;
mod preview;
pub mod products;
pub mod reader;
mod reads;
mod removals;
mod search;
mod snapshot;
mod transaction;
mod uploads;
mod write;

use consumed::Consumed;

pub use apply::{Applied, Transaction};
pub use batch::{BATCH_SIZE, Verdict, Written};
pub use budget::Budget;
pub use erasures::{Erasure, ItemsWithoutData};
pub use facts::{FORMAT, Facts, FactsError, KnownFacts, SourceSeen};
pub use import_list::EntryPage;
pub use imports::{Attempts, Before, Checkpoint, Existing, ImportItems};
pub use operations::{NewOperation, PlanChange, StartResult};
pub use reads::EventRange;
pub use removals::{Place, Stored, StoredItems};
pub use search::{CARD_ITEMS, Hits, MAX_SHARD_ENTRIES};
pub use snapshot::Snapshot;
pub use write::Write;

/// The attributes of one item, as DynamoDB returns them.
type Row = HashMap<String, AttributeValue>;

/// The maximum number of pages, 1 MiB each, that are read of one identity.
const MAX_PAGES: usize = 10;
/// The maximum number of items on a page that begins in a partition's head.
const HEAD_PAGE_ITEMS: usize = 1_000;
/// The maximum number of keys in one `BatchGetItem`, a limit of DynamoDB.
const MAX_GET: usize = 100;
/// The maximum number of concurrent requests for products.
const MAX_READS: usize = 8;
/// The maximum number of pages of profiles that are requested concurrently. A page can be 8 MB of JSON.
const MAX_PAGES_IN_FLIGHT: usize = 8;
/// The maximum number of `BatchGetItem` requests for the same keys, because a response may leave keys unprocessed.
const MAX_GET_ROUNDS: u32 = 5;

/// The DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    consumed: Consumed,
    /// Limits the pages of profiles in flight: of all profiles, because a batch reads several concurrently.
    pages: Arc<Semaphore>,
}

/// Why a request to the table failed.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The request was throttled, or the table cannot be reached. A retry may succeed.
    #[error("the table is throttled or cannot be reached; retry later")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// DynamoDB rejected the request as invalid, for example because of a value that cannot be stored.
    #[error("DynamoDB rejected the request as invalid")]
    Invalid(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// DynamoDB refused the request. A retry does not help.
    #[error("DynamoDB refused the request; a retry does not help")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Some of an identity's items.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// The items, in the order in which they were read. Expired items are left out.
    pub items: Vec<Item>,
    /// The key after which there may be more items. It is not always the key of an item in `items`.
    pub next: Option<SortKey>,
    /// The read units that the read consumed.
    pub units: f64,
}

/// The part of a partition to read, and how to read it.
struct Range<'a> {
    /// The lowest sort key, inclusive.
    low: &'a str,
    /// The highest sort key, inclusive; `None` for the end of the partition.
    high: Option<&'a str>,
    /// The maximum number of items to examine.
    limit: Option<usize>,
    /// The maximum number of pages, of 1 MiB each.
    pages: usize,
    fields: Fields,
    consistency: Consistency,
    order: Order,
    /// The memory that the items may take, if the read is one of several of a profile.
    budget: Option<&'a Budget>,
}

/// Whether a read sees every write that was acknowledged before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// The read may miss the newest writes. It consumes half the capacity of a strongly consistent one.
    #[default]
    Eventual,
    /// The read sees every earlier write.
    Strong,
}

impl Consistency {
    const fn is_strong(self) -> bool {
        matches!(self, Self::Strong)
    }
}

/// The direction of a read. Keys sort by kind, and events of one partition by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Descending: the newest events come first.
    #[default]
    NewestFirst,
    /// Ascending: the oldest events come first.
    OldestFirst,
}

/// The attributes of items to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    /// All attributes.
    All,
    /// The attributes that decide which identities are linked, without the data of records and attributes.
    Links,
}

/// How to read an identity's notes.
#[derive(Clone, Copy, Debug)]
pub struct NotesRead {
    consistency: Consistency,
    /// The maximum number of pages, of 1 MiB each.
    pages: usize,
}

impl NotesRead {
    /// Reads the newest notes: one page of at most 1 MiB.
    pub const fn newest(consistency: Consistency) -> Self {
        Self {
            consistency,
            pages: 1,
        }
    }

    /// Reads all notes, consistently, up to the page limit of an identity.
    pub const fn all() -> Self {
        Self {
            consistency: Consistency::Strong,
            pages: MAX_PAGES,
        }
    }
}

/// The rows under some keys.
struct Fetched {
    rows: Vec<Row>,
    /// The keys that DynamoDB left unprocessed.
    unprocessed: Vec<Row>,
    /// The number of requests that were sent.
    requests: u64,
}

impl Table {
    /// Returns the table with this name.
    pub fn new(client: Client, name: String) -> Self {
        Self {
            client,
            name,
            consumed: Consumed::default(),
            pages: Arc::new(Semaphore::new(MAX_PAGES_IN_FLIGHT)),
        }
    }

    /// Returns the read and write capacity units that profile reads and note writes have consumed since the last call.
    /// A function serves one request at a time, so the units between two calls belong to one request.
    pub fn take_consumed(&self) -> (f64, f64) {
        self.consumed.take()
    }

    /// Reads an identity's head, then its events, newest first. Stops after a page with which the budget is spent.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn identity(
        &self,
        id: &IdentityId,
        consistency: Consistency,
        budget: &Budget,
    ) -> Result<Items, TableError> {
        self.query(
            id,
            Range {
                low: keys::FIRST_READ,
                high: None,
                limit: None,
                pages: MAX_PAGES,
                fields: Fields::All,
                consistency,
                order: Order::NewestFirst,
                budget: Some(budget),
            },
        )
        .await
    }

    /// Reads an identity's records, attributes, links and markers. Stops after a page with which the budget is spent.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn head(
        &self,
        id: &IdentityId,
        consistency: Consistency,
        budget: &Budget,
    ) -> Result<Items, TableError> {
        let (low, high) = keys::HEAD;
        self.query(
            id,
            Range {
                low,
                high: Some(high),
                limit: None,
                pages: MAX_PAGES,
                fields: Fields::All,
                consistency,
                order: Order::NewestFirst,
                budget: Some(budget),
            },
        )
        .await
    }

    /// Reads an identity's notes, newest first.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn notes(&self, id: &IdentityId, read: NotesRead) -> Result<Items, TableError> {
        let (low, high) = keys::NOTES;
        self.query(
            id,
            Range {
                low,
                high: Some(high),
                limit: None,
                pages: read.pages,
                fields: Fields::All,
                consistency: read.consistency,
                order: Order::NewestFirst,
                budget: None,
            },
        )
        .await
    }

    /// Reads the products under these partition keys. The value is `None` if there is no such product. Keys that
    /// DynamoDB left unprocessed are missing from the result.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn products(
        &self,
        partitions: &[String],
    ) -> Result<HashMap<String, Option<Map>>, TableError> {
        let mut found: HashMap<_, _> = partitions.iter().map(|pk| (pk.clone(), None)).collect();
        // A page of long orders can name thousands of products, so concurrent requests are limited.
        for group in partitions.chunks(MAX_GET * MAX_READS) {
            let reads = group.chunks(MAX_GET).map(|chunk| {
                let keys = chunk.iter().map(|pk| attribute::key(pk, keys::PRODUCT));
                self.get_all(keys.collect(), Consistency::Eventual)
            });
            for (rows, left) in try_join_all(reads).await? {
                let read = rows.into_iter().filter_map(attribute::partition_and_data);
                found.extend(read.map(|(pk, data)| (pk, Some(data))));
                for key in left {
                    if let Some(AttributeValue::S(pk)) = key.get("PK") {
                        found.remove(pk);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Reads the rows under at most 100 keys; absent rows are skipped. Requests keys that DynamoDB leaves unprocessed
    /// again, in at most 5 rounds. Also returns the keys that remain unprocessed; in a strongly consistent read they are
    /// an error.
    async fn get_all(
        &self,
        keys: Vec<Row>,
        consistency: Consistency,
    ) -> Result<(Vec<Row>, Vec<Row>), TableError> {
        let fetched = self.get_fields(keys, consistency, None).await?;
        Ok((fetched.rows, fetched.unprocessed))
    }

    /// Reads rows as [`Table::get_all`] does. `fields` is a projection expression with the names in it; `None` for all
    /// attributes.
    async fn get_fields(
        &self,
        mut keys: Vec<Row>,
        consistency: Consistency,
        fields: Option<(&str, &[(&str, &str)])>,
    ) -> Result<Fetched, TableError> {
        let (projection, names) = fields.unzip();
        let names = names.map(|names| {
            let names = names.iter();
            names
                .map(|(name, field)| ((*name).to_owned(), (*field).to_owned()))
                .collect()
        });
        let mut rows = Vec::with_capacity(keys.len());
        let mut requests = 0;
        for round in 0..MAX_GET_ROUNDS {
            if keys.is_empty() {
                break;
            }
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(20 << round)).await;
            }
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .set_projection_expression(projection.map(str::to_owned))
                .set_expression_attribute_names(names.clone())
                .consistent_read(consistency.is_strong())
                .build();
            let wanted = wanted.map_err(|error| TableError::Refused(error.into()))?;
            requests += 1;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.name, wanted)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(failure)?;
            self.consumed.read(output.consumed_capacity());
            rows.extend(
                output
                    .responses
                    .unwrap_or_default()
                    .remove(&self.name)
                    .unwrap_or_default(),
            );
            keys = output
                .unprocessed_keys
                .unwrap_or_default()
                .remove(&self.name)
                .map(|left| left.keys)
                .unwrap_or_default();
        }
        if keys.is_empty() || consistency == Consistency::Eventual {
            return Ok(Fetched {
                rows,
                unprocessed: keys,
                requests,
            });
        }
        Err(TableError::Unavailable(
            "keys stayed unprocessed after the last retry".into(),
        ))
    }

    /// Reads a row, consistently.
    async fn get(&self, key: Row) -> Result<Option<Row>, TableError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        self.consumed.read(output.consumed_capacity());
        Ok(output.item)
    }

    /// Reads all rows of a partition, consistently.
    async fn rows(&self, partition: String) -> Result<Vec<Row>, TableError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while let Some(row) = pages.next().await {
            rows.push(row.map_err(failure)?);
        }
        Ok(rows)
    }

    /// Reads a range in either direction. With a limit it examines that many items, and returns fewer if some have expired.
    ///
    /// Newest first, it returns at most one link more of each source than `MAX_LINK_ITEMS`, and skips the others. An
    /// address that many customers share can have thousands of links.
    async fn query(&self, id: &IdentityId, range: Range<'_>) -> Result<Items, TableError> {
        let now = Instant::now().seconds();
        let mut found = Items::default();
        let mut links = LinkCounts::default();
        let mut start = None;
        for _ in 0..range.pages {
            // Held until the budget is charged for the page.
            let _permit = match range.budget {
                Some(_) => self.pages.acquire().await.ok(),
                None => None,
            };
            let page = self.query_page(id, &range, start.take()).await?;
            self.consumed.read(page.consumed_capacity());
            let consumed = page.consumed_capacity();
            found.units += consumed
                .and_then(|c| c.capacity_units())
                .unwrap_or_default();
            let read = found.items.len();
            start = page.last_evaluated_key;
            found.next = start.as_ref().and_then(attribute::sort_key);
            let mut items = page.items.unwrap_or_default();
            if range.budget.is_some_and(Budget::is_spent) {
                found.next = retain_links(&mut items).or(found.next);
            }
            let items = items
                .into_iter()
                .filter_map(attribute::item)
                // DynamoDB deletes expired items late.
                .filter(|item| !item.is_expired(now));
            if range.order == Order::OldestFirst {
                found.items.extend(items);
            } else {
                found.items.extend(items.filter(|item| links.admit(item)));
            }
            if let Some(budget) = range.budget {
                budget.take(found.items.get(read..).unwrap_or_default());
                if budget.is_spent() {
                    break;
                }
            }
            // A caller cannot continue after a key of an unknown form, so the loop continues instead.
            if start.is_none() || range.limit.is_some() && found.next.is_some() {
                break;
            }
            if let Some(SortKey::Link { source, .. }) = &found.next
                && links.is_full(source)
            {
                start = Some(attribute::key(id.as_str(), &keys::below_links(source)));
            }
        }
        Ok(found)
    }

    /// Reads one page of a range, from `start` on.
    async fn query_page(
        &self,
        id: &IdentityId,
        range: &Range<'_>,
        start: Option<Row>,
    ) -> Result<QueryOutput, TableError> {
        let condition = if range.high.is_some() {
            "PK = :pk AND SK BETWEEN :low AND :high"
        } else {
            "PK = :pk AND SK >= :low"
        };
        // The head comes first and contains the links. Short pages keep the number of links small that are read and
        // then skipped.
        let is_in_head = start
            .as_ref()
            .is_none_or(|start| start.get("SK").is_some_and(is_in_head));
        let limit = match range.limit {
            None if is_in_head && range.order == Order::NewestFirst => Some(HEAD_PAGE_ITEMS),
            limit => limit,
        };
        let limit = limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
        let mut query = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", AttributeValue::S(id.to_string()))
            .expression_attribute_values(":low", AttributeValue::S(range.low.to_owned()))
            .scan_index_forward(range.order == Order::OldestFirst)
            .consistent_read(range.consistency.is_strong())
            .set_limit(limit)
            .set_exclusive_start_key(start)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(high) = range.high {
            query = query.expression_attribute_values(":high", AttributeValue::S(high.to_owned()));
        }
        if range.fields == Fields::Links {
            query = query
                .projection_expression(
                    "PK, SK, #version, #link, expires_at, #data.#live, #data.#other, #data.#at",
                )
                .expression_attribute_names("#version", "version")
                .expression_attribute_names("#link", "link")
                .expression_attribute_names("#data", "data")
                .expression_attribute_names("#live", "live")
                .expression_attribute_names("#other", "other")
                .expression_attribute_names("#at", "at");
        }
        query.send().await.map_err(failure)
    }
}

/// The number of links of each source that a read has returned.
#[derive(Debug, Default)]
struct LinkCounts(HashMap<String, usize>);

impl LinkCounts {
    /// Returns whether a read returns the item. Links are left out once more than `MAX_LINK_ITEMS` of their source were
    /// returned.
    fn admit(&mut self, item: &Item) -> bool {
        let SortKey::Link { source, .. } = &item.key else {
            return true;
        };
        if self.is_full(source) {
            return false;
        }
        *self.0.entry(source.clone()).or_default() += 1;
        true
    }

    /// Returns whether a read has returned more links of `source` than `MAX_LINK_ITEMS`.
    fn is_full(&self, source: &str) -> bool {
        self.0
            .get(source)
            .is_some_and(|count| *count > MAX_LINK_ITEMS)
    }
}

/// Returns whether a sort key is in a partition's head, where the highest keys are.
fn is_in_head(sort: &AttributeValue) -> bool {
    sort.as_s().is_ok_and(|sort| sort.as_str() >= keys::HEAD.0)
}

/// Removes all rows but links and markers, which decide which identities form a profile. Returns the key of the first row
/// if a row was removed: it is where the read must continue.
fn retain_links(rows: &mut Vec<Row>) -> Option<SortKey> {
    let first = rows.first().and_then(attribute::sort_key);
    let count = rows.len();
    rows.retain(|row| {
        matches!(
            attribute::sort_key(row),
            Some(SortKey::Link { .. } | SortKey::Marker(_))
        )
    });
    first.filter(|_| rows.len() < count)
}

/// Returns the output of a conditional request; `None` if its condition failed.
fn unless_condition_failed<O, E, R>(
    result: Result<O, SdkError<E, R>>,
) -> Result<Option<O>, TableError>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(None),
        Err(error) => Err(failure(error)),
    }
}

/// Returns the error of a request that cannot be built.
fn refused(error: BuildError) -> TableError {
    TableError::Refused(error.into())
}

/// Converts an SDK error to a [`TableError`], by whether a retry may succeed. The SDK's own retries are already over.
fn failure<E, R>(error: SdkError<E, R>) -> TableError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .map(str::to_owned);
    let is_unreached = matches!(
        error,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_)
    );
    let error: Box<dyn std::error::Error + Send + Sync> = error.into();
    match code.as_deref() {
        Some(
            "ThrottlingException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "InternalServerError"
            | "ServiceUnavailable"
            | "TransactionInProgressException",
        ) => TableError::Unavailable(error),
        Some("ValidationException") => TableError::Invalid(error),
        _ if is_unreached => TableError::Unavailable(error),
        _ => TableError::Refused(error),
    }
}
