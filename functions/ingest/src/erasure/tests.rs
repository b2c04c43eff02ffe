//! Compares an in-memory table, which the real rules write to and erase from, with the result that the erasure rule prescribes.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use shared::{
    model::{
        identifier::IdentifierRules, identity::IdentityKey, retention::Retention, version::ImportId,
    },
    table::Write,
};

use super::*;
use crate::{
    record::{self, Context, MappedRecord},
    rows::json,
};

const START: i64 = 1_790_000_000;

/// A dropped file with one row.
#[derive(Clone, Debug)]
struct File {
    /// The time of its last modification, in steps from the start. A file with a later step is newer.
    step: i64,
    record_type: &'static str,
    row: String,
}

impl File {
    fn modified(&self) -> i64 {
        START + self.step * 100
    }

    fn version(&self) -> Version {
        version(self.step, 0)
    }

    /// Returns the mapped row, given these erasures.
    fn mapped(&self, erasures: Erasures) -> MappedRecord {
        let key = IdentityKey::new("key").unwrap();
        let context = Context {
            key: &key,
            identifiers: IdentifierRules::default(),
            source: "crm",
            record_type: Some(self.record_type.parse().unwrap()),
            last_modified: self.modified(),
            erasures,
            retention: Retention::default(),
            denied: &[],
        };
        record::map_record(&context, self.version(), json::object(&self.row).unwrap()).unwrap()
    }
}

/// Converts a write to an item with the fields that the erasure rule uses.
fn bare(write: &Write) -> Item {
    let (partition, sort) = write.key();
    Item::ingested(
        partition.parse().unwrap(),
        SortKey::parse(sort).unwrap(),
        write.version(),
        None,
        Default::default(),
    )
}

/// Returns whether the markers of one of an item's identities erase it. A link has two identities.
fn is_erased(markers: &HashMap<IdentityId, Markers>, item: &Item) -> bool {
    let erases = |identity| {
        let markers = markers.get(identity);
        markers.is_some_and(|markers| markers.erase(item))
    };
    let is_far = matches!(&item.key, SortKey::Link { other, .. } if erases(other));
    is_far || erases(&item.identity)
}

#[derive(Default)]
struct Model {
    table: BTreeMap<(String, String), Item>,
    markers: HashMap<IdentityId, Markers>,
}

impl Model {
    fn import(&mut self, file: &File) {
        let mapped = file.mapped(Erasures::of(self.markers.clone()));
        for item in &mapped.suppressed_links {
            let key = (item.identity.to_string(), item.key.to_text());
            if self
                .table
                .get(&key)
                .is_some_and(|held| held.version == item.version)
            {
                self.table.remove(&key);
            }
        }
        let links = mapped.links.iter().flatten().filter_map(Write::item);
        for write in mapped.writes.into_iter().chain(links) {
            let (partition, sort) = write.key();
            let key = (partition.to_owned(), sort.to_owned());
            let item = bare(&write);
            let newer = self
                .table
                .get(&key)
                .is_none_or(|held| held.version < item.version);
            if newer {
                self.table.insert(key, item);
            }
        }
        if let Some(forget) = mapped.forget {
            for identity in &forget.identities {
                for marker in forget.markers(file.version()) {
                    self.markers
                        .entry(identity.clone())
                        .or_default()
                        .add(marker, file.version());
                }
                self.erase(identity);
            }
        }
    }

    /// Deletes everything that the markers of an identity erase, including the far sides of its links.
    fn erase(&mut self, identity: &IdentityId) {
        let markers = self.markers[identity].clone();
        self.table.retain(|_, item| {
            let is_far = matches!(&item.key, SortKey::Link { other, .. } if other == identity);
            !((item.identity == *identity || is_far) && markers.erase(item))
        });
    }

    fn left(&self) -> BTreeMap<(String, String), Option<Version>> {
        let items = self.table.iter();
        items
            .map(|(key, item)| (key.clone(), item.version))
            .collect()
    }

    fn holds_erased(&self) -> bool {
        self.table
            .values()
            .any(|item| is_erased(&self.markers, item))
    }
}

fn file() -> impl Strategy<Value = (&'static str, String)> {
    let person = 1..4_u8;
    let link = |person: u8| format!(r#"{{"mobile":"555000{person}"}}"#);
    prop_oneof![
        3 => (person.clone(), prop::option::of(0_i64..12)).prop_map(move |(person, updated)| {
            let updated = updated.map_or_else(String::new, |at| {
                let at = shared::model::time::Instant::from_seconds(START + at * 100).unwrap();
                format!(r#","updated_at":"{at}""#)
            });
            ("customer_record", format!(r#"{{"link":{}{updated}}}"#, link(person)))
        }),
        4 => (person.clone(), 0_i64..12, 0..3_u8).prop_map(move |(person, at, id)| {
            let at = shared::model::time::Instant::from_seconds(START + at * 100).unwrap();
            ("email_open", format!(r#"{{"link":{},"action_at":"{at}","email_id":"{id}"}}"#, link(person)))
        }),
        2 => (person.clone(), person.clone(), any::<bool>()).prop_filter_map("two who differ", move |(one, two, unlink)| {
            (one != two).then(|| ("unify", format!(r#"{{"records":[{},{}],"unlink":{unlink}}}"#, link(one), link(two))))
        }),
        2 => person.clone().prop_map(move |person| ("forget", format!(r#"{{"link":{}}}"#, link(person)))),
        1 => person.clone().prop_map(move |person| ("forget", format!(r#"{{"link":{},"suppress":true}}"#, link(person)))),
        2 => person.prop_map(move |person| ("forget", format!(r#"{{"link":{},"reinstate":true}}"#, link(person)))),
    ]
}

fn id(letter: char) -> IdentityId {
    format!("{}a", letter.to_string().repeat(25))
        .parse()
        .unwrap()
}

/// Returns the version of the row at `offset` of the file that was dropped at `step`.
fn version(step: i64, offset: u64) -> Version {
    Version::new(START + step * 100, "01", ImportId([step as u8; 8]), offset)
}

fn markers(said: &[(Marker, Version)]) -> Markers {
    let mut markers = Markers::default();
    for (marker, version) in said {
        markers.add(*marker, *version);
    }
    markers
}

/// Returns the erasures of an invocation whose list has only these markers of one identity.
fn listed(identity: &IdentityId, said: &[(Marker, Version)]) -> Erasures {
    let erasure = Erasure {
        markers: markers(said),
        listed_at: START,
    };
    Erasures::listed(HashMap::from([(identity.clone(), erasure)]), 0)
}

fn record_of(identity: &IdentityId, version: Version) -> Item {
    let key = SortKey::Record("crm".into());
    Item::ingested(identity.clone(), key, version, None, Default::default())
}

#[test]
fn what_a_run_says_itself_takes_the_place_of_what_is_listed() {
    let ada = id('b');
    let erased = (Marker::Erased, version(1, 0));
    let mut erasures = listed(&ada, &[erased]);
    assert!(erasures.erase(&ada, &record_of(&ada, version(2, 9))));
    erasures.add(&ada, Marker::Reinstated(version(2, 5)), version(2, 5));
    assert!(!erasures.erase(&ada, &record_of(&ada, version(2, 9))));
    assert!(erasures.erase(&ada, &record_of(&ada, version(0, 0))));

    let mut erasures = listed(&ada, &[erased, (Marker::Suppressed, version(1, 0))]);
    erasures.add(&ada, Marker::Reinstated(version(2, 5)), version(2, 5));
    assert!(erasures.erase(&ada, &record_of(&ada, version(2, 9))));
    let bo = id('c');
    assert!(!erasures.erase(&bo, &record_of(&bo, version(2, 9))));
}

#[test]
fn a_record_is_let_in_after_the_reinstatement_in_its_own_file() {
    let key = IdentityKey::new("key").unwrap();
    let mobile = serde_json::json!({"mobile": "5550001"});
    let ada = key.identity(&Identifier::from_json(mobile.as_object().unwrap()).unwrap());
    let mut context = Context {
        key: &key,
        identifiers: IdentifierRules::default(),
        source: "crm",
        record_type: None,
        last_modified: START + 200,
        erasures: listed(&ada, &[(Marker::Erased, version(1, 0))]),
        retention: Retention::default(),
        denied: &[],
    };
    let is_stored = |context: &Context<'_>, offset: u64| {
        let row =
            r#"{"record_type":"customer_record","link":{"mobile":"5550001"},"first_name":"Ann"}"#;
        let row = json::object(row).unwrap();
        let mapped = record::map_record(context, version(2, offset), row).unwrap();
        !mapped.writes.is_empty()
    };
    assert!(!is_stored(&context, 1));
    context
        .erasures
        .add(&ada, Marker::Reinstated(version(2, 5)), version(2, 5));
    assert!(is_stored(&context, 9));
}

#[test]
fn what_a_run_has_carried_out_is_what_is_still_all_that_is_said() {
    let ada = id('b');
    let mut erasures = listed(&ada, &[(Marker::Erased, version(1, 0))]);
    let is_over = |erasures: &Erasures, said: &[(Marker, Version)]| {
        erasures.has_executed(&ada, &markers(said))
    };
    let own = (Marker::Erased, version(2, 5));
    assert!(!is_over(&erasures, &[(Marker::Erased, version(1, 0))]));
    assert_eq!(erasures.first(), None);
    erasures.add(&ada, Marker::Erased, version(2, 5));
    assert!(is_over(&erasures, &[own]));
    // Other rows have written more markers since.
    assert!(!is_over(&erasures, &[(Marker::Erased, version(3, 0))]));
    assert!(!is_over(
        &erasures,
        &[own, (Marker::Suppressed, version(1, 1))]
    ));
    erasures.add(&ada, Marker::Reinstated(version(2, 7)), version(2, 7));
    assert!(is_over(
        &erasures,
        &[own, (Marker::Reinstated(version(2, 7)), version(2, 7))]
    ));
    assert!(!is_over(&erasures, &[own]));
    assert_eq!(erasures.first(), Some(version(2, 5)));
}

#[test]
fn what_earlier_runs_of_an_import_have_carried_out_is_told_by_its_version() {
    let rows = version(2, 0)..version(2, 50);
    let erased = |step, offset| (Marker::Erased, version(step, offset));
    let suppressed = |step, offset| (Marker::Suppressed, version(step, offset));
    for (said, is_all) in [
        (vec![erased(2, 0)], true),
        (vec![erased(2, 49)], true),
        (vec![erased(2, 49), suppressed(2, 49)], true),
        (vec![], false),
        // This invocation's own rows, and rows of other imports.
        (vec![erased(2, 50)], false),
        (vec![erased(1, 10)], false),
        (vec![erased(3, 10)], false),
        // Another row has written a marker too.
        (vec![erased(2, 10), suppressed(1, 10)], false),
        (vec![erased(2, 10), suppressed(2, 20)], false),
        (
            vec![
                erased(2, 10),
                (Marker::Reinstated(version(2, 5)), version(2, 5)),
            ],
            false,
        ),
        (vec![suppressed(2, 10)], false),
    ] {
        let found = is_written_within(&rows, &markers(&said));
        assert_eq!(found, is_all, "{said:?}");
    }
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
            r#"{"records":[{"mobile":"5550001"},{"mobile":"5550002"}]}"#,
        )
    };
    for erased in ["5550001", "5550002"] {
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

/// Returns the result that the erasure rule prescribes for deliveries of one-row files, computed from the rule alone.
///
/// For each key, the newest row is stored that some delivery leaves in the table. The markers must not erase it now, nor at any
/// time since that delivery. The second condition is the one exception to the rule that the order does not matter. A file that is
/// newer than a reinstatement but was imported before it stays out until it is imported again.
fn prescribed(deliveries: &[&File]) -> BTreeMap<(String, String), Option<Version>> {
    let mut after: Vec<HashMap<IdentityId, Markers>> = vec![HashMap::new()];
    let mut rows = Vec::new();
    for (place, file) in deliveries.iter().enumerate() {
        let mapped = file.mapped(Erasures::default());
        let mut markers = after[place].clone();
        if let Some(forget) = &mapped.forget {
            for identity in &forget.identities {
                for marker in forget.markers(file.version()) {
                    let own = markers.entry(identity.clone()).or_default();
                    own.add(marker, file.version());
                }
            }
        }
        after.push(markers);
        let links = mapped.links.iter().flatten().filter_map(Write::item);
        for write in mapped.writes.into_iter().chain(links) {
            rows.push((place, bare(&write)));
        }
    }
    let mut stored = BTreeMap::new();
    for (place, item) in rows {
        if after[place..]
            .iter()
            .any(|markers| is_erased(markers, &item))
        {
            continue;
        }
        let key = (item.identity.to_string(), item.key.to_text());
        let newest = stored.entry(key).or_insert(item.version);
        *newest = (*newest).max(item.version);
    }
    stored
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Files come in any order, and some of them twice. The table never contains an erased item.
    #[test]
    fn every_order_of_files_gives_what_the_rule_prescribes(
        files in prop::collection::vec(file(), 1..12),
        keys in prop::collection::vec(any::<u64>(), 24),
        twice in prop::collection::vec(any::<bool>(), 12),
    ) {
        let files: Vec<File> = files.into_iter().enumerate().map(|(step, (record_type, row))| File { step: step as i64, record_type, row }).collect();
        let mut deliveries: Vec<&File> = files.iter().chain(files.iter().zip(&twice).filter(|(_, twice)| **twice).map(|(file, _)| file)).collect();
        let mut keys = keys.into_iter();
        deliveries.sort_by_cached_key(|_| keys.next());
        let mut model = Model::default();
        for file in &deliveries {
            model.import(file);
            prop_assert!(!model.holds_erased());
        }
        prop_assert_eq!(model.left(), prescribed(&deliveries));
    }

    /// Without reinstatements, the order does not matter.
    #[test]
    fn without_reinstatements_every_order_is_equal(
        files in prop::collection::vec(file(), 1..12),
        keys in prop::collection::vec(any::<u64>(), 12),
    ) {
        let files: Vec<File> = files.into_iter().filter(|(_, row)| !row.contains("reinstate")).enumerate().map(|(step, (record_type, row))| File { step: step as i64, record_type, row }).collect();
        let mut shuffled: Vec<&File> = files.iter().collect();
        let mut keys = keys.into_iter();
        shuffled.sort_by_cached_key(|_| keys.next());
        let (mut in_order, mut otherwise) = (Model::default(), Model::default());
        files.iter().for_each(|file| in_order.import(file));
        shuffled.into_iter().for_each(|file| otherwise.import(file));
        prop_assert_eq!(otherwise.left(), in_order.left());
        prop_assert_eq!(otherwise.markers, in_order.markers);
    }
}
