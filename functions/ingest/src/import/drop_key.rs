//! Parses the key of a dropped object: `drop/{record_type}/[{source}/]{anything}[.{extension}]`.
//!
//! A folder after the record type that is not a valid source, such as a year, is part of the file name.

use crate::{
    record::RecordType,
    rows::{Format, RecordsField},
    source::{FileError, FileErrorKind},
};

/// The source of a file that is not in a source's folder.
const DEFAULT_SOURCE: &str = "default";
/// The maximum length of a source's name, in characters.
const MAX_SOURCE_CHARS: usize = 64;
/// The end of the name of an empty object that Hadoop puts for a folder.
const FOLDER_MARKER: &str = "_$folder$";
/// Sources of records that do not come from files: decisions of support agents, and records of the system itself.
const RESERVED_SOURCES: [&str; 2] = ["agents", "system"];

/// The parsed key of a dropped object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DropKey {
    /// The folder's name: a record type, or `mixed`.
    pub(crate) folder: String,
    /// The record type; `None` in `mixed`, where each record specifies its own.
    pub(crate) record_type: Option<RecordType>,
    /// The source that delivers the file.
    pub(crate) source: String,
    /// The format that the extension specifies; `None` if the content decides. Compression is always detected from the content.
    pub(crate) format: Option<Format>,
}

fn unknown_record_type() -> FileError {
    FileError::new(
        FileErrorKind::UnknownRecordType,
        "The file is not in the folder of a record type. Drop it as drop/{record_type}/[{source}/]{name}.ndjson.",
    )
}

fn reserved_source() -> FileError {
    FileError::new(
        FileErrorKind::InvalidSource,
        "The sources `agents` and `system` are reserved. Drop the file into the folder of another source.",
    )
}

/// Returns whether an object is not meant to be imported: a folder marker, or a file whose name, or the name of one of its folders,
/// begins with `_` or `.`. Spark, Hive and operating systems name their own files so, such as `_SUCCESS`, `_temporary/` and
/// `.DS_Store`. As in Spark, a folder such as `_date=2026` is a partition.
pub(crate) fn is_hidden(key: &str) -> bool {
    let names = key.strip_prefix("drop/").unwrap_or(key).split('/');
    let is_own =
        |name: &str| name.starts_with('.') || (name.starts_with('_') && !name.contains('='));
    key.ends_with('/') || key.ends_with(FOLDER_MARKER) || names.into_iter().any(is_own)
}

impl DropKey {
    /// Parses the key of a dropped object.
    pub(crate) fn parse(key: &str) -> Result<Self, FileError> {
        let path = key.strip_prefix("drop/").ok_or_else(unknown_record_type)?;
        let (folder, rest) = path.split_once('/').ok_or_else(unknown_record_type)?;
        let record_type = match folder {
            "mixed" => None,
            folder => Some(folder.parse().map_err(|()| unknown_record_type())?),
        };
        let folder_of_source = rest.split_once('/').map(|(folder, _)| folder);
        let source = folder_of_source
            .filter(|folder| is_source(folder))
            .unwrap_or(DEFAULT_SOURCE);
        if RESERVED_SOURCES.contains(&source) {
            return Err(reserved_source());
        }
        Ok(Self {
            folder: folder.to_owned(),
            record_type,
            source: source.to_owned(),
            format: format(&rest.to_ascii_lowercase()),
        })
    }

    /// Returns the meaning of a field `records` in the file's first object.
    pub(crate) const fn records_field(&self) -> RecordsField {
        match self.record_type {
            Some(RecordType::Unify | RecordType::Forget) => RecordsField::Links,
            Some(_) => RecordsField::Rows,
            None => RecordsField::Undecided,
        }
    }
}

/// Returns whether a folder is a valid source name. A name without a letter is part of a date.
fn is_source(folder: &str) -> bool {
    (1..=MAX_SOURCE_CHARS).contains(&folder.len())
        && folder
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        && folder.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// Returns the format that the extension of a lowercase name specifies. `.txt` and other extensions specify none.
fn format(name: &str) -> Option<Format> {
    let compressed = [".gz", ".gzip", ".zst", ".zstd", ".zz"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let (_, extension) = compressed.unwrap_or(name).rsplit_once('.')?;
    match extension {
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        "csv" | "tsv" | "tab" | "psv" => Some(Format::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_type_and_source() {
        let parse = |key: &str| {
            DropKey::parse(key)
                .map(|key| (key.folder, key.source))
                .map_err(|error| error.kind)
        };
        let ok = |folder: &str, source: &str| Ok((folder.to_owned(), source.to_owned()));
        assert_eq!(parse("drop/purchase/a b.ndjson"), ok("purchase", "default"));
        assert_eq!(
            parse("drop/purchase/pos/2026/10/a.JSONL"),
            ok("purchase", "pos")
        );
        assert_eq!(parse("drop/mixed/x/y.ndjson"), ok("mixed", "x"));
        assert_eq!(
            parse("drop/orders/a.ndjson"),
            Err(FileErrorKind::UnknownRecordType)
        );
        assert_eq!(
            parse("drop/a.ndjson"),
            Err(FileErrorKind::UnknownRecordType)
        );
        for name in [
            "2026/11/20/a.ndjson",
            "2026-11-20/a.ndjson",
            "2026/pos/a.ndjson",
            "_/a.ndjson",
            "POS/a.ndjson",
            "year=2026/a.ndjson",
            "caf\u{e9}/a.ndjson",
            "/a.ndjson",
        ] {
            assert_eq!(
                parse(&format!("drop/purchase/{name}")),
                ok("purchase", "default"),
                "{name}"
            );
        }
        let longest = "s".repeat(MAX_SOURCE_CHARS);
        for (folder, expected) in [
            ("p2026", "p2026"),
            ("2026-q4", "2026-q4"),
            (longest.as_str(), longest.as_str()),
            (&format!("{longest}s"), "default"),
        ] {
            let key = format!("drop/purchase/{folder}/a.ndjson");
            assert_eq!(parse(&key), ok("purchase", expected), "{folder}");
        }
        for reserved in RESERVED_SOURCES {
            assert_eq!(
                parse(&format!("drop/purchase/{reserved}/2026/a.ndjson")),
                Err(FileErrorKind::InvalidSource)
            );
            // A file name may be a reserved word.
            assert!(parse(&format!("drop/purchase/{reserved}.ndjson")).is_ok());
        }
    }

    #[test]
    fn ignores_hidden_files() {
        for key in [
            "drop/purchase/",
            "drop/purchase/2026_$folder$",
            "drop/purchase/_SUCCESS",
            "drop/purchase/pos/.DS_Store",
            "drop/purchase/pos/._orders.csv",
            "drop/purchase/pos/_temporary/0/part-0.json",
            "drop/purchase/_tmp/a.ndjson",
            "drop/.hidden/a.ndjson",
            "drop/_SUCCESS",
        ] {
            assert!(is_hidden(key), "{key}");
        }
        for key in [
            "drop/purchase/pos/a_b.csv",
            "drop/purchase/pos/_date=2026-01-01/a.csv",
            "drop/purchase/a.",
            "drop/purchase/a",
            "drop/purchase/po_s/a..csv",
        ] {
            assert!(!is_hidden(key), "{key}");
        }
    }

    #[test]
    fn names_end_in_a_format() {
        for (name, expected) in [
            ("a.ndjson", Format::Ndjson),
            ("a.b.JSONL.GZ", Format::Ndjson),
            ("a.json.zst", Format::Json),
            ("x/y/a.Csv", Format::Csv),
            ("a.tsv.gz", Format::Csv),
        ] {
            let key = DropKey::parse(&format!("drop/purchase/s/{name}")).unwrap();
            assert_eq!(key.format, Some(expected), "{name}");
        }
        for name in [
            "a",
            "a.gz",
            "csv",
            "a.txt",
            "a.xml",
            "a.csv.bz2",
            "a.ndjson.gz.zst",
            "a.csv/part-0",
        ] {
            let key = DropKey::parse(&format!("drop/purchase/{name}")).unwrap();
            assert_eq!(key.format, None, "{name}");
        }
    }

    #[test]
    fn unify_and_forget_hold_records_of_their_own() {
        for (folder, expected) in [
            ("unify", RecordsField::Links),
            ("forget", RecordsField::Links),
            ("purchase", RecordsField::Rows),
            ("mixed", RecordsField::Undecided),
        ] {
            let key = DropKey::parse(&format!("drop/{folder}/a.json")).unwrap();
            assert_eq!(key.records_field(), expected, "{folder}");
        }
    }
}
