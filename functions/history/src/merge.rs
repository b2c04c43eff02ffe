//! The merge: the events of several identities in one descending order, each once. An event that several
//! identities hold counts in its newest version, and not at all where that says it was moved.

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

/// How many rounds of queries one page may take: past that it is answered as it is.
const MAX_ROUNDS: usize = 10;

/// The events of a page.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The events, descending.
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
    /// Where the next query of this identity begins.
    before: Option<String>,
    more: bool,
}

/// Reads at most `limit` events of a profile's `members` that stand before the event key `before`.
///
/// # Errors
/// The table did not answer.
pub(crate) async fn merge(
    table: &Table,
    members: &Members,
    before: Option<EventKey>,
    limit: usize,
) -> Result<Merged, TableError> {
    let before = before.map(|key| key.as_str().to_owned());
    let mut sources: Vec<_> = members
        .closure
        .members()
        .into_iter()
        .map(|identity| Source {
            identity,
            waiting: VecDeque::new(),
            before: before.clone(),
            more: true,
        })
        .collect();
    let mut merged = Merged {
        items: Vec::new(),
        next: None,
        partial: false,
    };
    let mut last = None;
    let mut rounds = 0;
    loop {
        let dry: Vec<_> = sources
            .iter_mut()
            .filter(|source| source.waiting.is_empty() && source.more)
            .collect();
        if !dry.is_empty() {
            if rounds == MAX_ROUNDS {
                merged.partial = true;
                merged.next = last;
                return Ok(merged);
            }
            rounds += 1;
            // One more than the page, so that the last page is known to be the last.
            try_join_all(
                dry.into_iter()
                    .map(|source| refill(table, source, limit + 1)),
            )
            .await?;
            continue;
        }
        let Some(item) = take(&mut sources) else {
            return Ok(merged);
        };
        if item.is_tombstone() || members.erase(&item) {
            last = item.event().cloned();
            continue;
        }
        if merged.items.len() == limit {
            merged.next = merged.items.last().and_then(Item::event).cloned();
            return Ok(merged);
        }
        last = item.event().cloned();
        merged.items.push(item);
    }
}

async fn refill(table: &Table, source: &mut Source, limit: usize) -> Result<(), TableError> {
    let page = table
        .events(&source.identity, source.before.as_deref(), limit)
        .await?;
    source.more = page.more;
    if let Some(key) = page.items.last().and_then(Item::event) {
        source.before = Some(key.as_str().to_owned());
    }
    source.waiting.extend(page.items);
    Ok(())
}

/// Takes the event with the highest key, from all identities that hold it.
fn take(sources: &mut [Source]) -> Option<Item> {
    let highest = sources
        .iter()
        .filter_map(|source| source.waiting.front()?.event())
        .max()?
        .clone();
    let mut taken: Option<Item> = None;
    for source in sources {
        if source.waiting.front().and_then(Item::event) != Some(&highest) {
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
