//! Decisions about links over random graphs: undo restores the profile, and files and decisions can come in any order. By default,
//! a few hundred graphs; `.ci/graphs` runs 100,000.

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{change::Change, closure::AGENTS, keys::Marker},
    profile::links::{Author, Decision, End, LinkId, Pair, Reason, distinct, etag},
};

/// The number of identities in a graph.
const IDENTITIES: u8 = 6;

/// The items of a table by identity and key.
type Table = BTreeMap<(IdentityId, SortKey), Item>;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// A file of a source adds or removes a link.
    File {
        pair: (u8, u8),
        is_pos: bool,
        live: bool,
        version: u8,
    },
    /// An agent decides about a pair.
    Decide { pair: (u8, u8), decision: Decision },
    /// An agent withdraws the decision about a pair.
    Withdraw { pair: (u8, u8) },
    /// A file erases an identity.
    Erase { identity: u8, version: u8 },
}

fn pair() -> impl Strategy<Value = (u8, u8)> {
    (0..IDENTITIES, 1..IDENTITIES).prop_map(|(a, step)| (a, (a + step) % IDENTITIES))
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![Just(Decision::Linked), Just(Decision::Separated)]
}

fn file() -> impl Strategy<Value = Step> {
    let fields = (pair(), any::<bool>(), prop::bool::weighted(0.8), 0_u8..20);
    fields.prop_map(|(pair, is_pos, live, version)| Step::File {
        pair,
        is_pos,
        live,
        version,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => file(),
        3 => (pair(), decision()).prop_map(|(pair, decision)| Step::Decide { pair, decision }),
        1 => pair().prop_map(|pair| Step::Withdraw { pair }),
        1 => (0..IDENTITIES, 0_u8..20)
            .prop_map(|(identity, version)| Step::Erase { identity, version }),
    ]
}

/// Stores an item if it is newer than the stored one, as ingest does.
fn ingest(table: &mut Table, item: Item) {
    let key = (item.identity.clone(), item.key.clone());
    let is_newer = |held: &Item| item.version > held.version;
    if table.get(&key).is_none_or(is_newer) {
        table.insert(key, item);
    }
}

/// Applies changes, each on condition that the item is as it was read.
fn apply(table: &mut Table, changes: &[Change]) {
    for change in changes {
        let key = (change.identity().clone(), change.key().clone());
        assert_eq!(table.get(&key), change.before());
        match change.after() {
            Some(item) => table.insert(key, item.clone()),
            None => table.remove(&key),
        };
    }
}

fn items_of(table: &Table, id: &IdentityId) -> Vec<Item> {
    let items = table.values().filter(|item| item.identity == *id);
    items.cloned().collect()
}

fn markers_of(table: &Table, id: &IdentityId) -> Markers {
    Markers::of(&items_of(table, id))
}

/// Reads the profile of an identity, with changes that are not stored.
fn profile_of(table: &Table, requested: &IdentityId, changes: &[Change]) -> Profile {
    let mut closure = Closure::new(requested.clone());
    let mut read: Vec<(IdentityId, Vec<Item>)> = Vec::new();
    loop {
        let round = closure.pending();
        if round.is_empty() {
            break;
        }
        let of = |id: &IdentityId| {
            let mut items = items_of(table, id);
            crate::model::change::apply(changes, id, &mut items);
            let markers = Markers::of(&items);
            items.retain(|item| !markers.erase(item));
            (id.clone(), items, markers)
        };
        let found: Vec<_> = round.iter().map(of).collect();
        let all = found.iter();
        closure.add(all.map(|(id, items, markers)| (id, items.as_slice(), markers)));
        read.extend(found.into_iter().map(|(id, items, _)| (id, items)));
    }
    let members = closure.members();
    let left = read.into_iter().filter(|(id, _)| members.contains(id));
    Profile {
        state: left.flat_map(|(_, items)| items).collect(),
        closure,
        partial: false,
    }
}

/// Returns the documents of all identities as they are sent.
fn documents(table: &Table, changes: &[Change]) -> Vec<String> {
    let document = |n| {
        let profile = profile_of(table, &identity(n).0, changes);
        serde_json::to_string(&profile.document(&view(), Sections::ALL)).unwrap()
    };
    (0..IDENTITIES).map(document).collect()
}

fn pair_of(table: &Table, (a, b): (u8, u8)) -> Pair {
    let ends = [a, b].map(|n| {
        let (identity, identifier) = identity(n);
        End {
            identity,
            identifier: Some(identifier),
        }
    });
    let keys = Pair::keys(&ends[0].identity, &ends[1].identity);
    let stored = keys.map(|key| table.get(&key).cloned());
    let markers = ends.each_ref().map(|end| markers_of(table, &end.identity));
    Pair::new(ends, stored, &markers)
}

fn author(reason: &Reason) -> Author<'_> {
    Author {
        writer: AGENT,
        at: Instant::from_seconds(1_700_000_030).unwrap(),
        reason: Some(reason),
    }
}

/// Executes a step.
fn execute(table: &mut Table, step: &Step) {
    let reason = Reason::new("Same order").unwrap();
    match *step {
        Step::File {
            pair: (a, b),
            is_pos,
            live,
            version,
        } => {
            for (from, to) in [(a, b), (b, a)] {
                let mut item = link(from, to, version);
                item.data.insert("live", live);
                if let (true, SortKey::Link { source, .. }) = (is_pos, &mut item.key) {
                    "pos".clone_into(source);
                }
                ingest(table, item);
            }
        }
        Step::Decide { pair, decision } => {
            let changes = pair_of(table, pair).decide(decision, author(&reason));
            apply(table, &changes);
        }
        Step::Withdraw { pair } => {
            let changes = pair_of(table, pair).withdraw();
            apply(table, &changes);
        }
        Step::Erase {
            identity: n,
            version: at,
        } => {
            let key = SortKey::Marker(Marker::Erased);
            let item = Item::ingested(identity(n).0, key, version(at), None, Map::new());
            ingest(table, item);
        }
    }
}

/// Returns a table with a record of each identity, after steps.
fn table_after(steps: &[Step]) -> Table {
    let mut table = Table::new();
    for n in 0..IDENTITIES {
        let data = map(&[("first_name", format!("Name {n}").as_str().into())]);
        ingest(&mut table, record(n, "crm", 25, data));
    }
    for step in steps {
        execute(&mut table, step);
    }
    table
}

proptest! {
    /// A preview equals the outcome, and withdrawing restores the profile before. The decision decides the pair, unless an
    /// erasure covers it.
    #[test]
    fn undo_restores_the_profile(steps in prop::collection::vec(step(), 0..14), pair in pair(), decision in decision()) {
        let mut table = table_after(&steps);
        let before = documents(&table, &[]);
        let stored = table.clone();
        let reason = Reason::new("Same order").unwrap();
        let state = pair_of(&table, pair);
        let changes = state.decide(decision, author(&reason));
        let preview = documents(&table, &changes);
        prop_assert_eq!(&table, &stored);
        apply(&mut table, &changes);
        prop_assert_eq!(&documents(&table, &[]), &preview);
        let (a, b) = (identity(pair.0).0, identity(pair.1).0);
        let profile = profile_of(&table, &a, &[]);
        prop_assert_eq!(profile.closure.counts(AGENTS, &a, &b), decision == Decision::Linked);
        prop_assert_eq!(profile.closure.connected(&a).contains(&b), decision == Decision::Linked);
        if changes.is_empty() {
            prop_assert_eq!(preview, before);
            return Ok(());
        }
        let decided = pair_of(&table, pair);
        prop_assert_eq!(decided.decision(), Some(decision));
        prop_assert_eq!(decided.decision_before(), state.decision());
        apply(&mut table, &decided.withdraw());
        prop_assert_eq!(documents(&table, &[]), before);
        prop_assert_eq!(pair_of(&table, pair).decision(), state.decision());
    }

    /// An identity that is separated is alone, and withdrawing its decisions in any order restores the profile before.
    #[test]
    fn separation_is_undone(steps in prop::collection::vec(step(), 0..14), n in 0..IDENTITIES, turn in 0_usize..6) {
        let mut table = table_after(&steps);
        let before = documents(&table, &[]);
        let reason = Reason::new("Father and son").unwrap();
        let (id, _) = identity(n);
        let others = profile_of(&table, &id, &[]).closure.connected(&id);
        let number = |other: &IdentityId| (0..IDENTITIES).find(|n| identity(*n).0 == *other).unwrap();
        let mut numbers: Vec<_> = others.iter().map(number).collect();
        for other in &numbers {
            let changes = pair_of(&table, (n, *other)).decide(Decision::Separated, author(&reason));
            apply(&mut table, &changes);
        }
        prop_assert_eq!(profile_of(&table, &id, &[]).closure.members(), vec![id]);
        if !numbers.is_empty() {
            let by = turn % numbers.len();
            numbers.rotate_left(by);
        }
        for other in numbers {
            let changes = pair_of(&table, (n, other)).withdraw();
            apply(&mut table, &changes);
        }
        prop_assert_eq!(documents(&table, &[]), before);
    }

    /// Files between the decisions of agents, in any order, give the same table. The order of the decisions stays.
    #[test]
    fn files_and_agents_commute(
        mut files in prop::collection::vec(file(), 0..8),
        agents in prop::collection::vec((pair(), decision()), 0..8),
        order in prop::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        // Files with the same version differ in no other way than their order, which the offset would decide.
        let mut versions = std::collections::BTreeSet::new();
        files.retain(|step| match step {
            Step::File { pair, is_pos, version, .. } => versions.insert((pair.0.min(pair.1), pair.0.max(pair.1), *is_pos, *version)),
            _ => true,
        });
        let decide = |(pair, decision): &((u8, u8), Decision)| Step::Decide { pair: *pair, decision: *decision };
        let agents: Vec<_> = agents.iter().map(decide).collect();
        let apart = table_after(&[files.clone(), agents.clone()].concat());
        let mut mixed = agents;
        for (file, at) in files.into_iter().zip(order) {
            let at = at.index(mixed.len() + 1);
            mixed.insert(at, file);
        }
        prop_assert_eq!(table_after(&mixed), apart);
    }

    #[test]
    fn link_ids_come_back(a in 0..IDENTITIES, step in 1..IDENTITIES, source in "[a-z0-9_-]{1,64}") {
        let (a, b) = (identity(a).0, identity((a + step) % IDENTITIES).0);
        let id = LinkId::new(&a, &b, &source);
        prop_assert_eq!(&id, &LinkId::new(&b, &a, &source));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = text.parse::<LinkId>();
        let _ = Reason::new(&text);
    }
}

#[test]
fn reasons() {
    let masked = Reason::new(" Card 4111 1111 1111 1111 ").unwrap();
    assert_eq!(
        (masked.as_str(), masked.masked_cards()),
        ("Card **** **** **** 1111", 1)
    );
    for text in ["", " ", "a\nb", &"x".repeat(501)] {
        assert_eq!(Reason::new(text), None, "{text:.9}");
    }
}

#[test]
fn a_link_is_listed_once_with_its_newer_side() {
    let (old, new) = (link(1, 2, 3), link(2, 1, 4));
    assert_eq!(distinct([&old, &new]), [&new]);
    assert_eq!(distinct([&new, &old]), [&new]);
    assert_ne!(etag(&old), etag(&new));
    assert_eq!(etag(&record(1, "crm", 1, Map::new())), None);
}
