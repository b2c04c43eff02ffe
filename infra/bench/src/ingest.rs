//! What importing costs: CPU, requests, write units, and time where one stage or another holds it up.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;
use tests::faults::Faults;
use tokio::process::Command;

use crate::{
    Failure, build,
    function::{Function, Program, cpu, machine_cpu},
    replay,
    report::{Report, median, short},
    rows,
    services::Services,
    stored::item_bytes,
};

/// Rows of the measurements into a sink, and into the table.
const ROWS: u64 = 100_000;
const ROWS_TO_TABLE: u64 = 40_000;
const ROWS_OF_BOTO3: u64 = 5_000;
const ROWS_OF_PANDAS: u64 = 2_000;
/// How often what varies is measured, by turns: the middle one counts.
const ROUNDS: usize = 5;
/// The same of the stages together, which differ by less than the machine does from one moment to the next.
const ROUNDS_OF_STAGES: usize = 21;
/// Over how many connections the requests are sent again.
const CONNECTIONS: [usize; 3] = [8, 32, 128];
/// S3's and DynamoDB's pace where the stages are measured together.
const BANDWIDTH: u32 = 90_000_000;
const DELAY: Duration = Duration::from_millis(5);
/// Write units a second that a throttled table grants.
const WRITE_UNITS: u32 = 4_000;

/// One import.
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
    /// CPU time of this process: the table, the bucket and the Runtime API.
    services_cpu: f64,
    /// CPU time of the machine.
    machine_cpu: f64,
    pub(crate) report: Value,
}

impl Run {
    fn rows(&self) -> f64 {
        self.report["read"].as_f64().unwrap_or_default()
    }

    fn requests(&self) -> f64 {
        self.report["requests"].as_f64().unwrap_or_default()
    }

    fn units(&self) -> f64 {
        self.report["capacity_units"].as_f64().unwrap_or_default()
    }
}

pub(crate) async fn measure() -> Result<Report, Failure> {
    let mut report = Report::default();
    let services = Services::start().await?;
    let ingest = build::function("ingest").await?;
    let program = services.program(&ingest);
    let python = build::python().await?;

    into_sink(&services, &program, &python, &mut report).await?;
    stages(&services, &program, &mut report).await?;
    throttled(&services, &program, &mut report).await?;

    into_table(&ingest, &python, &mut report).await?;
    report.note(format!(
        "The files contain sent emails, about 460 bytes a row: {ROWS} into the sink, {ROWS_TO_TABLE} into the table. boto3 writes {ROWS_OF_BOTO3} and \
         pandas {ROWS_OF_PANDAS} of the same rows under the same keys. CPU is the process's, user and system, without its start. Of what varies \
         {ROUNDS} runs were made by turns; the middle one counts. The requests that were made beforehand are those of ingest. They were \
         recorded on their way into a sink, and sent to a new table each time."
    ));
    Ok(report)
}

/// Rows into a sink, where ingest's own work is all that there is.
async fn into_sink(
    services: &Services,
    program: &Program,
    python: &Path,
    report: &mut Report,
) -> Result<(), Failure> {
    services.table.swallow_statements(true);
    let (mut own, mut theirs, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let run = import(services, program, &key_of("sink"), rows::emails(ROWS)).await?;
        own.push(run.cpu / run.rows() * 1e6);
        seconds.push(run.seconds);
        let url = services.table.url();
        let boto3 = peer(services, python, "batch_writer.py", url, ROWS_OF_BOTO3).await?;
        theirs.push(boto3.cpu / ROWS_OF_BOTO3 as f64 * 1e6);
    }
    services.table.swallow_statements(false);
    let (own, theirs) = (median(own), median(theirs));
    report.at_most(
        "CPU of a row, against boto3's `batch_writer`, into a sink that validates and responds immediately",
        format!("{own:.1} µs to {theirs:.0} µs: 1/{}", short(theirs / own)),
        own / theirs,
        1.0 / 25.0,
    );
    let seconds = median(seconds);
    report.say(
        "rows a second into the sink",
        format!("{:.0}", ROWS as f64 / seconds),
    );
    Ok(())
}

/// The rates of ingest and of the same requests without ingest, into the local table.
struct Rates {
    /// Rows a second by ingest, of each round.
    ingest: Vec<f64>,
    /// By number of connections: rows a second and busy cores, of each round.
    replayed: [(usize, Vec<f64>, Vec<f64>); CONNECTIONS.len()],
    /// The services and the import of the last round.
    last: (Services, Run),
}

async fn rates(ingest: &Path) -> Result<Rates, Failure> {
    let bodies = recorded(ingest).await?;
    let mut rates = Vec::new();
    let mut replayed = CONNECTIONS.map(|connections| (connections, Vec::new(), Vec::new()));
    let mut last = None;
    for _ in 0..ROUNDS {
        let services = Services::start().await?;
        let mut program = services.program(ingest);
        for (name, value) in &mut program.environment {
            match *name {
                "AWS_ENDPOINT_URL_DYNAMODB" => services.stack.dynamodb_url().clone_into(value),
                "AWS_ENDPOINT_URL_S3" => services.stack.s3_url().clone_into(value),
                _ => {}
            }
        }
        let run = import(
            &services,
            &program,
            &key_of("table"),
            rows::emails(ROWS_TO_TABLE),
        )
        .await?;
        rates.push(run.rows() / run.seconds);
        last = Some((services, run));
        for (connections, rates, busy) in &mut replayed {
            let services = Services::start().await?;
            let url = services.stack.dynamodb_url();
            let before = machine_cpu().await?;
            let seconds = replay::replay(url, bodies.clone(), *connections).await?;
            busy.push((machine_cpu().await? - before) / seconds);
            rates.push(ROWS_TO_TABLE as f64 / seconds);
        }
    }
    Ok(Rates {
        ingest: rates,
        replayed,
        last: last.ok_or("there was no round")?,
    })
}

/// Measures the import of rows into the local table, beside other programs and beside the same requests sent directly.
async fn into_table(ingest: &Path, python: &Path, report: &mut Report) -> Result<(), Failure> {
    let Rates {
        ingest,
        replayed,
        last: (services, run),
    } = rates(ingest).await?;
    let url = services.stack.dynamodb_url();
    let boto3 = peer(&services, python, "batch_writer.py", url, ROWS_OF_BOTO3).await?;
    let pandas = peer(&services, python, "put_csv.py", url, ROWS_OF_PANDAS).await?;
    let rate = median(ingest);
    for (name, peer, rows, times) in [
        ("boto3's `batch_writer`", &boto3, ROWS_OF_BOTO3, 10.0),
        (
            "AWS SDK for pandas' `put_csv`",
            &pandas,
            ROWS_OF_PANDAS,
            30.0,
        ),
    ] {
        let theirs = rows as f64 / peer.seconds;
        report.at_least(
            format!("rows a second into the local table, against {name}"),
            format!("{rate:.0} to {theirs:.0}: {}×", short(rate / theirs)),
            rate / theirs,
            times,
        );
    }
    report.say(
        "cores busy meanwhile",
        format!(
            "{:.2} of {}: the table, the bucket and what starts the function {:.2}, ingest {:.2}",
            run.machine_cpu / run.seconds,
            std::thread::available_parallelism()?,
            run.services_cpu / run.seconds,
            run.cpu / run.seconds
        ),
    );
    let replayed =
        replayed.map(|(connections, rates, busy)| (connections, median(rates), median(busy)));
    let most = replayed
        .iter()
        .map(|(_, rate, _)| *rate)
        .fold(0.0, f64::max);
    let each = replayed.map(|(connections, rate, busy)| {
        format!("{rate:.0} over {connections} ({busy:.2} cores busy)")
    });
    let times = |peer: &Peer, rows: u64| short(most * peer.seconds / rows as f64);
    report.say(
        "the most that the local table takes of the same requests, made beforehand",
        format!(
            "rows a second, by connections: {}; {}× boto3, {}× pandas, 1/{:.2} of it by ingest",
            each.join(", "),
            times(&boto3, ROWS_OF_BOTO3),
            times(&pandas, ROWS_OF_PANDAS),
            most / rate
        ),
    );
    requests_and_units(&services, &run, report).await
}

/// Reports the requests and write units of a new row.
async fn requests_and_units(
    services: &Services,
    run: &Run,
    report: &mut Report,
) -> Result<(), Failure> {
    let (items, bytes) = stored(services).await?;
    let expected: u64 = bytes.iter().map(|bytes| bytes.div_ceil(1024)).sum();
    report.at_most(
        "requests of a new row",
        short(run.requests() / run.rows()),
        run.requests() / run.rows(),
        0.041,
    );
    report.at_most(
        "write units of a new row, over Σ⌈bytes ÷ 1024⌉",
        format!(
            "{} of {expected} for {items} items: {:.4}×",
            short(run.units()),
            run.units() / expected as f64
        ),
        run.units() / expected as f64,
        1.0,
    );
    Ok(())
}

/// The requests that ingest writes the rows with.
async fn recorded(ingest: &Path) -> Result<Vec<Bytes>, Failure> {
    let services = Services::start().await?;
    services.table.swallow_statements(true);
    services.table.record_statements();
    let program = services.program(ingest);
    import(
        &services,
        &program,
        &key_of("recorded"),
        rows::emails(ROWS_TO_TABLE),
    )
    .await?;
    Ok(services.table.take_recorded())
}

/// Reading, placing and writing together, against the slowest of them alone.
async fn stages(
    services: &Services,
    program: &Program,
    report: &mut Report,
) -> Result<(), Failure> {
    let file = rows::emails(ROWS);
    let reading = file.len() as f64 / f64::from(BANDWIDTH);
    services.table.swallow_statements(true);
    let faults = [
        (Faults::default(), Faults::default()),
        (
            Faults::default().with_bandwidth(BANDWIDTH),
            Faults::default().with_delay(DELAY),
        ),
    ];
    let (mut alone, mut together, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS_OF_STAGES {
        let mut seconds = [0.0; 2];
        // Each is as often the first of the two: the machine's pace changes meanwhile.
        for which in [round % 2, (round + 1) % 2] {
            let (bucket, table) = &faults[which];
            services.bucket.set_faults(bucket.clone());
            services.table.set_faults(table.clone());
            let run = import(services, program, &key_of("stages"), file.clone()).await?;
            seconds[which] = run.seconds;
        }
        alone.push(seconds[0]);
        together.push(seconds[1]);
        ratios.push(seconds[1] / seconds[0].max(reading));
    }
    services.bucket.set_faults(Faults::default());
    services.table.set_faults(Faults::default());
    services.table.swallow_statements(false);
    let (alone, together, ratio) = (median(alone), median(together), median(ratios));
    report.at_most(
        "stages together: wall time with 5 ms more to each request of the table and 90 MB/s from S3, over the slowest stage alone",
        format!(
            "{together:.2} s; into the sink without them {alone:.2} s, reading alone {reading:.2} s: {ratio:.3}×, the middle one of {ROUNDS_OF_STAGES} pairs"
        ),
        ratio,
        1.10,
    );
    Ok(())
}

/// A table that grants so many units a second.
async fn throttled(
    services: &Services,
    program: &Program,
    report: &mut Report,
) -> Result<(), Failure> {
    services
        .table
        .set_faults(Faults::default().with_write_units(WRITE_UNITS));
    services.table.swallow_statements(true);
    services.table.reset_counts();
    let run = import(services, program, &key_of("throttled"), rows::emails(ROWS)).await?;
    let counts = services.table.counts();
    services.table.swallow_statements(false);
    services.table.set_faults(Faults::default());
    let statements = counts
        .get("BatchExecuteStatement")
        .copied()
        .unwrap_or_default();
    let stored = (statements.statements - statements.failed_statements) as f64;
    let goodput = statements.capacity_units / (f64::from(WRITE_UNITS) * run.seconds);
    let refused = statements.failed_statements as f64 / statements.statements as f64;
    report.at_most(
        format!("write units not used of {WRITE_UNITS} a second that are granted"),
        format!(
            "{:.2} % ({stored:.0} rows in {:.1} s)",
            100.0 * (1.0 - goodput),
            run.seconds
        ),
        1.0 - goodput,
        0.03,
    );
    report.at_most(
        "share of statements that it refused",
        format!("{:.2} %", 100.0 * refused),
        refused,
        0.03,
    );
    Ok(())
}

/// Returns the key of a file of emails.
fn key_of(name: &str) -> String {
    format!("drop/email_send/mail/{name}.ndjson")
}

/// Imports a file in a process of its own.
pub(crate) async fn import(
    services: &Services,
    program: &Program,
    key: &str,
    file: String,
) -> Result<Run, Failure> {
    let event = services.drop_file(key, file).await?;
    let mut function = Function::start(program, None).await?;
    function.ready().await?;
    function.rest().await?;
    let before = [
        function.cpu().await?,
        cpu("self").await?,
        machine_cpu().await?,
    ];
    let began = Instant::now();
    function.invoke(&event).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = [
        function.cpu().await?,
        cpu("self").await?,
        machine_cpu().await?,
    ];
    let [own, services_cpu, machine_cpu] = [0, 1, 2].map(|of| after[of] - before[of]);
    let report = services.report(key).await?;
    Ok(Run {
        seconds,
        cpu: own,
        services_cpu,
        machine_cpu,
        report,
    })
}

/// What one of the scripts says of itself.
struct Peer {
    seconds: f64,
    cpu: f64,
}

async fn peer(
    services: &Services,
    python: &Path,
    script: &str,
    endpoint: &str,
    rows: u64,
) -> Result<Peer, Failure> {
    let file = services.folder.path().join("rows");
    let text = if script == "put_csv.py" {
        rows::csv_emails(rows)
    } else {
        rows::emails(rows)
    };
    tokio::fs::write(&file, text).await?;
    let output = Command::new(python)
        .arg(build::workspace().join("infra/bench/peers").join(script))
        .arg(&file)
        .args([endpoint, services.stack.table()])
        .env("AWS_ACCESS_KEY_ID", "bench")
        .env("AWS_SECRET_ACCESS_KEY", "bench")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| {
        said[name]
            .as_f64()
            .ok_or(format!("{script} says no {name}"))
    };
    Ok(Peer {
        seconds: number("seconds")?,
        cpu: number("cpu")?,
    })
}

/// The items of identities, and the size of each as DynamoDB counts.
async fn stored(services: &Services) -> Result<(usize, Vec<u64>), Failure> {
    let client = services.stack.dynamodb_client();
    let mut pages = client
        .scan()
        .table_name(services.stack.table())
        .into_paginator()
        .items()
        .send();
    let mut sizes = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item?;
        if item
            .get("SK")
            .and_then(|key| key.as_s().ok())
            .is_some_and(|key| key.starts_with("event#"))
        {
            sizes.push(item_bytes(&item) as u64);
        }
    }
    Ok((sizes.len(), sizes))
}
