//! The cost of reads and writes: requests, counted by a proxy, and capacity units.

use std::collections::BTreeMap;

use local::Options;
use serde_json::{Value, json};
use tests::faults::Proxy;

use crate::support::{
    app::TestApp,
    files::{email_opens, four_identifiers},
};

/// Returns the read units of a route's last request, from its log line.
fn read_units(app: &TestApp, route: &str) -> f64 {
    let logs = app.stack.logs();
    let metric = logs.iter().rev().find_map(|line| {
        let json: Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
        (json["route"] == route).then(|| json["ReadCapacityUnits"].as_f64())?
    });
    metric.unwrap_or_else(|| panic!("no line of {route}"))
}

/// Prints the read units of requests and checks their upper bounds.
#[tokio::test(flavor = "multi_thread")]
async fn measures_read_units() {
    let app = TestApp::start().await;
    let links = four_identifiers();
    let opened = |from, to| email_opens(&links[0], from, to, "e");
    app.import("drop/email_open/mailer/a.ndjson", &opened(0, 100))
        .await;
    let (_, one) = app.lookup(links[0].clone()).await;
    let lookup = read_units(&app, "POST /profiles/lookup");
    let id = one["id"].as_str().unwrap();
    app.get(&format!("/profiles/{id}")).await;
    let of_one = read_units(&app, "GET /profiles/{id}");
    app.get(&format!("/profiles/{id}/history?limit=25")).await;
    let page_of_one = read_units(&app, "GET /profiles/{id}/history");
    app.import(
        "drop/unify/a.ndjson",
        &json!({"records": links}).to_string(),
    )
    .await;
    app.get(&format!("/profiles/{id}")).await;
    let of_four = read_units(&app, "GET /profiles/{id}");
    app.get(&format!("/profiles/{id}/history?limit=25")).await;
    let page_of_four = read_units(&app, "GET /profiles/{id}/history");
    println!(
        "read units: lookup {lookup}, profile of one identity with 100 events {of_one}, of four {of_four}, history page of one {page_of_one}, of four {page_of_four}"
    );
    assert!(
        lookup <= 6.0 && of_one <= 5.0 && of_four <= 8.0,
        "{lookup} {of_one} {of_four}"
    );
    assert!(
        page_of_one <= 3.0 && page_of_four <= 7.0,
        "{page_of_one} {page_of_four}"
    );
}

/// Requests and read units of sections that are not computed from events do not depend on the number of events.
#[tokio::test(flavor = "multi_thread")]
async fn notes_and_matches_read_no_events() {
    let counted = Counted::start().await;
    let app = &counted.app;
    let [known, unknown] = ["7", "8"].map(|id| json!({"customer_id": id}));
    for link in [&known, &unknown] {
        let rows = email_opens(link, 0, 2_000, "e");
        let key = format!("drop/email_open/mailer/{}.ndjson", link["customer_id"]);
        assert_eq!(app.import(&key, &rows).await["written"], 2_000);
    }
    let record = json!({"link": known, "first_name": "Jane", "last_name": "Doe"});
    app.import("drop/customer_record/crm/a.ndjson", &record.to_string())
        .await;
    counted.warm().await;
    // The identity without a record takes one more query: its latest events contain its identifier.
    for (link, more) in [(known, 0), (unknown, 1)] {
        let lookup = app.lookup(link.clone()).await.1;
        let id = lookup["id"].as_str().unwrap();
        let (status, note) = app.note(id, Some("k"), json!({"text": "Call"})).await;
        assert_eq!(status, 201, "{note}");
        let cost = async |include: &str| {
            let path = format!("/profiles/{id}?include={include}");
            let requests = counted.get(&path).await;
            (requests, read_units(app, "GET /profiles/{id}"))
        };
        let (_, units) = cost("attributes").await;
        assert!(units > 20.0, "figures need all events: {units}");
        let (requests, units) = cost("notes").await;
        println!("read units: profile with 2,000 events, `include=notes`, {units}");
        assert_eq!(requests, these([("Query", 2 + more)]));
        assert!(units <= 2.0, "{units}");
        // A customer ID is not searched, and neither is a name without a postcode.
        let (requests, units) = cost("matches").await;
        assert_eq!(requests, these([("Query", 1 + more)]));
        assert!(units <= 2.0, "{units}");

        let url = app.url("/profiles/lookup?include=notes");
        let request = reqwest::Client::new().post(url).json(&link);
        let (status, profile) = app.send(request).await;
        assert_eq!(status, 200, "{profile}");
        assert_eq!(profile["notes"]["items"][0]["text"], "Call");
        assert_eq!(counted.requests(), these([("Query", 2 + more)]));
    }
}

/// A stack whose HTTP functions reach DynamoDB through a counting proxy.
pub(crate) struct Counted {
    pub(crate) app: TestApp,
    pub(crate) proxy: Proxy,
}

impl Counted {
    pub(crate) async fn start() -> Self {
        let proxy = Proxy::bind(1).await.unwrap();
        let environment = |function: &str| {
            let url = proxy.url().to_owned();
            let variable = ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url);
            (function.to_owned(), BTreeMap::from([variable]))
        };
        let app = TestApp::start_with(Options {
            environment: ["profile-read", "note-write", "profile-write", "history"]
                .map(environment)
                .into(),
            ..Options::default()
        })
        .await;
        proxy.set_upstream(app.stack.dynamodb_url());
        Self { app, proxy }
    }

    /// Starts a process of each function, whose first request opens its connection.
    async fn warm(&self) {
        let nobody = format!("/profiles/{}", "a".repeat(26));
        for path in [&nobody, &format!("{nobody}/history")] {
            assert_eq!(self.app.get(path).await.0, 404);
        }
        let (status, _) = self
            .app
            .note(
                &nobody["/profiles/".len()..],
                Some("k"),
                json!({"text": "Call"}),
            )
            .await;
        assert_eq!(status, 404);
    }

    /// Returns the requests by operation since the last call.
    fn requests(&self) -> BTreeMap<String, u64> {
        let counts = self.proxy.counts().into_iter();
        let requests = counts.map(|(operation, count)| (operation, count.requests));
        let requests = requests.collect();
        self.proxy.reset_counts();
        requests
    }

    /// Returns the requests that a `GET` takes.
    async fn get(&self, path: &str) -> BTreeMap<String, u64> {
        self.requests();
        let response = reqwest::get(self.app.url(path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        self.requests()
    }
}

fn these<const N: usize>(requests: [(&str, u64); N]) -> BTreeMap<String, u64> {
    requests
        .map(|(operation, count)| (operation.to_owned(), count))
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_once_per_identity() {
    let counted = Counted::start().await;
    let app = &counted.app;
    let links: Vec<Value> = (1..=8)
        .map(|n| json!({"mobile": format!("555000{n}")}))
        .collect();
    // A page has 25 orders of six products. One more order makes 151 products.
    let rows: String = (0..26)
        .map(|n| {
            let lines: Vec<_> = (n * 6..n * 6 + 6)
                .map(|product| json!({"price_paid": "1.00", "quantity": 1, "product_reference": {"id": format!("p{}", product.min(150))}}))
                .collect();
            let row = json!({"link": links[0], "action_at": format!("2026-03-{:02}", 28 - n), "type": "physical", "purchase_id": n.to_string(), "products": lines});
            format!("{row}\n")
        })
        .collect();
    app.import("drop/purchase/pos/a.ndjson", &rows).await;
    for (n, link) in links.iter().enumerate() {
        let record = json!({"link": link, "first_name": "Jane"}).to_string();
        app.import(&format!("drop/customer_record/crm/{n}.ndjson"), &record)
            .await;
    }

    counted.warm().await;
    counted.requests();
    let (status, profile) = app.lookup(links[0].clone()).await;
    assert_eq!(status, 200, "{profile}");
    assert_eq!(
        counted.requests(),
        these([("Query", 2), ("BatchGetItem", 2)]),
        "the first lookup of a process: the identity, its notes, its 151 products"
    );
    app.lookup(links[0].clone()).await;
    assert_eq!(counted.requests(), these([("Query", 2)]), "another lookup");
    let id = profile["id"].as_str().unwrap();
    let path = format!("/profiles/{id}");
    assert_eq!(counted.get(&path).await, these([("Query", 2)]));
    let other = app.lookup(links[7].clone()).await.1;
    counted.requests();
    let other = other["id"].as_str().unwrap();

    // The history's process has its own product cache. 25 orders of six products are 150.
    let history = format!("{path}/history");
    assert_eq!(
        counted.get(&history).await,
        these([("Query", 2), ("BatchGetItem", 2)]),
        "the head, which holds the links, and the events"
    );
    assert_eq!(counted.get(&history).await, these([("Query", 2)]));

    for n in 2..=8 {
        let unify = json!({"records": links[..n]}).to_string();
        app.import(&format!("drop/unify/{n}.ndjson"), &unify).await;
        let n = n as u64;
        assert_eq!(counted.get(&path).await, these([("Query", 2 * n)]), "{n}");
        assert_eq!(
            counted.get(&history).await,
            these([("Query", 2 * n)]),
            "{n}"
        );
        let notes = format!("{path}/notes");
        assert_eq!(counted.get(&notes).await, these([("Query", 2 * n)]), "{n}");
        let attributes = format!("{path}/attributes");
        assert_eq!(
            counted.get(&attributes).await,
            these([("Query", n), ("BatchGetItem", 1)]),
            "{n}, and the plans of the files"
        );
    }
    // Any identity and any section take the same queries.
    let summary = format!("/profiles/{other}?include=summary");
    assert_eq!(counted.get(&summary).await, these([("Query", 8)]));
    let event = app.get(&format!("{history}?limit=1")).await.1["items"][0]["id"].clone();
    let event = format!("{history}/{}", event.as_str().unwrap());
    assert_eq!(
        counted.get(&event).await,
        these([("Query", 16)]),
        "the heads, and the versions of the event in each identity"
    );
    // A page of an export ends within the first identity that fills it. The plans of its files are read in one batch.
    let export = format!("{path}/export?limit=5");
    assert_eq!(
        counted.get(&export).await,
        these([("Query", 9), ("BatchGetItem", 1)])
    );
    let all = format!("{path}/export?limit=100");
    let whole = counted.get(&all).await;
    assert!(
        whole["Query"] <= 16 && whole["BatchGetItem"] == 1,
        "{whole:?}"
    );

    let (status, note) = app.note(id, Some("k"), json!({"text": "Call"})).await;
    assert_eq!(status, 201, "{note}");
    assert_eq!(
        counted.requests(),
        these([("Query", 1), ("TransactWriteItems", 1)])
    );
}

/// A row and its changed form.
struct Written {
    name: &'static str,
    folder: &'static str,
    row: Value,
    /// Fields that are replaced: values of another search.
    change: Value,
}

/// Returns a row of every record type for the customer with this mobile number.
fn rows_of_every_type(mobile: &str) -> Vec<Written> {
    let link = json!({"mobile": mobile});
    let written = |name, folder, own: Value, change| {
        let mut row = json!({"link": link});
        lay_over(&mut row, &own);
        Written {
            name,
            folder,
            row,
            change,
        }
    };
    let event = |folder, own: Value| {
        let mut row = json!({"action_at": "2026-01-02T03:04:05Z"});
        lay_over(&mut row, &own);
        written(folder, folder, row, Value::Null)
    };
    let order = |name, folder, mut own: Value, change| {
        let sign = if folder == "return" { -1 } else { 1 };
        lay_over(
            &mut own,
            &json!({
                "action_at": "2026-01-02T03:04:05Z",
                "type": "ecommerce",
                "products": [{"price_paid": sign, "quantity": sign}],
            }),
        );
        written(name, folder, own, change)
    };
    let record = "customer_record";
    vec![
        written(
            "customer_record with name, email, mobile and customer id",
            record,
            json!({"first_name": "Jane", "last_name": "Doe", "email": "jane@example.com", "mobile": mobile, "customer_id": "1042"}),
            json!({"last_name": "Dough"}),
        ),
        written(
            "customer_record with name and email",
            record,
            json!({"first_name": "Jane", "email": "jane@example.com"}),
            json!({"first_name": "Ann", "email": null}),
        ),
        written(
            "customer_record without any of them",
            record,
            json!({"city": "St Kilda"}),
            Value::Null,
        ),
        order(
            "purchase with an id",
            "purchase",
            json!({"purchase_id": "1042"}),
            Value::Null,
        ),
        order(
            "purchase with a number that differs from its id",
            "purchase",
            json!({"purchase_id": "gid-1042", "order_number": "#1042"}),
            json!({"order_number": "#1043"}),
        ),
        order(
            "return",
            "return",
            json!({"return_id": "R1042"}),
            Value::Null,
        ),
        event("email_send", json!({"email_id": "1", "subject": "Sale"})),
        event("email_open", json!({"email_id": "1"})),
        event("email_click", json!({"email_id": "1"})),
        event("email_bounce", json!({"email_id": "1"})),
        event(
            "email_subscribe",
            json!({"email_id": "1", "status": "subscribed"}),
        ),
        event("sms_send", json!({"sms_id": "1"})),
        event("sms_click", json!({"sms_id": "1"})),
        event(
            "sms_subscribe",
            json!({"sms_id": "1", "status": "subscribed"}),
        ),
        event(
            "message",
            json!({"message_id": "1", "channel": "chat", "direction": "inbound"}),
        ),
        event(
            "event",
            json!({"event_id": "1", "name": "points_earned", "properties": {"points": 80}}),
        ),
        written(
            "attributes",
            "attributes",
            json!({"attributes": {"loyalty.tier": "gold"}}),
            Value::Null,
        ),
    ]
}

/// Sets the fields of `change` in `row`. A null removes a field.
fn lay_over(row: &mut Value, change: &Value) {
    let fields = row.as_object_mut().expect("an object");
    for (name, value) in change.as_object().into_iter().flatten() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}

/// The units that DynamoDB bills for the INSERT that fails before an UPDATE. The local table does not report them.
const FAILED_INSERT: f64 = 1.0;

/// Returns the write units of each row: new, unchanged in a newer file, and changed.
async fn write_units(app: &TestApp, customers: u32) -> Vec<(&'static str, [Option<f64>; 3])> {
    let mut all = Vec::new();
    for number in 0..rows_of_every_type("").len() {
        // Each row has its own customer, because records of one source replace one another.
        let mobile = format!("614{customers}{number:05}");
        let written = rows_of_every_type(&mobile).swap_remove(number);
        let mut changed = written.row.clone();
        lay_over(&mut changed, &written.change);
        let import = async |file: &str, row: &Value| {
            let key = format!("drop/{}/shop/{file}-{mobile}.ndjson", written.folder);
            let report = app.import(&key, &row.to_string()).await;
            assert_eq!(report["written"], 1, "{report}");
            report["capacity_units"].as_f64()
        };
        let new = import("new", &written.row).await;
        let overwrite = |units: Option<f64>| units.map(|units| units + FAILED_INSERT);
        let again = overwrite(import("again", &written.row).await);
        let changed = match written.change {
            Value::Null => None,
            _ => overwrite(import("changed", &changed).await),
        };
        all.push((written.name, [new, again, changed]));
    }
    all
}

/// Prints the write units of each row type, with and without search indexes, and compares them with the table in `infra/docs/guides/cost.md`.
#[tokio::test(flavor = "multi_thread")]
async fn measures_write_units() {
    let app = TestApp::start().await;
    let with = write_units(&app, 100).await;
    for index in shared::model::find::INDEXES {
        delete_index(&app, index).await;
    }
    let without = write_units(&app, 200).await;
    let documented = include_str!("../../infra/docs/guides/cost.md");
    for ((name, with), (_, without)) in with.into_iter().zip(without) {
        let cells = with.into_iter().zip(without).map(|units| match units {
            (Some(with), Some(without)) => format!("{with} ({without})"),
            _ => "-".to_owned(),
        });
        let line = format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
        println!("{line}");
        assert!(
            documented.contains(&line),
            "infra/docs/guides/cost.md does not say: {line}"
        );
    }
}

async fn delete_index(app: &TestApp, index: &str) {
    use aws_sdk_dynamodb::types::{DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndexUpdate};
    let delete = DeleteGlobalSecondaryIndexAction::builder();
    let delete = delete.index_name(index).build().expect("an action");
    let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
    let table = app.stack.dynamodb_client().update_table();
    table
        .table_name(app.stack.table())
        .global_secondary_index_updates(update)
        .send()
        .await
        .expect("the index is deleted");
}

/// A shared address has more links than a page of the header. The others are skipped, and their number does not change what is
/// read.
#[tokio::test(flavor = "multi_thread")]
async fn skips_links_of_shared_address() {
    let counted = Counted::start().await;
    let app = &counted.app;
    let shop = json!({"email": "shop@example.com"});
    let linked =
        |customer: usize| json!({"records": [shop, {"customer_id": format!("c-{customer}")}]});
    let unify = |customers: std::ops::Range<usize>| -> String {
        customers
            .map(|customer| format!("{}\n", linked(customer)))
            .collect()
    };
    let order = json!({"link": {"customer_id": "c-0"}, "action_at": "2026-03-01T00:00:00Z", "type": "physical",
        "purchase_id": "1", "products": [{"price_paid": "1.00", "quantity": 1}]});
    app.import("drop/purchase/pos/a.ndjson", &order.to_string())
        .await;
    let mut costs = Vec::new();
    for customers in [0..1_100, 1_100..2_200] {
        let report = app
            .import(
                &format!("drop/unify/pos/{}.ndjson", customers.start),
                &unify(customers),
            )
            .await;
        assert_eq!(report["written"], 1_100, "{report}");
        let (_, profile) = app.lookup(json!({"customer_id": "c-0"})).await;
        assert_eq!(profile["summary"]["orders"], 1);
        let excluded = &profile["excluded_links"][0];
        assert_eq!(
            (&excluded["source"], &excluded["links"]),
            (&json!("pos"), &json!(65)),
            "{profile}"
        );
        counted.requests();
        let id = profile["id"].as_str().unwrap();
        let requests = counted.get(&format!("/profiles/{id}")).await;
        costs.push((requests, read_units(app, "GET /profiles/{id}")));
    }
    let (requests, units) = &costs[0];
    eprintln!("a profile beside an address with 1,100 links: {requests:?}, {units} read units");
    assert_eq!(costs[0], costs[1]);
    assert_eq!(*requests, these([("Query", 5)]));
}

/// Sends a change of a profile. Returns its body, the requests to the table, and the read and write units.
async fn change(
    counted: &Counted,
    (method, path): (&str, &str),
    key: &str,
    body: &Value,
) -> (Value, BTreeMap<String, u64>, [f64; 2]) {
    counted.requests();
    let mut request = reqwest::Client::new()
        .request(method.parse().unwrap(), counted.app.url(path))
        .header("idempotency-key", key)
        .header("if-match", "*");
    if !body.is_null() {
        request = request.json(body);
    }
    let (status, response) = counted.app.send(request).await;
    assert!(status.is_success(), "{path}: {response}");
    let requests = counted.requests();
    let logs = counted.app.stack.logs();
    let mut lines = logs
        .iter()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines
        .find(|line| line["FunctionName"] == "ProfileWriteFunction")
        .expect("a line");
    let units =
        ["ReadCapacityUnits", "WriteCapacityUnits"].map(|name| line[name].as_f64().expect("units"));
    (response, requests, units)
}

/// Prints and checks the requests and units of changes: those of a profile before and after, and one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn counts_requests_of_changes() {
    let counted = Counted::start().await;
    let customer = |email: &str| json!({"identifier": {"email": email}, "first_name": "Ann", "last_name": "Lee"});
    let file = r#"{"link":{"email":"c@fake.com"}}"#;
    counted
        .app
        .import("drop/customer_record/crm/c.ndjson", file)
        .await;
    // The first request of a process also reads the facts of the table, which an import has stored.
    change(
        &counted,
        ("POST", "/profiles?preview=true"),
        "p",
        &customer("a@fake.com"),
    )
    .await;
    let (profile, requests, units) = change(
        &counted,
        ("POST", "/profiles"),
        "a",
        &customer("a@fake.com"),
    )
    .await;
    eprintln!("create: {requests:?} {units:?}");
    assert_eq!(
        requests,
        these([("BatchGetItem", 1), ("Query", 2), ("TransactWriteItems", 1)])
    );
    change(
        &counted,
        ("POST", "/profiles"),
        "b",
        &customer("b@fake.com"),
    )
    .await;
    let id = profile["id"].as_str().unwrap();
    let body = json!({"identifier": {"email": "b@fake.com"}, "reason": "Same order"});
    let path = format!("/profiles/{id}/links");
    let (_, requests, units) = change(
        &counted,
        ("POST", &format!("{path}?preview=true")),
        "p",
        &body,
    )
    .await;
    eprintln!("preview: {requests:?} {units:?}");
    assert_eq!((requests, units[1]), (these([("Query", 4)]), 0.0));
    let (outcome, requests, units) = change(&counted, ("POST", &path), "c", &body).await;
    eprintln!("link: {requests:?} {units:?}");
    let of_two = these([("BatchGetItem", 1), ("Query", 4), ("TransactWriteItems", 1)]);
    assert_eq!((&requests, units[1]), (&of_two, 10.0));
    let (_, requests, units) = change(&counted, ("POST", &path), "d", &body).await;
    eprintln!("link again: {requests:?} {units:?}");
    assert_eq!(
        (requests, units[1]),
        (these([("BatchGetItem", 1), ("Query", 4)]), 0.0)
    );
    let link = outcome["changes"]["links"][0]["id"].as_str().unwrap();
    let path = format!("{path}/{link}");
    let (_, requests, units) = change(&counted, ("DELETE", &path), "e", &Value::Null).await;
    eprintln!("undo: {requests:?} {units:?}");
    assert_eq!((requests, units[1]), (of_two, 10.0));
}
