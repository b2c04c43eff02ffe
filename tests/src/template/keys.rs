//! The data key and the identity key.

use serde_json::json;

use super::{functions, list, of_type, referred, template};

/// DynamoDB and S3 list the actions that they need of a key.
#[test]
fn data_key_allows_its_services() {
    let template = template();
    let policy = &template["Resources"]["DataKey"]["Properties"]["KeyPolicy"];
    for statement in list(&policy["Statement"]) {
        let actions = list(&statement["Action"]);
        for action in [
            "CreateGrant",
            "Decrypt",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        ] {
            let action = format!("kms:{action}");
            assert!(actions.contains(&json!(action)), "{action}: {statement}");
        }
    }
}

/// Lambda decrypts the environment of a function, which contains the identity key, with the permissions of whoever reads it.
#[test]
fn data_key_is_closed_to_readers_of_functions() {
    let template = template();
    let policy = &template["Resources"]["DataKey"]["Properties"]["KeyPolicy"];
    let statements = list(&policy["Statement"]);
    assert_eq!(statements.len(), 2);
    let account = json!({"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}});
    assert_eq!(statements[0]["Principal"], account, "who may by IAM");
    let services = ["dynamodb", "s3", "secretsmanager"].map(
        |service| json!({"Fn::Sub": format!("{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")}),
    );
    assert_eq!(statements[1]["Principal"], json!({"AWS": "*"}));
    assert_eq!(
        statements[1]["Condition"],
        json!({"StringEquals": {
            "kms:CallerAccount": {"Ref": "AWS::AccountId"},
            "kms:ViaService": services,
        }})
    );
    // The grant of a function's role is made at the deployment, so no policy names the roles.
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        assert!(!role.to_string().contains("kms:"), "{id}");
    }
}

/// A change of the secret's generation replaces it, and a new key changes every profile id.
#[test]
fn identity_key_is_retained() {
    let template = template();
    let secret = &template["Resources"]["IdentityKey"];
    assert_eq!(
        secret["Properties"]["GenerateSecretString"],
        json!({"PasswordLength": 64, "ExcludePunctuation": true})
    );
    assert!(secret["Properties"].get("Name").is_none());
    for resource in ["IdentityKey", "DataKey"] {
        let resource = &template["Resources"][resource];
        // A stack whose first deployment failed has no data.
        assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain");
    }
    assert_eq!(
        template["Resources"]["DataKey"]["Properties"]["EnableKeyRotation"],
        true
    );
    let reference = json!({"Fn::Sub": "{{resolve:secretsmanager:${IdentityKey}:SecretString}}"});
    let mut having = Vec::new();
    for (id, _, properties) in functions(&template) {
        if properties.to_string().contains("IdentityKey") {
            assert_eq!(
                properties["Environment"]["Variables"]["IDENTITY_KEY"],
                reference
            );
            having.push(id);
        }
    }
    having.sort();
    assert_eq!(
        having,
        [
            "IngestCheckFunction",
            "IngestFunction",
            "ProfileReadFunction",
            "ProfileWriteFunction"
        ]
    );
    assert!(!template["Globals"].to_string().contains("IdentityKey"));
    // The environment of a function contains the key.
    assert_eq!(
        referred(&template["Globals"]["Function"]["KmsKeyArn"]),
        "DataKey"
    );
}
