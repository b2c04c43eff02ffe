//! Who belongs together: the identities that live links connect, found breadth first. Pure: the caller reads
//! the partitions that `pending` names and hands their links to `add`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    erasure::Markers, identifier::Identifier, identity::IdentityId, item::Item, keys::SortKey,
};

/// The most identities that a profile is read from.
pub const MAX_IDENTITIES: usize = 32;
/// An identity with more live links than this is shared by many customers, as a till's address is.
pub const MAX_LIVE_LINKS: usize = 32;

/// The identities of one profile, as far as they are known.
#[derive(Clone, Debug)]
pub struct Closure {
    asked: IdentityId,
    /// How many identities are found at most.
    most: usize,
    /// Identities found and not yet read.
    pending: BTreeSet<IdentityId>,
    /// Identities read, and whether they are shared.
    read: BTreeMap<IdentityId, bool>,
    /// The links by which identities were found.
    found_by: BTreeMap<IdentityId, Vec<Item>>,
    truncated: bool,
}

impl Closure {
    /// Begins with the identity that was asked for, and finds as many as a profile is read from.
    pub fn new(asked: IdentityId) -> Self {
        Self::of_at_most(asked, MAX_IDENTITIES)
    }

    /// Begins with the identity that was asked for, and finds so many at most.
    pub fn of_at_most(asked: IdentityId, most: usize) -> Self {
        Self {
            pending: BTreeSet::from([asked.clone()]),
            asked,
            most,
            read: BTreeMap::new(),
            found_by: BTreeMap::new(),
            truncated: false,
        }
    }

    /// The identity that was asked for.
    pub const fn asked(&self) -> &IdentityId {
        &self.asked
    }

    /// The identities to read next; empty when all are known.
    pub fn pending(&self) -> Vec<IdentityId> {
        self.pending.iter().cloned().collect()
    }

    /// Takes in the items of an identity that was pending, less what its markers erase. An identity whose markers erase
    /// every link that led to it is none of the profile's. A shared identity is never followed, not even where it is
    /// the one asked for.
    pub fn add<'a>(
        &mut self,
        identity: &IdentityId,
        items: impl IntoIterator<Item = &'a Item>,
        markers: &Markers,
    ) {
        self.pending.remove(identity);
        let found_by = self.found_by.remove(identity).unwrap_or_default();
        if *identity != self.asked && found_by.iter().all(|link| markers.erase(link)) {
            return;
        }
        let links: BTreeMap<IdentityId, &Item> = items
            .into_iter()
            .filter_map(|item| Some((live_link(item)?, item)))
            .collect();
        let shared = links.len() > MAX_LIVE_LINKS;
        self.read.insert(identity.clone(), shared);
        if shared {
            return;
        }
        for (other, link) in links {
            if self.read.contains_key(&other) {
                continue;
            }
            if !self.pending.contains(&other) {
                if self.read.len() + self.pending.len() >= self.most {
                    self.truncated = true;
                    return;
                }
                self.pending.insert(other.clone());
            }
            self.found_by.entry(other).or_default().push(link.clone());
        }
    }

    /// The identities whose items make the profile: all that were read but the shared ones, unless a shared
    /// one was asked for, which stands alone.
    pub fn members(&self) -> Vec<IdentityId> {
        if self.is_shared(&self.asked) {
            return vec![self.asked.clone()];
        }
        self.read
            .iter()
            .filter(|(_, shared)| !**shared)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Whether `identity` was read and found to be shared.
    pub fn is_shared(&self, identity: &IdentityId) -> bool {
        self.read.get(identity).is_some_and(|shared| *shared)
    }

    /// Every identity to show, shared ones too.
    pub fn shown(&self) -> impl Iterator<Item = (&IdentityId, bool)> {
        self.read.iter().map(|(id, shared)| (id, *shared))
    }

    /// Whether identities were left out because there are too many.
    pub const fn truncated(&self) -> bool {
        self.truncated
    }

    /// The profile's canonical id: the smallest of its identities' ids, or the one asked for where that
    /// can't be known.
    pub fn id(&self) -> IdentityId {
        if self.truncated {
            return self.asked.clone();
        }
        self.members()
            .into_iter()
            .min()
            .unwrap_or_else(|| self.asked.clone())
    }
}

/// The other side of every live link among `items`, with its identifier.
pub fn live_links<'a>(
    items: impl IntoIterator<Item = &'a Item>,
) -> impl Iterator<Item = (IdentityId, Option<Identifier>)> {
    items.into_iter().filter_map(|item| {
        let identifier = item.data.map("other").and_then(Identifier::from_item);
        Some((live_link(item)?, identifier))
    })
}

fn live_link(item: &Item) -> Option<IdentityId> {
    match &item.key {
        SortKey::Link(other) if item.data.flag("live") == Some(true) => Some(other.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::base32,
        keys::Marker,
        value::Map,
        version::{ImportId, Version},
    };

    fn id(n: u8) -> IdentityId {
        base32(&[n; 16]).parse().unwrap()
    }

    fn link(from: u8, to: u8, live: bool) -> Item {
        let mut data = Map::new();
        data.insert("live", live);
        Item {
            identity: id(from),
            key: SortKey::Link(id(to)),
            version: None,
            link: None,
            data,
            expires_at: None,
            find: Default::default(),
        }
    }

    fn close(asked: u8, links: &[Item]) -> Closure {
        close_from(Closure::new(id(asked)), links)
    }

    fn close_from(mut closure: Closure, links: &[Item]) -> Closure {
        while let Some(next) = closure.pending().pop() {
            closure.add(
                &next,
                links.iter().filter(|item| item.identity == next),
                &Markers::of(links.iter().filter(|item| item.identity == next)),
            );
        }
        closure
    }

    fn both(a: u8, b: u8) -> [Item; 2] {
        [link(a, b, true), link(b, a, true)]
    }

    #[test]
    fn any_member_finds_all() {
        let links = [both(1, 2), both(2, 3)].concat();
        for asked in 1..=3 {
            let closure = close(asked, &links);
            assert_eq!(closure.members(), [id(1), id(2), id(3)]);
            assert_eq!((closure.id(), closure.truncated()), (id(1), false));
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
    fn where_every_pair_is_linked_two_rounds_find_all() {
        let links: Vec<_> = (1..=8)
            .flat_map(|a| (a + 1..=8).flat_map(move |b| both(a, b)))
            .collect();
        for asked in 1..=8 {
            let mut closure = Closure::new(id(asked));
            let mut rounds = Vec::new();
            loop {
                let round = closure.pending();
                if round.is_empty() {
                    break;
                }
                rounds.push(round.len());
                for identity in round {
                    let own = links.iter().filter(|item| item.identity == identity);
                    closure.add(&identity, own, &Markers::default());
                }
            }
            assert_eq!(rounds, [1, 7]);
            assert_eq!(closure.members().len(), 8);
        }
    }

    #[test]
    fn dropped_links_are_not_followed() {
        assert_eq!(
            close(1, &[link(1, 2, false), link(2, 1, false)]).members(),
            [id(1)]
        );
    }

    #[test]
    fn an_erased_identity_is_none_of_the_profiles_that_are_linked_to_it() {
        let marker = Item {
            key: SortKey::Marker(Marker::Suppressed),
            version: Some(Version::new(1, "1", ImportId([0; 8]), 0)),
            ..link(2, 2, false)
        };
        // Its own side of the link is gone; the others' is still there.
        let links = [
            vec![link(1, 2, true), link(3, 2, true), marker],
            both(1, 3).to_vec(),
        ]
        .concat();
        let closure = close(1, &links);
        assert_eq!(closure.members(), [id(1), id(3)]);
        assert_eq!(closure.shown().count(), 2);
        assert_eq!(close(2, &links).members(), [id(2)]);
    }

    #[test]
    fn shared_identities_are_shown_and_not_followed() {
        let links: Vec<_> = (2..=40).flat_map(|n| both(1, n)).collect();
        let customer = close(2, &links);
        assert_eq!(customer.members(), [id(2)]);
        assert_eq!(
            customer.shown().collect::<Vec<_>>(),
            [(&id(1), true), (&id(2), false)]
        );
        assert_eq!(customer.id(), id(2));
        let till = close(1, &links);
        assert_eq!((till.members(), till.id()), (vec![id(1)], id(1)));
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let links: Vec<_> = (1..=60).flat_map(|n| both(n, n + 1)).collect();
        let closure = close(30, &links);
        assert!(closure.truncated());
        assert_eq!(closure.members().len(), MAX_IDENTITIES);
        assert_eq!(closure.id(), id(30));
    }

    #[test]
    fn as_many_are_found_as_are_asked_for() {
        let links: Vec<_> = (1..=40).flat_map(|n| both(n, n + 1)).collect();
        for (most, found) in [(40, 40), (41, 41), (50, 41)] {
            let closure = close_from(Closure::of_at_most(id(20), most), &links);
            assert_eq!(closure.members().len(), found);
            assert_eq!(closure.truncated(), most < 41);
        }
    }

    #[test]
    fn so_many_links_are_still_one_customers() {
        let most = u8::try_from(MAX_LIVE_LINKS).unwrap();
        let links: Vec<_> = (2..=1 + most).flat_map(|n| both(1, n)).collect();
        assert!(!close(1, &links).is_shared(&id(1)));
        let links = [links, both(1, 2 + most).to_vec()].concat();
        assert!(close(1, &links).is_shared(&id(1)));
    }
}
