//! Random schedules: lost, duplicate and reordered events, versions that are overwritten and deleted, and erased customers. The
//! resulting profiles must be those of a small model.

use tests::model::{self, Drop};

use shared::{
    model::{
        identifier::Identifier,
        identity::{IdentityId, IdentityKey},
        time::Instant,
    },
    profile::{Sections, View},
    table::{Consistency, reader},
};

use super::*;

const PAST: &str = "2026-10-30T00:00:00Z";
const FUTURE: &str = "2026-11-01T00:00:00Z";
/// All events and deletions occur within this many milliseconds.
const SPREAD: u64 = 6_000;
/// Longer than any invocation here takes.
const LONG: Duration = Duration::from_secs(60 * 60);

/// A table, a bucket with the files, and a process of ingest.
pub(super) struct Stage {
    world: Arc<World>,
    manifests: mpsc::UnboundedReceiver<String>,
    app: Arc<App>,
    drops: Vec<Drop>,
}

impl Stage {
    pub(super) fn new(drops: Vec<Drop>, seed: u64, chunk_bytes: u64) -> Self {
        let mut bucket = Bucket::default();
        for (place, drop) in drops.iter().enumerate() {
            // Each second has two versions, whose order the sequencer decides.
            let last_modified = format!("Sat, 31 Oct 2026 00:00:{:02} GMT", place / 2);
            let file = drop.file(place, PAST, FUTURE);
            bucket.take(&key(drop), &version(place), &last_modified, file);
        }
        let (world, manifests) = World::new(wire::database(), bucket, seed, Deaths::default());
        let (killer, _) = tokio::sync::oneshot::channel();
        let app = app(Wire::new(Arc::clone(&world), killer, None), chunk_bytes);
        Self {
            world,
            manifests,
            app: Arc::new(app),
            drops,
        }
    }

    /// Returns the event of a drop.
    fn event(&self, place: usize) -> Value {
        event(
            &key(&self.drops[place]),
            &version(place),
            &format!("{place:02X}"),
        )
    }

    pub(super) async fn deliver(&self, place: usize) {
        handle(&self.app, self.event(place), within(LONG))
            .await
            .unwrap();
    }

    /// Fails if a report does not match whether its file was read.
    fn check_reports(&self, imported: &BTreeSet<usize>, what: &dyn std::fmt::Debug) {
        let bucket = lock(&self.world.bucket);
        for (place, drop) in self.drops.iter().enumerate() {
            let report = format!("reports/{}/{}.json", key(drop), version(place));
            let Some(report) = bucket.get(&report) else {
                assert!(
                    !imported.contains(&place),
                    "{what:?}: {place} has no report"
                );
                continue;
            };
            let report: Value = serde_json::from_slice(&report).unwrap();
            let (status, rows) = if imported.contains(&place) {
                ("completed", drop.rows.len())
            } else {
                ("failed", 0)
            };
            assert_eq!(
                (&report["status"], &report["read"]),
                (&json!(status), &json!(rows)),
                "{what:?}: {place} of {:#?}",
                self.drops
            );
        }
    }

    /// Fails if the profiles differ from those of the model. `order` lists the drops in the order of their events, if these were
    /// delivered one after another.
    pub(super) async fn check(&self, what: &dyn std::fmt::Debug, order: Option<&[usize]>) {
        let imported: BTreeSet<_> = {
            let bucket = lock(&self.world.bucket);
            let drops = self.drops.iter().enumerate();
            drops
                .filter(|(place, drop)| bucket.is_read(&key(drop), &version(*place)))
                .map(|(place, _)| place)
                .collect()
        };
        self.check_reports(&imported, what);
        let ids: Vec<_> = (0..model::CUSTOMERS).map(id).collect();
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let expected = model::profiles(&self.drops, &imported, order);
        let view = View {
            now: Instant::parse(FUTURE).unwrap(),
            currency: "EUR",
            zone: &shared::model::zone::UTC,
            personal: true,
            open_namespaces: &[],
        };
        let past = Instant::parse(PAST).unwrap().to_string();
        for (id, expected) in ids.iter().zip(expected) {
            let profile = reader::profile(
                &self.app.table,
                id,
                Consistency::Strong,
                reader::Notes::Newest,
            )
            .await
            .unwrap();
            let shown = profile.exists().then(|| {
                let document = profile.document(&view, Sections::ALL);
                model::shown(&serde_json::to_value(&document).unwrap(), &past, &names)
            });
            assert_eq!(shown, expected, "{what:?}: {:#?}", self.drops);
        }
    }
}

fn key(drop: &Drop) -> String {
    format!("drop/mixed/crm/{}.ndjson", drop.key)
}

fn version(place: usize) -> String {
    format!("v{place}")
}

fn within(time: Duration) -> Deadline {
    Deadline::at(SystemTime::now() + time)
}

pub(super) fn id(customer: u8) -> IdentityId {
    let link = json!({"mobile": model::mobile(customer)});
    let identifier = Identifier::from_json(link.as_object().unwrap()).unwrap();
    IdentityKey::new("simulation")
        .unwrap()
        .identity(&identifier)
}

/// Runs the schedule of a seed. Returns how many events were delivered.
async fn play(seed: u64) -> usize {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let drops = model::drops(&mut random);
    // If an object with several ranges is deleted, only some of its ranges are stored.
    let is_whole = drops.iter().any(|drop| drop.deleted);
    let chunk_bytes = if is_whole || random.random_bool(0.8) {
        ONE_RANGE
    } else {
        150
    };
    let stage = Stage::new(drops, seed, chunk_bytes);
    let mut moments = Vec::new();
    let mut moment = || Duration::from_millis(random.random_range(0..SPREAD));
    for (place, drop) in stage.drops.iter().enumerate() {
        moments.extend((0..drop.copies).map(|_| (moment(), stage.event(place))));
    }
    moments.push((moment(), json!({"Event": "s3:TestEvent", "Bucket": "b"})));
    let deletions: Vec<_> = stage
        .drops
        .iter()
        .enumerate()
        .filter(|(_, drop)| drop.deleted)
        .map(|(place, drop)| (moment(), place, drop))
        .collect();
    let mut delivered = moments.len();
    let deliveries = moments.into_iter().map(|(moment, event)| {
        let app = &stage.app;
        async move {
            tokio::time::sleep(moment).await;
            handle(app, event, within(LONG)).await.unwrap();
        }
    });
    let deletions = deletions.into_iter().map(|(moment, place, drop)| {
        let bucket = &stage.world.bucket;
        async move {
            tokio::time::sleep(moment).await;
            lock(bucket).delete(&key(drop), &version(place));
        }
    });
    futures::future::join(
        futures::future::join_all(deliveries),
        futures::future::join_all(deletions),
    )
    .await;
    let mut stage = stage;
    while let Ok(manifest) = stage.manifests.try_recv() {
        delivered += 1;
        // The version and sequencer of the manifest's own event do not concern the dropped file.
        handle(&stage.app, event(&manifest, "m", "01"), within(LONG))
            .await
            .unwrap();
    }
    stage.check(&seed, None).await;
    delivered
}

/// Runs `SCHEDULES` seeds, from `SCHEDULE_SEED` on, on all cores.
#[test]
fn random_schedules_match_model() {
    let (first, count) = (number("SCHEDULE_SEED", 0), number("SCHEDULES", 60));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let began = std::time::Instant::now();
    let events = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut events = 0;
                    for seed in (first + thread..first + count).step_by(threads as usize) {
                        events += clock().block_on(play(seed));
                        if (seed - first) % 10_000 == 9_999 {
                            eprintln!("{} schedules, {:?}", seed - first + 1, began.elapsed());
                        }
                    }
                    events
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<usize>()
    });
    eprintln!("{count} schedules, {events} events, {:?}", began.elapsed());
}
