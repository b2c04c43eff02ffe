//! System tests: DynamoDB and S3 over HTTP, and the functions' real binaries. Tests in `read` share a stack; each other test
//! starts its own.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod access;
mod audit;
mod concurrency;
mod contract;
mod cost;
mod crashes;
mod damaged;
mod data_export;
mod deadlines;
mod erasure;
mod events;
mod facts;
mod files;
mod find;
mod history;
mod hostile;
mod imports;
mod ingest;
mod limits;
mod mapped_units;
mod mappings;
mod metrics;
mod note_write;
mod operations;
mod other_systems;
mod permissions;
mod privacy;
mod profile_read;
mod profile_write;
mod progress;
mod proxy;
mod read;
mod reads_during_import;
mod reference;
mod response_size;
mod retention;
mod rules;
mod schedules;
mod search;
mod search_cost;
mod service;
mod support;
mod template;
mod uploads;
