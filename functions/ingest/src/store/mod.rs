//! Writes items. In go the items of rows; out comes what each write did. The newest version of an item wins, and requests keep to the rate that
//! the table takes.

pub(crate) mod rate_limiter;
pub(crate) mod write;
