//! Decompresses an object if its first bytes are those of a compression format. Its name does not matter.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

use crate::{
    IngestError,
    source::{FileError, FileErrorKind, object::Body},
    text::grouped,
};

/// The first bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// The first bytes of zstd (RFC 8878).
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The maximum ratio of the decompressed size to the compressed size.
const MAX_RATIO: u64 = 1_000;
/// The ratio is checked only after this many decompressed bytes, so that a small file of whitespace is not rejected.
const RATIO_FREE_BYTES: u64 = 16 << 20;
/// The maximum number of bytes that are decompressed at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// The decompressed content of an object, one chunk at a time.
pub(crate) enum Inflated<'a> {
    /// The object is not compressed. The bytes that were read to detect this come first.
    Plain(Option<Bytes>, Body<'a>),
    /// The object is compressed.
    Compressed(Decoder<'a>),
}

/// Decompresses an object and counts its bytes.
pub(crate) struct Decoder<'a> {
    reader: Pin<Box<dyn AsyncRead + Send + 'a>>,
    /// The number of compressed bytes that the reader has taken.
    compressed_bytes: Arc<AtomicU64>,
    /// The number of decompressed bytes that were returned.
    decompressed_bytes: u64,
}

/// Why the content cannot be read.
pub(crate) enum ReadError {
    /// The object could not be read.
    Ingest(IngestError),
    /// The content cannot be decompressed, or is not in UTF-8.
    File(FileError),
}

impl From<IngestError> for ReadError {
    fn from(error: IngestError) -> Self {
        Self::Ingest(error)
    }
}

impl<'a> Inflated<'a> {
    /// Detects the compression from the first bytes.
    pub(crate) async fn new(mut body: Body<'a>) -> Result<Self, IngestError> {
        let mut start = BytesMut::new();
        while start.len() < ZSTD.len() {
            let Some(chunk) = body.next().await? else {
                break;
            };
            start.extend_from_slice(&chunk);
        }
        let start = start.freeze();
        let is_gzip = start.starts_with(&GZIP);
        if !is_gzip && !start.starts_with(&ZSTD) {
            return Ok(Self::Plain(
                Some(start).filter(|start| !start.is_empty()),
                body,
            ));
        }
        let read = Arc::new(AtomicU64::new(0));
        let compressed = StreamReader::new(Box::pin(counted(start, body, Arc::clone(&read))));
        let reader: Pin<Box<dyn AsyncRead + Send + 'a>> = if is_gzip {
            let mut decoder = GzipDecoder::new(compressed);
            decoder.multiple_members(true);
            Box::pin(decoder)
        } else {
            let mut decoder = ZstdDecoder::new(compressed);
            decoder.multiple_members(true);
            Box::pin(decoder)
        };
        Ok(Self::Compressed(Decoder {
            reader,
            compressed_bytes: read,
            decompressed_bytes: 0,
        }))
    }

    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed(_))
    }

    /// Returns how many bytes of the object have been read for decompression; `None` if it is not compressed.
    pub(crate) fn compressed_bytes(&self) -> Option<u64> {
        match self {
            Self::Plain(..) => None,
            Self::Compressed(decoder) => Some(decoder.compressed_bytes.load(Ordering::Relaxed)),
        }
    }

    /// Returns the next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Plain(start, body) => match start.take() {
                Some(start) => check_encoding(&start).map(|()| Some(start)),
                None => Ok(body.next().await?),
            },
            Self::Compressed(decoder) => decoder.next().await,
        }
    }
}

impl Decoder<'_> {
    /// Returns the next decompressed bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let count = self
            .reader
            .read_buf(&mut chunk)
            .await
            .map_err(|error| self.read_error(error))?;
        if self.decompressed_bytes == 0 {
            check_encoding(&chunk)?;
        }
        self.decompressed_bytes += count as u64;
        let read = self.compressed_bytes.load(Ordering::Relaxed);
        if self.decompressed_bytes > RATIO_FREE_BYTES && self.decompressed_bytes / MAX_RATIO > read
        {
            return Err(ReadError::File(FileError::new(
                FileErrorKind::CompressionRatio,
                format!(
                    "The file decompresses to more than {} times its size, the limit. Only the rows before byte {} of its \
                     decompressed content were processed. Drop it uncompressed.",
                    grouped(MAX_RATIO),
                    self.decompressed_bytes
                ),
            )));
        }
        Ok((count > 0).then(|| chunk.freeze()))
    }

    /// Returns whether a failed read is an error of S3 or of the compressed data.
    fn read_error(&self, error: io::Error) -> ReadError {
        match error.downcast::<IngestError>() {
            Ok(error) => ReadError::Ingest(error),
            Err(error) => {
                let what = if error.kind() == io::ErrorKind::UnexpectedEof {
                    "The file ends in the middle of its compressed data"
                } else {
                    "The compressed data of the file is damaged"
                };
                ReadError::File(FileError::new(
                    FileErrorKind::BrokenCompression,
                    format!(
                        "{what}. Only the rows before byte {} of its decompressed content were processed. Compress the file again and \
                         drop it.",
                        self.decompressed_bytes
                    ),
                ))
            }
        }
    }
}

/// Rejects content with the byte order mark of UTF-16 or UTF-32, because no row of it could be read.
fn check_encoding(start: &[u8]) -> Result<(), ReadError> {
    if start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF") {
        let detail = "The file is encoded in UTF-16 or UTF-32. Save it as UTF-8.";
        return Err(ReadError::File(FileError::new(
            FileErrorKind::UnsupportedEncoding,
            detail,
        )));
    }
    Ok(())
}

/// Returns the body's chunks, beginning with those already read, and adds their sizes to `read`.
fn counted<'a>(
    start: Bytes,
    body: Body<'a>,
    read: Arc<AtomicU64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'a {
    stream::try_unfold((Some(start), body), move |(start, mut body)| {
        let read = Arc::clone(&read);
        async move {
            let chunk = match start {
                Some(start) => Some(start),
                None => body.next().await.map_err(io::Error::other)?,
            };
            let Some(chunk) = chunk else { return Ok(None) };
            read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            Ok(Some((chunk, (None, body))))
        }
    })
}
