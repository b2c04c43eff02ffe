//! The stored data of unfinished uploads: bodies, and the parts of multipart uploads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use data_encoding::HEXLOWER;

use super::index::Headers;

/// A stored body. Dropping the value deletes its file, unless it was kept.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    pub(super) size: u64,
    pub(super) md5: Vec<u8>,
    pub(super) checksums: BTreeMap<String, String>,
}

impl Stored {
    /// Keeps the file and returns the body's name. The caller becomes responsible for the file.
    pub(super) fn keep(&mut self) -> String {
        self.path = None;
        self.name.clone()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn etag(&self) -> String {
        HEXLOWER.encode(&self.md5)
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A multipart upload that has been started.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) headers: Headers,
    /// The start time, in epoch seconds. As in S3, it becomes the last-modified time of the complete object.
    pub(super) initiated: i64,
    pub(super) parts: BTreeMap<i32, UploadedPart>,
}

/// A part of an upload. Dropping the value deletes its file.
#[derive(Debug)]
pub(super) struct UploadedPart {
    pub(super) stored: Stored,
    pub(super) at: i64,
}
