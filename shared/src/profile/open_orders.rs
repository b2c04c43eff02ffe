//! Open orders: the purchases whose goods the customer waits for.

use super::{HistoryItem, View, recency::is_within, status};
use crate::model::{item::Item, keys::EventType};

/// The maximum number of open orders in a summary.
pub(super) const MAX_OPEN_ORDERS: usize = 5;
/// Older orders are not open, whatever their status is: many exports end before the last status. In days.
const OPEN_DAYS: i64 = 90;

/// Returns the newest open orders, newest first, limited to the data that the client can see. `events` are newest first. The
/// statuses are those before redaction.
pub(super) fn open_orders(events: &[&Item], view: &View<'_>) -> Vec<HistoryItem> {
    let is_recent = |item: &&&Item| {
        let at = item.event().map(|key| key.at());
        is_within(at, view.now, OPEN_DAYS)
    };
    let is_open = |item: &&&Item| {
        item.event().is_some_and(|key| {
            key.kind() == EventType::Purchase && status::is_open(&item.data, key.at(), view.now)
        })
    };
    let open = events.iter().take_while(is_recent).filter(is_open);
    open.take(MAX_OPEN_ORDERS)
        .filter_map(|item| HistoryItem::new(item, view))
        .collect()
}
