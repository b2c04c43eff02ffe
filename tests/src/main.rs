//! The system's tests. Each has a stack of its own: DynamoDB and S3 over HTTP, and the functions' real binaries.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod app;
mod files;
mod history;
mod imports;
mod ingest;
mod note_write;
mod profile_read;
mod rules;
