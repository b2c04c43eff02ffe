#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};
use shared::http::{self, App, Call, Route, principal::Scope, problem::Problem};

mod attributes;
mod batch;
mod export;
mod hints;
mod links;
mod lookup;
mod matches;
mod notes;
mod profile;
mod search;

use profile::Choice;

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    let scope = match Route::of(&request).key() {
        "POST /profiles/lookup" | "POST /profiles/search" | "POST /profiles/batch" => {
            Scope::ProfilesLookup
        }
        _ => Scope::ProfilesRead,
    };
    http::handle(app, &request, scope, routes).await
}

async fn routes(call: Call<'_>) -> Result<Response<Body>, Problem> {
    match call.route.key() {
        "POST /profiles/lookup" => lookup::respond(&call).await,
        "POST /profiles/search" => {
            call.parameters(&[])?;
            search::page(&call, http::body(call.request)?).await
        }
        "POST /profiles/batch" => {
            call.parameters(&[])?;
            batch::page(&call, &http::body(call.request)?).await
        }
        "GET /profiles/{id}" => {
            let choice = Choice::new(call.request)?;
            let conditions = Some(call.request.headers());
            profile::respond(&call, &call.profile_id()?, choice, conditions).await
        }
        "GET /profiles/{id}/attributes" => {
            let known = ["category", "limit", "cursor", "consistent"];
            let parameters = call.parameters(&known)?;
            attributes::page(&call, &call.profile_id()?, &parameters).await
        }
        "POST /profiles/{id}/attributes/search" => {
            call.parameters(&[])?;
            let body = http::body(call.request)?;
            attributes::search_page(&call, &call.profile_id()?, &body).await
        }
        "GET /profiles/{id}/export" => {
            call.principal.require(Scope::PiiRead)?;
            let parameters = call.parameters(&["limit", "cursor"])?;
            export::page(&call, &call.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/links" => {
            let parameters = call.parameters(&["limit", "cursor"])?;
            links::page(&call, &call.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/notes" => {
            let parameters = call.parameters(&["limit", "cursor"])?;
            notes::page(&call, &call.profile_id()?, &parameters).await
        }
        "GET /profiles/{id}/notes/{noteId}" => {
            call.parameters(&[])?;
            notes::one(&call, &call.profile_id()?, call.route.parameter("noteId")).await
        }
        _ => Err(Problem::route_not_found()),
    }
}
