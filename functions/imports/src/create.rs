//! Handles `POST /imports`: creates an upload, and presigns it.

use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::json;
use shared::{
    http::{
        self, Call, Field,
        problem::{Kind, Problem},
    },
    model::{
        erasure::IDEMPOTENCY_SECONDS,
        import::{Entry, EntryKey, EntryKind, Parts, expiry_after, state_expiry},
        keys,
        time::Instant,
        value::Map,
    },
    table::Existing,
};
use uuid::Uuid;

use crate::{
    body::{self, Create, Fields},
    bucket::Bucket,
    parts, show,
};

/// Larger files are uploaded in parts. In bytes.
const MAX_WHOLE_BYTES: u64 = 100_000_000;
/// How long a tried file and its report are kept, in days.
const TRY_DAYS: u64 = 1;

/// Creates an upload, or returns that of a repeated request with a new URL.
pub(crate) async fn create(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    let idempotency_key = http::idempotency_key(call.request, "upload")?;
    let fields: Fields = http::body(call.request)?;
    let body = Create::new(&fields)?;
    body::audit_type(call, &body.folder);
    if body.is_try {
        call.audit(Field::Mode, "try");
    }
    body::require_scopes(call.principal, &body.folder)?;
    let id = claim(call, idempotency_key, &fields).await?;
    call.audit(Field::Import, id);
    let key = EntryKey::upload(id);
    let table = &call.app.table;
    let mut entry = entry(call, &body, body.key(id));
    if body.size > MAX_WHOLE_BYTES {
        // A repeated request finds the multipart upload of the first one.
        let stored = table.entry(&key).await?;
        entry.parts = match stored.and_then(|stored| stored.parts) {
            Some(parts) => Some(parts),
            None => Some(Parts {
                upload_id: bucket.create_multipart(&entry.key).await?,
                size: parts::size(body.size),
            }),
        };
    }
    let expires_at = if body.is_try {
        Some(expiry_after(TRY_DAYS))
    } else {
        state_expiry(call.app.config.retention.raw_files)
    };
    let is_new = table
        .put_entry(&key, &entry, Existing::Keep, expires_at)
        .await?;
    if !is_new {
        call.audit(Field::Mode, "repeated");
        if let Some(stored) = table.entry(&key).await? {
            entry = stored;
        }
    }
    let mut document = show::of_upload(bucket, call, &key, &entry).await?;
    document.insert("upload", upload(bucket, &entry).await?);
    let mut response = http::json(StatusCode::CREATED, &document)?;
    if let Ok(location) = HeaderValue::from_str(&format!("/imports/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Stores the idempotency record of the request. Returns the id of the upload that the first request with this key created.
async fn claim(call: &Call<'_>, key: &str, fields: &Fields) -> Result<Uuid, Problem> {
    let now = Instant::now().seconds();
    let request = body::hash(fields);
    let id = Uuid::now_v7();
    let mut data = Map::new();
    data.insert("request", request.as_str());
    data.insert("upload", id.to_string());
    let hash = keys::request_hash(&call.principal.subject, key);
    let expires_at = now + IDEMPOTENCY_SECONDS;
    let table = &call.app.table;
    let stored = table.claim_upload(&hash, &data, now, expires_at).await?;
    if stored.text("request") != Some(request.as_str()) {
        let detail = "The idempotency key was already used for another upload. Send a new key for each upload.";
        return Err(Problem::new(Kind::IDEMPOTENCY_KEY_REUSED, detail).field("idempotency-key"));
    }
    let id = stored.text("upload").and_then(|id| id.parse().ok());
    id.ok_or_else(|| Problem::internal("the idempotency record names no upload"))
}

fn entry(call: &Call<'_>, body: &Create, key: String) -> Entry {
    Entry {
        kind: if body.is_try {
            EntryKind::Try
        } else {
            EntryKind::Import
        },
        key,
        file_name: body.file_name.clone(),
        folder: body.folder.clone(),
        source: body.source.clone(),
        size: Some(body.size),
        import: None,
        of: None,
        preview: false,
        created_by: Some(call.principal.subject.clone()),
        denied: body::denied(call.principal),
        parts: None,
    }
}

/// Returns how the client uploads the file: a presigned request, or the number of parts to ask for.
async fn upload(bucket: &Bucket, entry: &Entry) -> Result<shared::model::value::Value, Problem> {
    let size = entry.size.unwrap_or_default();
    let upload = match &entry.parts {
        Some(parts) => {
            json!({"part_size": parts.size, "part_count": parts::count(size, parts)})
        }
        None => {
            let presigned = bucket.presign_put(&entry.key, size).await?;
            serde_json::to_value(presigned).map_err(Problem::internal)?
        }
    };
    Ok(upload.into())
}
