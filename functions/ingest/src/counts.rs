//! The counters of an import: the verdicts on its rows, and the items that its erasures deleted.

use serde::Serialize;
use shared::model::keys::SortKey;

/// Defines a struct of counters. Progress stores each of them under the prefix and the field's name.
macro_rules! counters {
    (
        $(#[$about:meta])*
        $name:ident, $prefix:literal, { $($(#[$what:meta])* $field:ident,)* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        pub(crate) struct $name {
            $($(#[$what])* pub(crate) $field: u64,)*
        }

        impl $name {
            /// Returns each counter with the name under which progress stores it.
            pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((concat!($prefix, stringify!($field)), self.$field)),*].into_iter()
            }

            /// Creates the counters from the count of each name.
            pub(crate) fn from_named(count: impl Fn(&str) -> u64) -> Self {
                Self {
                    $($field: count(concat!($prefix, stringify!($field))),)*
                }
            }

            /// Adds the counters of another range or page.
            pub(crate) const fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

counters! {
    /// The verdicts on rows: `read = written + stale + rejected + suppressed`.
    Counts, "", {
        read,
        written,
        stale,
        rejected,
        suppressed,
        /// Rows whose body was truncated.
        truncated,
        /// Rows that were not read and are not in `read`. The number is a minimum if a rejected row contains them. It is an
        /// estimate if the file ended early.
        unread,
    }
}

counters! {
    /// The number of deleted items, by kind.
    Erased, "erased_", {
        identities,
        records,
        attributes,
        links,
        notes,
        events,
        bodies,
        /// Idempotency records of notes.
        note_requests,
        /// Those of the events that are dated after the erasure. A file that is imported later may store them again.
        dated_ahead,
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

    #[test]
    fn counters_are_kept_by_name_and_come_back() {
        let mut erased = Erased {
            identities: 1,
            note_requests: 2,
            ..Erased::default()
        };
        erased.add(&erased.clone());
        let kept: Vec<_> = erased.named().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            kept,
            [("erased_identities", 2), ("erased_note_requests", 4)]
        );
        let count = |name: &str| {
            let own = kept.iter().find(|(own, _)| *own == name);
            own.map_or(0, |(_, count)| *count)
        };
        assert_eq!(Erased::from_named(count), erased);
        assert_eq!(Counts::from_named(count), Counts::default());
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
            let counted: Vec<_> = erased.named().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(counter, 2)]);
        }
        let mut erased = Erased::default();
        erased.count(&SortKey::Marker(shared::model::keys::Marker::Erased));
        assert_eq!(erased, Erased::default());
    }
}
