//! Measures profile and history reads: instructions, requests, read units.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use serde_json::Value;
use shared::model::{identifier::Identifier, identity::IdentityKey, keys};
use tests::faults::Count;

use crate::{
    Failure, build,
    function::{Function, Program},
    report::{Report, millions, rounded},
    rows,
    services::{Services, request},
};

/// The customer that is read.
const EMAIL: &str = "jane@example.com";
/// The customer with opened emails only.
const OPENS_EMAIL: &str = "opens@example.com";
/// The number of the customer's events.
const EVENTS: u64 = 300;
/// The number of warm reads that are counted.
const READS: u64 = 20;
/// The number of events of a history page.
const PAGE: i32 = 25;

/// Measures reads and returns the report.
pub(crate) async fn measure() -> Result<Report, Failure> {
    let services = Services::start().await?;
    let mut report = Report::default();
    let ingest = services.program(&build::function("ingest").await?);
    let id = import_customer(&services, &ingest).await?;
    let own = services.program_over_tls(&build::function("profile-read").await?);
    let peer = services.program_over_tls(&build::peer("query", "deployed").await?);
    let own = warm(&services, &own, &id).await?;
    let lower_bound = warm(&services, &peer, &id).await?;
    let ratio = own as f64 / lower_bound as f64;
    report.at_most(
        format!(
            "instructions of a warm profile read ({EVENTS} events), compared with its query alone"
        ),
        format!(
            "{} against {}: {ratio:.2}×",
            millions(own),
            millions(lower_bound)
        ),
        ratio,
        1.5,
    );

    let opens = import_opens(&services, &ingest).await?;
    profile_units(&services, &id, &opens, &mut report).await?;
    history_units(&services, &opens, "opened", &mut report).await?;
    history_units(&services, &id, "sent", &mut report).await?;
    report.note(format!(
        "Instructions are those of one warm read over TLS: {READS} reads of the same process, divided by {READS}. The query alone is a function \
         that sends the same query with the same client, and returns the number of items. Requests and units are those that the table receives and \
         reports. The customers have {EVENTS} events in 28 days, 11 a day. A history page with sent emails needs all events up to 24 hours beyond the          page, because they may be older versions of its last events. Opened emails have no versions."
    ));
    Ok(report)
}

/// Imports a customer with opened emails and returns the profile's ID.
async fn import_opens(services: &Services, ingest: &Program) -> Result<String, Failure> {
    let opened = (0..EVENTS)
        .map(|number| rows::opened_email(number, OPENS_EMAIL))
        .collect();
    let key = "drop/email_open/mail/opened.ndjson";
    import(services, ingest, key, opened, OPENS_EMAIL).await
}

/// Reports the requests and read units of profiles with one identity.
async fn profile_units(
    services: &Services,
    id: &str,
    opens: &str,
    report: &mut Report,
) -> Result<(), Failure> {
    let (requests, units) = read_profile(services, id).await?;
    report.at_most(
        "table requests of a profile read (one identity)",
        format!("{requests}"),
        requests as f64,
        1.0,
    );
    report.at_most(
        format!("read units of a profile with {EVENTS} sent emails (all fields)"),
        rounded(units),
        units,
        8.0,
    );
    let (_, units) = read_profile(services, opens).await?;
    report.at_most(
        format!("read units of a profile with {EVENTS} opened emails (ID and campaign only)"),
        rounded(units),
        units,
        8.0,
    );
    Ok(())
}

/// Reports the read units of a history page of `kind` emails.
async fn history_units(
    services: &Services,
    id: &str,
    kind: &str,
    report: &mut Report,
) -> Result<(), Failure> {
    let (requests, units) = read_once(
        services,
        "history",
        "history/events/page.json",
        &format!("/profiles/{id}/history"),
    )
    .await?;
    let head = units_of(services, id, keys::HEAD, None).await?;
    let page = units_of(services, id, keys::EVENTS, Some(PAGE)).await?;
    let ratio = (units - head) / page;
    report.at_most(
        format!("read units of a history page of {PAGE} {kind} emails without links, compared with one query of them"),
        format!("{} in {requests} requests, {} for links: {ratio:.2}×", rounded(units), rounded(head)),
        ratio,
        1.3,
    );
    Ok(())
}

/// Imports the customer and returns the profile's ID.
pub(crate) async fn import_customer(
    services: &Services,
    ingest: &Program,
) -> Result<String, Failure> {
    import_emails(services, ingest, EMAIL, EVENTS).await
}

/// Imports a customer with one sent email and returns the profile's ID.
pub(crate) async fn import_new_customer(
    services: &Services,
    ingest: &Program,
) -> Result<String, Failure> {
    import_emails(services, ingest, "new@example.com", 1).await
}

/// Imports `count` emails to one address and returns the profile's ID.
pub(crate) async fn import_emails(
    services: &Services,
    ingest: &Program,
    address: &str,
    count: u64,
) -> Result<String, Failure> {
    let file: String = (0..count)
        .map(|number| rows::email(number, Some(address)))
        .collect();
    let key = format!("drop/email_send/mail/{count}.ndjson");
    import(services, ingest, &key, file, address).await
}

/// Imports a file with rows of one address and returns the profile's ID.
async fn import(
    services: &Services,
    ingest: &Program,
    key: &str,
    file: String,
    address: &str,
) -> Result<String, Failure> {
    let event = services.drop_file(key, file).await?;
    Function::start(ingest, None).await?.invoke(&event).await?;
    let key = IdentityKey::new(services.stack.identity_key()).ok_or("no identity key")?;
    let email = serde_json::Map::from_iter([("email".to_owned(), address.into())]);
    let email = Identifier::from_json(&email).map_err(|error| error.to_string())?;
    Ok(key.identity(&email).to_string())
}

/// Returns the instructions of one read of a warm process.
pub(crate) async fn warm(services: &Services, program: &Program, id: &str) -> Result<u64, Failure> {
    let few = instructions(services, program, id, 2).await?;
    let more = instructions(services, program, id, 2 + READS).await?;
    Ok((more - few) / READS)
}

/// Returns the instructions of a process from exec to the last of `reads` responses.
pub(crate) async fn instructions(
    services: &Services,
    program: &Program,
    id: &str,
    reads: u64,
) -> Result<u64, Failure> {
    let event = request("profile-read/events/get.json", &format!("/profiles/{id}")).await?;
    let counts = services.folder.path().join("counts");
    let mut function = Function::start(program, Some(&counts)).await?;
    function.wait_ready().await?;
    function.wait_idle().await?;
    for _ in 0..reads {
        check_success(&function.invoke(&event).await?)?;
    }
    function.terminate().await
}

/// Returns an error unless a response has status 200 or 201.
pub(crate) fn check_success(response: &[u8]) -> Result<(), Failure> {
    let response: Value = serde_json::from_slice(response)?;
    if matches!(response["statusCode"].as_u64(), Some(200 | 201)) {
        Ok(())
    } else {
        Err(format!("a request failed: {response}").into())
    }
}

/// Returns the requests and read units of a profile read.
async fn read_profile(services: &Services, id: &str) -> Result<(u64, f64), Failure> {
    let path = format!("/profiles/{id}");
    read_once(
        services,
        "profile-read",
        "profile-read/events/get.json",
        &path,
    )
    .await
}

/// Returns the requests and read units of a warm request.
async fn read_once(
    services: &Services,
    function: &str,
    fixture: &str,
    path: &str,
) -> Result<(u64, f64), Failure> {
    let program = services.program(&build::function(function).await?);
    let event = request(fixture, path).await?;
    let mut function = Function::start(&program, None).await?;
    // The first request of a process also reads facts of the table, which the process caches.
    check_success(&function.invoke(&event).await?)?;
    services.table.reset_counts();
    check_success(&function.invoke(&event).await?)?;
    Ok(sum(&services.table.counts()))
}

/// Returns the requests and capacity units of all operations.
fn sum(counts: &BTreeMap<String, Count>) -> (u64, f64) {
    counts.values().fold((0, 0.0), |(requests, units), count| {
        (requests + count.requests, units + count.capacity_units)
    })
}

/// Returns the read units of a range of a partition.
async fn units_of(
    services: &Services,
    id: &str,
    (low, high): (&str, &str),
    limit: Option<i32>,
) -> Result<f64, Failure> {
    let response = services
        .stack
        .dynamodb_client()
        .query()
        .table_name(services.stack.table())
        .key_condition_expression("PK = :pk AND SK BETWEEN :low AND :high")
        .expression_attribute_values(":pk", AttributeValue::S(id.to_owned()))
        .expression_attribute_values(":low", AttributeValue::S(low.to_owned()))
        .expression_attribute_values(":high", AttributeValue::S(high.to_owned()))
        .scan_index_forward(false)
        .set_limit(limit)
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await?;
    let consumed = response
        .consumed_capacity()
        .and_then(|consumed| consumed.capacity_units());
    Ok(consumed.unwrap_or_default())
}
