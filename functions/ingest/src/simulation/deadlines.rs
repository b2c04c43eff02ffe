//! Tests every deadline. An invocation saves its progress or returns an error that there was none. The next one repeats at most
//! one batch.

use super::*;

/// Makes the first attempt, with a deadline this long after its start. Returns whether it made progress.
async fn first_try(time: Duration, world: &Arc<World>) -> bool {
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(world), killer, None), ONE_RANGE);
    let outcome = handle(
        &app,
        event(KEY, VERSION, "01"),
        Deadline::at(SystemTime::now() + time),
    )
    .await;
    let stored = app.table.import(import_id()).await.unwrap().ranges;
    match outcome {
        Ok(()) => {
            let (_, progress) = &stored[0];
            let progress = crate::import::plan::Progress::from_map(progress).unwrap();
            assert!(progress.done || progress.offset > 0, "{time:?}");
            // Unless the range is done, a manifest contains the offset at which it continues.
            assert_eq!(
                lock(&world.bucket).keys("work/").len(),
                usize::from(!progress.done)
            );
            true
        }
        Err(crate::IngestError::NoProgress) => {
            assert!(
                stored
                    .iter()
                    .all(
                        |(_, progress)| crate::import::plan::Progress::from_map(progress)
                            .unwrap()
                            .offset
                            == 0
                    ),
                "{time:?}"
            );
            false
        }
        Err(error) => panic!("{time:?}: {error}"),
    }
}

fn import_id() -> shared::model::version::ImportId {
    shared::model::version::ImportId::new("b", KEY, VERSION)
}

#[test]
fn saves_progress_or_fails_at_every_deadline() {
    let expected = expected();
    let batch = shared::table::BATCH_SIZE;
    let undisturbed = clock().block_on(async {
        let (world, _events) = World::with_file(3, Deaths::default());
        assert!(first_try(Duration::from_secs(600), &world).await);
        world.inserts.load(Ordering::Relaxed)
    });
    let (mut checkpoints, mut failures, mut most_again) = (0, 0, 0);
    // At 0, the deadline has passed. It also has while the time is at most the second that an invocation reserves for its end.
    for tenths in 0..=120 {
        clock().block_on(async {
            let (world, mut events) = World::with_file(3, Deaths::default());
            let time = Duration::from_millis(100 * tenths);
            match first_try(time, &world).await {
                true => checkpoints += 1,
                false => failures += 1,
            }
            // From here on, every invocation has enough time.
            let event_of_drop = events.try_recv().unwrap();
            let mut keys = vec![event_of_drop];
            while let Some(key) = keys.pop() {
                let (killer, _killed) = tokio::sync::oneshot::channel();
                let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
                let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(600));
                handle(&app, event(&key, VERSION, "01"), deadline)
                    .await
                    .unwrap();
                keys.extend(std::iter::from_fn(|| events.try_recv().ok()));
            }
            assert_eq!(outcome(&world), expected, "{time:?}");
            let again = world
                .inserts
                .load(Ordering::Relaxed)
                .saturating_sub(undisturbed);
            assert!(again <= batch, "{time:?}: {again} items were written again");
            most_again = most_again.max(again);
        });
    }
    assert!(
        checkpoints > 60 && failures > 10,
        "{checkpoints} {failures}"
    );
    eprintln!(
        "{checkpoints} checkpoints, {failures} without progress, at most {most_again} items again"
    );
}

/// With little time for each invocation, an import takes many of them. The largest row takes up to about 2.5 seconds to arrive;
/// with less time than that, no invocation makes progress.
#[test]
fn completes_with_short_invocations() {
    let expected = expected();
    let mut most_runs = 0;
    for tenths in [38, 42, 50, 80] {
        clock().block_on(async {
            let (world, mut events) = World::with_file(4, Deaths::default());
            let time = Duration::from_millis(100 * tenths);
            let mut runs = 0;
            while let Ok(key) = events.try_recv() {
                let mut tries = 0;
                loop {
                    runs += 1;
                    tries += 1;
                    let (killer, _killed) = tokio::sync::oneshot::channel();
                    let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
                    let deadline = Deadline::at(SystemTime::now() + time);
                    match handle(&app, event(&key, VERSION, "01"), deadline).await {
                        Ok(()) => break,
                        Err(crate::IngestError::NoProgress) => assert!(tries < 100, "{time:?}"),
                        Err(error) => panic!("{time:?}: {error}"),
                    }
                }
            }
            assert_eq!(outcome(&world), expected, "{time:?}");
            most_runs = most_runs.max(runs);
        });
    }
    assert!(most_runs > 1, "{most_runs}");
}
