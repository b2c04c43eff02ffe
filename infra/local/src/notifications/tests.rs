use serde_json::json;

use super::*;

fn created(key: &str) -> Created {
    Created {
        bucket: "customer-profiles".into(),
        key: key.into(),
        version_id: Some("v1".into()),
        event: "ObjectCreated:Put",
        size: 7,
        etag: "e".into(),
        sequencer: "0055AED6DCD90281E5".into(),
    }
}

#[test]
fn the_event_is_what_s3_sends() {
    let event = event(&created("drop/a b+c/ü=1.csv"), 0);
    let record = &event["Records"][0];
    assert_eq!(record["eventVersion"], "2.1");
    assert_eq!(record["eventSource"], "aws:s3");
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    let time = record["eventTime"].as_str().unwrap();
    assert_eq!((time.len(), &time[23..]), (24, "Z"), "{time}");
    assert_eq!(
        record["s3"]["bucket"]["arn"],
        "arn:aws:s3:::customer-profiles"
    );
    assert_eq!(
        record["s3"]["object"],
        json!({
            "key": "drop/a+b%2Bc/%C3%BC%3D1.csv",
            "size": 7,
            "eTag": "e",
            "versionId": "v1",
            "sequencer": "0055AED6DCD90281E5",
        })
    );
    assert_eq!(event["Records"].as_array().unwrap().len(), 1);
}

/// Creates a bucket whose notifications go to a Lambda endpoint. The endpoint refuses invocations that match `refused`, and
/// the first `fails` others fail.
async fn with_endpoint(
    refused: &'static str,
    fails: u32,
    retries: usize,
) -> (aws_sdk_s3::Client, mpsc::UnboundedReceiver<String>) {
    let folder = tempfile::tempdir().unwrap().keep();
    let (sender, created) = mpsc::unbounded_channel();
    let store = Arc::new(crate::s3::Store::open(&folder, sender).unwrap());
    store
        .ensure_bucket("customer-profiles", crate::s3::Versioning::Enabled)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let s3 = crate::stack::clients::s3(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, crate::s3::router(store)).await });

    let (url, called) = endpoint(refused, fails).await;
    let rule = Notification {
        event: "s3:ObjectCreated:*".into(),
        prefix: "drop/".into(),
        suffix: String::new(),
    };
    let function = Function {
        log_group: String::new(),
        subscriptions: Vec::new(),
        allows: Vec::new(),
        logical_id: "IngestFunction".into(),
        name: "ingest".into(),
        binary: "ingest".into(),
        timeout: Duration::from_secs(1),
        memory: 128,
        concurrency: 1,
        retries,
        environment: std::collections::BTreeMap::new(),
        routes: Vec::new(),
        notifications: vec![rule],
    };
    let notifier = Notifier {
        functions: Arc::new(vec![function]),
        bucket: "customer-profiles".into(),
        target: Target::Endpoint(url, reqwest::Client::new()),
        delivery: Delivery::default(),
        s3: s3.clone(),
        logs: Logs::default(),
    };
    tokio::spawn(notifier.run(created, mpsc::unbounded_channel().1));
    (s3, called)
}

/// Starts a Lambda endpoint, see [`with_endpoint`]. Returns its URL and the invocations that it accepts.
async fn endpoint(refused: &'static str, fails: u32) -> (String, mpsc::UnboundedReceiver<String>) {
    let (calls, called) = mpsc::unbounded_channel();
    let count = std::sync::atomic::AtomicU32::new(0);
    let answer = async move |headers: axum::http::HeaderMap, uri: axum::http::Uri, body: Bytes| {
        let kind = headers["x-amz-invocation-type"]
            .to_str()
            .unwrap()
            .to_owned();
        if kind == refused || uri.path().contains(refused) {
            return (axum::http::StatusCode::NOT_IMPLEMENTED, String::new());
        }
        let event: Value = serde_json::from_slice(&body).unwrap();
        let key = event["Records"][0]["s3"]["object"]["key"]
            .as_str()
            .unwrap()
            .to_owned();
        calls.send(format!("{kind} {} {key}", uri.path())).unwrap();
        let failed = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < fails;
        let body = if failed {
            r#"{"errorType":"E","errorMessage":"m"}"#
        } else {
            "null"
        };
        (axum::http::StatusCode::OK, body.to_owned())
    };
    let answer = Arc::new(answer);
    let router = axum::Router::new()
        .fallback(async move |headers, uri, body| answer(headers, uri, body).await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, called)
}

async fn put(s3: &aws_sdk_s3::Client, key: &str) {
    let put = s3
        .put_object()
        .bucket("customer-profiles")
        .key(key)
        .body(Bytes::from_static(b"x").into());
    put.send().await.unwrap();
}

const PATH: &str = "/2015-03-31/functions/IngestFunction/invocations";

#[tokio::test]
async fn an_endpoint_that_refuses_asynchronous_invocations_gets_synchronous_ones() {
    let (s3, mut called) = with_endpoint("Event", 0, 2).await;
    put(&s3, "elsewhere/a").await;
    put(&s3, "drop/a b").await;
    assert_eq!(
        called.recv().await.unwrap(),
        format!("RequestResponse {PATH} drop/a+b")
    );
    let (s3, mut called) = with_endpoint("RequestResponse", 0, 2).await;
    put(&s3, "drop/c").await;
    assert_eq!(called.recv().await.unwrap(), format!("Event {PATH} drop/c"));
    let (s3, mut called) = with_endpoint("IngestFunction", 0, 2).await;
    put(&s3, "drop/d").await;
    assert_eq!(
        called.recv().await.unwrap(),
        "Event /2015-03-31/functions/ingest/invocations drop/d"
    );
}

#[tokio::test]
async fn an_event_that_fails_three_times_is_kept_in_the_bucket() {
    fails_for_good(2).await;
}

#[tokio::test]
async fn retries_as_often_as_the_template_says() {
    for retries in [0, 1] {
        fails_for_good(retries).await;
    }
}

/// Makes an event fail at every attempt.
async fn fails_for_good(retries: usize) {
    let attempts = retries + 1;
    let (s3, mut called) = with_endpoint("Event", u32::MAX, retries).await;
    put(&s3, "drop/a").await;
    for _ in 0..attempts {
        called.recv().await.unwrap();
    }
    let failed = loop {
        let listed = s3
            .list_objects_v2()
            .bucket("customer-profiles")
            .prefix("failed/")
            .send()
            .await
            .unwrap();
        match listed.contents().first().and_then(|object| object.key()) {
            Some(key) => break key.to_owned(),
            None => tokio::task::yield_now().await,
        }
    };
    let failed = s3
        .get_object()
        .bucket("customer-profiles")
        .key(&failed)
        .send()
        .await
        .unwrap();
    let failed: Value =
        serde_json::from_slice(&failed.body.collect().await.unwrap().into_bytes()).unwrap();
    assert_eq!(failed["requestContext"]["approximateInvokeCount"], attempts);
    assert_eq!(
        failed["requestPayload"]["Records"][0]["s3"]["object"]["key"],
        "drop/a"
    );
    assert_eq!(
        failed["responsePayload"],
        json!({ "errorType": "E", "errorMessage": "m" })
    );
    assert!(called.try_recv().is_err(), "and no further time");
}

#[test]
fn a_rule_is_of_event_prefix_and_suffix() {
    let rule = |event: &str, prefix: &str, suffix: &str| Notification {
        event: event.into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
    };
    assert!(applies(
        &rule("s3:ObjectCreated:*", "drop/", ""),
        &created("drop/x")
    ));
    assert!(applies(
        &rule("s3:ObjectCreated:Put", "", ".csv"),
        &created("x.csv")
    ));
    assert!(!applies(
        &rule("s3:ObjectCreated:Copy", "", ""),
        &created("x")
    ));
    assert!(!applies(&rule("s3:ObjectRemoved:*", "", ""), &created("x")));
    assert!(!applies(
        &rule("s3:ObjectCreated:*", "drop/", ""),
        &created("work/x")
    ));
}
