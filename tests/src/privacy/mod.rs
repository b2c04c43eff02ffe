//! Marked values in every field of every record type. None may be in a log line, an error, an id, a cursor, a URL, a tag or a report, and
//! none in a response to a principal without `pii:read`. Rejects contain the rows that they reject, by design.

mod planted;
mod requests;
mod responses;
mod storage;

/// Part of every marked value, in the letters that addresses, ids and texts may have.
pub(super) const CANARY: &str = "c4n4ry";
