//! DynamoDB and S3 as the clients of an invocation see them. Requests are executed in this process, each after a pause.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
            http_client_fn,
        },
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shared::model::find;
use tokio::sync::oneshot;

use super::{Gate, World, lock};

pub(super) const TABLE: &str = "profiles";
/// The maximum wait before a request is executed, and again before its response, in milliseconds.
const MAX_PAUSE_MILLISECONDS: u64 = 50;
/// The size of one chunk of a body, in bytes.
const CHUNK_BYTES: usize = 500;

/// Changes a response of DynamoDB. Its arguments are the operation, the request, and the status and body of the response.
pub(super) type Tamper = Box<dyn FnMut(&str, &Value, &mut (u16, Value)) + Send>;

/// The connection through which one invocation sends its requests.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    world: Arc<World>,
    killer: Arc<Mutex<Option<oneshot::Sender<()>>>>,
    gate: Option<Arc<Gate>>,
}

impl Wire {
    pub(super) fn new(
        world: Arc<World>,
        killer: oneshot::Sender<()>,
        gate: Option<Arc<Gate>>,
    ) -> Self {
        Self {
            world,
            killer: Arc::new(Mutex::new(Some(killer))),
            gate,
        }
    }

    fn client(&self) -> SharedHttpClient {
        let wire = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone()))
    }

    pub(super) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.client())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::from_keys("a", "s", None))
            .endpoint_url("http://dynamodb.invalid");
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.client())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::from_keys("a", "s", None))
            .force_path_style(true)
            .endpoint_url("http://s3.invalid");
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Ends the invocation that waits here. It never continues.
    async fn die(&self) {
        let killer = lock(&self.killer).take();
        if let Some(killer) = killer {
            let _ = killer.send(());
        }
        std::future::pending().await
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move {
            let world = &wire.world;
            world.pause(MAX_PAUSE_MILLISECONDS).await;
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let gate = wire
                .gate
                .as_ref()
                .filter(|gate| target.ends_with(gate.operation));
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            let number = world.requests.fetch_add(1, Ordering::Relaxed);
            if world.deaths.before.contains(&number) {
                wire.die().await;
            }
            let answer = match request.headers().get("x-amz-target") {
                Some(target) => {
                    let inserts = inserts(request.body().bytes().unwrap_or_default());
                    world.inserts.fetch_add(inserts, Ordering::Relaxed);
                    let answer = dynamodb(&world.database, target, &request);
                    tampered(world, target, &request, answer)
                }
                None => s3(world, &request),
            };
            if world.deaths.after.contains(&number) || gate.is_some() {
                wire.die().await;
            }
            world.pause(MAX_PAUSE_MILLISECONDS).await;
            Ok(answer)
        })
    }
}

fn response(status: u16, body: SdkBody) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), body)
}

pub(super) fn database() -> Database {
    let database = Database::memory().unwrap();
    let keys = ["PK", "SK"].into_iter().chain(find::INDEXES);
    let attributes = keys.map(|name| json!({"AttributeName": name, "AttributeType": "S"}));
    let indexes = find::INDEXES.map(|name| {
        json!({
            "IndexName": name,
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    });
    let create = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes.collect::<Vec<_>>(),
        "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": indexes,
    });
    database
        .create_table(serde_json::from_value(create).unwrap())
        .unwrap();
    database
}

/// Returns all items of customers.
pub(super) fn items(database: &Database) -> BTreeMap<String, Value> {
    let scan = serde_json::from_value(json!({"TableName": TABLE})).unwrap();
    let scan = serde_json::to_value(database.scan(scan).unwrap()).unwrap();
    let items = scan["Items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                format!("{} {}", item["PK"]["S"], item["SK"]["S"]),
                item.clone(),
            )
        })
        .filter(|(key, _)| !key.starts_with("\"import") && !key.starts_with("\"config"))
        .collect()
}

/// Returns how many items a request tries to insert.
fn inserts(body: &[u8]) -> usize {
    memchr::memmem::find_iter(body, "\"INSERT INTO ").count()
}

fn dynamodb(database: &Database, target: &str, request: &HttpRequest) -> HttpResponse {
    fn call<Q: DeserializeOwned, A: Serialize>(
        body: &[u8],
        run: impl FnOnce(Q) -> Result<A, DynoxideError>,
    ) -> HttpResponse {
        match run(serde_json::from_slice(body).unwrap()) {
            Ok(answer) => response(200, serde_json::to_vec(&answer).unwrap().into()),
            Err(error) => response(error.status_code(), error.to_json().into()),
        }
    }
    let body = request.body().bytes().unwrap();
    match target.rsplit('.').next().unwrap() {
        "GetItem" => call(body, |request| database.get_item(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchExecuteStatement" => call(body, |request| database.batch_execute_statement(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        other => panic!("{other} is not expected"),
    }
}

fn tampered(
    world: &World,
    target: &str,
    request: &HttpRequest,
    answer: HttpResponse,
) -> HttpResponse {
    let mut tamper = lock(&world.tamper);
    let Some(tamper) = &mut *tamper else {
        return answer;
    };
    let (_, operation) = target.rsplit_once('.').unwrap();
    let request = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
    let body = serde_json::from_slice(answer.body().bytes().unwrap()).unwrap();
    let mut told = (answer.status().as_u16(), body);
    tamper(operation, &request, &mut told);
    response(told.0, serde_json::to_vec(&told.1).unwrap().into())
}

/// The dropped files in all versions, and the objects that invocations put.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    dropped: BTreeMap<(String, String), Dropped>,
    put: BTreeMap<String, Vec<u8>>,
    /// The team's own mappings, by key.
    pub(super) mappings: BTreeMap<String, String>,
    /// The status of each report that was put, in order, with its key.
    statuses: Vec<(String, String)>,
    /// Keys whose responses have no Content-Length.
    pub(super) without_length: BTreeSet<String>,
}

#[derive(Debug)]
struct Dropped {
    /// `None` if the version was deleted.
    body: Option<Vec<u8>>,
    /// In the format of S3's header.
    last_modified: String,
    /// Whether the version was ever read.
    is_read: bool,
}

impl Bucket {
    pub(super) fn take(
        &mut self,
        key: &str,
        version: &str,
        last_modified: &str,
        body: impl Into<Vec<u8>>,
    ) {
        let dropped = Dropped {
            body: Some(body.into()),
            last_modified: last_modified.to_owned(),
            is_read: false,
        };
        let id = (key.to_owned(), version.to_owned());
        self.dropped.insert(id, dropped);
    }

    /// Deletes a dropped version.
    pub(super) fn delete(&mut self, key: &str, version: &str) {
        let id = (key.to_owned(), version.to_owned());
        if let Some(dropped) = self.dropped.get_mut(&id) {
            dropped.body = None;
        }
    }

    /// Returns whether a dropped version was ever read.
    pub(super) fn is_read(&self, key: &str, version: &str) -> bool {
        let id = (key.to_owned(), version.to_owned());
        self.dropped.get(&id).is_some_and(|dropped| dropped.is_read)
    }

    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.put.get(key).cloned()
    }

    /// Returns the statuses that a report has had.
    pub(super) fn statuses(&self, key: &str) -> Vec<&str> {
        let own = self.statuses.iter().filter(|(own, _)| own == key);
        own.map(|(_, status)| status.as_str()).collect()
    }

    /// Returns the keys of objects that invocations put.
    pub(super) fn keys(&self, prefix: &str) -> Vec<&str> {
        let keys = self.put.keys().map(String::as_str);
        keys.filter(|key| key.starts_with(prefix)).collect()
    }
}

fn s3(world: &Arc<World>, request: &HttpRequest) -> HttpResponse {
    let uri: hyper::Uri = request.uri().parse().unwrap();
    let key = uri.path().strip_prefix("/b/").unwrap().to_owned();
    let mut bucket = lock(&world.bucket);
    match request.method() {
        "GET" if key.is_empty() => list(&bucket),
        "GET" if key.starts_with("mappings/") => match bucket.mappings.get(&key) {
            Some(mapping) => response(200, mapping.as_str().into()),
            None => response(404, "<Error><Code>NoSuchKey</Code></Error>".into()),
        },
        "GET" => {
            let parameters = uri.query().unwrap_or_default().split('&');
            let version = parameters
                .filter_map(|parameter| parameter.strip_prefix("versionId="))
                .next()
                .expect("a version");
            let has_length = !bucket.without_length.contains(&key);
            let Some(dropped) = bucket.dropped.get_mut(&(key, version.to_owned())) else {
                return response(404, "<Error><Code>NoSuchVersion</Code></Error>".into());
            };
            let Some(object) = &dropped.body else {
                return response(404, "<Error><Code>NoSuchVersion</Code></Error>".into());
            };
            dropped.is_read = true;
            let range = request.headers().get("range");
            let from = range.map_or(0, |range| {
                let from = range
                    .strip_prefix("bytes=")
                    .unwrap()
                    .strip_suffix('-')
                    .unwrap();
                from.parse().unwrap()
            });
            let length = object.len() - from;
            let status = if range.is_some() { 206 } else { 200 };
            let mut answer = response(status, body(Arc::clone(world), object[from..].to_vec()));
            let headers = answer.headers_mut();
            if has_length {
                headers.insert("content-length", length.to_string());
            }
            headers.insert("etag", "\"e\"");
            headers.insert("last-modified", dropped.last_modified.clone());
            answer
        }
        "PUT" => {
            if request.headers().get("if-none-match").is_some() && bucket.put.contains_key(&key) {
                let error = "<Error><Code>PreconditionFailed</Code></Error>";
                return response(412, error.into());
            }
            if key.starts_with("work/") {
                world.events.send(key.clone()).unwrap();
            }
            let body = request.body().bytes().unwrap().to_vec();
            if key.starts_with("reports/") {
                let report: Value = serde_json::from_slice(&body).unwrap();
                let status = report["status"].as_str().unwrap().to_owned();
                bucket.statuses.push((key.clone(), status));
            }
            bucket.put.insert(key, body);
            response(200, SdkBody::empty())
        }
        "DELETE" => {
            bucket.put.remove(&key);
            response(204, SdkBody::empty())
        }
        other => panic!("{other} is not expected"),
    }
}

/// Lists the team's own mappings.
fn list(bucket: &Bucket) -> HttpResponse {
    let keys = bucket.mappings.keys();
    let contents = keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
    let list = format!(
        "<ListBucketResult>{}</ListBucketResult>",
        contents.collect::<String>()
    );
    response(200, list.into())
}

/// Returns a body that arrives in chunks, each after a pause.
fn body(world: Arc<World>, bytes: Vec<u8>) -> SdkBody {
    let pieces = futures::stream::unfold(
        (world, bytes::Bytes::from(bytes)),
        |(world, mut left)| async move {
            if left.is_empty() {
                return None;
            }
            let pause = world.random(|random| rand::RngExt::random_range(random, 0..500));
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let piece = left.split_to(left.len().min(CHUNK_BYTES));
            let frame = hyper::body::Frame::data(piece);
            Some((Ok::<_, std::convert::Infallible>(frame), (world, left)))
        },
    );
    SdkBody::from_body_1_x(http_body_util::StreamBody::new(Box::pin(pieces)))
}
