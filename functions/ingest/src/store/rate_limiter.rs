//! Limits the rate of writes to about the capacity that the table grants.
//!
//! Nothing is limited until the table throttles a write. From then on, the rate is the capacity that the table accepted in the
//! last window, plus a small increase. With that increase, no granted capacity stays unused, few writes are throttled, and a
//! higher capacity is soon detected.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// How long responses are counted before the rate is set. The first window is short, because far too many requests may be in
/// flight. Each window is twice as long as the one before, up to the longest.
const FIRST_WINDOW: Duration = Duration::from_millis(20);
const LONGEST_WINDOW: Duration = Duration::from_millis(500);
/// The increase over the accepted rate after a window with throttled writes, as a fraction. In windows without throttled writes,
/// the increase doubles each time, up to the most.
const MORE: f64 = 0.01;
const MOST: f64 = 0.5;
/// The minimum fraction of the rate that a window must use before its lack of throttled writes raises the rate.
const USED: f64 = 0.8;
/// The minimum rate in write units a second, whatever is throttled. Other writers may exhaust the table for a while.
const SLOWEST: f64 = 25.0;
/// The weight of one response in the moving average of write units per write.
const SMOOTHING: f64 = 0.05;
/// How long unused capacity can be used later, as a burst.
const BURST: Duration = Duration::from_millis(50);

/// The rate limiter of one [`Writer`](super::write::Writer).
///
/// An invocation has one writer, and several invocations may write to the table concurrently. Each limiter measures only the
/// responses to its own writer, so it follows the share of the capacity that its writer gets.
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
    began: Instant,
    window: Duration,
    /// The next increase of the rate if nothing is throttled, as a fraction.
    more: f64,
    /// Write units accepted and writes throttled in this window.
    accepted: f64,
    refused: usize,
    /// Write units per write, as a moving average.
    units: f64,
}

impl RateLimiter {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let state = State {
            rate: None,
            next: now,
            began: now,
            window: FIRST_WINDOW,
            more: MORE,
            accepted: 0.0,
            refused: 0,
            units: 1.0,
        };
        Self {
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        }
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

    /// Records a response: the number of accepted writes, the number of throttled writes, and the write units consumed.
    pub(crate) fn answered(&self, accepted: usize, refused: usize, units: f64) {
        let mut state = self.state();
        let now = Instant::now();
        if accepted > 0 && units > 0.0 {
            state.units += SMOOTHING * (units / accepted as f64 - state.units);
        }
        if state.is_free() {
            if refused == 0 {
                return;
            }
            // Writes accepted before may have used saved burst capacity, so they are not counted.
            (state.began, state.accepted) = (now, 0.0);
        }
        state.accepted += units;
        state.refused += refused;
        let elapsed = now - state.began;
        if elapsed < state.window {
            return;
        }
        state.window = (state.window * 2).min(LONGEST_WINDOW);
        let taken = state.accepted / elapsed.as_secs_f64();
        state.rate = match state.rate {
            Some(rate) if state.refused == 0 => {
                let is_used = taken >= rate * USED;
                let more = if is_used { state.more } else { 0.0 };
                state.more = (state.more + more).min(MOST);
                Some(rate * (1.0 + more))
            }
            _ => {
                state.more = MORE;
                Some((taken * (1.0 + MORE)).max(SLOWEST))
            }
        };
        (state.began, state.accepted, state.refused) = (now, 0.0, 0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn is_free(&self) -> bool {
        self.rate.is_none() && self.refused == 0
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
            let (mut accepted, mut refused) = (0.0, 0.0);
            while Instant::now() < end {
                limiter.wait(25).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
                let taken = match throttles {
                    Throttles::Statements => {
                        (0..25).filter(|_| grant.lock().unwrap().take(2.0)).count()
                    }
                    Throttles::Requests => 25 * usize::from(grant.lock().unwrap().take(50.0)),
                };
                limiter.answered(taken, 25 - taken, 2.0 * taken as f64);
                accepted += 2.0 * taken as f64;
                refused += 2.0 * (25 - taken) as f64;
            }
            (accepted, refused)
        };
        let sums = futures::future::join_all((0..parallel).map(|_| one())).await;
        let accepted: f64 = sums.iter().map(|sum| sum.0).sum();
        let refused: f64 = sums.iter().map(|sum| sum.1).sum();
        let granted = rate * (Instant::now() - began).as_secs_f64();
        (accepted / granted, refused / (accepted + refused))
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
            assert!(limiter.state().is_free());
            // Before the first throttled write, 10 to 80 times the granted capacity is in flight.
            let (_, refused) = write(&limiter, &grant, parallel, 5).await;
            assert!(
                refused <= 0.4,
                "{refused} refused at first of {rate} by {parallel}"
            );
            let (used, refused) = write(&limiter, &grant, parallel, 60).await;
            assert!(used >= 0.97, "{used} of {rate} by {parallel}");
            assert!(refused <= 0.03, "{refused} refused of {rate} by {parallel}");
            assert!(!limiter.state().is_free());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn recovers_after_whole_requests_are_refused() {
        for rate in [1_000.0, 4_000.0] {
            let (limiter, grant) = (RateLimiter::new(), grant(rate));
            write_throttled(&limiter, &grant, 32, 60, Throttles::Requests).await;
            let (used, refused) =
                write_throttled(&limiter, &grant, 32, 60, Throttles::Requests).await;
            assert!(used >= 0.97, "{used} of {rate}");
            assert!(refused <= 0.05, "{refused} refused of {rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_grant_that_changes_is_followed() {
        let (limiter, grant) = (RateLimiter::new(), grant(4_000.0));
        write(&limiter, &grant, 16, 20).await;
        grant.lock().unwrap().rate = 1_000.0;
        write(&limiter, &grant, 16, 5).await;
        let (used, refused) = write(&limiter, &grant, 16, 30).await;
        assert!(used >= 0.97 && refused <= 0.03, "{used}, {refused} refused");
        grant.lock().unwrap().rate = 4_000.0;
        write(&limiter, &grant, 16, 20).await;
        let (used, refused) = write(&limiter, &grant, 16, 30).await;
        assert!(used >= 0.97 && refused <= 0.03, "{used}, {refused} refused");
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_takes_all_is_not_waited_for() {
        let (limiter, grant) = (RateLimiter::new(), grant(1e9));
        let (_, refused) = write(&limiter, &grant, 8, 5).await;
        assert_eq!((refused, limiter.state().is_free()), (0.0, true));
    }
}
