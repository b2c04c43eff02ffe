//! Candidates: profiles that a search finds, with the items and identifiers that match.

use serde::{Serialize, Serializer};

use super::{card::Card, history::event_id};
use crate::model::{
    find::{FindKind, Term},
    identity::IdentityId,
    item::Item,
    keys::SortKey,
};

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundIn {
    /// The identity's own identifier.
    Identifier,
    /// A customer record.
    Record,
    /// A purchase or return.
    Event,
}

/// One reason why a search finds a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The kind of value that matches.
    #[serde(serialize_with = "serialize_kind")]
    pub kind: FindKind,
    /// Where the value was found.
    pub found_in: FoundIn,
    /// The identity that the item is stored under.
    pub identity: IdentityId,
    /// The source of the customer record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The id of the purchase or return.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

impl Match {
    /// Returns the match of an identity whose own identifier is the value.
    pub const fn identifier(kind: FindKind, identity: IdentityId) -> Self {
        Self {
            kind,
            found_in: FoundIn::Identifier,
            identity,
            source: None,
            event: None,
        }
    }

    /// Returns the match of an item that contains the value. `None` if the item is neither a record nor an event.
    pub fn item(term: Term, item: &Item) -> Option<Self> {
        let (found_in, source, event) = match &item.key {
            SortKey::Record(source) => (FoundIn::Record, Some(source.clone()), None),
            SortKey::Event(key) => (FoundIn::Event, None, Some(event_id(&item.identity, key))),
            _ => return None,
        };
        Some(Self {
            kind: term.kind(),
            found_in,
            identity: item.identity.clone(),
            source,
            event,
        })
    }
}

/// An older version of a found order, which another profile contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OlderVersion {
    /// The id of the other profile.
    pub id: IdentityId,
    /// The identity that the older version is stored under.
    pub identity: IdentityId,
    /// The id of the older version.
    pub event: String,
}

/// A profile that a search finds.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The header figures.
    #[serde(flatten)]
    pub card: Card,
    /// Why the search finds the profile.
    pub matched_by: Vec<Match>,
    /// Older versions of the found orders that other profiles contain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub older_versions: Vec<OlderVersion>,
}

/// Other profiles that may belong to the same customer. They are hints: nothing is linked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matches {
    /// The profiles, at most 10. Those that match by most values come first.
    pub items: Vec<Candidate>,
    /// Whether there may be more.
    pub partial: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn serialize_kind<S: Serializer>(kind: &FindKind, serializer: S) -> Result<S::Ok, S::Error> {
    let name = match kind {
        FindKind::Customer => "customer_id",
        kind => kind.as_str(),
    };
    serializer.serialize_str(name)
}
