//! Computes which identities form a profile: those that links connect, found breadth first. The module is pure: the
//! caller reads the partitions that `pending` names and passes their items to `add`.
//!
//! A link belongs to its source. It counts only if neither end has more than [`MAX_LIVE_LINKS`] live links of that
//! source. Beyond that, the source connects many customers, as the address of a shop does. Its links at that identity
//! then do not identify one of them. Links of other sources are not affected. A decision of a support agent
//! ([`AGENTS`]) about a pair replaces the links of files between the two.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::model::{
    erasure::Markers, identifier::Identifier, identity::IdentityId, item::Item, keys::SortKey,
};

/// The maximum number of identities in a profile.
pub const MAX_IDENTITIES: usize = 32;
/// The maximum number of live links of one source at an identity. Beyond it, links of that source do not count there.
pub const MAX_LIVE_LINKS: usize = 32;
/// The maximum number of link items of one source, live or not, that are read of an identity. If there are more, no link of that
/// source counts there.
pub const MAX_LINK_ITEMS: usize = 64;
/// The reserved source of links that support agents made or removed.
pub const AGENTS: &str = "agents";

/// The maximum number of identities to read per member, because links may lead to identities where they do not count.
const READS_PER_MEMBER: usize = 4;

/// Links of one source at one identity that were not followed, because there are too many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExcludedLinks {
    /// The identity.
    pub identity: IdentityId,
    /// The source of the links.
    pub source: String,
    /// The number of live links of that source that were read of the identity.
    pub links: usize,
}

/// The identities of one profile, as far as they are known.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The identity with which the closure starts.
    requested: IdentityId,
    /// The maximum number of members.
    limit: usize,
    read: BTreeMap<IdentityId, Node>,
    /// The identities that links connect to each identity, from either end.
    neighbors: BTreeMap<IdentityId, BTreeSet<IdentityId>>,
    members: BTreeSet<IdentityId>,
    /// The identities that a link leads to and that were not read yet.
    pending: BTreeSet<IdentityId>,
    /// Whether identities were left out because of the limit.
    truncated: bool,
}

/// The markers and links of an identity that was read.
#[derive(Clone, Debug)]
struct Node {
    markers: Markers,
    /// Its links, by the other identity and the source, without those that its own markers erase.
    links: BTreeMap<IdentityId, BTreeMap<String, Item>>,
    /// The number of its live links, for each source that has too many.
    crowded: BTreeMap<String, usize>,
}

impl Closure {
    /// Creates a closure that starts with the requested identity and finds at most [`MAX_IDENTITIES`] members.
    pub fn new(requested: IdentityId) -> Self {
        Self::with_limit(requested, MAX_IDENTITIES)
    }

    /// Creates a closure that starts with the requested identity and finds at most `limit` members.
    pub fn with_limit(requested: IdentityId, limit: usize) -> Self {
        Self {
            pending: BTreeSet::from([requested.clone()]),
            members: BTreeSet::from([requested.clone()]),
            requested,
            limit,
            read: BTreeMap::new(),
            neighbors: BTreeMap::new(),
            truncated: false,
        }
    }

    /// Returns the requested identity.
    pub const fn requested(&self) -> &IdentityId {
        &self.requested
    }

    /// Returns the identities to read next, no more than may still become members. The result is empty when the profile
    /// is complete.
    pub fn pending(&self) -> Vec<IdentityId> {
        let room = self.limit.saturating_sub(self.members.len()).max(1);
        self.pending.iter().take(room).cloned().collect()
    }

    /// Adds the items and markers of the pending identities: all of one round of reads.
    pub fn add<'a>(
        &mut self,
        read: impl IntoIterator<Item = (&'a IdentityId, &'a [Item], &'a Markers)>,
    ) {
        let mut queue = VecDeque::new();
        for (identity, items, markers) in read {
            let node = Node::new(items, markers);
            for other in node.links.keys() {
                self.add_neighbors(identity, other);
            }
            self.read.insert(identity.clone(), node);
            self.pending.remove(identity);
            queue.push_back(identity.clone());
        }
        while let Some(identity) = queue.pop_front() {
            self.follow(&identity, &mut queue);
        }
        let is_full = self.members.len() >= self.limit
            || self.read.len() >= self.limit.saturating_mul(READS_PER_MEMBER);
        if is_full && !self.pending.is_empty() {
            self.pending.clear();
            self.truncated = true;
        }
    }

    /// Records that a link connects two identities, from either end.
    fn add_neighbors(&mut self, a: &IdentityId, b: &IdentityId) {
        for (from, to) in [(a, b), (b, a)] {
            self.neighbors
                .entry(from.clone())
                .or_default()
                .insert(to.clone());
        }
    }

    /// Makes an identity that was read a member if a link that counts connects it to a member. Then follows its own
    /// links. The connection between two identities that were both read never changes, so a member stays one.
    fn follow(&mut self, identity: &IdentityId, queue: &mut VecDeque<IdentityId>) {
        let neighbors = self.neighbors.get(identity).cloned().unwrap_or_default();
        if !self.members.contains(identity) {
            let is_member = |other: &IdentityId| {
                self.members.contains(other) && self.is_connected(other, identity)
            };
            if !neighbors.iter().any(is_member) {
                return;
            }
            if self.members.len() >= self.limit {
                self.truncated = true;
                return;
            }
            self.members.insert(identity.clone());
        }
        for other in neighbors {
            if self.members.contains(&other) || !self.is_connected(identity, &other) {
                continue;
            }
            if self.read.contains_key(&other) {
                queue.push_back(other);
            } else {
                self.pending.insert(other);
            }
        }
    }

    /// Returns whether a link that counts connects two identities, as far as they have been read.
    fn is_connected(&self, a: &IdentityId, b: &IdentityId) -> bool {
        let links = self.links_between(a, b);
        if let Some(decision) = links.get(AGENTS) {
            return is_live(decision) && self.source_counts(AGENTS, a, b);
        }
        links
            .iter()
            .any(|(source, link)| is_live(link) && self.source_counts(source, a, b))
    }

    /// Returns the identities to which a link that counts connects `identity`, as far as they have been read.
    pub fn connected(&self, identity: &IdentityId) -> Vec<IdentityId> {
        let neighbors = self.neighbors.get(identity).into_iter().flatten();
        let connected = neighbors.filter(|other| self.is_connected(identity, other));
        connected.cloned().collect()
    }

    /// Returns whether the link of `source` between two identities counts, as far as they have been read: it is live, its
    /// source does not have too many links, and no decision of a support agent replaces it.
    pub fn counts(&self, source: &str, a: &IdentityId, b: &IdentityId) -> bool {
        let links = self.links_between(a, b);
        (source == AGENTS || !links.contains_key(AGENTS))
            && links.get(source).is_some_and(|link| is_live(link))
            && self.source_counts(source, a, b)
    }

    /// Returns the newest link of each source between two identities, without those that the markers of either end
    /// erase.
    fn links_between(&self, a: &IdentityId, b: &IdentityId) -> BTreeMap<&str, &Item> {
        let mut newest: BTreeMap<&str, &Item> = BTreeMap::new();
        for (from, to) in [(a, b), (b, a)] {
            let links = self.read.get(from).and_then(|node| node.links.get(to));
            let far = self.read.get(to).map(|node| &node.markers);
            for (source, link) in links.into_iter().flatten() {
                if far.is_some_and(|markers| markers.erase(link)) {
                    continue;
                }
                let kept = newest.entry(source).or_insert(link);
                if link.version > kept.version {
                    *kept = link;
                }
            }
        }
        newest
    }

    /// Returns whether links of `source` count at both ends, as far as these have been read.
    fn source_counts(&self, source: &str, a: &IdentityId, b: &IdentityId) -> bool {
        [a, b].into_iter().all(|end| {
            let node = self.read.get(end);
            node.is_none_or(|node| !node.crowded.contains_key(source))
        })
    }

    /// Returns the identities whose items form the profile.
    pub fn members(&self) -> Vec<IdentityId> {
        self.members.iter().cloned().collect()
    }

    /// Returns every identity to show, and whether many customers share it. These are the members, and the shared
    /// identities to which a member's live link leads although it does not count there.
    pub fn shown(&self) -> impl Iterator<Item = (&IdentityId, bool)> {
        self.read.iter().filter_map(|(id, node)| {
            let is_shared = !node.crowded.is_empty();
            (self.members.contains(id) || is_shared && self.is_linked_to_member(id))
                .then_some((id, is_shared))
        })
    }

    /// Returns whether a live link connects an identity to a member, whether it counts or not.
    fn is_linked_to_member(&self, id: &IdentityId) -> bool {
        self.members.iter().any(|member| {
            let links = self.links_between(member, id);
            links.values().any(|link| is_live(link))
        })
    }

    /// Returns the links that were not followed because their source has too many at an identity, by identity and
    /// source. The identities are members, or a member's link of that source leads to them.
    pub fn excluded(&self) -> Vec<ExcludedLinks> {
        let mut excluded = Vec::new();
        for (identity, node) in &self.read {
            let is_member = self.members.contains(identity);
            for (source, links) in &node.crowded {
                let leads_here = |member: &IdentityId| {
                    let between = self.links_between(member, identity);
                    between
                        .get(source.as_str())
                        .is_some_and(|link| is_live(link))
                };
                if is_member || self.members.iter().any(leads_here) {
                    excluded.push(ExcludedLinks {
                        identity: identity.clone(),
                        source: source.clone(),
                        links: *links,
                    });
                }
            }
        }
        excluded
    }

    /// Returns whether identities were left out because there are too many.
    pub const fn truncated(&self) -> bool {
        self.truncated
    }

    /// Returns whether anything was left out: identities beyond the limit, or links of a source that has too many.
    pub fn is_partial(&self) -> bool {
        self.truncated || !self.excluded().is_empty()
    }

    /// Returns the canonical id of the profile: the smallest of its identities' ids. If identities were left out, it is
    /// the requested id.
    pub fn id(&self) -> IdentityId {
        let smallest = self.members.first().filter(|_| !self.truncated);
        smallest.unwrap_or(&self.requested).clone()
    }
}

impl Node {
    /// Collects the links of an identity that its markers do not erase.
    fn new(items: &[Item], markers: &Markers) -> Self {
        let mut links: BTreeMap<IdentityId, BTreeMap<String, Item>> = BTreeMap::new();
        // The number of all links and of live links, by source.
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for item in items {
            let SortKey::Link { source, other } = &item.key else {
                continue;
            };
            if markers.erase(item) {
                continue;
            }
            let (all, live) = counts.entry(source.clone()).or_default();
            *all += 1;
            *live += usize::from(is_live(item));
            links
                .entry(other.clone())
                .or_default()
                .insert(source.clone(), item.clone());
        }
        let crowded = counts.into_iter().filter_map(|(source, (all, live))| {
            (live > MAX_LIVE_LINKS || all > MAX_LINK_ITEMS).then_some((source, live))
        });
        Self {
            markers: markers.clone(),
            crowded: crowded.collect(),
            links,
        }
    }
}

/// Returns the other end of every live link in `items`, with its identifier.
pub fn live_links<'a>(
    items: impl IntoIterator<Item = &'a Item>,
) -> impl Iterator<Item = (IdentityId, Option<Identifier>)> {
    items.into_iter().filter_map(|item| match &item.key {
        SortKey::Link { other, .. } if is_live(item) => {
            let identifier = item.data.map("other").and_then(Identifier::from_item);
            Some((other.clone(), identifier))
        }
        _ => None,
    })
}

fn is_live(link: &Item) -> bool {
    link.data.flag("live") == Some(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        identity::base32,
        keys::Marker,
        value::Map,
        version::{ImportId, Version},
    };

    fn id(n: u8) -> IdentityId {
        base32(&[n; 16]).parse().unwrap()
    }

    fn version(at: i64) -> Version {
        Version::new(at, "01", ImportId([0; 8]), 0)
    }

    fn side(source: &str, from: u8, to: u8, live: bool) -> Item {
        let mut data = Map::new();
        data.insert("live", live);
        let key = SortKey::Link {
            source: source.to_owned(),
            other: id(to),
        };
        Item::ingested(id(from), key, version(1), None, data)
    }

    fn by(source: &str, a: u8, b: u8, live: bool) -> [Item; 2] {
        [side(source, a, b, live), side(source, b, a, live)]
    }

    fn both(a: u8, b: u8) -> [Item; 2] {
        by("crm", a, b, true)
    }

    fn marker(of: u8, marker: Marker) -> Item {
        let key = SortKey::Marker(marker);
        Item::ingested(id(of), key, version(1), None, Map::new())
    }

    fn close(requested: u8, items: &[Item]) -> Closure {
        read_all(Closure::new(id(requested)), items).0
    }

    /// Reads until nothing is pending; returns how many identities each round read.
    fn read_all(mut closure: Closure, items: &[Item]) -> (Closure, Vec<usize>) {
        let mut rounds = Vec::new();
        loop {
            let round = closure.pending();
            if round.is_empty() {
                return (closure, rounds);
            }
            rounds.push(round.len());
            let of = |id: &IdentityId| -> Vec<Item> {
                let own = items.iter().filter(|item| item.identity == *id);
                own.cloned().collect()
            };
            let read: Vec<_> = round.iter().map(|id| (id, of(id))).collect();
            let markers: Vec<_> = read.iter().map(|(_, items)| Markers::of(items)).collect();
            let all = read.iter().zip(&markers);
            closure.add(all.map(|((id, items), markers)| (*id, items.as_slice(), markers)));
        }
    }

    fn ids(numbers: impl IntoIterator<Item = u8>) -> Vec<IdentityId> {
        let mut ids: Vec<_> = numbers.into_iter().map(id).collect();
        ids.sort();
        ids
    }

    #[test]
    fn any_member_finds_all() {
        let links = [both(1, 2), both(2, 3)].concat();
        for requested in 1..=3 {
            let closure = close(requested, &links);
            assert_eq!(closure.members(), ids(1..=3));
            assert_eq!((closure.id(), closure.is_partial()), (id(1), false));
        }
        assert_eq!(
            live_links(&links)
                .map(|(other, _)| other)
                .collect::<Vec<_>>(),
            [id(2), id(1), id(3), id(2)]
        );
        assert_eq!(close(4, &links).members(), [id(4)]);
    }

    #[test]
    fn two_rounds_find_a_complete_graph() {
        let links: Vec<_> = (1..=8)
            .flat_map(|a| (a + 1..=8).flat_map(move |b| both(a, b)))
            .collect();
        for requested in 1..=8 {
            let (closure, rounds) = read_all(Closure::new(id(requested)), &links);
            assert_eq!(rounds, [1, 7]);
            assert_eq!(closure.members().len(), 8);
        }
    }

    #[test]
    fn removed_links_are_not_followed() {
        assert_eq!(close(1, &by("crm", 1, 2, false)).members(), [id(1)]);
        let other = [by("crm", 1, 2, false), by("pos", 1, 2, true)].concat();
        assert_eq!(close(1, &other).members(), ids([1, 2]));
    }

    #[test]
    fn agents_decide_their_pair() {
        let files = [by("crm", 1, 2, true), by("pos", 1, 2, false)].concat();
        for (decision, members) in [(true, ids([1, 2])), (false, ids([1]))] {
            let links = [files.clone(), by(AGENTS, 1, 2, decision).to_vec()].concat();
            for requested in &members {
                let closure = read_all(Closure::new(requested.clone()), &links).0;
                assert_eq!(closure.members(), members);
            }
        }
    }

    #[test]
    fn erased_identities_are_left_out() {
        // Its own link items are deleted; those of the other identities still exist.
        let links = [
            vec![
                side("crm", 1, 2, true),
                side("crm", 3, 2, true),
                marker(2, Marker::Suppressed),
            ],
            both(1, 3).to_vec(),
        ]
        .concat();
        let closure = close(1, &links);
        assert_eq!(closure.members(), ids([1, 3]));
        assert_eq!(closure.shown().count(), 2);
        assert_eq!(close(2, &links).members(), [id(2)]);
    }

    #[test]
    fn a_crowded_source_loses_its_links_alone() {
        // 33 links of `junk`, and one of `crm`, at the same identity.
        let mut links: Vec<_> = (10..43).flat_map(|n| by("junk", 1, n, true)).collect();
        links.extend(by("crm", 1, 2, true));
        for requested in [1, 2] {
            let closure = close(requested, &links);
            assert_eq!(closure.members(), ids([1, 2]));
            let excluded = ExcludedLinks {
                identity: id(1),
                source: "junk".to_owned(),
                links: 33,
            };
            assert_eq!(closure.excluded(), [excluded]);
            assert!(closure.is_partial() && !closure.truncated());
        }
        let customer = close(10, &links);
        assert_eq!(customer.members(), [id(10)]);
        assert_eq!(
            customer.shown().collect::<Vec<_>>(),
            [(&id(1), true), (&id(10), false)]
        );
        assert!(customer.is_partial());
    }

    #[test]
    fn as_many_live_links_as_allowed_count() {
        let most = u8::try_from(MAX_LIVE_LINKS).unwrap();
        // A removed link beyond the limit does not count; one more live link does.
        let mut links: Vec<_> = (2..=1 + most).flat_map(|n| both(1, n)).collect();
        links.extend(by("crm", 1, 2 + most, false));
        assert!(close(1, &links).excluded().is_empty());
        links.extend(both(1, 3 + most));
        assert_eq!(close(1, &links).excluded()[0].links, MAX_LIVE_LINKS + 1);
        let removed: Vec<_> = (2..=200).map(|n| side("crm", 1, n, false)).collect();
        assert_eq!(close(1, &removed).excluded()[0].links, 0);
    }

    #[test]
    fn long_chains_are_cut() {
        let links: Vec<_> = (1..=60).flat_map(|n| both(n, n + 1)).collect();
        let closure = close(30, &links);
        assert!(closure.truncated());
        assert_eq!(closure.members().len(), MAX_IDENTITIES);
        assert_eq!(closure.id(), id(30));
    }

    #[test]
    fn finds_as_many_as_the_limit() {
        let links: Vec<_> = (1..=40).flat_map(|n| both(n, n + 1)).collect();
        for (limit, found) in [(40, 40), (41, 41), (50, 41)] {
            let closure = read_all(Closure::with_limit(id(20), limit), &links).0;
            assert_eq!(closure.members().len(), found);
            assert_eq!(closure.truncated(), limit < 41);
        }
    }

    /// Links that lead to crowded identities do not push members out.
    #[test]
    fn crowded_identities_do_not_count_as_members() {
        let mut links: Vec<_> = (100..131).flat_map(|n| by("junk", 1, n, true)).collect();
        for crowded in 100..131 {
            links.extend((150..190).map(|n| side("junk", crowded, n, true)));
        }
        links.extend((2..=20).flat_map(|n| by("crm", 1, n, true)));
        let closure = close(1, &links);
        assert_eq!(closure.members(), ids(1..=20));
        assert_eq!((closure.truncated(), closure.excluded().len()), (false, 31));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

        /// Every member of a profile finds the same members. They are those that an independent computation over all
        /// links finds.
        #[test]
        fn membership_is_symmetric(
            edges in prop::collection::vec((0_usize..3, 0_u8..14, 0_u8..14, any::<bool>()), 0..30),
            crowded in prop::collection::vec((0_usize..3, 0_u8..14), 0..4),
        ) {
            let sources = ["crm", "pos", AGENTS];
            let mut links: BTreeMap<(usize, u8, u8), bool> = BTreeMap::new();
            for (source, a, b, live) in edges {
                if a != b {
                    links.insert((source, a.min(b), a.max(b)), live);
                }
            }
            for (source, at) in crowded {
                links.extend((50..50 + 33).map(|far| ((source, at, far), true)));
            }
            let items: Vec<Item> = links.iter().flat_map(|((source, a, b), live)| by(sources[*source], *a, *b, *live)).collect();
            let live_at = |source: usize, end: u8| links.iter().filter(|((own, a, b), live)| **live && *own == source && (*a == end || *b == end)).count();
            let counts = |source: usize, a: u8, b: u8| links.get(&(source, a, b)) == Some(&true) && live_at(source, a) <= 32 && live_at(source, b) <= 32;
            let connected = |a: u8, b: u8| {
                let (a, b) = (a.min(b), a.max(b));
                if links.contains_key(&(2, a, b)) { counts(2, a, b) } else { counts(0, a, b) || counts(1, a, b) }
            };
            for requested in 0..14_u8 {
                let mut expected = BTreeSet::from([requested]);
                while let Some(next) = (0..83).find(|next| !expected.contains(next) && expected.iter().any(|member| connected(*member, *next))) {
                    expected.insert(next);
                }
                let closure = close(requested, &items);
                prop_assert!(!closure.truncated());
                prop_assert_eq!(closure.members(), ids(expected));
            }
        }
    }
}
