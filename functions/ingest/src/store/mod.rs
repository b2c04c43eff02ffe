//! Writes and removes items. In: the items of rows. Out: a verdict on each row.
//!
//! The newest version of an item wins. The request rate follows the capacity that the table grants.

mod hot_keys;
pub(crate) mod queued;
pub(crate) mod rate_limiter;
pub(crate) mod remove;
pub(crate) mod write;
