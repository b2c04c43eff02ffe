//! Deadlines: wherever one falls, a run has stored how far it is or says that it has come no further, and the next one
//! does at most one batch again.

use super::*;

/// How a run's first try ended, whose deadline is so long from its beginning.
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
            let progress = crate::import::plan::Progress::from_map(progress);
            assert!(progress.done || progress.offset > 0, "{time:?}");
            // Where it goes on stands in a manifest, unless it is over.
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
                        |(_, progress)| crate::import::plan::Progress::from_map(progress).offset
                            == 0
                    ),
                "{time:?}"
            );
            false
        }
        Err(error) => panic!("{time:?}: {error}"),
    }
}

fn import_id() -> shared::version::ImportId {
    shared::version::ImportId::new("b", KEY, VERSION)
}

#[test]
fn at_every_tenth_of_a_second_a_run_notes_how_far_it_is_or_fails() {
    let expected = expected();
    let batch = shared::table::BATCH_SIZE;
    let undisturbed = clock().block_on(async {
        let (world, _events) = World::with_file(3, Deaths::default());
        assert!(first_try(Duration::from_secs(600), &world).await);
        world.inserts.load(Ordering::Relaxed)
    });
    let (mut checkpoints, mut failures, mut most_again) = (0, 0, 0);
    // 0 is already past, and so is all of the second that a run keeps for its end.
    for tenths in 0..=120 {
        clock().block_on(async {
            let (world, mut events) = World::with_file(3, Deaths::default());
            let time = Duration::from_millis(100 * tenths);
            match first_try(time, &world).await {
                true => checkpoints += 1,
                false => failures += 1,
            }
            // From here on nothing is short of time.
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

/// Where every run has as little time, it takes many. (The largest row takes two seconds and a half to come, now and
/// then less; without that time no run is of use.)
#[test]
fn an_import_ends_however_short_its_runs_are() {
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
