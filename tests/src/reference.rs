//! Pages of `infra/docs/reference` that repeat a template. `parameters.md` lists every parameter and output of the stack, and every
//! environment variable of the functions, with the template's values. `metrics-and-logs.md` lists every alarm.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const PARAMETERS: &str = include_str!("../../infra/docs/reference/parameters.md");
const METRICS: &str = include_str!("../../infra/docs/reference/metrics-and-logs.md");

/// The functions by logical id, as the page names them.
const NAMES: [(&str, &str); 8] = [
    ("AuditFunction", "audit"),
    ("HistoryFunction", "history"),
    ("ImportsFunction", "imports"),
    ("IngestCheckFunction", "ingest-check"),
    ("IngestFunction", "ingest"),
    ("NoteWriteFunction", "note-write"),
    ("ProfileReadFunction", "profile-read"),
    ("ProfileWriteFunction", "profile-write"),
];

/// Returns the rows of all tables of `parameters.md` whose header begins with `first`: the name in the first cell, and the other cells.
fn rows(first: &str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let header = format!("| {first} |");
    let mut found = BTreeMap::new();
    let mut is_inside = false;
    for line in PARAMETERS.lines() {
        is_inside = line.starts_with(&header) || is_inside && line.starts_with('|');
        if !is_inside {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0]
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'));
        if let Some(name) = name {
            assert!(
                found.insert(name, cells[1..].to_vec()).is_none(),
                "{name} is listed twice"
            );
        }
    }
    found
}

fn template() -> Value {
    local::template_document("template.yaml").expect("the template is YAML")
}

fn names(section: &Value) -> BTreeSet<&str> {
    let entries = section.as_object().expect("an object");
    entries.keys().map(String::as_str).collect()
}

/// Returns a scalar as the page shows it.
fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        value => format!("`{value}`"),
    }
}

#[test]
fn lists_every_parameter() {
    let template = template();
    let rows = rows("Parameter");
    assert_eq!(
        rows.keys().copied().collect::<BTreeSet<_>>(),
        names(&template["Parameters"])
    );
    for (name, cells) in rows {
        let [kind, default, allowed, description, change] = cells[..] else {
            panic!("{name} has {} cells", cells.len())
        };
        let parameter = &template["Parameters"][name];
        assert_eq!(kind, code(&parameter["Type"]), "{name}");
        let expected = match parameter.get("Default") {
            None => "Required".to_owned(),
            Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
            Some(value) => code(value),
        };
        assert_eq!(default, expected, "{name}");
        if let Some(values) = parameter["AllowedValues"].as_array() {
            let values: Vec<_> = values.iter().map(code).collect();
            assert_eq!(allowed, values.join(", "), "{name}");
        }
        if let Some(least) = parameter.get("MinValue") {
            assert_eq!(allowed, format!("at least {least}"), "{name}");
        }
        if let Some(most) = parameter.get("MaxLength") {
            assert_eq!(allowed, format!("at most {most} characters"), "{name}");
        }
        for cell in [allowed, description, change] {
            assert!(!cell.is_empty(), "{name} has an empty cell");
        }
    }
}

#[test]
fn lists_every_output() {
    let template = template();
    let listed: BTreeSet<_> = rows("Output").into_keys().collect();
    assert_eq!(listed, names(&template["Outputs"]));
}

#[test]
fn lists_every_environment_variable() {
    let template = template();
    let mut functions_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut all = BTreeSet::new();
    let resources = template["Resources"].as_object().expect("resources");
    for (id, resource) in resources {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let function = NAMES.into_iter().find(|(logical, _)| logical == id);
        let (_, name) = function.unwrap_or_else(|| panic!("{id} has no name"));
        all.insert(name);
        let own = &resource["Properties"]["Environment"]["Variables"];
        let common = &template["Globals"]["Function"]["Environment"]["Variables"];
        for variable in names(own).into_iter().chain(names(common)) {
            functions_of.entry(variable).or_default().insert(name);
        }
    }
    // Variables that the template does not set are in a table whose names may be several in a cell.
    let rows: BTreeMap<_, _> = rows("Variable")
        .into_iter()
        .filter(|(_, cells)| cells.len() == 4)
        .collect();
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        functions_of.keys().collect::<Vec<_>>()
    );
    for (name, cells) in rows {
        let functions = cells[0].split(';').next().expect("a cell");
        let listed = match functions {
            "all" => all.clone(),
            names => names.split(", ").collect(),
        };
        assert_eq!(listed, functions_of[name], "{name}");
    }
}

/// The table of alarms has a row for each metric, with the names of its alarms and a link to their section of the runbook.
#[test]
fn lists_every_alarm() {
    let alarms = METRICS.split("\n## Alarms\n").nth(1).expect("a section");
    let rows: Vec<_> = alarms
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("| ["))
        .collect();
    for template in ["template.yaml", "infra/operations.yaml"] {
        let template = local::template_document(template).expect("YAML");
        for (id, resource) in template["Resources"].as_object().expect("resources") {
            if resource["Type"] != "AWS::CloudWatch::Alarm" {
                continue;
            }
            let row = rows.iter().find(|row| row.contains(&format!("`{id}`")));
            let row = row.unwrap_or_else(|| panic!("{id} is not listed"));
            let properties = &resource["Properties"];
            if let Some(metric) = properties["MetricName"].as_str() {
                assert!(row.contains(&format!("`{metric}`")), "{id}: {row}");
            }
            if let Some(period) = properties["Period"].as_u64() {
                let period = match period {
                    3600 => "3,600 s".to_owned(),
                    period => format!("{period} s"),
                };
                assert!(row.contains(&period), "{id}: {row}");
            }
        }
    }
}
