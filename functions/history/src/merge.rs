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
    while examined < MAX_EXAMINED {
        let mut dry: Vec<_> = sources
            .iter_mut()
            .filter(|source| source.waiting.is_empty() && source.more)
            .collect();
        if !dry.is_empty() {
            let refills = dry.iter_mut().map(|source| refill(table, filter, source));
            // What has run out is not handed over, and looked at all the same.
            examined += try_join_all(refills).await?.into_iter().sum::<usize>();
            continue;
        }
        let Some(item) = take(&mut sources, oldest_first) else {
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
    let more = sources
        .iter()
        .any(|source| source.more || !source.waiting.is_empty());
    if more {
        merged.partial = true;
        merged.next = passed(&sources, oldest_first).or(last);
    }
    Ok(merged)
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

/// Up to which event all identities have been looked through, where one has nothing but what has run out until there.
fn passed(sources: &[Source], oldest_first: bool) -> Option<EventKey> {
    let first = |keys: &mut dyn Iterator<Item = EventKey>| {
        if oldest_first { keys.min() } else { keys.max() }
    };
    let mut places = sources
        .iter()
        .filter(|source| source.waiting.is_empty() && source.more)
        .map(|source| match &source.place {
            Some(SortKey::Event(key)) => Some(key.clone()),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()?
        .into_iter();
    let mut fronts = sources
        .iter()
        .filter_map(|source| source.waiting.front()?.event().cloned());
    let (place, front) = (first(&mut places)?, first(&mut fronts));
    let comes_first = front.is_none_or(|front| (place < front) == oldest_first);
    comes_first.then_some(place)
}

/// Takes the event that comes next, from all identities that hold it.
fn take(sources: &mut [Source], oldest_first: bool) -> Option<Item> {
    let fronts = sources
        .iter()
        .filter_map(|source| source.waiting.front()?.event());
    let next = if oldest_first {
        fronts.min()
    } else {
        fronts.max()
    };
    let next = next?.clone();
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
