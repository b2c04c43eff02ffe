//! Local.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

mod clients;
mod s3;
mod template;

/// What the template's secret resolves to here.
pub const IDENTITY_KEY: &str = "local-identity-key";
