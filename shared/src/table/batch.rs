//! Newest-wins writes, up to 25 to a request, with a verdict for each. What a verdict leads to is the caller's.

use aws_sdk_dynamodb::types::{BatchStatementErrorCodeEnum as Code, BatchStatementResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;

use super::{Row, Table, TableError, attribute, attribute::Spelt, failure};
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
    pub fn item(item: Item) -> Option<Self> {
        Some(Self {
            partition: item.identity.to_string(),
            sort: item.key.to_text(),
            version: item.version?,
            link: item
                .link
                .as_ref()
                .map(crate::identifier::Identifier::to_item),
            data: item.data,
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

    /// The whole of the item.
    pub(super) fn row(&self) -> Row {
        attribute::row_of(
            self.key(),
            Some(&self.version),
            self.link.as_ref(),
            &self.data,
            self.expires_at,
        )
    }

    /// The statement that inserts it into `table`, a quoted name.
    fn insert(&self, table: &str) -> Statement<'_> {
        let mut parameters = vec![
            Parameter::Text(&self.partition),
            Parameter::Text(&self.sort),
            Parameter::bytes(&self.version),
            Parameter::Map(Spelt(&self.data)),
        ];
        let mut more = String::new();
        if let Some(link) = &self.link {
            parameters.push(Parameter::Map(Spelt(link)));
            more.push_str(",'link':?");
        }
        if let Some(end) = self.expires_at {
            parameters.push(Parameter::Number(end.to_string()));
            more.push_str(",'expires_at':?");
        }
        Statement {
            statement: format!(
                "INSERT INTO {table} VALUE {{'PK':?,'SK':?,'version':?,'data':?{more}}}"
            ),
            parameters,
            return_values_on_condition_check_failure: None,
        }
    }

    /// The statement that updates it in `table`, a quoted name.
    fn update(&self, table: &str) -> Statement<'_> {
        let mut parameters = vec![
            Parameter::bytes(&self.version),
            Parameter::Map(Spelt(&self.data)),
        ];
        let mut more = String::new();
        if let Some(link) = &self.link {
            parameters.push(Parameter::Map(Spelt(link)));
            more.push_str(" SET \"link\" = ?");
        }
        if let Some(end) = self.expires_at {
            parameters.push(Parameter::Number(end.to_string()));
            more.push_str(" SET \"expires_at\" = ?");
        } else {
            more.push_str(" REMOVE \"expires_at\"");
        }
        parameters.push(Parameter::Text(&self.partition));
        parameters.push(Parameter::Text(&self.sort));
        parameters.push(Parameter::bytes(&self.version));
        Statement {
            statement: format!(
                "UPDATE {table} SET \"version\" = ? SET \"data\" = ?{more} WHERE \"PK\" = ? AND \"SK\" = ? AND \"version\" < ?"
            ),
            parameters,
            return_values_on_condition_check_failure: Some("ALL_OLD"),
        }
    }
}

/// `BatchExecuteStatement` as DynamoDB takes it, written straight from what is to be stored: the SDK's own input wants trees of
/// hash maps, made anew for each try.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    statements: Vec<Statement<'a>>,
    return_consumed_capacity: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    statement: String,
    parameters: Vec<Parameter<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_values_on_condition_check_failure: Option<&'static str>,
}

#[derive(Serialize)]
enum Parameter<'a> {
    #[serde(rename = "S")]
    Text(&'a str),
    #[serde(rename = "N")]
    Number(String),
    /// In base64.
    #[serde(rename = "B")]
    Bytes(String),
    #[serde(rename = "M")]
    Map(Spelt<'a, Map>),
}

impl Parameter<'_> {
    fn bytes(version: &Version) -> Self {
        Self::Bytes(BASE64.encode(version.as_bytes()))
    }
}

impl Table {
    /// Inserts what is absent. At most 25 writes, no two of one key.
    ///
    /// # Errors
    /// The table did not answer; nothing is known of any of the writes.
    pub async fn insert(&self, writes: &[&Write]) -> Result<Written, TableError> {
        let table = quoted(&self.name);
        self.execute(writes.iter().map(|write| write.insert(&table)))
            .await
    }

    /// Updates what is there and older. At most 25 writes, no two of one key.
    ///
    /// # Errors
    /// The table did not answer; nothing is known of any of the writes.
    pub async fn update(&self, writes: &[&Write]) -> Result<Written, TableError> {
        let table = quoted(&self.name);
        self.execute(writes.iter().map(|write| write.update(&table)))
            .await
    }

    async fn execute<'a>(
        &self,
        statements: impl Iterator<Item = Statement<'a>>,
    ) -> Result<Written, TableError> {
        let request = Request {
            statements: statements.collect(),
            return_consumed_capacity: "TOTAL",
        };
        let body =
            serde_json::to_vec(&request).map_err(|error| TableError::Refused(error.into()))?;
        let body = Bytes::from(body);
        let answer = self
            .client
            .batch_execute_statement()
            .customize()
            .mutate_request(move |request| {
                let length = body.len().to_string();
                request.headers_mut().insert("content-length", length);
                *request.body_mut() = SdkBody::from(body.clone());
            })
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
