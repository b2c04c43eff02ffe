//! Changes and deletes notes. Only the author or a principal with `notes:admin` can do this, and only with the current entity
//! tag.

use lambda_http::{
    Body, Response,
    http::{HeaderMap, StatusCode, header},
};
use shared::{
    http::{
        self, Call,
        principal::{Principal, Scope},
        problem::{Kind, Problem},
    },
    model::{identity::IdentityId, item::Item, time::Instant},
    profile::note,
};

use crate::{Fields, TextAccess, count_masked_cards, note_response};

/// Handles `PATCH`: changes the text of a note, its `pinned` field, or both.
///
/// # Errors
/// The body or the precondition is invalid, the principal is not allowed to change the note, or the note does not exist.
pub(crate) async fn edit(
    call: &Call<'_>,
    profile: &IdentityId,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let fields = Fields::new(&http::body(call.request)?)?;
    if fields.text.is_none() && fields.pinned.is_none() {
        let detail = "The body changes nothing. Send `text`, `pinned` or both.";
        return Err(Problem::invalid_body(Some("text"), detail));
    }
    let note = read(call, profile, id).await?;
    let mut changed = note.clone();
    if let Some(text) = &fields.text {
        changed.data.insert("text", text.as_str());
    }
    if let Some(pinned) = fields.pinned {
        changed.data.insert("pinned", pinned);
    }
    note::set_editor(&mut changed.data, call.principal.writer(), Instant::now());
    if !call.app.table.change_note(&note, &changed.data).await? {
        return Err(note_changed());
    }
    audit(&call.principal, profile, id, "note changed");
    count_masked_cards(fields.text.as_ref());
    // A principal that has sent the text knows it.
    let access = if fields.text.is_some() || may_read(&call.principal, &note) {
        TextAccess::Visible
    } else {
        TextAccess::Redacted
    };
    note_response(call.app, StatusCode::OK, &changed, access)
}

/// Handles `DELETE`: deletes a note.
///
/// # Errors
/// The precondition is invalid, the principal is not allowed to delete the note, or the note does not exist.
pub(crate) async fn delete(
    call: &Call<'_>,
    profile: &IdentityId,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let note = read(call, profile, id).await?;
    if !call.app.table.delete_note(&note).await? {
        return Err(note_changed());
    }
    audit(&call.principal, profile, id, "note deleted");
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Reads the note of the request. Checks that the principal can change it and that `If-Match` contains its current entity tag.
async fn read(call: &Call<'_>, profile: &IdentityId, id: &str) -> Result<Item, Problem> {
    let principal = &call.principal;
    let tags = tags(call.request.headers())?;
    let (_, item) = call.note(profile, id).await?;
    if !is_author(principal, &item) && !principal.has(Scope::NotesAdmin) {
        let detail = "Only the author, or a principal with the scope `notes:admin`, can change or delete this note.";
        return Err(Problem::new(Kind::FORBIDDEN, detail));
    }
    let etag = note::etag(&item);
    if !tags
        .iter()
        .any(|tag| *tag == "*" || etag.as_deref() == Some(*tag))
    {
        return Err(note_changed());
    }
    Ok(item)
}

/// Parses the entity tags of `If-Match`: a list with at least one strong tag, or `*`. Weak tags match nothing (RFC 9110, section
/// 13.1.1).
fn tags(headers: &HeaderMap) -> Result<Vec<&str>, Problem> {
    let values: Vec<_> = headers.get_all(header::IF_MATCH).into_iter().collect();
    if values.is_empty() {
        let detail = "The header `If-Match` is missing. Send the note's `etag` in it, so that no concurrent change is lost.";
        return Err(Problem::new(Kind::PRECONDITION_REQUIRED, detail).field("if-match"));
    }
    let invalid = || {
        let detail = "`If-Match` must be the note's `etag`, including the quotes, or `*`.";
        Problem::new(Kind::INVALID_HEADER, detail).field("if-match")
    };
    let mut tags = Vec::new();
    for value in values {
        let text = value.to_str().map_err(|_| invalid())?;
        tags.extend(text.split(',').map(str::trim));
    }
    let well_formed = |tag: &&str| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || (tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"'))
    };
    if !tags.iter().all(well_formed) {
        return Err(invalid());
    }
    if tags.iter().all(|tag| tag.starts_with("W/")) {
        let detail = "The tag in `If-Match` is weak (W/\"…\"). A proxy weakens tags when it compresses responses. Send the note's `etag` \
                      field from the response body, including the quotes, or turn off compression in the proxy.";
        return Err(Problem::new(Kind::INVALID_HEADER, detail).field("if-match"));
    }
    Ok(tags)
}

/// Returns whether the principal wrote a note.
fn is_author(principal: &Principal, note: &Item) -> bool {
    note.data.text("author") == Some(principal.subject.as_str())
}

/// Returns whether the principal can see the text of a note.
fn may_read(principal: &Principal, note: &Item) -> bool {
    principal.has(Scope::PiiRead) || is_author(principal, note)
}

fn note_changed() -> Problem {
    let detail = "The note was changed after you read it. Read it again, and send its new `etag` in `If-Match`.";
    Problem::new(Kind::NOTE_CHANGED, detail).field("if-match")
}

/// Logs which principal changed which note. The log contains no personal data: a note's id consists of an identity's id and a
/// time.
fn audit(principal: &Principal, profile: &IdentityId, note: &str, what: &'static str) {
    tracing::info!(principal = principal.subject, %profile, note, "{what}");
}

#[cfg(test)]
mod tests {
    use lambda_http::http::HeaderValue;

    use super::*;

    fn kind_of(value: &'static str) -> Result<usize, Kind> {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
        tags(&headers)
            .map(|tags| tags.len())
            .map_err(|problem| problem.kind())
    }

    #[test]
    fn if_match_is_a_list_of_tags() {
        assert_eq!(kind_of("\"a\""), Ok(1));
        assert_eq!(kind_of("\"a\", W/\"b\""), Ok(2));
        assert_eq!(kind_of("*"), Ok(1));
        for value in ["W/\"a\"", "W/\"a\", W/\"b\""] {
            let headers =
                HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
            let problem = tags(&headers).expect_err("a weak tag");
            assert_eq!(problem.kind(), Kind::INVALID_HEADER);
            let detail = problem.to_string();
            assert!(
                detail.contains("proxy") && detail.contains("compress"),
                "{detail}"
            );
        }
        for value in ["", "a", "\"", "\"a\","] {
            assert_eq!(kind_of(value), Err(Kind::INVALID_HEADER), "{value}");
        }
        let missing = tags(&HeaderMap::new()).expect_err("it is needed");
        assert_eq!(missing.kind(), Kind::PRECONDITION_REQUIRED);
    }
}
