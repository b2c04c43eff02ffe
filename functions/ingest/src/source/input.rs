//! The bytes of a compressed object, as a reader that can look ahead.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::source::object::Body;

/// The bytes of an object from some place on.
pub(super) struct Input<'a> {
    /// The bytes that were read from the object but not consumed.
    chunk: Bytes,
    chunks: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'a>>,
}

impl<'a> Input<'a> {
    /// Reads `start`, and then the rest of `body`. Adds the size of what is read from the object to `read`.
    pub(super) fn new(start: Bytes, body: Body<'a>, read: Arc<AtomicU64>) -> Self {
        read.fetch_add(start.len() as u64, Ordering::Relaxed);
        let chunks = stream::try_unfold(body, move |mut body| {
            let read = Arc::clone(&read);
            async move {
                let chunk = body.next().await.map_err(io::Error::other)?;
                Ok(chunk.map(|chunk| {
                    read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    (chunk, body)
                }))
            }
        });
        Self {
            chunk: start,
            chunks: Box::pin(chunks),
        }
    }

    /// Skips bytes to the first one that does not match, or to the end.
    pub(super) async fn skip_while(&mut self, matches: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let count = self.chunk.iter().take_while(|byte| matches(**byte)).count();
            self.chunk.advance(count);
            if !self.chunk.is_empty() {
                return Ok(());
            }
            match self.chunks.next().await {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(()),
            }
        }
    }

    /// Returns the bytes that follow without consuming them: at least `count`, unless the object ends before.
    pub(super) async fn start(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.chunk.len() < count {
            let Some(chunk) = self.chunks.next().await.transpose()? else {
                break;
            };
            let mut both = BytesMut::from(&*self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
        Ok(&self.chunk)
    }
}

impl AsyncBufRead for Input<'_> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let input = self.get_mut();
        while input.chunk.is_empty() {
            match ready!(input.chunks.as_mut().poll_next(cx)) {
                Some(chunk) => input.chunk = chunk?,
                None => break,
            }
        }
        Poll::Ready(Ok(&input.chunk))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        self.get_mut().chunk.advance(count);
    }
}

impl AsyncRead for Input<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = available.len().min(buffer.remaining());
        buffer.put_slice(&available[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}
