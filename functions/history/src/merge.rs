//! The merge: the events of several identities in one order, each once. An event that several identities hold
//! counts in its newest version, and not at all where that says it was moved.

use std::collections::VecDeque;

use futures::future::try_join_all;
use shared::{
    identity::IdentityId,
    item::Item,
    keys::EventKey,
    profile::newer,
    reader::Members,
    table::{Table, TableError},
};

use crate::filter::Filter;

/// The most events that one page looks at: past that it is answered as it is, and says that it is partial.
const MAX_EXAMINED: usize = 5_000;
/// How many events of an identity are read at a time where a filter may pass over many.
const FILTERED_READ: usize = 1_000;

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
    /// After which event the next query of this identity begins.
    place: Option<EventKey>,
    more: bool,
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
    let mut sources: Vec<_> = members
        .closure
        .members()
        .into_iter()
        .map(|identity| Source {
            identity,
            waiting: VecDeque::new(),
            place: place.clone(),
            more: true,
        })
        .collect();
    // One more than the page, so that the last page is known to be the last.
    let read = if filter.passes_all() {
        limit + 1
    } else {
        FILTERED_READ
    };
    let mut merged = Merged::default();
    let mut last = None;
    for _ in 0..MAX_EXAMINED {
        loop {
            let dry: Vec<_> = sources
                .iter_mut()
                .filter(|source| source.waiting.is_empty() && source.more)
                .collect();
            if dry.is_empty() {
                break;
            }
            let refills = dry
                .into_iter()
                .map(|source| refill(table, filter, source, read));
            try_join_all(refills).await?;
        }
        let Some(item) = take(&mut sources, filter.range.oldest_first) else {
            return Ok(merged);
        };
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
        merged.next = last;
    }
    Ok(merged)
}

async fn refill(
    table: &Table,
    filter: &Filter,
    source: &mut Source,
    limit: usize,
) -> Result<(), TableError> {
    let page = table
        .events(
            &source.identity,
            &filter.range,
            source.place.as_ref(),
            limit,
        )
        .await?;
    source.more = page.more;
    if let Some(key) = page.items.last().and_then(Item::event) {
        source.place = Some(key.clone());
    }
    source.waiting.extend(page.items);
    Ok(())
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
