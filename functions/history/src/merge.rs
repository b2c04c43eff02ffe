//! Reads a page of the history. Runs the reads that the pager requests, all identities concurrently.

use futures::future::try_join_all;
use shared::{
    model::{item::Item, keys::EventKey},
    profile::versions::EventPosition,
    table::{Table, TableError, reader::Members},
};

use crate::{
    filter::Filter,
    pager::{MAX_EXAMINED, Merged, Pager, Step},
};

/// Reads at most `limit` events of a profile's identities that come after the position `begin` and pass the filter.
///
/// # Errors
/// The table cannot be read.
pub(crate) async fn merge(
    table: &Table,
    members: &Members,
    filter: &Filter,
    begin: Option<EventPosition>,
    limit: usize,
) -> Result<Merged, TableError> {
    let mut pager = Pager::new(filter, members.closure.members(), begin, limit);
    let range = pager.range().clone();
    loop {
        let wanted = match pager.step() {
            Step::Done(merged) => return Ok(merged),
            Step::Read(wanted) => wanted,
        };
        let reads = wanted.iter().map(|wanted| {
            let after = wanted.after.as_ref();
            table.events(&wanted.identity, &range, after, wanted.limit)
        });
        for (wanted, mut items) in wanted.iter().zip(try_join_all(reads).await?) {
            items.items.retain(|item| !members.erase(item));
            pager.fill(wanted, items);
        }
    }
}

/// Reads the event under `key`. Returns `None` if the history does not show it, because a newer version replaces it.
///
/// # Errors
/// The table cannot be read.
pub(crate) async fn shown(
    table: &Table,
    members: &Members,
    key: &EventKey,
) -> Result<Option<Item>, TableError> {
    let filter = Filter::of(key);
    let merged = merge(table, members, &filter, None, MAX_EXAMINED).await?;
    let mut items = merged.items();
    Ok(items.find(|item| item.event() == Some(key)).cloned())
}
