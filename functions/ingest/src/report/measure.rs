//! Measures an import for CloudWatch. The metrics are written with an import's first report, so that a duplicate event is counted
//! once. If the response to that put is lost, they may be written again.

use shared::{
    model::keys::EventType,
    runtime::metrics::{self, Unit},
};

use crate::report::{Report, Status};

/// Writes the metrics of an import that has been reported. `last_modified` is the object's, in seconds since 1970; `None` if the
/// object was not opened.
pub(crate) fn import(report: &Report, last_modified: Option<i64>) {
    metrics::emit(
        &measured(report, last_modified),
        &[
            ("import", report.import.as_str().into()),
            ("status", report.status.as_str().into()),
            ("record_type", report.record_type.clone().into()),
            (
                "mapping",
                report
                    .mapping
                    .as_ref()
                    .map(|mapping| mapping.name.clone())
                    .into(),
            ),
            ("source", report.source.clone().into()),
        ],
    );
}

fn measured(report: &Report, last_modified: Option<i64>) -> Vec<(&'static str, Unit, f64)> {
    let milliseconds = report.finished_at.milliseconds() - report.started_at.milliseconds();
    let seconds = milliseconds.max(1) as f64 / 1000.0;
    let counts = &report.counts;
    let mut measured = vec![
        ("RowsRead", Unit::Count, counts.read as f64),
        ("RowsWritten", Unit::Count, counts.written as f64),
        ("RowsStale", Unit::Count, counts.stale as f64),
        ("RowsRejected", Unit::Count, counts.rejected as f64),
        ("RowsSuppressed", Unit::Count, counts.suppressed as f64),
        (
            "RowsUnread",
            Unit::Count,
            (counts.unread + replaced_events(report)) as f64,
        ),
        ("RowsReplaced", Unit::Count, counts.replaced as f64),
        ("RowsSkipped", Unit::Count, report.rows.skipped as f64),
        ("Warnings", Unit::Count, warnings(report) as f64),
        (
            "FilesRejected",
            Unit::Count,
            f64::from(u8::from(is_refused(report.status))),
        ),
        ("WriteCapacityUnits", Unit::Count, report.capacity_units),
    ];
    if let Some(last_modified) = last_modified {
        let lag = (report.finished_at.seconds() - last_modified).max(0) as f64;
        measured.push(("Lag", Unit::Seconds, lag));
    }
    if counts.read > 0 {
        let rate = counts.read as f64 / seconds;
        measured.push(("RowsPerSecond", Unit::CountPerSecond, rate));
        // The share is computed per file. Among the rows of many good files, those of a bad one would not show.
        let lost = (counts.rejected + counts.unread) as f64;
        let share = 100.0 * lost / (counts.read + counts.unread) as f64;
        measured.push(("RejectedShare", Unit::Percent, share));
    }
    measured
}

/// Returns the number of replaced rows, if they are events. Two rows of one event are almost always lines of one order that were not
/// recognized. Other records may be changed several times in a file.
fn replaced_events(report: &Report) -> u64 {
    let record_type = report.record_type.as_deref();
    let is_event =
        record_type.is_some_and(|name| name == "mixed" || name.parse::<EventType>().is_ok());
    if is_event || report.mapping.is_some() {
        report.counts.replaced
    } else {
        0
    }
}

/// Returns the number of warnings, each counted as often as it occurred.
fn warnings(report: &Report) -> u64 {
    report.tally.warnings.iter().map(|entry| entry.count).sum()
}

/// Returns whether a file was not read, or not to its end. A superseded file is not counted, because the object that replaced it
/// has its own import.
const fn is_refused(status: Status) -> bool {
    match status {
        Status::Rejected | Status::Failed => true,
        Status::Completed | Status::Superseded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counts::Counts,
        source::notification::{ObjectVersion, Origin},
    };

    fn object() -> ObjectVersion {
        ObjectVersion {
            bucket: "b".to_owned(),
            key: "drop/purchase/a.csv".to_owned(),
            version_id: None,
            etag: "e".to_owned(),
            sequencer: "01".to_owned(),
            dropped_at: None,
            is_empty: false,
            origin: Origin::default(),
        }
    }

    fn metric(report: &Report, name: &str) -> Option<f64> {
        let measured = measured(report, None);
        let found = measured.iter().find(|(own, ..)| *own == name);
        found.map(|(.., value)| *value)
    }

    #[test]
    fn counts_refused_files() {
        for (status, expected) in [
            (Status::Completed, 0.0),
            (Status::Rejected, 1.0),
            (Status::Failed, 1.0),
            (Status::Superseded, 0.0),
        ] {
            let mut report = Report::new(&object(), None, None);
            report.status = status;
            assert_eq!(
                metric(&report, "FilesRejected"),
                Some(expected),
                "{status:?}"
            );
            // No row was read, so there is no share of rows.
            assert_eq!(metric(&report, "RejectedShare"), None);
            assert_eq!(metric(&report, "Lag"), None);
        }
    }

    #[test]
    fn shares_are_of_one_file() {
        for (read, rejected, unread, expected) in
            [(100, 0, 0, 0.0), (100, 6, 0, 6.0), (30, 1, 1_970, 98.55)]
        {
            let mut report = Report::new(&object(), None, None);
            report.counts = Counts {
                read,
                rejected,
                unread,
                ..Counts::default()
            };
            assert_eq!(metric(&report, "RejectedShare"), Some(expected));
            assert_eq!(metric(&report, "RowsUnread"), Some(unread as f64));
        }
    }

    #[test]
    fn replaced_events_count_as_unread() {
        for (record_type, expected) in [
            ("purchase", 12.0),
            ("mixed", 12.0),
            ("customer_record", 5.0),
        ] {
            let mut report = Report::new(&object(), Some(record_type.into()), None);
            (report.counts.unread, report.counts.replaced) = (5, 7);
            assert_eq!(
                metric(&report, "RowsUnread"),
                Some(expected),
                "{record_type}"
            );
            assert_eq!(metric(&report, "RowsReplaced"), Some(7.0));
        }
    }
}
