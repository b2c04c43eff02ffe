//! Imports at scale and under fire: whatever dies on the way, and however often and late its events come, an import
//! ends as one long undisturbed run does: with the same table, the same counts and the same rejected rows.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use local::{Delivery, Options, Stack};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use shared::model::{keys, version::ImportId};
use tests::faults::{Fault, Faults, Proxy};

use crate::{
    app::TestApp,
    ingest::{clear_table, print, rows, s3_event},
};

const KEY: &str = "drop/mixed/crm/file.ndjson";
/// More than any file here: one range.
const ONE_RANGE: u64 = 1 << 40;

/// What an import comes to.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// All items of customers, printed; of their versions only the row's place in the file, since all else tells of
    /// when and under which id it was dropped.
    table: BTreeMap<String, String>,
    status: Value,
    /// read, written, stale, rejected, suppressed, truncated.
    counts: Vec<Value>,
    /// In the order of their places in the file, without their lines, which ranges do not know.
    rejects: Vec<Value>,
}

/// A stack whose ingest reaches DynamoDB and S3 through a proxy each.
pub(crate) struct Setting {
    pub(crate) app: TestApp,
    pub(crate) dynamodb: Proxy,
    pub(crate) s3: Proxy,
}

impl Setting {
    pub(crate) async fn start(seed: u64, chunk_bytes: u64, options: Options) -> Self {
        let (dynamodb, s3) = (
            Proxy::bind(seed).await.unwrap(),
            Proxy::bind(seed).await.unwrap(),
        );
        let environment = [
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url().to_owned()),
            ("AWS_ENDPOINT_URL_S3", s3.url().to_owned()),
            ("CHUNK_BYTES", chunk_bytes.to_string()),
        ];
        let mut environment: BTreeMap<_, _> = environment
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        environment.extend(
            options
                .environment
                .get("ingest")
                .cloned()
                .unwrap_or_default(),
        );
        let app = TestApp::start_with(Options {
            environment: BTreeMap::from([("ingest".to_owned(), environment)]),
            ..options
        })
        .await;
        dynamodb.set_upstream(app.stack.dynamodb_url());
        s3.set_upstream(app.stack.s3_url());
        Self { app, dynamodb, s3 }
    }

    /// The same faults on both sides.
    fn set_faults(&self, faults: &Faults) {
        self.dynamodb.set_faults(faults.clone());
        self.s3.set_faults(faults.clone());
    }

    fn stack(&self) -> &Stack {
        &self.app.stack
    }

    /// Drops the file, and answers its version id once no event is left.
    pub(crate) async fn drop(&self, key: &str, file: &str) -> String {
        let version_id = self.stack().put(key, file.to_owned()).await.unwrap();
        self.stack().at_rest().await;
        version_id
    }

    /// Sends the events that failed for good again, as an operator does, until none fails.
    pub(crate) async fn send_failed_again(&self) -> usize {
        let mut sent = Vec::new();
        loop {
            let failed = self.stack().list("failed/");
            let failed: Vec<_> = failed
                .into_iter()
                .filter(|key| !sent.contains(key))
                .collect();
            if failed.is_empty() {
                return sent.len();
            }
            for key in failed {
                let event = self.json(&key).await["requestPayload"].clone();
                let mut tries = 0;
                while let Err(error) = self.stack().invoke("ingest", event.clone()).await {
                    tries += 1;
                    // A busy machine can use up the short time of an invocation by itself.
                    assert!(tries < 20, "the fault has passed, but: {error}");
                }
                sent.push(key);
            }
            self.stack().at_rest().await;
        }
    }

    pub(crate) async fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.app.object(key).await).unwrap()
    }

    pub(crate) async fn report(&self, key: &str, version_id: &str) -> Value {
        self.json(&format!("reports/{key}/{version_id}.json")).await
    }

    /// What the import of a version has come to. No manifest may be left of it.
    pub(crate) async fn outcome(&self, key: &str, version_id: &str) -> Outcome {
        let report = self.report(key, version_id).await;
        let count = |name: &str| report[name].as_u64().unwrap();
        let verdicts = ["written", "stale", "rejected", "suppressed"].map(count);
        assert_eq!(count("read"), verdicts.iter().sum::<u64>(), "{report}");
        assert_eq!(self.stack().list("work/"), [""; 0], "{report}");
        let mut rejects = Vec::new();
        for key in report["rejects"].as_array().unwrap() {
            for line in self.app.object(key.as_str().unwrap()).await.lines() {
                let mut reject: Value = serde_json::from_str(line).unwrap();
                reject.as_object_mut().unwrap().remove("line");
                rejects.push(reject);
            }
        }
        rejects.sort_by_key(|reject| reject["offset"].as_u64());
        let names = [
            "read",
            "written",
            "stale",
            "rejected",
            "suppressed",
            "truncated",
        ];
        Outcome {
            table: table(&self.app).await,
            status: report["status"].clone(),
            counts: names.map(|name| report[name].clone()).into(),
            rejects,
        }
    }

    /// How many runs the ranges of imports took.
    pub(crate) async fn hops(&self) -> u64 {
        let rows = rows(&self.app).await;
        let hops = rows.iter().filter_map(|row| {
            row["SK"]
                .as_s()
                .unwrap()
                .starts_with("range#")
                .then_some(())?;
            row["data"].as_m().unwrap()["hops"]
                .as_n()
                .unwrap()
                .parse::<u64>()
                .ok()
        });
        hops.sum()
    }
}

async fn table(app: &TestApp) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for mut row in rows(app).await {
        let text = |name: &str| row[name].as_s().unwrap().clone();
        let key = format!("{} {}", text("PK"), text("SK"));
        let of_runs = ["import#", "config ", "erasures "];
        if of_runs.iter().any(|start| key.starts_with(start)) {
            continue;
        }
        if let Some(AttributeValue::M(data)) = row.get_mut("data") {
            // When a run wrote somebody into the erasure list.
            data.remove("listed_at");
        }
        if let Some(AttributeValue::B(version)) = row.get_mut("version") {
            let place = version.as_ref()[25..].to_vec();
            *version = aws_sdk_dynamodb::primitives::Blob::new(place);
        }
        table.insert(key, print(&AttributeValue::M(row)));
    }
    table
}

/// Rows of many kinds under 30 customers: records that replace one another, events, bodies large enough to stand
/// beside their events, links, and now and then a row to be rejected.
pub(crate) fn file(count: usize) -> String {
    let mut file = String::new();
    for number in 0..count {
        let customer = number % 30;
        let at = format!(
            "2026-01-{:02}T{:02}:{:02}:00Z",
            1 + number % 28,
            number / 60 % 24,
            number % 60
        );
        let link = format!(r#""link":{{"mobile":"555{customer:04}"}}"#);
        let row = match number % 20 {
            3 => {
                format!(r#"{{"record_type":"customer_record",{link},"first_name":"Ann {number}"}}"#)
            }
            7 if number % 40 == 7 => "neither JSON nor a row".to_owned(),
            9 => format!(
                r#"{{"record_type":"email_open",{link},"action_at":"never","email_id":"{number}"}}"#
            ),
            11 => format!(
                r#"{{"record_type":"email_send",{link},"action_at":"{at}","email_id":"{number}","subject":"Hello","body":"{}"}}"#,
                format!("{number} ").repeat(1_200)
            ),
            13 => format!(
                r#"{{"record_type":"unify","records":[{{"mobile":"555{customer:04}"}},{{"email":"{customer}@fake.com"}}]}}"#
            ),
            _ => format!(
                r#"{{"record_type":"email_open",{link},"action_at":"{at}","email_id":"{number}"}}"#
            ),
        };
        writeln!(file, "{row}").unwrap();
    }
    file
}

/// A number from the environment, for longer runs than the everyday's.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// One long undisturbed run.
pub(crate) async fn undisturbed(file: &str) -> Outcome {
    let setting = Setting::start(0, ONE_RANGE, Options::default()).await;
    let version_id = setting.drop(KEY, file).await;
    assert_eq!(setting.hops().await, 1);
    let outcome = setting.outcome(KEY, &version_id).await;
    assert_eq!(outcome.status, "completed");
    assert!(outcome.rejects.len() > file.lines().count() / 20);
    outcome
}

fn timeout(time: Duration) -> BTreeMap<String, Duration> {
    BTreeMap::from([("ingest".to_owned(), time)])
}

/// `IMPORT_ROWS` and `IMPORT_SECONDS` (the timeout of a run) make it longer.
#[tokio::test(flavor = "multi_thread")]
async fn many_hops_with_every_event_twice_and_scattered_end_as_one_run_does() {
    let file = file(number("IMPORT_ROWS", 1_500) as usize);
    let expected = undisturbed(&file).await;
    for (chunk_bytes, least_hops) in [(ONE_RANGE, 3), (file.len() as u64 / 4, 5)] {
        let options = Options {
            timeouts: timeout(Duration::from_secs(number("IMPORT_SECONDS", 3))),
            delivery: Delivery {
                duplicates: 1,
                scatter: Duration::from_secs(1),
            },
            ..Options::default()
        };
        let setting = Setting::start(1, chunk_bytes, options).await;
        // Slow enough that no run can finish.
        let faults = Faults::default().with_latency(Duration::from_millis(100));
        setting.dynamodb.set_faults(faults);
        setting
            .s3
            .set_faults(Faults::default().with_bandwidth(100_000));
        let version_id = setting.drop(KEY, &file).await;
        // A machine that is busy with other things may have let an event fail.
        setting.set_faults(&Faults::default());
        let again = setting.send_failed_again().await;
        assert_eq!(setting.outcome(KEY, &version_id).await, expected);
        let hops = setting.hops().await;
        assert!(hops >= least_hops, "{hops}");
        eprintln!("{hops} hops, {again} events sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_any_size_make_the_same_table() {
    let file = file(number("IMPORT_ROWS", 400) as usize);
    let expected = undisturbed(&file).await;
    for chunk_bytes in [1, 5_000, file.len() as u64 / 3 + 1] {
        let setting = Setting::start(2, chunk_bytes, Options::default()).await;
        let version_id = setting.drop(KEY, &file).await;
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "{chunk_bytes}"
        );
    }
}

/// `IMPORT_KILLS` says how many times it is tried, each with another seed, from `IMPORT_SEED` on.
#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_change_nothing() {
    let file = file(400);
    let expected = undisturbed(&file).await;
    let first = number("IMPORT_SEED", 0);
    let (mut kills, mut again, mut lost) = (0, 0, 0);
    for seed in first..first + number("IMPORT_KILLS", 3) {
        let mut random = StdRng::seed_from_u64(seed);
        let chunk_bytes = [ONE_RANGE, file.len() as u64 / 4][random.random_range(0..2)];
        let delivery = Delivery {
            duplicates: random.random_range(0..2),
            scatter: Duration::from_millis(300),
        };
        let timeouts = timeout(Duration::from_secs(5));
        let setting = Setting::start(
            seed,
            chunk_bytes,
            Options {
                timeouts,
                delivery,
                ..Options::default()
            },
        )
        .await;
        setting.dynamodb.set_faults(
            Faults::default().with_latency(Duration::from_millis(random.random_range(1..200))),
        );
        setting.s3.set_faults(
            Faults::default()
                .with_latency(Duration::from_millis(50))
                .with_bandwidth(400_000),
        );
        let version_id = setting.stack().put(KEY, file.clone()).await.unwrap();
        for _ in 0..random.random_range(1..8) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..700))).await;
            setting.stack().kill_working("ingest");
        }
        kills += setting
            .stack()
            .logs()
            .iter()
            .filter(|line| line.contains("signal: killed"))
            .count();
        setting.stack().at_rest().await;
        lost += setting.stack().list("failed/").len();
        setting.set_faults(&Faults::default());
        again += setting.send_failed_again().await;
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "seed {seed}"
        );
    }
    eprintln!("{kills} runs killed, {lost} events failed for good and {again} sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_passes() {
    let file = file(300);
    let expected = undisturbed(&file).await;
    let none = Faults::default;
    let seed = number("IMPORT_SEED", 11);
    let kinds = [
        ("throttled", none().with(Fault::Throttled, 0.2)),
        ("failed", none().with(Fault::Failed, 0.2)),
        ("reset", none().with(Fault::Reset, 0.2)),
        ("lost", none().with(Fault::Lost, 0.2)),
        (
            "cut",
            none()
                .with(Fault::Cut, 0.2)
                .with_on("GetObject", Fault::Cut, 0.5),
        ),
        ("stalled", none().with(Fault::Stalled, 0.1)),
        ("wrong etag", none().with(Fault::WrongEtag, 0.5)),
        ("statements", none().with_failing_statements(0.3)),
        ("write units", none().with_write_units(60)),
        (
            "slow",
            none()
                .with_bandwidth(300_000)
                .with_latency(Duration::from_millis(100)),
        ),
    ];
    // Most of their time is spent waiting.
    let tries = kinds.map(async |(name, faults)| {
        let setting = Setting::start(seed, file.len() as u64 / 3, Options::default()).await;
        setting.set_faults(&faults);
        let began = std::time::Instant::now();
        let version_id = setting.drop(KEY, &file).await;
        let passed = began.elapsed();
        setting.set_faults(&none());
        let again = setting.send_failed_again().await;
        assert_eq!(setting.outcome(KEY, &version_id).await, expected, "{name}");
        let faults = [&setting.dynamodb, &setting.s3].map(|proxy| {
            let counts = proxy.counts();
            counts
                .values()
                .map(|count| count.faults + count.failed_statements)
                .sum::<u64>()
        });
        assert!(
            name == "slow" || faults.iter().sum::<u64>() > 0,
            "{name}: nothing befell"
        );
        eprintln!("{name}: {passed:?}, faults {faults:?}, events sent again {again}");
    });
    futures::future::join_all(tries).await;
}

/// A file whose every run fails ends in `failed/` after as many runs as Lambda tries. There is no report until the event has
/// been sent again and succeeded.
#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_file_has_no_report_until_it_is_imported() {
    let file = file(200);
    let poisons = [
        ("BatchExecuteStatement", Fault::Throttled),
        ("GetObject", Fault::Failed),
    ];
    // Most of their time is spent waiting.
    let tries = poisons.map(async |(operation, fault)| {
        let setting = Setting::start(3, ONE_RANGE, Options::default()).await;
        let faults = Faults::default().with_on(operation, fault, 1.0);
        setting.set_faults(&faults);
        let version_id = setting.drop(KEY, &file).await;
        let failed = setting.stack().list("failed/");
        assert_eq!(failed.len(), 1, "{operation} {fault:?}");
        let failed = setting.json(&failed[0]).await;
        assert_eq!(failed["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(setting.stack().list("reports/"), [""; 0], "{operation}");
        let last = |line: &String| line.contains("this attempt may be the last");
        let warned = setting
            .stack()
            .logs()
            .iter()
            .filter(|line| last(line))
            .count();
        assert_eq!(warned, 1, "{operation} {fault:?}");
        // Once it has passed, the event can be sent again.
        setting.set_faults(&Faults::default());
        setting.send_failed_again().await;
        assert_eq!(setting.outcome(KEY, &version_id).await.status, "completed");
        assert_eq!(statuses(&setting, &version_id).await, ["completed"]);
    });
    futures::future::join_all(tries).await;
}

/// The statuses of all reports that the bucket has had of the file.
async fn statuses(setting: &Setting, version_id: &str) -> Vec<String> {
    let (client, bucket) = (setting.stack().s3_client(), setting.stack().bucket());
    let key = format!("reports/{KEY}/{version_id}.json");
    let versions = client.list_object_versions().bucket(bucket).prefix(&key);
    let versions = versions.send().await.unwrap();
    let mut statuses = Vec::new();
    for version in versions.versions() {
        let get = client.get_object().bucket(bucket).key(&key);
        let report = get.version_id(version.version_id().unwrap()).send().await;
        let report = report.unwrap().body.collect().await.unwrap().into_bytes();
        let report: Value = serde_json::from_slice(&report).unwrap();
        statuses.push(report["status"].as_str().unwrap().to_owned());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_whose_every_run_is_killed_is_dead_lettered_without_a_report() {
    let setting = Setting::start(4, ONE_RANGE, Options::default()).await;
    setting.dynamodb.set_faults(Faults::default().with_on(
        "BatchExecuteStatement",
        Fault::Stalled,
        1.0,
    ));
    let version_id = setting.stack().put(KEY, file(100)).await.unwrap();
    let mut killed = 0;
    while setting.stack().list("failed/").is_empty() {
        let stalled = || {
            setting
                .dynamodb
                .counts()
                .get("BatchExecuteStatement")
                .map_or(0, |count| count.requests)
        };
        let before = stalled();
        while stalled() == before && setting.stack().list("failed/").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        setting.stack().kill_working("ingest");
        killed += 1;
        assert!(killed < 10, "it goes on and on");
    }
    assert_eq!(setting.stack().list("reports/"), [""; 0]);
    setting.dynamodb.set_faults(Faults::default());
    setting.send_failed_again().await;
    assert_eq!(setting.outcome(KEY, &version_id).await.status, "completed");
    assert_eq!(statuses(&setting, &version_id).await, ["completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_every_failed_object_of_an_event() {
    let setting = Setting::start(7, ONE_RANGE, Options::default()).await;
    let mut event = json!({"Records": []});
    let mut imports = Vec::new();
    for number in 0..3 {
        let key = format!("drop/mixed/crm/{number}.ndjson");
        let version_id = setting.drop(&key, &file(1)).await;
        imports.push(ImportId::new(setting.stack().bucket(), &key, &version_id).to_string());
        let one = s3_event(&setting.app, &key, &version_id, "0F");
        let records = event["Records"].as_array_mut().unwrap();
        records.push(one["Records"][0].clone());
    }
    clear_table(&setting.app).await;
    let faults = Faults::default().with_on("GetObject", Fault::Failed, 1.0);
    setting.s3.set_faults(faults);
    let error = setting.stack().invoke("ingest", event).await.unwrap_err();
    assert!(
        error.to_string().contains("3 of 3 objects failed"),
        "{error}"
    );
    let logs = setting.stack().logs();
    let failed = logs.iter().filter(|line| line.contains("object failed"));
    let failed: Vec<_> = failed.collect();
    for import in imports {
        let own = failed.iter().filter(|line| line.contains(&import));
        assert_eq!(own.count(), 1, "{import}: {failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_records_of_one_event_are_all_seen_to() {
    let options = Options {
        timeouts: timeout(Duration::from_secs(4)),
        ..Options::default()
    };
    let setting = Setting::start(5, ONE_RANGE, options).await;
    let rows = |first: usize| file(100).lines().skip(first).collect::<Vec<_>>().join("\n");
    let mut event = json!({"Records": []});
    let mut reports = Vec::new();
    for number in 0..4 {
        let key = format!("drop/mixed/crm/{number}.ndjson");
        let version_id = setting.drop(&key, &rows(number)).await;
        let again = s3_event(&setting.app, &key, &version_id, "0F");
        event["Records"]
            .as_array_mut()
            .unwrap()
            .push(again["Records"][0].clone());
        reports.push(format!("reports/{key}/{version_id}.json"));
    }
    // As if none had been seen.
    clear_table(&setting.app).await;
    // No run can see to the whole of one.
    setting
        .s3
        .set_faults(Faults::default().with_bandwidth(6_000));
    // As often as Lambda does: what was put at the end was slow too.
    let mut tries = 1;
    while let Err(error) = setting.stack().invoke("ingest", event.clone()).await {
        tries += 1;
        assert!(tries <= 3, "{error}");
    }
    setting.stack().at_rest().await;
    assert!(setting.hops().await >= 8);
    for report in reports {
        let report = setting.json(&report).await;
        assert_eq!(report["status"], "completed", "{report}");
    }
    assert_eq!(setting.stack().list("work/"), [""; 0]);
}

/// A setting in which a run does a part of the file only.
async fn slow(chunk_bytes: u64, environment: &[(&str, &str)]) -> Setting {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options = Options {
        environment: BTreeMap::from([("ingest".to_owned(), environment.collect())]),
        timeouts: timeout(Duration::from_secs(4)),
        ..Options::default()
    };
    let setting = Setting::start(6, chunk_bytes, options).await;
    setting
        .s3
        .set_faults(Faults::default().with_bandwidth(50_000));
    setting
}

/// Waits until a manifest has been put.
async fn first_manifest(setting: &Setting) {
    while !setting.s3.counts().contains_key("PutObject") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_too_far_into_a_file_that_is_read_from_its_start_is_not_read() {
    const FAR: u64 = 33 << 30;
    let setting = Setting::start(1, ONE_RANGE, Options::default()).await;
    let (key, file) = (
        "drop/sms_send/shop/a.csv",
        "link.mobile,action_at,sms_id\n5550001,2026-01-01,1\n",
    );
    let version_id = setting.drop(key, file).await;
    assert_eq!(
        setting.report(key, &version_id).await["status"],
        "completed"
    );
    // As if it had been larger, and the run had come so far.
    let bucket = setting.stack().bucket().to_owned();
    let import = ImportId::new(&bucket, key, &version_id);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = setting.stack().dynamodb_client().update_item();
    update
        .table_name(setting.stack().table())
        .key("PK", text(&keys::import(import)))
        .key("SK", text(&keys::range(0)))
        .update_expression("SET #data.done = :no, #data.#offset = :far")
        .expression_attribute_names("#data", "data")
        .expression_attribute_names("#offset", "offset")
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":far", AttributeValue::N(FAR.to_string()))
        .send()
        .await
        .unwrap();
    setting
        .drop(&format!("work/{import}/0-{FAR}.json"), "{}")
        .await;
    let report = setting.report(key, &version_id).await;
    assert_eq!(
        (
            &report["status"],
            &report["problem"]["type"],
            &report["written"]
        ),
        (
            &json!("rejected"),
            &json!("/problems/file-too-large"),
            &json!(1)
        ),
        "{report}"
    );
    assert_eq!(setting.stack().list("work/"), [""; 0]);
    assert_eq!(setting.stack().list("failed/"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_deleted_half_way_is_a_verdict() {
    let file = file(600);
    for chunk_bytes in [ONE_RANGE, file.len() as u64 / 3] {
        let setting = slow(chunk_bytes, &[]).await;
        let version_id = setting.stack().put(KEY, file.clone()).await.unwrap();
        first_manifest(&setting).await;
        let client = setting.stack().s3_client();
        let delete = client
            .delete_object()
            .bucket(setting.stack().bucket())
            .key(KEY);
        delete.version_id(&version_id).send().await.unwrap();
        setting.stack().at_rest().await;
        let outcome = setting.outcome(KEY, &version_id).await;
        assert_eq!(outcome.status, "failed");
        let report = setting.report(KEY, &version_id).await;
        assert_eq!(report["problem"]["type"], "/problems/object-gone");
        assert!(report["read"].as_u64() < Some(600), "{report}");
        assert_eq!(setting.stack().list("failed/"), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_versions_an_object_that_is_replaced_half_way_is_superseded() {
    // The template's role reads versions only; another owner of the bucket may have taken them off.
    let setting = slow(ONE_RANGE, &[("AWS_ACCESS_KEY_ID", "another")]).await;
    let bucket = setting.stack().bucket().to_owned();
    let client = setting.stack().s3_client();
    // Under versions, and to its end, before the bucket is taken for one without.
    let put = async |rows: usize| {
        let put = client
            .put_object()
            .bucket(&bucket)
            .key(KEY)
            .body(file(rows).into_bytes().into());
        put.send()
            .await
            .unwrap()
            .e_tag
            .unwrap()
            .trim_matches('"')
            .to_owned()
    };
    let etag = put(600).await;
    setting.stack().at_rest().await;
    let mut event = s3_event(&setting.app, KEY, "", "0A");
    event["Records"][0]["s3"]["object"]["eTag"] = json!(etag);
    setting
        .stack()
        .invoke("ingest", event.clone())
        .await
        .unwrap();
    put(1).await;
    setting.stack().at_rest().await;
    let report = setting.json(&format!("reports/{KEY}/{etag}-0A.json")).await;
    assert_eq!(
        (&report["status"], &report["problem"]["type"]),
        (&json!("superseded"), &json!("/problems/object-superseded"))
    );
    assert!(report["read"].as_u64() < Some(600), "{report}");
    // Another event of the version that is no more.
    event["Records"][0]["s3"]["object"]["sequencer"] = json!("0B");
    setting.stack().invoke("ingest", event).await.unwrap();
    let report = setting.json(&format!("reports/{KEY}/{etag}-0B.json")).await;
    assert_eq!(
        (&report["status"], &report["read"]),
        (&json!("superseded"), &json!(0))
    );
    assert_eq!(setting.stack().list("work/"), [""; 0]);
}
