//! Cases that need several files in order, or another reader: erasures, redaction, figures, ignored keys, new sources.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{given, lines};
use crate::support::case::summary;
use crate::support::{events::api_event, shared::SharedApp};

fn text(given: &[u8]) -> &str {
    std::str::from_utf8(given).unwrap()
}

/// Returns the time of a POS in Melbourne, which writes its clock without a zone.
fn melbourne_now() -> String {
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(11);
    ahead.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// An erasure also deletes rows dated ahead, such as those with a local time. The report counts them.
#[tokio::test(flavor = "multi_thread")]
async fn erases_rows_dated_ahead() {
    let app = SharedApp::get().await;
    let erin = json!({"email": "erin@example.com"});
    let now = melbourne_now();
    let record = json!({"link": erin, "first_name": "Erin", "updated_at": now});
    let order = json!({"link": erin, "action_at": now, "type": "physical", "purchase_id": "E-1", "currency": "AUD",
        "products": [{"price_paid": "12.00", "quantity": 1}]});
    for (folder, row) in [("customer_record", record), ("purchase", order)] {
        let report = app
            .import(&format!("drop/{folder}/10/a.ndjson"), &lines(&[row]))
            .await;
        assert_eq!(report["written"], 1, "{report}");
    }
    // A misspelled option erases nothing.
    let misspelled = lines(&[json!({"link": erin, "reinstated": true})]);
    let report = app.import("drop/forget/10/b.ndjson", &misspelled).await;
    assert_eq!(report["reasons"][0]["code"], "unknown_field", "{report}");
    assert_eq!(app.lookup(erin.clone()).await.0, 200);
    let forget = lines(&[json!({"link": erin})]);
    let report = app.import("drop/forget/10/a.ndjson", &forget).await;
    assert_eq!(report["erased"]["dated_ahead"], 1, "{report}");
    assert!(report["advice"].is_string(), "{report}");
    assert_eq!(app.lookup(erin).await.0, 404);
}

/// A nightly export that contains an erased customer stores nothing about them.
#[tokio::test(flavor = "multi_thread")]
async fn suppresses_nightly_export() {
    let app = SharedApp::get().await;
    let faye = json!({"email": "faye@example.com"});
    let row = || {
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        lines(&[
            json!({"link": faye, "first_name": "Faye", "last_name": "Stone", "updated_at": now}),
        ])
    };
    app.import("drop/customer_record/22/a.ndjson", &row()).await;
    let forget = lines(&[json!({"link": faye})]);
    app.import("drop/forget/22/a.ndjson", &forget).await;
    let report = app.import("drop/customer_record/22/b.ndjson", &row()).await;
    assert_eq!(summary(&report), ["completed: 1 read, 1 suppressed"]);
    assert_eq!(app.lookup(faye).await.0, 404);
}

/// Subjects and reasons are hidden without `pii:read`.
#[tokio::test(flavor = "multi_thread")]
async fn hides_free_text_without_scope() {
    let app = SharedApp::get().await;
    app.import(
        "drop/email_send/15/a.ndjson",
        text(given!("15-subject.ndjson")),
    )
    .await;
    app.import(
        "drop/purchase/15/a.ndjson",
        text(given!("15-reason.ndjson")),
    )
    .await;
    let id = app.profile("vera@example.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let event = api_event(
        "GET",
        &format!("/profiles/{id}"),
        Some(json!({"sub": "agent", "scope": "profiles:read"})),
    );
    let response = app.invoke("profile-read", event).await.unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    let body = response["body"].as_str().unwrap();
    for personal in ["Vera", "Lindt", "Gull", "491 570 156"] {
        assert!(!body.contains(personal), "{personal} in {body}");
    }
    let body: Value = serde_json::from_str(body).unwrap();
    let titles: Vec<_> = body["history"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["title"])
        .collect();
    assert_eq!(titles, ["Bought 1 item for 20.00 AUD", "Was sent an email"]);
}

/// Cases 16 and 18: the response contains every digit, and every field. `tests/console` checks the page.
#[tokio::test(flavor = "multi_thread")]
async fn shows_all_custom_fields() {
    let app = SharedApp::get().await;
    app.import(
        "drop/customer_record/18/a.ndjson",
        text(given!("18-many-attributes.ndjson")),
    )
    .await;
    let profile = app.profile("manny@example.com").await;
    let mut found = names(&profile["attributes"]["custom"]);
    let id = profile["id"].as_str().unwrap();
    let mut next = profile["attributes_next"]["custom"].clone();
    while let Some(cursor) = next.as_str() {
        let path = format!("/profiles/{id}/attributes?category=custom&cursor={cursor}");
        let (status, page) = app.get(&path).await;
        assert_eq!(status, 200, "{page}");
        found.extend(names(&page["items"]));
        next = page["next"].clone();
    }
    let expected: Vec<_> = (0..130)
        .map(|number| format!("field_{number:03}"))
        .collect();
    assert_eq!(found, expected);
    let row = text(given!("16-big-numbers.ndjson")).replace("bigna", "bigna2");
    let row = row.replace(
        "\"ratio\"",
        "\"a\": -0.25, \"b\": 100000000000000000000.5, \"ratio\"",
    );
    app.import("drop/customer_record/16/b.ndjson", &row).await;
    let request = reqwest::Client::new()
        .post(app.url("/profiles/lookup"))
        .json(&json!({"email": "bigna2@example.com"}));
    let body = request.send().await.unwrap().text().await.unwrap();
    for number in [
        "9312345678901234567",
        "1042",
        "2019",
        "-0.25",
        "100000000000000000000.5",
        "0.1234567890123",
        "12345678901234567890123456789",
    ] {
        assert!(
            body.contains(&format!("\"value\":{number},")),
            "{number} in {body}"
        );
    }
}

fn names(attributes: &Value) -> Vec<String> {
    let attributes = attributes.as_array().into_iter().flatten();
    attributes
        .map(|attribute| attribute["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Cases 14, 19, 31 and 33, whose rules `read::figures` tests.
#[tokio::test(flavor = "multi_thread")]
async fn counts_once() {
    let app = SharedApp::get().await;
    for (key, rows) in [
        (
            "email_subscribe/14/a.ndjson",
            text(given!("14-opt-out.ndjson")),
        ),
        (
            "email_subscribe/14/b.ndjson",
            text(given!("14-other-list.ndjson")),
        ),
        ("email_open/19/a.ndjson", text(given!("19-open.ndjson"))),
        ("email_send/19/a.ndjson", text(given!("19-send.ndjson"))),
        ("purchase/31/a.ndjson", text(given!("31-export.ndjson"))),
        ("purchase/31/b.ndjson", text(given!("31-webhook.ndjson"))),
        (
            "customer_record/crm/33.ndjson",
            text(given!("33-crm.ndjson")),
        ),
        (
            "customer_record/till/33.ndjson",
            text(given!("33-till.ndjson")),
        ),
    ] {
        // `read::figures` has customers of the same names.
        let rows = rows.replace("@example.com", "@cases.example");
        let report = app.import(&format!("drop/{key}"), &rows).await;
        assert_eq!(report["read"], report["written"], "{report}");
    }
    for email in ["otto@cases.example", "olga@cases.example"] {
        let profile = app.profile(email).await;
        let segments = profile["summary"]["segments"].as_array().unwrap();
        assert!(segments.contains(&json!("email_opted_out")), "{profile}");
        assert_eq!(
            profile["summary"]["email"]["lists"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
    assert_eq!(
        app.profile("rhea@cases.example").await["summary"]["email"]["open_rate"],
        1.0
    );
    let sasha = app.profile("sasha@cases.example").await;
    assert_eq!(sasha["summary"]["orders"], 1);
    assert_eq!(
        sasha["summary"]["total_spend"],
        json!([{"currency": "AUD", "amount": "80.00"}])
    );
    assert_eq!(
        app.profile("tess@cases.example").await["name"],
        "Tess Aldous"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ignores_files_of_tools() {
    let app = SharedApp::get().await;
    let ignored = [
        "drop/customer_record/73/_SUCCESS",
        "drop/customer_record/73/.DS_Store",
        "drop/customer_record/73/._a.csv",
        "drop/customer_record/73/_temporary/0/part-00000",
        "drop/.DS_Store",
        "drop/_SUCCESS",
    ];
    let row = lines(&[json!({"link": {"email": "tool@example.com"}, "first_name": "Tool"})]);
    for key in ignored {
        app.put(key, row.clone().into_bytes()).await;
    }
    // Events are processed in the order of the files, so the others were ignored when this report exists.
    app.import(
        "drop/customer_record/73/z.ndjson",
        &lines(&[json!({"link": {"email": "tool2@example.com"}})]),
    )
    .await;
    for key in ignored {
        assert_eq!(app.list(&format!("reports/{key}")), [""; 0], "{key}");
    }
    assert_eq!(
        app.lookup(json!({"email": "tool@example.com"})).await.0,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_known_sources() {
    let app = SharedApp::get().await;
    let row = |name: &str| {
        lines(&[json!({"link": {"email": format!("{name}@example.com")}, "first_name": "New"})])
    };
    let first = app
        .import("drop/customer_record/shopfiy/a.ndjson", &row("new1"))
        .await;
    assert_eq!(
        summary(&first),
        ["completed: 1 read, 1 written", "warning new_source 1"]
    );
    let known = first["known_sources"].as_array().unwrap();
    assert!(
        known.contains(&json!("default")) && !known.contains(&json!("shopfiy")),
        "{first}"
    );
    let second = app.import("drop/purchase/shopfiy/a.ndjson", "").await;
    assert_eq!(summary(&second), ["completed", "warning empty_file 1"]);
    assert_eq!(second["known_sources"], Value::Null);
}

/// Rejects are dropped again without a loss, whatever their bytes are. What reading guessed stays a guess.
#[tokio::test(flavor = "multi_thread")]
async fn returns_bytes_of_rejects() {
    let app = SharedApp::get().await;
    let rows = [
        b"{\"link\":{\"email\":\"back1@\"},\"first_name\":\"Zo\xeb\"}\n".as_slice(),
        b"{\"link\":{\"email\":\"back2@example.com\"},\"first_name\":\"Br\xfccke\"\n",
        b"{\"link\":{\"email\":\"back3@\"},\"first_name\":\"K\xc3\xb6ln \xfc\"}\n",
        b"{\"link\":{\"customer_id\":\"Zo\xeb-4\"}}\n",
        b"{\"link\":{\"email\":\"back5@\"},\"first_name\":\"\\ud83d\",\"custom_fields\":{\"a\":NaN}}\n",
    ];
    let cells = b"link.customer_id,first_name\nZo\xeb-6,Zo\xeb\n".to_vec();
    let keys = [
        "drop/customer_record/5/back.ndjson",
        "drop/customer_record/5/back.csv",
    ];
    let files = [rows.concat(), cells];
    let files = keys.map(str::to_owned).into_iter().zip(files).collect();
    let reports = app.import_all(files).await;
    let mut rejects = String::new();
    for key in keys {
        rejects += &app
            .object(reports[key]["rejects"][0].as_str().unwrap())
            .await;
    }
    assert_eq!(rejects.lines().count(), 6, "{rejects}");
    for round in 0..3 {
        for bytes in [
            BASE64.encode(rows[1].trim_ascii_end()),
            BASE64.encode(rows[2].trim_ascii_end()),
            BASE64.encode(rows[3].trim_ascii_end()),
            BASE64.encode(b"Zo\xeb-6,Zo\xeb"),
            "ud83d".to_owned(),
            "NaN".to_owned(),
        ] {
            assert!(
                rejects.contains(&bytes),
                "{bytes} in round {round}: {rejects}"
            );
        }
        let key = format!("drop/customer_record/5/again-{round}.ndjson");
        let again = app.import(&key, &rejects).await;
        assert_eq!(again["rejected"], 6, "{again}");
        rejects = app.object(again["rejects"][0].as_str().unwrap()).await;
    }
}
