//! What an upload has stored so far: bodies, and the parts of multipart uploads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use data_encoding::HEXLOWER;

use super::index::Headers;

/// A body that has been stored. Its file goes again with it, unless it is kept.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) path: Option<PathBuf>,
    pub(super) size: u64,
    pub(super) md5: Vec<u8>,
    pub(super) checksums: BTreeMap<String, String>,
}

impl Stored {
    /// The body's name: from now on something else looks after it.
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

/// An upload that has been started.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) headers: Headers,
    /// Epoch seconds: this is the object's last-modified once it is complete, as on S3.
    pub(super) initiated: i64,
    pub(super) parts: BTreeMap<i32, UploadedPart>,
}

/// A part whose file goes when nobody needs it any longer.
#[derive(Debug)]
pub(super) struct UploadedPart {
    pub(super) stored: Stored,
    pub(super) at: i64,
}
