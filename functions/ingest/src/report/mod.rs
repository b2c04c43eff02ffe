//! Reports imports. In: the counts, errors and rejected rows of an import. Out: its report and rejects in the bucket, for the person
//! who dropped the file, and its metrics.

pub(crate) mod measure;
#[cfg(test)]
mod page;
pub(crate) mod rejects;
mod remaining;
pub(crate) mod tally;

use aws_sdk_s3::{
    Client,
    config::{self, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
};
use serde::Serialize;
use shared::model::{
    closure::ExcludedLinks,
    report_key::ReportKeys,
    retention::Retention,
    time::Instant,
    value::{self, Map, Value},
};

use crate::{
    IngestError,
    counts::{Counts, Erased},
    names::named,
    report::{
        remaining::{RemainingCopy, remaining_copies},
        tally::Tally,
    },
    source::{FileError, notification::ObjectVersion},
};

named! {
    /// The result of an import.
    Status {
        /// Every row is accounted for.
        Completed = "completed",
        /// The file as a whole cannot be imported.
        Rejected = "rejected",
        /// The file could not be read.
        Failed = "failed",
        /// The bucket has no versioning, and another object replaced this one.
        Superseded = "superseded",
    }
}

/// The advice if events dated after the erasure were deleted.
const DATED_AHEAD_ADVICE: &str = "Deleted events were dated after the erasure (`dated_ahead`). Files that are imported within 48 hours may \
    contain these events. Drop the same rows again after that time.";

/// The rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RowCounts {
    /// The same as `read` of the report, which counts records, unless a mapping makes the records.
    pub(crate) read: u64,
    /// Rows that are not read, because they are blank, repeat the header of a CSV file, or are skipped by the mapping.
    pub(crate) skipped: u64,
}

/// The mapping that made the records of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MappingUsed {
    pub(crate) name: String,
    /// The version of the team's own mapping; `None` for a built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_id: Option<String>,
}

/// The report of an import.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) import: String,
    pub(crate) key: String,
    pub(crate) version_id: Option<String>,
    pub(crate) status: Status,
    pub(crate) record_type: Option<String>,
    pub(crate) source: Option<String>,
    /// The mapping that made the records, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mapping: Option<MappingUsed>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    pub(crate) rows: RowCounts,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// The sources of earlier files, at most 50, if the file is the first of its source and there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known_sources: Option<Vec<String>>,
    pub(crate) requests: u64,
    pub(crate) capacity_units: f64,
    pub(crate) started_at: Instant,
    pub(crate) finished_at: Instant,
    pub(crate) rejects: Vec<String>,
    /// Links that erasures of whole profiles did not follow, because their source has too many. Identities behind them were not
    /// erased.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) excluded_links: Vec<ExcludedLinks>,
    /// The recommended action if events dated after the erasure were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<&'static str>,
    /// The number of deleted items, if anything was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) erased: Option<Erased>,
    /// The copies of erased identities' data that still exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) still_held: Vec<RemainingCopy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<FileError>,
}

impl Report {
    /// Creates the report of an import of which nothing was read. `record_type` and `source` are those of the object's key.
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
            mapping: None,
            counts: Counts::default(),
            rows: RowCounts::default(),
            tally: Tally::default(),
            known_sources: None,
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

    /// Adds the copies of erased identities' data that still exist, if any identity was erased. Adds advice if events dated
    /// after the erasure were deleted.
    #[must_use]
    pub(crate) fn with_remaining_copies(mut self, retention: &Retention) -> Self {
        if self.erased.is_some_and(|erased| erased.dated_ahead > 0) {
            self.advice = Some(DATED_AHEAD_ADVICE);
        }
        if self.erased.is_some_and(|erased| erased.identities > 0) {
            self.still_held = remaining_copies(self.finished_at, retention);
        }
        self
    }

    /// Sets the status, and the problem that led to it.
    #[must_use]
    pub(crate) fn with_problem(mut self, status: Status, problem: FileError) -> Self {
        (self.status, self.problem) = (status, Some(problem));
        self
    }

    /// Returns what the table stores of the report, for the list of imports. It has no fields of unlimited size.
    pub(crate) fn to_outcome(&self, object: &ObjectVersion) -> Result<Map, serde_json::Error> {
        // `rejects` has no limit of its own. The others are for people who read the report.
        const LEFT_OUT: [&str; 10] = [
            "advice",
            "capacity_units",
            "excluded_links",
            "import",
            "known_sources",
            "rejects",
            "requests",
            "status",
            "still_held",
            "version_id",
        ];
        let mut outcome = value::to_map(self)?;
        outcome.retain(|name, value| !LEFT_OUT.contains(&name) && *value != Value::Null);
        outcome.insert("state", self.status.as_str());
        if let Some(problem) = &self.problem {
            let code = problem.kind.as_str();
            let mut stored = Map::new();
            stored.insert("code", code.strip_prefix("/problems/").unwrap_or(code));
            stored.insert("detail", problem.detail.as_str());
            outcome.insert("problem", stored);
        }
        if let Some(at) = object.dropped_at {
            outcome.insert("created_at", at.to_string());
        }
        Ok(outcome)
    }

    /// Puts the report and logs it. Returns whether there was none before; `true` if that is unknown.
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

    /// Puts the report if there is none, and then logs it. The report of an invocation that read the object contains more, so it
    /// is kept. Returns whether there was none before; `true` if that is unknown.
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
                Err(error) if !object_exists(error.code()) => {
                    return Err(IngestError::S3(error.into()));
                }
                Ok(_) | Err(_) => {}
            }
        }
        self.log();
        Ok(true)
    }

    /// Puts the report if there is none, in one request. A retry by the client could find the report that its first request put.
    /// Returns whether the report was put; `None` if that is unknown.
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
            Err(error) if object_exists(error.code()) => Some(false),
            Err(_) => None,
        })
    }

    /// Builds the request that puts the report.
    fn request(
        &self,
        s3: &Client,
        object: &ObjectVersion,
    ) -> Result<PutObjectFluentBuilder, IngestError> {
        let body =
            serde_json::to_vec_pretty(self).map_err(|error| IngestError::S3(error.into()))?;
        let key = keys_of(object).report();
        let request = s3.put_object().bucket(&object.bucket).key(key);
        Ok(request
            .content_type("application/json")
            .body(ByteStream::from(body)))
    }

    pub(crate) fn log(&self) {
        let Counts {
            read,
            written,
            stale,
            rejected,
            rejects_omitted,
            suppressed,
            truncated,
            unread,
            replaced,
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
            rejects_omitted,
            suppressed,
            truncated,
            unread,
            replaced,
            skipped = self.rows.skipped,
            requests = self.requests,
            capacity_units = self.capacity_units,
            "import reported"
        );
    }
}

/// Returns whether a conditional put was rejected because the object exists.
fn object_exists(code: Option<&str>) -> bool {
    code == Some("PreconditionFailed")
}

/// Returns the keys of the report and the rejects of an object.
pub(crate) fn keys_of(object: &ObjectVersion) -> ReportKeys {
    ReportKeys::new(&object.key, &object.id(), object.import())
}
