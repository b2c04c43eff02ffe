//! One scenario from a dropped file to a page of the history, for every place where the service runs. By default it starts its
//! own stack. `CUSTOMER_PROFILES_API`, `CUSTOMER_PROFILES_S3` and `CUSTOMER_PROFILES_BUCKET` specify another one, whose functions
//! SAM CLI or cargo-lambda runs (see `infra/docs/start/local.md`).

use std::time::{Duration, Instant};

use local::{Options, Stack};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::files::JANE;

/// The maximum time from a put to its report. Elsewhere the functions may have to start first.
const PATIENCE: Duration = Duration::from_secs(180);

struct Service {
    api: String,
    bucket: String,
    client: Client,
    /// The stack, if the test has started it.
    _stack: Option<Stack>,
}

impl Service {
    async fn start() -> Self {
        let named = |name: &str| std::env::var(format!("CUSTOMER_PROFILES_{name}")).ok();
        let client = Client::new();
        if let Some(api) = named("API") {
            let part = |name| named(name).unwrap_or_else(|| panic!("CUSTOMER_PROFILES_{name}"));
            return Self {
                api,
                bucket: format!("{}/{}", part("S3"), part("BUCKET")),
                client,
                _stack: None,
            };
        }
        let stack = Stack::start(Options::default())
            .await
            .expect("the stack starts");
        Self {
            api: stack.api_url().to_owned(),
            bucket: format!("{}/{}", stack.s3_url(), stack.bucket()),
            client,
            _stack: Some(stack),
        }
    }

    /// Puts a file and waits for its report.
    async fn import(&self, key: &str, rows: &'static str) -> Value {
        let put = self.client.put(format!("{}/{key}", self.bucket)).body(rows);
        let response = put.send().await.expect("S3 responds");
        assert_eq!(response.status(), StatusCode::OK);
        let version = response.headers()["x-amz-version-id"]
            .to_str()
            .expect("a version")
            .to_owned();
        let report = format!("{}/reports/{key}/{version}.json", self.bucket);
        let began = Instant::now();
        loop {
            let response = self.client.get(&report).send().await.expect("S3 responds");
            if response.status() == StatusCode::OK {
                return response.json().await.expect("a report");
            }
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert!(began.elapsed() < PATIENCE, "{report} is not there");
            // S3 over HTTP has no notification of new objects.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.api));
        if let Some(body) = body {
            request = request.header("idempotency-key", "service-1").json(&body);
        }
        let response = request.send().await.expect("the API responds");
        let status = response.status();
        let text = response.text().await.expect("a body");
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        (status, json)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_dropped_files() {
    let service = Service::start().await;
    for (folder, rows) in JANE {
        let report = service
            .import(&format!("drop/{folder}/jane.ndjson"), rows)
            .await;
        assert_eq!(
            (&report["status"], &report["read"]),
            (&json!("completed"), &report["written"]),
            "{report}"
        );
    }

    let lookup = json!({"email": "jane@fake.com"});
    let (status, found) = service
        .ask(Method::POST, "/profiles/lookup", Some(lookup))
        .await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["name"], "Jane Doe");
    let id = found["id"].as_str().expect("an id");

    let (status, profile) = service
        .ask(
            Method::GET,
            &format!("/profiles/{id}?include=summary"),
            None,
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{profile}");
    assert_eq!(
        (&profile["id"], &profile["summary"]["orders"]),
        (&found["id"], &json!(2))
    );

    finds_and_links(&service, id).await;

    let notes = format!("/profiles/{id}/notes");
    let text = json!({"text": "Prefers the phone."});
    let (status, note) = service.ask(Method::POST, &notes, Some(text)).await;
    assert_eq!(status, StatusCode::CREATED, "{note}");
    let (status, listed) = service.ask(Method::GET, &notes, None).await;
    assert_eq!((status, &listed["items"]), (StatusCode::OK, &json!([note])));

    let mut titles = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/profiles/{id}/history?limit=2{cursor}");
        let (status, page) = service.ask(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        for item in page["items"].as_array().expect("items") {
            titles.push(item["title"].as_str().expect("a title").to_owned());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(titles.len(), 5, "{titles:?}");
    assert_eq!(titles[0], "Returned 2 items for 50.00 USD");

    // The sample event of `sam local invoke` requests an event of these files.
    let event: Value =
        serde_json::from_str(include_str!("../../functions/history/events/event.json"))
            .expect("an event");
    let path = event["rawPath"].as_str().expect("a path");
    let (status, detail) = service.ask(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{detail}");
    assert_eq!(detail["title"], "Bought 4 items for 100.00 USD");

    let (status, problem) = service
        .ask(Method::GET, "/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["type"], "/problems/profile-not-found");
}

/// Finds a customer, and previews a new profile and a link. Nothing is written.
async fn finds_and_links(service: &Service, id: &str) {
    let search = json!({"email": "jane@fake.com"});
    let (status, page) = service
        .ask(Method::POST, "/profiles/search", Some(search))
        .await;
    assert_eq!(
        (status, &page["items"][0]["id"]),
        (StatusCode::OK, &json!(id)),
        "{page}"
    );

    let identifier = json!({"mobile": "+61 491 570 110"});
    let body = json!({"identifier": identifier, "first_name": "Vera"});
    let (status, created) = service
        .ask(Method::POST, "/profiles?preview=true", Some(body))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    assert_eq!(created["name"], "Vera");

    let links = format!("/profiles/{id}/links");
    let (_, before) = service.ask(Method::GET, &links, None).await;
    let body = json!({"identifier": identifier, "reason": "Told on the phone"});
    let preview = format!("{links}?preview=true");
    let (status, linked) = service.ask(Method::POST, &preview, Some(body)).await;
    assert_eq!(status, StatusCode::CREATED, "{linked}");
    assert_eq!(
        linked["changes"]["identities"]["added"],
        json!([created["id"]])
    );
    let (status, after) = service.ask(Method::GET, &links, None).await;
    assert_eq!((status, after), (StatusCode::OK, before));
}
