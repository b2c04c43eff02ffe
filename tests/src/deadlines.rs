//! Deadlines, with the real binary: whatever time a run has, it stores how far it is or fails, and at most one batch is done
//! again. The finer steps are in ingest's own tests, on a clock that can be stopped.

use std::{collections::BTreeMap, time::Duration};

use local::Options;
use tests::faults::Faults;

use crate::support::{
    environment::env_number,
    faults::{FaultyApp, import_without_faults},
    files::mixed_rows,
};

const KEY: &str = "drop/mixed/crm/file.ndjson";
/// DynamoDB's limit of statements in a request, which is ingest's batch.
const BATCH: u64 = 25;

/// `DEADLINE_STEP` is the step between deadlines, in milliseconds, from one that is past when the run begins.
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
        let setting = FaultyApp::start(0, 1 << 40, Options::default()).await;
        setting.drop(KEY, &file).await;
        statements(&setting)
    };
    let (mut ended, mut failed) = (0, 0);
    for time in (900..=4_500).step_by(env_number("DEADLINE_STEP", 1_200) as usize) {
        let options = Options {
            timeouts: BTreeMap::from([("ingest".to_owned(), Duration::from_millis(time))]),
            ..Options::default()
        };
        let setting = FaultyApp::start(0, 1 << 40, options).await;
        let slow = Faults::default().with_bandwidth(40_000);
        setting.s3.set_faults(slow);
        let version_id = setting.drop(KEY, &file).await;
        if !setting.app.stack.list("failed/").is_empty() {
            // No try had the time for a row. Nothing is lost: the event is there, and can be sent again.
            failed += 1;
            setting.s3.set_faults(Faults::default());
            if time <= 1_000 {
                // There never is the time for a row, so no attempt can succeed. Nothing reports a failure before one does.
                assert_eq!(setting.app.stack.list("reports/"), [""; 0], "{time} ms");
                continue;
            }
            setting.redrive().await;
        } else {
            ended += 1;
        }
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "{time} ms"
        );
        let hops = setting.invocations().await;
        let again = statements(&setting) - once;
        // Rows that replace one another are told apart within a run, and written by each that has one of them.
        eprintln!("{time} ms: {hops} runs, {again} statements more");
        assert!(again <= BATCH * hops, "{time} ms: {again} in {hops} runs");
    }
    assert!(ended > 0 && failed > 0, "{ended} {failed}");
}
