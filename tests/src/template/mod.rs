//! Properties of the deployed stack that cannot be tested without AWS: asserted on `template.yaml`. `infra/scripts/smoke.sh` checks the
//! same of a deployed stack.

mod api;
mod bucket;
mod ingest;
mod keys;
mod logs;
mod table;

use serde_json::{Value, json};

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

#[test]
fn roles_have_no_wildcards() {
    let template = template();
    let mut roles = Vec::new();
    for (id, _, properties) in functions(&template) {
        assert!(
            properties.get("Policies").is_none(),
            "{id}: SAM attaches a policy with a wildcard to a role of its own"
        );
        roles.push(referred(&properties["Role"]).to_owned());
    }
    roles.sort();
    let declared: Vec<_> = of_type(&template, "AWS::IAM::Role")
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(roles, declared, "one for each function");
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        assert!(
            role["Properties"].get("ManagedPolicyArns").is_none(),
            "{id}"
        );
        for statement in statements(&role) {
            for action in one_or_more(&statement["Action"]) {
                let action = action.as_str().expect("an action");
                assert!(!action.contains('*'), "{id}: {action}");
                for resource in one_or_more(&statement["Resource"]) {
                    assert!(
                        *resource != "*" || action.starts_with("xray:"),
                        "{id}: {action} on {resource}"
                    );
                }
            }
        }
    }
}

#[test]
fn deployments_have_alarms() {
    let template = template();
    assert_eq!(template["Globals"]["Function"]["AutoPublishAlias"], "live");
    for (id, _, properties) in functions(&template) {
        assert_eq!(properties["AutoPublishAliasAllProperties"], true, "{id}");
        let preference = &properties["DeploymentPreference"];
        assert_eq!(referred(&preference["Type"]), "Deployment", "{id}");
        let alarm = referred(&preference["Alarms"][0]);
        let alarm = &template["Resources"][alarm]["Properties"];
        assert_eq!(alarm["MetricName"], "Errors", "{id}");
        assert_eq!(
            alarm["Dimensions"][1],
            json!({"Name": "Resource", "Value": {"Fn::Sub": format!("${{{id}}}:live")}})
        );
        assert_eq!(referred(&alarm["AlarmActions"][0]), "Alarms");
        // Lambda retries an event after a minute, so one transient error is in one minute only.
        let minutes = match id.as_str() {
            "IngestFunction" | "IngestCheckFunction" | "AuditFunction" => (json!(3), json!(2)),
            _ => (json!(1), Value::Null),
        };
        let evaluated = (&alarm["EvaluationPeriods"], &alarm["DatapointsToAlarm"]);
        assert_eq!(evaluated, (&minutes.0, &minutes.1), "{id}");
    }
}

/// Lambda loses an event if it can neither retry it nor put it into the failure queue.
#[test]
fn lost_events_have_alarms() {
    let operations = local::template_document("infra/operations.yaml").expect("YAML");
    let mut watched: Vec<_> = of_type(&operations, "AWS::CloudWatch::Alarm")
        .into_iter()
        .map(|(_, alarm)| alarm["Properties"].clone())
        .filter(|alarm| {
            ["AsyncEventsDropped", "DestinationDeliveryFailures"]
                .contains(&alarm["MetricName"].as_str().unwrap_or_default())
        })
        .map(|alarm| {
            let function = referred(&alarm["Dimensions"][0]["Value"]).to_owned();
            (function, alarm["MetricName"].clone().to_string())
        })
        .collect();
    watched.sort();
    let metrics = ["\"AsyncEventsDropped\"", "\"DestinationDeliveryFailures\""];
    let expected: Vec<_> = ["Audit", "Ingest", "IngestCheck"]
        .into_iter()
        .flat_map(|function| metrics.map(|metric| (function.to_owned(), metric.to_owned())))
        .collect();
    assert_eq!(watched, expected);
    let slow = &operations["Resources"]["ApiSlow"]["Properties"];
    assert_eq!(slow["EvaluateLowSampleCountPercentile"], "ignore");
}

/// A stack's name may contain uppercase letters and have 128 characters; a bucket's name may not.
#[test]
fn names_fit_any_stack() {
    let text = template().to_string();
    assert!(!text.contains("AWS::StackName"));
    let template = template();
    let name = &template["Resources"]["Bucket"]["Properties"]["BucketName"]["Fn::Sub"];
    let fixed = name[0].as_str().expect("a text");
    assert_eq!(fixed, "customer-profiles-${Id}");
    // The last part of the stack's ARN is a UUID.
    assert_eq!(
        name[1]["Id"],
        json!({"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]})
    );
    assert!(fixed.replace("${Id}", "").len() + 36 <= 63);
    // Only a restored table has a name.
    assert_eq!(
        template["Resources"]["Table"]["Properties"]["TableName"],
        json!({"Fn::If": ["HasRestoredTable", {"Ref": "RestoredTable"}, {"Ref": "AWS::NoValue"}]})
    );
    assert_eq!(template["Parameters"]["RestoredTable"]["Default"], "");
    // API Gateway's policy for logs does not grow by a group of this prefix. Queries select the group by its logical ID.
    let logs = &template["Resources"]["ApiLogs"]["Properties"]["LogGroupName"]["Fn::Sub"];
    assert_eq!(logs[0], "/aws/vendedlogs/customer-profiles-${Id}/ApiLogs");
    assert_eq!(logs[1], name[1]);
    // No other resource has a fixed name, which a second stack could not use.
    for (id, resource) in template["Resources"].as_object().expect("resources") {
        for name in [
            "TableName",
            "FunctionName",
            "RoleName",
            "QueueName",
            "LogGroupName",
            "TopicName",
            "AlarmName",
        ] {
            // The name in a permission is that of another resource.
            assert!(
                ["ApiLogs", "Table"].contains(&id.as_str())
                    || resource["Type"] == "AWS::Lambda::Permission"
                    || resource["Properties"].get(name).is_none(),
                "{id} has a {name}"
            );
        }
    }
}
