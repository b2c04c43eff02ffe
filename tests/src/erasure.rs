//! Erasure: what a forget file leaves, and what comes after it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use local::{Options, Stack};
use serde_json::{Value, json};
use shared::{
    model::{
        erasure::Markers,
        identifier::Identifier,
        identity::{IdentityId, IdentityKey},
        keys::{Marker, SortKey},
        version::{ImportId, Version},
    },
    table::{BATCH_SIZE, Table, Verdict, Write},
};
use tests::faults::Faults;

use crate::{
    app::TestApp,
    imports::Setting,
    ingest::{rows, s3_event},
};

/// Marked values: none of them may be anywhere in the table once their bearer is erased.
const MARKED: [&str; 5] = [
    "ada.canary@example.com",
    "61400111222",
    "AdaCanary",
    "canary street",
    "canary body",
];

/// Two customers who are linked: Ada, of whom all is marked, and Bo.
async fn ada_and_bo() -> TestApp {
    let app = TestApp::start().await;
    let email = json!({"email": "ada.canary@example.com"});
    let mobile = json!({"mobile": "+61400111222"});
    let bo = json!({"email": "bo@example.com"});
    let long = "canary body ".repeat(1_000);
    for (folder, rows) in [
        (
            "customer_record/crm",
            vec![
                json!({"link": email, "first_name": "AdaCanary", "address_1": "1 canary street"}),
                json!({"link": bo, "first_name": "Bo"}),
            ],
        ),
        (
            "attributes/crm",
            vec![json!({"link": email, "attributes": {"a.b": "AdaCanary"}})],
        ),
        (
            "message/desk",
            vec![
                json!({"link": email, "action_at": "2026-01-01T00:00:00Z", "message_id": "1", "channel": "x", "direction": "inbound", "body": long}),
                json!({"link": bo, "action_at": "2026-01-02T00:00:00Z", "message_id": "2", "channel": "x", "direction": "inbound", "body": "bo's"}),
            ],
        ),
        (
            "sms_send/sms",
            vec![
                json!({"link": mobile, "action_at": "2026-01-03T00:00:00Z", "sms_id": "1", "to": {"number": "61400111222"}}),
            ],
        ),
        (
            "unify/crm",
            vec![
                json!({"records": [email, mobile]}),
                json!({"records": [email, bo]}),
            ],
        ),
    ] {
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app.import(&format!("drop/{folder}/a.ndjson"), &rows).await;
        assert_eq!(report["rejected"], 0, "{report}");
    }
    let (_, profile) = app.lookup(email).await;
    assert_eq!(profile["identities"].as_array().unwrap().len(), 3);
    let (status, _) = app
        .note(
            profile["identities"]
                .as_array()
                .unwrap()
                .iter()
                .find(|identity| {
                    identity["type"] == "email" && identity["value"] == "ada.canary@example.com"
                })
                .unwrap()["id"]
                .as_str()
                .unwrap(),
            Some("n1"),
            json!({"text": "AdaCanary called"}),
        )
        .await;
    assert_eq!(status, 201);
    app
}

/// The marked values that the table still holds.
async fn marked(app: &TestApp) -> Vec<&'static str> {
    let table = format!("{:?}", rows(app).await);
    MARKED
        .into_iter()
        .filter(|value| table.contains(value))
        .collect()
}

async fn status(app: &TestApp, identifier: Value) -> u16 {
    app.lookup(identifier).await.0.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_goes_with_all_that_is_of_it_and_its_neighbours_stay_whole() {
    let app = ada_and_bo().await;
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            r#"{"link":{"email":"Ada.Canary@example.com"}}"#,
        )
        .await;
    assert_eq!(
        (&report["written"], &report["status"]),
        (&json!(1), &json!("completed"))
    );
    assert_eq!(
        report["erased"],
        json!({"identities": 2, "records": 1, "attributes": 1, "links": 4, "notes": 1, "events": 1, "bodies": 1, "note_requests": 1, "dated_ahead": 0})
    );
    let held: Vec<_> = report["still_held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| held["what"].as_str().unwrap())
        .collect();
    assert_eq!(held.len(), 3, "{held:?}");
    assert!(
        report["still_held"][2]["until"].as_str().unwrap()
            > report["finished_at"].as_str().unwrap()
    );
    // The mobile was not named: it stays, by itself.
    assert_eq!(marked(&app).await, ["61400111222"]);
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
    assert_eq!(status(&app, json!({"mobile": "61400111222"})).await, 200);
    let (_, bo) = app.lookup(json!({"email": "bo@example.com"})).await;
    assert_eq!(
        (
            bo["identities"].as_array().unwrap().len(),
            bo["history"]["items"].as_array().unwrap().len(),
            &bo["name"]
        ),
        (1, 1, &json!("Bo"))
    );
    let text = report.to_string();
    assert!(MARKED.iter().all(|value| !text.contains(value)), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_profile_goes_by_any_of_its_identities() {
    let app = ada_and_bo().await;
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            r#"{"link":{"mobile":"61400111222"},"scope":"profile"}"#,
        )
        .await;
    assert_eq!(
        (&report["written"], &report["erased"]["identities"]),
        // The addresses have an identity each by their MD5.
        (&json!(1), &json!(5))
    );
    assert_eq!(marked(&app).await, Vec::<&str>::new());
    for identifier in [
        json!({"email": "ada.canary@example.com"}),
        json!({"mobile": "61400111222"}),
        json!({"email": "bo@example.com"}),
    ] {
        assert_eq!(status(&app, identifier).await, 404);
    }
    // The same event again, and the import of it from its start: whom it is about was noted.
    let version = report["version_id"].as_str().unwrap();
    app.stack
        .invoke(
            "ingest",
            s3_event(&app, "drop/forget/privacy/a.ndjson", version, "01"),
        )
        .await
        .expect("a duplicate");
    assert_eq!(marked(&app).await, Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_profile_goes_with_what_is_recorded_under_the_md5_of_its_addresses() {
    let app = TestApp::start().await;
    let (mobile, address) = (json!({"mobile": "61400111222"}), "ada.canary@example.com");
    let email = json!({"email": address});
    let md5 = json!({"email_md5": identifier(&email).as_md5().unwrap().value()});
    let account = json!({"customer_id": "ada"});
    // Of Bo's address the link knows the SHA-256 alone: it is his record that names it.
    let bo = json!({"email": "bo@example.com"});
    let bos_md5 = json!({"email_md5": identifier(&bo).as_md5().unwrap().value()});
    let bos_sha256 = json!({"email_sha256": sha256("bo@example.com")});
    let open =
        |link: &Value| json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": "1"});
    for (folder, rows) in [
        (
            "customer_record/crm",
            vec![json!({"link": bo, "first_name": "Bo"})],
        ),
        ("email_open/mail", vec![open(&md5), open(&bos_md5)]),
        (
            "unify/crm",
            vec![
                json!({"records": [mobile, email]}),
                json!({"records": [md5, account]}),
                json!({"records": [mobile, bos_sha256]}),
            ],
        ),
    ] {
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app.import(&format!("drop/{folder}/a.ndjson"), &rows).await;
        assert_eq!(report["written"], report["read"], "{report}");
    }
    for link in [&md5, &bos_md5] {
        assert_eq!(status(&app, link.clone()).await, 200);
    }
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            &json!({"link": mobile, "scope": "profile"}).to_string(),
        )
        .await;
    let erased = &report["erased"];
    assert_eq!(
        (&erased["identities"], &erased["events"], &erased["links"]),
        (&json!(6), &json!(2), &json!(6)),
        "{report}"
    );
    for link in [mobile, email, md5, account, bo, bos_md5] {
        assert_eq!(status(&app, link.clone()).await, 404, "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_profile_goes_though_more_belong_to_it_than_are_read() {
    let app = TestApp::start().await;
    let people = 40;
    let chain: String = (1..people)
        .map(|number| json!({"records": [mobile(number - 1), mobile(number)]}))
        .map(|row| format!("{row}\n"))
        .collect();
    app.import("drop/unify/crm/a.ndjson", &chain).await;
    let (_, profile) = app.lookup(mobile(20)).await;
    assert_eq!(profile["identities"].as_array().unwrap().len(), 32);
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            &json!({"link": mobile(20), "scope": "profile"}).to_string(),
        )
        .await;
    let erased = &report["erased"];
    assert_eq!(
        (&erased["identities"], &erased["links"]),
        // Both sides of each link, though the ends of it are erased at the same time.
        (&json!(people), &json!(2 * (people - 1))),
        "{report}"
    );
    for number in 0..people {
        assert_eq!(status(&app, mobile(number)).await, 404, "{number}");
    }
    assert_eq!(erased_and_left(&app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinstatement_counts_for_what_follows_it_in_its_file_and_erases_nobody() {
    let app = ada_and_bo().await;
    let email = json!({"email": "ada.canary@example.com"});
    let forget = json!({"link": email}).to_string();
    app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let record =
        json!({"record_type": "customer_record", "link": email, "first_name": "AdaCanary"});
    let rows: String = [
        record.clone(),
        json!({"record_type": "forget", "link": email, "reinstate": true}),
        record,
        json!({"record_type": "unify", "records": [email, {"email": "bo@example.com"}]}),
    ]
    .iter()
    .map(|row| format!("{row}\n"))
    .collect();
    let report = app.import("drop/mixed/crm/back.ndjson", &rows).await;
    assert_eq!(
        (&report["written"], &report["suppressed"]),
        (&json!(3), &json!(1)),
        "{report}"
    );
    assert_eq!(
        (&report["erased"], &report["still_held"]),
        (&Value::Null, &Value::Null),
        "{report}"
    );
    let (_, profile) = app.lookup(email).await;
    assert_eq!(
        (
            &profile["name"],
            profile["identities"].as_array().unwrap().len()
        ),
        (&json!("AdaCanary"), 2)
    );
    assert_eq!(erased_and_left(&app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_brings_them_back_but_what_happened_after_and_a_reinstatement() {
    let app = ada_and_bo().await;
    app.import(
        "drop/forget/privacy/a.ndjson",
        r#"{"records":[{"email":"ada.canary@example.com"},{"mobile":"61400111222"}]}"#,
    )
    .await;
    // The nightly export does not know yet.
    let record = r#"{"link":{"email":"ada.canary@example.com"},"first_name":"AdaCanary"}"#;
    let old = r#"{"link":{"email":"ada.canary@example.com"},"action_at":"2026-01-01T00:00:00Z","email_id":"1"}"#;
    let unify = r#"{"records":[{"email":"ada.canary@example.com"},{"email":"bo@example.com"}]}"#;
    for (folder, rows) in [
        ("customer_record", record),
        ("email_open", old),
        ("unify", unify),
    ] {
        let report = app
            .import(&format!("drop/{folder}/crm/again.ndjson"), rows)
            .await;
        assert_eq!(
            (&report["read"], &report["suppressed"], &report["written"]),
            (&json!(1), &json!(1), &json!(0)),
            "{folder}"
        );
    }
    assert_eq!(marked(&app).await, Vec::<&str>::new());
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );

    // What happened after the erasure is of a new customer, as far as anybody knows.
    let tomorrow = "2099-01-01T00:00:00Z";
    let late = app
        .import(
            "drop/email_open/crm/future.ndjson",
            &old.replace("2026-01-01T00:00:00Z", tomorrow),
        )
        .await;
    assert_eq!(late["rejected"], 1, "48 hours ahead at most");
    let soon = soon();
    let report = app
        .import(
            "drop/email_open/crm/new.ndjson",
            &old.replace("2026-01-01T00:00:00Z", &soon),
        )
        .await;
    assert_eq!(report["written"], 1);
    let (code, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    assert_eq!(
        (
            code.as_u16(),
            &profile["name"],
            profile["history"]["items"].as_array().unwrap().len()
        ),
        (200, &Value::Null, 1)
    );

    // Let in again, the record may come back; a late duplicate of the forget takes nothing of it.
    app.import(
        "drop/forget/privacy/b.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"reinstate":true}"#,
    )
    .await;
    assert_eq!(
        app.import("drop/customer_record/crm/back.ndjson", record)
            .await["written"],
        1
    );
    let versions = app.stack.list("reports/drop/forget/privacy/a.ndjson/");
    let version = versions[0]
        .rsplit('/')
        .next()
        .unwrap()
        .trim_end_matches(".json")
        .to_owned();
    forget_import(&app, "drop/forget/privacy/a.ndjson", &version).await;
    app.stack
        .invoke(
            "ingest",
            // A sequencer before all others: a forget that came in the same second is not to be newer than what followed it.
            s3_event(&app, "drop/forget/privacy/a.ndjson", &version, "00"),
        )
        .await
        .expect("a late duplicate");
    let (_, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    assert_eq!(profile["name"], "AdaCanary");

    // Suppressed is for good.
    app.import(
        "drop/forget/privacy/c.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"suppress":true}"#,
    )
    .await;
    app.import(
        "drop/forget/privacy/d.ndjson",
        r#"{"link":{"email":"ada.canary@example.com"},"reinstate":true}"#,
    )
    .await;
    for rows in [
        old.replace("2026-01-01T00:00:00Z", &soon),
        old.replace("\"1\"", "\"2\""),
    ] {
        assert_eq!(
            app.import("drop/email_open/crm/never.ndjson", &rows).await["suppressed"],
            1
        );
    }
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
    assert_eq!(marked(&app).await, Vec::<&str>::new());
}

/// A POS that stamps rows with its local clock, 11 hours ahead of UTC.
#[tokio::test(flavor = "multi_thread")]
async fn erases_what_is_dated_ahead() {
    let app = TestApp::start().await;
    let erin = json!({"email": "erin@example.com"});
    let ahead = in_hours(11);
    let ahead = ahead.trim_end_matches('Z');
    let key = "drop/purchase/pos/a.ndjson";
    let purchase = json!({"link": erin, "action_at": ahead, "type": "physical", "purchase_id": "E-1",
        "products": [{"price_paid": "12.00", "quantity": 1}], "currency": "AUD"});
    let sms = json!({"link": erin, "action_at": "2026-01-01T00:00:00Z", "sms_id": "s"});
    for (key, row) in [
        (
            "drop/customer_record/pos/a.ndjson",
            json!({"link": erin, "first_name": "Erin", "updated_at": ahead}),
        ),
        (
            "drop/attributes/pos/a.ndjson",
            json!({"link": erin, "attributes": {"a.b": 1}, "updated_at": ahead}),
        ),
        (key, purchase.clone()),
        ("drop/sms_send/pos/a.ndjson", sms),
    ] {
        let report = app.import(key, &row.to_string()).await;
        assert_eq!(report["written"], 1, "{report}");
    }
    let forget = json!({"link": erin}).to_string();
    let report = app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let erased = &report["erased"];
    assert_eq!(
        (
            &report["status"],
            &erased["records"],
            &erased["attributes"],
            &erased["events"],
            &erased["dated_ahead"],
        ),
        (
            &json!("completed"),
            &json!(1),
            &json!(1),
            &json!(2),
            &json!(1)
        ),
        "{report}"
    );
    assert!(
        report["advice"].as_str().unwrap().contains("48 hours"),
        "{report}"
    );
    assert_eq!(status(&app, erin.clone()).await, 404);
    let sha256 = json!({"email_sha256": sha256("erin@example.com")});
    assert_eq!(status(&app, sha256).await, 404);
    // Nothing is dated ahead of the same row two days later, so there is no advice.
    let again = app.import("drop/forget/privacy/b.ndjson", &forget).await;
    assert_eq!(again["advice"], Value::Null, "{again}");
}

/// A nightly export that stamps each row with the time of the export does not bring an erased customer back.
#[tokio::test(flavor = "multi_thread")]
async fn exports_do_not_reinstate() {
    let app = TestApp::start().await;
    let faye = json!({"email": "faye@example.com"});
    let export = || {
        let rows = [
            json!({"record_type": "customer_record", "link": faye, "first_name": "Faye", "updated_at": soon()}),
            json!({"record_type": "attributes", "link": faye, "attributes": {"a.b": 1}, "updated_at": soon()}),
            json!({"record_type": "unify", "records": [faye, {"customer_id": "f-1"}]}),
        ];
        rows.map(|row| format!("{row}\n")).concat()
    };
    let first = app.import("drop/mixed/crm/1.ndjson", &export()).await;
    assert_eq!(first["written"], 3, "{first}");
    let forget = json!({"link": faye}).to_string();
    app.import("drop/forget/privacy/a.ndjson", &forget).await;
    let nightly = app.import("drop/mixed/crm/2.ndjson", &export()).await;
    assert_eq!(
        (&nightly["suppressed"], &nightly["written"]),
        (&json!(3), &json!(0)),
        "{nightly}"
    );
    assert_eq!(status(&app, faye.clone()).await, 404);
    let reinstate = json!({"link": faye, "reinstate": true}).to_string();
    app.import("drop/forget/privacy/b.ndjson", &reinstate).await;
    let back = app.import("drop/mixed/crm/3.ndjson", &export()).await;
    assert_eq!(back["written"], 3, "{back}");
    let (_, profile) = app.lookup(faye).await;
    assert_eq!(profile["name"], "Faye");
}

/// Links of a source that links an identity to too many others are not followed; those of other sources are.
#[tokio::test(flavor = "multi_thread")]
async fn junk_links_do_not_hide_a_customer() {
    let app = TestApp::start().await;
    let ada = json!({"email": "ada.canary@example.com"});
    let phone = json!({"mobile": "61400111222"});
    let order = json!({"link": ada, "action_at": "2026-01-01T00:00:00Z", "type": "ecommerce", "purchase_id": "1",
        "products": [{"price_paid": "12.00", "quantity": 1}], "currency": "AUD"});
    let unify = json!({"records": [ada, phone]}).to_string();
    app.import("drop/purchase/shop/a.ndjson", &order.to_string())
        .await;
    app.import("drop/unify/crm/a.ndjson", &unify).await;
    let junk: String = (0..33)
        .map(|number| json!({"records": [ada, {"customer_id": format!("junk-{number}")}]}))
        .map(|row| format!("{row}\n"))
        .collect();
    let report = app.import("drop/unify/junk/a.ndjson", &junk).await;
    assert_eq!(report["written"], 33, "{report}");
    let excluded = |document: &Value| {
        let links = document["excluded_links"].as_array().unwrap();
        assert_eq!(links.len(), 1, "{document}");
        (links[0]["source"].clone(), links[0]["links"].clone())
    };
    for link in [&ada, &phone] {
        let (_, profile) = app.lookup(link.clone()).await;
        assert_eq!(profile["summary"]["orders"], 1, "{link}");
        assert_eq!(profile["partial"], true);
        assert_eq!(excluded(&profile), (json!("junk"), json!(33)));
    }
    let (_, profile) = app.lookup(phone.clone()).await;
    let id = profile["id"].as_str().unwrap();
    // The alarm watches this metric.
    app.get("/profiles/x").await;
    let logs = app.stack.logs();
    let counted = logs
        .iter()
        .filter(|line| line.contains("\"ExcludedLinks\":1"));
    assert_eq!(counted.count(), 3);
    let export = reqwest::get(app.url(&format!("/profiles/{id}/export?limit=100")))
        .await
        .unwrap();
    let export = export.text().await.unwrap();
    let end: Value = serde_json::from_str(export.lines().last().unwrap()).unwrap();
    assert_eq!(
        (excluded(&end), &end["partial"]),
        ((json!("junk"), json!(33)), &json!(true))
    );
    assert!(export.contains("event#"), "{export}");

    let forget = json!({"link": phone, "scope": "profile"}).to_string();
    let report = app.import("drop/forget/privacy/a.ndjson", &forget).await;
    assert_eq!(excluded(&report), (json!("junk"), json!(33)));
    assert_eq!(report["erased"]["events"], 1, "{report}");
    for link in [ada, phone] {
        assert_eq!(status(&app, link).await, 404);
    }
    let left = json!({"customer_id": "junk-1"});
    assert_eq!(status(&app, left).await, 404, "its only link is gone");
}

/// Makes the table forget that it has seen an import, so that its event is seen to as if it were new.
async fn forget_import(app: &TestApp, key: &str, version: &str) {
    for row in rows(app).await {
        let partition = row["PK"].as_s().unwrap();
        let is_it = row
            .get("data")
            .and_then(|data| data.as_m().ok())
            .is_some_and(|data| {
                data.get("key")
                    .and_then(|own| own.as_s().ok())
                    .is_some_and(|own| own == key)
                    && data
                        .get("version_id")
                        .and_then(|own| own.as_s().ok())
                        .is_some_and(|own| own == version)
            });
        if is_it {
            let partition = partition.clone();
            for row in rows(app)
                .await
                .into_iter()
                .filter(|row| *row["PK"].as_s().unwrap() == partition)
            {
                let delete = app
                    .stack
                    .dynamodb_client()
                    .delete_item()
                    .table_name(app.stack.table());
                delete
                    .key("PK", row["PK"].clone())
                    .key("SK", row["SK"].clone())
                    .send()
                    .await
                    .expect("the item goes");
            }
        }
    }
}

/// An hour from now.
fn soon() -> String {
    in_hours(1)
}

fn in_hours(hours: i64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    jiff::Timestamp::from_second(i64::try_from(now.as_secs()).unwrap() + hours * 3_600)
        .unwrap()
        .to_string()
}

/// Many events of Ada's in a file that takes many runs, while she is erased, with every event delivered twice.
async fn erased_while_imported(app: &TestApp, kill: bool) {
    let rows: String = (0..2_000)
        .map(|number| format!("{{\"link\":{{\"email\":\"ada.canary@example.com\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"message_id\":\"{number}\",\"channel\":\"x\",\"direction\":\"inbound\",\"body\":\"canary body\"}}\n"))
        .collect();
    let mut imports = app.stack.imports();
    imports
        .put("drop/message/desk/a.ndjson", rows)
        .await
        .unwrap();
    // Some of it is stored by now.
    while !format!("{:?}", rows_of_ada(app).await).contains("canary body") {
        tokio::task::yield_now().await;
    }
    imports
        .put(
            "drop/forget/privacy/a.ndjson",
            r#"{"link":{"email":"ada.canary@example.com"}}"#,
        )
        .await
        .unwrap();
    if kill {
        app.stack.kill_working("ingest");
    }
    let mut reports = 0;
    while let Some(outcome) = imports.next().await {
        let (key, report) = outcome.expect("the import ends");
        assert_eq!(report["status"], "completed", "{key}");
        reports += 1;
    }
    assert_eq!(reports, 2);
    assert_eq!(marked(app).await, Vec::<&str>::new());
    assert_eq!(
        status(app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
}

async fn rows_of_ada(app: &TestApp) -> Value {
    let (_, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    profile["history"]["items"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_beside_an_import_leaves_nothing() {
    let environment = [(
        "ingest".to_owned(),
        [("CHUNK_BYTES".to_owned(), "60000".to_owned())].into(),
    )]
    .into();
    let options = Options {
        environment,
        delivery: local::Delivery {
            duplicates: 1,
            ..Default::default()
        },
        ..Options::default()
    };
    erased_while_imported(&TestApp::start_with(options).await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_run_is_killed_is_carried_out_by_the_next() {
    erased_while_imported(&TestApp::start().await, true).await;
}

/// Judges everything that is in the table by the markers that are in it.
pub(crate) async fn erased_and_left(app: &TestApp) -> Vec<String> {
    let table =
        shared::table::Table::new(app.stack.dynamodb_client(), app.stack.table().to_owned());
    let partitions: BTreeSet<String> = rows(app)
        .await
        .iter()
        .map(|row| row["PK"].as_s().unwrap().clone())
        .collect();
    let mut markers = HashMap::new();
    let mut items = Vec::new();
    for identity in partitions
        .iter()
        .filter_map(|partition| partition.parse::<IdentityId>().ok())
    {
        let mut own = Vec::new();
        let mut after = None;
        loop {
            let page = table.bare_items(&identity, after.as_deref()).await.unwrap();
            own.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        markers.insert(identity, Markers::of(&own));
        items.extend(own);
    }
    let none = Markers::default();
    let erased = items.iter().filter(|item| {
        let own = markers.get(&item.identity).unwrap_or(&none).erase(item);
        let far = match &item.key {
            SortKey::Link { other, .. } => markers.get(other).unwrap_or(&none).erase(item),
            _ => false,
        };
        own || far
    });
    erased
        .map(|item| format!("{} {}", item.identity, item.key.to_text()))
        .collect()
}

/// Erasures of identities and of a profile, beside one another, beside imports of all kinds and beside notes, every event
/// delivered twice.
#[tokio::test(flavor = "multi_thread")]
async fn erasures_beside_everything_else_leave_nothing() {
    let delivery = local::Delivery {
        duplicates: 1,
        scatter: std::time::Duration::from_millis(300),
    };
    let app = TestApp::start_with(Options {
        delivery,
        ..Options::default()
    })
    .await;
    let people = [
        json!({"email": "ada.canary@example.com"}),
        json!({"mobile": "61400111222"}),
        json!({"email": "bo@example.com"}),
    ];
    let message = |number: usize| json!({"link": people[number % 3], "action_at": "2026-01-01T00:00:00Z", "message_id": number.to_string(), "channel": "x", "direction": "inbound", "body": "canary body ".repeat(1 + number % 500)});
    let messages = |from: usize| {
        (from..from + 300)
            .map(|number| format!("{}\n", message(number)))
            .collect::<String>()
    };
    let unify = json!({"records": people}).to_string();
    app.import("drop/message/desk/a.ndjson", &messages(0)).await;
    app.import("drop/unify/crm/a.ndjson", &unify).await;
    let ids = [
        identity_id(&app.stack, "ada.canary@example.com"),
        identity_id(&app.stack, "bo@example.com"),
    ];

    let mut imports = app.stack.imports();
    for (key, rows) in [
        ("drop/message/desk/b.ndjson", messages(200)),
        (
            "drop/forget/privacy/a.ndjson",
            json!({"link": people[0]}).to_string(),
        ),
        ("drop/unify/crm/b.ndjson", unify.clone()),
        (
            "drop/forget/privacy/b.ndjson",
            json!({"link": people[1], "scope": "profile"}).to_string(),
        ),
        ("drop/message/desk/c.ndjson", messages(400)),
        (
            "drop/forget/privacy/c.ndjson",
            json!({"link": people[0], "suppress": true}).to_string(),
        ),
        (
            "drop/unify/crm/c.ndjson",
            unify.replace("]}", "],\"unlink\":true}"),
        ),
        (
            "drop/customer_record/crm/a.ndjson",
            json!({"link": people[0], "first_name": "AdaCanary"}).to_string(),
        ),
    ] {
        imports.put(key, rows).await.unwrap();
    }
    let writers = (0..16).map(|writer| {
        let (app, id) = (&app, &ids[writer % 2]);
        async move {
            for number in 0..8 {
                let (status, answer) = app
                    .note(
                        id,
                        Some(&format!("{writer}-{number}")),
                        json!({"text": "AdaCanary called"}),
                    )
                    .await;
                // While DynamoDB has the same items in another transaction, it says so.
                assert!(matches!(status.as_u16(), 201 | 404 | 503), "{answer}");
            }
        }
    });
    let ended = async {
        while let Some(outcome) = imports.next().await {
            let (key, report) = outcome.expect("the import ends");
            assert_eq!(
                (&report["status"], &report["rejected"]),
                (&json!("completed"), &json!(0)),
                "{key}"
            );
        }
    };
    futures::future::join(futures::future::join_all(writers), ended).await;
    // A late duplicate may still be at work, on its way to the same end.
    for _ in 0..50 {
        if erased_and_left(&app).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(erased_and_left(&app).await, Vec::<String>::new());
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404,
        "suppressed"
    );
}

/// A stack whose ingest may take so many seconds, and waits so many milliseconds for each answer of the table.
async fn slow(seconds: u64, delay: u64) -> Setting {
    let options = Options {
        timeouts: BTreeMap::from([("ingest".to_owned(), Duration::from_secs(seconds))]),
        ..Options::default()
    };
    let setting = Setting::start(0, 1 << 40, options).await;
    let faults = Faults::default().with_delay(Duration::from_millis(delay));
    setting.dynamodb.set_faults(faults);
    setting
}

/// Says in the table that all of these are erased, as a run does that has yet to delete something.
async fn say_erased(stack: &Stack, identities: &[IdentityId]) {
    let table = Table::new(stack.dynamodb_client(), stack.table().to_owned());
    let version = Version::new(2_000_000_000, "01", ImportId([7; 8]), 0);
    let kinds: [fn(&IdentityId, Marker, Version) -> Write; 2] = [Write::listed, Write::marker];
    for kind in kinds {
        for batch in identities.chunks(BATCH_SIZE) {
            let writes: Vec<Write> = batch
                .iter()
                .map(|identity| kind(identity, Marker::Erased, version))
                .collect();
            let written = table.insert(&writes.iter().collect::<Vec<_>>()).await;
            let verdicts = written.unwrap().verdicts;
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Stored));
        }
    }
    table.count_erasure_change().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_were_erased_beside_an_import_are_seen_to_at_its_end() {
    let (setting, key) = (slow(60, 5).await, "drop/mixed/crm/a.ndjson");
    let stack = &setting.app.stack;
    // The file takes 6 s.
    let faults = Faults::default().with_bandwidth(3_000);
    setting.s3.set_faults(faults);
    let opens = (0..100).map(|number| json!({"record_type": "email_open", "link": mobile(number), "action_at": "2026-01-01T00:00:00Z", "email_id": "1"}));
    let pairs = (0..50).map(|number| json!({"record_type": "unify", "records": [mobile(2 * number), mobile(2 * number + 1)]}));
    let file: String = opens.chain(pairs).map(|row| format!("{row}\n")).collect();
    let version_id = stack.put(key, file).await.unwrap();
    // Some of it is stored by now: the run has read whom it keeps out.
    while !format!("{:?}", rows(&setting.app).await).contains("event#") {
        tokio::task::yield_now().await;
    }
    let ids = IdentityKey::new(stack.identity_key()).unwrap();
    let identities: Vec<_> = (0..400)
        .map(|number| ids.identity(&identifier(&mobile(number))))
        .collect();
    say_erased(stack, &identities).await;
    stack.at_rest().await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (&report["status"], &report["written"]),
        (&json!("completed"), &json!(150)),
        "{report}"
    );
    let erased = &report["erased"];
    assert_eq!(
        (&erased["identities"], &erased["events"], &erased["links"]),
        (&json!(0), &json!(100), &json!(100)),
        "{report}"
    );
    assert_eq!(stack.list("failed/"), [""; 0]);
    assert_eq!(setting.hops().await, 1);
    assert_eq!(erased_and_left(&setting.app).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_import_has_erased_its_later_runs_do_not_go_through_again() {
    let (setting, key) = (slow(3, 10).await, "drop/forget/privacy/a.ndjson");
    let count = 300;
    let file: String = (0..count)
        .map(|number| format!("{}\n", json!({"link": mobile(number)})))
        .collect();
    let version_id = setting.drop(key, &file).await;
    // A machine that is busy with other things may have let an event fail.
    setting.dynamodb.set_faults(Faults::default());
    setting.send_failed_again().await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (&report["written"], &report["erased"]["identities"]),
        (&json!(count), &json!(count)),
        "{report}"
    );
    let (hops, queries) = (
        setting.hops().await,
        setting.dynamodb.counts()["Query"].requests,
    );
    eprintln!("{hops} runs, {queries} queries");
    assert!(hops >= 4, "{hops}");
    // One for each of them, and in each run 32 for the list at its beginning and its end, and a few for the import. What runs
    // that died did comes on top.
    assert!(queries < 2 * count + 80 * hops, "{queries} in {hops} runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_not_shown_while_the_items_are_still_there() {
    let app = ada_and_bo().await;
    let (_, before) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    let id = identity_id(&app.stack, "ada.canary@example.com");
    // The marker alone, as it stands before anything is deleted.
    let mut version = vec![0x00, 0xFF, 0xFF, 0xFF, 0xFF];
    version.resize(31, 0);
    app.stack
        .dynamodb_client()
        .put_item()
        .table_name(app.stack.table())
        .item("PK", aws_sdk_dynamodb::types::AttributeValue::S(id.clone()))
        .item(
            "SK",
            aws_sdk_dynamodb::types::AttributeValue::S("profile#marker#erased".into()),
        )
        .item(
            "version",
            aws_sdk_dynamodb::types::AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(
                version,
            )),
        )
        .item(
            "data",
            aws_sdk_dynamodb::types::AttributeValue::M(Default::default()),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
    for path in ["", "/history", "/notes"] {
        assert_eq!(
            app.get(&format!("/profiles/{id}{path}")).await.0,
            404,
            "{path}"
        );
    }
    assert_eq!(
        app.note(&id, Some("n2"), json!({"text": "too late"}))
            .await
            .0,
        404
    );
    let (_, bo) = app.lookup(json!({"email": "bo@example.com"})).await;
    let shown = bo.to_string();
    assert!(MARKED.iter().all(|value| !shown.contains(value)), "{shown}");
    assert!(before.to_string().contains("AdaCanary"));
}

/// One of many customers.
fn mobile(number: u64) -> Value {
    json!({"mobile": format!("61400{number:06}")})
}

fn identifier(link: &Value) -> Identifier {
    Identifier::from_json(link.as_object().unwrap()).unwrap()
}

fn sha256(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(text))
}

/// The id of an e-mail address's identity, by the stack's key.
fn identity_id(stack: &Stack, email: &str) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;
    let hash = sha256(email);
    let mut mac = Hmac::<Sha256>::new_from_slice(stack.identity_key().as_bytes()).unwrap();
    mac.update(format!("email\u{1f}\u{1f}{hash}").as_bytes());
    data_encoding::BASE32_NOPAD
        .encode(&mac.finalize().into_bytes()[..16])
        .to_lowercase()
}
