//! Returns the header figures of several profiles in one response. In: up to 25 ids or identifiers. Out: an entry for each,
//! in the same order.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    http::{self, Call, Field, problem::Problem},
    model::{
        identifier::{Identifier, IdentifierRules},
        identity::{IdentityId, IdentityKey},
    },
    profile::{
        Page,
        card::Card,
        cursor::{self, Listing},
    },
    table::reader,
};

use crate::search::MAX_UNITS;

/// The maximum number of profiles in a request.
const MAX_PROFILES: usize = 25;
/// The maximum number of profiles that are read concurrently.
const CONCURRENT_PROFILES: usize = 8;

/// A requested profile.
#[derive(Debug, Serialize)]
struct Entry {
    /// The requested id, or the id of the identity that the requested identifier names.
    requested: IdentityId,
    /// The header figures; `null` if nothing is stored under the id.
    profile: Option<Card>,
}

/// The fields of a body.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// Handles `POST /profiles/batch`.
///
/// # Errors
/// The body is invalid, or the table cannot be read.
pub(crate) async fn page(call: &Call<'_>, fields: &Fields) -> Result<Response<Body>, Problem> {
    let key = call.app.identity_key().await?;
    let ids = requested(fields, &key, call.app.config.identifiers)?;
    let filters: String = ids.iter().map(IdentityId::as_str).collect();
    let first = match fields.get("cursor") {
        Some(cursor) => position(&filters, cursor)?,
        None => 0,
    };
    let view = call.view();
    let (mut items, mut units) = (Vec::new(), 0.0);
    for group in ids
        .get(first..)
        .unwrap_or_default()
        .chunks(CONCURRENT_PROFILES)
    {
        if units >= MAX_UNITS {
            break;
        }
        let table = &call.app.table;
        let read = try_join_all(group.iter().map(|id| reader::card(table, id))).await?;
        for (id, (of, consumed)) in group.iter().zip(read) {
            units += consumed;
            items.push(Entry {
                requested: id.clone(),
                profile: of.profile.exists().then(|| of.card(&view)),
            });
        }
    }
    http::fit(&mut items);
    for entry in &items {
        match &entry.profile {
            Some(card) => call.audit(Field::Profiles, &card.id),
            None => call.audit_miss(Some(&entry.requested)),
        }
    }
    let end = first + items.len();
    let next =
        (end < ids.len()).then(|| cursor::encode(Listing::Batch, &filters, &end.to_string()));
    let page = Page {
        items,
        next,
        partial: false,
    };
    http::json(StatusCode::OK, &page)
}

/// Returns the ids of the requested profiles.
fn requested(
    fields: &Fields,
    key: &IdentityKey,
    rules: IdentifierRules,
) -> Result<Vec<IdentityId>, Problem> {
    let is_known = |name: &&String| matches!(name.as_str(), "profiles" | "cursor");
    if let Some(unknown) = fields.keys().find(|name| !is_known(name)) {
        let detail = "The field is unknown. A batch has the fields `profiles` and `cursor`.";
        return Err(Problem::invalid_body(Some(unknown), detail));
    }
    let profiles = fields.get("profiles");
    let profiles: Option<Vec<Fields>> =
        profiles.and_then(|profiles| serde_json::from_str(profiles.get()).ok());
    let profiles = profiles.filter(|profiles| (1..=MAX_PROFILES).contains(&profiles.len()));
    let profiles = profiles.ok_or_else(|| {
        let detail = format!(
            "`profiles` must be an array of 1 to {MAX_PROFILES} objects, each with an `id` or an identifier."
        );
        Problem::invalid_body(Some("profiles"), detail)
    })?;
    let ids = profiles.iter().enumerate();
    ids.map(|(index, fields)| id(index, fields, key, rules))
        .collect()
}

/// Returns the id that an entry of a request names.
fn id(
    index: usize,
    fields: &Fields,
    key: &IdentityKey,
    rules: IdentifierRules,
) -> Result<IdentityId, Problem> {
    let at = |field: &str| format!("profiles[{index}].{field}");
    if let Some(id) = fields.get("id") {
        let id: Option<IdentityId> = serde_json::from_str(id.get()).ok();
        let detail = "`id` must be an ID of 26 characters of a-z and 2-7, and the only field.";
        let id = id.filter(|_| fields.len() == 1);
        return id.ok_or_else(|| Problem::invalid_body(Some(&at("id")), detail));
    }
    let identifier = Identifier::from_raw_json(fields, rules).map_err(|error| {
        let field = error
            .field
            .as_deref()
            .map_or_else(|| format!("profiles[{index}]"), at);
        Problem::invalid_body(Some(&field), error.to_string())
    })?;
    Ok(key.identity(&identifier))
}

/// Returns the index at which a cursor continues.
fn position(filters: &str, cursor: &RawValue) -> Result<usize, Problem> {
    let cursor: Option<String> = serde_json::from_str(cursor.get()).ok();
    let position = cursor.and_then(|cursor| cursor::decode(Listing::Batch, filters, &cursor).ok());
    let index = position.and_then(|position| position.parse().ok());
    index.ok_or_else(Problem::invalid_cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(json: &str) -> Result<Vec<IdentityId>, Problem> {
        let fields: Fields = serde_json::from_str(json).expect("JSON");
        let key = IdentityKey::new("key").expect("a key");
        requested(&fields, &key, IdentifierRules::default())
    }

    #[test]
    fn entries_are_ids_or_identifiers() {
        let jane = "sshhvvte7f2mmmac72b3cpkr7e";
        let both = ids(&format!(
            r#"{{"profiles":[{{"email":"Jane@fake.com"}},{{"id":"{jane}"}}]}}"#
        ));
        let both = both.expect("both are entries");
        assert_eq!(both, [jane.parse().expect("an id"), both[0].clone()]);
    }

    #[test]
    fn invalid_entries_are_named() {
        let many = vec![r#"{"mobile":"5550001"}"#; MAX_PROFILES + 1].join(",");
        let many = format!(r#"{{"profiles":[{many}]}}"#);
        for (json, field) in [
            ("{}", "profiles"),
            (r#"{"profiles":[]}"#, "profiles"),
            (r#"{"profiles":{"id":"a"}}"#, "profiles"),
            (r#"{"profiles":["a"]}"#, "profiles"),
            (many.as_str(), "profiles"),
            (r#"{"profiles":[{"id":"a"}],"limit":1}"#, "limit"),
            (r#"{"profiles":[{"id":"a"}]}"#, "profiles[0].id"),
            (r#"{"profiles":[{"mobile":"5550001"},{}]}"#, "profiles[1]"),
            (r#"{"profiles":[{"email":"x"}]}"#, "profiles[0].email"),
        ] {
            let problem = ids(json).expect_err(json);
            let document = format!("{:?}", problem.respond("r").body());
            let named = format!(r#"\"field\":\"{field}\""#);
            assert!(document.contains(&named), "{json}: {document}");
        }
    }

    #[test]
    fn cursors_belong_to_the_profiles() {
        let index = |filters: &str, cursor: &str| {
            let cursor = serde_json::from_str::<Box<RawValue>>(cursor).expect("JSON");
            position(filters, &cursor).ok()
        };
        let cursor = format!("\"{}\"", cursor::encode(Listing::Batch, "ab", "7"));
        assert_eq!(index("ab", &cursor), Some(7));
        for (filters, cursor) in [("a", cursor.as_str()), ("ab", "7"), ("ab", "\"7\"")] {
            assert_eq!(index(filters, cursor), None, "{filters} {cursor}");
        }
    }
}
