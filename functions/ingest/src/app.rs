//! Holds the state that the function keeps between events: clients, configuration, and facts about the table.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::config::{BehaviorVersion, timeout::TimeoutConfig};
use shared::{
    model::{
        identifier::IdentifierRules, identity::IdentityKey, import::state_expiry,
        retention::Retention,
    },
    runtime::config::{Config, ConfigError},
    table::{Facts, SourceSeen, Table, TableError},
};
use tokio::sync::OnceCell;

use crate::{error::IngestError, record::Erasures};

/// How long S3 may take to begin a response. A connection that broke while Lambda had frozen the process reports no error.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of known sources that the plan of a new source lists.
const MAX_KNOWN_SOURCES: usize = 50;

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct App {
    /// The key with which identifiers become identities.
    pub(crate) key: IdentityKey,
    /// The rules for reading identifiers.
    pub(crate) identifiers: IdentifierRules,
    pub(crate) table: Table,
    pub(crate) s3: aws_sdk_s3::Client,
    /// The stack's bucket. Notifications about others are ignored.
    pub(crate) bucket: String,
    /// Uncompressed NDJSON objects larger than this, in bytes, are divided into ranges.
    pub(crate) chunk_bytes: u64,
    /// The currency of amounts without one, for the profiles of files that are tried.
    pub(crate) currency: String,
    /// How often Lambda retries a failed event.
    pub(crate) max_retries: u64,
    /// How long each kind of data is kept.
    pub(crate) retention: Retention,
    /// The erasure list, as last read.
    pub(crate) erasures: tokio::sync::Mutex<Erasures>,
    /// Set after the table's facts matched this configuration.
    pub(crate) facts_checked: OnceCell<()>,
    /// The sources that are known to be recorded in the table.
    pub(crate) sources: tokio::sync::Mutex<BTreeSet<String>>,
}

impl App {
    /// Reads the configuration from the environment.
    ///
    /// # Errors
    /// A variable is missing or invalid, or a local agent would reach a table that is not local.
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
            currency: config.currency.clone(),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            bucket: config.require_bucket()?,
            chunk_bytes: config.chunk_bytes,
            max_retries: config.max_retries,
            retention: config.retention,
            erasures: tokio::sync::Mutex::default(),
            facts_checked: OnceCell::new(),
            sources: tokio::sync::Mutex::default(),
        })
    }

    /// Rejects a table that was written by another release or with another configuration. Records this configuration in a new
    /// table.
    pub(crate) async fn check_facts(&self) -> Result<(), IngestError> {
        let check = async || {
            let configured = Facts::new(&self.key, self.identifiers);
            let (stored, sources) = self.table.facts_and_sources().await?;
            *self.sources.lock().await = sources;
            let stored = match stored {
                Some(stored) => stored,
                None => {
                    self.table.put_facts(&configured).await?;
                    // Another invocation, perhaps with another configuration, may have written its facts first.
                    self.table
                        .facts()
                        .await?
                        .unwrap_or_else(|| configured.clone())
                }
            };
            Ok(stored.require(&configured)?)
        };
        self.facts_checked.get_or_try_init(check).await.copied()
    }

    /// Returns when the state of an import that is stored now expires, in seconds since 1970; `None` if it does not.
    pub(crate) fn expiry(&self) -> Option<i64> {
        state_expiry(self.retention.raw_files)
    }

    /// Returns the sources of earlier files, at most 50, if a file of `source` is the first; `None` if the table knows the
    /// source. The first process with a file of a source records that source in the table.
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
