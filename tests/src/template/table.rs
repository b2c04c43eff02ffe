//! The table: what keeps its data, and its indexes.

use serde_json::json;
use shared::model::find::INDEXES;

use super::{list, of_type, referred, template};

#[test]
fn table_is_retained() {
    let template = template();
    let table = &template["Resources"]["Table"];
    let properties = &table["Properties"];
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(
        properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        true
    );
    assert_eq!(
        properties["TimeToLiveSpecification"],
        json!({"AttributeName": "expires_at", "Enabled": true})
    );
    assert_eq!(properties["SSESpecification"]["SSEType"], "KMS");
    assert_eq!(
        referred(&properties["SSESpecification"]["KMSMasterKeyId"]),
        "DataKey"
    );
    assert_eq!(
        properties["DeletionProtectionEnabled"],
        json!({"Fn::If": ["Retained", true, false]})
    );
    for resource in ["Table", "Bucket", "BucketTlsOnly"] {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(
                referred(&template["Resources"][resource][policy]),
                "RemovalPolicy",
                "{resource}"
            );
        }
    }
    for (id, group) in of_type(&template, "AWS::Logs::LogGroup") {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(referred(&group[policy]), "RemovalPolicy", "{id}");
        }
    }
    let removal = &template["Parameters"]["RemovalPolicy"];
    assert_eq!(removal["Default"], "Retain");
    assert_eq!(
        template["Conditions"]["Retained"],
        json!({"Fn::Equals": [{"Ref": "RemovalPolicy"}, "Retain"]})
    );
}

/// DynamoDB adds one index per update, so all of them exist from the start.
#[test]
fn find_indexes_project_keys_only() {
    let table = &template()["Resources"]["Table"]["Properties"];
    let indexes = INDEXES.map(|name| {
        json!({
            "IndexName": name,
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    });
    assert_eq!(table["GlobalSecondaryIndexes"], json!(indexes));
    let defined: Vec<_> = list(&table["AttributeDefinitions"])
        .iter()
        .map(|attribute| attribute["AttributeName"].as_str().expect("a name"))
        .collect();
    assert_eq!(defined, [&["PK", "SK"][..], &INDEXES].concat());

    let operations = local::template_document("infra/operations.yaml").expect("YAML");
    let mut watched: Vec<_> = of_type(&operations, "AWS::CloudWatch::Alarm")
        .into_iter()
        .map(|(_, alarm)| alarm["Properties"].clone())
        .filter(|alarm| alarm["MetricName"] == "WriteThrottleEvents")
        .filter_map(|alarm| {
            let dimension = &alarm["Dimensions"][1];
            (dimension["Name"] == "GlobalSecondaryIndexName").then(|| dimension["Value"].clone())
        })
        .collect();
    watched.sort_by_key(ToString::to_string);
    assert_eq!(watched, INDEXES);
}
