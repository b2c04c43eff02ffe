//! The functions that the targets of `cargo fuzz` call, with assertions that every input must satisfy. Only fuzzing builds
//! contain this module.

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Config},
    primitives::ByteStream,
};
use shared::{
    model::{
        identifier::{IdentifierRules, Notation},
        identity::IdentityKey,
        keys::SortKey,
        retention::Retention,
        version::{ImportId, Version},
    },
    table::Write,
};

use crate::{
    import::drop_key::DropKey,
    import::manifest::Manifest,
    import::reading::records_field,
    record::Erasures,
    record::{self, Context, header},
    rows::{
        self, CSV_NOTATION, Encoding, Fields, Format, Layout, MappedInput, Row, Rows, Start, json,
    },
    source::FileError,
    source::inflate::{Extent, Inflated, ReadError},
    source::notification,
    source::notification::{ObjectVersion, Origin},
    source::object::Body,
};

mod mapping;
mod unify;

pub use mapping::{built_in, mapping};
pub use unify::unify;

/// When the file was last modified, in seconds since 1970. It is late enough for times of today.
const LAST_MODIFIED: i64 = 1_800_000_000;
/// DynamoDB's limits for a partition key and a sort key, in bytes.
const MAX_KEYS: (usize, usize) = (2048, 1024);

/// Splits a file under `key` into rows, as a whole and `piece` bytes at a time. Both must have the same result. Then maps the
/// rows. Returns how many rows were mapped.
pub fn file(key: &str, text: &[u8], piece: usize) -> usize {
    let Ok(drop) = DropKey::parse(key) else {
        return 0;
    };
    let detected = Layout::detect(drop.format, text, Extent::Whole);
    let part = &text[..text.len().min(piece * 16)];
    match Layout::detect(drop.format, part, Extent::Beginning) {
        Ok(None) => {}
        of_part => assert_eq!(of_part, detected, "detection depends on the size of chunks"),
    }
    let Ok(Some(layout)) = detected else {
        return 0;
    };
    let columns = layout.columns(text, Extent::Whole).unwrap_or_default();
    let _ = header::check(&columns, drop.record_type());
    let new = || Rows::new(layout, records_field(drop.record_type()));
    let (rows, found, broken) = cut(new(), text, text.len());
    let (_, in_pieces, broken_in_pieces) = cut(new(), text, piece);
    assert_eq!((&found, &broken), (&in_pieces, &broken_in_pieces));
    let identity_key = IdentityKey::new("key").expect("a key");
    let context = context(&identity_key, &drop);
    check_places(&found, layout.encoding, text);
    let mapped = found.iter().filter(|row| maps(&context, &rows, row));
    mapped.count()
}

/// Returns what the rows of an import have in common.
fn context<'a>(key: &'a IdentityKey, drop: &'a DropKey) -> Context<'a> {
    Context {
        key,
        identifiers: IdentifierRules::default(),
        source: drop.source.as_deref().unwrap_or("default"),
        record_type: drop.record_type(),
        last_modified: LAST_MODIFIED,
        erasures: Erasures::default(),
        retention: Retention {
            events: Some(30),
            ..Retention::default()
        },
        denied: &[],
    }
}

/// Checks that rows do not overlap, and contain the bytes at their offset.
fn check_places(found: &[Row], encoding: Encoding, text: &[u8]) {
    let mut end = 0;
    for row in found {
        let start = usize::try_from(row.offset).expect("an offset");
        assert!(start >= end, "rows overlap");
        let own = rows::in_file(&row.bytes, encoding);
        end = start + own.len();
        // The file may end within a unit of UTF-16.
        let is_whole = encoding == Encoding::Utf8 || end <= text.len();
        if row.framing_error.is_none() && is_whole {
            assert_eq!(
                own,
                text[start..end],
                "a row contains the bytes at its offset"
            );
        }
    }
}

/// Splits a CSV file as a mapping reads it. `choice` determines the number of lines before the header, from 0 to 3, and of columns that
/// form groups, from 0 to 3. Returns how many records were decoded.
pub fn mapped_csv(choice: u8, text: &[u8], piece: usize) -> usize {
    let Ok(Some(layout)) = Layout::detect(Some(Format::Csv), text, Extent::Whole) else {
        return 0;
    };
    let layout = Layout {
        format: Format::Csv,
        ..layout
    };
    let skip_lines = u64::from(choice % 4);
    let columns = layout.columns_after(skip_lines, text, Extent::Whole);
    let part = &text[..text.len().min(piece * 16)];
    let of_part = layout.columns_after(skip_lines, part, Extent::Beginning);
    assert!(
        of_part.is_none() || of_part == columns,
        "the header depends on the size of chunks"
    );
    let names = columns.unwrap_or_default().into_iter();
    let names = names.filter(|name| !name.is_empty());
    let input = MappedInput {
        group: names.take(usize::from(choice / 4 % 4)).collect(),
        skip_lines,
        rows: None,
    };
    let (rows, found) = mapped(layout, &input, text, piece);
    let mut decoded = 0;
    for row in &found {
        if let Ok(records) = rows.records(row) {
            assert_eq!(records.cells.len() as u64, row.rows);
            decoded += records.cells.len();
        }
    }
    decoded
}

/// Splits a JSON file as a mapping reads it. `choice` determines the path of the rows, if any. Returns how many rows were parsed.
pub fn mapped_json(choice: u8, text: &[u8], piece: usize) -> usize {
    const PATHS: [Option<&str>; 4] = [None, Some("records"), Some("a.records"), Some("data.items")];
    let Ok(Some(layout)) = Layout::detect(None, text, Extent::Whole) else {
        return 0;
    };
    let layout = Layout {
        encoding: layout.encoding,
        ..Layout::new(if choice / 4 % 2 == 0 {
            Format::Json
        } else {
            Format::Ndjson
        })
    };
    let input = MappedInput {
        group: Vec::new(),
        skip_lines: u64::from(choice / 8 % 4),
        rows: PATHS[usize::from(choice % 4)].map(str::to_owned),
    };
    let (rows, found) = mapped(layout, &input, text, piece);
    let parsed = found.iter().filter(|row| rows.fields(row).is_ok());
    parsed.count()
}

/// Returns the rows of a file that a mapping reads. They must be the same, as a whole and `piece` bytes at a time.
fn mapped(layout: Layout, input: &MappedInput, text: &[u8], piece: usize) -> (Rows, Vec<Row>) {
    let (rows, found, broken) = cut(Rows::mapped(layout, input), text, text.len());
    let (in_pieces, found_in_pieces, broken_in_pieces) =
        cut(Rows::mapped(layout, input), text, piece);
    assert_eq!(
        (&found, broken, rows.header()),
        (&found_in_pieces, broken_in_pieces, in_pieces.header())
    );
    check_places(&found, layout.encoding, text);
    (rows, found)
}

/// Splits a text as UTF-8 and as UTF-16. Both must have the same rows. Then continues reading it as UTF-8 after one of its rows.
pub fn text(key: &str, text: &str, piece: usize, after: usize) {
    let Ok(drop) = DropKey::parse(key) else {
        return;
    };
    let Some(format) = drop.format else {
        return;
    };
    let rows_of = |encoding, bytes: &[u8]| {
        let layout = Layout {
            encoding,
            ..Layout::new(format)
        };
        let rows = Rows::new(layout, records_field(drop.record_type()));
        cut(rows, bytes, piece).1
    };
    let rows = rows_of(Encoding::Utf8, text.as_bytes());
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        let bytes = rows::in_file(text.as_bytes(), encoding);
        let converted = rows_of(encoding, &bytes);
        let places = converted.into_iter().zip(&rows).map(|(row, expected)| {
            let before = &text.as_bytes()[..expected.offset as usize];
            assert_eq!(row.offset, rows::in_file(before, encoding).len() as u64);
            Row {
                offset: expected.offset,
                ..row
            }
        });
        assert_eq!(places.collect::<Vec<_>>(), rows);
    }
    if format == Format::Ndjson {
        continues(text.as_bytes(), &rows, after);
    }
}

/// Continues reading lines at the position after one of their rows. The result must be the rows after it.
fn continues(text: &[u8], rows: &[Row], after: usize) {
    let Some(number) = after.checked_rem(rows.len()) else {
        return;
    };
    let mut reader = Rows::lines(Start::Cut(0), None, None);
    reader.push(text);
    for _ in 0..=number {
        let _ = reader.next().or_else(|| reader.finish());
    }
    let position = reader.position();
    let rest = Rows::lines(Start::Value(position), Some(reader.line()), None);
    let from = usize::try_from(position.saturating_sub(1)).expect("a position");
    let (_, found, _) = cut(rest, &text[from..], text.len());
    assert_eq!(found, rows[number + 1..]);
}

/// Returns whether a row contains a valid record. The row's reject, dropped again, must contain the same record.
fn maps(context: &Context<'_>, rows: &Rows, row: &Row) -> bool {
    let Ok(fields) = rows.fields(row) else {
        return false;
    };
    let Ok(fields) = record::unwrap_reject(fields) else {
        return false;
    };
    // The reject has one more level of nesting than its record, so it may nest too deep.
    if let Ok(again) = json::object(&reject_of(&fields)).and_then(record::unwrap_reject) {
        // A reject contains what was read, not how it was changed.
        assert_eq!(
            (again.map, again.notation),
            (fields.map.clone(), fields.notation)
        );
    }
    is_accepted(context, row, fields)
}

/// Returns the fields of a record as a reject contains them. Numbers stay as written, which a JSON value does not ensure.
fn reject_of(fields: &Fields) -> String {
    let notation = match fields.notation {
        Notation::Json => String::new(),
        Notation::Csv => format!(r#""notation":"{}","#, CSV_NOTATION),
    };
    let record = serde_json::to_string(&fields.map).expect("JSON");
    format!(r#"{{"offset":0,"code":"c","message":"m",{notation}"record":{record}}}"#)
}

/// Returns whether the fields of a row are a valid record. Its items must have keys that the table accepts and that can be parsed.
fn is_accepted(context: &Context<'_>, row: &Row, fields: Fields) -> bool {
    let version = Version::new(LAST_MODIFIED, "01", ImportId([1; 8]), row.offset);
    let mapped = record::map_record(context, version, fields);
    let mapped = match mapped {
        Ok(mapped) => mapped,
        Err(rejection) => {
            assert!(!rejection.errors.is_empty());
            return false;
        }
    };
    let links: Vec<_> = mapped
        .links
        .iter()
        .flatten()
        .filter_map(Write::item)
        .collect();
    for write in mapped.writes.iter().chain(&mapped.body).chain(&links) {
        let (partition, sort) = write.key();
        assert!(
            partition.len() <= MAX_KEYS.0 && sort.len() <= MAX_KEYS.1,
            "{partition} {sort}"
        );
        let parsed = SortKey::parse(sort);
        assert!(
            parsed.is_some() || partition.starts_with("product#"),
            "{sort}"
        );
        if let Some(key) = parsed {
            assert_eq!(key.to_text(), sort);
        }
    }
    true
}

/// Splits lines in ranges that begin at these places. The result must be the lines of the whole.
pub fn ranges(text: &[u8], starts: &[usize]) {
    let lines = |start: usize, end: Option<usize>| {
        let rows = Rows::lines(Start::Cut(start as u64), None, end.map(|end| end as u64));
        let (_, rows, _) = cut(rows, &text[start.saturating_sub(1)..], text.len());
        rows.into_iter().map(|row| (row.offset, row.bytes))
    };
    let mut starts: Vec<_> = starts
        .iter()
        .map(|start| start % (text.len() + 1))
        .collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).map(|end| Some(*end)).chain([None]);
    let parts = starts.iter().zip(ends);
    let of_parts: Vec<_> = parts.flat_map(|(start, end)| lines(*start, end)).collect();
    assert_eq!(of_parts, lines(0, None).collect::<Vec<_>>());
}

/// Returns the rows of a file and its error, if it is broken. Also returns the reader, which can parse the rows' fields.
fn cut(mut rows: Rows, text: &[u8], piece: usize) -> (Rows, Vec<Row>, Option<FileError>) {
    let mut found = Vec::new();
    let mut position = rows.position();
    let mut add = |row: Row, rows: &Rows| {
        assert!(
            row.offset >= position,
            "a continuation would read the row twice"
        );
        position = rows.position();
        assert!(
            position >= row.offset,
            "a continuation would read the row again"
        );
        found.push(row);
    };
    for chunk in text.chunks(piece.max(1)) {
        if rows.is_over() {
            break;
        }
        rows.push(chunk);
        while let Some(row) = rows.next() {
            add(row, &rows);
        }
    }
    while let Some(row) = rows.finish() {
        add(row, &rows);
    }
    let broken = rows.error().cloned();
    (rows, found, broken)
}

/// Returns the decompressed content of an object with these bytes.
///
/// # Errors
/// The content cannot be read. The error is the type of the problem.
pub fn inflated(bytes: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let config = Config::builder().behavior_version(BehaviorVersion::latest());
    let client = Client::from_conf(config.build());
    let object = ObjectVersion {
        bucket: String::new(),
        key: String::new(),
        version_id: None,
        etag: String::new(),
        sequencer: String::new(),
        dropped_at: None,
        is_empty: false,
        origin: Origin::default(),
    };
    let read = async {
        let (length, stream) = (bytes.len() as u64, ByteStream::from(bytes));
        let mut inflated = Inflated::new(Body::of(&client, &object, length, stream)).await?;
        let mut all = Vec::new();
        while let Some(chunk) = inflated.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok::<_, ReadError>(all)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .expect("a runtime")
        .block_on(read)
        .map_err(|error| match error {
            ReadError::File(broken) => broken.kind.as_str(),
            ReadError::Ingest(error) => panic!("{error}"),
        })
}

/// Returns the keys of the objects that an event names; `None` if it is not a notification.
pub fn notified(event: serde_json::Value) -> Option<Vec<String>> {
    let objects = notification::objects(event).ok()?;
    let keys = objects.into_iter().map(|object| {
        // An invocation parses the keys first.
        let _ = DropKey::parse(&object.key);
        if let Some(manifest) = Manifest::parse(&object.key) {
            assert_eq!(manifest.key(), object.key);
        }
        let import = ImportId::new(&object.bucket, &object.key, &object.id());
        let version = Version::new(LAST_MODIFIED, &object.sequencer, import, 7);
        assert_eq!(Version::from_bytes(version.as_bytes()), Some(version));
        assert_eq!((version.import(), version.offset()), (import, 7));
        object.key
    });
    Some(keys.collect())
}
