//! Adds the result of a tried file to its document, from the report that ingest-check puts.

use serde_json::Value as Json;
use shared::{
    http::{
        principal::{Principal, Scope},
        problem::Problem,
    },
    model::{
        import::Entry,
        report_key::ReportKeys,
        value::{Map, Value},
    },
};

use crate::{
    bucket::Bucket,
    document::{add_outcome, add_progress},
    status::Progress,
};

/// The number of records and of profiles that a response contains.
const SAMPLES: usize = 3;

/// Adds the result of a tried upload, if there is one. The samples contain personal data.
pub(crate) async fn add(
    bucket: &Bucket,
    principal: &Principal,
    entry: &Entry,
    document: &mut Map,
) -> Result<(), Problem> {
    let key = ReportKeys::of_tried_upload(&entry.key).report();
    let Some(report) = bucket.read(&key, None).await? else {
        return Ok(());
    };
    let mut report: Json = serde_json::from_slice(&report).map_err(Problem::internal)?;
    let mut trial = Map::new();
    for name in ["records", "profiles"] {
        let mut samples = report[name].take();
        if let Some(samples) = samples.as_array_mut() {
            samples.truncate(SAMPLES);
        }
        trial.insert(name, Value::from(samples));
    }
    let Value::Map(report) = Value::from(report) else {
        return Ok(());
    };
    add_report(document, report, entry.size.unwrap_or_default());
    if principal.has(Scope::PiiRead) {
        document.insert("trial", trial);
    }
    Ok(())
}

/// Adds what the report of a tried file has in common with the outcome of an import.
fn add_report(document: &mut Map, report: Map, size: u64) {
    const NAMES: [&str; 17] = [
        "finished_at",
        "mapping",
        "problem",
        "read",
        "reasons",
        "record_type",
        "rejected",
        "replaced",
        "rows",
        "source",
        "stale",
        "status",
        "suppressed",
        "truncated",
        "unknown_fields",
        "warnings",
        "written",
    ];
    let mut outcome = report;
    outcome.retain(|name, value| NAMES.contains(&name) && *value != Value::Null);
    if let Some(status) = outcome.remove("status") {
        outcome.insert("state", status);
    }
    if let Some(Value::Map(problem)) = outcome.get_mut("problem")
        && let Some(Value::Text(kind)) = problem.remove("type")
    {
        let code = kind.strip_prefix("/problems/").unwrap_or(&kind);
        problem.insert("code", code);
    }
    outcome.insert("size", size);
    outcome.insert("bytes", size);
    add_outcome(document, &outcome);
    add_progress(document, Progress::of_outcome(&outcome));
}
