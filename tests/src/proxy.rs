//! The fault proxy: each fault has its effect, and requests are counted.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementRequest};
use local::{Options, Stack};
use tests::faults::{Fault, Faults, Proxy};

const SIZE: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn injects_s3_faults() {
    let stack = Stack::start(Options::default()).await.unwrap();
    stack.put("here", vec![b'x'; SIZE]).await.unwrap();
    let proxy = Proxy::bind(1).await.unwrap();
    proxy.set_upstream(stack.s3_url());
    let client = reqwest::Client::new();
    let url = |key: &str| format!("{}/{}/{key}", proxy.url(), stack.bucket());
    let get = || client.get(url("here")).send();

    let whole = get().await.unwrap();
    let etag = whole.headers()["etag"].clone();
    assert_eq!(whole.bytes().await.unwrap().len(), SIZE);

    for (fault, status) in [(Fault::Throttled, 503), (Fault::Failed, 500)] {
        proxy.set_faults(Faults::default().with(fault, 1.0));
        assert_eq!(get().await.unwrap().status(), status);
    }
    proxy.set_faults(Faults::default().with(Fault::Reset, 1.0));
    assert!(get().await.is_err());
    let put = |key: &str| client.put(url(key)).body("y").send();
    assert!(put("not-there").await.is_err());
    proxy.set_faults(Faults::default().with_on("PutObject", Fault::Lost, 1.0));
    assert!(put("there").await.is_err());
    assert_eq!(stack.get("not-there").await.unwrap(), None);
    assert_eq!(stack.get("there").await.unwrap().unwrap(), "y");
    assert!(get().await.is_ok(), "another operation");

    proxy.set_faults(Faults::default().with(Fault::Cut, 1.0));
    let cut = get().await.unwrap();
    assert_eq!(cut.content_length(), Some(SIZE as u64));
    assert!(cut.bytes().await.is_err());
    proxy.set_faults(Faults::default().with(Fault::WrongEtag, 1.0));
    assert_ne!(get().await.unwrap().headers()["etag"], etag);
    proxy.set_faults(Faults::default().with(Fault::Stalled, 1.0));
    let stalled = tokio::time::timeout(Duration::from_millis(100), get()).await;
    assert!(stalled.is_err());

    let began = Instant::now();
    proxy.set_faults(Faults::default().with_bandwidth(400_000));
    assert_eq!(get().await.unwrap().bytes().await.unwrap().len(), SIZE);
    assert!(
        began.elapsed() > Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );

    let counts = proxy.counts();
    assert_eq!(
        (counts["GetObject"].requests, counts["GetObject"].faults),
        (9, 6)
    );
    assert_eq!(
        (counts["PutObject"].requests, counts["PutObject"].bytes_in),
        (2, 2)
    );
    assert!(counts["GetObject"].bytes_out >= 2 * SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_statements_and_throttles() {
    let proxy = Proxy::bind(2).await.unwrap();
    let stack = Stack::start(Options::default()).await.unwrap();
    proxy.set_upstream(stack.dynamodb_url());
    let config = stack.dynamodb_client().config().to_builder();
    let client = aws_sdk_dynamodb::Client::from_conf(config.endpoint_url(proxy.url()).build());
    let insert = async |first: usize| {
        let statements = (first..first + 25).map(|number| {
            let statement = format!(
                "INSERT INTO \"{}\" VALUE {{'PK': ?, 'SK': ?}}",
                stack.table()
            );
            BatchStatementRequest::builder()
                .statement(statement)
                .parameters(AttributeValue::S(number.to_string()))
                .parameters(AttributeValue::S("x".repeat(900)))
                .build()
                .unwrap()
        });
        let response = client
            .batch_execute_statement()
            .set_statements(Some(statements.collect()))
            .send();
        let response = response.await.unwrap();
        response
            .responses()
            .iter()
            .map(|response| response.error().is_some())
            .collect::<Vec<_>>()
    };
    let stored = async || {
        let scan = stack
            .dynamodb_client()
            .scan()
            .table_name(stack.table())
            .send()
            .await
            .unwrap();
        let mut numbers: Vec<usize> = scan
            .items()
            .iter()
            .map(|item| item["PK"].as_s().unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(insert(0).await, [false; 25]);
    proxy.set_faults(Faults::default().with_failing_statements(0.5));
    let failed = insert(25).await;
    let expected: Vec<usize> = (0..50)
        .filter(|number| *number < 25 || !failed[number - 25])
        .collect();
    assert!((26..49).contains(&expected.len()), "{failed:?}");
    assert_eq!(stored().await, expected);

    proxy.set_faults(Faults::default().with_write_units(10));
    let failed = insert(50).await;
    let executed = failed.iter().filter(|failed| !**failed).count();
    assert!((10..15).contains(&executed), "{executed}");
    let put = client
        .put_item()
        .table_name(stack.table())
        .item("PK", AttributeValue::S("1000".into()));
    let put = put.item("SK", AttributeValue::S("p".into())).send().await;
    put.expect("the client tries again");
    assert!(
        proxy.counts()["PutItem"].requests > 1,
        "the units were used up"
    );

    let count = proxy.counts()["BatchExecuteStatement"];
    assert_eq!((count.requests, count.statements), (3, 75));
    assert_eq!(
        count.failed_statements,
        75 - (executed + expected.len()) as u64
    );
    assert_eq!(count.capacity_units, (executed + expected.len()) as f64);

    // Swallowed statements are not stored, but have to be valid.
    let before = stored().await;
    proxy.set_faults(Faults::default());
    proxy.swallow_statements(true);
    assert_eq!(insert(100).await, [false; 25]);
    assert_eq!(stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_units_of_each_key() {
    let proxy = Proxy::bind(3).await.unwrap();
    let stack = Stack::start(Options::default()).await.unwrap();
    proxy.set_upstream(stack.dynamodb_url());
    proxy.swallow_statements(true);
    let config = stack.dynamodb_client().config().to_builder();
    let client = aws_sdk_dynamodb::Client::from_conf(config.endpoint_url(proxy.url()).build());
    let text = |text: &str| AttributeValue::S(text.into());
    // Inserts 20 items of one unit each, with the partition key and the index key of each number.
    let insert = async |partition: fn(usize) -> String, find: fn(usize) -> String| {
        let statements = (0..20).map(|number| {
            let statement = format!(
                "INSERT INTO \"{}\" VALUE {{'PK':?,'SK':?,'Find1':?}}",
                stack.table()
            );
            BatchStatementRequest::builder()
                .statement(statement)
                .parameters(text(&partition(number)))
                .parameters(text(&number.to_string()))
                .parameters(text(&find(number)))
                .build()
                .unwrap()
        });
        let batch = client.batch_execute_statement();
        let response = batch
            .set_statements(Some(statements.collect()))
            .send()
            .await;
        let response = response.unwrap();
        let stored = response
            .responses()
            .iter()
            .filter(|one| one.error().is_none());
        stored.count()
    };
    for (partition, find) in [
        // One partition key; one index key of many items.
        (
            (|_| "hot".to_owned()) as fn(usize) -> String,
            (|number| number.to_string()) as fn(usize) -> String,
        ),
        (|number| number.to_string(), |_| "name#hot#1".to_owned()),
    ] {
        proxy.set_faults(Faults::default().with_write_units_per_key(10));
        let stored = insert(partition, find).await;
        assert!((10..15).contains(&stored), "{stored}");
        proxy.set_faults(Faults::default());
        assert_eq!(insert(partition, find).await, 20);
    }
    proxy.set_faults(Faults::default().with_write_units_per_key(10));
    let stored = insert(|number| number.to_string(), |number| number.to_string()).await;
    assert_eq!(stored, 20, "no two items share a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_seed_same_faults() {
    let stack = Stack::start(Options::default()).await.unwrap();
    let deal = async |seed| {
        let proxy = Proxy::bind(seed).await.unwrap();
        proxy.set_upstream(stack.s3_url());
        proxy.set_faults(
            Faults::default()
                .with(Fault::Failed, 0.3)
                .with(Fault::Throttled, 0.3),
        );
        let mut statuses = Vec::new();
        for _ in 0..32 {
            let response = reqwest::get(format!("{}/{}/none", proxy.url(), stack.bucket()))
                .await
                .unwrap();
            statuses.push(response.status().as_u16());
        }
        statuses
    };
    let first = deal(7).await;
    assert_eq!(deal(7).await, first);
    assert_ne!(deal(8).await, first);
    assert!(
        [404, 500, 503].iter().all(|status| first.contains(status)),
        "{first:?}"
    );
}
