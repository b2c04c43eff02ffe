//! Counts what an import did: the verdicts on its rows, and the items that its erasures deleted.

use serde::{Deserialize, Serialize};
use shared::model::keys::SortKey;

/// Defines a struct of counters.
macro_rules! counters {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$what:meta])* $field:ident,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct $name {
            $($(#[$what])* pub(crate) $field: u64,)*
        }

        impl $name {
            /// Adds the counters of another range or page.
            pub(crate) const fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

counters! {
    /// The verdicts on rows: `read = written + stale + rejected + suppressed`.
    Counts {
        read,
        /// Rows with at least one stored item.
        written,
        /// Rows for whose items the table has newer versions.
        stale,
        /// Rows that break a rule.
        rejected,
        /// Rows, also counted in `rejected`, that are not among the rejects, because those of the byte range are too many or too large.
        rejects_omitted,
        /// Rows whose items an erasure suppresses.
        suppressed,
        /// Rows whose body was truncated.
        truncated,
        /// Rows that were not read and are not in `read`, because the file ended early. The number is an estimate.
        unread,
        /// Rows, also counted in `written`, `stale` or `suppressed`, that a later row of the file replaced. A minimum unless the rows
        /// are adjacent.
        replaced,
    }
}

counters! {
    /// The number of deleted items, by kind.
    Erased {
        identities,
        records,
        attributes,
        links,
        notes,
        events,
        bodies,
        /// Idempotency records of notes.
        note_requests,
        /// Events, also counted in `events`, that are dated after the erasure. A file that is imported later may store them again.
        dated_ahead,
    }
}

impl Counts {
    /// Returns the number of rows with a verdict. While rows are being written, it is less than `read`.
    pub(crate) const fn accounted(&self) -> u64 {
        self.written + self.stale + self.rejected + self.suppressed
    }
}

counters! {
    /// The verdicts on rows of a revert: `read = deleted + replaced_since + not_found + skipped_erasures + rejected`. The rows of a
    /// replay are in [`Counts`], except its erasures.
    Removed {
        /// Rows of which at least one item was deleted.
        deleted,
        /// Rows of whose items another import has stored newer versions.
        replaced_since,
        /// Rows whose items are not stored: they were erased or suppressed, or a later row of the file replaced them.
        not_found,
        /// Forget rows. An erasure is neither reverted nor repeated.
        skipped_erasures,
        /// Rows of products. Every source writes the same products.
        products,
    }
}

impl Removed {
    /// Returns the number of rows with a verdict.
    pub(crate) const fn accounted(&self) -> u64 {
        self.deleted + self.replaced_since + self.not_found + self.skipped_erasures
    }
}

/// Serializes [`Erased`] beside other fields: each counter that is not 0, under `erased_` and its name.
pub(crate) mod prefixed {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use serde_json::{Map, Value};

    use super::Erased;

    const PREFIX: &str = "erased_";

    pub(crate) fn serialize<S: Serializer>(
        erased: &Erased,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let counters = serde_json::to_value(erased).map_err(ser::Error::custom)?;
        let counters = counters.as_object().into_iter().flatten();
        let counted = counters.filter(|(_, count)| count.as_u64() != Some(0));
        serializer.collect_map(counted.map(|(name, count)| (format!("{PREFIX}{name}"), count)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Erased, D::Error> {
        let fields: Map<String, Value> = Map::deserialize(deserializer)?;
        let counters = fields.into_iter().filter_map(|(name, count)| {
            let name = name.strip_prefix(PREFIX)?;
            Some((name.to_owned(), count))
        });
        serde_json::from_value(Value::Object(counters.collect())).map_err(de::Error::custom)
    }
}

impl Erased {
    /// Counts a deleted item.
    pub(crate) const fn count(&mut self, key: &SortKey) {
        let counter = match key {
            SortKey::Record(_) => &mut self.records,
            SortKey::Attributes { .. } => &mut self.attributes,
            SortKey::Link { .. } => &mut self.links,
            SortKey::Note(_) => &mut self.notes,
            SortKey::Event(_) => &mut self.events,
            SortKey::Body(_) => &mut self.bodies,
            SortKey::Request(_) => &mut self.note_requests,
            // Erasures do not delete markers.
            SortKey::Marker(_) => return,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(erased: &Erased) -> serde_json::Value {
        prefixed::serialize(erased, serde_json::value::Serializer).unwrap()
    }

    #[test]
    fn prefixes_counters_that_are_not_zero() {
        let mut erased = Erased {
            identities: 1,
            note_requests: 2,
            ..Erased::default()
        };
        erased.add(&erased.clone());
        let mut stored = counted(&erased);
        let expected = serde_json::json!({"erased_identities": 2, "erased_note_requests": 4});
        assert_eq!(stored, expected);
        stored["identities"] = 7.into();
        stored["erased_later"] = 7.into();
        assert_eq!(prefixed::deserialize(stored).unwrap(), erased);
    }

    #[test]
    fn each_kind_of_item_has_its_counter_but_markers() {
        let event = || {
            shared::model::keys::EventKey::parse(
                "2026-01-02T03:04:05.000000Z#sms_send#aaaaaaaaaaaaaaaa",
            )
            .unwrap()
        };
        let keys = [
            (SortKey::Record("crm".into()), "erased_records"),
            (SortKey::Event(event()), "erased_events"),
            (SortKey::Body(event()), "erased_bodies"),
            (SortKey::Request("x".into()), "erased_note_requests"),
        ];
        for (key, counter) in keys {
            let mut erased = Erased::default();
            erased.count(&key);
            erased.count(&key);
            assert_eq!(counted(&erased), serde_json::json!({ counter: 2 }));
        }
        let mut erased = Erased::default();
        erased.count(&SortKey::Marker(shared::model::keys::Marker::Erased));
        assert_eq!(erased, Erased::default());
    }
}
