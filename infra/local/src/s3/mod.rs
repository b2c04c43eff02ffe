//! A local S3. In: HTTP requests. Out: responses of the S3 API, and notifications of created objects. `s3s` implements the
//! protocol; this module stores the objects.
//!
//! It does not wrap `s3s-fs`, which has no versions and turns keys into paths. Some keys are then impossible and others collide.
//! A wrapper would have to reimplement each operation. Here each body is a file with a random name, so any key works.

mod auth;
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

pub(crate) use index::Versioning;
pub(crate) use store::{Created, Store};

/// Returns the HTTP service of a store.
pub(crate) fn router(store: Arc<Store>) -> Router {
    let mut service = S3ServiceBuilder::new(service::Service(store));
    service.set_auth(auth::OneSecret);
    service.set_access(auth::Anyone);
    let service = service.build();
    let service = HandleError::new(service, async |_: HttpError| {
        StatusCode::INTERNAL_SERVER_ERROR
    });
    Router::new()
        .fallback_service(service)
        .layer(middleware::from_fn(wire::strip_signature))
}
