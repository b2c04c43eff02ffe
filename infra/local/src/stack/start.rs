//! Starts the services of a stack and connects them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Stack;
use super::clients;
use super::error::Error;
use super::folder::DataFolder;
use super::guard::guarded;
use super::options::Options;
use super::server::{Listeners, Urls};
use crate::cloudwatch::{self, LogGroups, Subscriptions};
use crate::gateway::{Gateway, ImageHost, Page, cors};
use crate::iam::{self, Permissions};
use crate::lambda::{Lambda, Program, build};
use crate::logs::Logs;
use crate::notifications::{Notifier, Target};
use crate::s3::{self, Created, Store, Versioning};
use crate::template::{Bucket, Cors, Function, Template};
use crate::{dynamodb, workspace};

impl Stack {
    /// Starts a stack. The first start in a process builds the functions.
    ///
    /// # Errors
    /// The template cannot be read, the functions do not build, a port is taken, or the data folder cannot be used.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let parts = Parts::prepare(&options).await?;
        Ok(connect(parts, options))
    }
}

/// The parts of a stack, before they are connected.
struct Parts {
    template: Template,
    functions: Vec<Function>,
    binaries: BTreeMap<String, PathBuf>,
    listeners: Listeners,
    folder: DataFolder,
    store: Arc<Store>,
    /// The feed of created objects.
    created: mpsc::UnboundedReceiver<Created>,
    database: dynoxide::Database,
    log_groups: Arc<LogGroups>,
}

impl Parts {
    /// Reads the template, builds the functions, and opens the ports and the data folder.
    async fn prepare(options: &Options) -> Result<Self, Error> {
        let template = read_template(options)?;
        let functions: Vec<Function> = template.functions.values().cloned().collect();
        let binaries = build_functions(&functions, options).await?;
        // Ports are opened first, so that a taken port is detected before anything is written.
        let listeners = Listeners::open(options).await?;
        let folder = DataFolder::open(options.data_dir.as_deref())?;
        let (store, created) = open_store(&folder, &template.bucket)?;
        let database = dynamodb::open(folder.table_file().as_deref(), &template.table)
            .map_err(Error::Table)?;
        Ok(Self {
            log_groups: open_log_groups(&folder, &template)?,
            template,
            functions,
            binaries,
            listeners,
            folder,
            store,
            created,
            database,
        })
    }
}

/// Connects the parts of a stack, and serves them.
fn connect(parts: Parts, options: Options) -> Stack {
    let Parts {
        template,
        functions,
        listeners,
        folder,
        store,
        log_groups,
        ..
    } = parts;
    let urls = listeners.urls();
    let (lines, subscribed) = mpsc::unbounded_channel();
    let logs = Logs::new(options.show_logs).with_subscriptions(lines);
    let permissions = Arc::new(permissions(&functions, &logs));
    let programs = programs(&functions, &parts.binaries, &urls, &options.environment);
    let lambda = Arc::new(Lambda::new(&template.functions, &programs, &logs));
    let s3 = clients::s3(&urls.s3);
    let api_origins = template.cors.as_ref().map(|cors| cors.origins.clone());
    let gateway = gateway(&functions, template.cors, &lambda, &options.image_hosts);
    let notifier = Notifier {
        functions: Arc::new(functions),
        bucket: template.bucket.name.clone(),
        delivery: options.delivery,
        target: target(options.lambda_endpoint, &lambda),
        s3: s3.clone(),
        logs: logs.clone(),
    };
    let services = Services {
        s3: s3::router(Arc::clone(&store)),
        s3_cors: s3_cors(template.bucket.cors, &urls.api),
        database: parts.database,
        gateway,
        log_groups: Arc::clone(&log_groups),
        api_origins: api_origins.unwrap_or_default(),
        table: &template.table.name,
    };
    let stop = watch::Sender::new(false);
    let servers = services.serve(listeners, &permissions, &stop);
    let (rest, asked) = mpsc::unbounded_channel();
    Stack {
        urls,
        bucket: template.bucket.name,
        table: template.table.name,
        store,
        s3,
        lambda,
        permissions,
        log_groups,
        audit_file: folder.audit_file(),
        logs,
        stop,
        servers,
        subscriptions: tokio::spawn(Subscriptions::new(notifier.clone()).run(subscribed)),
        notifier: tokio::spawn(notifier.run(parts.created, asked)),
        rest,
        _folder: folder,
    }
}

/// The services, before they are connected to their ports.
struct Services<'a> {
    s3: axum::Router,
    s3_cors: Cors,
    database: dynoxide::Database,
    gateway: Gateway,
    log_groups: Arc<LogGroups>,
    api_origins: Vec<String>,
    table: &'a str,
}

impl Services<'_> {
    /// Serves each service on its port until `stop` becomes `true`. Requests of foreign pages are refused. Requests to S3 and DynamoDB pass
    /// the permission check.
    fn serve(
        self,
        listeners: Listeners,
        permissions: &Arc<Permissions>,
        stop: &watch::Sender<bool>,
    ) -> Vec<JoinHandle<()>> {
        let check = axum::middleware::from_fn_with_state(Arc::clone(permissions), iam::s3);
        let database_host = listeners.database.url.replace("http://", "");
        let dynamodb = iam::dynamodb(Arc::clone(permissions), self.table, database_host);
        let s3_origins = self.s3_cors.origins.clone();
        let cors = axum::middleware::from_fn_with_state(Arc::new(self.s3_cors), cors::of_bucket);
        let s3 = guarded(self.s3.layer(check).layer(cors), s3_origins);
        let logs = cloudwatch::router(self.log_groups, Arc::clone(permissions));
        let mut servers = vec![
            listeners.s3.serve(s3, stop),
            listeners
                .dynamodb
                .serve(guarded(dynamodb, Vec::new()), stop),
            listeners.logs.serve(guarded(logs, Vec::new()), stop),
            listeners.database.serve_database(self.database, stop),
        ];
        let router = guarded(self.gateway.router(), self.api_origins);
        servers.extend(listeners.api.map(|listener| listener.serve(router, stop)));
        servers
    }
}

/// Returns the template with the parameters and timeouts of the options.
fn read_template(options: &Options) -> Result<Template, Error> {
    let path = workspace::root().join("template.yaml");
    let mut template = Template::read(&path, &options.parameters)?;
    for function in template.functions.values_mut() {
        if let Some(timeout) = options.timeouts.get(&function.name) {
            function.timeout = *timeout;
        }
    }
    Ok(template)
}

/// Builds the functions, unless they run elsewhere. Returns the path of each binary.
async fn build_functions(
    functions: &[Function],
    options: &Options,
) -> Result<BTreeMap<String, PathBuf>, Error> {
    if options.lambda_endpoint.is_some() {
        return Ok(BTreeMap::new());
    }
    let names: BTreeSet<_> = functions
        .iter()
        .map(|function| function.binary.clone())
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    build::binaries(&names, options.show_build)
        .await
        .map_err(Error::Build)
}

/// Opens the bucket. Returns it and the feed of created objects.
fn open_store(
    folder: &DataFolder,
    bucket: &Bucket,
) -> Result<(Arc<Store>, mpsc::UnboundedReceiver<Created>), Error> {
    let failed = |source| Error::Io {
        what: folder.path().display().to_string(),
        source,
    };
    let versioning = if bucket.versioned {
        Versioning::Enabled
    } else {
        Versioning::Never
    };
    let (notifications, created) = mpsc::unbounded_channel();
    let store = Store::open(&folder.path().join("s3"), notifications).map_err(failed)?;
    store
        .ensure_bucket(&bucket.name, versioning)
        .map_err(failed)?;
    Ok((Arc::new(store), created))
}

/// Opens the log groups that functions write to through the API.
fn open_log_groups(folder: &DataFolder, template: &Template) -> Result<Arc<LogGroups>, Error> {
    let failed = |source| Error::Io {
        what: folder.path().display().to_string(),
        source,
    };
    let names = template.log_groups.clone();
    let groups = LogGroups::new(names, &folder.audit_file()).map_err(failed)?;
    Ok(Arc::new(groups))
}

/// Returns the gateway of the API, with the page that it serves.
fn gateway(
    functions: &[Function],
    cors: Option<Cors>,
    lambda: &Arc<Lambda>,
    image_hosts: &[ImageHost],
) -> Gateway {
    let page = Page::new(workspace::root().join("infra/console"), image_hosts);
    Gateway::new(
        functions,
        cors,
        Arc::clone(lambda),
        samples::image_folder(),
        page,
    )
}

/// Returns the CORS configuration of the bucket. The page that the API serves here can upload files too.
fn s3_cors(cors: Option<Cors>, api: &str) -> Cors {
    let mut cors = cors.unwrap_or_default();
    cors.origins.push(api.to_owned());
    cors.origins
        .push(api.replace("//127.0.0.1:", "//localhost:"));
    cors
}

/// Returns where notifications go: to `endpoint`, or else to the functions of this process.
fn target(endpoint: Option<String>, lambda: &Arc<Lambda>) -> Target {
    match endpoint {
        Some(endpoint) => Target::Endpoint(endpoint, reqwest::Client::new()),
        None => Target::InProcess(Arc::clone(lambda)),
    }
}

fn permissions(functions: &[Function], logs: &Logs) -> Permissions {
    let allows = functions
        .iter()
        .map(|function| (function.name.clone(), function.allows.clone()))
        .collect();
    Permissions::new(allows, logs)
}

/// Returns the program and environment of each function, by its name. Only `RUST_LOG` is inherited from this process.
fn programs(
    functions: &[Function],
    binaries: &BTreeMap<String, PathBuf>,
    urls: &Urls,
    overrides: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, Program> {
    let with_environment = |function: &Function| {
        let path = binaries.get(&function.binary)?.clone();
        let mut environment = function.environment.clone();
        let local = [
            ("AWS_SAM_LOCAL", "true"),
            ("AWS_REGION", crate::template::REGION),
            // The access key identifies the function to DynamoDB and S3.
            ("AWS_ACCESS_KEY_ID", function.name.as_str()),
            ("AWS_SECRET_ACCESS_KEY", clients::SECRET_KEY),
            ("AWS_ENDPOINT_URL_DYNAMODB", &urls.dynamodb),
            ("AWS_ENDPOINT_URL_S3", &urls.s3),
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &urls.logs),
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
        environment.extend(overrides.get(&function.name).cloned().unwrap_or_default());
        Some((function.name.clone(), Program { path, environment }))
    };
    functions.iter().filter_map(with_environment).collect()
}
