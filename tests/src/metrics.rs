//! Metrics: alarms and the dashboard use what the functions emit.

use std::collections::{BTreeMap, BTreeSet};

use local::{Delivery, Options};
use serde_json::{Value, json};

use crate::support::app::TestApp;

/// Returns the metrics of each function, by logical id.
async fn measured(app: &TestApp) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in app.stack.logs() {
        let Ok(line) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        if line.get("_aws").is_some() {
            let function = line["FunctionName"].as_str().expect("a name").to_owned();
            found.entry(function).or_default().push(line);
        }
    }
    found
}

async fn after_one_of_each() -> BTreeMap<String, Vec<Value>> {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    app.get(&format!("/profiles/{id}/history")).await;
    app.get("/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
    app.note(&id, Some("k"), json!({"text": "Card 4111 1111 1111 1111"}))
        .await;
    let customer = json!({"identifier": {"email": "vera@fake.com"}});
    let create = reqwest::Client::new().post(app.url("/profiles"));
    let create = create.header("idempotency-key", "k").json(&customer);
    assert_eq!(app.send(create).await.0, 201);
    app.get("/imports").await;
    let put = app.stack.put("mappings/pos.json", "{}").await;
    put.expect("S3 takes it");
    app.stack.wait_idle().await;
    measured(&app).await
}

fn sum(lines: &[Value], metric: &str) -> f64 {
    lines.iter().filter_map(|line| line[metric].as_f64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn measures_requests_and_imports() {
    let measured = after_one_of_each().await;
    let imports = &measured["IngestFunction"];
    assert_eq!(imports.len(), 6, "one for each file");
    assert_eq!(sum(imports, "RowsRead"), sum(imports, "RowsWritten"));
    for metric in ["RowsRead", "RowsPerSecond", "WriteCapacityUnits"] {
        assert!(sum(imports, metric) > 0.0, "{metric}");
    }
    for function in [
        "ProfileReadFunction",
        "HistoryFunction",
        "NoteWriteFunction",
        "ProfileWriteFunction",
        "ImportsFunction",
    ] {
        let lines = &measured[function];
        assert!(sum(lines, "Duration") > 0.0, "{function}");
        assert!(sum(lines, "ReadCapacityUnits") > 0.0, "{function}");
    }
    let notes = &measured["NoteWriteFunction"];
    assert!(
        sum(notes, "WriteCapacityUnits") >= 4.0,
        "a transaction: {notes:?}"
    );
    let read = &measured["ProfileReadFunction"];
    assert_eq!(read[0]["status"], 200);
    assert_eq!(read[0]["route"], "POST /profiles/lookup");
    assert!(read.iter().any(|line| line["status"] == 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_use_emitted_metrics() {
    let mut measured = BTreeSet::new();
    let lines = after_one_of_each().await.into_values();
    let lines = lines.chain(after_excluded_links().await.into_values());
    for line in lines.flatten() {
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .expect("metrics")
        {
            measured.insert(metric["Name"].as_str().expect("a name").to_owned());
        }
    }
    let operations = local::template_document("infra/operations.yaml").expect("YAML");
    let mut looked_at = BTreeSet::new();
    for (_, resource) in operations["Resources"].as_object().expect("resources") {
        own(resource, &mut looked_at);
    }
    let dashboard = operations["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        .as_str()
        .expect("a text");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    for widget in dashboard["widgets"].as_array().expect("widgets") {
        for metric in widget["properties"]["metrics"].as_array().expect("metrics") {
            if metric[0] == "CustomerProfiles" {
                looked_at.insert(metric[1].as_str().expect("a name").to_owned());
            }
        }
    }
    assert!(looked_at.len() >= 8, "{looked_at:?}");
    let unknown: Vec<_> = looked_at.difference(&measured).collect();
    assert!(unknown.is_empty(), "nothing measures {unknown:?}");
}

/// Reads a profile with a source that has too many links. Returns the metrics.
async fn after_excluded_links() -> BTreeMap<String, Vec<Value>> {
    let app = TestApp::start().await;
    let pair = |n: u32| json!({"records": [{"email": "till@example.com"}, {"customer_id": format!("c{n}")}]});
    let pairs: String = (0..33).map(|n| format!("{}\n", pair(n))).collect();
    app.import("drop/unify/pos/a.ndjson", &pairs).await;
    app.profile("till@example.com").await;
    app.profile("till@example.com").await;
    measured(&app).await
}

/// Collects the names of this service's metrics in an alarm.
fn own(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if map
                .get("Namespace")
                .is_some_and(|it| it == "CustomerProfiles")
            {
                names.insert(map["MetricName"].as_str().expect("a name").to_owned());
            }
            map.values().for_each(|value| own(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| own(value, names)),
        _ => {}
    }
}

/// Returns the metrics of an import.
async fn of_import(app: &TestApp, import: &Value) -> Vec<Value> {
    // The line may follow the report.
    loop {
        let lines = measured(app).await.remove("IngestFunction");
        let mut lines = lines.unwrap_or_default();
        lines.retain(|line| line["import"] == *import);
        if !lines.is_empty() {
            return lines;
        }
        tokio::task::yield_now().await;
    }
}

/// A file that is rejected whole, or mostly unread, shows in the metrics of the alarms: once, although its event comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn measures_rejected_and_unread_files() {
    let app = TestApp::start_with(Options {
        delivery: Delivery {
            duplicates: 1,
            ..Delivery::default()
        },
        ..Options::default()
    })
    .await;
    let csv = |rows: std::ops::Range<u32>| -> String {
        rows.map(|id| format!("u{id}@fake.com,2026-01-01,{id}\n"))
            .collect()
    };
    let header = "link.email,action_at,email_id\n";
    let object = |id: u32| json!({"link": {"email": format!("u{id}@fake.com")}, "action_at": "2026-01-01", "email_id": "e"});
    let objects: Vec<_> = (0..200).map(|id| object(id).to_string()).collect();
    let broken = format!("[{} {}]", objects[..50].join(","), objects[50..].join(","));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gzip, objects.join("\n").as_bytes()).unwrap();
    let mut cut = gzip.finish().unwrap();
    cut.truncate(cut.len() / 2);
    let stray = format!("{header}{}\"{}", csv(0..30), csv(30..200));
    let comment = format!(
        "{header}{}u1@fake.com,never,\"a\nb\nc\"\n{}",
        csv(0..100),
        csv(100..199)
    );
    type Expected = std::ops::RangeInclusive<f64>;
    let files: [(&str, Vec<u8>, &str, f64, Expected); 7] = [
        (
            "nonsense/a.csv",
            csv(0..1).into(),
            "rejected",
            1.0,
            0.0..=0.0,
        ),
        (
            "email_open/a.csv",
            "a,a\n1,2\n".into(),
            "rejected",
            1.0,
            0.0..=0.0,
        ),
        (
            "email_open/b.json",
            broken.into(),
            "rejected",
            1.0,
            130.0..=170.0,
        ),
        ("email_open/c.ndjson.gz", cut, "rejected", 1.0, 1.0..=110.0),
        (
            "email_open/d.csv",
            stray.into(),
            "completed",
            0.0,
            0.0..=0.0,
        ),
        (
            "email_open/e.csv",
            comment.into(),
            "completed",
            0.0,
            0.0..=0.0,
        ),
        (
            "email_open/f.csv",
            format!("{header}{}", csv(0..200)).into(),
            "completed",
            0.0,
            0.0..=0.0,
        ),
    ];
    let mut imports = Vec::new();
    for (name, body, status, refused, unread) in files {
        let report = app
            .stack
            .import(&format!("drop/{name}"), body)
            .await
            .unwrap();
        assert_eq!(report["status"], status, "{report}");
        let lines = of_import(&app, &report["import"]).await;
        let line = &lines[0];
        assert_eq!(line["FilesRejected"], refused, "{name}: {line}");
        let rows = line["RowsUnread"].as_f64().unwrap();
        assert!(unread.contains(&rows), "{name}: {line}");
        assert_eq!(report["unread"].as_f64().unwrap(), rows, "{name}");
        let (read, rejected) = (&report["read"], &report["rejected"]);
        let read = read.as_f64().unwrap();
        let lost = rejected.as_f64().unwrap() + rows;
        let share = (read > 0.0).then(|| 100.0 * lost / (read + rows));
        let told = line["RejectedShare"].as_f64();
        // Parsing decimal digits rounds the last bit.
        let differs = told.zip(share).is_some_and(|(a, b)| (a - b).abs() > 1e-9);
        assert!(
            told.is_some() == share.is_some() && !differs,
            "{name}: {line}"
        );
        imports.push(report["import"].clone());
    }
    app.stack.wait_idle().await;
    for import in imports {
        assert_eq!(of_import(&app, &import).await.len(), 1, "{import}");
    }
}

const RUNBOOK: &str = include_str!("../../infra/docs/operations/runbook.md");
/// Where the description of an alarm links to: a heading of the runbook.
const RUNBOOK_LINK: &str = "infra/docs/operations/runbook.md#";
/// The parts of each alarm's section, in order.
const PARTS: [&str; 7] = [
    "- **Severity**: ",
    "- **Meaning**: ",
    "- **Impact**: ",
    "- **First action**: ",
    "**Diagnosis:**",
    "**Mitigation:**",
    "**Escalation:** ",
];

/// Returns the sections of the runbook about alarms, by heading.
fn alarm_sections() -> BTreeMap<&'static str, &'static str> {
    let alarms = RUNBOOK.split("\n## Alarms\n").nth(1).expect("alarms");
    let alarms = alarms.split("\n## ").next().expect("a first part");
    let sections = alarms.split("\n### ").skip(1);
    sections
        .map(|section| section.split_once('\n').expect("a heading"))
        .collect()
}

/// Returns each alarm of both templates, with its description.
fn alarms() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for template in ["template.yaml", "infra/operations.yaml"] {
        let template = local::template_document(template).expect("YAML");
        for (id, resource) in template["Resources"].as_object().expect("resources") {
            if resource["Type"] != "AWS::CloudWatch::Alarm" {
                continue;
            }
            let properties = &resource["Properties"];
            assert_eq!(properties["TreatMissingData"], "notBreaching", "{id}");
            let description = properties["AlarmDescription"].as_str();
            let description = description.unwrap_or_else(|| panic!("{id} has no description"));
            // The limit of CloudWatch.
            assert!(description.len() <= 1024, "{id}");
            found.push((id.clone(), description.to_owned()));
        }
    }
    found
}

/// Returns the rows of the runbook's table of alarms: section, severity and logical name. A row may have several names.
fn listed_alarms() -> BTreeSet<(&'static str, &'static str, &'static str)> {
    let alarms = RUNBOOK.split("\n## Alarms\n").nth(1).expect("alarms");
    let header = "| Alarm | Severity | Logical name | Goes off if |";
    let rows = alarms.lines().skip_while(|line| *line != header).skip(2);
    let mut found = BTreeSet::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [link, severity, names, _] = cells[..] else {
            panic!("{row}")
        };
        let (slug, target) = link
            .strip_prefix('[')
            .and_then(|link| link.strip_suffix(')'))
            .and_then(|link| link.split_once("](#"))
            .unwrap_or_else(|| panic!("{row}"));
        assert_eq!(slug, target, "{row}");
        for name in names.split(", ") {
            let name = name.trim_matches('`');
            assert!(found.insert((slug, severity, name)), "{name} twice");
        }
    }
    found
}

/// The description of each alarm states severity and first action, and links to its section of the runbook.
#[test]
fn alarms_link_to_the_runbook() {
    let sections = alarm_sections();
    let alarms = alarms();
    assert!(alarms.len() >= 23, "{alarms:?}");
    let (mut linked, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (id, description) in &alarms {
        let (_, slug) = description
            .split_once(RUNBOOK_LINK)
            .unwrap_or_else(|| panic!("{id} does not link to the runbook"));
        let section = sections
            .get(slug)
            .unwrap_or_else(|| panic!("{id}: the runbook has no section {slug}"));
        let severity = description
            .strip_prefix("Severity: ")
            .and_then(|text| text.split('.').next())
            .unwrap_or_else(|| panic!("{id} has no severity"));
        assert!(
            section.contains(&format!("- **Severity**: {severity}.\n")),
            "{id}: the runbook has another severity"
        );
        assert!(description.contains(" First action: "), "{id}");
        linked.insert(slug);
        named.insert((slug, severity, id.as_str()));
    }
    assert_eq!(listed_alarms(), named, "the runbook's table of alarms");
    let sections: BTreeSet<_> = sections.into_keys().collect();
    assert_eq!(sections, linked, "a section is about no alarm");
}

/// The example of an email shows the description of its alarm.
#[test]
fn runbook_shows_an_email() {
    let name = "IngestFailuresWait";
    assert!(RUNBOOK.contains(&format!("-{name}-")));
    let alarms = alarms();
    let (_, description) = alarms.iter().find(|(id, _)| id == name).expect(name);
    assert!(RUNBOOK.contains(&format!("\nDescription: {description}\n```")));
}

/// Each section about an alarm has all parts, and a command to paste.
#[test]
fn runbook_sections_are_complete() {
    for (slug, section) in alarm_sections() {
        let mut rest = section;
        for part in PARTS {
            let (_, after) = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("{slug} lacks {part}"));
            assert!(!after.trim().is_empty(), "{slug}: {part} is empty");
            rest = after;
        }
        assert!(section.contains("```sh\n"), "{slug} has no command");
        assert!(!section.contains("As above"), "{slug}");
    }
}

/// Links within the runbook and from the restore page to it lead to headings, and the scripts that they name exist.
#[test]
fn runbook_links_and_scripts_exist() {
    let restore = include_str!("../../infra/docs/operations/restore.md");
    let pages = BTreeMap::from([("runbook.md", RUNBOOK), ("restore.md", restore)]);
    let anchors = |page: &str| -> BTreeSet<String> {
        let headings = pages[page].lines().filter(|line| line.starts_with("##"));
        let slug = |line: &str| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            text.replace(' ', "-")
        };
        headings.map(slug).collect()
    };
    for (name, page) in &pages {
        let mut links = 0;
        for link in page.split("](").skip(1) {
            let target = link.split(')').next().expect("a target");
            let Some((file, anchor)) = target.split_once('#') else {
                continue;
            };
            let file = if file.is_empty() { name } else { file };
            if pages.contains_key(file) {
                links += 1;
                assert!(anchors(file).contains(anchor), "{name}: {target}");
            }
        }
        assert!(links > 5, "{name}: {links}");
        for script in page.split("infra/scripts/").skip(1) {
            let file = script.split(".sh").next().expect("a name");
            if file.is_empty() || !file.bytes().all(|b| b == b'-' || b.is_ascii_lowercase()) {
                continue;
            }
            let path = format!("{}/../infra/scripts/{file}.sh", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&path).exists(), "{name}: {file}.sh");
        }
    }
}

/// Each script prints its usage, stops at unknown arguments and at the first error.
#[test]
fn scripts_have_help() {
    let folder = format!("{}/../infra/scripts", env!("CARGO_MANIFEST_DIR"));
    let mut scripts = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if !name.ends_with(".sh") || name == "common.sh" {
            continue;
        }
        scripts += 1;
        let text = std::fs::read_to_string(&path).expect("a text");
        assert!(text.contains("\nset -euo pipefail\n"), "{name}");
        assert!(RUNBOOK.contains(&format!("| `{name}` |")), "{name}");
        let run = |argument| {
            let mut command = std::process::Command::new(&path);
            command.arg(argument).output().expect("it starts")
        };
        let help = run("--help");
        let text = String::from_utf8(help.stdout).expect("UTF-8");
        assert!(
            help.status.success() && text.starts_with("Usage: "),
            "{name}"
        );
        assert!(text.contains(&*name), "{name}");
        assert!(
            name == "smoke.sh" || text.contains("\n  --dry-run "),
            "{name}"
        );
        assert_eq!(run("--unknown").status.code(), Some(2), "{name}");
    }
    assert!(scripts >= 10, "{scripts}");
}

/// A listing that fails does not make a bucket empty.
#[test]
fn empty_bucket_fails_without_access() {
    let folder = tempfile::tempdir().expect("a folder");
    // Every request fails.
    std::os::unix::fs::symlink("/bin/false", folder.path().join("aws")).expect("a link");
    let path = std::env::var("PATH").expect("PATH");
    let script = format!(
        "{}/../infra/scripts/empty-bucket.sh",
        env!("CARGO_MANIFEST_DIR")
    );
    let output = std::process::Command::new(script)
        .args(["--bucket", "files", "--yes"])
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .output()
        .expect("it starts");
    assert_eq!(
        (output.status.success(), &*output.stdout),
        (false, &b""[..])
    );
}
