//! The HTTP API from which a function's runtime fetches events and to which it sends results.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{InvokeError, InvokeResult, MAX_RESPONSE_BYTES};

/// An event for a process.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) arn: String,
    pub(super) timeout: Duration,
    pub(super) payload: Bytes,
    /// Notified when the process has fetched the event.
    pub(super) started: oneshot::Sender<()>,
    pub(super) done: oneshot::Sender<InvokeResult>,
}

/// The state of the API of one process.
struct Api {
    /// The events for the process.
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    /// The request ID of the fetched event, and the receiver of its result.
    current: Mutex<Option<(String, oneshot::Sender<InvokeResult>)>>,
}

type Shared = State<Arc<Api>>;

/// Returns the API of one process.
pub(super) fn router(queue: mpsc::Receiver<Invocation>) -> Router {
    let api = Arc::new(Api {
        queue: tokio::sync::Mutex::new(queue),
        current: Mutex::default(),
    });
    let routes = Router::new()
        .route("/runtime/invocation/next", get(next))
        .route("/runtime/invocation/{id}/response", post(response))
        .route("/runtime/invocation/{id}/error", post(error))
        .route("/runtime/init/error", post(init_error));
    Router::new().nest("/2018-06-01", routes).with_state(api)
}

async fn next(State(api): Shared) -> Response {
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + invocation.timeout;
    let deadline = deadline
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let trace = Uuid::new_v4().simple().to_string();
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        (
            "Lambda-Runtime-Aws-Request-Id",
            invocation.request_id.clone(),
        ),
        ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn),
        (
            "Lambda-Runtime-Trace-Id",
            format!("Root=1-{}-{};Sampled=0", &trace[..8], &trace[8..]),
        ),
    ];
    *api.current.lock().unwrap_or_else(PoisonError::into_inner) =
        Some((invocation.request_id, invocation.done));
    let _ = invocation.started.send(());
    (headers, invocation.payload).into_response()
}

async fn response(State(api): Shared, Path(id): Path<String>, body: Body) -> Response {
    let (status, result) = match to_bytes(body, MAX_RESPONSE_BYTES).await {
        Ok(body) => (StatusCode::ACCEPTED, Ok(body)),
        Err(_) => {
            let error = format!(
                "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
            );
            (
                StatusCode::PAYLOAD_TOO_LARGE,
                Err(InvokeError::new("Function.ResponseSizeTooLarge", error)),
            )
        }
    };
    api.finish(&id, status, result)
}

async fn error(State(api): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    api.finish(&id, StatusCode::ACCEPTED, Err(reported(&body)))
}

/// Handles the error of a function that cannot start. The invocation that it was started for fails.
async fn init_error(State(api): Shared, body: Bytes) -> Response {
    if let Ok(invocation) = api.queue.lock().await.try_recv() {
        let _ = invocation.done.send(Err(reported(&body)));
    }
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

impl Api {
    /// Passes on the result of the fetched event.
    fn finish(&self, id: &str, status: StatusCode, result: InvokeResult) -> Response {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take() {
            Some((current, done)) if current == id => {
                let _ = done.send(result);
                (status, Json(json!({ "status": "OK" }))).into_response()
            }
            other => {
                *current = other;
                let error = json!({ "errorType": "InvalidRequestID", "errorMessage": "Invalid request ID" });
                (StatusCode::BAD_REQUEST, Json(error)).into_response()
            }
        }
    }
}

/// Parses the error that a runtime reports.
fn reported(body: &[u8]) -> InvokeError {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str, or: &str| error[key].as_str().unwrap_or(or).to_owned();
    InvokeError {
        error_type: text("errorType", "Runtime.UnknownReason"),
        error_message: text("errorMessage", &String::from_utf8_lossy(body)),
    }
}
