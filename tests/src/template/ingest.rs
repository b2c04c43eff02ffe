//! Ingest and ingest-check: limits, retries and notifications.

use serde_json::{Value, json};

use super::{list, one_or_more, referred, statements, template};

/// Returns the prefixes of the bucket that notify a function's alias.
fn notified(template: &Value, function: &str) -> Vec<String> {
    let bucket = &template["Resources"]["Bucket"]["Properties"];
    let rules = list(&bucket["NotificationConfiguration"]["LambdaConfigurations"]).iter();
    rules
        .filter(|rule| referred(&rule["Function"]) == format!("{function}.Alias"))
        .map(|rule| {
            assert_eq!(rule["Event"], "s3:ObjectCreated:*");
            let filters = list(&rule["Filter"]["S3Key"]["Rules"]);
            assert_eq!((filters.len(), &filters[0]["Name"]), (1, &json!("prefix")));
            filters[0]["Value"].as_str().expect("a prefix").to_owned()
        })
        .collect()
}

#[test]
fn ingest_is_bounded() {
    let template = template();
    let ingest = &template["Resources"]["IngestFunction"]["Properties"];
    assert_eq!(ingest["Timeout"], 900);
    assert_eq!(ingest["RecursiveLoop"], "Allow");
    let reserved =
        json!({"Fn::If": ["Reserved", {"Ref": "IngestConcurrency"}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(ingest["ReservedConcurrentExecutions"], reserved);
    assert_eq!(
        template["Conditions"]["Reserved"],
        json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "IngestConcurrency"}, "0"]}]})
    );
    let retries = json!({"Fn::FindInMap": ["Ingest", "Events", "MaxRetries"]});
    assert_eq!(ingest["EventInvokeConfig"]["MaximumRetryAttempts"], retries);
    assert_eq!(ingest["Environment"]["Variables"]["MAX_RETRIES"], retries);
    assert_eq!(template["Mappings"]["Ingest"]["Events"]["MaxRetries"], 2);
    let on_failure = &ingest["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
    assert_eq!(on_failure["Type"], "SQS");
    let queue = referred(&on_failure["Destination"]);
    assert_eq!(
        template["Resources"][queue]["Properties"]["MessageRetentionPeriod"],
        14 * 24 * 60 * 60
    );
    let role = &template["Resources"][referred(&ingest["Role"])];
    assert!(statements(role).iter().any(|statement| {
        one_or_more(&statement["Action"]).contains(&&json!("sqs:SendMessage"))
            && referred(&statement["Resource"]) == queue
    }));
    assert_eq!(notified(&template, "IngestFunction"), ["drop/", "work/"]);
}

/// Checks have the code of ingest, but store nothing: their role has no action that writes to the table, and puts reports only.
#[test]
fn checks_store_nothing() {
    let template = template();
    let function = |id: &str| &template["Resources"][id];
    let (ingest, check) = (function("IngestFunction"), function("IngestCheckFunction"));
    assert_eq!(check["Metadata"], ingest["Metadata"]);
    let check = &check["Properties"];
    assert_eq!(
        check["ReservedConcurrentExecutions"],
        json!({"Fn::If": ["Reserved", 2, {"Ref": "AWS::NoValue"}]})
    );
    assert!(check.get("RecursiveLoop").is_none());
    assert_eq!(
        check["EventInvokeConfig"],
        ingest["Properties"]["EventInvokeConfig"]
    );
    let prefixes = notified(&template, "IngestCheckFunction");
    assert_eq!(prefixes, ["mappings/", "try/"]);

    let role = function("IngestCheckRole");
    let mut resources = Vec::new();
    for statement in statements(role) {
        for action in one_or_more(&statement["Action"]) {
            let action = action.as_str().expect("an action");
            let (service, name) = action.split_once(':').expect("a service");
            match service {
                "dynamodb" => assert!(["GetItem", "Query"].contains(&name), "{action}"),
                "s3" if !name.starts_with("Get") && name != "ListBucket" => {
                    assert_eq!(name, "PutObject");
                    resources.extend(one_or_more(&statement["Resource"]));
                }
                _ => {}
            }
        }
    }
    assert_eq!(resources.len(), 2);
    for resource in resources {
        let arn = resource["Fn::Sub"][0].as_str().expect("an ARN");
        assert!(arn.contains("${Id}/reports/"), "{arn}");
    }
}
