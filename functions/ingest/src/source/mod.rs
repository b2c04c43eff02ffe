//! Reads objects from S3. Takes a notification; returns the decompressed stream of an object.

pub(crate) mod inflate;
pub(crate) mod notification;
pub(crate) mod object;

/// Why the rest of a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    /// The last segment of the problem's type.
    pub(crate) slug: &'static str,
    /// The problem, and its place in the file.
    pub(crate) detail: String,
}

impl FileError {
    pub(crate) fn new(slug: &'static str, detail: impl Into<String>) -> Self {
        Self {
            slug,
            detail: detail.into(),
        }
    }
}
