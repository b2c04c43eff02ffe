//! Newest-wins writes, up to 25 to a request, with a verdict for each. What a verdict leads to is the caller's.

use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum as Code, BatchStatementRequest,
    BatchStatementResponse, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};

use super::{Table, TableError, attribute, failure};
use crate::{item::Item, keys, value::Map, version::Version};

/// DynamoDB's limit of one `BatchExecuteStatement`.
pub const BATCH_SIZE: usize = 25;

/// A write that succeeds only where its key is absent or older.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    partition: String,
    sort: String,
    version: Version,
    link: Option<Map>,
    data: Map,
    expires_at: Option<i64>,
}

/// What became of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is stored.
    Stored,
    /// An insert found the key taken: try an update.
    Taken,
    /// An update found this version, which is not older.
    Held(Version),
    /// An update found nothing: try an insert.
    Gone,
    /// The table was busy with this one: try the same again.
    Busy,
    /// It can't be stored: the item is too large.
    TooLarge,
    /// It can't be stored, for this reason of DynamoDB's.
    Refused(String),
}

/// The verdicts of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// One for each write, in their order.
    pub verdicts: Vec<Verdict>,
    /// The write capacity consumed.
    pub capacity_units: f64,
}

impl Write {
    /// Writes an item of an identity. Its version counts; one without a version can't be written like this.
    pub fn item(item: &Item) -> Option<Self> {
        Some(Self {
            partition: item.identity.to_string(),
            sort: item.key.to_text(),
            version: item.version?,
            link: item
                .link
                .as_ref()
                .map(crate::identifier::Identifier::to_item),
            data: item.data.clone(),
            expires_at: item.expires_at,
        })
    }

    /// Writes an item that names nobody.
    pub(super) const fn new(partition: String, sort: String, version: Version, data: Map) -> Self {
        Self {
            partition,
            sort,
            version,
            link: None,
            data,
            expires_at: None,
        }
    }

    /// Writes the product that has `id` under `id_type`.
    pub fn product(id_type: &str, id: &str, version: Version, data: Map) -> Self {
        Self::new(
            keys::product(id_type, id),
            keys::PRODUCT.to_owned(),
            version,
            data,
        )
    }

    /// Partition key and sort key: no two writes of a request may share them.
    pub fn key(&self) -> (&str, &str) {
        (&self.partition, &self.sort)
    }

    /// The version that is written.
    pub const fn version(&self) -> Version {
        self.version
    }

    fn insert(&self, table: &str) -> (String, Vec<AttributeValue>) {
        let mut parameters = vec![
            AttributeValue::S(self.partition.clone()),
            AttributeValue::S(self.sort.clone()),
            attribute::version(&self.version),
            attribute::map(&self.data),
        ];
        let mut more = String::new();
        if let Some(link) = &self.link {
            parameters.push(attribute::map(link));
            more.push_str(", 'link': ?");
        }
        if let Some(end) = self.expires_at {
            parameters.push(AttributeValue::N(end.to_string()));
            more.push_str(", 'expires_at': ?");
        }
        let table = quoted(table);
        (
            format!(
                "INSERT INTO {table} VALUE {{'PK': ?, 'SK': ?, 'version': ?, 'data': ?{more}}}"
            ),
            parameters,
        )
    }

    fn update(&self, table: &str) -> (String, Vec<AttributeValue>) {
        let mut parameters = vec![
            attribute::version(&self.version),
            attribute::map(&self.data),
        ];
        let mut more = String::new();
        if let Some(link) = &self.link {
            parameters.push(attribute::map(link));
            more.push_str(" SET \"link\" = ?");
        }
        if let Some(end) = self.expires_at {
            parameters.push(AttributeValue::N(end.to_string()));
            more.push_str(" SET \"expires_at\" = ?");
        } else {
            more.push_str(" REMOVE \"expires_at\"");
        }
        parameters.push(AttributeValue::S(self.partition.clone()));
        parameters.push(AttributeValue::S(self.sort.clone()));
        parameters.push(attribute::version(&self.version));
        let table = quoted(table);
        let statement = format!(
            "UPDATE {table} SET \"version\" = ? SET \"data\" = ?{more} WHERE \"PK\" = ? AND \"SK\" = ? AND \"version\" < ?"
        );
        (statement, parameters)
    }
}

impl Table {
    /// Inserts what is absent. At most 25 writes, no two of one key.
    ///
    /// # Errors
    /// The table did not answer; nothing is known of any of the writes.
    pub async fn insert(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes.iter().map(|write| write.insert(&self.name)))
            .await
    }

    /// Updates what is there and older. At most 25 writes, no two of one key.
    ///
    /// # Errors
    /// The table did not answer; nothing is known of any of the writes.
    pub async fn update(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes.iter().map(|write| write.update(&self.name)))
            .await
    }

    async fn execute(
        &self,
        statements: impl Iterator<Item = (String, Vec<AttributeValue>)>,
    ) -> Result<Written, TableError> {
        let mut requests = Vec::with_capacity(BATCH_SIZE);
        for (statement, parameters) in statements {
            let request = BatchStatementRequest::builder()
                .statement(statement)
                .set_parameters(Some(parameters))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .build()
                .map_err(|error| TableError::Refused(error.into()))?;
            requests.push(request);
        }
        let answer = self
            .client
            .batch_execute_statement()
            .set_statements(Some(requests))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        let capacity = answer
            .consumed_capacity()
            .iter()
            .filter_map(|consumed| consumed.capacity_units());
        Ok(Written {
            capacity_units: capacity.sum(),
            verdicts: answer.responses().iter().map(verdict).collect(),
        })
    }
}

pub(super) fn verdict(response: &BatchStatementResponse) -> Verdict {
    let Some(error) = response.error() else {
        return Verdict::Stored;
    };
    let message = error.message().unwrap_or_default();
    match error.code() {
        Some(Code::DuplicateItem) => Verdict::Taken,
        Some(Code::ConditionalCheckFailed) => error
            .item()
            .and_then(attribute::held_version)
            .map_or(Verdict::Gone, Verdict::Held),
        Some(
            Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::InternalServerError
            | Code::TransactionConflict,
        ) => Verdict::Busy,
        Some(Code::ValidationError) if message.contains("size") => Verdict::TooLarge,
        code => Verdict::Refused(code.map_or("unknown", Code::as_str).to_owned()),
    }
}

/// A name as PartiQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
