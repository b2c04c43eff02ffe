//! Replays the recorded requests of an import, to measure the table without ingest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::Failure;

/// Dynoxide requires a signature, but does not check it.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";

/// Sends the bodies of `BatchExecuteStatement` over `connections` concurrent connections. Returns the seconds until all
/// statements were executed.
pub(crate) async fn replay(
    endpoint: &str,
    bodies: Vec<Bytes>,
    connections: usize,
) -> Result<f64, Failure> {
    let client = Client::new();
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    let began = Instant::now();
    for _ in 0..connections {
        let (client, endpoint) = (client.clone(), endpoint.to_owned());
        let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
        senders.spawn(async move {
            let mut responses = Vec::new();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request = client
                    .post(&endpoint)
                    .header("content-type", "application/x-amz-json-1.0")
                    .header("x-amz-target", "DynamoDB_20120810.BatchExecuteStatement")
                    .header("authorization", SIGNATURE)
                    .header("x-amz-date", "20260101T000000Z")
                    .body(body.clone());
                responses.push(request.send().await?.bytes().await?);
            }
            Ok::<_, reqwest::Error>(responses)
        });
    }
    let mut responses = Vec::new();
    while let Some(of_connection) = senders.join_next().await {
        responses.extend(of_connection??);
    }
    let seconds = began.elapsed().as_secs_f64();
    for response in responses {
        let response: Value = serde_json::from_slice(&response)?;
        let verdicts = response["Responses"].as_array();
        let verdicts =
            verdicts.ok_or_else(|| format!("the table rejected a request: {response}"))?;
        if let Some(error) = verdicts.iter().find_map(|verdict| verdict.get("Error")) {
            return Err(format!("the table rejected a statement: {error}").into());
        }
    }
    Ok(seconds)
}
