//! Measurements: what the functions write is what the alarms and the dashboard look at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::app::TestApp;

/// The metrics of each function, by its logical id.
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
    app.note(&id, Some("k"), json!({"text": "Call"})).await;
    // What a function wrote just before its answer may follow a moment later: another answer is behind it.
    app.get(&format!("/profiles/{id}/history")).await;
    app.note(&id, Some("k"), json!({"text": "Call"})).await;
    app.profile("jane@fake.com").await;
    measured(&app).await
}

fn sum(lines: &[Value], metric: &str) -> f64 {
    lines.iter().filter_map(|line| line[metric].as_f64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_imports_are_measured() {
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
async fn alarms_and_dashboard_look_at_what_is_measured() {
    let mut measured = BTreeSet::new();
    for line in after_one_of_each().await.into_values().flatten() {
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

/// The names of our own metrics in an alarm.
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

/// Each alarm says where the runbook tells of it.
#[test]
fn every_alarm_stands_in_the_runbook() {
    let runbook = include_str!("../../infra/runbook.md");
    let mut alarms = 0;
    for template in ["template.yaml", "infra/operations.yaml"] {
        let template = local::template_document(template).expect("YAML");
        for (id, resource) in template["Resources"].as_object().expect("resources") {
            if resource["Type"] != "AWS::CloudWatch::Alarm" {
                continue;
            }
            alarms += 1;
            let description = resource["Properties"]["AlarmDescription"].as_str();
            let slug = description
                .and_then(|text| text.strip_prefix("Runbook, "))
                .and_then(|text| text.split('.').next())
                .unwrap_or_else(|| panic!("{id} names no part of the runbook"));
            assert!(runbook.contains(&format!("### {slug}\n")), "{id}: {slug}");
            assert_eq!(
                resource["Properties"]["TreatMissingData"], "notBreaching",
                "{id}"
            );
        }
    }
    assert!(alarms >= 10, "{alarms}");
}
