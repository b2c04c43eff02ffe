//! Reading a profile: the partitions of all identities that links connect, a round at a time, in parallel.

use std::collections::BTreeMap;

use futures::future::{try_join, try_join_all};

use crate::{
    closure::Closure,
    erasure::Markers,
    identity::IdentityId,
    item::Item,
    keys::SortKey,
    profile::{Profile, State},
    table::{EventRange, Items, Table, TableError},
};

/// Reads the whole profile that `asked` belongs to.
///
/// # Errors
/// The table did not answer.
pub async fn profile(
    table: &Table,
    asked: &IdentityId,
    consistent: bool,
) -> Result<Profile, TableError> {
    let (closure, read) = close(table, asked, Part::Whole { consistent }).await?;
    let members = closure.members();
    let mut profile = Profile {
        closure,
        state: State::default(),
        partial: false,
    };
    for (id, items) in read {
        if members.contains(&id) {
            profile.partial |= items.next.is_some();
            profile.state.extend(items.items);
        }
    }
    Ok(profile)
}

/// The identities of a profile, and what was said of the erasure of each.
#[derive(Clone, Debug)]
pub struct Members {
    /// Who belongs together.
    pub closure: Closure,
    /// The markers of each identity that was read.
    pub markers: BTreeMap<IdentityId, Markers>,
    /// Whether a record, an attribute or a link stands for one of them.
    known: bool,
}

impl Members {
    /// Whether what was said of its identity erases an item.
    pub fn erase(&self, item: &Item) -> bool {
        self.markers
            .get(&item.identity)
            .is_some_and(|markers| markers.erase(item))
    }

    /// Whether there is such a profile: whether anything is recorded under the identity that was asked for. One of
    /// events or notes alone has to be looked for; who has found an item of it knows without asking.
    ///
    /// # Errors
    /// The table did not answer.
    pub async fn exist(&self, table: &Table) -> Result<bool, TableError> {
        let asked = self.closure.asked();
        let markers = self.markers.get(asked).copied().unwrap_or_default();
        Ok(self.known || has_more(table, asked, &markers).await?)
    }
}

/// Finds the identities of the profile that `asked` belongs to, from their heads alone.
///
/// # Errors
/// The table did not answer.
pub async fn members(table: &Table, asked: &IdentityId) -> Result<Members, TableError> {
    let (closure, read) = close(table, asked, Part::Head).await?;
    let mut known = false;
    let mut markers = BTreeMap::new();
    for (id, items) in read {
        known |= stands(&items.items);
        markers.insert(id, Markers::of(&items.items));
    }
    Ok(Members {
        closure,
        markers,
        known,
    })
}

/// The markers of an identity under which something is recorded that they don't erase; `None` if there is nothing.
///
/// # Errors
/// The table did not answer.
pub async fn standing(table: &Table, id: &IdentityId) -> Result<Option<Markers>, TableError> {
    let head = table.head(id).await?.items;
    let markers = Markers::of(&head);
    let left = head.into_iter().filter(|item| !markers.erase(item));
    let known = stands(&left.collect::<Vec<_>>()) || has_more(table, id, &markers).await?;
    Ok(known.then_some(markers))
}

/// Whether there is more than markers.
fn stands(items: &[Item]) -> bool {
    items
        .iter()
        .any(|item| !matches!(item.key, SortKey::Marker(_)))
}

/// Whether an identity has a note or an event that its markers don't erase.
async fn has_more(table: &Table, id: &IdentityId, markers: &Markers) -> Result<bool, TableError> {
    // Of either the newest is erased last, and runs out last, unless it was kept by another rule than those before it.
    let (notes, events) = try_join(
        table.notes(id),
        table.events(id, &EventRange::default(), None, LATEST),
    )
    .await?;
    Ok(notes
        .items
        .iter()
        .chain(&events.items)
        .any(|item| !markers.erase(item)))
}

/// How many of an identity's latest events are looked at, to tell whether there is one.
const LATEST: usize = 8;

/// What is read of each identity.
#[derive(Clone, Copy)]
enum Part {
    Whole { consistent: bool },
    Head,
}

/// Reads identities until no link leads on. What their markers erase is left out.
async fn close(
    table: &Table,
    asked: &IdentityId,
    part: Part,
) -> Result<(Closure, Vec<(IdentityId, Items)>), TableError> {
    let mut closure = Closure::new(asked.clone());
    let mut read = Vec::new();
    loop {
        let round = closure.pending();
        if round.is_empty() {
            return Ok((closure, read));
        }
        let read_one = async |id| match part {
            Part::Whole { consistent } => table.identity(id, consistent).await,
            Part::Head => table.head(id).await,
        };
        let answers = try_join_all(round.iter().map(read_one)).await?;
        for (id, mut items) in round.into_iter().zip(answers) {
            let markers = Markers::of(&items.items);
            if !markers.is_empty() {
                items.items.retain(|item| !markers.erase(item));
            }
            closure.add(&id, &items.items, &markers);
            read.push((id, items));
        }
    }
}
