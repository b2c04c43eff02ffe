#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use shared::{
    config::{Config, ConfigError},
    cursor::{self, Listing},
    http::{self, Parameters},
    identity::IdentityId,
    keys::EventKey,
    principal::{Principal, Scope},
    problem::Problem,
    products::Products,
    profile::{HistoryItem, Page, View},
    reader,
    table::Table,
    time::Instant,
};

mod merge;

/// What the function holds between requests.
#[derive(Debug)]
pub struct App {
    config: Config,
    table: Table,
    products: Products,
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
            products: Products::default(),
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
    principal.require(Scope::ProfilesRead)?;
    let (method, path) = http::route(request);
    match (method, path.as_slice()) {
        (&Method::GET, ["profiles", id, "history"]) => {
            let parameters = Parameters::new(request, &["limit", "cursor"])?;
            page(app, &principal, &http::profile_id(id)?, &parameters).await
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
    let before = parameters.get("cursor").map(position).transpose()?;
    let members = reader::members(&app.table, id)
        .await?
        .ok_or_else(http::profile_not_found)?;
    let merged = merge::merge(&app.table, &members, before, limit).await?;
    let view = View {
        now: Instant::now(),
        currency: &app.config.currency,
        personal: principal.has(Scope::PiiRead),
    };
    let mut items: Vec<_> = merged
        .items
        .iter()
        .filter_map(|item| HistoryItem::new(item, &view))
        .collect();
    app.products.join(&app.table, &mut items).await?;
    tracing::info!(principal = principal.subject, profile = %members.closure.id(), sections = "history", "profile opened");
    let next = merged
        .next
        .map(|key| cursor::encode(Listing::History, "", key.as_str()));
    http::json(
        StatusCode::OK,
        &Page {
            items,
            next,
            partial: merged.partial || members.closure.truncated(),
        },
    )
}

fn position(text: &str) -> Result<EventKey, Problem> {
    let position = cursor::decode(Listing::History, "", text).ok();
    position
        .as_deref()
        .and_then(EventKey::parse)
        .ok_or_else(http::invalid_cursor)
}
