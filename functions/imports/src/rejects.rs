//! Handles `GET /imports/{id}/rejects`: a page of rejected rows, from the objects in which ingest keeps them.

use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use serde_json::{Map as JsonMap, Value as Json};
use shared::{
    http::{
        self, Call,
        principal::Scope,
        problem::{Kind, Problem},
    },
    model::{import::EntryId, report_key::ReportKeys, value::Map, version::ImportId},
    profile::cursor::{self, Listing},
    table::ImportItems,
};

use crate::{bucket::Bucket, show};

/// The number of bytes that one request reads of a rejects object.
const READ_BYTES: u64 = 1 << 20;
/// The maximum number of bytes of one page, and of one row.
const MAX_PAGE_BYTES: usize = 5_000_000;
/// The maximum number of requests to S3 for one page.
const MAX_READS: usize = 16;

/// A page of rejected rows. Each can be corrected and dropped again.
#[derive(Serialize)]
struct Page {
    items: Vec<Json>,
    next: Option<String>,
}

/// Where a page begins: a byte of a rejects object. Objects are numbered within their byte range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    range: usize,
    object: usize,
    byte: u64,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let position = Self {
            range: numbers.next()?.parse().ok()?,
            object: numbers.next()?.parse().ok()?,
            byte: numbers.next()?.parse().ok()?,
        };
        (position.to_text() == text).then_some(position)
    }

    fn to_text(self) -> String {
        format!("{}.{}.{}", self.range, self.object, self.byte)
    }
}

/// Returns a page of the rejected rows of an import.
pub(crate) async fn page(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.principal.require(Scope::PiiRead)?;
    let parameters = call.parameters(&["limit", "cursor"])?;
    let limit = parameters.limit()?;
    let id = show::id(call)?;
    let filters = id.to_string();
    let start = match parameters.get("cursor") {
        None => Position::default(),
        Some(cursor) => {
            let position = cursor::decode(Listing::Rejects, &filters, cursor);
            let position = position.ok().and_then(|text| Position::parse(&text));
            position.ok_or_else(Problem::invalid_cursor)?
        }
    };
    let objects = match id {
        EntryId::Import(import) => {
            let items = call.app.table.import(import).await?;
            if items == ImportItems::default() {
                return Err(show::not_found());
            }
            objects(&items, import)
        }
        EntryId::Upload(_) => match show::upload(call).await?.1.import() {
            Some(import) => objects(&call.app.table.import(import).await?, import),
            None => Vec::new(),
        },
    };
    let (items, next) = read(bucket, &objects, start, limit).await?;
    let next = next.map(|next| cursor::encode(Listing::Rejects, &filters, &next.to_text()));
    http::json(StatusCode::OK, &Page { items, next })
}

/// Returns the keys of the rejects objects of an import, with their positions.
fn objects(items: &ImportItems, import: ImportId) -> Vec<(Position, String)> {
    let Some(plan) = &items.plan else {
        return Vec::new();
    };
    let keys = ReportKeys::of_plan(plan, import);
    let mut ranges: Vec<&(usize, Map)> = items.ranges.iter().collect();
    ranges.sort_by_key(|(range, _)| *range);
    let objects = ranges.into_iter().flat_map(|(range, progress)| {
        let names = progress.list("rejects").iter().enumerate();
        names.filter_map(|(object, name)| {
            let position = Position {
                range: *range,
                object,
                byte: 0,
            };
            Some((position, keys.rejects(name.as_text()?)))
        })
    });
    objects.collect()
}

/// Reads at most `limit` rows from a position on. Returns them, and where the next page begins.
async fn read(
    bucket: &Bucket,
    objects: &[(Position, String)],
    start: Position,
    limit: usize,
) -> Result<(Vec<Json>, Option<Position>), Problem> {
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut reads = 0;
    let first =
        |(at, _): &&(Position, String)| (at.range, at.object) >= (start.range, start.object);
    for (at, key) in objects.iter().filter(first) {
        let is_start = (at.range, at.object) == (start.range, start.object);
        let mut position = if is_start { start } else { *at };
        let mut pending = Vec::new();
        loop {
            if rows.len() == limit
                || bytes >= MAX_PAGE_BYTES
                || (reads >= MAX_READS && !rows.is_empty())
            {
                return Ok((rows, Some(position)));
            }
            let from = position.byte + pending.len() as u64;
            let chunk = bucket.read(key, Some(from..from + READ_BYTES)).await?;
            reads += 1;
            let chunk = chunk.ok_or_else(gone)?;
            let is_end = (chunk.len() as u64) < READ_BYTES;
            pending.extend_from_slice(&chunk);
            let mut taken = 0;
            while let Some(end) = pending[taken..].iter().position(|byte| *byte == b'\n') {
                if rows.len() == limit || bytes >= MAX_PAGE_BYTES {
                    break;
                }
                let row = row(&pending[taken..taken + end])?;
                bytes += http::bytes_of(&row);
                rows.push(row);
                taken += end + 1;
            }
            pending.drain(..taken);
            position.byte += taken as u64;
            if is_end && pending.is_empty() {
                break;
            }
            if is_end && taken == 0 {
                return Err(Problem::internal("a rejects object ends within a row"));
            }
        }
    }
    Ok((rows, None))
}

/// Converts a stored row: all of its errors are in `errors`. The other fields stay, so that the row can be dropped again.
fn row(line: &[u8]) -> Result<Json, Problem> {
    let mut row: JsonMap<String, Json> = serde_json::from_slice(line).map_err(Problem::internal)?;
    row.retain(|_, value| !value.is_null());
    if !row.contains_key("errors") {
        let names = ["code", "field", "message"];
        let error = names.iter().filter_map(|name| {
            let value = row.get(*name)?;
            Some(((*name).to_owned(), value.clone()))
        });
        let error: JsonMap<_, _> = error.collect();
        row.insert("errors".to_owned(), Json::Array(vec![error.into()]));
    }
    if http::bytes_of(&row) > MAX_PAGE_BYTES {
        row.remove("record");
        row.remove("record_base64");
    }
    Ok(row.into())
}

fn gone() -> Problem {
    let detail =
        "The rejected rows have expired. Drop the file again to import it and to list them.";
    Problem::new(Kind::IMPORT_NOT_FOUND, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::model::value::to_map;

    use super::*;

    #[test]
    fn positions_come_back() {
        for text in ["0.0.0", "31.2.8388608"] {
            assert_eq!(Position::parse(text).unwrap().to_text(), text);
        }
        for text in ["", "1", "1.2", "01.0.0", "1.2.3.4", "a.b.c", "-1.0.0"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }

    #[test]
    fn objects_are_those_of_the_ranges_in_order() {
        let import = ImportId([0xab; 8]);
        let progress = |names: &[&str]| to_map(&json!({"rejects": names})).unwrap();
        let keys = |plan: Json| {
            let items = ImportItems {
                plan: Some(to_map(&plan).unwrap()),
                ranges: vec![(2, progress(&["2-0"])), (0, progress(&["0-0", "0-9"]))],
                ..ImportItems::default()
            };
            let objects = objects(&items, import).into_iter();
            let objects = objects.map(|(at, key)| ((at.range, at.object, at.byte), key));
            objects.collect::<Vec<_>>()
        };
        let all = |folder: &str| {
            [((0, 0, 0), "0-0"), ((0, 1, 0), "0-9"), ((2, 0, 0), "2-0")]
                .map(|(at, name)| (at, format!("rejects/{folder}/{name}.ndjson")))
        };
        let file = json!({"key": "drop/auto/a.csv", "version_id": "v"});
        assert_eq!(keys(file), all("drop/auto/a.csv/v"));
        let file = json!({"key": "drop/auto/a.csv", "etag": "e", "sequencer": "s"});
        assert_eq!(keys(file), all("drop/auto/a.csv/e-s"));
        let operation = json!({"key": "drop/auto/a.csv", "version_id": "v", "operation": {}});
        assert_eq!(keys(operation), all("abababababababab"));
        assert_eq!(objects(&ImportItems::default(), import), []);
    }

    #[test]
    fn large_rows_lose_their_record() {
        let stored = |length: usize| {
            let record = "x".repeat(length);
            json!({"errors": [], "record": record, "record_base64": record})
        };
        let kept = |length| row(stored(length).to_string().as_bytes()).unwrap();
        // A response may be in base64.
        let largest = MAX_PAGE_BYTES / 4 * 3;
        let fitting = (largest - stored(0).to_string().len()) / 2;
        assert_eq!(kept(fitting), stored(fitting));
        assert_eq!(kept(fitting + 1), json!({"errors": []}));
    }

    #[test]
    fn rows_have_all_errors_and_can_be_dropped_again() {
        let stored = br#"{"line":null,"offset":7,"code":"wrong_type","field":"a","message":"m","record":{"a":1}}"#;
        let error = json!({"code": "wrong_type", "field": "a", "message": "m"});
        assert_eq!(
            row(stored).unwrap(),
            json!({"offset": 7, "code": "wrong_type", "field": "a", "message": "m", "errors": [error], "record": {"a": 1}})
        );
    }
}
