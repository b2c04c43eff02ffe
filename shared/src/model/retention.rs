//! How long each kind of data is kept. `infra/docs/reference/retention.md` lists all kinds.

use crate::model::{keys::SortKey, time::Instant};

/// How many days later than its rule says a step of the bucket's lifecycle happens at most: S3 rounds each step up to the next midnight
/// UTC. It removes the object some time after that.
///
/// See `ExpirationInDays` in <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>.
pub const ROUNDING_DAYS: u64 = 1;
/// How many days noncurrent versions of a dropped file stay after the bucket's rule has expired it.
pub const NONCURRENT_DROP_DAYS: u64 = 7;
/// How many days noncurrent versions of other objects stay.
pub const NONCURRENT_DAYS: u64 = 1;
/// How many days CloudWatch Logs needs at most to delete lines whose retention has ended.
pub const LOG_DELETION_DAYS: u64 = 3;
/// The number of seconds of a day.
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// How long each kind of data is kept, in days; `None` if it is kept permanently, or if the limit is not configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Events and their bodies, after the time of the event.
    pub events: Option<u64>,
    /// Customer records and identity links of files, after the last modification of the newest file that contains them.
    pub records: Option<u64>,
    /// Attributes, likewise.
    pub attributes: Option<u64>,
    /// Notes, after their creation.
    pub notes: Option<u64>,
    /// Objects under `drop/`.
    pub raw_files: Option<u64>,
    /// Objects under `drop/forget/`.
    pub forget_files: Option<u64>,
    /// Objects under `rejects/`.
    pub rejects: Option<u64>,
    /// Objects under `erasures/`.
    pub erasure_journal: Option<u64>,
    /// Log lines.
    pub logs: Option<u64>,
    /// Audit lines.
    pub audit_log: Option<u64>,
}

impl Retention {
    /// Returns when an item of a file expires, in seconds since 1970. `last_modified` is that of the file.
    pub fn expiry(&self, key: &SortKey, last_modified: i64) -> Option<i64> {
        let (from, days) = match key {
            SortKey::Event(key) | SortKey::Body(key) => (key.at().seconds(), self.events?),
            SortKey::Record(_) | SortKey::Link { .. } => (last_modified, self.records?),
            SortKey::Attributes { .. } => (last_modified, self.attributes?),
            // Files write no notes and idempotency records. Markers never expire: they keep out what was erased.
            SortKey::Note(_) | SortKey::Request(_) | SortKey::Marker(_) => return None,
        };
        let end = from.saturating_add_unsigned(days.saturating_mul(DAY_SECONDS));
        // Not before the file's last modification: DynamoDB does not delete an item that expired years ago.
        Some(end.max(last_modified))
    }
}

/// Returns how many days S3 keeps an object at most: until its rule expires it after `days`, then as a noncurrent version.
pub const fn object_days(days: u64, noncurrent: u64) -> u64 {
    days.saturating_add(noncurrent)
        .saturating_add(2 * ROUNDING_DAYS)
}

/// Returns the instant this many days after `at`.
pub fn days_after(at: Instant, days: u64) -> Option<Instant> {
    let seconds = days.saturating_mul(DAY_SECONDS);
    Instant::from_seconds(at.seconds().saturating_add_unsigned(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::keys::{EventKey, Marker};

    #[test]
    fn events_expire_after_their_own_time() {
        let key = |text| SortKey::Event(EventKey::parse(text).unwrap());
        let event = key("2026-01-02T00:00:00.000000Z#sms_send#aaaaaaaaaaaaaaaa");
        let at = 1_767_312_000;
        let retention = Retention {
            events: Some(30),
            ..Retention::default()
        };
        assert_eq!(retention.expiry(&event, at), Some(at + 30 * 86_400));
        // An event past the limit expires immediately.
        assert_eq!(
            retention.expiry(&event, at + 99 * 86_400),
            Some(at + 99 * 86_400)
        );
        assert_eq!(Retention::default().expiry(&event, at), None);
        assert_eq!(retention.expiry(&SortKey::Record("crm".into()), at), None);
    }

    #[test]
    fn records_and_attributes_expire_after_their_file() {
        let record = SortKey::Record("crm".into());
        let link = SortKey::Link {
            source: "crm".into(),
            other: "a".repeat(26).parse().unwrap(),
        };
        let attributes = SortKey::Attributes {
            source: "crm".into(),
            namespace: "segments".into(),
        };
        let retention = Retention {
            records: Some(10),
            attributes: Some(20),
            ..Retention::default()
        };
        let days = |key: &SortKey| Some((retention.expiry(key, 1_000)? - 1_000) / 86_400);
        assert_eq!(days(&record), Some(10));
        assert_eq!(days(&link), Some(10));
        assert_eq!(days(&attributes), Some(20));
        assert_eq!(days(&SortKey::Marker(Marker::Erased)), None);
        for key in [record, link, attributes] {
            assert_eq!(Retention::default().expiry(&key, 1_000), None);
        }
    }

    #[test]
    fn objects_stay_a_day_longer_for_each_step() {
        assert_eq!(object_days(90, NONCURRENT_DROP_DAYS), 99);
        assert_eq!(object_days(u64::MAX, 1), u64::MAX);
        let at = Instant::from_seconds(0).unwrap();
        assert_eq!(days_after(at, 2), Instant::from_seconds(2 * 86_400));
        assert_eq!(days_after(at, u64::MAX), None);
    }
}
