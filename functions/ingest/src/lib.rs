#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::config::{BehaviorVersion, timeout::TimeoutConfig};
pub use import::deadline::Deadline;
use lambda_runtime::Diagnostic;
use shared::{
    config::{Config, ConfigError},
    identifier::IdentifierRules,
    identity::IdentityKey,
    problem::chain,
    table::{Facts, FactsError, SourceSeen, Table, TableError},
};
use tokio::sync::OnceCell;

mod erasure;
#[cfg(fuzzing)]
pub mod fuzz;
mod import;
mod record;
mod report;
mod rows;
#[cfg(test)]
mod simulation;
mod source;
mod store;

/// How long S3 may take to begin an answer. A connection that broke while Lambda had the process frozen says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most sources that a plan names beside a new one.
const MAX_KNOWN_SOURCES: usize = 50;

/// What the function holds between events.
#[derive(Debug)]
pub struct App {
    key: IdentityKey,
    identifiers: IdentifierRules,
    table: Table,
    s3: aws_sdk_s3::Client,
    /// Objects of lines that are larger than this are cut into ranges.
    chunk_bytes: u64,
    /// How often Lambda retries a failed event.
    max_retries: u64,
    /// How long events are kept, in days.
    event_retention_days: Option<u64>,
    /// How long the bucket keeps files and rejects, in days.
    raw_file_days: Option<u64>,
    reject_days: Option<u64>,
    /// Who was erased, as it was last read.
    erasures: tokio::sync::Mutex<erasure::Erasures>,
    /// Set once the table's facts were those of this configuration.
    facts_checked: OnceCell<()>,
    /// The sources that the table is known to have seen.
    sources: tokio::sync::Mutex<BTreeSet<String>>,
}

/// Why an event has to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The event can't be read.
    #[error("{0}")]
    Event(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The table did not answer.
    #[error(transparent)]
    Table(#[from] TableError),
    /// S3 did not answer.
    #[error("S3 did not answer: {0}")]
    S3(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The time is over before a single row could be seen to.
    #[error("no row was seen to before the time was over")]
    NoProgress,
    /// An import was planned by another release, in a form that this one does not know.
    #[error("the import was planned by another release")]
    OtherForm,
    /// The table cannot be written by this release, or with this configuration.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// Some objects of an event with several failed. Each error is in the log.
    #[error("{failed} of {objects} objects failed")]
    Objects {
        /// How many failed.
        failed: usize,
        /// How many the event names.
        objects: usize,
        /// The error of the first that failed.
        #[source]
        first: Box<IngestError>,
    },
}

impl IngestError {
    /// A stable name of the kind of error, for Lambda's response and the log.
    fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::Table(_) | Self::Facts(FactsError::Table(_)) => "Table",
            Self::S3(_) => "S3",
            Self::NoProgress => "NoProgress",
            Self::OtherForm => "OtherForm",
            Self::Facts(FactsError::OtherFormat { .. }) => "OtherFormat",
            Self::Facts(FactsError::OtherKey) => "OtherKey",
            Self::Facts(FactsError::OtherCallingCode { .. }) => "OtherCallingCode",
            Self::Objects { first, .. } => first.kind(),
        }
    }
}

/// What Lambda is told: a stable type, and the whole chain of causes for the log.
impl From<IngestError> for Diagnostic {
    fn from(error: IngestError) -> Self {
        Self {
            error_type: error.kind().to_owned(),
            error_message: chain(&error),
        }
    }
}

impl App {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Config::from_env()?;
        let mut s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(config.aws.http_client.clone())
            .region(config.aws.region.clone())
            .timeout_config(TimeoutConfig::builder().read_timeout(PATIENCE).build())
            .credentials_provider(config.aws.credentials.clone());
        if let Some(endpoint) = &config.aws.s3_endpoint {
            // A local endpoint has no host names for buckets.
            s3 = s3.endpoint_url(endpoint).force_path_style(true);
        }
        Ok(Self {
            key: config.require_identity_key()?,
            identifiers: config.identifiers,
            table: config.table(),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            chunk_bytes: config.chunk_bytes,
            max_retries: config.max_retries,
            event_retention_days: config.event_retention_days,
            raw_file_days: config.raw_file_days,
            reject_days: config.reject_days,
            erasures: tokio::sync::Mutex::default(),
            facts_checked: OnceCell::new(),
            sources: tokio::sync::Mutex::default(),
        })
    }

    /// Refuses a table that was written by another release or with another configuration; a new table is told of this one.
    async fn check_facts(&self) -> Result<(), IngestError> {
        let check = async || {
            let own = Facts::new(&self.key, self.identifiers);
            let (held, sources) = self.table.facts_and_sources().await?;
            *self.sources.lock().await = sources;
            let held = match held {
                Some(held) => held,
                None => {
                    self.table.put_facts(&own).await?;
                    // Another invocation, with another configuration perhaps, may have come first.
                    self.table.facts().await?.unwrap_or_else(|| own.clone())
                }
            };
            Ok(held.require(&own)?)
        };
        self.facts_checked.get_or_try_init(check).await.copied()
    }

    /// The sources of earlier files, at most 50, if a file of `source` is the first; `None` if the table has seen the source.
    /// A source is written once, by the first process that has a file of it.
    async fn new_among(&self, source: &str) -> Result<Option<Vec<String>>, TableError> {
        let mut known = self.sources.lock().await;
        if known.contains(source) {
            return Ok(None);
        }
        let SourceSeen { is_new, before } = self.table.see_source(source).await?;
        known.insert(source.to_owned());
        known.extend(before.iter().cloned());
        Ok(is_new.then(|| before.into_iter().take(MAX_KNOWN_SOURCES).collect()))
    }
}

/// Imports the objects that an event names, as far as the time allows. Logs the error of each object that failed.
///
/// # Errors
/// A fault that may pass: the event has to be sent again. A bad file is not an error; its report says what is wrong.
pub async fn handle(
    app: &App,
    event: serde_json::Value,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let objects =
        source::notification::objects(event).map_err(|error| IngestError::Event(error.into()))?;
    if objects.is_empty() {
        return Ok(());
    }
    app.check_facts().await?;
    // Concurrently: a slow or failing object does not delay the others.
    let runs = objects
        .iter()
        .map(|object| import::run::run(app, object, deadline));
    let outcomes = futures::future::join_all(runs).await;
    let mut failures = Vec::new();
    for (object, outcome) in objects.iter().zip(outcomes) {
        if let Err(error) = outcome {
            tracing::error!(
                import = %import::run::import_of(object),
                error_type = error.kind(),
                error = chain(&error),
                "object failed"
            );
            failures.push(error);
        }
    }
    let failed = failures.len();
    match failures.into_iter().next() {
        None => Ok(()),
        Some(error) if objects.len() == 1 => Err(error),
        Some(first) => Err(IngestError::Objects {
            failed,
            objects: objects.len(),
            first: Box::new(first),
        }),
    }
}
