//! Deadlines with the real binary: an invocation saves its progress or fails, and at most one batch is repeated. Ingest's own
//! tests cover finer steps on a simulated clock.

use std::time::Duration;

use local::Options;
use tests::faults::Faults;

use crate::support::{
    environment::env_number,
    faults::{FaultyApp, KEY, ONE_RANGE, import_without_faults, ingest_timeout},
    files::mixed_rows,
};

/// DynamoDB's limit of statements in a request, which is the size of ingest's batches.
const BATCH: u64 = 25;

/// `DEADLINE_STEP` is the step between deadlines in milliseconds. The first deadline has passed when the invocation starts.
#[tokio::test(flavor = "multi_thread")]
async fn repeats_at_most_one_batch() {
    let rows = 400;
    let file = mixed_rows(rows);
    let expected = import_without_faults(&file).await;
    let statements = |setting: &FaultyApp| {
        let counts = setting.dynamodb.counts();
        counts["BatchExecuteStatement"].statements
    };
    let once = {
        let setting = FaultyApp::start(0, ONE_RANGE, Options::default()).await;
        setting.drop(KEY, &file).await;
        statements(&setting)
    };
    let (mut ended, mut failed) = (0, 0);
    for time in (900..=4_500).step_by(env_number("DEADLINE_STEP", 1_200) as usize) {
        let options = Options {
            timeouts: ingest_timeout(Duration::from_millis(time)),
            ..Options::default()
        };
        let setting = FaultyApp::start(0, ONE_RANGE, options).await;
        let slow = Faults::default().with_bandwidth(40_000);
        setting.s3.set_faults(slow);
        let version_id = setting.drop(KEY, &file).await;
        if !setting.app.stack.list("failed/").is_empty() {
            // No attempt had time for a row. The event is dead-lettered and can be sent again.
            failed += 1;
            setting.s3.set_faults(Faults::default());
            if time <= 1_000 {
                // No attempt can succeed, so there is no report.
                assert_eq!(setting.app.stack.list("reports/"), [""; 0], "{time} ms");
                continue;
            }
            setting.app.redrive().await;
        } else {
            ended += 1;
        }
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "{time} ms"
        );
        let invocations = setting.invocations().await;
        let again = statements(&setting) - once;
        // Rows of one key are merged within an invocation, so each invocation may write one of them.
        eprintln!("{time} ms: {invocations} invocations, {again} more statements");
        assert!(
            again <= BATCH * invocations,
            "{time} ms: {again} in {invocations} invocations"
        );
    }
    assert!(ended > 0 && failed > 0, "{ended} {failed}");
}
