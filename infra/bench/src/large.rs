//! Measures requests for customers with many events: read units, CPU, memory and time.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    Failure, build,
    function::Function,
    read::{check_success, import_emails},
    report::{MEBIBYTE, Report, median, rounded},
    services::{Services, request},
};

/// The numbers of events of the customers.
const EVENTS: [u64; 3] = [300, 20_000, 100_000];
/// The number of measured requests of each kind. One request before them is not measured.
const REQUESTS: usize = 5;

/// A kind of request.
struct Kind {
    name: &'static str,
    function: &'static str,
    fixture: &'static str,
    /// The path after `/profiles/{id}`; `None` for a lookup.
    path: Option<&'static str>,
    /// The value of the query parameter `include`.
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

/// Measures large customers and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let ingest = services.program(&build::ci_function("ingest").await?);
    for events in EVENTS {
        let address = format!("many{events}@example.com");
        let id = import_emails(&services, &ingest, &address, events).await?;
        for kind in &KINDS {
            let event = event_of(kind, &id, &address).await?;
            let figures = send(&services, kind, &event).await?;
            report.add(format!("{events} events: {}", kind.name), figures);
        }
    }
    report.note(format!(
        "The events are sent emails of about 400 bytes each, of one identity. Each function is warm: it has read the customer once before. The \
         figures of {REQUESTS} requests are the mean units and requests, the median time, the mean CPU and the peak memory. The functions are \
         built with the profile `ci`, without link-time optimization. Time includes the work of the local table."
    ));
    Ok(report)
}

/// Returns the event of a request for the customer with this ID and email address.
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

/// Sends a request repeatedly to a new process and returns its figures.
async fn send(services: &Services, kind: &Kind, event: &Value) -> Result<String, Failure> {
    let program = services.program_over_tls(&build::ci_function(kind.function).await?);
    let mut function = Function::start(&program, None).await?;
    function.wait_ready().await?;
    check_success(&function.invoke(event).await?)?;
    function.wait_idle().await?;
    services.table.reset_counts();
    let (mut times, mut last) = (Vec::new(), Value::Null);
    let cpu = function.cpu().await?;
    for _ in 0..REQUESTS {
        let began = Instant::now();
        let response = function.invoke(event).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        check_success(&response)?;
        last = serde_json::from_slice(&response)?;
    }
    let cpu = (function.cpu().await? - cpu) / REQUESTS as f64 * 1e3;
    let (mut requests, mut units) = (0, 0.0);
    for count in services.table.counts().values() {
        requests += count.requests;
        units += count.capacity_units;
    }
    let body: Value = serde_json::from_str(last["body"].as_str().unwrap_or_default())?;
    let partial = body["partial"].as_bool().unwrap_or_default();
    let sent = &body["summary"]["email"]["sent"];
    let counted = sent
        .as_u64()
        .map_or_else(String::new, |sent| format!(", {sent} emails counted"));
    Ok(format!(
        "read units {}, table requests {}; {} ms, {} ms of CPU, peak memory {:.0} MiB{counted}{}",
        rounded(units / REQUESTS as f64),
        rounded(requests as f64 / REQUESTS as f64),
        rounded(median(times)),
        rounded(cpu),
        function.peak_memory().await? as f64 / MEBIBYTE,
        if partial { ", partial response" } else { "" },
    ))
}
