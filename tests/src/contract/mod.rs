//! The contract, `infra/openapi.yaml`: it has the template's routes, and responses match it.

mod caller;
mod history;
mod imports;
mod links;
mod notes;
mod profiles;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::contract::Contract;

/// The tags of the contract. Each has a file of tests.
const TAGS: [&str; 5] = ["history", "imports", "links", "notes", "profiles"];
/// The ID of an identity that is not stored.
const NOTHING: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Returns the scope of each route of the template, by method and path.
fn template_routes() -> BTreeMap<(String, String), String> {
    let text = include_str!("../../../template.yaml");
    let template: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).expect("YAML");
    let mut routes = BTreeMap::new();
    for (_, resource) in template["Resources"].as_mapping().expect("resources") {
        let Some(events) = resource["Properties"]["Events"].as_mapping() else {
            continue;
        };
        for (_, event) in events {
            if event["Type"].as_str() != Some("HttpApi") {
                continue;
            }
            let properties = &event["Properties"];
            let text = |name: &str| properties[name].as_str().expect(name).to_owned();
            let scope = properties["Auth"]["AuthorizationScopes"][0].as_str();
            let scope = scope.unwrap_or("profiles:read").to_owned();
            routes.insert((text("Method"), text("Path")), scope);
        }
    }
    routes
}

#[test]
fn matches_template_routes() {
    assert_eq!(Contract::read().operations(), template_routes());
}

#[test]
fn every_tag_has_a_file() {
    let contract = Contract::read();
    let of_tags: BTreeSet<_> = TAGS
        .into_iter()
        .flat_map(|tag| contract.operations_of(tag))
        .collect();
    let all: BTreeSet<_> = contract.operations().into_keys().collect();
    assert_eq!(of_tags, all);
}

#[test]
fn examples_match_schemas() {
    let contract = Contract::read();
    let responses = contract.0["components"]["responses"].as_object().unwrap();
    let mut seen = 0;
    for (name, response) in responses {
        for (_, content) in response["content"].as_object().into_iter().flatten() {
            let mut examples: Vec<_> = content["examples"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, example)| &example["value"])
                .collect();
            examples.extend(content.get("example"));
            assert!(!examples.is_empty(), "{name} has no example");
            for example in examples {
                contract.validate(&content["schema"], example, name);
                seen += 1;
            }
        }
    }
    assert!(seen > responses.len(), "{seen}");
    // Each response is used by a route, and each route's responses are defined.
    let mut used = BTreeSet::new();
    for (_, methods) in contract.0["paths"].as_object().unwrap() {
        for (_, operation) in methods.as_object().unwrap() {
            for (_, response) in operation["responses"].as_object().unwrap() {
                let name = response["$ref"]
                    .as_str()
                    .unwrap()
                    .rsplit('/')
                    .next()
                    .unwrap();
                used.insert(name.to_owned());
            }
        }
    }
    assert_eq!(used, responses.keys().cloned().collect());
}

/// Calls `check` with the path and schema of every property within a schema.
fn for_each_property(path: &str, schema: &Value, check: &mut impl FnMut(&str, &Value)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        check(&path, property);
        for_each_property(&path, property, check);
    }
    for choices in ["allOf", "anyOf", "oneOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            for_each_property(path, choice, check);
        }
    }
    for values in ["items", "additionalProperties"] {
        if schema[values].is_object() {
            for_each_property(path, &schema[values], check);
        }
    }
}

#[test]
fn properties_have_description_and_example() {
    let contract = Contract::read();
    let schemas = contract.0["components"]["schemas"].as_object().unwrap();
    let mut properties = 0;
    let mut check = |path: &str, property: &Value| {
        // Both may be in the schema that the property refers to.
        let find = |key: &str| {
            let mut schema = property;
            while schema.get(key).is_none() {
                let target = schema["$ref"].as_str()?;
                schema = &schemas[target.rsplit('/').next().unwrap()];
            }
            schema.get(key)
        };
        let description = find("description").and_then(Value::as_str);
        assert!(
            description.is_some_and(|text| text.len() > 5),
            "{path} has no description"
        );
        let example = find("example").unwrap_or_else(|| panic!("{path} has no example"));
        contract.validate(property, example, path);
        properties += 1;
    };
    for (name, schema) in schemas {
        assert!(
            schema["description"].is_string(),
            "{name} has no description"
        );
        for_each_property(name, schema, &mut check);
    }
    assert!(properties > 250, "{properties}");
}
