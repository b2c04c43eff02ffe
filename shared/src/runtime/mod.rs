//! Provides what a function needs to start. In: the environment of the process. Out: configuration and AWS clients; metrics and
//! logs go to standard output.

pub mod audit;
pub mod config;
mod connector;
pub mod logs;
pub mod metrics;
