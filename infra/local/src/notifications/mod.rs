//! S3 notifications. In: created objects. Out: invocations of functions with the S3 event, retried as Lambda retries asynchronous
//! invocations.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::lambda::{InvokeError, Lambda, arn};
use crate::logs::Logs;
use crate::s3::Created;
use crate::template::{Function, Notification, REGION};

/// The waits before the first and the second retry. Lambda waits one and two minutes.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The characters that S3 does not encode in an event's key. A space becomes `+`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

/// The delivery of events. S3 and Lambda guarantee at-least-once delivery without an order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Delivery {
    /// The number of additional deliveries of each event.
    pub duplicates: u32,
    /// The maximum random delay of an event.
    pub scatter: Duration,
}

/// The target of invocations.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The functions of this process.
    Here(Arc<Lambda>),
    /// A Lambda endpoint, such as that of `sam local start-lambda`.
    Endpoint(String, reqwest::Client),
}

/// Sends notifications to the functions that subscribe to them in the template.
#[derive(Debug, Clone)]
pub(crate) struct Notifier {
    pub(crate) functions: Arc<Vec<Function>>,
    pub(crate) bucket: String,
    pub(crate) target: Target,
    pub(crate) delivery: Delivery,
    /// The client that writes dead-lettered events.
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) logs: Logs,
}

impl Notifier {
    /// Delivers notifications until the store is dropped. As in S3, deliveries run concurrently and in no order. Each sender in
    /// `rest` is notified when no delivery is left.
    pub(crate) async fn run(
        self,
        mut created: mpsc::UnboundedReceiver<Created>,
        mut rest: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ) {
        let mut deliveries = JoinSet::new();
        let mut waiting = Vec::new();
        loop {
            // A delivery may have created objects before it ended, so these are taken first.
            while let Ok(created) = created.try_recv() {
                self.begin(&created, &mut deliveries);
            }
            if deliveries.is_empty() {
                waiting.drain(..).for_each(|waiting: oneshot::Sender<()>| {
                    let _ = waiting.send(());
                });
            }
            tokio::select! {
                next = created.recv() => {
                    let Some(created) = next else { break };
                    self.begin(&created, &mut deliveries);
                }
                Some(_) = deliveries.join_next() => {}
                Some(asked) = rest.recv() => waiting.push(asked),
            }
        }
    }

    /// Starts the deliveries for a created object.
    fn begin(&self, created: &Created, deliveries: &mut JoinSet<()>) {
        if created.bucket != self.bucket {
            return;
        }
        for function in self.functions.iter() {
            let rules = &function.notifications;
            let Some(rule) = rules.iter().position(|rule| applies(rule, created)) else {
                continue;
            };
            let event = event(created, rule);
            for _ in 0..=self.delivery.duplicates {
                let (notifier, function, event) = (self.clone(), function.clone(), event.clone());
                let wait = self.delivery.scatter.mul_f64(rand::random());
                deliveries.spawn(async move {
                    tokio::time::sleep(wait).await;
                    notifier.deliver(&function, event).await;
                });
            }
        }
    }

    async fn deliver(&self, function: &Function, event: Value) {
        let id = Uuid::new_v4().to_string();
        let payload = Bytes::from(event.to_string());
        let mut waits = BACKOFF.iter().take(function.retries);
        loop {
            let error = match self.target.invoke(function, &id, payload.clone()).await {
                Ok(()) => return,
                Err(error) if error.error_type == "Local.Stopped" => return,
                Err(error) => error,
            };
            self.logs
                .push("local", format!("{}: {error}", function.logical_id));
            match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return self.give_up(function, &id, event, &error).await,
            }
        }
    }

    /// Writes an event to `failed/`, in place of Lambda's on-failure destination and in its format.
    async fn give_up(&self, function: &Function, id: &str, event: Value, error: &InvokeError) {
        let failed = failed(function, id, event, error, Timestamp::now());
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(format!("failed/{id}.json"));
        let put = put
            .content_type("application/json")
            .body(failed.to_string().into_bytes().into());
        if let Err(error) = put.send().await {
            self.logs
                .push("local", format!("failed/{id}.json: {error}"));
        }
    }
}

impl Target {
    async fn invoke(
        &self,
        function: &Function,
        id: &str,
        payload: Bytes,
    ) -> Result<(), InvokeError> {
        let logical_id = &function.logical_id;
        match self {
            Self::Here(lambda) => lambda.invoke(logical_id, id, payload).await.map(drop),
            Self::Endpoint(url, client) => {
                // SAM CLI uses logical ids as function names, cargo-lambda uses binaries.
                for name in [logical_id, &function.binary] {
                    let url = format!(
                        "{}/2015-03-31/functions/{name}/invocations",
                        url.trim_end_matches('/')
                    );
                    // Older versions of `sam local start-lambda` support synchronous invocations only.
                    for kind in ["Event", "RequestResponse"] {
                        if post(client, &url, kind, payload.clone()).await? {
                            return Ok(());
                        }
                    }
                }
                Err(InvokeError::new(
                    "Local.Refused",
                    format!("{url} refuses invocations"),
                ))
            }
        }
    }
}

/// Returns whether the endpoint accepted the event. An error of the function is returned as an error.
async fn post(
    client: &reqwest::Client,
    url: &str,
    kind: &str,
    payload: Bytes,
) -> Result<bool, InvokeError> {
    let failed =
        |error: reqwest::Error| InvokeError::new("Local.Unreachable", format!("{url}: {error}"));
    let request = client
        .post(url)
        .header("X-Amz-Invocation-Type", kind)
        .header("Content-Type", "application/json");
    let response = request.body(payload).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Ok(false);
    }
    let is_error = response.headers().contains_key("x-amz-function-error");
    let body: Value =
        serde_json::from_slice(&response.bytes().await.map_err(failed)?).unwrap_or_default();
    // Older versions of SAM CLI do not set the header.
    if is_error || body.get("errorType").is_some() {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        return Err(InvokeError {
            error_type: text("errorType"),
            error_message: text("errorMessage"),
        });
    }
    Ok(true)
}

fn applies(rule: &Notification, created: &Created) -> bool {
    let event = rule.event.strip_prefix("s3:").unwrap_or(&rule.event);
    let matches = match event.strip_suffix('*') {
        Some(start) => created.event.starts_with(start),
        None => created.event == event,
    };
    matches && created.key.starts_with(&rule.prefix) && created.key.ends_with(&rule.suffix)
}

/// Returns the S3 event, version 2.1 as in the S3 documentation, with one record.
fn event(created: &Created, rule: usize) -> Value {
    let key = utf8_percent_encode(&created.key, KEY)
        .to_string()
        .replace(' ', "+");
    let mut object = json!({
        "key": key,
        "size": created.size,
        "eTag": created.etag,
        "sequencer": created.sequencer,
    });
    if let Some(version_id) = &created.version_id {
        object["versionId"] = Value::from(version_id.as_str());
    }
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": format!("{:.3}", Timestamp::now()),
        "eventName": created.event,
        "userIdentity": { "principalId": "AWS:LOCAL" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {
            "x-amz-request-id": Uuid::new_v4().simple().to_string()[..16].to_uppercase(),
            "x-amz-id-2": Uuid::new_v4().simple().to_string(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": format!("local-{rule}"),
            "bucket": {
                "name": created.bucket,
                "ownerIdentity": { "principalId": "LOCAL" },
                "arn": format!("arn:aws:s3:::{}", created.bucket),
            },
            "object": object,
        },
    }] })
}

fn failed(
    function: &Function,
    id: &str,
    event: Value,
    error: &InvokeError,
    at: Timestamp,
) -> Value {
    json!({
        "version": "1.0",
        "timestamp": format!("{at:.3}"),
        "requestContext": {
            "requestId": id,
            "functionArn": format!("{}:$LATEST", arn(&function.logical_id)),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": function.retries + 1,
        },
        "requestPayload": event,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorType": error.error_type, "errorMessage": error.error_message },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(key: &str) -> Created {
        Created {
            bucket: "customer-profiles".into(),
            key: key.into(),
            version_id: Some("v1".into()),
            event: "ObjectCreated:Put",
            size: 7,
            etag: "e".into(),
            sequencer: "0055AED6DCD90281E5".into(),
        }
    }

    #[test]
    fn the_event_is_what_s3_sends() {
        let event = event(&created("drop/a b+c/ü=1.csv"), 0);
        let record = &event["Records"][0];
        assert_eq!(record["eventVersion"], "2.1");
        assert_eq!(record["eventSource"], "aws:s3");
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        let time = record["eventTime"].as_str().unwrap();
        assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
        assert_eq!(
            record["s3"]["bucket"]["arn"],
            "arn:aws:s3:::customer-profiles"
        );
        assert_eq!(
            record["s3"]["object"],
            json!({
                "key": "drop/a+b%2Bc/%C3%BC%3D1.csv",
                "size": 7,
                "eTag": "e",
                "versionId": "v1",
                "sequencer": "0055AED6DCD90281E5",
            })
        );
        assert_eq!(event["Records"].as_array().unwrap().len(), 1);
    }

    /// Creates a bucket whose notifications go to a Lambda endpoint. The endpoint refuses invocations that match `refused`, and
    /// the first `fails` others fail.
    async fn with_endpoint(
        refused: &'static str,
        fails: u32,
        retries: usize,
    ) -> (aws_sdk_s3::Client, mpsc::UnboundedReceiver<String>) {
        let folder = tempfile::tempdir().unwrap().keep();
        let (sender, created) = mpsc::unbounded_channel();
        let store = Arc::new(crate::s3::Store::open(&folder, sender).unwrap());
        store.ensure_bucket("customer-profiles", true).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = crate::stack::clients::s3(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, crate::s3::router(store)).await });

        let (calls, called) = mpsc::unbounded_channel();
        let count = std::sync::atomic::AtomicU32::new(0);
        let answer =
            async move |headers: axum::http::HeaderMap, uri: axum::http::Uri, body: Bytes| {
                let kind = headers["x-amz-invocation-type"]
                    .to_str()
                    .unwrap()
                    .to_owned();
                if kind == refused || uri.path().contains(refused) {
                    return (axum::http::StatusCode::NOT_IMPLEMENTED, String::new());
                }
                let event: Value = serde_json::from_slice(&body).unwrap();
                let key = event["Records"][0]["s3"]["object"]["key"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                calls.send(format!("{kind} {} {key}", uri.path())).unwrap();
                let failed = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < fails;
                let body = if failed {
                    r#"{"errorType":"E","errorMessage":"m"}"#
                } else {
                    "null"
                };
                (axum::http::StatusCode::OK, body.to_owned())
            };
        let answer = Arc::new(answer);
        let router = axum::Router::new()
            .fallback(async move |headers, uri, body| answer(headers, uri, body).await);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let rule = Notification {
            event: "s3:ObjectCreated:*".into(),
            prefix: "drop/".into(),
            suffix: String::new(),
        };
        let function = Function {
            allows: Vec::new(),
            logical_id: "IngestFunction".into(),
            binary: "ingest".into(),
            timeout: Duration::from_secs(1),
            memory: 128,
            concurrency: 1,
            retries,
            environment: std::collections::BTreeMap::new(),
            routes: Vec::new(),
            notifications: vec![rule],
        };
        let notifier = Notifier {
            functions: Arc::new(vec![function]),
            bucket: "customer-profiles".into(),
            target: Target::Endpoint(url, reqwest::Client::new()),
            delivery: Delivery::default(),
            s3: s3.clone(),
            logs: Logs::default(),
        };
        tokio::spawn(notifier.run(created, mpsc::unbounded_channel().1));
        (s3, called)
    }

    async fn put(s3: &aws_sdk_s3::Client, key: &str) {
        let put = s3
            .put_object()
            .bucket("customer-profiles")
            .key(key)
            .body(Bytes::from_static(b"x").into());
        put.send().await.unwrap();
    }

    const PATH: &str = "/2015-03-31/functions/IngestFunction/invocations";

    #[tokio::test]
    async fn an_endpoint_that_refuses_asynchronous_invocations_gets_synchronous_ones() {
        let (s3, mut called) = with_endpoint("Event", 0, 2).await;
        put(&s3, "elsewhere/a").await;
        put(&s3, "drop/a b").await;
        assert_eq!(
            called.recv().await.unwrap(),
            format!("RequestResponse {PATH} drop/a+b")
        );
        let (s3, mut called) = with_endpoint("RequestResponse", 0, 2).await;
        put(&s3, "drop/c").await;
        assert_eq!(called.recv().await.unwrap(), format!("Event {PATH} drop/c"));
        let (s3, mut called) = with_endpoint("IngestFunction", 0, 2).await;
        put(&s3, "drop/d").await;
        assert_eq!(
            called.recv().await.unwrap(),
            "Event /2015-03-31/functions/ingest/invocations drop/d"
        );
    }

    #[tokio::test]
    async fn an_event_that_fails_three_times_is_kept_in_the_bucket() {
        fails_for_good(2).await;
    }

    #[tokio::test]
    async fn retries_as_often_as_the_template_says() {
        for retries in [0, 1] {
            fails_for_good(retries).await;
        }
    }

    /// Makes an event fail at every attempt.
    async fn fails_for_good(retries: usize) {
        let attempts = retries + 1;
        let (s3, mut called) = with_endpoint("Event", u32::MAX, retries).await;
        put(&s3, "drop/a").await;
        for _ in 0..attempts {
            called.recv().await.unwrap();
        }
        let failed = loop {
            let listed = s3
                .list_objects_v2()
                .bucket("customer-profiles")
                .prefix("failed/")
                .send()
                .await
                .unwrap();
            match listed.contents().first().and_then(|object| object.key()) {
                Some(key) => break key.to_owned(),
                None => tokio::task::yield_now().await,
            }
        };
        let failed = s3
            .get_object()
            .bucket("customer-profiles")
            .key(&failed)
            .send()
            .await
            .unwrap();
        let failed: Value =
            serde_json::from_slice(&failed.body.collect().await.unwrap().into_bytes()).unwrap();
        assert_eq!(failed["requestContext"]["approximateInvokeCount"], attempts);
        assert_eq!(
            failed["requestPayload"]["Records"][0]["s3"]["object"]["key"],
            "drop/a"
        );
        assert_eq!(
            failed["responsePayload"],
            json!({ "errorType": "E", "errorMessage": "m" })
        );
        assert!(called.try_recv().is_err(), "and no further time");
    }

    #[test]
    fn a_rule_is_of_event_prefix_and_suffix() {
        let rule = |event: &str, prefix: &str, suffix: &str| Notification {
            event: event.into(),
            prefix: prefix.into(),
            suffix: suffix.into(),
        };
        assert!(applies(
            &rule("s3:ObjectCreated:*", "drop/", ""),
            &created("drop/x")
        ));
        assert!(applies(
            &rule("s3:ObjectCreated:Put", "", ".csv"),
            &created("x.csv")
        ));
        assert!(!applies(
            &rule("s3:ObjectCreated:Copy", "", ""),
            &created("x")
        ));
        assert!(!applies(&rule("s3:ObjectRemoved:*", "", ""), &created("x")));
        assert!(!applies(
            &rule("s3:ObjectCreated:*", "drop/", ""),
            &created("work/x")
        ));
    }
}
