//! Concurrent clients: writers of notes whose responses are lost during an erasure, and readers during an import. No write is
//! lost or repeated, and no reader sees a partial item.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use local::Options;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::faults::{Fault, Faults, Proxy};

use crate::support::{
    app::TestApp, contract::Contract, environment::env_number, erasures::unerased_items,
    files::sample_rows,
};

/// The number of customers. The last one is erased during the writes.
const CUSTOMERS: usize = 4;
/// The maximum number of attempts of a request.
const TRIES: usize = 60;

/// The confirmed writes of a writer.
#[derive(Debug, Default)]
struct History {
    /// The created notes: text and id.
    left: BTreeMap<String, String>,
    /// The texts of deleted notes.
    deleted: BTreeSet<String>,
    /// The words added to the shared note.
    added: BTreeSet<String>,
    /// The number of requests sent.
    requests: usize,
}

struct Writer<'a> {
    app: &'a TestApp,
    number: usize,
    profile: &'a str,
    shared: &'a str,
    random: StdRng,
    history: History,
}

impl Writer<'_> {
    /// Returns whether the client receives a final response. One response in ten is lost on its way.
    fn is_heard(&mut self, status: StatusCode) -> bool {
        self.history.requests += 1;
        let passes = status.is_server_error() || status == 409 || status == 429;
        !passes && self.random.random_bool(0.9)
    }

    async fn pause(&mut self) {
        let pause = Duration::from_millis(self.random.random_range(5..100));
        tokio::time::sleep(pause).await;
    }

    /// Creates a note, retrying until it is confirmed. Returns `false` if the profile no longer exists.
    async fn leave(&mut self, text: &str) -> bool {
        let body = json!({"text": text});
        for _ in 0..TRIES {
            let (app, profile) = (self.app, self.profile);
            let send = || app.note(profile, Some(text), body.clone());
            let (status, note) = if self.random.random_bool(0.2) {
                let (one, other) = futures::future::join(send(), send()).await;
                if one.0.is_success() { one } else { other }
            } else {
                send().await
            };
            if self.is_heard(status) {
                if status == 404 {
                    return false;
                }
                assert_eq!(status, 201, "{note}");
                let id = note["id"].as_str().unwrap().to_owned();
                self.history.left.insert(text.to_owned(), id);
                return true;
            }
            self.pause().await;
        }
        panic!("{text} could not be left");
    }

    /// Returns the shared note; `None` once it is erased.
    async fn read(&mut self) -> Option<Value> {
        for _ in 0..TRIES {
            let path = format!("/profiles/{}/notes?limit=100", self.profile);
            let (status, page) = self.app.get(&path).await;
            if status == 404 {
                return None;
            }
            if status.is_success() {
                let items = page["items"].as_array().unwrap();
                return items.iter().find(|note| note["id"] == self.shared).cloned();
            }
            self.pause().await;
        }
        panic!("the notes can't be read");
    }

    /// Adds a word to the version of the shared note that was read.
    async fn add(&mut self, word: &str) {
        let path = format!("/profiles/{}/notes/{}", self.profile, self.shared);
        let mut unknown = false;
        for _ in 0..TRIES {
            let Some(note) = self.read().await else {
                return;
            };
            let text = note["text"].as_str().unwrap();
            if text.split(' ').any(|own| own == word) {
                assert!(unknown, "{word} was rejected but is stored: {text}");
                self.history.added.insert(word.to_owned());
                return;
            }
            let body = json!({"text": format!("{text} {word}")});
            let etag = note["etag"].as_str();
            let (status, _) = self.app.edit_note(&path, etag, body).await;
            let heard = self.is_heard(status);
            if heard && status == 200 {
                self.history.added.insert(word.to_owned());
                return;
            }
            if heard && status == 404 {
                return;
            }
            assert!(!heard || status == 412, "{status}");
            unknown |= !heard;
            self.pause().await;
        }
        panic!("{word} could not be added");
    }

    async fn delete(&mut self, text: &str) {
        let id = self.history.left[text].clone();
        let path = format!("/profiles/{}/notes/{id}", self.profile);
        for _ in 0..TRIES {
            let (status, problem) = self.app.delete_note(&path, Some("*")).await;
            if self.is_heard(status) {
                assert!(status == 204 || status == 404, "{problem}");
                self.history.deleted.insert(text.to_owned());
                return;
            }
            self.pause().await;
        }
        panic!("{text} could not be deleted");
    }

    async fn write(mut self) -> (usize, History) {
        let own = |what: &str, at: usize| format!("{what}-{}-{at}", self.number);
        let (words, notes) = (
            [own("word", 0), own("word", 1)],
            [0, 1, 2].map(|at| own("note", at)),
        );
        for (word, note) in words.iter().zip(&notes) {
            if self.leave(note).await {
                self.add(word).await;
            }
        }
        if self.leave(&notes[2]).await {
            self.delete(&notes[2]).await;
        }
        (self.number, self.history)
    }
}

/// Returns all notes of a profile.
async fn notes(app: &TestApp, profile: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/profiles/{profile}/notes?limit=100{cursor}");
        let (status, page) = app.get(&path).await;
        if status == 404 {
            return all;
        }
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// `WRITERS` is the number of writers.
#[tokio::test(flavor = "multi_thread")]
async fn writers_lose_no_note() {
    let writers = env_number("WRITERS", 16) as usize;
    let proxy = Proxy::bind(env_number("WRITERS_SEED", 0)).await.unwrap();
    let through = |function: &str| {
        let url = proxy.url().to_owned();
        let environment = BTreeMap::from([("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url)]);
        (function.to_owned(), environment)
    };
    let options = Options {
        environment: ["note-write", "profile-read"].map(through).into(),
        ..Options::default()
    };
    let app = TestApp::start_with(options).await;
    proxy.set_upstream(app.stack.dynamodb_url());
    let email = |customer: usize| format!("customer.{customer}@fake.com");
    let rows: String = (0..CUSTOMERS)
        .map(|customer| {
            let link = json!({"email": email(customer)});
            format!("{}\n", json!({"link": link, "first_name": "Ann"}))
        })
        .collect();
    app.import("drop/customer_record/crm/a.ndjson", &rows).await;
    let (mut profiles, mut shared) = (Vec::new(), Vec::new());
    for customer in 0..CUSTOMERS {
        let profile = app.profile(&email(customer)).await;
        profiles.push(profile["id"].as_str().unwrap().to_owned());
        let body = json!({"text": "all:"});
        let (_, note) = app.note(&profiles[customer], Some("shared"), body).await;
        shared.push(note["id"].as_str().unwrap().to_owned());
    }
    let faults = ["TransactWriteItems", "PutItem", "DeleteItem"];
    let faults = faults
        .into_iter()
        .fold(Faults::default(), |faults, operation| {
            faults
                .with_on(operation, Fault::Lost, 0.15)
                .with_on(operation, Fault::Failed, 0.1)
        });
    proxy.set_faults(faults.with(Fault::Throttled, 0.03));

    let writing = (0..writers).map(|number| {
        let customer = number % CUSTOMERS;
        let writer = Writer {
            app: &app,
            number,
            profile: &profiles[customer],
            shared: &shared[customer],
            random: StdRng::seed_from_u64(number as u64),
            history: History::default(),
        };
        writer.write()
    });
    let erased = CUSTOMERS - 1;
    let erasure = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let row = json!({"link": {"email": email(erased)}}).to_string();
        app.import("drop/forget/privacy/a.ndjson", &row).await
    };
    let (histories, report) =
        futures::future::join(futures::future::join_all(writing), erasure).await;
    proxy.set_faults(Faults::default());
    assert_eq!(
        (&report["status"], &report["written"]),
        (&json!("completed"), &json!(1))
    );

    let mut requests = 0;
    for (customer, profile) in profiles.iter().enumerate() {
        let stored = notes(&app, profile).await;
        let texts: Vec<&str> = stored
            .iter()
            .map(|note| note["text"].as_str().unwrap())
            .collect();
        let distinct: BTreeSet<_> = texts.iter().collect();
        assert_eq!(distinct.len(), texts.len(), "doubled: {texts:?}");
        let own = || {
            histories
                .iter()
                .filter(|(number, _)| number % CUSTOMERS == customer)
        };
        requests += own().map(|(_, history)| history.requests).sum::<usize>();
        let left: BTreeMap<_, _> = own().flat_map(|(_, history)| &history.left).collect();
        let deleted: BTreeSet<_> = own().flat_map(|(_, history)| &history.deleted).collect();
        let mut expected: BTreeMap<&str, &str> = left
            .into_iter()
            .filter(|(text, _)| !deleted.contains(text))
            .map(|(text, id)| (text.as_str(), id.as_str()))
            .collect();
        let is_shared = |note: &&Value| note["id"] == shared[customer].as_str();
        let found: BTreeMap<&str, &str> = stored
            .iter()
            .filter(|note| !is_shared(note))
            .map(|note| (note["text"].as_str().unwrap(), note["id"].as_str().unwrap()))
            .collect();
        if customer == erased {
            // Notes created after the second of the erasure stay; no others exist.
            expected.retain(|text, _| found.contains_key(text));
            assert_eq!(found, expected);
            continue;
        }
        assert_eq!(found, expected);
        let text = stored.iter().find(is_shared).unwrap()["text"]
            .as_str()
            .unwrap();
        let mut words: Vec<_> = text.split(' ').skip(1).collect();
        words.sort_unstable();
        let mut added: Vec<_> = own().flat_map(|(_, history)| &history.added).collect();
        added.sort_unstable();
        assert_eq!(words, added, "customer {customer}");
        assert_eq!(words.len(), own().count() * 2);
    }
    assert_eq!(unerased_items(&app).await, [""; 0]);
    let lost: u64 = proxy.counts().values().map(|count| count.faults).sum();
    assert!(lost > 0);
    eprintln!("{writers} writers, {requests} requests, {lost} faults");
}

/// `READERS_ROWS` is the number of rows that are imported during the reads.
#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_items() {
    let proxy = Proxy::bind(0).await.unwrap();
    let environment = [
        ("AWS_ENDPOINT_URL_DYNAMODB", proxy.url().to_owned()),
        ("CHUNK_BYTES", "60000".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("ingest".to_owned(), environment.into())]),
        ..Options::default()
    })
    .await;
    proxy.set_upstream(app.stack.dynamodb_url());
    let (mut products, mut rows) = (String::new(), String::new());
    for row in sample_rows(env_number("READERS_ROWS", 600) as usize) {
        let file = if row["record_type"] == "product" {
            &mut products
        } else {
            &mut rows
        };
        file.push_str(&format!("{row}\n"));
    }
    // Many versions of one record. A partial version would have two different names.
    for version in 0..200 {
        let name = version.to_string();
        let row = json!({"record_type": "customer_record", "link": {"email": "torn@fake.com"}, "first_name": name, "last_name": name});
        rows.push_str(&format!("{row}\n"));
    }
    // Profiles join products at read time, so products are imported first.
    app.import("drop/mixed/crm/products.ndjson", &products)
        .await;
    let links: BTreeSet<String> = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .filter_map(|row| row.get("link").map(Value::to_string))
        .collect();
    let links: Vec<Value> = links
        .iter()
        .step_by(links.len() / 12)
        .map(|link| serde_json::from_str(link).unwrap())
        .collect();
    let contract = Contract::read();
    proxy.set_faults(Faults::default().with_latency(Duration::from_millis(300)));
    let importing = async { app.import("drop/mixed/crm/all.ndjson", &rows).await };
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let reading = async {
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut responses, mut unknown) = (0, 0);
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            for link in &links {
                let (status, profile) = app.lookup(link.clone()).await;
                responses += 1;
                if status == 404 {
                    unknown += 1;
                    continue;
                }
                assert_eq!(status, 200, "{profile}");
                contract.validate_profile(&profile);
                let id = profile["id"].as_str().unwrap();
                // A profile that one response showed exists for the next request.
                let (status, page) = app.get(&format!("/profiles/{id}/history?limit=100")).await;
                assert_eq!(status, 200, "{page}");
                for event in page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .chain(profile["history"]["items"].as_array().unwrap())
                {
                    let id = event["id"].as_str().unwrap().to_owned();
                    seen.entry(id).or_default().insert(event.to_string());
                }
            }
            let (status, torn) = app.lookup(json!({"email": "torn@fake.com"})).await;
            if status == 200 {
                let name = torn["name"].as_str().unwrap();
                let names: Vec<_> = name.split(' ').collect();
                assert_eq!(names[0], names[1], "{torn}");
            }
        }
        (seen, responses, unknown)
    };
    let (report, (seen, responses, unknown)) = futures::future::join(
        async {
            let report = importing.await;
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            report
        },
        reading,
    )
    .await;
    assert_eq!(
        (&report["status"], &report["rejected"]),
        (&json!("completed"), &json!(0))
    );
    let mut whole: BTreeMap<String, String> = BTreeMap::new();
    for link in &links {
        let (_, profile) = app.lookup(link.clone()).await;
        let id = profile["id"].as_str().unwrap();
        let mut cursor = String::new();
        loop {
            let (_, page) = app
                .get(&format!("/profiles/{id}/history?limit=100{cursor}"))
                .await;
            for event in page["items"].as_array().unwrap() {
                whole.insert(event["id"].as_str().unwrap().to_owned(), event.to_string());
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    for (id, forms) in &seen {
        assert_eq!(forms.iter().collect::<Vec<_>>(), [&whole[id]]);
    }
    assert!(!seen.is_empty() && seen.len() <= whole.len());
    eprintln!(
        "{responses} responses, {unknown} of them without a profile; {} of {} events seen during the import",
        seen.len(),
        whole.len()
    );
}

/// The table throttles the rows of one customer, whose writes get a queue of their own. `bench -- hot` measures their time.
#[tokio::test(flavor = "multi_thread")]
async fn hot_customer_loses_no_row() {
    const HOT: usize = 300;
    const OTHERS: usize = 300;
    let proxy = Proxy::bind(0).await.unwrap();
    let environment = [("AWS_ENDPOINT_URL_DYNAMODB", proxy.url().to_owned())];
    let environment = environment.map(|(name, value)| (name.to_owned(), value));
    let app = TestApp::start_with(Options {
        environment: BTreeMap::from([("ingest".to_owned(), environment.into())]),
        ..Options::default()
    })
    .await;
    proxy.set_upstream(app.stack.dynamodb_url());
    let row = |email: &str, id: usize| {
        let link = json!({"email": email});
        let row = json!({"link": link, "action_at": "2026-09-01T08:00:00Z", "email_id": format!("E{id}")});
        format!("{row}\n")
    };
    let mut rows: String = (0..HOT).map(|id| row("hot@fake.com", id)).collect();
    rows.extend((0..OTHERS).map(|id| row(&format!("other{id}@fake.com"), id)));
    proxy.set_faults(Faults::default().with_write_units_per_key(100));
    let report = app.import("drop/email_send/crm/hot.ndjson", &rows).await;
    let expected = json!(HOT + OTHERS);
    assert_eq!(
        (&report["status"], &report["written"]),
        (&json!("completed"), &expected)
    );
    let (_, hot) = app.lookup(json!({"email": "hot@fake.com"})).await;
    assert_eq!(hot["summary"]["email"]["sent"], HOT);
    let statements = proxy.counts()["BatchExecuteStatement"];
    assert!(statements.failed_statements > 0);
}
