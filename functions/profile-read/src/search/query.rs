//! Parses the body of a search. In: the fields of a JSON object. Out: the value to find, and the requested page.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use shared::{
    http::{self, problem::Problem},
    model::{
        find::{FindKind, Term},
        identifier::{Identifier, IdentifierRules},
        identity::{IdentityId, IdentityKey},
    },
    profile::{
        DEFAULT_LIMIT,
        cursor::{self, Listing},
    },
};

/// The fields that contain a value to find.
const KINDS: [&str; 5] = ["order", "name", "email", "mobile", "customer_id"];

/// The fields of a body. Raw values keep the digits of numbers.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// A value to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// What to look for in the indexes.
    pub(crate) term: Term,
    /// The identity that the value itself names.
    pub(crate) named: Option<IdentityId>,
}

impl Query {
    /// Returns the query for an identifier. `None` for a kind that records do not contain as a field.
    pub(crate) fn identifier(key: &IdentityKey, identifier: &Identifier) -> Option<Self> {
        Some(Self {
            term: Term::identifier(key, identifier)?,
            named: Some(key.identity(identifier)),
        })
    }

    /// Returns the kind of the value.
    pub(crate) const fn kind(&self) -> FindKind {
        self.term.kind()
    }
}

/// A place in the order of hits: the identity that the value names comes first, then all others by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Whether the value does not name the identity itself.
    is_other: bool,
    pub(crate) identity: IdentityId,
}

impl Place {
    /// Returns the place of an identity among the hits of a query.
    pub(crate) fn new(query: &Query, identity: IdentityId) -> Self {
        Self {
            is_other: query.named.as_ref() != Some(&identity),
            identity,
        }
    }
}

/// A requested page of a search.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) query: Query,
    /// The maximum number of profiles on the page.
    pub(crate) limit: usize,
    /// The place after which the page begins.
    pub(crate) after: Option<Place>,
}

impl Request {
    /// Parses the fields of a body.
    ///
    /// # Errors
    /// A field is unknown or not valid, or the body does not contain exactly one value to find.
    pub(crate) fn new(
        mut fields: Fields,
        key: &IdentityKey,
        rules: IdentifierRules,
    ) -> Result<Self, Problem> {
        let limit = fields.remove("limit");
        let cursor = fields.remove("cursor");
        if let Some(unknown) = fields.keys().find(|name| !KINDS.contains(&name.as_str())) {
            let detail = "The field is unknown. A search has one of the fields `order`, `name`, `email`, `mobile` and `customer_id`, \
                          and `limit` and `cursor`.";
            return Err(Problem::invalid_body(Some(unknown), detail));
        }
        let query = Self::query(fields, key, rules)?;
        let after = cursor.map(|cursor| Self::position(&query, &cursor));
        Ok(Self {
            after: after.transpose()?,
            query,
            limit: limit.map_or(Ok(DEFAULT_LIMIT), |limit| http::body_limit(limit.get()))?,
        })
    }

    /// Parses the field that contains the value to find.
    fn query(fields: Fields, key: &IdentityKey, rules: IdentifierRules) -> Result<Query, Problem> {
        let mut names = fields.keys();
        let (Some(name), None) = (names.next(), names.next()) else {
            let detail = "A search has exactly one of the fields `order`, `name`, `email`, `mobile` and `customer_id`.";
            return Err(Problem::invalid_body(None, detail));
        };
        let found = match name.as_str() {
            "name" => Term::name(key, &text("name", &fields["name"])?).map(unnamed),
            "order" => Term::order(key, &text("order", &fields["order"])?).map(unnamed),
            _ => {
                let identifier = Identifier::from_raw_json(&fields, rules);
                let identifier = identifier.map_err(|error| {
                    Problem::invalid_body(error.field.as_deref(), error.to_string())
                })?;
                Query::identifier(key, &identifier)
            }
        };
        found.ok_or_else(|| {
            let detail = format!(
                "`{name}` is not searchable. It has no letter or digit, is a placeholder such as `Guest`, or is too long."
            );
            Problem::invalid_body(Some(name), detail)
        })
    }

    /// Parses the place in a cursor.
    fn position(query: &Query, cursor: &RawValue) -> Result<Place, Problem> {
        let cursor: String =
            serde_json::from_str(cursor.get()).map_err(|_| Problem::invalid_cursor())?;
        let position = cursor::decode(Listing::Search, &query.term.to_string(), &cursor).ok();
        let identity = position.and_then(|id| id.parse().ok());
        let identity = identity.ok_or_else(Problem::invalid_cursor)?;
        Ok(Place::new(query, identity))
    }

    /// Returns the cursor of the page after `place`. It contains an identity's id and a hash of the term, which is a keyed
    /// hash itself. So it contains no personal data.
    pub(crate) fn cursor(&self, place: &Place) -> String {
        let filters = self.query.term.to_string();
        cursor::encode(Listing::Search, &filters, place.identity.as_str())
    }
}

const fn unnamed(term: Term) -> Query {
    Query { term, named: None }
}

/// Parses a string, or a number as it was written.
fn text(name: &str, value: &RawValue) -> Result<String, Problem> {
    let value = value.get();
    let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let text = if is_number && name == "order" {
        Some(value.to_owned())
    } else {
        serde_json::from_str(value).ok()
    };
    text.ok_or_else(|| Problem::invalid_body(Some(name), format!("`{name}` must be a string.")))
}

#[cfg(test)]
mod tests {
    use shared::http::problem::Kind;

    use super::*;

    fn key() -> IdentityKey {
        IdentityKey::new("key").expect("a key")
    }

    fn request(json: &str) -> Result<Request, Problem> {
        let fields = serde_json::from_str(json).expect("JSON");
        Request::new(fields, &key(), IdentifierRules::default())
    }

    #[test]
    fn spellings_are_one_query() {
        for (one, other) in [
            (r##"{"order":"# 1042"}"##, r#"{"order":1042}"#),
            (
                r#"{"name":"ONEILL, Jane"}"#,
                r#"{"name":"jane o'neill","limit":3}"#,
            ),
            (
                r#"{"email":" Jane@Example.com"}"#,
                r#"{"email":"jane@example.com"}"#,
            ),
            (
                r#"{"mobile":"+61 491 570 156"}"#,
                r#"{"mobile":61491570156}"#,
            ),
            (r#"{"customer_id":7}"#, r#"{"customer_id":"7"}"#),
        ] {
            let (one, other) = (request(one), request(other));
            let (one, other) = (one.expect("valid"), other.expect("valid"));
            assert_eq!(one.query, other.query);
        }
    }

    #[test]
    fn identifiers_name_an_identity() {
        for (json, is_named) in [
            (r#"{"order":"1"}"#, false),
            (r#"{"name":"Jane"}"#, false),
            (r#"{"email":"a@b.example"}"#, true),
            (r#"{"mobile":"61491570156"}"#, true),
            (r#"{"customer_id":"7"}"#, true),
        ] {
            let query = request(json).expect(json).query;
            assert_eq!(query.named.is_some(), is_named, "{json}");
        }
    }

    #[test]
    fn invalid_fields_are_named() {
        for (json, field) in [
            ("{}", None),
            (r#"{"limit":5}"#, None),
            (r#"{"name":"a","order":"b"}"#, None),
            (r#"{"text":"a"}"#, Some("text")),
            (
                r#"{"customer_id":"7","system_name":"shop"}"#,
                Some("system_name"),
            ),
            (r#"{"name":"Guest"}"#, Some("name")),
            (r#"{"name":"..."}"#, Some("name")),
            (r#"{"name":7}"#, Some("name")),
            (r#"{"order":"n/a"}"#, Some("order")),
            (r#"{"order":["1"]}"#, Some("order")),
            (r#"{"email":"jane"}"#, Some("email")),
            (r#"{"mobile":"0491570156"}"#, Some("mobile")),
            (r#"{"customer_id":"null"}"#, Some("customer_id")),
            (r#"{"customer_id":null}"#, Some("customer_id")),
            (r#"{"customer_id":"7","name":null}"#, None),
            (r#"{"name":"Jane","limit":null}"#, Some("limit")),
            (r#"{"name":"Jane","limit":0}"#, Some("limit")),
            (r#"{"name":"Jane","limit":101}"#, Some("limit")),
            (r#"{"name":"Jane","limit":"5"}"#, Some("limit")),
        ] {
            let problem = request(json).expect_err(json);
            assert_eq!(problem.kind(), Kind::INVALID_BODY, "{json}");
            let document = format!("{:?}", problem.respond("r").body());
            let named = field.map(|field| format!(r#"\"field\":\"{field}\""#));
            assert!(
                named.is_none_or(|named| document.contains(&named)),
                "{json}: {document}"
            );
        }
        let problem = request(r#"{"name":"Jane","cursor":1}"#).expect_err("a number");
        assert_eq!(problem.kind(), Kind::INVALID_CURSOR);
    }

    #[test]
    fn cursors_belong_to_the_value() {
        let jane = request(r#"{"email":"jane@example.com"}"#).expect("valid");
        let named = jane.query.named.clone().expect("an identity");
        let other: IdentityId = "a".repeat(26).parse().expect("an id");
        let first = Place::new(&jane.query, named);
        let second = Place::new(&jane.query, other);
        assert!(first < second);
        for place in [&first, &second] {
            let cursor = jane.cursor(place);
            let next = request(&format!(
                r#"{{"email":"JANE@example.com","cursor":"{cursor}"}}"#
            ));
            assert_eq!(next.expect("the same value").after.as_ref(), Some(place));
            for other in [
                format!(r#"{{"email":"joe@example.com","cursor":"{cursor}"}}"#),
                format!(r#"{{"name":"Jane","cursor":"{cursor}"}}"#),
            ] {
                let problem = request(&other).expect_err("another value");
                assert_eq!(problem.kind(), Kind::INVALID_CURSOR);
            }
        }
    }
}
