#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use shared::{
    http::{
        self, App, Call, Field,
        principal::{Principal, Scope},
        problem::{Kind, Problem},
    },
    model::{
        change::Change,
        erasure::{IDEMPOTENCY_SECONDS, Markers},
        find::Find,
        identity::IdentityId,
        item::Item,
        keys::{self, SortKey},
        retention::days_after,
        time::Instant,
        value::Map,
    },
    profile::{
        Note, View,
        note::{self, NoteText},
    },
    runtime::metrics::{self, Unit},
    table::{Applied, Transaction, reader},
};
use uuid::Uuid;

mod change;

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    http::handle(app, &request, Scope::NotesWrite, routes).await
}

async fn routes(call: Call<'_>) -> Result<Response<Body>, Problem> {
    call.parameters(&[])?;
    let note = call.route.parameter("noteId");
    match call.route.key() {
        "POST /profiles/{id}/notes" => create(&call, &call.profile_id()?).await,
        "PATCH /profiles/{id}/notes/{noteId}" => {
            change::edit(&call, &call.profile_id()?, note).await
        }
        "DELETE /profiles/{id}/notes/{noteId}" => {
            change::delete(&call, &call.profile_id()?, note).await
        }
        _ => Err(Problem::route_not_found()),
    }
}

/// Handles `POST`: stores a note, or returns the note of a repeated request.
///
/// # Errors
/// The header or the body is invalid, the profile does not exist, or the idempotency key belongs to another request.
async fn create(call: &Call<'_>, identity: &IdentityId) -> Result<Response<Body>, Problem> {
    let (app, principal) = (call.app, call.principal);
    let key = http::idempotency_key(call.request, "note")?;
    let fields = Fields::new(&http::body(call.request)?)?;
    let text = fields.text.ok_or_else(text_is_missing)?;
    let pinned = fields.pinned.unwrap_or(false);
    let markers = reader::live_markers(&app.table, identity)
        .await?
        .ok_or_else(Problem::profile_not_found)?;
    let now = Instant::now();
    let uuid = Uuid::now_v7();
    let request_hash = data_hash(identity, &text, pinned);
    let mut record = Map::new();
    record.insert("note", uuid.to_string());
    record.insert("request", request_hash.as_str());
    let item = |key, data, expires_at| Item {
        identity: identity.clone(),
        key,
        version: None,
        link: None,
        source: None,
        data,
        expires_at,
        find: Find::default(),
    };
    let note = item(
        SortKey::Note(uuid),
        note::data(&text, principal.writer(), pinned),
        // A change keeps it: the retention counts from the creation.
        app.config
            .retention
            .notes
            .and_then(|days| Some(days_after(now, days)?.seconds())),
    );
    let idempotency_record = item(
        keys::request(&principal.subject, key),
        record,
        Some(now.seconds() + IDEMPOTENCY_SECONDS),
    );
    let transaction = Transaction {
        changes: &[Change::put(None, note.clone())],
        request: &idempotency_record,
        erasures: &[(identity.clone(), markers.erased())],
        reinstated: &[],
        now: now.seconds(),
    };
    match app.table.apply(transaction).await? {
        Applied::Written => {
            call.audit(Field::Note, format_args!("{identity}.{uuid}"));
            count_masked_cards(Some(&text));
            created(app, principal, &note)
        }
        Applied::Erased => Err(Problem::profile_not_found()),
        Applied::Seen(seen) if seen.text("request") == Some(request_hash.as_str()) => {
            replay(call, identity, &markers, &seen).await
        }
        Applied::Seen(_) => {
            let detail = "The idempotency key was already used for another note. Send a new key for each note.";
            Err(Problem::new(Kind::IDEMPOTENCY_KEY_REUSED, detail).field("idempotency-key"))
        }
        Applied::Changed => Err(Problem::internal("a note with this new ID is stored")),
    }
}

/// Returns the note of a repeated request. It is the current note, which may have been changed after the first request.
async fn replay(
    call: &Call<'_>,
    identity: &IdentityId,
    markers: &Markers,
    seen: &Map,
) -> Result<Response<Body>, Problem> {
    let first = seen.text("note").and_then(|uuid| uuid.parse().ok());
    let first =
        first.ok_or_else(|| Problem::internal("the stored idempotency record names no note"))?;
    let table = &call.app.table;
    let found = table
        .items(std::slice::from_ref(identity), &SortKey::Note(first))
        .await?;
    let note = found.iter().find(|note| !markers.erase(note));
    let note = note.ok_or_else(note_deleted)?;
    call.audit(Field::Note, format_args!("{identity}.{first}"));
    call.audit(Field::Mode, "repeated");
    created(call.app, call.principal, note)
}

/// Counts the card numbers that were masked in a stored note.
fn count_masked_cards(text: Option<&NoteText>) {
    let masked = text.map_or(0, NoteText::masked_cards);
    if masked > 0 {
        metrics::emit(&[("CardNumbersMasked", Unit::Count, masked as f64)], &[]);
    }
}

fn note_deleted() -> Problem {
    let detail = "The note that this idempotency key created was deleted. Send a new key to add another note.";
    Problem::new(Kind::NOTE_DELETED, detail).field("idempotency-key")
}

/// Returns the response to the author of a new note.
fn created(app: &App, principal: &Principal, item: &Item) -> Result<Response<Body>, Problem> {
    debug_assert_eq!(item.data.text("author"), Some(principal.subject.as_str()));
    // The author can always see the text.
    note_response(app, StatusCode::CREATED, item, TextAccess::Visible)
}

/// Whether the principal can see the text of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextAccess {
    /// The response contains the text.
    Visible,
    /// The response contains the marker that the text is hidden.
    Redacted,
}

/// Returns a response with the note and its entity tag.
fn note_response(
    app: &App,
    status: StatusCode,
    item: &Item,
    text: TextAccess,
) -> Result<Response<Body>, Problem> {
    let view = View {
        now: Instant::now(),
        currency: &app.config.currency,
        zone: &app.zone,
        personal: text == TextAccess::Visible,
        open_namespaces: &[],
    };
    let note = Note::new(item, &view).ok_or_else(|| Problem::internal("the note has no time"))?;
    let etag = HeaderValue::from_str(&note.etag).map_err(Problem::internal)?;
    let mut response = http::json(status, &note)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// The fields of a request body.
struct Fields {
    text: Option<NoteText>,
    pinned: Option<bool>,
}

impl Fields {
    /// Parses and checks the fields. No other fields are allowed.
    fn new(body: &serde_json::Map<String, Json>) -> Result<Self, Problem> {
        let mut fields = Self {
            text: None,
            pinned: None,
        };
        for (name, value) in body {
            match name.as_str() {
                "text" => {
                    let text = value.as_str().ok_or_else(text_is_missing)?;
                    let text = NoteText::new(text)
                        .map_err(|error| Problem::invalid_body(Some("text"), error.to_string()))?;
                    fields.text = Some(text);
                }
                "pinned" => {
                    let pinned = value.as_bool().ok_or_else(|| {
                        Problem::invalid_body(Some("pinned"), "`pinned` must be true or false.")
                    })?;
                    fields.pinned = Some(pinned);
                }
                unknown => {
                    return Err(Problem::invalid_body(
                        Some(unknown),
                        "The field is unknown. A note has the fields `text` and `pinned`.",
                    ));
                }
            }
        }
        Ok(fields)
    }
}

fn text_is_missing() -> Problem {
    Problem::invalid_body(
        Some("text"),
        "`text` must be a string. Send 1 to 10,000 characters.",
    )
}

/// Returns a hash that distinguishes requests with the same idempotency key.
fn data_hash(identity: &IdentityId, text: &NoteText, pinned: bool) -> String {
    let mut digest = Sha256::new();
    // All ids have the same length, so no separator is needed.
    digest.update(identity.as_str());
    digest.update([u8::from(pinned)]);
    digest.update(text.as_str());
    data_encoding::BASE64.encode(&digest.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Result<Fields, Problem> {
        let body: serde_json::Map<String, Json> = serde_json::from_str(json).expect("JSON");
        Fields::new(&body)
    }

    #[test]
    fn a_body_has_text_and_pinned() {
        let read = fields(r#"{"text":"Call","pinned":true}"#).expect("both are fields");
        assert_eq!(
            (read.text.expect("a text").as_str(), read.pinned),
            ("Call", Some(true))
        );
        for json in [
            r#"{"text":1}"#,
            r#"{"text":" "}"#,
            r#"{"text":null}"#,
            r#"{"pinned":"yes"}"#,
            r#"{"text":"a","author":"b"}"#,
        ] {
            let problem = fields(json).err().expect(json);
            assert_eq!(problem.kind(), Kind::INVALID_BODY);
        }
    }

    #[test]
    fn hashes_distinguish_requests() {
        let hash = |identity: char, text: &str, pinned| {
            let identity = identity.to_string().repeat(26).parse().expect("an id");
            data_hash(&identity, &NoteText::new(text).expect("a text"), pinned)
        };
        let first = hash('a', "Call", false);
        assert_eq!(first, hash('a', "Call", false));
        for other in [
            hash('e', "Call", false),
            hash('a', "Calls", false),
            hash('a', "Call", true),
        ] {
            assert_ne!(first, other);
        }
    }
}
