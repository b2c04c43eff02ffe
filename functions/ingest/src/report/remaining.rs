//! Lists the copies of erased identities' data that an erasure does not delete.

use serde::Serialize;
use shared::model::{
    retention::{
        LOG_DELETION_DAYS, NONCURRENT_DAYS, NONCURRENT_DROP_DAYS, Retention, days_after,
        object_days,
    },
    time::Instant,
};

/// A copy of an erased identity's data that still exists, and when it expires at the latest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RemainingCopy {
    /// Where the copy is.
    pub(crate) what: &'static str,
    /// `None` if it is unknown, because the retention is not configured.
    pub(crate) until: Option<Instant>,
}

/// How many days the bucket keeps tried files and their reports, before they become noncurrent.
const TRY_DAYS: u64 = 1;
/// How many days DynamoDB's point-in-time recovery reaches back.
const BACKUP_DAYS: u64 = 35;

/// Returns the copies that still exist of identities erased at `now`.
pub(crate) fn remaining_copies(now: Instant, retention: &Retention) -> Vec<RemainingCopy> {
    let tried = Some(object_days(TRY_DAYS, NONCURRENT_DAYS));
    let kept = |days: Option<u64>, noncurrent| Some(object_days(days?, noncurrent));
    let logged = |days: Option<u64>| Some(days?.saturating_add(LOG_DELETION_DAYS));
    let copies = [
        (
            "dropped files under drop/, with their noncurrent versions",
            kept(retention.raw_files, NONCURRENT_DROP_DAYS),
        ),
        (
            "forget files under drop/forget/, with their noncurrent versions",
            kept(retention.forget_files, NONCURRENT_DAYS),
        ),
        (
            "rejected rows under rejects/",
            kept(retention.rejects, NONCURRENT_DAYS),
        ),
        (
            "tried files under try/, with their noncurrent versions",
            tried,
        ),
        ("reports of tried files under reports/try/", tried),
        (
            "the table's backups for point-in-time recovery",
            Some(BACKUP_DAYS),
        ),
        (
            "journal of erasures under erasures/: IDs of the erased identities, without identifiers",
            kept(retention.erasure_journal, NONCURRENT_DAYS),
        ),
        (
            "logs of the functions and of the API: IDs of the profile, without identifiers",
            logged(retention.logs),
        ),
        (
            "audit log: IDs of the profile, without identifiers",
            logged(retention.audit_log),
        ),
    ];
    let copies = copies.into_iter();
    copies
        .map(|(what, days)| RemainingCopy {
            what,
            until: days.and_then(|days| days_after(now, days)),
        })
        .collect()
}
