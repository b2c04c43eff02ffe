//! The HTTP API of API Gateway. In: HTTP requests. Out: the response of the function that their route invokes, with an event of
//! payload format 2.0.
//!
//! There is no authorizer. The gateway also serves the sample images and, for paths without a route, the Profile tab's files.

pub(crate) mod cors;
mod event;
mod files;
mod response;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use uuid::Uuid;

use crate::lambda::{Lambda, MAX_PAYLOAD_BYTES};
use crate::template::{Cors, Function};
pub use files::ImageHost;
pub(crate) use files::Page;
use response::message;
use routes::Routes;

/// The maximum size of a request body in API Gateway, in bytes.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The maximum time that API Gateway waits for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The state of the gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    routes: Routes,
    cors: Option<Cors>,
    lambda: Arc<Lambda>,
    /// The folder `infra/samples/images`.
    images: PathBuf,
    /// The files in `infra/console`.
    page: Page,
}

impl Gateway {
    pub(crate) fn new(
        functions: &[Function],
        cors: Option<Cors>,
        lambda: Arc<Lambda>,
        images: PathBuf,
        page: Page,
    ) -> Self {
        Self {
            routes: Routes::new(functions),
            cors,
            lambda,
            images,
            page,
        }
    }

    /// Returns the HTTP service. It must be served with the addresses of its peers ([`ConnectInfo`]).
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(handle).with_state(Arc::new(self))
    }

    /// Returns the response to a request: a file, the response of the function that its route invokes, or an error.
    async fn respond(
        &self,
        parts: &Parts,
        body: Body,
        peer: SocketAddr,
        request_id: &str,
    ) -> Response {
        let path = event::decoded_path(parts.uri.path());
        if let Some(name) = path.strip_prefix("/images/") {
            return files::serve(&self.images, name, parts).await;
        }
        let Some(matched) = self.routes.find(parts.method.as_str(), &path) else {
            return self.page.serve(&path, parts).await;
        };
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let event = event::event(&event::Routed {
            parts,
            path: &path,
            matched: &matched,
            body: &body,
            peer,
            request_id,
        });
        let payload = Bytes::from(event.to_string());
        if payload.len() > MAX_PAYLOAD_BYTES {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        let id = Uuid::new_v4().to_string();
        let invocation = self.lambda.invoke(matched.function, &id, payload);
        match tokio::time::timeout(INTEGRATION_TIMEOUT, invocation).await {
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Ok(Err(_)) => message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Ok(Ok(output)) => response::response(&output),
        }
    }
}

async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    if let Some(preflight) = gateway
        .cors
        .as_ref()
        .and_then(|cors| cors::preflight(cors, &parts))
    {
        return preflight;
    }
    let mut response = gateway.respond(&parts, body, peer, &request_id).await;
    if let Some(cors) = &gateway.cors {
        cors::allow(cors, &parts.headers, response.headers_mut());
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}
