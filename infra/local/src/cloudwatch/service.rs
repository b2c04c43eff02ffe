//! The requests of CloudWatch Logs with which a function writes lines: `CreateLogStream` and `PutLogEvents`, in JSON 1.1.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::iam::Permissions;
use crate::template::{ACCOUNT, REGION};

/// The maximum number of lines that are kept in memory. Older lines are dropped.
const MAX_LINES: usize = 100_000;
/// The limits of `PutLogEvents`.
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 1_048_576;
const EVENT_BYTES: usize = 26;
const MAX_SPAN: i64 = 24 * 60 * 60 * 1_000;

/// The log groups that functions write to through the API.
#[derive(Debug)]
pub(crate) struct LogGroups {
    names: BTreeSet<String>,
    streams: Mutex<BTreeSet<(String, String)>>,
    lines: watch::Sender<Vec<Value>>,
    /// Where lines are also written to.
    file: Mutex<File>,
}

impl LogGroups {
    /// Creates empty groups. Lines are also appended to `file`.
    pub(crate) fn new(names: BTreeSet<String>, file: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(file)?;
        Ok(Self {
            names,
            streams: Mutex::default(),
            lines: watch::Sender::default(),
            file: Mutex::new(file),
        })
    }

    /// Returns the stored lines, oldest first, and notifies of further ones.
    pub(crate) fn lines(&self) -> watch::Receiver<Vec<Value>> {
        self.lines.subscribe()
    }

    fn create_stream(&self, request: CreateLogStream) -> Result<Value, Refusal> {
        self.check_group(&request.log_group_name)?;
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.insert((request.log_group_name, request.log_stream_name)) {
            return Ok(json!({}));
        }
        Err(Refusal(
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        ))
    }

    fn put(&self, request: PutLogEvents) -> Result<Value, Refusal> {
        self.check_group(&request.log_group_name)?;
        let stream = (request.log_group_name, request.log_stream_name);
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if !streams.contains(&stream) {
            return Err(Refusal(
                "ResourceNotFoundException",
                "The specified log stream does not exist.",
            ));
        }
        drop(streams);
        check_limits(&request.log_events)?;
        for event in &request.log_events {
            self.append(&event.message);
        }
        Ok(json!({}))
    }

    fn append(&self, message: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Not an error for the function: the line stays in memory.
        let _ = writeln!(file, "{message}");
        drop(file);
        let line = serde_json::from_str(message).unwrap_or_else(|_| Value::from(message));
        self.lines.send_modify(|lines| {
            if lines.len() == MAX_LINES {
                lines.remove(0);
            }
            lines.push(line);
        });
    }

    fn check_group(&self, name: &str) -> Result<(), Refusal> {
        if self.names.contains(name) {
            return Ok(());
        }
        Err(Refusal(
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        ))
    }
}

/// The type and the message of an error of the service.
#[derive(Debug)]
struct Refusal(&'static str, &'static str);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateLogStream {
    log_group_name: String,
    log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputLogEvent>,
}

#[derive(Deserialize)]
struct InputLogEvent {
    timestamp: i64,
    message: String,
}

fn check_limits(events: &[InputLogEvent]) -> Result<(), Refusal> {
    let invalid = |message| Err(Refusal("InvalidParameterException", message));
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return invalid("A batch has at least one event");
    };
    let sizes = events.iter().map(|event| event.message.len() + EVENT_BYTES);
    if events.len() > MAX_EVENTS || sizes.sum::<usize>() > MAX_BYTES {
        return invalid("Upload too large");
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        );
    }
    if last.timestamp - first.timestamp >= MAX_SPAN {
        return invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        );
    }
    Ok(())
}

/// The state of the endpoint.
struct Endpoint {
    groups: Arc<LogGroups>,
    permissions: Arc<Permissions>,
}

/// Creates the endpoint. A function can do only what its role allows.
pub(crate) fn router(groups: Arc<LogGroups>, permissions: Arc<Permissions>) -> Router {
    let endpoint = Endpoint {
        groups,
        permissions,
    };
    Router::new()
        .route("/", post(handle))
        .with_state(Arc::new(endpoint))
}

async fn handle(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
) -> Response {
    let target = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.split_once('.'));
    let operation = operation.map_or("", |(_, operation)| operation);
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let group = request["logGroupName"].as_str().unwrap_or_default();
    if let Some(function) = endpoint.permissions.caller(&headers, &uri) {
        let action = format!("logs:{operation}");
        let resource = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*");
        if let Err(refusal) = endpoint
            .permissions
            .check(function, &action, &resource, &[])
        {
            let error = json!({"__type": "AccessDeniedException", "message": refusal.to_string()});
            return respond(StatusCode::BAD_REQUEST, &error);
        }
    }
    let groups = &endpoint.groups;
    let invalid = Refusal("InvalidParameterException", "The request cannot be read");
    let result = match operation {
        "CreateLogStream" => serde_json::from_value(request)
            .map_err(|_| invalid)
            .and_then(|request| groups.create_stream(request)),
        "PutLogEvents" => serde_json::from_value(request)
            .map_err(|_| invalid)
            .and_then(|request| groups.put(request)),
        _ => Err(Refusal(
            "UnknownOperationException",
            "The local stack has no such operation",
        )),
    };
    match result {
        Ok(response) => respond(StatusCode::OK, &response),
        Err(Refusal(kind, message)) => respond(
            StatusCode::BAD_REQUEST,
            &json!({"__type": kind, "message": message}),
        ),
    }
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let headers = [("Content-Type", "application/x-amz-json-1.1")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(times: &[i64], message: &str) -> PutLogEvents {
        let events = times.iter().map(|timestamp| InputLogEvent {
            timestamp: *timestamp,
            message: message.to_owned(),
        });
        PutLogEvents {
            log_group_name: "g".to_owned(),
            log_stream_name: "s".to_owned(),
            log_events: events.collect(),
        }
    }

    #[test]
    fn accepts_what_the_service_accepts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines");
        let groups = LogGroups::new(BTreeSet::from(["g".to_owned()]), &file).unwrap();
        let kind = |result: Result<Value, Refusal>| result.err().map(|Refusal(kind, _)| kind);
        let stream = |group: &str| CreateLogStream {
            log_group_name: group.to_owned(),
            log_stream_name: "s".to_owned(),
        };
        let missing = Some("ResourceNotFoundException");
        assert_eq!(kind(groups.put(put(&[1], "{}"))), missing);
        assert_eq!(kind(groups.create_stream(stream("other"))), missing);
        assert_eq!(kind(groups.create_stream(stream("g"))), None);
        assert_eq!(
            kind(groups.create_stream(stream("g"))),
            Some("ResourceAlreadyExistsException")
        );
        let large = "x".repeat(MAX_BYTES / 2);
        for (times, message) in [
            (&[][..], ""),
            (&[2, 1], ""),
            (&[0, MAX_SPAN], ""),
            (&[1, 1], large.as_str()),
            (&[0; MAX_EVENTS + 1], ""),
        ] {
            let refused = kind(groups.put(put(times, message)));
            assert_eq!(refused, Some("InvalidParameterException"));
        }
        assert_eq!(kind(groups.put(put(&[1, 1, 2], r#"{"a":1}"#))), None);
        assert_eq!(*groups.lines().borrow(), vec![json!({"a": 1}); 3]);
        let written = std::fs::read_to_string(file).unwrap();
        assert_eq!(written, "{\"a\":1}\n".repeat(3));
    }
}
