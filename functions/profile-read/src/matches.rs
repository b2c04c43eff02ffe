//! Finds other profiles that may belong to the same customer: their records contain the same email address or mobile number, or
//! the same name and postcode. They are hints for support agents. Nothing is linked.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use shared::{
    http::Call,
    model::{
        closure::live_links,
        find::{record_identifiers, record_name},
        identifier::{Identifier, IdentifierType},
        identity::IdentityId,
        item::Item,
        value::Value,
    },
    profile::{Candidate, Match, Matches, Profile, card::Summarized},
    table::{Table, TableError, reader},
};

use crate::search::{MAX_UNITS, hits::Terms, query::Query};

/// The maximum number of profiles that are returned.
const MAX_MATCHES: usize = 10;
/// The maximum number of values of a profile that are searched. Each takes 8 queries.
const MAX_QUERIES: usize = 8;
/// The maximum number of identities whose profiles are read.
const MAX_READ: usize = 30;

/// A value of a profile, and the postcodes beside a name.
struct Wanted {
    query: Query,
    /// The postcodes of the records with this name; `None` if the value alone suffices.
    postcodes: Option<BTreeSet<String>>,
}

/// Returns the profiles that match `profile` by values of its records and by its own identifiers.
///
/// # Errors
/// The indexes or the table cannot be read.
pub(crate) async fn of(
    call: &Call<'_>,
    terms: Terms<'_>,
    profile: &Profile,
) -> Result<Matches, TableError> {
    let (table, view) = (&call.app.table, call.view());
    let (wanted, has_more) = wanted(profile, terms);
    let (places, is_partial) = places(table, &wanted, profile).await?;
    let mut found = Matches {
        items: Vec::new(),
        partial: has_more || is_partial,
    };
    let mut seen: BTreeSet<_> = profile.closure.members().into_iter().collect();
    let mut units = 0.0;
    for group in places.chunks(MAX_MATCHES) {
        if found.items.len() >= MAX_MATCHES || units >= MAX_UNITS {
            found.partial = true;
            break;
        }
        let unseen: Vec<_> = group.iter().filter(|id| !seen.contains(id)).collect();
        let read = try_join_all(unseen.iter().map(|id| reader::card(table, id))).await?;
        for (id, (of, consumed)) in unseen.into_iter().zip(read) {
            units += consumed;
            if seen.contains(id) {
                continue;
            }
            seen.extend(of.profile.closure.members());
            let matched_by = matched_by(&wanted, terms, &of);
            if !matched_by.is_empty() {
                found.items.push(Candidate {
                    card: of.card(&view),
                    matched_by,
                    older_versions: Vec::new(),
                });
            }
        }
    }
    found.partial |= found.items.len() > MAX_MATCHES;
    found
        .items
        .sort_by_key(|item| std::cmp::Reverse(kinds(item)));
    found.items.truncate(MAX_MATCHES);
    Ok(found)
}

/// Returns the identities that may match, at most [`MAX_READ`], and whether there may be more. Those that may match by most values
/// come first.
async fn places(
    table: &Table,
    wanted: &[Wanted],
    profile: &Profile,
) -> Result<(Vec<IdentityId>, bool), TableError> {
    let searches = wanted.iter().map(|wanted| table.hits(wanted.query.term));
    let mut partial = false;
    // The number of values by which an identity may match.
    let mut identities: BTreeMap<IdentityId, usize> = BTreeMap::new();
    for (hits, wanted) in try_join_all(searches).await?.into_iter().zip(wanted) {
        partial |= hits.partial;
        let found = hits.keys.into_iter().map(|(identity, _)| identity);
        let found: BTreeSet<_> = found.chain(wanted.query.named.clone()).collect();
        for identity in found {
            *identities.entry(identity).or_default() += 1;
        }
    }
    for (shown, _) in profile.closure.shown() {
        identities.remove(shown);
    }
    let mut places: Vec<_> = identities.into_iter().collect();
    places.sort_by(|(a, few), (b, many)| many.cmp(few).then_with(|| a.cmp(b)));
    partial |= places.len() > MAX_READ;
    let places = places.into_iter().take(MAX_READ);
    Ok((places.map(|(identity, _)| identity).collect(), partial))
}

/// Returns the number of kinds of values by which a profile matches.
fn kinds(candidate: &Candidate) -> usize {
    let kinds = candidate.matched_by.iter().map(|found| found.kind.as_str());
    kinds.collect::<BTreeSet<_>>().len()
}

/// Returns the values of a profile that are searched, and whether there are more.
fn wanted(profile: &Profile, terms: Terms<'_>) -> (Vec<Wanted>, bool) {
    let mut wanted: Vec<Wanted> = Vec::new();
    for identifier in identifiers(profile, terms) {
        let query = Query::identifier(terms.key, &identifier);
        let query = query.filter(|query| wanted.iter().all(|other| other.query != *query));
        wanted.extend(query.map(|query| Wanted {
            query,
            postcodes: None,
        }));
    }
    for record in profile.state.items() {
        let Some((term, postcode)) = record_name(terms.key, record).zip(postcode(record)) else {
            continue;
        };
        let query = Query { term, named: None };
        match wanted.iter_mut().find(|other| other.query == query) {
            Some(same) => same.postcodes.get_or_insert_default().insert(postcode),
            None => {
                let postcodes = Some(BTreeSet::from([postcode]));
                wanted.push(Wanted { query, postcodes });
                true
            }
        };
    }
    let is_partial = wanted.len() > MAX_QUERIES;
    wanted.truncate(MAX_QUERIES);
    (wanted, is_partial)
}

/// Returns the email addresses and mobile numbers of a profile: those in its records, and its own identifiers.
fn identifiers(profile: &Profile, terms: Terms<'_>) -> Vec<Identifier> {
    let items = profile.state.items();
    let fields = items.flat_map(|item| record_identifiers(item, terms.rules));
    let links = profile.state.items().filter_map(|item| item.link.clone());
    let linked = live_links(profile.state.items()).filter_map(|(_, identifier)| identifier);
    let mut all: Vec<_> = fields.chain(links).chain(linked).collect();
    all.retain(|identifier| {
        use IdentifierType::{Email, EmailSha256, Mobile};
        matches!(identifier.kind(), Email | EmailSha256 | Mobile)
    });
    all.sort();
    all.dedup();
    all
}

/// Returns why a profile matches.
fn matched_by(wanted: &[Wanted], terms: Terms<'_>, of: &Summarized) -> Vec<Match> {
    let mut matches = Vec::new();
    for identity in of.profile.closure.members() {
        for wanted in wanted {
            let found = terms.heads(&wanted.query, of, &identity);
            let Some(postcodes) = &wanted.postcodes else {
                matches.extend(found);
                continue;
            };
            let records: Vec<_> = of.profile.state.of(&identity).collect();
            matches.extend(found.into_iter().filter(|found| {
                let mut same = records
                    .iter()
                    .filter(|item| Match::item(wanted.query.term, item).as_ref() == Some(found));
                same.any(|item| postcode(item).is_some_and(|code| postcodes.contains(&code)))
            }));
        }
    }
    matches
}

/// Returns the postcode of a customer record, without spaces and hyphens and in uppercase.
fn postcode(item: &Item) -> Option<String> {
    let field = |name| match item.data.get(name)? {
        Value::Text(text) | Value::Number(text) => Some(text),
        _ => None,
    };
    let code = field("postcode").or_else(|| field("zip"))?;
    let letters = code.chars().filter(|c| c.is_alphanumeric());
    let code: String = letters.flat_map(char::to_uppercase).collect();
    (!code.is_empty()).then_some(code)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use shared::model::{
        keys::SortKey,
        value::to_map,
        version::{ImportId, Version},
    };

    use super::*;

    fn record(data: &Json) -> Item {
        let identity = "a".repeat(26).parse().expect("an id");
        let version = Version::new(1_800_000_000, "01", ImportId([1; 8]), 0);
        let data = to_map(data).expect("an object");
        Item::ingested(identity, SortKey::Record("crm".into()), version, None, data)
    }

    #[test]
    fn postcodes_are_compared_without_separators() {
        for (data, expected) in [
            (json!({"postcode": "sw1a-2 aa"}), Some("SW1A2AA")),
            (json!({"zip": "7000"}), Some("7000")),
            (json!({"postcode": 7000, "zip": "7001"}), Some("7000")),
            (json!({"postcode": true, "zip": "7001"}), Some("7001")),
            (json!({"postcode": " - "}), None),
            (json!({}), None),
        ] {
            assert_eq!(postcode(&record(&data)).as_deref(), expected, "{data}");
        }
    }
}
