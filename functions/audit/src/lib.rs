#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::{error::Error, time::Duration};

use aws_sdk_cloudwatchlogs::{
    Client, Config,
    config::{BehaviorVersion, timeout::TimeoutConfig},
    error::{BuildError, DisplayErrorContext},
};
use lambda_runtime::Diagnostic;
use shared::runtime::{
    config::{Aws, ConfigError},
    logs::chain,
};
use tokio::sync::OnceCell;
use uuid::Uuid;

pub use event::Event;
use event::{EventError, LogEvent};

mod batch;
mod event;

/// The name of the variable with the log group of the audit log.
const GROUP: &str = "AUDIT_LOG_GROUP";
/// How long CloudWatch Logs may take to begin a response. A connection that broke while Lambda had frozen the process reports no
/// error.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct App {
    logs: Client,
    /// The log group of the audit log.
    group: String,
    /// The log stream of this process, once it exists.
    stream: OnceCell<String>,
}

impl App {
    /// Reads the configuration from environment variables.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let aws = Aws::from_env()?;
        let group = std::env::var(GROUP).unwrap_or_default();
        if group.is_empty() {
            return Err(ConfigError::Missing(GROUP));
        }
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws.http_client.clone())
            .region(aws.region.clone())
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
            .credentials_provider(aws.credentials.clone());
        if let Some(endpoint) = &aws.logs_endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self {
            logs: Client::from_conf(config.build()),
            group,
            stream: OnceCell::new(),
        })
    }

    /// Returns the log stream of this process. Creates it first. Its name is unique, so that processes do not share one.
    async fn stream(&self) -> Result<&String, AuditError> {
        let create = async || {
            let name = Uuid::now_v7().to_string();
            let request = self.logs.create_log_stream();
            let request = request.log_group_name(&self.group).log_stream_name(&name);
            request.send().await.map_err(AuditError::request)?;
            Ok(name)
        };
        self.stream.get_or_try_init(create).await
    }

    /// Appends events to the audit log.
    async fn put(&self, events: Vec<LogEvent>) -> Result<(), AuditError> {
        let stream = self.stream().await?;
        let events: Result<Vec<_>, _> = events.into_iter().map(LogEvent::into_input).collect();
        let request = self.logs.put_log_events().set_log_events(Some(events?));
        let request = request.log_group_name(&self.group).log_stream_name(stream);
        let response = request.send().await.map_err(AuditError::request)?;
        match response.rejected_log_events_info {
            Some(_) => Err(AuditError::Rejected),
            None => Ok(()),
        }
    }
}

/// Why lines were not copied. Lambda then retries the event.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The event is not one of a subscription.
    #[error("the event is not a delivery of CloudWatch Logs: {0}")]
    Event(#[from] EventError),
    /// CloudWatch Logs refused a request or could not be reached.
    #[error("CloudWatch Logs did not store the lines: {0}")]
    Request(String),
    /// CloudWatch Logs stored only some lines.
    #[error(
        "CloudWatch Logs rejected lines: they are older than 14 days or than the retention of the group"
    )]
    Rejected,
    /// An event lacks a field.
    #[error("a line is incomplete: {0}")]
    Incomplete(#[from] BuildError),
}

impl AuditError {
    fn request(error: impl Error) -> Self {
        Self::Request(DisplayErrorContext(error).to_string())
    }
}

/// Creates the response to Lambda: a stable type, and the whole chain of causes for the log.
impl From<AuditError> for Diagnostic {
    fn from(error: AuditError) -> Self {
        let error_type = match error {
            AuditError::Event(_) => "Event",
            AuditError::Request(_) => "Request",
            AuditError::Rejected => "Rejected",
            AuditError::Incomplete(_) => "Incomplete",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: chain(&error),
        }
    }
}

/// Copies the lines of one delivery into the audit log. Lines may repeat: Lambda sends an event again if a part of it failed.
///
/// # Errors
/// The lines were not stored, or only in part.
pub async fn handle(app: &App, event: Event) -> Result<(), AuditError> {
    let copy = async {
        for events in batch::batches(event.log_events()?) {
            app.put(events).await?;
        }
        Ok(())
    };
    copy.await.inspect_err(|error: &AuditError| {
        tracing::error!(error = chain(error), "audit lines not stored");
    })
}
