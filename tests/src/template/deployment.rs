//! Deployments: alarms, and names that several stacks can use.

use serde_json::{Value, json};

use super::{functions, of_type, referred, template};

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
