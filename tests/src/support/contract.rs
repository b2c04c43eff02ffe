//! The contract, `infra/openapi.yaml`, and the check of responses against it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header;
use serde_json::{Value, json};

/// The parsed contract.
pub(crate) struct Contract(pub(crate) Value);

impl Contract {
    pub(crate) fn read() -> Self {
        let text = include_str!("../../../infra/openapi.yaml");
        Self(serde_yaml_ng::from_str(text).expect("YAML"))
    }

    /// Returns the scope of each operation, by method and path.
    pub(crate) fn operations(&self) -> BTreeMap<(String, String), String> {
        let mut found = BTreeMap::new();
        for (path, methods) in self.0["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let scope = operation["security"][0]["jwt"][0]
                    .as_str()
                    .expect("a scope");
                found.insert((method.to_uppercase(), path.clone()), scope.to_owned());
            }
        }
        found
    }

    /// Returns the operations of a tag, by method and path.
    pub(crate) fn operations_of(&self, tag: &str) -> BTreeSet<(String, String)> {
        let is_tagged = |(method, path): &(String, String)| {
            self.0["paths"][path][method.to_lowercase()]["tags"] == json!([tag])
        };
        let operations = self.operations().into_keys();
        operations.filter(is_tagged).collect()
    }

    /// Returns the contract's response of a route for a status.
    fn response(&self, method: &str, path: &str, status: u16) -> &Value {
        let responses = &self.0["paths"][path][method.to_lowercase()]["responses"];
        let response = &responses[status.to_string()];
        let name = response["$ref"].as_str().unwrap_or_else(|| {
            panic!("{method} {path} returns {status}, which the contract does not know")
        });
        &self.0["components"]["responses"][name.rsplit('/').next().unwrap()]
    }

    /// Panics if `instance` does not match the schema.
    pub(crate) fn validate(&self, schema: &Value, instance: &Value, what: &str) {
        let mut root = schema.clone();
        root["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&root).expect("a schema");
        let errors: Vec<_> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}\n{instance:#}");
    }

    /// Panics if the profile of a lookup does not match the contract.
    pub(crate) fn validate_profile(&self, profile: &Value) {
        let expected = self.response("POST", "/profiles/lookup", 200);
        let schema = &expected["content"]["application/json"]["schema"];
        self.validate(schema, profile, "a profile");
    }

    /// Panics if a response does not match the contract. Returns its body.
    pub(crate) async fn check(&self, route: (&str, &str), response: reqwest::Response) -> Value {
        let (method, path) = route;
        let status = response.status().as_u16();
        let expected = self.response(method, path, status);
        let what = format!("{method} {path}: {status}");
        for name in expected["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            assert!(response.headers().contains_key(name), "{what}: no {name}");
        }
        let of_type = response.headers().get(header::CONTENT_TYPE).cloned();
        let text = response.text().await.expect("a body");
        let Some(content) = expected["content"].as_object() else {
            assert_eq!(text, "", "{what}");
            return Value::Null;
        };
        let of_type = of_type.expect("a content type");
        let schema = &content
            .get(of_type.to_str().unwrap())
            .unwrap_or_else(|| panic!("{what}: {of_type:?}"))["schema"];
        if of_type == "application/x-ndjson" {
            let lines = &self.0["components"]["schemas"]["ExportLine"];
            for line in text.lines() {
                let line = serde_json::from_str(line).expect("JSON");
                self.validate(lines, &line, &what);
            }
            return json!(text);
        }
        let body = serde_json::from_str(&text).expect("JSON");
        self.validate(schema, &body, &what);
        if of_type == "application/problem+json" {
            // The contract also accepts a message of API Gateway there, for generated clients.
            self.validate(&self.0["components"]["schemas"]["Problem"], &body, &what);
        }
        body
    }
}
