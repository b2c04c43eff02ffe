#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

use std::convert::Infallible;

use lambda_http::{Body, Request, Response, http::Method};
use shared::{
    http::{self, App, Call, principal::Scope, problem::Problem},
    runtime::config::ConfigError,
};

mod body;
mod bucket;
mod create;
mod document;
mod list;
mod operate;
mod parts;
mod rejects;
mod show;
mod status;
mod trial;

use bucket::Bucket;

/// The state that the function keeps between requests.
#[derive(Debug)]
pub struct State {
    /// The state of every HTTP function.
    pub app: App,
    /// The bucket into which files are uploaded.
    bucket: Bucket,
}

impl State {
    /// Reads the configuration from environment variables.
    ///
    /// # Errors
    /// A variable is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        let app = App::from_env()?;
        let bucket = Bucket::new(&app.config)?;
        Ok(Self { app, bucket })
    }
}

/// Handles one request.
///
/// # Errors
/// Never. Every error becomes a response with a problem document.
pub async fn handle(state: &State, request: Request) -> Result<Response<Body>, Infallible> {
    let scope = if request.method() == Method::GET {
        Scope::ImportsRead
    } else {
        Scope::ImportsWrite
    };
    http::handle_with(&state.bucket, &state.app, &request, scope, routes).await
}

async fn routes(bucket: &Bucket, call: Call<'_>) -> Result<Response<Body>, Problem> {
    match call.route.key() {
        "POST /imports" => create::create(bucket, &call).await,
        "GET /imports" => list::list(bucket, &call).await,
        "GET /imports/{id}" => show::show(bucket, &call).await,
        "POST /imports/{id}/parts" => parts::issue(bucket, &call).await,
        "POST /imports/{id}/complete" => parts::complete(bucket, &call).await,
        "POST /imports/{id}/revert" => operate::revert(bucket, &call).await,
        "POST /imports/{id}/replay" => operate::replay(bucket, &call).await,
        "GET /imports/{id}/rejects" => rejects::page(bucket, &call).await,
        _ => Err(Problem::route_not_found()),
    }
}
