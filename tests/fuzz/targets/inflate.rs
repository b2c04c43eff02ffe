//! Compressed objects: one member or several inflate to the original content. A damaged object is an error.
#![no_main]

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;

#[derive(arbitrary::Arbitrary, Debug)]
enum Object<'a> {
    Raw(&'a [u8]),
    /// Members, each with zeros after it.
    Gzip(Vec<(&'a [u8], u8)>),
    /// Frames, each with a skippable one before it.
    Zstd(Vec<(&'a [u8], &'a [u8])>),
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

fn skippable(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    [b"\x50\x2A\x4D\x18", &size[..], content].concat()
}

fuzz_target!(|object: Object<'_>| {
    let (bytes, parts) = match object {
        Object::Raw(bytes) => (bytes.to_vec(), None),
        Object::Gzip(parts) => (
            parts
                .iter()
                .flat_map(|(text, zeros)| [gzip(text), vec![0; (*zeros).into()]])
                .flatten()
                .collect(),
            Some(parts.iter().map(|(text, _)| *text).collect::<Vec<_>>()),
        ),
        Object::Zstd(parts) => (
            parts
                .iter()
                .flat_map(|(text, skipped)| [skippable(skipped), zstd(text)])
                .flatten()
                .collect(),
            Some(parts.iter().map(|(text, _)| *text).collect()),
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
    assert_eq!(inflated, Ok(parts.concat()));
});
