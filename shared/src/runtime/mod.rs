//! What a function needs to start: configuration, AWS clients, logs and metrics. Takes the environment of the process
//! and returns clients; metrics and logs go to standard output.

pub mod config;
mod connector;
pub mod logs;
pub mod metrics;
