//! A reverse proxy in front of DynamoDB or S3 that injects faults: throttling, errors, broken connections, lost responses,
//! truncated bodies. It also counts requests.
//!
//! The fault of a request depends on the seed, its operation and the number of earlier requests of that operation. The same seed
//! injects the same faults in any order of operations.

mod body;
mod connection;
mod draw;
mod grants;
mod server;
mod state;
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

use state::Shared;
pub use trap::{Moment, Trap};

/// A fault of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Rejects with `ThrottlingException` or `SlowDown`. Nothing is executed.
    Throttled,
    /// Responds with status 500. Nothing is executed.
    Failed,
    /// Resets the connection. Nothing is executed.
    Reset,
    /// Executes the request and resets the connection instead of responding.
    Lost,
    /// Never responds. Nothing is executed.
    Stalled,
    /// Resets the connection at a random byte of the response's body.
    Cut,
    /// Responds with the `ETag` of another object.
    WrongEtag,
}

/// The share of requests that have a fault.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    fault: Fault,
    /// `None`: every operation.
    operation: Option<String>,
    /// Between 0 and 1.
    share: f64,
}

/// The faults of requests. The default is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    rules: Vec<Rule>,
    statements: f64,
    latency: Duration,
    delay: Duration,
    bytes_per_second: Option<u32>,
    write_units_per_second: Option<u32>,
    key_units_per_second: Option<u32>,
}

impl Faults {
    /// Adds a fault for a share (0 to 1) of all requests.
    #[must_use]
    pub fn with(mut self, fault: Fault, share: f64) -> Self {
        self.rules.push(Rule {
            fault,
            operation: None,
            share,
        });
        self
    }

    /// Adds a fault for a share (0 to 1) of the requests of one operation, such as `PutItem` or `GetObject`.
    #[must_use]
    pub fn with_on(mut self, operation: &str, fault: Fault, share: f64) -> Self {
        self.rules.push(Rule {
            fault,
            operation: Some(operation.to_owned()),
            share,
        });
        self
    }

    /// Fails a share (0 to 1) of the statements of `BatchExecuteStatement` with a temporary error. They are not executed.
    #[must_use]
    pub const fn with_failing_statements(mut self, share: f64) -> Self {
        self.statements = share;
        self
    }

    /// Delays each request by a random time up to `longest`.
    #[must_use]
    pub const fn with_latency(mut self, longest: Duration) -> Self {
        self.latency = longest;
        self
    }

    /// Delays each request by exactly this time.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Limits the bandwidth of each request's and response's body.
    #[must_use]
    pub const fn with_bandwidth(mut self, bytes_per_second: u32) -> Self {
        self.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// Throttles writes beyond this many units (1 KiB each) per second: statements one by one, other writes whole. Unused units
    /// expire after a second.
    #[must_use]
    pub const fn with_write_units(mut self, per_second: u32) -> Self {
        self.write_units_per_second = Some(per_second);
        self
    }

    /// Throttles statements beyond this many units per second of one partition key, of the table or of one of its indexes, as
    /// DynamoDB does beyond 1,000. Unused units expire after a second. A throttled entry of an index throttles its item.
    #[must_use]
    pub const fn with_write_units_per_key(mut self, per_second: u32) -> Self {
        self.key_units_per_second = Some(per_second);
        self
    }
}

/// The counts of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// Requests, including those with a fault.
    pub requests: u64,
    /// Requests with a fault.
    pub faults: u64,
    /// Statements of `BatchExecuteStatement`.
    pub statements: u64,
    /// Statements that were not executed.
    pub failed_statements: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of response bodies.
    pub bytes_out: u64,
    /// Capacity units, as DynamoDB reported them.
    pub capacity_units: f64,
}

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    seed: u64,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free local port. Requests fail until [`Proxy::set_upstream`] is called.
    ///
    /// # Errors
    /// No port is free.
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

    /// Returns the URL for clients, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the seed of the faults.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Forwards requests to this URL, which has no trailing slash.
    pub fn set_upstream(&self, url: &str) {
        self.shared.settings().upstream = Some(url.to_owned());
    }

    /// Responds to `BatchExecuteStatement` immediately as if each statement had been executed, to measure the client alone.
    /// Requests that DynamoDB would reject as invalid are rejected.
    pub fn swallow_statements(&self, swallow: bool) {
        self.shared.settings().swallow = swallow;
    }

    /// Records the bodies of `BatchExecuteStatement` from now on.
    pub fn record_statements(&self) {
        self.shared.settings().recorded = Some(Vec::new());
    }

    /// Returns the recorded bodies in their order, and stops recording.
    #[must_use]
    pub fn take_recorded(&self) -> Vec<Bytes> {
        self.shared.settings().recorded.take().unwrap_or_default()
    }

    /// Sets the faults of the requests from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.settings().set_faults(faults);
    }

    /// Sets a trap, which proxies may share, for the requests from now on. `None` removes it.
    pub fn set_trap(&self, trap: Option<Arc<Trap>>) {
        self.shared.settings().trap = trap;
    }

    /// Returns the counts by operation, named as in DynamoDB and S3, such as `PutItem` and `GetObject`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, Count> {
        lock(&self.shared.counts).clone()
    }

    /// Resets the counts.
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
