//! Parses S3 notifications: which versions of which objects an event names.

use aws_lambda_events::event::s3::{S3Event, S3EventRecord};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use shared::model::{report_key::version_of, time::Instant, version::ImportId};

/// The maximum number of characters of each value about the request that created an object.
const MAX_ORIGIN_CHARS: usize = 256;

/// One version of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ObjectVersion {
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// `None` in a bucket without versioning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version_id: Option<String>,
    pub(crate) etag: String,
    /// The order of events with the same key, in hexadecimal.
    pub(crate) sequencer: String,
    /// When the object was created, by its event; `None` in plans of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped_at: Option<Instant>,
    /// Whether the object has no content, as the event states.
    #[serde(skip)]
    pub(crate) is_empty: bool,
    /// Who created the object. Not stored: the audit line of the import contains it.
    #[serde(skip)]
    pub(crate) origin: Origin,
}

/// The request that created an object, as S3 reports it. Unknown parts are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The principal of AWS, for example `AWS:AROAEXAMPLE:session`.
    pub(crate) principal: String,
    pub(crate) source_ip: String,
    /// The ID that S3 gave the request.
    pub(crate) request_id: String,
}

impl Origin {
    fn of(record: &S3EventRecord) -> Self {
        let request_id = record.response_elements.get("x-amz-request-id");
        Self {
            principal: printable(record.principal_id.principal_id.as_deref()),
            source_ip: printable(record.request_parameters.source_ip_address.as_deref()),
            request_id: printable(request_id.map(String::as_str)),
        }
    }
}

/// Returns a value of a notification without control characters, shortened to [`MAX_ORIGIN_CHARS`].
fn printable(value: Option<&str>) -> String {
    let characters = value.unwrap_or_default().chars();
    characters
        .filter(|character| !character.is_control())
        .take(MAX_ORIGIN_CHARS)
        .collect()
}

impl ObjectVersion {
    /// Returns the ID of the import of this version.
    pub(crate) fn import(&self) -> ImportId {
        ImportId::new(&self.bucket, &self.key, &self.id())
    }

    /// Returns an identifier that distinguishes this version from others of the key.
    pub(crate) fn id(&self) -> String {
        version_of(self.version_id.as_deref(), &self.etag, &self.sequencer)
    }
}

/// The event is neither a notification nor the test event of S3.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotificationError {
    #[error("the event is not an S3 notification")]
    Shape(#[from] serde_json::Error),
    #[error("the S3 notification lacks a bucket, key or sequencer")]
    Incomplete,
}

/// Parses an event. The test event that S3 sends when notifications are configured names no objects.
pub(crate) fn objects(event: serde_json::Value) -> Result<Vec<ObjectVersion>, NotificationError> {
    if event.get("Event").and_then(serde_json::Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    let event: S3Event = serde_json::from_value(event)?;
    event
        .records
        .into_iter()
        .map(|record| object(record).ok_or(NotificationError::Incomplete))
        .collect()
}

fn object(record: S3EventRecord) -> Option<ObjectVersion> {
    let origin = Origin::of(&record);
    let object = record.s3.object;
    // Keys are form-encoded: a plus is a space. This does not rely on the library's own decoding.
    let key = object.key?.replace('+', " ");
    Some(ObjectVersion {
        bucket: record.s3.bucket.name?,
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
        version_id: object
            .version_id
            .filter(|id| !id.is_empty() && id != "null"),
        etag: object.e_tag.unwrap_or_default(),
        sequencer: object.sequencer?,
        dropped_at: Instant::from_microseconds(record.event_time.timestamp_micros()),
        is_empty: object.size == Some(0),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(key: &str) -> serde_json::Value {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventTime": "2026-10-31T00:00:00.000Z", "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:x"}, "requestParameters": {"sourceIPAddress": "10.0.0.1"},
            "responseElements": {"x-amz-request-id": "r", "x-amz-id-2": "h"},
            "s3": {
                "s3SchemaVersion": "1.0", "configurationId": "c",
                "bucket": {"name": "b", "ownerIdentity": {"principalId": "p"}, "arn": "arn:aws:s3:::b"},
                "object": {"key": key, "size": 3, "eTag": "e", "versionId": "v", "sequencer": "0055AED6DCD90281E5"}
            }
        }]})
    }

    #[test]
    fn keys_are_decoded() {
        let objects = objects(event("drop/purchase/a+b%2Bc%25%C3%A9.ndjson")).unwrap();
        assert_eq!(objects[0].key, "drop/purchase/a b+c%é.ndjson");
        assert_eq!(
            (objects[0].id(), objects[0].bucket.as_str()),
            ("v".to_owned(), "b")
        );
    }

    #[test]
    fn origins_are_bounded() {
        let origin = |event| objects(event).unwrap().remove(0).origin;
        let known = Origin {
            principal: "AWS:x".to_owned(),
            source_ip: "10.0.0.1".to_owned(),
            request_id: "r".to_owned(),
        };
        assert_eq!(origin(event("drop/a")), known);
        let mut long = event("drop/a");
        let record = &mut long["Records"][0];
        record["userIdentity"]["principalId"] = json!(format!("a\n{}", "b".repeat(999)));
        record["requestParameters"] = json!({});
        record["responseElements"] = json!({});
        let shortened = Origin {
            principal: format!("a{}", "b".repeat(MAX_ORIGIN_CHARS - 1)),
            ..Origin::default()
        };
        assert_eq!(origin(long), shortened);
    }

    #[test]
    fn the_test_event_tells_of_nothing() {
        let event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-10-31T00:00:00.000Z",
            "Bucket": "b", "RequestId": "r", "HostId": "h"});
        assert_eq!(objects(event).unwrap(), []);
    }

    #[test]
    fn other_events_are_errors() {
        assert!(objects(json!({"hello": "world"})).is_err());
        assert!(objects(json!({"Records": [{"s3": {"object": {"key": "k"}}}]})).is_err());
    }
}
