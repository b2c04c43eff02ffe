//! Recognizes content that ingest cannot read by its first bytes: archives, documents and other binary formats.

use crate::source::{FileError, FileErrorKind};

/// The first bytes of archives and of compression formats that ingest cannot read, their names, and what to do.
const ARCHIVES: &[(&[u8], &str, Advice)] = &[
    (
        b"PK\x03\x04",
        "a ZIP archive or a workbook such as .xlsx",
        Advice::Workbook,
    ),
    (b"PK\x05\x06", "an empty ZIP archive", Advice::Unpack),
    (b"PK\x07\x08", "a ZIP archive", Advice::Unpack),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", Advice::Unpack),
    (b"Rar!\x1A\x07", "a RAR archive", Advice::Unpack),
    (b"!<arch>\n", "an ar archive", Advice::Unpack),
    (b"MSCF\0\0\0\0", "a CAB archive", Advice::Unpack),
    (b"\xFD7zXZ\0", "compressed with xz", Advice::Recompress),
    (
        b"\x04\x22\x4D\x18",
        "compressed with lz4",
        Advice::Recompress,
    ),
    (
        b"\xFF\x06\0\0sNaPpY",
        "compressed with Snappy",
        Advice::Recompress,
    ),
    (b"LZIP\x01", "compressed with lzip", Advice::Recompress),
    (b"\x1F\x9D", "compressed with compress", Advice::Recompress),
    (b"\x1F\x8B", "compressed twice", Advice::Recompress),
    (b"\x28\xB5\x2F\xFD", "compressed twice", Advice::Recompress),
];
/// The place of the magic of a tar archive, and the magic.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// The bytes after `BZh` and a digit in content that is compressed with bzip2: a block, or the end.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];
/// The first bytes of other binary formats, and their names.
const DOCUMENTS: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF document"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1\0", "an Arrow file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89PNG\r\n", "an image"),
    (b"\xFF\xD8\xFF", "an image"),
    (b"GIF87a", "an image"),
    (b"GIF89a", "an image"),
    (b"{\\rtf", "an RTF document"),
];
/// The first bytes of a Parquet and an ORC file. A control character follows, because both also begin words.
const COLUMNAR: &[(&[u8], &str)] = &[(b"PAR1", "a Parquet file"), (b"ORC", "an ORC file")];
/// The first bytes of an Excel workbook before .xlsx, and of other old Office documents.
const OLD_OFFICE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
/// The first characters of markup, in lowercase.
const MARKUP: &[(&str, &str)] = &[
    ("<?xml", "an XML file"),
    ("<!doctype", "an HTML page"),
    ("<html", "an HTML page"),
    ("<table", "an HTML page"),
];
/// The number of characters of the longest of them.
const MARKUP_CHARS: usize = 9;

/// What to do with an archive.
#[derive(Clone, Copy)]
enum Advice {
    Workbook,
    Unpack,
    Recompress,
}

impl Advice {
    const fn text(self) -> &'static str {
        match self {
            Self::Workbook => {
                "Save a workbook as CSV UTF-8. Unpack an archive, and drop the files in it."
            }
            Self::Unpack => "Unpack it, and drop the files in it.",
            Self::Recompress => "Decompress it. To compress it again, use gzip or zstd, once.",
        }
    }
}

/// Returns why content that begins with these bytes cannot be read, if they are those of a known binary format. Needs 512 bytes, if
/// there are as many.
pub(crate) fn unreadable(start: &[u8]) -> Option<FileError> {
    archive(start).or_else(|| document(start))
}

fn archive(start: &[u8]) -> Option<FileError> {
    let known = ARCHIVES.iter().find(|(magic, ..)| start.starts_with(magic));
    let (what, advice) = match known {
        Some((_, what, advice)) => (*what, *advice),
        None if start.iter().skip(TAR.0).take(TAR.1.len()).eq(TAR.1) => {
            ("a tar archive", Advice::Unpack)
        }
        None => return bzip2(start),
    };
    Some(archive_error(what, advice))
}

fn bzip2(start: &[u8]) -> Option<FileError> {
    let blocks = start.strip_prefix(b"BZh")?.get(1..)?;
    BZIP2_BLOCKS
        .iter()
        .any(|block| blocks.starts_with(block))
        .then(|| archive_error("compressed with bzip2", Advice::Recompress))
}

fn archive_error(what: &str, advice: Advice) -> FileError {
    let detail = format!("The file is {what}. {}", advice.text());
    FileError::new(FileErrorKind::Archive, detail)
}

fn document(start: &[u8]) -> Option<FileError> {
    if start.starts_with(OLD_OFFICE) {
        let detail = "The file is an old Office document such as .xls. Open it in a spreadsheet program, and save each sheet as CSV UTF-8.";
        return Some(FileError::new(FileErrorKind::UnsupportedFormat, detail));
    }
    let plain = DOCUMENTS.iter().find(|(magic, _)| start.starts_with(magic));
    let columnar = || {
        COLUMNAR.iter().find(|(magic, _)| {
            let next = start.strip_prefix(*magic).and_then(<[u8]>::first);
            next.is_some_and(u8::is_ascii_control)
        })
    };
    let (_, what) = plain.or_else(columnar)?;
    Some(unsupported(what))
}

/// Returns why text cannot be read, if it is XML or HTML. `text` begins with the first character that is not whitespace.
pub(crate) fn markup(text: &[u8]) -> Option<FileError> {
    let start = &text[..text.len().min(MARKUP_CHARS)];
    let start = String::from_utf8_lossy(start).to_lowercase();
    let (_, what) = MARKUP.iter().find(|(tag, _)| start.starts_with(tag))?;
    Some(unsupported(what))
}

/// Creates the error of content that is `what`.
pub(crate) fn unsupported(what: &str) -> FileError {
    let detail =
        format!("The file is {what}. Drop its records as NDJSON, JSON or CSV with a header.");
    FileError::new(FileErrorKind::UnsupportedFormat, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(start: &[u8]) -> Option<FileErrorKind> {
        unreadable(start).map(|error| error.kind)
    }

    #[test]
    fn recognizes_archives() {
        let mut tar = vec![0; 512];
        tar[..5].copy_from_slice(b"a.csv");
        tar[257..265].copy_from_slice(b"ustar  \0");
        for start in [
            b"PK\x03\x04\x14\0\x06\0".as_slice(),
            b"PK\x05\x06\0\0",
            b"7z\xBC\xAF\x27\x1C\0\x04",
            b"Rar!\x1A\x07\x01\0",
            b"BZh91AY&SY\x01",
            b"BZh9\x17\x72\x45\x38\x50\x90",
            b"\xFD7zXZ\0\0\x04",
            b"\x1F\x8B\x08\0",
            &tar,
        ] {
            assert_eq!(kind(start), Some(FileErrorKind::Archive), "{start:?}");
        }
        let workbook = unreadable(b"PK\x03\x04").unwrap().detail;
        assert!(workbook.contains("Save a workbook as CSV"), "{workbook}");
    }

    #[test]
    fn recognizes_documents() {
        for (start, what) in [
            (b"%PDF-1.7\n".as_slice(), "PDF"),
            (b"PAR1\x15\x04", "Parquet"),
            (b"Obj\x01\x04\x14avro", "Avro"),
            (b"ORC\x11\0", "ORC"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0", ".xls"),
            (b"{\\rtf1\\ansi", "RTF"),
        ] {
            let error = unreadable(start).unwrap();
            assert_eq!(error.kind, FileErrorKind::UnsupportedFormat);
            assert!(error.detail.contains(what), "{}", error.detail);
        }
        for text in [b"<?xml version".as_slice(), b"<HTML>", b"<!DOCTYPE html>"] {
            assert!(markup(text).is_some());
        }
    }

    #[test]
    fn leaves_text_alone() {
        for text in [
            "",
            "PK",
            "PK,name",
            "PAR1,PAR2",
            "ORCID,link.email",
            "BZh9,x",
            "Obj",
            "Rar!",
            "<x",
            "GIF",
            "{\"a\":1}",
        ] {
            assert_eq!(unreadable(text.as_bytes()), None, "{text}");
            assert_eq!(markup(text.as_bytes()), None, "{text}");
        }
    }
}
