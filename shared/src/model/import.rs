//! Entries of the list of imports. Each upload, dropped file, revert and replay has one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{
    retention::{NONCURRENT_DROP_DAYS, days_after, object_days},
    time::Instant,
    version::ImportId,
};

/// The first month of the list of imports. The first release that keeps the list is of 2026-11. The time of an entry is that of the drop,
/// and an event can be up to a month old.
pub const FIRST_MONTH: &str = "2026-10";
/// How long the table keeps the state of an import at least, in days.
pub const MIN_STATE_DAYS: u64 = 30;

/// Returns when the state of an import that is stored now expires, in seconds since 1970: not before its file, which the bucket
/// keeps for `raw_file_days`. `None` if the bucket does not limit that.
pub fn state_expiry(raw_file_days: Option<u64>) -> Option<i64> {
    let days = object_days(raw_file_days?, NONCURRENT_DROP_DAYS);
    Some(expiry_after(days.max(MIN_STATE_DAYS)))
}

/// Returns the time after this many days, in seconds since 1970.
pub fn expiry_after(days: u64) -> i64 {
    days_after(Instant::now(), days).map_or(i64::MAX, Instant::seconds)
}

/// The id of an entry in the list of imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryId {
    /// An upload through the API. The UUID (version 7) contains the time of its request.
    Upload(Uuid),
    /// A file that was dropped into the bucket, a revert or a replay.
    Import(ImportId),
}

impl EntryId {
    /// Returns the upload that a name in a key or a path denotes: a UUID of version 7 in lowercase.
    pub fn upload(name: &str) -> Option<Uuid> {
        let id = Uuid::try_parse(name).ok()?;
        (id.get_version_num() == 7 && id.to_string() == name).then_some(id)
    }
}

impl FromStr for EntryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match Self::upload(text) {
            Some(id) => Ok(Self::Upload(id)),
            None => text.parse().map(Self::Import),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload(id) => id.fmt(f),
            Self::Import(id) => id.fmt(f),
        }
    }
}

/// The place of an entry in the list: its time, then its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// When the upload was requested, or the file was dropped.
    pub at: Instant,
    /// The id of the entry.
    pub id: EntryId,
}

impl EntryKey {
    /// Returns the place of an upload, which its id determines.
    pub fn upload(id: Uuid) -> Self {
        let time = id.get_timestamp().map(|time| time.to_unix());
        let (seconds, nanoseconds) = time.unwrap_or_default();
        let milliseconds = i64::try_from(seconds).unwrap_or(i64::MAX / 1_000) * 1_000
            + i64::from(nanoseconds / 1_000_000);
        Self {
            at: Instant::from_milliseconds(milliseconds).unwrap_or_default(),
            id: EntryId::Upload(id),
        }
    }

    /// Parses the form that `to_string` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('#')?;
        Some(Self {
            at: Instant::parse_fixed(at)?,
            id: id.parse().ok()?,
        })
    }
}

/// Writes the form that is stored: the time in its fixed form, and the id.
impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.at.fixed(), self.id)
    }
}

/// What an entry of the list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file to import.
    Import,
    /// A file to try, of which nothing is stored.
    Try,
    /// An import is reverted.
    Revert,
    /// An import is replayed under its own version.
    Replay,
}

/// The parts in which a large file is uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The id of S3's multipart upload.
    pub upload_id: String,
    /// The size of each part but the last, in bytes.
    pub size: u64,
}

/// An entry of the list of imports. Its content does not change while the import runs, except `import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the entry is about.
    pub kind: EntryKind,
    /// The key of the object.
    pub key: String,
    /// The name of the file.
    pub file_name: String,
    /// The folder of the file: a record type, a mapping, `auto` or `mixed`.
    #[serde(rename = "type")]
    pub folder: String,
    /// The source that the key contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The size of the object in bytes, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The id of the import, in hexadecimal. Ingest adds it to an upload when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<String>,
    /// The import that a revert or a replay is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Whether a revert changes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
    /// The `sub` of the principal that made the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The record types that the principal may not import: `forget`, `unify`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// The parts of an upload that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
}

impl Entry {
    /// Returns the id of the import, if it is known.
    pub fn import(&self) -> Option<ImportId> {
        self.import.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back() {
        for text in ["0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d", "0a0febf994a72178"] {
            assert_eq!(text.parse::<EntryId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "x",
            "0198F1C2-8F6E-7B3A-9C1D-2E4F6A8B0C1D",
            "0198f1c28f6e7b3a9c1d2e4f6a8b0c1d",
            "0198f1c2-8f6e-4b3a-9c1d-2e4f6a8b0c1d",
            "0A0FEBF994A72178",
        ] {
            assert_eq!(text.parse::<EntryId>(), Err(()), "{text}");
        }
    }

    #[test]
    fn keys_contain_the_time_of_an_upload() {
        let id = EntryId::upload("0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d").unwrap();
        let key = EntryKey::upload(id);
        assert_eq!(key.at.milliseconds(), 0x0198_f1c2_8f6e);
        assert_eq!(
            key.to_string(),
            "2025-08-28T17:38:36.526000Z#0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d"
        );
        assert_eq!(EntryKey::parse(&key.to_string()), Some(key));
        assert_eq!(EntryKey::parse("2025-08-28T17:38:36.526000Z#"), None);
    }

    #[test]
    fn state_is_kept_as_long_as_its_file() {
        let days = |expiry: i64| (expiry - Instant::now().seconds() + 60) / 86_400;
        assert_eq!(days(expiry_after(3)), 3);
        assert_eq!(expiry_after(u64::MAX), i64::MAX);
        assert_eq!(state_expiry(None), None);
        assert_eq!(state_expiry(Some(1)).map(days), Some(30));
        // 90 days, 7 days as a noncurrent version, and a day for each step of S3.
        assert_eq!(state_expiry(Some(90)).map(days), Some(99));
    }

    #[test]
    fn entries_name_their_import() {
        let entry = |import: Option<&str>| {
            let fields = serde_json::json!({"kind": "import", "key": "k", "file_name": "f", "type": "auto", "import": import});
            serde_json::from_value::<Entry>(fields).unwrap().import()
        };
        assert_eq!(entry(Some("0101010101010101")), Some(ImportId([1; 8])));
        assert_eq!(entry(Some("x")), None);
        assert_eq!(entry(None), None);
    }
}
