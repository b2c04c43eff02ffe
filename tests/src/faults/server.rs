//! The proxy's server: reads requests, draws their faults and forwards them.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPECT, HeaderValue},
    http::{request, response},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{
    Fault,
    body::{self, Body, BodyFault},
    connection::{Connection, Reset},
    draw::DrawnFault,
    state::Shared,
    statements,
};

/// The header with the operation of a DynamoDB request.
const TARGET: &str = "x-amz-target";
/// The operation that can be swallowed and recorded.
const STATEMENTS: &str = "BatchExecuteStatement";
/// The header with the checksum of a DynamoDB response.
const CHECK_SUM: &str = "x-amz-crc32";

/// Serves until the task is aborted.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (connection, reset) = Connection::new(stream);
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        respond(Arc::clone(&shared), Arc::clone(&reset), request)
                    });
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
                    // A connection ends with an injected fault or because of the client.
                    let _ = connection.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends a connection with a reset.
fn reset(reset: &Reset) -> io::Error {
    reset.store(true, Ordering::Relaxed);
    io::Error::other("reset")
}

/// Responds to a request, unless the trap catches it.
async fn respond(
    shared: Arc<Shared>,
    connection: Reset,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let operation = operation(&head);
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let trap = shared.settings().trap.clone();
    let Some(trap) = trap else {
        return pass(shared, connection, head, operation, bytes).await;
    };
    let place = trap.enter(&operation).await;
    let response = pass(shared, connection, head, operation, bytes).await;
    trap.leave(place).await;
    response
}

async fn pass(
    shared: Arc<Shared>,
    connection: Reset,
    head: request::Parts,
    operation: String,
    bytes: Bytes,
) -> io::Result<Response<Body>> {
    let (mut drawn, rate, upstream, swallow) = {
        let mut settings = shared.settings();
        let recorded = settings.recorded.as_mut();
        if let Some(recorded) = recorded.filter(|_| operation == STATEMENTS) {
            recorded.push(bytes.clone());
        }
        let (drawn, rate) = (settings.draw(&operation), settings.bytes_per_second());
        (drawn, rate, settings.upstream.clone(), settings.swallow)
    };
    shared.count(&operation, |count| {
        count.requests += 1;
        count.bytes_in += bytes.len() as u64;
        count.faults += u64::from(drawn.fault.is_some());
    });
    tokio::time::sleep(drawn.latency + body::time_of(bytes.len(), rate)).await;
    match drawn.fault {
        Some(Fault::Throttled) => return Ok(refusal(&head, THROTTLED)),
        Some(Fault::Failed) => return Ok(refusal(&head, FAILED)),
        Some(Fault::Reset) => return Err(reset(&connection)),
        Some(Fault::Stalled) => std::future::pending::<()>().await,
        _ => {}
    }
    let Some(upstream) = upstream else {
        return Ok(refusal(&head, FAILED));
    };
    if head.headers.contains_key(TARGET) {
        let table = Table {
            shared: &shared,
            operation: &operation,
            upstream: &upstream,
            swallow,
        };
        let response = table.respond(&head, &bytes, &mut drawn).await?;
        return match drawn.fault {
            Some(Fault::Lost) => Err(reset(&connection)),
            Some(Fault::Cut) => {
                let (head, bytes) = response.into_parts();
                let left = bytes.slice(..drawn.byte_of(bytes.len() as u64) as usize);
                let broken = futures::stream::iter([
                    Ok(hyper::body::Frame::data(left)),
                    Err(reset(&connection)),
                ]);
                Ok(Response::from_parts(
                    head,
                    http_body_util::StreamBody::new(broken).boxed_unsync(),
                ))
            }
            _ => {
                tokio::time::sleep(body::time_of(response.body().len(), rate)).await;
                Ok(response.map(body::full))
            }
        };
    }
    let (mut response_head, response_body) = pass_on(&shared, &upstream, &head, bytes)
        .await?
        .into_parts();
    if drawn.fault == Some(Fault::Lost) {
        let _ = response_body.collect().await;
        return Err(reset(&connection));
    }
    if drawn.fault == Some(Fault::WrongEtag) && response_head.headers.contains_key(ETAG) {
        let other = HeaderValue::from_static("\"00000000000000000000000000000000\"");
        response_head.headers.insert(ETAG, other);
    }
    let length = length(&response_head);
    let fault = BodyFault {
        shared: Arc::clone(&shared),
        operation,
        bytes_per_second: rate,
        cut_at: (drawn.fault == Some(Fault::Cut) && length > 0).then(|| drawn.byte_of(length)),
        reset: connection,
    };
    Ok(Response::from_parts(
        response_head,
        body::passed(response_body, fault),
    ))
}

fn length(head: &response::Parts) -> u64 {
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or_default()
}

/// A request to DynamoDB.
struct Table<'a> {
    shared: &'a Shared,
    operation: &'a str,
    upstream: &'a str,
    swallow: bool,
}

impl Table<'_> {
    /// Returns the response to a request that is not forwarded.
    fn swallowed(&self, request: &Value) -> Option<Result<Value, String>> {
        match self.operation {
            STATEMENTS if self.swallow => Some(statements::swallowed(request)),
            "BatchWriteItem" if self.swallow => Some(statements::swallowed_puts(request)),
            _ => None,
        }
    }

    async fn respond(
        &self,
        head: &request::Parts,
        bytes: &Bytes,
        drawn: &mut DrawnFault,
    ) -> io::Result<Response<Bytes>> {
        let mut request: Value = serde_json::from_slice(bytes)?;
        request["ReturnConsumedCapacity"] = "TOTAL".into();
        let mut failed = Vec::new();
        if self.operation == STATEMENTS {
            let mut settings = self.shared.settings();
            for statement in statements::of(&request) {
                failed.push(if drawn.statement_fails() {
                    Some("InternalServerError")
                } else {
                    settings.grants.take_statement(statement).err()
                });
            }
        } else if matches!(self.operation, "PutItem" | "UpdateItem" | "DeleteItem") {
            let units = statements::units(&request["Item"]);
            if self.shared.settings().grants.take(units).is_err() {
                return Ok(refusal_of_table(THROUGHPUT));
            }
        }
        let count = failed.iter().flatten().count() as u64;
        self.shared.count(self.operation, |total| {
            total.statements += failed.len() as u64;
            total.failed_statements += count;
        });
        statements::without(&mut request, &failed);
        let mut response = if count > 0 && count == failed.len() as u64 {
            Response::new(serde_json::json!({"Responses": [], "ConsumedCapacity": []}))
        } else if let Some(swallowed) = self.swallowed(&request) {
            match swallowed {
                Ok(response) => Response::new(response),
                Err(what) => return Ok(refusal_of_table((400, "ValidationException", &what))),
            }
        } else {
            let body = Bytes::from(request.to_string());
            let (mut head, body) = pass_on(self.shared, self.upstream, head, body)
                .await?
                .into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            head.headers.remove(CHECK_SUM);
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, serde_json::from_slice(&body)?)
        };
        if response.status().is_success() && count > 0 {
            response = response.map(|response| statements::with(response, &failed));
        }
        let units = statements::capacity(response.body());
        response
            .headers_mut()
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(JSON));
        let response = response.map(|response| Bytes::from(response.to_string()));
        self.shared.count(self.operation, |total| {
            total.capacity_units += units;
            total.bytes_out += response.body().len() as u64;
        });
        Ok(response)
    }
}

async fn pass_on(
    shared: &Shared,
    upstream: &str,
    head: &request::Parts,
    bytes: Bytes,
) -> io::Result<Response<Incoming>> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("{upstream}{path}")
        .parse()
        .map_err(io::Error::other)?;
    let mut request = Request::new(Full::new(bytes));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers.clone();
    // The body has been read, and its length may have changed.
    request.headers_mut().remove(EXPECT);
    request.headers_mut().remove(CONTENT_LENGTH);
    shared
        .client
        .request(request)
        .await
        .map_err(io::Error::other)
}

/// Returns the name of the operation.
fn operation(head: &request::Parts) -> String {
    if let Some(target) = head
        .headers
        .get(TARGET)
        .and_then(|target| target.to_str().ok())
    {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let is_object = head.uri.path().trim_start_matches('/').contains('/');
    let name = match (&head.method, is_object) {
        (&Method::GET, true) => "GetObject",
        (&Method::GET, false) => "ListObjects",
        (&Method::PUT, true) => "PutObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::HEAD, true) => "HeadObject",
        _ => "Other",
    };
    name.to_owned()
}

const JSON: &str = "application/x-amz-json-1.0";
/// Status, DynamoDB's error code, and S3's error code or a message.
type Refusal<'a> = (u16, &'a str, &'a str);
const THROTTLED: Refusal<'static> = (503, "ThrottlingException", "SlowDown");
const FAILED: Refusal<'static> = (500, "InternalServerError", "InternalError");
const THROUGHPUT: Refusal<'static> = (
    400,
    "ProvisionedThroughputExceededException",
    "too many writes",
);

fn refusal(head: &request::Parts, (status, table, bucket): Refusal<'_>) -> Response<Body> {
    if head.headers.contains_key(TARGET) {
        let status = if status == 503 { 400 } else { status };
        return refusal_of_table((status, table, "a fault of the proxy")).map(body::full);
    }
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{bucket}</Code><Message>a fault of the proxy</Message></Error>"
    );
    let mut response = Response::new(body::full(xml));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn refusal_of_table((status, code, message): Refusal<'_>) -> Response<Bytes> {
    let body = serde_json::json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message});
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
