//! Streams bodies to and from disk, so that an object is never in memory as a whole. Incoming bodies are hashed and compared with
//! the values that the client sent.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;

use axum::http::{Extensions, HeaderMap};
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use futures::{Stream, StreamExt};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::store::Store;
use super::upload::Stored;
use super::wire::Trailers;

/// The size of the chunks in which bodies are read and written.
const CHUNK_BYTES: usize = 256 * 1024;
/// The prefix of the headers and trailers with checksums.
const CHECKSUM: &str = "x-amz-checksum-";

/// The client's values for the body: `Content-MD5`, `Content-Length`, the `x-amz-checksum-…` headers, and the trailers that
/// follow.
#[derive(Debug, Default)]
pub(super) struct Claims {
    md5: Option<String>,
    length: Option<u64>,
    headers: BTreeMap<String, String>,
    trailers: Option<Trailers>,
    /// Algorithms to compute, by the last part of their header.
    algorithms: Vec<String>,
}

impl Claims {
    pub(super) fn new(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let mut claims = Self {
            md5: text("content-md5"),
            length: text("content-length").and_then(|length| length.parse().ok()),
            trailers: extensions.get::<Trailers>().cloned(),
            ..Self::default()
        };
        for name in headers.keys() {
            let name = name.as_str();
            if let Some(algorithm) = name
                .strip_prefix(CHECKSUM)
                .filter(|rest| !["type", "mode", "algorithm"].contains(rest))
                && let Some(value) = text(name)
            {
                claims.headers.insert(algorithm.to_owned(), value);
            }
        }
        claims.algorithms.extend(claims.headers.keys().cloned());
        for name in text("x-amz-trailer").unwrap_or_default().split(',') {
            claims.algorithms.extend(
                name.trim()
                    .to_ascii_lowercase()
                    .strip_prefix(CHECKSUM)
                    .map(str::to_owned),
            );
        }
        claims
    }

    fn hasher(&self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        for algorithm in &self.algorithms {
            match algorithm.as_str() {
                "crc32" => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
                "crc32c" => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
                "crc64nvme" => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
                "sha1" => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
                "sha256" => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
                _ => {}
            }
        }
        hasher
    }

    /// Compares a stored body with the client's values.
    fn check(&self, stored: &Stored) -> S3Result<()> {
        if self.length.is_some_and(|length| length != stored.size) {
            return Err(s3_error!(
                IncompleteBody,
                "The request body ended before the number of bytes it announced"
            ));
        }
        if let Some(md5) = &self.md5
            && *md5 != BASE64.encode(&stored.md5)
        {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        for (algorithm, found) in &stored.checksums {
            let trailer = || {
                self.trailers
                    .as_ref()?
                    .get(&format!("{CHECKSUM}{algorithm}"))
            };
            if let Some(claimed) = self.headers.get(algorithm).cloned().or_else(trailer)
                && claimed != *found
            {
                return Err(s3_error!(
                    BadDigest,
                    "The {algorithm} you specified did not match the calculated checksum."
                ));
            }
        }
        Ok(())
    }
}

impl Store {
    /// Stores a body and compares it with the client's values.
    pub(super) async fn receive(
        &self,
        body: Option<StreamingBlob>,
        claims: &Claims,
    ) -> S3Result<Stored> {
        let (name, path) = self.new_body();
        let file = File::create(&path).await.map_err(S3Error::internal_error)?;
        let mut stored = Stored {
            name,
            path: Some(path),
            size: 0,
            md5: Vec::new(),
            checksums: BTreeMap::default(),
        };
        let mut writer = BufWriter::with_capacity(CHUNK_BYTES, file);
        let (mut md5, mut hasher) = (Md5::new(), claims.hasher());
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk = chunk
                    .map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
                md5.update(&chunk);
                hasher.update(&chunk);
                stored.size += chunk.len() as u64;
                writer
                    .write_all(&chunk)
                    .await
                    .map_err(S3Error::internal_error)?;
            }
        }
        writer.flush().await.map_err(S3Error::internal_error)?;
        stored.md5 = md5.finalize().as_ref().to_vec();
        let sums = hasher.finalize();
        let sums = [
            ("crc32", sums.checksum_crc32),
            ("crc32c", sums.checksum_crc32c),
            ("crc64nvme", sums.checksum_crc64nvme),
            ("sha1", sums.checksum_sha1),
            ("sha256", sums.checksum_sha256),
        ];
        stored.checksums = sums
            .into_iter()
            .filter_map(|(name, sum)| Some((name.to_owned(), sum?)))
            .collect();
        claims.check(&stored)?;
        Ok(stored)
    }

    /// Creates a second name for a body. Bodies never change, so a hard link is enough; copies if links are not supported.
    pub(super) async fn link(&self, body: &str) -> S3Result<Stored> {
        let (name, path) = self.new_body();
        let from = self.body(body);
        if tokio::fs::hard_link(&from, &path).await.is_err() {
            tokio::fs::copy(&from, &path)
                .await
                .map_err(S3Error::internal_error)?;
        }
        Ok(Stored {
            name,
            path: Some(path),
            size: 0,
            md5: Vec::new(),
            checksums: BTreeMap::default(),
        })
    }

    /// Concatenates bodies into one.
    pub(super) async fn join(&self, bodies: Vec<String>) -> S3Result<Stored> {
        let (name, path) = self.new_body();
        let mut stored = Stored {
            name,
            path: Some(path.clone()),
            size: 0,
            md5: Vec::new(),
            checksums: BTreeMap::default(),
        };
        let parts: Vec<_> = bodies.iter().map(|body| self.body(body)).collect();
        let joined = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::create(path)?;
            let mut size = 0;
            for part in parts {
                size += std::io::copy(&mut std::fs::File::open(part)?, &mut file)?;
            }
            std::io::Result::Ok(size)
        });
        stored.size = joined
            .await
            .map_err(S3Error::internal_error)?
            .map_err(S3Error::internal_error)?;
        Ok(stored)
    }
}

/// Streams a range of a body. The file is open when this returns, so a later delete does not affect the stream.
pub(super) async fn send(path: &Path, range: Range<u64>) -> S3Result<StreamingBlob> {
    let mut file = File::open(path).await.map_err(S3Error::internal_error)?;
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))
            .await
            .map_err(S3Error::internal_error)?;
    }
    Ok(StreamingBlob::wrap(chunks(file, range.end - range.start)))
}

fn chunks(
    file: File,
    length: u64,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
    futures::stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let mut chunk = BytesMut::with_capacity(wanted);
        let read = (&mut file).take(wanted as u64).read_buf(&mut chunk).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((chunk.freeze(), (file, left - read as u64))))
    })
}
