//! Reads a template. In: `template.yaml`. Out: the table, the bucket, and the functions with their environment, routes and
//! notifications.
//!
//! This is not a general CloudFormation interpreter. Unknown functions resolve to a readable placeholder.

mod intrinsics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub(crate) use intrinsics::{ACCOUNT, REGION};
use intrinsics::{Resolver, as_str, as_u64, list, plain};

/// The maximum number of retries of a failed event in Lambda, which is also the default.
const MAX_RETRIES: usize = 2;

/// The parts of a SAM template that the local stack implements.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The first `AWS::DynamoDB::Table`.
    pub(crate) table: Table,
    /// The first `AWS::S3::Bucket` that notifies a function, or else the first bucket.
    pub(crate) bucket: Bucket,
    /// Every `AWS::Serverless::Function` with a Cargo binary, by logical id.
    pub(crate) functions: BTreeMap<String, Function>,
    /// The CORS configuration of the HTTP API, if it has one.
    pub(crate) cors: Option<Cors>,
}

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The local name.
    pub(crate) name: String,
    /// The request for `CreateTable`: name, keys, attributes, billing, indexes.
    pub(crate) create: Value,
    /// The attribute with the expiry time of an item, in epoch seconds.
    pub(crate) time_to_live: Option<String>,
}

/// An S3 bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// The local name.
    pub(crate) name: String,
    /// Whether `VersioningConfiguration` enables versions.
    pub(crate) versioned: bool,
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// The logical id in the template.
    pub(crate) logical_id: String,
    /// The Cargo package and binary, from `Metadata.BuildProperties.Binary`.
    pub(crate) binary: String,
    /// The maximum duration of one invocation.
    pub(crate) timeout: Duration,
    /// The memory in MiB. It is passed to the function, but not enforced.
    pub(crate) memory: u64,
    /// The maximum number of concurrent invocations.
    pub(crate) concurrency: usize,
    /// The number of retries after a failed event.
    pub(crate) retries: usize,
    /// The resolved `Environment.Variables` of the globals and the function.
    pub(crate) environment: BTreeMap<String, String>,
    /// The HTTP routes that invoke the function.
    pub(crate) routes: Vec<Route>,
    /// The S3 notifications that invoke the function.
    pub(crate) notifications: Vec<Notification>,
    /// The permissions in the policies of its role.
    pub(crate) allows: Vec<Allow>,
}

/// One action that a policy allows on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allow {
    /// The action, for example `dynamodb:Query`.
    pub(crate) action: String,
    /// The resource with local names, for example `arn:aws:s3:::customer-profiles/drop/*`.
    pub(crate) resource: String,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The method: `GET`, `POST` …, or `ANY`.
    pub(crate) method: String,
    /// The path, for example `/profiles/{id}` or `/{proxy+}`.
    pub(crate) path: String,
}

/// The objects whose creation invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    /// The event, for example `s3:ObjectCreated:*`.
    pub(crate) event: String,
    /// The required start of the key.
    pub(crate) prefix: String,
    /// The required end of the key.
    pub(crate) suffix: String,
}

/// `CorsConfiguration` of an HTTP API.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cors {
    /// `AllowOrigins`.
    pub(crate) origins: Vec<String>,
    /// `AllowMethods`.
    pub(crate) methods: Vec<String>,
    /// `AllowHeaders`.
    pub(crate) headers: Vec<String>,
    /// `ExposeHeaders`.
    pub(crate) expose: Vec<String>,
    /// `MaxAge`, in seconds.
    pub(crate) max_age: Option<u64>,
    /// `AllowCredentials`.
    pub(crate) credentials: bool,
}

/// An error in reading a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("the template is not valid YAML: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// The template lacks a resource that the local stack needs.
    #[error("the template has no resource of type {0}")]
    Missing(&'static str),
}

impl Template {
    /// Reads a template. `parameters` override the defaults of the template's parameters.
    ///
    /// # Errors
    /// The file cannot be read, is not YAML, or contains no table or bucket.
    pub(crate) fn read(
        path: &Path,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let text = std::fs::read_to_string(path).map_err(|source| TemplateError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, parameters)
    }

    /// Parses the text of a template.
    ///
    /// # Errors
    /// The text is not YAML, or contains no table or bucket.
    pub(crate) fn parse(
        text: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let document = plain(serde_yaml_ng::from_str(text)?);
        let resources = Resources(&document["Resources"]);
        let (table_id, table) = resources
            .of_type("AWS::DynamoDB::Table")
            .next()
            .ok_or(TemplateError::Missing("AWS::DynamoDB::Table"))?;
        let (bucket_id, bucket) = main_bucket(&document, &resources)?;
        let resolver = Resolver::new(&document, parameters, vec![table_id, bucket_id]);

        let table = self::table(&resolver, table_id, table);
        let functions = resources
            .of_type("AWS::Serverless::Function")
            .filter_map(|(id, resource)| {
                Some((
                    id.to_owned(),
                    function(&document, &resolver, &resources, id, resource)?,
                ))
            })
            .collect();
        let bucket = Bucket {
            name: resolver.name_of(bucket_id),
            versioned: resolver.text(&bucket["Properties"]["VersioningConfiguration"]["Status"])
                == "Enabled",
        };
        Ok(Self {
            table,
            bucket,
            functions,
            cors: cors(&document, &resolver, &resources),
        })
    }
}

/// Reads one of the project's templates as JSON, without resolving it. Tags get their long form: `!Ref X` becomes `{"Ref": "X"}`.
///
/// # Errors
/// The file cannot be read, or is not YAML.
pub fn document(name: &str) -> Result<Value, TemplateError> {
    let path = crate::workspace::root().join(name);
    let text = std::fs::read_to_string(&path).map_err(|source| TemplateError::Read {
        path: path.clone(),
        source,
    })?;
    Ok(plain(serde_yaml_ng::from_str(&text)?))
}

/// Returns the first bucket that notifies a function, or else the first bucket.
fn main_bucket<'a>(
    document: &'a Value,
    resources: &Resources<'a>,
) -> Result<(&'a str, &'a Value), TemplateError> {
    let notifies = |(id, bucket): &(&str, &Value)| {
        let mut functions = resources.of_type("AWS::Serverless::Function");
        bucket["Properties"]
            .get("NotificationConfiguration")
            .is_some()
            || functions.any(|(function, _)| {
                s3_events(document, function).any(|event| refers(&event["Bucket"], id))
            })
    };
    let mut buckets = resources.of_type("AWS::S3::Bucket");
    let first = resources.of_type("AWS::S3::Bucket").next();
    buckets
        .find(notifies)
        .or(first)
        .ok_or(TemplateError::Missing("AWS::S3::Bucket"))
}

/// The template's resources, in the order of their logical ids.
struct Resources<'a>(&'a Value);

impl<'a> Resources<'a> {
    fn of_type(&self, kind: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let resources = self.0.as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| as_str(&resource["Type"]) == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }
}

fn table(resolver: &Resolver<'_>, id: &str, resource: &Value) -> Table {
    let properties = resolver.value(&resource["Properties"]);
    let name = resolver.name_of(id);
    let mut create = serde_json::json!({ "TableName": name, "BillingMode": "PAY_PER_REQUEST" });
    for key in [
        "KeySchema",
        "AttributeDefinitions",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
    ] {
        if let Some(value) = properties.get(key) {
            create[key] = value.clone();
        }
    }
    let time_to_live = properties["TimeToLiveSpecification"]["AttributeName"]
        .as_str()
        .map(str::to_owned);
    Table {
        name,
        create,
        time_to_live,
    }
}

fn function(
    document: &Value,
    resolver: &Resolver<'_>,
    resources: &Resources<'_>,
    id: &str,
    resource: &Value,
) -> Option<Function> {
    let binary = resource["Metadata"]["BuildProperties"]["Binary"]
        .as_str()?
        .to_owned();
    let globals = &document["Globals"]["Function"];
    let properties = &resource["Properties"];
    let number = |key: &str| {
        let own = properties.get(key).or_else(|| globals.get(key))?;
        as_u64(&resolver.value(own))
    };
    let mut environment = BTreeMap::new();
    for variables in [
        &globals["Environment"]["Variables"],
        &properties["Environment"]["Variables"],
    ] {
        for (name, value) in variables.as_object().into_iter().flatten() {
            environment.insert(name.clone(), resolver.variable(value));
        }
    }
    let events = properties["Events"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, event)| event);
    let routes = events
        .filter(|event| as_str(&event["Type"]) == "HttpApi")
        .map(|event| {
            let method = event["Properties"]
                .get("Method")
                .map_or_else(|| "ANY".to_owned(), |m| resolver.text(m));
            let method = method.to_uppercase();
            let path = event["Properties"]
                .get("Path")
                .map_or_else(|| "$default".to_owned(), |p| resolver.text(p));
            Route {
                method: if method == "*" || method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
                    "ANY".into()
                } else {
                    method
                },
                path,
            }
        })
        .collect();
    Some(Function {
        logical_id: id.to_owned(),
        binary,
        timeout: Duration::from_secs(number("Timeout").unwrap_or(3)),
        memory: number("MemorySize").unwrap_or(128),
        concurrency: number("ReservedConcurrentExecutions")
            .unwrap_or(10)
            .max(1)
            .try_into()
            .unwrap_or(10),
        retries: as_u64(&resolver.value(&properties["EventInvokeConfig"]["MaximumRetryAttempts"]))
            .and_then(|retries| retries.try_into().ok())
            .unwrap_or(MAX_RETRIES),
        environment,
        routes,
        notifications: notifications(document, resolver, resources, id),
        allows: allows(document, resolver, properties),
    })
}

/// Returns the permissions of a function's role. Conditions of a statement are ignored.
fn allows(document: &Value, resolver: &Resolver<'_>, properties: &Value) -> Vec<Allow> {
    let role = match properties["Role"].get("Fn::GetAtt") {
        Some(parts) => as_str(&parts[0]),
        None => return Vec::new(),
    };
    let policies = resolver.value(&document["Resources"][role]["Properties"]["Policies"]);
    let statements = list(&policies)
        .iter()
        .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
        .filter(|statement| statement["Effect"] == "Allow");
    let mut allows = Vec::new();
    for statement in statements {
        for action in one_or_more(&statement["Action"]) {
            for resource in one_or_more(&statement["Resource"]) {
                allows.push(Allow {
                    action: as_str(action).to_owned(),
                    resource: resolver.variable(resource),
                });
            }
        }
    }
    allows
}

/// Returns the items of an array. A value that is not an array counts as one item.
fn one_or_more(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// Returns the S3 notifications of a function, from the buckets' notification configurations and the function's own S3 events.
fn notifications(
    document: &Value,
    resolver: &Resolver<'_>,
    resources: &Resources<'_>,
    id: &str,
) -> Vec<Notification> {
    let mut found = Vec::new();
    for (_, bucket) in resources.of_type("AWS::S3::Bucket") {
        for configuration in
            list(&bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"])
        {
            if refers(&configuration["Function"], id) {
                found.push(notification(
                    resolver,
                    &configuration["Event"],
                    &configuration["Filter"],
                ));
            }
        }
    }
    for event in s3_events(document, id) {
        let events = &event["Events"];
        for name in one_or_more(events) {
            found.push(notification(resolver, name, &event["Filter"]));
        }
    }
    found
}

fn s3_events<'a>(document: &'a Value, id: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let events = document["Resources"][id]["Properties"]["Events"]
        .as_object()
        .into_iter()
        .flatten();
    events
        .filter(|(_, event)| as_str(&event["Type"]) == "S3")
        .map(|(_, event)| &event["Properties"])
}

fn notification(resolver: &Resolver<'_>, event: &Value, filter: &Value) -> Notification {
    let rule = |wanted: &str| {
        let rules = list(&filter["S3Key"]["Rules"]).iter();
        rules
            .filter(|rule| resolver.text(&rule["Name"]).eq_ignore_ascii_case(wanted))
            .map(|rule| resolver.text(&rule["Value"]))
            .next()
            .unwrap_or_default()
    };
    Notification {
        event: resolver.text(event),
        prefix: rule("prefix"),
        suffix: rule("suffix"),
    }
}

/// Returns whether a value refers to the resource with `!Ref`, `!GetAtt` or inside a `!Sub`.
fn refers(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text
            .split(|c: char| !c.is_ascii_alphanumeric())
            // SAM derives the name of an alias from its function: `IngestFunctionAliaslive`.
            .any(|word| {
                word == id
                    || word
                        .strip_prefix(id)
                        .is_some_and(|rest| rest.starts_with("Alias"))
            }),
        Value::Array(items) => items.iter().any(|item| refers(item, id)),
        Value::Object(map) => map.values().any(|item| refers(item, id)),
        _ => false,
    }
}

fn cors(document: &Value, resolver: &Resolver<'_>, resources: &Resources<'_>) -> Option<Cors> {
    let own = resources
        .of_type("AWS::Serverless::HttpApi")
        .map(|(_, api)| &api["Properties"]);
    let configuration = own
        .chain([&document["Globals"]["HttpApi"]])
        .find_map(|properties| properties.get("CorsConfiguration"))
        .map(|value| resolver.value(value))?;
    if configuration == Value::Bool(false) {
        return None;
    }
    if !configuration.is_object() {
        // `CorsConfiguration: true`, or one origin as a string, allows all methods and headers.
        let origin = configuration.as_str().unwrap_or("*").to_owned();
        return Some(Cors {
            origins: vec![origin],
            methods: vec!["*".into()],
            headers: vec!["*".into()],
            ..Cors::default()
        });
    }
    let texts = |key: &str| {
        list(&configuration[key])
            .iter()
            .map(|v| as_str(v).to_owned())
            .collect()
    };
    Some(Cors {
        origins: texts("AllowOrigins"),
        methods: texts("AllowMethods"),
        headers: texts("AllowHeaders"),
        expose: texts("ExposeHeaders"),
        max_age: as_u64(&configuration["MaxAge"]),
        credentials: configuration["AllowCredentials"].as_bool().unwrap_or(false),
    })
}
