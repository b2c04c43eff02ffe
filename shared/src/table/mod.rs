//! The table: one method per access pattern. DynamoDB's shapes stop here; everything outside speaks of items.

use std::{collections::HashMap, fmt, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::query::QueryOutput,
    types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity},
};

use futures::future::try_join_all;

use crate::{
    closure::MAX_LINK_ITEMS,
    identity::IdentityId,
    item::Item,
    keys::{self, SortKey},
    problem::Problem,
    time::Instant,
    value::Map,
};

mod attribute;
mod batch;
mod consumed;
mod erasures;
mod facts;
mod imports;
mod notes;
mod reads;
mod transaction;

use consumed::Consumed;

pub use batch::{BATCH_SIZE, Verdict, Write, Written};
pub use erasures::{BareItems, Erasure};
pub use facts::{FORMAT, Facts, FactsError, KnownFacts, SourceSeen};
pub use imports::ImportItems;
pub use notes::NotePut;
pub use reads::EventRange;

type Row = HashMap<String, AttributeValue>;

/// The maximum number of pages, of 1 MiB each, that are read of one identity.
const MAX_PAGES: usize = 10;
/// The maximum number of items on a page that begins in a partition's head.
const HEAD_PAGE_ITEMS: usize = 1_000;
/// DynamoDB's limit of one `BatchGetItem`.
const MAX_GET: usize = 100;
/// The most requests for products that are under way at once.
const MAX_READS: usize = 8;
/// How often the keys that `BatchGetItem` left out are asked for again.
const MAX_GET_ROUNDS: u32 = 5;

/// The DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    consumed: Consumed,
}

/// Why the table did not answer.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is busy, or could not be reached: trying again helps.
    #[error("the table is busy: {0}")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The request itself is at fault: a part of it can't be stored.
    #[error("the table can't take the request: {0}")]
    Invalid(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refuses: trying again does not help.
    #[error("the table refuses: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<TableError> for Problem {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Busy(_) => Self::unavailable(error),
            TableError::Invalid(_) | TableError::Refused(_) => Self::internal(error),
        }
    }
}

/// Some of an identity's items.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// The items, in the order that they were read in. Those that have run out are left out.
    pub items: Vec<Item>,
    /// The key after which there may be more: not always that of an item here.
    pub next: Option<SortKey>,
}

/// Which part of a partition is read, and how.
struct Range<'a> {
    low: &'a str,
    high: Option<&'a str>,
    limit: Option<usize>,
    /// The maximum number of pages, of 1 MiB each.
    pages: usize,
    fields: Fields,
    consistent: bool,
    oldest_first: bool,
}

/// Which attributes of items are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fields {
    /// All of them.
    All,
    /// Those that decide which identities are linked, without the data of records and attributes.
    Links,
}

/// How an identity's notes are read.
#[derive(Clone, Copy, Debug)]
pub struct NotesRead {
    consistent: bool,
    pages: usize,
}

impl NotesRead {
    /// The newest notes: one page of at most 1 MiB.
    pub const fn newest(consistent: bool) -> Self {
        Self {
            consistent,
            pages: 1,
        }
    }

    /// All notes, read consistently, up to the limit of an identity.
    pub const fn all() -> Self {
        Self {
            consistent: true,
            pages: MAX_PAGES,
        }
    }
}

impl Table {
    /// The table called `name`.
    pub fn new(client: Client, name: String) -> Self {
        Self {
            client,
            name,
            consumed: Consumed::default(),
        }
    }

    /// Read and write capacity units that reading profiles and leaving notes have consumed since the last call. A
    /// function serves one request at a time, so between two calls lies one request.
    pub fn take_consumed(&self) -> (f64, f64) {
        self.consumed.take()
    }

    /// An identity's head, then its events, newest first.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn identity(&self, id: &IdentityId, consistent: bool) -> Result<Items, TableError> {
        self.query(
            id,
            Range {
                low: keys::FIRST_READ,
                high: None,
                limit: None,
                pages: MAX_PAGES,
                fields: Fields::All,
                consistent,
                oldest_first: false,
            },
        )
        .await
    }

    /// An identity's records, attributes, links and markers.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn head(&self, id: &IdentityId) -> Result<Items, TableError> {
        let (low, high) = keys::HEAD;
        self.query(
            id,
            Range {
                low,
                high: Some(high),
                limit: None,
                pages: MAX_PAGES,
                fields: Fields::All,
                consistent: false,
                oldest_first: false,
            },
        )
        .await
    }

    /// An identity's notes, newest first.
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
                consistent: read.consistent,
                oldest_first: false,
            },
        )
        .await
    }

    /// The products under these partition keys; `None` where there is none. What a busy table leaves out is not in the answer.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn products(
        &self,
        partitions: &[String],
    ) -> Result<HashMap<String, Option<Map>>, TableError> {
        let mut found: HashMap<_, _> = partitions.iter().map(|pk| (pk.clone(), None)).collect();
        // A page of long orders names thousands: side by side, and not all at once.
        for group in partitions.chunks(MAX_GET * MAX_READS) {
            let reads = group.chunks(MAX_GET).map(|chunk| {
                let keys = chunk.iter().map(|pk| attribute::key(pk, keys::PRODUCT));
                self.get_all(keys.collect(), false)
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

    /// The rows under at most 100 keys, as far as they are there. What the table leaves out is asked for again; what it leaves out
    /// to the last is the second part of the answer, and an error where the read is consistent.
    async fn get_all(
        &self,
        mut keys: Vec<Row>,
        consistent: bool,
    ) -> Result<(Vec<Row>, Vec<Row>), TableError> {
        let mut found = Vec::with_capacity(keys.len());
        for round in 0..MAX_GET_ROUNDS {
            if keys.is_empty() {
                break;
            }
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(20 << round)).await;
            }
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build();
            let wanted = wanted.map_err(|error| TableError::Refused(error.into()))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, wanted)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(failure)?;
            self.consumed.read(answer.consumed_capacity());
            found.extend(
                answer
                    .responses
                    .unwrap_or_default()
                    .remove(&self.name)
                    .unwrap_or_default(),
            );
            keys = answer
                .unprocessed_keys
                .unwrap_or_default()
                .remove(&self.name)
                .map(|left| left.keys)
                .unwrap_or_default();
        }
        if keys.is_empty() || !consistent {
            return Ok((found, keys));
        }
        Err(TableError::Busy("keys were left unprocessed".into()))
    }

    /// Reads a range in either direction. With a limit it examines that many items, and returns fewer if some have expired.
    ///
    /// Of the links of one source it returns one more than count (`MAX_LINK_ITEMS`), and skips the rest of them when it reads
    /// downwards: an address that many customers share can have thousands.
    async fn query(&self, id: &IdentityId, range: Range<'_>) -> Result<Items, TableError> {
        let now = Instant::now().seconds();
        let mut found = Items::default();
        let mut links = LinkCounts::default();
        let mut start = None;
        for _ in 0..range.pages {
            let page = self.query_page(id, &range, start.take()).await?;
            self.consumed.read(page.consumed_capacity());
            let items = page.items.unwrap_or_default().into_iter();
            let items = items
                .filter_map(attribute::item)
                // DynamoDB deletes expired items late.
                .filter(|item| !item.is_expired(now));
            if range.oldest_first {
                found.items.extend(items);
            } else {
                found.items.extend(items.filter(|item| links.admit(item)));
            }
            start = page.last_evaluated_key;
            found.next = start.as_ref().and_then(attribute::sort_key);
            // After a key of an unknown form, a caller could not ask for more.
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
        // Links are in the head, which comes first: a page of it is short, so that few links are read that are then skipped.
        let is_in_head = start
            .as_ref()
            .is_none_or(|start| start.get("SK").is_some_and(is_in_head));
        let limit = match range.limit {
            None if is_in_head && !range.oldest_first => Some(HEAD_PAGE_ITEMS),
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
            .scan_index_forward(range.oldest_first)
            .consistent_read(range.consistent)
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

/// How many links of each source a read has returned.
#[derive(Debug, Default)]
struct LinkCounts(HashMap<String, usize>);

impl LinkCounts {
    /// Whether a read returns the item: not if it is a link of a source of which more than count were returned.
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

    fn is_full(&self, source: &str) -> bool {
        self.0
            .get(source)
            .is_some_and(|count| *count > MAX_LINK_ITEMS)
    }
}

fn is_in_head(sort: &AttributeValue) -> bool {
    sort.as_s().is_ok_and(|sort| sort.as_str() >= keys::HEAD.0)
}

/// Tells what passes from what does not, after the SDK's own retries.
fn failure<E, R>(error: SdkError<E, R>) -> TableError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .map(str::to_owned);
    let unreached = matches!(
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
        ) => TableError::Busy(error),
        Some("ValidationException") => TableError::Invalid(error),
        _ if unreached => TableError::Busy(error),
        _ => TableError::Refused(error),
    }
}
