//! The error of an invocation. Lambda has to send the event again.

use lambda_runtime::Diagnostic;
use shared::{
    runtime::logs::chain,
    table::{FactsError, TableError},
};

/// Why an event has to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The event cannot be parsed.
    #[error("the event cannot be parsed; only S3 notifications are supported")]
    Event(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A request to the table failed.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A request to S3 failed.
    #[error("a request to S3 failed")]
    S3(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The deadline passed before a single row was processed.
    #[error("timed out before any row was processed; the event is sent again")]
    NoProgress,
    /// The import was planned by another release, in a format that this release does not know.
    #[error(
        "the import was planned by a release with another plan format; deploy that release, or drop the file again"
    )]
    OtherForm,
    /// The stored plan or progress of an import cannot be converted.
    #[error("the stored state of the import is invalid; drop the file again")]
    State(#[from] serde_json::Error),
    /// The table cannot be written by this release, or with this configuration.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// Some objects of an event with several failed. Each error is in the log.
    #[error("{failed} of {objects} objects failed; the log has the error of each")]
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
    /// Returns a stable name for the kind of error, for Lambda's response and the log.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "Event",
            Self::Table(_) | Self::Facts(FactsError::Table(_)) => "Table",
            Self::S3(_) => "S3",
            Self::NoProgress => "NoProgress",
            Self::OtherForm => "OtherForm",
            Self::State(_) => "State",
            Self::Facts(FactsError::OtherFormat { .. }) => "OtherFormat",
            Self::Facts(FactsError::OtherKey) => "OtherKey",
            Self::Facts(FactsError::OtherCallingCode { .. }) => "OtherCallingCode",
            Self::Objects { first, .. } => first.kind(),
        }
    }
}

/// Creates the response to Lambda: a stable type, and the whole chain of causes for the log.
impl From<IngestError> for Diagnostic {
    fn from(error: IngestError) -> Self {
        Self {
            error_type: error.kind().to_owned(),
            error_message: chain(&error),
        }
    }
}
