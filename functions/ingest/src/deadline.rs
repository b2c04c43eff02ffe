//! Computes the deadline of an invocation. After it, there is time to finish and save the work in progress before Lambda ends the
//! invocation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// An invocation reserves this fraction of its time, one in ten, for its end, within these bounds.
const RESERVED_FRACTION: u32 = 10;
const MIN_RESERVE: Duration = Duration::from_secs(1);
const MAX_RESERVE: Duration = Duration::from_secs(30);
/// A reported end that is less than this after 1970 is a duration, see [`Deadline::at`].
const MAX_INVOCATION: Duration = Duration::from_secs(24 * 60 * 60);
/// The maximum number of times that the time for rows is halved.
const MAX_HALVINGS: u32 = 4;

/// The time after which an invocation accepts no more rows.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Computes the deadline from the end of the invocation that Lambda reports, as time since 1970.
    pub fn at(end: SystemTime) -> Self {
        let reported = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        // `cargo lambda watch` reports how long the invocation may take instead of its end.
        let left = if reported < MAX_INVOCATION {
            reported
        } else {
            end.duration_since(SystemTime::now()).unwrap_or_default()
        };
        Self(Instant::now() + left.saturating_sub(reserve(left)))
    }

    /// Returns whether the deadline has passed.
    pub(crate) fn is_past(self) -> bool {
        Instant::now() >= self.0
    }

    /// Waits for a future. Returns `None` if it is not ready by the deadline.
    pub(crate) async fn wait<T>(self, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.0, future).await.ok()
    }

    /// Returns the deadline for an attempt after `earlier` others, once its first row was read. The time for rows is halved for
    /// each earlier attempt, at most [`MAX_HALVINGS`] times. The end of the invocation, which may be the slow step, gets the rest.
    pub(crate) fn for_attempt(self, earlier: u64) -> Self {
        let halvings = u32::try_from(earlier).unwrap_or(u32::MAX).min(MAX_HALVINGS);
        let now = Instant::now();
        Self(now + self.0.saturating_duration_since(now) / (1 << halvings))
    }
}

/// Returns the time that an invocation with `left` reserves for its end.
fn reserve(left: Duration) -> Duration {
    (left / RESERVED_FRACTION).clamp(MIN_RESERVE, MAX_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_kept_within_bounds() {
        assert_eq!(reserve(Duration::from_secs(3)), MIN_RESERVE);
        assert_eq!(reserve(Duration::from_secs(100)), Duration::from_secs(10));
        assert_eq!(reserve(Duration::from_secs(900)), MAX_RESERVE);
        assert!(Deadline::at(SystemTime::now()).is_past());
        assert!(!Deadline::at(UNIX_EPOCH + Duration::from_secs(600)).is_past());
        assert!(!Deadline::at(SystemTime::now() + Duration::from_secs(60)).is_past());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_beyond_it_and_later_tries_have_less() {
        let begun = Instant::now();
        let deadline = Deadline(begun + Duration::from_secs(8));
        assert_eq!(deadline.for_attempt(0).0, deadline.0);
        assert_eq!(deadline.for_attempt(1).0, begun + Duration::from_secs(4));
        assert_eq!(
            deadline.for_attempt(99).0,
            begun + Duration::from_millis(500)
        );
        assert_eq!(deadline.wait(async { 7 }).await, Some(7));
        assert_eq!(deadline.wait(std::future::pending::<()>()).await, None);
        assert_eq!(begun.elapsed(), Duration::from_secs(8));
        assert!(deadline.for_attempt(1).is_past());
    }
}
