//! An answer's body on its way: counted, held back, cut.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::time::Instant;

use super::{connection::Reset, server::Shared};

/// In how many pieces a second's bytes are passed where bodies are held back.
const PIECES: u32 = 20;
/// What buffers hold of a body that is held back, in time.
const BUFFERED: Duration = Duration::from_millis(50);
/// Shorter pauses than this are added up; and so long a body rests before it is cut.
const TICK: Duration = Duration::from_millis(2);

pub(super) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

/// What is done to a body.
pub(super) struct Way {
    pub(super) shared: Arc<Shared>,
    pub(super) operation: String,
    pub(super) bytes_per_second: Option<u32>,
    /// After how many bytes the connection is reset.
    pub(super) cut_at: Option<u64>,
    pub(super) reset: Reset,
}

/// A whole body.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    http_body_util::Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// How long so many bytes take.
pub(super) fn time_of(bytes: usize, bytes_per_second: Option<u32>) -> Duration {
    bytes_per_second.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(bytes as f64 / f64::from(rate.max(1)))
    })
}

/// The same body, as it arrives.
pub(super) fn passed(body: Incoming, way: Way) -> Body {
    let start = (body, Bytes::new(), 0_u64, Instant::now(), way);
    let frames = stream::try_unfold(
        start,
        |(mut body, mut left, mut sent, due, way)| async move {
            while left.is_empty() {
                match body.frame().await {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(io::Error::other(error)),
                    Some(Ok(frame)) => left = frame.into_data().unwrap_or_default(),
                }
            }
            let mut size = left.len();
            if let Some(rate) = way.bytes_per_second {
                size = size.min((rate / PIECES).max(1) as usize);
            }
            if let Some(cut) = way.cut_at {
                let until = usize::try_from(cut - sent).unwrap_or(usize::MAX);
                if until == 0 {
                    // What was sent before is to arrive: a reset takes back what is still in buffers.
                    tokio::time::sleep(TICK).await;
                    way.reset.store(true, std::sync::atomic::Ordering::Relaxed);
                    return Err(io::Error::other("cut"));
                }
                size = size.min(until);
            }
            let piece = left.split_to(size);
            // Timers count in milliseconds, which many pieces do not take: so it is the sum that is kept to. What the other side
            // was too slow for lies ready in buffers, as far as they go.
            let now = Instant::now();
            let due = due.max(now.checked_sub(BUFFERED).unwrap_or(now))
                + time_of(size, way.bytes_per_second);
            if due > now + TICK {
                tokio::time::sleep_until(due).await;
            }
            sent += size as u64;
            way.shared
                .count(&way.operation, |count| count.bytes_out += size as u64);
            Ok(Some((Frame::data(piece), (body, left, sent, due, way))))
        },
    );
    let frames: Pin<Box<dyn futures::Stream<Item = io::Result<Frame<Bytes>>> + Send>> =
        Box::pin(frames);
    StreamBody::new(frames).boxed_unsync()
}
