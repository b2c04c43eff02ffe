//! Reading is folding: a profile is a pure function of the items of its identities and of the time. Nothing of
//! it is stored. The state is a set of items in which the newest version of a key wins, so it depends neither
//! on the order of items nor on how they were divided.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    closure::{Closure, ExcludedLinks, live_links},
    cursor::{self, Listing},
    identifier::{Identifier, IdentifierType},
    identity::IdentityId,
    item::Item,
    keys::{EventType, SortKey},
    time::Instant,
    value::Map,
};

pub mod attributes;
pub mod channel;
pub mod history;
pub mod money;
pub mod note;
pub mod product;
mod recency;
pub mod redact;
pub mod segments;
pub mod subscriptions;
pub mod summary;
pub mod versions;

use attributes::Position;
pub use attributes::{Attribute, Categories, Folded};
pub use history::HistoryItem;
pub use note::Note;
pub use summary::Summary;
use versions::Place;

/// Items on a page where the client names no limit.
pub const DEFAULT_LIMIT: usize = 25;
/// The most items on a page.
pub const MAX_LIMIT: usize = 100;

/// The items of a profile's identities, each key once, in its newest version: by identity and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(Vec<Item>);

impl State {
    /// The state of the items of both.
    #[must_use]
    pub fn combine(mut self, other: Self) -> Self {
        self.extend(other.0);
        self
    }

    /// Every item, by identity and key.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.0.iter()
    }

    /// The items of one identity.
    pub fn of(&self, identity: &IdentityId) -> impl Iterator<Item = &Item> {
        let first = self.0.partition_point(|item| item.identity < *identity);
        self.0[first..]
            .iter()
            .take_while(move |item| item.identity == *identity)
    }

    /// The events that are shown, newest first: each once, in its newest [version](versions).
    pub fn events(&self) -> Vec<&Item> {
        versions::shown(&self.keyed_events())
    }

    /// Every event, newest first. An event that several identities hold is here once, in its newest version, or not at all if that
    /// says that it was moved.
    fn keyed_events(&self) -> Vec<&Item> {
        let mut events: Vec<_> = self
            .0
            .iter()
            .filter(|item| item.event().is_some())
            .rev()
            .collect();
        events.sort_by(|a, b| b.key.cmp(&a.key));
        events.dedup_by(|next, held| {
            let same = next.key == held.key;
            if same {
                *held = newer(held, next);
            }
            same
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
            .dedup_by(|next, held| next.identity == held.identity && next.key == held.key);
    }
}

impl FromIterator<Item> for State {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut state = Self::default();
        state.extend(items);
        state
    }
}

/// The one of two items of the same event that counts.
pub fn newer<'a>(a: &'a Item, b: &'a Item) -> &'a Item {
    if (b.version, &b.identity) > (a.version, &a.identity) {
        b
    } else {
        a
    }
}

/// What a client may see of a profile, and when it looks.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The moment of reading.
    pub now: Instant,
    /// The currency of amounts that name none.
    pub currency: &'a str,
    /// Whether personal values are shown: the client has the scope `pii:read`.
    pub personal: bool,
    /// The namespaces of attributes that every client sees.
    pub open_namespaces: &'a [String],
}

impl View<'_> {
    /// Returns what the client sees of an event's data.
    pub fn event(&self, kind: EventType, data: Map) -> Map {
        if self.personal {
            data
        } else {
            redact::object(data, redact::event_fields(kind))
        }
    }

    /// `value`, or the sign that it is hidden.
    pub fn show<T>(&self, value: T) -> Personal<T> {
        if self.personal {
            Personal::Shown(value)
        } else {
            Personal::Redacted
        }
    }
}

/// A personal value, as far as the client may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Personal<T> {
    /// The value.
    Shown(T),
    /// There is one, and the client may not see it: `{"redacted": true}`.
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

/// A page of anything.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// The cursor of the next page; `null` on the last.
    pub next: Option<String>,
    /// Whether something was left out because too much had to be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A section that comes in pages: the first of them.
#[derive(Clone, Debug, Serialize)]
pub struct Section<T> {
    /// How fresh the whole section is.
    pub as_of: Option<Instant>,
    /// The first page.
    #[serde(flatten)]
    pub page: Page<T>,
}

/// Which sections of the document are asked for.
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
}

impl Sections {
    /// All of them, the default.
    pub const ALL: Self = Self {
        summary: true,
        attributes: true,
        notes: true,
        history: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        summary: false,
        attributes: false,
        notes: false,
        history: false,
    };
    /// Their names, in the document's order.
    pub const NAMES: [&str; 4] = ["summary", "attributes", "notes", "history"];

    /// Adds the section called `name`; answers whether there is one.
    pub fn add(&mut self, name: &str) -> bool {
        let section = match name {
            "summary" => &mut self.summary,
            "attributes" => &mut self.attributes,
            "notes" => &mut self.notes,
            "history" => &mut self.history,
            _ => return false,
        };
        *section = true;
        true
    }
}

/// One profile as `GET /profiles/{id}` answers it.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The canonical id.
    pub id: IdentityId,
    /// When it was folded.
    pub as_of: Instant,
    /// The customer's name, where a customer record gives one.
    pub name: Option<Personal<String>>,
    /// Who is folded into it.
    pub identities: Vec<Identity>,
    /// Key figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Attributes by category, of each at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Categories>,
    /// The number of attributes that were left out because their names may be personal.
    #[serde(skip_serializing_if = "is_zero")]
    pub attributes_redacted: usize,
    /// The newest file that attributes come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes_as_of: Option<Instant>,
    /// Of the categories that hold more: the cursor of `GET /profiles/{id}/attributes` with that category.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes_next: BTreeMap<String, String>,
    /// The first page of notes, as of when one was last written or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Section<Note>>,
    /// The first page of the history, as of the newest file that events come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Section<HistoryItem>>,
    /// Links that were not followed, because their source links the identity to too many others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_links: Vec<ExcludedLinks>,
    /// Whether something was left out: the profile is larger than what one request reads, or links were not followed.
    pub partial: bool,
}

/// One identity of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// Its id, which answers with this profile unless it is shared.
    pub id: IdentityId,
    /// What kind of identifier names it.
    #[serde(rename = "type", serialize_with = "serialize_type")]
    pub kind: Option<IdentifierType>,
    /// The identifier: personal.
    pub value: Option<Personal<String>>,
    /// The system that the id belongs to: personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_name: Option<Personal<String>>,
    /// Whether a source links it to so many others that these links are not followed.
    pub shared: bool,
}

fn serialize_type<S: serde::Serializer>(
    kind: &Option<IdentifierType>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    kind.map(IdentifierType::as_str).serialize(serializer)
}

/// The identities found and their items.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Who belongs together.
    pub closure: Closure,
    /// What is recorded under the members.
    pub state: State,
    /// Whether items were left unread.
    pub partial: bool,
}

impl Profile {
    /// Whether anything is known of it. Markers alone are nothing.
    pub fn exists(&self) -> bool {
        self.state
            .items()
            .any(|item| !matches!(item.key, SortKey::Marker(_) | SortKey::Request(_)))
    }

    /// Folds the items into the document.
    pub fn document(&self, view: &View<'_>, sections: Sections) -> Document {
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
            for (category, held) in &mut attributes {
                if held.len() > MAX_LIMIT {
                    held.truncate(MAX_LIMIT);
                    let name = held.last().map_or("", |last| &last.name);
                    let position = Position::after(MAX_LIMIT, category, name);
                    attributes_next.insert(
                        category.clone(),
                        attributes_cursor(Some(category), &position),
                    );
                }
            }
        }
        Document {
            id: self.closure.id(),
            as_of: view.now,
            name: attributes::name(&self.state).map(|name| view.show(name)),
            identities: self.identities(view),
            summary: sections.summary.then_some(summary),
            attributes: sections.attributes.then_some(attributes),
            attributes_redacted: if sections.attributes { redacted } else { 0 },
            attributes_as_of: attributes_as_of.filter(|_| sections.attributes),
            attributes_next,
            notes: sections.notes.then(|| note::section(&self.state, view)),
            history: sections.history.then(|| Section {
                as_of: newest_file(events.iter().copied()),
                page: first_page(&all, &events, view),
            }),
            excluded_links: self.closure.excluded(),
            partial: self.partial || self.closure.is_partial(),
        }
    }

    /// Every attribute, with the figures that are counted here.
    pub fn attributes(&self, view: &View<'_>) -> Folded {
        let mut folded = attributes::fold(&self.state, view);
        let summary = summarize(&folded.categories, &self.state.events(), view);
        add_figures(&mut folded.categories, &summary, view);
        folded
    }

    fn identities(&self, view: &View<'_>) -> Vec<Identity> {
        let mut known: BTreeMap<IdentityId, Identifier> = BTreeMap::new();
        // An address and its hash name one identity: the address says more, and sorts first.
        let mut learn = |id: &IdentityId, identifier: &Identifier| match known.get_mut(id) {
            Some(held) if *held <= *identifier => {}
            Some(held) => *held = identifier.clone(),
            None => {
                known.insert(id.clone(), identifier.clone());
            }
        };
        for item in self.state.items() {
            if let Some(link) = &item.link {
                learn(&item.identity, link);
            }
        }
        for (other, identifier) in live_links(self.state.items()) {
            if let Some(identifier) = identifier {
                learn(&other, &identifier);
            }
        }
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

fn summarize(attributes: &Categories, events: &[&Item], view: &View<'_>) -> Summary {
    let mut summary = summary::fold(attributes, events, view);
    segments::assign(&mut summary, attributes, view.now);
    summary
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn add_figures(attributes: &mut Categories, summary: &Summary, view: &View<'_>) {
    let held = attributes
        .entry(attributes::FIGURES.to_owned())
        .or_default();
    held.extend(attributes::figures(summary, view.now));
}

/// The cursor of a position in the listing of one category, or of all.
pub fn attributes_cursor(listed: Option<&str>, position: &Position) -> String {
    let position = position.to_string();
    cursor::encode(Listing::Attributes, listed.unwrap_or_default(), &position)
}

/// When the newest file among those that the items come from was last modified.
fn newest_file<'a>(items: impl Iterator<Item = &'a Item>) -> Option<Instant> {
    let modified = items.filter_map(|item| Some(item.version?.last_modified()));
    modified.max().and_then(Instant::from_seconds)
}

/// The first page of the history. `all` are the events that `events`, those that are shown, were chosen from.
fn first_page(all: &[&Item], events: &[&Item], view: &View<'_>) -> Page<HistoryItem> {
    let item = |item: &&Item| {
        let mut shown = HistoryItem::new(item, view)?;
        let key = item.event()?;
        let count = all.partition_point(|other| other.event() >= Some(key));
        shown.place = Place::new(key.clone(), all, count, None);
        Some(shown)
    };
    let items: Vec<_> = events.iter().take(DEFAULT_LIMIT).filter_map(item).collect();
    let last = items.last().filter(|_| events.len() > DEFAULT_LIMIT);
    Page {
        next: last.map(HistoryItem::cursor),
        items,
        partial: false,
    }
}

#[cfg(test)]
mod tests;
