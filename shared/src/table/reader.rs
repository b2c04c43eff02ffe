//! Reads a profile. In: one of its identities. Out: the items of all identities that links connect. Each round of reads follows
//! the links that the previous round found; the reads of a round run concurrently.

use std::collections::BTreeMap;

use futures::future::{try_join, try_join_all};

use crate::{
    model::{
        closure::Closure,
        erasure::Markers,
        identifier::{Identifier, IdentifierType},
        identity::IdentityId,
        item::Item,
        keys::SortKey,
    },
    profile::{
        Profile, State,
        card::{Cover, Summarized},
    },
    table::{Budget, Consistency, EventRange, Items, NotesRead, Table, TableError},
};

/// Whether a profile is read with its notes, which take one more query for each identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// With the newest notes of each identity: one page of the table.
    Newest,
    /// Without notes.
    Skip,
}

/// Reads the whole profile that the identity `requested` belongs to.
///
/// # Errors
/// The table cannot be read.
pub async fn profile(
    table: &Table,
    requested: &IdentityId,
    consistency: Consistency,
    notes: Notes,
) -> Result<Profile, TableError> {
    let part = Part::Whole { consistency, notes };
    let mut found = read_closure(table, Closure::new(requested.clone()), part).await?;
    let markers = found.markers.remove(requested).unwrap_or_default();
    let mut profile = found.into_profile();
    if notes == Notes::Skip {
        add_lone_notes(table, &mut profile, &markers, consistency).await?;
    }
    Ok(profile)
}

/// Reads the profile that the identity `requested` belongs to without its events: for sections that are not computed from events.
/// Events of an identity are read only if its head does not decide which identifier is shown.
///
/// # Errors
/// The table cannot be read.
pub async fn profile_without_events(
    table: &Table,
    requested: &IdentityId,
    consistency: Consistency,
    notes: Notes,
) -> Result<Profile, TableError> {
    let part = Part::WithoutEvents { consistency, notes };
    let mut found = read_closure(table, Closure::new(requested.clone()), part).await?;
    let markers = std::mem::take(&mut found.markers);
    let mut profile = found.into_profile();
    add_identifying_events(table, &mut profile, &markers, consistency).await?;
    if notes == Notes::Skip {
        let markers = markers.get(requested).cloned().unwrap_or_default();
        add_lone_notes(table, &mut profile, &markers, consistency).await?;
    }
    Ok(profile)
}

/// Adds the notes of the requested identity if nothing else was found: a profile can consist of notes alone.
async fn add_lone_notes(
    table: &Table,
    profile: &mut Profile,
    markers: &Markers,
    consistency: Consistency,
) -> Result<(), TableError> {
    if profile.exists() {
        return Ok(());
    }
    let requested = profile.closure.requested();
    let newest = NotesRead::newest(consistency);
    let notes = table.notes(requested, newest).await?.items.into_iter();
    let left = notes.filter(|note| !markers.erase(note));
    profile.state.extend(left);
    Ok(())
}

/// Adds events of the members whose heads do not decide which identifier is shown.
async fn add_identifying_events(
    table: &Table,
    profile: &mut Profile,
    markers: &BTreeMap<IdentityId, Markers>,
    consistency: Consistency,
) -> Result<(), TableError> {
    let known = profile.state.identifiers();
    let mut undecided = profile.closure.members();
    undecided.retain(|id| !is_decided(known.get(id)));
    let budget = Budget::profile();
    let reads = undecided.iter().map(async |id| {
        let markers = markers.get(id).cloned().unwrap_or_default();
        identifying_events(table, id, &markers, (consistency, &budget)).await
    });
    for events in try_join_all(reads).await? {
        profile.partial |= events.next.is_some();
        profile.state.extend(events.items);
    }
    Ok(())
}

/// Reads the events that decide which identifier of an identity is shown: the latest ones, or else all. Leaves out erased events.
async fn identifying_events(
    table: &Table,
    id: &IdentityId,
    markers: &Markers,
    (consistency, budget): (Consistency, &Budget),
) -> Result<Items, TableError> {
    let mut events = Items::default();
    for limit in [Some(LATEST), None] {
        events = table.newest_events(id, limit, consistency, budget).await?;
        events.items.retain(|item| !markers.erase(item));
        let best = events.items.iter().filter_map(|item| item.link.as_ref());
        if is_decided(best.min()) {
            // The response does not need the other events.
            events.next = None;
        }
        if events.next.is_none() {
            break;
        }
    }
    Ok(events)
}

/// Returns whether no other item can contain a better identifier of an identity than this one. Only the hash of an email address
/// has a better one: the address.
fn is_decided(best: Option<&Identifier>) -> bool {
    best.is_some_and(|best| best.kind() != IdentifierType::EmailSha256)
}

/// Reads what a card shows of the profile that the identity `requested` belongs to: the heads of its identities, and at most
/// one page of events of each. Also returns the consumed read units.
///
/// # Errors
/// The table cannot be read.
pub async fn card(table: &Table, requested: &IdentityId) -> Result<(Summarized, f64), TableError> {
    let found = read_closure(table, Closure::new(requested.clone()), Part::Card).await?;
    let members = found.closure.members();
    let units = found.read.iter().map(|(_, items)| items.units).sum();
    let mut profile = Profile {
        partial: false,
        state: State::default(),
        closure: found.closure,
    };
    let mut cover = Cover::All;
    for (id, items) in found.read {
        if !members.contains(&id) {
            continue;
        }
        match &items.next {
            None => {}
            Some(SortKey::Event(key)) => cover = cover.and_since(key.at()),
            Some(_) => profile.partial = true,
        }
        profile.state.extend(items.items);
    }
    if !profile.exists() {
        let markers = found.markers.get(requested);
        let newest = NotesRead::newest(Consistency::Eventual);
        let notes = table.notes(requested, newest).await?.items.into_iter();
        let left = notes.filter(|note| markers.is_none_or(|markers| !markers.erase(note)));
        profile.state.extend(left);
    }
    let markers = found.markers;
    Ok((
        Summarized {
            profile,
            markers,
            cover,
        },
        units,
    ))
}

/// The identities of a profile, with the erasure markers of each.
#[derive(Clone, Debug)]
pub struct Members {
    /// The identities that form the profile.
    pub closure: Closure,
    /// The markers of each identity that was read.
    pub markers: BTreeMap<IdentityId, Markers>,
    /// Whether something was left out: see [`Closure::is_partial`]. It is also set if a head is larger than a read
    /// returns.
    pub partial: bool,
    /// Whether an identity that was read has a record, attribute or link that is not erased.
    has_head: bool,
}

impl Members {
    /// Returns whether the markers of the item's identity erase it.
    pub fn erase(&self, item: &Item) -> bool {
        self.markers
            .get(&item.identity)
            .is_some_and(|markers| markers.erase(item))
    }

    /// Returns whether the profile exists: whether an identity that was read has a record, attribute or link, or the
    /// requested identity has an event or a note. The second part takes two more queries, which are left out if the
    /// first part is true. A caller that has found an item of the profile does not need to call this.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn exist(&self, table: &Table) -> Result<bool, TableError> {
        let requested = self.closure.requested();
        let markers = self.markers.get(requested).cloned().unwrap_or_default();
        Ok(self.has_head || has_note_or_event(table, requested, &markers).await?)
    }
}

/// Finds the identities of the profile that `requested` belongs to. Reads only their heads.
///
/// # Errors
/// The table cannot be read.
pub async fn members(table: &Table, requested: &IdentityId) -> Result<Members, TableError> {
    members_of(table, Closure::new(requested.clone())).await
}

/// Finds the identities of a profile as `members` does, up to the closure's own limit.
///
/// # Errors
/// The table cannot be read.
pub async fn members_of(table: &Table, closure: Closure) -> Result<Members, TableError> {
    let found = read_closure(table, closure, Part::Head).await?;
    Ok(found.into_members().0)
}

/// Finds the identities of the profile that `requested` belongs to. Also returns their links that are not erased, from
/// either end.
///
/// # Errors
/// The table cannot be read.
pub async fn links(
    table: &Table,
    requested: &IdentityId,
) -> Result<(Members, Vec<Item>), TableError> {
    let closure = Closure::new(requested.clone());
    let found = read_closure(table, closure, Part::Head).await?;
    let (members, read) = found.into_members();
    let identities = members.closure.members();
    let mut links = Vec::new();
    for (id, items) in read {
        if identities.contains(&id) {
            let is_link = |item: &Item| matches!(item.key, SortKey::Link { .. });
            links.extend(items.items.into_iter().filter(is_link));
        }
    }
    let markers = &members.markers;
    links.retain(|link| {
        let SortKey::Link { other, .. } = &link.key else {
            return false;
        };
        let far = markers.get(other);
        far.is_none_or(|markers| !markers.erase(link))
    });
    Ok((members, links))
}

/// Returns the markers of an identity that still has data. Returns `None` if there is no item that they do not erase.
///
/// # Errors
/// The table cannot be read.
pub async fn live_markers(table: &Table, id: &IdentityId) -> Result<Option<Markers>, TableError> {
    let budget = Budget::profile();
    let head = table.head(id, Consistency::Eventual, &budget).await?.items;
    let markers = Markers::of(&head);
    let left = head.into_iter().filter(|item| !markers.erase(item));
    let is_live =
        has_non_marker(&left.collect::<Vec<_>>()) || has_note_or_event(table, id, &markers).await?;
    Ok(is_live.then_some(markers))
}

/// Returns whether there are items other than markers.
fn has_non_marker(items: &[Item]) -> bool {
    items
        .iter()
        .any(|item| !matches!(item.key, SortKey::Marker(_)))
}

/// Returns whether an identity has a note or an event that its markers do not erase.
async fn has_note_or_event(
    table: &Table,
    id: &IdentityId,
    markers: &Markers,
) -> Result<bool, TableError> {
    // The newest note and the newest event are erased last and expire last, unless a different rule applied to earlier
    // ones.
    let (notes, events) = try_join(
        table.notes(id, NotesRead::newest(Consistency::Strong)),
        table.events(id, &EventRange::default(), None, LATEST),
    )
    .await?;
    Ok(notes
        .items
        .iter()
        .chain(&events.items)
        .any(|item| !markers.erase(item)))
}

/// The maximum number of identities that are read concurrently.
pub(super) const CONCURRENT_READS: usize = 32;
/// The number of latest events examined to decide whether an identity has one.
const LATEST: usize = 8;

/// The items to read of each identity.
#[derive(Clone, Copy)]
enum Part {
    /// The head and the events, and the notes unless they are skipped.
    Whole {
        consistency: Consistency,
        notes: Notes,
    },
    /// The head, and the notes unless they are skipped.
    WithoutEvents {
        consistency: Consistency,
        notes: Notes,
    },
    /// The head alone.
    Head,
    /// The head and the newest events.
    Card,
}

/// The identities of a profile, with the markers and items read of each.
pub(super) struct Found {
    closure: Closure,
    markers: BTreeMap<IdentityId, Markers>,
    read: Vec<(IdentityId, Items)>,
}

impl Found {
    /// Creates the result before anything was read.
    pub(super) const fn new(closure: Closure) -> Self {
        Self {
            closure,
            markers: BTreeMap::new(),
            read: Vec::new(),
        }
    }

    /// Returns the identities to read next; none if the profile is complete.
    pub(super) fn pending(&self) -> Vec<IdentityId> {
        self.closure.pending()
    }

    /// Adds the items of the identities of a round. Leaves out those that the markers of their identity erase.
    pub(super) fn add(&mut self, round: Vec<IdentityId>, mut read: Vec<Items>) {
        for (id, items) in round.iter().zip(&mut read) {
            let markers = Markers::of(&items.items);
            if !markers.is_empty() {
                items.items.retain(|item| !markers.erase(item));
            }
            self.markers.insert(id.clone(), markers);
        }
        let all = round.iter().zip(&read);
        self.closure
            .add(all.map(|(id, items)| (id, items.items.as_slice(), &self.markers[id])));
        self.read.extend(round.into_iter().zip(read));
    }

    /// Returns the profile of the items that were read.
    pub(super) fn into_profile(self) -> Profile {
        let members = self.closure.members();
        let mut profile = Profile {
            partial: false,
            state: State::default(),
            closure: self.closure,
        };
        for (id, items) in self.read {
            if members.contains(&id) {
                profile.partial |= items.next.is_some();
                profile.state.extend(items.items);
            }
        }
        profile
    }

    /// Returns the members, and the items of each identity that was read.
    fn into_members(self) -> (Members, Vec<(IdentityId, Items)>) {
        let mut read = self.read.iter();
        let has_head = read.any(|(_, items)| has_non_marker(&items.items));
        let is_cut = self.read.iter().any(|(_, items)| items.next.is_some());
        let members = Members {
            partial: self.closure.is_partial() || is_cut,
            closure: self.closure,
            markers: self.markers,
            has_head,
        };
        (members, self.read)
    }
}

/// Reads an identity's head and events, and its notes unless they are skipped.
pub(super) async fn whole(
    table: &Table,
    id: &IdentityId,
    (consistency, notes): (Consistency, Notes),
    budget: &Budget,
) -> Result<Items, TableError> {
    let identity = table.identity(id, consistency, budget);
    with_notes(table, id, (consistency, notes), identity).await
}

/// Adds the notes of an identity to a read of its other items, unless they are skipped. Both are read concurrently.
async fn with_notes(
    table: &Table,
    id: &IdentityId,
    (consistency, notes): (Consistency, Notes),
    read: impl Future<Output = Result<Items, TableError>>,
) -> Result<Items, TableError> {
    if notes == Notes::Skip {
        return read.await;
    }
    let newest = table.notes(id, NotesRead::newest(consistency));
    let (mut identity, newest) = try_join(read, newest).await?;
    identity.items.extend(newest.items);
    identity.next = identity.next.or(newest.next);
    Ok(identity)
}

/// Reads identities until no link leads to another one. Leaves out the items that their markers erase.
async fn read_closure(table: &Table, closure: Closure, part: Part) -> Result<Found, TableError> {
    let mut found = Found::new(closure);
    let budget = match part {
        Part::Card => Budget::card(),
        _ => Budget::profile(),
    };
    loop {
        let round = found.pending();
        if round.is_empty() {
            return Ok(found);
        }
        let read_one = async |id| match part {
            Part::Whole { consistency, notes } => {
                whole(table, id, (consistency, notes), &budget).await
            }
            Part::WithoutEvents { consistency, notes } => {
                let head = table.head(id, consistency, &budget);
                with_notes(table, id, (consistency, notes), head).await
            }
            Part::Head => table.head(id, Consistency::Eventual, &budget).await,
            Part::Card => table.card_items(id, &budget).await,
        };
        let mut read = Vec::with_capacity(round.len());
        for group in round.chunks(CONCURRENT_READS) {
            read.extend(try_join_all(group.iter().map(read_one)).await?);
        }
        found.add(round, read);
    }
}
