//! Subscriptions: a customer's choices for each mailing list of each source.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Personal, View};
use crate::model::{item::Item, keys::EventType, time::Instant, version::Version};

/// The maximum number of lists in a summary.
const MAX_LISTS: usize = 100;
const SUBSCRIBED: &str = "subscribed";
const UNSUBSCRIBED: &str = "unsubscribed";

/// The subscription to one list of one source. The events of a source without a list share one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// The source of the events; `null` if it is unknown.
    pub source: Option<String>,
    /// The list's id; absent for events without a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Personal<String>>,
    /// The newest name of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Personal<String>>,
    /// `unsubscribed` if that is the newest of the statuses `subscribed` and `unsubscribed`; otherwise the newest status.
    pub status: String,
    /// The time when the status was set.
    pub at: Instant,
}

/// The subscriptions of one channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscriptions {
    /// The lists, newest first, at most 100.
    pub(super) lists: Vec<Subscription>,
    /// The status of the channel: `unsubscribed` if any list has it, else `subscribed` if any list has it, else the newest
    /// status.
    pub(super) status: Option<String>,
    /// Whether the newest choice (`subscribed` or `unsubscribed`) of any list is `subscribed`.
    pub(super) opted_in: bool,
    /// Whether the newest choice (`subscribed` or `unsubscribed`) of any list is `unsubscribed`.
    pub(super) opted_out: bool,
}

/// A status with its time. If two statuses have the same time, their events have different keys; the newer version wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Status<'a> {
    at: Instant,
    version: Option<Version>,
    text: &'a str,
}

/// The newest statuses and name of one list.
#[derive(Default)]
struct List<'a> {
    /// The newest status.
    last: Option<Status<'a>>,
    /// The newest status that is `subscribed` or `unsubscribed`.
    choice: Option<Status<'a>>,
    /// The newest name.
    name: Option<Status<'a>>,
}

/// Computes the subscriptions from the events of `kind`, in any order.
pub(super) fn fold(events: &[&Item], kind: EventType, view: &View<'_>) -> Subscriptions {
    let mut lists: BTreeMap<(Option<&str>, Option<&str>), List<'_>> = BTreeMap::new();
    for item in events {
        let Some(key) = item.event().filter(|key| key.kind() == kind) else {
            continue;
        };
        let Some(text) = item.data.text("status") else {
            continue;
        };
        let of = |text| Status {
            at: key.at(),
            version: item.version,
            text,
        };
        let list = item.data.map("list");
        let id = list.and_then(|list| list.text("id"));
        let entry = lists.entry((item.source.as_deref(), id)).or_default();
        // Text messages use the names `list_subscribed` and `list_unsubscribed` for the same statuses.
        let status = of(text.strip_prefix("list_").unwrap_or(text));
        entry.last = entry.last.max(Some(status));
        if matches!(status.text, SUBSCRIBED | UNSUBSCRIBED) {
            entry.choice = entry.choice.max(Some(status));
        }
        entry.name = entry
            .name
            .max(list.and_then(|list| list.text("name")).map(of));
    }
    let has_choice = |wanted: &str| {
        let mut choices = lists.values().filter_map(|list| list.choice);
        choices.any(|choice| choice.text == wanted)
    };
    let (opted_in, opted_out) = (has_choice(SUBSCRIBED), has_choice(UNSUBSCRIBED));
    let mut shown: Vec<_> = lists
        .iter()
        .filter_map(|(key, list)| Some((list.shown()?, key, list.name)))
        .collect();
    shown.sort_by_key(|(status, key, _)| (std::cmp::Reverse((status.at, status.version)), *key));
    let has_status = |wanted: &str| shown.iter().any(|(status, ..)| status.text == wanted);
    let newest = || shown.first().map(|(status, ..)| status.text);
    let status = [UNSUBSCRIBED, SUBSCRIBED]
        .into_iter()
        .find(|wanted| has_status(wanted));
    Subscriptions {
        status: status.or_else(newest).map(str::to_owned),
        opted_in,
        opted_out,
        lists: shown
            .into_iter()
            .take(MAX_LISTS)
            .map(|(status, (source, id), name)| Subscription {
                source: source.map(str::to_owned),
                id: id.map(|id| view.show(id.to_owned())),
                name: name.map(|name| view.show(name.text.to_owned())),
                status: status.text.to_owned(),
                at: status.at,
            })
            .collect(),
    }
}

impl<'a> List<'a> {
    /// Returns the shown status. An opt-out is not hidden by a newer status that is not a choice.
    fn shown(&self) -> Option<Status<'a>> {
        let opted_out = self.choice.filter(|choice| choice.text == UNSUBSCRIBED);
        opted_out.or(self.last)
    }
}
