//! Builds the report of an import from its plan and the progress of its ranges.

use crate::{
    counts::Erased,
    import::{
        drop_key::{DEFAULT_SOURCE, DropKey, Folder},
        plan::{Plan, Progress, Recognized},
    },
    report::{MappingUsed, Report, Status},
    rows::{Warning, WarningCode},
    source::notification::ObjectVersion,
};

/// Builds the report of an import of which nothing was read.
pub(crate) fn unread(object: &ObjectVersion) -> Report {
    let Ok(drop) = DropKey::parse(&object.key) else {
        return Report::new(object, None, None);
    };
    let names_type = matches!(drop.folder, Folder::RecordType(_) | Folder::Mixed);
    let source = drop.source.unwrap_or_else(|| DEFAULT_SOURCE.to_owned());
    Report::new(object, names_type.then_some(drop.name), Some(source))
}

/// Builds the report of a file without content.
pub(crate) fn empty(object: &ObjectVersion) -> Report {
    let mut report = unread(object);
    let warning = Warning::whole(WarningCode::EmptyFile);
    report.tally.warn(&warning, None);
    report
}

/// Builds the report of a planned import of which nothing is counted yet.
fn planned(plan: &Plan) -> Report {
    let unread = unread(&plan.object);
    let drop = DropKey::parse(&plan.object.key).ok();
    let recognized = match &plan.recognized {
        Some(Recognized::Type(name)) => Some(name.clone()),
        Some(Recognized::Rejects) if plan.mapping.is_none() => Some("mixed".to_owned()),
        Some(Recognized::Rejects) | None => None,
    };
    let mapping = plan.mapping.as_ref().map(|mapping| MappingUsed {
        name: mapping.name.clone(),
        version_id: mapping.version_id.clone(),
    });
    Report {
        started_at: plan.started_at,
        known_sources: plan.known_sources().cloned(),
        record_type: recognized.or(unread.record_type),
        source: drop.map(|drop| plan.source(&drop).to_owned()),
        mapping,
        ..unread
    }
}

/// Builds the report of an import from the progress of its ranges, in range order.
pub(crate) fn from_progress(plan: &Plan, ranges: &[Progress]) -> Report {
    let mut report = planned(plan);
    let keys = plan.report_keys();
    let mut unread_bytes = 0;
    for (number, range) in ranges.iter().enumerate() {
        if range.end.is_some() {
            let bytes = plan.range(number).map_or(0, |range| plan.bytes(range));
            // At least 1 byte is unread, even if the object ends in the middle of its compressed data.
            unread_bytes += bytes.saturating_sub(range.consumed).max(1);
        }
        report.counts.add(&range.counts);
        report.rows.read += range.rows(plan);
        report.rows.skipped += range.skipped;
        report.tally.add(&range.tally);
        report.requests += range.requests;
        report.capacity_units += range.capacity_units;
        report
            .rejects
            .extend(range.rejects.iter().map(|name| keys.rejects(name)));
        report.excluded_links.extend(range.excluded.clone());
        if range.erased != Erased::default() {
            report.erased.get_or_insert_default().add(&range.erased);
        }
        if let (Some(end), None) = (&range.end, &report.problem) {
            report.status = end.status;
            report.problem = Some(end.problem());
        }
    }
    let is_complete = plan.mapping.is_some() && report.status == Status::Completed;
    if is_complete && report.counts.read == 0 && report.rows.skipped > 0 {
        let warning = Warning::whole(WarningCode::NoRecords);
        report.tally.warn(&warning, None);
    }
    report.tally.sort();
    report.counts.unread += unread_rows(report.rows.read, plan.size, unread_bytes);
    report
}

/// Returns the number of bytes of the stored object whose rows are accounted for: all of them, if the import is complete.
pub(crate) fn consumed(plan: &Plan, report: &Report, ranges: &[Progress]) -> u64 {
    if report.status == Status::Completed {
        return plan.size;
    }
    let consumed: u64 = ranges.iter().map(|range| range.consumed).sum();
    consumed.min(plan.size)
}

/// Estimates the rows in `unread` bytes of an object of `size` bytes, from the rows that were read in the other bytes. Returns at
/// least 1 if there are unread bytes, and 0 if no row was read.
fn unread_rows(read: u64, size: u64, unread: u64) -> u64 {
    if read == 0 || unread == 0 {
        return 0;
    }
    let consumed = size.saturating_sub(unread).max(1);
    let rows = u128::from(read) * u128::from(unread) / u128::from(consumed);
    u64::try_from(rows).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_unread_rows() {
        for (read, size, unread, expected) in [
            (0, 1_000, 1_000, 0),
            (10, 1_000, 0, 0),
            (10, 1_000, 500, 10),
            (10, 1_000, 900, 90),
            (10, 1_000, 1, 1),
            (10, 1_000, 2_000, 20_000),
            (u64::MAX, u64::MAX, u64::MAX, u64::MAX),
        ] {
            assert_eq!(
                unread_rows(read, size, unread),
                expected,
                "{read} {size} {unread}"
            );
        }
    }
}
