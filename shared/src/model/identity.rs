//! Identity ids: keyed hashes of identifiers. An id contains no personal data and cannot be guessed without the key, so
//! URLs and logs may contain it.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::identifier::Identifier;

/// The byte between the parts of a hash. Normal forms contain no control characters, so no two lists of parts are equal.
const SEPARATOR: u8 = 0x1F;
/// The bytes of an id, and the base32 digits that write them.
const ID_BYTES: usize = 16;
const ID_CHARS: usize = 26;

/// The key with which identifiers are hashed: the UTF-8 bytes of the secret.
#[derive(Clone)]
pub struct IdentityKey(Hmac<Sha256>);

impl IdentityKey {
    /// Creates a key from the secret. Returns `None` if the secret is empty.
    pub fn new(secret: &str) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        // HMAC takes a key of any length, so this cannot fail.
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// Returns the id of the identity that `identifier` names.
    pub fn identity(&self, identifier: &Identifier) -> IdentityId {
        let (kind, system, value) = identifier.canonical();
        IdentityId(base32(&self.hash::<ID_BYTES>([kind, system, &value])))
    }

    /// Returns the keyed hash of a source and the natural id of one of its events. The prefix `event` separates it from
    /// identity ids.
    pub(crate) fn event_hash<const BYTES: usize>(
        &self,
        source: &str,
        natural_id: &[&str],
    ) -> [u8; BYTES] {
        let parts = ["event", source].into_iter();
        self.hash(parts.chain(natural_id.iter().copied()))
    }

    /// Returns the keyed hash of `parts`, joined by a separator.
    pub(crate) fn hash<'a, const BYTES: usize>(
        &self,
        parts: impl IntoIterator<Item = &'a str>,
    ) -> [u8; BYTES] {
        let mut mac = self.0.clone();
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                mac.update(&[SEPARATOR]);
            }
            mac.update(part.as_bytes());
        }
        let mut hash = [0; BYTES];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..BYTES]);
        hash
    }

    /// Returns the check value of the key, which the table's `config` item contains. It reveals a change of the key.
    pub fn check(&self) -> String {
        let mut mac = self.0.clone();
        mac.update(b"check");
        base32(&mac.finalize().into_bytes()[..ID_BYTES])
    }
}

/// Never prints the key.
impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(..)")
    }
}

/// The id of an identity: 26 characters of lowercase base32.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct IdentityId(String);

impl IdentityId {
    /// Returns the id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not an identity id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ID must be 26 characters of a-z and 2-7")]
pub struct IdentityIdError;

impl<'de> serde::Deserialize<'de> for IdentityId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for IdentityId {
    type Err = IdentityIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = text.len() == ID_CHARS && text.bytes().all(is_digit)
            // 26 digits have 130 bits, of which the last two are zero.
            && text.ends_with(['a', 'e', 'i', 'm', 'q', 'u', 'y', '4']);
        if is_id {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdentityIdError)
        }
    }
}

/// Returns whether `byte` is a digit of ids.
pub(crate) const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

/// Returns the value of a digit of ids: 0 to 31.
pub(crate) const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'a'..=b'z' => Some(byte - b'a'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// Encodes bytes as RFC 4648 base32, in lowercase and without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = BASE32_NOPAD.encode(bytes);
    text.make_ascii_lowercase();
    text
}

/// Decodes the form that `base32` writes.
pub(crate) fn unbase32(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(is_digit) {
        return None;
    }
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> IdentityId {
        let identifier = Identifier::from_json(&serde_json::from_str(json).unwrap()).unwrap();
        IdentityKey::new("key").unwrap().identity(&identifier)
    }

    #[test]
    fn an_address_and_its_sha256_name_one_identity() {
        let sha =
            data_encoding::HEXUPPER.encode(&<Sha256 as sha2::Digest>::digest("jane@fake.com"));
        assert_eq!(
            id(r#"{"email":"Jane@fake.com"}"#),
            id(&format!(r#"{{"email_sha256":"{sha}"}}"#))
        );
    }

    /// Pinned: another value would give every stored customer a second identity.
    #[test]
    fn ids_are_stable() {
        pinned(
            &id(r#"{"email":"jane@fake.com"}"#),
            "sshhvvte7f2mmmac72b3cpkr7e",
        );
        pinned(
            &id(r#"{"customer_id":"1","system_name":"pos"}"#),
            "q55kqswshkwp7m7g7wp4g7467y",
        );
        assert_eq!(
            IdentityKey::new("key").unwrap().check(),
            "zs6yh7poj5ytuew5d77gbbz6aa"
        );
    }

    fn pinned(id: &IdentityId, expected: &str) {
        assert_eq!(id.as_str(), expected);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
    }

    #[test]
    fn systems_and_types_keep_ids_apart() {
        let ids = [
            id(r#"{"customer_id":"1"}"#),
            id(r#"{"customer_id":"1","system_name":"pos"}"#),
            id(r#"{"external_id":"1","system_name":"pos"}"#),
            id(r#"{"mobile":"5550001"}"#),
        ];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn other_text_is_no_id() {
        for text in [
            "",
            "abc",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "abcdefghijklmnopqrstuvwxy1",
        ] {
            assert!(text.parse::<IdentityId>().is_err(), "{text}");
        }
    }
}
