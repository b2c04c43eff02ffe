//! Marked values in every field of every record type. No log line, error, id, cursor, URL, tag or report contains one, and no
//! response to a principal without `pii:read` does. Rejects contain the rejected rows, by design.

mod planted;
mod requests;
mod responses;
mod storage;

/// Part of every marked value. Emails, ids and free text may contain these characters.
pub(super) const CANARY: &str = "c4n4ry";
