//! One row of a table of cases: a file, and what its report, its rejects and the profiles then contain.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::shared::SharedApp;

/// A file, and what happens to it.
pub(crate) struct Case {
    /// The key below `drop/`.
    key: String,
    content: Vec<u8>,
    /// The lines of [`summary`].
    report: Vec<String>,
    /// The rejected rows as they are returned, if the case names them.
    rejects: Option<Vec<String>>,
    /// A part of the message of each rejected row, if the case names them.
    messages: Option<Vec<String>>,
    /// Identifiers, and what their profiles contain afterwards, in the notation of [`seen`].
    profiles: Vec<(Value, Value)>,
}

/// Creates a case. The report is listed in the notation of [`summary`], in any order.
pub(crate) fn case(key: &str, content: impl AsRef<[u8]>, report: &[&str]) -> Case {
    Case {
        key: format!("drop/{key}"),
        content: content.as_ref().to_vec(),
        report: sorted(report.iter().map(|line| (*line).to_owned()).collect()),
        rejects: None,
        messages: None,
        profiles: Vec::new(),
    }
}

impl Case {
    /// Adds the rows that are rejected, as they are returned.
    pub(crate) fn rejects(mut self, rows: &[&str]) -> Self {
        self.rejects = Some(rows.iter().map(|row| (*row).to_owned()).collect());
        self
    }

    /// Adds a part of the message of each rejected row.
    pub(crate) fn says(mut self, parts: &[&str]) -> Self {
        self.messages = Some(parts.iter().map(|part| (*part).to_owned()).collect());
        self
    }

    /// Adds what the profile of an email address contains; null if there is none.
    pub(crate) fn shows(self, email: &str, expected: Value) -> Self {
        self.shows_link(json!({"email": email}), expected)
    }

    /// Adds what the profile of an identifier contains; null if there is none.
    pub(crate) fn shows_link(mut self, link: Value, expected: Value) -> Self {
        self.profiles.push((link, expected));
        self
    }
}

/// Drops the files of all cases and compares what happens. Panics with all differences together.
pub(crate) async fn check(cases: Vec<Case>) {
    let app = SharedApp::get().await;
    let files = cases
        .iter()
        .map(|case| (case.key.clone(), case.content.clone()))
        .collect();
    let reports: BTreeMap<String, Value> = app.import_all(files).await;
    assert_eq!(reports.len(), cases.len(), "two cases have the same key");
    let mut differences = Vec::new();
    for case in cases {
        let report = &reports[&case.key];
        let found = summary(report);
        if found != case.report {
            differences.push(difference(&case.key, &case.report, &found));
        }
        let rejects = rejects(&app, report).await;
        if let Some(expected) = case.rejects {
            let found: Vec<_> = rejects.iter().map(returned).collect();
            if found != expected {
                differences.push(difference(&case.key, &expected, &found));
            }
        }
        if let Some(expected) = case.messages {
            let found: Vec<_> = rejects
                .iter()
                .map(|reject| text(&reject["message"]))
                .collect();
            let contains_expected =
                |(found, expected): (&String, &String)| found.contains(expected);
            if found.len() != expected.len() || !found.iter().zip(&expected).all(contains_expected)
            {
                differences.push(difference(&case.key, &expected, &found));
            }
        }
        for (link, expected) in case.profiles {
            let found = seen(&app, &link, &expected).await;
            if found != expected {
                let key = format!("{} {link}", case.key);
                differences.push(difference(
                    &key,
                    &[expected.to_string()],
                    &[found.to_string()],
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// Returns the lines that are missing, and those that were not expected.
fn difference(what: &str, expected: &[String], found: &[String]) -> String {
    let missing = expected.iter().filter(|line| !found.contains(line));
    let more = found.iter().filter(|line| !expected.contains(line));
    let missing = missing.map(|line| format!("\n  - {line}"));
    let more = more.map(|line| format!("\n  + {line}"));
    format!("{what}{}", missing.chain(more).collect::<String>())
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Returns the contents of a report in lines: the status with the counts that are not 0, the problem, and the entries of each list
/// as code or name, field, count and place. A place is the line and the offset.
pub(crate) fn summary(report: &Value) -> Vec<String> {
    let status = report["status"].as_str().expect("a status");
    let counts: Vec<_> = [
        "read",
        "written",
        "stale",
        "rejected",
        "suppressed",
        "unread",
        "replaced",
    ]
    .into_iter()
    .map(|name| (name, &report[name]))
    .chain([("skipped", &report["rows"]["skipped"])])
    .filter(|(_, count)| **count != 0)
    .map(|(name, count)| format!("{count} {name}"))
    .collect();
    let mut lines = vec![match counts.as_slice() {
        [] => status.to_owned(),
        counts => format!("{status}: {}", counts.join(", ")),
    }];
    if let Some(problem) = report["problem"]["type"].as_str() {
        let slug = problem.trim_start_matches("/problems/");
        lines.push(format!("problem {slug}"));
    }
    for (list, word) in [
        ("warnings", "warning"),
        ("reasons", "rejected"),
        ("unknown_fields", "unknown"),
    ] {
        for entry in report[list].as_array().into_iter().flatten() {
            lines.push(format!("{word} {}", entry_line(entry)));
        }
    }
    sorted(lines)
}

/// Returns an entry of a list in a report as text.
fn entry_line(entry: &Value) -> String {
    let texts = ["code", "name", "field"].map(|name| entry[name].as_str());
    let mut line: Vec<_> = texts.into_iter().flatten().map(str::to_owned).collect();
    line.push(entry["count"].to_string());
    if let Some(first) = entry["first"].as_object() {
        line.push(format!("@{}:{}", first["line"], first["offset"]));
    }
    if let Some(like) = entry["like"].as_str() {
        line.push(format!("like {like}"));
    }
    line.join(" ")
}

/// Returns the rejects of an import.
async fn rejects(app: &SharedApp, report: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for key in report["rejects"].as_array().expect("an array") {
        let object = app.object(&text(key)).await;
        rows.extend(
            object
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).expect("JSON")),
        );
    }
    rows
}

/// Returns the code of a reject, and its row as JSON, as text, or as escaped bytes.
fn returned(reject: &Value) -> String {
    let row = match (&reject["record"], reject["record_base64"].as_str()) {
        (_, Some(bytes)) => {
            let bytes = BASE64.decode(bytes.as_bytes()).expect("base64");
            bytes.escape_ascii().to_string()
        }
        (Value::String(text), None) => text.clone(),
        (record, None) => record.to_string(),
    };
    format!("{} {row}", text(&reject["code"]))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Returns those parts of a profile that `expected` names; null if there is no profile.
///
/// `name`, `orders`, `spend` (in the first currency) and `events` (their number on the first page) are figures. A name that begins with
/// a slash is a JSON pointer. Every other one is a field of the customer record.
async fn seen(app: &SharedApp, link: &Value, expected: &Value) -> Value {
    let (status, profile) = app.lookup(link.clone()).await;
    if status != 200 {
        assert_eq!(status, 404, "{link}: {profile}");
        return Value::Null;
    }
    let Some(expected) = expected.as_object() else {
        return json!({"name": profile["name"]});
    };
    let part = |name: &String| {
        let value = match name.as_str() {
            "name" => profile["name"].clone(),
            "orders" => profile["summary"]["orders"].clone(),
            "spend" => profile["summary"]["total_spend"][0]["amount"].clone(),
            "events" => json!(items(&profile).len()),
            "times" => items(&profile)
                .iter()
                .map(|item| item["at"].clone())
                .collect(),
            pointer if pointer.starts_with('/') => {
                profile.pointer(pointer).cloned().unwrap_or_default()
            }
            field => attribute(&profile, field),
        };
        (name.clone(), value)
    };
    Value::Object(expected.keys().map(part).collect())
}

fn items(profile: &Value) -> &[Value] {
    let items = profile["history"]["items"].as_array();
    items.map_or(&[], Vec::as_slice)
}

/// Returns the value of an attribute of any category.
fn attribute(profile: &Value, name: &str) -> Value {
    let categories = profile["attributes"].as_object().into_iter().flatten();
    let mut attributes = categories
        .filter_map(|(_, attributes)| attributes.as_array())
        .flatten();
    let found = attributes.find(|attribute| attribute["name"] == name);
    found.map_or(Value::Null, |attribute| attribute["value"].clone())
}
