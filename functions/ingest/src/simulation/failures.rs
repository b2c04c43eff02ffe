//! Invocations that fail: the returned error, and the content of the bucket afterwards.

use lambda_runtime::Diagnostic;

use super::{wire::Bucket, *};
use crate::IngestError;

const LONG: Duration = Duration::from_secs(3_600);

/// Creates a world with files of one row each.
fn world(keys: &[&str]) -> (Arc<World>, mpsc::UnboundedReceiver<String>) {
    let row = r#"{"record_type":"customer_record","link":{"email":"u1@fake.com"}}"#;
    let mut bucket = Bucket::default();
    for key in keys {
        bucket.take(key, VERSION, LAST_MODIFIED, row.to_owned());
    }
    World::new(wire::database(), bucket, 0, Deaths::default())
}

async fn invoke(world: &Arc<World>, event: Value) -> Result<(), IngestError> {
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(world), killer, None), ONE_RANGE);
    handle(&app, event, Deadline::at(SystemTime::now() + LONG)).await
}

fn without_length(world: &World, keys: &[&str]) {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    lock(&world.bucket).without_length = keys;
}

#[test]
fn retries_missing_content_length() {
    clock().block_on(async {
        let (world, _events) = world(&[KEY]);
        without_length(&world, &[KEY]);
        let error = invoke(&world, event(KEY, VERSION, "01")).await.unwrap_err();
        assert!(matches!(error, IngestError::S3(_)), "{error}");
        assert_eq!(lock(&world.bucket).keys(""), [""; 0]);
        without_length(&world, &[]);
        invoke(&world, event(KEY, VERSION, "01")).await.unwrap();
        assert_eq!(outcome(&world).report["read"], 1);
    });
}

#[test]
fn returned_error_counts_failed_objects() {
    let keys = [
        "drop/mixed/a.ndjson",
        "drop/mixed/b.ndjson",
        "drop/mixed/c.ndjson",
    ];
    let mut all = event(keys[0], VERSION, "01");
    for key in &keys[1..] {
        let record = event(key, VERSION, "01")["Records"][0].take();
        all["Records"].as_array_mut().unwrap().push(record);
    }
    clock().block_on(async {
        for failed in [&keys[..1], &keys[1..]] {
            let (world, _events) = world(&keys);
            without_length(&world, failed);
            let error = invoke(&world, all.clone()).await.unwrap_err();
            let IngestError::Objects {
                failed: counted,
                objects,
                ..
            } = error
            else {
                panic!("{error}")
            };
            assert_eq!((counted, objects), (failed.len(), 3));
            assert_eq!(Diagnostic::from(error).error_type, "S3");
            assert_eq!(lock(&world.bucket).keys("reports/").len(), 3 - failed.len());
        }
    });
}

/// No failure, however long it lasts, puts a report before the import is over.
#[test]
fn puts_no_report_before_the_import_is_over() {
    for is_opened in [false, true] {
        clock().block_on(async {
            let (world, mut events) = world(&[KEY]);
            if is_opened {
                let throttled =
                    json!({"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"});
                *lock(&world.tamper) = Some(Box::new(move |operation, _, answer| {
                    if operation == "BatchExecuteStatement" {
                        *answer = (400, throttled.clone());
                    }
                }));
            } else {
                without_length(&world, &[KEY]);
            }
            // All of Lambda's attempts, and the same number again after the event is sent again.
            for attempt in 0..2 * (1 + BACKOFF.len()) {
                let error = invoke(&world, event(KEY, VERSION, "01")).await;
                assert!(error.is_err(), "attempt {attempt}");
                assert_eq!(lock(&world.bucket).keys(""), [""; 0], "attempt {attempt}");
            }
            *lock(&world.tamper) = None;
            without_length(&world, &[]);
            invoke(&world, event(KEY, VERSION, "01")).await.unwrap();
            assert!(events.try_recv().is_err());
            assert_eq!(outcome(&world).report["status"], "completed");
        });
    }
}
