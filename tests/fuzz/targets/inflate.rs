//! Compressed objects: what was compressed comes back, in one member or several; what is damaged is told so.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;

#[derive(arbitrary::Arbitrary, Debug)]
enum Object<'a> {
    Raw(&'a [u8]),
    Gzip(Vec<&'a [u8]>),
    Zstd(Vec<&'a [u8]>),
    /// Whole, and then one byte is another and the end is missing.
    Damaged {
        zstd: bool,
        text: &'a [u8],
        byte: u16,
        mask: u8,
        cut: u8,
    },
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).unwrap()
}

/// A byte order mark of UTF-16 or UTF-32 is refused before all else.
fn is_refused(text: &[u8]) -> bool {
    text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF")
}

fuzz_target!(|object: Object<'_>| {
    let (bytes, parts) = match object {
        Object::Raw(bytes) => (bytes.to_vec(), None),
        Object::Gzip(parts) => (
            parts.iter().flat_map(|part| gzip(part)).collect(),
            Some(parts),
        ),
        Object::Zstd(parts) => (
            parts.iter().flat_map(|part| zstd(part)).collect(),
            Some(parts),
        ),
        Object::Damaged {
            zstd: is_zstd,
            text,
            byte,
            mask,
            cut,
        } => {
            let mut bytes = if is_zstd { zstd(text) } else { gzip(text) };
            let at = usize::from(byte) % bytes.len();
            bytes[at] ^= mask;
            bytes.truncate(bytes.len().saturating_sub(cut.into()));
            (bytes, None)
        }
    };
    let inflated = ingest::fuzz::inflated(bytes);
    let Some(parts) = parts else { return };
    let whole = parts.concat();
    match inflated {
        Ok(text) => assert_eq!(text, whole),
        Err(kind) => assert!(
            kind == "/problems/unsupported-encoding" && is_refused(&whole),
            "{kind}"
        ),
    }
});
