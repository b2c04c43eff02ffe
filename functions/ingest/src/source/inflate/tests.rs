//! Members, frames, padding and damage of each compression format, in chunks of any size.

use async_compression::tokio::bufread::{GzipEncoder, ZlibEncoder, ZstdEncoder};
use aws_sdk_s3::{Client, config::BehaviorVersion, primitives::ByteStream};
use aws_smithy_types::body::SdkBody;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use proptest::prelude::*;
use tokio::io::AsyncRead;

use super::*;
use crate::source::notification::{ObjectVersion, Origin};

/// Runs `test` with an object of these bytes that arrives in chunks of `chunk` bytes.
fn with<T>(bytes: &[u8], chunk: usize, test: impl AsyncFnOnce(Inflated<'_>) -> T) -> T {
    let config = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
    let client = Client::from_conf(config.build());
    let object = ObjectVersion {
        bucket: String::new(),
        key: String::new(),
        version_id: None,
        etag: String::new(),
        sequencer: String::new(),
        dropped_at: None,
        is_empty: false,
        origin: Origin::default(),
    };
    let chunks: Vec<_> = bytes
        .chunks(chunk)
        .map(|chunk| Ok::<_, io::Error>(Frame::data(Bytes::copy_from_slice(chunk))))
        .collect();
    let body = SdkBody::from_body_1_x(StreamBody::new(stream::iter(chunks)));
    let body = Body::of(&client, &object, bytes.len() as u64, ByteStream::new(body));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .unwrap()
        .block_on(async { test(Inflated::new(body).await.unwrap()).await })
}

/// Returns the content up to its end or error, and the error.
async fn rest(inflated: &mut Inflated<'_>) -> (Vec<u8>, Option<FileError>) {
    let mut all = Vec::new();
    loop {
        match inflated.next().await {
            Ok(Some(chunk)) => all.extend_from_slice(&chunk),
            Ok(None) => return (all, None),
            Err(ReadError::File(error)) => return (all, Some(error)),
            Err(ReadError::Ingest(error)) => panic!("{error}"),
        }
    }
}

fn inflate(bytes: &[u8], chunk: usize) -> (Vec<u8>, Option<FileError>) {
    with(bytes, chunk, async |mut inflated| rest(&mut inflated).await)
}

fn encoded(encoder: impl AsyncRead) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Box::pin(encoder);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime
        .unwrap()
        .block_on(async { encoder.read_to_end(&mut bytes).await })
        .unwrap();
    bytes
}

fn gzip(text: &[u8]) -> Vec<u8> {
    encoded(GzipEncoder::new(text))
}

fn zlib(text: &[u8]) -> Vec<u8> {
    encoded(ZlibEncoder::new(text))
}

fn zstd(text: &[u8]) -> Vec<u8> {
    encoded(ZstdEncoder::new(text))
}

/// Returns a skippable frame of zstd.
fn skippable(magic: u8, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    [&[magic, 0x2A, 0x4D, 0x18][..], &size, content].concat()
}

#[test]
fn reads_every_member_and_frame() {
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("members", [gzip(b"a\n"), gzip(b"b\n")].concat()),
        (
            "empty members",
            [gzip(b""), gzip(b"a\n"), gzip(b""), gzip(b"b\n"), gzip(b"")].concat(),
        ),
        (
            "zeros at the end",
            [gzip(b"a\nb\n"), vec![0; 10_000]].concat(),
        ),
        ("one zero", [gzip(b"a\nb\n"), vec![0]].concat()),
        (
            "zeros between members",
            [gzip(b"a\n"), vec![0; 511], gzip(b"b\n"), vec![0; 3]].concat(),
        ),
        ("line end", [gzip(b"a\nb\n"), b"\r\n".to_vec()].concat()),
        ("frames", [zstd(b"a\n"), zstd(b"b\n")].concat()),
        (
            "empty frames",
            [zstd(b""), zstd(b"a\nb\n"), zstd(b"")].concat(),
        ),
        (
            "skippable frame first",
            [skippable(0x50, b"index"), zstd(b"a\nb\n")].concat(),
        ),
        (
            "skippable frames",
            [
                skippable(0x5F, b""),
                zstd(b"a\n"),
                skippable(0x5E, &[7; 9_000]),
                zstd(b"b\n"),
                skippable(0x5A, b"x"),
            ]
            .concat(),
        ),
        (
            "zeros after a frame",
            [zstd(b"a\nb\n"), vec![0; 600]].concat(),
        ),
        ("zlib", zlib(b"a\nb\n")),
        ("both", [gzip(b"a\n"), zstd(b"b\n")].concat()),
        ("plain", b"a\nb\n".to_vec()),
    ];
    for (name, bytes) in cases {
        for chunk in [1, 3, 1 << 20] {
            assert_eq!(
                inflate(&bytes, chunk),
                (b"a\nb\n".to_vec(), None),
                "{name}, {chunk}"
            );
        }
    }
}

#[test]
fn reads_empty_content() {
    for bytes in [
        vec![],
        gzip(b""),
        zstd(b""),
        zlib(b""),
        skippable(0x50, b"only"),
    ] {
        assert_eq!(inflate(&bytes, 2), (vec![], None), "{bytes:?}");
    }
}

#[test]
fn counts_compressed_bytes() {
    let bytes = [gzip(b"a"), vec![0; 100], gzip(b"b"), vec![0; 5]].concat();
    for chunk in [1, 7, 1 << 20] {
        with(&bytes, chunk, async |mut inflated| {
            rest(&mut inflated).await;
            assert_eq!(inflated.compressed_bytes(), Some(bytes.len() as u64));
        });
    }
    with(b"text", 2, async |inflated| {
        assert_eq!(inflated.compressed_bytes(), None)
    });
}

#[test]
fn rejects_truncated_and_damaged_content() {
    let text = b"one line of text\n".repeat(100);
    let cut = |bytes: Vec<u8>, by: usize| bytes[..bytes.len() - by].to_vec();
    let mut flipped = gzip(&text);
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for (name, bytes) in [
        ("gzip", cut(gzip(&text), 1)),
        (
            "second member",
            cut([gzip(&text), gzip(&text)].concat(), 12),
        ),
        (
            "header of second member",
            [gzip(&text), vec![0x1F, 0x8B, 8]].concat(),
        ),
        ("zstd", cut(zstd(&text), 3)),
        ("skippable frame", cut(skippable(0x50, &[1; 50]), 10)),
        ("zlib", cut(zlib(&text), 2)),
        ("checksum", flipped),
    ] {
        for chunk in [1, 1 << 20] {
            let (_, error) = inflate(&bytes, chunk);
            assert_eq!(
                error.map(|error| error.kind),
                Some(FileErrorKind::BrokenCompression),
                "{name}"
            );
        }
    }
}

#[test]
fn names_place_of_trailing_data() {
    let member = gzip(b"a\n");
    for padding in [0, 4] {
        let bytes = [&member[..], &vec![0; padding], b"{\"b\":2}\n"].concat();
        for chunk in [1, 5, 1 << 20] {
            let (text, error) = inflate(&bytes, chunk);
            let error = error.unwrap();
            assert_eq!(
                (text.as_slice(), error.kind),
                (&b"a\n"[..], FileErrorKind::BrokenCompression)
            );
            let place = format!("at byte {} of the file", member.len() + padding);
            assert!(error.detail.contains(&place), "{}", error.detail);
        }
    }
}

#[test]
fn limits_ratio() {
    let zeros = vec![b' '; 40 << 20];
    for bytes in [gzip(&zeros), zstd(&zeros), zlib(&zeros)] {
        let (text, error) = inflate(&bytes, 1 << 16);
        assert_eq!(
            error.map(|error| error.kind),
            Some(FileErrorKind::CompressionRatio)
        );
        assert!(text.len() < zeros.len());
    }
}

#[test]
fn peeks_until_decided() {
    let text = b"0123456789".repeat(1_000);
    for bytes in [text.clone(), gzip(&text)] {
        with(&bytes, 16, async |mut inflated| {
            let mut seen = Vec::new();
            let decided = inflated.peek(|peeked| {
                assert!(text.starts_with(peeked.start) && !peeked.is_broken);
                seen.push(peeked.start.len());
                (peeked.start.len() >= 100).then_some(7)
            });
            assert_eq!(decided.await.unwrap(), Some(7));
            assert!(
                seen.windows(2).all(|pair| pair[1] >= 2 * pair[0]),
                "{seen:?}"
            );
            let undecided =
                inflated.peek(|peeked| peeked.extent.is_whole().then_some(peeked.start.len()));
            assert_eq!(undecided.await.unwrap(), Some(text.len()));
            assert_eq!(rest(&mut inflated).await, (text.clone(), None));
        });
    }
}

#[test]
fn peeks_one_mebibyte_at_most() {
    let text = b"0123456789abcdef".repeat(200_000);
    for (bytes, chunk) in [(text.clone(), 1_000), (gzip(&text), 1 << 20)] {
        with(&bytes, chunk, async |mut inflated| {
            let mut longest = 0;
            let decision = inflated.peek(|peeked| {
                assert!(!peeked.extent.is_whole());
                longest = peeked.start.len();
                None::<()>
            });
            assert_eq!(decision.await.unwrap(), None);
            assert_eq!(longest, MAX_PEEKED_BYTES);
            assert_eq!(rest(&mut inflated).await, (text.clone(), None));
        });
    }
}

#[test]
fn peek_keeps_error_for_later() {
    let text = b"one line of text\n".repeat(100);
    let whole = gzip(&text);
    with(&whole[..whole.len() - 4], 64, async |mut inflated| {
        let decision = inflated.peek(|peeked| peeked.extent.is_whole().then_some(peeked.is_broken));
        assert_eq!(decision.await.unwrap(), Some(true));
        let (read, error) = rest(&mut inflated).await;
        assert!(text.starts_with(&read));
        assert_eq!(
            error.map(|error| error.kind),
            Some(FileErrorKind::BrokenCompression)
        );
    });
}

#[derive(Clone, Debug)]
enum Part {
    Gzip(Vec<u8>),
    Zstd(Vec<u8>),
    Skippable(u8, Vec<u8>),
}

fn part() -> impl Strategy<Value = Part> {
    let text = || prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        text().prop_map(Part::Gzip),
        text().prop_map(Part::Zstd),
        (0x50_u8..=0x5F, text()).prop_map(|(magic, text)| Part::Skippable(magic, text)),
    ]
}

proptest! {
    /// Whatever was read ahead, the content is the same in chunks of any size.
    #[test]
    fn peek_then_read_returns_all(
        parts in prop::collection::vec((part(), 0_usize..9), 1..5), chunk in 1_usize..600, wanted in 0_usize..900,
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (part, zeros) in &parts {
            match part {
                Part::Gzip(text) => bytes.extend(gzip(text)),
                Part::Zstd(text) => bytes.extend(zstd(text)),
                Part::Skippable(magic, text) => bytes.extend(skippable(*magic, text)),
            }
            bytes.resize(bytes.len() + zeros, 0);
            if let Part::Gzip(text) | Part::Zstd(text) = part {
                expected.extend_from_slice(text);
            }
        }
        with(&bytes, chunk, async |mut inflated| {
            let peeked = inflated.peek(|peeked| (peeked.start.len() >= wanted).then_some(()));
            peeked.await.unwrap();
            assert_eq!(rest(&mut inflated).await, (expected, None));
        });
    }
}
