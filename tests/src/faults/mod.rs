//! A reverse proxy that stands before DynamoDB or S3 and plays what befalls their clients on a bad day: throttles,
//! errors, connections that break, answers that are lost, bodies that end early. It also counts what passes.
//!
//! Each request's lot is drawn from the seed, its operation and how many requests of that operation came before, so
//! that the same seed deals the same lots whatever the operations' order is among one another.

mod body;
mod connection;
mod lots;
mod server;
mod statements;
mod trap;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{net::TcpListener, task::JoinHandle};

use server::Shared;
pub use trap::{Moment, Trap};

/// What can befall a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is turned away, as too many: `ThrottlingException` or `SlowDown`. Nothing is done.
    Throttled,
    /// It is answered with a 500. Nothing is done.
    Failed,
    /// Its connection is reset. Nothing is done.
    Reset,
    /// It is done, and the connection is reset in place of the answer.
    Lost,
    /// It is never answered. Nothing is done.
    Stalled,
    /// The answer's body ends, with a reset, at any byte of it.
    Cut,
    /// The answer's `ETag` is another object's.
    WrongEtag,
}

/// How often a fault befalls requests.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    fault: Fault,
    /// `None`: every operation.
    operation: Option<String>,
    /// Of 1.
    share: f64,
}

/// What befalls requests. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    rules: Vec<Rule>,
    statements: f64,
    latency: Duration,
    delay: Duration,
    bytes_per_second: Option<u32>,
    write_units_per_second: Option<u32>,
}

impl Faults {
    /// A fault for a share, of 1, of all requests.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: f64) -> Self {
        self.rules.push(Rule {
            fault,
            operation: None,
            share,
        });
        self
    }

    /// A fault for a share, of 1, of the requests of one operation, such as `PutItem` or `GetObject`.
    #[must_use]
    pub fn with_on(mut self, operation: &str, fault: Fault, share: f64) -> Self {
        self.rules.push(Rule {
            fault,
            operation: Some(operation.to_owned()),
            share,
        });
        self
    }

    /// A share, of 1, of the statements of `BatchExecuteStatement` is not executed, and answered with an error that
    /// passes.
    #[must_use]
    pub const fn with_failing_statements(mut self, share: f64) -> Self {
        self.statements = share;
        self
    }

    /// Every request waits before it is passed on: up to this long, in even distribution.
    #[must_use]
    pub const fn with_latency(mut self, longest: Duration) -> Self {
        self.latency = longest;
        self
    }

    /// Every request waits exactly this long more before it is passed on.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// No body, of a request or of an answer, moves faster than this.
    #[must_use]
    pub const fn with_bandwidth(mut self, bytes_per_second: u32) -> Self {
        self.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// Writes beyond this many units (1 KiB each) a second are throttled: statements one by one, other writes whole.
    /// What is not used within a second is lost.
    #[must_use]
    pub const fn with_write_units(mut self, per_second: u32) -> Self {
        self.write_units_per_second = Some(per_second);
        self
    }
}

/// What passed of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// Requests, those that a fault befell among them.
    pub requests: u64,
    /// Requests that a fault befell.
    pub faults: u64,
    /// Statements, of `BatchExecuteStatement`.
    pub statements: u64,
    /// Statements that were not executed.
    pub failed_statements: u64,
    /// Bytes of the requests' bodies.
    pub bytes_in: u64,
    /// Bytes of the answers' bodies.
    pub bytes_out: u64,
    /// DynamoDB's, as it answered them.
    pub capacity_units: f64,
}

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    seed: u64,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of this machine. Requests are refused until [`Proxy::set_upstream`].
    ///
    /// # Errors
    /// There is no port.
    pub async fn bind(seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared::new(seed));
        let task = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        Ok(Self {
            url,
            seed,
            shared,
            task,
        })
    }

    /// Where clients reach it, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the lots are drawn from.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Passes requests on to this URL, which ends without a slash.
    pub fn set_upstream(&self, url: &str) {
        self.shared.settings().upstream = Some(url.to_owned());
    }

    /// Answers `BatchExecuteStatement` at once, as if each statement had been executed, instead of passing it on: for
    /// measuring the client alone. What DynamoDB would refuse in form is refused.
    pub fn swallow_statements(&self, swallow: bool) {
        self.shared.settings().swallow = swallow;
    }

    /// Keeps the bodies of `BatchExecuteStatement` from now on.
    pub fn record_statements(&self) {
        self.shared.settings().recorded = Some(Vec::new());
    }

    /// Takes the bodies that were kept, in the order in which they came, and keeps no more.
    #[must_use]
    pub fn take_recorded(&self) -> Vec<Bytes> {
        self.shared.settings().recorded.take().unwrap_or_default()
    }

    /// Changes what befalls the requests from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.settings().set_faults(faults);
    }

    /// Lays a trap, which proxies may share, for the requests from now on; `None` takes it away.
    pub fn set_trap(&self, trap: Option<Arc<Trap>>) {
        self.shared.settings().trap = trap;
    }

    /// What has passed, by operation: DynamoDB's and S3's own names, such as `PutItem` and `GetObject`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, Count> {
        lock(&self.shared.counts).clone()
    }

    /// Counts from nought.
    pub fn reset_counts(&self) {
        lock(&self.shared.counts).clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        if std::thread::panicking() {
            eprintln!(
                "the seed of the faults at {} was {}; with it they come again",
                self.url, self.seed
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
