//! The account of an import, and the rows that it rejected: what the one who dropped the file reads.

use aws_sdk_s3::{Client, primitives::ByteStream};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::time::Instant;

use crate::{IngestError, lines::Line, notification::ObjectVersion, record::Fault};

/// The most bytes of a rejected row that could not be parsed.
pub(crate) const MAX_RAW: usize = 64 * 1024;
/// Rejected rows are put into S3 in objects of about this many bytes.
const REJECTS_BYTES: usize = 8 << 20;
/// S3's limit of a key.
const MAX_KEY_BYTES: usize = 1024;

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Every row is accounted for.
    Completed,
    /// The file as a whole can't be ingested.
    Rejected,
    /// The file could not be read.
    Failed,
    /// The bucket keeps no versions, and another object took this one's place.
    Superseded,
}

/// Why a file was not ingested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileProblem {
    pub(crate) r#type: String,
    pub(crate) detail: String,
}

/// The verdicts on rows: `read = written + stale + rejected + suppressed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) stale: u64,
    pub(crate) rejected: u64,
    pub(crate) suppressed: u64,
    /// Rows whose body was cut.
    pub(crate) truncated: u64,
}

/// The account of an import.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) import: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    pub(crate) status: Status,
    pub(crate) record_type: Option<String>,
    pub(crate) source: Option<String>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    pub(crate) requests: u64,
    pub(crate) capacity_units: f64,
    pub(crate) started_at: Instant,
    pub(crate) finished_at: Instant,
    pub(crate) rejects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<FileProblem>,
}

/// A rejected row.
#[derive(Serialize)]
struct Reject<'a> {
    line: u64,
    offset: u64,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
    record: Record<'a>,
}

/// The row itself: as the object that it is, or, where it is none, as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Record<'a> {
    Object(&'a RawValue),
    Text(String),
}

/// Where an import's report and rejects go, and the rejects that are not there yet.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    client: &'a Client,
    bucket: &'a str,
    report_key: String,
    rejects_prefix: String,
    waiting: Vec<u8>,
    first_offset: u64,
    last_offset: u64,
    rejects: Vec<String>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(client: &'a Client, object: &'a ObjectVersion, import: &str) -> Self {
        // The longest name under a prefix: a range and two offsets.
        let fits = |prefix: &str| prefix.len() + 64 <= MAX_KEY_BYTES;
        let long = format!("{}/{}", object.key, object.id());
        let place = if fits(&format!("rejects/{long}")) {
            long
        } else {
            import.to_owned()
        };
        Self {
            client,
            bucket: &object.bucket,
            report_key: format!("reports/{place}.json"),
            rejects_prefix: format!("rejects/{place}/"),
            waiting: Vec::new(),
            first_offset: 0,
            last_offset: 0,
            rejects: Vec::new(),
        }
    }

    /// Takes a rejected row in.
    pub(crate) async fn reject(&mut self, row: &Line, fault: &Fault) -> Result<(), IngestError> {
        let object = std::str::from_utf8(&row.bytes)
            .ok()
            .filter(|text| text.starts_with('{') && !row.too_large);
        let object: Option<&RawValue> = object.and_then(|text| serde_json::from_str(text).ok());
        let record = match object {
            Some(object) => Record::Object(object),
            None => Record::Text(
                String::from_utf8_lossy(&row.bytes[..row.bytes.len().min(MAX_RAW)]).into_owned(),
            ),
        };
        let reject = Reject {
            line: row.number,
            offset: row.offset,
            code: fault.code,
            field: fault.field.as_deref(),
            message: fault.to_string(),
            record,
        };
        if self.waiting.is_empty() {
            (self.first_offset, self.last_offset) = (row.offset, row.offset);
        }
        self.first_offset = self.first_offset.min(row.offset);
        self.last_offset = self.last_offset.max(row.offset);
        serde_json::to_writer(&mut self.waiting, &reject)
            .map_err(|error| IngestError::S3(error.into()))?;
        self.waiting.push(b'\n');
        if self.waiting.len() >= REJECTS_BYTES {
            self.put_rejects().await
        } else {
            Ok(())
        }
    }

    /// Puts the rejects that are waiting.
    pub(crate) async fn put_rejects(&mut self) -> Result<(), IngestError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let key = format!(
            "{}0-{}-{}.ndjson",
            self.rejects_prefix, self.first_offset, self.last_offset
        );
        let body = std::mem::take(&mut self.waiting);
        self.put(&key, body, "application/x-ndjson").await?;
        self.rejects.push(key);
        Ok(())
    }

    /// The objects that hold rejects.
    pub(crate) fn rejects(&self) -> Vec<String> {
        self.rejects.clone()
    }

    /// Puts the report.
    pub(crate) async fn put_report(&self, report: &Report) -> Result<(), IngestError> {
        let body =
            serde_json::to_vec_pretty(report).map_err(|error| IngestError::S3(error.into()))?;
        self.put(&self.report_key, body, "application/json").await
    }

    async fn put(&self, key: &str, body: Vec<u8>, content_type: &str) -> Result<(), IngestError> {
        let request = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(key)
            .content_type(content_type);
        request
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| IngestError::S3(error.into()))?;
        Ok(())
    }
}
