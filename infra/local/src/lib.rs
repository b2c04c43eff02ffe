#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

mod cloudwatch;
mod dynamodb;
mod gateway;
mod iam;
mod imports;
mod lambda;
mod logs;
mod notifications;
mod s3;
mod stack;
mod template;
mod workspace;

pub use gateway::ImageHost;
pub use iam::Permission;
pub use imports::{ImportEvent, Imports};
pub use lambda::InvokeError;
pub use notifications::Delivery;
pub use stack::{Error, Options, Stack};
pub use template::{TemplateError, document as template_document};

/// The value of the template's secret in the local stack: the key from which all local identity ids are derived.
pub const IDENTITY_KEY: &str = "local-identity-key";
