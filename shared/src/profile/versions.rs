//! Versions of an event: which of them is shown.
//!
//! Sources send an event more than once, and not always with the same time: a webhook writes milliseconds, an export whole
//! seconds, a corrected file another time zone.
//!
//! **Rule.** Two events are versions of one event if they agree in type, source and natural id (the type and the hash of their
//! keys), and their times are less than 24 hours apart. An event is shown if none of its versions is newer, by `version`.
//! Ids that are reused further apart name separate events. Tombstones are removed before the rule is applied.
//!
//! What follows from the rule:
//! - It depends on the set of events alone, not on the order in which they are read.
//! - Whether an event is shown depends only on events less than 24 hours before or after it. A reader that has read these can
//!   decide, wherever it began.
//! - Two shown events of one id are at least 24 hours apart: of two versions, one is newer.
//! - Every event that is not shown is replaced, directly or by a chain of ever newer versions, by one that is shown: a chain ends,
//!   since versions only grow, and at its end nothing is newer. In a chain of events of one id, each less than 24 hours from the
//!   next, an event may so be replaced by one that is more than 24 hours away.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
};

use crate::{
    item::Item,
    keys::{EventKey, EventType},
    time::Instant,
};

/// Events of one id are versions of one event if they are less than this apart, in microseconds.
pub const WINDOW: i64 = 86_400_000_000;

/// The type and the hash of a key: what versions of an event agree in.
type Class<'a> = (EventType, &'a str);

/// Whether events of a type have versions. Openings, clicks and subscriptions happen again.
pub const fn is_versioned(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::Purchase
            | EventType::Return
            | EventType::Message
            | EventType::EmailSend
            | EventType::SmsSend
            | EventType::EmailBounce
    )
}

/// Whether two moments are less than 24 hours apart.
pub fn are_near(a: Instant, b: Instant) -> bool {
    (a.microseconds() - b.microseconds()).abs() < WINDOW
}

/// The class of an event; `None` if it has no versions.
fn class(item: &Item) -> Option<Class<'_>> {
    let key = item.event().filter(|key| is_versioned(key.kind()))?;
    Some((key.kind(), key.hash()))
}

/// What decides between versions. No two events that are compared have one key.
fn rank(item: &Item) -> impl Ord + use<'_> {
    (item.version, item.event())
}

/// Whether `newer` replaces `older`, an event of the same class.
fn replaces(newer: &Item, older: &Item) -> bool {
    let near = newer
        .event()
        .zip(older.event())
        .is_some_and(|(a, b)| are_near(a.at(), b.at()));
    near && rank(newer) > rank(older)
}

/// The events that are shown, in the order of `events`, which holds each key once.
pub fn shown<'a>(events: &[&'a Item]) -> Vec<&'a Item> {
    let mut classes: HashMap<Class<'_>, Vec<usize>> = HashMap::new();
    for (place, item) in events.iter().enumerate() {
        if let Some(class) = class(item) {
            classes.entry(class).or_default().push(place);
        }
    }
    let mut is_shown = vec![true; events.len()];
    for places in classes.values_mut().filter(|places| places.len() > 1) {
        places.sort_by_key(|place| events[*place].event());
        mark_replaced(events, places, &mut is_shown);
    }
    let kept = events.iter().zip(is_shown).filter(|(_, shown)| *shown);
    kept.map(|(item, _)| *item).collect()
}

/// Marks those of a class that are replaced, in linear time: a window of 24 hours to both sides moves over `places`, which are
/// in the order of time.
fn mark_replaced(events: &[&Item], places: &[usize], is_shown: &mut [bool]) {
    let near = |a: usize, b: usize| {
        let keys = events[a].event().zip(events[b].event());
        keys.is_some_and(|(a, b)| are_near(a.at(), b.at()))
    };
    // Of the window, those that no later one outranks: the first is the newest version.
    let mut window: VecDeque<usize> = VecDeque::new();
    let mut ahead = places.iter().copied().peekable();
    for place in places {
        while let Some(next) = ahead.next_if(|next| near(*place, *next)) {
            while window
                .pop_back_if(|last| rank(events[*last]) < rank(events[next]))
                .is_some()
            {}
            window.push_back(next);
        }
        while window.pop_front_if(|first| !near(*first, *place)).is_some() {}
        is_shown[*place] = window.front() == Some(place);
    }
}

/// Events by class, to find versions among those that were read so far.
#[derive(Debug, Default)]
pub struct Versions(HashMap<(EventType, String), Vec<usize>>);

impl Versions {
    /// Adds the event at `place` of the events that were read.
    pub fn add(&mut self, item: &Item, place: usize) {
        if let Some((kind, hash)) = class(item) {
            let places = self.0.entry((kind, hash.to_owned())).or_default();
            places.push(place);
        }
    }

    /// Whether one of `events`, which were added, replaces an event.
    pub fn replace(&self, events: &[Item], item: &Item) -> bool {
        let places = class(item).and_then(|(kind, hash)| self.0.get(&(kind, hash.to_owned())));
        let mut places = places.into_iter().flatten();
        places.any(|place| replaces(&events[*place], item))
    }
}

/// Where a page of events ends, as a cursor holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The last key that was dealt with.
    pub after: EventKey,
    /// The moment from which the next page has to read again, to know what replaces its events; `None` if nothing that was read
    /// replaces an event after the place.
    pub since: Option<Instant>,
}

impl Place {
    /// The place after `after`. `events` are those that were read, in order, of which `count` are not after the place;
    /// `read_to` is the moment to which they were read, `None` if they are all that there are.
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
        // The farthest from the place of those that are needed.
        let first = before.iter().rev().find(is_needed);
        let since = first.and_then(|(_, item)| item.event()).map(EventKey::at);
        Self { after, since }
    }

    /// The text that a cursor holds.
    pub fn to_text(&self) -> String {
        let mut text = self.after.as_str().to_owned();
        if let Some(since) = self.since {
            text.push('\u{1f}');
            text.push_str(&since.fixed());
        }
        text
    }

    /// Parses what `to_text` writes.
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
