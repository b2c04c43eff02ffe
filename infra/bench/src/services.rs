//! Starts the services of a measurement: DynamoDB and S3 behind proxies. Also builds the environment of the functions.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use local::{Options, Stack};
use serde_json::{Value, json};
use tests::faults::Proxy;
use tokio::net::TcpListener;

use crate::{Failure, build, function::Program, tls};

/// The services of one measurement. A fault proxy runs before each, and TLS before the table.
pub(crate) struct Services {
    pub(crate) stack: Stack,
    /// The proxy before the table.
    pub(crate) table: Proxy,
    /// The proxy before the bucket.
    pub(crate) bucket: Proxy,
    tls: String,
    own_authority: PathBuf,
    trusted: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Services {
    /// Starts the services.
    pub(crate) async fn start() -> Result<Self, Failure> {
        // The bench invokes the functions itself: notifications of files go to a server that ignores them.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let ignoring = axum::Router::new().fallback(|| async { axum::http::StatusCode::ACCEPTED });
        tokio::spawn(async move { axum::serve(listener, ignoring).await });
        let stack = Stack::start(Options {
            lambda_endpoint: Some(endpoint),
            ..Options::default()
        })
        .await?;
        let folder = tempfile::tempdir()?;
        let own_authority = folder.path().join("own.pem");
        let trusted = folder.path().join("trusted.pem");
        let (table, bucket) = (Proxy::bind(1).await?, Proxy::bind(1).await?);
        table.set_upstream(stack.dynamodb_url());
        bucket.set_upstream(stack.s3_url());
        let tls = tls::serve(table.url(), &own_authority, &trusted).await?;
        Ok(Self {
            stack,
            table,
            bucket,
            tls,
            own_authority,
            trusted,
            folder,
        })
    }

    /// Returns a program with the environment of a function, over plain HTTP.
    pub(crate) fn program(&self, binary: &Path) -> Program {
        let set = |name, value: &str| (name, value.to_owned());
        Program {
            binary: binary.to_owned(),
            environment: vec![
                set("TABLE_NAME", self.stack.table()),
                set("BUCKET_NAME", self.stack.bucket()),
                set("DEFAULT_CURRENCY", "USD"),
                set("IDENTITY_KEY", self.stack.identity_key()),
                set("AWS_REGION", "us-east-1"),
                set("AWS_ACCESS_KEY_ID", "bench"),
                set("AWS_SECRET_ACCESS_KEY", "bench"),
                set("AWS_ENDPOINT_URL_DYNAMODB", self.table.url()),
                set("AWS_ENDPOINT_URL_S3", self.bucket.url()),
                // One range per file, unless a measurement needs more.
                set("CHUNK_BYTES", &(1_u64 << 50).to_string()),
            ],
        }
    }

    /// Returns a program with the environment of a function, over TLS.
    pub(crate) fn program_over_tls(&self, binary: &Path) -> Program {
        let mut program = self.program(binary);
        for (name, value) in &mut program.environment {
            if *name == "AWS_ENDPOINT_URL_DYNAMODB" {
                value.clone_from(&self.tls);
            }
        }
        let trusted = self.trusted.display().to_string();
        // The SDK's default client reads the certificates that the machine trusts from this file.
        program.environment.push(("SSL_CERT_FILE", trusted));
        let own = self.own_authority.display().to_string();
        program.environment.push(("AWS_CA_BUNDLE", own));
        program
    }

    /// Puts a file and returns its S3 notification.
    pub(crate) async fn drop_file(
        &self,
        key: &str,
        body: impl Into<Bytes>,
    ) -> Result<Value, Failure> {
        let body = body.into();
        let size = body.len();
        let version = self.stack.put(key, body).await?;
        let event = build::workspace().join("functions/ingest/events/put.json");
        let mut event: Value = serde_json::from_slice(&tokio::fs::read(event).await?)?;
        let record = &mut event["Records"][0]["s3"];
        record["bucket"]["name"] = self.stack.bucket().into();
        record["object"] =
            json!({"key": key, "size": size, "versionId": version, "sequencer": "01"});
        Ok(event)
    }

    /// Returns the report of a file.
    pub(crate) async fn report(&self, key: &str) -> Result<Value, Failure> {
        let folder = format!("reports/{key}/");
        let report = self
            .stack
            .list(&folder)
            .pop()
            .ok_or("ingest wrote no report")?;
        let report = self
            .stack
            .get(&report)
            .await?
            .ok_or("ingest wrote no report")?;
        Ok(serde_json::from_slice(&report)?)
    }

    /// Deletes the file of a notification permanently, because it may be large.
    pub(crate) async fn remove(&self, event: &Value) -> Result<(), Failure> {
        let (key, version) = dropped_object(event)?;
        let client = self.stack.s3_client();
        let request = client.delete_object().bucket(self.stack.bucket()).key(key);
        request.version_id(version).send().await?;
        Ok(())
    }
}

/// Returns the key and the version ID of a notification's file.
pub(crate) fn dropped_object(event: &Value) -> Result<(&str, &str), Failure> {
    let object = &event["Records"][0]["s3"]["object"];
    let (key, version) = (object["key"].as_str(), object["versionId"].as_str());
    Ok(key.zip(version).ok_or("a notification has no object")?)
}

/// Returns the notification of a manifest, made from the notification of its file.
pub(crate) fn manifest_event(event: &Value, key: &str) -> Value {
    let mut manifest = event.clone();
    manifest["Records"][0]["s3"]["object"] =
        json!({"key": key, "size": 1, "versionId": "m", "sequencer": "01"});
    manifest
}

/// Returns an HTTP API event for a path, made from a fixture of the functions.
pub(crate) async fn request(fixture: &str, path: &str) -> Result<Value, Failure> {
    let fixture = build::workspace().join("functions").join(fixture);
    let mut event: Value = serde_json::from_slice(&tokio::fs::read(fixture).await?)?;
    event["rawPath"] = path.into();
    if let Some(id) = event.pointer_mut("/pathParameters/id") {
        *id = path.split('/').nth(2).unwrap_or_default().into();
    }
    event["rawQueryString"] = "".into();
    event["requestContext"]["http"]["path"] = path.into();
    if let Some(event) = event.as_object_mut() {
        event.remove("queryStringParameters");
    }
    Ok(event)
}
