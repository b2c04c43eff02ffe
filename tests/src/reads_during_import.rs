//! Reads during imports, compression, and large profiles.

use std::{collections::BTreeMap, io::Read as _};

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    files::{email_opens, four_identifiers},
};

async fn profile_id(app: &TestApp) -> String {
    let (status, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(status, 200, "{profile}");
    profile["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn compresses_and_revalidates() {
    let app = TestApp::with_jane().await;
    let id = app.profile("jane@fake.com").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let client = reqwest::Client::new();
    let get = async |headers: &[(&str, &str)]| {
        let mut request = client.get(app.url(&format!("/profiles/{id}")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("a response")
    };
    let plain = get(&[]).await;
    assert_eq!(plain.headers().get("content-encoding"), None);
    assert_eq!(plain.headers()["cache-control"], "no-store");
    let etag = plain.headers()["etag"].to_str().unwrap().to_owned();
    let plain: Value = plain.json().await.unwrap();
    let packed = get(&[("accept-encoding", "br, gzip")]).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers()["etag"], etag.as_str());
    let bytes = packed.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_ref())
        .read_to_string(&mut text)
        .unwrap();
    assert!(
        bytes.len() * 2 < text.len(),
        "{} of {}",
        bytes.len(),
        text.len()
    );
    let unpacked: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(unpacked["summary"], plain["summary"]);
    let held = get(&[("if-none-match", &format!("\"other\", {etag}"))]).await;
    assert_eq!(
        (held.status().as_u16(), held.bytes().await.unwrap().len()),
        (304, 0)
    );
    let (status, _) = app.note(&id, Some("k"), json!({"text": "Call"})).await;
    assert_eq!(status, 201);
    assert_eq!(
        get(&[("if-none-match", &etag)]).await.status(),
        200,
        "a note is news"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_while_events_arrive() {
    let app = TestApp::start().await;
    let links = four_identifiers();
    for (number, link) in links.iter().enumerate() {
        let rows = email_opens(link, number * 2_500, (number + 1) * 2_500, "old");
        app.import(&format!("drop/email_open/mailer/{number}.ndjson"), &rows)
            .await;
    }
    app.import(
        "drop/unify/a.ndjson",
        &json!({"records": links}).to_string(),
    )
    .await;
    let id = profile_id(&app).await;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut cursor, mut pages) = (String::new(), 0);
    loop {
        let (status, page) = app
            .get(&format!("/profiles/{id}/history?limit=100{cursor}"))
            .await;
        assert_eq!(status, 200, "{page}");
        for item in page["items"].as_array().unwrap() {
            *seen
                .entry(item["email_open"]["email_id"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        pages += 1;
        if pages % 20 == 0 {
            // Events before, at and after the current position, in all identities.
            for (number, link) in links.iter().enumerate() {
                let rows = email_opens(link, pages * 90, pages * 90 + 40, &format!("new{pages}-"));
                app.import(
                    &format!("drop/email_open/mailer/{pages}-{number}.ndjson"),
                    &rows,
                )
                .await;
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.values().all(|count| *count == 1), "some came twice");
    let old = seen.keys().filter(|name| name.starts_with("old")).count();
    assert_eq!(old, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_partial_profile() {
    let app = TestApp::start().await;
    let link = json!({"mobile": "5550001"});
    app.import(
        "drop/email_open/mailer/a.ndjson",
        &email_opens(&link, 0, 20_000, "e"),
    )
    .await;
    let purchase = json!({"link": link, "action_at": "2025-12-31T00:00:00Z", "type": "physical", "purchase_id": "p", "products": [{"price_paid": "5.00", "quantity": 1}]});
    app.import("drop/purchase/pos/a.ndjson", &purchase.to_string())
        .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(
        (&profile["partial"], &profile["summary"]["email"]["opened"]),
        (&json!(false), &json!(20_000))
    );
    assert_eq!(profile["summary"]["orders"], 1);
    // The purchase is the oldest event, so a filter has to skip all others.
    let id = profile["id"].as_str().unwrap();
    let (mut cursor, mut pages, mut found) = (String::new(), 0, 0);
    loop {
        let (_, page) = app
            .get(&format!("/profiles/{id}/history?type=purchase{cursor}"))
            .await;
        found += page["items"].as_array().unwrap().len();
        pages += 1;
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(page["partial"], true);
                cursor = format!("&cursor={next}");
            }
            None => break,
        }
    }
    assert_eq!((found, pages), (1, 5));

    // More than ten pages of 1 MB in one identity.
    let body = "x".repeat(4_000);
    let rows: String = (0..3_000)
        .map(|n| {
            let at = format!("2026-02-01T{:02}:{:02}:{:02}Z", n / 3_600, n / 60 % 60, n % 60);
            format!("{}\n", json!({"link": {"mobile": "5550002"}, "action_at": at, "message_id": n.to_string(), "channel": "webchat", "direction": "inbound", "body": body}))
        })
        .collect();
    app.import("drop/message/desk/a.ndjson", &rows).await;
    let (status, large) = app.lookup(json!({"mobile": "5550002"})).await;
    assert_eq!((status.as_u16(), &large["partial"]), (200, &json!(true)));
    assert_eq!(large["history"]["items"].as_array().unwrap().len(), 25);
}
