//! Writes the items of rows: the last write wins, ordered by version.
//!
//! Each request has up to 25 items, and several requests run concurrently. Each row gets a verdict.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use shared::{
    model::{item::Item, version::ImportId},
    table::{BATCH_SIZE, Table, TableError, Verdict, Write, Written},
};
use tokio::task::JoinSet;

use crate::{
    record::MappedRecord,
    rows::{Row, RowError, RowErrorCode},
    store::{
        hot_keys::{HotKeys, LaneBatch, Lanes},
        queued::{MAX_ATTEMPTS, MAX_BATCH_BYTES, Outcome, Queued, RowId, Step},
        rate_limiter::RateLimiter,
    },
};

/// The maximum number of batches and links that are being written concurrently.
const MAX_RUNNING: usize = 32;
/// While the rows that wait for their verdicts take more bytes than this, no further row is accepted.
const MAX_PENDING_BYTES: usize = 16 << 20;
/// The upper bound of the wait between two rounds of requests is `FIRST_BACKOFF`, doubled for each attempt, and at most
/// `MAX_BACKOFF`.
const FIRST_BACKOFF: Duration = Duration::from_millis(25);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// The verdict on a row.
#[derive(Debug)]
pub(crate) enum RowVerdict {
    /// At least one of its items is stored: by this row, by an earlier invocation for the same import, or by a later row of the
    /// import that replaces the item.
    Written(Row),
    /// For each of its items, the table has a newer version from another import.
    Stale(Row),
    /// One of its items cannot be stored.
    Rejected(Row, RowError),
}

/// Writes rows and collects their verdicts.
pub(crate) struct Writer<'a> {
    table: &'a Table,
    import: ImportId,
    batch: Vec<Queued>,
    batch_bytes: usize,
    /// Requests in flight. They are separate tasks, so they continue while the file is read.
    running: JoinSet<Result<BatchResult, TableError>>,
    limiter: Arc<RateLimiter>,
    hot_keys: Arc<HotKeys>,
    lanes: Lanes,
    rows: HashMap<RowId, PendingRow>,
    /// The memory that `rows` take, in bytes.
    pending_bytes: usize,
    next_row: RowId,
    /// Items that can be queued, because their bodies are written.
    ready: VecDeque<(RowId, Write)>,
    /// The verdicts that were not taken yet.
    verdicts: Vec<RowVerdict>,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Write capacity consumed.
    pub(crate) capacity_units: f64,
}

/// A row that waits for the verdicts on its items.
struct PendingRow {
    row: Row,
    /// The memory that the row and its writes take, in bytes.
    bytes: usize,
    /// The number of items and links without an outcome.
    items: usize,
    /// The writes that follow the body; empty if the row does not wait for a body.
    after_body: Vec<Write>,
    /// Whether an item or link of the row is stored.
    is_stored: bool,
    /// Why an item or link of the row cannot be stored.
    error: Option<RowError>,
}

/// The outcomes of a batch or of a link.
#[derive(Default)]
struct BatchResult {
    outcomes: Vec<(Queued, Outcome)>,
    /// The outcomes of links, with their rows.
    links: Vec<(RowId, Outcome)>,
    /// The writes without an outcome, each with its hot key.
    of_hot_keys: Vec<(String, Queued)>,
    /// The lane that the batch is of.
    lane: Option<String>,
    requests: u64,
    capacity_units: f64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(table: &'a Table, import: ImportId) -> Self {
        Self {
            table,
            import,
            batch: Vec::with_capacity(BATCH_SIZE),
            batch_bytes: 0,
            running: JoinSet::new(),
            limiter: Arc::new(RateLimiter::new()),
            hot_keys: Arc::new(HotKeys::new()),
            lanes: Lanes::default(),
            rows: HashMap::new(),
            pending_bytes: 0,
            next_row: 0,
            ready: VecDeque::new(),
            verdicts: Vec::new(),
            requests: 0,
            capacity_units: 0.0,
        }
    }

    /// Adds a row. Waits while too many requests are in flight, or too many bytes wait for their verdicts.
    pub(crate) async fn add(&mut self, row: Row, mapped: MappedRecord) -> Result<(), TableError> {
        let id = self.next_row;
        self.next_row += 1;
        let writes = mapped.body.iter().chain(&mapped.writes);
        let bytes = row.bytes.len() + writes.map(Write::bytes).sum::<usize>();
        self.pending_bytes += bytes;
        let (now, after_body) = match mapped.body {
            Some(body) => (vec![body], mapped.writes),
            None => (mapped.writes, Vec::new()),
        };
        let items = now.len() + after_body.len() + mapped.links.len();
        let pending = PendingRow {
            row,
            bytes,
            items,
            after_body,
            is_stored: false,
            error: None,
        };
        self.rows.insert(id, pending);
        for write in now {
            self.queue(id, write).await?;
        }
        for sides in mapped.links {
            self.wait_for_slot().await?;
            let limiter = Arc::clone(&self.limiter);
            let written = write_link(self.table.clone(), self.import, limiter, id, sides);
            self.running.spawn(written);
        }
        loop {
            while let Some((id, write)) = self.ready.pop_front() {
                self.queue(id, write).await?;
            }
            if self.pending_bytes <= MAX_PENDING_BYTES {
                return Ok(());
            }
            self.send().await?;
            self.wait().await?;
        }
    }

    /// Adds a write to the batch, or to the lane of its hot key.
    async fn queue(&mut self, row: RowId, write: Write) -> Result<(), TableError> {
        if !self.lanes.is_empty()
            && let Some(key) = self.hot_keys.of(&write)
        {
            while self.lanes.is_full(&key) {
                self.wait().await?;
            }
            self.lanes.push(key, Queued::new(row, write));
            self.send_lanes();
            return Ok(());
        }
        self.add_to_batch(row, write).await
    }

    /// Adds a write to the batch. If the batch has a write with the same key, the newer of the two supersedes the other.
    async fn add_to_batch(&mut self, row: RowId, write: Write) -> Result<(), TableError> {
        self.batch_bytes += write.bytes();
        let mut batch = self.batch.iter_mut();
        if let Some(queued) = batch.find(|queued| queued.write.key() == write.key()) {
            // If two rows of an import have the same key, the later row wins.
            let superseded = if queued.write.version() > write.version() {
                (row, write)
            } else {
                let earlier_row = std::mem::replace(&mut queued.row, row);
                (earlier_row, std::mem::replace(&mut queued.write, write))
            };
            queued.superseded.push(superseded);
        } else {
            self.batch.push(Queued::new(row, write));
        }
        if self.batch.len() == BATCH_SIZE || self.batch_bytes >= MAX_BATCH_BYTES {
            self.send().await?;
        }
        Ok(())
    }

    /// Returns the verdicts since the last call.
    pub(crate) fn take_verdicts(&mut self) -> Vec<RowVerdict> {
        std::mem::take(&mut self.verdicts)
    }

    /// Writes all remaining items and waits for their outcomes.
    pub(crate) async fn finish(&mut self) -> Result<(), TableError> {
        loop {
            while let Some((id, write)) = self.ready.pop_front() {
                self.queue(id, write).await?;
            }
            self.send().await?;
            if self.running.is_empty() && self.ready.is_empty() {
                return Ok(());
            }
            self.wait().await?;
        }
    }

    /// Starts writing the batch.
    async fn send(&mut self) -> Result<(), TableError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.wait_for_slot().await?;
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.running.spawn(write(
            self.table.clone(),
            self.import,
            Arc::clone(&self.limiter),
            Some(Arc::clone(&self.hot_keys)),
            batch,
        ));
        // Lets the task send its request before the next rows are read.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Starts writing the next batch of each lane that has none in flight.
    fn send_lanes(&mut self) {
        if self.lanes.is_empty() {
            return;
        }
        for batch in self.lanes.next_batches(&self.hot_keys) {
            let written = write_of_lane(self.table.clone(), self.import, batch);
            self.running.spawn(written);
        }
    }

    /// Waits until another request may be sent.
    async fn wait_for_slot(&mut self) -> Result<(), TableError> {
        while self.running.len() >= MAX_RUNNING {
            self.wait().await?;
        }
        Ok(())
    }

    /// Waits for the next batch that has all its outcomes.
    async fn wait(&mut self) -> Result<(), TableError> {
        let Some(done) = self.running.join_next().await else {
            return Ok(());
        };
        let done = done.map_err(|error| TableError::Refused(error.into()))??;
        self.requests += done.requests;
        self.capacity_units += done.capacity_units;
        if let Some(key) = &done.lane
            && !self
                .lanes
                .end_batch(key, done.outcomes.len(), done.of_hot_keys.len())
        {
            return Err(stayed_throttled());
        }
        for (key, queued) in done.of_hot_keys {
            self.lanes.push(key, queued);
        }
        self.send_lanes();
        for (queued, outcome) in done.outcomes {
            match outcome {
                Outcome::Rejected(_) => self.ready.extend(queued.superseded),
                // In a separate batch, the superseded item would have had the same outcome. Versions of one import differ only in
                // their offset, so the table's item is newer than both of them or than neither.
                Outcome::Stored | Outcome::Stale => {
                    for (row, _) in queued.superseded {
                        self.record_outcome(row, outcome.clone());
                    }
                }
            }
            self.record_outcome(queued.row, outcome);
        }
        for (row, outcome) in done.links {
            self.record_outcome(row, outcome);
        }
        Ok(())
    }

    /// Records the outcome of an item or link. With the last one, the row gets its verdict.
    fn record_outcome(&mut self, id: RowId, outcome: Outcome) {
        let Some(waiting) = self.rows.get_mut(&id) else {
            return;
        };
        waiting.items -= 1;
        let after_body = std::mem::take(&mut waiting.after_body);
        match outcome {
            Outcome::Rejected(error) => {
                // An event without its body is not written.
                waiting.items -= after_body.len();
                waiting.error = Some(error);
            }
            // This was the body. Whatever import stored it, the event gets its own verdict.
            Outcome::Stored | Outcome::Stale if !after_body.is_empty() => {
                self.ready
                    .extend(after_body.into_iter().map(|write| (id, write)));
            }
            Outcome::Stored => waiting.is_stored = true,
            Outcome::Stale => {}
        }
        if waiting.items > 0 {
            return;
        }
        if let Some(waiting) = self.rows.remove(&id) {
            self.pending_bytes -= waiting.bytes;
            self.verdicts
                .push(match (waiting.error, waiting.is_stored) {
                    (Some(error), _) => RowVerdict::Rejected(waiting.row, error),
                    (None, true) => RowVerdict::Written(waiting.row),
                    (None, false) => RowVerdict::Stale(waiting.row),
                });
        }
    }
}

/// Writes at most 25 items with distinct keys. Returns the outcome of each, in the same order.
pub(crate) async fn all(
    table: &Table,
    import: ImportId,
    writes: Vec<Write>,
) -> Result<Vec<Outcome>, TableError> {
    let batch = writes.into_iter().map(|write| Queued::new(0, write));
    let limiter = Arc::new(RateLimiter::new());
    let done = write(table.clone(), import, limiter, None, batch.collect()).await?;
    Ok(done
        .outcomes
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect())
}

/// A batch that is being written.
struct Batch {
    table: Table,
    import: ImportId,
    /// `None` if the caller sets when the batch is sent.
    limiter: Option<Arc<RateLimiter>>,
    /// Detects hot keys; `None` if their writes stay in the batch.
    hot_keys: Option<Arc<HotKeys>>,
    items: Vec<Queued>,
    done: BatchResult,
    /// Why items have no outcome after the current round, if a request failed.
    round_error: Option<TableError>,
}

/// Writes a batch until each item has its outcome, except those of hot keys.
///
/// # Errors
/// An item has no outcome after `MAX_ATTEMPTS` rounds, or the table refuses a request.
async fn write(
    table: Table,
    import: ImportId,
    limiter: Arc<RateLimiter>,
    hot_keys: Option<Arc<HotKeys>>,
    items: Vec<Queued>,
) -> Result<BatchResult, TableError> {
    let mut batch = Batch {
        table,
        import,
        limiter: Some(limiter),
        hot_keys,
        items,
        done: BatchResult::default(),
        round_error: None,
    };
    let mut attempt = 0;
    loop {
        batch.send_round().await?;
        batch.set_hot_keys_apart();
        let Some(error) = batch.pending_error() else {
            return Ok(batch.finish());
        };
        attempt += 1;
        if attempt == MAX_ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(backoff(attempt)).await;
    }
}

/// Writes a batch of a hot key in one round. Items without an outcome return to the lane.
///
/// # Errors
/// The table refuses a request.
async fn write_of_lane(
    table: Table,
    import: ImportId,
    lane: LaneBatch,
) -> Result<BatchResult, TableError> {
    tokio::time::sleep_until(lane.send_at).await;
    let mut batch = Batch {
        table,
        import,
        limiter: None,
        hot_keys: None,
        items: lane.items,
        done: BatchResult::default(),
        round_error: None,
    };
    batch.send_round().await?;
    batch.set_apart(|_| Some(lane.key.clone()));
    batch.done.lane = Some(lane.key);
    Ok(batch.finish())
}

impl Batch {
    /// Sends each item without an outcome at least once.
    async fn send_round(&mut self) -> Result<(), TableError> {
        for step in [Step::Insert, Step::Update, Step::Replace] {
            self.send_all(&step).await?;
        }
        Ok(())
    }

    /// Moves the items without an outcome that have a hot key out of the batch.
    fn set_hot_keys_apart(&mut self) {
        if let Some(hot_keys) = self.hot_keys.clone() {
            self.set_apart(|write| hot_keys.of(write));
        }
    }

    /// Moves the items without an outcome for which `key` returns a key out of the batch.
    fn set_apart(&mut self, key: impl Fn(&Write) -> Option<String>) {
        for queued in std::mem::take(&mut self.items) {
            let key = queued.is_pending().then(|| key(&queued.write)).flatten();
            match key {
                Some(key) => self.done.of_hot_keys.push((key, queued)),
                None => self.items.push(queued),
            }
        }
    }

    /// Sends the items that are at a step. If DynamoDB rejects a request as invalid, sends each of its items alone to find the
    /// cause.
    async fn send_all(&mut self, step: &Step) -> Result<(), TableError> {
        let indexes: Vec<_> = (0..self.items.len())
            .filter(|index| self.items[*index].step == *step)
            .collect();
        let mut requests: VecDeque<_> = indexes.chunks(BATCH_SIZE).map(<[usize]>::to_vec).collect();
        while let Some(indexes) = requests.pop_front() {
            match self.send(step, &indexes).await {
                Ok(verdicts) => {
                    for (index, verdict) in indexes.iter().zip(verdicts) {
                        self.items[*index].step = next(step, verdict, self.import);
                    }
                }
                Err(TableError::Invalid(_)) if indexes.len() > 1 => {
                    requests.extend(indexes.iter().map(|index| vec![*index]));
                }
                Err(TableError::Invalid(_)) => {
                    self.items[indexes[0]].step = Step::Done(Outcome::Rejected(refused()));
                }
                Err(error @ TableError::Unavailable(_)) => {
                    if let Some(limiter) = &self.limiter {
                        limiter.record_response(0, indexes.len(), 0.0);
                    }
                    self.round_error = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends one request; returns a verdict for each of its items.
    async fn send(&mut self, step: &Step, indexes: &[usize]) -> Result<Vec<Verdict>, TableError> {
        let writes: Vec<_> = indexes
            .iter()
            .map(|index| &self.items[*index].write)
            .collect();
        if let Some(limiter) = &self.limiter {
            limiter.wait(writes.len()).await;
        }
        self.done.requests += 1;
        let Written {
            verdicts,
            capacity_units,
        } = match step {
            Step::Insert => self.table.insert(&writes).await?,
            Step::Replace => self.table.replace(&writes).await?,
            Step::Update | Step::Done(_) => self.table.update(&writes).await?,
        };
        self.done.capacity_units += capacity_units;
        let throttled: Vec<_> = writes
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| **verdict == Verdict::Throttled)
            .map(|(write, _)| *write)
            .collect();
        if let Some(limiter) = &self.limiter {
            let accepted = verdicts.len() - throttled.len();
            let by_table = self.by_table(limiter, &throttled);
            limiter.record_response(accepted, by_table, capacity_units);
        }
        Ok(verdicts)
    }

    /// Returns how many throttled writes count for the rate limiter.
    fn by_table(&self, limiter: &RateLimiter, throttled: &[&Write]) -> usize {
        let Some(hot_keys) = self.hot_keys.as_ref().filter(|_| !throttled.is_empty()) else {
            return throttled.len();
        };
        let throttled = hot_keys.record_throttled(throttled);
        limiter.discount(throttled.earlier_by_hot_keys);
        throttled.by_table
    }

    /// Returns why an item has no outcome after this round; `None` if each has one.
    fn pending_error(&mut self) -> Option<TableError> {
        let error = self.round_error.take();
        let is_pending = self.items.iter().any(Queued::is_pending);
        is_pending.then(|| error.unwrap_or_else(stayed_throttled))
    }

    /// Returns the outcome of each item. Each must have one.
    fn finish(mut self) -> BatchResult {
        let outcomes = self.items.into_iter().filter_map(|mut queued| {
            let step = std::mem::replace(&mut queued.step, Step::Insert);
            match step {
                Step::Done(outcome) => Some((queued, outcome)),
                _ => None,
            }
        });
        self.done.outcomes = outcomes.collect();
        self.done
    }
}

/// Returns the error of items that never had an outcome.
fn stayed_throttled() -> TableError {
    TableError::Unavailable(
        "statements stayed throttled, or other writers kept changing the items".into(),
    )
}

/// Writes both sides of a link in one transaction, with one outcome.
///
/// # Errors
/// The link has no outcome after `MAX_ATTEMPTS` requests, or the table refuses a request.
async fn write_link(
    table: Table,
    import: ImportId,
    limiter: Arc<RateLimiter>,
    row: RowId,
    sides: [Item; 2],
) -> Result<BatchResult, TableError> {
    let mut done = BatchResult::default();
    // In a transaction, each write consumes twice the units of a single write.
    let writes = 2 * sides.len();
    let mut attempt = 0;
    loop {
        limiter.wait(writes).await;
        done.requests += 1;
        let result = table.put_both(&sides).await;
        limiter.record_transaction(&result, writes);
        let error = match result {
            Ok((verdict, capacity_units)) => match next(&Step::Insert, verdict, import) {
                Step::Done(outcome) => {
                    done.capacity_units += capacity_units;
                    done.links.push((row, outcome));
                    return Ok(done);
                }
                // Rows of this import write the same pair concurrently.
                Step::Insert | Step::Update | Step::Replace => {
                    TableError::Unavailable("other transactions kept changing the same link".into())
                }
            },
            Err(TableError::Invalid(_)) => {
                done.links.push((row, Outcome::Rejected(refused())));
                return Ok(done);
            }
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

/// Returns the error of a row with an item that DynamoDB rejects.
fn refused() -> RowError {
    RowError::whole(
        RowErrorCode::ItemRefused,
        "was rejected by DynamoDB as invalid. Check for unusual field names and values.",
    )
}

/// Returns the step that follows a verdict.
fn next(step: &Step, verdict: Verdict, import: ImportId) -> Step {
    match verdict {
        Verdict::Stored => Step::Done(Outcome::Stored),
        Verdict::AlreadyExists => Step::Update,
        Verdict::Missing => Step::Insert,
        Verdict::Unversioned => Step::Replace,
        Verdict::Throttled => step.clone(),
        // The version is from this import: an earlier invocation or a later row stored it.
        Verdict::NotNewer(version) if version.import() == import => Step::Done(Outcome::Stored),
        Verdict::NotNewer(_) => Step::Done(Outcome::Stale),
        Verdict::TooLarge => Step::Done(Outcome::Rejected(RowError::whole(
            RowErrorCode::ItemTooLarge,
            "is larger than 400 KB, the limit of a DynamoDB item. Shorten or split it.",
        ))),
        Verdict::Refused(_) => Step::Done(Outcome::Rejected(refused())),
    }
}

/// Returns the wait before the next attempt: exponential backoff with full jitter.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let longest = FIRST_BACKOFF
        .saturating_mul(1 << attempt.min(16))
        .min(MAX_BACKOFF);
    longest.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use shared::model::version::Version;

    use super::*;

    #[test]
    fn verdicts_lead_on() {
        let own = ImportId([1; 8]);
        let held = |import| Verdict::NotNewer(Version::new(1, "1", ImportId(import), 0));
        assert_eq!(
            next(&Step::Insert, Verdict::AlreadyExists, own),
            Step::Update
        );
        assert_eq!(next(&Step::Update, Verdict::Missing, own), Step::Insert);
        assert_eq!(next(&Step::Update, Verdict::Throttled, own), Step::Update);
        assert_eq!(
            next(&Step::Update, Verdict::Unversioned, own),
            Step::Replace
        );
        assert_eq!(
            next(&Step::Update, held([1; 8]), own),
            Step::Done(Outcome::Stored)
        );
        assert_eq!(
            next(&Step::Update, held([2; 8]), own),
            Step::Done(Outcome::Stale)
        );
    }
}
