//! Subject access: everything held about a profile, item by item, each with where it came from.

use std::collections::{BTreeMap, BTreeSet};

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde::Serialize;
use shared::{
    body,
    closure::{Closure, ExcludedLinks},
    cursor::{self, Listing},
    http::{self, Parameters},
    identity::IdentityId,
    item::Item,
    keys::SortKey,
    principal::Principal,
    problem::Problem,
    reader::{self, Members},
    time::Instant,
    value::{Map, Value},
    version::ImportId,
};

use crate::{App, audit};

/// After which item of which identity a page begins.
type Place = (IdentityId, SortKey);

/// One line of an export.
#[derive(Serialize)]
struct Held<'a> {
    identity: &'a IdentityId,
    /// What kind of item it is, and what tells it from others of its kind.
    key: String,
    /// The identifier as the file gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Map>,
    /// The source of a subscription event.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    data: Map,
    /// The file, and the place in it, that the item was read from; `null` for what agents wrote.
    provenance: Option<Provenance<'a>>,
}

#[derive(Serialize)]
struct Provenance<'a> {
    /// The import's id.
    import: String,
    /// The object's key; `null` once the import's plan has run out.
    file: Option<&'a str>,
    /// The object's version.
    version_id: Option<&'a str>,
    /// Where the record begins in the decompressed object, in bytes.
    offset: u64,
    /// When the object was last modified.
    last_modified: Option<Instant>,
}

/// The last line.
#[derive(Serialize)]
struct End {
    next: Option<String>,
    /// Links that were not followed, because their source links the identity to too many others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded_links: Vec<ExcludedLinks>,
    /// Whether identities were left out.
    partial: bool,
}

/// The maximum number of identities of an export: far more than a profile shows, so that what a customer is given is complete.
const MAX_IDENTITIES: usize = 1_000;
/// How many items are read at a time where many have run out or were erased.
const LONG_READ: usize = 1_000;
/// The most reads of a page: it ends early past that, and `next` goes on.
const MAX_READS: usize = 64;

/// A page of an export: NDJSON, one item a line, and on the last line the cursor of the next page.
///
/// # Errors
/// A parameter breaks its rule, there is no such profile, or the table did not answer.
pub(crate) async fn page(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let limit = parameters.limit()?;
    let place = parameters.get("cursor").map(place).transpose()?;
    let closure = Closure::with_limit(id.clone(), MAX_IDENTITIES);
    let members = reader::members_of(&app.table, closure).await?;
    // Markers alone are no profile.
    if !members.exist(&app.table).await? {
        return Err(http::profile_not_found());
    }
    let (items, mut end) = read(app, &members, place, limit).await?;
    let imports = imports(app, &items).await?;
    let mut lines: Vec<_> = items.iter().map(|item| line(item, &imports)).collect();
    if http::fit(&mut lines).is_some() {
        let last = lines.len().checked_sub(1).and_then(|last| items.get(last));
        end = last.map(|item| (item.identity.clone(), item.key.clone()));
    }
    let next = end.map(|(identity, key)| {
        let place = format!("{identity}.{}", key.to_text());
        cursor::encode(Listing::Export, "", &place)
    });
    let excluded_links = members.closure.excluded();
    let partial = members.partial;
    audit(principal, &members.closure.id(), "export");
    let end = End {
        next,
        excluded_links,
        partial,
    };
    let mut text = String::new();
    for line in &lines {
        text.push_str(&serde_json::to_string(line).map_err(Problem::internal)?);
        text.push('\n');
    }
    text.push_str(&serde_json::to_string(&end).map_err(Problem::internal)?);
    text.push('\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    Ok(response)
}

/// At most `limit` items of the members, after `place`, and the place after which there may be more.
async fn read(
    app: &App,
    members: &Members,
    place: Option<Place>,
    limit: usize,
) -> Result<(Vec<Item>, Option<Place>), Problem> {
    let mut items: Vec<Item> = Vec::new();
    let mut reads = 0;
    for identity in members.closure.members() {
        let mut after = match &place {
            Some((passed, _)) if identity < *passed => continue,
            Some((at, key)) if identity == *at => Some(key.clone()),
            _ => None,
        };
        // One more than the page, so that the last page is known to be the last.
        let mut wanted = limit + 1 - items.len();
        loop {
            let read = app
                .table
                .everything(&identity, after.as_ref(), wanted)
                .await?;
            items.extend(read.items.into_iter().filter(|item| !members.erase(item)));
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

/// The plans of the items' imports, as far as they are still kept.
async fn imports(app: &App, items: &[Item]) -> Result<BTreeMap<ImportId, Map>, Problem> {
    let ids: BTreeSet<_> = items
        .iter()
        .filter_map(|item| Some(item.version?.import()))
        .collect();
    Ok(app
        .table
        .plans(&ids.into_iter().collect::<Vec<_>>())
        .await?)
}

fn line<'a>(item: &'a Item, imports: &'a BTreeMap<ImportId, Map>) -> Held<'a> {
    let provenance = item.version.map(|version| {
        let plan = imports.get(&version.import());
        Provenance {
            import: version.import().to_string(),
            file: plan.and_then(|plan| plan.text("key")),
            version_id: plan.and_then(|plan| plan.text("version_id")),
            offset: version.offset(),
            last_modified: Instant::from_seconds(version.last_modified()),
        }
    });
    let mut data = item.data.clone();
    // A body is given as the text that it is, not as the bytes that it is kept as.
    if let (SortKey::Body(_), Some(whole)) = (&item.key, body::unpack(&item.data)) {
        data = Map::new();
        data.insert("body", Value::Text(whole));
    }
    Held {
        identity: &item.identity,
        key: item.key.to_text(),
        link: item.link.as_ref().map(|link| link.to_item()),
        source: item.source.as_deref(),
        data,
        provenance,
    }
}

fn place(text: &str) -> Result<Place, Problem> {
    let place = cursor::decode(Listing::Export, "", text).ok();
    let parsed = place.as_deref().and_then(|place| {
        let (identity, key) = place.split_once('.')?;
        Some((identity.parse().ok()?, SortKey::parse(key)?))
    });
    parsed.ok_or_else(http::invalid_cursor)
}
