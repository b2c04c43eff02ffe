//! Newest-wins writes: up to 25 to a request, some requests at a time, with a verdict for each row.

use std::{collections::HashMap, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use shared::{
    table::{BATCH_SIZE, Table, TableError, Verdict, Write, Written},
    version::ImportId,
};

use crate::{lines::Line, record::Fault};

/// Requests on their way at a time.
const MAX_RUNNING: usize = 8;
/// A batch is sent before its rows have more bytes than this.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// How often what the table was too busy for is tried, and how long the first pause is. The pauses double, up
/// to the longest.
const MAX_ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a row.
#[derive(Debug)]
pub(crate) enum RowVerdict {
    /// At least one of its items is stored, or was by an earlier run or beaten by a later row of its own import.
    Written,
    /// The table holds something newer.
    Stale,
    /// An item of it can't be stored.
    Rejected(Line, Fault),
}

/// Writes rows, and hands out their verdicts.
pub(crate) struct Writer<'a> {
    table: &'a Table,
    import: ImportId,
    batch: Vec<(RowId, Write)>,
    batch_bytes: usize,
    /// Where in the batch a key stands.
    places: HashMap<(String, String), usize>,
    running: FuturesUnordered<BoxFuture<'a, Result<Done, TableError>>>,
    rows: HashMap<RowId, Row>,
    next_row: RowId,
    settled: Vec<RowVerdict>,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Write capacity consumed.
    pub(crate) capacity_units: f64,
}

type RowId = u64;

/// A row that waits for the verdicts on its items.
struct Row {
    line: Line,
    waiting: usize,
    stored: bool,
    fault: Option<Fault>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Stored,
    Stale,
    Fault(Fault),
}

/// A batch with all its outcomes.
struct Done {
    outcomes: Vec<(RowId, Outcome)>,
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
            places: HashMap::new(),
            running: FuturesUnordered::new(),
            rows: HashMap::new(),
            next_row: 0,
            settled: Vec::new(),
            requests: 0,
            capacity_units: 0.0,
        }
    }

    /// Takes a row in. Waits while too many requests are on their way.
    pub(crate) async fn add(&mut self, line: Line, writes: Vec<Write>) -> Result<(), TableError> {
        let row = self.next_row;
        self.next_row += 1;
        let bytes = line.bytes.len();
        self.rows.insert(
            row,
            Row {
                line,
                waiting: writes.len(),
                stored: false,
                fault: None,
            },
        );
        for write in writes {
            let key = (write.key().0.to_owned(), write.key().1.to_owned());
            if let Some(place) = self.places.get(&key).copied() {
                // No two statements of a request may share a key. This row is the later one of the same import:
                // it wins, and the earlier one counts as written.
                let (beaten, _) = std::mem::replace(&mut self.batch[place], (row, write));
                self.settle(beaten, Outcome::Stored);
                continue;
            }
            self.places.insert(key, self.batch.len());
            self.batch.push((row, write));
            self.batch_bytes += bytes;
            if self.batch.len() == BATCH_SIZE || self.batch_bytes >= MAX_BATCH_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// The verdicts since the last call.
    pub(crate) fn verdicts(&mut self) -> Vec<RowVerdict> {
        std::mem::take(&mut self.settled)
    }

    /// Writes what is left and waits for all of it.
    pub(crate) async fn finish(&mut self) -> Result<(), TableError> {
        self.send().await?;
        while let Some(done) = self.running.next().await {
            self.take(done?);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), TableError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        while self.running.len() >= MAX_RUNNING {
            if let Some(done) = self.running.next().await {
                self.take(done?);
            }
        }
        self.places.clear();
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.running
            .push(Box::pin(write(self.table, self.import, batch)));
        Ok(())
    }

    fn take(&mut self, done: Done) {
        self.requests += done.requests;
        self.capacity_units += done.capacity_units;
        for (row, outcome) in done.outcomes {
            self.settle(row, outcome);
        }
    }

    fn settle(&mut self, id: RowId, outcome: Outcome) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        row.waiting -= 1;
        match outcome {
            Outcome::Stored => row.stored = true,
            Outcome::Stale => {}
            Outcome::Fault(fault) => row.fault = Some(fault),
        }
        if row.waiting > 0 {
            return;
        }
        if let Some(row) = self.rows.remove(&id) {
            self.settled.push(match (row.fault, row.stored) {
                (Some(fault), _) => RowVerdict::Rejected(row.line, fault),
                (None, true) => RowVerdict::Written,
                (None, false) => RowVerdict::Stale,
            });
        }
    }
}

/// What is tried next with an item.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Insert,
    Update,
    Done(Outcome),
}

/// Writes a batch until each item has its outcome.
async fn write(
    table: &Table,
    import: ImportId,
    batch: Vec<(RowId, Write)>,
) -> Result<Done, TableError> {
    let mut steps = vec![Step::Insert; batch.len()];
    let mut done = Done {
        outcomes: Vec::new(),
        requests: 0,
        capacity_units: 0.0,
    };
    // An item that DynamoDB refuses may spoil its whole request: then each goes alone.
    let mut size = BATCH_SIZE;
    let mut attempt = 0;
    loop {
        let mut busy = None;
        for wanted in [Step::Insert, Step::Update] {
            let places: Vec<_> = (0..batch.len())
                .filter(|place| steps[*place] == wanted)
                .collect();
            for places in places.chunks(size) {
                let writes: Vec<_> = places.iter().map(|place| &batch[*place].1).collect();
                done.requests += 1;
                let result = match wanted {
                    Step::Insert => table.insert(&writes).await,
                    _ => table.update(&writes).await,
                };
                match result {
                    Ok(Written {
                        verdicts,
                        capacity_units,
                    }) => {
                        done.capacity_units += capacity_units;
                        for (place, verdict) in places.iter().zip(verdicts) {
                            if verdict == Verdict::Busy {
                                busy = Some(TableError::Busy("statements were throttled".into()));
                            }
                            steps[*place] = next(&steps[*place], verdict, import);
                        }
                    }
                    Err(TableError::Invalid(_)) if places.len() > 1 => size = 1,
                    Err(TableError::Invalid(_)) => {
                        let fault =
                            Fault::whole("item_refused", "a record that DynamoDB can store");
                        steps[places[0]] = Step::Done(Outcome::Fault(fault));
                    }
                    Err(error @ TableError::Busy(_)) => busy = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        if steps.iter().all(|step| matches!(step, Step::Done(_))) {
            let rows = batch.into_iter().map(|(row, _)| row);
            let outcomes = steps.into_iter().filter_map(|step| match step {
                Step::Done(outcome) => Some(outcome),
                _ => None,
            });
            done.outcomes = rows.zip(outcomes).collect();
            return Ok(done);
        }
        if let Some(error) = busy {
            attempt += 1;
            if attempt == MAX_ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }
}

/// Where a verdict leads.
fn next(step: &Step, verdict: Verdict, import: ImportId) -> Step {
    match verdict {
        Verdict::Stored => Step::Done(Outcome::Stored),
        Verdict::Taken => Step::Update,
        Verdict::Gone => Step::Insert,
        Verdict::Busy => step.clone(),
        // This import's own: of an earlier run, or of a later row.
        Verdict::Held(version) if version.import() == import => Step::Done(Outcome::Stored),
        Verdict::Held(_) => Step::Done(Outcome::Stale),
        Verdict::TooLarge => Step::Done(Outcome::Fault(Fault::whole(
            "item_too_large",
            "a record of at most 400 KB as DynamoDB counts",
        ))),
        Verdict::Refused(_) => Step::Done(Outcome::Fault(Fault::whole(
            "item_refused",
            "a record that DynamoDB can store",
        ))),
    }
}

/// Doubling, with full jitter.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE
        .saturating_mul(1 << attempt.min(16))
        .min(LONGEST_PAUSE);
    longest.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use shared::version::Version;

    use super::*;

    #[test]
    fn verdicts_lead_on() {
        let own = ImportId([1; 8]);
        let held = |import| Verdict::Held(Version::new(1, "1", ImportId(import), 0));
        assert_eq!(next(&Step::Insert, Verdict::Taken, own), Step::Update);
        assert_eq!(next(&Step::Update, Verdict::Gone, own), Step::Insert);
        assert_eq!(next(&Step::Update, Verdict::Busy, own), Step::Update);
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
