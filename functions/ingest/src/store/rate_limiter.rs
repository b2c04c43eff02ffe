//! Limits the rate of writes to about the capacity that the table grants.
//!
//! Nothing is limited until the table throttles a write. From then on, the rate is the capacity that the table accepted in the
//! last window, plus a small increase. With that increase, no granted capacity stays unused, few writes are throttled, and a
//! higher capacity is soon detected.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::table::{TableError, Verdict, Written};
use tokio::time::{Instant, sleep_until};

/// How long responses are counted before the rate is set. The first window is short, because far too many requests may be in
/// flight. Each window is twice as long as the one before, up to `MAX_WINDOW`.
const FIRST_WINDOW: Duration = Duration::from_millis(20);
const MAX_WINDOW: Duration = Duration::from_millis(500);
/// The increase over the accepted rate after a window with throttled writes, as a fraction. In windows without throttled writes,
/// the increase doubles each time, up to `MAX_INCREASE`.
const FIRST_INCREASE: f64 = 0.01;
const MAX_INCREASE: f64 = 0.5;
/// The minimum fraction of the rate that a window must use before its lack of throttled writes raises the rate.
const MIN_USED_SHARE: f64 = 0.8;
/// The minimum rate in write units a second. Without it, a table that other writers exhaust for a while would stop this one.
const MIN_RATE: f64 = 25.0;
/// The weight of one response in the moving average of write units per write.
const SMOOTHING: f64 = 0.05;
/// How long unused capacity remains available for a burst.
const BURST: Duration = Duration::from_millis(50);

/// Limits the write units per second of one [`Writer`](super::write::Writer) or [`Remover`](super::remove::Remover).
///
/// Several invocations may write to the table concurrently. Each limiter measures only the responses to its own requests, so it follows
/// the share of the capacity that they get.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    state: Mutex<State>,
    /// Held by the request that is next. The others wait for it, so that each is delayed by the rate at its turn, and not by
    /// one that was too low before.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// The rate in write units a second; `None` while the table accepts everything.
    rate: Option<f64>,
    /// When the next request may be sent.
    next: Instant,
    /// When this window began.
    window_start: Instant,
    /// How long this window is.
    window: Duration,
    /// The next increase of the rate if nothing is throttled, as a fraction.
    increase: f64,
    /// Write units accepted and writes throttled in this window.
    accepted: f64,
    throttled: usize,
    /// Write units per write, as a moving average.
    units: f64,
}

impl RateLimiter {
    /// Creates a limiter that does not limit anything yet.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let state = State {
            rate: None,
            next: now,
            window_start: now,
            window: FIRST_WINDOW,
            increase: FIRST_INCREASE,
            accepted: 0.0,
            throttled: 0,
            units: 1.0,
        };
        Self {
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Returns whether the table has not throttled any write yet.
    #[cfg(test)]
    pub(crate) fn is_unlimited(&self) -> bool {
        self.state().is_unlimited()
    }

    /// Waits until this many writes may be sent.
    pub(crate) async fn wait(&self, writes: usize) {
        let _turn = self.turn.lock().await;
        let at = {
            let mut state = self.state();
            let Some(rate) = state.rate else {
                return;
            };
            let now = Instant::now();
            let at = state.next.max(now.checked_sub(BURST).unwrap_or(now));
            state.next = at + Duration::from_secs_f64(writes as f64 * state.units / rate);
            at
        };
        sleep_until(at).await;
    }

    /// Records the result of a batch of writes. Of a batch that was throttled as a whole, no write was accepted.
    pub(crate) fn record_batch(&self, result: &Result<Written, TableError>, writes: usize) {
        match result {
            Ok(written) => {
                let is_throttled = |verdict: &&Verdict| **verdict == Verdict::Throttled;
                let throttled = written.verdicts.iter().filter(is_throttled).count();
                let accepted = written.verdicts.len() - throttled;
                self.record_response(accepted, throttled, written.capacity_units);
            }
            Err(TableError::Unavailable(_)) => self.record_response(0, writes, 0.0),
            Err(_) => {}
        }
    }

    /// Records the result of a transaction, which counts as this many writes.
    pub(crate) fn record_transaction(
        &self,
        result: &Result<(Verdict, f64), TableError>,
        writes: usize,
    ) {
        match result {
            // Other writers use the same items. Fewer of them meet at a lower rate.
            Ok((Verdict::Throttled, _)) | Err(TableError::Unavailable(_)) => {
                self.record_response(0, writes, 0.0);
            }
            // If a condition failed, the transaction is charged too, but the response reports no capacity.
            Ok((_, units)) => self.record_response(writes, 0, units.max(writes as f64)),
            Err(_) => {}
        }
    }

    /// Records a response: the number of accepted writes, the number of throttled writes, and the write units consumed.
    pub(crate) fn record_response(&self, accepted: usize, throttled: usize, units: f64) {
        let mut state = self.state();
        let now = Instant::now();
        if accepted > 0 && units > 0.0 {
            state.units += SMOOTHING * (units / accepted as f64 - state.units);
        }
        if state.is_unlimited() {
            if throttled == 0 {
                return;
            }
            // Writes accepted before may have used saved burst capacity, so they are not counted.
            (state.window_start, state.accepted) = (now, 0.0);
        }
        state.accepted += units;
        state.throttled += throttled;
        let elapsed = now - state.window_start;
        if elapsed < state.window {
            return;
        }
        state.window = (state.window * 2).min(MAX_WINDOW);
        let accepted_rate = state.accepted / elapsed.as_secs_f64();
        state.rate = match state.rate {
            Some(rate) if state.throttled == 0 => {
                let is_used = accepted_rate >= rate * MIN_USED_SHARE;
                let increase = if is_used { state.increase } else { 0.0 };
                state.increase = (state.increase + increase).min(MAX_INCREASE);
                Some(rate * (1.0 + increase))
            }
            _ => {
                state.increase = FIRST_INCREASE;
                Some((accepted_rate * (1.0 + FIRST_INCREASE)).max(MIN_RATE))
            }
        };
        (state.window_start, state.accepted, state.throttled) = (now, 0.0, 0);
    }

    /// Discounts throttled writes that were not due to the table's capacity.
    pub(crate) fn discount(&self, throttled: usize) {
        let mut state = self.state();
        state.throttled = state.throttled.saturating_sub(throttled);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns whether the table has not throttled any write yet.
    const fn is_unlimited(&self) -> bool {
        self.rate.is_none() && self.throttled == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of DynamoDB: the granted capacity, of which at most one second is saved.
    struct Grant {
        rate: f64,
        saved: f64,
        at: Instant,
    }

    impl Grant {
        fn take(&mut self, units: f64) -> bool {
            self.saved = (self.saved + self.at.elapsed().as_secs_f64() * self.rate).min(self.rate);
            self.at = Instant::now();
            let granted = self.saved >= units;
            if granted {
                self.saved -= units;
            }
            granted
        }
    }

    /// What the table throttles if a request takes more than is granted.
    #[derive(Clone, Copy, PartialEq)]
    enum Throttles {
        Statements,
        Requests,
    }

    /// Sends batches of 25, `parallel` concurrently and 5 ms each. Returns the used share of the granted capacity, and the
    /// throttled share of the sent writes.
    async fn write(
        limiter: &RateLimiter,
        grant: &Mutex<Grant>,
        parallel: usize,
        seconds: u64,
    ) -> (f64, f64) {
        write_throttled(limiter, grant, parallel, seconds, Throttles::Statements).await
    }

    async fn write_throttled(
        limiter: &RateLimiter,
        grant: &Mutex<Grant>,
        parallel: usize,
        seconds: u64,
        throttles: Throttles,
    ) -> (f64, f64) {
        let (began, rate) = (Instant::now(), grant.lock().unwrap().rate);
        let end = began + Duration::from_secs(seconds);
        let one = || async {
            let (mut accepted, mut throttled) = (0.0, 0.0);
            while Instant::now() < end {
                limiter.wait(25).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                let taken = match throttles {
                    Throttles::Statements => {
                        (0..25).filter(|_| grant.lock().unwrap().take(2.0)).count()
                    }
                    Throttles::Requests => 25 * usize::from(grant.lock().unwrap().take(50.0)),
                };
                limiter.record_response(taken, 25 - taken, 2.0 * taken as f64);
                accepted += 2.0 * taken as f64;
                throttled += 2.0 * (25 - taken) as f64;
            }
            (accepted, throttled)
        };
        let sums = futures::future::join_all((0..parallel).map(|_| one())).await;
        let accepted: f64 = sums.iter().map(|sum| sum.0).sum();
        let throttled: f64 = sums.iter().map(|sum| sum.1).sum();
        let granted = rate * (Instant::now() - began).as_secs_f64();
        (accepted / granted, throttled / (accepted + throttled))
    }

    fn grant(rate: f64) -> Mutex<Grant> {
        let at = Instant::now();
        Mutex::new(Grant {
            rate,
            saved: rate,
            at,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_granted_is_used_and_little_is_refused() {
        for (rate, parallel) in [
            (4_000.0, 4),
            (4_000.0, 16),
            (4_000.0, 32),
            (1_000.0, 4),
            (200.0, 1),
        ] {
            let (limiter, grant) = (RateLimiter::new(), grant(rate));
            assert!(limiter.is_unlimited());
            // Before the first throttled write, 10 to 80 times the granted capacity is in flight.
            let (_, throttled) = write(&limiter, &grant, parallel, 5).await;
            assert!(
                throttled <= 0.4,
                "{throttled} throttled at first of {rate} by {parallel}"
            );
            let (used, throttled) = write(&limiter, &grant, parallel, 60).await;
            assert!(used >= 0.97, "{used} of {rate} by {parallel}");
            assert!(
                throttled <= 0.03,
                "{throttled} throttled of {rate} by {parallel}"
            );
            assert!(!limiter.is_unlimited());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn recovers_after_whole_requests_are_refused() {
        for rate in [1_000.0, 4_000.0] {
            let (limiter, grant) = (RateLimiter::new(), grant(rate));
            write_throttled(&limiter, &grant, 32, 60, Throttles::Requests).await;
            let (used, throttled) =
                write_throttled(&limiter, &grant, 32, 60, Throttles::Requests).await;
            assert!(used >= 0.97, "{used} of {rate}");
            assert!(throttled <= 0.05, "{throttled} throttled of {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_grant_that_changes_is_followed() {
        let (limiter, grant) = (RateLimiter::new(), grant(4_000.0));
        write(&limiter, &grant, 16, 20).await;
        grant.lock().unwrap().rate = 1_000.0;
        write(&limiter, &grant, 16, 5).await;
        let (used, throttled) = write(&limiter, &grant, 16, 30).await;
        assert!(
            used >= 0.97 && throttled <= 0.03,
            "{used}, {throttled} throttled"
        );
        grant.lock().unwrap().rate = 4_000.0;
        write(&limiter, &grant, 16, 20).await;
        let (used, throttled) = write(&limiter, &grant, 16, 30).await;
        assert!(
            used >= 0.97 && throttled <= 0.03,
            "{used}, {throttled} throttled"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_takes_all_is_not_waited_for() {
        let (limiter, grant) = (RateLimiter::new(), grant(1e9));
        let (_, throttled) = write(&limiter, &grant, 8, 5).await;
        assert_eq!((throttled, limiter.is_unlimited()), (0.0, true));
    }
}
