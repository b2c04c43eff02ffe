//! Measures each request and each row of the sample data: capacity units, CPU, time, memory. The cost model uses the figures.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

use crate::{
    Failure, build,
    function::{Function, Program},
    read::check_success,
    report::{MEBIBYTE, Report, mean, percentile, rounded},
    services::{Services, request},
    stored,
};

/// The name of the line for all record types together.
const ALL: &str = "all types";

/// A request that is sent once for each customer.
struct Kind {
    name: &'static str,
    function: &'static str,
    fixture: &'static str,
    /// The path after `/profiles/{id}`.
    path: &'static str,
}

const LOOKUP: Kind = Kind {
    name: "`POST /profiles/lookup`, all sections",
    function: "profile-read",
    fixture: "profile-read/events/lookup.json",
    path: "",
};
const OF_PROFILE: [Kind; 4] = [
    Kind {
        name: "`GET /profiles/{id}`, all sections",
        function: "profile-read",
        fixture: "profile-read/events/get.json",
        path: "",
    },
    Kind {
        name: "`GET /profiles/{id}/history`",
        function: "history",
        fixture: "history/events/page.json",
        path: "/history",
    },
    Kind {
        name: "`GET /profiles/{id}/notes`",
        function: "profile-read",
        fixture: "profile-read/events/notes.json",
        path: "/notes",
    },
    Kind {
        name: "`POST /profiles/{id}/notes`",
        function: "note-write",
        fixture: "note-write/events/create.json",
        path: "/notes",
    },
];

/// Measures requests and rows and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let customers = import_samples(&services, &mut report).await?;
    stored::report(&services, customers.len(), &mut report).await?;
    let mut events = Vec::new();
    for customer in &customers {
        let mut event = request(LOOKUP.fixture, "/profiles/lookup").await?;
        event["body"] = customer["link"].to_string().into();
        events.push(event);
    }
    let mut ids = Vec::new();
    for response in send(&services, &LOOKUP, &events, &mut report).await? {
        let profile: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        ids.push(
            profile["id"]
                .as_str()
                .ok_or("a profile has no `id`")?
                .to_owned(),
        );
    }
    for kind in &OF_PROFILE {
        let mut events = Vec::new();
        for (number, id) in ids.iter().enumerate() {
            let path = format!("/profiles/{id}{}", kind.path);
            let mut event = request(kind.fixture, &path).await?;
            if !event["headers"]["idempotency-key"].is_null() {
                event["headers"]["idempotency-key"] = format!("bench-{number}").into();
            }
            events.push(event);
        }
        send(&services, kind, &events, &mut report).await?;
    }
    report.note(format!(
        "Each request is sent once for each of {} customers of the sample data, over TLS, to one warm process of each function. Units have the \
         99th percentile in parentheses. Units, time and CPU are means. CPU is that of the process. Time includes the work of the local table. \
         The storage of a customer is the mean, with the bytes that DynamoDB adds to items and index entries.",
        customers.len()
    ));
    Ok(report)
}

/// Imports the records of the sample data and returns its customers. Exports of other systems are left out: their rows have no record type.
async fn import_samples(services: &Services, report: &mut Report) -> Result<Vec<Value>, Failure> {
    let ingest = services.program(&build::function("ingest").await?);
    let mut function = Function::start(&ingest, None).await?;
    // Rows and write units of each record type.
    let mut costs: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (key, path) in samples::files()? {
        if !key.ends_with(".ndjson") {
            continue;
        }
        let event = services
            .drop_file(&key, tokio::fs::read(&path).await?)
            .await?;
        function.invoke(&event).await?;
        let result = services.report(&key).await?;
        if result["read"] != result["written"] {
            return Err(format!(
                "{key}: {} of {} rows were written",
                result["written"], result["read"]
            )
            .into());
        }
        let kind = key.split('/').nth(1).unwrap_or_default();
        for name in [kind, ALL] {
            let (rows, units) = costs.entry(name.to_owned()).or_default();
            *rows += result["written"].as_f64().unwrap_or_default();
            *units += result["capacity_units"].as_f64().unwrap_or_default();
        }
    }
    for (kind, (rows, units)) in costs {
        let kind = if kind == ALL {
            kind
        } else {
            format!("`{kind}`")
        };
        report.add(
            format!("write units of a row: {kind}"),
            format!("{} ({units} of {rows} rows)", rounded(units / rows)),
        );
    }
    let customers = samples::folder().join("customer_record/crm/customer_record.ndjson");
    let customers = tokio::fs::read_to_string(customers).await?;
    let customers = customers.lines().map(serde_json::from_str);
    Ok(customers.collect::<Result<_, _>>()?)
}

/// Sends the events one after the other, reports their costs, and returns the responses.
async fn send(
    services: &Services,
    kind: &Kind,
    events: &[Value],
    report: &mut Report,
) -> Result<Vec<Value>, Failure> {
    let program: Program = services.program_over_tls(&build::function(kind.function).await?);
    let mut function = Function::start(&program, None).await?;
    function.wait_ready().await?;
    function.wait_idle().await?;
    let (mut read, mut written, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut responses = Vec::new();
    let cpu = function.cpu().await?;
    for event in events {
        services.table.reset_counts();
        let began = Instant::now();
        let response = function.invoke(event).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        check_success(&response)?;
        responses.push(serde_json::from_slice(&response)?);
        let (mut reads, mut writes) = (0.0, 0.0);
        for (operation, count) in services.table.counts() {
            if operation == "TransactWriteItems" {
                writes += count.capacity_units;
            } else {
                reads += count.capacity_units;
            }
        }
        read.push(reads);
        written.push(writes);
    }
    let cpu = (function.cpu().await? - cpu) / events.len() as f64 * 1e3;
    let memory = function.peak_memory().await? as f64 / MEBIBYTE;
    report.add(
        kind.name,
        format!(
            "read units {} (99th percentile {}), write units {} ({}); {} ms, {} ms of CPU, peak memory {memory:.0} MiB",
            rounded(mean(&read)),
            rounded(percentile(read, 99)),
            rounded(mean(&written)),
            rounded(percentile(written, 99)),
            rounded(mean(&times)),
            rounded(cpu),
        ),
    );
    Ok(responses)
}
