//! The formats of S3 events and of dead-lettered events.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::lambda::{InvokeError, arn};
use crate::s3::Created;
use crate::template::{Function, REGION};

/// The characters that S3 does not encode in an event's key. A space becomes `+`.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/')
    .remove(b' ');

/// Returns the S3 event, version 2.1 as in the S3 documentation, with one record.
pub(super) fn event(created: &Created, rule: usize) -> Value {
    let key = utf8_percent_encode(&created.key, KEY)
        .to_string()
        .replace(' ', "+");
    let mut object = json!({
        "key": key,
        "size": created.size,
        "eTag": created.etag,
        "sequencer": created.sequencer,
    });
    if let Some(version_id) = &created.version_id {
        object["versionId"] = Value::from(version_id.as_str());
    }
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": format!("{:.3}", Timestamp::now()),
        "eventName": created.event,
        "userIdentity": { "principalId": "AWS:LOCAL" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": {
            "x-amz-request-id": Uuid::new_v4().simple().to_string()[..16].to_uppercase(),
            "x-amz-id-2": Uuid::new_v4().simple().to_string(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": format!("local-{rule}"),
            "bucket": {
                "name": created.bucket,
                "ownerIdentity": { "principalId": "LOCAL" },
                "arn": format!("arn:aws:s3:::{}", created.bucket),
            },
            "object": object,
        },
    }] })
}

/// Returns a dead-lettered event, in the format of Lambda's on-failure destination.
pub(super) fn failed(
    function: &Function,
    id: &str,
    event: Value,
    error: &InvokeError,
    at: Timestamp,
) -> Value {
    json!({
        "version": "1.0",
        "timestamp": format!("{at:.3}"),
        "requestContext": {
            "requestId": id,
            "functionArn": format!("{}:$LATEST", arn(&function.logical_id)),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": function.retries + 1,
        },
        "requestPayload": event,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorType": error.error_type, "errorMessage": error.error_message },
    })
}
