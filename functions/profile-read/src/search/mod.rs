//! Searches profiles by order, name, email, mobile and customer id. In: a value to find. Out: a page of profiles.
//!
//! An index names the items that may contain the value. The profiles of these items are read, and each item is verified
//! against the value and the erasure markers of its identity.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use lambda_http::{Body, Response, http::StatusCode};
use shared::{
    http::{self, Call, Field, problem::Problem},
    model::identity::IdentityId,
    profile::{Candidate, Page},
    table::{Table, TableError, reader},
};

pub(crate) mod hits;
pub(crate) mod query;

use hits::{Hits, Read, Terms};
use query::{Fields, Place, Request};

/// The maximum number of profiles that are read concurrently.
const CONCURRENT_PROFILES: usize = 8;
/// The read units after which a response reads no further profile. A unit is 8 KB, so that is about 8 MB.
pub(crate) const MAX_UNITS: f64 = 1_000.0;

/// Handles `POST /profiles/search`.
///
/// # Errors
/// The body is invalid, or the table cannot be read.
pub(crate) async fn page(call: &Call<'_>, fields: Fields) -> Result<Response<Body>, Problem> {
    let key = call.app.identity_key().await?;
    let rules = call.app.config.identifiers;
    let request = Request::new(fields, &key, rules)?;
    let terms = Terms { key: &key, rules };
    let mut found = read_page(call, terms, &request).await?;
    if let Some(last) = http::fit(&mut found.items) {
        found.next = found.places.get(last).cloned();
    }
    for candidate in &found.items {
        call.audit(Field::Profiles, &candidate.card.id);
    }
    if found.items.is_empty() && found.next.is_none() {
        call.audit_miss(request.query.named.as_ref());
    }
    let page = Page {
        items: found.items,
        next: found.next.map(|place| request.cursor(&place)),
        partial: found.partial,
    };
    http::json(StatusCode::OK, &page)
}

/// The profiles of a page.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: Vec<Candidate>,
    /// The place of each profile.
    places: Vec<Place>,
    /// The place after which the next page begins.
    next: Option<Place>,
    /// Whether there may be more hits than the indexes were read for.
    partial: bool,
}

/// Reads a page of the profiles that a query finds.
///
/// # Errors
/// The indexes or the table cannot be read.
pub(crate) async fn read_page(
    call: &Call<'_>,
    terms: Terms<'_>,
    request: &Request,
) -> Result<Found, TableError> {
    let (table, view) = (&call.app.table, call.view());
    let hits = Hits::read(table, terms, &request.query).await?;
    let places = hits.after(request.after.as_ref());
    let mut reading = Reading::default();
    let mut found = Found {
        partial: hits.partial,
        ..Found::default()
    };
    let mut rest = places.as_slice();
    while !rest.is_empty() && found.items.len() < request.limit && reading.units < MAX_UNITS {
        let room = (request.limit - found.items.len()).min(CONCURRENT_PROFILES);
        let (group, others) = rest.split_at(room.min(rest.len()));
        rest = others;
        reading.places(table, &hits, group).await?;
        for place in group {
            let Some(of) = reading.read.get(&place.identity) else {
                continue;
            };
            if reading.seen.contains(&place.identity) {
                continue;
            }
            reading.seen.extend(of.profile.closure.members());
            if let Some((matched_by, older_versions)) = hits.matches(place, &reading.read) {
                found.places.push((*place).clone());
                found.items.push(Candidate {
                    card: of.card(&view),
                    matched_by,
                    older_versions,
                });
            }
        }
    }
    let decided = places.len() - rest.len();
    if !rest.is_empty() {
        found.next = decided.checked_sub(1).map(|last| places[last].clone());
    }
    Ok(found)
}

/// The profiles that a page has read.
#[derive(Debug, Default)]
struct Reading {
    read: Read,
    /// The members of the profiles that were decided.
    seen: BTreeSet<IdentityId>,
    /// The consumed read units.
    units: f64,
}

impl Reading {
    /// Reads the profiles at some places, without those that were decided before, and then the profiles with other versions
    /// of their orders.
    async fn places(
        &mut self,
        table: &Table,
        hits: &Hits<'_>,
        places: &[&Place],
    ) -> Result<(), TableError> {
        let own = places.iter().map(|place| place.identity.clone());
        let own: Vec<_> = own.filter(|id| !self.seen.contains(id)).collect();
        self.profiles(table, own.iter().cloned()).await?;
        let mut others = BTreeSet::new();
        for of in own.iter().filter_map(|id| self.read.get(id)) {
            let members = of.profile.closure.members();
            others.extend(hits.with_versions(&members).cloned());
        }
        self.profiles(table, others).await
    }

    /// Reads profiles concurrently, each once.
    async fn profiles(
        &mut self,
        table: &Table,
        ids: impl IntoIterator<Item = IdentityId>,
    ) -> Result<(), TableError> {
        let ids = ids.into_iter();
        let ids: Vec<_> = ids.filter(|id| !self.read.contains_key(id)).collect();
        for group in ids.chunks(CONCURRENT_PROFILES) {
            let cards = try_join_all(group.iter().map(|id| reader::card(table, id))).await?;
            for (id, (of, units)) in group.iter().zip(cards) {
                self.units += units;
                self.read.insert(id.clone(), of);
            }
        }
        Ok(())
    }
}
