//! The scope of a forget row: one identity, or a whole profile.

use serde_json::{Value, json};

use super::{MARKED, ada_and_bo, identifier, marked, mobile, sha256, status};
use crate::support::{app::TestApp, erasures::unerased_items, events::s3_event};

#[tokio::test(flavor = "multi_thread")]
async fn erases_one_identity() {
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
    assert_eq!(held.len(), 9, "{held:?}");
    // The template's retention of files, forget files, rejected rows, tried files and their reports, and of their noncurrent versions.
    // S3 rounds each of the two up to the next midnight. Then the backups, the journal, and the logs and the audit log, which are deleted within three
    // days.
    let time = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    for (place, days) in [
        90 + 7 + 2,
        7 + 1 + 2,
        30 + 1 + 2,
        1 + 1 + 2,
        1 + 1 + 2,
        35,
        400 + 1 + 2,
        30 + 3,
        400 + 3,
    ]
    .into_iter()
    .enumerate()
    {
        let until = time(&report["still_held"][place]["until"]);
        let after = until.duration_since(time(&report["finished_at"]));
        assert_eq!((after.as_secs() + 3_600) / 86_400, days, "{held:?}");
    }
    // The row does not name the mobile, so its identity stays, without links.
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
async fn erases_profile_by_any_identity() {
    let app = ada_and_bo().await;
    let report = app
        .import(
            "drop/forget/privacy/a.ndjson",
            r#"{"link":{"mobile":"61400111222"},"scope":"profile"}"#,
        )
        .await;
    assert_eq!(
        (&report["written"], &report["erased"]["identities"]),
        // The MD5 of each address is an identity of its own.
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
    // The same event again: the state of the import contains the identities.
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
async fn erases_md5_of_emails() {
    let app = TestApp::start().await;
    let (mobile, address) = (json!({"mobile": "61400111222"}), "ada.canary@example.com");
    let email = json!({"email": address});
    let md5 = json!({"email_md5": identifier(&email).as_md5().unwrap().value()});
    let account = json!({"customer_id": "ada"});
    // The link contains only the SHA-256 of Bo's address. His record contains the address.
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
async fn erases_beyond_read_limit() {
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
        // Both sides of each link count, although both ends are erased.
        (&json!(people), &json!(2 * (people - 1))),
        "{report}"
    );
    for number in 0..people {
        assert_eq!(status(&app, mobile(number)).await, 404, "{number}");
    }
    assert_eq!(unerased_items(&app).await, [""; 0]);
}
