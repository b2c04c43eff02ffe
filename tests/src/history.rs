//! The history: paged to its end.

use serde_json::{Value, json};

use crate::app::TestApp;

/// Ids of all events, a page at a time.
async fn page_through(app: &TestApp, id: &str, limit: usize) -> Vec<Value> {
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
async fn pages_hold_every_event_once_in_order() {
    let app = TestApp::start().await;
    // Three identities, events at the same moments among them, and one event under two identities.
    let mut rows = String::new();
    for number in 0..20 {
        let link = [
            "{\"email\":\"a@example.com\"}",
            "{\"mobile\":\"123\"}",
            "{\"customer_id\":\"7\"}",
        ][number % 3];
        let minute = number / 4;
        rows.push_str(&format!(
            "{{\"link\":{link},\"action_at\":\"2026-01-01T00:{minute:02}:00Z\",\"email_id\":\"e{number}\"}}\n"
        ));
    }
    for link in ["{\"email\":\"a@example.com\"}", "{\"mobile\":\"123\"}"] {
        rows.push_str(&format!(
            "{{\"link\":{link},\"action_at\":\"2026-01-01T00:02:30Z\",\"email_id\":\"twice\"}}\n"
        ));
    }
    assert_eq!(
        app.import("drop/email_open/mailer/a.ndjson", &rows).await["written"],
        22
    );
    let unify = r#"{"records":[{"email":"a@example.com"},{"mobile":"123"},{"customer_id":"7"}]}"#;
    app.import("drop/unify/a.ndjson", unify).await;

    let profile = app.profile("a@example.com").await;
    let id = profile["id"].as_str().unwrap();
    let whole = page_through(&app, id, 100).await;
    assert_eq!(whole.len(), 21);
    let mut sorted = whole.clone();
    sorted.sort_by(|a, b| b["at"].as_str().cmp(&a["at"].as_str()));
    assert_eq!(whole, sorted, "newest first, and stable within a moment");
    for limit in [1, 3, 7] {
        assert_eq!(page_through(&app, id, limit).await, whole, "limit {limit}");
    }
    // The profile's own first page goes on where it ends.
    assert_eq!(profile["history"]["items"], json!(whole));
    for identity in profile["identities"].as_array().unwrap() {
        assert_eq!(
            page_through(&app, identity["id"].as_str().unwrap(), 10).await,
            whole
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profiles_first_page_goes_on_in_the_history() {
    let app = TestApp::start().await;
    let rows: String = (0..40)
        .map(|number| format!("{{\"link\":{{\"mobile\":\"1\"}},\"action_at\":\"2026-01-01T00:{number:02}:00Z\",\"sms_id\":\"s{number}\"}}\n"))
        .collect();
    app.import("drop/sms_send/a.ndjson", &rows).await;
    let (_, profile) = app.lookup(json!({"mobile": "+1"})).await;
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
async fn bad_limits_and_cursors_are_refused() {
    let app = TestApp::with_jane().await;
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
async fn a_moved_event_is_found_at_its_new_time_alone() {
    let app = TestApp::start().await;
    let row = |at: &str, more: &str| {
        format!(
            r#"{{"link":{{"mobile":"1"}},"action_at":"{at}","type":"physical","purchase_id":"p","products":[{{"price_paid":5,"quantity":1}}]{more}}}"#
        )
    };
    app.import("drop/purchase/a.ndjson", &row("2026-01-01T00:00:00Z", ""))
        .await;
    let moved = row(
        "2026-01-02T00:00:00Z",
        r#","replaces_action_at":"2026-01-01T00:00:00Z""#,
    );
    app.import("drop/purchase/b.ndjson", &moved).await;
    let (_, profile) = app.lookup(json!({"mobile": "1"})).await;
    assert_eq!(profile["summary"]["orders"], 1);
    let events = page_through(&app, profile["id"].as_str().unwrap(), 1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["at"], "2026-01-02T00:00:00Z");
}
