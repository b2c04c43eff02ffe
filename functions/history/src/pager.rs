//! A page of the history, from what is read of each identity. Pure: it says what has to be read next, and is given it.
//!
//! In: the events of several identities, in order. Out: those that are shown, each once, in its newest version (see
//! `shared::profile::versions`), and the place where the page ends.

use std::collections::VecDeque;

use shared::{
    identity::IdentityId,
    item::Item,
    keys::{EventKey, EventType, SortKey},
    profile::{
        newer,
        versions::{self, Place, Versions},
    },
    table::{EventRange, Items},
    time::Instant,
    value::Map,
};

use crate::filter::Filter;

/// The most events that one page looks at. A page that needs more ends early and is partial.
pub(crate) const MAX_EXAMINED: usize = 5_000;
/// How many events of an identity are read at a time if many may be passed over.
const LONG_READ: usize = 1_000;
/// The most reads of an identity for one page: each is at most 1 MiB. A page that needs more ends early and is partial.
const MAX_READS: usize = 16;
/// How many events are read beyond a page, so that versions of its last events are usually among them.
const LOOK_AHEAD: usize = 8;

/// The events of a page.
#[derive(Debug)]
pub(crate) struct Merged {
    /// What was read, in order.
    read: Vec<Item>,
    /// The places in `read` of the events on the page.
    shown: Vec<usize>,
    /// The moment to which `read` is complete; `None` if it is to the end.
    read_to: Option<Instant>,
    /// The place after which the next page begins; `None` at the end.
    pub(crate) next: Option<Place>,
    /// Whether the page ended early because too much had to be read.
    pub(crate) partial: bool,
}

impl Merged {
    /// The events on the page, in order.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.shown.iter().map(|place| &self.read[*place])
    }

    /// The place after the event at `index` of the page.
    pub(crate) fn place_after(&self, index: usize) -> Option<Place> {
        let place = *self.shown.get(index)?;
        let key = self.read[place].event()?.clone();
        Some(Place::new(key, &self.read, place + 1, self.read_to))
    }
}

/// What has to be read of an identity next.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Which source it is for.
    pub(crate) source: usize,
    pub(crate) identity: IdentityId,
    /// After this event; `None` at the beginning of the range.
    pub(crate) place: Option<SortKey>,
    /// How many events.
    pub(crate) limit: usize,
}

/// What a page needs.
#[derive(Debug)]
pub(crate) enum Step {
    /// These reads, all of the range of the pager.
    Read(Vec<Wanted>),
    /// Nothing: it is complete.
    Done(Merged),
}

/// The events of one identity that were read and not yet taken.
struct Source {
    identity: IdentityId,
    waiting: VecDeque<Item>,
    /// After which event the next query of this identity begins; `None` at the beginning.
    place: Option<SortKey>,
    more: bool,
    /// How many events the next query looks at.
    limit: usize,
    /// How often it was read.
    reads: usize,
}

/// A page in the making.
pub(crate) struct Pager<'a> {
    filter: &'a Filter,
    limit: usize,
    /// Where the page before ended.
    begin: Option<Place>,
    /// What is read: the filter's range, and 24 hours to both sides of it.
    range: EventRange,
    sources: Vec<Source>,
    /// The events that were taken, each key once, without tombstones.
    read: Vec<Item>,
    versions: Versions,
    /// How many of `read` were decided on.
    decided: usize,
    shown: Vec<usize>,
    /// The last key that was taken: all before it are in `read`.
    frontier: Option<EventKey>,
    examined: usize,
    /// The most events that are examined.
    budget: usize,
}

impl<'a> Pager<'a> {
    /// A page of at most `limit` events of `identities` that pass the filter, after the place `begin`.
    pub(crate) fn new(
        filter: &'a Filter,
        identities: Vec<IdentityId>,
        begin: Option<Place>,
        limit: usize,
    ) -> Self {
        // One more than the page, so that the last page is known to be the last.
        let read = if filter.passes_all() {
            limit + 1 + LOOK_AHEAD
        } else {
            LONG_READ
        };
        let start = begin.as_ref().filter(|place| place.since.is_none());
        let place = start.map(|place| SortKey::Event(place.after.clone()));
        let source = |identity| Source {
            identity,
            waiting: VecDeque::new(),
            place: place.clone(),
            more: !filter.is_empty(),
            limit: read,
            reads: 0,
        };
        Self {
            limit,
            range: range(filter, begin.as_ref()),
            sources: identities.into_iter().map(source).collect(),
            filter,
            begin,
            read: Vec::new(),
            versions: Versions::default(),
            decided: 0,
            shown: Vec::new(),
            frontier: None,
            examined: 0,
            budget: MAX_EXAMINED,
        }
    }

    /// The range of the reads.
    pub(crate) const fn range(&self) -> &EventRange {
        &self.range
    }

    /// Takes events as far as they were read, and says what is needed next. The pager is used up by `Step::Done`.
    pub(crate) fn step(&mut self) -> Step {
        loop {
            if self.decide(Known::ToFrontier) {
                return Step::Done(self.full());
            }
            let front = self.front();
            let behind: Vec<_> = (0..self.sources.len())
                .filter(|source| self.is_behind(&self.sources[*source], front.as_ref()))
                .collect();
            if self.is_past_range() || front.is_none() && behind.is_empty() {
                let full = self.decide(Known::All);
                return Step::Done(if full { self.full() } else { self.done(None) });
            }
            if self.is_spent(&behind) {
                return Step::Done(self.give_up(&behind));
            }
            if behind.is_empty() {
                self.take(front);
                continue;
            }
            let wanted = |source: usize| {
                let of = &self.sources[source];
                Wanted {
                    source,
                    identity: of.identity.clone(),
                    place: of.place.clone(),
                    limit: of.limit,
                }
            };
            return Step::Read(behind.into_iter().map(wanted).collect());
        }
    }

    /// Whether too much had to be read to go on.
    fn is_spent(&self, behind: &[usize]) -> bool {
        let mut reads = behind.iter().map(|source| self.sources[*source].reads);
        let is_examined = self.examined >= self.budget;
        let can_stop = !behind.is_empty() || self.frontier.is_some();
        is_examined && can_stop || reads.any(|reads| reads >= MAX_READS)
    }

    /// Takes in what was read: `items` without those that are erased.
    pub(crate) fn fill(&mut self, wanted: &Wanted, items: Items) {
        let source = &mut self.sources[wanted.source];
        source.reads += 1;
        source.more = items.next.is_some();
        source.place = items.next;
        source.waiting.extend(items.items);
        source.limit = (wanted.limit * 4).min(LONG_READ.max(wanted.limit));
        if source.more && source.waiting.is_empty() {
            // Expired items are not returned by the table's reader, and were read all the same.
            self.examined += wanted.limit;
            source.limit = LONG_READ;
        }
    }

    /// Decides on the events that were taken, in order, as far as their versions are known; returns whether the page is full.
    fn decide(&mut self, known: Known) -> bool {
        while let Some(item) = self.read.get(self.decided) {
            if self.is_asked_for(item) && !self.versions.replace(&self.read, item) {
                if known == Known::ToFrontier && !self.is_settled(item) {
                    return false;
                }
                if self.shown.len() == self.limit {
                    return true;
                }
                self.shown.push(self.decided);
            }
            self.decided += 1;
        }
        false
    }

    /// Whether an event is asked for, if it is the newest version.
    fn is_asked_for(&self, item: &Item) -> bool {
        item.event().is_some_and(|key| {
            self.is_after_begin(key) && self.filter.has(key.at()) && self.filter.passes(item)
        })
    }

    /// Whether no event that is still to be taken can be a version of `item`.
    fn is_settled(&self, item: &Item) -> bool {
        item.event()
            .zip(self.frontier.as_ref())
            .is_some_and(|(key, frontier)| {
                !versions::is_versioned(key.kind()) || !versions::are_near(key.at(), frontier.at())
            })
    }

    fn is_after_begin(&self, key: &EventKey) -> bool {
        self.begin
            .as_ref()
            .is_none_or(|begin| is_before(&begin.after, key, self.filter.range.oldest_first))
    }

    /// Whether nothing that is still to be taken, or to be decided on, can be in the filter's range.
    fn is_past_range(&self) -> bool {
        let range = &self.filter.range;
        self.decided == self.read.len()
            && self.frontier.as_ref().is_some_and(|frontier| {
                if range.oldest_first {
                    range.to.is_some_and(|to| frontier.at() >= to)
                } else {
                    range.from.is_some_and(|from| frontier.at() < from)
                }
            })
    }

    /// Whether a source has to be read before an event at `front` is taken: whether it may have one before it.
    fn is_behind(&self, source: &Source, front: Option<&EventKey>) -> bool {
        let may_be_before = |front: &EventKey| match source.place() {
            None => true,
            Some(place) => is_before(place, front, self.filter.range.oldest_first),
        };
        source.waiting.is_empty() && source.more && front.is_none_or(may_be_before)
    }

    /// Which of the events that were read comes next.
    fn front(&self) -> Option<EventKey> {
        let fronts = self
            .sources
            .iter()
            .filter_map(|source| source.waiting.front()?.event());
        first(fronts, self.filter.range.oldest_first).cloned()
    }

    /// Takes an event, from all identities that have it.
    fn take(&mut self, next: Option<EventKey>) {
        let mut taken: Option<Item> = None;
        for source in &mut self.sources {
            if source.waiting.front().and_then(Item::event) != next.as_ref() {
                continue;
            }
            let Some(item) = source.waiting.pop_front() else {
                continue;
            };
            taken = Some(match taken {
                Some(held) => newer(&held, &item).clone(),
                None => item,
            });
        }
        self.examined += 1;
        self.frontier = next;
        // Other types are no versions of what is asked for.
        let has_type = |key: &EventKey| self.filter.has_type(key.kind());
        let is_kept = |item: &Item| !item.is_tombstone() && item.event().is_some_and(has_type);
        if let Some(mut item) = taken.filter(is_kept) {
            if !self.is_asked_for(&item) {
                // It may only replace others: its data is not needed.
                item.data = Map::new();
            }
            self.versions.add(&item, self.read.len());
            self.read.push(item);
        }
    }

    /// The page that holds as much as was asked for.
    fn full(&mut self) -> Merged {
        let last = self.shown.len().checked_sub(1);
        let mut merged = self.done(None);
        merged.next = last.and_then(|last| merged.place_after(last));
        merged
    }

    /// The page as far as it was decided on. What can't be decided on, since its versions are too far away, is decided on by
    /// what was read, unless something before it was decided on: the next page must not begin where this one did.
    fn give_up(&mut self, behind: &[usize]) -> Merged {
        // All have been looked through as far as the one that is farthest behind.
        let oldest_first = self.filter.range.oldest_first;
        let places = behind
            .iter()
            .filter_map(|source| self.sources[*source].place());
        if let Some(place) = first(places, oldest_first) {
            self.frontier = Some(place.clone());
        }
        let last = self.read[..self.decided].last().and_then(Item::event);
        let is_under_way = last.is_some_and(|key| self.is_after_begin(key));
        let (end, count) = if self.decided < self.read.len() && is_under_way {
            let last = self.decided - 1;
            (self.read[last].event().cloned(), self.decided)
        } else {
            if self.decide(Known::All) {
                return Merged {
                    partial: true,
                    ..self.full()
                };
            }
            (self.frontier.clone(), self.read.len())
        };
        let read_to = self.frontier.as_ref().map(EventKey::at);
        let next = match end.filter(|end| self.is_after_begin(end)) {
            Some(end) => Some(Place::new(end, &self.read, count, read_to)),
            // There is too much before the page to be read again.
            None => self.begin.clone().map(|place| Place {
                since: None,
                ..place
            }),
        };
        Merged {
            partial: true,
            ..self.done(next)
        }
    }

    fn done(&mut self, next: Option<Place>) -> Merged {
        let is_complete = self.front().is_none() && self.sources.iter().all(|source| !source.more);
        Merged {
            read: std::mem::take(&mut self.read),
            shown: std::mem::take(&mut self.shown),
            read_to: self
                .frontier
                .as_ref()
                .map(EventKey::at)
                .filter(|_| !is_complete),
            next,
            partial: false,
        }
    }
}

/// How far versions of an event are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// As far as events were taken.
    ToFrontier,
    /// All that count.
    All,
}

impl Source {
    fn place(&self) -> Option<&EventKey> {
        match &self.place {
            Some(SortKey::Event(key)) => Some(key),
            _ => None,
        }
    }
}

/// What is read for a page: events up to 24 hours outside of the filter's range may replace those within.
fn range(filter: &Filter, begin: Option<&Place>) -> EventRange {
    let margin = if EventType::ALL
        .into_iter()
        .any(|kind| filter.has_type(kind) && versions::is_versioned(kind))
    {
        versions::WINDOW
    } else {
        0
    };
    let mut range = filter.range.clone();
    range.from = range.from.map(|from| from.shifted(-margin));
    range.to = range.to.map(|to| to.shifted(margin));
    if let Some(since) = begin.and_then(|place| place.since) {
        if range.oldest_first {
            range.from = range.from.max(Some(since));
        } else {
            let to = since.shifted(1);
            range.to = Some(range.to.map_or(to, |own| own.min(to)));
        }
    }
    range
}

/// Whether `a` comes before `b` in order.
fn is_before(a: &EventKey, b: &EventKey, oldest_first: bool) -> bool {
    if oldest_first { a < b } else { a > b }
}

/// The key that comes first.
fn first<'a>(keys: impl Iterator<Item = &'a EventKey>, oldest_first: bool) -> Option<&'a EventKey> {
    if oldest_first { keys.min() } else { keys.max() }
}

#[cfg(test)]
mod tests;
