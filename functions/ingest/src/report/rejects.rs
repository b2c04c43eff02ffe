//! Writes the rows that an import rejects to S3, beside its report. Each has its error, its position and the row in a form that
//! can be dropped again.

use aws_sdk_s3::{Client, primitives::ByteStream};
use data_encoding::BASE64;
use serde::Serialize;
use shared::model::{identifier::Notation, report_key::ReportKeys, value::Map};

use crate::{
    IngestError,
    rows::{
        CSV_NOTATION, Fields, FramingError, MAX_REJECT_BYTES, MAX_ROW_BYTES, Row, RowError,
        RowErrorCode, Warning, WarningCode,
    },
};

/// The approximate size of a rejects object, in bytes.
const REJECTS_BYTES: usize = 8 << 20;

/// The maximum number of rejected rows of a byte range that are written. Further ones are only counted.
///
/// A few kilobytes of compressed content can contain millions of wrong rows.
pub(crate) const MAX_REJECTS: u64 = 10_000;

/// The size of the rejects of a byte range, in bytes, from which further rejected rows are only counted. The last row that is
/// written may exceed it.
///
/// Rows are up to 1 MiB long, so [`MAX_REJECTS`] of them could take 10 GiB.
pub(crate) const MAX_RANGE_BYTES: u64 = 64 << 20;

/// A rejected row.
#[derive(Serialize)]
struct Reject<'a> {
    line: Option<u64>,
    offset: u64,
    code: RowErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
    /// All errors, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault<'a>>,
    #[serde(flatten)]
    record: Record<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notation: Option<&'static str>,
    /// The source of a record that a mapping made.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// An error of a rejected row.
#[derive(Serialize)]
struct Fault<'a> {
    code: RowErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: String,
}

impl<'a> Fault<'a> {
    fn new(error: &'a RowError) -> Self {
        Self {
            code: error.code,
            field: error.field.as_deref(),
            message: error.to_string(),
        }
    }
}

/// The row itself.
#[derive(Default, Serialize)]
struct Record<'a> {
    /// The fields, also of a CSV row. If the row could not be parsed, its text.
    #[serde(rename = "record", skip_serializing_if = "Option::is_none")]
    parsed: Option<Content<'a>>,
    /// The bytes of the row in base64, if they are not UTF-8.
    #[serde(rename = "record_base64", skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Fields(&'a Map),
    Text(&'a str),
}

impl<'a> Record<'a> {
    /// Returns the form of a row that loses nothing.
    ///
    /// Bytes that are not UTF-8 are given back as they are. The fields of such a CSV row are given back too, because its bytes
    /// mean nothing without the header; but not if bytes were replaced, or if an identifier had to be guessed. A JSON row that
    /// reading changed is given back as text, because its fields would be read without the warnings.
    fn new(row: &'a Row, fields: Option<&'a Fields>, errors: &[RowError]) -> Self {
        // An order or a group is given back whole.
        let limit = match row.framing_error {
            Some(
                FramingError::BrokenOrder
                | FramingError::OrderTooLarge
                | FramingError::GroupNotAdjacent,
            ) => MAX_ROW_BYTES,
            _ if row.rows > 1 || fields.is_some() => MAX_ROW_BYTES,
            _ => MAX_REJECT_BYTES,
        };
        let bytes = &row.bytes[..row.bytes.len().min(limit)];
        let fields_of = |fields: &'a Fields| Some(Content::Fields(&fields.map));
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            // The row was cut within a character.
            Err(error) if error.error_len().is_none() && bytes.len() == limit => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let is_csv = |fields: &&Fields| fields.notation == Notation::Csv;
        if let Some(text) = text {
            let fields = fields.filter(|fields| is_csv(fields) || fields.warnings.is_empty());
            return Self {
                parsed: fields.map_or(Some(Content::Text(text)), fields_of),
                bytes: None,
            };
        }
        let is_guessed = errors
            .iter()
            .any(|error| error.code == RowErrorCode::InvalidUtf8);
        let is_whole = |fields: &&Fields| {
            let replaced = |warning: &Warning| warning.code == WarningCode::ReplacedCharacters;
            is_csv(fields) && !is_guessed && !fields.warnings.iter().any(replaced)
        };
        Self {
            parsed: fields.filter(is_whole).and_then(fields_of),
            bytes: Some(BASE64.encode(bytes)),
        }
    }
}

/// What is given back of a rejected row, beside its position and its errors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given<'a> {
    /// The row, with its fields if it could be parsed.
    Row(Option<&'a Fields>),
    /// Nothing: the customer of the row is erased.
    Nothing,
}

/// The rows that an invocation rejects.
#[derive(Debug)]
pub(crate) struct Rejects<'a> {
    client: &'a Client,
    bucket: &'a str,
    keys: ReportKeys,
    /// The number of the byte range.
    range: usize,
    /// The source of the records, if mappings made them.
    source: Option<&'a str>,
    /// The rejected rows that were not put yet, as NDJSON.
    waiting: Vec<u8>,
    /// The lowest and the highest offset of the waiting rows.
    span: Option<(u64, u64)>,
    /// The names of the objects that were put.
    pub(crate) names: Vec<String>,
}

impl<'a> Rejects<'a> {
    /// Creates the rejects of a byte range, under these keys of a bucket. `source` is that of records that mappings made: `drop/auto/` cannot know it from the key.
    pub(crate) fn new(
        client: &'a Client,
        bucket: &'a str,
        keys: ReportKeys,
        range: usize,
        source: Option<&'a str>,
    ) -> Self {
        Self {
            client,
            bucket,
            keys,
            range,
            source,
            waiting: Vec::new(),
            span: None,
            names: Vec::new(),
        }
    }

    /// Adds a rejected row with its errors. Returns its size in the rejects, in bytes.
    pub(crate) async fn add(
        &mut self,
        row: &Row,
        line: Option<u64>,
        given: Given<'_>,
        errors: &[RowError],
    ) -> Result<u64, IngestError> {
        let Some(error) = errors.first() else {
            return Ok(0);
        };
        let all = errors.iter().map(Fault::new);
        let (record, fields) = match given {
            Given::Row(fields) => (Record::new(row, fields, errors), fields),
            Given::Nothing => (Record::default(), None),
        };
        let reject = Reject {
            line,
            offset: row.offset,
            code: error.code,
            field: error.field.as_deref(),
            message: error.to_string(),
            errors: if errors.len() > 1 {
                all.collect()
            } else {
                Vec::new()
            },
            record,
            notation: fields
                .is_some_and(|fields| fields.notation == Notation::Csv)
                .then_some(CSV_NOTATION),
            source: self.source,
        };
        let (first, last) = self.span.unwrap_or((row.offset, row.offset));
        self.span = Some((first.min(row.offset), last.max(row.offset)));
        let before = self.waiting.len();
        serde_json::to_writer(&mut self.waiting, &reject)
            .map_err(|error| IngestError::S3(error.into()))?;
        self.waiting.push(b'\n');
        let bytes = (self.waiting.len() - before) as u64;
        if self.waiting.len() >= REJECTS_BYTES {
            self.put().await?;
        }
        Ok(bytes)
    }

    /// Puts the waiting rows as one object.
    pub(crate) async fn put(&mut self) -> Result<(), IngestError> {
        let Some((first, last)) = self.span.take() else {
            return Ok(());
        };
        let name = format!("{}-{first}-{last}", self.range);
        let body = std::mem::take(&mut self.waiting);
        let request = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(self.keys.rejects(&name))
            .content_type("application/x-ndjson");
        let put = request.body(ByteStream::from(body)).send().await;
        put.map_err(|error| IngestError::S3(error.into()))?;
        self.names.push(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::rows::json;

    fn record(bytes: &[u8], fields: Option<&Fields>) -> serde_json::Value {
        record_of(bytes, fields, &[])
    }

    fn record_of(bytes: &[u8], fields: Option<&Fields>, errors: &[RowError]) -> serde_json::Value {
        let row = Row::new(0, 1, Bytes::copy_from_slice(bytes));
        serde_json::to_value(Record::new(&row, fields, errors)).unwrap()
    }

    fn fields(notation: Notation, warnings: Vec<Warning>) -> Fields {
        Fields {
            map: json::object(r#"{"a":"Zo\u00eb"}"#).unwrap(),
            notation,
            warnings,
        }
    }

    #[test]
    fn gives_back_what_was_given() {
        let json = fields(Notation::Json, Vec::new());
        for (bytes, fields, expected) in [
            ("x", None, serde_json::json!({"record": "x"})),
            (
                "{…}",
                Some(&json),
                serde_json::json!({"record": {"a": "Zoë"}}),
            ),
        ] {
            assert_eq!(record(bytes.as_bytes(), fields), expected);
        }
        // A long row is cut before a character.
        let long = "€".repeat(MAX_REJECT_BYTES);
        let kept = record(long.as_bytes(), None);
        assert_eq!(kept["record"], "€".repeat(MAX_REJECT_BYTES / 3));
    }

    #[test]
    fn gives_back_bytes_that_are_not_utf8() {
        let bytes = b"{\"a\":\"Zo\xEB\"}";
        let encoded = serde_json::json!(BASE64.encode(bytes));
        let only_bytes = serde_json::json!({"record_base64": encoded});
        assert_eq!(record(bytes, None), only_bytes);
        let read = Warning::at(WarningCode::Windows1252, &"a");
        let json = fields(Notation::Json, vec![read.clone()]);
        assert_eq!(record(bytes, Some(&json)), only_bytes);
        let csv = fields(Notation::Csv, vec![read]);
        let both = serde_json::json!({"record": {"a": "Zoë"}, "record_base64": encoded});
        assert_eq!(record(bytes, Some(&csv)), both);
        let replaced = Warning::at(WarningCode::ReplacedCharacters, &"a");
        let csv = fields(Notation::Csv, vec![replaced]);
        assert_eq!(record(bytes, Some(&csv)), only_bytes);
    }

    /// Dropped again, fields alone would be read without the warnings, and a guessed identifier would be accepted.
    #[test]
    fn gives_back_what_reading_changed() {
        for code in [
            WarningCode::NotANumber,
            WarningCode::ReplacedCharacters,
            WarningCode::Windows1252,
        ] {
            let warning = Warning::at(code, &"a");
            let json = fields(Notation::Json, vec![warning.clone()]);
            let text = r#"{"a":NaN}"#;
            assert_eq!(
                record(text.as_bytes(), Some(&json)),
                serde_json::json!({"record": text})
            );
            let csv = fields(Notation::Csv, vec![warning]);
            assert_eq!(
                record(b"x,y", Some(&csv)),
                serde_json::json!({"record": {"a": "Zo\u{eb}"}})
            );
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_REJECT_BYTES));
        let json = fields(
            Notation::Json,
            vec![Warning::at(WarningCode::NotANumber, &"a")],
        );
        assert_eq!(record(long.as_bytes(), Some(&json))["record"], long);
        let guessed = RowError::at(&"a", RowErrorCode::InvalidUtf8, "is not UTF-8.");
        let read = Warning::at(WarningCode::Windows1252, &"a");
        let csv = fields(Notation::Csv, vec![read]);
        assert_eq!(
            record_of(b"Zo\xEB", Some(&csv), &[guessed]),
            serde_json::json!({"record_base64": BASE64.encode(b"Zo\xEB")})
        );
    }

    #[test]
    fn lists_all_errors_of_a_row() {
        let error =
            |field: &str| RowError::at(&field, RowErrorCode::WrongType, "must be a string.");
        let faults =
            [error("a"), error("b")].map(|error| serde_json::to_value(Fault::new(&error)).unwrap());
        assert_eq!(
            faults[1],
            serde_json::json!({"code": "wrong_type", "field": "b", "message": "`b` must be a string."})
        );
    }
}
