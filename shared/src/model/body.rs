//! Large bodies of events. The event contains only the beginning of its body, so that a page of history stays small.
//! The whole body is stored compressed in an item of its own, under the same key after `body#` and with the same
//! version.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::model::value::{Map, Value};

/// The maximum size of a body that an event contains whole, in bytes.
pub const MAX_INLINE_BYTES: usize = 4 * 1024;
/// The maximum size of the beginning that an event contains of a larger body, in bytes.
pub const PREVIEW_BYTES: usize = 400;
/// The maximum size of a compressed body in bytes: DynamoDB's item limit of 400 KB, less the rest of the item.
pub const MAX_PACKED_BYTES: usize = 408_000;
/// The maximum size of a decompressed body in bytes. No record, and so no body, is larger.
const MAX_BYTES: u64 = 1 << 20;
/// The name of the body in a body item's data.
const FIELD: &str = "gzip";

/// A body that is stored apart from its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The item's data: `{gzip}`.
    pub data: Map,
    /// Whether the end of the body was left out, because the compressed body did not fit an item.
    pub truncated: bool,
}

/// Returns at most the first `bytes` bytes of `body`, up to the end of a character.
pub fn beginning(body: &str, bytes: usize) -> &str {
    &body[..body.floor_char_boundary(bytes)]
}

/// Compresses a body, or as much of its beginning as fits an item.
///
/// Uses gzip. For strings of this size it compresses better than zstd, every client can read it, and responses use it
/// anyway.
///
/// # Errors
/// Writing to memory failed.
pub fn pack(body: &str) -> io::Result<Packed> {
    let mut packed = compress(body)?;
    let truncated = packed.len() > MAX_PACKED_BYTES;
    if truncated {
        // Finds the longest beginning that fits, to within 1 KiB. The compressed size grows with the length, apart from
        // a few bytes.
        let (mut fits, mut not) = (MAX_PACKED_BYTES / 2, body.len());
        packed = compress(beginning(body, fits))?;
        while not - fits > 1024 {
            let middle = fits.midpoint(not);
            let tried = compress(beginning(body, middle))?;
            if tried.len() > MAX_PACKED_BYTES {
                not = middle;
            } else {
                (fits, packed) = (middle, tried);
            }
        }
    }
    let mut data = Map::new();
    data.insert(FIELD, Value::Bytes(packed));
    Ok(Packed { data, truncated })
}

/// Returns the body in a body item's data. `None` if there is none or it is damaged.
pub fn unpack(data: &Map) -> Option<String> {
    let Value::Bytes(packed) = data.get(FIELD)? else {
        return None;
    };
    let mut body = String::new();
    // Larger bodies are never written.
    GzDecoder::new(packed.as_slice())
        .take(MAX_BYTES)
        .read_to_string(&mut body)
        .ok()?;
    Some(body)
}

fn compress(body: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_bytes())?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_at_a_character() {
        // Digits of a seeded generator compress to about half their size.
        let mut state = 1_u64;
        let body: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{:016x}é", state)
        })
        .take(58_000)
        .collect();
        let packed = pack(&body).unwrap();
        assert!(packed.truncated);
        let Some(Value::Bytes(bytes)) = packed.data.get(FIELD) else {
            panic!("no bytes")
        };
        assert!(
            (MAX_PACKED_BYTES - 2048..=MAX_PACKED_BYTES).contains(&bytes.len()),
            "{}",
            bytes.len()
        );
        let kept = unpack(&packed.data).unwrap();
        assert!(body.starts_with(&kept) && kept.len() < body.len());
    }

    #[test]
    fn what_is_no_body_is_none() {
        assert_eq!(unpack(&Map::new()), None);
        let mut damaged = Map::new();
        damaged.insert(FIELD, Value::Bytes(vec![1, 2, 3]));
        assert_eq!(unpack(&damaged), None);
    }

    proptest! {
        #[test]
        fn bodies_come_back(body in ".{0,300}") {
            let packed = pack(&body).unwrap();
            prop_assert!(!packed.truncated);
            prop_assert_eq!(unpack(&packed.data), Some(body));
        }
    }
}
