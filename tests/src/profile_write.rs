//! Profiles that support agents create, and identities that they link and separate: outcomes, previews, undo and provenance.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    api::problem_of,
    app::TestApp,
    table::{Row, map_to_json, rows},
};

/// Sends a change. An empty `key` or `etag` is not sent.
async fn change(
    app: &TestApp,
    (method, path): (&str, &str),
    (key, etag): (&str, &str),
    body: &Value,
) -> (StatusCode, Value) {
    let method = method.parse().expect("a method");
    let mut request = reqwest::Client::new().request(method, app.url(path));
    for (name, value) in [("idempotency-key", key), ("if-match", etag)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    if !body.is_null() {
        request = request.json(body);
    }
    app.send(request).await
}

/// Drops a customer record for each email address. Returns the ids of the identities.
async fn customers<const N: usize>(app: &TestApp, emails: [&str; N]) -> [String; N] {
    let row = |email: &&str| {
        let name = email.split('@').next().unwrap_or_default();
        json!({"link": {"email": email}, "first_name": name}).to_string()
    };
    let file: Vec<_> = emails.iter().map(row).collect();
    let key = format!("drop/customer_record/crm/{}.ndjson", emails[0]);
    app.import(&key, &file.join("\n")).await;
    let mut ids = Vec::new();
    for email in emails {
        ids.push(text(&app.profile(email).await["id"]));
    }
    ids.try_into().expect("as many")
}

async fn unify(app: &TestApp, name: &str, emails: [&str; 2], unlink: bool) {
    let records = emails.map(|email| json!({"email": email}));
    let row = json!({"records": records, "unlink": unlink});
    let key = format!("drop/unify/crm/{name}.ndjson");
    app.import(&key, &row.to_string()).await;
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Returns a profile without the time of reading.
async fn profile(app: &TestApp, id: &str) -> Value {
    let (status, profile) = app.get(&format!("/profiles/{id}?consistent=true")).await;
    assert_eq!(status, 200, "{profile}");
    timeless(profile)
}

fn timeless(mut profile: Value) -> Value {
    let fields = profile.as_object_mut().expect("a profile");
    fields.remove("as_of").expect("a time of reading");
    profile
}

async fn links(app: &TestApp, id: &str) -> Vec<Value> {
    let (status, page) = app.get(&format!("/profiles/{id}/links")).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().expect("items").clone()
}

/// Links two identities with a preview before, which has to equal the outcome and the profile after it. Returns the decision's id.
async fn link(app: &TestApp, id: &str, other: &str, key: &str) -> String {
    let path = format!("/profiles/{id}/links");
    let body = json!({"identity": other, "reason": "Same order"});
    let preview = format!("{path}?preview=true");
    let before = table(app).await;
    let (status, shown) = change(app, ("POST", &preview), ("preview", ""), &body).await;
    assert_eq!(status, 201, "{shown}");
    assert_eq!(table(app).await, before, "a preview writes nothing");
    let (status, outcome) = change(app, ("POST", &path), (key, ""), &body).await;
    assert_eq!(status, 201, "{outcome}");
    assert_eq!(outcome["changes"], shown["changes"]);
    let outcome_profile = timeless(outcome["profile"].clone());
    assert_eq!(outcome_profile, timeless(shown["profile"].clone()));
    assert_eq!(outcome_profile, profile(app, id).await);
    text(&outcome["changes"]["links"][0]["id"])
}

/// Removes a link, or separates an identity, with a preview before. Returns the outcome.
async fn remove(app: &TestApp, id: &str, path: &str, key: &str) -> Value {
    let before = table(app).await;
    let preview = format!("{path}?preview=true");
    let (status, shown) = change(app, ("DELETE", &preview), ("preview", "*"), &Value::Null).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(table(app).await, before, "a preview writes nothing");
    let (status, outcome) = change(app, ("DELETE", path), (key, "*"), &Value::Null).await;
    assert_eq!(status, 200, "{outcome}");
    assert_eq!(outcome["changes"], shown["changes"]);
    let outcome_profile = timeless(outcome["profile"].clone());
    assert_eq!(outcome_profile, timeless(shown["profile"].clone()));
    assert_eq!(outcome_profile, profile(app, id).await);
    outcome
}

/// Returns the items of the table as JSON by key.
async fn table(app: &TestApp) -> BTreeMap<String, Value> {
    let key = |row: &Row| {
        ["PK", "SK"]
            .map(|name| row[name].as_s().expect("a text").clone())
            .join(" ")
    };
    let rows = rows(app).await;
    rows.iter()
        .map(|row| (key(row), map_to_json(row)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_profiles() {
    let app = TestApp::start().await;
    let body = json!({"identifier": {"email": "Vera@Fake.com"}, "first_name": "Vera", "last_name": "Lindt"});
    let (status, shown) = change(
        &app,
        ("POST", "/profiles?preview=true"),
        ("preview", ""),
        &body,
    )
    .await;
    assert_eq!(status, 201, "{shown}");
    let (status, _) = app.lookup(json!({"email": "vera@fake.com"})).await;
    assert_eq!(status, 404);
    let (status, created) = change(&app, ("POST", "/profiles"), ("k", ""), &body).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["name"], "Vera Lindt");
    assert_eq!(created["identities"][0]["value"], "vera@fake.com");
    let id = text(&created["id"]);
    assert_eq!(timeless(created), profile(&app, &id).await);
    // A repeated request returns the same; a request about an existing customer writes nothing.
    let (status, again) = change(&app, ("POST", "/profiles"), ("k", ""), &body).await;
    assert_eq!((status.as_u16(), text(&again["id"])), (201, id.clone()));
    let before = table(&app).await;
    let (status, exists) = change(&app, ("POST", "/profiles"), ("l", ""), &body).await;
    assert_eq!((status.as_u16(), text(&exists["id"])), (200, id.clone()));
    assert_eq!(table(&app).await, before);
    let other = json!({"identifier": {"email": "vera@fake.com"}});
    let (status, problem) = change(&app, ("POST", "/profiles"), ("k", ""), &other).await;
    assert_eq!(status, 409);
    assert_eq!(problem_of(&problem).0, "idempotency-key-reused");
    let (status, problem) = change(&app, ("POST", "/profiles"), ("", ""), &body).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (400, "invalid-header")
    );
    // A note can follow immediately, and a file adds to the profile.
    let (status, note) = app.note(&id, Some("n"), json!({"text": "Called"})).await;
    assert_eq!(status, 201, "{note}");
    app.import(
        "drop/customer_record/crm/vera.ndjson",
        r#"{"link":{"email":"vera@fake.com"},"first_name":"Veronika","last_name":"Lindt"}"#,
    )
    .await;
    assert_eq!(app.profile("vera@fake.com").await["name"], "Veronika Lindt");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_undoes() {
    let app = TestApp::start().await;
    let [a, b] = customers(&app, ["ann@fake.com", "ben@fake.com"]).await;
    let before = [profile(&app, &a).await, profile(&app, &b).await];
    let decision = link(&app, &a, &b, "k1").await;
    let linked = profile(&app, &b).await;
    assert_eq!(linked["identities"].as_array().unwrap().len(), 2);
    let listed = links(&app, &b).await;
    assert_eq!(listed.len(), 1);
    let shown = &listed[0];
    assert_eq!(
        (
            &shown["id"],
            &shown["by"],
            &shown["reason"],
            &shown["live"],
            &shown["counts"]
        ),
        (
            &json!(decision),
            &json!({"subject": "local-agent"}),
            &json!("Same order"),
            &json!(true),
            &json!(true)
        )
    );
    assert_eq!(shown["source"], "agents");
    assert!(shown["at"].is_string() && shown.get("import").is_none());
    // The same decision again changes nothing.
    let body = json!({"identity": b, "reason": "Again"});
    let path = format!("/profiles/{a}/links");
    let (status, same) = change(&app, ("POST", &path), ("k2", ""), &body).await;
    assert_eq!(
        (status.as_u16(), &same["changes"]["links"]),
        (200, &json!([]))
    );
    // A repeated request returns its own changes.
    let body = json!({"identity": b, "reason": "Same order"});
    let (status, replay) = change(&app, ("POST", &path), ("k1", ""), &body).await;
    assert_eq!(
        (status.as_u16(), &replay["changes"]["links"][0]["id"]),
        (201, &json!(decision))
    );
    // Undo, with the precondition.
    let path = format!("/profiles/{a}/links/{decision}");
    let (status, problem) = change(&app, ("DELETE", &path), ("k3", ""), &Value::Null).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (428, "precondition-required")
    );
    let (status, problem) = change(&app, ("DELETE", &path), ("k3", "\"x\""), &Value::Null).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (412, "link-changed")
    );
    let outcome = remove(&app, &a, &path, "k4").await;
    assert_eq!(
        outcome["changes"]["identities"],
        json!({"added": [], "removed": [b]})
    );
    assert_eq!([profile(&app, &a).await, profile(&app, &b).await], before);
    assert_eq!(links(&app, &a).await, Vec::<Value>::new());
    let (status, problem) = change(&app, ("DELETE", &path), ("k5", "*"), &Value::Null).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (404, "link-not-found")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_survive_later_files() {
    let app = TestApp::start().await;
    let emails = ["ann@fake.com", "ben@fake.com"];
    let [a, b] = customers(&app, emails).await;
    unify(&app, "1", emails, false).await;
    let linked = profile(&app, &a).await;
    let listed = links(&app, &a).await;
    let (file, tag) = (text(&listed[0]["id"]), text(&listed[0]["etag"]));
    assert_eq!(listed[0]["by"], Value::Null);
    assert_eq!(listed[0]["import"]["file"], "drop/unify/crm/1.ndjson");
    assert_eq!(listed[0]["import"]["offset"], 0);
    let path = format!("/profiles/{a}/links/{file}");
    let body = json!({"reason": "Father and son"});
    let (status, outcome) = change(&app, ("DELETE", &path), ("k", &tag), &body).await;
    assert_eq!(status, 200, "{outcome}");
    assert_eq!(outcome["changes"]["links"][0]["after"], "separated");
    let separated = profile(&app, &a).await;
    assert_eq!(separated["identities"].as_array().unwrap().len(), 1);
    // Tonight's export links them again.
    unify(&app, "2", emails, false).await;
    assert_eq!(
        profile(&app, &a).await["identities"],
        separated["identities"]
    );
    let listed = links(&app, &a).await;
    let states: Vec<_> = listed
        .iter()
        .map(|link| (&link["source"], &link["live"], &link["counts"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("agents"), &json!(false), &json!(false)),
            (&json!("crm"), &json!(true), &json!(false))
        ]
    );
    assert_eq!(listed[0]["reason"], "Father and son");
    // Without the decision, the files decide again.
    let path = format!("/profiles/{b}/links/{}", text(&listed[0]["id"]));
    let outcome = remove(&app, &b, &path, "l").await;
    assert_eq!(
        outcome["changes"]["identities"],
        json!({"added": [a], "removed": []})
    );
    assert_eq!(profile(&app, &a).await["identities"], linked["identities"]);
    // A link of an agent stays when the file's link is removed.
    link(&app, &a, &b, "m").await;
    unify(&app, "3", emails, true).await;
    assert_eq!(profile(&app, &a).await["identities"], linked["identities"]);
}

/// Withdrawing a decision restores the one that it replaced.
#[tokio::test(flavor = "multi_thread")]
async fn undo_restores_the_decision_before() {
    let app = TestApp::start().await;
    let emails = ["ann@fake.com", "ben@fake.com"];
    let [a, b] = customers(&app, emails).await;
    unify(&app, "1", emails, false).await;
    let path = format!("/profiles/{a}/identities/{b}");
    let outcome = remove(&app, &a, &path, "k").await;
    assert_eq!(
        outcome["changes"]["identities"],
        json!({"added": [], "removed": [b]})
    );
    let before = profile(&app, &a).await;
    let decision = link(&app, &a, &b, "l").await;
    remove(&app, &a, &format!("/profiles/{a}/links/{decision}"), "m").await;
    assert_eq!(profile(&app, &a).await, before);
    remove(&app, &a, &format!("/profiles/{a}/links/{decision}"), "n").await;
    assert_eq!(
        profile(&app, &a).await["identities"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn separates_from_all() {
    let app = TestApp::start().await;
    let emails = ["ann@fake.com", "ben@fake.com", "cat@fake.com"];
    let [a, b, c] = customers(&app, emails).await;
    for (name, pair) in [("ab", [0, 1]), ("ac", [0, 2]), ("bc", [1, 2])] {
        unify(&app, name, pair.map(|at| emails[at]), false).await;
    }
    let outcome = remove(&app, &a, &format!("/profiles/{a}/identities/{c}"), "k").await;
    assert_eq!(outcome["changes"]["links"].as_array().unwrap().len(), 2);
    assert_eq!(
        profile(&app, &c).await["identities"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        profile(&app, &a).await["identities"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // The identity is not part of the profile any more.
    let path = format!("/profiles/{a}/identities/{c}");
    let (status, problem) = change(&app, ("DELETE", &path), ("l", ""), &Value::Null).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (404, "identity-not-found")
    );
    assert_eq!(
        links(&app, &b).await.len(),
        5,
        "three of the file, two decisions"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_invalid_changes() {
    let app = TestApp::start().await;
    let [a, b] = customers(&app, ["ann@fake.com", "ben@fake.com"]).await;
    let path = format!("/profiles/{a}/links");
    let unknown = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let why = "Same order";
    for (body, status, slug) in [
        (json!({"identity": a, "reason": why}), 400, "invalid-body"),
        (json!({"identity": b}), 400, "invalid-body"),
        (
            json!({"identity": unknown, "reason": why}),
            404,
            "profile-not-found",
        ),
        (
            json!({"identifier": {"email": "x"}, "reason": why}),
            400,
            "invalid-body",
        ),
    ] {
        let (actual, problem) = change(&app, ("POST", &path), ("k", ""), &body).await;
        assert_eq!(
            (actual.as_u16(), problem_of(&problem).0.as_str()),
            (status, slug)
        );
    }
    for (path, slug) in [
        (format!("/profiles/{unknown}/links"), "profile-not-found"),
        ("/profiles/x/links".to_owned(), "profile-not-found"),
    ] {
        let body = json!({"identity": b, "reason": why});
        let (actual, problem) = change(&app, ("POST", &path), ("k", ""), &body).await;
        assert_eq!(
            (actual.as_u16(), problem_of(&problem).0.as_str()),
            (404, slug)
        );
    }
    for path in [
        "links/x",
        &format!("links/{a}.{b}.crm"),
        &format!("links/{a}.{b}.agents"),
    ] {
        let path = format!("/profiles/{a}/{path}");
        let (status, problem) = change(&app, ("DELETE", &path), ("k", "*"), &Value::Null).await;
        assert_eq!(
            (status.as_u16(), problem_of(&problem).0.as_str()),
            (404, "link-not-found")
        );
    }
    // An identifier that no file contains can be linked: the link is all that is stored about it.
    let body = json!({"identifier": {"mobile": "+61 491 570 156"}, "reason": "Told on the phone"});
    let (status, outcome) = change(&app, ("POST", &path), ("k", ""), &body).await;
    assert_eq!(status, 201, "{outcome}");
    let (status, found) = app.lookup(json!({"mobile": "+61491570156"})).await;
    assert_eq!(
        (status.as_u16(), text(&found["id"])),
        (200, text(&outcome["profile"]["id"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_identities_need_a_reinstatement() {
    let app = TestApp::start().await;
    let [a, _b] = customers(&app, ["ann@fake.com", "ben@fake.com"]).await;
    for (name, row) in [
        ("one", r#"{"link":{"email":"ben@fake.com"}}"#),
        (
            "two",
            r#"{"link":{"email":"cat@fake.com"},"suppress":true}"#,
        ),
    ] {
        app.import(&format!("drop/forget/crm/{name}.ndjson"), row)
            .await;
    }
    // S3 has times in whole seconds, and a file of the erasure's second does not return after a reinstatement.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let create = |email: &str, more: Value| {
        let mut body = json!({"identifier": {"email": email}, "first_name": "Ben"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let (status, problem) = change(
        &app,
        ("POST", "/profiles"),
        ("k", ""),
        &create("ben@fake.com", json!({})),
    )
    .await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (409, "identity-erased")
    );
    assert!(problem["erased_at"].is_string(), "{problem}");
    let again = json!({"reinstate": true, "reason": "Ordered again"});
    let (status, problem) = change(
        &app,
        ("POST", "/profiles"),
        ("k", ""),
        &create("cat@fake.com", again.clone()),
    )
    .await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (409, "identity-erased")
    );
    let path = format!("/profiles/{a}/links");
    let body = json!({"identifier": {"email": "ben@fake.com"}, "reason": "Same order"});
    let (status, problem) = change(&app, ("POST", &path), ("k", ""), &body).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (409, "identity-erased")
    );

    let body = create("ben@fake.com", again);
    let (status, created) = change(&app, ("POST", "/profiles"), ("l", ""), &body).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["name"], "Ben");
    let id = text(&created["id"]);
    assert_eq!(timeless(created), profile(&app, &id).await);
    // Ingest accepts the customer again.
    let report = app
        .import(
            "drop/customer_record/crm/again.ndjson",
            r#"{"link":{"email":"ben@fake.com"},"last_name":"Okafor"}"#,
        )
        .await;
    assert_eq!(
        (&report["written"], &report["suppressed"]),
        (&json!(1), &json!(0)),
        "{report}"
    );
    assert_eq!(profile(&app, &id).await["name"], "Ben Okafor");
    let body = json!({"identity": id, "reason": "Same order"});
    let (status, outcome) = change(&app, ("POST", &path), ("m", ""), &body).await;
    assert_eq!(status, 201, "{outcome}");
    assert_eq!(
        timeless(outcome["profile"].clone()),
        profile(&app, &a).await
    );
}

/// Agents' decisions are items of their own, so files and decisions give the same table in any order.
#[tokio::test(flavor = "multi_thread")]
async fn order_of_files_and_decisions_is_irrelevant() {
    let emails = ["ann@fake.com", "ben@fake.com", "cat@fake.com"];
    let mut tables = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let app = TestApp::start().await;
        let [a, b, c] = customers(&app, emails).await;
        for step in order {
            match step {
                0 => unify(&app, "ab", [emails[0], emails[1]], false).await,
                1 => {
                    link(&app, &b, &c, "k").await;
                }
                _ => {
                    // The pair that the file links, too.
                    let id = link(&app, &a, &b, "l").await;
                    assert!(id.ends_with(".agents"));
                }
            }
        }
        tables.push(decided(table(&app).await));
    }
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);
}

/// Undo restores every profile of random graphs, as in the property tests of `shared`.
#[tokio::test(flavor = "multi_thread")]
async fn random_graphs_are_restored() {
    let app = TestApp::start().await;
    let mut random = StdRng::seed_from_u64(26);
    for graph in 0..4 {
        let emails =
            ["ann", "ben", "cat", "dan", "eve"].map(|name| format!("{name}@{graph}.fake.com"));
        let ids = customers(&app, emails.each_ref().map(String::as_str)).await;
        let mut pair = || {
            let first = random.random_range(0..ids.len());
            (
                first,
                (first + random.random_range(1..ids.len())) % ids.len(),
            )
        };
        for file in 0..5 {
            let (a, b) = pair();
            let name = format!("{graph}-{file}");
            unify(&app, &name, [&emails[a], &emails[b]], file == 4).await;
        }
        let before = all(&app, &ids).await;
        for step in 0..4 {
            let (a, b) = pair();
            let key = format!("{graph}-{step}");
            let made = if step % 2 == 0 {
                vec![link(&app, &ids[a], &ids[b], &key).await]
            } else {
                let path = format!("/profiles/{}/identities/{0}", ids[a]);
                let outcome = remove(&app, &ids[a], &path, &key).await;
                let links = outcome["changes"]["links"].as_array().expect("links");
                links.iter().map(|link| text(&link["id"])).collect()
            };
            for (n, id) in made.iter().enumerate() {
                // The link is a decision about the identity itself.
                let path = format!("/profiles/{}/links/{id}", ids[a]);
                remove(&app, &ids[a], &path, &format!("{key}-undo-{n}")).await;
            }
            assert_eq!(all(&app, &ids).await, before, "graph {graph}, step {step}");
        }
    }
}

async fn all(app: &TestApp, ids: &[String]) -> Vec<Value> {
    let mut profiles = Vec::new();
    for id in ids {
        profiles.push(profile(app, id).await);
    }
    profiles
}

/// Returns the profile items of a table without versions and times.
fn decided(table: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut items = BTreeMap::new();
    for (key, mut item) in table {
        if !key.contains(" profile#") {
            continue;
        }
        let fields = item.as_object_mut().expect("an item");
        fields.remove("version");
        if let Some(data) = fields.get_mut("data") {
            data["M"].as_object_mut().expect("data").remove("at");
        }
        items.insert(key, item);
    }
    items
}
