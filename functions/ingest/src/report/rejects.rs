//! Writes the rows that an import rejects to S3, beside its report. Each has its error, its position and the row in a form that
//! can be dropped again.

use aws_sdk_s3::{Client, primitives::ByteStream};
use serde::Serialize;
use shared::model::{identifier::Notation, value::Map};

use crate::{
    IngestError,
    report::ReportKeys,
    rows::{CSV_NOTATION, Fields, MAX_REJECT_BYTES, Row, RowError, RowErrorCode},
    source::notification::ObjectVersion,
};

/// The approximate size of a rejects object, in bytes.
const REJECTS_BYTES: usize = 8 << 20;

/// A rejected row.
#[derive(Serialize)]
struct Reject<'a> {
    line: Option<u64>,
    offset: u64,
    code: RowErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
    record: Record<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notation: Option<&'static str>,
}

/// The row itself: an object if it could be parsed, also for CSV, and otherwise a string.
#[derive(Serialize)]
#[serde(untagged)]
enum Record<'a> {
    Fields(&'a Map),
    Text(String),
}

/// The rows that an invocation rejects.
#[derive(Debug)]
pub(crate) struct Rejects<'a> {
    client: &'a Client,
    bucket: &'a str,
    keys: ReportKeys,
    /// The number of the byte range.
    range: usize,
    /// The rejected rows that were not put yet, as NDJSON.
    waiting: Vec<u8>,
    /// The lowest and the highest offset of the waiting rows.
    span: Option<(u64, u64)>,
    /// The names of the objects that were put.
    pub(crate) names: Vec<String>,
}

impl<'a> Rejects<'a> {
    pub(crate) fn new(client: &'a Client, object: &'a ObjectVersion, range: usize) -> Self {
        Self {
            client,
            bucket: &object.bucket,
            keys: ReportKeys::new(object),
            range,
            waiting: Vec::new(),
            span: None,
            names: Vec::new(),
        }
    }

    /// Adds a rejected row with its errors, and with its fields if it could be parsed.
    pub(crate) async fn add(
        &mut self,
        row: &Row,
        line: Option<u64>,
        fields: Option<&Fields>,
        errors: &[RowError],
    ) -> Result<(), IngestError> {
        let Some(error) = errors.first() else {
            return Ok(());
        };
        let record = match fields {
            Some(fields) => Record::Fields(&fields.map),
            None => Record::Text(
                String::from_utf8_lossy(&row.bytes[..row.bytes.len().min(MAX_REJECT_BYTES)])
                    .into_owned(),
            ),
        };
        let reject = Reject {
            line,
            offset: row.offset,
            code: error.code,
            field: error.field.as_deref(),
            message: error.to_string(),
            record,
            notation: fields
                .is_some_and(|fields| fields.notation == Notation::Csv)
                .then_some(CSV_NOTATION),
        };
        let (first, last) = self.span.unwrap_or((row.offset, row.offset));
        self.span = Some((first.min(row.offset), last.max(row.offset)));
        serde_json::to_writer(&mut self.waiting, &reject)
            .map_err(|error| IngestError::S3(error.into()))?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= REJECTS_BYTES {
            self.put().await?;
        }
        Ok(())
    }

    /// Puts the waiting rows as one object.
    pub(crate) async fn put(&mut self) -> Result<(), IngestError> {
        let Some((first, last)) = self.span.take() else {
            return Ok(());
        };
        let name = format!("{}-{first}-{last}", self.range);
        let body = std::mem::take(&mut self.waiting);
        let request = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(self.keys.rejects(&name))
            .content_type("application/x-ndjson");
        let put = request.body(ByteStream::from(body)).send().await;
        put.map_err(|error| IngestError::S3(error.into()))?;
        self.names.push(name);
        Ok(())
    }
}
