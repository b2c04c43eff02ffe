//! The whole service in this process. In: options and the template. Out: the addresses of the running services, and methods that
//! read and change their state for tests.

pub(crate) mod clients;
mod error;
mod folder;
mod guard;
mod options;
mod server;
mod start;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use error::Error;
use folder::DataFolder;
pub use options::Options;
use server::Urls;

use crate::IDENTITY_KEY;
use crate::cloudwatch::LogGroups;
use crate::iam::{Permission, Permissions};
use crate::lambda::{InvokeError, Lambda};
use crate::logs::Logs;
use crate::s3::{Created, Store};

/// The maximum time that a shutdown waits for requests in progress.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// The maximum time that [`Stack::audited`] waits for a line.
const AUDIT_WAIT: Duration = Duration::from_secs(60);

/// A running stack. Dropping it kills its processes immediately; [`Stack::shutdown`] stops it gracefully.
#[derive(Debug)]
pub struct Stack {
    urls: Urls,
    bucket: String,
    table: String,
    store: Arc<Store>,
    s3: aws_sdk_s3::Client,
    lambda: Arc<Lambda>,
    permissions: Arc<Permissions>,
    log_groups: Arc<LogGroups>,
    audit_file: PathBuf,
    logs: Logs,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    subscriptions: JoinHandle<()>,
    notifier: JoinHandle<()>,
    rest: mpsc::UnboundedSender<oneshot::Sender<()>>,
    _folder: DataFolder,
}

impl Stack {
    /// Returns the URL of the HTTP API, without a trailing slash. Empty if the functions run elsewhere.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.urls.api
    }

    /// Returns the endpoint of S3.
    #[must_use]
    pub fn s3_url(&self) -> &str {
        &self.urls.s3
    }

    /// Returns the endpoint of DynamoDB.
    #[must_use]
    pub fn dynamodb_url(&self) -> &str {
        &self.urls.dynamodb
    }

    /// Returns the name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the key from which identity ids are derived in the local stack.
    #[must_use]
    pub fn identity_key(&self) -> &'static str {
        IDENTITY_KEY
    }

    /// Returns a client for the bucket.
    #[must_use]
    pub fn s3_client(&self) -> aws_sdk_s3::Client {
        self.s3.clone()
    }

    /// Returns a client for the table.
    #[must_use]
    pub fn dynamodb_client(&self) -> aws_sdk_dynamodb::Client {
        clients::dynamodb(&self.urls.dynamodb)
    }

    /// Returns whether the bucket is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list("").is_empty()
    }

    /// Puts an object and returns its version id, which is empty if the bucket has no versions.
    ///
    /// # Errors
    /// The bucket rejects the request.
    pub async fn put(&self, key: &str, body: impl Into<Bytes>) -> Result<String, Error> {
        self.put_stream(key, body.into().into()).await
    }

    /// Returns the newest version of an object; `None` if it does not exist.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        let failed = |error: String| Error::Bucket(error);
        match self
            .s3
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
        {
            Ok(object) => {
                let body = object
                    .body
                    .collect()
                    .await
                    .map_err(|error| failed(error.to_string()))?;
                Ok(Some(body.into_bytes()))
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_key()) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(DisplayErrorContext(error).to_string())),
        }
    }

    /// Returns the feeds of created objects and of the functions' log lines.
    pub(crate) fn feeds(&self) -> (Receiver<Created>, Receiver<String>) {
        (self.store.subscribe(), self.logs.subscribe())
    }

    /// Returns all keys with a prefix, in order.
    #[must_use]
    pub fn list(&self, prefix: &str) -> Vec<String> {
        self.store.keys(&self.bucket, prefix)
    }

    /// Invokes a function by its name, such as `ingest`, and waits for its result.
    ///
    /// # Errors
    /// The function reported an error, its process failed, or the function does not exist.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        let unknown = || {
            InvokeError::new(
                "ResourceNotFoundException",
                format!("no function {function}"),
            )
        };
        let id = self.lambda.with_name(function).ok_or_else(unknown)?;
        let answer = self
            .lambda
            .invoke(
                id,
                &Uuid::new_v4().to_string(),
                Bytes::from(event.to_string()),
            )
            .await?;
        serde_json::from_slice(&answer)
            .map_err(|error| InvokeError::new("Local.InvalidJson", error))
    }

    /// Kills the processes of a function that have an invocation. Their invocations fail, and events are retried.
    pub fn kill_working(&self, function: &str) {
        if let Some(id) = self.lambda.with_name(function) {
            self.lambda.kill_working(id);
        }
    }

    /// Waits until no notification is left. Every event of the objects put so far, and of the objects created as a result, has
    /// then been processed or dead-lettered.
    pub async fn wait_idle(&self) {
        let (asked, answer) = oneshot::channel();
        if self.rest.send(asked).is_ok() {
            let _ = answer.await;
        }
    }

    /// Returns the lines that the functions wrote to their standard output and error, oldest first. All lines of an invocation that
    /// has ended are there.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.logs.all()
    }

    /// Returns the lines of the audit log, in the order of their arrival.
    #[must_use]
    pub fn audit_log(&self) -> Vec<Value> {
        self.log_groups.lines().borrow().clone()
    }

    /// Waits until the audit log has a line that `is_wanted` accepts, and returns the first one.
    ///
    /// # Errors
    /// No such line arrives within 60 seconds.
    pub async fn audited(&self, is_wanted: impl Fn(&Value) -> bool) -> Result<Value, Error> {
        let mut lines = self.log_groups.lines();
        let arrived = lines.wait_for(|lines| lines.iter().any(&is_wanted));
        let arrived = tokio::time::timeout(AUDIT_WAIT, arrived).await;
        let line = match &arrived {
            Ok(Ok(lines)) => lines.iter().find(|line| is_wanted(line)).cloned(),
            _ => None,
        };
        line.ok_or_else(|| Error::Audit(self.logs.tail(20)))
    }

    /// Returns the file to which the audit log is written, one line for each request.
    #[must_use]
    pub fn audit_file(&self) -> &Path {
        &self.audit_file
    }

    /// Returns the permissions for DynamoDB and S3 that the template's policies give to the functions.
    #[must_use]
    pub fn allowed(&self) -> BTreeSet<Permission> {
        self.permissions.allowed()
    }

    /// Returns the permissions for DynamoDB and S3 that the functions have used so far.
    #[must_use]
    pub fn used(&self) -> BTreeSet<Permission> {
        self.permissions.used()
    }

    /// Ends the functions' processes, then the services.
    pub async fn shutdown(mut self) {
        self.notifier.abort();
        self.subscriptions.abort();
        self.lambda.stop().await;
        self.stop.send_replace(true);
        let servers = std::mem::take(&mut self.servers);
        let aborts: Vec<_> = servers.iter().map(JoinHandle::abort_handle).collect();
        let _ = tokio::time::timeout(SHUTDOWN_GRACE, futures::future::join_all(servers)).await;
        aborts.iter().for_each(tokio::task::AbortHandle::abort);
    }

    pub(crate) async fn put_stream(&self, key: &str, body: ByteStream) -> Result<String, Error> {
        let put = self
            .s3
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(body)
            .send()
            .await;
        let put = put.map_err(|error| Error::Bucket(DisplayErrorContext(error).to_string()))?;
        Ok(put.version_id.unwrap_or_default())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.store.has(&self.bucket, key)
    }

    pub(crate) fn not_imported(&self, key: String, reason: String) -> Error {
        Error::Import {
            key,
            reason,
            logs: self.logs.tail(20),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The servers and the notifier keep references to `Lambda`, so dropping the stack's own would not kill the processes.
        self.stop.send_replace(true);
        self.notifier.abort();
        self.subscriptions.abort();
        self.servers.iter().for_each(JoinHandle::abort);
        self.lambda.kill();
    }
}
