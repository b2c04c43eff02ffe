//! Versions of an event, and the rule for the version that is shown.
//!
//! Sources send an event more than once, and not always with the same time. A webhook writes milliseconds, an export whole
//! seconds, a corrected file another time zone.
//!
//! **Rule.** Two events are versions of one event if they have the same type, source and natural id, and their times are less
//! than 24 hours apart. The hash in a key identifies source and natural id. An event is shown if none of its versions is newer,
//! by `version`. Ids that are reused further apart identify separate events. Tombstones are removed before the rule is applied.
//!
//! Consequences of the rule:
//! - It depends only on the set of events, not on the order in which they are read.
//! - Whether an event is shown depends only on events less than 24 hours before or after it. A reader that has read these can
//!   decide, wherever it started.
//! - Two shown events of one id are at least 24 hours apart, since one of two versions is newer.
//! - Every event that is not shown is replaced by a shown one, directly or through a chain of newer versions. The chain ends,
//!   since versions only grow, and no version is newer than its last event. Through a chain, an event can be replaced by one that
//!   is more than 24 hours away.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
};

use crate::model::{
    item::Item,
    keys::{EventKey, EventType},
    time::Instant,
};

/// Events of one id are versions of one event if their times differ by less than this, in microseconds.
pub const WINDOW: i64 = 86_400_000_000;

/// The type and the hash of a key. Versions of an event have the same class.
type Class<'a> = (EventType, &'a str);

/// Returns whether events of a type have versions. Openings, clicks and subscriptions do not, because they can repeat.
pub const fn is_versioned(kind: EventType) -> bool {
    match kind {
        EventType::Purchase
        | EventType::Return
        | EventType::Message
        | EventType::EmailSend
        | EventType::SmsSend
        | EventType::EmailBounce
        | EventType::Event => true,
        EventType::EmailOpen
        | EventType::EmailClick
        | EventType::EmailSubscribe
        | EventType::SmsClick
        | EventType::SmsSubscribe => false,
    }
}

/// Returns whether two times are less than 24 hours apart.
pub fn are_near(a: Instant, b: Instant) -> bool {
    (a.microseconds() - b.microseconds()).abs() < WINDOW
}

/// Returns the class of an event; `None` if its type has no versions.
fn class(item: &Item) -> Option<Class<'_>> {
    let key = item.event().filter(|key| is_versioned(key.kind()))?;
    Some((key.kind(), key.hash()))
}

/// Returns the order of versions. It is total, because no two compared events have the same key.
fn rank(item: &Item) -> impl Ord + use<'_> {
    (item.version, item.event())
}

/// Returns whether `newer` replaces `older`, an event of the same class.
fn replaces(newer: &Item, older: &Item) -> bool {
    let near = newer
        .event()
        .zip(older.event())
        .is_some_and(|(a, b)| are_near(a.at(), b.at()));
    near && rank(newer) > rank(older)
}

/// Returns whether `newer` is a newer version of `older`. The two may be stored under different identities.
pub fn is_newer_version(newer: &Item, older: &Item) -> bool {
    class(newer).is_some() && class(newer) == class(older) && replaces(newer, older)
}

/// Returns the shown events, in the order of `events`. `events` contains each key once.
pub fn shown<'a>(events: &[&'a Item]) -> Vec<&'a Item> {
    let mut classes: HashMap<Class<'_>, Vec<usize>> = HashMap::new();
    for (index, item) in events.iter().enumerate() {
        if let Some(class) = class(item) {
            classes.entry(class).or_default().push(index);
        }
    }
    let mut is_shown = vec![true; events.len()];
    for indexes in classes.values_mut().filter(|indexes| indexes.len() > 1) {
        indexes.sort_by_key(|index| events[*index].event());
        mark_replaced(events, indexes, &mut is_shown);
    }
    let kept = events.iter().zip(is_shown).filter(|(_, shown)| *shown);
    kept.map(|(item, _)| *item).collect()
}

/// Marks the replaced events of a class, in linear time. A window of 24 hours to both sides moves over `indexes`, which are sorted
/// by time.
fn mark_replaced(events: &[&Item], indexes: &[usize], is_shown: &mut [bool]) {
    let near = |a: usize, b: usize| {
        let keys = events[a].event().zip(events[b].event());
        keys.is_some_and(|(a, b)| are_near(a.at(), b.at()))
    };
    // Contains the events of the window that no later event outranks. The first is the newest version.
    let mut window: VecDeque<usize> = VecDeque::new();
    let mut ahead = indexes.iter().copied().peekable();
    for index in indexes {
        while let Some(next) = ahead.next_if(|next| near(*index, *next)) {
            while window
                .pop_back_if(|last| rank(events[*last]) < rank(events[next]))
                .is_some()
            {}
            window.push_back(next);
        }
        while window.pop_front_if(|first| !near(*first, *index)).is_some() {}
        is_shown[*index] = window.front() == Some(index);
    }
}

/// Indexes of events by class, used to find versions among the events read so far.
#[derive(Debug, Default)]
pub struct Versions(HashMap<(EventType, String), Vec<usize>>);

impl Versions {
    /// Adds the event at `index` of the events that were read.
    pub fn add(&mut self, item: &Item, index: usize) {
        if let Some((kind, hash)) = class(item) {
            let indexes = self.0.entry((kind, hash.to_owned())).or_default();
            indexes.push(index);
        }
    }

    /// Returns whether one of `events`, which were added before, replaces an event.
    pub fn replace(&self, events: &[Item], item: &Item) -> bool {
        let indexes = class(item).and_then(|(kind, hash)| self.0.get(&(kind, hash.to_owned())));
        let mut indexes = indexes.into_iter().flatten();
        indexes.any(|index| replaces(&events[*index], item))
    }
}

/// The position at which a page of events ends, as a cursor contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPosition {
    /// The last key that was processed.
    pub after: EventKey,
    /// The time from which the next page must read again, to find the versions that replace its events. `None` if no event that
    /// was read replaces an event after the place.
    pub since: Option<Instant>,
}

impl EventPosition {
    /// Creates the position after the key `after`.
    ///
    /// `events` are the events that were read, in order; the first `count` of them are not after the position. `read_to` is the time
    /// up to which events were read; `None` if all were read.
    pub fn new(
        after: EventKey,
        events: &[impl Borrow<Item>],
        count: usize,
        read_to: Option<Instant>,
    ) -> Self {
        let (before, later) = events.split_at(count);
        let is_near = |item: &&Item| {
            item.event()
                .is_some_and(|key| are_near(key.at(), after.at()))
        };
        let before = before.iter().rev().map(Borrow::<Item>::borrow);
        let before: Vec<_> = before
            .take_while(is_near)
            .filter_map(|item| Some((class(item)?, item)))
            .collect();
        if before.is_empty() {
            return Self { after, since: None };
        }
        let mut classes: HashMap<Class<'_>, Vec<&Item>> = HashMap::new();
        let later = later.iter().map(Borrow::<Item>::borrow);
        for item in later.take_while(is_near) {
            if let Some(class) = class(item) {
                classes.entry(class).or_default().push(item);
            }
        }
        let is_needed = |(class, item): &&(Class<'_>, &Item)| {
            let at = item.event().map(EventKey::at);
            let may_replace = at
                .zip(read_to)
                .is_some_and(|(at, read_to)| are_near(at, read_to));
            let mut later = classes.get(class).into_iter().flatten();
            may_replace || later.any(|later| replaces(item, later))
        };
        // The needed event that is farthest from the position.
        let first = before.iter().rev().find(is_needed);
        let since = first.and_then(|(_, item)| item.event()).map(EventKey::at);
        Self { after, since }
    }

    /// Returns the string that a cursor contains.
    pub fn to_text(&self) -> String {
        let mut text = self.after.as_str().to_owned();
        if let Some(since) = self.since {
            text.push('\u{1f}');
            text.push_str(&since.fixed());
        }
        text
    }

    /// Parses the output of [`Self::to_text`].
    pub fn parse(text: &str) -> Option<Self> {
        let (after, since) = match text.split_once('\u{1f}') {
            None => (text, None),
            Some((after, since)) => (after, Some(Instant::parse_fixed(since)?)),
        };
        Some(Self {
            after: EventKey::parse(after)?,
            since,
        })
    }
}
