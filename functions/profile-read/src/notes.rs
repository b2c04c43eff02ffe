//! Returns notes: in pages, or one with its entity tag.

use futures::future::try_join_all;
use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use shared::{
    http::{self, Call, Field, Parameters, problem::Problem},
    model::identity::IdentityId,
    profile::{
        Note,
        cursor::{Listing, PositionIn},
        note,
    },
    table::{NotesRead, reader},
};

/// Returns a page of notes.
///
/// # Errors
/// A parameter is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let limit = parameters.limit()?;
    let position = parameters.get("cursor").map(note_position).transpose()?;
    let members = reader::members(&call.app.table, id).await?;
    let after = position.map(|position| position.within(&members.closure));
    let after = after.transpose()?;
    let identities = members.closure.members();
    let read = try_join_all(
        identities
            .iter()
            .map(|id| call.app.table.notes(id, NotesRead::all())),
    )
    .await?;
    let notes = read.iter().flat_map(|read| &read.items);
    let notes = notes.filter(|note| !members.erase(note));
    let mut page = note::page(notes, id, after, limit, &call.view());
    if let Some(last) = http::fit(&mut page.items) {
        page.next = Some(note::cursor_after(id, &page.items[last].id));
    }
    page.partial = members.partial || read.iter().any(|read| read.next.is_some());
    if page.items.is_empty() && !members.exist(&call.app.table).await? {
        return Err(Problem::profile_not_found());
    }
    call.audit(Field::Profiles, members.closure.id());
    http::json(StatusCode::OK, &page)
}

/// Parses the cursor of a page of notes.
fn note_position(text: &str) -> Result<PositionIn<note::NotePosition>, Problem> {
    Ok(PositionIn::decode(
        Listing::Notes,
        "",
        text,
        note::parse_id,
    )?)
}

/// Returns the note `note` of a profile, with its entity tag.
///
/// # Errors
/// The profile or the note does not exist, or the table cannot be read.
pub(crate) async fn one(
    call: &Call<'_>,
    id: &IdentityId,
    note: &str,
) -> Result<Response<Body>, Problem> {
    let (profile, item) = call.note(id, note).await?;
    let note = Note::new(&item, &call.view());
    let note = note.ok_or_else(|| Problem::internal("the note has no time"))?;
    call.audit(Field::Profiles, &profile);
    let etag = HeaderValue::from_str(&note.etag).map_err(Problem::internal)?;
    let mut response = http::json(StatusCode::OK, &note)?;
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}
