//! Operations on identity links and decisions.

use serde_json::{Value, json};

use super::caller::{Caller, Request};

#[tokio::test(flavor = "multi_thread")]
async fn responses_match() {
    let mut caller = Caller::start().await;
    let (_, id) = caller.jane().await;
    let vera = r#"{"link":{"email":"vera@fake.com"},"first_name":"Vera"}"#;
    caller
        .app
        .import("drop/customer_record/crm/vera.ndjson", vera)
        .await;
    let links = format!("/profiles/{id}/links");
    let other = create(&mut caller, &links).await;
    let page = Request::new("GET", "/profiles/{id}/links").path(&links);
    let page = caller.call(page, 200).await.body;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    caller.call_pages("links", &id).await;
    let identity = format!("/profiles/{id}/identities/{other}");
    let link = separate(&mut caller, &identity).await;
    remove(&mut caller, &links, &link).await;
    caller.check_complete("links");
}

/// Links Vera's identity. Returns its ID.
async fn create(caller: &mut Caller, links: &str) -> String {
    let request = |key| {
        let request = Request::new("POST", "/profiles/{id}/links").path(links);
        request
            .header("idempotency-key", key)
            .body(json!({"identifier": {"email": "vera@fake.com"}, "reason": "Same order"}))
    };
    let outcome = caller.call(request("l"), 201).await.body;
    caller.call(request("m"), 200).await;
    let added = &outcome["changes"]["identities"]["added"][0];
    added.as_str().expect("an id").to_owned()
}

/// Separates an identity. Returns the ID of the link.
async fn separate(caller: &mut Caller, identity: &str) -> String {
    let request = |key| {
        let request = Request::new("DELETE", "/profiles/{id}/identities/{identityId}");
        request
            .path(identity)
            .header("idempotency-key", key)
            .header("if-match", "*")
    };
    // The key of another request.
    caller.call(request("l"), 409).await;
    let separation = request("n").body(json!({"reason": "Father and son"}));
    let outcome = caller.call(separation, 200).await.body;
    caller.call(request("o"), 404).await;
    let link = &outcome["changes"]["links"][0]["id"];
    link.as_str().expect("an id").to_owned()
}

/// Withdraws the decision about a link.
async fn remove(caller: &mut Caller, links: &str, link: &str) {
    let reason = || json!({"reason": "Father and son"});
    for (link, key, tag, body, status) in [
        (link, "r", None, Value::Null, 428),
        (link, "o", Some("\"x\""), Value::Null, 412),
        (link, "s", Some("*"), reason(), 200),
        ("x", "s", Some("*"), Value::Null, 404),
    ] {
        let mut request = Request::new("DELETE", "/profiles/{id}/links/{linkId}")
            .path(format!("{links}/{link}"))
            .header("idempotency-key", key)
            .body(body);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        caller.call(request, status).await;
    }
}
