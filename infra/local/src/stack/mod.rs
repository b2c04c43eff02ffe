//! The stack: starts all services together, returns their addresses, and supports tests.

pub(crate) mod clients;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use axum::serve::ListenerExt;
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::gateway::Gateway;
use crate::iam::{self, Permission, Permissions};
use crate::lambda::{InvokeError, Lambda, Program};
use crate::logs::Logs;
use crate::notifications::{Delivery, Notifier, Target};
use crate::s3::{Created, Store};
use crate::template::{Function, Template, TemplateError};
use crate::{IDENTITY_KEY, dynamodb, lambda, s3, workspace};

/// The maximum time that a shutdown waits for requests in progress.
const GRACE: Duration = Duration::from_millis(500);

/// The options of a stack. The default suits tests: in memory, on free ports, without output.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the table and the bucket. `None` keeps them until the stack is dropped.
    pub data_dir: Option<PathBuf>,
    /// The address that all three services listen on.
    pub bind: IpAddr,
    /// The port of the HTTP API; 0 selects any free port.
    pub api_port: u16,
    /// The port of S3; 0 selects any free port.
    pub s3_port: u16,
    /// The port of DynamoDB; 0 selects any free port.
    pub dynamodb_port: u16,
    /// Values that replace the defaults of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Environment variables in addition to the template's, by the function's binary.
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Timeouts that replace the template's, by the function's binary.
    pub timeouts: BTreeMap<String, Duration>,
    /// The delivery of S3's notifications.
    pub delivery: Delivery,
    /// Whether the functions' log lines are written to standard error.
    pub show_logs: bool,
    /// Whether Cargo's progress is written to standard error.
    pub show_build: bool,
    /// The URL of a Lambda endpoint that runs the functions. If set, the stack has no functions and no HTTP API, and sends S3's
    /// notifications to this endpoint.
    pub lambda_endpoint: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            data_dir: None,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            api_port: 0,
            s3_port: 0,
            dynamodb_port: 0,
            parameters: BTreeMap::new(),
            environment: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            delivery: Delivery::default(),
            show_logs: false,
            show_build: false,
            lambda_endpoint: None,
        }
    }
}

/// An error when the stack starts or handles a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `template.yaml` is not supported or cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The functions do not build. Contains Cargo's output, unless it was already shown.
    #[error("the functions do not build\n{0}")]
    Build(String),
    /// Another process listens on the port.
    #[error(
        "port {port} on {bind} is taken: stop what listens there, or choose another port with {flag} (0 is any free one)"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// The address.
        bind: IpAddr,
        /// The command-line option that changes the port.
        flag: &'static str,
    },
    /// A file or a socket cannot be used.
    #[error("{what}: {source}")]
    Io {
        /// The file or socket.
        what: String,
        /// The cause.
        source: io::Error,
    },
    /// The table cannot be opened or created.
    #[error("DynamoDB: {0}")]
    Table(String),
    /// The bucket rejected a request.
    #[error("S3: {0}")]
    Bucket(String),
    /// A dropped file was not imported: there is no report, or an event in `failed/`.
    #[error("{key} was not imported: {reason}\nThe functions' last lines:\n{logs}")]
    Import {
        /// The object's key.
        key: String,
        /// The cause.
        reason: String,
        /// The last log lines of all functions.
        logs: String,
    },
}

/// A running stack. Dropping it kills its processes immediately; [`Stack::shutdown`] stops it gracefully.
#[derive(Debug)]
pub struct Stack {
    api_url: String,
    s3_url: String,
    dynamodb_url: String,
    bucket: String,
    table: String,
    store: Arc<Store>,
    s3: aws_sdk_s3::Client,
    lambda: Arc<Lambda>,
    permissions: Arc<Permissions>,
    logs: Logs,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    notifier: JoinHandle<()>,
    rest: mpsc::UnboundedSender<oneshot::Sender<()>>,
    _lock: Option<std::fs::File>,
    _folder: Option<TempDir>,
}

impl Stack {
    /// Starts a stack. The first start in a process builds the functions.
    ///
    /// # Errors
    /// The template cannot be read, the functions do not build, a port is taken, or the data folder cannot be used.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let workspace = workspace::root();
        let mut template = Template::read(&workspace.join("template.yaml"), &options.parameters)?;
        for function in template.functions.values_mut() {
            function.timeout = *options
                .timeouts
                .get(&function.binary)
                .unwrap_or(&function.timeout);
        }
        let functions: Vec<Function> = template.functions.values().cloned().collect();
        let here = options.lambda_endpoint.is_none();
        let names: Vec<_> = functions
            .iter()
            .map(|function| function.binary.clone())
            .collect();
        let binaries = if here {
            lambda::build::binaries(&names, options.show_build)
                .await
                .map_err(Error::Build)?
        } else {
            BTreeMap::new()
        };

        // Ports are opened first, so that a taken port is detected before anything is written.
        let s3_listener = listen(options.bind, options.s3_port, "--s3-port").await?;
        let dynamodb_listener =
            listen(options.bind, options.dynamodb_port, "--dynamodb-port").await?;
        let api_listener = if here {
            Some(listen(options.bind, options.api_port, "--api-port").await?)
        } else {
            None
        };
        let (s3_url, dynamodb_url) = (url(&s3_listener)?, url(&dynamodb_listener)?);
        let api_url = api_listener
            .as_ref()
            .map(url)
            .transpose()?
            .unwrap_or_default();

        let (folder, lock, temporary) = folder(options.data_dir.as_deref())?;
        let (notifications, created) = mpsc::unbounded_channel();
        let in_folder = |source| Error::Io {
            what: folder.display().to_string(),
            source,
        };
        let store = Arc::new(Store::open(&folder.join("s3"), notifications).map_err(in_folder)?);
        store
            .ensure_bucket(&template.bucket.name, template.bucket.versioned)
            .map_err(in_folder)?;
        let file = options
            .data_dir
            .is_some()
            .then(|| folder.join("dynamodb.sqlite"));
        let database = dynamodb::open(file.as_deref(), &template.table).map_err(Error::Table)?;

        let logs = Logs::new(options.show_logs);
        let allows = functions
            .iter()
            .map(|function| (function.binary.clone(), function.allows.clone()))
            .collect();
        let permissions = Arc::new(Permissions::new(allows, &logs));
        let inner = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, "DynamoDB's own port").await?;
        let front = iam::dynamodb(
            Arc::clone(&permissions),
            &template.table.name,
            url(&inner)?.replace("http://", ""),
        );
        let endpoints = Endpoints {
            s3: &s3_url,
            dynamodb: &dynamodb_url,
        };
        let programs = programs(&functions, binaries, &endpoints, &options.environment);
        let lambda = Arc::new(Lambda::new(&template.functions, &programs, &logs));
        let s3 = clients::s3(&s3_url);
        let notifier = Notifier {
            functions: Arc::new(functions.clone()),
            bucket: template.bucket.name.clone(),
            delivery: options.delivery,
            target: match options.lambda_endpoint {
                Some(endpoint) => Target::Endpoint(endpoint, reqwest::Client::new()),
                None => Target::Here(Arc::clone(&lambda)),
            },
            s3: s3.clone(),
            logs: logs.clone(),
        };

        let (rest, asked) = mpsc::unbounded_channel();
        let stop = watch::Sender::new(false);
        let mut servers = vec![
            serve(
                s3_listener,
                s3::router(Arc::clone(&store)).layer(axum::middleware::from_fn_with_state(
                    Arc::clone(&permissions),
                    iam::s3,
                )),
                &stop,
            ),
            serve(dynamodb_listener, front, &stop),
            serve_dynamodb(inner, database, &stop),
        ];
        if let Some(listener) = api_listener {
            let images = samples::image_folder();
            let console = workspace.join("infra/console");
            let gateway = Gateway::new(
                &functions,
                template.cors,
                Arc::clone(&lambda),
                images,
                console,
            );
            servers.push(serve(listener, gateway.router(), &stop));
        }
        Ok(Self {
            api_url,
            s3_url,
            dynamodb_url,
            bucket: template.bucket.name,
            table: template.table.name,
            store,
            s3,
            lambda,
            permissions,
            logs,
            stop,
            servers,
            notifier: tokio::spawn(notifier.run(created, asked)),
            rest,
            _lock: lock,
            _folder: temporary,
        })
    }

    /// Returns the URL of the HTTP API, without a trailing slash. Empty if the functions run elsewhere.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Returns the endpoint of S3.
    #[must_use]
    pub fn s3_url(&self) -> &str {
        &self.s3_url
    }

    /// Returns the endpoint of DynamoDB.
    #[must_use]
    pub fn dynamodb_url(&self) -> &str {
        &self.dynamodb_url
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
        clients::dynamodb(&self.dynamodb_url)
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

    /// Invokes a function by the name of its binary and waits for its result.
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
        let id = self.lambda.with_binary(function).ok_or_else(unknown)?;
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

    /// Kills the processes of a function that have an invocation. The function is named by its binary. Their invocations fail,
    /// and events are retried.
    pub fn kill_working(&self, function: &str) {
        if let Some(id) = self.lambda.with_binary(function) {
            self.lambda.kill_working(id);
        }
    }

    /// Waits until no notification is left. Every event of the objects put so far, and of the objects created as a result, has
    /// then been processed or dead-lettered.
    pub async fn at_rest(&self) {
        let (asked, answer) = oneshot::channel();
        if self.rest.send(asked).is_ok() {
            let _ = answer.await;
        }
    }

    /// Returns the lines that the functions wrote to their standard output and error, oldest first. Lines written just before a
    /// response may appear a moment later.
    #[must_use]
    pub fn logs(&self) -> Vec<String> {
        self.logs.all()
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
        self.lambda.stop().await;
        self.stop.send_replace(true);
        let servers = std::mem::take(&mut self.servers);
        let aborts: Vec<_> = servers.iter().map(JoinHandle::abort_handle).collect();
        let _ = tokio::time::timeout(GRACE, futures::future::join_all(servers)).await;
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
        self.servers.iter().for_each(JoinHandle::abort);
        self.lambda.kill();
    }
}

struct Endpoints<'a> {
    s3: &'a str,
    dynamodb: &'a str,
}

/// Returns the program and environment of each binary. Only `RUST_LOG` is inherited from this process.
fn programs(
    functions: &[Function],
    binaries: BTreeMap<String, PathBuf>,
    endpoints: &Endpoints<'_>,
    overrides: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, Program> {
    let with_environment = |(binary, path): (String, PathBuf)| {
        let function = functions
            .iter()
            .find(|function| function.binary == binary)?;
        let mut environment = function.environment.clone();
        let local = [
            ("AWS_SAM_LOCAL", "true"),
            ("AWS_REGION", crate::template::REGION),
            // The access key identifies the function to DynamoDB and S3.
            ("AWS_ACCESS_KEY_ID", binary.as_str()),
            ("AWS_SECRET_ACCESS_KEY", clients::SECRET_KEY),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb),
            ("AWS_ENDPOINT_URL_S3", endpoints.s3),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ];
        environment.extend(
            local
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        environment.extend(
            std::env::var("RUST_LOG")
                .ok()
                .map(|value| ("RUST_LOG".to_owned(), value)),
        );
        environment.extend(overrides.get(&binary).cloned().unwrap_or_default());
        Some((binary, Program { path, environment }))
    };
    binaries.into_iter().filter_map(with_environment).collect()
}

/// Returns the data folder, locked against a second stack, or else a temporary folder.
fn folder(
    data_dir: Option<&Path>,
) -> Result<(PathBuf, Option<std::fs::File>, Option<TempDir>), Error> {
    let Some(folder) = data_dir else {
        let temporary = tempfile::Builder::new()
            .prefix("customer-profiles-")
            .tempdir();
        let temporary = temporary.map_err(|source| Error::Io {
            what: "a temporary folder".to_owned(),
            source,
        })?;
        return Ok((temporary.path().to_owned(), None, Some(temporary)));
    };
    let failed = |source| Error::Io {
        what: folder.display().to_string(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let lock = std::fs::File::create(folder.join("lock")).map_err(failed)?;
    lock.try_lock()
        .map_err(|_| failed(io::Error::other("another local stack uses this folder")))?;
    Ok((folder.to_owned(), Some(lock), None))
}

async fn listen(bind: IpAddr, port: u16, flag: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind((bind, port))
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken { port, bind, flag },
            _ => Error::Io {
                what: format!("listening on {bind}, port {port} ({flag})"),
                source,
            },
        })
}

/// Returns the URL at which clients on this machine reach a listener.
fn url(listener: &TcpListener) -> Result<String, Error> {
    let address = listener.local_addr().map_err(|source| Error::Io {
        what: "a listener".to_owned(),
        source,
    })?;
    let ip = if address.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        address.ip()
    };
    Ok(format!("http://{}", SocketAddr::new(ip, address.port())))
}

fn serve(
    listener: TcpListener,
    router: axum::Router,
    stop: &watch::Sender<bool>,
) -> JoinHandle<()> {
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = stopped(stop);
    tokio::spawn(async move {
        let _ = axum::serve(listener, service)
            .with_graceful_shutdown(stopped)
            .await;
    })
}

fn serve_dynamodb(
    listener: TcpListener,
    database: dynoxide::Database,
    stop: &watch::Sender<bool>,
) -> JoinHandle<()> {
    let stopped = stopped(stop);
    tokio::spawn(async move {
        let _ = dynoxide::server::serve_with_shutdown(listener, database, stopped).await;
    })
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
