//! The table: one method per access pattern. DynamoDB's shapes stop here; everything outside speaks of items.

use std::{collections::HashMap, fmt, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        AttributeValue, ConditionCheck, KeysAndAttributes, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    },
};

use crate::{
    identity::IdentityId,
    item::Item,
    keys::{self, Marker, SortKey},
    problem::Problem,
    time::Instant,
    value::Map,
    version::Version,
};

mod attribute;
mod batch;
mod consumed;
mod erasures;
mod imports;

use consumed::Consumed;

pub use batch::{BATCH_SIZE, Verdict, Write, Written};
pub use erasures::Erasure;
pub use imports::ImportItems;

type Row = HashMap<String, AttributeValue>;

/// The most pages (1 MiB each) that are read of one identity.
const MAX_PAGES: usize = 10;
/// DynamoDB's limit of one `BatchGetItem`.
const MAX_GET: usize = 100;
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
    /// The items, descending.
    pub items: Vec<Item>,
    /// Whether there are more.
    pub more: bool,
}

/// What became of a note.
#[derive(Clone, Debug)]
pub enum NotePut {
    /// It is stored.
    Written,
    /// The request was seen before; this is what is remembered of it.
    Seen(Map),
    /// The identity was erased.
    Erased,
}

/// Which part of a partition is read, and how.
struct Range<'a> {
    low: &'a str,
    high: Option<&'a str>,
    limit: Option<usize>,
    consistent: bool,
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

    /// What a profile is folded from: an identity's head, notes and events, in this order, the newest first.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn identity(&self, id: &IdentityId, consistent: bool) -> Result<Items, TableError> {
        self.query(
            id,
            Range {
                low: keys::FIRST_READ,
                high: None,
                limit: None,
                consistent,
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
                consistent: false,
            },
        )
        .await
    }

    /// An identity's notes.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn notes(&self, id: &IdentityId) -> Result<Items, TableError> {
        let (low, high) = keys::NOTES;
        self.query(
            id,
            Range {
                low,
                high: Some(high),
                limit: None,
                consistent: true,
            },
        )
        .await
    }

    /// At most `limit` of an identity's events, the newest first, those before the event key `before`.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn events(
        &self,
        id: &IdentityId,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Items, TableError> {
        let (low, high) = keys::EVENTS;
        // `BETWEEN` takes its bounds in: one more, and the bound itself is left out.
        let bound = before.map_or_else(|| high.to_owned(), |before| format!("event#{before}"));
        let range = Range {
            low,
            high: Some(&bound),
            limit: Some(limit + 1),
            consistent: false,
        };
        let mut page = self.query(id, range).await?;
        page.items.retain(|item| {
            item.event()
                .is_some_and(|key| before.is_none_or(|before| key.as_str() < before))
        });
        if page.items.len() > limit {
            page.items.truncate(limit);
            page.more = true;
        }
        Ok(page)
    }

    /// Stores a note and what is remembered of its request, unless the request was seen or the identity erased since its
    /// markers were read: `erased` is the erasure that they told of.
    /// A request whose memory has run out by `now` (seconds since 1970) counts as not seen.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn put_note(
        &self,
        note: &Item,
        again: &Item,
        now: i64,
        erased: Option<Version>,
    ) -> Result<NotePut, TableError> {
        let refused =
            |error: aws_sdk_dynamodb::error::BuildError| TableError::Refused(error.into());
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(note)))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(refused)?;
        // The time to live takes an item away late: what has run out is overwritten.
        let remember = Put::builder()
            .table_name(&self.name)
            .set_item(Some(attribute::row(again)))
            .condition_expression("attribute_not_exists(PK) OR expires_at <= :now")
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(refused)?;
        let not_erased = ConditionCheck::builder()
            .table_name(&self.name)
            .set_key(Some(attribute::key(
                note.identity.as_str(),
                &SortKey::Marker(Marker::Erased).to_text(),
            )));
        let not_erased = match &erased {
            None => not_erased.condition_expression("attribute_not_exists(PK)"),
            Some(seen) => not_erased
                .condition_expression("#version = :seen")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":seen", attribute::version(seen)),
        };
        let not_erased = not_erased.build().map_err(refused)?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().put(remember).build())
            .transact_items(
                TransactWriteItem::builder()
                    .condition_check(not_erased)
                    .build(),
            )
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let error = match result {
            Ok(answer) => {
                self.consumed.write(answer.consumed_capacity());
                return Ok(NotePut::Written);
            }
            Err(error) => error,
        };
        let reasons = match error.as_service_error() {
            Some(service) if service.is_transaction_canceled_exception() => cancellation(service),
            _ => return Err(failure(error)),
        };
        let failed = |at: usize| {
            reasons
                .get(at)
                .filter(|(code, _)| code == "ConditionalCheckFailed")
        };
        if let Some((_, item)) = failed(1) {
            let seen = item.as_ref().and_then(attribute::item);
            return seen
                .map(|item| NotePut::Seen(item.data))
                .ok_or_else(|| failure(error));
        }
        if failed(2).is_some() {
            return Ok(NotePut::Erased);
        }
        let passes = reasons.iter().any(|(code, _)| {
            matches!(
                code.as_str(),
                "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
            )
        });
        Err(if passes {
            TableError::Busy(error.into())
        } else {
            failure(error)
        })
    }

    /// The products under these partition keys, as far as they are known.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn products(
        &self,
        partitions: &[String],
    ) -> Result<HashMap<String, Map>, TableError> {
        let mut found = HashMap::new();
        for chunk in partitions.chunks(MAX_GET) {
            let keys = chunk
                .iter()
                .map(|pk| attribute::key(pk, keys::PRODUCT))
                .collect();
            let rows = self.get_all(keys, false).await?;
            found.extend(rows.iter().filter_map(attribute::partition_and_data));
        }
        Ok(found)
    }

    /// The rows under at most 100 keys, as far as they are there. What the table leaves out is asked for again.
    async fn get_all(&self, mut keys: Vec<Row>, consistent: bool) -> Result<Vec<Row>, TableError> {
        let mut found = Vec::with_capacity(keys.len());
        for round in 0..MAX_GET_ROUNDS {
            if keys.is_empty() {
                return Ok(found);
            }
            let pause = if round == 0 { 0 } else { 20 << round };
            tokio::time::sleep(Duration::from_millis(pause)).await;
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
            return Ok(found);
        }
        Err(TableError::Busy("keys were left unprocessed".into()))
    }

    /// The table's own facts; `None` in a new table.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn config(&self) -> Result<Option<Map>, TableError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(attribute::key(keys::CONFIG, keys::CONFIG)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        self.consumed.read(answer.consumed_capacity());
        Ok(answer
            .item
            .as_ref()
            .and_then(attribute::partition_and_data)
            .map(|(_, data)| data))
    }

    /// Writes the table's own facts, unless they stand already.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn put_config(&self, data: &Map) -> Result<(), TableError> {
        let mut row = attribute::key(keys::CONFIG, keys::CONFIG);
        row.insert("data".to_owned(), attribute::map(data));
        let result = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(row))
            .condition_expression("attribute_not_exists(PK)")
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(error)),
        }
    }

    /// Reads down from the highest key of the range.
    async fn query(&self, id: &IdentityId, range: Range<'_>) -> Result<Items, TableError> {
        let now = Instant::now().seconds();
        let mut found = Items::default();
        let mut start = None;
        for _ in 0..MAX_PAGES {
            let condition = if range.high.is_some() {
                "PK = :pk AND SK BETWEEN :low AND :high"
            } else {
                "PK = :pk AND SK >= :low"
            };
            let limit = range
                .limit
                .map(|limit| i32::try_from(limit - found.items.len()).unwrap_or(i32::MAX));
            let mut query = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression(condition)
                .expression_attribute_values(":pk", AttributeValue::S(id.to_string()))
                .expression_attribute_values(":low", AttributeValue::S(range.low.to_owned()))
                .scan_index_forward(false)
                .consistent_read(range.consistent)
                .set_limit(limit)
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            if let Some(high) = range.high {
                query =
                    query.expression_attribute_values(":high", AttributeValue::S(high.to_owned()));
            }
            let page = query.send().await.map_err(failure)?;
            self.consumed.read(page.consumed_capacity());
            found.items.extend(
                page.items
                    .unwrap_or_default()
                    .iter()
                    .filter_map(attribute::item)
                    // The time to live takes items away late.
                    .filter(|item| item.expires_at.is_none_or(|end| end > now)),
            );
            start = page.last_evaluated_key;
            found.more = start.is_some();
            if !found.more || range.limit.is_some_and(|limit| found.items.len() >= limit) {
                break;
            }
        }
        Ok(found)
    }
}

/// Code and old item of each part of a cancelled transaction.
fn cancellation(
    error: &aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError,
) -> Vec<(String, Option<Row>)> {
    use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException;
    let TransactionCanceledException(cancelled) = error else {
        return Vec::new();
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons
        .map(|reason| {
            (
                reason.code().unwrap_or_default().to_owned(),
                reason.item().cloned(),
            )
        })
        .collect()
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
