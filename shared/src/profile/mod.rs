//! Computes profiles. In: the items of a profile's identities and the current time. Out: the document that the API returns.
//!
//! A profile is a pure function of its input; the result is not stored. The [`State`] is a set of items in which the last write
//! to a key wins, ordered by `version`. It does not depend on the order of the items or on how they were divided.

use std::{collections::BTreeMap, num::NonZeroUsize};

use serde::Serialize;

use crate::{
    model::{
        closure::{Closure, ExcludedLinks, live_links},
        identifier::{Identifier, IdentifierType},
        identity::IdentityId,
        item::Item,
        keys::{EventType, SortKey},
        time::Instant,
        value::Map,
        zone::Zone,
    },
    profile::cursor::Listing,
};

pub mod accounts;
pub mod attributes;
pub mod candidate;
pub mod card;
pub mod channel;
pub mod cursor;
pub mod hint;
pub mod history;
pub mod links;
pub mod money;
pub mod note;
mod open_orders;
pub mod product;
pub mod provenance;
mod recency;
pub mod redact;
pub mod segments;
mod status;
pub mod subscriptions;
pub mod summary;
pub mod versions;

use attributes::page::Position;
pub use attributes::{Attribute, Categories, Folded};
pub use candidate::{Candidate, Match, Matches};
pub use history::HistoryItem;
pub use note::Note;
pub use summary::Summary;
use versions::EventPosition;

/// The number of items on a page if the client specifies no limit.
pub const DEFAULT_LIMIT: usize = 25;
/// The maximum number of items on a page.
pub const MAX_LIMIT: usize = 100;

/// The items of a profile's identities, sorted by identity and key. It contains each key of an identity once, in its newest
/// version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(Vec<Item>);

impl State {
    /// Returns the state of the items of both states.
    #[must_use]
    pub fn combine(mut self, other: Self) -> Self {
        self.extend(other.0);
        self
    }

    /// Returns every item, sorted by identity and key.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.0.iter()
    }

    /// Returns the items of one identity.
    pub fn of(&self, identity: &IdentityId) -> impl Iterator<Item = &Item> {
        let first = self.0.partition_point(|item| item.identity < *identity);
        self.0[first..]
            .iter()
            .take_while(move |item| item.identity == *identity)
    }

    /// Returns the best identifier that an item contains of each identity.
    pub fn identifiers(&self) -> BTreeMap<IdentityId, Identifier> {
        let mut known: BTreeMap<IdentityId, Identifier> = BTreeMap::new();
        // An email address and its hash name the same identity. The address is more useful, and sorts first.
        let mut learn = |id: &IdentityId, identifier: &Identifier| match known.get_mut(id) {
            Some(best) if *best <= *identifier => {}
            Some(best) => *best = identifier.clone(),
            None => {
                known.insert(id.clone(), identifier.clone());
            }
        };
        for item in self.items() {
            if let Some(link) = &item.link {
                learn(&item.identity, link);
            }
        }
        for (other, identifier) in live_links(self.items()) {
            if let Some(identifier) = identifier {
                learn(&other, &identifier);
            }
        }
        known
    }

    /// Returns the shown events, newest first. Each event occurs once, in its newest [version](versions).
    pub fn events(&self) -> Vec<&Item> {
        versions::shown(&self.keyed_events())
    }

    /// Returns every event key once, newest first. If several identities contain an event, its newest version wins. An event
    /// whose newest version is a tombstone (the event was moved) is left out.
    fn keyed_events(&self) -> Vec<&Item> {
        let mut events: Vec<_> = self
            .0
            .iter()
            .filter(|item| item.event().is_some())
            .rev()
            .collect();
        events.sort_by(|a, b| b.key.cmp(&a.key));
        events.dedup_by(|next, kept| {
            let is_same = next.key == kept.key;
            if is_same {
                *kept = newer(kept, next);
            }
            is_same
        });
        events.retain(|item| !item.is_tombstone());
        events
    }
}

impl Extend<Item> for State {
    fn extend<I: IntoIterator<Item = Item>>(&mut self, items: I) {
        self.0.extend(items);
        self.0.sort_by(|a, b| {
            (&a.identity, &a.key)
                .cmp(&(&b.identity, &b.key))
                .then(b.version.cmp(&a.version))
        });
        self.0
            .dedup_by(|next, kept| next.identity == kept.identity && next.key == kept.key);
    }
}

impl FromIterator<Item> for State {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut state = Self::default();
        state.extend(items);
        state
    }
}

/// Returns the newer of two items of the same event.
pub fn newer<'a>(a: &'a Item, b: &'a Item) -> &'a Item {
    if (b.version, &b.identity) > (a.version, &a.identity) {
        b
    } else {
        a
    }
}

/// The client's permissions and the time of reading.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The time of reading.
    pub now: Instant,
    /// The default currency, for amounts without one.
    pub currency: &'a str,
    /// The time zone of months.
    pub zone: &'a Zone,
    /// Whether personal values are shown, because the client has the scope `pii:read`.
    pub personal: bool,
    /// The namespaces of attributes that are visible to every client.
    pub open_namespaces: &'a [String],
}

impl View<'_> {
    /// Returns the part of an event's data that the client can see.
    pub fn event(&self, kind: EventType, data: Map) -> Map {
        if self.personal {
            data
        } else {
            redact::object(data, redact::event_fields(kind))
        }
    }

    /// Returns `value`, or the marker that it is hidden.
    pub fn show<T>(&self, value: T) -> Personal<T> {
        if self.personal {
            Personal::Shown(value)
        } else {
            Personal::Redacted
        }
    }
}

/// A personal value, or the marker that it is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Personal<T> {
    /// The value.
    Shown(T),
    /// The client cannot see the value. Serialized as `{"redacted": true}`.
    Redacted,
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Self::Shown(value) => value.serialize(serializer),
            Self::Redacted => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("redacted", &true)?;
                map.end()
            }
        }
    }
}

/// A page of a listing.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items on the page.
    pub items: Vec<T>,
    /// The cursor of the next page; `null` on the last page.
    pub next: Option<String>,
    /// Whether items were left out because a read limit was reached.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// The first page of a section that has pages.
#[derive(Clone, Debug, Serialize)]
pub struct Section<T> {
    /// The time of the newest data in the whole section.
    pub as_of: Option<Instant>,
    /// The first page.
    #[serde(flatten)]
    pub page: Page<T>,
}

/// The requested sections of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections {
    /// `summary`
    pub summary: bool,
    /// `attributes`
    pub attributes: bool,
    /// `notes`
    pub notes: bool,
    /// `history`
    pub history: bool,
    /// `matches`
    pub matches: bool,
}

impl Sections {
    /// The default: all sections except `matches`, which takes more requests.
    pub const ALL: Self = Self {
        summary: true,
        attributes: true,
        notes: true,
        history: true,
        matches: false,
    };
    /// No sections.
    pub const NONE: Self = Self {
        summary: false,
        attributes: false,
        notes: false,
        history: false,
        matches: false,
    };
    /// The names of the sections, in the document's order.
    pub const NAMES: [&str; 5] = ["summary", "attributes", "notes", "history", "matches"];

    /// Returns whether a requested section is computed from events. The category `figures` of attributes is.
    pub const fn need_events(self) -> bool {
        self.summary || self.attributes || self.history
    }

    /// Adds the section called `name`. Returns `false` if it does not exist.
    pub fn add(&mut self, name: &str) -> bool {
        let section = match name {
            "summary" => &mut self.summary,
            "attributes" => &mut self.attributes,
            "notes" => &mut self.notes,
            "history" => &mut self.history,
            "matches" => &mut self.matches,
            _ => return false,
        };
        *section = true;
        true
    }
}

/// A profile as `GET /profiles/{id}` returns it.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The canonical id.
    pub id: IdentityId,
    /// The time when the profile was computed.
    pub as_of: Instant,
    /// The customer's name, if a customer record contains one.
    pub name: Option<Personal<String>>,
    /// The identities of the profile.
    pub identities: Vec<Identity>,
    /// The key figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Attributes by category, at most 100 of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Categories>,
    /// The number of attributes that were left out because their names may be personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_redacted: Option<NonZeroUsize>,
    /// The time of the newest file that contains attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_as_of: Option<Instant>,
    /// The cursors for categories with more attributes, by category. Use one with `GET /profiles/{id}/attributes` and that
    /// category.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes_next: BTreeMap<String, String>,
    /// The first page of notes. Its `as_of` is the time when a note was last written or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Section<Note>>,
    /// The first page of the history. Its `as_of` is the time of the newest file that contains events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Section<HistoryItem>>,
    /// Other profiles that may belong to the same customer. The caller adds them, because they take more reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Matches>,
    /// Links that were not followed, because a source links the identity to too many others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_links: Vec<ExcludedLinks>,
    /// Whether data is missing: the profile exceeds the read limit of one request, or links were not followed.
    pub partial: bool,
}

/// One identity of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// The id. A request for it returns this profile, unless the identity is shared.
    pub id: IdentityId,
    /// The type of the identifier.
    #[serde(rename = "type", serialize_with = "serialize_type")]
    pub kind: Option<IdentifierType>,
    /// The identifier. Personal.
    pub value: Option<Personal<String>>,
    /// The name of the system that assigned the identifier. Personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_name: Option<Personal<String>>,
    /// Whether the identity is shared: a source links it to so many others that these links are not followed.
    pub shared: bool,
}

fn serialize_type<S: serde::Serializer>(
    kind: &Option<IdentifierType>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    kind.map(IdentifierType::as_str).serialize(serializer)
}

/// The identities of a profile and their items.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The identities that belong together.
    pub closure: Closure,
    /// The items of the members.
    pub state: State,
    /// Whether items were left unread.
    pub partial: bool,
}

impl Profile {
    /// Returns whether the profile has any data. Markers and idempotency records do not count.
    pub fn exists(&self) -> bool {
        self.state
            .items()
            .any(|item| !matches!(item.key, SortKey::Marker(_) | SortKey::Request(_)))
    }

    /// Computes the document.
    pub fn document(&self, view: &View<'_>, sections: Sections) -> Document {
        let id = self.closure.id();
        let all = self.state.keyed_events();
        let events = versions::shown(&all);
        let Folded {
            categories: mut attributes,
            redacted,
        } = attributes::fold(&self.state, view);
        let summary = summarize(&attributes, &events, view);
        add_figures(&mut attributes, &summary, view);
        let attributes_as_of =
            newest_file(self.state.items().filter(|item| {
                matches!(item.key, SortKey::Record(_) | SortKey::Attributes { .. })
            }));
        let mut attributes_next = BTreeMap::new();
        if sections.attributes {
            for (category, listed) in &mut attributes {
                if listed.len() > MAX_LIMIT {
                    listed.truncate(MAX_LIMIT);
                    let name = listed.last().map_or("", |last| &last.name);
                    let position = Position::after(MAX_LIMIT, category, name);
                    let next = cursor::encode_in(
                        &id,
                        Listing::Attributes,
                        category,
                        &position.to_string(),
                    );
                    attributes_next.insert(category.clone(), next);
                }
            }
        }
        Document {
            as_of: view.now,
            name: attributes::name(&self.state).map(|name| view.show(name)),
            identities: self.identities(view),
            summary: sections.summary.then_some(summary),
            attributes: sections.attributes.then_some(attributes),
            attributes_redacted: NonZeroUsize::new(redacted).filter(|_| sections.attributes),
            attributes_as_of: attributes_as_of.filter(|_| sections.attributes),
            attributes_next,
            notes: sections
                .notes
                .then(|| note::section(&self.state, &id, view)),
            history: sections.history.then(|| Section {
                as_of: newest_file(events.iter().copied()),
                page: first_page(&id, &all, &events, view),
            }),
            matches: None,
            id,
            excluded_links: self.closure.excluded(),
            partial: self.partial || self.closure.is_partial(),
        }
    }

    /// Returns every attribute, including the computed figures.
    pub fn attributes(&self, view: &View<'_>) -> Folded {
        let mut folded = attributes::fold(&self.state, view);
        let summary = summarize(&folded.categories, &self.state.events(), view);
        add_figures(&mut folded.categories, &summary, view);
        folded
    }

    /// Returns the identities to show, each with the best identifier that an item contains.
    fn identities(&self, view: &View<'_>) -> Vec<Identity> {
        let known = self.state.identifiers();
        let shown = self.closure.shown().map(|(id, shared)| {
            let identifier = known.get(id);
            Identity {
                id: id.clone(),
                kind: identifier.map(Identifier::kind),
                value: identifier.map(|identifier| view.show(identifier.value().to_owned())),
                system_name: identifier
                    .and_then(Identifier::system)
                    .map(|system| view.show(system.to_owned())),
                shared,
            }
        });
        shown.collect()
    }
}

/// Computes the summary, including the segments.
fn summarize(attributes: &Categories, events: &[&Item], view: &View<'_>) -> Summary {
    let mut summary = summary::fold(attributes, events, view);
    segments::assign(&mut summary, attributes, view.now);
    summary
}

/// Adds the figures of the summary to the attributes.
fn add_figures(attributes: &mut Categories, summary: &Summary, view: &View<'_>) {
    let listed = attributes
        .entry(attributes::FIGURES.to_owned())
        .or_default();
    listed.extend(attributes::figures(summary, view.now));
}

/// Returns the time when the newest file of the items was last modified.
fn newest_file<'a>(items: impl Iterator<Item = &'a Item>) -> Option<Instant> {
    let modified = items.filter_map(|item| Some(item.version?.last_modified()));
    modified.max().and_then(Instant::from_seconds)
}

/// Returns the first page of the history of a profile. `all` contains every event; `events` contains the shown ones among them.
fn first_page(
    profile: &IdentityId,
    all: &[&Item],
    events: &[&Item],
    view: &View<'_>,
) -> Page<HistoryItem> {
    let item = |item: &&Item| {
        let mut shown = HistoryItem::new(item, view)?;
        let key = item.event()?;
        let count = all.partition_point(|other| other.event() >= Some(key));
        shown.position = EventPosition::new(key.clone(), all, count, None);
        Some(shown)
    };
    let items: Vec<_> = events.iter().take(DEFAULT_LIMIT).filter_map(item).collect();
    let last = items.last().filter(|_| events.len() > DEFAULT_LIMIT);
    Page {
        next: last.map(|last| last.cursor(profile)),
        items,
        partial: false,
    }
}

#[cfg(test)]
mod tests;
