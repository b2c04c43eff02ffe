//! Encodes and decodes the cursors of paged responses. A cursor contains a position and a hash of the filters, and in a listing of a
//! profile the profile's id. It grants no access: a forged one reads nothing that its bearer could not read anyway.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use crate::model::{closure::Closure, identity::IdentityId};

/// The format of cursors. A cursor of another format is rejected.
const FORMAT: u8 = 1;
/// The size of the hash of the filters, in bytes. It detects mistakes, not forgery.
const HASH_BYTES: usize = 8;
/// The maximum length of a cursor that is decoded, in characters.
const MAX_CHARS: usize = 2048;
/// The character between a profile's id and a position. An id does not contain it.
const SEPARATOR: char = '/';

/// The listing that a cursor pages through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// A profile's events; the position is an event's key.
    History = 1,
    /// A profile's notes; the position is a note's id.
    Notes = 2,
    /// A profile's attributes; the position is a category and a name.
    Attributes = 3,
    /// A profile's data export; the position is an identity and a sort key.
    Export = 4,
    /// The attributes that a search finds; the position is a category and a name.
    AttributeSearch = 5,
    /// The profiles that a search finds; the position is an identity.
    Search = 6,
    /// The entries of a batch; the position is an index.
    Batch = 7,
    /// A profile's identity links; the position is a link's id.
    Links = 8,
    /// The list of imports; the position is an entry's place, or a month.
    Imports = 9,
    /// The rejected rows of an import; the position is a byte of a rejects object.
    Rejects = 10,
}

/// The string is not a cursor of this listing, of this profile or with these filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not the `next` of a response to the same request")]
pub struct CursorError;

/// Returns a cursor that continues after `position` in `listing`. `filters` is a canonical form of the filters.
pub fn encode(listing: Listing, filters: &str, position: &str) -> String {
    let mut bytes = vec![FORMAT, listing as u8];
    bytes.extend_from_slice(&hash(filters));
    bytes.extend_from_slice(position.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// Returns the position after which `cursor` continues.
///
/// # Errors
/// The string is not a cursor, or is one of another listing or of other filters.
pub fn decode(listing: Listing, filters: &str, cursor: &str) -> Result<String, CursorError> {
    if cursor.len() > MAX_CHARS {
        return Err(CursorError);
    }
    let bytes = BASE64URL_NOPAD
        .decode(cursor.as_bytes())
        .map_err(|_| CursorError)?;
    let (head, position) = bytes.split_at_checked(2 + HASH_BYTES).ok_or(CursorError)?;
    if head[..2] != [FORMAT, listing as u8] || head[2..] != hash(filters) {
        return Err(CursorError);
    }
    String::from_utf8(position.to_vec()).map_err(|_| CursorError)
}

/// Returns a cursor that continues after `position` in `listing` of a profile. `profile` is the id of any of its identities.
pub fn encode_in(profile: &IdentityId, listing: Listing, filters: &str, position: &str) -> String {
    encode(listing, filters, &format!("{profile}{SEPARATOR}{position}"))
}

/// The position of a cursor in a listing of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionIn<P> {
    profile: IdentityId,
    position: P,
}

impl<P> PositionIn<P> {
    /// Decodes a cursor of [`encode_in`]. `parse` parses its position.
    ///
    /// # Errors
    /// The string is not a cursor, or is one of another listing or of other filters.
    pub fn decode(
        listing: Listing,
        filters: &str,
        cursor: &str,
        parse: impl FnOnce(&str) -> Option<P>,
    ) -> Result<Self, CursorError> {
        let text = decode(listing, filters, cursor)?;
        let (profile, position) = text.split_once(SEPARATOR).ok_or(CursorError)?;
        Ok(Self {
            profile: profile.parse().map_err(|_| CursorError)?,
            position: parse(position).ok_or(CursorError)?,
        })
    }

    /// Returns the position in the profile of `closure`. A profile has the id of each of its identities. So a cursor stays valid if
    /// the requested id changes to another one of them, and if links are added between pages.
    ///
    /// # Errors
    /// The cursor belongs to another profile.
    pub fn within(self, closure: &Closure) -> Result<P, CursorError> {
        if closure.members().contains(&self.profile) {
            Ok(self.position)
        } else {
            Err(CursorError)
        }
    }
}

fn hash(filters: &str) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&Sha256::digest(filters.as_bytes())[..HASH_BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_come_back(filters in ".{0,40}", position in ".{0,80}") {
            let cursor = encode(Listing::History, &filters, &position);
            prop_assert_eq!(decode(Listing::History, &filters, &cursor), Ok(position));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = decode(Listing::Notes, "", &text);
        }
    }

    #[test]
    fn another_listing_or_filter_is_refused() {
        let cursor = encode(Listing::History, "type=purchase", "x");
        assert_eq!(
            decode(Listing::Notes, "type=purchase", &cursor),
            Err(CursorError)
        );
        assert_eq!(decode(Listing::History, "", &cursor), Err(CursorError));
        assert_eq!(
            decode(Listing::History, "type=purchase", "AQ"),
            Err(CursorError)
        );
        assert_eq!(
            decode(
                Listing::History,
                "type=purchase",
                &cursor[..cursor.len() - 1]
            ),
            Err(CursorError)
        );
    }

    #[test]
    fn another_profile_is_refused() {
        let id = |name: &str| name.repeat(26).parse::<IdentityId>().unwrap();
        let (a, b) = (id("a"), id("e"));
        let cursor = encode_in(&a, Listing::History, "", "x/y");
        let within = |closure: &Closure| {
            let parse = |text: &str| Some(text.to_owned());
            PositionIn::decode(Listing::History, "", &cursor, parse)?.within(closure)
        };
        assert_eq!(within(&Closure::new(a)), Ok("x/y".to_owned()));
        assert_eq!(within(&Closure::new(b)), Err(CursorError));
        // A cursor without a profile, and one with a position that does not parse.
        let plain = encode(Listing::History, "", "x");
        for (cursor, position) in [(&plain, Some(())), (&cursor, None)] {
            let decoded = PositionIn::decode(Listing::History, "", cursor, |_| position);
            assert_eq!(decoded, Err(CursorError));
        }
    }

    #[test]
    fn a_cursor_is_bounded() {
        // A cursor has ten bytes beside the position, and base64 takes four characters for three bytes.
        let cursor = |length| encode(Listing::Notes, "", &"x".repeat(length));
        let (longest, longer) = (cursor(MAX_CHARS / 4 * 3 - 10), cursor(MAX_CHARS));
        assert_eq!(longest.len(), MAX_CHARS);
        assert!(decode(Listing::Notes, "", &longest).is_ok());
        assert_eq!(decode(Listing::Notes, "", &longer), Err(CursorError));
    }
}
