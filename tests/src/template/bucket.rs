//! The bucket: access, keys, notifications and lifecycle.

use serde_json::json;

use super::{functions, list, of_type, referred, template};

#[test]
fn bucket_is_private() {
    let template = template();
    let bucket = &template["Resources"]["Bucket"]["Properties"];
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    assert_eq!(
        bucket["PublicAccessBlockConfiguration"],
        json!({
            "BlockPublicAcls": true, "BlockPublicPolicy": true,
            "IgnorePublicAcls": true, "RestrictPublicBuckets": true
        })
    );
    assert_eq!(
        bucket["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "BucketOwnerEnforced"
    );
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    let by_default = &encryption["ServerSideEncryptionByDefault"];
    assert_eq!(by_default["SSEAlgorithm"], "aws:kms");
    assert_eq!(referred(&by_default["KMSMasterKeyID"]), "DataKey");

    // Uploads of pages: no method that reads, and no origin by default.
    assert_eq!(
        bucket["CorsConfiguration"]["CorsRules"],
        json!([{
            "AllowedOrigins": {"Fn::If": ["HasCors", {"Ref": "CorsOrigins"}, ["https://none.invalid"]]},
            "AllowedMethods": ["PUT"],
            "AllowedHeaders": ["content-type", "if-none-match"],
            "ExposedHeaders": ["ETag", "x-amz-version-id"],
            "MaxAge": 600,
        }])
    );

    let policy = &template["Resources"]["BucketTlsOnly"]["Properties"];
    assert_eq!(referred(&policy["Bucket"]), "Bucket");
    let deny = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!(
        (&deny["Effect"], &deny["Principal"], &deny["Action"]),
        (&json!("Deny"), &json!("*"), &json!("s3:*"))
    );
    assert_eq!(
        deny["Condition"],
        json!({"Bool": {"aws:SecureTransport": "false"}})
    );
    assert_eq!(
        deny["Resource"],
        json!([{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}])
    );
}

/// An S3 event of SAM would let every bucket of the account invoke the function. `.ci/transformed.py` checks all permissions.
#[test]
fn only_the_bucket_notifies() {
    let template = template();
    let bucket = &template["Resources"]["Bucket"];
    assert_eq!(
        bucket["DependsOn"],
        json!(["IngestNotified", "IngestCheckNotified"])
    );
    let name = &bucket["Properties"]["BucketName"]["Fn::Sub"];
    let arn = format!(
        "arn:${{AWS::Partition}}:s3:::{}",
        name[0].as_str().expect("a name")
    );
    let permissions: Vec<_> = of_type(&template, "AWS::Lambda::Permission")
        .into_iter()
        .filter(|(_, permission)| permission["Properties"]["Principal"] == "s3.amazonaws.com")
        .collect();
    let names: Vec<_> = permissions.iter().map(|(id, _)| id).collect();
    assert_eq!(names, ["IngestCheckNotified", "IngestNotified"]);
    for (id, permission) in &permissions {
        let function = id.replace("Notified", "Function");
        assert_eq!(
            permission["Properties"],
            json!({
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": format!("{function}.Alias")},
                "Principal": "s3.amazonaws.com",
                "SourceAccount": {"Ref": "AWS::AccountId"},
                "SourceArn": {"Fn::Sub": [arn, name[1]]},
            })
        );
    }
    for (id, _, properties) in functions(&template) {
        let mut events = properties["Events"].as_object().into_iter().flatten();
        assert!(events.all(|(_, event)| event["Type"] != "S3"), "{id}");
    }
}

/// Objects under another key could not be read by ingest, and would stay readable when the stack's key is deleted.
#[test]
fn bucket_refuses_foreign_keys() {
    let template = template();
    let policy = &template["Resources"]["BucketTlsOnly"]["Properties"]["PolicyDocument"];
    let denied = &list(&policy["Statement"])[1..];
    let header = |name: &str| format!("s3:x-amz-server-side-encryption{name}");
    let (any, key, customer) = (
        header(""),
        header("-aws-kms-key-id"),
        header("-customer-algorithm"),
    );
    // A condition on a header that is absent would hold, so each one requires that the header is present.
    let conditions = [
        json!({"Null": {&key: "false"}, "StringNotEquals": {&key: {"Fn::GetAtt": ["DataKey", "Arn"]}}}),
        json!({"Null": {&any: "false", &key: "true"}}),
        json!({"Null": {&customer: "false"}}),
    ];
    assert_eq!(denied.len(), conditions.len());
    for (statement, condition) in denied.iter().zip(conditions) {
        assert_eq!(statement["Effect"], "Deny");
        assert_eq!(statement["Principal"], "*");
        assert_eq!(statement["Action"], "s3:PutObject");
        assert_eq!(statement["Resource"], json!({"Fn::Sub": "${Bucket.Arn}/*"}));
        assert_eq!(statement["Condition"], condition);
    }
}

#[test]
fn objects_expire() {
    let template = template();
    let rules = &template["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"];
    let days = |prefix: &str| {
        let rule = list(rules)
            .iter()
            .find(|rule| rule["Prefix"] == prefix)
            .unwrap_or_else(|| panic!("no rule for {prefix}"));
        assert_eq!(rule["Status"], "Enabled");
        let noncurrent = &rule["NoncurrentVersionExpiration"]["NoncurrentDays"];
        (
            rule["ExpirationInDays"].clone(),
            noncurrent.as_u64().unwrap(),
        )
    };
    // Reports of erasures name these days, see `remaining_copies` in ingest.
    let ((drop, drop_noncurrent), (rejects, rejects_noncurrent)) =
        (days("drop/"), days("rejects/"));
    assert_eq!((referred(&drop), drop_noncurrent), ("RawFileDays", 7));
    assert_eq!((referred(&rejects), rejects_noncurrent), ("RejectDays", 1));
    assert_eq!(days("work/"), (json!(14), 1));
    assert_eq!(days("try/"), (json!(1), 1));
    assert_eq!(days("reports/try/"), (json!(1), 1));
    for (prefix, parameter) in [
        ("drop/forget/", "ForgetFileDays"),
        ("erasures/", "ErasureJournalDays"),
        ("reports/", "ReportDays"),
    ] {
        let (expiration, noncurrent) = days(prefix);
        assert_eq!((referred(&expiration), noncurrent), (parameter, 1));
    }
    // A table is restored to at most 35 days ago, and then needs the journal.
    assert_eq!(template["Parameters"]["ErasureJournalDays"]["MinValue"], 36);
    // Mappings are kept. Only their older versions expire.
    assert_eq!(days("mappings/"), (json!(null), 30));
    assert!(list(rules).iter().any(|rule| {
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"].is_u64()
            && rule.get("Prefix").is_none()
    }));
}
