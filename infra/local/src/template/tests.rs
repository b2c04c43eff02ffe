use super::*;

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  LogLevel: { Type: String, Default: info }
  Concurrency: { Type: Number, Default: 4 }
  Issuer: { Type: String, Default: "" }
  Origins: { Type: CommaDelimitedList, Default: "" }
Mappings:
  Ingest: {Events: {MaxRetries: 1}}
Conditions:
  HasIssuer: !Not [!Equals [!Ref Issuer, ""]]
  HasOrigins: !Not [!Equals [!Join ["", !Ref Origins], ""]]
Globals:
  Function:
    Timeout: 29
    MemorySize: 512
    Environment:
      Variables:
        RUST_LOG: !Ref LogLevel
        TABLE_NAME: !Ref Table
        MODE: !If [HasIssuer, jwt, open]
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth: !If [HasIssuer, {DefaultAuthorizer: Jwt}, !Ref AWS::NoValue]
      CorsConfiguration:
        AllowOrigins: !If [HasOrigins, !Ref Origins, ["https://none.invalid"]]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: PK, KeyType: HASH}, {AttributeName: SK, KeyType: RANGE}]
      AttributeDefinitions: [{AttributeName: PK, AttributeType: S}, {AttributeName: SK, AttributeType: S}]
      TimeToLiveSpecification: {AttributeName: expires_at, Enabled: true}
  AccessLogs:
    Type: AWS::S3::Bucket
  Files:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "files-${AWS::AccountId}"
      VersioningConfiguration: {Status: Enabled}
      NotificationConfiguration:
        LambdaConfigurations:
          - {Event: "s3:ObjectCreated:*", Function: !Ref IngestFunction.Alias, Filter: {S3Key: {Rules: [{Name: prefix, Value: drop/}]}}}
          - {Event: "s3:ObjectCreated:*", Function: !Ref OtherFunction.Alias, Filter: {S3Key: {Rules: [{Name: prefix, Value: try/}]}}}
          - {Event: "s3:ObjectCreated:*", Function: !Ref IngestFunction.Alias, Filter: {S3Key: {Rules: [{Name: prefix, Value: work/}]}}}
  IngestFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: ingest}}
    Properties:
      Role: !GetAtt IngestRole.Arn
      Timeout: 900
      ReservedConcurrentExecutions: !Ref Concurrency
      EventInvokeConfig: {MaximumRetryAttempts: !FindInMap [Ingest, Events, MaxRetries]}
      Environment:
        Variables:
          MAX_RETRIES: !FindInMap [Ingest, Events, MaxRetries]
          BUCKET_NAME: !Sub "files-${AWS::AccountId}"
          IDENTITY_KEY: !Sub "{{resolve:secretsmanager:${Secret}:SecretString}}"
  IngestRole:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: Ingest
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: [dynamodb:GetItem, dynamodb:PutItem]
                Resource: !GetAtt Table.Arn
              - {Effect: Allow, Action: s3:PutObject, Resource: !Sub "arn:${AWS::Partition}:s3:::files-${AWS::AccountId}/work/*"}
              - !If [HasIssuer, {Effect: Allow, Action: xray:PutTraceSegments, Resource: "*"}, !Ref AWS::NoValue]
  ProfileReadFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: profile-read}}
    Properties:
      Events:
        Read: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: "/profiles/{id}"}}
        Lookup: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /profiles/lookup}}
"#;

fn template() -> Template {
    Template::parse(TEMPLATE, &BTreeMap::new()).unwrap()
}

#[test]
fn names_and_environment_resolve_to_the_same_local_names() {
    let template = template();
    assert_eq!(template.bucket.name, "customer-profiles");
    assert!(template.bucket.versioned);
    assert_eq!(template.table.name, "customer-profiles");
    assert_eq!(template.table.time_to_live.as_deref(), Some("expires_at"));
    assert_eq!(template.table.create["KeySchema"][1]["AttributeName"], "SK");

    let ingest = &template.functions["IngestFunction"];
    assert_eq!(ingest.environment["BUCKET_NAME"], template.bucket.name);
    assert_eq!(ingest.environment["TABLE_NAME"], template.table.name);
    assert_eq!(ingest.environment["IDENTITY_KEY"], crate::IDENTITY_KEY);
    assert_eq!(ingest.environment["RUST_LOG"], "info");
    assert_eq!(ingest.environment["MODE"], "open");
    assert_eq!(
        (ingest.timeout.as_secs(), ingest.memory, ingest.concurrency),
        (900, 512, 4)
    );
}

#[test]
fn reads_retries() {
    let functions = template().functions;
    let ingest = &functions["IngestFunction"];
    assert_eq!(
        (ingest.retries, &*ingest.environment["MAX_RETRIES"]),
        (1, "1")
    );
    assert_eq!(functions["ProfileReadFunction"].retries, 2);
}

#[test]
fn parameters_override_their_defaults() {
    let parameters = BTreeMap::from([("Issuer".to_owned(), "https://idp".to_owned())]);
    let template = Template::parse(TEMPLATE, &parameters).unwrap();
    assert_eq!(
        template.functions["IngestFunction"].environment["MODE"],
        "jwt"
    );
}

#[test]
fn a_list_is_a_list_and_an_empty_one_is_known() {
    let origins = |given: &[(&str, &str)]| {
        let parameters = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let template = Template::parse(TEMPLATE, &parameters).unwrap();
        template.cors.unwrap().origins
    };
    assert_eq!(origins(&[]), ["https://none.invalid"]);
    assert_eq!(
        origins(&[("Origins", "https://a.example, https://b.example")]),
        ["https://a.example", "https://b.example"]
    );
}

#[test]
fn a_role_allows_actions_on_resources_by_their_local_names() {
    let template = template();
    let allows: Vec<_> = template.functions["IngestFunction"]
        .allows
        .iter()
        .map(|allow| format!("{} {}", allow.action, allow.resource))
        .collect();
    assert_eq!(
        allows,
        [
            "dynamodb:GetItem arn:aws:dynamodb:us-east-1:000000000000:table/customer-profiles",
            "dynamodb:PutItem arn:aws:dynamodb:us-east-1:000000000000:table/customer-profiles",
            "s3:PutObject arn:aws:s3:::customer-profiles/work/*",
        ]
    );
    assert!(template.functions["ProfileReadFunction"].allows.is_empty());
}

#[test]
fn routes_and_notifications_belong_to_their_functions() {
    let template = template();
    let ingest = &template.functions["IngestFunction"];
    let notifications: Vec<_> = ingest
        .notifications
        .iter()
        .map(|n| (n.event.as_str(), n.prefix.as_str(), n.suffix.as_str()))
        .collect();
    let created = "s3:ObjectCreated:*";
    assert_eq!(
        notifications,
        [(created, "drop/", ""), (created, "work/", "")]
    );
    let read = &template.functions["ProfileReadFunction"];
    assert_eq!(
        (&*read.binary, &*read.name),
        ("profile-read", "profile-read")
    );
    assert!(read.notifications.is_empty());
    assert!(read.routes.contains(&Route {
        method: "GET".into(),
        path: "/profiles/{id}".into()
    }));
    assert_eq!(read.routes.len(), 2);
}

#[test]
fn a_template_without_a_table_names_what_is_missing() {
    let error = Template::parse("Resources: {}", &BTreeMap::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has no resource of type AWS::DynamoDB::Table"
    );
}

#[test]
fn rejects_unsupported_functions_and_pseudo_parameters() {
    for (value, name) in [
        ("!GetAZs us-east-1", "Fn::GetAZs"),
        ("{\"Fn::Base64\": x}", "Fn::Base64"),
        ("[{A: [!ImportValue x]}]", "Fn::ImportValue"),
        ("!Join [\"\", [!Cidr [x, 1, 2]]]", "Fn::Cidr"),
        ("!Condition HasIssuer", "Fn::Condition"),
        ("!Ref AWS::NotificationARNs", "AWS::NotificationARNs"),
        ("!Sub \"${AWS::StackName}-x\"", "AWS::StackName"),
        (
            "!Sub [\"${A}\", {A: !Ref AWS::StackName}]",
            "AWS::StackName",
        ),
        ("!Sub \"${!Literal}\"", "${!Literal} in Fn::Sub"),
    ] {
        let template = format!("{TEMPLATE}Outputs:\n  Value: {value}\n");
        let error = Template::parse(&template, &BTreeMap::new()).unwrap_err();
        assert!(
            matches!(&error, TemplateError::Unsupported(unsupported) if unsupported == name),
            "{value}: {error}"
        );
    }
}
