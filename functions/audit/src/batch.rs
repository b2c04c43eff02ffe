//! Divides lines into requests that [PutLogEvents](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html)
//! accepts.

use crate::event::LogEvent;

/// The maximum number of lines in a request.
const MAX_EVENTS: usize = 10_000;
/// The maximum size of a request, in bytes.
const MAX_BYTES: usize = 1_048_576;
/// The number of bytes that CloudWatch Logs adds for each line.
const EVENT_BYTES: usize = 26;
/// The maximum time between the first and the last line of a request, in milliseconds.
const MAX_SPAN: i64 = 24 * 60 * 60 * 1_000;

/// Returns the lines in the order of their times, divided into requests.
pub(crate) fn batches(mut events: Vec<LogEvent>) -> Vec<Vec<LogEvent>> {
    events.sort_by_key(|event| event.timestamp);
    let mut batches: Vec<Vec<LogEvent>> = Vec::new();
    let mut bytes = 0;
    for event in events {
        let size = event.message.len() + EVENT_BYTES;
        let last = batches.last_mut().filter(|batch| {
            let first = batch
                .first()
                .map_or(event.timestamp, |first| first.timestamp);
            batch.len() < MAX_EVENTS
                && bytes + size <= MAX_BYTES
                && event.timestamp - first < MAX_SPAN
        });
        match last {
            Some(batch) => {
                bytes += size;
                batch.push(event);
            }
            None => {
                bytes = size;
                batches.push(vec![event]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(timestamp: i64, length: usize) -> LogEvent {
        LogEvent {
            timestamp,
            message: "x".repeat(length),
        }
    }

    fn lengths(events: Vec<LogEvent>) -> Vec<usize> {
        batches(events).iter().map(Vec::len).collect()
    }

    #[test]
    fn sorts_by_time() {
        let times: Vec<_> = batches(vec![event(2, 1), event(1, 1), event(3, 1)])
            .concat()
            .into_iter()
            .map(|event| event.timestamp)
            .collect();
        assert_eq!(times, [1, 2, 3]);
        assert!(batches(Vec::new()).is_empty());
    }

    #[test]
    fn stays_below_every_limit() {
        assert_eq!(lengths(vec![event(0, 0); MAX_EVENTS + 1]), [MAX_EVENTS, 1]);
        let half = MAX_BYTES / 2 - EVENT_BYTES;
        assert_eq!(lengths(vec![event(0, half); 3]), [2, 1]);
        assert_eq!(lengths(vec![event(0, half + 1); 2]), [1, 1]);
        let begin = 2 * MAX_SPAN;
        let day = [0, MAX_SPAN - 1, MAX_SPAN].map(|after| event(begin + after, 1));
        assert_eq!(lengths(day.to_vec()), [2, 1]);
    }
}
