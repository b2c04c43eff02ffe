#![doc = include_str!("../README.md")]

use std::convert::Infallible;

use lambda_http::{Body, Request, Response};
use shared::http::{self, App, Call, principal::Scope, problem::Problem};

mod body;
mod create;
mod links;
mod operation;
mod write;

use operation::{Operation, Target};
use write::Write;

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(app: &App, request: Request) -> Result<Response<Body>, Infallible> {
    // Every response contains a profile, so every principal needs the scope to read one.
    http::handle(app, &request, Scope::ProfilesRead, routes).await
}

async fn routes(call: Call<'_>) -> Result<Response<Body>, Problem> {
    let (operation, hash) = match call.route.key() {
        "POST /profiles" => {
            call.principal.require(Scope::ProfilesWrite)?;
            let fields = body::fields(call.request)?;
            let body = body::Create::new(&fields, call.app.config.identifiers)?;
            let key = call.app.identity_key().await?;
            let operation = Operation::new(Target::Create(body.customer, key), body.decision);
            (operation, body::hash(&call, &fields))
        }
        "POST /profiles/{id}/links" => {
            call.principal.require(Scope::LinksWrite)?;
            let profile = call.profile_id()?;
            let fields = body::fields(call.request)?;
            let body = body::Link::new(&fields, call.app.config.identifiers)?;
            let other = body.other.resolve(call.app).await?;
            let operation = Operation::new(Target::Link(profile, other), body.decision);
            (operation, body::hash(&call, &fields))
        }
        "DELETE /profiles/{id}/links/{linkId}" => {
            call.principal.require(Scope::LinksWrite)?;
            let profile = call.profile_id()?;
            let link = call.route.parameter("linkId").parse();
            let link = link.map_err(|()| links::link_not_found())?;
            let fields = body::optional_fields(call.request)?;
            let decision = body::removal(&fields)?;
            let operation = Operation::new(Target::Unlink(profile, link), decision);
            (operation, body::hash(&call, &fields))
        }
        "DELETE /profiles/{id}/identities/{identityId}" => {
            call.principal.require(Scope::LinksWrite)?;
            let profile = call.profile_id()?;
            let identity = call.route.parameter("identityId").parse();
            let identity = identity.map_err(|_| links::identity_not_found())?;
            let fields = body::optional_fields(call.request)?;
            let decision = body::removal(&fields)?;
            let operation = Operation::new(Target::Separate(profile, identity), decision);
            (operation, body::hash(&call, &fields))
        }
        _ => return Err(Problem::route_not_found()),
    };
    Write::new(&call, operation, hash)?.run().await
}
