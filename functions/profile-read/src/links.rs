//! Returns identity links in pages: which file or which support agent linked or separated two identities, when and why.

use lambda_http::{Body, Response, http::StatusCode};
use shared::{
    http::{self, Call, Field, Parameters, problem::Problem},
    model::identity::IdentityId,
    profile::{
        cursor::{Listing, PositionIn},
        links::{self, LinkId},
    },
    table::reader,
};

/// Handles `GET`: returns a page of the links of a profile's identities, sorted by id.
///
/// # Errors
/// A parameter is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let limit = parameters.limit()?;
    let position = parameters.get("cursor").map(position).transpose()?;
    let table = &call.app.table;
    let (members, items) = reader::links(table, id).await?;
    if items.is_empty() && !members.exist(table).await? {
        return Err(Problem::profile_not_found());
    }
    let after = position.map(|position| position.within(&members.closure));
    let after = after.transpose()?;
    let all = links::distinct(&items);
    let (selected, has_more) = links::select(all, after.as_ref(), limit);
    let versions = selected.iter().filter_map(|link| link.version);
    let files = table.files(versions).await?;
    let mut page = links::page(&selected, has_more, &members.closure, &files, &call.view());
    if let Some(last) = http::fit(&mut page.items) {
        page.next = Some(links::cursor_after(id, &page.items[last].id));
    }
    page.partial = members.partial;
    call.audit(Field::Profiles, members.closure.id());
    http::json(StatusCode::OK, &page)
}

/// Parses the cursor of a page of links.
fn position(text: &str) -> Result<PositionIn<LinkId>, Problem> {
    let parse = |position: &str| position.parse().ok();
    Ok(PositionIn::decode(Listing::Links, "", text, parse)?)
}
