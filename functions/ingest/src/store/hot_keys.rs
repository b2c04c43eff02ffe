//! Detects hot keys, and queues their writes apart, so that they delay only each other.
//!
//! DynamoDB grants each partition key of the table or of an index at most 1,000 write units a second. In: the throttled writes of
//! a [`Writer`](super::write::Writer). Out: a lane for each hot key, with its queue and its rate.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::table::{BATCH_SIZE, Write};
use tokio::time::Instant;

use crate::store::queued::{MAX_BATCH_BYTES, Queued};

/// The maximum number of hot keys. The rate limiter of the table counts the throttled writes of all other keys.
const MAX_HOT_KEYS: usize = 4;
/// A key is hot if this many of its writes were throttled within `WINDOW`, and this share of all throttled writes, one in ten. If
/// the table is exhausted, the throttled writes are spread over many keys.
const MIN_THROTTLED: usize = 10;
const MIN_SHARE: usize = 10;
const WINDOW: Duration = Duration::from_millis(500);
/// A lane holds at most the writes that the table accepts of its key in this time. An invocation waits for them before it saves
/// its progress, and has at most 30 s for that.
const QUEUED_TIME: Duration = Duration::from_secs(10);
/// The rate of a lane in writes a second, at first and at most, and at least. The first is what DynamoDB grants a key.
const MAX_RATE: f64 = 1_000.0;
const MIN_RATE: f64 = 5.0;
/// The increase of the rate after a batch with throttled writes, as a fraction. After each batch without, it doubles, up to
/// `MAX_INCREASE`.
const FIRST_INCREASE: f64 = 0.05;
const MAX_INCREASE: f64 = 0.5;
/// A batch has at most the writes that the key accepts in this time, so that a low rate is soon corrected.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The time without an accepted write after which the import fails, so that Lambda repeats it later. Writes outside of lanes end
/// after about as long.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// The hot keys of one writer.
#[derive(Debug)]
pub(crate) struct HotKeys(Mutex<State>);

#[derive(Debug)]
struct State {
    hot: Vec<String>,
    /// The throttled writes of each key that is not hot, in this window.
    throttled: BTreeMap<String, usize>,
    /// The throttled writes in this window, including those of hot keys.
    all: usize,
    window_start: Instant,
}

/// Why the writes of a response were throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// The number of writes that were throttled for another reason than a hot key.
    pub(crate) by_table: usize,
    /// The number of writes of earlier responses that were counted for the table, but turned out to be of a hot key.
    pub(crate) earlier_by_hot_keys: usize,
}

impl HotKeys {
    /// Creates a detector that knows no hot key yet.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            hot: Vec::new(),
            throttled: BTreeMap::new(),
            all: 0,
            window_start: Instant::now(),
        }))
    }

    /// Records the throttled writes of a response.
    pub(crate) fn record_throttled(&self, writes: &[&Write]) -> Throttled {
        let mut state = self.state();
        if state.window_start.elapsed() >= WINDOW {
            state.throttled.clear();
            (state.window_start, state.all) = (Instant::now(), 0);
        }
        state.all += writes.len();
        let other: Vec<_> = writes
            .iter()
            .filter(|write| state.hot_key(write).is_none())
            .collect();
        for key in other.iter().flat_map(|write| write.partition_keys()) {
            *state.throttled.entry(key).or_default() += 1;
        }
        let mut by_hot_keys = 0;
        while state.hot.len() < MAX_HOT_KEYS
            && let Some((key, count)) = state.hottest()
        {
            state.throttled.remove(&key);
            state.hot.push(key);
            by_hot_keys += count;
        }
        let by_table = other
            .iter()
            .filter(|write| state.hot_key(write).is_none())
            .count();
        Throttled {
            by_table,
            earlier_by_hot_keys: by_hot_keys.saturating_sub(other.len() - by_table),
        }
    }

    /// Returns the hot key of a write, if it has one.
    pub(crate) fn of(&self, write: &Write) -> Option<String> {
        self.state().hot_key(write)
    }

    /// Forgets a hot key.
    fn remove(&self, key: &str) {
        self.state().hot.retain(|hot| hot != key);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hot_key(&self, write: &Write) -> Option<String> {
        if self.hot.is_empty() {
            return None;
        }
        write.partition_keys().find(|key| self.hot.contains(key))
    }

    /// Returns the key with the most throttled writes, if it is hot.
    fn hottest(&self) -> Option<(String, usize)> {
        let (key, count) = self.throttled.iter().max_by_key(|(_, count)| **count)?;
        let is_hot = *count >= MIN_THROTTLED && count * MIN_SHARE >= self.all;
        is_hot.then(|| (key.clone(), *count))
    }
}

/// The lanes of the hot keys, by key.
#[derive(Default)]
pub(crate) struct Lanes(BTreeMap<String, Lane>);

/// The writes of one hot key. At most one request of them is in flight, so the lane measures the rate that the key accepts: the
/// accepted writes of a batch, over the time since the batch before.
struct Lane {
    queue: VecDeque<Queued>,
    /// Writes a second.
    rate: f64,
    /// The next increase of the rate, as a fraction.
    increase: f64,
    /// When the last batch was sent, and how long after the one before.
    sent_at: Instant,
    interval: Duration,
    is_running: bool,
    /// When the last batch of which a write got its outcome was sent, or the first batch.
    accepted_at: Instant,
}

/// A batch of a lane that is to be sent.
pub(crate) struct LaneBatch {
    pub(crate) key: String,
    pub(crate) items: Vec<Queued>,
    pub(crate) send_at: Instant,
}

impl Lanes {
    /// Returns whether no key is hot.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the lane of a key cannot take further writes.
    pub(crate) fn is_full(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|lane| {
            let most = (lane.rate * QUEUED_TIME.as_secs_f64()) as usize;
            lane.queue.len() >= most
        })
    }

    /// Adds a write to the lane of a key.
    pub(crate) fn push(&mut self, key: String, queued: Queued) {
        let lane = self.0.entry(key).or_insert_with(Lane::new);
        lane.queue.push_back(queued);
    }

    /// Records how many writes of a lane's batch got their outcome, and how many were throttled. Returns `false` if none got one
    /// for too long.
    pub(crate) fn end_batch(&mut self, key: &str, accepted: usize, throttled: usize) -> bool {
        self.0
            .get_mut(key)
            .is_none_or(|lane| lane.end_batch(accepted, throttled))
    }

    /// Returns the next batch of each lane that has none in flight. Removes lanes without writes.
    pub(crate) fn next_batches(&mut self, hot_keys: &HotKeys) -> Vec<LaneBatch> {
        self.0.retain(|key, lane| {
            let is_used = lane.is_running || !lane.queue.is_empty();
            if !is_used {
                hot_keys.remove(key);
            }
            is_used
        });
        let idle = self.0.iter_mut().filter(|(_, lane)| !lane.is_running);
        idle.map(|(key, lane)| lane.next_batch(key)).collect()
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            rate: MAX_RATE,
            increase: FIRST_INCREASE,
            sent_at: Instant::now(),
            interval: Duration::ZERO,
            is_running: false,
            accepted_at: Instant::now(),
        }
    }

    /// Takes the next batch, and sets when it is sent.
    fn next_batch(&mut self, key: &str) -> LaneBatch {
        let items = self.take_batch();
        let interval = Duration::from_secs_f64(items.len() as f64 / self.rate);
        let send_at = (self.sent_at + interval).max(Instant::now());
        (self.interval, self.sent_at) = (send_at - self.sent_at, send_at);
        self.is_running = true;
        LaneBatch {
            key: key.to_owned(),
            items,
            send_at,
        }
    }

    /// Sets the rate by the response to a batch. Returns `false` if no write was accepted for too long.
    fn end_batch(&mut self, accepted: usize, throttled: usize) -> bool {
        self.is_running = false;
        if accepted > 0 {
            self.accepted_at = self.sent_at;
        }
        let rate = match (accepted, throttled) {
            (_, 0) => {
                let increase = self.increase;
                self.increase = (2.0 * increase).min(MAX_INCREASE);
                self.rate * (1.0 + increase)
            }
            (0, _) => self.rate / 2.0,
            _ => accepted as f64 / self.interval.as_secs_f64(),
        };
        if throttled > 0 {
            self.increase = FIRST_INCREASE;
        }
        self.rate = rate.clamp(MIN_RATE, MAX_RATE);
        self.accepted_at.elapsed() < MAX_IDLE
    }

    /// Takes the next writes of the queue. No two have the same key.
    fn take_batch(&mut self) -> Vec<Queued> {
        let most = (self.rate * BATCH_TIME.as_secs_f64()) as usize;
        let (mut batch, mut bytes) = (Vec::<Queued>::new(), 0);
        while batch.len() < most.clamp(1, BATCH_SIZE)
            && bytes < MAX_BATCH_BYTES
            && let Some(next) = self.queue.pop_front()
        {
            if batch
                .iter()
                .any(|queued| queued.write.key() == next.write.key())
            {
                self.queue.push_front(next);
                break;
            }
            bytes += next.write.bytes();
            batch.push(next);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use shared::model::{
        value::Map,
        version::{ImportId, Version},
    };

    use super::*;

    fn write(partition: usize, id: usize) -> Write {
        let import = ImportId::new("bucket", "key", "1");
        let version = Version::new(0, "01", import, id as u64);
        Write::product(&partition.to_string(), "id", version, &Map::new())
    }

    fn queued(id: usize) -> Queued {
        Queued::new(0, write(id, id))
    }

    /// Writes through a lane to a key that grants a rate, and saves at most the units of a second. Returns the used share of the
    /// grant, and the throttled share of the writes.
    async fn write_through(rate: f64, seconds: f64) -> (f64, f64) {
        let (hot_keys, mut lanes) = (HotKeys::new(), Lanes::default());
        let mut saved = 0.0_f64;
        let (mut at, began) = (Instant::now(), Instant::now());
        let (mut accepted, mut throttled) = (0, 0);
        for id in 0..200 {
            lanes.push("hot".into(), queued(id));
        }
        while began.elapsed().as_secs_f64() < seconds {
            let batch = lanes.next_batches(&hot_keys).remove(0);
            tokio::time::sleep_until(batch.send_at).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            saved = (saved + at.elapsed().as_secs_f64() * rate).min(rate);
            at = Instant::now();
            let sent = batch.items.len();
            let granted = (saved as usize).min(sent);
            saved -= granted as f64;
            accepted += granted;
            throttled += sent - granted;
            assert!(lanes.end_batch(&batch.key, granted, sent - granted));
            for queued in batch.items {
                lanes.push(batch.key.clone(), queued);
            }
        }
        let granted = rate * began.elapsed().as_secs_f64();
        let sent = accepted + throttled;
        (accepted as f64 / granted, throttled as f64 / sent as f64)
    }

    #[tokio::test(start_paused = true)]
    async fn lane_uses_what_the_key_grants() {
        // A batch of few writes tells less about the rate.
        for (rate, most) in [(10.0, 0.4), (30.0, 0.2), (200.0, 0.15), (900.0, 0.15)] {
            let (used, throttled) = write_through(rate, 30.0).await;
            assert!(used >= 0.97, "{used} of {rate}");
            assert!(throttled <= most, "{throttled} throttled of {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lane_of_a_key_that_accepts_nothing_ends() {
        let (hot_keys, mut lanes) = (HotKeys::new(), Lanes::default());
        let began = Instant::now();
        lanes.push("hot".into(), queued(0));
        loop {
            let batch = lanes.next_batches(&hot_keys).remove(0);
            tokio::time::sleep_until(batch.send_at).await;
            if !lanes.end_batch("hot", 0, 1) {
                break;
            }
            lanes.push("hot".into(), queued(0));
        }
        assert!(began.elapsed() >= MAX_IDLE && began.elapsed() < MAX_IDLE + Duration::from_secs(1));
    }

    #[test]
    fn a_key_is_hot_if_its_writes_are_throttled_apart_from_others() {
        let hot_keys = HotKeys::new();
        // The table is exhausted: every key is throttled.
        for id in 0..200 {
            let by_table = hot_keys.record_throttled(&[&write(id, id)]).by_table;
            assert_eq!(by_table, 1);
        }
        let hot = write(1_000, 0);
        for _ in 0..MIN_THROTTLED {
            let recorded = hot_keys.record_throttled(&[&hot]);
            assert_eq!((recorded.by_table, hot_keys.of(&hot)), (1, None));
        }
        let recorded = hot_keys.record_throttled(&[&hot; 20]);
        let expected = Throttled {
            by_table: 0,
            earlier_by_hot_keys: MIN_THROTTLED,
        };
        assert_eq!(
            (recorded, hot_keys.of(&hot)),
            (expected, Some(key_of(&hot)))
        );
        assert_eq!(hot_keys.of(&write(0, 0)), None);
        // The other keys of a later response still count.
        let recorded = hot_keys.record_throttled(&[&hot, &write(1, 1)]);
        assert_eq!((recorded.by_table, recorded.earlier_by_hot_keys), (1, 0));
    }

    fn key_of(write: &Write) -> String {
        write.key().0.to_owned()
    }

    #[test]
    fn at_most_four_keys_are_hot() {
        let hot_keys = HotKeys::new();
        let writes: Vec<_> = (0..=MAX_HOT_KEYS).map(|key| write(key, 0)).collect();
        for write in &writes {
            hot_keys.record_throttled(&[write; 50]);
        }
        let hot = writes.iter().filter(|write| hot_keys.of(write).is_some());
        assert_eq!(hot.count(), MAX_HOT_KEYS);
    }

    #[test]
    fn a_batch_has_no_two_writes_of_one_key() {
        let (hot_keys, mut lanes) = (HotKeys::new(), Lanes::default());
        for id in [1, 2, 1] {
            lanes.push("hot".into(), queued(id));
        }
        let sizes = [0, 1].map(|_| {
            let batch = lanes.next_batches(&hot_keys).remove(0).items;
            assert!(lanes.next_batches(&hot_keys).is_empty(), "one in flight");
            lanes.end_batch("hot", batch.len(), 0);
            batch.len()
        });
        assert_eq!(sizes, [2, 1]);
        assert!(lanes.next_batches(&hot_keys).is_empty() && lanes.is_empty());
    }

    #[test]
    fn a_key_without_writes_is_forgotten() {
        let (hot_keys, mut lanes) = (HotKeys::new(), Lanes::default());
        let hot = write(1, 1);
        hot_keys.record_throttled(&[&hot; MIN_THROTTLED]);
        let key = hot_keys.of(&hot).unwrap();
        lanes.push(key.clone(), queued(1));
        let batch = lanes.next_batches(&hot_keys).remove(0);
        assert_eq!(hot_keys.of(&hot), Some(batch.key));
        lanes.end_batch(&key, 1, 0);
        assert!(lanes.next_batches(&hot_keys).is_empty());
        assert_eq!(hot_keys.of(&hot), None);
    }

    #[test]
    fn a_lane_holds_the_writes_of_ten_seconds() {
        let mut lanes = Lanes::default();
        for id in 0..9_999 {
            lanes.push("hot".into(), queued(id));
        }
        assert!(!lanes.is_full("hot"));
        lanes.push("hot".into(), queued(9_999));
        assert!(lanes.is_full("hot") && !lanes.is_full("other") && !lanes.is_empty());
    }

    #[test]
    fn a_batch_ends_at_its_bytes() {
        let (hot_keys, mut lanes) = (HotKeys::new(), Lanes::default());
        let write = |id: usize, bytes: usize| {
            let mut data = Map::new();
            data.insert("text", "x".repeat(bytes));
            let version = Version::new(0, "01", ImportId([1; 8]), 0);
            Write::product("id", &id.to_string(), version, &data)
        };
        let half = MAX_BATCH_BYTES / 2 - write(0, 0).bytes();
        for id in 0..3 {
            lanes.push("hot".into(), Queued::new(0, write(id, half)));
        }
        let batch = lanes.next_batches(&hot_keys).remove(0).items;
        let bytes: usize = batch.iter().map(|queued| queued.write.bytes()).sum();
        assert_eq!((batch.len(), bytes), (2, MAX_BATCH_BYTES));
    }

    #[test]
    fn a_batch_has_the_writes_of_a_tenth_of_a_second() {
        let mut lane = Lane::new();
        lane.queue.extend((0..40).map(queued));
        lane.rate = 100.0;
        assert_eq!(lane.take_batch().len(), 10);
        lane.rate = MAX_RATE;
        assert_eq!(lane.take_batch().len(), BATCH_SIZE);
    }

    #[test]
    fn earlier_writes_of_a_hot_key_are_counted_once() {
        let hot_keys = HotKeys::new();
        let hot = write(1, 1);
        for _ in 1..MIN_THROTTLED {
            hot_keys.record_throttled(&[&hot]);
        }
        let recorded = hot_keys.record_throttled(&[&hot, &hot, &write(2, 2)]);
        let expected = Throttled {
            by_table: 1,
            earlier_by_hot_keys: MIN_THROTTLED - 1,
        };
        assert_eq!(recorded, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_ends_after_its_idle_time() {
        let mut lane = Lane::new();
        tokio::time::advance(MAX_IDLE - Duration::from_millis(1)).await;
        assert!(lane.end_batch(0, 1));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lane.end_batch(0, 1));
    }

    #[test]
    fn the_rate_follows_the_responses() {
        let mut lane = Lane::new();
        lane.rate = 100.0;
        lane.interval = Duration::from_millis(100);
        for (accepted, throttled, rate) in [
            (1, 0, 105.0),
            (1, 0, 115.5),
            (1, 0, 138.6),
            (1, 0, 194.04),
            (1, 0, 291.06),
            (1, 0, 436.59),
            // What the key accepted in the time of the batch.
            (9, 1, 90.0),
            (9, 0, 94.5),
            (0, 1, 47.25),
            (0, 0, 49.6125),
        ] {
            assert!(lane.end_batch(accepted, throttled));
            assert!((lane.rate - rate).abs() < 1e-6, "{} and {rate}", lane.rate);
        }
        for _ in 0..20 {
            lane.end_batch(0, 1);
        }
        assert!((lane.rate - MIN_RATE).abs() < 1e-6);
        for _ in 0..20 {
            lane.end_batch(1, 0);
        }
        assert!((lane.rate - MAX_RATE).abs() < 1e-6);
    }
}
