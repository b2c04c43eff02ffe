//! S3 on this machine: `s3s` speaks the protocol, this module keeps the objects. It stores bodies as files itself and
//! doesn't wrap `s3s-fs`: that has no versions, turns keys into paths (so some keys can't be, and others collide),
//! and a wrapper would have to redo each of its operations. Here a body's file has a random name, and what a key is
//! never matters.

mod body;
mod index;
mod listing;
mod multipart;
mod objects;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod upload;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::error_handling::HandleError;
use axum::http::StatusCode;
use axum::middleware;
use s3s::HttpError;
use s3s::service::S3ServiceBuilder;

pub(crate) use store::{Created, Store};

/// The HTTP service in front of a store.
pub(crate) fn router(store: Arc<Store>) -> Router {
    let service = S3ServiceBuilder::new(service::Service(store)).build();
    let service = HandleError::new(service, async |_: HttpError| {
        StatusCode::INTERNAL_SERVER_ERROR
    });
    Router::new()
        .fallback_service(service)
        .layer(middleware::from_fn(wire::unsign))
}
