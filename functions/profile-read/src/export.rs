//! Data export (subject access, GDPR Art. 15). The export starts with a header of purposes, recipients and retention periods.
//! Then it contains every stored item of a profile, each with the file that it came from.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use lambda_http::{
    Body, Response,
    http::{HeaderValue, header},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shared::{
    http::{self, App, Call, Field, Parameters, problem::Problem},
    model::{
        body,
        closure::{Closure, ExcludedLinks},
        identity::IdentityId,
        item::Item,
        keys::SortKey,
        time::Instant,
        value::{Map, Value},
    },
    profile::{
        cursor::{self, Listing, PositionIn},
        links, note,
        provenance::{Files, Provenance},
    },
    table::reader::{self, Members},
};

/// The identity and key of an item. The export is sorted by them.
type ItemKey = (IdentityId, SortKey);

/// The key of an item as a cursor contains it. The key of an attributes item contains the name of its namespace, which may be
/// personal, and a cursor becomes part of URLs. A hash replaces such a key.
enum CursorKey {
    Key(SortKey),
    Attributes(String),
}

impl CursorKey {
    const ATTRIBUTES: &str = "attributes#";

    /// Returns the form of a key that reveals no name.
    fn of(key: &SortKey) -> Self {
        match key {
            SortKey::Attributes { .. } => {
                let digest = Sha256::digest(key.to_text());
                Self::Attributes(BASE64URL_NOPAD.encode(&digest[..10]))
            }
            key => Self::Key(key.clone()),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(Self::ATTRIBUTES) {
            Some(hash) => Some(Self::Attributes(hash.to_owned())),
            None => SortKey::parse(text).map(Self::Key),
        }
    }
}

impl fmt::Display for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(&key.to_text()),
            Self::Attributes(hash) => write!(f, "{}{hash}", Self::ATTRIBUTES),
        }
    }
}

/// The first line of an export.
#[derive(Serialize)]
struct Header<'a> {
    header: About<'a>,
}

/// The information that GDPR Art. 15(1) requires beside the data. The sources are in each item.
#[derive(Serialize)]
struct About<'a> {
    profile: IdentityId,
    as_of: Instant,
    /// The parameter `ExportPurposes` of the stack.
    purposes: &'a str,
    /// The parameter `ExportRecipients` of the stack.
    recipients: &'a str,
    retention: Retention,
}

/// The retention period of each kind of data, in days; `null` if the data is kept until it is erased.
#[derive(Serialize)]
struct Retention {
    events_days: Option<u64>,
    records_days: Option<u64>,
    attributes_days: Option<u64>,
    notes_days: Option<u64>,
    dropped_files_days: Option<u64>,
    rejected_rows_days: Option<u64>,
    logs_days: Option<u64>,
    audit_log_days: Option<u64>,
    other_days: Option<u64>,
}

/// One item of an export.
#[derive(Serialize)]
struct ExportedItem<'a> {
    identity: &'a IdentityId,
    /// The kind of the item, and the rest of its sort key.
    key: String,
    /// The identifier as the file contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Map>,
    /// The source of a subscription event.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    data: Map,
    /// The file and the position that the item was read from; `null` for items that support agents wrote.
    provenance: Option<Provenance<'a>>,
}

/// The last line of a page.
#[derive(Serialize)]
struct End {
    next: Option<String>,
    /// Links that were not followed, because a source links the identity to too many others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded_links: Vec<ExcludedLinks>,
    /// Whether identities are missing.
    partial: bool,
}

/// The maximum number of identities in an export. It is far higher than the limit of a profile, so that the customer receives
/// complete data.
const MAX_IDENTITIES: usize = 1_000;
/// The number of items per read, after a read that returned too few because items had expired or were erased.
const LONG_READ: usize = 1_000;
/// The maximum number of reads for a page. If more are needed, the page ends early and `next` continues.
const MAX_READS: usize = 64;

/// Returns a page of an export as NDJSON. The first page starts with a header. Each item is one line. The last line contains the
/// cursor of the next page.
///
/// # Errors
/// A parameter is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let app = call.app;
    let limit = parameters.limit()?;
    let position = parameters.get("cursor").map(position).transpose()?;
    let is_first = position.is_none();
    let closure = Closure::with_limit(id.clone(), MAX_IDENTITIES);
    let members = reader::members_of(&app.table, closure).await?;
    // A profile that has only markers does not exist.
    if !members.exist(&app.table).await? {
        return Err(Problem::profile_not_found());
    }
    let after = match position {
        Some(position) => {
            let (identity, key) = position.within(&members.closure)?;
            Some(resolve(app, identity, key).await?)
        }
        None => None,
    };
    let (items, mut end) = read(app, &members, after, limit).await?;
    let versions = items.iter().filter_map(|item| item.version);
    let files = app.table.files(versions).await?;
    let mut lines: Vec<_> = items.iter().map(|item| line(item, &files)).collect();
    if http::fit(&mut lines).is_some() {
        let last = lines.len().checked_sub(1).and_then(|last| items.get(last));
        end = last.map(|item| (item.identity.clone(), item.key.clone()));
    }
    let next = end.map(|(identity, key)| {
        let position = format!("{identity}.{}", CursorKey::of(&key));
        cursor::encode_in(id, Listing::Export, "", &position)
    });
    let excluded_links = members.closure.excluded();
    let partial = members.partial;
    call.audit(Field::Profiles, members.closure.id());
    let end = End {
        next,
        excluded_links,
        partial,
    };
    let mut text = String::new();
    if is_first {
        text.push_str(&serde_json::to_string(&header(app, &members)).map_err(Problem::internal)?);
        text.push('\n');
    }
    for line in &lines {
        text.push_str(&serde_json::to_string(line).map_err(Problem::internal)?);
        text.push('\n');
    }
    text.push_str(&serde_json::to_string(&end).map_err(Problem::internal)?);
    text.push('\n');
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    Ok(response)
}

/// Returns the header of the first page.
fn header<'a>(app: &'a App, members: &Members) -> Header<'a> {
    let config = &app.config;
    Header {
        header: About {
            profile: members.closure.id(),
            as_of: Instant::now(),
            purposes: &config.export_purposes,
            recipients: &config.export_recipients,
            retention: Retention {
                events_days: config.retention.events,
                records_days: config.retention.records,
                attributes_days: config.retention.attributes,
                notes_days: config.retention.notes,
                dropped_files_days: config.retention.raw_files,
                rejected_rows_days: config.retention.rejects,
                logs_days: config.retention.logs,
                audit_log_days: config.retention.audit_log,
                other_days: None,
            },
        },
    }
}

/// Returns the key of the item that a cursor identifies. If a cursor identifies attributes that no longer exist, returns the lowest
/// key of attributes. Some items may then be exported twice, but none is left out.
async fn resolve(app: &App, identity: IdentityId, position: CursorKey) -> Result<ItemKey, Problem> {
    let hash = match &position {
        CursorKey::Key(key) => return Ok((identity, key.clone())),
        CursorKey::Attributes(hash) => hash,
    };
    let first = SortKey::Attributes {
        source: String::new(),
        namespace: String::new(),
    };
    let mut after = first.clone();
    for _ in 0..MAX_READS {
        let read = app
            .table
            .everything(&identity, Some(&after), LONG_READ)
            .await?;
        let is_last = |item: &&Item| matches!(CursorKey::of(&item.key), CursorKey::Attributes(other) if other == *hash);
        if let Some(item) = read.items.iter().find(is_last) {
            return Ok((identity, item.key.clone()));
        }
        match read.next {
            Some(next) if matches!(next, SortKey::Attributes { .. }) => after = next,
            _ => break,
        }
    }
    Ok((identity, first))
}

/// Returns whether an item is data about the customer. Idempotency records and tombstones of moved events only serve the service.
fn is_exported(item: &Item) -> bool {
    !matches!(item.key, SortKey::Request(_)) && !item.is_tombstone()
}

/// Reads at most `limit` items of the members after the item `start`. Also returns the item after which there may be more.
async fn read(
    app: &App,
    members: &Members,
    start: Option<ItemKey>,
    limit: usize,
) -> Result<(Vec<Item>, Option<ItemKey>), Problem> {
    let mut items: Vec<Item> = Vec::new();
    let mut reads = 0;
    for identity in members.closure.members() {
        let mut after = match &start {
            Some((first, _)) if identity < *first => continue,
            Some((first, key)) if identity == *first => Some(key.clone()),
            _ => None,
        };
        // Reads one item more than the page, to detect the last page.
        let mut wanted = limit + 1 - items.len();
        loop {
            let read = app
                .table
                .everything(&identity, after.as_ref(), wanted)
                .await?;
            items.extend(
                read.items
                    .into_iter()
                    .filter(|item| is_exported(item) && !members.erase(item)),
            );
            if items.len() > limit {
                items.truncate(limit);
                let last = items
                    .last()
                    .map(|item| (item.identity.clone(), item.key.clone()));
                return Ok((items, last));
            }
            after = read.next;
            reads += 1;
            match &after {
                None => break,
                Some(key) if reads >= MAX_READS => {
                    return Ok((items, Some((identity, key.clone()))));
                }
                Some(_) => wanted = LONG_READ,
            }
        }
    }
    Ok((items, None))
}

/// Converts an item to its line. `files` contains the plans of the items' imports.
fn line<'a>(item: &'a Item, files: &'a Files) -> ExportedItem<'a> {
    let provenance = item.version.map(|version| files.provenance(version));
    let mut data = item.data.clone();
    // A body is stored as packed bytes, and exported as a string.
    if let (SortKey::Body(_), Some(whole)) = (&item.key, body::unpack(&item.data)) {
        data = Map::new();
        data.insert("body", Value::Text(whole));
    }
    if matches!(item.key, SortKey::Note(_)) {
        // The authors and editors of notes are personal data of support agents.
        for field in note::WRITER_FIELDS {
            data.remove(field);
        }
    }
    if matches!(item.key, SortKey::Link { .. }) {
        links::remove_agents(&mut data);
    }
    ExportedItem {
        identity: &item.identity,
        key: item.key.to_text(),
        link: item.link.as_ref().map(|link| link.to_item()),
        source: item.source.as_deref(),
        data,
        provenance,
    }
}

/// Parses a cursor.
fn position(text: &str) -> Result<PositionIn<(IdentityId, CursorKey)>, Problem> {
    let parse = |position: &str| {
        let (identity, key) = position.split_once('.')?;
        Some((identity.parse().ok()?, CursorKey::parse(key)?))
    };
    Ok(PositionIn::decode(Listing::Export, "", text, parse)?)
}
