//! Log lines, as [Lambda's logging controls](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html)
//! ask for them.

use std::env;

use tracing_subscriber::filter::LevelFilter;

/// Writes log lines to standard output from now on: as JSON where `AWS_LAMBDA_LOG_FORMAT` says so, from the level
/// `AWS_LAMBDA_LOG_LEVEL`, or else `RUST_LOG`, or else `INFO` on; nothing finer is built into what is deployed, for there the
/// SDK's lines hold what is stored. Lambda adds time and request.
///
/// # Panics
/// It was called before.
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
