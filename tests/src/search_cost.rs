//! The cost of searches, batches, matches and failed lookups: requests and read units, counted at the wire.

use std::fmt::Write as _;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use shared::model::{
    find::Find,
    identifier::{Identifier, IdentifierRules},
    identity::IdentityKey,
    item::Item,
    keys::SortKey,
    value::Map,
    version::{ImportId, Version},
};

use crate::cost::Counted;

const PAGE: &str = include_str!("../../infra/docs/guides/cost.md");

/// Sends a request five times, and returns the lowest cost: `Query` and `BatchGetItem` requests, and read units. The first request
/// of a process also reads the facts of the table, and a loaded machine may start another process.
async fn cost(counted: &Counted, method: &str, path: &str, body: &Value) -> [f64; 3] {
    let client = reqwest::Client::new();
    let url = counted.app.url(path);
    let mut lowest = [f64::INFINITY; 3];
    for _ in 0..5 {
        counted.proxy.reset_counts();
        let request = match method {
            "GET" => client.get(&url),
            _ => client.post(&url).json(body),
        };
        let response = request.send().await.expect("the gateway responds");
        let status = response.status().as_u16();
        assert!([200, 404].contains(&status), "{path} {body}: {status}");
        let counts = counted.proxy.counts();
        let requests = |name: &str| counts.get(name).map_or(0, |count| count.requests) as f64;
        let all: u64 = counts.values().map(|count| count.requests).sum();
        let units = counts.values().map(|count| count.capacity_units).sum();
        let cost = [requests("Query"), requests("BatchGetItem"), units];
        assert_eq!(cost[0] + cost[1], all as f64, "{counts:?}");
        if cost[2] < lowest[2] {
            lowest = cost;
        }
    }
    lowest
}

fn customer(number: usize) -> Value {
    json!({"customer_id": format!("c{number}"), "system_name": "shop"})
}

/// Returns the files of 40 customers. The first 30 have the same name, the first two the same address.
fn files() -> [(&'static str, String); 2] {
    let mut records = String::new();
    let mut orders = String::new();
    for number in 0..40 {
        let name = if number < 30 { "Maria" } else { "Ana" };
        let email = format!("c{}@example.com", number.max(1));
        let mobile = format!("6149157{number:04}");
        let record = json!({"link": customer(number), "first_name": name, "last_name": "Silva", "email": email, "mobile": mobile, "postcode": number.to_string()});
        let order = json!({"link": customer(number), "action_at": "2026-01-02T03:04:05Z", "type": "ecommerce", "purchase_id": format!("gid-{number}"),
            "order_number": format!("#{}", 1_000 + number), "products": [{"price_paid": "1.00", "quantity": 1}]});
        writeln!(records, "{record}").expect("a String takes it");
        writeln!(orders, "{order}").expect("a String takes it");
    }
    [("customer_record", records), ("purchase", orders)]
}

/// Prints the cost of each request, and compares it with the table in `infra/docs/guides/cost.md`.
#[tokio::test(flavor = "multi_thread")]
async fn measures_searches() {
    let counted = Counted::start().await;
    for (folder, rows) in files() {
        let key = format!("drop/{folder}/shop/a.ndjson");
        assert_eq!(counted.app.import(&key, &rows).await["written"], 40);
    }
    let id = counted.app.lookup(customer(5)).await.1["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let profile = format!("/profiles/{id}");
    let matches = format!("{profile}?include=summary,matches");
    let summary = format!("{profile}?include=summary");
    let many: Vec<_> = (0..25).map(customer).collect();
    let (search, batch, lookup) = ("/profiles/search", "/profiles/batch", "/profiles/lookup");
    let requests = [
        (
            "search by `order`, one profile",
            "POST",
            search,
            json!({"order": "1007"}),
        ),
        (
            "search by `name`, one page of 25 profiles",
            "POST",
            search,
            json!({"name": "Maria Silva"}),
        ),
        (
            "search by `email`, one profile",
            "POST",
            search,
            json!({"email": "c7@example.com"}),
        ),
        (
            "search by `mobile`, one profile",
            "POST",
            search,
            json!({"mobile": "61491570007"}),
        ),
        (
            "search by `customer_id`, one profile",
            "POST",
            search,
            json!({"customer_id": "c7"}),
        ),
        (
            "search by `order`, nothing found",
            "POST",
            search,
            json!({"order": "7"}),
        ),
        (
            "search by `name`, nothing found",
            "POST",
            search,
            json!({"name": "Nadia Quill"}),
        ),
        (
            "batch of 25 profiles",
            "POST",
            batch,
            json!({"profiles": many}),
        ),
        (
            "profile with `include=summary`",
            "GET",
            summary.as_str(),
            Value::Null,
        ),
        (
            "profile with `include=summary,matches`, none found",
            "GET",
            matches.as_str(),
            Value::Null,
        ),
        (
            "lookup of a `customer_id` that finds nothing, one hint",
            "POST",
            lookup,
            json!({"customer_id": "c7"}),
        ),
        (
            "lookup of an `email` that finds nothing",
            "POST",
            lookup,
            json!({"email": "no@example.com"}),
        ),
    ];
    let mut missing = Vec::new();
    for (name, method, path, body) in requests {
        let [queries, batches, units] = cost(&counted, method, path, &body).await;
        let line = format!("| {name} | {queries} | {batches} | {units} |");
        println!("{line}");
        if !PAGE.contains(&line) {
            missing.push(line);
        }
    }
    assert!(
        missing.is_empty(),
        "infra/docs/guides/cost.md does not say:\n{}",
        missing.join("\n")
    );
}

/// The number of customers with which the test begins.
const FEW: usize = 1_000;
/// The number of items in a `BatchWriteItem`, a limit of DynamoDB.
const BATCH: usize = 25;

/// Returns how many customers are generated in all: 5,000, or the value of `SEARCH_CUSTOMERS`.
fn customers() -> usize {
    let many = std::env::var("SEARCH_CUSTOMERS").ok();
    many.map_or(5_000, |many| many.parse().expect("a number"))
}

/// Returns a `PutRequest` of a customer record with values for all four indexes.
fn put(key: &IdentityKey, number: usize) -> String {
    let link = json!({"mobile": format!("6150{number:08}")});
    let link = Identifier::from_json(link.as_object().expect("an object")).expect("an identifier");
    let mut data = Map::new();
    data.insert("first_name", format!("Customer{number}"));
    data.insert("last_name", "Silva");
    data.insert("email", format!("customer{number}@example.com"));
    data.insert("mobile", format!("6150{number:08}"));
    data.insert("customer_id", format!("c{number}"));
    let fields = data.iter().map(|(name, value)| {
        let text = value.as_text().expect("a text");
        format!(r#""{name}":{{"S":"{text}"}}"#)
    });
    let fields = fields.collect::<Vec<_>>().join(",");
    let version = Version::new(0, "01", ImportId::new("bucket", "key", "1"), 1);
    let value = link.value().to_owned();
    let sort = SortKey::Record("shop".to_owned());
    let item = Item::ingested(key.identity(&link), sort, version, Some(link), data);
    let find = Find::of(key, &item, IdentifierRules::default());
    let mut row = format!(
        r#"{{"PutRequest":{{"Item":{{"PK":{{"S":"{}"}},"SK":{{"S":"{}"}},"version":{{"B":"{}"}},"link":{{"M":{{"mobile":{{"S":"{value}"}}}}}},"data":{{"M":{{{fields}}}}}"#,
        item.identity,
        item.key.to_text(),
        data_encoding::BASE64.encode(version.as_bytes()),
    );
    for (name, value) in find.slots() {
        let value = value.expect("a value in each index");
        write!(row, r#","{name}":{{"S":"{value}"}}"#).expect("a String takes it");
    }
    row + "}}}"
}

/// Writes the records of customers to the table, without an import.
async fn generate(counted: &Counted, range: std::ops::Range<usize>) {
    let stack = &counted.app.stack;
    let key = IdentityKey::new(stack.identity_key()).expect("a key");
    let client = reqwest::Client::new();
    let (table, url) = (stack.table(), stack.dynamodb_url());
    let batches = stream::iter(range.clone().step_by(BATCH));
    let end = range.end;
    let sent = batches.map(|first| {
        let puts = (first..end.min(first + BATCH)).map(|number| put(&key, number));
        let puts = puts.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"RequestItems":{{"{table}":[{puts}]}}}}"#);
        let request = client
            .post(url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.BatchWriteItem")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z")
            .body(body);
        async move {
            let response = request.send().await?.error_for_status()?;
            response.bytes().await.map(|_| ())
        }
    });
    let sent = sent.buffer_unordered(4).try_collect::<Vec<()>>().await;
    sent.expect("the table stores the items");
}

/// `SEARCH_CUSTOMERS=1000000 cargo test -p tests units_do_not_grow` takes minutes.
#[tokio::test(flavor = "multi_thread")]
async fn units_do_not_grow_with_customers() {
    let counted = Counted::start().await;
    // The first import writes the facts of the table, which are then read once.
    let order = &files()[1].1;
    counted
        .app
        .import("drop/purchase/pos/a.ndjson", order)
        .await;
    let searches = [
        json!({"name": "customer7 silva"}),
        json!({"email": "customer7@example.com"}),
        json!({"mobile": "615000000007"}),
        json!({"customer_id": "c7"}),
        json!({"order": "1007"}),
        json!({"name": "customer silva"}),
    ];
    let mut costs = Vec::new();
    let began = std::time::Instant::now();
    for range in [0..FEW, FEW..customers()] {
        let end = range.end;
        generate(&counted, range).await;
        println!("{end} customers after {:?}", began.elapsed());
        let mut all = Vec::new();
        for search in &searches {
            let (_, page) = counted.app.search(search.clone()).await;
            let found = page["items"].as_array().map(Vec::len);
            all.push((
                found,
                cost(&counted, "POST", "/profiles/search", search).await,
            ));
        }
        println!("profiles, Query, BatchGetItem, read units: {all:?}");
        costs.push(all);
    }
    assert_eq!(costs[0], costs[1]);
    let found: Vec<_> = costs[1].iter().map(|(found, _)| *found).collect();
    assert_eq!(
        found,
        [Some(1), Some(1), Some(1), Some(1), Some(1), Some(0)]
    );
}
