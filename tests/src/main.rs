//! The system's tests. Each has a stack of its own: DynamoDB and S3 over HTTP, and the functions' real binaries.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod app;
mod erasure;
mod files;
mod history;
<<<<<<< HEAD
mod hostile;
=======

>>>>>>> 6ee1deedf3d016c40a758b9a1d2c13cba8af9b7f
mod ingest;
mod note_write;
mod privacy;
mod progress;
mod profile_read;
mod rules;
