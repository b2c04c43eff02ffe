//! The body of a response: counted, delayed, cut.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::time::Instant;

use super::{connection::Reset, state::Shared};

/// The chunks of a limited body.
const CHUNKS_PER_SECOND: u32 = 20;
/// The time that buffers of a limited body can hold.
const BUFFERED: Duration = Duration::from_millis(50);
/// Shorter waits are accumulated. A body also waits this long before it is cut.
const TICK: Duration = Duration::from_millis(2);

pub(super) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

/// The fault of a body: its delay and where it is cut.
pub(super) struct BodyFault {
    pub(super) shared: Arc<Shared>,
    pub(super) operation: String,
    pub(super) bytes_per_second: Option<u32>,
    /// The number of bytes after which the connection is reset.
    pub(super) cut_at: Option<u64>,
    pub(super) reset: Reset,
}

/// Returns a whole body.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Returns the transfer time of a number of bytes.
pub(super) fn time_of(bytes: usize, bytes_per_second: Option<u32>) -> Duration {
    bytes_per_second.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(bytes as f64 / f64::from(rate.max(1)))
    })
}

/// Returns a body that passes on another as it arrives.
pub(super) fn passed(body: Incoming, fault: BodyFault) -> Body {
    let start = (body, Bytes::new(), 0_u64, Instant::now(), fault);
    let frames = stream::try_unfold(
        start,
        |(mut body, mut left, mut sent, due, fault)| async move {
            while left.is_empty() {
                match body.frame().await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(io::Error::other(error)),
                    Some(Ok(frame)) => left = frame.into_data().unwrap_or_default(),
                }
            }
            let mut size = left.len();
            if let Some(rate) = fault.bytes_per_second {
                size = size.min((rate / CHUNKS_PER_SECOND).max(1) as usize);
            }
            if let Some(cut) = fault.cut_at {
                let until = usize::try_from(cut - sent).unwrap_or(usize::MAX);
                if until == 0 {
                    // The earlier bytes have to arrive first: a reset discards buffers.
                    tokio::time::sleep(TICK).await;
                    fault
                        .reset
                        .store(true, std::sync::atomic::Ordering::Relaxed);
                    return Err(io::Error::other("cut"));
                }
                size = size.min(until);
            }
            let chunk = left.split_to(size);
            // Timers have a resolution of milliseconds, longer than many chunks take, so the sum is kept. Bytes for which the
            // client was too slow are ready in buffers, up to their limit.
            let now = Instant::now();
            let due = due.max(now.checked_sub(BUFFERED).unwrap_or(now))
                + time_of(size, fault.bytes_per_second);
            if due > now + TICK {
                tokio::time::sleep_until(due).await;
            }
            sent += size as u64;
            fault
                .shared
                .count(&fault.operation, |count| count.bytes_out += size as u64);
            Ok(Some((Frame::data(chunk), (body, left, sent, due, fault))))
        },
    );
    let frames: Pin<Box<dyn futures::Stream<Item = io::Result<Frame<Bytes>>> + Send>> =
        Box::pin(frames);
    StreamBody::new(frames).boxed_unsync()
}
