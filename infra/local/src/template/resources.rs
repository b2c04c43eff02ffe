//! The resources of a template, before their values are resolved.

use serde_json::Value;

use super::intrinsics::{as_str, list};

/// A template as JSON.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a Value);

impl<'a> Document<'a> {
    /// Returns the id and the definition of each resource of a type, in the order of the ids.
    pub(super) fn of_type(
        self,
        kind: &'static str,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources
            .filter(move |(_, resource)| as_str(&resource["Type"]) == kind)
            .map(|(id, resource)| (id.as_str(), resource))
    }

    /// Returns the properties of a resource.
    pub(super) fn properties(self, id: &str) -> &'a Value {
        &self.0["Resources"][id]["Properties"]
    }

    /// Returns the properties that all functions or all HTTP APIs share.
    pub(super) fn globals(self, kind: &str) -> &'a Value {
        &self.0["Globals"][kind]
    }
}

/// Returns the properties of a function's events of one type.
pub(super) fn events<'a>(
    function: &'a Value,
    kind: &'static str,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    let events = function["Properties"]["Events"]
        .as_object()
        .into_iter()
        .flatten();
    events
        .filter(move |(_, event)| as_str(&event["Type"]) == kind)
        .map(|(_, event)| &event["Properties"])
}

/// Returns the functions that a bucket notifies, with the rule of each. SAM names the alias of a function `{function}.Alias`.
pub(super) fn notified(bucket: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let rules = &bucket["Properties"]["NotificationConfiguration"]["LambdaConfigurations"];
    list(rules).iter().map(|rule| {
        let target = as_str(&rule["Function"]["Ref"]);
        (target.strip_suffix(".Alias").unwrap_or(target), rule)
    })
}

/// Returns the items of an array. A value that is not an array counts as one item.
pub(super) fn one_or_more(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}
