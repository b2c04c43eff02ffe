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
pub(crate) const PARTS_SECONDS: i64 = 24 * 60 * 60;
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
    let seconds = match entry.parts {
        Some(_) => PARTS_SECONDS,
        None => WHOLE_SECONDS,
    };
    if now.seconds() > created_at.seconds() + seconds {
        State::Expired
    } else {
        State::AwaitingUpload
    }
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
    use super::*;

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
