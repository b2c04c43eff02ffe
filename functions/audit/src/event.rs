//! Decodes deliveries of CloudWatch Logs: gzip inside base64 inside JSON.

use std::io::{self, Read as _};

use aws_sdk_cloudwatchlogs::{error::BuildError, types::InputLogEvent};
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use serde::Deserialize;

/// The maximum size of a decompressed delivery, in bytes. Lambda accepts 1 MB, compressed.
const MAX_BYTES: u64 = 64 << 20;

/// An event of a subscription filter.
#[derive(Debug, Deserialize)]
pub struct Event {
    awslogs: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    message_type: MessageType,
    log_events: Vec<LogEvent>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum MessageType {
    DataMessage,
    /// CloudWatch Logs checks that the function can be reached. The message contains no lines of a function.
    ControlMessage,
}

/// A line of a function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct LogEvent {
    /// The time of the line, in milliseconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) message: String,
}

impl LogEvent {
    pub(crate) fn into_input(self) -> Result<InputLogEvent, BuildError> {
        let event = InputLogEvent::builder().timestamp(self.timestamp);
        event.message(self.message).build()
    }
}

/// Why a delivery cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The data is not base64.
    #[error("the data is not base64")]
    Base64(#[from] data_encoding::DecodeError),
    /// The data cannot be decompressed.
    #[error("the data cannot be decompressed")]
    Gzip(#[from] io::Error),
    /// The decompressed data is too large.
    #[error("the data is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The content is not a delivery.
    #[error("the content is not a delivery")]
    Json(#[from] serde_json::Error),
}

impl Event {
    /// Returns the lines of the delivery.
    ///
    /// # Errors
    /// The delivery cannot be decoded.
    pub(crate) fn log_events(&self) -> Result<Vec<LogEvent>, EventError> {
        let packed = BASE64.decode(self.awslogs.data.as_bytes())?;
        let mut json = Vec::new();
        GzDecoder::new(packed.as_slice())
            .take(MAX_BYTES + 1)
            .read_to_end(&mut json)?;
        if json.len() as u64 > MAX_BYTES {
            return Err(EventError::TooLarge);
        }
        let delivery: Delivery = serde_json::from_slice(&json)?;
        Ok(match delivery.message_type {
            MessageType::DataMessage => delivery.log_events,
            MessageType::ControlMessage => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use serde_json::{Value, json};

    use super::*;

    fn event(content: &[u8]) -> Event {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        let data = BASE64.encode(&encoder.finish().unwrap());
        serde_json::from_value(json!({"awslogs": {"data": data}})).unwrap()
    }

    fn delivery(kind: &str) -> Value {
        json!({
            "messageType": kind, "owner": "123456789012", "logGroup": "g", "logStream": "s", "subscriptionFilters": ["f"],
            "logEvents": [{"id": "1", "timestamp": 7, "message": "{\"audit\":\"profile.read\"}"}]
        })
    }

    #[test]
    fn decodes_lines() {
        let lines = event(delivery("DATA_MESSAGE").to_string().as_bytes()).log_events();
        let expected = LogEvent {
            timestamp: 7,
            message: r#"{"audit":"profile.read"}"#.to_owned(),
        };
        assert_eq!(lines.unwrap(), [expected]);
    }

    #[test]
    fn ignores_control_messages() {
        let event = event(delivery("CONTROL_MESSAGE").to_string().as_bytes());
        assert_eq!(event.log_events().unwrap(), []);
    }

    #[test]
    fn decodes_the_example() {
        let example = include_str!("../events/control.json");
        let event: Event = serde_json::from_str(example).unwrap();
        assert_eq!(event.log_events().unwrap(), []);
    }

    #[test]
    fn rejects_other_content() {
        let base64: Event = serde_json::from_value(json!({"awslogs": {"data": "%"}})).unwrap();
        assert!(matches!(base64.log_events(), Err(EventError::Base64(_))));
        let gzip: Event = serde_json::from_value(json!({"awslogs": {"data": "QUJD"}})).unwrap();
        assert!(matches!(gzip.log_events(), Err(EventError::Gzip(_))));
        assert!(matches!(
            event(b"{}").log_events(),
            Err(EventError::Json(_))
        ));
        let large = vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1];
        assert!(matches!(
            event(&large).log_events(),
            Err(EventError::TooLarge)
        ));
        assert!(matches!(
            event(&large[1..]).log_events(),
            Err(EventError::Json(_))
        ));
    }
}
