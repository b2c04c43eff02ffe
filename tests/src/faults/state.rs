//! The state of a proxy: its settings, the faults to come and the counts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{
    Count, Faults, lock,
    lots::{Lot, Lots},
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
    lots: Lots,
    /// The available write units, and the time since when they accrue.
    units: f64,
    since: Instant,
}

impl Settings {
    pub(super) fn set_faults(&mut self, faults: Faults) {
        (self.units, self.since) = (
            f64::from(faults.write_units_per_second.unwrap_or_default()),
            Instant::now(),
        );
        self.faults = faults;
    }

    /// Draws the fault of the next request of an operation.
    pub(super) fn draw(&mut self, operation: &str) -> Lot {
        self.lots.draw(operation, &self.faults)
    }

    /// Returns the bandwidth of bodies, if it is limited.
    pub(super) const fn bytes_per_second(&self) -> Option<u32> {
        self.faults.bytes_per_second
    }

    /// Takes write units if enough are left. A write larger than the capacity takes all.
    pub(super) fn take(&mut self, units: f64) -> bool {
        let Some(rate) = self.faults.write_units_per_second.map(f64::from) else {
            return true;
        };
        let grown = self.since.elapsed().as_secs_f64() * rate;
        (self.units, self.since) = ((self.units + grown).min(rate), Instant::now());
        let units = units.min(rate);
        let enough = self.units >= units;
        if enough {
            self.units -= units;
        }
        enough
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
            lots: Lots::new(seed),
            units: 0.0,
            since: Instant::now(),
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
