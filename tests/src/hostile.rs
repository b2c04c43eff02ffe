//! Hostile input: each case has a clear error and bounded memory, and the process serves the next request.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{
    app::{HTTP_FUNCTIONS, TestApp},
    events::{api_event, s3_event},
};

/// Returns the largest peak memory in KiB of all child processes that run `binary`.
#[cfg(target_os = "linux")]
fn peak_memory(binary: &str) -> u64 {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let peaks = processes.filter_map(|process| {
        let is_child = std::fs::read_to_string(process.path().join("stat"))
            .ok()?
            .rsplit(')')
            .next()?
            .split_whitespace()
            .nth(1)?
            == std::process::id().to_string();
        let executable = std::fs::read_link(process.path().join("exe")).ok()?;
        (is_child && executable.file_name()? == binary).then_some(())?;
        let status = std::fs::read_to_string(process.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    });
    peaks.max().unwrap_or_default()
}

fn gzip(parts: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for part in parts {
        encoder.write_all(&part).unwrap();
    }
    encoder.finish().unwrap()
}

fn record(fields: &str) -> String {
    format!(r#"{{"link":{{"mobile":"5550001"}},{fields}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_harmful_files() {
    let app = TestApp::start().await;
    let good = record(r#""first_name":"Good""#);
    let line = |megabytes: usize| std::iter::repeat_n(vec![b'x'; 1 << 20], megabytes);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let columns = |count: usize| {
        (0..count)
            .map(|number| format!("c{number}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let rows = |bad: &str| format!("{bad}\n{good}\n").into_bytes();
    let cases: Vec<(&str, Vec<u8>, &str, u64)> = vec![
        // A line of 64 MB, which compresses by a factor of 1,000, and a valid line.
        (
            "line.ndjson.gz",
            gzip(line(64).chain([format!("\n{good}\n").into_bytes()])),
            "record_too_large|/problems/compression-ratio",
            0,
        ),
        (
            "line.ndjson",
            rows(&"x".repeat(40 << 20)),
            "record_too_large",
            1,
        ),
        ("deep.ndjson", rows(&deep), "too_deep", 1),
        // The first line begins an array, so the file is JSON.
        (
            "brackets.ndjson",
            rows(&"[".repeat(900_000)),
            "too_deep|/problems/broken-json",
            0,
        ),
        (
            "deep.json",
            "[".repeat(900_000).into_bytes(),
            "/problems/broken-json",
            0,
        ),
        (
            "columns.csv",
            format!("{}\n", columns(100_000)).into_bytes(),
            "/problems/invalid-csv-header",
            0,
        ),
        (
            "header.csv",
            format!("{}\n1\n", "h".repeat(2 << 20)).into_bytes(),
            "/problems/invalid-csv-header",
            0,
        ),
        (
            "quote.csv",
            format!(
                "link.mobile,first_name\n\"1,{}\n",
                format!("{}\n", "x".repeat(1_000)).repeat(4 << 10)
            )
            .into_bytes(),
            "unclosed_quote",
            0,
        ),
        (
            "nested.ndjson.gz",
            gzip([gzip(line(1))].into_iter()),
            "/problems/archive",
            0,
        ),
        (
            "control.ndjson",
            rows(r#"{"link":{"customer_id":"a\u0000b"}}"#),
            "invalid_value",
            1,
        ),
    ];
    for (name, bytes, expected, written) in cases {
        let report = app
            .stack
            .import(&format!("drop/customer_record/x/{name}"), bytes)
            .await
            .unwrap();
        let codes = match report["rejects"][0].as_str() {
            Some(key) => app.object(key).await,
            None => String::new(),
        };
        let verdict = format!("{} {codes:.4000}", report["problem"]["type"]);
        assert!(
            expected
                .split('|')
                .any(|expected| verdict.contains(expected)),
            "{name}: {report} {codes:.300}"
        );
        assert_eq!(report["written"], written, "{name}: {report}");
    }
    #[cfg(target_os = "linux")]
    {
        let peak = peak_memory("ingest");
        assert!((1..128 * 1024).contains(&peak), "{peak} KiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_any_characters() {
    let app = TestApp::start().await;
    let names = [
        "\u{202e}evil",
        "zero\u{200b}width",
        "<script>alert(1)</script>",
        "a\u{0}b",
        "👩‍👩‍👧‍👦",
        "ﷺ",
        "e\u{301}",
        "'; DROP TABLE x; --",
        "{{7*7}}",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let row = json!({"link": {"mobile": format!("555{number:04}")}, "first_name": name});
        let report = app
            .import(
                &format!("drop/customer_record/x/{number}.ndjson"),
                &row.to_string(),
            )
            .await;
        assert_eq!(report["written"], 1, "{name:?}");
        let (_, profile) = app
            .lookup(json!({"mobile": format!("555{number:04}")}))
            .await;
        assert_eq!(profile["name"], name);
        let id = profile["id"].as_str().unwrap();
        let (status, note) = app.note(id, Some("k"), json!({"text": name})).await;
        if name.contains('\0') {
            assert_eq!(status, 400, "a note holds no control characters");
        } else {
            assert_eq!((status.as_u16(), &note["text"]), (201, &json!(name)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_malformed_events() {
    let app = TestApp::start().await;
    let path = "/profiles/aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let with = |change: fn(&mut Value)| {
        let mut event = api_event("GET", path, None);
        change(&mut event);
        event
    };
    let events = [
        with(|event| event["rawQueryString"] = json!("include=a b")),
        with(|event| event["rawQueryString"] = json!("\"")),
        with(|event| event["rawQueryString"] = json!("%zz=%&&==")),
        with(|event| event["rawPath"] = json!("/profiles/ \u{0}")),
        with(|event| event["rawPath"] = json!("")),
        with(|event| event["headers"]["host"] = json!("not a host")),
        with(|event| event["headers"]["host"] = json!("\u{1}")),
        with(|event| event["headers"]["x"] = json!("y".repeat(1 << 20))),
        with(|event| event["requestContext"]["http"]["method"] = json!("B R E W")),
        with(|event| {
            event.as_object_mut().unwrap().remove("requestContext");
        }),
        with(|event| {
            event.as_object_mut().unwrap().remove("headers");
        }),
        with(|event| {
            event["body"] = json!("!!");
            event["isBase64Encoded"] = json!(true);
        }),
        json!({}),
        json!([]),
        json!("text"),
        json!(null),
    ];
    for function in HTTP_FUNCTIONS {
        for event in &events {
            // A response or an error, but no crash and no timeout.
            if let Err(error) = app.stack.invoke(function, event.clone()).await {
                assert!(
                    !error.error_type.starts_with("Runtime.")
                        && !error.error_type.starts_with("Sandbox."),
                    "{function}: {error} for {event:.300}"
                );
            }
            let next = app
                .stack
                .invoke(function, api_event("GET", "/nowhere", None))
                .await
                .expect("the next request succeeds");
            assert_eq!(next["statusCode"], 404, "{function}: {next}");
        }
    }
    for event in [
        json!({}),
        json!([]),
        json!(null),
        json!({"Records": "x"}),
        json!({"Records": [{}]}),
        json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "%ff", "sequencer": "zz"}}}]}),
    ] {
        if let Err(error) = app.stack.invoke("ingest", event.clone()).await {
            assert!(
                !error.error_type.starts_with("Runtime."),
                "ingest: {error} for {event}"
            );
        }
    }
    app.import(
        "drop/customer_record/x/after.ndjson",
        &record(r#""first_name":"A""#),
    )
    .await;
}

/// A page that a browser on this machine shows must not reach the services of the local stack.
#[tokio::test(flavor = "multi_thread")]
async fn refuses_foreign_pages() {
    let app = TestApp::start().await;
    let (stack, client) = (&app.stack, reqwest::Client::new());
    let object = format!("{}/drop/forget/a.ndjson", stack.bucket());
    let requests = [
        (
            stack.api_url(),
            "profiles/lookup",
            r#"{"email":"a@example.com"}"#,
        ),
        (
            stack.s3_url(),
            &object,
            r#"{"link":{"email":"a@example.com"}}"#,
        ),
        (stack.dynamodb_url(), "", "{}"),
    ];
    for (url, path, body) in requests {
        let send = async |header: &str, value: &str| {
            let request = client.put(format!("{url}/{path}")).body(body);
            let response = request.header(header, value).send().await.unwrap();
            response.status().as_u16()
        };
        for origin in ["https://shop.example", "http://127.0.0.1:1", "null"] {
            assert_eq!(send("origin", origin).await, 403, "{url} {origin}");
        }
        for host in ["shop.example", "127.0.0.1.shop.example:3000"] {
            assert_eq!(send("host", host).await, 421, "{url} {host}");
        }
    }
    assert_eq!(stack.list("drop/"), [""; 0]);
    // The page of the API may send files to the bucket.
    let put = client.put(format!("{}/{object}", stack.s3_url()));
    let put = put.header("origin", stack.api_url()).body("{}");
    assert_eq!(put.send().await.unwrap().status(), 200);
}

/// A notification about another bucket could make ingest erase customers.
#[tokio::test(flavor = "multi_thread")]
async fn ignores_other_buckets() {
    let app = TestApp::start().await;
    let mut event = s3_event(&app, "drop/forget/a.ndjson", "v1", "01");
    event["Records"][0]["s3"]["bucket"]["name"] = json!("another");
    for function in ["ingest", "ingest-check"] {
        app.stack.invoke(function, event.clone()).await.unwrap();
    }
    app.stack.wait_idle().await;
    let logs = app.stack.logs();
    let ignored = logs
        .iter()
        .filter(|line| line.contains("object ignored: it is in a bucket of another stack"));
    assert_eq!(ignored.count(), 2);
    assert_eq!(app.stack.list(""), [""; 0]);
    // Neither was the bucket asked for the object.
    let used = app.stack.used();
    assert!(
        !used
            .iter()
            .any(|permission| permission.action.starts_with("s3:")),
        "{used:?}"
    );
}
