//! Writes log lines in the formats of [Lambda's logging
//! controls](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html).

use std::{env, error::Error};

use tracing_subscriber::filter::LevelFilter;

/// Starts logging to standard output. Lines are JSON if `AWS_LAMBDA_LOG_FORMAT` is `json`. The level is
/// `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG`, else `INFO`. Release builds contain no finer level than `INFO`, because the
/// SDK's finer lines contain stored data. Lambda adds the time and the request id.
///
/// # Panics
/// The function was called before.
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"]
        .iter()
        .find_map(|name| env::var(name).ok()?.parse().ok());
    let lines = tracing_subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_max_level(level.unwrap_or(LevelFilter::INFO));
    let format = env::var("AWS_LAMBDA_LOG_FORMAT").unwrap_or_default();
    if format.eq_ignore_ascii_case("json") {
        lines.json().init();
    } else {
        lines.init();
    }
}

/// Formats an error and its causes in one line.
pub fn chain(error: &(dyn Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
