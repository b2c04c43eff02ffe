//! Compares a large file in one range with the same file in 32 ranges, the maximum.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::faults::Proxy;
use tokio::task::JoinSet;

use crate::{
    Failure, build,
    function::{Function, Program},
    memory,
    report::Report,
    services::{Services, manifest_event},
};

const BYTES: usize = 2_000_000_000;
const RANGES: usize = 32;
/// The number of concurrent processes.
const PROCESSES: usize = 2;

/// Measures ranges and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    services.table.swallow_statements(true);
    let program = services.program(&build::function("ingest").await?);
    let (file, rows) = memory::ndjson_file(BYTES)?;
    let size = file.len();
    let mut report = Report::default();
    let mut seconds = Vec::new();
    for ranges in [1, RANGES] {
        let mut program = program.clone();
        for (name, value) in &mut program.environment {
            if *name == "CHUNK_BYTES" {
                *value = size.div_ceil(ranges).to_string();
            }
        }
        let key = format!("drop/email_send/mail/in-{ranges}.ndjson");
        let event = services.drop_file(&key, file.clone()).await?;
        services.table.reset_counts();
        services.bucket.reset_counts();
        let began = Instant::now();
        import(&services, &program, &event).await?;
        let took = began.elapsed().as_secs_f64();
        let written = services.report(&key).await?["written"].as_u64();
        if written != Some(rows) {
            return Err(format!("{written:?} of {rows} rows were written").into());
        }
        report.add(
            format!(
                "{} MB, {rows} rows, byte ranges: {ranges}",
                size / 1_000_000
            ),
            format!(
                "{took:.1} s; {} table requests, {} bucket requests",
                requests(&services.table),
                requests(&services.bucket)
            ),
        );
        seconds.push(took);
        services.remove(&event).await?;
    }
    let [one, many] = seconds[..] else {
        return Err("the times were not measured".into());
    };
    report.add(
        "time in 1 byte range, compared with 32",
        format!("{:.2}×", one / many),
    );
    report.note(format!(
        "At most {PROCESSES} concurrent processes import the file into a sink. The sink and the bucket use the same cores. The test \
         `imports::interruptions::ranges_change_nothing` shows that the number of ranges does not change the table."
    ));
    Ok(report)
}

/// Returns the number of requests that the proxy received.
fn requests(proxy: &Proxy) -> u64 {
    proxy.counts().values().map(|count| count.requests).sum()
}

/// Imports a file: sends its event, and the event of each manifest when it is put. Returns when all invocations have ended.
async fn import(services: &Services, program: &Program, event: &Value) -> Result<(), Failure> {
    let mut waiting = vec![event.clone()];
    let mut running = JoinSet::new();
    let mut known = BTreeSet::new();
    loop {
        while running.len() < PROCESSES
            && let Some(event) = waiting.pop()
        {
            let program = program.clone();
            running.spawn(async move {
                let mut function = Function::start(&program, None).await?;
                function.invoke(&event).await.map(drop)
            });
        }
        // The first invocation puts the manifests when it begins.
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(ended) => ended??,
                None => return Ok(()),
            },
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        for key in services.stack.list("work/") {
            if known.insert(key.clone()) {
                waiting.push(manifest_event(event, &key));
            }
        }
    }
}
