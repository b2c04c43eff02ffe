//! Tests a byte range with more rejected rows than are kept. However its invocations are cut, the same rows are kept.

use super::*;
use crate::report::rejects::{MAX_RANGE_BYTES, MAX_REJECTS};

/// The number of wrong rows that are not kept.
const MORE: u64 = 1_000;

/// A file of wrong rows.
const WRONG: Dropped = Dropped {
    key: KEY,
    bytes: || b"x\n".repeat((MAX_REJECTS + MORE) as usize),
};

/// The size of a long row, in bytes. Rejects contain six characters for each control character.
const LONG_ROW_BYTES: usize = 64 << 10;

/// The number of long rows, of which only some are kept.
const LONG_ROWS: u64 = 180;

/// A file of long wrong rows.
const LONG: Dropped = Dropped {
    key: KEY,
    bytes: || {
        let row = [&[0x1F; LONG_ROW_BYTES][..], b"\n"].concat();
        row.repeat(LONG_ROWS as usize)
    },
};

/// Imports a file with invocations that last at most this long. Returns the outcome and the number of invocations.
fn import(file: Dropped, time: Duration) -> (Outcome, usize) {
    clock().block_on(async {
        let (world, mut events) = World::with(file, 4, Deaths::default());
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
    let (expected, runs) = import(WRONG, Duration::from_secs(3_600));
    assert_eq!(runs, 1);
    assert_eq!(expected.report["rejected"], MAX_REJECTS + MORE);
    assert_eq!(expected.report["rejects_omitted"], MORE);
    assert_eq!(expected.rejects.len() as u64, MAX_REJECTS);
    let mut most_runs = 0;
    for tenths in [30, 38, 50] {
        let (found, runs) = import(WRONG, Duration::from_millis(100 * tenths));
        assert!(found == expected, "{tenths}");
        most_runs = most_runs.max(runs);
    }
    assert!(most_runs > 2, "{most_runs}");
}

#[test]
fn keeps_the_same_long_rejects_in_any_number_of_invocations() {
    let (expected, runs) = import(LONG, Duration::from_secs(36_000));
    assert_eq!(runs, 1);
    let kept = expected.rejects.len() as u64;
    assert_eq!(expected.report["rejected"], LONG_ROWS);
    assert_eq!(expected.report["rejects_omitted"], LONG_ROWS - kept);
    assert_eq!(kept, MAX_RANGE_BYTES.div_ceil(6 * LONG_ROW_BYTES as u64));
    let (found, runs) = import(LONG, Duration::from_secs(1_000));
    assert!(found == expected);
    assert!(runs > 2, "{runs}");
}
