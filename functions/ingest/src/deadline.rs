//! When a run has to stop reading, so that what it has begun is over, and noted, before Lambda ends it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The share of its time that a run keeps for its end, and the bounds of that.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// No time since 1970 that an invocation ends at is shorter.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
}
