//! Derives the state of an import from what is stored. Nothing stores that an import is running, has failed or has expired.

use shared::{
    model::{
        import::Entry,
        time::Instant,
        value::{Map, Value},
    },
    table::{Attempts, ImportItems},
};

/// How long after its request a file may arrive that is uploaded whole: the time of the URL, and an hour for a slow upload.
const WHOLE_SECONDS: i64 = 75 * 60;
/// How long after its request a multipart upload may be completed.
const PARTS_SECONDS: i64 = 24 * 60 * 60;
/// How long the last attempt may take: the timeout of ingest, and a minute.
const ATTEMPT_SECONDS: i64 = 16 * 60;

/// The state of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    AwaitingUpload,
    Expired,
    Running,
    Completed,
    Rejected,
    Failed,
    Superseded,
}

impl State {
    /// The states of imports that have ended, which outcomes contain.
    const ENDED: [Self; 4] = [
        Self::Completed,
        Self::Rejected,
        Self::Failed,
        Self::Superseded,
    ];

    /// Returns the name in documents and outcomes.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingUpload => "awaiting_upload",
            Self::Expired => "expired",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// Returns the state in an outcome; `None` if it is not the state of an import that has ended.
    fn of_outcome(outcome: &Map) -> Option<Self> {
        let name = outcome.text("state")?;
        let mut ended = Self::ENDED.into_iter();
        ended.find(|state| state.as_str() == name)
    }
}

/// Returns the state of an upload whose import has not begun.
pub(crate) fn of_upload(entry: &Entry, created_at: Instant, now: Instant) -> State {
    if has_expired(entry, created_at, now) {
        State::Expired
    } else {
        State::AwaitingUpload
    }
}

/// Returns whether it is too late to upload the file.
pub(crate) fn has_expired(entry: &Entry, created_at: Instant, now: Instant) -> bool {
    let seconds = match entry.parts {
        Some(_) => PARTS_SECONDS,
        None => WHOLE_SECONDS,
    };
    now.seconds() > created_at.seconds() + seconds
}

/// Returns the state of an import that has begun. `retries` is how often Lambda retries a failed event.
pub(crate) fn of_import(items: &ImportItems, retries: u64, now: Instant) -> State {
    if let Some(state) = items.outcome.as_ref().and_then(State::of_outcome) {
        return state;
    }
    let mut attempts = items.attempts.iter();
    if attempts.any(|(range, attempts)| has_failed(items, *range, *attempts, retries, now)) {
        State::Failed
    } else {
        State::Running
    }
}

/// Returns whether no attempt at a range is left, and the last one cannot be running.
fn has_failed(
    items: &ImportItems,
    range: usize,
    attempts: Attempts,
    retries: u64,
    now: Instant,
) -> bool {
    let progress = of_range(&items.ranges, range);
    if progress.and_then(|progress| progress.flag("done")) == Some(true) {
        return false;
    }
    // The first attempt at a planned object from its start is not counted.
    let uncounted = u64::from(range == 0 && progress.is_none() && items.plan.is_some());
    let live = of_range(&items.live, range).and_then(|live| Instant::parse(live.text("at")?));
    let last = live.map_or(attempts.at, |live| live.seconds().max(attempts.at));
    attempts.count + uncounted > retries && now.seconds() > last + ATTEMPT_SECONDS
}

/// The progress of an import, in bytes of the stored object and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) rows: u64,
}

impl Progress {
    /// Returns the progress; `None` if the size of the object is not known.
    pub(crate) fn of(items: &ImportItems) -> Option<Self> {
        if let Some(outcome) = &items.outcome {
            return Self::of_outcome(outcome);
        }
        let plan = items.plan.as_ref()?;
        let total_bytes = number(plan, "size")?;
        let is_mapped = plan.get("mapping").is_some();
        let mut progress = Self {
            total_bytes,
            ..Self::default()
        };
        let ranges = plan.list("starts").len();
        for range in 0..ranges {
            let saved = of_range(&items.ranges, range);
            let live = of_range(&items.live, range);
            let field = if is_mapped { "mapped_rows" } else { "read" };
            let is_done = saved.and_then(|saved| saved.flag("done")) == Some(true);
            let of = |saved_field: &str, live_field: &str| {
                let saved = saved.and_then(|saved| number(saved, saved_field));
                let live = live.filter(|_| !is_done);
                let live = live.and_then(|live| number(live, live_field));
                saved.max(live).unwrap_or_default()
            };
            progress.bytes += of("consumed", "bytes");
            progress.rows += of(field, "rows");
        }
        progress.bytes = progress.bytes.min(total_bytes);
        Some(progress)
    }

    /// Returns the progress of an import that has ended.
    pub(crate) fn of_outcome(outcome: &Map) -> Option<Self> {
        Some(Self {
            bytes: number(outcome, "bytes")?,
            total_bytes: number(outcome, "size")?,
            rows: number(outcome.map("rows")?, "read")?,
        })
    }
}

/// Returns a number of a map.
pub(crate) fn number(map: &Map, name: &str) -> Option<u64> {
    match map.get(name)? {
        Value::Number(number) => number.parse().ok(),
        _ => None,
    }
}

fn of_range(ranges: &[(usize, Map)], number: usize) -> Option<&Map> {
    let mut ranges = ranges.iter();
    ranges
        .find(|(range, _)| *range == number)
        .map(|(_, map)| map)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use shared::model::{
        import::{EntryKind, Parts},
        value::to_map,
    };

    use super::*;

    const RETRIES: u64 = 2;

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(seconds).unwrap()
    }

    fn map(json: &Json) -> Map {
        to_map(json).unwrap()
    }

    fn entry(parts: Option<Parts>) -> Entry {
        Entry {
            kind: EntryKind::Import,
            key: "drop/auto/a.csv".to_owned(),
            file_name: "a.csv".to_owned(),
            folder: "auto".to_owned(),
            source: None,
            size: Some(1),
            import: None,
            of: None,
            preview: false,
            created_by: None,
            denied: Vec::new(),
            parts,
        }
    }

    #[test]
    fn uploads_expire() {
        let parts = Parts {
            upload_id: "u".to_owned(),
            size: 1,
        };
        for (entry, seconds) in [(entry(None), 4_500), (entry(Some(parts)), 86_400)] {
            let state = |after: i64| of_upload(&entry, at(1_000), at(1_000 + after)).as_str();
            assert_eq!(state(seconds), "awaiting_upload");
            assert_eq!(state(seconds + 1), "expired");
        }
    }

    /// An import whose range `range` had this many attempts, the last one at second 1,000.
    fn attempted(range: usize, count: u64) -> ImportItems {
        ImportItems {
            plan: Some(Map::new()),
            attempts: vec![(range, Attempts { count, at: 1_000 })],
            ..ImportItems::default()
        }
    }

    #[test]
    fn imports_end_with_their_outcome() {
        let mut items = attempted(1, RETRIES + 1);
        assert_eq!(of_import(&items, RETRIES, at(10_000)).as_str(), "failed");
        items.outcome = Some(map(&json!({"state": "completed"})));
        assert_eq!(of_import(&items, RETRIES, at(10_000)).as_str(), "completed");
    }

    #[test]
    fn imports_fail_after_the_last_attempt() {
        let state = |items: &ImportItems, seconds| of_import(items, RETRIES, at(seconds)).as_str();
        let late = 1_000 + ATTEMPT_SECONDS;
        assert_eq!(ATTEMPT_SECONDS, 960);
        // The last attempt at range 1 is the third, that at range 0 the second: its first one is not counted.
        for (range, last) in [(1, RETRIES + 1), (0, RETRIES)] {
            assert_eq!(state(&attempted(range, last), late), "running");
            assert_eq!(state(&attempted(range, last), late + 1), "failed");
            assert_eq!(state(&attempted(range, last - 1), late + 1), "running");
        }
        let mut saved = attempted(0, RETRIES);
        saved.ranges = vec![(0, map(&json!({"consumed": 1})))];
        assert_eq!(state(&saved, late + 1), "running");
        let mut unplanned = attempted(0, RETRIES);
        unplanned.plan = None;
        assert_eq!(state(&unplanned, late + 1), "running");
    }

    #[test]
    fn ranges_that_report_or_are_done_have_not_failed() {
        let state = |items: &ImportItems, seconds| of_import(items, RETRIES, at(seconds)).as_str();
        let late = 1_000 + ATTEMPT_SECONDS;
        let mut live = attempted(1, RETRIES + 1);
        live.live = vec![
            (0, map(&json!({"at": at(9_000)}))),
            (1, map(&json!({"at": at(1_001)}))),
        ];
        assert_eq!(state(&live, late + 1), "running");
        assert_eq!(state(&live, late + 2), "failed");
        let mut done = attempted(1, RETRIES + 1);
        done.ranges = vec![(0, Map::new()), (1, map(&json!({"done": true})))];
        assert_eq!(state(&done, late + 1), "running");
        done.ranges = vec![(0, map(&json!({"done": true}))), (1, Map::new())];
        assert_eq!(state(&done, late + 1), "failed");
    }

    #[test]
    fn progress_is_what_ranges_saved_or_report() {
        let plan = json!({"size": 100, "starts": [0, 50]});
        let mut items = ImportItems {
            plan: Some(map(&plan)),
            ranges: vec![
                (
                    0,
                    map(&json!({"consumed": 20, "read": 2, "mapped_rows": 3})),
                ),
                (
                    1,
                    map(&json!({"consumed": 30, "read": 4, "mapped_rows": 5, "done": true})),
                ),
            ],
            live: vec![
                (0, map(&json!({"bytes": 25, "rows": 6}))),
                (1, map(&json!({"bytes": 45, "rows": 7}))),
            ],
            ..ImportItems::default()
        };
        let progress = |items: &ImportItems| {
            let progress = Progress::of(items)?;
            Some((progress.bytes, progress.total_bytes, progress.rows))
        };
        assert_eq!(progress(&items), Some((55, 100, 10)));
        items.live.clear();
        assert_eq!(progress(&items), Some((50, 100, 6)));
        items.plan = Some(map(&json!({"size": 40, "starts": [0, 50], "mapping": {}})));
        assert_eq!(progress(&items), Some((40, 40, 8)));
        items.plan = Some(map(&json!({"starts": [0]})));
        assert_eq!(progress(&items), None);
        items.outcome = Some(map(&json!({"bytes": 9, "size": 10, "rows": {"read": 3}})));
        assert_eq!(progress(&items), Some((9, 10, 3)));
    }

    #[test]
    fn numbers_are_whole() {
        let fields = map(&json!({"a": 7, "b": "7", "c": 7.5}));
        assert_eq!(number(&fields, "a"), Some(7));
        for name in ["b", "c", "d"] {
            assert_eq!(number(&fields, name), None, "{name}");
        }
    }

    #[test]
    fn outcomes_contain_states_of_ended_imports() {
        for (name, state) in [
            ("completed", Some(State::Completed)),
            ("superseded", Some(State::Superseded)),
            ("running", None),
            ("Completed", None),
        ] {
            let mut outcome = Map::new();
            outcome.insert("state", name);
            assert_eq!(State::of_outcome(&outcome), state, "{name}");
        }
        assert_eq!(State::of_outcome(&Map::new()), None);
    }
}
