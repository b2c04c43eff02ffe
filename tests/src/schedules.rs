//! Random schedules with the real binaries: versions are overwritten and deleted, events come twice and late, customers are
//! erased, invocations are killed. The profiles match a small model. Ingest's own tests compare the same model with 100,000
//! schedules in process.

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt as _;
use local::{Delivery, Options};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use shared::model::{
    identifier::Identifier,
    identity::{IdentityId, IdentityKey},
    time::Instant,
};
use tests::model;

use crate::support::{app::TestApp, environment::env_number};

/// The maximum delay in milliseconds of an event and of a deletion.
const SPREAD: u64 = 400;

/// Runs the schedule of a seed.
async fn play(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let drops = model::drops(&mut random);
    let options = Options {
        delivery: Delivery {
            duplicates: 1,
            scatter: Duration::from_millis(SPREAD),
        },
        ..Options::default()
    };
    let app = TestApp::start_with(options).await;
    let now = jiff::Timestamp::now().as_second();
    let moment = |seconds| Instant::from_seconds(now + seconds).unwrap().to_string();
    let (past, future) = (moment(-86_400), moment(3_600));
    // A killed invocation of a deleted version would leave it partly imported.
    let kill = !drops.iter().any(|drop| drop.deleted) && random.random_bool(0.5);
    let mut versions = Vec::new();
    for (place, drop) in drops.iter().enumerate() {
        // A file whose event is lost is never put.
        if drop.copies == 0 {
            continue;
        }
        let key = format!("drop/mixed/crm/{}.ndjson", drop.key);
        let file = drop.file(place, &past, &future);
        let version = app.stack.put(&key, file).await.unwrap();
        versions.push((place, key, version));
    }
    let test_event = json!({"Event": "s3:TestEvent", "Bucket": app.stack.bucket()});
    let client = app.stack.s3_client();
    for (place, key, version) in &versions {
        let pause = Duration::from_millis(random.random_range(0..SPREAD / 2));
        tokio::time::sleep(pause).await;
        if drops[*place].deleted {
            let delete = client.delete_object().bucket(app.stack.bucket());
            let delete = delete.key(key).version_id(version);
            delete.send().await.unwrap();
        } else if kill {
            app.stack.kill_working("ingest");
        }
    }
    // A kill may hit this invocation, which is retried as Lambda does.
    let mut tries = 0;
    while let Err(error) = app.stack.invoke("ingest", test_event.clone()).await {
        tries += 1;
        assert!(tries < 3, "seed {seed}: {error}");
    }
    app.stack.wait_idle().await;
    assert_eq!(app.stack.list("failed/"), [""; 0], "seed {seed}");

    let mut imported = BTreeSet::new();
    for (place, key, version) in &versions {
        let report = app.object(&format!("reports/{key}/{version}.json")).await;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        if report["status"] == "completed" {
            imported.insert(*place);
            continue;
        }
        assert!(drops[*place].deleted, "seed {seed}: {report}");
        assert_eq!(report["problem"]["type"], "/problems/object-gone");
        assert_eq!(report["read"], 0, "seed {seed}: {report}");
    }
    let customers = 0..model::CUSTOMERS;
    let ids: Vec<_> = customers
        .map(|customer| id(&app, customer).to_string())
        .collect();
    let mut shown = Vec::new();
    for id in &ids {
        let (status, document) = app.get(&format!("/profiles/{id}")).await;
        assert!(status == 200 || status == 404, "{document}");
        shown.push((status == 200).then(|| model::shown(&document, &past, &ids)));
    }
    let expected = model::profiles(&drops, &imported, None);
    assert_eq!(shown, expected, "seed {seed}, {imported:?} of {drops:#?}");
}

fn id(app: &TestApp, customer: u8) -> IdentityId {
    let link = json!({"mobile": model::mobile(customer)});
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    let key = IdentityKey::new(app.stack.identity_key()).unwrap();
    key.identity(&identifier)
}

/// Runs `SCHEDULES` seeds from `SCHEDULE_SEED` on, two at a time.
#[tokio::test(flavor = "multi_thread")]
async fn profiles_match_model() {
    let (first, count) = (env_number("SCHEDULE_SEED", 0), env_number("SCHEDULES", 5));
    let began = std::time::Instant::now();
    let all = futures::stream::iter(first..first + count).map(async |seed| {
        play(seed).await;
        if (seed - first) % 20 == 19 {
            eprintln!("{} schedules, {:?}", seed - first + 1, began.elapsed());
        }
    });
    all.buffer_unordered(2).collect::<Vec<()>>().await;
    eprintln!("{count} schedules, {:?}", began.elapsed());
}
