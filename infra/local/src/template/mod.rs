//! Reads a template. In: `template.yaml`. Out: the table, the bucket, and the functions with their environment, routes and
//! notifications.
//!
//! This is not a general CloudFormation interpreter. A template with an intrinsic function that the project does not use is an
//! error.

mod function;
mod intrinsics;
mod resources;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub(crate) use intrinsics::{ACCOUNT, REGION};
use intrinsics::{Resolver, as_str, as_u64, check, list, plain};
use resources::{Document, notified};

/// The parts of a SAM template that the local stack implements.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The first `AWS::DynamoDB::Table`.
    pub(crate) table: Table,
    /// The first `AWS::S3::Bucket` that notifies a function, or else the first one.
    pub(crate) bucket: Bucket,
    /// Every `AWS::Serverless::Function` with a Cargo binary, by logical id.
    pub(crate) functions: BTreeMap<String, Function>,
    /// The CORS configuration of the HTTP API, if it has one.
    pub(crate) cors: Option<Cors>,
    /// The names of all log groups.
    pub(crate) log_groups: BTreeSet<String>,
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
    /// The first rule of `CorsConfiguration`, if there is one.
    pub(crate) cors: Option<Cors>,
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    /// The logical id in the template.
    pub(crate) logical_id: String,
    /// The logical id without `Function`, in kebab case, for example `note-write`. Functions may share a binary, but not a name.
    pub(crate) name: String,
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
    /// The log group of its lines; empty if the template specifies none.
    pub(crate) log_group: String,
    /// The log groups whose lines invoke the function.
    pub(crate) subscriptions: Vec<Subscription>,
    /// The permissions in the policies of its role.
    pub(crate) allows: Vec<Allow>,
}

/// A subscription filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The log group.
    pub(crate) log_group: String,
    /// The field that a line must have: `audit` for the pattern `{ $.audit = "*" }`. Other patterns are not supported.
    pub(crate) field: String,
}

/// One action that a policy allows on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allow {
    /// The action, for example `dynamodb:Query`.
    pub(crate) action: String,
    /// The resource with local names, for example `arn:aws:s3:::customer-profiles/drop/*`.
    pub(crate) resource: String,
    /// The patterns that every partition key of a request must match; empty for any key.
    pub(crate) leading_keys: Vec<String>,
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

/// The CORS configuration of an HTTP API or of a bucket.
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
    /// The template uses an intrinsic function or a pseudo parameter that the local stack does not support.
    #[error(
        "the template uses {0}, which the local stack does not support. Use another function, or add it to infra/local/src/template/intrinsics.rs"
    )]
    Unsupported(String),
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
        let json = plain(serde_yaml_ng::from_str(text)?);
        check(&json).map_err(TemplateError::Unsupported)?;
        let document = Document(&json);
        let (table_id, table) = document
            .of_type("AWS::DynamoDB::Table")
            .next()
            .ok_or(TemplateError::Missing("AWS::DynamoDB::Table"))?;
        let (bucket_id, bucket) = main_bucket(document)?;
        let resolver = Resolver::new(&json, parameters, vec![table_id, bucket_id]);
        let functions = document
            .of_type("AWS::Serverless::Function")
            .filter_map(|(id, resource)| {
                let function = function::function(document, &resolver, (id, resource), bucket);
                let function = function.transpose()?;
                Some(function.map(|function| (id.to_owned(), function)))
            })
            .collect::<Result<_, _>>()?;
        let log_groups = document.of_type("AWS::Logs::LogGroup");
        let versioning = &bucket["Properties"]["VersioningConfiguration"]["Status"];
        Ok(Self {
            table: self::table(&resolver, table_id, table),
            bucket: Bucket {
                name: resolver.name_of(bucket_id),
                versioned: resolver.text(versioning) == "Enabled",
                cors: bucket_cors(&resolver, bucket),
            },
            functions,
            cors: cors(document, &resolver),
            log_groups: log_groups.map(|(id, _)| resolver.name_of(id)).collect(),
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
fn main_bucket(document: Document<'_>) -> Result<(&str, &Value), TemplateError> {
    let mut buckets = document.of_type("AWS::S3::Bucket");
    let first = document.of_type("AWS::S3::Bucket").next();
    buckets
        .find(|(_, bucket)| notified(bucket).next().is_some())
        .or(first)
        .ok_or(TemplateError::Missing("AWS::S3::Bucket"))
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

fn cors(document: Document<'_>, resolver: &Resolver<'_>) -> Option<Cors> {
    let own = document
        .of_type("AWS::Serverless::HttpApi")
        .map(|(_, api)| &api["Properties"]);
    let configuration = own
        .chain([document.globals("HttpApi")])
        .find_map(|properties| properties.get("CorsConfiguration"))
        .map(|value| resolver.value(value))?;
    Some(Cors {
        origins: texts(&configuration["AllowOrigins"]),
        methods: texts(&configuration["AllowMethods"]),
        headers: texts(&configuration["AllowHeaders"]),
        expose: texts(&configuration["ExposeHeaders"]),
        max_age: as_u64(&configuration["MaxAge"]),
        credentials: configuration["AllowCredentials"].as_bool().unwrap_or(false),
    })
}

fn bucket_cors(resolver: &Resolver<'_>, bucket: &Value) -> Option<Cors> {
    let configuration = resolver.value(&bucket["Properties"]["CorsConfiguration"]);
    let rule = list(&configuration["CorsRules"]).first()?;
    Some(Cors {
        origins: texts(&rule["AllowedOrigins"]),
        methods: texts(&rule["AllowedMethods"]),
        headers: texts(&rule["AllowedHeaders"]),
        expose: texts(&rule["ExposedHeaders"]),
        max_age: as_u64(&rule["MaxAge"]),
        credentials: false,
    })
}

/// Returns the strings of an array.
fn texts(values: &Value) -> Vec<String> {
    let values = list(values).iter();
    values.map(|value| as_str(value).to_owned()).collect()
}
