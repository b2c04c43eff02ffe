//! Executes erasures. In: a row of a forget file, or the erasure list after an import. Out: markers, and the deletion of everything
//! that they erase, including what a concurrent import stored meanwhile. ADR 7 explains why nothing is left, whatever is imported concurrently.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

pub(crate) mod journal;

use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use shared::{
    model::{
        closure::{Closure, ExcludedLinks, live_links},
        erasure::Markers,
        identifier::{Identifier, IdentifierType},
        identity::IdentityId,
        item::Item,
        keys::{Marker, SortKey},
        version::Version,
    },
    table::{BATCH_SIZE, Erasure, Table, TableError, Verdict, Write},
};

use crate::{
    App, IngestError,
    audit::{self, Effect},
    counts::Erased,
    deadline::Deadline,
    record::{Erasures, Forget},
    store::{queued::Outcome, write},
};

/// How many identities are read or erased concurrently.
const CONCURRENT_IDENTITIES: usize = 16;
/// The maximum number of identities that one row erases, with everything they are linked to: 100 customers with 50 each.
const MAX_TARGETS: usize = 5_000;
/// The maximum number of times that an identity is read again for items that were stored while it was being erased.
const MAX_PASSES: usize = 100;
/// The maximum number of attempts to delete items while the table is throttled.
const MAX_ATTEMPTS: u32 = 10;
/// The tolerance in seconds for clocks that differ, and for invocations that record their changes late.
const SLACK_SECONDS: i64 = 60 * 60;

/// Reads the erasure list, unless it has not changed since this process read it.
pub(crate) async fn read(app: &App) -> Result<Erasures, TableError> {
    let mut known = app.erasures.lock().await;
    // The counter is read before the list, so the list is at least as new as the counter.
    let changes = app.table.erasure_changes().await?;
    if known.changes() != changes {
        *known = Erasures::listed(app.table.erasures().await?, changes);
    }
    Ok(known.clone())
}

/// The result of a forget row that was executed to its end.
#[derive(Debug)]
pub(crate) struct Executed {
    /// Whether a marker was stored, and was not older than the ones before.
    pub(crate) is_stored: bool,
    /// The identities that the row concerns, with those of whole profiles.
    pub(crate) identities: Vec<IdentityId>,
    /// Links that were not followed to find a profile, because their source has too many.
    pub(crate) excluded: Vec<ExcludedLinks>,
}

/// The facts about an import's plan that decide which erasures have to be executed after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanFacts {
    /// How often the erasure list had changed when the import was planned.
    pub(crate) erasure_changes: u64,
    /// When the import was planned, in seconds since 1970.
    pub(crate) at: i64,
    /// Whether the object is read by one invocation at a time.
    pub(crate) is_in_one_range: bool,
}

/// The inputs for the execution of one forget row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForgetRow<'a> {
    pub(crate) forget: &'a Forget,
    pub(crate) version: Version,
    /// When the record of the identities to erase expires, in seconds since 1970.
    pub(crate) expires_at: i64,
    pub(crate) deadline: Deadline,
}

/// Executes a row of a forget file. Returns `None` if the deadline passed before everything was deleted. The row then has to be
/// executed again, which deletes the rest.
pub(crate) async fn forget(
    app: &App,
    row: ForgetRow<'_>,
    erasures: &mut Erasures,
    erased: &mut Erased,
) -> Result<Option<Executed>, IngestError> {
    let ForgetRow {
        forget, version, ..
    } = row;
    let import = version.import();
    let mut targets = forget.identities.clone();
    let mut excluded = Vec::new();
    if forget.whole_profile {
        (targets, excluded) = profiles(app, targets, version.offset()).await?;
        // The targets are recorded before anything is deleted: afterwards no link leads to them.
        targets = app
            .table
            .store_targets(import, version.offset(), &targets, row.expires_at)
            .await?;
    }
    let markers = forget.markers(version);
    let is_stored = write_markers(app, &targets, &markers, version).await?;
    // The change is counted between listing and deleting. If an invocation stores an item before it reads the new list, the
    // deletion finds the item.
    app.table.count_erasure_change().await?;
    for identity in &targets {
        for marker in &markers {
            erasures.add(identity, *marker, version);
        }
    }
    // A reinstatement erases no identity, although it also deletes items that an earlier erasure left.
    let effect = if markers.contains(&Marker::Erased) {
        Effect::Erased
    } else {
        Effect::Reinstated
    };
    audit::identities(effect, import, &targets);
    let identities = targets.len() as u64;
    if !erase_all(&app.table, targets.clone(), erased, Some(row.deadline)).await? {
        return Ok(None);
    }
    if effect == Effect::Erased {
        erased.identities += identities;
    }
    Ok(Some(Executed {
        is_stored,
        identities: targets,
        excluded,
    }))
}

/// Writes markers of identities, to the erasure list first. Returns whether any of them was stored.
async fn write_markers(
    app: &App,
    targets: &[IdentityId],
    markers: &[Marker],
    version: Version,
) -> Result<bool, IngestError> {
    let writes = |write: fn(&IdentityId, Marker, Version) -> Write| {
        targets.iter().flat_map(move |id| {
            markers
                .iter()
                .map(move |marker| write(id, *marker, version))
        })
    };
    let all: Vec<Write> = writes(Write::listed).chain(writes(Write::marker)).collect();
    let mut is_stored = false;
    for batch in all.chunks(BATCH_SIZE) {
        let outcomes = write::all(&app.table, version.import(), batch.to_vec()).await?;
        is_stored |= outcomes.contains(&Outcome::Stored);
    }
    Ok(is_stored)
}

/// Deletes items of identities that were added to the erasure list since an import was planned.
pub(crate) async fn catch_up(
    app: &App,
    planned: PlanFacts,
    known: &Erasures,
    erased: &mut Erased,
) -> Result<(), IngestError> {
    if app.table.erasure_changes().await? == planned.erasure_changes {
        return Ok(());
    }
    let current = read(app).await?;
    let before = rows_before(planned, known);
    let mut left = Vec::new();
    for (identity, Erasure { markers, listed_at }) in current.list() {
        let is_new = *listed_at >= planned.at - SLACK_SECONDS;
        let is_executed = known.has_executed(identity, markers)
            || before
                .as_ref()
                .is_some_and(|rows| is_written_within(rows, markers));
        if is_new && !is_executed {
            left.push(identity.clone());
        }
    }
    erase_all(&app.table, left, erased, None).await?;
    Ok(())
}

/// Returns the versions of the rows before the first row that wrote a marker in this invocation.
///
/// An earlier invocation executed all of these rows before it saved its progress, and every later invocation applied them.
/// Returns `None` if this invocation wrote no marker. Also returns `None` for an object with several ranges, because several
/// invocations read it concurrently.
fn rows_before(planned: PlanFacts, known: &Erasures) -> Option<Range<Version>> {
    let first = known.first()?;
    planned.is_in_one_range.then(|| first.at(0)..first)
}

/// Returns whether one of these rows wrote `markers`: an erasure, with or without a suppression, and nothing else.
fn is_written_within(rows: &Range<Version>, markers: &Markers) -> bool {
    let Some(version) = markers.erased().filter(|version| rows.contains(version)) else {
        return false;
    };
    let mut erased = Markers::default();
    erased.add(Marker::Erased, version);
    let mut suppressed = erased.clone();
    suppressed.add(Marker::Suppressed, version);
    [erased, suppressed].contains(markers)
}

/// Deletes items, each only in the version that was read. Returns for each whether it was deleted; an item that was replaced since
/// is not. For an item that no longer exists, DynamoDB reports a success.
///
/// # Errors
/// The table is throttled in `MAX_ATTEMPTS` attempts, or refuses a deletion.
pub(crate) async fn delete(table: &Table, items: &[&Item]) -> Result<Vec<bool>, TableError> {
    let mut deleted = vec![false; items.len()];
    let mut left: Vec<usize> = (0..items.len()).collect();
    let mut attempt = 0;
    while !left.is_empty() {
        let mut throttled = Vec::new();
        let mut error = None;
        for batch in left.chunks(BATCH_SIZE) {
            let wanted: Vec<&Item> = batch.iter().map(|index| items[*index]).collect();
            let verdicts = match table.delete_items(&wanted).await {
                Ok(verdicts) => verdicts,
                Err(unavailable @ TableError::Unavailable(_)) => {
                    error = Some(unavailable);
                    throttled.extend(batch);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (index, verdict) in batch.iter().zip(verdicts) {
                match verdict {
                    Verdict::Stored => deleted[*index] = true,
                    Verdict::Missing | Verdict::NotNewer(_) | Verdict::Unversioned => {}
                    Verdict::Throttled => throttled.push(*index),
                    Verdict::AlreadyExists | Verdict::TooLarge => {
                        return Err(TableError::Refused(
                            "DynamoDB did not accept a deletion".into(),
                        ));
                    }
                    Verdict::Refused(reason) => return Err(TableError::Refused(reason.into())),
                }
            }
        }
        left = throttled;
        if left.is_empty() {
            break;
        }
        attempt += 1;
        if attempt == MAX_ATTEMPTS {
            return Err(error
                .unwrap_or_else(|| TableError::Unavailable("deletions stayed throttled".into())));
        }
        tokio::time::sleep(write::backoff(attempt)).await;
    }
    Ok(deleted)
}

/// Deletes everything that the markers of identities erase, several identities concurrently. Returns whether that was completed
/// before the deadline.
async fn erase_all(
    table: &Table,
    identities: Vec<IdentityId>,
    erased: &mut Erased,
    deadline: Option<Deadline>,
) -> Result<bool, IngestError> {
    let mut running = stream::iter(identities)
        .map(|identity| erase(table, identity, deadline))
        .buffer_unordered(CONCURRENT_IDENTITIES);
    let mut is_complete = true;
    let mut all = Deleted::default();
    while let Some((deleted, completed)) = running.try_next().await? {
        all.counts.add(&deleted.counts);
        all.links.extend(deleted.links);
        is_complete &= completed;
    }
    all.counts.links = all.links.len() as u64;
    erased.add(&all.counts);
    Ok(is_complete)
}

/// The items deleted from identities that are erased concurrently.
#[derive(Debug, Default)]
struct Deleted {
    /// The counts of everything except links.
    counts: Erased,
    /// Sides of links, by partition and key. Both ends of a link may delete the same side, which counts once.
    links: HashSet<(IdentityId, SortKey)>,
}

impl Deleted {
    /// Counts a deleted item.
    fn count(&mut self, item: &Item, markers: &Markers) {
        if matches!(item.key, SortKey::Link { .. }) {
            self.links.insert((item.identity.clone(), item.key.clone()));
        } else {
            self.counts.count(&item.key);
            self.counts.dated_ahead += u64::from(markers.is_dated_ahead(item));
        }
    }
}

/// Deletes everything that an identity's markers erase, page by page, and the far sides of its links. Reads the identity again
/// until nothing erased is left. Returns the deleted items, and whether that was completed before the deadline.
///
/// # Errors
/// Items are stored faster than they are erased in `MAX_PASSES` passes, or the table refuses a request.
async fn erase(
    table: &Table,
    identity: IdentityId,
    deadline: Option<Deadline>,
) -> Result<(Deleted, bool), IngestError> {
    let mut deleted = Deleted::default();
    for _ in 0..MAX_PASSES {
        let markers = table.markers(&identity).await?;
        let mut after = None;
        let mut found = false;
        loop {
            if deadline.is_some_and(Deadline::is_past) {
                return Ok((deleted, false));
            }
            let page = table
                .items_without_data(&identity, after.as_deref())
                .await?;
            found |= erase_page(table, &page.items, &markers, &mut deleted).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !found {
            return Ok((deleted, true));
        }
    }
    Err(IngestError::Table(TableError::Unavailable(
        "an identity receives items faster than they are erased; wait until imports about it have ended".into(),
    )))
}

/// Deletes the items of a page that the markers erase. Returns whether there was any.
async fn erase_page(
    table: &Table,
    items: &[Item],
    markers: &Markers,
    deleted: &mut Deleted,
) -> Result<bool, TableError> {
    let (links, rest): (Vec<&Item>, Vec<&Item>) = items
        .iter()
        .filter(|item| markers.erase(item))
        .partition(|item| matches!(item.key, SortKey::Link { .. }));
    let far = table.far_links(&links).await?;
    let far: Vec<&Item> = far.iter().filter(|item| markers.erase(item)).collect();
    let found = !links.is_empty() || !rest.is_empty();
    // Own links are deleted last, because a retry finds the far sides through them.
    for items in [far, rest, links] {
        let is_deleted = delete(table, &items).await?;
        for (item, _) in items.iter().zip(is_deleted).filter(|(_, is)| *is) {
            deleted.count(item, markers);
        }
    }
    Ok(found)
}

/// Returns the identities of the profiles that `named` belong to, the MD5 identities of their email addresses, and everything
/// linked to these. Also returns the links that were not followed. `offset` is the row's, in bytes.
///
/// # Errors
/// The row would erase more than [`MAX_TARGETS`] identities, or the table refuses a request.
async fn profiles(
    app: &App,
    named: Vec<IdentityId>,
    offset: u64,
) -> Result<(Vec<IdentityId>, Vec<ExcludedLinks>), IngestError> {
    let mut all: BTreeSet<IdentityId> = BTreeSet::new();
    let mut excluded = BTreeSet::new();
    let mut left = named;
    while let Some(identity) = left.pop() {
        // Any member of a profile leads to all the others, so a known identity needs no read.
        if all.contains(&identity) {
            continue;
        }
        let (closure, addresses) = profile(&app.table, identity).await?;
        let members = closure.members();
        let md5s = members.iter().filter_map(|member| addresses.get(member));
        left.extend(md5s.map(|md5| app.key.identity(md5)));
        all.extend(members);
        excluded.extend(closure.excluded());
        if closure.truncated() || all.len() > MAX_TARGETS {
            // Identities beyond the limit would stay, and no link would lead to them any more.
            let error = format!(
                "the row at byte {offset} would erase more than {MAX_TARGETS} identities, the limit, so it erases none. Name \
                 them in several rows without `scope`"
            );
            return Err(IngestError::Table(TableError::Refused(error.into())));
        }
    }
    Ok((all.into_iter().collect(), excluded.into_iter().collect()))
}

/// Returns the identities of a profile, up to [`MAX_TARGETS`], and the MD5 forms of its email addresses. An address is known only
/// if a stored item names it.
async fn profile(
    table: &Table,
    requested: IdentityId,
) -> Result<(Closure, HashMap<IdentityId, Identifier>), TableError> {
    let mut closure = Closure::with_limit(requested, MAX_TARGETS);
    let mut names: HashMap<IdentityId, Identifier> = HashMap::new();
    loop {
        let round = closure.pending();
        if round.is_empty() {
            break;
        }
        let mut read: Vec<Vec<Item>> = Vec::with_capacity(round.len());
        for group in round.chunks(CONCURRENT_IDENTITIES) {
            let items = try_join_all(group.iter().map(|id| table.linked_identities(id))).await?;
            read.extend(items.into_iter().map(|items| items.items));
        }
        let markers: Vec<Markers> = read.iter().map(Markers::of).collect();
        for (id, items) in round.iter().zip(&read) {
            let links = items.iter().filter_map(|item| item.link.clone());
            let named = links.map(|link| (id.clone(), link));
            let linked = live_links(items).filter_map(|(other, link)| Some((other, link?)));
            for (id, link) in named.chain(linked) {
                learn(&mut names, id, link);
            }
        }
        let all = round.iter().zip(&read).zip(&markers);
        closure.add(all.map(|((id, items), markers)| (id, items.as_slice(), markers)));
    }
    let may_be_address = |id: &IdentityId| {
        let kind = names.get(id).map(Identifier::kind);
        matches!(kind, None | Some(IdentifierType::EmailSha256))
    };
    let mut unknown = closure.members();
    unknown.retain(may_be_address);
    for group in unknown.chunks(CONCURRENT_IDENTITIES) {
        let events = try_join_all(group.iter().map(|id| table.newest_event(id))).await?;
        for event in events.into_iter().flatten() {
            if let Some(link) = event.link {
                learn(&mut names, event.identity, link);
            }
        }
    }
    let md5s = names.into_iter();
    let md5s = md5s.filter_map(|(id, name)| Some((id, name.as_md5()?)));
    Ok((closure, md5s.collect()))
}

/// Records an identifier of an identity. An email address replaces its hash.
fn learn(names: &mut HashMap<IdentityId, Identifier>, id: IdentityId, name: Identifier) {
    let known = names.entry(id).or_insert_with(|| name.clone());
    // An email address sorts before its hash.
    if name < *known {
        *known = name;
    }
}

#[cfg(test)]
mod tests;
