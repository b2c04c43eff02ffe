#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::convert::Infallible;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    http::{
        self, App, Call, Field, Parameters,
        principal::Scope,
        problem::{Kind, Problem},
    },
    model::identity::IdentityId,
    profile::{
        HistoryItem, Page,
        cursor::{self, Listing, PositionIn},
        versions::EventPosition,
    },
    table::reader,
};

use filter::{Filter, PARAMETERS};

mod detail;
mod filter;
mod merge;
mod pager;

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    http::handle(app, &request, Scope::ProfilesRead, routes).await
}

async fn routes(call: Call<'_>) -> Result<Response<Body>, Problem> {
    match call.route.key() {
        "GET /profiles/{id}/history" => {
            let known = [&["limit", "cursor"], PARAMETERS.as_slice()].concat();
            let parameters = Parameters::with_repeated(call.request, &known, &["type"])?;
            page(&call, &call.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/history/{eventId}" => {
            call.parameters(&[])?;
            one(&call, &call.profile_id()?, call.route.parameter("eventId")).await
        }
        _ => Err(Problem::route_not_found()),
    }
}

/// Returns a page of events.
async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let app = call.app;
    let limit = parameters.limit()?;
    let filter = Filter::new(parameters, &app.zone)?;
    filter.authorize(call.principal)?;
    let filters = filter.canonical();
    let begin = parameters
        .get("cursor")
        .map(|text| position(&filters, text))
        .transpose()?;
    let members = reader::members(&app.table, id).await?;
    let begin = begin
        .map(|begin| begin.within(&members.closure))
        .transpose()?;
    let merged = merge::merge(&app.table, &members, &filter, begin, limit).await?;
    if merged.items().next().is_none() && !members.exist(&app.table).await? {
        return Err(Problem::profile_not_found());
    }
    let view = call.view();
    let mut items: Vec<_> = merged
        .items()
        .filter_map(|item| HistoryItem::new(item, &view))
        .collect();
    app.products.join(&app.table, &mut items, None).await?;
    call.audit(Field::Profiles, members.closure.id());
    let cursor =
        |end: &EventPosition| cursor::encode_in(id, Listing::History, &filters, &end.to_text());
    let mut page = Page {
        items,
        next: merged.next.as_ref().map(&cursor),
        partial: merged.partial || members.partial,
    };
    if let Some(last) = http::fit(&mut page.items) {
        page.next = merged.position_after(last).as_ref().map(&cursor);
    }
    http::json(StatusCode::OK, &page)
}

/// Returns one event with its complete body. `event` is its id.
async fn one(call: &Call<'_>, id: &IdentityId, event: &str) -> Result<Response<Body>, Problem> {
    let app = call.app;
    let not_found = || {
        let detail =
            "The profile has no event with this ID. GET /profiles/{id}/history lists its events.";
        Problem::new(Kind::EVENT_NOT_FOUND, detail)
    };
    let named = detail::parse_id(event);
    if named.is_some() {
        call.audit(Field::Event, event);
    }
    let members = reader::members(&app.table, id).await?;
    let stored = match named {
        Some((identity, key)) if members.closure.members().contains(&identity) => {
            detail::event(&app.table, &members, key).await?
        }
        _ => None,
    };
    let item = stored.and_then(|item| HistoryItem::new(&item, &call.view()));
    let Some(item) = item else {
        return Err(if members.exist(&app.table).await? {
            not_found()
        } else {
            Problem::profile_not_found()
        });
    };
    let mut items = [item];
    app.products.join(&app.table, &mut items, None).await?;
    call.audit(Field::Profiles, members.closure.id());
    http::json(StatusCode::OK, &items[0])
}

/// Parses a cursor. `filters` is the canonical form of the request's filters.
fn position(filters: &str, text: &str) -> Result<PositionIn<EventPosition>, Problem> {
    let position = PositionIn::decode(Listing::History, filters, text, EventPosition::parse);
    Ok(position?)
}
