//! Decompresses an object if its first bytes are those of a compression format. Its name does not matter.
//!
//! Compressed content is a sequence of members (gzip) or frames (zstd), which are read one after another. Zeros and whitespace after a
//! member are padding: tools that write whole blocks add zeros. Other data after a member is an error, because it may be a damaged
//! member with rows.

use std::{
    io,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
};

use async_compression::tokio::bufread::{GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;

use crate::{
    IngestError,
    source::{FileError, FileErrorKind, input::Input, object::Body},
    text::grouped,
};

/// The maximum number of bytes that are read ahead to detect how a file is written.
pub(crate) const MAX_PEEKED_BYTES: usize = 1 << 20;
/// The number of bytes that identify a compression format.
const MAGIC_BYTES: usize = 4;
/// The maximum ratio of the decompressed size to the compressed size.
const MAX_RATIO: u64 = 1_000;
/// The ratio is checked only after this many decompressed bytes, so that a small file of whitespace is not rejected.
const RATIO_FREE_BYTES: u64 = 16 << 20;
/// The maximum number of bytes that are decompressed at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// The decompressed content of an object, one chunk at a time.
pub(crate) struct Inflated<'a> {
    content: Content<'a>,
    /// Content that was read ahead.
    ahead: BytesMut,
    /// Why there is no content after `ahead`, if that is known.
    end: Option<End>,
}

/// The content of an object after the bytes that were read ahead.
enum Content<'a> {
    Plain(Body<'a>),
    Compressed(Decoder<'a>),
}

/// Why no content follows.
enum End {
    /// The object has ended.
    Whole,
    /// The rest cannot be decompressed.
    Broken(FileError),
}

/// Whether bytes are the whole content or its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Beginning,
}

impl Extent {
    pub(crate) const fn is_whole(self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Returns the extent of bytes that were read ahead: whole if no more will be.
    pub(crate) const fn ahead(self, start: &[u8]) -> Self {
        if start.len() == MAX_PEEKED_BYTES {
            return Self::Whole;
        }
        self
    }
}

/// The beginning of a file's content, as far as it was read ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peeked<'a> {
    pub(crate) start: &'a [u8],
    /// Whole if no more content can be read ahead: `start` is all of it, or the rest is damaged.
    pub(crate) extent: Extent,
    /// Whether the rest of the content is damaged.
    pub(crate) is_broken: bool,
}

impl Peeked<'_> {
    /// Returns the extent of the content to examine: whole if no more will be read ahead.
    pub(crate) const fn ahead(&self) -> Extent {
        self.extent.ahead(self.start)
    }
}

/// Why the content cannot be read.
pub(crate) enum ReadError {
    /// The object could not be read.
    Ingest(IngestError),
    /// The content cannot be decompressed.
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
        while start.len() < MAGIC_BYTES {
            let Some(chunk) = body.next().await? else {
                break;
            };
            start.extend_from_slice(&chunk);
        }
        let Some(compression) = Compression::of(&start) else {
            let ahead = start;
            return Ok(Self {
                ahead,
                ..Self::plain(body)
            });
        };
        let read = Arc::new(AtomicU64::new(0));
        let input = Input::new(start.freeze(), body, Arc::clone(&read));
        let content = Content::Compressed(Decoder {
            member: compression.member(input),
            compressed_bytes: read,
            decompressed_bytes: 0,
        });
        Ok(Self {
            content,
            ahead: BytesMut::new(),
            end: None,
        })
    }

    /// Returns the content of an object that is not compressed.
    pub(crate) fn plain(body: Body<'a>) -> Self {
        Self {
            content: Content::Plain(body),
            ahead: BytesMut::new(),
            end: None,
        }
    }

    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self.content, Content::Compressed(_))
    }

    /// Returns how many bytes of the object have been read for decompression; `None` if it is not compressed.
    pub(crate) fn compressed_bytes(&self) -> Option<u64> {
        match &self.content {
            Content::Plain(_) => None,
            Content::Compressed(decoder) => Some(decoder.read_bytes()),
        }
    }

    /// Reads ahead until `decide` returns a value from the beginning of the content. `decide` must do so if the content is all, or has
    /// [`MAX_PEEKED_BYTES`]; otherwise this returns `None`. The bytes are returned by [`Self::next`] again.
    pub(crate) async fn peek<T>(
        &mut self,
        mut decide: impl FnMut(Peeked<'_>) -> Option<T>,
    ) -> Result<Option<T>, IngestError> {
        let mut goal = 1;
        loop {
            while self.end.is_none() && self.ahead.len() < goal {
                match self.content.next().await {
                    Ok(Some(chunk)) => self.ahead.extend_from_slice(&chunk),
                    Ok(None) => self.end = Some(End::Whole),
                    Err(ReadError::File(error)) => self.end = Some(End::Broken(error)),
                    Err(ReadError::Ingest(error)) => return Err(error),
                }
            }
            // The next attempt has twice as many bytes as this one, so that the work is linear.
            goal = (2 * self.ahead.len()).min(MAX_PEEKED_BYTES);
            let is_all = self.end.is_some() && self.ahead.len() <= MAX_PEEKED_BYTES;
            let peeked = Peeked {
                start: &self.ahead[..self.ahead.len().min(MAX_PEEKED_BYTES)],
                extent: if is_all {
                    Extent::Whole
                } else {
                    Extent::Beginning
                },
                is_broken: matches!(self.end, Some(End::Broken(_))),
            };
            let is_last = peeked.ahead().is_whole();
            let decision = decide(peeked);
            if decision.is_some() || is_last {
                return Ok(decision);
            }
        }
    }

    /// Returns the next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        if !self.ahead.is_empty() {
            return Ok(Some(std::mem::take(&mut self.ahead).freeze()));
        }
        match self.end.take() {
            None => self.content.next().await,
            Some(End::Broken(error)) => Err(ReadError::File(error)),
            Some(End::Whole) => {
                self.end = Some(End::Whole);
                Ok(None)
            }
        }
    }
}

impl Content<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self {
            Self::Plain(body) => Ok(body.next().await?),
            Self::Compressed(decoder) => decoder.next().await,
        }
    }
}

/// A compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// Detects the format from the first bytes of a member.
    fn of(start: &[u8]) -> Option<Self> {
        match *start {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // The other header of zlib, 78 5E, is text.
            [0x78, 0x01 | 0x9C | 0xDA, ..] => Some(Self::Zlib),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            // A skippable frame, which some tools write first.
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Creates the decoder of the member that begins here.
    fn member(self, input: Input<'_>) -> Member<'_> {
        match self {
            Self::Gzip => Member::Gzip(Box::new(GzipDecoder::new(input))),
            Self::Zlib => Member::Zlib(Box::new(ZlibDecoder::new(input))),
            Self::Zstd => Member::Zstd(Box::new(ZstdDecoder::new(input))),
        }
    }
}

/// The current member of a compressed object.
#[derive(Default)]
enum Member<'a> {
    Gzip(Box<GzipDecoder<Input<'a>>>),
    Zlib(Box<ZlibDecoder<Input<'a>>>),
    Zstd(Box<ZstdDecoder<Input<'a>>>),
    /// After a member. Another one may follow.
    Between(Input<'a>),
    /// After the last member.
    #[default]
    Over,
}

impl<'a> Member<'a> {
    /// Decompresses more of the member. Returns 0 at its end.
    async fn read(&mut self, chunk: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read_buf(chunk).await,
            Self::Zlib(decoder) => decoder.read_buf(chunk).await,
            Self::Zstd(decoder) => decoder.read_buf(chunk).await,
            Self::Between(_) | Self::Over => Ok(0),
        }
    }

    /// Returns the compressed bytes after the member; `None` after the last one.
    fn into_input(self) -> Option<Input<'a>> {
        match self {
            Self::Gzip(decoder) => Some(decoder.into_inner()),
            Self::Zlib(decoder) => Some(decoder.into_inner()),
            Self::Zstd(decoder) => Some(decoder.into_inner()),
            Self::Between(input) => Some(input),
            Self::Over => None,
        }
    }
}

/// Decompresses an object and counts its bytes.
struct Decoder<'a> {
    member: Member<'a>,
    /// The number of compressed bytes that were read.
    compressed_bytes: Arc<AtomicU64>,
    /// The number of decompressed bytes that were returned.
    decompressed_bytes: u64,
}

impl Decoder<'_> {
    /// Returns the next decompressed bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        loop {
            let count = self.member.read(&mut chunk).await;
            let count = count.map_err(|error| self.read_error(error))?;
            if count > 0 {
                self.decompressed_bytes += count as u64;
                self.check_ratio()?;
                return Ok(Some(chunk.freeze()));
            }
            let Some(input) = std::mem::take(&mut self.member).into_input() else {
                return Ok(None);
            };
            self.member = Member::Between(input);
            self.next_member().await?;
        }
    }

    /// Skips padding and begins the next member, if there is one.
    async fn next_member(&mut self) -> Result<(), ReadError> {
        let Member::Between(input) = &mut self.member else {
            return Ok(());
        };
        let is_padding = |byte: u8| byte == 0 || byte.is_ascii_whitespace();
        let skipped = input.skip_while(is_padding).await;
        let start = match skipped {
            Ok(()) => input.start(MAGIC_BYTES).await,
            Err(error) => Err(error),
        };
        let compression = match start {
            Ok([]) => None,
            Ok(start) => match (Compression::of(start), start.len()) {
                (Some(compression), _) => Some(compression),
                (None, unread) => return Err(self.trailing_data(unread)),
            },
            Err(error) => return Err(self.read_error(error)),
        };
        let input = std::mem::take(&mut self.member).into_input();
        if let (Some(compression), Some(input)) = (compression, input) {
            self.member = compression.member(input);
        }
        Ok(())
    }

    fn read_bytes(&self) -> u64 {
        self.compressed_bytes.load(Ordering::Relaxed)
    }

    /// Rejects content that is far larger than the object.
    fn check_ratio(&self) -> Result<(), ReadError> {
        let is_suspect = self.decompressed_bytes > RATIO_FREE_BYTES
            && self.decompressed_bytes / MAX_RATIO > self.read_bytes();
        if !is_suspect {
            return Ok(());
        }
        Err(ReadError::File(FileError::new(
            FileErrorKind::CompressionRatio,
            format!(
                "The file decompresses to more than {} times its size, the limit. Only the rows before byte {} of its \
                 decompressed content were processed. Drop it uncompressed.",
                grouped(MAX_RATIO),
                self.decompressed_bytes
            ),
        )))
    }

    /// Creates the error of data after a member that is neither padding nor another member. `unread` is the number of its bytes that
    /// were read.
    fn trailing_data(&self, unread: usize) -> ReadError {
        let at = self.read_bytes().saturating_sub(unread as u64);
        ReadError::File(FileError::new(
            FileErrorKind::BrokenCompression,
            format!(
                "The file contains data that is not compressed after its compressed data, at byte {at} of the file. Only the rows \
                 before it were processed. Compress the whole content again and drop it."
            ),
        ))
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

#[cfg(test)]
mod tests;
