#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]
#![doc = include_str!("../README.md")]

#[cfg(feature = "http")]
pub mod http;
pub mod model;
pub mod profile;
pub mod runtime;
pub mod table;
