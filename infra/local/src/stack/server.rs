//! The listeners of the services and the tasks that serve them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::Error;
use super::options::Options;

/// The URLs of the services, without a trailing slash.
#[derive(Debug)]
pub(super) struct Urls {
    /// Empty if the functions run elsewhere.
    pub(super) api: String,
    pub(super) s3: String,
    pub(super) dynamodb: String,
    pub(super) logs: String,
}

/// An open port and the URL at which clients on this machine reach it.
pub(super) struct Listener {
    socket: TcpListener,
    pub(super) url: String,
}

/// The open ports of all services.
pub(super) struct Listeners {
    pub(super) s3: Listener,
    pub(super) dynamodb: Listener,
    /// CloudWatch Logs. Only functions of this process use it.
    pub(super) logs: Listener,
    /// DynamoDB itself, which clients reach through the permission check on `dynamodb`.
    pub(super) database: Listener,
    /// `None` if the functions run elsewhere.
    pub(super) api: Option<Listener>,
}

impl Listeners {
    pub(super) async fn open(options: &Options) -> Result<Self, Error> {
        let bind = options.bind;
        let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok(Self {
            s3: Listener::open(bind, options.s3_port, "--s3-port").await?,
            dynamodb: Listener::open(bind, options.dynamodb_port, "--dynamodb-port").await?,
            logs: Listener::open(localhost, 0, "the port of CloudWatch Logs").await?,
            database: Listener::open(localhost, 0, "DynamoDB's own port").await?,
            api: match options.lambda_endpoint {
                None => Some(Listener::open(bind, options.api_port, "--api-port").await?),
                Some(_) => None,
            },
        })
    }

    pub(super) fn urls(&self) -> Urls {
        Urls {
            api: self
                .api
                .as_ref()
                .map(|listener| listener.url.clone())
                .unwrap_or_default(),
            s3: self.s3.url.clone(),
            dynamodb: self.dynamodb.url.clone(),
            logs: self.logs.url.clone(),
        }
    }
}

impl Listener {
    /// Opens a port. `flag` is the command-line option that changes it.
    async fn open(bind: IpAddr, port: u16, flag: &'static str) -> Result<Self, Error> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken { port, bind, flag },
            _ => Error::Io {
                what: format!("cannot listen on {bind}, port {port} ({flag})"),
                source,
            },
        };
        let socket = TcpListener::bind((bind, port)).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let ip = if address.ip().is_unspecified() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            address.ip()
        };
        let url = format!("http://{}", SocketAddr::new(ip, address.port()));
        Ok(Self { socket, url })
    }

    /// Serves a router until `stop` becomes `true`.
    pub(super) fn serve(self, router: axum::Router, stop: &watch::Sender<bool>) -> JoinHandle<()> {
        let socket = self.socket.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stopped(stop);
        tokio::spawn(async move {
            let _ = axum::serve(socket, service)
                .with_graceful_shutdown(stopped)
                .await;
        })
    }

    /// Serves a database until `stop` becomes `true`.
    pub(super) fn serve_database(
        self,
        database: dynoxide::Database,
        stop: &watch::Sender<bool>,
    ) -> JoinHandle<()> {
        let stopped = stopped(stop);
        tokio::spawn(async move {
            let _ = dynoxide::server::serve_with_shutdown(self.socket, database, stopped).await;
        })
    }
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
