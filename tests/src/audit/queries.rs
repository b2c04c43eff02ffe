//! The queries of the page for auditors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    ALL, Audited, Request, check, text,
    writes::{record_links, record_notes},
};

const PAGE: &str = include_str!("../../../infra/docs/guides/auditing.md");
/// The words of the query language that the page uses.
const KEYWORDS: [&str; 14] = [
    "filter",
    "fields",
    "stats",
    "sort",
    "by",
    "and",
    "or",
    "in",
    "like",
    "not",
    "as",
    "asc",
    "desc",
    "ispresent",
];

/// Returns the names of fields in a query: words that are not keywords, functions, strings, patterns or new names.
fn names_in(query: &str) -> BTreeSet<&str> {
    let (mut names, mut new) = (BTreeSet::new(), BTreeSet::new());
    let mut previous = "";
    // Parts between quotes and slashes are strings and patterns.
    for bare in query
        .lines()
        .flat_map(|line| line.split(['"', '/']).step_by(2))
    {
        let is_separator = |c: char| !(c.is_ascii_alphanumeric() || "_.@(".contains(c));
        for word in bare.split(is_separator) {
            let name = word.rsplit('(').next().unwrap_or_default();
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if is_name && previous == "as" {
                new.insert(name);
            } else if is_name && !KEYWORDS.contains(&name) {
                names.insert(name);
            }
            previous = if word.is_empty() { previous } else { word };
        }
    }
    names.difference(&new).copied().collect()
}

/// Returns the names of the fields of log lines, as queries name them.
fn fields_of(lines: &[Value]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in lines {
        for (name, value) in line.as_object().into_iter().flatten() {
            names.insert(name.clone());
            for inner in value.as_object().into_iter().flatten() {
                names.insert(format!("{name}.{}", inner.0));
            }
        }
    }
    names
}

/// Each field that a query of the page for auditors names exists in lines of that log.
#[tokio::test(flavor = "multi_thread")]
async fn queries_name_real_fields() {
    let mut audited = Audited::start().await;
    let row = |email: &str| json!({"link": {"email": email}, "first_name": "Jane"}).to_string();
    let mut ids = Vec::new();
    for email in ["jane@fake.com", "j@fake.com"] {
        let key = format!("drop/customer_record/crm/{email}.ndjson");
        audited.app.import(&key, &row(email)).await;
        let lookup =
            Request::new("profile-read", "POST", "/profiles/lookup").body(json!({"email": email}));
        let (_, profile) = audited.send(&lookup, ALL).await;
        ids.push(text(&profile, "id").to_owned());
    }
    let nothing = Request::new("profile-read", "POST", "/profiles/lookup")
        .body(json!({"email": "nothing@fake.com"}));
    audited.send(&nothing, ALL).await;
    record_notes(&mut audited, &ids[0]).await;
    record_links(&mut audited, &ids[0], &ids[1]).await;
    let forget = r#"{"link":{"email":"gone@fake.com"}}"#;
    audited.app.import("drop/forget/crm/a.ndjson", forget).await;
    let again = Request::new("profile-write", "POST", "/profiles")
        .header("idempotency-key", "p")
        .body(json!({"identifier": {"email": "gone@fake.com"}, "reason": "Came back", "reinstate": true}));
    let (line, _) = audited.send(&again, ALL).await;
    let id = text(&line, "profiles").to_owned();
    check(
        &line,
        "profile.create",
        "ok",
        json!({"profiles": id, "reinstated": id}),
    );
    let file = row("k@fake.com");
    let body = json!({"file_name": "a.ndjson", "type": "customer_record", "size": file.len()});
    let create = Request::new("imports", "POST", "/imports")
        .header("idempotency-key", "i")
        .body(body);
    let (_, upload) = audited.send(&create, ALL).await;
    let put = crate::uploads::put(&upload["upload"]).body(file);
    assert_eq!(put.send().await.expect("S3 responds").status(), 200);
    audited.app.stack.wait_idle().await;
    let path = format!("/imports/{}/replay", text(&upload, "id"));
    let replay = Request::new("imports", "POST", path).header("idempotency-key", "r");
    let (_, replayed) = audited.send(&replay, ALL).await;
    assert_eq!(replayed["state"], "running", "{replayed}");
    audited.app.stack.wait_idle().await;

    let of_log = fields_of(&audited.app.stack.audit_log());
    let logs = audited.app.stack.logs();
    let lines: Vec<Value> = logs
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut of_all = fields_of(&lines);
    // The access log of API Gateway, and the fields of the error that the test `names_one_request_id` checks.
    let template = local::template_document("template.yaml").expect("YAML");
    let format = &template["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"];
    let format: Value = serde_json::from_str(format.as_str().expect("a format")).expect("JSON");
    of_all.extend(fields_of(&[format]));
    of_all.extend(["fields.kind", "fields.error", "span.request_id"].map(str::to_owned));
    let queries: Vec<_> = PAGE.split("\n```text\nfilter ").skip(1).collect();
    assert!(queries.len() >= 10, "{}", queries.len());
    for query in queries {
        let query = query.split("\n```").next().expect("an end");
        let known = if query.contains("routeKey") {
            &of_all
        } else {
            &of_log
        };
        let names = names_in(query);
        assert!(names.len() >= 2, "{query}");
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| !known.contains(**name))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?} in {query}");
    }
}
