//! S3's events: any JSON is accepted or rejected, and the keys of a notification are decoded correctly.
#![no_main]

use libfuzzer_sys::fuzz_target;
use percent_encoding::{utf8_percent_encode, NON_ALPHANUMERIC};
use serde_json::json;

#[derive(arbitrary::Arbitrary, Debug)]
enum Event<'a> {
    Any(&'a str),
    Notification {
        bucket: &'a str,
        keys: Vec<&'a str>,
        version: Option<&'a str>,
        sequencer: &'a str,
        plus: bool,
    },
}

fuzz_target!(|event: Event<'_>| match event {
    Event::Any(text) => {
        if let Ok(event) = serde_json::from_str(text) {
            ingest::fuzz::notified(event);
        }
    }
    Event::Notification {
        bucket,
        keys,
        version,
        sequencer,
        plus,
    } => {
        let record = |key: &&str| {
            let mut key = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
            if plus {
                key = key.replace("%20", "+");
            }
            json!({
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventTime": "2026-10-31T00:00:00.000Z", "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "x"}, "requestParameters": {"sourceIPAddress": "10.0.0.1"},
                "responseElements": {},
                "s3": {
                    "s3SchemaVersion": "1.0", "configurationId": "c",
                    "bucket": {"name": bucket, "ownerIdentity": {"principalId": "p"}, "arn": "arn"},
                    "object": {"key": key, "size": 3, "eTag": "e", "versionId": version, "sequencer": sequencer}
                }
            })
        };
        let records: Vec<_> = keys.iter().map(record).collect();
        let notified =
            ingest::fuzz::notified(json!({ "Records": records })).expect("a notification");
        assert_eq!(notified, keys);
    }
});
