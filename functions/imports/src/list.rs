//! Handles `GET /imports`: a page of the list, newest first.

use std::collections::HashMap;

use futures::future::try_join_all;
use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use shared::{
    http::{self, Call, problem::Problem},
    model::{
        import::{Entry, EntryKey, EntryKind, FIRST_MONTH},
        keys,
        time::Instant,
        value::Map,
        version::ImportId,
    },
    profile::cursor::{self, Listing},
};

use crate::{
    bucket::Bucket,
    document::{self, add_outcome, add_progress},
    show,
    status::Progress,
    trial,
};

/// The maximum number of months that one request reads.
const MAX_MONTHS: usize = 12;

/// A page of the list.
#[derive(Serialize)]
struct Page {
    items: Vec<Map>,
    next: Option<String>,
}

/// Returns a page of the list.
pub(crate) async fn list(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let parameters = call.parameters(&["limit", "cursor"])?;
    let limit = parameters.limit()?;
    let start = match parameters.get("cursor") {
        None => Position::month(keys::month(Instant::now())),
        Some(cursor) => {
            let position = cursor::decode(Listing::Imports, "", cursor);
            let position = position.ok().and_then(|text| Position::parse(&text));
            position.ok_or_else(Problem::invalid_cursor)?
        }
    };
    let (entries, next) = entries(call, start, limit).await?;
    let imports: Vec<_> = entries
        .iter()
        .filter_map(|(_, entry)| import(entry))
        .collect();
    let outcomes = if imports.is_empty() {
        HashMap::new()
    } else {
        call.app.table.outcomes(&imports).await?
    };
    let documents = entries
        .iter()
        .map(|(key, entry)| of_entry(bucket, call, key, entry, &outcomes));
    let mut items = try_join_all(documents).await?;
    let mut next = next.map(|position| position.to_text());
    if let Some(last) = http::fit(&mut items) {
        next = Some(entries[last].0.to_string());
    }
    let next = next.map(|position| cursor::encode(Listing::Imports, "", &position));
    http::json(StatusCode::OK, &Page { items, next })
}

/// Where a page begins: below a place in a month, or with the newest entry of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Position {
    month: String,
    before: Option<String>,
}

impl Position {
    fn month(month: String) -> Self {
        Self {
            month,
            before: None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(key) = EntryKey::parse(text) {
            return Some(Self {
                month: keys::month(key.at),
                before: Some(text.to_owned()),
            });
        }
        let first = Instant::parse(&format!("{text}-01T00:00:00Z"))?;
        (keys::month(first) == text).then(|| Self::month(text.to_owned()))
    }

    fn to_text(&self) -> String {
        self.before.clone().unwrap_or_else(|| self.month.clone())
    }

    /// Returns the newest entry of the previous month as a position; `None` before [`FIRST_MONTH`].
    fn earlier(&self) -> Option<Self> {
        let (year, month) = self.month.split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        let (year, month) = match month {
            1 => (year.checked_sub(1)?, 12),
            month => (year, month - 1),
        };
        let earlier = format!("{year:04}-{month:02}");
        (earlier.as_str() >= FIRST_MONTH).then(|| Self::month(earlier))
    }
}

/// Reads at most `limit` entries from a position on. Returns them, and where the next page begins.
async fn entries(
    call: &Call<'_>,
    start: Position,
    limit: usize,
) -> Result<(Vec<(EntryKey, Entry)>, Option<Position>), Problem> {
    let mut entries = Vec::new();
    let mut position = Some(start);
    for _ in 0..MAX_MONTHS {
        let Some(from) = position.clone() else {
            break;
        };
        let left = limit - entries.len();
        let before = from.before.as_deref();
        let page = call.app.table.entries(&from.month, before, left).await?;
        entries.extend(page.entries);
        position = match page.last {
            Some(last) => Some(Position {
                month: from.month,
                before: Some(last),
            }),
            None => from.earlier(),
        };
        if entries.len() >= limit {
            break;
        }
    }
    Ok((entries, position))
}

/// Returns the import of an entry, if it has begun.
fn import(entry: &Entry) -> Option<ImportId> {
    entry.import().filter(|_| entry.kind != EntryKind::Try)
}

/// Builds the document of an entry. An import that has not ended, and a tried file, take one more read.
async fn of_entry(
    bucket: &Bucket,
    call: &Call<'_>,
    key: &EntryKey,
    entry: &Entry,
    outcomes: &HashMap<ImportId, Map>,
) -> Result<Map, Problem> {
    let now = show::now(call);
    let mut document = document::of_entry(key, entry, now);
    if entry.kind == EntryKind::Try {
        trial::add(bucket, call.principal, entry, &mut document).await?;
        document.remove("trial");
        return Ok(document);
    }
    let Some(import) = import(entry) else {
        return Ok(document);
    };
    match outcomes.get(&import) {
        Some(outcome) => {
            add_outcome(&mut document, outcome);
            add_progress(&mut document, Progress::of_outcome(outcome));
        }
        None => {
            let items = call.app.table.import(import).await?;
            document::add_items(&mut document, &items, now);
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back() {
        let entry = "2026-11-28T12:00:00.000000Z#0a0febf994a72178";
        for text in [entry, "2026-11", "2027-01"] {
            assert_eq!(Position::parse(text).unwrap().to_text(), text);
        }
        for text in ["", "2026", "2026-13", "2026-1", "2026-11-01", "x#y"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
        let earlier = |month: &str| Position::month(month.to_owned()).earlier();
        assert_eq!(
            earlier("2027-01"),
            Some(Position::month("2026-12".to_owned()))
        );
        assert_eq!(
            earlier("2026-12"),
            Some(Position::month("2026-11".to_owned()))
        );
        assert_eq!(earlier(FIRST_MONTH), None);
    }

    #[test]
    fn tried_files_have_no_import() {
        let id = "0a0febf994a72178";
        for (kind, expected) in [
            ("import", id.parse().ok()),
            ("replay", id.parse().ok()),
            ("try", None),
        ] {
            let fields = serde_json::json!({"kind": kind, "key": "k", "file_name": "f", "type": "auto", "import": id});
            let entry: Entry = serde_json::from_value(fields).unwrap();
            assert_eq!(import(&entry), expected, "{kind}");
        }
    }
}
