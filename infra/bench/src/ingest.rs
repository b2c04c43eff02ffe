//! Measures imports: CPU, requests, write units, and the time with slow services or a throttled table.

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
    report::{Report, median, rounded},
    rows,
    services::Services,
    stored::item_bytes,
};

/// The rows that ingest writes into a sink and into the table, and those that its peers write.
const SINK_ROWS: u64 = 100_000;
const TABLE_ROWS: u64 = 40_000;
const BOTO3_ROWS: u64 = 5_000;
const PANDAS_ROWS: u64 = 2_000;
/// The rounds of a measurement. The programs alternate; the median is reported.
const ROUNDS: usize = 5;
/// The rounds of the measurement with slow services. More, because the difference is smaller than the noise of the machine.
const SLOW_ROUNDS: usize = 21;
/// The numbers of connections of the replay.
const CONNECTIONS: [usize; 3] = [8, 32, 128];
/// The bandwidth of slow S3.
const BANDWIDTH_BYTES_PER_SECOND: u32 = 90_000_000;
/// The time that slow DynamoDB adds to each request.
const DELAY: Duration = Duration::from_millis(5);
/// The write units per second that a throttled table grants.
const WRITE_UNITS: u32 = 4_000;

/// The result of an import. Times are in seconds.
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// CPU time of ingest.
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

/// Measures imports and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let mut report = Report::default();
    let services = Services::start().await?;
    let ingest = build::function("ingest").await?;
    let program = services.program(&ingest);
    let python = build::python().await?;

    measure_sink(&services, &program, &python, &mut report).await?;
    measure_slow_services(&services, &program, &mut report).await?;
    measure_throttled(&services, &program, &mut report).await?;

    measure_table(&ingest, &python, &mut report).await?;
    report.note(format!(
        "The files contain sent emails of about 460 bytes: {SINK_ROWS} for a sink, {TABLE_ROWS} for the table. A sink validates statements and responds \
         immediately. boto3 writes {BOTO3_ROWS} and pandas {PANDAS_ROWS} of the same rows. CPU is the user and system time of the process, without \
         its start. CPU into a sink and the rates of ingest and of the replay are medians of {ROUNDS} alternating runs. The rates of boto3 and pandas \
         are those of one run. The replay sends the recorded requests of ingest to a new table each time."
    ));
    Ok(report)
}

/// Measures the CPU of ingest alone: the table is a sink.
async fn measure_sink(
    services: &Services,
    program: &Program,
    python: &Path,
    report: &mut Report,
) -> Result<(), Failure> {
    services.table.swallow_statements(true);
    let (mut own, mut theirs, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let run = import(services, program, &key_of("sink"), rows::emails(SINK_ROWS)).await?;
        own.push(run.cpu / run.rows() * 1e6);
        seconds.push(run.seconds);
        let url = services.table.url();
        let boto3 = peer(services, python, "batch_writer.py", url, BOTO3_ROWS).await?;
        theirs.push(boto3.cpu / BOTO3_ROWS as f64 * 1e6);
    }
    services.table.swallow_statements(false);
    let (own, theirs) = (median(own), median(theirs));
    report.at_most(
        "CPU of a row into a sink, compared with boto3's `batch_writer`",
        format!(
            "{own:.1} µs against {theirs:.0} µs: 1/{}",
            rounded(theirs / own)
        ),
        own / theirs,
        1.0 / 25.0,
    );
    let seconds = median(seconds);
    report.add(
        "rows per second into a sink",
        format!("{:.0}", SINK_ROWS as f64 / seconds),
    );
    Ok(())
}

/// The rates of ingest and of the replay of its requests, into the local table.
struct Rates {
    /// Rows per second of ingest, in each round.
    ingest: Vec<f64>,
    /// Number of connections of the replay, rows per second in each round, cores in use in each round.
    replayed: [(usize, Vec<f64>, Vec<f64>); CONNECTIONS.len()],
    /// The services and the import of the last round.
    last: (Services, Run),
}

/// Measures the rates.
async fn rates(ingest: &Path) -> Result<Rates, Failure> {
    let bodies = record_requests(ingest).await?;
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
            rows::emails(TABLE_ROWS),
        )
        .await?;
        rates.push(run.rows() / run.seconds);
        last = Some((services, run));
        for (connections, rates, cores) in &mut replayed {
            let services = Services::start().await?;
            let url = services.stack.dynamodb_url();
            let before = machine_cpu().await?;
            let seconds = replay::replay(url, bodies.clone(), *connections).await?;
            cores.push((machine_cpu().await? - before) / seconds);
            rates.push(TABLE_ROWS as f64 / seconds);
        }
    }
    Ok(Rates {
        ingest: rates,
        replayed,
        last: last.ok_or("no round was measured")?,
    })
}

/// Compares the import of rows into the local table with other programs and with a replay of the same requests.
async fn measure_table(ingest: &Path, python: &Path, report: &mut Report) -> Result<(), Failure> {
    let Rates {
        ingest,
        replayed,
        last: (services, run),
    } = rates(ingest).await?;
    let url = services.stack.dynamodb_url();
    let boto3 = peer(&services, python, "batch_writer.py", url, BOTO3_ROWS).await?;
    let pandas = peer(&services, python, "put_csv.py", url, PANDAS_ROWS).await?;
    let rate = median(ingest);
    for (name, peer, rows, times) in [
        ("boto3's `batch_writer`", &boto3, BOTO3_ROWS, 10.0),
        ("AWS SDK for pandas' `put_csv`", &pandas, PANDAS_ROWS, 30.0),
    ] {
        let theirs = rows as f64 / peer.seconds;
        report.at_least(
            format!("rows per second into the local table, compared with {name}"),
            format!("{rate:.0} against {theirs:.0}: {}×", rounded(rate / theirs)),
            rate / theirs,
            times,
        );
    }
    report.add(
        "cores in use during the import",
        format!(
            "{:.2} of {}: ingest {:.2}; the table, the bucket and the bench {:.2}",
            run.machine_cpu / run.seconds,
            std::thread::available_parallelism()?,
            run.cpu / run.seconds,
            run.services_cpu / run.seconds
        ),
    );
    let replayed =
        replayed.map(|(connections, rates, cores)| (connections, median(rates), median(cores)));
    let highest = replayed
        .iter()
        .map(|(_, rate, _)| *rate)
        .fold(0.0, f64::max);
    let each = replayed.map(|(connections, rate, cores)| {
        format!("{rate:.0} over {connections} connections ({cores:.2} cores in use)")
    });
    let times = |peer: &Peer, rows: u64| rounded(highest * peer.seconds / rows as f64);
    report.add(
        "rows per second of the same requests, replayed without ingest",
        format!(
            "{}; the highest rate is {}× boto3, {}× pandas and {:.2}× ingest",
            each.join(", "),
            times(&boto3, BOTO3_ROWS),
            times(&pandas, PANDAS_ROWS),
            highest / rate
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
        "table requests per new row",
        rounded(run.requests() / run.rows()),
        run.requests() / run.rows(),
        0.041,
    );
    report.at_most(
        "write units of new rows, compared with Σ⌈item bytes ÷ 1024⌉",
        format!(
            "{} against {expected} for {items} items: {:.4}×",
            rounded(run.units()),
            run.units() / expected as f64
        ),
        run.units() / expected as f64,
        1.0,
    );
    Ok(())
}

/// Imports rows into a sink and returns the bodies of ingest's write requests.
async fn record_requests(ingest: &Path) -> Result<Vec<Bytes>, Failure> {
    let services = Services::start().await?;
    services.table.swallow_statements(true);
    services.table.record_statements();
    let program = services.program(ingest);
    import(
        &services,
        &program,
        &key_of("recorded"),
        rows::emails(TABLE_ROWS),
    )
    .await?;
    Ok(services.table.take_recorded())
}

/// Measures an import with a slow bucket and a slow table. Compares its time with that of the slowest stage alone.
async fn measure_slow_services(
    services: &Services,
    program: &Program,
    report: &mut Report,
) -> Result<(), Failure> {
    let file = rows::emails(SINK_ROWS);
    let reading = file.len() as f64 / f64::from(BANDWIDTH_BYTES_PER_SECOND);
    services.table.swallow_statements(true);
    let faults = [
        (Faults::default(), Faults::default()),
        (
            Faults::default().with_bandwidth(BANDWIDTH_BYTES_PER_SECOND),
            Faults::default().with_delay(DELAY),
        ),
    ];
    let (mut alone, mut together, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..SLOW_ROUNDS {
        let mut seconds = [0.0; 2];
        // The order alternates, because the speed of the machine changes during a round.
        for index in [round % 2, (round + 1) % 2] {
            let (bucket, table) = &faults[index];
            services.bucket.set_faults(bucket.clone());
            services.table.set_faults(table.clone());
            let run = import(services, program, &key_of("slow"), file.clone()).await?;
            seconds[index] = run.seconds;
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
        "time with S3 at 90 MB/s and 5 ms added to each table request, compared with the slowest stage alone",
        format!(
            "{together:.2} s; with fast services {alone:.2} s, reading alone {reading:.2} s: {ratio:.3}× (median of {SLOW_ROUNDS} pairs)"
        ),
        ratio,
        1.10,
    );
    Ok(())
}

/// Measures how much of a throttled table's capacity an import uses.
async fn measure_throttled(
    services: &Services,
    program: &Program,
    report: &mut Report,
) -> Result<(), Failure> {
    services
        .table
        .set_faults(Faults::default().with_write_units(WRITE_UNITS));
    services.table.swallow_statements(true);
    services.table.reset_counts();
    let run = import(
        services,
        program,
        &key_of("throttled"),
        rows::emails(SINK_ROWS),
    )
    .await?;
    let counts = services.table.counts();
    services.table.swallow_statements(false);
    services.table.set_faults(Faults::default());
    let statements = counts
        .get("BatchExecuteStatement")
        .copied()
        .unwrap_or_default();
    let stored = (statements.statements - statements.failed_statements) as f64;
    let used = statements.capacity_units / (f64::from(WRITE_UNITS) * run.seconds);
    let throttled = statements.failed_statements as f64 / statements.statements as f64;
    report.at_most(
        format!("unused share of {WRITE_UNITS} granted write units per second"),
        format!(
            "{:.2} % ({stored:.0} rows in {:.1} s)",
            100.0 * (1.0 - used),
            run.seconds
        ),
        1.0 - used,
        0.03,
    );
    report.at_most(
        format!("throttled share of statements, with {WRITE_UNITS} granted write units per second"),
        format!("{:.2} %", 100.0 * throttled),
        throttled,
        0.03,
    );
    Ok(())
}

/// Returns the key of a file of emails.
fn key_of(name: &str) -> String {
    format!("drop/email_send/mail/{name}.ndjson")
}

/// Imports a file in a new process, and returns the result.
pub(crate) async fn import(
    services: &Services,
    program: &Program,
    key: &str,
    file: String,
) -> Result<Run, Failure> {
    let event = services.drop_file(key, file).await?;
    let mut function = Function::start(program, None).await?;
    function.wait_ready().await?;
    function.wait_idle().await?;
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
    let [own, services_cpu, machine_cpu] = [0, 1, 2].map(|index| after[index] - before[index]);
    let report = services.report(key).await?;
    Ok(Run {
        seconds,
        cpu: own,
        services_cpu,
        machine_cpu,
        report,
    })
}

/// The result of a peer script: its wall time and CPU time, in seconds.
struct Peer {
    seconds: f64,
    cpu: f64,
}

/// Writes rows with a peer script and returns its result.
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
    let printed: Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| {
        printed[name]
            .as_f64()
            .ok_or(format!("{script} printed no `{name}`"))
    };
    Ok(Peer {
        seconds: number("seconds")?,
        cpu: number("cpu")?,
    })
}

/// Returns the number of events in the table, and the size of each item as DynamoDB counts it.
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
