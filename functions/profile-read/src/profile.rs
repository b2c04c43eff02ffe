//! Responds with a profile: its requested sections and its entity tag.

use data_encoding::BASE64URL_NOPAD;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use sha2::{Digest as _, Sha256};
use shared::{
    http::{self, Call, Field, Parameters, problem::Problem},
    model::identity::IdentityId,
    profile::{Document, Sections},
    runtime::metrics::{self, Unit},
    table::{
        Consistency,
        reader::{self, Notes},
    },
};

use crate::{matches, search};

/// The requested sections of a profile, and the consistency of the read.
pub(crate) struct Choice {
    sections: Sections,
    /// The names in `include`, separated by commas, or `all`. For the audit log.
    include: String,
    consistency: Consistency,
}

impl Choice {
    /// Parses the parameters `include`, which may be repeated, and `consistent`.
    pub(crate) fn new(request: &Request) -> Result<Self, Problem> {
        let known = ["include", "consistent"];
        let parameters = Parameters::with_repeated(request, &known, &["include"])?;
        let include: Vec<_> = parameters.all("include").collect();
        let include = (!include.is_empty()).then(|| include.join(","));
        Ok(Self {
            sections: sections(include.as_deref())?,
            include: include.unwrap_or_else(|| "all".to_owned()),
            consistency: consistency(&parameters)?,
        })
    }
}

/// Returns the consistency that the parameter `consistent` requests. The default is eventual.
pub(crate) fn consistency(parameters: &Parameters<'_>) -> Result<Consistency, Problem> {
    Ok(if parameters.flag("consistent")? {
        Consistency::Strong
    } else {
        Consistency::Eventual
    })
}

/// Returns a profile. If `conditions` contain its current entity tag in `If-None-Match`, returns only that tag.
pub(crate) async fn respond(
    call: &Call<'_>,
    id: &IdentityId,
    choice: Choice,
    conditions: Option<&HeaderMap>,
) -> Result<Response<Body>, Problem> {
    call.audit(Field::Sections, &choice.include);
    let notes = if choice.sections.notes {
        Notes::Newest
    } else {
        Notes::Skip
    };
    let (table, consistency) = (&call.app.table, choice.consistency);
    let profile = if choice.sections.need_events() {
        reader::profile(table, id, consistency, notes).await?
    } else {
        reader::profile_without_events(table, id, consistency, notes).await?
    };
    if !profile.exists() {
        return Err(Problem::profile_not_found());
    }
    let mut document = profile.document(&call.view(), choice.sections);
    if choice.sections.matches {
        let key = call.app.identity_key().await?;
        let rules = call.app.config.identifiers;
        let terms = search::hits::Terms { key: &key, rules };
        document.matches = Some(matches::of(call, terms, &profile).await?);
    }
    http::complete(call.app, &mut document).await?;
    call.audit(Field::Profiles, &document.id);
    for candidate in document.matches.iter().flat_map(|matches| &matches.items) {
        call.audit(Field::Matches, &candidate.card.id);
    }
    count_excluded_links(&document);
    let tag = tag(&mut document)?;
    let unchanged = conditions.is_some_and(|headers| http::if_none_match(headers, &tag));
    let mut response = if unchanged {
        http::not_modified()
    } else {
        http::json(StatusCode::OK, &document)?
    };
    let tag = HeaderValue::from_str(&tag).map_err(Problem::internal)?;
    response.headers_mut().insert(header::ETAG, tag);
    Ok(response)
}

/// Returns a weak entity tag (RFC 9110, section 8.8.3) of the document, without the time of reading.
fn tag(document: &mut Document) -> Result<String, Problem> {
    let read_at = std::mem::take(&mut document.as_of);
    let text = serde_json::to_vec(document).map_err(Problem::internal);
    document.as_of = read_at;
    let digest = Sha256::digest(text?);
    Ok(format!("W/\"{}\"", BASE64URL_NOPAD.encode(&digest[..12])))
}

/// Parses the names of sections. The default is all of them.
fn sections(include: Option<&str>) -> Result<Sections, Problem> {
    let Some(include) = include else {
        return Ok(Sections::ALL);
    };
    let mut sections = Sections::NONE;
    for name in include.split(',') {
        if !sections.add(name) {
            let names = Sections::NAMES.join(", ");
            return Err(Problem::invalid_parameter(
                "include",
                format!(
                    "`include` must be one or more of {names}, repeated or separated by commas."
                ),
            ));
        }
    }
    Ok(sections)
}

/// Counts the identities and sources whose links were not followed. An alarm watches this metric, because a source with bad data
/// would otherwise go unnoticed.
fn count_excluded_links(document: &Document) {
    let count = document.excluded_links.len();
    if count > 0 {
        let profile = document.id.to_string();
        metrics::emit(
            &[("ExcludedLinks", Unit::Count, count as f64)],
            &[("profile", profile.into())],
        );
    }
}

#[cfg(test)]
mod tests {
    use shared::http::problem::Kind;

    use super::*;

    #[test]
    fn sections_are_chosen_by_name() {
        let chosen = sections(Some("summary,history")).expect("both are sections");
        assert_eq!(
            chosen,
            Sections {
                summary: true,
                history: true,
                ..Sections::NONE
            }
        );
        assert_eq!(sections(None).expect("all by default"), Sections::ALL);
        for include in ["", "summary,", "orders"] {
            assert_eq!(
                sections(Some(include)).expect_err(include).kind(),
                Kind::INVALID_PARAMETER
            );
        }
    }
}
