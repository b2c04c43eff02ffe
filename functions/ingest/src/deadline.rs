//! The deadline of an invocation. It leaves time to finish and save the work in progress before Lambda ends the invocation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The fraction of its time, one in this many, that an invocation reserves for its end, and the bounds of that time.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// An end less than a day after 1970 cannot be the end of an invocation.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The maximum number of times that the time for rows is halved.
const MOST_HALVES: u32 = 4;

/// The time after which an invocation accepts no more rows.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Computes the deadline from the end of the invocation that Lambda reports, as time since 1970.
    pub fn at(end: SystemTime) -> Self {
        let told = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        // `cargo lambda watch` reports how long the invocation may take instead of its end.
        let left = if told < A_DAY {
            told
        } else {
            end.duration_since(SystemTime::now()).unwrap_or_default()
        };
        Self(Instant::now() + left.saturating_sub(kept(left)))
    }

    pub(crate) fn is_past(self) -> bool {
        Instant::now() >= self.0
    }

    /// Waits for a future. Returns `None` if it is not ready by the deadline.
    pub(crate) async fn wait<T>(self, coming: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.0, coming).await.ok()
    }

    /// Returns the deadline for an attempt after `tries` others, once its first row was read. The time for rows is halved for
    /// each earlier attempt, at most [`MOST_HALVES`] times. The end of the invocation, which may be the slow step, gets the rest.
    pub(crate) fn after(self, tries: u64) -> Self {
        let halves = u32::try_from(tries).unwrap_or(u32::MAX).min(MOST_HALVES);
        let now = Instant::now();
        Self(now + self.0.saturating_duration_since(now) / (1 << halves))
    }
}

fn kept(left: Duration) -> Duration {
    (left / SHARE).clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_kept_within_bounds() {
        assert_eq!(kept(Duration::from_secs(3)), SHORTEST);
        assert_eq!(kept(Duration::from_secs(100)), Duration::from_secs(10));
        assert_eq!(kept(Duration::from_secs(900)), LONGEST);
        assert!(Deadline::at(SystemTime::now()).is_past());
        assert!(!Deadline::at(UNIX_EPOCH + Duration::from_secs(600)).is_past());
        assert!(!Deadline::at(SystemTime::now() + Duration::from_secs(60)).is_past());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_beyond_it_and_later_tries_have_less() {
        let begun = Instant::now();
        let deadline = Deadline(begun + Duration::from_secs(8));
        assert_eq!(deadline.after(0).0, deadline.0);
        assert_eq!(deadline.after(1).0, begun + Duration::from_secs(4));
        assert_eq!(deadline.after(99).0, begun + Duration::from_millis(500));
        assert_eq!(deadline.wait(async { 7 }).await, Some(7));
        assert_eq!(deadline.wait(std::future::pending::<()>()).await, None);
        assert_eq!(begun.elapsed(), Duration::from_secs(8));
        assert!(deadline.after(1).is_past());
    }
}
