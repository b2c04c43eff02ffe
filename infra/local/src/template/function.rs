//! Reads a function: its limits, environment, routes, notifications and permissions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::intrinsics::{Resolver, as_str, as_u64, list};
use super::resources::{Document, events, notified, one_or_more};
use super::{Allow, Function, Notification, Route, Subscription, TemplateError};

/// The maximum number of retries of a failed event in Lambda, which is also the default.
const MAX_RETRIES: usize = 2;

/// Returns the function, unless it is not built with Cargo. `bucket` is the bucket that notifies functions.
///
/// # Errors
/// The function has an event that the local stack does not support.
pub(super) fn function(
    document: Document<'_>,
    resolver: &Resolver<'_>,
    (id, resource): (&str, &Value),
    bucket: &Value,
) -> Result<Option<Function>, TemplateError> {
    let Some(binary) = resource["Metadata"]["BuildProperties"]["Binary"].as_str() else {
        return Ok(None);
    };
    let globals = document.globals("Function");
    let properties = &resource["Properties"];
    let number = |key: &str| {
        let own = properties.get(key).or_else(|| globals.get(key))?;
        as_u64(&resolver.value(own))
    };
    Ok(Some(Function {
        logical_id: id.to_owned(),
        name: name(id),
        binary: binary.to_owned(),
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
        environment: environment(resolver, [globals, properties]),
        routes: events(resource, "HttpApi")
            .map(|event| route(resolver, event))
            .collect(),
        notifications: notified(bucket)
            .filter(|(function, _)| *function == id)
            .map(|(_, rule)| notification(resolver, rule))
            .collect(),
        log_group: resolver.text(&properties["LoggingConfig"]["LogGroup"]),
        subscriptions: events(resource, "CloudWatchLogs")
            .map(|event| subscription(resolver, event))
            .collect::<Result<_, _>>()?,
        allows: allows(document, resolver, properties),
    }))
}

/// Returns the name of a function from its logical id.
fn name(id: &str) -> String {
    let id = id.strip_suffix("Function").unwrap_or(id);
    let mut name = String::with_capacity(id.len() + 4);
    for letter in id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Returns the environment variables. Those of later properties replace those of earlier ones.
fn environment(resolver: &Resolver<'_>, properties: [&Value; 2]) -> BTreeMap<String, String> {
    properties
        .into_iter()
        .filter_map(|properties| properties["Environment"]["Variables"].as_object())
        .flatten()
        .map(|(name, value)| (name.clone(), resolver.variable(value)))
        .collect()
}

/// Returns the route of an event. An event without a method or a path has all of them.
fn route(resolver: &Resolver<'_>, event: &Value) -> Route {
    let text = |key: &str, default: &str| {
        event
            .get(key)
            .map_or_else(|| default.to_owned(), |value| resolver.text(value))
    };
    Route {
        method: text("Method", "ANY").to_uppercase(),
        path: text("Path", "$default"),
    }
}

fn notification(resolver: &Resolver<'_>, rule: &Value) -> Notification {
    let filter = |wanted: &str| {
        let rules = list(&rule["Filter"]["S3Key"]["Rules"]).iter();
        rules
            .filter(|rule| resolver.text(&rule["Name"]).eq_ignore_ascii_case(wanted))
            .map(|rule| resolver.text(&rule["Value"]))
            .next()
            .unwrap_or_default()
    };
    Notification {
        event: resolver.text(&rule["Event"]),
        prefix: filter("prefix"),
        suffix: filter("suffix"),
    }
}

/// Reads a subscription filter.
///
/// # Errors
/// The filter has a pattern that the local stack does not support.
fn subscription(resolver: &Resolver<'_>, event: &Value) -> Result<Subscription, TemplateError> {
    let pattern = resolver.text(&event["FilterPattern"]);
    let field = pattern.strip_prefix("{ $.");
    let field = field.and_then(|rest| rest.strip_suffix(" = \"*\" }"));
    let is_name = |name: &&str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    match field.filter(is_name) {
        Some(field) => Ok(Subscription {
            log_group: resolver.text(&event["LogGroupName"]),
            field: field.to_owned(),
        }),
        None => Err(TemplateError::Unsupported(format!(
            "the filter pattern {pattern}"
        ))),
    }
}

/// Returns the permissions of a function's role. The only condition is that on the partition keys. Permissions on the log group of
/// the function are left out, because Lambda uses them, not the function.
fn allows(document: Document<'_>, resolver: &Resolver<'_>, properties: &Value) -> Vec<Allow> {
    let role = match properties["Role"].get("Fn::GetAtt") {
        Some(parts) => as_str(&parts[0]),
        None => return Vec::new(),
    };
    let policies = resolver.value(&document.properties(role)["Policies"]);
    let own_logs = resolver.text(&properties["LoggingConfig"]["LogGroup"]);
    let own_logs = format!("log-group:{own_logs}:*");
    let statements = list(&policies)
        .iter()
        .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
        .filter(|statement| statement["Effect"] == "Allow");
    let mut allows = Vec::new();
    for statement in statements {
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let keys = one_or_more(keys).iter().map(|key| as_str(key).to_owned());
        let leading_keys: Vec<_> = keys.collect();
        for action in one_or_more(&statement["Action"]) {
            for resource in one_or_more(&statement["Resource"]) {
                let resource = resolver.variable(resource);
                if resource.ends_with(&own_logs) {
                    continue;
                }
                allows.push(Allow {
                    action: as_str(action).to_owned(),
                    resource,
                    leading_keys: leading_keys.clone(),
                });
            }
        }
    }
    allows
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_in_kebab_case() {
        for (id, expected) in [
            ("IngestFunction", "ingest"),
            ("IngestCheckFunction", "ingest-check"),
            ("F", "f"),
            ("Function", ""),
        ] {
            assert_eq!(name(id), expected, "{id}");
        }
    }
}
