//! The state of a proxy: its settings, the faults to come and the counts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{
    Count, Faults,
    draw::{DrawnFault, FaultDraw},
    grants::Grants,
    lock,
    trap::Trap,
};

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    settings: Mutex<Settings>,
    pub(super) counts: Mutex<BTreeMap<String, Count>>,
    pub(super) client: Client<HttpConnector, Full<Bytes>>,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) upstream: Option<String>,
    pub(super) swallow: bool,
    pub(super) recorded: Option<Vec<Bytes>>,
    pub(super) trap: Option<Arc<Trap>>,
    faults: Faults,
    draw: FaultDraw,
    pub(super) grants: Grants,
}

impl Settings {
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.grants = Grants::new(&faults);
        self.faults = faults;
    }

    /// Draws the fault of the next request of an operation.
    pub(super) fn draw(&mut self, operation: &str) -> DrawnFault {
        self.draw.draw(operation, &self.faults)
    }

    /// Returns the bandwidth of bodies, if it is limited.
    pub(super) const fn bytes_per_second(&self) -> Option<u32> {
        self.faults.bytes_per_second
    }
}

impl Shared {
    pub(super) fn new(seed: u64) -> Self {
        let settings = Settings {
            upstream: None,
            swallow: false,
            recorded: None,
            trap: None,
            faults: Faults::default(),
            draw: FaultDraw::new(seed),
            grants: Grants::new(&Faults::default()),
        };
        Self {
            settings: Mutex::new(settings),
            counts: Mutex::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    pub(super) fn count(&self, operation: &str, change: impl FnOnce(&mut Count)) {
        change(lock(&self.counts).entry(operation.to_owned()).or_default());
    }
}
