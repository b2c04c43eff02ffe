//! Handles multipart uploads: `POST /imports/{id}/parts` issues URLs, `POST /imports/{id}/complete` joins the parts.

use futures::future::try_join_all;
use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use shared::{
    http::{
        self, Call, Field,
        problem::{Kind, Problem},
    },
    model::{
        import::{Entry, EntryKey, Parts},
        time::Instant,
    },
};

use crate::{
    body::{self, Fields, MAX_PARTS},
    bucket::{Bucket, Completed, Multipart, Presigned},
    show, status,
};

/// The minimum size of a part, in bytes.
const MIN_PART_BYTES: u64 = 64 << 20;
/// Sizes of parts are multiples of this, in bytes.
const PART_STEP_BYTES: u64 = 1 << 20;

/// The URL of a part.
#[derive(Serialize)]
struct Part {
    number: u64,
    #[serde(flatten)]
    request: Presigned,
}

#[derive(Serialize)]
struct Page {
    items: Vec<Part>,
}

/// Returns the size of each part but the last of a file of `size` bytes.
pub(crate) fn size(size: u64) -> u64 {
    let least = size.div_ceil(MAX_PARTS).max(MIN_PART_BYTES);
    least.next_multiple_of(PART_STEP_BYTES)
}

/// Returns the number of parts in which a file of `size` bytes is uploaded.
pub(crate) fn count(size: u64, parts: &Parts) -> u64 {
    size.div_ceil(parts.size.max(1))
}

/// Returns the size of the part with this number. The last part contains the rest of the `size` bytes.
fn size_of_part(number: u64, size: u64, parts: &Parts) -> u64 {
    if number == count(size, parts) {
        size - (number - 1) * parts.size
    } else {
        parts.size
    }
}

/// Issues URLs of parts. May be repeated for parts whose URL has expired.
pub(crate) async fn issue(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    let fields: Fields = http::body(call.request)?;
    let numbers = body::numbers(&fields)?;
    let (key, entry) = show::upload(call).await?;
    let parts = open(call, &key, &entry)?;
    let size = entry.size.unwrap_or_default();
    body::check_numbers(&numbers, count(size, parts))?;
    let requests = numbers.into_iter().map(async |number| {
        let bytes = size_of_part(number, size, parts);
        let upload = multipart(&entry, parts);
        let request = bucket.presign_part(upload, number, bytes).await?;
        Ok::<_, Problem>(Part { number, request })
    });
    let items = try_join_all(requests).await?;
    http::json(StatusCode::OK, &Page { items })
}

/// Joins the parts to the object, which ingest imports. A repeated request returns the import.
pub(crate) async fn complete(bucket: &Bucket, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    let fields: Fields = http::body(call.request)?;
    let uploaded = body::parts(&fields)?;
    let (key, entry) = show::upload(call).await?;
    let parts = open(call, &key, &entry)?;
    let size = entry.size.unwrap_or_default();
    let named = body::all_parts(uploaded, count(size, parts))?;
    let upload = multipart(&entry, parts);
    match bucket.complete_multipart(upload, &named).await? {
        Completed::Done => {}
        Completed::Closed => call.audit(Field::Mode, "repeated"),
        Completed::InvalidParts => {
            let detail = "A part is missing, too small, or its `etag` does not match. Upload the part again, and send the `ETag` of that response.";
            return Err(Problem::invalid_body(Some("parts"), detail));
        }
    }
    let document = show::of_upload(bucket, call, &key, &entry).await?;
    http::json(StatusCode::OK, &document)
}

/// Checks that the principal may upload the file, and that its parts are accepted.
fn open<'a>(call: &Call<'_>, key: &EntryKey, entry: &'a Entry) -> Result<&'a Parts, Problem> {
    body::audit_type(call, &entry.folder);
    body::require_scopes(call.principal, &entry.folder)?;
    let closed = |detail: &str| Problem::new(Kind::UPLOAD_CLOSED, detail);
    let Some(parts) = &entry.parts else {
        let detail = "The file is uploaded whole, with the URL in the response to POST /imports.";
        return Err(closed(detail));
    };
    if entry.import.is_none() && status::has_expired(entry, key.at, Instant::now()) {
        let detail = "The upload has expired after 24 hours. Begin again with POST /imports.";
        return Err(closed(detail));
    }
    Ok(parts)
}

fn multipart<'a>(entry: &'a Entry, parts: &'a Parts) -> Multipart<'a> {
    Multipart {
        key: &entry.key,
        upload_id: &parts.upload_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_large() {
        for (bytes, part, parts) in [
            (100_000_001, 64 << 20, 2),
            (64 << 20, 64 << 20, 1),
            ((64 << 20) * 2_000, 64 << 20, 2_000),
            (5 << 40, 2_622 << 20, 2_000),
        ] {
            assert_eq!(size(bytes), part, "{bytes}");
            let of = Parts {
                upload_id: String::new(),
                size: part,
            };
            assert_eq!(count(bytes, &of), parts, "{bytes}");
        }
    }

    #[test]
    fn last_part_contains_the_rest() {
        let parts = Parts {
            upload_id: String::new(),
            size: 40,
        };
        let sizes = |size| [1, 2, 3].map(|number| size_of_part(number, size, &parts));
        assert_eq!(sizes(100), [40, 40, 20]);
        assert_eq!(sizes(120), [40, 40, 40]);
    }
}
