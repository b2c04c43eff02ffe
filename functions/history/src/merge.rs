//! The merge: the events of several identities in one order, each once. An event that several identities hold
//! counts in its newest version, and not at all where that says it was moved.

use std::collections::VecDeque;

use futures::future::try_join_all;
use shared::{
    identity::IdentityId,
    item::Item,
    keys::{EventKey, SortKey},
    profile::newer,
    reader::Members,
    table::{Items, Table, TableError},
};

use crate::filter::Filter;

/// The most events that one page looks at: past that it is answered as it is, and says that it is partial.
const MAX_EXAMINED: usize = 5_000;
/// How many events of an identity are read at a time where many may be passed over.
const LONG_READ: usize = 1_000;

/// The events of a page.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// The events, in order.
    pub(crate) items: Vec<Item>,
    /// The key after which to go on; `None` at the end.
    pub(crate) next: Option<EventKey>,
    /// Whether the page ended early because too much had to be read.
    pub(crate) partial: bool,
}

/// The events of one identity that were read and not yet taken.
struct Source {
    identity: IdentityId,
    waiting: VecDeque<Item>,
    /// After which event the next query of this identity begins; `None` at the beginning.
    place: Option<SortKey>,
    more: bool,
    /// How many events the next query looks at.
    read: usize,
}

/// Reads at most `limit` events of a profile's identities that stand after the event key `place` and pass the
/// filter.
///
/// # Errors
/// The table did not answer.
pub(crate) async fn merge(
    table: &Table,
    members: &Members,
    filter: &Filter,
    place: Option<EventKey>,
    limit: usize,
) -> Result<Merged, TableError> {
    // One more than the page, so that the last page is known to be the last.
    let read = if filter.passes_all() {
        limit + 1
    } else {
        LONG_READ
    };
    let place = place.map(SortKey::Event);
    let mut sources: Vec<_> = members
        .closure
        .members()
        .into_iter()
        .map(|identity| Source {
            identity,
            waiting: VecDeque::new(),
            place: place.clone(),
            more: true,
            read,
        })
        .collect();
    let oldest_first = filter.range.oldest_first;
    let mut merged = Merged::default();
    let mut last = None;
    let mut examined = 0;
    loop {
        let front = front(&sources, oldest_first);
        // Of these something may come before it.
        let mut behind: Vec<_> = sources
            .iter_mut()
            .filter(|source| source.is_behind(front.as_ref(), oldest_first))
            .collect();
        if !behind.is_empty() {
            if examined >= MAX_EXAMINED {
                // All have been looked through as far as the one that is farthest behind, and nothing is there.
                let places = behind.iter().filter_map(|source| source.place());
                merged.next = first(places, oldest_first).cloned();
                merged.partial = true;
                return Ok(merged);
            }
            let refills = behind
                .iter_mut()
                .map(|source| refill(table, filter, source));
            // What has run out is not handed over, and looked at all the same.
            examined += try_join_all(refills).await?.into_iter().sum::<usize>();
            continue;
        }
        if examined >= MAX_EXAMINED && front.is_some() && last.is_some() {
            merged.next = last;
            merged.partial = true;
            return Ok(merged);
        }
        let Some(item) = take(&mut sources, front) else {
            return Ok(merged);
        };
        examined += 1;
        let key = item.event().cloned();
        if !item.is_tombstone() && !members.erase(&item) && filter.passes(&item) {
            if merged.items.len() == limit {
                merged.next = merged.items.last().and_then(Item::event).cloned();
                return Ok(merged);
            }
            merged.items.push(item);
        }
        last = key;
    }
}

impl Source {
    /// Whether it has to be read before an event at `front` is taken: whether there may be one before it.
    fn is_behind(&self, front: Option<&EventKey>, oldest_first: bool) -> bool {
        let is_before = |front: &EventKey| match self.place() {
            None => true,
            Some(place) if oldest_first => place < front,
            Some(place) => place > front,
        };
        self.waiting.is_empty() && self.more && front.is_none_or(is_before)
    }

    fn place(&self) -> Option<&EventKey> {
        match &self.place {
            Some(SortKey::Event(key)) => Some(key),
            _ => None,
        }
    }
}

/// Reads on, and answers how many events were looked at in vain.
async fn refill(table: &Table, filter: &Filter, source: &mut Source) -> Result<usize, TableError> {
    let Items { items, next } = table
        .events(
            &source.identity,
            &filter.range,
            source.place.as_ref(),
            source.read,
        )
        .await?;
    source.more = next.is_some();
    source.place = next;
    let in_vain = source.read.saturating_sub(items.len());
    source.waiting.extend(items);
    if !source.more || !source.waiting.is_empty() {
        return Ok(0);
    }
    source.read = LONG_READ;
    Ok(in_vain)
}

/// The key that comes first.
fn first<'a>(keys: impl Iterator<Item = &'a EventKey>, oldest_first: bool) -> Option<&'a EventKey> {
    if oldest_first { keys.min() } else { keys.max() }
}

/// Which of the events that were read comes next.
fn front(sources: &[Source], oldest_first: bool) -> Option<EventKey> {
    let fronts = sources
        .iter()
        .filter_map(|source| source.waiting.front()?.event());
    first(fronts, oldest_first).cloned()
}

/// Takes an event, from all identities that hold it.
fn take(sources: &mut [Source], next: Option<EventKey>) -> Option<Item> {
    let next = next?;
    let mut taken: Option<Item> = None;
    for source in sources {
        if source.waiting.front().and_then(Item::event) != Some(&next) {
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
    taken
}
