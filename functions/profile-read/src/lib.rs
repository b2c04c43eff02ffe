#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use data_encoding::BASE64URL_NOPAD;
use futures::future::try_join_all;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use sha2::{Digest as _, Sha256};
use shared::{
    http::{
        self, Parameters, Route,
        principal::{Principal, Scope},
        problem::Problem,
    },
    model::{
        identifier::Identifier,
        identity::{IdentityId, IdentityKey},
    },
    profile::{
        Document, Sections,
        cursor::{self, Listing},
        note,
    },
    runtime::{
        config::{Config, ConfigError},
        metrics::{self, Unit},
    },
    table::{
        Facts, KnownFacts, NotesRead, Table,
        products::Products,
        reader::{self, Notes},
    },
};

mod attributes;
mod export;

/// The state that the function keeps between requests.
#[derive(Debug)]
pub struct App {
    config: Config,
    key: IdentityKey,
    table: Table,
    products: Products,
    facts: KnownFacts,
}

impl App {
    /// Reads the configuration from environment variables.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Config::from_env()?;
        let table = config.table();
        Self::new(config, table)
    }

    /// Creates the state with `table` as the table to read.
    ///
    /// # Errors
    /// The configuration has no identity key.
    pub fn new(config: Config, table: Table) -> Result<Self, ConfigError> {
        let key = config.require_identity_key()?;
        Ok(Self {
            config,
            key,
            table,
            products: Products::default(),
            facts: KnownFacts::default(),
        })
    }

    /// Opens the connection and reads the table's facts before the first request. Errors are ignored, because the first request
    /// tries again.
    pub async fn warm(&self) {
        let _ = self.facts.get(&self.table).await;
    }
}

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    Ok(http::serve(&request, &app.table, answer(app, &request)).await)
}

async fn answer(app: &App, request: &Request) -> Result<Response<Body>, Problem> {
    let principal = Principal::from_request(request, app.config.local_agent)?;
    principal.require(Scope::ProfilesRead)?;
    app.facts.get(&app.table).await?;
    let route = Route::of(request);
    match route.key() {
        "POST /profiles/lookup" => {
            let parameters = Parameters::new(request, &["include", "consistent"])?;
            let choice = Choice::new(&parameters)?;
            let fields = http::body(request)?;
            let identifier = Identifier::from_raw_json(&fields, app.config.identifiers);
            let identifier = identifier.map_err(|error| {
                http::invalid_body(error.field.as_deref(), format!("Expected {error}."))
            })?;
            require_own(app).await?;
            profile(
                app,
                &principal,
                &app.key.identity(&identifier),
                choice,
                None,
            )
            .await
        }
        "GET /profiles/{id}" => {
            let parameters = Parameters::new(request, &["include", "consistent"])?;
            let choice = Choice::new(&parameters)?;
            let held = Some(request.headers());
            profile(app, &principal, &route.profile_id()?, choice, held).await
        }
        "GET /profiles/{id}/attributes" => {
            let known = ["category", "limit", "cursor", "consistent"];
            let parameters = Parameters::new(request, &known)?;
            attributes::page(app, &principal, &route.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/export" => {
            principal.require(Scope::PiiRead)?;
            let parameters = Parameters::new(request, &["limit", "cursor"])?;
            export::page(app, &principal, &route.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/notes" => {
            let parameters = Parameters::new(request, &["limit", "cursor"])?;
            notes(app, &principal, &route.profile_id()?, &parameters).await
        }
        _ => Err(http::route_not_found()),
    }
}

/// The requested sections of a profile, and the consistency of the read.
struct Choice<'a> {
    sections: Sections,
    include: &'a str,
    consistent: bool,
}

impl<'a> Choice<'a> {
    fn new(parameters: &Parameters<'a>) -> Result<Self, Problem> {
        let include = parameters.get("include");
        Ok(Self {
            sections: sections(include)?,
            include: include.unwrap_or("all"),
            consistent: parameters.flag("consistent")?,
        })
    }
}

/// Returns a profile. If the client already has the current version, returns only its entity tag.
async fn profile(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    choice: Choice<'_>,
    held: Option<&HeaderMap>,
) -> Result<Response<Body>, Problem> {
    let notes = if choice.sections.notes {
        Notes::Newest
    } else {
        Notes::Skip
    };
    let profile = reader::profile(&app.table, id, choice.consistent, notes).await?;
    if !profile.exists() {
        return Err(http::profile_not_found());
    }
    let mut document = profile.document(&principal.view(&app.config), choice.sections);
    let mut page = document.history.as_mut().map(|history| &mut history.page);
    let items = page.as_mut().map(|page| page.items.as_mut_slice());
    app.products
        .join(
            &app.table,
            items.unwrap_or_default(),
            document.summary.as_mut(),
        )
        .await?;
    let notes_bytes = document.notes.as_ref().map_or(0, http::bytes_of);
    if let Some(page) = page
        && let Some(last) = http::fit_beside(&mut page.items, notes_bytes)
    {
        page.next = Some(page.items[last].cursor());
    }
    audit(principal, &document.id, choice.include);
    count_excluded_links(&document);
    let tag = tag(&mut document)?;
    let unchanged = held.is_some_and(|headers| http::holds(headers, &tag));
    let mut response = if unchanged {
        http::not_modified()
    } else {
        http::json(StatusCode::OK, &document)?
    };
    let tag = HeaderValue::from_str(&tag).map_err(Problem::internal)?;
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// Returns a weak entity tag (RFC 9110, section 8.8.3) of the document, without the time of reading.
fn tag(document: &mut Document) -> Result<String, Problem> {
    let read_at = std::mem::take(&mut document.as_of);
    let text = serde_json::to_vec(document).map_err(Problem::internal);
    document.as_of = read_at;
    let digest = Sha256::digest(text?);
    Ok(format!("W/\"{}\"", BASE64URL_NOPAD.encode(&digest[..12])))
}

async fn notes(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let limit = parameters.limit()?;
    let after = parameters.get("cursor").map(note_position).transpose()?;
    let members = reader::members(&app.table, id).await?;
    let identities = members.closure.members();
    let read = try_join_all(
        identities
            .iter()
            .map(|id| app.table.notes(id, NotesRead::all())),
    )
    .await?;
    let notes = read.iter().flat_map(|read| &read.items);
    let notes = notes.filter(|note| !members.erase(note));
    let mut page = note::page(notes, after, limit, &principal.view(&app.config));
    if let Some(last) = http::fit(&mut page.items) {
        page.next = Some(note::cursor_after(&page.items[last].id));
    }
    page.partial = members.partial || read.iter().any(|read| read.next.is_some());
    if page.items.is_empty() && !members.exist(&app.table).await? {
        return Err(http::profile_not_found());
    }
    audit(principal, &members.closure.id(), "notes");
    http::json(StatusCode::OK, &page)
}

fn note_position(text: &str) -> Result<note::Place, Problem> {
    let position = cursor::decode(Listing::Notes, "", text).ok();
    position
        .as_deref()
        .and_then(note::parse_id)
        .ok_or_else(http::invalid_cursor)
}

fn sections(include: Option<&str>) -> Result<Sections, Problem> {
    let Some(include) = include else {
        return Ok(Sections::ALL);
    };
    let mut sections = Sections::NONE;
    for name in include.split(',') {
        if !sections.add(name) {
            let names = Sections::NAMES.join(", ");
            return Err(http::invalid_parameter(
                "include",
                format!("The sections are {names}, divided by commas."),
            ));
        }
    }
    Ok(sections)
}

/// Rejects a table that was written with another identity key or other identifier rules, since identifiers have other ids there.
async fn require_own(app: &App) -> Result<(), Problem> {
    if let Some(facts) = app.facts.get(&app.table).await? {
        facts.require(&Facts::new(&app.key, app.config.identifiers))?;
    }
    Ok(())
}

/// Counts the identities and sources whose links were not followed. An alarm watches this metric, because a source with bad data
/// would otherwise go unnoticed.
fn count_excluded_links(document: &Document) {
    let count = document.excluded_links.len();
    if count > 0 {
        let profile = document.id.to_string();
        metrics::emit(
            &[("ExcludedLinks", Unit::Count, count as f64)],
            &[("profile", profile.into())],
        );
    }
}

/// Logs which principal opened which profile. The log contains no personal data, since identity ids contain none.
fn audit(principal: &Principal, profile: &IdentityId, sections: &str) {
    tracing::info!(principal = principal.subject, %profile, sections, "profile opened");
}

#[cfg(test)]
mod tests {
    use shared::http::problem::Kind;

    use super::*;

    #[test]
    fn sections_are_chosen_by_name() {
        let chosen = sections(Some("summary,history")).expect("both are sections");
        assert_eq!(
            chosen,
            Sections {
                summary: true,
                history: true,
                ..Sections::NONE
            }
        );
        assert_eq!(sections(None).expect("all by default"), Sections::ALL);
        for include in ["", "summary,", "orders"] {
            assert_eq!(
                sections(Some(include)).expect_err(include).kind(),
                Kind::INVALID_PARAMETER
            );
        }
    }
}
