//! Changes and deletes notes. Only the author or a principal with `notes:admin` can do this, and only with the current entity
//! tag.

use lambda_http::{Body, Response, http::StatusCode};
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
    count_masked_cards(fields.text.as_ref());
    // A principal that has sent the text knows it.
    let access = if fields.text.is_some() || may_read(call.principal, &note) {
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
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Reads the note of the request. Checks that the principal can change it and that `If-Match` contains its current entity tag.
async fn read(call: &Call<'_>, profile: &IdentityId, id: &str) -> Result<Item, Problem> {
    let principal = call.principal;
    let tags = http::if_match(call.request.headers(), "note")?;
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
