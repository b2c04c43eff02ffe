//! Log groups and the audit log.

use serde_json::{Value, json};

use super::{functions, of_type, referred, statements, template};

#[test]
fn logs_are_json_and_expire() {
    let template = template();
    assert_eq!(
        template["Globals"]["Function"]["LoggingConfig"]["LogFormat"],
        "JSON"
    );
    let groups = of_type(&template, "AWS::Logs::LogGroup");
    for (id, group) in &groups {
        let expected = match id.as_str() {
            "AuditLogs" => "AuditRetentionDays",
            _ => "LogRetentionDays",
        };
        let days = referred(&group["Properties"]["RetentionInDays"]);
        assert_eq!(days, expected, "{id}");
    }
    let api = &template["Resources"]["Api"]["Properties"]["AccessLogSettings"]["DestinationArn"];
    let mut used = vec![referred(api).to_owned(), "AuditLogs".to_owned()];
    for (_, _, properties) in functions(&template) {
        used.push(referred(&properties["LoggingConfig"]["LogGroup"]).to_owned());
    }
    used.sort();
    let groups: Vec<_> = groups.into_iter().map(|(id, _)| id).collect();
    assert_eq!(
        used, groups,
        "a group for each function, one for the API and one for the audit log"
    );
    assert_eq!(template["Parameters"]["Tracing"]["Default"], "off");
}

/// Audit lines of every function that serves requests or imports files are copied, and only by audit. It can append to the audit
/// log, and no other role names it.
#[test]
fn audit_lines_are_copied() {
    let template = template();
    let audit = &template["Resources"]["AuditFunction"]["Properties"];
    let mut copied: Vec<_> = audit["Events"]
        .as_object()
        .expect("events")
        .values()
        .map(|event| {
            assert_eq!(event["Type"], "CloudWatchLogs");
            assert_eq!(event["Properties"]["FilterPattern"], r#"{ $.audit = "*" }"#);
            referred(&event["Properties"]["LogGroupName"]).to_owned()
        })
        .collect();
    copied.sort();
    let mut expected: Vec<_> = functions(&template)
        .into_iter()
        // Tried files and mappings store nothing.
        .filter(|(id, binary, _)| binary != "audit" && id != "IngestCheckFunction")
        .map(|(_, _, properties)| referred(&properties["LoggingConfig"]["LogGroup"]).to_owned())
        .collect();
    expected.sort();
    assert_eq!(copied, expected);
    assert_eq!(
        referred(&audit["Environment"]["Variables"]["AUDIT_LOG_GROUP"]),
        "AuditLogs"
    );
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        let own = statements(&role)
            .into_iter()
            .find(|statement| statement["Resource"]["Fn::GetAtt"][0] == "AuditLogs");
        assert_eq!(own.is_some(), id == "AuditRole", "{id}");
        if let Some(own) = own {
            let append = json!(["logs:CreateLogStream", "logs:PutLogEvents"]);
            assert_eq!(own["Action"], append);
        }
    }
    let operations = local::template_document("infra/operations.yaml").expect("YAML");
    let rule = &operations["Resources"]["Misses"]["Properties"];
    let body = rule["RuleBody"]["Fn::Sub"].as_str().expect("a text");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["LogGroupNames"], json!(["${AuditLogs}"]));
    assert_eq!(body["Contribution"]["Keys"], json!(["$.principal"]));
    assert_eq!(body["Contribution"]["ValueOf"], "$.misses");
    assert_eq!(body["AggregateOn"], "Sum");
    let alarm = &operations["Resources"]["ManyMisses"]["Properties"]["Metrics"][0];
    let name = rule["RuleName"]["Fn::Sub"][0].as_str().expect("a name");
    assert_eq!(
        alarm["Expression"]["Fn::Sub"][0],
        format!("INSIGHT_RULE_METRIC(\"{name}\", \"MaxContributorValue\")")
    );
    assert_eq!(
        alarm["Expression"]["Fn::Sub"][1],
        rule["RuleName"]["Fn::Sub"][1]
    );
}
