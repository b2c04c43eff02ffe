//! A table in memory, written and erased by the real rules: whatever order files come in, it ends the same.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use shared::{identifier::IdentifierRules, identity::IdentityKey, table::Write, version::ImportId};

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
            identifiers: IdentifierRules::default(),
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
    let link = |person: u8| format!(r#"{{"mobile":"555000{person}"}}"#);
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

fn id(letter: char) -> IdentityId {
    format!("{}a", letter.to_string().repeat(25))
        .parse()
        .unwrap()
}

/// The version of the row at `offset` of the file that was dropped at `step`.
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

/// What a run knows where the list says this of one identity, and nothing of others.
fn listed(identity: &IdentityId, said: &[(Marker, Version)]) -> Erasures {
    let erasure = Erasure {
        markers: markers(said),
        listed_at: START,
    };
    Erasures {
        list: Arc::new(HashMap::from([(identity.clone(), erasure)])),
        ..Erasures::default()
    }
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
    erasures.add(&ada, Marker::Reinstated, version(2, 5));
    assert!(!erasures.erase(&ada, &record_of(&ada, version(2, 9))));
    assert!(erasures.erase(&ada, &record_of(&ada, version(0, 0))));

    let mut erasures = listed(&ada, &[erased, (Marker::Suppressed, version(1, 0))]);
    erasures.add(&ada, Marker::Reinstated, version(2, 5));
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
        event_retention_days: None,
    };
    let is_stored = |context: &Context<'_>, offset: u64| {
        let row =
            r#"{"record_type":"customer_record","link":{"mobile":"5550001"},"first_name":"Ann"}"#;
        let row = json::object(row).unwrap();
        let placed = record::place(context, version(2, offset), row).unwrap();
        !placed.writes.is_empty()
    };
    assert!(!is_stored(&context, 1));
    context
        .erasures
        .add(&ada, Marker::Reinstated, version(2, 5));
    assert!(is_stored(&context, 9));
}

#[test]
fn what_a_run_has_carried_out_is_what_is_still_all_that_is_said() {
    let ada = id('b');
    let mut erasures = listed(&ada, &[(Marker::Erased, version(1, 0))]);
    let is_over = |erasures: &Erasures, said: &[(Marker, Version)]| {
        erasures.has_carried_out(&ada, &markers(said))
    };
    let own = (Marker::Erased, version(2, 5));
    assert!(!is_over(&erasures, &[(Marker::Erased, version(1, 0))]));
    assert_eq!(erasures.first, None);
    erasures.add(&ada, Marker::Erased, version(2, 5));
    assert!(is_over(&erasures, &[own]));
    // Others have said more since.
    assert!(!is_over(&erasures, &[(Marker::Erased, version(3, 0))]));
    assert!(!is_over(
        &erasures,
        &[own, (Marker::Suppressed, version(1, 1))]
    ));
    erasures.add(&ada, Marker::Reinstated, version(2, 7));
    assert!(is_over(
        &erasures,
        &[own, (Marker::Reinstated, version(2, 7))]
    ));
    assert!(!is_over(&erasures, &[own]));
    assert_eq!(erasures.first, Some(version(2, 5)));
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
        // This run's own rows, and those of other imports.
        (vec![erased(2, 50)], false),
        (vec![erased(1, 10)], false),
        (vec![erased(3, 10)], false),
        // Another row has said something too.
        (vec![erased(2, 10), suppressed(1, 10)], false),
        (vec![erased(2, 10), suppressed(2, 20)], false),
        (
            vec![erased(2, 10), (Marker::Reinstated, version(2, 5))],
            false,
        ),
        (vec![suppressed(2, 10)], false),
    ] {
        let found = is_all_said_in(&rows, &markers(&said));
        assert_eq!(found, is_all, "{said:?}");
    }
}

#[test]
fn a_side_of_a_link_that_goes_from_both_ends_counts_once() {
    let link = |from, to| {
        let key = SortKey::Link(id(to));
        Item::ingested(id(from), key, version(0, 0), None, Default::default())
    };
    let mut all = Gone::default();
    for letter in ['b', 'c'] {
        let mut gone = Gone::default();
        gone.count(&link('b', 'c'));
        gone.count(&link('c', 'b'));
        gone.count(&record_of(&id(letter), version(0, 0)));
        all.add(gone);
    }
    let expected = Erased {
        records: 2,
        links: 2,
        ..Erased::default()
    };
    assert_eq!(all.total(), expected);
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
