#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]
#![doc = include_str!("../README.md")]

pub mod body;
pub mod card;
pub mod closure;
pub mod config;
mod connector;
pub mod cursor;
pub mod erasure;
pub mod find;
pub mod http;
pub mod identifier;
pub mod identity;
pub mod item;
pub mod json;
pub mod keys;
pub mod logs;
pub mod metrics;
pub mod principal;
pub mod problem;
pub mod products;
pub mod profile;
pub mod reader;
pub mod table;
pub mod time;
pub mod value;
pub mod version;
