#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

mod binaries;
mod clients;
mod dynamodb;
mod gateway;
mod import_events;
mod imports;
mod lambda;
mod logs;
mod notifications;
mod permissions;
mod s3;
mod stack;
mod template;

pub use import_events::ImportEvent;
pub use imports::Imports;
pub use lambda::InvokeError;
pub use notifications::Delivery;
pub use permissions::Permission;
pub use stack::{Error, Options, Stack};
pub use template::{TemplateError, document as template_document};

/// The value of the template's secret in the local stack: the key from which all local identity ids are derived.
pub const IDENTITY_KEY: &str = "local-identity-key";
