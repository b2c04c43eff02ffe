//! Parses what a mapping specifies about the file as a whole: its source, its form, how cells are read, how it is recognized.

use serde::de::IgnoredAny;
use shared::model::{
    file_time,
    identifier::CallingCode,
    value::{Map, Value},
};

use super::{
    document::{InputOptions, Mapping, Recognize, RecognizeBy},
    fault::Faults,
    read::{self, DecimalMark, Read, TimeNotation},
};
use crate::{
    record::path::Path,
    rows::{Encoding, Format, json},
    text::grouped,
};

const ROOT: Path<'static> = Path::Record;
const KEYS: [&str; 8] = [
    "mapping",
    "source",
    "recognize",
    "input",
    "read",
    "group",
    "skip",
    "records",
];
/// Sources that are not available to files.
const RESERVED_SOURCES: [&str; 2] = ["agents", "system"];
const MAX_SOURCE_BYTES: usize = 64;
/// The maximum number of lines before the header.
const MAX_SKIPPED_LINES: u64 = 1_000;

/// Parses the text of a mapping as a JSON object.
pub(super) fn root(text: &[u8], max_bytes: usize, faults: &mut Faults) -> Option<Map> {
    if text.len() > max_bytes {
        let limit = grouped(max_bytes);
        faults.error(
            &ROOT,
            format!("has more than {limit} bytes, the limit. Shorten it."),
        );
        return None;
    }
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(text) {
        faults.error(&ROOT, format!("is not valid JSON: {error}."));
        return None;
    }
    let root = std::str::from_utf8(text)
        .map_err(|error| error.to_string())
        .and_then(|text| json::object(text).map_err(|error| error.problem));
    root.map_err(|problem| faults.error(&ROOT, problem)).ok()
}

/// Parses everything but the group, the condition of skipped rows and the records.
pub(super) fn mapping(root: &Map, faults: &mut Faults) -> Mapping {
    faults.check_keys(root, &KEYS, &ROOT);
    if root.get("mapping") != Some(&Value::Number("1".to_owned())) {
        faults.error(&field("mapping"), "must be 1, the version of the format.");
    }
    let read = match root.get("read") {
        Some(value) => self::read(value, Read::default(), &field("read"), faults),
        None => Read::default(),
    };
    let mapping = Mapping {
        source: root.get("source").and_then(|value| source(value, faults)),
        recognize: root
            .get("recognize")
            .and_then(|value| recognize(value, faults)),
        input: root
            .get("input")
            .map_or_else(InputOptions::default, |value| input(value, faults)),
        read,
        ..Mapping::default()
    };
    if mapping.recognize.is_some() && mapping.recognizable().is_none() {
        let problem = "has no effect beside `skip_lines` in `input`: `drop/auto/` compares the first line of a file. \
                       Remove it, and drop the files into the folder of the mapping.";
        faults.warning(&field("recognize"), problem);
    }
    mapping
}

const fn field(name: &str) -> Path<'_> {
    Path::Field(&ROOT, name)
}

fn source(value: &Value, faults: &mut Faults) -> Option<String> {
    let name = value.as_text().filter(|name| {
        let is_known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        (1..=MAX_SOURCE_BYTES).contains(&name.len())
            && name.bytes().all(is_known)
            && name.bytes().any(|byte| byte.is_ascii_lowercase())
    });
    match name {
        Some(name) if RESERVED_SOURCES.contains(&name) => {
            faults.error(&field("source"), "is reserved. Use another name.");
            None
        }
        Some(name) => Some(name.to_owned()),
        None => {
            let problem = format!(
                "must be 1 to {MAX_SOURCE_BYTES} lowercase letters, digits, `_` and `-`, with at least one letter."
            );
            faults.error(&field("source"), problem);
            None
        }
    }
}

pub(super) fn recognize(value: &Value, faults: &mut Faults) -> Option<Recognize> {
    let path = field("recognize");
    let map = object(value, &path, faults)?;
    faults.check_keys(map, &["columns", "fields", "exact"], &path);
    let exact = matches!(map.get("exact"), Some(Value::Bool(true)));
    let by = match (map.get("columns"), map.get("fields")) {
        (Some(columns), None) => {
            RecognizeBy::Columns(texts(columns, &Path::Field(&path, "columns"), faults))
        }
        (None, Some(fields)) => {
            RecognizeBy::Fields(texts(fields, &Path::Field(&path, "fields"), faults))
        }
        _ => {
            faults.error(&path, "must contain either `columns` or `fields`.");
            return None;
        }
    };
    if map.get("exact").is_some() && (!exact || matches!(by, RecognizeBy::Fields(_))) {
        faults.error(
            &Path::Field(&path, "exact"),
            "must be true, beside `columns`.",
        );
    }
    Some(Recognize { by, exact })
}

fn input(value: &Value, faults: &mut Faults) -> InputOptions {
    let path = field("input");
    let mut options = InputOptions::default();
    let Some(map) = object(value, &path, faults) else {
        return options;
    };
    faults.check_keys(
        map,
        &["format", "delimiter", "encoding", "skip_lines", "rows"],
        &path,
    );
    for (key, value) in map.iter() {
        let text = value.as_text().unwrap_or_default();
        let parsed = match key {
            "format" => format(text).map(|format| options.format = Some(format)),
            "delimiter" => delimiter(text).map(|delimiter| options.delimiter = Some(delimiter)),
            "encoding" => encoding(text).map(|encoding| options.encoding = Some(encoding)),
            "skip_lines" => skip_lines(value).map(|lines| options.skip_lines = lines),
            "rows" => rows(text).map(|path| options.rows = Some(path)),
            _ => Ok(()),
        };
        if let Err(expected) = parsed {
            faults.error(&Path::Field(&path, key), format!("must be {expected}."));
        }
    }
    check_rows(&options, &path, faults);
    options
}

/// Parses a format. The error says what is expected, as do those of the other options.
fn format(text: &str) -> Result<Format, &'static str> {
    let mut known = [Format::Csv, Format::Ndjson, Format::Json].into_iter();
    let format = known.find(|format| format.as_str() == text);
    format.ok_or("csv, ndjson or json")
}

fn delimiter(text: &str) -> Result<char, &'static str> {
    let mut known = [',', ';', '\t', '|'].into_iter();
    let delimiter = known.find(|delimiter| delimiter.to_string() == text);
    delimiter.ok_or("a comma, a semicolon, a tab (\"\\t\") or a vertical bar")
}

fn encoding(text: &str) -> Result<Encoding, &'static str> {
    let mut known = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be].into_iter();
    let encoding = known.find(|encoding| encoding.as_str() == text);
    encoding.ok_or("utf-8, utf-16le or utf-16be. Windows-1252 is detected")
}

fn skip_lines(value: &Value) -> Result<u64, &'static str> {
    let lines = match value {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    };
    lines
        .filter(|lines| *lines <= MAX_SKIPPED_LINES)
        .ok_or("the number of lines before the header, from 0 to 1,000")
}

fn rows(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("the path of a list, such as data.items");
    }
    Ok(text.to_owned())
}

/// Reports a path of rows in a format that has none.
fn check_rows(options: &InputOptions, path: &Path<'_>, faults: &mut Faults) {
    if options.rows.is_some() && options.format.is_some_and(|format| format != Format::Json) {
        faults.error(&Path::Field(path, "rows"), "needs the format json.");
    }
}

/// Parses how cells are read. What the object does not specify stays as in `read`.
pub(super) fn read(value: &Value, mut read: Read, path: &Path<'_>, faults: &mut Faults) -> Read {
    let Some(map) = object(value, path, faults) else {
        return read;
    };
    faults.check_keys(
        map,
        &["time", "date", "zone", "decimal", "calling_code", "absent"],
        path,
    );
    for (key, value) in map.iter() {
        let path = Path::Field(path, key);
        match key {
            "time" => {
                let notations = patterns(value, &path, faults).into_iter();
                read.time = notations
                    .map(|text| match text.as_str() {
                        "unix" => TimeNotation::Unix,
                        _ => TimeNotation::Pattern(text),
                    })
                    .collect();
            }
            "date" => read.date = patterns(value, &path, faults),
            "absent" => read.absent = texts(value, &path, faults),
            "zone" => {
                read.zone = value.as_text().and_then(read::zone);
                if read.zone.is_none() {
                    let problem = "must be a name of the IANA time zone database, such as Europe/Paris. Abbreviations such as \
                                   PST have several meanings.";
                    faults.error(&path, problem);
                }
            }
            "decimal" => match value.as_text() {
                Some(",") => read.decimal = DecimalMark::Comma,
                Some(".") => read.decimal = DecimalMark::Point,
                _ => faults.error(&path, "must be \",\" or \".\"."),
            },
            "calling_code" => {
                read.calling_code = value
                    .as_text()
                    .and_then(|text| text.parse::<CallingCode>().ok());
                if read.calling_code.is_none() {
                    faults.error(&path, "must be a text such as \"61\", or \"1/10\" with the length of national numbers.");
                }
            }
            _ => {}
        }
    }
    read
}

/// Parses one or more patterns of times.
fn patterns(value: &Value, path: &Path<'_>, faults: &mut Faults) -> Vec<String> {
    let mut patterns = match value {
        Value::Text(text) => vec![text.clone()],
        value => texts(value, path, faults),
    };
    for pattern in &mut patterns {
        *pattern = file_time::with_spaces(pattern).into_owned();
    }
    for (index, pattern) in patterns.iter().enumerate() {
        if pattern == "unix" || read::is_pattern(pattern) {
            continue;
        }
        let problem = if pattern.contains("%Z") {
            "contains %Z. Abbreviations of zones have several meanings. Leave it out and specify `zone`, or use %z for offsets."
        } else {
            "is not a pattern with a whole date, such as \"%d/%m/%Y %H:%M\"."
        };
        faults.error(&Path::Index(path, index), problem);
    }
    patterns
}

fn object<'a>(value: &'a Value, path: &Path<'_>, faults: &mut Faults) -> Option<&'a Map> {
    if value.as_map().is_none() {
        faults.error(path, "must be an object.");
    }
    value.as_map()
}

/// Parses a list of one or more texts.
fn texts(value: &Value, path: &Path<'_>, faults: &mut Faults) -> Vec<String> {
    let texts: Vec<_> = value
        .as_list()
        .iter()
        .filter_map(Value::as_text)
        .map(str::to_owned)
        .collect();
    if texts.is_empty()
        || texts.len() != value.as_list().len()
        || texts.iter().any(String::is_empty)
    {
        faults.error(
            path,
            "must be a list of one or more texts that are not empty.",
        );
    }
    texts
}
