//! Rejected rows in pages, corrected and dropped again.

use serde_json::{Value, json};

use super::{import, request, uploaded};
use crate::support::app::TestApp;

async fn pages(app: &TestApp, import: &Value, limit: usize) -> Vec<Value> {
    let path = format!("/imports/{}/rejects", import["id"].as_str().unwrap());
    let (mut rows, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let (status, page) = app.get(&format!("{path}{query}")).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        rows.extend(items.iter().cloned());
        let Some(next) = page["next"].as_str() else {
            return rows;
        };
        assert_eq!(items.len(), limit);
        query = format!("?limit={limit}&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrects_rejected_rows() {
    let app = TestApp::start().await;
    let mut rows = vec![
        r#"{"link":{"email":"jane"},"first_name":"Jane"}"#.to_owned(),
        "no row".to_owned(),
    ];
    rows.extend((0..5).map(|number| format!(r#"{{"link":{{"email":"a{number}"}}}}"#)));
    let file = rows.join("\n");
    let mut body = request();
    body["size"] = file.len().into();
    let first = uploaded(&app, "k", &body, &file).await;
    assert_eq!((&first["read"], &first["rejected"]), (&json!(7), &json!(7)));

    let rejects = pages(&app, &first, 3).await;
    assert_eq!(rejects.len(), 7);
    assert_eq!(rejects, pages(&app, &first, 100).await);
    let by_import = json!({"id": app.get("/imports").await.1["items"][0]["id"]});
    assert_eq!(by_import["id"], first["id"]);
    assert_eq!(rejects[0]["errors"][0]["field"], "link.email");
    assert_eq!(
        (&rejects[0]["line"], &rejects[1]["record"]),
        (&json!(1), &json!("no row"))
    );

    // All of them in one file, of which one is corrected.
    let mut corrected = rejects.clone();
    corrected[0]["record"]["link"]["email"] = "jane@fake.com".into();
    let lines: Vec<_> = corrected.iter().map(Value::to_string).collect();
    let file = lines.join("\n");
    body["size"] = file.len().into();
    let second = uploaded(&app, "again", &body, &file).await;
    assert_eq!(
        (&second["written"], &second["rejected"]),
        (&json!(1), &json!(6)),
        "{second}"
    );
    app.profile("jane@fake.com").await;

    let path = |import: &Value| format!("/imports/{}/rejects", import["id"].as_str().unwrap());
    let (_, page) = app.get(&format!("{}?limit=1", path(&first))).await;
    let cursor = page["next"].as_str().unwrap();
    // A cursor belongs to one import.
    let foreign = format!("{}?cursor={cursor}", path(&second));
    assert_eq!(app.problem(&foreign, 400).await.0, "invalid-cursor");
    let waiting = super::created(&app, "waiting", &request()).await;
    assert_eq!(pages(&app, &waiting, 1).await, Vec::<Value>::new());
    assert_eq!(import(&app, &waiting).await["state"], "awaiting_upload");
    assert_eq!(
        app.problem("/imports/0a0febf994a72178/rejects", 404)
            .await
            .0,
        "import-not-found"
    );
}

/// Rows of several megabytes in total, in several objects and requests.
#[tokio::test(flavor = "multi_thread")]
async fn pages_large_rejects() {
    let app = TestApp::start().await;
    let wide = "w".repeat(300_000);
    let rows: Vec<_> = (0..40)
        .map(|number| format!(r#"{{"link":{{"email":"a{number}"}},"note":"{wide}"}}"#))
        .collect();
    let file = rows.join("\n");
    let mut body = request();
    body["size"] = file.len().into();
    let import = uploaded(&app, "k", &body, &file).await;
    assert_eq!(import["rejected"], 40, "{import}");
    let path = format!("/imports/{}/rejects", import["id"].as_str().unwrap());
    let (mut count, mut query) = (0, "?limit=100".to_owned());
    loop {
        let (status, page) = app.get(&format!("{path}{query}")).await;
        assert_eq!(status, 200);
        for row in page["items"].as_array().unwrap() {
            let email = format!("a{count}");
            assert_eq!(row["record"]["link"]["email"], email.as_str());
            count += 1;
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=100&cursor={next}");
    }
    assert_eq!(count, 40);
}
