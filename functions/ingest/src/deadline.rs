//! When a run has to stop reading, so that what it has begun is over, and noted, before Lambda ends it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The share of its time that a run keeps for its end, and the bounds of that.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// No time since 1970 that an invocation ends at is shorter.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a run's time for rows is halved at most.
const MOST_HALVES: u32 = 4;

/// The moment after which a run takes no more rows in.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// From Lambda's own: when the invocation ends, in time since 1970.
    pub fn at(end: SystemTime) -> Self {
        let told = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        // `cargo lambda watch` tells how long the invocation may take.
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

    /// What comes of waiting; `None` if it has not come by then.
    pub(crate) async fn wait<T>(self, coming: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.0, coming).await.ok()
    }

    /// For a try after others, once its first row has come: with half the time for rows, and half again for each more,
    /// so that its end, which may be what took too long, gets the rest.
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
