//! Formats the result of an import, or of the check of a mapping, as one line, for the user who put the file. Pure.

use indicatif::HumanCount;
use jiff::Timestamp;
use serde_json::Value;

/// The shortest duration for which a rate is shown, in seconds.
const SHORT: f64 = 0.1;

/// The maximum number of warnings, reasons and unknown fields that are listed of each.
const MAX_LISTED: usize = 3;

/// Returns the line for a finished import, and one more for each kind of warning, reason and unknown field.
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
    if let Some(mapping) = report["mapping"]["name"].as_str() {
        line += &format!(", mapping {mapping}");
    }
    if let Some(rejects) = rejects(report) {
        line += &format!(" → {rejects}");
    }
    if let (Some(key), Some(version)) = (tried(report), report["version_id"].as_str()) {
        let end = if line.ends_with(". ") { "" } else { ". " };
        let shown = if read > 0 {
            "Records and profiles"
        } else {
            "Report"
        };
        line += &format!("{end}Nothing is stored. {shown}: reports/{key}/{version}.json");
    }
    let mut lines = vec![escape_control(line.trim_end())];
    lines.extend(listed(report, "reasons", "rejected", entry));
    lines.extend(listed(report, "warnings", "warning", entry));
    lines.extend(listed(report, "unknown_fields", "unknown field", unknown));
    lines.join("\n")
}

/// Returns the key of a file that was tried.
fn tried(report: &Value) -> Option<&str> {
    report["key"].as_str().filter(|key| key.starts_with("try/"))
}

/// Returns a line for each entry of a list in the report, up to [`MAX_LISTED`].
fn listed(report: &Value, list: &str, name: &str, text: fn(&Value) -> String) -> Vec<String> {
    let entries = report[list].as_array().map_or(&[][..], Vec::as_slice);
    let shown = entries.iter().take(MAX_LISTED);
    let mut lines: Vec<_> = shown
        .map(|entry| format!("  {name}: {}", escape_control(&text(entry))))
        .collect();
    if entries.len() > MAX_LISTED {
        let more = entries.len() - MAX_LISTED;
        lines.push(format!("  … {more} more under `{list}` in the report"));
    }
    lines
}

/// Returns a warning or reason with its field, its count and its first place.
fn entry(entry: &Value) -> String {
    let mut text = entry["code"].as_str().unwrap_or_default().to_owned();
    if let Some(field) = entry["field"].as_str() {
        text += &format!(" {field}");
    }
    let count = count(entry, "count");
    if count > 1 {
        text += &format!(", {} times", HumanCount(count));
    }
    let first = &entry["first"];
    let place = match (first["line"].as_u64(), first["offset"].as_u64()) {
        (Some(line), _) => format!("line {line}"),
        (None, Some(offset)) => format!("byte {offset}"),
        (None, None) => return text,
    };
    let first = if count > 1 { "first at" } else { "at" };
    format!("{text}, {first} {place}")
}

/// Returns an unknown field with its count and the known field that it resembles.
fn unknown(field: &Value) -> String {
    let mut text = field["name"].as_str().unwrap_or_default().to_owned();
    let count = count(field, "count");
    if count > 1 {
        text += &format!(", {} times", HumanCount(count));
    }
    if let Some(like) = field["like"].as_str() {
        text += &format!("; did you mean {like}?");
    }
    text
}

/// Returns the line for a mapping that was checked, with its first error, and one more for each warning up to [`MAX_LISTED`].
pub(crate) fn mapping(key: &str, report: &Value) -> String {
    let status = report["status"].as_str().unwrap_or_default();
    let mut line = format!("{key}: {status}");
    if report["overrides_builtin"] == true {
        line += ", takes precedence over the built-in mapping of this name";
    }
    let errors = report["errors"].as_array().map_or(&[][..], Vec::as_slice);
    if let Some(first) = errors.first() {
        line += &format!(": {}", finding(first));
    }
    if errors.len() > 1 {
        line += &format!(
            " ({} more under `errors` in reports/{key})",
            errors.len() - 1
        );
    }
    let mut lines = vec![escape_control(&line)];
    lines.extend(listed(report, "warnings", "warning", finding));
    lines.join("\n")
}

/// Returns an error or warning of a mapping: its place in the document, if it has one, and the problem.
fn finding(finding: &Value) -> String {
    let problem = finding["problem"].as_str().unwrap_or_default();
    match finding["place"].as_str().unwrap_or_default() {
        "" => format!("The mapping {problem}"),
        place => format!("{place} {problem}"),
    }
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
    for (name, counter) in [
        ("replaced", &report["replaced"]),
        ("skipped", &report["rows"]["skipped"]),
    ] {
        if let Some(count) = counter.as_u64().filter(|count| *count > 0) {
            parts.push(format!("{} {name}", HumanCount(count)));
        }
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
    fn names_the_report_of_a_try() {
        let of = |report: Value| line("try/auto/a.csv", &report);
        let mut tried = json!({"key": "try/auto/a.csv", "version_id": "v", "status": "completed", "read": 2, "written": 2});
        tried["mapping"] = json!({"name": "pos"});
        assert_eq!(
            of(tried),
            "try/auto/a.csv: 2 read, 2 written, mapping pos. Nothing is stored. Records and profiles: reports/try/auto/a.csv/v.json"
        );
        let rejected = json!({"key": "try/auto/a.csv", "version_id": "v", "status": "rejected", "read": 0,
            "problem": {"type": "/problems/unrecognized", "detail": "The file fits nothing."}});
        assert_eq!(
            of(rejected),
            "try/auto/a.csv: rejected: The file fits nothing. Nothing is stored. Report: reports/try/auto/a.csv/v.json"
        );
    }

    #[test]
    fn lists_warnings_reasons_and_unknown_fields() {
        let mut report = report(20);
        report["replaced"] = json!(4);
        report["rows"] = json!({"read": 1204, "skipped": 12});
        report["rejects"] = json!([]);
        report["reasons"] =
            json!([{"code": "invalid_json", "count": 1, "first": {"line": 3, "offset": 9}}]);
        let warning = |field| json!({"code": "invalid_field", "field": field, "count": 1204, "first": {"line": null, "offset": 7}});
        report["warnings"] = json!([{"code": "new_source", "count": 1}, warning("a"), warning("b\u{1b}"), warning("c"), warning("d")]);
        report["unknown_fields"] = json!([{"name": "Currency", "count": 2, "like": "currency"}, {"name": "x", "count": 3}]);
        let expected = [
            "drop/purchase/pos/a.csv: 1,204 read, 1,200 written, 3 stale, 1 rejected, 4 replaced, 12 skipped in less than 0.1 s",
            "  rejected: invalid_json, at line 3",
            "  warning: new_source",
            "  warning: invalid_field a, 1,204 times, first at byte 7",
            "  warning: invalid_field b\\u{1b}, 1,204 times, first at byte 7",
            "  … 2 more under `warnings` in the report",
            "  unknown field: Currency, 2 times; did you mean currency?",
            "  unknown field: x, 3 times",
        ];
        assert_eq!(line(KEY, &report), expected.join("\n"));
    }

    #[test]
    fn shows_the_first_error_of_a_mapping() {
        const KEY: &str = "mappings/pos.json";
        let mut report =
            json!({"status": "valid", "overrides_builtin": false, "errors": [], "warnings": []});
        assert_eq!(mapping(KEY, &report), "mappings/pos.json: valid");
        report["overrides_builtin"] = json!(true);
        let unknown = json!({"place": "records[0].record.x\u{1b}", "problem": "is unknown."});
        report["warnings"] = json!([unknown]);
        assert_eq!(
            mapping(KEY, &report),
            "mappings/pos.json: valid, takes precedence over the built-in mapping of this name\n  warning: records[0].record.x\\u{1b} is unknown."
        );
        let missing = json!({"place": "", "problem": "has an invalid name."});
        let report = json!({"status": "invalid", "errors": [missing, unknown, unknown]});
        assert_eq!(
            mapping(KEY, &report),
            "mappings/pos.json: invalid: The mapping has an invalid name. (2 more under `errors` in reports/mappings/pos.json)"
        );
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
