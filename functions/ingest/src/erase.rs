//! Erasing: a row of a forget file is carried out, and what an import may have stored of somebody who was erased
//! meanwhile is taken back. ADR 7 says why nothing is left, whatever runs beside it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::{
    closure::Closure,
    erasure::Markers,
    identity::IdentityId,
    item::Item,
    keys::{Marker, SortKey},
    reader,
    table::{BATCH_SIZE, Erasure, Table, TableError, Verdict, Write},
    version::{ImportId, Version},
};

use crate::{
    App, IngestError,
    counts::Erased,
    record::Forget,
    write::{self, Outcome},
};

/// How often an identity is looked through for what came while it was being erased.
const MAX_PASSES: usize = 100;
/// How often what the table was too busy to delete is tried.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// By how much clocks may differ, in seconds, and runs may be late to note what they do.
const SLACK_SECONDS: i64 = 60 * 60;

/// Whom a run keeps out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Erasures {
    /// The list, and how often it had changed when it was read.
    list: Arc<HashMap<IdentityId, Erasure>>,
    changes: u64,
    /// What this run said itself.
    own: HashMap<IdentityId, Markers>,
}

impl Erasures {
    /// Reads the list, unless it is known in the form that it has.
    pub(crate) async fn read(app: &App) -> Result<Self, TableError> {
        let mut known = app.erasures.lock().await;
        // Read before the list: the list is at least as new as it says.
        let changes = app.table.erasure_changes().await?;
        if known.changes != changes {
            let list = app.table.erasures().await?;
            *known = Self {
                list: Arc::new(list),
                changes,
                own: HashMap::new(),
            };
        }
        Ok(known.clone())
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether what was said of `identity` erases `item`, which is of that identity, or a link to it.
    pub(crate) fn erase(&self, identity: &IdentityId, item: &Item) -> bool {
        let listed = self
            .list
            .get(identity)
            .is_some_and(|erasure| erasure.markers.erase(item));
        listed
            || self
                .own
                .get(identity)
                .is_some_and(|markers| markers.erase(item))
    }

    #[cfg(test)]
    fn of(own: HashMap<IdentityId, Markers>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    fn add(&mut self, identity: &IdentityId, marker: Marker, version: Version) {
        let listed = self.list.get(identity).map(|erasure| erasure.markers);
        self.own
            .entry(identity.clone())
            .or_insert_with(|| listed.unwrap_or_default())
            .add(marker, version);
    }
}

/// Carries out a row of a forget file. Answers whether what it says is stored, and not older than what was.
pub(crate) async fn forget(
    app: &App,
    import: ImportId,
    version: Version,
    forget: &Forget,
    erasures: &mut Erasures,
    erased: &mut Erased,
    expires_at: i64,
) -> Result<bool, IngestError> {
    let mut targets = forget.identities.clone();
    if forget.whole_profile {
        targets = profiles(&app.table, &targets).await?;
        // Whom this row is about is settled before anything is deleted: afterwards nobody could tell.
        targets = app
            .table
            .note_targets(import, version.offset(), &targets, expires_at)
            .await?;
    }
    let markers = forget.markers();
    let said = |write: fn(&IdentityId, Marker, Version) -> Write| {
        targets.iter().flat_map(move |id| {
            markers
                .iter()
                .map(move |marker| write(id, *marker, version))
        })
    };
    let mut outcomes = Vec::new();
    for writes in said(Write::listed)
        .chain(said(Write::marker))
        .collect::<Vec<_>>()
        .chunks(BATCH_SIZE)
    {
        outcomes.extend(write::all(&app.table, import, writes.to_vec()).await?);
    }
    // Between listing and deleting: what a run stores before it hears of this is seen below.
    app.table.count_erasure_change().await?;
    for identity in &targets {
        for marker in markers {
            erasures.add(identity, *marker, version);
        }
        erase(&app.table, identity, erased).await?;
    }
    erased.identities += targets.len() as u64;
    Ok(outcomes.contains(&Outcome::Stored))
}

/// Deletes what was stored under identities that were listed since an import was planned.
pub(crate) async fn catch_up(
    app: &App,
    planned_changes: u64,
    planned_at: i64,
    known: &Erasures,
    erased: &mut Erased,
) -> Result<(), IngestError> {
    if app.table.erasure_changes().await? == planned_changes {
        return Ok(());
    }
    let now = Erasures::read(app).await?;
    for (identity, erasure) in now.list.iter() {
        if erasure.listed_at >= planned_at - SLACK_SECONDS && !known.own.contains_key(identity) {
            erase(&app.table, identity, erased).await?;
        }
    }
    Ok(())
}

/// Deletes items in the version that they have here, and nothing that took their place.
pub(crate) async fn delete(table: &Table, items: &[&Item]) -> Result<u64, TableError> {
    let mut deleted = 0;
    for batch in items.chunks(BATCH_SIZE) {
        let mut left: Vec<&Item> = batch.to_vec();
        let mut attempt = 0;
        while !left.is_empty() {
            let error = match table.delete(&left).await {
                Ok(verdicts) => {
                    deleted += verdicts
                        .iter()
                        .filter(|verdict| **verdict == Verdict::Stored)
                        .count() as u64;
                    let mut verdicts = verdicts.into_iter();
                    left.retain(|_| verdicts.next() == Some(Verdict::Busy));
                    TableError::Busy("statements were throttled".into())
                }
                Err(error @ TableError::Busy(_)) => error,
                Err(error) => return Err(error),
            };
            if left.is_empty() {
                break;
            }
            attempt += 1;
            if attempt == MAX_ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(FIRST_PAUSE * (1 << attempt)).await;
        }
    }
    Ok(deleted)
}

/// Deletes what an identity's markers erase of it, and the far sides of the links that go.
async fn erase(
    table: &Table,
    identity: &IdentityId,
    erased: &mut Erased,
) -> Result<(), IngestError> {
    for _ in 0..MAX_PASSES {
        let items = table.whole_identity(identity).await?;
        let markers = Markers::of(&items);
        let gone: Vec<&Item> = items.iter().filter(|item| markers.erase(item)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let (links, rest): (Vec<&Item>, Vec<&Item>) = gone
            .into_iter()
            .partition(|item| matches!(item.key, SortKey::Link(_)));
        let others: Vec<IdentityId> = links
            .iter()
            .filter_map(|link| match &link.key {
                SortKey::Link(other) => Some(other.clone()),
                _ => None,
            })
            .collect();
        let far = table.far_links(identity, &others).await?;
        let far: Vec<&Item> = far.iter().filter(|item| markers.erase(item)).collect();
        // Own links go last: a retry finds the far sides by them.
        for items in [far, rest, links] {
            delete(table, &items).await?;
            for item in items {
                erased.count(&item.key);
            }
        }
    }
    Err(IngestError::Table(TableError::Busy(
        "an identity fills faster than it can be erased".into(),
    )))
}

/// The identities of the profiles that these belong to.
async fn profiles(
    table: &Table,
    identities: &[IdentityId],
) -> Result<Vec<IdentityId>, IngestError> {
    let mut all: Vec<IdentityId> = identities.to_vec();
    for identity in identities {
        let closure: Closure = reader::profile(table, identity, true).await?.closure;
        all.extend(closure.members());
    }
    all.sort();
    all.dedup();
    Ok(all)
}

#[cfg(test)]
mod tests;
