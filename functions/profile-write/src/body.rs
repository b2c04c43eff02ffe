//! Parses request bodies. No other fields than those of the route are allowed.

use std::collections::BTreeMap;

use lambda_http::Request;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use shared::{
    http::{self, App, Call, problem::Problem},
    model::{
        identifier::{Identifier, IdentifierRules},
        identity::IdentityId,
    },
    profile::links::{End, MAX_REASON_CHARS, Reason},
};

/// The maximum number of characters in each part of a name.
const MAX_NAME_CHARS: usize = 256;

/// The fields of a body. Raw values keep the digits of numbers.
pub(crate) type Fields = BTreeMap<String, Box<RawValue>>;

/// Why a request is made, and whether it reinstates erased identities.
#[derive(Clone, Debug, Default)]
pub(crate) struct DecisionFields {
    pub(crate) reason: Option<Reason>,
    pub(crate) reinstate: bool,
}

/// A first-time writer.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) identifier: Identifier,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
}

/// The body of `POST /profiles`.
pub(crate) struct Create {
    pub(crate) customer: Customer,
    pub(crate) decision: DecisionFields,
}

/// The identity to link.
pub(crate) enum Other {
    Identity(IdentityId),
    Identifier(Identifier),
}

/// The body of `POST /profiles/{id}/links`.
pub(crate) struct Link {
    pub(crate) other: Other,
    pub(crate) decision: DecisionFields,
}

/// Reads the fields of a body.
pub(crate) fn fields(request: &Request) -> Result<Fields, Problem> {
    http::body(request)
}

/// Reads the fields of a body that a client may leave out.
pub(crate) fn optional_fields(request: &Request) -> Result<Fields, Problem> {
    if request.body().as_ref().is_empty() {
        return Ok(Fields::new());
    }
    fields(request)
}

/// Returns a hash that distinguishes requests with the same idempotency key.
pub(crate) fn hash(call: &Call<'_>, fields: &Fields) -> String {
    let mut digest = Sha256::new();
    let parameters = ["id", "linkId", "identityId"].map(|name| call.route.parameter(name));
    for part in [call.route.key()].into_iter().chain(parameters) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    for (name, value) in fields {
        digest.update((name.len() as u64).to_be_bytes());
        digest.update(name);
        digest.update((value.get().len() as u64).to_be_bytes());
        digest.update(value.get());
    }
    data_encoding::BASE64.encode(&digest.finalize()[..16])
}

impl Create {
    pub(crate) fn new(fields: &Fields, rules: IdentifierRules) -> Result<Self, Problem> {
        let known = [
            "identifier",
            "first_name",
            "last_name",
            "reason",
            "reinstate",
        ];
        http::check_known(fields, &known)?;
        let Some(identifier) = present(fields, "identifier") else {
            let detail = "`identifier` is missing. Send an object with exactly one identifier.";
            return Err(Problem::invalid_body(Some("identifier"), detail));
        };
        Ok(Self {
            customer: Customer {
                identifier: self::identifier(identifier, rules)?,
                first_name: name(fields, "first_name")?,
                last_name: name(fields, "last_name")?,
            },
            decision: decision(fields)?,
        })
    }
}

impl Link {
    pub(crate) fn new(fields: &Fields, rules: IdentifierRules) -> Result<Self, Problem> {
        http::check_known(fields, &["identity", "identifier", "reason", "reinstate"])?;
        let identity = present(fields, "identity");
        let other = match (identity, present(fields, "identifier")) {
            (Some(identity), None) => {
                let id: Option<String> = parse(identity);
                let id = id.and_then(|id| id.parse().ok());
                Other::Identity(id.ok_or_else(|| {
                    let detail = "`identity` must be the ID of an identity: 26 characters.";
                    Problem::invalid_body(Some("identity"), detail)
                })?)
            }
            (None, Some(identifier)) => Other::Identifier(self::identifier(identifier, rules)?),
            _ => {
                let detail = "Send exactly one of `identity`, an ID, and `identifier`, an object with exactly one identifier.";
                return Err(Problem::invalid_body(Some("identity"), detail));
            }
        };
        Ok(Self {
            other,
            decision: decision(fields)?,
        })
    }
}

impl Other {
    /// Returns the identity, with its identifier if the request contains it.
    pub(crate) async fn resolve(self, app: &App) -> Result<End, Problem> {
        Ok(match self {
            Self::Identity(identity) => End {
                identity,
                identifier: None,
            },
            Self::Identifier(identifier) => End {
                identity: app.identity_key().await?.identity(&identifier),
                identifier: Some(identifier),
            },
        })
    }
}

/// Parses the body of a request that removes links: an optional reason.
pub(crate) fn removal(fields: &Fields) -> Result<DecisionFields, Problem> {
    http::check_known(fields, &["reason"])?;
    decision(fields)
}

fn decision(fields: &Fields) -> Result<DecisionFields, Problem> {
    let reason = match present(fields, "reason") {
        None => None,
        Some(raw) => {
            let text: Option<String> = parse(raw);
            let reason = text.as_deref().and_then(Reason::new);
            Some(reason.ok_or_else(|| reason_is_invalid("must be"))?)
        }
    };
    let reinstate = match present(fields, "reinstate") {
        None => false,
        Some(raw) => parse(raw).ok_or_else(|| {
            Problem::invalid_body(Some("reinstate"), "`reinstate` must be true or false.")
        })?,
    };
    Ok(DecisionFields { reason, reinstate })
}

/// Returns the problem for a reason that is missing or not valid.
pub(crate) fn reason_is_invalid(verb: &str) -> Problem {
    let detail = format!(
        "`reason` {verb} a string of 1 to {MAX_REASON_CHARS} characters, not only whitespace, without control characters."
    );
    Problem::invalid_body(Some("reason"), detail)
}

/// Parses a part of a name.
fn name(fields: &Fields, field: &'static str) -> Result<Option<String>, Problem> {
    let Some(raw) = present(fields, field) else {
        return Ok(None);
    };
    let text: Option<String> = parse(raw);
    let is_name =
        |text: &String| text.chars().count() <= MAX_NAME_CHARS && !text.contains(char::is_control);
    let text = text.filter(is_name).ok_or_else(|| {
        let detail = format!(
            "`{field}` must be a string of at most {MAX_NAME_CHARS} characters without control characters."
        );
        Problem::invalid_body(Some(field), detail)
    })?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Parses an identifier object by the rules of lookups.
fn identifier(raw: &RawValue, rules: IdentifierRules) -> Result<Identifier, Problem> {
    let Some(object) = parse::<Fields>(raw) else {
        let detail = "`identifier` must be an object with exactly one identifier.";
        return Err(Problem::invalid_body(Some("identifier"), detail));
    };
    Identifier::from_raw_json(&object, rules).map_err(|error| {
        let field = error.field.as_deref().map_or_else(
            || "identifier".to_owned(),
            |field| format!("identifier.{field}"),
        );
        Problem::invalid_body(Some(&field), error.to_string())
    })
}

/// Returns the value of a field.
fn present<'a>(fields: &'a Fields, name: &str) -> Option<&'a RawValue> {
    fields.get(name).map(AsRef::as_ref)
}

fn parse<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use shared::http::problem::Kind;

    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).expect("JSON")
    }

    #[test]
    fn a_link_has_one_other_side() {
        let id = "h3xq7k2mzr5wnbv4jd6tpycafa";
        let rules = IdentifierRules::default();
        let by_id = format!(r#"{{"identity":"{id}","reason":" Same order "}}"#);
        let link = Link::new(&fields(&by_id), rules).expect("an identity");
        assert!(matches!(link.other, Other::Identity(other) if other.as_str() == id));
        assert_eq!(
            link.decision.reason.expect("a reason").as_str(),
            "Same order"
        );
        let link = Link::new(
            &fields(r#"{"identifier":{"email":"a@b.example"},"reinstate":false}"#),
            rules,
        );
        assert!(matches!(
            link.expect("an identifier").other,
            Other::Identifier(_)
        ));
        let long = "x".repeat(MAX_REASON_CHARS + 1);
        for (json, field) in [
            ("{}".to_owned(), "identity"),
            (r#"{"identity":"x"}"#.to_owned(), "identity"),
            (
                format!(r#"{{"identity":"{id}","identifier":{{"email":"a@b.example"}}}}"#),
                "identity",
            ),
            (r#"{"identifier":"a@b.example"}"#.to_owned(), "identifier"),
            (
                r#"{"identifier":{"email":"a"}}"#.to_owned(),
                "identifier.email",
            ),
            (format!(r#"{{"identity":"{id}","reason":" "}}"#), "reason"),
            (format!(r#"{{"identity":"{id}","reason":1}}"#), "reason"),
            (
                format!(r#"{{"identity":"{id}","reason":"{long}"}}"#),
                "reason",
            ),
            (
                format!(r#"{{"identity":"{id}","reinstate":"yes"}}"#),
                "reinstate",
            ),
            (
                format!(r#"{{"identity":"{id}","source":"agents"}}"#),
                "source",
            ),
        ] {
            let problem = Link::new(&fields(&json), rules).err().expect(&json);
            assert_eq!(problem.kind(), Kind::INVALID_BODY, "{json}");
            let document = format!("{:?}", problem.respond("r").body());
            assert!(
                document.contains(&format!(r#"\"field\":\"{field}\""#)),
                "{json}: {document}"
            );
        }
    }

    #[test]
    fn names_are_optional() {
        let rules = IdentifierRules::default();
        let create = |json: &str| Create::new(&fields(json), rules);
        let body = create(
            r#"{"identifier":{"mobile":"+61 491 570 156"},"first_name":" Vera ","last_name":""}"#,
        );
        let customer = body.expect("a customer").customer;
        assert_eq!(customer.first_name.as_deref(), Some("Vera"));
        assert_eq!(customer.last_name, None);
        for json in [
            "{}",
            r#"{"identifier":{"email":"a@b.example"},"first_name":1}"#,
            r#"{"identifier":{"email":"a@b.example"},"name":"Vera"}"#,
        ] {
            assert!(create(json).is_err(), "{json}");
        }
    }

    #[test]
    fn names_have_a_length() {
        let rules = IdentifierRules::default();
        let name = |name: &str| {
            let identifier = r#"{"email":"a@b.example"}"#;
            let json = format!(r#"{{"identifier":{identifier},"last_name":"{name}"}}"#);
            Create::new(&fields(&json), rules).map(|create| create.customer.last_name)
        };
        let longest = "é".repeat(MAX_NAME_CHARS);
        assert_eq!(name(&longest).expect("a name"), Some(longest.clone()));
        assert!(name(&format!("{longest}é")).is_err());
        assert!(name("a\\u0007").is_err());
    }

    #[test]
    fn removals_have_an_optional_reason() {
        let reason = removal(&fields(r#"{"reason":"Typo"}"#))
            .expect("a reason")
            .reason;
        assert_eq!(reason.expect("a reason").as_str(), "Typo");
        assert!(removal(&Fields::new()).expect("no reason").reason.is_none());
        assert!(removal(&fields(r#"{"reinstate":true}"#)).is_err());
    }

    #[test]
    fn bodies_may_be_left_out() {
        let request = |body: &str| {
            let request =
                lambda_http::http::Request::builder().header("content-type", "application/json");
            request
                .body(lambda_http::Body::from(body))
                .expect("a request")
        };
        assert!(optional_fields(&request("")).expect("no body").is_empty());
        let sent = optional_fields(&request(r#"{"reason":"Typo"}"#));
        assert!(sent.expect("a body").contains_key("reason"));
        assert!(super::fields(&request("")).is_err());
    }
}
