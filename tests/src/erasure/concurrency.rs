//! Erasures concurrent with imports, notes and other erasures.

use local::Options;
use serde_json::json;

use super::{identity_id, marked, status};
use crate::support::{app::TestApp, erasures::unerased_items};

const MESSAGES: &str = "drop/message/desk/a.ndjson";
const FORGET: &str = "drop/forget/privacy/a.ndjson";

/// Drops a file that erases Ada during an import of her events. Returns the keys and version ids of both files.
async fn drop_erasure_during_import(app: &TestApp) -> [(&'static str, String); 2] {
    let rows: String = (0..2_000)
        .map(|number| format!("{{\"link\":{{\"email\":\"ada.canary@example.com\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"message_id\":\"{number}\",\"channel\":\"x\",\"direction\":\"inbound\",\"body\":\"canary body\"}}\n"))
        .collect();
    let messages = app.stack.put(MESSAGES, rows).await.unwrap();
    // Wait until some of the rows are stored.
    while !has_message(app).await {
        tokio::task::yield_now().await;
    }
    let row = r#"{"link":{"email":"ada.canary@example.com"}}"#;
    let forget = app.stack.put(FORGET, row).await.unwrap();
    [(MESSAGES, messages), (FORGET, forget)]
}

/// Checks that both imports complete and leave nothing of Ada.
async fn check_erased(app: &TestApp, files: [(&str, String); 2]) {
    app.stack.wait_idle().await;
    // On a machine under load, requests to the table time out. Then all attempts at an event may fail.
    app.redrive().await;
    for (key, version_id) in files {
        let report = app.json(&format!("reports/{key}/{version_id}.json")).await;
        assert_eq!(report["status"], "completed", "{key}");
    }
    assert_eq!(marked(app).await, Vec::<&str>::new());
    assert_eq!(
        status(app, json!({"email": "ada.canary@example.com"})).await,
        404
    );
}

/// Returns whether Ada's history shows a message of the file.
async fn has_message(app: &TestApp) -> bool {
    let (_, profile) = app.lookup(json!({"email": "ada.canary@example.com"})).await;
    let items = profile["history"]["items"].as_array();
    items.is_some_and(|items| {
        items
            .iter()
            .any(|item| item["message"]["body"] == "canary body")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn erases_during_import() {
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
    let app = TestApp::start_with(options).await;
    let files = drop_erasure_during_import(&app).await;
    check_erased(&app, files).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_erasure_completes() {
    let app = TestApp::start().await;
    let files = drop_erasure_during_import(&app).await;
    app.stack.kill_working("ingest");
    check_erased(&app, files).await;
}

/// Erases identities and a profile concurrently with imports of all kinds and with notes. Every event is delivered twice.
#[tokio::test(flavor = "multi_thread")]
async fn erases_during_all_writes() {
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
                let (status, response) = app
                    .note(
                        id,
                        Some(&format!("{writer}-{number}")),
                        json!({"text": "AdaCanary called"}),
                    )
                    .await;
                // DynamoDB rejects a transaction while another contains the same items.
                assert!(matches!(status.as_u16(), 201 | 404 | 503), "{response}");
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
    // A late duplicate may still be processed. It has the same result.
    for _ in 0..50 {
        if unerased_items(&app).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(unerased_items(&app).await, Vec::<String>::new());
    assert_eq!(
        status(&app, json!({"email": "ada.canary@example.com"})).await,
        404,
        "suppressed"
    );
}
