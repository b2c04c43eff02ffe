//! Counts the capacity units that profile reads and note writes consume. Ingest counts its own units for each import.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// The consumed capacity units, in thousandths. Clones share one count.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumed {
    read: Arc<AtomicU64>,
    write: Arc<AtomicU64>,
}

impl Consumed {
    pub(super) fn read<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&self.read, consumed);
    }

    pub(super) fn write<'a>(&self, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        add(&self.write, consumed);
    }

    /// Returns the read and write units since the last call.
    pub(super) fn take(&self) -> (f64, f64) {
        (take(&self.read), take(&self.write))
    }
}

fn add<'a>(sum: &AtomicU64, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) {
    let units: f64 = consumed
        .into_iter()
        .filter_map(ConsumedCapacity::capacity_units)
        .sum();
    sum.fetch_add((units * 1000.0).round() as u64, Ordering::Relaxed);
}

fn take(sum: &AtomicU64) -> f64 {
    sum.swap(0, Ordering::Relaxed) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_taking_begins_anew() {
        let consumed = Consumed::default();
        let units = |units| ConsumedCapacity::builder().capacity_units(units).build();
        consumed.read([&units(0.5), &units(2.0)]);
        consumed.clone().read(Some(&units(0.5)));
        consumed.write(None);
        assert_eq!(consumed.take(), (3.0, 0.0));
        assert_eq!(consumed.take(), (0.0, 0.0));
    }
}
