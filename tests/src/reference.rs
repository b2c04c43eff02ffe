//! Pages of `infra/docs/reference` that repeat a template. `parameters.md` lists every parameter and output of the stack, and every
//! environment variable of the functions, with the template's values. `metrics-and-logs.md` lists every alarm. Other pages name
//! parameters, and cite the measurements of `infra/bench/results.md` and the fixed cost of a stack.

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

/// Returns the pages that cite parameters and figures.
fn pages() -> Vec<String> {
    let mut pages = vec![include_str!("../../README.md").to_owned()];
    for folder in ["explanation", "guides", "operations", "reference", "start"] {
        let folder = format!("{}/../infra/docs/{folder}", env!("CARGO_MANIFEST_DIR"));
        let entries = std::fs::read_dir(folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        pages.extend(paths.filter_map(|path| std::fs::read_to_string(path).ok()));
    }
    pages
}

#[test]
fn names_existing_periods() {
    let template = template();
    let parameters = names(&template["Parameters"]);
    for page in pages() {
        let words = page.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| word.len() > 4 && word.ends_with("Days")) {
            assert!(parameters.contains(word), "{word} is not a parameter");
        }
    }
}

/// Returns the number that follows `label` in a page.
fn number(page: &str, label: &str) -> f64 {
    let after = page.split(label).nth(1).expect(label);
    let end = after.find(|c: char| !c.is_ascii_digit() && c != '.');
    after[..end.unwrap_or(after.len())].parse().expect(label)
}

/// Prices are those of the measured units, and all pages cite these prices.
#[test]
fn cites_measured_figures() {
    let results = include_str!("../../infra/bench/results.md");
    let cost = include_str!("../../infra/docs/guides/cost.md");
    let read = number(results, "lookup`, all sections | read units ");
    let page = number(results, "| `GET /profiles/{id}/history` | read units ");
    let row = number(results, "write units of a row: all types | ");
    // Cents of a million. Lambda, API Gateway and logs add 187 to the units of requests; Lambda adds one to those of rows.
    let reads = ((read * 12.5).round() + 187.0) / 100.0;
    let histories = ((page * 12.5).round() + 187.0) / 100.0;
    let rows = ((row * 62.5).round() + 1.0) / 100.0;
    let fixed = cost.split("| What | Dollars per month |").nth(1);
    let lines = fixed.expect("a table").lines().skip(2);
    let lines = lines.take_while(|line| !line.contains("**total**"));
    let cents: f64 = lines.map(|line| number(line, " | ") * 100.0).sum();
    let total = cents.round() / 100.0;
    for cited in [
        format!("profile reads | USD {reads:.2} | {read} read units each"),
        format!("| profile reads | **{reads:.2}** |\n| history pages | **{histories:.2}** |"),
        format!("imported once | **{rows:.2}** |"),
        format!("| **total** | **{total:.2}**"),
        format!("USD {reads:.2} for 1 million profile reads, USD {rows:.2} for 1 million rows"),
        format!("USD {reads:.2} for 1 million profile reads and USD {total} a month."),
        format!("| {reads:.2}, {histories:.2} and 5.68 dollars per million |"),
        format!("| fixed cost | {total} dollars per month |"),
    ] {
        assert!(pages().iter().any(|page| page.contains(&cited)), "{cited}");
    }
}
