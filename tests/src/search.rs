//! Search, batches, matches, and hints of lookups that find nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{api::problem_of, app::TestApp, events::api_event};

/// Returns a purchase under `link`.
fn order(link: &Value, at: &str, id: &str, number: Option<&str>) -> String {
    let line = json!({"price_paid": "1.00", "quantity": 1});
    let mut row = json!({"link": link, "action_at": at, "type": "ecommerce", "purchase_id": id, "products": [line]});
    if let Some(number) = number {
        row["order_number"] = number.into();
    }
    row.to_string()
}

/// Searches, and returns the profiles of all pages. Each page but the last is full.
async fn found(app: &TestApp, query: &Value, limit: usize) -> Vec<Value> {
    let mut body = query.clone();
    body["limit"] = limit.into();
    let mut all = Vec::new();
    loop {
        let (status, mut page) = app.search(body.clone()).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].take();
        let items = items.as_array().expect("items");
        assert!(items.len() <= limit);
        all.extend(items.iter().cloned());
        if page["next"].is_null() {
            return all;
        }
        body["cursor"] = page["next"].take();
    }
}

/// Returns the only profile that a search finds.
async fn only(app: &TestApp, query: Value) -> Value {
    let mut all = found(app, &query, 25).await;
    assert_eq!(all.len(), 1, "{query}: {all:?}");
    all.remove(0)
}

async fn finds_nothing(app: &TestApp, query: Value) {
    let all = found(app, &query, 25).await;
    assert!(all.is_empty(), "{query}: {all:?}");
}

async fn import(app: &TestApp, key: &str, rows: &str) {
    let report = app.import(key, rows).await;
    assert_eq!(report["rejected"], 0, "{report}");
}

/// Returns the kind and the place of each match.
fn matched_by(candidate: &Value) -> BTreeSet<(String, String)> {
    let matches = candidate["matched_by"].as_array().expect("matches").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    matches
        .map(|found| (text(&found["kind"]), text(&found["found_in"])))
        .collect()
}

fn these<const N: usize>(matches: [(&str, &str); N]) -> BTreeSet<(String, String)> {
    matches
        .map(|(kind, place)| (kind.to_owned(), place.to_owned()))
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_profiles_by_values_of_items() {
    let app = TestApp::start().await;
    let link = json!({"external_id": "x7", "system_name": "shop"});
    let record = json!({"link": link, "first_name": "Zoë", "last_name": "O'Neill", "email": "zoe@example.com",
        "mobile": "+61 491 570 156", "customer_id": "1042"});
    import(
        &app,
        "drop/customer_record/shop/a.ndjson",
        &record.to_string(),
    )
    .await;
    let row = order(&link, "2026-01-02T03:04:05Z", "gid-7", Some("#1042"));
    import(&app, "drop/purchase/shop/a.ndjson", &row).await;
    let (_, profile) = app.lookup(link).await;
    for (query, kind, place) in [
        (json!({"name": "ONEILL, Zoe"}), "name", "record"),
        (json!({"email": "Zoe@example.com"}), "email", "record"),
        (json!({"mobile": "0061491570156"}), "mobile", "record"),
        (json!({"customer_id": "1042"}), "customer_id", "record"),
        (json!({"customer_id": "x7"}), "customer_id", "record"),
        (json!({"order": "#1042"}), "order", "event"),
        (json!({"order": 1042}), "order", "event"),
        (json!({"order": "GID-7"}), "order", "event"),
    ] {
        // The record has a customer id of its own, so the id in its link is not indexed.
        if query["customer_id"] == "x7" {
            finds_nothing(&app, query).await;
            continue;
        }
        let found = only(&app, query).await;
        for field in ["id", "name", "identities"] {
            assert_eq!(found[field], profile[field]);
        }
        assert_eq!(found["relationship"], "customer");
        assert_eq!(found["last_order_at"], "2026-01-02T03:04:05Z");
        assert_eq!(matched_by(&found), these([(kind, place)]));
        if kind == "order" {
            let event = found["matched_by"][0]["event"].as_str().expect("an event");
            let id = profile["id"].as_str().expect("an id");
            let (status, _) = app.get(&format!("/profiles/{id}/history/{event}")).await;
            assert_eq!(status, 200);
        }
    }
    for query in [
        json!({"name": "Zoe"}),
        json!({"order": "1043"}),
        json!({"email": "zo@example.com"}),
        json!({"mobile": "61491570157"}),
        json!({"customer_id": "gid-7"}),
    ] {
        finds_nothing(&app, query).await;
    }
    for (body, field) in [
        (json!({}), None),
        (json!({"name": "a", "order": "b"}), None),
        (json!({"name": "Guest"}), Some("name")),
        (json!({"mobile": "0491570156"}), Some("mobile")),
        (json!({"name": "Zoe", "limit": 0}), Some("limit")),
    ] {
        let (status, problem) = app.search(body).await;
        let expected = ("invalid-body".to_owned(), field.map(str::to_owned));
        assert_eq!((status.as_u16(), problem_of(&problem)), (400, expected));
    }
}

/// The identity that a value itself names is found without a record, and profiles are found once.
#[tokio::test(flavor = "multi_thread")]
async fn finds_identities_and_profiles_once() {
    let app = TestApp::start().await;
    let email = json!({"email": "jane@example.com"});
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(&email, "2026-01-02T03:04:05Z", "1", None),
    )
    .await;
    let alone = only(&app, email.clone()).await;
    assert_eq!(matched_by(&alone), these([("email", "identifier")]));

    let linked = json!({"customer_id": "7", "system_name": "shop"});
    let record =
        |link: &Value| json!({"link": link, "email": "jane@example.com", "first_name": "Jane"});
    let other = json!({"customer_id": "8", "system_name": "shop"});
    let rows = format!("{}\n{}\n", record(&linked), record(&other));
    import(&app, "drop/customer_record/shop/a.ndjson", &rows).await;
    for limit in [1, 2, 25] {
        assert_eq!(found(&app, &email, limit).await.len(), 3, "{limit}");
    }
    let unify = json!({"records": [email, linked]}).to_string();
    import(&app, "drop/unify/shop/a.ndjson", &unify).await;
    for limit in [1, 2, 25] {
        let all = found(&app, &email, limit).await;
        let ids: Vec<_> = all
            .iter()
            .map(|item| item["id"].as_str().expect("an id"))
            .collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 2, "{ids:?}");
        assert_eq!(ids.len(), 2, "{limit}: each once");
        // The identity that the value names comes first.
        let both = these([("email", "identifier"), ("email", "record")]);
        assert_eq!(matched_by(&all[0]), both);
        assert_eq!(
            all[0]["identities"].as_array().expect("identities").len(),
            2
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_a_frequent_name() {
    let app = TestApp::start().await;
    let rows: String = (0..120)
        .map(|n| {
            let link = json!({"mobile": format!("6149157{n:04}")});
            format!(
                "{}\n",
                json!({"link": link, "first_name": "Maria", "last_name": "Silva"})
            )
        })
        .collect();
    import(&app, "drop/customer_record/crm/a.ndjson", &rows).await;
    let query = json!({"name": "maria silva"});
    for limit in [7, 25, 100] {
        let all = found(&app, &query, limit).await;
        let ids: BTreeSet<_> = all.iter().map(|item| item["id"].to_string()).collect();
        assert_eq!((all.len(), ids.len()), (120, 120), "{limit}");
    }
    let (_, page) = app.search(query).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(25));
    assert!(page.get("partial").is_none(), "{page}");
    let cursor = page["next"].as_str().expect("more");
    let (status, problem) = app.search(json!({"name": "maria", "cursor": cursor})).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (400, "invalid-cursor")
    );
}

/// An entry of an index that the item no longer agrees with finds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn verifies_hits() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let app = TestApp::start().await;
    let link = json!({"mobile": "61491570156"});
    let record = json!({"link": link, "first_name": "Jane", "last_name": "Doe"});
    import(
        &app,
        "drop/customer_record/crm/a.ndjson",
        &record.to_string(),
    )
    .await;
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(&link, "2026-01-02T03:04:05Z", "1042", None),
    )
    .await;
    let stored = crate::support::table::rows(&app).await;
    for row in stored.iter().filter(|row| row.contains_key("Find1")) {
        let mut row = row.clone();
        let data = row.get_mut("data").expect("data");
        let AttributeValue::M(data) = data else {
            panic!("{data:?}")
        };
        for field in ["last_name", "purchase_id"] {
            if let Some(value) = data.get_mut(field) {
                *value = AttributeValue::S("other".to_owned());
            }
        }
        let put = app.stack.dynamodb_client().put_item();
        let put = put.table_name(app.stack.table()).set_item(Some(row));
        put.send().await.expect("the item is stored");
    }
    finds_nothing(&app, json!({"name": "Jane Doe"})).await;
    finds_nothing(&app, json!({"order": "1042"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_newest_version_of_an_order() {
    let app = TestApp::start().await;
    let (guest, account) = (
        json!({"email": "guest@example.com"}),
        json!({"customer_id": "7", "system_name": "shop"}),
    );
    let query = json!({"order": "1042"});
    let at = "2026-01-02T03:04:05Z";
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(&guest, at, "1042", None),
    )
    .await;
    let first = only(&app, query.clone()).await;
    assert!(first.get("older_versions").is_none());
    import(
        &app,
        "drop/purchase/shop/b.ndjson",
        &order(&account, "2026-01-02T04:00:00Z", "1042", None),
    )
    .await;
    let newest = only(&app, query.clone()).await;
    let (_, owner) = app.lookup(account.clone()).await;
    assert_eq!(newest["id"], owner["id"]);
    let older = json!([{"id": first["id"], "identity": first["id"], "event": first["matched_by"][0]["event"]}]);
    assert_eq!(newest["older_versions"], older);
    // Orders of another source, or more than a day apart, are other orders.
    let third = json!({"mobile": "61491570156"});
    import(
        &app,
        "drop/purchase/pos/a.ndjson",
        &order(&third, at, "1042", None),
    )
    .await;
    assert_eq!(found(&app, &query, 1).await.len(), 2);
    // Linked, both versions belong to one profile.
    let unify = json!({"records": [guest, account]}).to_string();
    import(&app, "drop/unify/shop/a.ndjson", &unify).await;
    let all = found(&app, &query, 1).await;
    assert_eq!(all.len(), 2);
    for item in all {
        assert!(item.get("older_versions").is_none(), "{item}");
        assert_eq!(item["matched_by"].as_array().map(Vec::len), Some(1));
    }
}

/// Items can remain beside a marker, because a file that was imported first may be deleted later.
#[tokio::test(flavor = "multi_thread")]
async fn erased_customers_are_never_found() {
    let app = TestApp::start().await;
    let link = json!({"customer_id": "7", "system_name": "shop"});
    let record = json!({"link": link, "first_name": "Jane", "last_name": "Doe", "email": "jane@example.com",
        "mobile": "61491570156", "postcode": "3182"});
    import(
        &app,
        "drop/customer_record/shop/a.ndjson",
        &record.to_string(),
    )
    .await;
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(&link, "2026-01-02T03:04:05Z", "1042", None),
    )
    .await;
    let other = json!({"link": {"customer_id": "8", "system_name": "shop"}, "first_name": "Jane", "last_name": "Doe", "postcode": "3182"});
    import(
        &app,
        "drop/customer_record/shop/b.ndjson",
        &other.to_string(),
    )
    .await;
    let id = app.lookup(link.clone()).await.1["id"].clone();
    let before = crate::support::table::rows(&app).await;
    let forget = json!({"link": link}).to_string();
    import(&app, "drop/forget/shop/a.ndjson", &forget).await;
    let is_of = |row: &&crate::support::table::Row| {
        Some(row["PK"].as_s().expect("a key").as_str()) == id.as_str()
    };
    for row in before.iter().filter(is_of) {
        let put = app.stack.dynamodb_client().put_item();
        let put = put
            .table_name(app.stack.table())
            .set_item(Some(row.clone()));
        put.send().await.expect("the item is stored");
    }
    for query in [
        json!({"email": "jane@example.com"}),
        json!({"mobile": "61491570156"}),
        json!({"customer_id": "7"}),
        json!({"order": "1042"}),
    ] {
        finds_nothing(&app, query).await;
    }
    assert_ne!(only(&app, json!({"name": "Jane Doe"})).await["id"], id);
    let (_, batch) = app.batch(json!({"profiles": [{"id": id}, link]})).await;
    for entry in batch["items"].as_array().expect("entries") {
        assert_eq!(*entry, json!({"requested": id, "profile": null}));
    }
    let left = only(&app, json!({"name": "Jane Doe"})).await["id"].clone();
    let path = format!(
        "/profiles/{}?include=matches",
        left.as_str().expect("an id")
    );
    assert_eq!(
        app.get(&path).await.1["matches"],
        json!({"items": [], "partial": false})
    );
    let (status, problem) = app.lookup(json!({"customer_id": "7"})).await;
    assert_eq!((status.as_u16(), &problem["hints"]), (404, &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_return_entries_in_order() {
    let app = TestApp::with_jane().await;
    let jane = app.profile("jane@fake.com").await;
    let unknown = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let profiles = json!([{"id": unknown}, {"email": "jane@fake.com"}, {"mobile": "5550001"}, {"id": jane["id"]}]);
    let (status, page) = app.batch(json!({"profiles": profiles})).await;
    assert_eq!((status.as_u16(), &page["next"]), (200, &Value::Null));
    let items = page["items"].as_array().expect("entries");
    assert_eq!(items.len(), 4);
    assert_eq!(items[0], json!({"requested": unknown, "profile": null}));
    assert_eq!(items[2]["profile"], Value::Null);
    for entry in [&items[1], &items[3]] {
        let card = &entry["profile"];
        for field in ["id", "name", "identities"] {
            assert_eq!(card[field], jane[field]);
        }
        for figure in ["relationship", "last_order_at"] {
            assert_eq!(card[figure], jane["summary"][figure]);
        }
    }
    for (body, field) in [
        (json!({"profiles": []}), "profiles"),
        (
            json!({"profiles": vec![json!({"id": unknown}); 26]}),
            "profiles",
        ),
        (json!({"profiles": [{"id": "x"}]}), "profiles[0].id"),
        (json!({"profiles": [{"email": "x"}]}), "profiles[0].email"),
    ] {
        let (status, problem) = app.batch(body).await;
        let expected = ("invalid-body".to_owned(), Some(field.to_owned()));
        assert_eq!((status.as_u16(), problem_of(&problem)), (400, expected));
    }
}

/// Figures come from the newest events. If those do not decide them, they are null.
#[tokio::test(flavor = "multi_thread")]
async fn figures_are_null_if_one_page_does_not_decide_them() {
    let app = TestApp::start().await;
    let link = json!({"email": "jane@example.com"});
    let opened: String = (0..150)
        .map(|n| format!("{}\n", json!({"link": link, "action_at": format!("2026-03-01T{:02}:{:02}:00Z", n / 60, n % 60), "email_id": n.to_string()})))
        .collect();
    import(&app, "drop/email_open/mail/a.ndjson", &opened).await;
    let card =
        async || app.batch(json!({"profiles": [link]})).await.1["items"][0]["profile"].take();
    let figures = |card: &Value| (card["relationship"].clone(), card["last_order_at"].clone());
    assert_eq!(figures(&card().await), (Value::Null, Value::Null));
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(&link, "2026-01-01T00:00:00Z", "1", None),
    )
    .await;
    assert_eq!(figures(&card().await), (Value::Null, Value::Null));
    import(
        &app,
        "drop/purchase/shop/b.ndjson",
        &order(&link, "2026-04-01T00:00:00Z", "2", None),
    )
    .await;
    assert_eq!(
        figures(&card().await),
        (json!("customer"), json!("2026-04-01T00:00:00Z"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_at_other_profiles() {
    let app = TestApp::start().await;
    let customer = |id: &str| json!({"customer_id": id, "system_name": "shop"});
    let record = |id: &str, fields: Value| {
        let mut row = json!({"link": customer(id)});
        for (name, value) in fields.as_object().expect("fields") {
            row[name] = value.clone();
        }
        format!("{row}\n")
    };
    let name =
        |postcode: &str| json!({"first_name": "Jane", "last_name": "Doe", "postcode": postcode});
    let rows = [
        record(
            "1",
            json!({"first_name": "Jane", "last_name": "Doe", "postcode": "SW1A 1AA", "email": "jane@example.com", "mobile": "61491570156"}),
        ),
        record(
            "2",
            json!({"email": "Jane@example.com", "mobile": "+61491570156"}),
        ),
        record("3", name("sw1a1aa")),
        record("4", name("3182")),
        record("5", json!({"first_name": "Jane", "last_name": "Doe"})),
        record("6", json!({"mobile": "61491570157"})),
    ];
    import(&app, "drop/customer_record/shop/a.ndjson", &rows.concat()).await;
    let at = "2026-01-02T03:04:05Z";
    import(
        &app,
        "drop/purchase/pos/a.ndjson",
        &order(&json!({"email": "jane@example.com"}), at, "1", None),
    )
    .await;
    let id = async |link: Value| {
        app.lookup(link).await.1["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let one = id(customer("1")).await;
    let (_, plain) = app.get(&format!("/profiles/{one}")).await;
    assert!(plain.get("matches").is_none(), "not by default");
    let matches = async |of: &str| {
        app.get(&format!("/profiles/{of}?include=matches")).await.1["matches"].take()
    };
    let found = matches(&one).await;
    assert_eq!(found["partial"], false);
    let items = found["items"].as_array().expect("matches");
    let by: Vec<_> = items
        .iter()
        .map(|item| {
            (
                item["id"].as_str().expect("an id").to_owned(),
                matched_by(item),
            )
        })
        .collect();
    assert_eq!(by.len(), 3, "{found}");
    // The profile that matches by most kinds comes first.
    assert_eq!(
        by[0],
        (
            id(customer("2")).await,
            these([("email", "record"), ("mobile", "record")])
        )
    );
    assert!(by.contains(&(id(customer("3")).await, these([("name", "record")]))));
    assert!(by.contains(&(
        id(json!({"email": "jane@example.com"})).await,
        these([("email", "identifier")])
    )));
    // The same from the other side: the identity's own address is in the records.
    let address = id(json!({"email": "jane@example.com"})).await;
    let found = matches(&address).await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(2), "{found}");
    assert_eq!(matches(&id(customer("4")).await).await["items"], json!([]));
    // Linked profiles are not hints.
    let unify = json!({"records": [customer("1"), customer("2")]}).to_string();
    import(&app, "drop/unify/shop/a.ndjson", &unify).await;
    assert_eq!(
        matches(&one).await["items"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_at_most_ten_matches() {
    let app = TestApp::start().await;
    let rows: String = (0..40)
        .map(|n| format!("{}\n", json!({"link": {"customer_id": format!("c{n}"), "system_name": "shop"}, "email": "shop@example.com"})))
        .collect();
    import(&app, "drop/customer_record/shop/a.ndjson", &rows).await;
    let (_, profile) = app
        .lookup(json!({"customer_id": "c0", "system_name": "shop"}))
        .await;
    let path = format!(
        "/profiles/{}?include=matches",
        profile["id"].as_str().expect("an id")
    );
    let (_, profile) = app.get(&path).await;
    assert_eq!(
        profile["matches"]["items"].as_array().map(Vec::len),
        Some(10)
    );
    assert_eq!(profile["matches"]["partial"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_that_find_nothing_say_why() {
    let app = TestApp::start().await;
    let shop = json!({"customer_id": "1042", "system_name": "shop"});
    let record = json!({"link": shop, "first_name": "Jane"}).to_string();
    import(&app, "drop/customer_record/shop/a.ndjson", &record).await;
    let crm = json!({"link": {"email": "jane@example.com"}, "customer_id": "1042"}).to_string();
    import(&app, "drop/customer_record/crm/a.ndjson", &crm).await;
    let profile = async |link: &Value| app.lookup(link.clone()).await.1;
    let (of_shop, of_crm) = (
        profile(&shop).await,
        profile(&json!({"email": "jane@example.com"})).await,
    );
    let (status, problem) = app.lookup(json!({"customer_id": "1042"})).await;
    assert_eq!(status, 404);
    assert_eq!(problem_of(&problem).0, "profile-not-found");
    let hint = |code: &str, of: &Value| json!({"code": code, "profile": of["id"], "identity": of["identities"][0]});
    let hints = problem["hints"].as_array().expect("hints");
    let expected = [hint("other_system", &of_shop), hint("in_record", &of_crm)];
    assert_eq!(hints.len(), 2, "{problem}");
    assert!(
        expected.iter().all(|hint| hints.contains(hint)),
        "{problem}"
    );

    // The id is that under which a profile can be created.
    let created = json!({"link": {"customer_id": "1042"}, "first_name": "Jo"}).to_string();
    import(&app, "drop/customer_record/pos/a.ndjson", &created).await;
    assert_eq!(
        profile(&json!({"customer_id": "1042"})).await["id"],
        problem["id"]
    );

    let code = json!([{"code": "country_code"}]);
    for (identifier, hints) in [
        (json!({"mobile": "491 570 156"}), code.clone()),
        (json!({"mobile": 491_570_156}), code),
        (json!({"mobile": "+491570156"}), json!([])),
        (json!({"mobile": "00491570156"}), json!([])),
        (json!({"email": "no@example.com"}), json!([])),
        (json!({"customer_id": "1043"}), json!([])),
    ] {
        let (status, problem) = app.lookup(identifier.clone()).await;
        assert_eq!(
            (status.as_u16(), &problem["hints"]),
            (404, &hints),
            "{identifier}"
        );
        assert_eq!(problem["id"].as_str().map(str::len), Some(26));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hides_personal_values_without_scope() {
    const CANARY: &str = "c4n4ry";
    let without_agent =
        std::collections::BTreeMap::from([("AWS_SAM_LOCAL".to_owned(), String::new())]);
    let app = TestApp::start_with(local::Options {
        environment: [("profile-read".to_owned(), without_agent)].into(),
        ..local::Options::default()
    })
    .await;
    let link =
        json!({"customer_id": format!("{CANARY}id"), "system_name": format!("{CANARY}shop")});
    let email = format!("{CANARY}@example.com");
    let record = |link: &Value| json!({"link": link, "first_name": CANARY, "last_name": "Doe", "email": email, "mobile": "61491570156"});
    let other = json!({"customer_id": "8", "system_name": format!("{CANARY}shop")});
    let rows = format!("{}\n{}\n", record(&link), record(&other));
    import(&app, "drop/customer_record/shop/a.ndjson", &rows).await;
    import(
        &app,
        "drop/purchase/shop/a.ndjson",
        &order(
            &link,
            "2026-01-02T03:04:05Z",
            &format!("{CANARY}order"),
            None,
        ),
    )
    .await;
    let ask = async |method: &str, path: &str, query: &str, scope: &str, body: &Value| {
        let mut event = api_event(method, path, Some(json!({"sub": "a", "scope": scope})));
        event["body"] = body.to_string().into();
        if !query.is_empty() {
            event["rawQueryString"] = format!("include={query}").into();
            event["queryStringParameters"] = json!({"include": query});
        }
        let response = app
            .stack
            .invoke("profile-read", event)
            .await
            .expect("a response");
        let body = response["body"].as_str().expect("a body").to_owned();
        (response["statusCode"].as_u64().expect("a status"), body)
    };
    let pii = "profiles:read pii:read";
    let search = "/profiles/search";
    let (_, body) = ask("POST", search, "", pii, &json!({"email": email})).await;
    let page: Value = serde_json::from_str(&body).expect("JSON");
    let id = page["items"][0]["id"].as_str().expect("an id");
    let profile = format!("/profiles/{id}");
    let requests = [
        (
            "POST",
            search,
            "",
            json!({"name": format!("{CANARY} Doe"), "limit": 1}),
            200,
        ),
        ("POST", search, "", json!({"email": email, "limit": 1}), 200),
        (
            "POST",
            search,
            "",
            json!({"mobile": "61491570156", "limit": 1}),
            200,
        ),
        (
            "POST",
            search,
            "",
            json!({"customer_id": format!("{CANARY}id")}),
            200,
        ),
        (
            "POST",
            search,
            "",
            json!({"order": format!("{CANARY}order")}),
            200,
        ),
        (
            "POST",
            "/profiles/batch",
            "",
            json!({"profiles": [link]}),
            200,
        ),
        (
            "POST",
            "/profiles/lookup",
            "",
            json!({"customer_id": format!("{CANARY}id")}),
            404,
        ),
        ("GET", profile.as_str(), "matches", Value::Null, 200),
    ];
    for (method, path, query, body, status) in requests {
        let (received, shown) = ask(method, path, query, pii, &body).await;
        assert_eq!(received, status, "{shown}");
        assert!(shown.contains(CANARY), "{path} {body}: {shown}");
        let (received, redacted) = ask(method, path, query, "profiles:read", &body).await;
        assert_eq!(received, status, "{redacted}");
        assert!(
            !redacted.contains(CANARY) && !redacted.contains("61491570156"),
            "{redacted}"
        );
        let cursors = |text: &str| {
            let page: Value = serde_json::from_str(text).expect("JSON");
            page["next"].as_str().map(str::to_owned)
        };
        assert_eq!(cursors(&shown), cursors(&redacted));
        if let Some(cursor) = cursors(&shown) {
            let bytes = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes());
            let bytes = bytes.expect("base64");
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains(CANARY) && !text.contains("61491570156"),
                "{text}"
            );
        }
    }
    for line in app.stack.logs() {
        assert!(
            !line.contains(CANARY) && !line.contains("61491570156"),
            "{line}"
        );
    }
    let audited = app
        .stack
        .logs()
        .into_iter()
        .filter(|line| line.contains(r#""audit":"#));
    let audited: Vec<_> = audited.collect();
    for part in [
        r#""audit":"profile.search""#,
        r#""audit":"profile.batch""#,
        r#""hints":""#,
        r#""matches":""#,
    ] {
        assert!(
            audited.iter().any(|line| line.contains(part)),
            "{part}: {audited:?}"
        );
    }
}
