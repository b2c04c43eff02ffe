//! Progress of imports that the local stack reports, whoever drops the files.

use std::collections::BTreeMap;
use std::time::Duration;

use local::{ImportEvent, Options};
use serde_json::json;

use crate::support::{app::TestApp, faults::ingest_timeout};

const KEY: &str = "drop/email_open/mail/long.ndjson";

fn rows(count: usize) -> String {
    let row = |id| {
        format!(
            "{{\"link\":{{\"mobile\":\"61{id:08}\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"email_id\":\"e\"}}\n"
        )
    };
    (0..count).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_progress() {
    // Enough rows that no machine finishes before the second report of progress, in two ranges.
    let body = rows(100_000);
    let size = body.len() as u64;
    let chunk = (size.div_ceil(2)).to_string();
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([(
            "ingest".to_owned(),
            BTreeMap::from([("CHUNK_BYTES".to_owned(), chunk)]),
        )]),
        ..Options::default()
    })
    .await;
    let mut imports = app.stack.imports();
    let put = app
        .stack
        .s3_client()
        .put_object()
        .bucket(app.stack.bucket());
    let put = put.key(KEY).body(body.into_bytes().into());
    let version_id = put.send().await.unwrap().version_id.unwrap();
    assert_eq!(
        imports.event().await.unwrap().unwrap(),
        ImportEvent::Dropped {
            key: KEY.to_owned(),
            version_id: version_id.clone(),
            size
        }
    );

    let name = format!("reports/{KEY}/{version_id}.json");
    let mut told = Vec::new();
    while told.len() < 4 {
        match imports.event().await.unwrap().unwrap() {
            ImportEvent::UnderWay {
                key,
                version_id: version,
                rows,
                bytes,
                size: Some(whole),
            } => {
                assert_eq!((key.as_str(), &version, whole), (KEY, &version_id, size));
                assert!(
                    rows > 0 && bytes > 0 && bytes < size,
                    "{rows} rows, {bytes} bytes"
                );
                told.push(rows);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(told.is_sorted() && told[0] < told[3], "{told:?}");

    let last = json!({ "key": KEY, "version_id": version_id, "status": "completed" });
    app.stack.put(&name, last.to_string()).await.unwrap();
    let ended = async {
        loop {
            match imports.event().await.unwrap().unwrap() {
                ImportEvent::UnderWay { .. } => {}
                other => return other,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    let over = ImportEvent::Reported {
        key: KEY.to_owned(),
        version_id: version_id.clone(),
        report: last,
    };
    assert_eq!(ended.unwrap(), over);
    app.stack.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_dead_letter_as_error() {
    // An invocation reserves a second for its end. With a shorter timeout it never processes a row.
    let app = TestApp::start_with(Options {
        timeouts: ingest_timeout(Duration::from_secs(1)),
        ..Options::default()
    })
    .await;
    let error = app
        .stack
        .import(KEY, rows(10))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("{KEY} was not imported: ")),
        "{error}"
    );
    let failed = app.stack.list("failed/");
    assert!(failed.len() == 1 && error.contains(&failed[0]), "{error}");
    assert_eq!(app.stack.list("reports/"), [""; 0]);
}
