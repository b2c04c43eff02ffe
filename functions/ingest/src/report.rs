//! The account of an import, and the rows that it rejected: what the one who dropped the file reads.

use aws_sdk_s3::{
    Client, error::ProvideErrorMetadata as _,
    operation::put_object::builders::PutObjectFluentBuilder, primitives::ByteStream,
};
use serde::Serialize;
use shared::{keys::SortKey, time::Instant, value::Map, version::ImportId};

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

/// What was deleted, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Erased {
    pub(crate) identities: u64,
    pub(crate) records: u64,
    pub(crate) attributes: u64,
    pub(crate) links: u64,
    pub(crate) notes: u64,
    pub(crate) events: u64,
    pub(crate) bodies: u64,
    /// What was remembered of requests that left notes.
    pub(crate) note_requests: u64,
}

impl Erased {
    /// Counts an item.
    pub(crate) const fn count(&mut self, key: &SortKey) {
        let counter = match key {
            SortKey::Record(_) => &mut self.records,
            SortKey::Attributes { .. } => &mut self.attributes,
            SortKey::Link(_) => &mut self.links,
            SortKey::Note(_) => &mut self.notes,
            SortKey::Event(_) => &mut self.events,
            SortKey::Body(_) => &mut self.bodies,
            SortKey::Again(_) => &mut self.note_requests,
            // Markers stay.
            SortKey::Marker(_) => return,
        };
        *counter += 1;
    }

    /// Each with the name under which progress keeps it.
    pub(crate) const fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("erased_identities", self.identities),
            ("erased_records", self.records),
            ("erased_attributes", self.attributes),
            ("erased_links", self.links),
            ("erased_notes", self.notes),
            ("erased_events", self.events),
            ("erased_bodies", self.bodies),
            ("erased_note_requests", self.note_requests),
        ]
    }

    /// From what each name counts.
    pub(crate) fn from_named(count: impl Fn(&str) -> u64) -> Self {
        Self {
            identities: count("erased_identities"),
            records: count("erased_records"),
            attributes: count("erased_attributes"),
            links: count("erased_links"),
            notes: count("erased_notes"),
            events: count("erased_events"),
            bodies: count("erased_bodies"),
            note_requests: count("erased_note_requests"),
        }
    }

    fn add(&mut self, other: &Self) {
        self.identities += other.identities;
        self.records += other.records;
        self.attributes += other.attributes;
        self.links += other.links;
        self.notes += other.notes;
        self.events += other.events;
        self.bodies += other.bodies;
        self.note_requests += other.note_requests;
    }
}

/// What still holds somebody who was erased, and until when at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StillHeld {
    pub(crate) what: &'static str,
    /// `None`: it is not known, since no rule of the bucket's was told.
    pub(crate) until: Option<Instant>,
}

/// Days for which versions stay after the bucket's rule has hidden them.
const NONCURRENT_DAYS: u64 = 7;
/// Days for which DynamoDB's point-in-time recovery reaches back.
const BACKUP_DAYS: u64 = 35;

/// What still holds those who were erased at `now`.
pub(crate) fn still_held(
    now: Instant,
    raw_file_days: Option<u64>,
    reject_days: Option<u64>,
) -> Vec<StillHeld> {
    let after =
        |days: u64| Instant::from_seconds(now.seconds().saturating_add_unsigned(days * 86_400));
    vec![
        StillHeld {
            what: "dropped files, under drop/ with their older versions",
            until: raw_file_days.and_then(|days| after(days + NONCURRENT_DAYS)),
        },
        StillHeld {
            what: "rejected rows, under rejects/",
            until: reject_days.and_then(|days| after(days + NONCURRENT_DAYS)),
        },
        StillHeld {
            what: "the table's backups for point-in-time recovery",
            until: after(BACKUP_DAYS),
        },
    ]
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
    /// What was deleted, where somebody was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) erased: Option<Erased>,
    /// What still holds who was erased.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) still_held: Vec<StillHeld>,
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
            erased: None,
            still_held: Vec::new(),
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
            if range.erased != Erased::default() {
                report.erased.get_or_insert_default().add(&range.erased);
            }
            if let (Some((status, problem)), None) = (&range.problem, &report.problem) {
                report.status = *status;
                report.problem = Some(problem.clone());
            }
        }
        report
    }

    /// Says what still holds those who were erased, if somebody was.
    #[must_use]
    pub(crate) fn with_still_held(
        mut self,
        raw_file_days: Option<u64>,
        reject_days: Option<u64>,
    ) -> Self {
        if self.erased.is_some_and(|erased| erased.identities > 0) {
            self.still_held = still_held(self.finished_at, raw_file_days, reject_days);
        }
        self
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
        self.request(s3, bucket, object_id)?
            .send()
            .await
            .map_err(|error| IngestError::S3(error.into()))?;
        self.log();
        Ok(())
    }

    /// Puts it where there is none: for what only a part of the account's truth is known of, which must not take the
    /// place of a run's that knew more.
    pub(crate) async fn put_first(
        &self,
        s3: &Client,
        bucket: &str,
        object_id: &str,
    ) -> Result<(), IngestError> {
        let request = self.request(s3, bucket, object_id)?.if_none_match("*");
        match request.send().await {
            Ok(_) => self.log(),
            Err(error)
                if matches!(
                    error.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict")
                ) => {}
            Err(error) => return Err(IngestError::S3(error.into())),
        }
        Ok(())
    }

    fn request(
        &self,
        s3: &Client,
        bucket: &str,
        object_id: &str,
    ) -> Result<PutObjectFluentBuilder, IngestError> {
        let body =
            serde_json::to_vec_pretty(self).map_err(|error| IngestError::S3(error.into()))?;
        let key = Place::new(&self.key, object_id, &self.import).report();
        let request = s3.put_object().bucket(bucket).key(key);
        Ok(request
            .content_type("application/json")
            .body(ByteStream::from(body)))
    }

    fn log(&self) {
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
