//! `infra/openapi.yaml`: the schemas of event payloads have the fields and rules of the code.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use shared::{
    model::keys::EventType,
    profile::redact::{self, Rule},
};

use super::{
    event,
    kind::{Field, Kind, OnError},
};

/// Fields that the service adds.
const ADDED: [&str; 5] = [
    "body_bytes",
    "body_truncated",
    "invalid_fields",
    "product",
    "redacted_fields",
];
/// Fields of a message that the API returns beside the payload.
const BESIDE: [&str; 3] = ["account", "channel", "direction"];

struct Contract(Json);

impl Contract {
    fn read() -> Self {
        let text = include_str!("../../../../../infra/openapi.yaml");
        Self(serde_yaml_ng::from_str(text).expect("YAML"))
    }

    fn schema(&self, name: &str) -> &Json {
        &self.0["components"]["schemas"][name]
    }

    /// Returns the schema that `schema` refers to, or else `schema` itself.
    fn resolved<'a>(&'a self, mut schema: &'a Json) -> &'a Json {
        while let Some(target) = schema["$ref"].as_str() {
            schema = self.schema(target.rsplit('/').next().unwrap());
        }
        schema
    }

    /// Returns the schema of a property's visible value, and whether the value can be hidden.
    fn visible<'a>(&'a self, property: &'a Json) -> (&'a Json, bool) {
        let redacted = self.schema("Redacted");
        let schema = self.resolved(property);
        let Some(choices) = schema["anyOf"].as_array() else {
            return (schema, false);
        };
        let choices: Vec<_> = choices.iter().map(|choice| self.resolved(choice)).collect();
        // Clients try the choices in order, and an object without required fields accepts the marker.
        assert_eq!(choices[0], redacted, "{property}");
        let shown: Vec<_> = choices
            .into_iter()
            .filter(|choice| *choice != redacted)
            .collect();
        assert_eq!(shown.len(), 1, "{property}");
        (shown[0], true)
    }

    /// Compares an object's schema with its fields. `rules` is `None` inside of a hidden object.
    fn compare_object(
        &self,
        path: &str,
        schema: &Json,
        fields: &[&Field],
        rules: Option<redact::Fields>,
    ) {
        let properties = schema["properties"].as_object().unwrap();
        let is_added =
            |name: &str| ADDED.contains(&name) && !fields.iter().any(|field| field.name == name);
        let names = |fields: &[&Field]| -> BTreeSet<String> {
            fields.iter().map(|field| field.name.to_owned()).collect()
        };
        let listed = properties.keys().filter(|name| !is_added(name)).cloned();
        assert_eq!(listed.collect::<BTreeSet<_>>(), names(fields), "{path}");
        // Other fields may be absent, or left out because they are invalid.
        let is_sure = |field: &&&Field| field.required && field.on_error == OnError::Reject;
        let sure: Vec<_> = fields.iter().filter(is_sure).copied().collect();
        let listed = schema["required"].as_array().into_iter().flatten();
        // An order without a currency has the stack's.
        let listed = listed
            .map(|name| name.as_str().unwrap().to_owned())
            .filter(|name| name != "currency");
        let listed: BTreeSet<_> = listed.collect();
        assert!(listed.is_subset(&names(&sure)), "{path}: {listed:?}");
        assert_eq!(
            rules.is_some(),
            properties.contains_key("redacted_fields"),
            "{path}"
        );
        for field in fields {
            let path = format!("{path}.{}", field.name);
            let rule = rules.map(|rules| {
                let rule = rules.iter().find(|(name, _)| *name == field.name);
                rule.unwrap_or_else(|| panic!("{path} has no rule")).1
            });
            let (schema, is_hidden) = self.visible(&properties[field.name]);
            // Of free text, redaction shows the common values.
            let can_be_hidden = match rule {
                Some(Rule::Hidden) => true,
                Some(Rule::OneOf(_) | Rule::Status(_)) => matches!(field.kind, Kind::Text),
                _ => false,
            };
            assert_eq!(is_hidden, can_be_hidden, "{path}");
            self.compare(&path, schema, &field.kind, rule);
        }
    }

    fn compare(&self, path: &str, schema: &Json, kind: &Kind, rule: Option<Rule>) {
        let schema = self.resolved(schema);
        let of_type = schema["type"].as_str();
        match kind {
            Kind::Text | Kind::Free | Kind::Id | Kind::Url | Kind::BirthDate => {
                assert_eq!(of_type, Some("string"), "{path}");
            }
            Kind::Flag => assert_eq!(of_type, Some("boolean"), "{path}"),
            Kind::Amount(bounds) if bounds.integer => {
                assert_eq!(of_type, Some("integer"), "{path}");
                assert_eq!(schema["minimum"].as_i64(), bounds.low, "{path}");
                assert_eq!(schema["maximum"].as_i64(), bounds.high, "{path}");
            }
            Kind::Amount(_) => assert_eq!(schema, self.schema("Amount"), "{path}"),
            Kind::Latitude | Kind::Longitude => assert_eq!(of_type, Some("number"), "{path}"),
            Kind::Quantity => assert_eq!(of_type, Some("number"), "{path}"),
            Kind::Time | Kind::UpdateTime => assert_eq!(schema, self.schema("Time"), "{path}"),
            Kind::Currency => assert_eq!(schema, self.schema("Currency"), "{path}"),
            Kind::OneOf(words) => assert_eq!(schema["enum"], serde_json::json!(words), "{path}"),
            Kind::List(kind, most) => {
                assert_eq!(schema["maxItems"], serde_json::json!(most), "{path}");
                self.compare(path, &schema["items"], kind, rule);
            }
            Kind::Object(fields) => {
                let rules = match rule {
                    Some(Rule::Object(rules)) => Some(rules),
                    _ => None,
                };
                let fields: Vec<_> = fields.iter().collect();
                self.compare_object(path, schema, &fields, rules);
            }
            Kind::MapOf(_) | Kind::Open | Kind::Attributes => {
                assert_eq!(of_type, Some("object"), "{path}")
            }
        }
    }
}

#[test]
fn payloads_have_the_fields_of_their_type() {
    let contract = Contract::read();
    let mapping = &contract.schema("Event")["discriminator"]["mapping"];
    assert_eq!(mapping.as_object().unwrap().len(), EventType::ALL.len());
    for kind in EventType::ALL {
        let name = mapping[kind.as_str()].as_str().unwrap();
        let event = contract.schema(name.rsplit('/').next().unwrap());
        // The fields of every event come first, then those of its type.
        let own = &event["allOf"][1];
        assert_eq!(own["properties"]["type"]["const"], kind.as_str());
        assert_eq!(own["required"], serde_json::json!(["type", kind.as_str()]));
        let payload = contract.resolved(&own["properties"][kind.as_str()]);
        let beside: &[&str] = if kind == EventType::Message {
            &BESIDE
        } else {
            &[]
        };
        let fields: Vec<_> = event::event_fields(kind)
            .iter()
            .filter(|field| !beside.contains(&field.name))
            .collect();
        let rules = redact::event_fields(kind);
        let (_, is_hidden) = contract.visible(&payload["properties"]["invalid_fields"]);
        assert!(is_hidden, "{kind:?}");
        contract.compare_object(kind.as_str(), payload, &fields, Some(rules));
    }
}
