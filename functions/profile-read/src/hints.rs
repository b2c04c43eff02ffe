//! Says why a lookup may have found nothing. Reads more only for ids, and only after a lookup that found nothing.

use shared::{
    http::{Call, Field, problem::Problem},
    model::{
        identifier::{Identifier, IdentifierType},
        identity::IdentityKey,
    },
    profile::{
        Candidate,
        hint::{Hint, HintCode},
    },
};

use crate::search::{
    self,
    hits::Terms,
    query::{Fields, Query, Request},
};

/// The maximum number of profiles that hints lead to.
const MAX_HINTS: usize = 10;

/// Returns the problem for an identifier under which nothing is stored. It contains the id and the hints.
///
/// # Errors
/// The table cannot be read.
pub(crate) async fn not_found(
    call: &Call<'_>,
    key: &IdentityKey,
    identifier: &Identifier,
    fields: &Fields,
) -> Result<Problem, Problem> {
    let hints = match identifier.kind() {
        IdentifierType::CustomerId | IdentifierType::ExternalId => {
            same_id(call, key, identifier).await?
        }
        IdentifierType::Mobile if lacks_country_code(identifier, fields) => {
            vec![Hint::new(HintCode::CountryCode)]
        }
        _ => Vec::new(),
    };
    Ok(Problem::identifier_not_found(
        key.identity(identifier),
        hints,
    ))
}

/// Returns the profiles that contain the same id in another system, in none, or in a record.
async fn same_id(
    call: &Call<'_>,
    key: &IdentityKey,
    identifier: &Identifier,
) -> Result<Vec<Hint>, Problem> {
    let Some(query) = Query::identifier(key, identifier) else {
        return Ok(Vec::new());
    };
    let request = Request {
        query,
        limit: MAX_HINTS,
        after: None,
    };
    let rules = call.app.config.identifiers;
    let terms = Terms { key, rules };
    let found = search::read_page(call, terms, &request).await?;
    let mut hints = Vec::new();
    for candidate in &found.items {
        call.audit(Field::Hints, &candidate.card.id);
        hints.extend(hints_of(candidate));
    }
    hints.truncate(MAX_HINTS);
    Ok(hints)
}

/// Returns a hint for each identity by which a search has found the profile.
fn hints_of(candidate: &Candidate) -> impl Iterator<Item = Hint> {
    let identities = candidate.card.identities.iter();
    let matched = identities.filter(|identity| {
        let mut matches = candidate.matched_by.iter();
        matches.any(|found| found.identity == identity.id)
    });
    matched.map(|identity| {
        let is_id = matches!(
            identity.kind,
            Some(IdentifierType::CustomerId | IdentifierType::ExternalId)
        );
        Hint {
            code: if is_id {
                HintCode::OtherSystem
            } else {
                HintCode::InRecord
            },
            profile: Some(candidate.card.id.clone()),
            identity: Some(identity.clone()),
        }
    })
}

/// Returns whether a number was given without `+` or `00`, and its first digits were read as the country code.
fn lacks_country_code(identifier: &Identifier, fields: &Fields) -> bool {
    let mobile = fields.get("mobile").or_else(|| fields.get("link_value"));
    let Some(given) = mobile.map(|value| value.get().trim_matches('"').trim_start()) else {
        return false;
    };
    let digits: String = given.chars().filter(char::is_ascii_digit).collect();
    !given.starts_with(['+', '\u{ff0b}']) && digits == identifier.value()
}

#[cfg(test)]
mod tests {
    use shared::model::identifier::IdentifierRules;

    use super::*;

    #[test]
    fn numbers_without_plus_may_lack_a_country_code() {
        for (json, is_lacking) in [
            (r#"{"mobile":"491 570 156"}"#, true),
            (r#"{"mobile":491570156}"#, true),
            (r#"{"link_type":"mobile","link_value":"491570156"}"#, true),
            (r#"{"mobile":"+491 570 156"}"#, false),
            (r#"{"mobile":" ＋491570156"}"#, false),
            (r#"{"mobile":"00491570156"}"#, false),
        ] {
            let fields: Fields = serde_json::from_str(json).expect("JSON");
            let identifier = Identifier::from_raw_json(&fields, IdentifierRules::default());
            let identifier = identifier.expect(json);
            assert_eq!(
                lacks_country_code(&identifier, &fields),
                is_lacking,
                "{json}"
            );
        }
        let other = serde_json::from_str(r#"{"email":"a@b.example"}"#).expect("JSON");
        let identifier = Identifier::from_raw_json(&other, IdentifierRules::default());
        assert!(!lacks_country_code(
            &identifier.expect("an email"),
            &Fields::new()
        ));
    }
}
