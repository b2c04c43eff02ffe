//! Checks the key of a dropped object, and derives from it how the file is read. The folder is a record type, the name of a mapping,
//! `auto` or `mixed`. The extension specifies the format.

use shared::model::{
    drop_path::DropPath,
    folder::{FOLDER_MARKER, is_reserved_source, is_source},
};
use uuid::Uuid;

use crate::{
    mapping,
    record::{RecordType, similar::similar},
    rows::Format,
    source::{FileError, FileErrorKind, notification::ObjectVersion},
    team_mapping::name::check_name,
};

/// The source of a file that is not in a source's folder, unless its mapping specifies one.
pub(crate) const DEFAULT_SOURCE: &str = "default";

/// The parsed key of a dropped object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DropKey {
    /// The folder's name.
    pub(crate) name: String,
    /// What the folder says about the rows.
    pub(crate) folder: Folder,
    /// The source in whose folder the file is.
    pub(crate) source: Option<String>,
    /// The upload through the API that put the file.
    pub(crate) upload: Option<Uuid>,
    /// The format that the extension specifies; `None` if the content decides. Compression is always detected from the content.
    pub(crate) format: Option<Format>,
}

/// The folder of a dropped object, which decides how its rows become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// The rows are records of one type.
    RecordType(RecordType),
    /// `mixed`: each row specifies its record type.
    Mixed,
    /// `auto`: the content decides.
    Auto,
    /// The mapping of this name makes the records.
    Mapping,
}

/// Creates the error of a file in a folder that is neither a record type nor a mapping. `own` are the names of the team's mappings.
pub(crate) fn unknown_folder(name: &str, own: &[String]) -> FileError {
    let built_in = mapping::BUILT_IN.iter().map(|(name, _)| *name);
    let known = RecordType::names().chain(built_in);
    let like = similar(name, own.iter().map(String::as_str)).or_else(|| similar(name, known));
    let like = like.map(|like| format!(" Did you mean `{like}`?"));
    let detail = format!(
        "The folder of the file is not the name of a record type or of a mapping.{} Drop the file as drop/{{record_type}}/[{{source}}/]{{name}}, \
         drop/{{mapping}}/[{{source}}/]{{name}} or drop/auto/[{{source}}/]{{name}}.",
        like.unwrap_or_default()
    );
    FileError::new(FileErrorKind::UnknownRecordType, detail)
}

fn reserved_source() -> FileError {
    FileError::new(
        FileErrorKind::InvalidSource,
        "The sources `agents` and `system` are reserved. Drop the file into the folder of another source.",
    )
}

/// Returns whether an object is not meant to be imported: a folder marker, which has no content, or a file whose name, or the name of
/// one of its folders, begins with `_` or `.`. Spark, Hive and operating systems name their own files so, such as `_SUCCESS`,
/// `_temporary/` and `.DS_Store`. As in Spark, a folder such as `_date=2026` is a partition.
pub(crate) fn is_ignored(object: &ObjectVersion) -> bool {
    let key = object.key.as_str();
    let is_marker = object.is_empty && (key.ends_with('/') || key.ends_with(FOLDER_MARKER));
    is_marker || DropPath::parse(key).is_hidden()
}

impl DropKey {
    /// Parses the key of a dropped object, or of one under `try/`. Whether there is a mapping of the folder's name is not known here.
    pub(crate) fn parse(key: &str) -> Result<Self, FileError> {
        let path = DropPath::parse(key);
        let folder = match path.folder {
            "mixed" => Folder::Mixed,
            "auto" => Folder::Auto,
            name => match name.parse() {
                Ok(record_type) => Folder::RecordType(record_type),
                Err(()) if check_name(name).is_ok() => Folder::Mapping,
                Err(()) => return Err(unknown_folder(name, &[])),
            },
        };
        if path.source.is_some_and(is_reserved_source) {
            return Err(reserved_source());
        }
        Ok(Self {
            name: path.folder.to_owned(),
            folder,
            source: path.source.map(str::to_owned),
            upload: path.upload,
            format: format(&key.to_ascii_lowercase()),
        })
    }

    /// Returns the record type that the folder specifies.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn record_type(&self) -> Option<RecordType> {
        match self.folder {
            Folder::RecordType(record_type) => Some(record_type),
            Folder::Mixed | Folder::Auto | Folder::Mapping => None,
        }
    }
}

/// Returns whether files may have this source.
pub(crate) fn is_allowed_source(name: &str) -> bool {
    is_source(name) && !is_reserved_source(name)
}

/// Returns the format that the extension of a lowercase key specifies. `.txt` and other extensions specify none.
fn format(key: &str) -> Option<Format> {
    let compressed = [".gz", ".gzip", ".zst", ".zstd", ".zz"]
        .iter()
        .find_map(|end| key.strip_suffix(end));
    let (_, extension) = compressed.unwrap_or(key).rsplit_once('.')?;
    match extension {
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        "csv" | "tsv" | "tab" | "psv" => Some(Format::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use shared::model::keys::EventType;

    use super::*;

    #[test]
    fn folders_name_type_and_source() {
        let parse = |key: &str| {
            DropKey::parse(key)
                .map(|key| (key.name, key.source))
                .map_err(|error| error.kind)
        };
        let ok = |folder: &str, source: &str| Ok((folder.to_owned(), Some(source.to_owned())));
        let no_source = |folder: &str| Ok((folder.to_owned(), None));
        assert_eq!(parse("drop/purchase/a b.ndjson"), no_source("purchase"));
        assert_eq!(
            parse("drop/purchase/pos/2026/10/a.JSONL"),
            ok("purchase", "pos")
        );
        assert_eq!(parse("drop/mixed/x/y.ndjson"), ok("mixed", "x"));
        for unknown in ["Orders/a.ndjson", "customer_records/a", "a.ndjson", "/a"] {
            let key = format!("drop/{unknown}");
            assert_eq!(parse(&key), Err(FileErrorKind::UnknownRecordType), "{key}");
        }
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
                no_source("purchase"),
                "{name}"
            );
        }
        let longest = "s".repeat(64);
        for (folder, expected) in [
            ("p2026", ok("purchase", "p2026")),
            ("2026-q4", ok("purchase", "2026-q4")),
            (longest.as_str(), ok("purchase", &longest)),
            (&format!("{longest}s"), no_source("purchase")),
        ] {
            let key = format!("drop/purchase/{folder}/a.ndjson");
            assert_eq!(parse(&key), expected, "{folder}");
        }
        for reserved in ["agents", "system"] {
            assert_eq!(
                parse(&format!("drop/purchase/{reserved}/2026/a.ndjson")),
                Err(FileErrorKind::InvalidSource)
            );
            // A file name may be a reserved word.
            assert!(parse(&format!("drop/purchase/{reserved}.ndjson")).is_ok());
        }
    }

    #[test]
    fn uploads_are_no_sources() {
        let id = "0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d";
        for (key, source, is_upload) in [
            (format!("drop/purchase/{id}/a.csv"), None, true),
            (format!("drop/purchase/pos/{id}/a.csv"), Some("pos"), true),
            (format!("try/auto/pos/{id}/a.csv"), Some("pos"), true),
            (format!("drop/purchase/{id}"), None, false),
            (format!("drop/purchase/2026/{id}/a.csv"), None, false),
        ] {
            let parsed = DropKey::parse(&key).unwrap();
            assert_eq!(parsed.source.as_deref(), source, "{key}");
            let upload = parsed.upload.map(|id| id.to_string());
            assert_eq!(upload.as_deref(), is_upload.then_some(id), "{key}");
        }
    }

    fn object(key: &str, is_empty: bool) -> ObjectVersion {
        ObjectVersion {
            bucket: "b".into(),
            key: key.into(),
            version_id: None,
            etag: "e".into(),
            sequencer: "01".into(),
            dropped_at: None,
            is_empty,
            origin: crate::source::notification::Origin::default(),
        }
    }

    #[test]
    fn ignores_hidden_files() {
        for key in [
            "drop/purchase/_SUCCESS",
            "drop/purchase/pos/.DS_Store",
            "drop/purchase/pos/._orders.csv",
            "drop/purchase/pos/_temporary/0/part-0.json",
            "drop/purchase/_tmp/a.ndjson",
            "drop/.hidden/a.ndjson",
            "drop/_SUCCESS",
        ] {
            assert!(is_ignored(&object(key, false)), "{key}");
        }
        for key in [
            "drop/purchase/pos/a_b.csv",
            "drop/purchase/pos/_date=2026-01-01/a.csv",
            "drop/purchase/a.",
            "drop/purchase/a",
            "drop/purchase/po_s/a..csv",
        ] {
            assert!(!is_ignored(&object(key, true)), "{key}");
        }
    }

    #[test]
    fn ignores_folder_markers_without_content() {
        for key in ["drop/purchase/", "drop/purchase/2026_$folder$"] {
            assert!(is_ignored(&object(key, true)), "{key}");
            assert!(!is_ignored(&object(key, false)), "{key}");
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
    fn folders_decide_how_rows_are_read() {
        for (name, folder) in [
            (
                "purchase",
                Folder::RecordType(RecordType::Event(EventType::Purchase)),
            ),
            ("unify", Folder::RecordType(RecordType::Unify)),
            ("mixed", Folder::Mixed),
            ("auto", Folder::Auto),
            ("shopify-orders", Folder::Mapping),
            ("till7", Folder::Mapping),
        ] {
            let key = DropKey::parse(&format!("drop/{name}/a.csv")).unwrap();
            assert_eq!((key.folder, key.name.as_str()), (folder, name));
        }
    }

    #[test]
    fn suggests_folder() {
        for (name, like) in [
            ("customer_records", Some("customer_record")),
            ("Purchase", Some("purchase")),
            ("shopify-order", Some("shopify-orders")),
            ("nothing-like-it", None),
        ] {
            let detail = unknown_folder(name, &[]).detail;
            let hint = like.map(|like| format!("Did you mean `{like}`?"));
            assert_eq!(detail.contains("Did you mean"), like.is_some(), "{detail}");
            assert!(detail.contains(&hint.unwrap_or_default()), "{detail}");
        }
    }
}
