//! The account of an import, and the rows that it rejected: what the one who dropped the file reads.

use aws_sdk_s3::{Client, primitives::ByteStream};
use serde::Serialize;
use shared::{time::Instant, value::Map, version::ImportId};

use crate::{
    IngestError,
    drop_key::DropKey,
    plan::{Plan, Progress},
    record::Fault,
    rows::Row,
};

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

impl Status {
    /// As reports write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// Reads what `as_str` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [
            Self::Completed,
            Self::Rejected,
            Self::Failed,
            Self::Superseded,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }
}

/// Why a file was not ingested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileProblem {
    pub(crate) r#type: String,
    pub(crate) detail: String,
}

impl FileProblem {
    /// `slug` is the last part of its type.
    pub(crate) fn new(slug: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("/problems/{slug}"),
            detail: detail.into(),
        }
    }
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

impl Counts {
    /// Each with its name.
    pub(crate) const fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("read", self.read),
            ("written", self.written),
            ("stale", self.stale),
            ("rejected", self.rejected),
            ("suppressed", self.suppressed),
            ("truncated", self.truncated),
        ]
    }

    /// From what each name counts.
    pub(crate) fn from_named(count: impl Fn(&str) -> u64) -> Self {
        Self {
            read: count("read"),
            written: count("written"),
            stale: count("stale"),
            rejected: count("rejected"),
            suppressed: count("suppressed"),
            truncated: count("truncated"),
        }
    }

    fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.written += other.written;
        self.stale += other.stale;
        self.rejected += other.rejected;
        self.suppressed += other.suppressed;
        self.truncated += other.truncated;
    }
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

impl Report {
    /// Of an import that nothing has been read of.
    pub(crate) fn new(import: ImportId, key: &str, version_id: Option<&str>) -> Self {
        let now = Instant::now();
        let drop = DropKey::parse(key).ok();
        Self {
            import: import.to_string(),
            key: key.to_owned(),
            version_id: version_id.map(str::to_owned),
            status: Status::Completed,
            record_type: drop.as_ref().map(|drop| drop.folder.clone()),
            source: drop.map(|drop| drop.source),
            counts: Counts::default(),
            requests: 0,
            capacity_units: 0.0,
            started_at: now,
            finished_at: now,
            rejects: Vec::new(),
            problem: None,
        }
    }

    /// Of an import whose ranges have come so far, in their order.
    pub(crate) fn of(plan: &Plan, ranges: &[Progress]) -> Self {
        let mut report = Self {
            started_at: plan.started_at,
            ..Self::new(plan.import(), &plan.key, plan.version_id.as_deref())
        };
        let place = Place::new(&plan.key, &plan.object_id(), &report.import);
        for range in ranges {
            report.counts.add(&range.counts);
            report.requests += range.requests;
            report.capacity_units += range.capacity_units;
            report
                .rejects
                .extend(range.rejects.iter().map(|name| place.rejects(name)));
            if let (Some((status, problem)), None) = (&range.problem, &report.problem) {
                report.status = *status;
                report.problem = Some(problem.clone());
            }
        }
        report
    }

    #[must_use]
    pub(crate) fn with_problem(mut self, status: Status, problem: FileProblem) -> Self {
        (self.status, self.problem) = (status, Some(problem));
        self
    }

    /// Puts it, and logs its account.
    pub(crate) async fn put(
        &self,
        s3: &Client,
        bucket: &str,
        object_id: &str,
    ) -> Result<(), IngestError> {
        let body =
            serde_json::to_vec_pretty(self).map_err(|error| IngestError::S3(error.into()))?;
        let key = Place::new(&self.key, object_id, &self.import).report();
        put(s3, bucket, &key, body, "application/json").await?;
        let Counts {
            read,
            written,
            stale,
            rejected,
            suppressed,
            truncated,
        } = self.counts;
        tracing::info!(
            import = self.import,
            status = self.status.as_str(),
            record_type = self.record_type,
            source = self.source,
            read,
            written,
            stale,
            rejected,
            suppressed,
            truncated,
            requests = self.requests,
            capacity_units = self.capacity_units,
            "import reported"
        );
        Ok(())
    }
}

/// Where an import's report and rejects go.
#[derive(Debug)]
struct Place(String);

impl Place {
    fn new(key: &str, object_id: &str, import: &str) -> Self {
        let long = format!("{key}/{object_id}");
        // The longest name under a prefix: a range and two offsets.
        let fits = "rejects/".len() + long.len() + 64 <= MAX_KEY_BYTES;
        Self(if fits { long } else { import.to_owned() })
    }

    fn report(&self) -> String {
        format!("reports/{}.json", self.0)
    }

    fn rejects(&self, name: &str) -> String {
        format!("rejects/{}/{name}.ndjson", self.0)
    }
}

/// A rejected row.
#[derive(Serialize)]
struct Reject<'a> {
    line: Option<u64>,
    offset: u64,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
    record: Record<'a>,
}

/// The row itself: as an object, which a CSV record makes too, or, where it could not be parsed, as text.
#[derive(Serialize)]
#[serde(untagged)]
enum Record<'a> {
    Fields(&'a Map),
    Text(String),
}

/// The rows that a run rejects.
#[derive(Debug)]
pub(crate) struct Rejects<'a> {
    client: &'a Client,
    bucket: &'a str,
    place: Place,
    range: usize,
    waiting: Vec<u8>,
    /// The offsets of the first and the last row that wait.
    span: Option<(u64, u64)>,
    /// The names of the objects that were put.
    pub(crate) names: Vec<String>,
}

impl<'a> Rejects<'a> {
    pub(crate) fn new(client: &'a Client, plan: &'a Plan, range: usize) -> Self {
        Self {
            client,
            bucket: &plan.bucket,
            place: Place::new(&plan.key, &plan.object_id(), &plan.import().to_string()),
            range,
            waiting: Vec::new(),
            span: None,
            names: Vec::new(),
        }
    }

    /// Takes a rejected row in: as its fields, where it could be parsed.
    pub(crate) async fn add(
        &mut self,
        row: &Row,
        line: Option<u64>,
        fields: Option<&Map>,
        fault: &Fault,
    ) -> Result<(), IngestError> {
        let record = match fields {
            Some(fields) => Record::Fields(fields),
            None => Record::Text(
                String::from_utf8_lossy(&row.bytes[..row.bytes.len().min(MAX_RAW)]).into_owned(),
            ),
        };
        let reject = Reject {
            line,
            offset: row.offset,
            code: fault.code,
            field: fault.field.as_deref(),
            message: fault.to_string(),
            record,
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

    /// Puts the rejects that are waiting.
    pub(crate) async fn put(&mut self) -> Result<(), IngestError> {
        let Some((first, last)) = self.span.take() else {
            return Ok(());
        };
        let name = format!("{}-{first}-{last}", self.range);
        let body = std::mem::take(&mut self.waiting);
        put(
            self.client,
            self.bucket,
            &self.place.rejects(&name),
            body,
            "application/x-ndjson",
        )
        .await?;
        self.names.push(name);
        Ok(())
    }
}

async fn put(
    client: &Client,
    bucket: &str,
    key: &str,
    body: Vec<u8>,
    content_type: &str,
) -> Result<(), IngestError> {
    let request = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type);
    let put = request.body(ByteStream::from(body)).send().await;
    put.map_err(|error| IngestError::S3(error.into()))?;
    Ok(())
}
