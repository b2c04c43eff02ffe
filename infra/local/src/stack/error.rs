//! The errors of a stack.

use std::io;
use std::net::IpAddr;

use crate::template::TemplateError;

/// An error when the stack starts or handles a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `template.yaml` is not supported or cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The functions do not build. Contains Cargo's output, unless it was already shown.
    #[error("the functions cannot be built. Fix the errors of Cargo:\n{0}")]
    Build(String),
    /// Another process listens on the port.
    #[error(
        "port {port} on {bind} is already in use. Stop the process that listens there, or select another port with {flag} (0 selects a free port)"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The address.
        bind: IpAddr,
        /// The command-line option that changes the port.
        flag: &'static str,
    },
    /// A file or a socket cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// The file or socket.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// The table cannot be opened or created.
    #[error("DynamoDB: {0}")]
    Table(String),
    /// The bucket rejected a request.
    #[error("S3: {0}")]
    Bucket(String),
    /// A line did not arrive in the audit log. Contains the last log lines of all functions.
    #[error("the line is not in the audit log\nThe last log lines of the functions:\n{0}")]
    Audit(String),
    /// A dropped file was not imported: there is no report, or an event in `failed/`.
    #[error("{key} was not imported: {reason}\nThe last log lines of the functions:\n{logs}")]
    Import {
        /// The object's key.
        key: String,
        /// The cause.
        reason: String,
        /// The last log lines of all functions.
        logs: String,
    },
}
