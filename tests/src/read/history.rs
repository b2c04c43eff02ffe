//! The history: pages, filters and cursors.

use serde_json::{Value, json};

use crate::support::shared::SharedApp;

/// Returns all events, page by page.
async fn page_through(app: &SharedApp, id: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = app
            .get(&format!("/profiles/{id}/history?limit={limit}{cursor}"))
            .await;
        assert_eq!(status, 200, "{page}");
        let found = page["items"].as_array().unwrap();
        items.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => {
                assert_eq!(found.len(), limit, "only the last page may be short");
                cursor = format!("&cursor={next}");
            }
            None => return items,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_every_event_once() {
    let app = SharedApp::get().await;
    // Three identities, several events at one time, and one event under two identities.
    let mut rows = String::new();
    for number in 0..20 {
        let link = [
            "{\"email\":\"paged@example.com\"}",
            "{\"mobile\":\"5550100\"}",
            "{\"customer_id\":\"paged\"}",
        ][number % 3];
        let minute = number / 4;
        rows.push_str(&format!(
            "{{\"link\":{link},\"action_at\":\"2026-01-01T00:{minute:02}:00Z\",\"email_id\":\"e{number}\"}}\n"
        ));
    }
    for link in [
        "{\"email\":\"paged@example.com\"}",
        "{\"mobile\":\"5550100\"}",
    ] {
        rows.push_str(&format!(
            "{{\"link\":{link},\"action_at\":\"2026-01-01T00:02:30Z\",\"email_id\":\"twice\"}}\n"
        ));
    }
    assert_eq!(
        app.import("drop/email_open/mailer/a.ndjson", &rows).await["written"],
        22
    );
    let unify = r#"{"records":[{"email":"paged@example.com"},{"mobile":"5550100"},{"customer_id":"paged"}]}"#;
    app.import("drop/unify/a.ndjson", unify).await;

    let profile = app.profile("paged@example.com").await;
    let id = profile["id"].as_str().unwrap();
    let whole = page_through(&app, id, 100).await;
    assert_eq!(whole.len(), 21);
    let mut sorted = whole.clone();
    sorted.sort_by(|a, b| b["at"].as_str().cmp(&a["at"].as_str()));
    assert_eq!(whole, sorted, "newest first, and stable within a moment");
    for limit in [1, 3, 7] {
        assert_eq!(page_through(&app, id, limit).await, whole, "limit {limit}");
    }
    // The profile's first page equals the first page of the history.
    assert_eq!(profile["history"]["items"], json!(whole));
    for identity in profile["identities"].as_array().unwrap() {
        assert_eq!(
            page_through(&app, identity["id"].as_str().unwrap(), 10).await,
            whole
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn continues_first_page() {
    let app = SharedApp::get().await;
    let rows: String = (0..40)
        .map(|number| format!("{{\"link\":{{\"mobile\":\"5550101\"}},\"action_at\":\"2026-01-01T00:{number:02}:00Z\",\"sms_id\":\"s{number}\"}}\n"))
        .collect();
    app.import("drop/sms_send/a.ndjson", &rows).await;
    let (_, profile) = app.lookup(json!({"mobile": "+5550101"})).await;
    let first = &profile["history"];
    let path = format!(
        "/profiles/{}/history?cursor={}",
        profile["id"].as_str().unwrap(),
        first["next"].as_str().unwrap()
    );
    let (_, second) = app.get(&path).await;
    let at = |page: &Value, index: usize| page["items"][index]["at"].clone();
    assert_eq!(
        (at(first, 24), at(&second, 0)),
        (json!("2026-01-01T00:15:00Z"), json!("2026-01-01T00:14:00Z"))
    );
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["next"]),
        (15, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_limits_and_cursors() {
    let app = SharedApp::get().await;
    let profile = app.profile("jane@fake.com").await;
    let id = profile["id"].as_str().unwrap();
    for limit in ["0", "101", "-1", "ten", ""] {
        let problem = app
            .problem(&format!("/profiles/{id}/history?limit={limit}"), 400)
            .await;
        assert_eq!(
            problem,
            ("invalid-parameter".to_owned(), Some("limit".to_owned()))
        );
    }
    let (_, page) = app.get(&format!("/profiles/{id}/history?limit=2")).await;
    let cursor = page["next"].as_str().unwrap();
    let forged = format!("{}A", &cursor[..cursor.len() - 1]);
    for cursor in ["", "x", "AQEAAAAAAAAAAA", &forged[..20], &cursor[2..]] {
        let problem = app
            .problem(&format!("/profiles/{id}/history?cursor={cursor}"), 400)
            .await;
        assert_eq!(
            problem,
            ("invalid-cursor".to_owned(), Some("cursor".to_owned()))
        );
    }
    let problem = app
        .problem(&format!("/profiles/{id}/notes?cursor={cursor}"), 400)
        .await;
    assert_eq!(problem.0, "invalid-cursor", "a cursor of another listing");
    assert_eq!(
        app.problem("/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa/history", 404)
            .await
            .0,
        "profile-not-found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_moved_event_once() {
    let app = SharedApp::get().await;
    let row = |at: &str, more: &str| {
        format!(
            r#"{{"link":{{"mobile":"5550102"}},"action_at":"{at}","type":"physical","purchase_id":"p","products":[{{"price_paid":5,"quantity":1}}]{more}}}"#
        )
    };
    app.import("drop/purchase/a.ndjson", &row("2026-01-01T00:00:00Z", ""))
        .await;
    let moved = row(
        "2026-01-02T00:00:00Z",
        r#","replaces_action_at":"2026-01-01T00:00:00Z""#,
    );
    app.import("drop/purchase/b.ndjson", &moved).await;
    let (_, profile) = app.lookup(json!({"mobile": "5550102"})).await;
    assert_eq!(profile["summary"]["orders"], 1);
    let events = page_through(&app, profile["id"].as_str().unwrap(), 1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["at"], "2026-01-02T00:00:00Z");
}

fn ats(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["at"].as_str().unwrap()).collect()
}

async fn mobile_profile(app: &SharedApp) -> String {
    let (status, profile) = app.lookup(json!({"mobile": "5550103"})).await;
    assert_eq!(status, 200, "{profile}");
    profile["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_events() {
    let app = SharedApp::get().await;
    let message = |minute: u32, channel: &str, account: &str| {
        format!(
            "{{\"link\":{{\"mobile\":\"5550103\"}},\"action_at\":\"2026-01-01T00:{minute:02}:00Z\",\"message_id\":\"m{minute}\",\"channel\":\"{channel}\",\"direction\":\"inbound\",\"account\":{{\"id\":\"{account}\",\"name\":\"Shop\"}}}}\n"
        )
    };
    let rows = [
        message(1, "facebook", "a"),
        message(2, "webchat", "b"),
        message(3, "facebook", "b"),
        message(4, "facebook", "a"),
    ]
    .concat();
    app.import("drop/message/desk/a.ndjson", &rows).await;
    let sms = "{\"link\":{\"mobile\":\"5550103\"},\"action_at\":\"2026-01-01T00:05:00Z\",\"sms_id\":\"s\"}";
    app.import("drop/sms_send/desk/a.ndjson", sms).await;
    app.import(
        "drop/sms_click/desk/a.ndjson",
        &sms.replace("05:00", "06:00"),
    )
    .await;
    let id = mobile_profile(&app).await;
    for (query, minutes) in [
        ("order=newest", &[6, 5, 4, 3, 2, 1][..]),
        ("order=oldest", &[1, 2, 3, 4, 5, 6]),
        ("type=message", &[4, 3, 2, 1]),
        ("type=sms_send&type=sms_click", &[6, 5]),
        ("type=sms_send,sms_click&order=oldest", &[5, 6]),
        ("channel=facebook", &[4, 3, 1]),
        ("channel=sms", &[6, 5]),
        ("account=a", &[4, 1]),
        ("account=b&channel=facebook", &[3]),
        (
            "from=2026-01-01T00:02:00Z&to=2026-01-01T00:05:00Z",
            &[4, 3, 2],
        ),
        // 11:04 at +11:00 is 00:04 UTC.
        ("from=2026-01-01T11:04:00%2B11:00&order=oldest", &[4, 5, 6]),
        (
            "from=2026-01-01&to=2026-01-02&type=message&order=oldest",
            &[1, 2, 3, 4],
        ),
        ("to=2026-01-01", &[]),
        ("from=2026-01-02&to=2026-01-01", &[]),
        ("channel=post", &[]),
    ] {
        let expected: Vec<_> = minutes
            .iter()
            .map(|minute| format!("2026-01-01T00:0{minute}:00Z"))
            .collect();
        let (status, page) = app.get(&format!("/profiles/{id}/history?{query}")).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(ats(&page), expected, "{query}");
        // The same in pages of one event. No page is empty.
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let (_, page) = app
                .get(&format!("/profiles/{id}/history?{query}&limit=1{cursor}"))
                .await;
            paged.extend(ats(&page).into_iter().map(str::to_owned));
            assert_eq!(page["partial"], Value::Null);
            match page["next"].as_str() {
                Some(next) => {
                    assert_eq!(page["items"].as_array().unwrap().len(), 1);
                    cursor = format!("&cursor={next}");
                }
                None => break,
            }
        }
        assert_eq!(paged, expected, "{query}, in pages");
    }
    for (query, field) in [
        ("type=orders", "type"),
        ("type=", "type"),
        ("channel=", "channel"),
        ("account=%00", "account"),
        ("from=yesterday", "from"),
        ("order=up", "order"),
        ("order=oldest&order=newest", "order"),
        ("sort=at", "sort"),
    ] {
        let problem = app
            .problem(&format!("/profiles/{id}/history?{query}"), 400)
            .await;
        assert_eq!(
            problem,
            ("invalid-parameter".to_owned(), Some(field.to_owned()))
        );
    }
    let (_, page) = app
        .get(&format!("/profiles/{id}/history?type=message&limit=1"))
        .await;
    let next = page["next"].as_str().unwrap();
    let other = format!("/profiles/{id}/history?type=sms_send&cursor={next}");
    assert_eq!(
        app.problem(&other, 400).await.0,
        "invalid-cursor",
        "of other filters"
    );
}
