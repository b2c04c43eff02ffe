//! Reverts an import: deletes the items of its rows, each only in the version that its row wrote. Counts each row.
//!
//! Items are read before they are deleted: DynamoDB reports a deletion of an absent item as a success. An item in another version
//! costs no write.

use std::{collections::HashMap, sync::Arc};

use shared::table::{BATCH_SIZE, Place, Stored, Table, TableError, Verdict, Written};
use tokio::task::JoinSet;

use crate::{
    counts::Removed,
    record::MappedRecord,
    rows::Row,
    store::{rate_limiter::RateLimiter, write::backoff},
};

/// The maximum number of batches that are being removed concurrently.
const MAX_RUNNING: usize = 32;
/// The maximum number of rounds of requests for a batch.
const MAX_ATTEMPTS: u32 = 10;

/// Whether items are deleted, or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Deletes the items.
    Delete,
    /// Counts what would be deleted.
    Count,
}

/// Removes the items of rows.
pub(crate) struct Remover<'a> {
    table: &'a Table,
    removal: Removal,
    batch: Batch,
    /// Batches in flight. They are separate tasks, so they continue while the file is read.
    running: JoinSet<Result<Done, TableError>>,
    pub(crate) limiter: Arc<RateLimiter>,
    /// The counts since they were last taken.
    removed: Removed,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Write capacity consumed.
    pub(crate) capacity_units: f64,
}

/// The rows of a batch, and the places of their items.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<RemovedRow>,
    /// Each place once.
    places: Vec<Place>,
    indexes: HashMap<Place, usize>,
    /// The sides of each link, as indexes of places.
    links: Vec<[usize; 2]>,
}

/// A row whose items are removed.
#[derive(Debug)]
struct RemovedRow {
    /// The number of rows that it counts as.
    count: u64,
    /// The items that decide its verdict, as indexes of places. A body does not: it belongs to its event.
    items: Vec<usize>,
}

/// The outcome of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Deleted,
    /// The table has a version of another import.
    Replaced,
    /// The item is not stored in any version of another import, nor in that of this row.
    NotFound,
}

/// The result of a batch.
#[derive(Debug, Default)]
struct Done {
    removed: Removed,
    requests: u64,
    capacity_units: f64,
}

impl Batch {
    /// Adds a place. Returns its index.
    fn place(&mut self, place: Place) -> usize {
        let next = self.places.len();
        let index = *self.indexes.entry(place.clone()).or_insert(next);
        if index == next {
            self.places.push(place);
        }
        index
    }

    /// Adds a row.
    fn add(&mut self, row: &Row, mapped: &MappedRecord) {
        let count = row.count();
        let mut items: Vec<usize> = mapped
            .writes
            .iter()
            .map(|write| self.place(Place::of_write(write)))
            .collect();
        if let Some(body) = &mapped.body {
            self.place(Place::of_write(body));
        }
        for sides in &mapped.links {
            let sides = sides.each_ref().map(Place::of_item);
            if let [Some(a), Some(b)] = sides {
                let sides = [self.place(a), self.place(b)];
                self.links.push(sides);
                items.extend(sides);
            }
        }
        self.rows.push(RemovedRow { count, items });
    }
}

impl<'a> Remover<'a> {
    pub(crate) fn new(table: &'a Table, removal: Removal) -> Self {
        Self {
            table,
            removal,
            batch: Batch::default(),
            running: JoinSet::new(),
            limiter: Arc::new(RateLimiter::new()),
            removed: Removed::default(),
            requests: 0,
            capacity_units: 0.0,
        }
    }

    /// Adds a row. Waits while too many batches are in flight.
    pub(crate) async fn add(&mut self, row: &Row, mapped: &MappedRecord) -> Result<(), TableError> {
        self.batch.add(row, mapped);
        if self.batch.places.len() >= BATCH_SIZE {
            self.send().await?;
        }
        Ok(())
    }

    /// Removes all remaining items and waits for their verdicts.
    pub(crate) async fn finish(&mut self) -> Result<(), TableError> {
        self.send().await?;
        while !self.running.is_empty() {
            self.wait().await?;
        }
        Ok(())
    }

    /// Returns the counts since the last call.
    pub(crate) fn take_removed(&mut self) -> Removed {
        std::mem::take(&mut self.removed)
    }

    /// Starts removing the batch.
    async fn send(&mut self) -> Result<(), TableError> {
        while self.running.len() >= MAX_RUNNING {
            self.wait().await?;
        }
        let removing = Removing {
            table: self.table.clone(),
            removal: self.removal,
            limiter: Arc::clone(&self.limiter),
            batch: std::mem::take(&mut self.batch),
            done: Done::default(),
        };
        if !removing.batch.rows.is_empty() {
            self.running.spawn(removing.run());
            // Lets the task send its request before the next rows are read.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Waits for the next batch that has all its verdicts.
    async fn wait(&mut self) -> Result<(), TableError> {
        let Some(done) = self.running.join_next().await else {
            return Ok(());
        };
        let done = done.map_err(|error| TableError::Refused(error.into()))??;
        self.requests += done.requests;
        self.capacity_units += done.capacity_units;
        self.removed.add(&done.removed);
        Ok(())
    }
}

/// A batch that is being removed.
struct Removing {
    table: Table,
    removal: Removal,
    limiter: Arc<RateLimiter>,
    batch: Batch,
    done: Done,
}

/// The state of an item that is being removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The item has to be read.
    Unknown,
    /// A deletion was sent, and its result is not known. If the item is absent now, it was deleted.
    Tried,
    /// The item has the version of its row.
    Own,
    Over(Fate),
}

impl Removing {
    /// Removes the batch until each item has its fate. Counts the rows.
    ///
    /// # Errors
    /// An item has no fate after `MAX_ATTEMPTS` rounds, or the table refuses a request.
    async fn run(mut self) -> Result<Done, TableError> {
        let mut states = vec![State::Unknown; self.batch.places.len()];
        let mut attempt = 0;
        loop {
            let error = match self.round(&mut states).await {
                Ok(()) if states.iter().all(|state| matches!(state, State::Over(_))) => {
                    self.count(&states);
                    return Ok(self.done);
                }
                Ok(()) => TableError::Unavailable("deletions stayed throttled".into()),
                Err(error @ TableError::Unavailable(_)) => error,
                Err(error) => return Err(error),
            };
            attempt += 1;
            if attempt == MAX_ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(backoff(attempt)).await;
        }
    }

    /// Reads the items without a fate, and deletes those that have the versions of their rows.
    async fn round(&mut self, states: &mut [State]) -> Result<(), TableError> {
        self.read(states).await?;
        if self.removal == Removal::Count {
            for state in states.iter_mut().filter(|state| **state == State::Own) {
                *state = State::Over(Fate::Deleted);
            }
            return Ok(());
        }
        for sides in self.batch.links.clone() {
            if sides.iter().all(|side| states[*side] == State::Own) {
                self.delete_link(sides, states).await?;
            }
        }
        let own: Vec<_> = (0..states.len())
            .filter(|index| states[*index] == State::Own)
            .collect();
        for indexes in own.chunks(BATCH_SIZE) {
            self.delete(indexes, states).await?;
        }
        Ok(())
    }

    /// Reads the items without a fate.
    async fn read(&mut self, states: &mut [State]) -> Result<(), TableError> {
        let is_left = |index: &usize| !matches!(states[*index], State::Over(_));
        let left: Vec<_> = (0..states.len()).filter(is_left).collect();
        let places: Vec<_> = left
            .iter()
            .map(|index| &self.batch.places[*index])
            .collect();
        let stored = self.table.stored(&places).await;
        // The requests of a failed read are not known.
        self.done.requests += stored.as_ref().map_or(1, |stored| stored.requests);
        for (index, stored) in left.iter().zip(stored?.items) {
            let own = self.batch.places[*index].version();
            states[*index] = match stored {
                Stored::Version(version) if version == own => State::Own,
                // A later row of the file replaced the item.
                Stored::Version(version) if version.import() == own.import() => {
                    State::Over(Fate::NotFound)
                }
                Stored::Version(_) | Stored::Unversioned => State::Over(Fate::Replaced),
                Stored::Absent if states[*index] == State::Tried => State::Over(Fate::Deleted),
                Stored::Absent => State::Over(Fate::NotFound),
            };
        }
        Ok(())
    }

    /// Deletes both sides of a link in one transaction. Otherwise one side could be left, to which no link leads.
    async fn delete_link(
        &mut self,
        sides: [usize; 2],
        states: &mut [State],
    ) -> Result<(), TableError> {
        let places = sides.map(|side| &self.batch.places[side]);
        // In a transaction, each write consumes twice the units of a single write.
        let writes = 2 * sides.len();
        self.limiter.wait(writes).await;
        self.done.requests += 1;
        for side in sides {
            states[side] = State::Tried;
        }
        let result = self.table.delete_both(&places).await;
        self.limiter.record_transaction(&result, writes);
        let (verdict, units) = result?;
        self.done.capacity_units += units;
        for side in sides {
            states[side] = match verdict {
                Verdict::Stored => State::Over(Fate::Deleted),
                _ => State::Unknown,
            };
        }
        Ok(())
    }

    /// Deletes at most 25 items.
    async fn delete(&mut self, indexes: &[usize], states: &mut [State]) -> Result<(), TableError> {
        let places: Vec<_> = indexes
            .iter()
            .map(|index| &self.batch.places[*index])
            .collect();
        self.limiter.wait(places.len()).await;
        self.done.requests += 1;
        for index in indexes {
            states[*index] = State::Tried;
        }
        let result = self.table.delete_places(&places).await;
        self.limiter.record_batch(&result, places.len());
        let Written {
            verdicts,
            capacity_units,
        } = result?;
        self.done.capacity_units += capacity_units;
        for (index, verdict) in indexes.iter().zip(verdicts) {
            states[*index] = match verdict {
                Verdict::Stored => State::Over(Fate::Deleted),
                // The item has changed since it was read.
                Verdict::Missing
                | Verdict::NotNewer(_)
                | Verdict::Unversioned
                | Verdict::Throttled => State::Unknown,
                other => {
                    let error = format!("DynamoDB did not accept a deletion: {other:?}");
                    return Err(TableError::Refused(error.into()));
                }
            };
        }
        Ok(())
    }

    /// Counts each row by the fates of its items.
    fn count(&mut self, states: &[State]) {
        for RemovedRow { count, items } in &self.batch.rows {
            let has = |fate| items.iter().any(|item| states[*item] == State::Over(fate));
            let counter = if has(Fate::Deleted) {
                &mut self.done.removed.deleted
            } else if has(Fate::Replaced) {
                &mut self.done.removed.replaced_since
            } else {
                &mut self.done.removed.not_found
            };
            *counter += count;
        }
    }
}
