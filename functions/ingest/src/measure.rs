//! An import's measurements, for CloudWatch. A report that is put twice is counted twice: the report itself is exact.

use shared::metrics::{self, Unit};

use crate::report::Report;

/// Of an import that has been reported. `last_modified` is the object's, in seconds since 1970.
pub(crate) fn import(report: &Report, last_modified: i64) {
    let milliseconds = report.finished_at.milliseconds() - report.started_at.milliseconds();
    let seconds = milliseconds.max(1) as f64 / 1000.0;
    let lag = (report.finished_at.seconds() - last_modified).max(0) as f64;
    let counts = &report.counts;
    let mut measured = vec![
        ("RowsRead", Unit::Count, counts.read as f64),
        ("RowsWritten", Unit::Count, counts.written as f64),
        ("RowsStale", Unit::Count, counts.stale as f64),
        ("RowsRejected", Unit::Count, counts.rejected as f64),
        ("RowsSuppressed", Unit::Count, counts.suppressed as f64),
        ("WriteCapacityUnits", Unit::Count, report.capacity_units),
        ("Lag", Unit::Seconds, lag),
    ];
    if counts.read > 0 {
        measured.push((
            "RowsPerSecond",
            Unit::CountPerSecond,
            counts.read as f64 / seconds,
        ));
    }
    metrics::emit(
        &measured,
        &[
            ("import", report.import.as_str().into()),
            ("status", report.status.as_str().into()),
            ("record_type", report.record_type.clone().into()),
            ("source", report.source.clone().into()),
        ],
    );
}
