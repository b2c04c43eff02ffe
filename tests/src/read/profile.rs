//! Profiles by id and by identifier, their sections, and what claims show.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{api::problem_of, events::api_event, files::email_opens, shared::SharedApp};

#[tokio::test(flavor = "multi_thread")]
async fn computes_profile() {
    let app = SharedApp::get().await;
    let mut profile = app.profile("jane@fake.com").await;

    assert_eq!(profile["name"], "Jane Doe");
    // All figures are computed by hand from the rows in `tests/fixtures`, as described in `infra/docs/reference/api.md`.
    let summary = &profile["summary"];
    assert_eq!(
        (&summary["relationship"], &summary["orders"]),
        (&json!("customer"), &json!(2))
    );
    // The only month: 90 + 10 + 9.95 - 50.
    assert_eq!(
        summary["spend_by_month"],
        json!([{"month": "2023-03", "currency": "USD", "amount": "59.95"}])
    );
    assert_eq!(
        [
            &summary["first_order_at"],
            &summary["last_order_at"],
            &summary["last_event_at"]
        ],
        [
            "2023-03-06T12:26:47Z",
            "2023-03-07T12:26:47Z",
            "2023-03-09T12:26:47Z"
        ]
    );
    assert_eq!(summary["channels"], json!(["ecommerce", "email"]));
    let top = summary["top_products"].as_array().unwrap();
    let top: Vec<_> = top
        .iter()
        .map(|top| {
            (
                top["id"].as_str().unwrap(),
                top["quantity"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(top, [("7ede97...", "2"), ("8gf983...", "2")]);
    assert_eq!(
        (&summary["top_brands"], &summary["top_categories"]),
        (
            &json!([{"name": "Sawyer", "quantity": "2"}]),
            &json!([{"name": "outerwear", "quantity": "2"}])
        )
    );
    assert_eq!(summary["segments"], json!(["lapsed", "repeat", "returner"]));
    let email = &summary["email"];
    assert_eq!(
        [&email["opened"], &email["clicked"], &email["bounced"]],
        [1, 0, 0]
    );
    assert_eq!(
        (&email["click_rate"], &email["engagement"], &email["status"]),
        (&json!(0.0), &json!("none"), &Value::Null)
    );
    assert_eq!(
        (&summary["items"], &summary["returns"]),
        (&json!(6), &json!(1))
    );
    assert_eq!(
        summary["total_spend"],
        json!([{"currency": "USD", "amount": "59.95"}])
    );
    assert_eq!(
        summary["average_order_value"],
        json!([{"currency": "USD", "amount": "54.98"}])
    );
    assert_eq!(
        (&summary["email"]["sent"], &summary["email"]["open_rate"]),
        (&json!(1), &json!(1.0))
    );

    let history = profile["history"].take();
    let titles: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["title"])
        .collect();
    assert_eq!(
        titles,
        [
            "Returned 2 items for 50.00 USD",
            "Bought 2 items for 9.95 USD",
            "Bought 4 items for 100.00 USD",
            "Opened an email of \u{201c}All customers\u{201d}",
            "Was sent \u{201c}Dress your best this Black Friday\u{201d}",
        ]
    );
    assert_eq!(history["next"], Value::Null);
    let product = json!({
        "name": "Rib Crew Knit", "brand": "Sawyer", "url": "https://fake.com/menswear/rib-crew-knit",
        "image": "https://fake.com/images/rib-crew-knit.jpg"
    });
    assert_eq!(
        history["items"][0]["return"]["products"][0]["product"], product,
        "by sku"
    );
    assert_eq!(
        history["items"][2]["purchase"]["products"][0]["product"], product,
        "by product_id"
    );
    assert_eq!(
        history["items"][2]["purchase"]["products"][0]["price_paid"],
        "90.00"
    );
    assert_eq!(
        history["items"][2]["purchase"]["products"][1]["product"],
        Value::Null,
        "an unknown product"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_by_every_identifier() {
    let app = SharedApp::get().await;
    let by_address = app.timeless_profile("jane@fake.com").await;
    assert_eq!(by_address, app.timeless_profile(" JANE@fake.com").await);

    let sha256 = HEXLOWER.encode(&Sha256::digest("jane@fake.com"));
    let (status, by_hash) = app.lookup(json!({ "email_sha256": sha256 })).await;
    assert_eq!(status, 200);
    let (_, by_id) = app
        .get(&format!("/profiles/{}", by_hash["id"].as_str().unwrap()))
        .await;
    for other in [by_hash, by_id] {
        let profile: Value = serde_json::from_str(&by_address).unwrap();
        assert_eq!(other["history"]["items"], profile["history"]["items"]);
        assert_eq!(
            (&other["id"], &other["identities"]),
            (&profile["id"], &profile["identities"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn returns_requested_sections() {
    let app = SharedApp::get().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, profile) = app
        .get(&format!("/profiles/{id}?include=summary&consistent=true"))
        .await;
    let names: Vec<_> = profile
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        ["as_of", "id", "identities", "name", "partial", "summary"]
    );
    let mut both = Vec::new();
    for include in ["include=notes,summary", "include=notes&include=summary"] {
        let (status, mut profile) = app.get(&format!("/profiles/{id}?{include}")).await;
        assert_eq!(status, 200, "{profile}");
        profile["as_of"].take();
        both.push(profile);
    }
    assert_eq!(both[0], both[1]);
    assert!(both[0]["notes"].is_object() && both[0]["summary"].is_object());
}

/// Adds customers whose headers come from different items, and returns an identifier of each.
async fn customers_of_all_kinds(app: &SharedApp) -> Vec<Value> {
    let email = |name: &str| json!({"email": format!("{name}@header.example")});
    let hash = |name: &str| {
        let address = format!("{name}@header.example");
        json!({"email_sha256": HEXLOWER.encode(&Sha256::digest(address))})
    };
    let record = |link: &Value| json!({"link": link, "first_name": "Ann", "last_name": "Header"});
    let records = [&email("record"), &hash("address"), &hash("erased")].map(record);
    app.import("drop/customer_record/header/a.ndjson", &lines(records))
        .await;
    // The address is in the oldest of 12 events.
    let mut opened = email_opens(&email("address"), 0, 1, "h");
    for link in [
        hash("address"),
        hash("hash"),
        email("events"),
        email("linked"),
        email("erased"),
    ] {
        opened += &email_opens(&link, 1, 12, "h");
    }
    app.import("drop/email_open/header/a.ndjson", &opened).await;
    let hub = |n: usize| json!({"records": [email("hub"), {"customer_id": format!("header-{n}")}]});
    let links = (0..34).map(hub);
    let linked = [email("linked"), email("record")];
    let links = links.chain([json!({ "records": linked })]);
    app.import("drop/unify/header.ndjson", &lines(links)).await;
    let erased = json!({"link": email("erased"), "mode": "erase"});
    app.import("drop/forget/header/a.ndjson", &erased.to_string())
        .await;
    vec![
        json!({"email": "jane@fake.com"}),
        email("record"),
        email("address"),
        hash("hash"),
        email("events"),
        email("linked"),
        email("hub"),
        json!({"customer_id": "header-0"}),
        email("erased"),
        email("absent"),
    ]
}

fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn header_does_not_depend_on_sections() {
    let app = SharedApp::get().await;
    let lookup = async |identifier: &Value, include: &str| {
        let url = app.url(&format!("/profiles/lookup?include={include}"));
        let request = reqwest::Client::new().post(url).json(identifier);
        app.send(request).await
    };
    let mut kinds = Vec::new();
    let mut missing = 0;
    for customer in customers_of_all_kinds(&app).await {
        let all = "summary,attributes,notes,history,matches";
        let (status, mut whole) = lookup(&customer, all).await;
        let whole = whole.as_object_mut().unwrap();
        for name in whole.clone().keys() {
            let sections = ["summary", "attributes", "history", "as_of", "request_id"];
            if sections.iter().any(|section| name.starts_with(section)) {
                whole.remove(name);
            }
        }
        for include in [
            "notes,matches",
            "matches,notes&consistent=true",
            "notes",
            "matches",
        ] {
            let (same, mut some) = lookup(&customer, include).await;
            assert_eq!(same, status, "{customer} {include}");
            let some = some.as_object_mut().unwrap();
            some.remove("as_of");
            some.remove("request_id");
            let mut expected = whole.clone();
            for section in ["notes", "matches"] {
                if !include.contains(section) {
                    expected.remove(section);
                }
            }
            assert_eq!(*some, expected, "{customer} {include}");
        }
        if status == 404 {
            missing += 1;
        } else {
            let id = whole["id"].as_str().unwrap();
            let own = whole["identities"].as_array().unwrap().iter();
            let mut own = own.filter(|identity| identity["id"] == id);
            kinds.push(own.next().expect("its own identity")["type"].clone());
        }
    }
    assert_eq!(missing, 2, "the erased customer and one that never existed");
    // The address of an old event is better than the hash in the record.
    assert_eq!(
        (&kinds[2], &kinds[3]),
        (&json!("email"), &json!("email_sha256"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_field() {
    let app = SharedApp::get().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let parameter = |field: &str| ("invalid-parameter".to_owned(), Some(field.to_owned()));
    assert_eq!(
        app.problem(&format!("/profiles/{id}?include=orders"), 400)
            .await,
        parameter("include")
    );
    assert_eq!(
        app.problem(&format!("/profiles/{id}?consistent=maybe"), 400)
            .await,
        parameter("consistent")
    );
    assert_eq!(
        app.problem(&format!("/profiles/{id}?page=2"), 400).await,
        parameter("page")
    );
    assert_eq!(
        app.problem(
            &format!("/profiles/{id}?consistent=true&consistent=true"),
            400
        )
        .await,
        parameter("consistent")
    );
    let unknown = ("profile-not-found".to_owned(), None);
    assert_eq!(
        app.problem("/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa", 404)
            .await,
        unknown
    );
    assert_eq!(app.problem("/profiles/jane%40fake.com", 404).await, unknown);

    for (body, field) in [
        (json!({}), None),
        (json!({"email": "jane"}), Some("email")),
        (json!({"phone": "1"}), Some("phone")),
        (json!({"email": ["jane@fake.com"]}), Some("email")),
        (json!({"external_id": "1"}), Some("system_name")),
        (json!([1]), None),
    ] {
        let (status, problem) = app.lookup(body).await;
        assert_eq!(status, 400);
        assert_eq!(
            problem_of(&problem),
            ("invalid-body".to_owned(), field.map(str::to_owned))
        );
    }
    let (status, problem) = app.lookup(json!({"email": "nobody@fake.com"})).await;
    assert_eq!((status.as_u16(), problem_of(&problem)), (404, unknown));

    let form = reqwest::Client::new()
        .post(app.url("/profiles/lookup"))
        .body("email=jane@fake.com");
    let (status, problem) = app.send(form).await;
    assert_eq!(
        (status.as_u16(), problem_of(&problem).0.as_str()),
        (415, "unsupported-media-type")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_claims() {
    let app = SharedApp::get().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = async |claims: Option<Value>| {
        let response = app
            .invoke(
                "profile-read",
                api_event("GET", &format!("/profiles/{id}"), claims),
            )
            .await;
        let response = response.expect("the function responds");
        (
            response["statusCode"].clone(),
            response["body"].as_str().expect("a text").to_owned(),
        )
    };
    let (status, body) = ask(Some(json!({"sub": "agent-7", "scope": "profiles:read"}))).await;
    assert_eq!(status, 200);
    for personal in [
        "Jane",
        "jane@fake.com",
        "Inkerman",
        "61400000000",
        "Kevin",
        "half off",
    ] {
        assert!(!body.contains(personal), "{personal} in {body}");
    }
    assert!(body.contains(r#""name":{"redacted":true}"#));
    let (status, body) = ask(Some(
        json!({"sub": "agent-7", "scp": "[profiles:read pii:read]"}),
    ))
    .await;
    assert_eq!(status, 200);
    assert!(body.contains("Jane Doe"));
    let (status, body) = ask(Some(json!({"sub": "agent-7", "scope": "notes:write"}))).await;
    assert_eq!(status, 403, "{body}");
    let (status, _) = ask(Some(json!({"scope": "profiles:read"}))).await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_unlinks() {
    let app = SharedApp::get().await;
    let links = [
        json!({"mobile": "5550104"}),
        json!({"email": "linked@example.com"}),
    ];
    for (number, link) in links.iter().enumerate() {
        let row = json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "sms_id": format!("s{number}")});
        app.import(
            &format!("drop/sms_send/desk/linked-{number}.ndjson"),
            &row.to_string(),
        )
        .await;
    }
    let sent = async |link: &Value| {
        let (status, profile) = app.lookup(link.clone()).await;
        assert_eq!(status, 200, "{profile}");
        (
            profile["summary"]["sms"]["sent"].as_u64().unwrap(),
            profile["id"].clone(),
        )
    };
    let (apart, own) = sent(&links[0]).await;
    assert_eq!(apart, 1);
    for (name, unlink, expected) in [("a", false, 2), ("b", true, 1), ("c", false, 2)] {
        let row = json!({"records": links, "unlink": unlink});
        app.import(
            &format!("drop/unify/linked-{name}.ndjson"),
            &row.to_string(),
        )
        .await;
        let (first, second) = (sent(&links[0]).await, sent(&links[1]).await);
        assert_eq!((first.0, second.0), (expected, expected), "{name}");
        assert_eq!(
            first.1 == second.1,
            !unlink,
            "one canonical id where linked"
        );
        if unlink {
            assert_eq!(first.1, own);
        }
    }
}
