//! Plans what a request changes. In: the operation and what is stored. Out: the changes of single items, which a preview applies to
//! the items that were read, and a write to the table.

use lambda_http::http::StatusCode;
use shared::{
    http::{
        Call,
        principal::Scope,
        problem::{Kind, Problem},
    },
    model::{
        change::Change,
        closure::AGENTS,
        erasure::Markers,
        identity::{IdentityId, IdentityKey},
        item::Item,
        keys::{Marker, SortKey},
        time::Instant,
        value::Map,
        version::{ImportId, Version},
    },
    profile::{
        View,
        links::{Author, Decision, End, LinkId},
    },
    table::Snapshot,
};

use crate::body::{Customer, DecisionFields, reason_is_invalid};

/// The request.
pub(crate) struct Operation {
    pub(crate) target: Target,
    pub(crate) decision: DecisionFields,
}

/// What a request changes.
pub(crate) enum Target {
    /// Creates the profile of a customer.
    Create(Customer, IdentityKey),
    /// Links a profile's identity to another one.
    Link(IdentityId, End),
    /// Removes a link, or withdraws a decision.
    Unlink(IdentityId, LinkId),
    /// Separates an identity from a profile.
    Separate(IdentityId, IdentityId),
}

/// The changes of a request, and the response to it.
pub(crate) struct Plan {
    pub(crate) status: StatusCode,
    pub(crate) changes: Vec<Change>,
    /// The identities whose erasure markers must be as they were read.
    pub(crate) concerned: Vec<IdentityId>,
    pub(crate) reinstated: Vec<(IdentityId, Version)>,
    pub(crate) decisions: Vec<DecisionChange>,
}

/// The change of the decision about a pair.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct DecisionChange {
    /// The id of the link that stores the decision.
    pub(crate) id: String,
    /// The decision before; `null` if files decided.
    pub(crate) before: Option<Decision>,
    /// The decision after; `null` if files decide.
    pub(crate) after: Option<Decision>,
}

/// The inputs of a plan beside the operation.
pub(crate) struct Context<'a, 'b> {
    pub(crate) call: &'a Call<'a>,
    pub(crate) view: &'a View<'a>,
    pub(crate) snapshot: &'b mut Snapshot<'a>,
}

impl Plan {
    /// Returns a plan that changes nothing.
    pub(crate) const fn unchanged() -> Self {
        Self {
            status: StatusCode::OK,
            changes: Vec::new(),
            concerned: Vec::new(),
            reinstated: Vec::new(),
            decisions: Vec::new(),
        }
    }
}

impl Operation {
    pub(crate) const fn new(target: Target, decision: DecisionFields) -> Self {
        Self { target, decision }
    }

    /// Returns the identity whose profile the response contains, and whose partition contains the idempotency record.
    pub(crate) fn profile(&self) -> IdentityId {
        match &self.target {
            Target::Create(customer, key) => key.identity(&customer.identifier),
            Target::Link(profile, _)
            | Target::Unlink(profile, _)
            | Target::Separate(profile, _) => profile.clone(),
        }
    }

    /// Checks that no identity is erased, or reinstates those that are. Returns the identities to reinstate, with the version of
    /// the reinstatement.
    ///
    /// # Errors
    /// An identity is suppressed, or erased and the request does not reinstate it, or the principal must not.
    pub(crate) fn reinstate(
        &self,
        identities: &[&IdentityId],
        context: &Context<'_, '_>,
    ) -> Result<Vec<(IdentityId, Version)>, Problem> {
        let mut reinstated = Vec::new();
        for identity in identities {
            let markers = context.snapshot.markers(identity);
            if markers.is_suppressed() {
                let detail = "The identity was erased permanently: no data is accepted for it.";
                return Err(erased(detail, markers.erased()));
            }
            let Some(version) = markers.standing_erasure() else {
                continue;
            };
            if !self.decision.reinstate {
                let detail = "The customer asked to be erased. If data is to be stored again, send `reinstate: true` with a `reason`, and a \
                              token with the scope `erasures:write`.";
                return Err(erased(detail, Some(version)));
            }
            context.call.principal.require(Scope::ErasuresWrite)?;
            if self.decision.reason.is_none() {
                return Err(reason_is_invalid("is needed to reinstate an identity:"));
            }
            let after = self::version(identity, Some(version), context.view.now);
            reinstated.push(((*identity).clone(), after));
        }
        Ok(reinstated)
    }

    /// Returns the author of a decision about identities with these markers.
    pub(crate) fn author<'a>(
        &'a self,
        call: &'a Call<'_>,
        now: Instant,
        markers: &[Markers],
    ) -> Author<'a> {
        // An item of a support agent is erased unless it is newer than the erasure's file, whose time is in whole seconds.
        let erased = markers.iter().filter_map(Markers::erased).max();
        let earliest = erased.and_then(|erased| Instant::from_seconds(erased.last_modified() + 1));
        Author {
            writer: call.principal.writer(),
            at: earliest.map_or(now, |earliest| earliest.max(now)),
            reason: self.decision.reason.as_ref(),
        }
    }
}

/// Returns a version of the source `agents` for an identity that is newer than an erasure.
pub(crate) fn version(identity: &IdentityId, erased: Option<Version>, now: Instant) -> Version {
    let after = erased.map_or(0, |erased| erased.last_modified() + 1);
    // No plan has this import id, so no file is named as the origin.
    let import = ImportId::new(AGENTS, identity.as_str(), &now.to_string());
    Version::new(now.seconds().max(after), "", import, 0)
}

/// Returns the changes that store markers of reinstatements.
pub(crate) fn markers(reinstated: &[(IdentityId, Version)]) -> impl Iterator<Item = Change> {
    reinstated.iter().map(|(identity, version)| {
        let key = SortKey::Marker(Marker::Reinstated(*version));
        let item = Item::ingested(identity.clone(), key, *version, None, Map::new());
        Change::put(None, item)
    })
}

/// Returns the problem for an identity that was erased.
pub(crate) fn erased(detail: &str, version: Option<Version>) -> Problem {
    let at = version.and_then(|version| Instant::from_seconds(version.last_modified()));
    Problem::new(Kind::IDENTITY_ERASED, detail).erased_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> IdentityId {
        "a".repeat(26).parse().expect("an id")
    }

    #[test]
    fn versions_follow_erasures() {
        let now = Instant::from_seconds(1_000).expect("a time");
        let erasure = |seconds| Some(Version::new(seconds, "01", ImportId([1; 8]), 7));
        for (erased, expected) in [
            (None, 1_000),
            (erasure(998), 1_000),
            (erasure(999), 1_000),
            (erasure(1_000), 1_001),
            (erasure(2_000), 2_001),
        ] {
            let version = version(&identity(), erased, now);
            assert_eq!(version.last_modified(), expected);
            assert!(erased.is_none_or(|erased| erased < version));
        }
    }

    #[test]
    fn reinstatements_are_stored_as_markers() {
        let version = Version::new(1_000, "", ImportId([1; 8]), 0);
        let changes: Vec<_> = markers(&[(identity(), version)]).collect();
        assert_eq!(changes.len(), 1);
        let marker = changes[0].after().expect("an item");
        assert_eq!(marker.identity, identity());
        assert_eq!(marker.key, SortKey::Marker(Marker::Reinstated(version)));
    }
}
