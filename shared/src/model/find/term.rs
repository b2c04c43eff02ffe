//! The terms that a search looks for, and the attributes with which it finds an item.

use std::fmt;

use super::normal::{name_form, order_form};
use crate::model::{
    identifier::{Identifier, IdentifierType},
    identity::{IdentityId, IdentityKey, base32, digit},
};

/// The table's Find attributes, which are also the names of their indexes.
pub const INDEXES: [&str; 4] = ["Find1", "Find2", "Find3", "Find4"];
/// The number of shards of a value. A search reads all of them.
pub const SHARDS: u8 = 8;
/// The size of the hash of a value in bytes. Base32 writes it without unused bits.
const HASH_BYTES: usize = 10;
/// The maximum size of a name that is indexed, in bytes. Longer ones are not names of people.
pub const MAX_NAME_BYTES: usize = 1024;

/// The kind of value that a search looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindKind {
    /// A customer's whole name.
    Name,
    /// An order's number or id.
    Order,
    /// An email address, or its SHA-256.
    Email,
    /// A mobile number.
    Mobile,
    /// A customer's id in any system.
    Customer,
}

impl FindKind {
    /// Returns the prefix of stored values.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Order => "order",
            Self::Email => "email",
            Self::Mobile => "mobile",
            Self::Customer => "customer",
        }
    }

    /// Returns the indexes that contain values of this kind, as positions in [`INDEXES`].
    pub const fn indexes(self) -> &'static [usize] {
        match self {
            Self::Name => &[0],
            Self::Order => &[0, 1],
            Self::Email => &[1],
            Self::Mobile => &[2],
            Self::Customer => &[3],
        }
    }
}

/// A value to search for: its kind and the keyed hash of its normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    pub(super) kind: FindKind,
    hash: [u8; HASH_BYTES],
}

impl Term {
    /// Creates the term of a customer's whole name. Case, accents, punctuation and the order of words are ignored.
    /// `None` if the name has no letter or digit, is a placeholder such as `Guest`, or is longer than
    /// [`MAX_NAME_BYTES`].
    pub fn name(key: &IdentityKey, name: &str) -> Option<Self> {
        let form = name_form(name)?;
        Some(Self::new(key, FindKind::Name, &form))
    }

    /// Creates the term of an order's number or id. Case, whitespace and leading `#` are ignored. `None` for a
    /// placeholder, and for a value that is not valid as an identifier.
    pub fn order(key: &IdentityKey, order: &str) -> Option<Self> {
        let form = order_form(order)?;
        Some(Self::new(key, FindKind::Order, &form))
    }

    /// Creates the term of an identifier, without its system. `None` for a kind that records do not contain as a field.
    pub fn identifier(key: &IdentityKey, identifier: &Identifier) -> Option<Self> {
        let kind = match identifier.kind() {
            IdentifierType::Email | IdentifierType::EmailSha256 => FindKind::Email,
            IdentifierType::Mobile => FindKind::Mobile,
            IdentifierType::CustomerId | IdentifierType::ExternalId => FindKind::Customer,
            IdentifierType::EmailMd5 | IdentifierType::EngageId => return None,
        };
        let (_, _, value) = identifier.canonical();
        Some(Self::new(key, kind, &value))
    }

    fn new(key: &IdentityKey, kind: FindKind, value: &str) -> Self {
        Self {
            kind,
            hash: key.hash(["find", kind.as_str(), value]),
        }
    }

    /// Returns the kind of value that the search looks for.
    pub const fn kind(self) -> FindKind {
        self.kind
    }

    /// Returns the values to query in each of the kind's indexes, one per shard.
    pub fn keys(self) -> impl Iterator<Item = FindKey> {
        (0..SHARDS).map(move |shard| FindKey { term: self, shard })
    }

    /// Returns the value that an item of `identity` has.
    fn of(self, identity: &IdentityId) -> FindKey {
        let first = identity.as_str().bytes().next();
        FindKey {
            term: self,
            shard: first.and_then(digit).unwrap_or_default() % SHARDS,
        }
    }
}

/// Prints the kind and the hash: `{kind}#{hash}`. The text contains no personal data.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.kind.as_str(), base32(&self.hash))
    }
}

/// A value of a Find attribute: `{kind}#{hash}#{shard}`. It contains no personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FindKey {
    pub(super) term: Term,
    shard: u8,
}

impl fmt::Display for FindKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.term, self.shard)
    }
}

/// The Find attributes of an item, in the order of [`INDEXES`]. It has as many slots as items of its kind can fill, so
/// that a write sets or removes each of them. A customer record has four, a purchase or return two, and any other item
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Find(Box<[Option<FindKey>]>);

impl Find {
    /// Creates the attributes with these terms, for an item of `identity`.
    pub(super) fn at<const SLOTS: usize>(
        identity: &IdentityId,
        terms: [Option<Term>; SLOTS],
    ) -> Self {
        Self(Box::new(terms.map(|term| Some(term?.of(identity)))))
    }

    /// Returns every slot with its attribute's name.
    pub fn slots(&self) -> impl Iterator<Item = (&'static str, Option<&FindKey>)> {
        INDEXES.into_iter().zip(self.0.iter().map(Option::as_ref))
    }

    /// Returns whether a search for `term` should find the item. This verifies a hit.
    pub fn contains(&self, term: Term) -> bool {
        self.0.iter().flatten().any(|key| key.term == term)
    }
}
