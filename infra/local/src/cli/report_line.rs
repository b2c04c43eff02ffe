//! Formats the result of an import as one line, for the user who dropped the file. Pure.

use indicatif::HumanCount;
use jiff::Timestamp;
use serde_json::Value;

/// The shortest duration for which a rate is shown, in seconds.
const SHORT: f64 = 0.1;

/// Returns the line for a finished import.
pub(crate) fn line(key: &str, report: &Value) -> String {
    let mut line = format!("{key}: ");
    if let Some(problem) = problem(report) {
        line += &problem;
    }
    let read = count(report, "read");
    if read > 0 || report["problem"].is_null() {
        line += &rows(report);
        line += &time(read, seconds(report));
    }
    if let Some(rejects) = rejects(report) {
        line += &format!(" → {rejects}");
    }
    escape_control(line.trim_end())
}

/// Returns the line for an import that failed.
pub(crate) fn failed(key: &str, reason: &str) -> String {
    escape_control(&format!("{key}: failed: {reason}"))
}

/// Returns the file name on a progress bar. A long name is cut at the start, because the end distinguishes files.
pub(crate) fn name(key: &str) -> String {
    const LONGEST: usize = 48;
    let name = escape_control(key.strip_prefix("drop/").unwrap_or(key));
    let length = name.chars().count();
    if length <= LONGEST {
        return name;
    }
    let end: String = name.chars().skip(length + 1 - LONGEST).collect();
    format!("…{end}")
}

/// Returns the number of rows and the rate in rows per second.
pub(crate) fn progress(rows: u64, per_second: Option<f64>) -> String {
    let rows = format!("{} rows", HumanCount(rows));
    match per_second {
        Some(rate) => format!("{rows}, {} rows/s", HumanCount(rate.round() as u64)),
        None => rows,
    }
}

/// Returns the row counts. `read` and `written` are always shown, the others only if they are not 0.
fn rows(report: &Value) -> String {
    let mut parts = Vec::new();
    for name in ["read", "written", "stale", "rejected", "suppressed"] {
        let count = count(report, name);
        if count > 0 || matches!(name, "read" | "written") {
            parts.push(format!("{} {name}", HumanCount(count)));
        }
    }
    let truncated = count(report, "truncated");
    if truncated > 0 {
        parts.push(format!("of these {} truncated", HumanCount(truncated)));
    }
    let unread = count(report, "unread");
    if unread > 0 {
        parts.push(format!("{} not read", HumanCount(unread)));
    }
    parts.join(", ")
}

fn time(rows: u64, seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) if seconds >= SHORT => {
            let rate = HumanCount((rows as f64 / seconds).round() as u64);
            format!(" in {seconds:.1} s ({rate} rows/s)")
        }
        Some(_) => format!(" in less than {SHORT} s"),
        None => String::new(),
    }
}

/// Returns the reason why the file was not, or not completely, ingested.
fn problem(report: &Value) -> Option<String> {
    let problem = report
        .get("problem")
        .filter(|problem| problem.is_object())?;
    let (status, detail) = (report["status"].as_str()?, problem["detail"].as_str()?);
    Some(format!("{status}: {detail} "))
}

/// Returns the object that contains the rejected rows. If there are several, returns their folder.
fn rejects(report: &Value) -> Option<&str> {
    let rejects = report["rejects"].as_array()?;
    let first = rejects.first()?.as_str()?;
    match rejects.len() {
        1 => Some(first),
        _ => Some(&first[..=first.rfind('/')?]),
    }
}

fn seconds(report: &Value) -> Option<f64> {
    let at = |name: &str| report[name].as_str()?.parse::<Timestamp>().ok();
    Some(
        at("finished_at")?
            .duration_since(at("started_at")?)
            .as_secs_f64(),
    )
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_default()
}

/// Escapes control characters. Keys and reasons come from users, and a terminal must not interpret them.
fn escape_control(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "drop/purchase/pos/a.csv";

    fn report(milliseconds: u32) -> Value {
        json!({
            "status": "completed", "read": 1204, "written": 1200, "stale": 3, "rejected": 1, "suppressed": 0, "truncated": 0,
            "started_at": "2026-01-01T00:00:00.000000Z", "finished_at": format!("2026-01-01T00:00:00.{milliseconds:03}Z"),
            "rejects": ["rejects/drop/purchase/pos/a.csv/v/0-7-7.ndjson"],
        })
    }

    #[test]
    fn the_account_is_one_line() {
        assert_eq!(
            line(KEY, &report(900)),
            "drop/purchase/pos/a.csv: 1,204 read, 1,200 written, 3 stale, 1 rejected in 0.9 s (1,338 rows/s) → \
             rejects/drop/purchase/pos/a.csv/v/0-7-7.ndjson"
        );
        let mut report = report(20);
        report["rejects"] = json!(["rejects/k/v/0-7-7.ndjson", "rejects/k/v/1-9-9.ndjson"]);
        report["truncated"] = json!(2);
        assert_eq!(
            line(KEY, &report),
            "drop/purchase/pos/a.csv: 1,204 read, 1,200 written, 3 stale, 1 rejected, of these 2 truncated in less \
             than 0.1 s → rejects/k/v/"
        );
    }

    #[test]
    fn a_problem_is_told_first_and_rows_only_where_some_were_read() {
        let problem = json!({ "type": "/problems/x", "detail": "No such folder." });
        let mut broken = report(900);
        (broken["status"], broken["problem"]) = (json!("rejected"), problem);
        broken["rejects"] = json!([]);
        assert_eq!(
            line(KEY, &broken),
            "drop/purchase/pos/a.csv: rejected: No such folder. 1,204 read, 1,200 written, 3 stale, 1 rejected in \
             0.9 s (1,338 rows/s)"
        );
        broken["read"] = json!(0);
        assert_eq!(
            line(KEY, &broken),
            "drop/purchase/pos/a.csv: rejected: No such folder."
        );
        let empty = json!({ "status": "completed", "read": 0, "written": 0 });
        assert_eq!(
            line(KEY, &empty),
            "drop/purchase/pos/a.csv: 0 read, 0 written"
        );
    }

    #[test]
    fn names_neither_command_a_terminal_nor_fill_it() {
        assert_eq!(
            name("drop/purchase/a\u{1b}[2J\n.csv"),
            r"purchase/a\u{1b}[2J\n.csv"
        );
        let long = name(&format!("drop/purchase/{}/ü.csv", "x".repeat(100)));
        assert_eq!(
            (long.chars().count(), long.ends_with("x/ü.csv")),
            (48, true)
        );
        assert_eq!(
            failed("drop/a", "E: b\rc (failed/1.json)"),
            r"drop/a: failed: E: b\rc (failed/1.json)"
        );
    }

    #[test]
    fn progress_has_a_rate_once_there_is_one() {
        assert_eq!(progress(1234, None), "1,234 rows");
        assert_eq!(progress(12_345, Some(1234.5)), "12,345 rows, 1,235 rows/s");
    }
}
