//! Defines the plan of an import and the progress of its byte ranges.
//!
//! The first invocation fixes the plan once. This module is pure: `table` stores plans and progress as maps.

use serde::{Deserialize, Serialize};
use shared::{
    model::{
        closure::ExcludedLinks,
        operation::{Operation, OperationKind, Reverted},
        report_key::ReportKeys,
        time::Instant,
        value::{self, Map},
        version::{ImportId, Version},
    },
    table::{Before, ImportItems},
};

use crate::{
    IngestError,
    counts::{self, Counts, Erased, Removed},
    erasure::PlanFacts,
    import::{
        drop_key::{DEFAULT_SOURCE, DropKey},
        mappings::PlannedMapping,
    },
    report::{Status, keys_of, tally::Tally},
    rows::{Encoding, Format, Layout, Warning, WarningCode},
    source::{FileError, FileErrorKind, notification::ObjectVersion},
};

/// The version number of the plan format. An invocation leaves a plan of another version to a release that can read it.
const FORM: u64 = 2;
/// The maximum number of ranges of an import.
const MAX_RANGES: u64 = 32;
/// The maximum number of decompressed bytes that an invocation reads again before it reaches the rest of the range.
///
/// S3 sends 90 MB/s to one connection, so these bytes take 6 of the 15 minutes of an invocation. Decompression is faster
/// (`infra/bench/results.md`, Large files).
const MAX_RESCANNED_BYTES: u64 = 32 << 30;
/// The maximum number of excluded links that a report lists.
const MAX_EXCLUDED: usize = 100;

/// The plan of an import: the object, how to read it, and the facts that all of its invocations share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    #[serde(flatten)]
    pub(crate) object: ObjectVersion,
    /// When the object was last modified, in seconds since 1970.
    pub(crate) last_modified: i64,
    /// The size of the stored object, in bytes.
    pub(crate) size: u64,
    pub(crate) compressed: bool,
    /// How the file is written.
    #[serde(flatten)]
    pub(crate) layout: Layout,
    /// How often the erasure list had changed when the import was planned.
    pub(crate) erasure_changes: u64,
    /// Where each range begins, in bytes. The last range ends with the object.
    #[serde(default)]
    pub(crate) starts: Vec<u64>,
    /// When the import was planned.
    pub(crate) started_at: Instant,
    /// The sources that the table knew before this file, if the file is the first of its source; at most 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_among: Option<Vec<String>>,
    /// The source of the records, if neither the key nor the default decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The mapping of the rows; `None` if they are records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mapping: Option<PlannedMapping>,
    /// What the rows of a file in `drop/auto/` are; `None` if a mapping was recognized. Also that a file in the folder of a mapping
    /// contains rejects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recognized: Option<Recognized>,
    /// The record types that the author of the upload may not import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) denied: Vec<String>,
    /// The revert or replay that this is the plan of; `None` if it is that of a dropped file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<Operation>,
    /// The mark of an import that was reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reverted: Option<Reverted>,
    /// The last revert or replay of the import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_operation: Option<ImportId>,
}

/// What the rows of a file in `drop/auto/` are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recognized {
    /// Records of this type.
    Type(String),
    /// Rejects of records that specify their own types.
    Rejects,
}

/// A byte range of an object. It contains the lines that begin in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The number of the range, from 0.
    pub(crate) number: usize,
    /// Where the range begins, in bytes.
    pub(crate) start: u64,
    /// Where the next range begins, in bytes; `None` if the range ends with the object.
    pub(crate) end: Option<u64>,
}

/// The progress of a byte range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    /// Where the next row begins, in bytes of the decompressed content.
    pub(crate) offset: u64,
    /// The line of the next row, from 1; `None` if it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    /// Whether the range has ended.
    pub(crate) done: bool,
    /// The number of invocations that led to this progress.
    #[serde(rename = "hops")]
    pub(crate) invocations: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// The number of rows that were read, if a mapping makes records of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) mapped_rows: u64,
    /// The number of rows that are not in `counts`, because they are blank or repeat the header of a CSV file.
    pub(crate) skipped: u64,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// The hashes of the last row and its item, to recognize that the next row replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_row: Option<String>,
    /// The number of write requests.
    pub(crate) requests: u64,
    /// The consumed write capacity units.
    pub(crate) capacity_units: f64,
    /// The number of bytes of the stored object that the rows before `offset` take. Compressed objects are read in chunks, so the
    /// number may be too high by a few chunks.
    pub(crate) consumed: u64,
    /// The names of the range's rejects objects, without the import's prefix.
    pub(crate) rejects: Vec<String>,
    /// The size of the range's rejects, in bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) reject_bytes: u64,
    #[serde(flatten, with = "counts::prefixed")]
    pub(crate) erased: Erased,
    /// What a revert did, and what a replay skipped.
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) removed: Removed,
    /// Links that erasures of whole profiles did not follow.
    #[serde(rename = "excluded_links", skip_serializing_if = "Vec::is_empty")]
    pub(crate) excluded: Vec<ExcludedLinks>,
    /// Why the range ended early, if it did.
    #[serde(flatten)]
    pub(crate) end: Option<EarlyEnd>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_empty(removed: &Removed) -> bool {
    *removed == Removed::default()
}

/// Why a range ended early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EarlyEnd {
    pub(crate) status: Status,
    #[serde(rename = "problem")]
    pub(crate) kind: FileErrorKind,
    pub(crate) detail: String,
}

impl EarlyEnd {
    pub(crate) fn new(status: Status, FileError { kind, detail }: FileError) -> Self {
        Self {
            status,
            kind,
            detail,
        }
    }

    /// Returns the problem for the report.
    pub(crate) fn problem(&self) -> FileError {
        FileError::new(self.kind, self.detail.clone())
    }
}

/// The properties of an object's content that decide how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) layout: Layout,
    pub(crate) compressed: bool,
}

impl Content {
    /// Returns whether an object can be read from the middle, because its stored bytes have one row per line. Each invocation
    /// reads other objects from their start.
    pub(crate) fn is_splittable(self) -> bool {
        self.layout.format == Format::Ndjson
            && self.layout.encoding == Encoding::Utf8
            && !self.compressed
    }

    /// Returns an error if an object cannot be read from `offset` on. Unless it is splittable, each invocation would read more
    /// than [`MAX_RESCANNED_BYTES`] bytes again.
    pub(crate) fn exceeds_rescan_limit(self, offset: u64) -> Option<FileError> {
        if self.is_splittable() || offset <= MAX_RESCANNED_BYTES {
            return None;
        }
        let detail = format!(
            "The file contains more than {} GiB decompressed, the limit for CSV, JSON and compressed files. Split it, or drop it \
             as uncompressed NDJSON, which has no limit.",
            MAX_RESCANNED_BYTES >> 30
        );
        Some(FileError::new(FileErrorKind::FileTooLarge, detail))
    }
}

/// Returns where the ranges of an object begin, in bytes. A range has at most `chunk_bytes` bytes, unless
/// that needs more than [`MAX_RANGES`].
pub(crate) fn starts(size: u64, chunk_bytes: u64, content: Content) -> Vec<u64> {
    let ranges = if content.is_splittable() {
        size.div_ceil(chunk_bytes.max(1)).clamp(1, MAX_RANGES)
    } else {
        1
    };
    (0..ranges).map(|number| size / ranges * number).collect()
}

impl Plan {
    /// Returns the ID under which the plan is stored: that of the import, or of the operation on it.
    pub(crate) fn id(&self) -> ImportId {
        self.operation
            .map_or_else(|| self.object.import(), |operation| operation.id)
    }

    /// Returns the ID of the import, which the versions of its items contain. Operations do not change it.
    pub(crate) fn import(&self) -> ImportId {
        self.object.import()
    }

    /// Returns what the operation does; `None` if this is the plan of a dropped file.
    pub(crate) fn kind(&self) -> Option<OperationKind> {
        self.operation.map(|operation| operation.kind)
    }

    /// Returns the keys of the report and the rejects.
    pub(crate) fn report_keys(&self) -> ReportKeys {
        match self.operation {
            Some(operation) => ReportKeys::of_operation(operation.id),
            None => keys_of(&self.object),
        }
    }

    /// Returns the facts about the plan that erasure needs.
    pub(crate) fn planned(&self) -> PlanFacts {
        PlanFacts {
            erasure_changes: self.erasure_changes,
            at: self.started_at.seconds(),
            is_in_one_range: self.starts.len() == 1,
        }
    }

    /// Returns the version of a row at the start of the object.
    pub(crate) fn version(&self) -> Version {
        Version::new(self.last_modified, &self.object.sequencer, self.import(), 0)
    }

    /// Returns a range by its number; `None` if there is no such range.
    pub(crate) fn range(&self, number: usize) -> Option<Range> {
        Some(Range {
            number,
            start: *self.starts.get(number)?,
            end: self.starts.get(number + 1).copied(),
        })
    }

    /// Returns the source of the records.
    pub(crate) fn source<'a>(&'a self, drop: &'a DropKey) -> &'a str {
        let source = drop.source.as_deref().or(self.source.as_deref());
        source.unwrap_or(DEFAULT_SOURCE)
    }

    /// Returns the sources of earlier files, if the file is the first of its source and there are others.
    pub(crate) fn known_sources(&self) -> Option<&Vec<String>> {
        self.new_among
            .as_ref()
            .filter(|sources| !sources.is_empty())
    }

    /// Returns the size of a range, in bytes of the stored object.
    pub(crate) fn bytes(&self, range: Range) -> u64 {
        range.end.unwrap_or(self.size).saturating_sub(range.start)
    }

    /// Returns the map that the table stores.
    pub(crate) fn to_map(&self) -> Result<Map, IngestError> {
        let mut map = value::to_map(self)?;
        map.insert("form", FORM);
        Ok(map)
    }

    /// Reads a plan from its map.
    ///
    /// # Errors
    /// The plan has another format, or a field is invalid.
    pub(crate) fn from_map(map: &Map) -> Result<Self, IngestError> {
        if map.get("form") != Some(&FORM.into()) {
            return Err(IngestError::OtherForm);
        }
        Ok(value::from_map(map)?)
    }
}

impl Progress {
    /// Returns whether the range ended because the object was no longer available. A concurrent invocation for the same event may
    /// have read the object earlier.
    pub(crate) fn is_lost(&self) -> bool {
        let kind = self.end.as_ref().map(|end| end.kind);
        matches!(
            kind,
            Some(FileErrorKind::ObjectGone | FileErrorKind::ObjectSuperseded)
        )
    }

    /// Returns the number of rows that were read. A mapping may make several records of one.
    pub(crate) fn rows(&self, plan: &Plan) -> u64 {
        match plan.mapping {
            Some(_) => self.mapped_rows,
            None => self.counts.read,
        }
    }

    /// Adds links that an erasure did not follow, up to the limit of a report.
    pub(crate) fn exclude(&mut self, links: Vec<ExcludedLinks>) {
        self.excluded.extend(links);
        self.excluded.sort();
        self.excluded.dedup();
        self.excluded.truncate(MAX_EXCLUDED);
    }

    /// Returns the progress of a range that has not begun. The first range has the warning that the source is new.
    pub(crate) fn at_start(plan: &Plan, range: Range) -> Self {
        let mut tally = Tally::default();
        if plan.known_sources().is_some() && range.number == 0 {
            tally.warn(&Warning::whole(WarningCode::NewSource), None);
        }
        Self {
            tally,
            offset: range.start,
            // An invocation that starts in the middle of an object cannot count the lines before.
            line: (plan.starts.len() == 1).then_some(1),
            ..Self::default()
        }
    }

    /// Returns the progress of a range, stored or at its start; `None` if the plan has no such range.
    pub(crate) fn of(
        plan: &Plan,
        items: &ImportItems,
        number: usize,
    ) -> Result<Option<Self>, IngestError> {
        let Some(range) = plan.range(number) else {
            return Ok(None);
        };
        Ok(Some(match stored(items, number) {
            Some(map) => Self::from_map(map)?,
            None => Self::at_start(plan, range),
        }))
    }

    /// Returns the progress of each range, in range order.
    pub(crate) fn all(plan: &Plan, items: &ImportItems) -> Result<Vec<Self>, IngestError> {
        (0..plan.starts.len())
            .filter_map(|number| Self::of(plan, items, number).transpose())
            .collect()
    }

    /// Returns the condition under which other progress of the range replaces this one, which was read with `items`.
    pub(crate) fn before(&self, items: &ImportItems, number: usize) -> Before {
        match stored(items, number) {
            Some(_) => Before::Stored(self.offset),
            None => Before::NotBegun(self.offset),
        }
    }

    /// Returns the map that the table stores. `lost` marks progress that another invocation may replace.
    pub(crate) fn to_map(&self) -> Result<Map, IngestError> {
        let mut map = value::to_map(self)?;
        if self.is_lost() {
            map.insert("lost", true);
        }
        Ok(map)
    }

    /// Reads the progress from its map. A missing field has its default.
    pub(crate) fn from_map(map: &Map) -> Result<Self, IngestError> {
        Ok(value::from_map(map)?)
    }
}

/// Returns the stored progress of a range, if it was begun.
pub(crate) fn stored(items: &ImportItems, number: usize) -> Option<&Map> {
    let mut ranges = items.ranges.iter();
    let (_, map) = ranges.find(|(range, _)| *range == number)?;
    Some(map)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use shared::model::value::Value;

    use super::*;

    const LINES: Content = Content {
        layout: Layout {
            format: Format::Ndjson,
            encoding: Encoding::Utf8,
            delimiter: None,
        },
        compressed: false,
    };

    #[test]
    fn lines_are_cut_evenly_and_nothing_else_is() {
        let chunk = 64 << 20;
        assert_eq!(starts(0, chunk, LINES), [0]);
        assert_eq!(starts(chunk, chunk, LINES), [0]);
        assert_eq!(starts(chunk + 2, chunk, LINES), [0, chunk / 2 + 1]);
        assert_eq!(starts(1 << 40, chunk, LINES).len(), 32);
        assert_eq!(
            starts(
                1 << 40,
                chunk,
                Content {
                    compressed: true,
                    ..LINES
                }
            ),
            [0]
        );
        assert_eq!(
            starts(
                1 << 40,
                chunk,
                Content {
                    layout: Layout::new(Format::Csv),
                    ..LINES
                }
            ),
            [0]
        );
        assert_eq!(starts(5, 0, LINES).len(), 5);
    }

    #[test]
    fn what_cant_be_entered_in_the_middle_is_read_so_far_and_no_farther() {
        for (format, compressed) in [
            (Format::Csv, false),
            (Format::Json, false),
            (Format::Ndjson, true),
        ] {
            let content = Content {
                layout: Layout::new(format),
                compressed,
            };
            assert_eq!(content.exceeds_rescan_limit(MAX_RESCANNED_BYTES), None);
            let error = content.exceeds_rescan_limit(MAX_RESCANNED_BYTES + 1);
            assert_eq!(error.unwrap().kind, FileErrorKind::FileTooLarge);
        }
        assert_eq!(LINES.exceeds_rescan_limit(u64::MAX), None);
    }

    #[test]
    fn plans_of_another_form_are_not_read() {
        let mut map = plan(vec![0]).to_map().unwrap();
        map.insert("form", 1_u64);
        assert!(matches!(Plan::from_map(&map), Err(IngestError::OtherForm)));
    }

    #[test]
    fn stored_plans_have_same_report_keys() {
        let imported = plan(vec![0]);
        let mut unversioned = imported.clone();
        unversioned.object.version_id = None;
        let operation = Operation::new(OperationKind::Revert, imported.import(), "a");
        let mut reverting = imported.clone();
        reverting.operation = Some(operation);
        for (plan, report) in [
            (imported, "drop/purchase/a.csv/v".to_owned()),
            (unversioned, "drop/purchase/a.csv/e-01".to_owned()),
            (reverting, operation.id.to_string()),
        ] {
            let stored = ReportKeys::of_plan(&plan.to_map().unwrap(), plan.id());
            assert_eq!(stored.report(), format!("reports/{report}.json"));
            assert_eq!(stored.report(), plan.report_keys().report());
        }
    }

    fn plan(starts: Vec<u64>) -> Plan {
        Plan {
            object: ObjectVersion {
                bucket: "b".into(),
                key: "drop/purchase/a.csv".into(),
                version_id: Some("v".into()),
                etag: "e".into(),
                sequencer: "01".into(),
                dropped_at: None,
                is_empty: false,
                origin: crate::source::notification::Origin::default(),
            },
            last_modified: 7,
            size: 9,
            compressed: true,
            layout: Layout::new(Format::Csv),
            erasure_changes: 3,
            starts,
            started_at: Instant::from_seconds(5).unwrap(),
            new_among: None,
            source: None,
            mapping: None,
            recognized: None,
            denied: Vec::new(),
            operation: None,
            reverted: None,
            last_operation: None,
        }
    }

    fn progress() -> Progress {
        Progress {
            offset: 10,
            line: Some(3),
            done: true,
            invocations: 2,
            counts: Counts {
                read: 9,
                written: 5,
                rejected: 4,
                unread: 1,
                replaced: 3,
                ..Counts::default()
            },
            mapped_rows: 0,
            skipped: 2,
            tally: {
                let mut tally = Tally::default();
                tally.warn(&Warning::whole(WarningCode::EmptyFile), None);
                tally
            },
            last_row: Some("1-2".into()),
            requests: 6,
            capacity_units: 12.5,
            consumed: 11,
            rejects: vec!["0-1-9".into()],
            reject_bytes: 640,
            erased: Erased {
                identities: 1,
                note_requests: 2,
                ..Erased::default()
            },
            removed: Removed::default(),
            excluded: vec![ExcludedLinks {
                identity: "a".repeat(26).parse().unwrap(),
                source: "crm".into(),
                links: 40,
            }],
            end: Some(EarlyEnd::new(
                Status::Failed,
                FileError::new(FileErrorKind::ObjectGone, "gone"),
            )),
        }
    }

    #[test]
    fn pins_stored_plan() {
        let mut plan = plan(vec![0, 4]);
        let mut expected = serde_json::json!({
            "form": 2, "bucket": "b", "key": "drop/purchase/a.csv", "version_id": "v", "etag": "e", "sequencer": "01",
            "last_modified": 7, "size": 9, "compressed": true, "format": "csv", "encoding": "utf-8", "delimiter": ",", "erasure_changes": 3, "starts": [0, 4],
            "started_at": "1970-01-01T00:00:05Z",
        });
        assert_eq!(serde_json::json!(plan.to_map().unwrap()), expected);
        plan.object.version_id = None;
        plan.new_among = Some(vec!["crm".into()]);
        expected.as_object_mut().unwrap().remove("version_id");
        expected["new_among"] = serde_json::json!(["crm"]);
        assert_eq!(serde_json::json!(plan.to_map().unwrap()), expected);
    }

    #[test]
    fn warns_of_new_source_once() {
        let mut plan = plan(vec![0, 4]);
        for (known, expected) in [
            (None, 0),
            (Some(vec![]), 0),
            (Some(vec!["crm".to_owned()]), 1),
        ] {
            plan.new_among = known;
            let warnings = [0, 1].map(|number| {
                let progress = Progress::at_start(&plan, plan.range(number).unwrap());
                progress.tally.warnings.len()
            });
            assert_eq!(warnings, [expected, 0]);
        }
    }

    #[test]
    fn pins_stored_progress() {
        let map = progress().to_map().unwrap();
        let expected = serde_json::json!({
            "offset": 10, "line": 3, "done": true, "hops": 2, "read": 9, "written": 5, "stale": 0, "rejected": 4, "rejects_omitted": 0,
            "suppressed": 0, "truncated": 0, "unread": 1, "replaced": 3, "skipped": 2, "last_row": "1-2", "warnings": [{"code": "empty_file", "count": 1}], "erased_identities": 1, "erased_note_requests": 2,
            "lost": true, "requests": 6, "consumed": 11, "capacity_units": 12.5, "rejects": ["0-1-9"], "reject_bytes": 640,
            "excluded_links": [{"identity": "a".repeat(26), "source": "crm", "links": 40}],
            "status": "failed", "problem": "/problems/object-gone", "detail": "gone",
        });
        assert_eq!(serde_json::json!(map), expected);
        // A whole number is stored without decimal places, and a number is not stored as a string.
        let whole = Progress {
            capacity_units: 1e15,
            ..Progress::default()
        };
        let units = whole.to_map().unwrap().get("capacity_units").cloned();
        assert_eq!(units, Some(Value::Number("1000000000000000".into())));
        let empty = serde_json::json!({
            "offset": 0, "done": false, "hops": 0, "read": 0, "written": 0, "stale": 0, "rejected": 0, "rejects_omitted": 0, "suppressed": 0,
            "truncated": 0, "unread": 0, "replaced": 0, "skipped": 0, "requests": 0, "consumed": 0, "capacity_units": 0, "rejects": [],
        });
        let stored = Progress::default().to_map().unwrap();
        assert_eq!(serde_json::json!(stored), empty);
    }

    #[test]
    fn reads_missing_and_unknown_fields() {
        let missing = Progress::from_map(&Map::new());
        assert_eq!(missing.unwrap(), Progress::default());
        let mut map = progress().to_map().unwrap();
        map.insert("added_later", "x");
        assert_eq!(Progress::from_map(&map).unwrap(), progress());
        map.insert("status", "added later");
        let end = Progress::from_map(&map).unwrap().end;
        assert_eq!(end, None, "another release's status");
        let plan = plan(vec![0]);
        let mut map = plan.to_map().unwrap();
        map.insert("added_later", "x");
        assert_eq!(Plan::from_map(&map).unwrap(), plan);
        map.remove("size");
        assert!(matches!(Plan::from_map(&map), Err(IngestError::State(_))));
    }

    proptest! {
        #[test]
        fn plans_and_progress_come_back(
            starts in prop::collection::vec(any::<u64>(), 1..4),
            numbers: [u64; 7], line: Option<u64>, done: bool, units in 0.0..1e12, rejects in prop::collection::vec("[0-9-]{1,9}", 0..3), broken: bool,
        ) {
            let new_among = line.map(|_| rejects.clone());
            let plan = Plan { new_among, ..plan(starts) };
            prop_assert_eq!(Plan::from_map(&plan.to_map().unwrap()).unwrap(), plan);
            let [read, written, rejected, offset, invocations, requests, consumed] = numbers;
            let problem = FileError::new(FileErrorKind::BrokenJson, "y");
            let progress = Progress {
                offset, line, done, invocations, requests, consumed, rejects, reject_bytes: written / 2, mapped_rows: read / 2, skipped: consumed / 2, last_row: None, tally: Tally::default(),
                erased: Erased { identities: read, notes: written, ..Erased::default() },
                removed: Removed { deleted: read, products: written, ..Removed::default() },
                excluded: vec![ExcludedLinks { identity: "a".repeat(26).parse().unwrap(), source: "crm".into(), links: 40 }],
                counts: Counts { read, written, rejected, ..Counts::default() },
                capacity_units: units,
                end: broken.then(|| EarlyEnd::new(Status::Rejected, problem)),
            };
            prop_assert_eq!(Progress::from_map(&progress.to_map().unwrap()).unwrap(), progress);
        }
    }
}
