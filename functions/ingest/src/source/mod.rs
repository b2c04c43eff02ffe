//! Reads objects from S3. In: a notification. Out: the decompressed stream of the object that it names, or why the file cannot be
//! read.

pub(crate) mod inflate;
mod input;
pub(crate) mod notification;
pub(crate) mod object;
pub(crate) mod signature;

use serde::{Deserialize, Serialize};

use crate::names::named;

named! {
    /// The kinds of file errors, named by their types in reports. `infra/docs/reference/errors.md` explains each to the person who dropped the
    /// file.
    FileErrorKind {
        UnknownRecordType = "/problems/unknown-record-type",
        InvalidSource = "/problems/invalid-source",
        InvalidMapping = "/problems/invalid-mapping",
        Unrecognized = "/problems/unrecognized",
        Archive = "/problems/archive",
        UnsupportedFormat = "/problems/unsupported-format",
        UnsupportedEncoding = "/problems/unsupported-encoding",
        InvalidCsvHeader = "/problems/invalid-csv-header",
        BrokenJson = "/problems/broken-json",
        BrokenCompression = "/problems/broken-compression",
        CompressionRatio = "/problems/compression-ratio",
        FileTooLarge = "/problems/file-too-large",
        TooManyInvocations = "/problems/too-many-hops",
        ObjectGone = "/problems/object-gone",
        ObjectSuperseded = "/problems/object-superseded",
        RevertedEarly = "/problems/reverted-early",
        OperationSuperseded = "/problems/operation-superseded",
    }
}

/// Why a file, or the rest of it, cannot be read. A report contains it as its `problem`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileError {
    #[serde(rename = "type")]
    pub(crate) kind: FileErrorKind,
    /// The problem, and its place in the file.
    pub(crate) detail: String,
}

impl FileError {
    pub(crate) fn new(kind: FileErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}
