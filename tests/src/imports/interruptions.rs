//! Continuations, ranges and kills.

use std::time::Duration;

use local::{Delivery, Options};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tests::faults::Faults;

use crate::support::{
    environment::env_number,
    faults::{FaultyApp, KEY, ONE_RANGE, import_without_faults, ingest_timeout},
    files::mixed_rows,
};

/// `IMPORT_ROWS` and `IMPORT_SECONDS` (the timeout of an invocation) scale it.
#[tokio::test(flavor = "multi_thread")]
async fn continuations_change_nothing() {
    let file = mixed_rows(env_number("IMPORT_ROWS", 1_500) as usize);
    let expected = import_without_faults(&file).await;
    for (chunk_bytes, least_invocations) in [(ONE_RANGE, 3), (file.len() as u64 / 4, 5)] {
        let options = Options {
            timeouts: ingest_timeout(Duration::from_secs(env_number("IMPORT_SECONDS", 3))),
            delivery: Delivery {
                duplicates: 1,
                scatter: Duration::from_secs(1),
            },
            ..Options::default()
        };
        let setting = FaultyApp::start(1, chunk_bytes, options).await;
        // Slow enough that no invocation can finish the file.
        let faults = Faults::default().with_latency(Duration::from_millis(100));
        setting.dynamodb.set_faults(faults);
        setting
            .s3
            .set_faults(Faults::default().with_bandwidth(100_000));
        let version_id = setting.drop(KEY, &file).await;
        // On a busy machine, an event may have failed.
        setting.set_faults(&Faults::default());
        let again = setting.app.redrive().await;
        assert_eq!(setting.outcome(KEY, &version_id).await, expected);
        let invocations = setting.invocations().await;
        assert!(invocations >= least_invocations, "{invocations}");
        eprintln!("{invocations} invocations, {again} events sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_change_nothing() {
    let file = mixed_rows(env_number("IMPORT_ROWS", 400) as usize);
    let expected = import_without_faults(&file).await;
    for chunk_bytes in [1, 5_000, file.len() as u64 / 3 + 1] {
        let setting = FaultyApp::start(2, chunk_bytes, Options::default()).await;
        let version_id = setting.drop(KEY, &file).await;
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "{chunk_bytes}"
        );
    }
}

/// `IMPORT_KILLS` is the number of rounds, each with its own seed, starting at `IMPORT_SEED`.
#[tokio::test(flavor = "multi_thread")]
async fn random_kills_change_nothing() {
    let file = mixed_rows(400);
    let expected = import_without_faults(&file).await;
    let first = env_number("IMPORT_SEED", 0);
    let (mut kills, mut again, mut lost) = (0, 0, 0);
    for seed in first..first + env_number("IMPORT_KILLS", 3) {
        let mut random = StdRng::seed_from_u64(seed);
        let chunk_bytes = [ONE_RANGE, file.len() as u64 / 4][random.random_range(0..2)];
        let delivery = Delivery {
            duplicates: random.random_range(0..2),
            scatter: Duration::from_millis(300),
        };
        let timeouts = ingest_timeout(Duration::from_secs(5));
        let setting = FaultyApp::start(
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
        setting.stack().wait_idle().await;
        lost += setting.stack().list("failed/").len();
        setting.set_faults(&Faults::default());
        again += setting.app.redrive().await;
        assert_eq!(
            setting.outcome(KEY, &version_id).await,
            expected,
            "seed {seed}"
        );
    }
    eprintln!("{kills} invocations killed, {lost} events dead-lettered, {again} sent again");
}
