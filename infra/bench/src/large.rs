//! What a customer with many events costs: read units, CPU, memory and time of each kind of request.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    Failure, build,
    function::Function,
    read::{import_emails, succeeded},
    report::{Report, median, short},
    services::{Services, request},
};

/// The numbers of events.
const EVENTS: [u64; 3] = [300, 20_000, 100_000];
/// Requests that are measured, after one that is not.
const REQUESTS: usize = 5;
const MIB: f64 = 1_048_576.0;

/// A request of a customer.
struct Kind {
    name: &'static str,
    function: &'static str,
    fixture: &'static str,
    /// The path after the profile's; `None` for a lookup.
    path: Option<&'static str>,
    include: Option<&'static str>,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "`POST /profiles/lookup?include=summary`",
        function: "profile-read",
        fixture: "profile-read/events/lookup.json",
        path: None,
        include: Some("summary"),
    },
    Kind {
        name: "`GET /profiles/{id}`",
        function: "profile-read",
        fixture: "profile-read/events/get.json",
        path: Some(""),
        include: None,
    },
    Kind {
        name: "`GET /profiles/{id}?include=notes`",
        function: "profile-read",
        fixture: "profile-read/events/get.json",
        path: Some(""),
        include: Some("notes"),
    },
    Kind {
        name: "`GET /profiles/{id}/history`",
        function: "history",
        fixture: "history/events/page.json",
        path: Some("/history"),
        include: None,
    },
];

pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let ingest = services.program(&build::quickly("ingest").await?);
    for events in EVENTS {
        let address = format!("many{events}@example.com");
        let id = import_emails(&services, &ingest, &address, events).await?;
        for kind in &KINDS {
            let event = event_of(kind, &id, &address).await?;
            let figures = ask(&services, kind, &event).await?;
            report.say(format!("{events} events: {}", kind.name), figures);
        }
    }
    report.note(format!(
        "The events are sent emails of about 400 bytes each, of one identity. Each function is warm and has read once before. Of {REQUESTS} requests, the table \
         has the median time, the mean CPU and the highest memory. The functions are built with the profile `ci`, without \
         link-time optimization. Time includes the local table's work."
    ));
    Ok(report)
}

async fn event_of(kind: &Kind, id: &str, address: &str) -> Result<Value, Failure> {
    let path = kind.path.map_or_else(
        || "/profiles/lookup".to_owned(),
        |path| format!("/profiles/{id}{path}"),
    );
    let mut event = request(kind.fixture, &path).await?;
    if kind.path.is_none() {
        event["body"] = json!({"email": address}).to_string().into();
    }
    if let Some(include) = kind.include {
        event["rawQueryString"] = format!("include={include}").into();
        event["queryStringParameters"] = json!({"include": include});
    }
    Ok(event)
}

/// Sends a request repeatedly to a process of its own and returns its figures.
async fn ask(services: &Services, kind: &Kind, event: &Value) -> Result<String, Failure> {
    let program = services.program_over_tls(&build::quickly(kind.function).await?);
    let mut function = Function::start(&program, None).await?;
    function.ready().await?;
    succeeded(&function.invoke(event).await?)?;
    function.rest().await?;
    services.table.reset_counts();
    let (mut times, mut answer) = (Vec::new(), Value::Null);
    let cpu = function.cpu().await?;
    for _ in 0..REQUESTS {
        let began = Instant::now();
        let response = function.invoke(event).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        succeeded(&response)?;
        answer = serde_json::from_slice(&response)?;
    }
    let cpu = (function.cpu().await? - cpu) / REQUESTS as f64 * 1e3;
    let (mut requests, mut units) = (0, 0.0);
    for count in services.table.counts().values() {
        requests += count.requests;
        units += count.capacity_units;
    }
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
    let partial = body["partial"].as_bool().unwrap_or_default();
    let sent = &body["summary"]["email"]["sent"];
    let counted = sent
        .as_u64()
        .map_or_else(String::new, |sent| format!(", {sent} emails counted"));
    Ok(format!(
        "{} read units in {} requests; {} ms, {} ms of CPU, at most {:.0} MiB{counted}{}",
        short(units / REQUESTS as f64),
        short(requests as f64 / REQUESTS as f64),
        short(median(times)),
        short(cpu),
        function.peak_memory().await? as f64 / MIB,
        if partial { ", partial" } else { "" },
    ))
}
