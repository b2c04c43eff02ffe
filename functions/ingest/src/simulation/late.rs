//! A late invocation: it stores rows that it read before their customer was erased, and dies. Another invocation has finished the
//! import, and the erasure has already read the table. The retry has to delete these rows.

use shared::model::{
    identifier::Identifier,
    identity::{IdentityId, IdentityKey},
};

use super::*;

const FORGET: &str = "drop/forget/privacy/f.ndjson";

/// Handles one event. Returns `false` if the invocation died at the gate.
async fn run(
    world: &Arc<World>,
    chunk_bytes: u64,
    key: &str,
    version: &str,
    gate: Option<&Arc<Gate>>,
) -> bool {
    let (killer, killed) = tokio::sync::oneshot::channel();
    let app = app(
        Wire::new(Arc::clone(world), killer, gate.cloned()),
        chunk_bytes,
    );
    let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3_600));
    tokio::select! {
        biased;
        _ = killed => false,
        outcome = handle(&app, event(key, version, "01"), deadline) => { outcome.unwrap(); true }
    }
}

/// Returns the keys of an identity's items, except its markers.
fn items(world: &World, id: &IdentityId) -> Vec<String> {
    let all = wire::items(&world.database).into_keys();
    let own = all.filter(|key| key.contains(id.as_str()) && !key.starts_with("\"erased#"));
    own.filter(|key| !key.contains("profile#marker#erased"))
        .collect()
}

/// The event of the late invocation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LateEvent {
    /// That of the dropped object.
    Drop,
    /// That of the first manifest.
    Manifest,
}

/// Runs the late invocation, the erasure and the retry, and checks that no item of the erased identity is left.
fn purges_late_writes(chunk_bytes: u64, late: LateEvent) {
    let link = json!({"mobile": "5550001"});
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    let id = IdentityKey::new("simulation")
        .unwrap()
        .identity(&identifier);
    clock().block_on(async {
        let (world, mut events) = World::with_file(0, Deaths::default());
        lock(&world.bucket).take(
            FORGET,
            "f1",
            "Sat, 31 Oct 2026 00:00:01 GMT",
            json!({"link": link}).to_string(),
        );
        let mut key = events.try_recv().unwrap();
        if late == LateEvent::Manifest {
            assert!(run(&world, chunk_bytes, &key, VERSION, None).await);
            key = events.try_recv().unwrap();
        }
        let gate = Arc::new(Gate {
            operation: "BatchExecuteStatement",
            reached: Notify::new(),
            open: Notify::new(),
        });
        let late = run(&world, chunk_bytes, &key, VERSION, Some(&gate));
        let others = async {
            gate.reached.notified().await;
            assert!(run(&world, chunk_bytes, &key, VERSION, None).await);
            assert!(!items(&world, &id).is_empty());
            assert!(run(&world, ONE_RANGE, FORGET, "f1", None).await);
            assert!(items(&world, &id).is_empty(), "{:?}", items(&world, &id));
            gate.open.notify_one();
        };
        let (lived, ()) = futures::future::join(late, others).await;
        assert!(!lived);
        assert!(
            !items(&world, &id).is_empty(),
            "the late run stored some of it"
        );
        // Lambda's retry.
        assert!(run(&world, chunk_bytes, &key, VERSION, None).await);
        assert!(items(&world, &id).is_empty(), "{:?}", items(&world, &id));
    });
}

#[test]
fn retry_of_drop_purges_late_writes() {
    purges_late_writes(ONE_RANGE, LateEvent::Drop);
}

#[test]
fn retry_of_manifest_purges_late_writes() {
    // The object has two ranges: the first invocation imports one of them, and a manifest represents the other.
    purges_late_writes(file().len() as u64 / 2 + 1, LateEvent::Manifest);
}
