//! The account of an import, which the one who dropped the file reads. What its counters count is in `counts`, the
//! rows that it rejected are in `rejects`.

pub(crate) mod measure;
pub(crate) mod rejects;

use aws_sdk_s3::{
    Client,
    config::{self, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
};
use serde::Serialize;
use shared::{closure::ExcludedLinks, time::Instant};

use crate::{
    IngestError,
    counts::{Counts, Erased},
    source::notification::ObjectVersion,
};

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

/// What the types of problems begin with.
const TYPES: &str = "/problems/";

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
            r#type: format!("{TYPES}{slug}"),
            detail: detail.into(),
        }
    }

    /// The last part of its type.
    pub(crate) fn slug(&self) -> &str {
        self.r#type.strip_prefix(TYPES).unwrap_or_default()
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

/// The advice where events dated after the erasure were deleted.
const DROP_AGAIN: &str = "Deleted events were dated after the erasure (`dated_ahead`). Drop the same rows again after 48 hours: \
    a file that is imported until then may contain these events.";

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
    /// Links that erasures of whole profiles did not follow, because their source has too many: what they lead to was not
    /// erased.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) excluded_links: Vec<ExcludedLinks>,
    /// What to do because events dated after the erasure were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<&'static str>,
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
    /// The report of an import of which nothing was read. `record_type` and `source` are those of the object's key.
    pub(crate) fn new(
        object: &ObjectVersion,
        record_type: Option<String>,
        source: Option<String>,
    ) -> Self {
        let now = Instant::now();
        Self {
            import: object.import().to_string(),
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            status: Status::Completed,
            record_type,
            source,
            counts: Counts::default(),
            requests: 0,
            capacity_units: 0.0,
            started_at: now,
            finished_at: now,
            rejects: Vec::new(),
            excluded_links: Vec::new(),
            advice: None,
            erased: None,
            still_held: Vec::new(),
            problem: None,
        }
    }

    /// Says what still holds those who were erased, if somebody was.
    #[must_use]
    pub(crate) fn with_still_held(
        mut self,
        raw_file_days: Option<u64>,
        reject_days: Option<u64>,
    ) -> Self {
        if self.erased.is_some_and(|erased| erased.dated_ahead > 0) {
            self.advice = Some(DROP_AGAIN);
        }
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

    /// Puts it, and logs it. Returns whether there was none before: `true` if that can't be told.
    pub(crate) async fn put(
        &self,
        s3: &Client,
        object: &ObjectVersion,
    ) -> Result<bool, IngestError> {
        let was_put = self.put_if_absent(s3, object).await?;
        if was_put != Some(true) {
            let put = self.request(s3, object)?.send().await;
            put.map_err(|error| IngestError::S3(error.into()))?;
        }
        self.log();
        Ok(was_put != Some(false))
    }

    /// Puts it if there is none, and logs it then: it knows less than the report of a run that read the object. Returns
    /// whether there was none before: `true` if that can't be told.
    pub(crate) async fn put_first(
        &self,
        s3: &Client,
        object: &ObjectVersion,
    ) -> Result<bool, IngestError> {
        let was_put = self.put_if_absent(s3, object).await?;
        if was_put == Some(false) {
            return Ok(false);
        }
        if was_put.is_none() {
            let request = self.request(s3, object)?.if_none_match("*");
            match request.send().await {
                Err(error) if !is_taken(error.code()) => {
                    return Err(IngestError::S3(error.into()));
                }
                Ok(_) | Err(_) => {}
            }
        }
        self.log();
        Ok(true)
    }

    /// Puts it if there is none, in one request: the client's own retry could meet what the first request put. Returns
    /// whether it did, or `None` if that can't be told.
    async fn put_if_absent(
        &self,
        s3: &Client,
        object: &ObjectVersion,
    ) -> Result<Option<bool>, IngestError> {
        let request = self.request(s3, object)?.if_none_match("*");
        let once = config::Builder::new().retry_config(RetryConfig::disabled());
        let put = request.customize().config_override(once).send().await;
        Ok(match put {
            Ok(_) => Some(true),
            Err(error) if is_taken(error.code()) => Some(false),
            Err(_) => None,
        })
    }

    fn request(
        &self,
        s3: &Client,
        object: &ObjectVersion,
    ) -> Result<PutObjectFluentBuilder, IngestError> {
        let body =
            serde_json::to_vec_pretty(self).map_err(|error| IngestError::S3(error.into()))?;
        let key = Place::new(object).report();
        let request = s3.put_object().bucket(&object.bucket).key(key);
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
            unread,
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
            unread,
            requests = self.requests,
            capacity_units = self.capacity_units,
            "import reported"
        );
    }
}

/// Whether a conditional put was refused because there is an object.
fn is_taken(code: Option<&str>) -> bool {
    code == Some("PreconditionFailed")
}

/// Where an import's report and rejects go.
#[derive(Debug)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn new(object: &ObjectVersion) -> Self {
        let long = format!("{}/{}", object.key, object.id());
        // The longest name under a prefix: a range and two offsets.
        let fits = "rejects/".len() + long.len() + 64 <= MAX_KEY_BYTES;
        Self(if fits {
            long
        } else {
            object.import().to_string()
        })
    }

    fn report(&self) -> String {
        format!("reports/{}.json", self.0)
    }

    pub(crate) fn rejects(&self, name: &str) -> String {
        format!("rejects/{}/{name}.ndjson", self.0)
    }
}
