//! Merges the events of several identities into a page of the history. Pure: returns the reads that it needs and receives their
//! results.
//!
//! In: the events of each identity, in order. Out: the shown events, each once in its newest version (see
//! `shared::profile::versions`), and the position at which the page ends.

use std::collections::VecDeque;

use shared::{
    model::{
        identity::IdentityId,
        item::Item,
        keys::{EventKey, EventType, SortKey},
        time::Instant,
        value::Map,
    },
    profile::{
        newer,
        versions::{self, EventPosition, Versions},
    },
    table::{EventRange, Items, Order},
};

use crate::filter::Filter;

/// The maximum number of events that one page examines. A page that needs more ends early and is partial.
pub(crate) const MAX_EXAMINED: usize = 5_000;
/// The number of events of an identity per read, if the filter may skip many.
const LONG_READ: usize = 1_000;
/// The maximum number of reads of an identity for one page, each at most 1 MiB. A page that needs more ends early and is partial.
const MAX_READS: usize = 16;
/// The number of events to read beyond a page, so that versions of its last events are usually among them.
const LOOK_AHEAD: usize = 8;

/// The result of reading a page.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The events that were read, in order.
    read: Vec<Item>,
    /// The indexes in `read` of the events on the page.
    shown: Vec<usize>,
    /// The time up to which `read` is complete; `None` if it extends to the end.
    read_to: Option<Instant>,
    /// The position after which the next page starts; `None` at the end.
    pub(crate) next: Option<EventPosition>,
    /// Whether the page ended early because too much had to be read.
    pub(crate) partial: bool,
}

impl Merged {
    /// Returns the events on the page, in order.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.shown.iter().map(|index| &self.read[*index])
    }

    /// Returns the position after the event at `index` of the page.
    pub(crate) fn position_after(&self, index: usize) -> Option<EventPosition> {
        let read_index = *self.shown.get(index)?;
        let key = self.read[read_index].event()?.clone();
        Some(EventPosition::new(
            key,
            &self.read,
            read_index + 1,
            self.read_to,
        ))
    }
}

/// The next read of an identity.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The index of the source that receives the events.
    pub(crate) source: usize,
    pub(crate) identity: IdentityId,
    /// The event after which to read; `None` for the start of the range.
    pub(crate) after: Option<SortKey>,
    /// The maximum number of events to read.
    pub(crate) limit: usize,
}

/// The next step of a page.
#[derive(Debug)]
pub(crate) enum Step {
    /// Do these reads, within the range of the pager.
    Read(Vec<Wanted>),
    /// The page is complete.
    Done(Merged),
}

/// The events of one identity that were read but not yet taken.
struct Source {
    identity: IdentityId,
    waiting: VecDeque<Item>,
    /// The event after which the next read of this identity starts; `None` for the start of the range.
    after: Option<SortKey>,
    /// Whether the table may contain events after `after`.
    has_more: bool,
    /// The maximum number of events in the next read.
    limit: usize,
    /// The number of reads so far.
    reads: usize,
}

/// Builds a page from the events that are read.
pub(crate) struct Pager<'a> {
    filter: &'a Filter,
    limit: usize,
    /// The end of the previous page.
    begin: Option<EventPosition>,
    /// The range of the reads: the filter's time range, extended by 24 hours on both sides if its types have versions.
    range: EventRange,
    /// One source for each identity.
    sources: Vec<Source>,
    /// The events that were taken, each key once, without tombstones.
    read: Vec<Item>,
    /// The versions among `read`.
    versions: Versions,
    /// The number of events in `read` that were decided on.
    decided: usize,
    /// The indexes in `read` of the events on the page.
    shown: Vec<usize>,
    /// The last key that was taken. All events before it are in `read`.
    frontier: Option<EventKey>,
    /// The number of events that were examined, including expired ones.
    examined: usize,
    /// The maximum number of events that are examined.
    budget: usize,
}

impl<'a> Pager<'a> {
    /// Starts a page of at most `limit` events of `identities` that pass the filter, after the position `begin`.
    pub(crate) fn new(
        filter: &'a Filter,
        identities: Vec<IdentityId>,
        begin: Option<EventPosition>,
        limit: usize,
    ) -> Self {
        // Reads one event more than the page, to detect the last page.
        let read = if filter.passes_all() {
            limit + 1 + LOOK_AHEAD
        } else {
            LONG_READ
        };
        let start = begin.as_ref().filter(|begin| begin.since.is_none());
        let after = start.map(|begin| SortKey::Event(begin.after.clone()));
        let source = |identity| Source {
            identity,
            waiting: VecDeque::new(),
            after: after.clone(),
            has_more: !filter.is_empty(),
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

    /// Returns the range of the reads.
    pub(crate) const fn range(&self) -> &EventRange {
        &self.range
    }

    /// Takes the events that were read and returns the next step. Do not call it again after [`Step::Done`].
    pub(crate) fn step(&mut self) -> Step {
        loop {
            if self.decide(Known::ToFrontier) {
                return Step::Done(self.full());
            }
            let front = self.front();
            let to_read: Vec<_> = (0..self.sources.len())
                .filter(|source| self.must_read_first(&self.sources[*source], front.as_ref()))
                .collect();
            if self.is_past_range() || front.is_none() && to_read.is_empty() {
                let full = self.decide(Known::All);
                return Step::Done(if full { self.full() } else { self.done(None) });
            }
            if self.is_limit_reached(&to_read) {
                return Step::Done(self.end_early(&to_read));
            }
            if to_read.is_empty() {
                self.take(front);
                continue;
            }
            let wanted = |source: usize| {
                let Source {
                    identity,
                    after,
                    limit,
                    ..
                } = &self.sources[source];
                Wanted {
                    source,
                    identity: identity.clone(),
                    after: after.clone(),
                    limit: *limit,
                }
            };
            return Step::Read(to_read.into_iter().map(wanted).collect());
        }
    }

    /// Returns whether the page has reached its limit of examined events or of reads.
    fn is_limit_reached(&self, to_read: &[usize]) -> bool {
        let mut reads = to_read.iter().map(|source| self.sources[*source].reads);
        let has_examined_all = self.examined >= self.budget;
        // The next page needs a position that is after the one of this page.
        let can_stop = !to_read.is_empty() || self.frontier.is_some();
        has_examined_all && can_stop || reads.any(|reads| reads >= MAX_READS)
    }

    /// Adds the result of a read. `items` must not contain erased events.
    pub(crate) fn fill(&mut self, wanted: &Wanted, items: Items) {
        let source = &mut self.sources[wanted.source];
        source.reads += 1;
        source.has_more = items.next.is_some();
        source.after = items.next;
        source.waiting.extend(items.items);
        // The second read is as long as the first: usually, only versions of the page's last events are missing.
        if source.reads > 1 {
            source.limit = (wanted.limit * 4).min(LONG_READ.max(wanted.limit));
        }
        if source.has_more && source.waiting.is_empty() {
            // The table's reader does not return expired items, but it did read them, so they count.
            self.examined += wanted.limit;
            source.limit = LONG_READ;
        }
    }

    /// Decides on the taken events, in order, as far as their versions are known. Returns whether the page is full.
    fn decide(&mut self, known: Known) -> bool {
        while let Some(item) = self.read.get(self.decided) {
            if self.is_requested(item) && !self.versions.replace(&self.read, item) {
                if known == Known::ToFrontier && !self.has_all_versions(item) {
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

    /// Returns whether an event belongs on the page, provided that it is the newest version.
    fn is_requested(&self, item: &Item) -> bool {
        item.event().is_some_and(|key| {
            self.is_after_begin(key) && self.filter.includes(key.at()) && self.filter.passes(item)
        })
    }

    /// Returns whether every possible version of `item` was taken.
    fn has_all_versions(&self, item: &Item) -> bool {
        item.event()
            .zip(self.frontier.as_ref())
            .is_some_and(|(key, frontier)| {
                !versions::is_versioned(key.kind()) || !versions::are_near(key.at(), frontier.at())
            })
    }

    /// Returns whether a key is after the end of the previous page.
    fn is_after_begin(&self, key: &EventKey) -> bool {
        self.begin
            .as_ref()
            .is_none_or(|begin| is_before(&begin.after, key, self.filter.range.order))
    }

    /// Returns whether all taken events are decided on and no later event can be in the filter's time range.
    fn is_past_range(&self) -> bool {
        let range = &self.filter.range;
        self.decided == self.read.len()
            && self
                .frontier
                .as_ref()
                .is_some_and(|frontier| match range.order {
                    Order::OldestFirst => range.to.is_some_and(|to| frontier.at() >= to),
                    Order::NewestFirst => range.from.is_some_and(|from| frontier.at() < from),
                })
    }

    /// Returns whether a source must be read before the event at `front` is taken, because it may contain an earlier one.
    fn must_read_first(&self, source: &Source, front: Option<&EventKey>) -> bool {
        let may_be_before = |front: &EventKey| match source.after() {
            None => true,
            Some(after) => is_before(after, front, self.filter.range.order),
        };
        source.waiting.is_empty() && source.has_more && front.is_none_or(may_be_before)
    }

    /// Returns the next key among the events that were read.
    fn front(&self) -> Option<EventKey> {
        let fronts = self
            .sources
            .iter()
            .filter_map(|source| source.waiting.front()?.event());
        first(fronts, self.filter.range.order).cloned()
    }

    /// Takes the event with the key `next` from all identities that have it, in its newest version.
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
                Some(other) => newer(&other, &item).clone(),
                None => item,
            });
        }
        self.examined += 1;
        self.frontier = next;
        // Events of other types are never versions of the requested events.
        let has_type = |key: &EventKey| self.filter.has_type(key.kind());
        let is_kept = |item: &Item| !item.is_tombstone() && item.event().is_some_and(has_type);
        if let Some(mut item) = taken.filter(is_kept) {
            if !self.is_requested(&item) {
                // The event may only replace others, which does not need its data.
                item.data = Map::new();
            }
            self.versions.add(&item, self.read.len());
            self.read.push(item);
        }
    }

    /// Returns the page that has as many events as it may show.
    fn full(&mut self) -> Merged {
        let last = self.shown.len().checked_sub(1);
        let mut merged = self.done(None);
        merged.next = last.and_then(|last| merged.position_after(last));
        merged
    }

    /// Ends the page early.
    ///
    /// An event may be undecided because its versions are too far away. If no event after `begin` was decided on, such events are
    /// decided on by the events that were read. Otherwise the next page would start at the same position again.
    fn end_early(&mut self, to_read: &[usize]) -> Merged {
        // Every source was read at least up to the earliest key after which a source in `to_read` continues.
        let order = self.filter.range.order;
        let keys = to_read
            .iter()
            .filter_map(|source| self.sources[*source].after());
        if let Some(key) = first(keys, order) {
            self.frontier = Some(key.clone());
        }
        let last = self.read[..self.decided].last().and_then(Item::event);
        let has_progress = last.is_some_and(|key| self.is_after_begin(key));
        let (end, count) = if self.decided < self.read.len() && has_progress {
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
            Some(end) => Some(EventPosition::new(end, &self.read, count, read_to)),
            // The events to read again before the page exceed the limit.
            None => self.begin.clone().map(|begin| EventPosition {
                since: None,
                ..begin
            }),
        };
        Merged {
            partial: true,
            ..self.done(next)
        }
    }

    /// Returns the page as far as it was built. `next` is the position after it.
    fn done(&mut self, next: Option<EventPosition>) -> Merged {
        let is_complete =
            self.front().is_none() && self.sources.iter().all(|source| !source.has_more);
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

/// How far the versions of an event are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Up to the last event that was taken.
    ToFrontier,
    /// All relevant versions are known.
    All,
}

impl Source {
    /// Returns the key of the event after which the next read starts.
    fn after(&self) -> Option<&EventKey> {
        match &self.after {
            Some(SortKey::Event(key)) => Some(key),
            _ => None,
        }
    }
}

/// Returns the range to read for a page. Events up to 24 hours outside the filter's time range may replace those in it.
fn range(filter: &Filter, begin: Option<&EventPosition>) -> EventRange {
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
    if let Some(since) = begin.and_then(|begin| begin.since) {
        match range.order {
            Order::OldestFirst => range.from = range.from.max(Some(since)),
            Order::NewestFirst => {
                let to = since.shifted(1);
                range.to = Some(range.to.map_or(to, |filtered| filtered.min(to)));
            }
        }
    }
    range
}

/// Returns whether `a` comes before `b` in the order of the page.
fn is_before(a: &EventKey, b: &EventKey, order: Order) -> bool {
    match order {
        Order::OldestFirst => a < b,
        Order::NewestFirst => a > b,
    }
}

/// Returns the first key in the order of the page.
fn first<'a>(keys: impl Iterator<Item = &'a EventKey>, order: Order) -> Option<&'a EventKey> {
    match order {
        Order::OldestFirst => keys.min(),
        Order::NewestFirst => keys.max(),
    }
}

#[cfg(test)]
mod tests;
