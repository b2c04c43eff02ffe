//! The intrinsic functions and pseudo parameters of CloudFormation that the project's template uses, and dynamic references to
//! secrets.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

/// The region of the local stack.
pub(crate) const REGION: &str = "us-east-1";
/// The account id of the local stack.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The name of the local stack. It is also the local name of the table and the bucket, whatever their names in the template.
const STACK_NAME: &str = "customer-profiles";
/// The pseudo parameter that removes a property.
const NO_VALUE: &str = "AWS::NoValue";

/// The intrinsic functions that [`Resolver`] resolves.
const FUNCTIONS: [&str; 10] = [
    "Ref",
    "Fn::Sub",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::Join",
    "Fn::Split",
    "Fn::Select",
    "Fn::FindInMap",
    "Fn::Equals",
    "Fn::Not",
];

/// Returns the name of the first unsupported function or pseudo parameter as an error.
pub(super) fn check(document: &Value) -> Result<(), String> {
    match document {
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(map) => map.iter().try_for_each(|(name, argument)| {
            let is_function = map.len() == 1 && is_intrinsic(name);
            if is_function && !FUNCTIONS.contains(&name.as_str()) {
                return Err(name.clone());
            }
            match (name.as_str(), argument) {
                ("Ref", Value::String(id)) => check_reference(id),
                ("Fn::Sub", Value::String(text)) => check_substitution(text),
                ("Fn::Sub", Value::Array(parts)) => {
                    check_substitution(parts.first().map_or("", as_str))?;
                    check(argument)
                }
                _ => check(argument),
            }
        }),
        _ => Ok(()),
    }
}

fn check_reference(id: &str) -> Result<(), String> {
    let is_supported = !id.starts_with("AWS::") || id == NO_VALUE || pseudo(id).is_some();
    is_supported.then_some(()).ok_or_else(|| id.to_owned())
}

fn check_substitution(text: &str) -> Result<(), String> {
    let names = text.split("${").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        Some(name)
    });
    for name in names {
        if name.starts_with('!') {
            return Err(format!("${{{name}}} in Fn::Sub"));
        }
        check_reference(name)?;
    }
    Ok(())
}

fn is_intrinsic(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

/// Returns the value of a pseudo parameter. [`NO_VALUE`] has none.
fn pseudo(name: &str) -> Option<String> {
    Some(match name {
        "AWS::Region" => REGION.to_owned(),
        "AWS::AccountId" => ACCOUNT.to_owned(),
        "AWS::Partition" => "aws".to_owned(),
        "AWS::URLSuffix" => "amazonaws.com".to_owned(),
        "AWS::StackId" => {
            format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/0")
        }
        _ => return None,
    })
}

/// Converts YAML to plain JSON. Tags get their long form: `!Ref X` becomes `{"Ref": "X"}`.
pub(super) fn plain(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => serde_json::to_value(number).unwrap_or(Value::Null),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect()),
        Yaml::Mapping(map) => Value::Object(
            map.into_iter()
                .filter_map(|(key, value)| {
                    let key = match key {
                        Yaml::String(key) => key,
                        other => serde_yaml_ng::to_string(&other).ok()?.trim().to_owned(),
                    };
                    Some((key, plain(value)))
                })
                .collect(),
        ),
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            let value = plain(tagged.value);
            match name {
                "Ref" => json!({ name: value }),
                "GetAtt" => {
                    let parts = match &value {
                        Value::String(path) => {
                            let (id, attribute) = path.split_once('.').unwrap_or((path, ""));
                            json!([id, attribute])
                        }
                        _ => value,
                    };
                    json!({ "Fn::GetAtt": parts })
                }
                _ => json!({ format!("Fn::{name}"): value }),
            }
        }
    }
}

/// Resolves the intrinsic functions of one template.
pub(super) struct Resolver<'a> {
    document: &'a Value,
    parameters: &'a BTreeMap<String, String>,
    /// The logical ids of the table and the bucket.
    main: Vec<&'a str>,
    /// The resources whose names are being resolved, to detect a name that refers to itself.
    resolving: RefCell<Vec<String>>,
}

impl<'a> Resolver<'a> {
    /// Creates a resolver. `main` contains the logical ids of the table and the bucket of the local stack.
    pub(super) fn new(
        document: &'a Value,
        parameters: &'a BTreeMap<String, String>,
        main: Vec<&'a str>,
    ) -> Self {
        Self {
            document,
            parameters,
            main,
            resolving: RefCell::default(),
        }
    }

    /// Returns a value with all intrinsic functions in it resolved.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.value(item))
                    .filter(|item| *item != no_value())
                    .collect(),
            ),
            Value::Object(map) => match map.iter().next() {
                Some((name, argument)) if map.len() == 1 && is_intrinsic(name) => {
                    self.call(name, argument)
                }
                _ => {
                    let entries = map
                        .iter()
                        .map(|(key, item)| (key.clone(), self.value(item)));
                    Value::Object(
                        entries
                            .filter(|(_, item)| *item != no_value())
                            .collect::<Map<_, _>>(),
                    )
                }
            },
            Value::String(text) => Value::String(with_secrets(text)),
            other => other.clone(),
        }
    }

    /// Returns a resolved value as a string, as an environment variable or a name would contain it.
    pub(super) fn text(&self, value: &Value) -> String {
        match self.value(value) {
            Value::String(text) => text,
            Value::Null => String::new(),
            Value::Array(items) => items
                .iter()
                .map(|item| as_str(item).to_owned())
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        }
    }

    /// Returns the local name of a resource: its name in the template, or one derived from its logical id.
    pub(super) fn name_of(&self, id: &str) -> String {
        if self.main.contains(&id) {
            return STACK_NAME.to_owned();
        }
        let name = self.given_name(id);
        if !name.is_empty() {
            return name;
        }
        match as_str(&self.document["Resources"][id]["Type"]) {
            "AWS::Serverless::Function" => id.to_owned(),
            _ => format!("{STACK_NAME}-{}", kebab(id)),
        }
    }

    /// Returns the string of an environment variable. A literal name of the table or the bucket is replaced with the local name
    /// too. Templates use literal names where a reference would be circular.
    pub(super) fn variable(&self, value: &Value) -> String {
        let given = self
            .main
            .iter()
            .map(|id| self.given_name(id))
            .filter(|name| !name.is_empty());
        given.fold(self.text(value), |text, name| {
            text.replace(&name, STACK_NAME)
        })
    }

    /// Returns the name of a resource in the template; empty if it has none.
    fn given_name(&self, id: &str) -> String {
        let resource = &self.document["Resources"][id];
        let property = match as_str(&resource["Type"]) {
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::S3::Bucket" => "BucketName",
            "AWS::Serverless::Function" => "FunctionName",
            "AWS::SQS::Queue" => "QueueName",
            _ => "Name",
        };
        let is_resolving = self.resolving.borrow().iter().any(|name| name == id);
        let Some(given) = resource["Properties"]
            .get(property)
            .filter(|_| !is_resolving)
        else {
            return String::new();
        };
        self.resolving.borrow_mut().push(id.to_owned());
        let name = self.text(given);
        self.resolving.borrow_mut().pop();
        name
    }

    /// Returns the result of an intrinsic function.
    fn call(&self, name: &str, argument: &Value) -> Value {
        match name {
            "Ref" => self.reference(as_str(argument)),
            "Fn::Sub" => Value::String(with_secrets(&self.substitute(argument))),
            "Fn::GetAtt" => Value::String(match argument {
                Value::String(path) => {
                    let (id, attribute) = path.split_once('.').unwrap_or((path, ""));
                    self.attribute(id, attribute)
                }
                other => self.attribute(as_str(&other[0]), as_str(&other[1])),
            }),
            "Fn::If" => {
                let branch = if self.condition(as_str(&argument[0])) {
                    &argument[1]
                } else {
                    &argument[2]
                };
                self.value(branch)
            }
            "Fn::Join" => {
                let parts = self.value(&argument[1]);
                let parts: Vec<_> = list(&parts).iter().map(|part| self.text(part)).collect();
                Value::String(parts.join(as_str(&argument[0])))
            }
            "Fn::Split" => {
                let text = self.text(&argument[1]);
                Value::Array(text.split(as_str(&argument[0])).map(Value::from).collect())
            }
            "Fn::Select" => {
                let items = self.value(&argument[1]);
                let index = as_u64(&argument[0]).and_then(|index| usize::try_from(index).ok());
                index
                    .and_then(|index| items.get(index).cloned())
                    .unwrap_or(Value::Null)
            }
            "Fn::FindInMap" => {
                let key = |n: usize| self.text(&argument[n]);
                self.document["Mappings"][&key(0)][&key(1)][&key(2)].clone()
            }
            "Fn::Equals" => Value::Bool(self.text(&argument[0]) == self.text(&argument[1])),
            "Fn::Not" => Value::Bool(self.value(&argument[0]) != Value::Bool(true)),
            // `check` has refused every other function.
            _ => Value::Null,
        }
    }

    /// Resolves `Ref`: a pseudo parameter, a parameter, or the name of a resource.
    fn reference(&self, id: &str) -> Value {
        if id == NO_VALUE {
            return no_value();
        }
        if let Some(value) = pseudo(id) {
            return Value::String(value);
        }
        if let Some(parameter) = self.document["Parameters"].get(id) {
            let text = match (self.parameters.get(id), &parameter["Default"]) {
                (Some(given), _) => given.clone(),
                (None, Value::Null) => String::new(),
                (None, Value::String(text)) => text.clone(),
                (None, other) => other.to_string(),
            };
            return match as_str(&parameter["Type"]) {
                "CommaDelimitedList" => text.split(',').map(str::trim).map(Value::from).collect(),
                _ => Value::String(text),
            };
        }
        Value::String(self.name_of(id))
    }

    /// Resolves an attribute of a resource, for `Fn::GetAtt` and `Fn::Sub`.
    fn attribute(&self, id: &str, attribute: &str) -> String {
        let name = self.name_of(id);
        match (as_str(&self.document["Resources"][id]["Type"]), attribute) {
            ("AWS::DynamoDB::Table", "Arn") => {
                format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
            }
            ("AWS::Logs::LogGroup", "Arn") => {
                format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*")
            }
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{name}"),
            ("AWS::Serverless::Function", "Arn") => {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
            }
            _ => format!("{name}.{attribute}"),
        }
    }

    /// Resolves both forms of `Fn::Sub`.
    fn substitute(&self, argument: &Value) -> String {
        let (text, variables) = match argument {
            Value::Array(parts) => (parts.first().map_or("", as_str), parts.get(1)),
            other => (as_str(other), None),
        };
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                out.push_str("${");
                rest = after;
                continue;
            };
            rest = after;
            let name = name.trim();
            if let Some(value) = variables.and_then(|variables| variables.get(name)) {
                out.push_str(&self.text(value));
            } else if let Some((id, attribute)) = name.split_once('.') {
                out.push_str(&self.attribute(id, attribute));
            } else {
                out.push_str(as_str(&self.reference(name)));
            }
        }
        out.push_str(rest);
        out
    }

    /// Returns whether a condition of the template is true.
    fn condition(&self, name: &str) -> bool {
        self.document["Conditions"]
            .get(name)
            .is_some_and(|condition| self.value(condition) == Value::Bool(true))
    }
}

/// Returns a string, or an empty string for other types.
pub(super) fn as_str(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns an integer. Parameters are strings, so a string of digits is also accepted.
pub(super) fn as_u64(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns the items of an array; none for other types.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the marker for `!Ref AWS::NoValue`, which removes the property.
fn no_value() -> Value {
    json!({ "Ref": NO_VALUE })
}

/// Replaces dynamic references to secrets with the local key.
fn with_secrets(text: &str) -> String {
    let Some(start) = text.find("{{resolve:") else {
        return text.to_owned();
    };
    let Some(end) = text[start..].find("}}").map(|end| start + end + 2) else {
        return text.to_owned();
    };
    with_secrets(&format!(
        "{}{}{}",
        &text[..start],
        crate::IDENTITY_KEY,
        &text[end..]
    ))
}

/// Converts `DropBucket` to `drop-bucket`.
fn kebab(id: &str) -> String {
    let mut out = String::new();
    for c in id.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
