//! Prepares requests for `s3s`. Any credentials are accepted, so signatures in headers are removed instead of checked; `s3s` can only
//! check signatures whose secret it knows. Those of presigned URLs are checked. `s3s` decodes `aws-chunked` bodies together with their signatures, so they are decoded here.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};

/// The query parameters of presigned URLs in signature version 2.
const SIGNATURE_PARAMETERS: [&str; 3] = ["awsaccesskeyid", "signature", "expires"];
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// The maximum size of a chunk's header line or of a trailer line, in bytes.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// The trailers of an `aws-chunked` body, with names in lowercase. Available after the body has been read to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

impl Trailers {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    }
}

/// Removes a signature in the headers of a request and decodes its chunked body.
pub(super) async fn strip_signature(mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(header::AUTHORIZATION);
    if let Some(uri) = without_signature(request.uri()) {
        *request.uri_mut() = uri;
    }
    let chunked = request
        .headers()
        .get(CONTENT_SHA256)
        .is_some_and(|sha256| sha256.as_bytes().starts_with(b"STREAMING-"));
    if !chunked {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let trailers = Trailers::default();
    parts.extensions.insert(trailers.clone());
    unchunk_headers(&mut parts.headers);
    let body = Body::from_stream(unchunk(
        body.into_data_stream()
            .map(|bytes| bytes.map_err(std::io::Error::other)),
        trailers,
    ));
    next.run(Request::from_parts(parts, body)).await
}

/// Returns a URI without the parameters of its signature; `None` if it has none.
fn without_signature(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let is_signature = |pair: &&str| {
        let name = pair
            .split('=')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        SIGNATURE_PARAMETERS.contains(&name.as_str())
    };
    if !query.split('&').any(|pair| is_signature(&pair)) {
        return None;
    }
    let kept: Vec<_> = query
        .split('&')
        .filter(|pair| !is_signature(pair))
        .collect();
    let path = if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// Adapts the headers to the decoded body.
fn unchunk_headers(headers: &mut HeaderMap) {
    match headers.remove(DECODED_LENGTH) {
        Some(length) => headers.insert(header::CONTENT_LENGTH, length),
        None => headers.remove(header::CONTENT_LENGTH),
    };
    headers.remove(CONTENT_SHA256);
    // S3 does not store `aws-chunked` with the object, but it stores other encodings.
    let encodings = headers.remove(header::CONTENT_ENCODING);
    let encodings = encodings
        .as_ref()
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kept: Vec<_> = encodings
        .split(',')
        .map(str::trim)
        .filter(|e| !e.is_empty() && *e != "aws-chunked")
        .collect();
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::try_from(kept.join(","))
    {
        headers.insert(header::CONTENT_ENCODING, value);
    }
}

/// The decoder of an `aws-chunked` body.
struct Chunks<S> {
    body: Pin<Box<S>>,
    buffer: BytesMut,
    /// The number of bytes of the current chunk that are still missing.
    left: u64,
    /// Whether a chunk has started, so that a line break follows its data.
    started: bool,
    trailers: Trailers,
}

/// Decodes `{size in hex}[;chunk-signature=…]\r\n{data}\r\n … 0\r\n{trailers}\r\n`.
fn unchunk<S>(body: S, trailers: Trailers) -> impl Stream<Item = std::io::Result<Bytes>>
where
    S: Stream<Item = std::io::Result<Bytes>>,
{
    let chunks = Chunks {
        body: Box::pin(body),
        buffer: BytesMut::new(),
        left: 0,
        started: false,
        trailers,
    };
    futures::stream::try_unfold(chunks, |mut chunks| async move {
        let data = chunks.next().await?;
        Ok(data.map(|data| (data, chunks)))
    })
}

impl<S: Stream<Item = std::io::Result<Bytes>>> Chunks<S> {
    /// Returns the next bytes of the decoded body; `None` at its end.
    async fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        if self.left == 0 {
            if self.started && !self.line().await?.is_empty() {
                return Err(invalid("a chunk is longer than its size"));
            }
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = u64::from_str_radix(size, 16)
                .map_err(|_| invalid("a chunk's size is not a number"))?;
            self.started = true;
            if self.left == 0 {
                self.read_trailers().await?;
                return Ok(None);
            }
        }
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(invalid("the body ends within a chunk"));
        }
        let here = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(self.buffer.len());
        self.left -= here as u64;
        Ok(Some(self.buffer.split_to(here).freeze()))
    }

    async fn read_trailers(&mut self) -> std::io::Result<()> {
        let mut trailers = Vec::new();
        while !self.buffer.is_empty() || self.fill().await? {
            let line = self.line().await?;
            if let Some((name, value)) = line.split_once(':') {
                trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        *self
            .trailers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = trailers;
        Ok(())
    }

    /// Reads the next line, without its line break. The end of the body also ends a line.
    async fn line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                let line = String::from_utf8(line.into())
                    .map_err(|_| invalid("a chunk's header is not text"))?;
                return Ok(line.trim_end_matches('\r').to_owned());
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(invalid("a chunk's header is too long"));
            }
            if !self.fill().await? {
                let rest = self.buffer.split();
                return String::from_utf8(rest.into())
                    .map_err(|_| invalid("a chunk's header is not text"));
            }
        }
    }

    /// Reads more of the body. Returns `false` at its end.
    async fn fill(&mut self) -> std::io::Result<bool> {
        match self.body.next().await {
            Some(bytes) => {
                self.buffer.extend_from_slice(&bytes?);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

fn invalid(message: &'static str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn decode(wire: &[u8], step: usize) -> std::io::Result<(Vec<u8>, Trailers)> {
        let chunks: Vec<_> = wire
            .chunks(step)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let trailers = Trailers::default();
        let mut body = Box::pin(unchunk(futures::stream::iter(chunks), trailers.clone()));
        let mut out = Vec::new();
        while let Some(bytes) = body.next().await {
            out.extend_from_slice(&bytes?);
        }
        Ok((out, trailers))
    }

    #[tokio::test]
    async fn signed_and_unsigned_chunks_decode_however_they_arrive() {
        let signed = b"5;chunk-signature=ab\r\nhe\r\no\r\n3;chunk-signature=cd\r\n...\r\n0;chunk-signature=ef\r\n\r\n";
        let unsigned = b"8\r\nhe\r\no...\r\n0\r\nX-Amz-Checksum-Crc32: abc=\r\n\r\n";
        for step in [1, 2, 7, 1000] {
            assert_eq!(decode(signed, step).await.unwrap().0, b"he\r\no...");
            let (body, trailers) = decode(unsigned, step).await.unwrap();
            assert_eq!(body, b"he\r\no...");
            assert_eq!(
                trailers.get("x-amz-checksum-crc32").as_deref(),
                Some("abc=")
            );
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error_and_not_a_shorter_object() {
        for broken in [
            &b"5\r\nhel"[..],
            b"5\r\nhello\r\n",
            b"zz\r\n",
            b"2\r\nhello\r\n0\r\n\r\n",
        ] {
            assert!(
                decode(broken, 3).await.is_err(),
                "{:?}",
                String::from_utf8_lossy(broken)
            );
        }
    }

    #[test]
    fn only_a_signature_of_version_2_leaves_a_presigned_url() {
        let uri = "/b/k?versionId=1&AWSAccessKeyId=x&Signature=x&Expires=9&partNumber=2"
            .parse()
            .unwrap();
        assert_eq!(
            without_signature(&uri).unwrap(),
            "/b/k?versionId=1&partNumber=2"
        );
        for kept in ["/b/k?list-type=2", "/b/k?X-Amz-Signature=x"] {
            assert_eq!(without_signature(&kept.parse().unwrap()), None);
        }
    }
}
