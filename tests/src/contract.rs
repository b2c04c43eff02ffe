//! The contract, `infra/openapi.yaml`: it has the template's routes, and responses match it.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{app::TestApp, contract::Contract},
    uploads::put,
};

/// Returns the scope of each route of the template, by method and path.
fn template_routes() -> BTreeMap<(String, String), String> {
    let text = include_str!("../../template.yaml");
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

#[tokio::test(flavor = "multi_thread")]
async fn responses_match_contract() {
    let app = TestApp::with_jane().await;
    let long = json!({"link": {"email": "jane@fake.com"}, "action_at": "2026-01-01T00:00:00Z", "message_id": "m",
        "channel": "webchat", "direction": "inbound", "account": {"id": "a", "name": "Shop"},
        "author": {"name": "Jane"}, "body": "Where is it? ".repeat(1000), "attachments": [{"url": "https://fake.com/a.jpg"}]});
    app.import("drop/message/desk/a.ndjson", &long.to_string())
        .await;
    let interests = json!({"link": {"email": "jane@fake.com"}, "attributes": {"interests.knit": {"value": true, "confidence": 1.5}, "sizes.top": "M"}});
    app.import("drop/attributes/crm/a.ndjson", &interests.to_string())
        .await;
    let contract = Contract::read();
    let client = reqwest::Client::new();
    let profile = app.profile("jane@fake.com").await;
    let id = profile["id"].as_str().unwrap();
    let mut answered = BTreeSet::new();
    let mut ask = async |method: &str,
                         route: &str,
                         path: String,
                         headers: &[(&str, &str)],
                         body: Option<Value>| {
        let method_of = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method_of, app.url(&path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        answered.insert((method.to_owned(), route.to_owned(), status));
        let etag = response
            .headers()
            .get("etag")
            .map(|tag| tag.to_str().unwrap().to_owned());
        (
            status,
            contract.check((method, route), response).await,
            etag,
        )
    };
    let unknown = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let lookup = "/profiles/lookup";
    ask(
        "POST",
        lookup,
        lookup.into(),
        &[],
        Some(json!({"email": "jane@fake.com"})),
    )
    .await;
    ask(
        "POST",
        lookup,
        lookup.into(),
        &[],
        Some(json!({"email": "no@fake.com"})),
    )
    .await;
    ask(
        "POST",
        lookup,
        lookup.into(),
        &[],
        Some(json!({"email": 1})),
    )
    .await;
    ask("POST", lookup, lookup.into(), &[], None).await;
    let id_elsewhere =
        json!({"link": {"customer_id": "1042", "system_name": "shop"}, "email": "jane@fake.com"});
    app.import(
        "drop/customer_record/shop/a.ndjson",
        &id_elsewhere.to_string(),
    )
    .await;
    for identifier in [json!({"customer_id": "1042"}), json!({"mobile": "5550001"})] {
        let (status, problem, _) = ask("POST", lookup, lookup.into(), &[], Some(identifier)).await;
        assert_eq!(
            (status, problem["hints"].as_array().map(Vec::len)),
            (404, Some(1))
        );
    }
    let search = "/profiles/search";
    for (body, status) in [
        (json!({"email": "jane@fake.com", "limit": 1}), 200),
        (
            json!({"order": "#53059a1d-97b4-46cd-9ce8-3d4eea1d6a50"}),
            200,
        ),
        (json!({"name": "Nadia Quill"}), 200),
        (json!({"name": "Guest"}), 400),
        (json!({"name": "Jane", "cursor": "x"}), 400),
    ] {
        let (answer, ..) = ask("POST", search, search.into(), &[], Some(body)).await;
        assert_eq!(answer, status);
    }
    ask("POST", search, search.into(), &[], None).await;
    let batch = "/profiles/batch";
    for (body, status) in [
        (
            json!({"profiles": [{"id": id}, {"id": unknown}, {"email": "jane@fake.com"}]}),
            200,
        ),
        (json!({"profiles": []}), 400),
    ] {
        let (answer, ..) = ask("POST", batch, batch.into(), &[], Some(body)).await;
        assert_eq!(answer, status);
    }
    ask("POST", batch, batch.into(), &[], None).await;
    let route = "/profiles/{id}";
    let (_, _, etag) = ask("GET", route, format!("/profiles/{id}"), &[], None).await;
    let etag = etag.unwrap();
    let (status, ..) = ask(
        "GET",
        route,
        format!("/profiles/{id}"),
        &[("if-none-match", &etag)],
        None,
    )
    .await;
    assert_eq!(status, 304);
    for (query, status) in [
        ("?include=x", 400),
        ("?include=summary,notes&consistent=true", 200),
        ("?include=summary&include=notes", 200),
        ("?include=matches", 200),
    ] {
        let (answer, ..) = ask("GET", route, format!("/profiles/{id}{query}"), &[], None).await;
        assert_eq!(answer, status);
    }
    for part in ["attributes", "notes", "history", "export", "links"] {
        let route = format!("/profiles/{{id}}/{part}");
        for (path, status) in [
            (format!("/profiles/{id}/{part}"), 200),
            (format!("/profiles/{id}/{part}?limit=1"), 200),
            (format!("/profiles/{id}/{part}?limit=0"), 400),
            (format!("/profiles/{id}/{part}?cursor=x"), 400),
            (format!("/profiles/{unknown}/{part}"), 404),
        ] {
            let (answer, ..) = ask("GET", &route, path, &[], None).await;
            assert_eq!(answer, status);
        }
    }
    let route = "/profiles/{id}/attributes/search";
    let path = format!("/profiles/{id}/attributes/search");
    for (body, status) in [
        (json!({"text": "knit", "category": "interests"}), 200),
        (json!({"text": "jane", "limit": 1}), 200),
        (json!({"text": "_"}), 400),
        (json!({"text": "jane", "cursor": "x"}), 400),
    ] {
        let (answer, ..) = ask("POST", route, path.clone(), &[], Some(body)).await;
        assert_eq!(answer, status);
    }
    let other = format!("/profiles/{unknown}/attributes/search");
    ask("POST", route, other, &[], Some(json!({"text": "a"}))).await;
    ask("POST", route, path, &[], None).await;
    let events = profile["history"]["items"].as_array().unwrap();
    assert_eq!(events.len(), 6);
    let route = "/profiles/{id}/history/{eventId}";
    for event in events {
        let event = event["id"].as_str().unwrap();
        ask(
            "GET",
            route,
            format!("/profiles/{id}/history/{event}"),
            &[],
            None,
        )
        .await;
    }
    ask(
        "GET",
        route,
        format!("/profiles/{id}/history/{unknown}.x"),
        &[],
        None,
    )
    .await;
    let route = "/profiles/{id}/notes";
    let path = format!("/profiles/{id}/notes");
    let key = [("idempotency-key", "k")];
    let (_, note, _) = ask(
        "POST",
        route,
        path.clone(),
        &key,
        Some(json!({"text": "Call"})),
    )
    .await;
    ask(
        "POST",
        route,
        path.clone(),
        &key,
        Some(json!({"text": "Write"})),
    )
    .await;
    ask(
        "POST",
        route,
        path.clone(),
        &[],
        Some(json!({"text": "Write"})),
    )
    .await;
    let route = "/profiles/{id}/notes/{noteId}";
    let path = format!("{path}/{}", note["id"].as_str().unwrap());
    let (_, read, etag) = ask("GET", route, path.clone(), &[], None).await;
    assert_eq!((&read, etag.as_deref()), (&note, note["etag"].as_str()));
    let other = format!("/profiles/{id}/notes/{id}.x");
    ask("GET", route, other, &[], None).await;
    let change = || Some(json!({"pinned": true}));
    let any = [("if-match", "*")];
    ask("PATCH", route, path.clone(), &any, change()).await;
    ask(
        "PATCH",
        route,
        path.clone(),
        &[("if-match", "\"x\"")],
        change(),
    )
    .await;
    ask("PATCH", route, path.clone(), &[], change()).await;
    ask(
        "DELETE",
        route,
        path.clone(),
        &[("if-match", "\"x\"")],
        None,
    )
    .await;
    ask("DELETE", route, path.clone(), &[], None).await;
    ask("DELETE", route, path.clone(), &any, None).await;
    ask("DELETE", route, path.clone(), &any, None).await;
    let create = |email: &str| Some(json!({"identifier": {"email": email}, "first_name": "Vera"}));
    let route = "/profiles";
    for (path, key, body, status) in [
        ("/profiles?preview=true", "p", create("vera@fake.com"), 201),
        ("/profiles", "p", create("vera@fake.com"), 201),
        ("/profiles", "q", create("vera@fake.com"), 200),
        ("/profiles", "p", create("other@fake.com"), 201),
        ("/profiles", "p", create("x"), 400),
    ] {
        let key = [("idempotency-key", key)];
        let (answer, body, _) = ask("POST", route, path.into(), &key, body).await;
        assert_eq!(answer, status, "{body}");
    }
    let key = [("idempotency-key", "l"), ("if-match", "*")];
    let route = "/profiles/{id}/links";
    let path = format!("/profiles/{id}/links");
    let other = || Some(json!({"identifier": {"email": "vera@fake.com"}, "reason": "Same order"}));
    let (status, outcome, _) = ask("POST", route, path.clone(), &key, other()).await;
    assert_eq!(status, 201);
    let again = [("idempotency-key", "m")];
    assert_eq!(
        ask("POST", route, path.clone(), &again, other()).await.0,
        200
    );
    let (_, page, _) = ask("GET", route, path.clone(), &[], None).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    let other = outcome["changes"]["identities"]["added"][0]
        .as_str()
        .unwrap();
    let route = "/profiles/{id}/identities/{identityId}";
    let separate = format!("/profiles/{id}/identities/{other}");
    let (status, outcome, _) = ask("DELETE", route, separate.clone(), &key, None).await;
    assert_eq!(status, 409, "{outcome}");
    let key = [("idempotency-key", "n"), ("if-match", "*")];
    let why = || Some(json!({"reason": "Father and son"}));
    let (status, outcome, _) = ask("DELETE", route, separate.clone(), &key, why()).await;
    assert_eq!(status, 200, "{outcome}");
    let missing = [("idempotency-key", "o"), ("if-match", "\"x\"")];
    assert_eq!(ask("DELETE", route, separate, &missing, None).await.0, 404);
    let route = "/profiles/{id}/links/{linkId}";
    let link = outcome["changes"]["links"][0]["id"].as_str().unwrap();
    let path = format!("{path}/{link}");
    let only_key = [("idempotency-key", "r")];
    assert_eq!(
        ask("DELETE", route, path.clone(), &only_key, None).await.0,
        428
    );
    assert_eq!(
        ask("DELETE", route, path.clone(), &missing, None).await.0,
        412
    );
    let key = [("idempotency-key", "s"), ("if-match", "*")];
    assert_eq!(ask("DELETE", route, path, &key, why()).await.0, 200);
    let path = format!("/profiles/{id}/links/x");
    assert_eq!(ask("DELETE", route, path, &key, None).await.0, 404);
    let (imports, key) = ("/imports", [("idempotency-key", "t")]);
    let mut body = json!({"file_name": "a.ndjson", "type": "customer_record", "size": 1});
    ask("POST", imports, imports.into(), &key, Some(body.clone())).await;
    ask("POST", imports, imports.into(), &key, None).await;
    // A multipart upload of a file that is only tried, because trying reads little of it.
    (body["size"], body["try"]) = (json!(100_000_001), json!(true));
    let key = [("idempotency-key", "u")];
    let (_, upload, _) = ask("POST", imports, imports.into(), &key, Some(body)).await;
    let path = format!("{imports}/{}", upload["id"].as_str().unwrap());
    let route = "/imports/{id}/parts";
    let numbers = json!({"numbers": [1, 2]});
    let (_, parts, _) = ask("POST", route, format!("{path}/parts"), &[], Some(numbers)).await;
    let part_bytes = upload["upload"]["part_size"].as_u64().unwrap();
    let mut tags = Vec::new();
    for (part, bytes) in parts["items"]
        .as_array()
        .unwrap()
        .iter()
        .zip([part_bytes, 100_000_001 - part_bytes])
    {
        let file = vec![b'\n'; usize::try_from(bytes).unwrap()];
        let response = put(part).body(file).send().await.unwrap();
        let etag = response.headers()["etag"].to_str().unwrap();
        tags.push(json!({"number": part["number"], "etag": etag}));
    }
    let (route, complete) = ("/imports/{id}/complete", format!("{path}/complete"));
    ask(
        "POST",
        route,
        complete.clone(),
        &[],
        Some(json!({"parts": []})),
    )
    .await;
    ask("POST", route, complete, &[], Some(json!({"parts": tags}))).await;
    app.stack.wait_idle().await;
    let (_, page, _) = ask("GET", imports, format!("{imports}?limit=25"), &[], None).await;
    ask("GET", imports, format!("{imports}?cursor=x"), &[], None).await;
    let import = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|import| import["state"] == "completed" && import["kind"] == "import");
    let path = format!(
        "{imports}/{}",
        import.expect("an import")["id"].as_str().unwrap()
    );
    for (method, end, key, expected) in [
        ("GET", "", "", 200),
        ("GET", "/rejects", "", 200),
        ("POST", "/replay", "v", 202),
        ("POST", "/revert", "w", 202),
        ("POST", "/revert", "x", 409),
    ] {
        let route = format!("/imports/{{id}}{end}");
        let key = [("idempotency-key", key)];
        let status = ask(method, &route, format!("{path}{end}"), &key, None)
            .await
            .0;
        assert_eq!(status, expected, "{method} {end}");
        app.stack.wait_idle().await;
    }
    let successful: BTreeSet<_> = answered
        .into_iter()
        .filter(|(.., status)| *status < 300)
        .map(|(method, route, _)| (method, route))
        .collect();
    let all: BTreeSet<_> = contract.operations().into_keys().collect();
    assert_eq!(successful, all, "every operation has answered");
}
