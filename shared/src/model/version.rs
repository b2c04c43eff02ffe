//! Versions: the total order among writes of one item. It makes ingest idempotent and commutative.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The size of a version in bytes: 5 of epoch seconds, 12 of the sequencer, 8 of the import's id, 6 of the offset.
pub const VERSION_BYTES: usize = 31;
const SEQUENCER_BYTES: usize = 12;

/// The id of an import: the first 8 bytes of SHA-256 of bucket, key and version id, each after its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportId(pub [u8; 8]);

impl ImportId {
    /// Returns the id of the import of one version of one object.
    pub fn new(bucket: &str, key: &str, version_id: &str) -> Self {
        use sha2::Digest as _;
        let mut digest = sha2::Sha256::new();
        for part in [bucket, key, version_id] {
            // The lengths distinguish ("a", "bc") from ("ab", "c").
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let mut id = [0; 8];
        id.copy_from_slice(&digest.finalize()[..8]);
        Self(id)
    }
}

impl std::str::FromStr for ImportId {
    type Err = ();

    /// Parses the form that `Display` writes: 16 lowercase hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .map_err(|_| ())?;
        Ok(Self(bytes.try_into().map_err(|_| ())?))
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl Serialize for ImportId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImportId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let invalid = |()| de::Error::custom("expected 16 lowercase hexadecimal digits");
        text.parse().map_err(invalid)
    }
}

/// The version of one written item. Versions are compared byte by byte, here and in DynamoDB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u8; VERSION_BYTES]);

impl Version {
    /// Creates the version of the record at `offset` (bytes, decompressed) of the object that `import` names.
    ///
    /// `last_modified` is the object's, in seconds since 1970. `sequencer` is the S3 event's, in hexadecimal.
    pub fn new(last_modified: i64, sequencer: &str, import: ImportId, offset: u64) -> Self {
        let mut bytes = [0; VERSION_BYTES];
        bytes[..5].copy_from_slice(&last_modified.max(0).to_be_bytes()[3..]);
        bytes[5..17].copy_from_slice(&sequencer_bytes(sequencer));
        bytes[17..25].copy_from_slice(&import.0);
        bytes[25..].copy_from_slice(&offset.to_be_bytes()[2..]);
        Self(bytes)
    }

    /// Returns the version of the record at another offset of the same object.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.0[25..].copy_from_slice(&offset.to_be_bytes()[2..]);
        self
    }

    /// Reads a version from the bytes of an item. Returns `None` unless there are exactly 31.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns the bytes that are stored.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns when the object was last modified, in seconds since 1970.
    pub fn last_modified(&self) -> i64 {
        self.0[..5]
            .iter()
            .fold(0, |seconds, byte| seconds << 8 | i64::from(*byte))
    }

    /// Returns the import that wrote the item.
    pub fn import(&self) -> ImportId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[17..25]);
        ImportId(id)
    }

    /// Returns where in the decompressed object the record begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.0[25..]
            .iter()
            .fold(0, |offset, byte| offset << 8 | u64::from(*byte))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.import(), self.offset())
    }
}

/// Converts a sequencer to bytes, padded on the right with zeros. S3 compares the sequencers of one key as hexadecimal
/// strings padded like this.
fn sequencer_bytes(sequencer: &str) -> [u8; SEQUENCER_BYTES] {
    let mut bytes = [0; SEQUENCER_BYTES];
    let nibbles = sequencer
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .take(2 * SEQUENCER_BYTES);
    for (at, nibble) in nibbles.enumerate() {
        let shift = if at % 2 == 0 { 4 } else { 0 };
        bytes[at / 2] |= (nibble as u8) << shift;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_come_back(seconds in 0_i64..1 << 40, import: [u8; 8], offset in 0_u64..1 << 48) {
            let version = Version::new(seconds, "0055AED6DCD90281E5", ImportId(import), offset);
            prop_assert_eq!(version.last_modified(), seconds);
            prop_assert_eq!(version.import(), ImportId(import));
            prop_assert_eq!(version.import().to_string().parse(), Ok(ImportId(import)));
            prop_assert_eq!(version.offset(), offset);
            prop_assert_eq!(Version::from_bytes(version.as_bytes()), Some(version));
        }

        /// The time decides first, then the sequencer, then the import, then the offset.
        #[test]
        fn parts_order_as_they_stand(
            a in (0_i64..4, "[0-9a-f]{1,4}", prop::array::uniform8(0_u8..2), 0_u64..4),
            b in (0_i64..4, "[0-9a-f]{1,4}", prop::array::uniform8(0_u8..2), 0_u64..4),
        ) {
            let version = |(s, q, i, o): &(i64, String, [u8; 8], u64)| Version::new(*s, q, ImportId(*i), *o);
            let padded = |(s, q, i, o): &(i64, String, [u8; 8], u64)| (*s, format!("{q:0<24}"), *i, *o);
            prop_assert_eq!(version(&a).cmp(&version(&b)), padded(&a).cmp(&padded(&b)));
        }
    }

    #[test]
    fn parts_stay_within_their_bytes() {
        let version = |sequencer: &str| Version::new(-1, sequencer, ImportId([3; 8]), 1);
        assert_eq!(version("").last_modified(), 0);
        assert_eq!(version(&"F".repeat(30)), version(&"f".repeat(24)));
        assert!(version("1") > version("0f") && version("1") == version("10"));
        let last = |digit| format!("0055AED6DCD90281E5F0000{digit}");
        assert!(version(&last('2')) > version(&last('1')));
        let moved = version("1").at(1 << 40);
        assert_eq!(
            (moved.offset(), moved.import()),
            (1 << 40, ImportId([3; 8]))
        );
        assert_eq!(Version::from_bytes(&[0; 30]), None);
        assert_eq!("03".repeat(7).parse::<ImportId>(), Err(()));
        let ids = [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd")];
        let ids = ids.map(|(bucket, key, version)| ImportId::new(bucket, key, version));
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
    }
}
