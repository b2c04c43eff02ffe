//! What the function keeps between events: clients, configuration, and what it knows of the table.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::config::{BehaviorVersion, timeout::TimeoutConfig};
use shared::{
    config::{Config, ConfigError},
    identifier::IdentifierRules,
    identity::IdentityKey,
    table::{Facts, SourceSeen, Table, TableError},
};
use tokio::sync::OnceCell;

use crate::{error::IngestError, record::Erasures};

/// How long S3 may take to begin an answer. A connection that broke while Lambda had the process frozen says nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The most sources that a plan names beside a new one.
const MAX_KNOWN_SOURCES: usize = 50;

/// What the function holds between events.
#[derive(Debug)]
pub struct App {
    pub(crate) key: IdentityKey,
    pub(crate) identifiers: IdentifierRules,
    pub(crate) table: Table,
    pub(crate) s3: aws_sdk_s3::Client,
    /// Objects of lines that are larger than this are cut into ranges.
    pub(crate) chunk_bytes: u64,
    /// How often Lambda retries a failed event.
    pub(crate) max_retries: u64,
    /// How long events are kept, in days.
    pub(crate) event_retention_days: Option<u64>,
    /// How long the bucket keeps files and rejects, in days.
    pub(crate) raw_file_days: Option<u64>,
    pub(crate) reject_days: Option<u64>,
    /// Who was erased, as it was last read.
    pub(crate) erasures: tokio::sync::Mutex<Erasures>,
    /// Set once the table's facts were those of this configuration.
    pub(crate) facts_checked: OnceCell<()>,
    /// The sources that the table is known to have seen.
    pub(crate) sources: tokio::sync::Mutex<BTreeSet<String>>,
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
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
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
    pub(crate) async fn check_facts(&self) -> Result<(), IngestError> {
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
    pub(crate) async fn new_among(&self, source: &str) -> Result<Option<Vec<String>>, TableError> {
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
