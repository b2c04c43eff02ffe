#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use shared::{
    config::{Config, ConfigError},
    erasure::REMEMBERED_SECONDS,
    http::{self, Parameters},
    identity::IdentityId,
    item::Item,
    keys::{self, SortKey},
    principal::{Principal, Scope},
    problem::{Kind, Problem},
    profile::{
        Note, View,
        note::{self, NoteText},
    },
    reader,
    table::{NotePut, Table},
    time::Instant,
    value::Map,
};
use uuid::Uuid;

/// The most characters of an idempotency key.
const MAX_KEY_CHARS: usize = 255;

/// What the function holds between requests.
#[derive(Debug)]
pub struct App {
    config: Config,
    table: Table,
}

impl App {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Config::from_env()?;
        Ok(Self {
            table: config.table(),
            config,
        })
    }
}

/// Answers one request.
///
/// # Errors
/// Never: what fails is answered with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(http::serve(&request, &app.table, answer(app, &request)).await)
}

async fn answer(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let principal = Principal::from_request(request, app.config.local_agent)?;
    principal.require(Scope::NotesWrite)?;
    Parameters::new(request, &[])?;
    let (method, path) = http::route(request);
    match (method, path.as_slice()) {
        (&Method::POST, ["profiles", id, "notes"]) => {
            create(app, &principal, &http::profile_id(id)?, request).await
        }
        _ => Err(http::route_not_found()),
    }
}

async fn create(
    app: &App,
    principal: &Principal,
    identity: &IdentityId,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let key = idempotency_key(request)?;
    let text = text(&http::body(request)?)?;
    let markers = reader::standing(&app.table, identity)
        .await?
        .ok_or_else(http::profile_not_found)?;
    let now = Instant::now();
    let uuid = Uuid::now_v7();
    let request_hash = data_hash(identity, &text);
    let mut remembered = Map::new();
    remembered.insert("note", uuid.to_string());
    remembered.insert("request", request_hash.as_str());
    let item = |key, data, expires_at| Item {
        identity: identity.clone(),
        key,
        version: None,
        link: None,
        data,
        expires_at,
    };
    let written = item(
        SortKey::Note(uuid),
        note::data(&text, &principal.subject),
        None,
    );
    let again = item(
        keys::again(&principal.subject, key),
        remembered,
        Some(now.seconds() + REMEMBERED_SECONDS),
    );
    match app
        .table
        .put_note(&written, &again, now.seconds(), markers.erased())
        .await?
    {
        NotePut::Written => {
            tracing::info!(principal = principal.subject, profile = %identity, note = %uuid, "note written");
            created(app, principal, &written)
        }
        NotePut::Erased => Err(http::profile_not_found()),
        NotePut::Seen(seen) => {
            if seen.text("request") != Some(request_hash.as_str()) {
                let detail = "Another note was left under this idempotency key: use a new key for a new note.";
                return Err(
                    Problem::new(Kind::IDEMPOTENCY_KEY_REUSED, detail).field("idempotency-key")
                );
            }
            let first = seen.text("note").and_then(|uuid| uuid.parse().ok());
            let first =
                first.ok_or_else(|| Problem::internal("a remembered request names no note"))?;
            created(
                app,
                principal,
                &Item {
                    key: SortKey::Note(first),
                    ..written
                },
            )
        }
    }
}

fn created(app: &App, principal: &Principal, item: &Item) -> Result<Response<Body>, Problem> {
    // Who wrote the text may see it.
    let view = View {
        now: Instant::now(),
        currency: &app.config.currency,
        personal: true,
    };
    let note = Note::new(item, &view).ok_or_else(|| Problem::internal("the note has no time"))?;
    debug_assert_eq!(note.author, principal.subject);
    http::json(StatusCode::CREATED, &note)
}

fn idempotency_key(request: &Request) -> Result<&str, Problem> {
    let key = request
        .headers()
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok());
    let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY_CHARS);
    key.ok_or_else(|| {
        let detail = "Send an Idempotency-Key header of 1 to 255 characters, a new one for each note, so that a \
                      request sent twice leaves one note.";
        Problem::new(Kind::INVALID_HEADER, detail).field("idempotency-key")
    })
}

fn text(body: &serde_json::Map<String, Json>) -> Result<NoteText, Problem> {
    if let Some(unknown) = body.keys().find(|name| *name != "text") {
        let name: String = unknown
            .chars()
            .filter(|c| !c.is_control())
            .take(64)
            .collect();
        return Err(http::invalid_body(
            Some(&name),
            "The body has one field, text.",
        ));
    }
    let text = body.get("text").and_then(Json::as_str);
    let text =
        text.ok_or_else(|| http::invalid_body(Some("text"), "The note's text is a string."))?;
    NoteText::new(text)
        .map_err(|error| http::invalid_body(Some("text"), format!("Expected {error}.")))
}

/// What tells one request from another under the same key.
fn data_hash(identity: &IdentityId, text: &NoteText) -> String {
    let mut digest = Sha256::new();
    // An id has one length, so it needs no separator.
    digest.update(identity.as_str());
    digest.update(text.as_str());
    data_encoding::BASE64.encode(&digest.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(json: &str) -> Result<NoteText, Problem> {
        let body: serde_json::Map<String, Json> = serde_json::from_str(json).expect("JSON");
        text(&body)
    }

    #[test]
    fn a_body_is_one_text() {
        assert_eq!(
            text_of(r#"{"text":"Call"}"#).expect("a text").as_str(),
            "Call"
        );
        for json in [
            "{}",
            r#"{"text":1}"#,
            r#"{"text":" "}"#,
            r#"{"text":"a","pinned":true}"#,
        ] {
            assert_eq!(text_of(json).expect_err(json).kind(), Kind::INVALID_BODY);
        }
    }
}
