//! Tests a byte range with more rejected rows than are kept. However its invocations are cut, the same rows are kept.

use super::*;
use crate::report::rejects::MAX_REJECTS;

/// The number of wrong rows that are not kept.
const MORE: u64 = 1_000;

/// A file of wrong rows.
const WRONG: Dropped = Dropped {
    key: KEY,
    bytes: || b"x\n".repeat((MAX_REJECTS + MORE) as usize),
};

/// Imports the file with invocations that last at most this long. Returns the outcome and the number of invocations.
fn import(time: Duration) -> (Outcome, usize) {
    clock().block_on(async {
        let (world, mut events) = World::with(WRONG, 4, Deaths::default());
        let mut runs = 0;
        while let Ok(key) = events.try_recv() {
            loop {
                runs += 1;
                assert!(runs < 1_000, "{time:?}");
                let (killer, _killed) = tokio::sync::oneshot::channel();
                let app = app(Wire::new(Arc::clone(&world), killer, None), ONE_RANGE);
                let deadline = Deadline::at(SystemTime::now() + time);
                match handle(&app, event(&key, VERSION, "01"), deadline).await {
                    Ok(()) => break,
                    Err(crate::IngestError::NoProgress) => {}
                    Err(error) => panic!("{time:?}: {error}"),
                }
            }
        }
        (outcome(&world), runs)
    })
}

#[test]
fn keeps_the_same_rejects_in_any_number_of_invocations() {
    let (expected, runs) = import(Duration::from_secs(3_600));
    assert_eq!(runs, 1);
    assert_eq!(expected.report["rejected"], MAX_REJECTS + MORE);
    assert_eq!(expected.report["rejects_omitted"], MORE);
    assert_eq!(expected.rejects.len() as u64, MAX_REJECTS);
    let mut most_runs = 0;
    for tenths in [30, 38, 50] {
        let (found, runs) = import(Duration::from_millis(100 * tenths));
        assert!(found == expected, "{tenths}");
        most_runs = most_runs.max(runs);
    }
    assert!(most_runs > 2, "{most_runs}");
}
