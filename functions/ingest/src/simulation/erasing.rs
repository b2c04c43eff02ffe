//! Forget rows for an identity with more items than one invocation can delete, and with a table that refuses deletions.

use shared::model::{
    identifier::Identifier,
    identity::{IdentityId, IdentityKey},
};

use super::{wire::Bucket, *};
use crate::IngestError;

const EVENTS: &str = "drop/email_open/crm/a.ndjson";
const FORGET: &str = "drop/forget/privacy/f.ndjson";
const LONG: Duration = Duration::from_secs(3_600);

/// Creates a world with a file of `events` events of one customer, which is imported, and a file that erases the customer.
async fn world(events: usize) -> Arc<World> {
    let link = json!({"mobile": "5550001"});
    let row = |number: usize| json!({"link": link, "action_at": "2026-01-01T00:00:00Z", "email_id": number.to_string()});
    let rows: String = (0..events)
        .map(|number| format!("{}\n", row(number)))
        .collect();
    let mut bucket = Bucket::default();
    bucket.take(EVENTS, VERSION, LAST_MODIFIED, rows);
    let later = "Sat, 31 Oct 2026 00:00:01 GMT";
    bucket.take(FORGET, VERSION, later, json!({"link": link}).to_string());
    let (world, _events) = World::new(wire::database(), bucket, 0, Deaths::default());
    invoke(&world, EVENTS, LONG).await.unwrap();
    assert_eq!(events_of(&world), events);
    world
}

async fn invoke(world: &Arc<World>, key: &str, time: Duration) -> Result<(), IngestError> {
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(world), killer, None), ONE_RANGE);
    let deadline = Deadline::at(SystemTime::now() + time);
    handle(&app, event(key, VERSION, "01"), deadline).await
}

fn customer() -> IdentityId {
    let link = json!({"mobile": "5550001"});
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    IdentityKey::new("simulation")
        .unwrap()
        .identity(&identifier)
}

/// Returns how many events of the customer the table contains.
fn events_of(world: &World) -> usize {
    let id = customer();
    let keys = wire::items(&world.database).into_keys();
    keys.filter(|key| key.contains(id.as_str()) && key.contains("event#"))
        .count()
}

#[test]
fn forget_row_stops_at_deadline_and_continues() {
    clock().block_on(async {
        let world = world(2_000).await;
        let (mut invocations, mut left) = (1, 2_000);
        while let Err(error) = invoke(&world, FORGET, TIMEOUT).await {
            assert!(matches!(error, IngestError::NoProgress), "{error}");
            let now = events_of(&world);
            assert!(now < left, "invocation {invocations} deleted nothing");
            (left, invocations) = (now, invocations + 1);
        }
        assert!(invocations > 1);
        assert_eq!(events_of(&world), 0);
        let bucket = lock(&world.bucket);
        let report = bucket.get(&format!("reports/{FORGET}/{VERSION}.json"));
        let report: Value = serde_json::from_slice(&report.expect("a report")).unwrap();
        assert_eq!(
            (&report["status"], &report["read"], &report["written"]),
            (&json!("completed"), &json!(1), &json!(1)),
        );
        let version = shared::model::version::ImportId::new("b", FORGET, VERSION);
        let journal = format!("erasures/{version}/0-0-0.ndjson");
        assert_eq!(bucket.keys("erasures/"), [journal.as_str()]);
        let id = customer();
        let entry = json!({"record_type": "forget", "identity_ids": [id.as_str()], "erased_at": "2026-10-31T00:00:01Z"});
        let found: Value = serde_json::from_slice(&bucket.get(&journal).unwrap()).unwrap();
        assert_eq!(found, entry);
    });
}

#[test]
fn reports_refused_deletion() {
    clock().block_on(async {
        let world = world(10).await;
        *lock(&world.tamper) = Some(Box::new(|operation, request, answer| {
            if operation == "BatchExecuteStatement" && request.to_string().contains("DELETE") {
                let refused = json!({"Error": {"Code": "ValidationError", "Message": "not today"}});
                answer.1["Responses"] = json!(vec![refused; 10]);
            }
        }));
        let before = world.requests.load(Ordering::Relaxed);
        let error = invoke(&world, FORGET, LONG).await.unwrap_err();
        let table = matches!(
            error,
            IngestError::Table(shared::table::TableError::Refused(_))
        );
        assert!(table, "{error}");
        // A permanent refusal is not retried.
        let requests = world.requests.load(Ordering::Relaxed) - before;
        assert!(requests < 60, "{requests} requests");
        assert_eq!(
            lock(&world.bucket).keys(&format!("reports/{FORGET}")),
            [""; 0]
        );
        *lock(&world.tamper) = None;
        invoke(&world, FORGET, LONG).await.unwrap();
        assert_eq!(events_of(&world), 0);
    });
}
