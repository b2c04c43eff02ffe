//! The company's accounts on the channels on which it has met the customer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    View,
    channel::{channel, normal_channel},
};
use crate::model::item::Item;

/// The maximum number of accounts in a summary.
const MAX_ACCOUNTS: usize = 50;

/// An account of the company on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The channel, as its newest event spells it.
    pub channel: String,
    /// The id of the account, by which the history can be filtered.
    pub id: String,
    /// The newest name of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Returns the accounts of the events, sorted by channel, name and id. If there are more than 50, those of the newest events are
/// returned. `events` are newest first. Accounts are personal: without `pii:read`, there are none.
pub(super) fn accounts(events: &[&Item], view: &View<'_>) -> Vec<Account> {
    let mut known: BTreeMap<(String, &str), Account> = BTreeMap::new();
    let seen = events.iter().filter(|_| view.personal);
    for (channel, id, name) in seen.filter_map(|item| account(item)) {
        let key = (normal_channel(channel), id);
        if known.len() == MAX_ACCOUNTS && !known.contains_key(&key) {
            continue;
        }
        let account = known.entry(key).or_insert_with(|| Account {
            channel: channel.to_owned(),
            id: id.to_owned(),
            name: None,
        });
        if account.name.is_none() {
            account.name = name.map(str::to_owned);
        }
    }
    let mut accounts: Vec<_> = known.into_iter().collect();
    accounts.sort_by(|((a, _), x), ((b, _), y)| (a, &x.name, &x.id).cmp(&(b, &y.name, &y.id)));
    accounts.into_iter().map(|(_, account)| account).collect()
}

/// Returns the channel of an event, and the id and the name of the account on it.
fn account(item: &Item) -> Option<(&str, &str, Option<&str>)> {
    let account = item.data.map("account")?;
    let channel = channel(item.event()?.kind(), &item.data)?;
    let name = account.text("name").filter(|name| !name.trim().is_empty());
    Some((channel, account.text("id")?, name))
}
