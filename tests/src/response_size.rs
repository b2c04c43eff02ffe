//! Responses near Lambda's limit of 6,291,556 bytes of JSON, in which the body is a string or base64. Pages end before the limit.
//! A response that cannot be split is a problem document.

use serde_json::{Value, json};

use crate::support::app::TestApp;

/// Returns characters that take twice their size in JSON, and twice again in JSON within JSON.
fn quotes(count: usize) -> String {
    "\"\\".repeat(count / 2)
}

/// Returns all pages from `path` on. Each has to succeed.
async fn pages(app: &TestApp, path: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, mut page) = app.get(&format!("{path}{cursor}")).await;
        assert_eq!(status, 200, "{path}: {}", page["detail"]);
        match page["items"].take() {
            Value::Array(items) => pages.push(items),
            other => panic!("{other}"),
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

async fn id_of(app: &TestApp) -> String {
    let response = reqwest::Client::new()
        .post(app.url("/profiles/lookup?include=summary"))
        .json(&json!({"mobile": "5550001"}))
        .send()
        .await
        .unwrap();
    let profile: Value = response.json().await.unwrap();
    profile["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_large_pages_early() {
    let app = TestApp::start().await;
    // 100 orders of 40,000 bytes of JSON, 80,000 bytes each in Lambda's response: 8 MB.
    let rows: String = (0..100)
        .map(|n| {
            let row = json!({"link": {"mobile": "5550001"}, "action_at": format!("2026-01-01T00:{:02}:{:02}", n / 60, n % 60), "type": "physical", "purchase_id": n.to_string(), "products": [{"price_paid": "1.00", "quantity": 1}], "custom_fields": {"remark": quotes(20_000)}});
            format!("{row}\n")
        })
        .collect();
    let report = app.import("drop/purchase/pos/a.ndjson", &rows).await;
    assert_eq!(report["written"], 100, "{report}");
    let id = id_of(&app).await;
    let pages = pages(&app, &format!("/profiles/{id}/history?limit=100")).await;
    let ids: Vec<_> = pages
        .iter()
        .flatten()
        .map(|item| &item["purchase"]["purchase_id"])
        .collect();
    let expected: Vec<_> = (0..100).rev().map(|n| json!(n.to_string())).collect();
    assert_eq!(ids, expected.iter().collect::<Vec<_>>());
    assert_eq!(pages.len(), 2, "66 of 80 KB to a page of 5.4 MB");

    // The profile's first page ends early too, so that the other sections fit.
    let (status, profile) = app.get(&format!("/profiles/{id}")).await;
    assert_eq!(status, 200);
    assert_eq!(profile["history"]["items"].as_array().unwrap().len(), 25);
    let exported = reqwest::get(app.url(&format!("/profiles/{id}/export?limit=100")))
        .await
        .unwrap();
    assert_eq!(exported.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_largest_notes() {
    let app = TestApp::start().await;
    let record = json!({"link": {"mobile": "5550001"}, "first_name": "Jane"}).to_string();
    app.import("drop/customer_record/crm/a.ndjson", &record)
        .await;
    let id = id_of(&app).await;
    // The longest notes, each character of which takes four bytes in a response. A first page of 100 notes and 20 pinned ones is
    // 4.8 MB.
    for n in 0..170 {
        let note = json!({"text": quotes(10_000), "pinned": n % 8 == 0});
        let (status, problem) = app.note(&id, Some(&n.to_string()), note).await;
        assert_eq!(status, 201, "{problem}");
    }
    let pages = pages(&app, &format!("/profiles/{id}/notes?limit=100")).await;
    let mut ids: Vec<_> = pages
        .iter()
        .flatten()
        .map(|note| note["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 170, "each once");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 170);
    let sizes: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [120, 50]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_oversized_profile() {
    let app = TestApp::start().await;
    // 30 namespaces of 250,000 characters in one section: 7.5 MB.
    let attributes: serde_json::Map<_, _> = (0..30)
        .map(|n| (format!("space{n}.text"), json!("x".repeat(250_000))))
        .collect();
    let rows: String = attributes
        .into_iter()
        .map(|(name, value)| {
            format!(
                "{}\n",
                json!({"link": {"mobile": "5550001"}, "attributes": {name: value}})
            )
        })
        .collect();
    let report = app.import("drop/attributes/crm/a.ndjson", &rows).await;
    assert_eq!(report["written"], 30, "{report}");
    let id = id_of(&app).await;
    for path in [
        format!("/profiles/{id}"),
        format!("/profiles/{id}?include=attributes"),
    ] {
        let (slug, field) = app.problem(&path, 400).await;
        assert_eq!((slug.as_str(), field), ("response-too-large", None));
    }
    let (status, problem) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (400, &json!("/problems/response-too-large"))
    );
    // The advice of the problem works: fewer sections, pages, compression.
    let (status, profile) = app
        .get(&format!("/profiles/{id}?include=summary,notes,history"))
        .await;
    assert_eq!((status.as_u16(), &profile["partial"]), (200, &json!(false)));
    let pages = pages(&app, &format!("/profiles/{id}/attributes?limit=100")).await;
    let texts = pages.iter().flatten().filter(|item| item["name"] == "text");
    assert_eq!((texts.count(), pages.len()), (30, 2));
    let packed = reqwest::Client::new()
        .get(app.url(&format!("/profiles/{id}")))
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            packed.status().as_u16(),
            &packed.headers()["content-encoding"]
        ),
        (200, &"gzip".parse().unwrap())
    );
    // No process failed, and Lambda rejected no response as too large.
    let logs = app.stack.logs();
    assert!(
        !logs
            .iter()
            .any(|line| line.contains("ERROR") || line.contains("ResponseSizeTooLarge")),
        "{logs:#?}"
    );
}
