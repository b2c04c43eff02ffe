//! Handles `GET /imports/{id}`.

use lambda_http::{Body, Response, http::StatusCode};
use shared::{
    http::{
        self, Call,
        problem::{Kind, Problem},
    },
    model::{
        import::{Entry, EntryId, EntryKey, EntryKind},
        time::Instant,
        value::Map,
    },
};

use crate::{
    bucket::Bucket,
    document::{self, StateContext},
    trial,
};

/// Returns the import with the id in the path.
pub(crate) async fn show(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    let document = match id(call)? {
        EntryId::Upload(_) => {
            let (key, entry) = upload(call).await?;
            of_upload(bucket, call, &key, &entry).await?
        }
        EntryId::Import(import) => {
            let items = call.app.table.import(import).await?;
            let document = document::of_items(&import.to_string(), &items);
            let mut document = document.ok_or_else(not_found)?;
            document::add_items(&mut document, &items, now(call));
            document
        }
    };
    http::json(StatusCode::OK, &document)
}

/// Builds the document of an upload.
pub(crate) async fn of_upload(
    bucket: &Bucket,
    call: &Call<'_>,
    key: &EntryKey,
    entry: &Entry,
) -> Result<Map, Problem> {
    let now = now(call);
    let mut document = document::of_entry(key, entry, now);
    if entry.kind == EntryKind::Try {
        trial::add(bucket, call.principal, entry, &mut document).await?;
    } else if let Some(import) = entry.import() {
        let items = call.app.table.import(import).await?;
        document::add_items(&mut document, &items, now);
    }
    Ok(document)
}

/// Returns the id in the path.
pub(crate) fn id(call: &Call<'_>) -> Result<EntryId, Problem> {
    let id = call.route.parameter("id").parse();
    id.map_err(|()| not_found())
}

/// Reads the upload with the id in the path.
pub(crate) async fn upload(call: &Call<'_>) -> Result<(EntryKey, Entry), Problem> {
    let EntryId::Upload(id) = id(call)? else {
        return Err(not_found());
    };
    let key = EntryKey::upload(id);
    let entry = call.app.table.entry(&key).await?;
    Ok((key, entry.ok_or_else(not_found)?))
}

/// Returns the current time and the retries.
pub(crate) fn now(call: &Call<'_>) -> StateContext {
    StateContext {
        at: Instant::now(),
        retries: call.app.config.max_retries,
    }
}

/// Returns the problem for an id that no import has.
pub(crate) fn not_found() -> Problem {
    let detail = "No import has this ID, or it has expired. GET /imports lists the imports.";
    Problem::new(Kind::IMPORT_NOT_FOUND, detail)
}
