//! Writes and deletes items in batches of at most 25, each under its own condition: the last write wins, ordered by `version`. Returns a
//! verdict on each write; the caller decides what follows from it.

use aws_sdk_dynamodb::{
    operation::batch_execute_statement::BatchExecuteStatementOutput,
    types::{
        AttributeValue, BatchStatementErrorCodeEnum as Code, BatchStatementRequest,
        BatchStatementResponse, ConsumedCapacity, ReturnConsumedCapacity,
    },
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use super::{
    Table, TableError, attribute, failure, refused,
    write::{self, Statement, Write},
};
use crate::model::version::Version;

/// The maximum number of statements in one `BatchExecuteStatement`, a limit of DynamoDB.
pub const BATCH_SIZE: usize = 25;

/// The result of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The write is stored.
    Stored,
    /// An insert failed because the key exists. Try an update.
    AlreadyExists,
    /// The stored item has this version. The write is not newer, so it is not applied.
    NotNewer(Version),
    /// An update found no item. Try an insert.
    Missing,
    /// An update found an item without a valid version. Try a replacement.
    Unversioned,
    /// The write was throttled or failed temporarily. Try the same write again.
    Throttled,
    /// The item is too large to be stored.
    TooLarge,
    /// DynamoDB rejected the item with this error code.
    Refused(String),
}

/// The verdicts on one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// One verdict for each write, in the order of the writes.
    pub verdicts: Vec<Verdict>,
    /// The write capacity units consumed.
    pub capacity_units: f64,
}

impl Table {
    /// Inserts items whose keys are absent. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn insert(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Statement::Insert).await
    }

    /// Updates items that exist and are older. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn update(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Statement::Update).await
    }

    /// Replaces items that are older or have no valid version. Takes at most 25 writes, no two with the same key.
    ///
    /// # Errors
    /// The request failed. Any of the writes may have been applied.
    pub async fn replace(&self, writes: &[&Write]) -> Result<Written, TableError> {
        self.execute(writes, Statement::Replace).await
    }

    /// Sends a `BatchExecuteStatement` with a body that is encoded directly from the writes; `write` explains why.
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html>
    async fn execute(
        &self,
        writes: &[&Write],
        statement: Statement,
    ) -> Result<Written, TableError> {
        let body = Bytes::from(write::request(&self.name, writes, statement));
        let output = self
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
        written(&output, writes.len())
    }

    /// Builds the deletion of an item in one version; `None` for an item without a valid version.
    pub(super) fn delete_statement(
        &self,
        (partition, sort): (&str, &str),
        version: Option<&Version>,
    ) -> Result<BatchStatementRequest, TableError> {
        let condition = match version {
            Some(_) => "\"version\" = ?".to_owned(),
            None => format!("({})", write::UNVERSIONED),
        };
        let table = write::quoted(&self.name);
        let statement = BatchStatementRequest::builder()
            .statement(format!(
                "DELETE FROM {table} WHERE \"PK\" = ? AND \"SK\" = ? AND {condition}"
            ))
            .parameters(AttributeValue::S(partition.to_owned()))
            .parameters(AttributeValue::S(sort.to_owned()));
        let statement = match version {
            Some(version) => statement.parameters(attribute::version(version)),
            None => statement,
        };
        statement.build().map_err(refused)
    }

    /// Executes at most 25 deletions, no two of the same key.
    ///
    /// # Errors
    /// The request failed. Any of the items may have been deleted.
    pub(super) async fn delete_batch(
        &self,
        statements: Vec<BatchStatementRequest>,
    ) -> Result<Written, TableError> {
        let count = statements.len();
        let output = self
            .client
            .batch_execute_statement()
            .set_statements(Some(statements))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(failure)?;
        written(&output, count)
    }
}

/// Returns the verdicts on a request of this many statements, and its capacity units.
fn written(output: &BatchExecuteStatementOutput, statements: usize) -> Result<Written, TableError> {
    let consumed = output.consumed_capacity().iter();
    Ok(Written {
        capacity_units: consumed.filter_map(ConsumedCapacity::capacity_units).sum(),
        verdicts: verdicts(output.responses(), statements)?,
    })
}

/// Returns the verdicts on one request, in the order of its statements.
///
/// # Errors
/// The response does not have one entry for each statement, or a statement failed as in [`verdict`].
fn verdicts(
    responses: &[BatchStatementResponse],
    statements: usize,
) -> Result<Vec<Verdict>, TableError> {
    if responses.len() != statements {
        let error = format!("{} responses to {statements} statements", responses.len());
        return Err(TableError::Unavailable(error.into()));
    }
    responses.iter().map(verdict).collect()
}

/// Returns the verdict on one statement.
///
/// # Errors
/// The statement failed for a reason that is not in its item, for example missing permissions or a missing table.
fn verdict(response: &BatchStatementResponse) -> Result<Verdict, TableError> {
    let Some(error) = response.error() else {
        return Ok(Verdict::Stored);
    };
    let message = error.message().unwrap_or_default();
    Ok(match error.code() {
        Some(Code::DuplicateItem) => Verdict::AlreadyExists,
        Some(Code::ConditionalCheckFailed) => match error.item() {
            None => Verdict::Missing,
            Some(item) => {
                attribute::version_of(item).map_or(Verdict::Unversioned, Verdict::NotNewer)
            }
        },
        Some(
            Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::InternalServerError
            | Code::TransactionConflict,
        ) => Verdict::Throttled,
        Some(Code::ValidationError) if message.contains("size") => Verdict::TooLarge,
        Some(code @ (Code::ValidationError | Code::ItemCollectionSizeLimitExceeded)) => {
            Verdict::Refused(code.as_str().to_owned())
        }
        code => {
            let code = code.map_or("no code", Code::as_str);
            return Err(TableError::Refused(format!("{code}: {message}").into()));
        }
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::BatchStatementError;

    use super::*;

    #[test]
    fn only_what_lies_in_an_item_is_its_verdict() {
        let of = |code: Code, message: &str| {
            let error = BatchStatementError::builder().code(code).message(message);
            verdict(
                &BatchStatementResponse::builder()
                    .error(error.build())
                    .build(),
            )
        };
        assert!(matches!(
            of(Code::ValidationError, "Item size has exceeded the limit"),
            Ok(Verdict::TooLarge)
        ));
        assert!(matches!(
            of(Code::ValidationError, "a number too long"),
            Ok(Verdict::Refused(_))
        ));
        assert!(matches!(
            of(Code::ThrottlingError, ""),
            Ok(Verdict::Throttled)
        ));
        for code in [Code::AccessDenied, Code::ResourceNotFound, "New".into()] {
            assert!(matches!(of(code, ""), Err(TableError::Refused(_))));
        }
    }

    #[test]
    fn rejects_response_count_mismatch() {
        let stored = BatchStatementResponse::builder().build();
        for responses in [0, 1, 3] {
            let verdicts = verdicts(&vec![stored.clone(); responses], 2);
            assert!(
                matches!(verdicts, Err(TableError::Unavailable(_))),
                "{responses}"
            );
        }
        let two = verdicts(&[stored.clone(), stored], 2).unwrap();
        assert_eq!(two, [Verdict::Stored, Verdict::Stored]);
    }
}
