//! The write units that DynamoDB grants: to the table, and to each partition key of the table and of its indexes.

use std::{collections::HashMap, time::Instant};

use serde_json::Value;

use super::{Faults, statements};

/// The granted units that are left.
#[derive(Debug)]
pub(super) struct Grants {
    table: Option<Grant>,
    /// The units per second of a partition key.
    per_key: Option<f64>,
    keys: HashMap<String, Grant>,
}

/// A rate of units, of which one second is saved.
#[derive(Debug)]
struct Grant {
    rate: f64,
    left: f64,
    since: Instant,
}

/// The error codes of throttled statements.
const TABLE_THROTTLED: &str = "ProvisionedThroughputExceeded";
const KEY_THROTTLED: &str = "ThrottlingError";

impl Grants {
    pub(super) fn new(faults: &Faults) -> Self {
        Self {
            table: faults
                .write_units_per_second
                .map(|rate| Grant::full(rate.into())),
            per_key: faults.key_units_per_second.map(f64::from),
            keys: HashMap::new(),
        }
    }

    /// Takes the units of a write to any key, or returns the error code.
    pub(super) fn take(&mut self, units: f64) -> Result<(), &'static str> {
        let Some(table) = &mut self.table else {
            return Ok(());
        };
        if !table.has(units) {
            return Err(TABLE_THROTTLED);
        }
        table.take(units);
        Ok(())
    }

    /// Takes the units of a statement if the table and each of its keys have enough, or returns the error code.
    pub(super) fn take_statement(&mut self, statement: &Value) -> Result<(), &'static str> {
        let units = statements::units(statement);
        let Some(rate) = self.per_key else {
            return self.take(units);
        };
        let keys = statements::keys(statement, units);
        for (key, units) in &keys {
            let grant = self.keys.entry(key.clone());
            if !grant.or_insert_with(|| Grant::full(rate)).has(*units) {
                return Err(KEY_THROTTLED);
            }
        }
        self.take(units)?;
        for (key, units) in &keys {
            if let Some(grant) = self.keys.get_mut(key) {
                grant.take(*units);
            }
        }
        Ok(())
    }
}

impl Grant {
    fn full(rate: f64) -> Self {
        Self {
            rate,
            left: rate,
            since: Instant::now(),
        }
    }

    /// Returns whether enough units are left. A write larger than one second's units takes all of them.
    fn has(&mut self, units: f64) -> bool {
        let grown = self.since.elapsed().as_secs_f64() * self.rate;
        (self.left, self.since) = ((self.left + grown).min(self.rate), Instant::now());
        self.left >= units.min(self.rate)
    }

    fn take(&mut self, units: f64) {
        self.left -= units.min(self.rate);
    }
}
