#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::convert::Infallible;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    http::{
        self, Parameters, Route,
        principal::{Principal, Scope},
        problem::{Kind, Problem},
    },
    model::identity::IdentityId,
    profile::{
        HistoryItem, Page,
        cursor::{self, Listing},
        versions::Place,
    },
    runtime::config::{Config, ConfigError},
    table::{
        KnownFacts, Table,
        products::Products,
        reader::{self, Members},
    },
};

use filter::{Filter, PARAMETERS};

mod detail;
mod filter;
mod merge;
mod pager;

/// The state that the function keeps between requests.
#[derive(Debug)]
pub struct App {
    config: Config,
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
        Ok(Self {
            table: config.table(),
            config,
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
        "GET /profiles/{id}/history" => {
            let known = [&["limit", "cursor"], PARAMETERS.as_slice()].concat();
            let parameters = Parameters::with_repeated(request, &known, &["type"])?;
            page(app, &principal, &route.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/history/{eventId}" => {
            Parameters::new(request, &[])?;
            let event = route.parameter("eventId");
            one(app, &principal, &route.profile_id()?, event).await
        }
        _ => Err(http::route_not_found()),
    }
}

async fn page(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let limit = parameters.limit()?;
    let filter = Filter::new(parameters)?;
    filter.authorize(principal)?;
    let spelling = filter.spelling();
    let place = parameters
        .get("cursor")
        .map(|text| position(&spelling, text))
        .transpose()?;
    let members = reader::members(&app.table, id).await?;
    let merged = merge::merge(&app.table, &members, &filter, place, limit).await?;
    if merged.items().next().is_none() && !members.exist(&app.table).await? {
        return Err(http::profile_not_found());
    }
    let view = principal.view(&app.config);
    let mut items: Vec<_> = merged
        .items()
        .filter_map(|item| HistoryItem::new(item, &view))
        .collect();
    app.products.join(&app.table, &mut items, None).await?;
    audit(principal, &members, "history");
    let cursor = |place: &Place| cursor::encode(Listing::History, &spelling, &place.to_text());
    let mut page = Page {
        items,
        next: merged.next.as_ref().map(&cursor),
        partial: merged.partial || members.partial,
    };
    if let Some(last) = http::fit(&mut page.items) {
        page.next = merged.place_after(last).as_ref().map(&cursor);
    }
    http::json(StatusCode::OK, &page)
}

async fn one(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    event: &str,
) -> Result<Response<Body>, Problem> {
    let not_found = || {
        let detail = "The profile has no such event. Ids of events stand in its history.";
        Problem::new(Kind::EVENT_NOT_FOUND, detail)
    };
    let members = reader::members(&app.table, id).await?;
    let held = match detail::parse_id(event) {
        Some((identity, key)) if members.closure.members().contains(&identity) => {
            detail::event(&app.table, &members, key).await?
        }
        _ => None,
    };
    let item = held.and_then(|item| HistoryItem::new(&item, &principal.view(&app.config)));
    let Some(item) = item else {
        return Err(if members.exist(&app.table).await? {
            not_found()
        } else {
            http::profile_not_found()
        });
    };
    let mut items = [item];
    app.products.join(&app.table, &mut items, None).await?;
    audit(principal, &members, "event");
    http::json(StatusCode::OK, &items[0])
}

/// Logs which principal opened which profile. The log contains no personal data, since identity ids contain none.
fn audit(principal: &Principal, members: &Members, sections: &str) {
    tracing::info!(principal = principal.subject, profile = %members.closure.id(), sections, "profile opened");
}

fn position(filters: &str, text: &str) -> Result<Place, Problem> {
    let position = cursor::decode(Listing::History, filters, text).ok();
    position
        .as_deref()
        .and_then(Place::parse)
        .ok_or_else(http::invalid_cursor)
}
