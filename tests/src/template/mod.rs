//! Properties of the deployed stack that cannot be tested without AWS: asserted on `template.yaml`. `infra/scripts/smoke.sh` checks the
//! same of a deployed stack.

mod api;
mod bucket;
mod deployment;
mod ingest;
mod keys;
mod logs;
mod roles;
mod table;

use serde_json::Value;

fn template() -> Value {
    local::template_document("template.yaml").expect("the template is YAML")
}

/// Returns all resources of a type, by logical id.
fn of_type(template: &Value, kind: &str) -> Vec<(String, Value)> {
    let resources = template["Resources"].as_object().expect("resources");
    let found: Vec<_> = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.clone(), resource.clone()))
        .collect();
    assert!(!found.is_empty(), "no {kind}");
    found
}

fn functions(template: &Value) -> Vec<(String, String, Value)> {
    let functions = of_type(template, "AWS::Serverless::Function");
    functions
        .into_iter()
        .map(|(id, function)| {
            let binary = function["Metadata"]["BuildProperties"]["Binary"]
                .as_str()
                .expect("a binary")
                .to_owned();
            (id, binary, function["Properties"].clone())
        })
        .collect()
}

fn referred(value: &Value) -> &str {
    let by_name = value["Ref"].as_str();
    by_name
        .or_else(|| value["Fn::GetAtt"][0].as_str())
        .unwrap_or_else(|| panic!("no reference: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the statements of a role, including those behind a condition.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = list(&role["Properties"]["Policies"]).iter();
    policies
        .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
        .map(|statement| statement.get("Fn::If").map_or(statement, |parts| &parts[1]))
        .collect()
}

fn one_or_more(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map_or_else(|| vec![value], |items| items.iter().collect())
}
