//! A table in memory, written and erased by the real rules: whatever order files come in, it ends the same.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use shared::{identity::IdentityKey, table::Write, version::ImportId};

use super::*;
use crate::record::{self, Context, json};

const START: i64 = 1_790_000_000;

/// A dropped file of one row.
#[derive(Clone, Debug)]
struct File {
    /// Its last-modified, in steps from the start: what was dropped later is newer.
    step: i64,
    record_type: &'static str,
    row: String,
}

#[derive(Default)]
struct Model {
    table: BTreeMap<(String, String), Item>,
    markers: HashMap<IdentityId, Markers>,
}

impl Model {
    fn import(&mut self, file: &File) {
        let key = IdentityKey::new("key").unwrap();
        let version = Version::new(
            START + file.step * 100,
            "01",
            ImportId([file.step as u8; 8]),
            0,
        );
        let context = Context {
            key: &key,
            source: "crm",
            record_type: Some(file.record_type.parse().unwrap()),
            last_modified: START + file.step * 100,
            erasures: Erasures::of(self.markers.clone()),
            event_retention_days: None,
        };
        let placed = record::place(&context, version, json::object(&file.row).unwrap()).unwrap();
        for item in &placed.kept_out {
            let key = (item.identity.to_string(), item.key.to_text());
            if self
                .table
                .get(&key)
                .is_some_and(|held| held.version == item.version)
            {
                self.table.remove(&key);
            }
        }
        let links = placed.links.iter().flatten().filter_map(Write::item);
        for write in placed.writes.into_iter().chain(links) {
            let (partition, sort) = write.key();
            let key = (partition.to_owned(), sort.to_owned());
            let item = Item::ingested(
                partition.parse().unwrap(),
                SortKey::parse(sort).unwrap(),
                write.version(),
                None,
                Default::default(),
            );
            let newer = self
                .table
                .get(&key)
                .is_none_or(|held| held.version < item.version);
            if newer {
                self.table.insert(key, item);
            }
        }
        if let Some(forget) = placed.forget {
            for identity in &forget.identities {
                for marker in forget.markers() {
                    self.markers
                        .entry(identity.clone())
                        .or_default()
                        .add(*marker, version);
                }
                self.erase(identity);
            }
        }
    }

    /// Deletes what the markers of an identity erase, of it and of the far sides of its links.
    fn erase(&mut self, identity: &IdentityId) {
        let markers = self.markers[identity];
        let link = SortKey::Link(identity.clone());
        self.table.retain(|_, item| {
            !((item.identity == *identity || item.key == link) && markers.erase(item))
        });
    }

    fn left(&self) -> Vec<(&(String, String), Option<Version>)> {
        self.table
            .iter()
            .map(|(key, item)| (key, item.version))
            .collect()
    }

    /// Whether an item is there that the markers of one of its identities erase.
    fn holds_erased(&self) -> bool {
        self.table.values().any(|item| {
            let own = self
                .markers
                .get(&item.identity)
                .is_some_and(|markers| markers.erase(item));
            let far = match &item.key {
                SortKey::Link(other) => self
                    .markers
                    .get(other)
                    .is_some_and(|markers| markers.erase(item)),
                _ => false,
            };
            own || far
        })
    }
}

fn file() -> impl Strategy<Value = (&'static str, String)> {
    let person = 1..4_u8;
    let link = |person: u8| format!(r#"{{"mobile":"{person}"}}"#);
    prop_oneof![
        3 => person.clone().prop_map(move |person| ("customer_record", format!(r#"{{"link":{}}}"#, link(person)))),
        4 => (person.clone(), 0_i64..12, 0..3_u8).prop_map(move |(person, at, id)| {
            let at = shared::time::Instant::from_seconds(START + at * 100).unwrap();
            ("email_open", format!(r#"{{"link":{},"action_at":"{at}","email_id":"{id}"}}"#, link(person)))
        }),
        2 => (person.clone(), person.clone(), any::<bool>()).prop_filter_map("two who differ", move |(one, two, unlink)| {
            (one != two).then(|| ("unify", format!(r#"{{"records":[{},{}],"unlink":{unlink}}}"#, link(one), link(two))))
        }),
        2 => person.clone().prop_map(move |person| ("forget", format!(r#"{{"link":{}}}"#, link(person)))),
        1 => person.clone().prop_map(move |person| ("forget", format!(r#"{{"link":{},"suppress":true}}"#, link(person)))),
        1 => person.prop_map(move |person| ("forget", format!(r#"{{"link":{},"reinstate":true}}"#, link(person)))),
    ]
}

#[test]
fn a_link_to_one_who_was_erased_is_kept_out_on_both_sides() {
    let file = |step, record_type, row: &str| File {
        step,
        record_type,
        row: row.to_owned(),
    };
    let linked = |step| {
        file(
            step,
            "unify",
            r#"{"records":[{"mobile":"1"},{"mobile":"2"}]}"#,
        )
    };
    for erased in ["1", "2"] {
        let forget = format!(r#"{{"link":{{"mobile":"{erased}"}}}}"#);
        let mut model = Model::default();
        model.import(&linked(0));
        assert_eq!(model.table.len(), 2);
        model.import(&file(1, "forget", &forget));
        assert_eq!(model.table.len(), 0);
        model.import(&linked(0));
        assert_eq!(model.table.len(), 0, "{erased}");
        model.import(&linked(2));
        assert_eq!(model.table.len(), 0, "{erased}");
        let reinstate = format!(r#"{{"link":{{"mobile":"{erased}"}},"reinstate":true}}"#);
        model.import(&file(3, "forget", &reinstate));
        model.import(&linked(4));
        assert_eq!(model.table.len(), 2, "{erased}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Reinstatements are in before anything else, as those who drop them have to see to: what comes before one is
    /// erased, and has to be dropped again. All else comes in any order, and some of it twice.
    #[test]
    fn any_order_of_files_comes_to_the_same_and_nothing_erased_is_left(
        files in prop::collection::vec(file(), 1..12),
        keys in prop::collection::vec(any::<u64>(), 24),
        twice in prop::collection::vec(any::<bool>(), 12),
    ) {
        let files: Vec<File> = files.into_iter().enumerate().map(|(step, (record_type, row))| File { step: step as i64, record_type, row }).collect();
        let is_reinstatement = |file: &File| file.row.contains("reinstate");
        let (first, rest): (Vec<File>, Vec<File>) = files.into_iter().partition(is_reinstatement);
        let mut in_order = Model::default();
        first.iter().chain(&rest).for_each(|file| in_order.import(file));

        let mut shuffled: Vec<&File> = rest.iter().chain(rest.iter().zip(&twice).filter(|(_, twice)| **twice).map(|(file, _)| file)).collect();
        let mut keys = keys.into_iter();
        shuffled.sort_by_cached_key(|_| keys.next());
        let mut otherwise = Model::default();
        first.iter().for_each(|file| otherwise.import(file));
        for file in shuffled {
            otherwise.import(file);
            prop_assert!(!otherwise.holds_erased());
        }
        prop_assert_eq!(otherwise.left(), in_order.left());
        prop_assert_eq!(otherwise.markers, in_order.markers);
    }
}
