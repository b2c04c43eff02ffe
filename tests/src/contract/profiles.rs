//! Operations on profiles and their attributes.

use serde_json::{Value, json};

use super::{
    NOTHING,
    caller::{Caller, Request},
};

#[tokio::test(flavor = "multi_thread")]
async fn responses_match() {
    let mut caller = Caller::start().await;
    let (_, id) = caller.jane().await;
    find(&mut caller, &id).await;
    read(&mut caller, &id).await;
    search_attributes(&mut caller, &id).await;
    create(&mut caller).await;
    caller.check_complete("profiles");
}

/// Looks profiles up by identifier, by search and in batches.
async fn find(caller: &mut Caller, id: &str) {
    let id_elsewhere =
        json!({"link": {"customer_id": "1042", "system_name": "shop"}, "email": "jane@fake.com"});
    let file = id_elsewhere.to_string();
    caller
        .app
        .import("drop/customer_record/shop/a.ndjson", &file)
        .await;
    for (route, body, status) in [
        ("lookup", json!({"email": "jane@fake.com"}), 200),
        ("lookup", json!({"email": "no@fake.com"}), 404),
        ("lookup", json!({"email": 1}), 400),
        ("lookup", Value::Null, 415),
        ("search", json!({"email": "jane@fake.com", "limit": 1}), 200),
        (
            "search",
            json!({"order": "#53059a1d-97b4-46cd-9ce8-3d4eea1d6a50"}),
            200,
        ),
        ("search", json!({"name": "Nadia Quill"}), 200),
        ("search", json!({"name": "Guest"}), 400),
        ("search", json!({"name": "Jane", "cursor": "x"}), 400),
        ("search", Value::Null, 415),
        (
            "batch",
            json!({"profiles": [{"id": id}, {"id": NOTHING}, {"email": "jane@fake.com"}]}),
            200,
        ),
        ("batch", json!({"profiles": []}), 400),
        ("batch", Value::Null, 415),
    ] {
        let route = format!("/profiles/{route}");
        let request = Request::new("POST", &route).body(body);
        caller.call(request, status).await;
    }
    for identifier in [json!({"customer_id": "1042"}), json!({"mobile": "5550001"})] {
        let request = Request::new("POST", "/profiles/lookup").body(identifier);
        let problem = caller.call(request, 404).await.body;
        assert_eq!(problem["hints"].as_array().map(Vec::len), Some(1));
    }
}

/// Reads a profile, its attributes and its export.
async fn read(caller: &mut Caller, id: &str) {
    let profile = || Request::new("GET", "/profiles/{id}").path(format!("/profiles/{id}"));
    let etag = caller.call(profile(), 200).await.etag.expect("a tag");
    caller
        .call(profile().header("if-none-match", &etag), 304)
        .await;
    for (query, status) in [
        ("include=x", 400),
        ("include=summary,notes&consistent=true", 200),
        ("include=summary&include=notes", 200),
        ("include=matches", 200),
    ] {
        let path = format!("/profiles/{id}?{query}");
        caller.call(profile().path(path), status).await;
    }
    for part in ["attributes", "export"] {
        caller.call_pages(part, id).await;
    }
}

async fn search_attributes(caller: &mut Caller, id: &str) {
    for (id, body, status) in [
        (id, json!({"text": "knit", "category": "interests"}), 200),
        (id, json!({"text": "jane", "limit": 1}), 200),
        (id, json!({"text": "_"}), 400),
        (id, json!({"text": "jane", "cursor": "x"}), 400),
        (id, Value::Null, 415),
        (NOTHING, json!({"text": "a"}), 404),
    ] {
        let request = Request::new("POST", "/profiles/{id}/attributes/search")
            .path(format!("/profiles/{id}/attributes/search"))
            .body(body);
        caller.call(request, status).await;
    }
}

async fn create(caller: &mut Caller) {
    for (path, key, email, status) in [
        ("/profiles?preview=true", "p", "vera@fake.com", 201),
        ("/profiles", "p", "vera@fake.com", 201),
        ("/profiles", "q", "vera@fake.com", 200),
        ("/profiles", "p", "other@fake.com", 201),
        ("/profiles", "p", "x", 400),
    ] {
        let request = Request::new("POST", "/profiles")
            .path(path)
            .header("idempotency-key", key)
            .body(json!({"identifier": {"email": email}, "first_name": "Vera"}));
        caller.call(request, status).await;
    }
}
