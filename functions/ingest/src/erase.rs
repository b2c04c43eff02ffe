//! Erasing: a row of a forget file is carried out, and what an import may have stored of somebody who was erased
//! meanwhile is taken back. ADR 7 says why nothing is left, whatever runs beside it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    closure::{Closure, live_links},
    erasure::Markers,
    identifier::Identifier,
    identity::IdentityId,
    item::Item,
    keys::{Marker, SortKey},
    table::{BATCH_SIZE, Erasure, Table, TableError, Verdict, Write},
    version::{ImportId, Version},
};

use crate::{
    App, IngestError,
    counts::Erased,
    plan::Plan,
    record::Forget,
    write::{self, Outcome},
};

/// Identities that are read or erased at a time.
const AT_A_TIME: usize = 16;
/// The most identities that one row erases, with all that they are linked to: 100 customers with 50 each.
const MAX_TARGETS: usize = 5_000;
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
    /// What this run said itself, together with what the list says of the same identities.
    own: HashMap<IdentityId, Markers>,
    /// The version of the first row by which it did.
    first: Option<Version>,
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
                ..Self::default()
            };
        }
        Ok(known.clone())
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether what was said of `identity` erases `item`, which is of that identity, or a link to it.
    pub(crate) fn erase(&self, identity: &IdentityId, item: &Item) -> bool {
        let listed = || self.list.get(identity).map(|erasure| &erasure.markers);
        let markers = self.own.get(identity).or_else(listed);
        markers.is_some_and(|markers| markers.erase(item))
    }

    /// Whether these markers of an identity are what this run has carried out itself, and has gone by since.
    fn has_carried_out(&self, identity: &IdentityId, markers: &Markers) -> bool {
        self.own.get(identity) == Some(markers)
    }

    #[cfg(test)]
    fn of(own: HashMap<IdentityId, Markers>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    fn add(&mut self, identity: &IdentityId, marker: Marker, version: Version) {
        self.first.get_or_insert(version);
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
        targets = profiles(app, targets, version.offset()).await?;
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
    }
    // A reinstatement erases nobody, though what an erasure before it has left is deleted here too.
    if markers.contains(&Marker::Erased) {
        erased.identities += targets.len() as u64;
    }
    erase_all(&app.table, targets, erased).await?;
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
    let before = rows_before(app, known).await?;
    let mut left = Vec::new();
    for (identity, Erasure { markers, listed_at }) in now.list.iter() {
        let is_since = *listed_at >= planned_at - SLACK_SECONDS;
        let is_over = known.has_carried_out(identity, markers)
            || before
                .as_ref()
                .is_some_and(|rows| is_all_said_in(rows, markers));
        if is_since && !is_over {
            left.push(identity.clone());
        }
    }
    erase_all(&app.table, left, erased).await
}

/// The versions of the rows before the first one by which this run said something. What any of them said, an earlier run
/// has carried out, before it noted how far it was; and who began after that went by it. `None` where that can't be told:
/// an object in ranges is read by several runs at a time.
async fn rows_before(app: &App, known: &Erasures) -> Result<Option<Range<Version>>, TableError> {
    let Some(first) = known.first else {
        return Ok(None);
    };
    let import = first.import();
    let plans = app.table.plans(&[import]).await?;
    let plan = plans.get(&import).and_then(Plan::from_map);
    let is_in_one = plan.is_some_and(|plan| plan.starts.len() == 1);
    Ok(is_in_one.then(|| first.at(0)..first))
}

/// Whether an erasure by one of these rows is all that was said of an identity.
fn is_all_said_in(rows: &Range<Version>, markers: &Markers) -> bool {
    let Some(version) = markers.erased().filter(|version| rows.contains(version)) else {
        return false;
    };
    let mut erased = Markers::default();
    erased.add(Marker::Erased, version);
    let mut suppressed = erased;
    suppressed.add(Marker::Suppressed, version);
    [erased, suppressed].contains(markers)
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

/// What was deleted of identities that were erased side by side.
#[derive(Debug, Default)]
struct Gone {
    /// All but links.
    erased: Erased,
    /// Sides of links, by whose they are and whom they lead to: one may be deleted from both ends at once.
    sides: HashSet<(IdentityId, IdentityId)>,
}

impl Gone {
    fn count(&mut self, item: &Item) {
        match &item.key {
            SortKey::Link(other) => {
                self.sides.insert((item.identity.clone(), other.clone()));
            }
            key => self.erased.count(key),
        }
    }

    fn add(&mut self, other: Self) {
        self.erased.add(&other.erased);
        self.sides.extend(other.sides);
    }

    fn total(&self) -> Erased {
        Erased {
            links: self.sides.len() as u64,
            ..self.erased
        }
    }
}

/// Deletes what their markers erase of identities, some of them at a time.
async fn erase_all(
    table: &Table,
    identities: Vec<IdentityId>,
    erased: &mut Erased,
) -> Result<(), IngestError> {
    let mut running = stream::iter(identities)
        .map(|identity| erase(table, identity))
        .buffer_unordered(AT_A_TIME);
    let mut all = Gone::default();
    while let Some(gone) = running.try_next().await? {
        all.add(gone);
    }
    erased.add(&all.total());
    Ok(())
}

/// Deletes what an identity's markers erase of it, and the far sides of the links that go.
async fn erase(table: &Table, identity: IdentityId) -> Result<Gone, IngestError> {
    let mut all = Gone::default();
    for _ in 0..MAX_PASSES {
        let items = table.whole_identity(&identity).await?;
        let markers = Markers::of(&items);
        let gone: Vec<&Item> = items.iter().filter(|item| markers.erase(item)).collect();
        if gone.is_empty() {
            return Ok(all);
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
        let far = table.far_links(&identity, &others).await?;
        let far: Vec<&Item> = far.iter().filter(|item| markers.erase(item)).collect();
        // Own links go last: a retry finds the far sides by them.
        for items in [far, rest, links] {
            delete(table, &items).await?;
            for item in items {
                all.count(item);
            }
        }
    }
    Err(IngestError::Table(TableError::Busy(
        "an identity fills faster than it can be erased".into(),
    )))
}

/// The identities of the profiles that `named` belong to, with those of their addresses' MD5 and all that these are linked
/// to. `offset` is the row's.
async fn profiles(
    app: &App,
    named: Vec<IdentityId>,
    offset: u64,
) -> Result<Vec<IdentityId>, IngestError> {
    let mut all: BTreeSet<IdentityId> = BTreeSet::new();
    let mut left = named;
    while let Some(identity) = left.pop() {
        // Any member leads to all the others.
        if all.contains(&identity) {
            continue;
        }
        let (closure, addresses) = profile(&app.table, identity).await?;
        let members = closure.members();
        let md5s = members.iter().filter_map(|member| addresses.get(member));
        left.extend(md5s.map(|md5| app.key.identity(md5)));
        all.extend(members);
        if closure.truncated() || all.len() > MAX_TARGETS {
            // Those left out would stay, and nothing would lead to them any more.
            let error = format!(
                "the row at byte {offset} would erase more than {MAX_TARGETS} identities, and erases none: name them in \
                 several rows, without a scope"
            );
            return Err(IngestError::Table(TableError::Refused(error.into())));
        }
    }
    Ok(all.into_iter().collect())
}

/// Who belongs to an identity's profile, whatever their number; and of those who have an address, its MD5, as far as what is
/// recorded under them, or under who is linked to them, names the address.
async fn profile(
    table: &Table,
    asked: IdentityId,
) -> Result<(Closure, HashMap<IdentityId, Identifier>), TableError> {
    let mut closure = Closure::of_at_most(asked, MAX_TARGETS);
    let mut md5s = HashMap::new();
    loop {
        let round = closure.pending();
        if round.is_empty() {
            return Ok((closure, md5s));
        }
        let mut reads = stream::iter(round)
            .map(|id| recorded(table, id))
            .buffered(AT_A_TIME);
        while let Some((id, items)) = reads.try_next().await? {
            let mut links = items.iter().filter_map(|item| item.link.as_ref());
            if let Some(md5) = links.find_map(Identifier::as_md5) {
                md5s.insert(id.clone(), md5);
            }
            for (other, link) in live_links(&items) {
                if let Some(md5) = link.and_then(|link| link.as_md5()) {
                    md5s.insert(other, md5);
                }
            }
            let markers = Markers::of(&items);
            let standing = items.iter().filter(|item| !markers.erase(item));
            closure.add(&id, standing, &markers);
        }
    }
}

/// What a profile is read from of an identity, read consistently.
async fn recorded(table: &Table, id: IdentityId) -> Result<(IdentityId, Vec<Item>), TableError> {
    let items = table.identity(&id, true).await?.items;
    Ok((id, items))
}

#[cfg(test)]
mod tests;
