//! The fault of each request, drawn from the seed and therefore reproducible.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{Fault, Faults};

/// Draws the faults of requests.
#[derive(Debug)]
pub(super) struct FaultDraw {
    seed: u64,
    counts: HashMap<String, u64>,
}

/// The faults of one request.
#[derive(Debug)]
pub(super) struct DrawnFault {
    pub(super) fault: Option<Fault>,
    pub(super) latency: Duration,
    share_of_statements: f64,
    random: StdRng,
}

impl FaultDraw {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: HashMap::new(),
        }
    }

    pub(super) fn draw(&mut self, operation: &str, faults: &Faults) -> DrawnFault {
        let number = self.counts.entry(operation.to_owned()).or_default();
        *number += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, operation, *number).hash(&mut hasher);
        let mut random = StdRng::seed_from_u64(hasher.finish());
        let latency = faults.delay + faults.latency.mul_f64(random.random());
        let rules = faults
            .rules
            .iter()
            .filter(|rule| rule.operation.as_deref().is_none_or(|own| own == operation));
        let mut fault = None;
        for rule in rules {
            // Each rule draws, so that further rules do not change the draws of the first.
            if random.random_bool(rule.share.clamp(0.0, 1.0)) && fault.is_none() {
                fault = Some(rule.fault);
            }
        }
        DrawnFault {
            fault,
            latency,
            share_of_statements: faults.statements.clamp(0.0, 1.0),
            random,
        }
    }
}

impl DrawnFault {
    /// Returns whether the next statement fails.
    pub(super) fn statement_fails(&mut self) -> bool {
        self.random.random_bool(self.share_of_statements)
    }

    /// Returns the position of a byte in a body: less than `length`, which is not 0.
    pub(super) fn byte_of(&mut self, length: u64) -> u64 {
        self.random.random_range(0..length)
    }
}
