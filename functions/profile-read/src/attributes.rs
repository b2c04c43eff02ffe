//! Returns attributes in pages, for categories with more attributes than a profile shows.

use std::num::NonZeroUsize;

use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use shared::{
    http::{self, Call, Parameters, problem::Problem},
    model::identity::IdentityId,
    profile::{
        Page,
        attributes::page::{self, Paged, Position, Wanted},
        attributes_cursor,
        cursor::{self, Listing},
    },
    table::reader::{self, Notes},
};

use crate::consistency;

/// The maximum number of characters in a category's name.
const MAX_CHARS: usize = 256;

/// A page of attributes as the API returns it.
#[derive(Serialize)]
struct AttributePage {
    #[serde(flatten)]
    page: Page<Paged>,
    /// The number of attributes, in all categories, that were left out because their names may be personal.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes_redacted: Option<NonZeroUsize>,
}

/// Returns a page of all attributes, or of one category, sorted by category, and strongest first in each.
///
/// # Errors
/// A parameter is invalid, the profile does not exist, or the table cannot be read.
pub(crate) async fn page(
    call: &Call<'_>,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let category = parameters.get("category");
    let is_name = |name: &str| {
        (1..=MAX_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if !category.is_none_or(is_name) {
        let detail = "`category` must be 1 to 256 characters without control characters.";
        return Err(Problem::invalid_parameter("category", detail));
    }
    let listed = category.unwrap_or_default();
    let after = parameters
        .get("cursor")
        .map(|text| position(listed, text))
        .transpose()?;
    let limit = parameters.limit()?;
    let consistency = consistency(parameters)?;
    let profile = reader::profile(&call.app.table, id, consistency, Notes::Skip).await?;
    if !profile.exists() {
        return Err(Problem::profile_not_found());
    }
    let wanted = Wanted {
        category,
        after,
        limit,
    };
    let view = call.view();
    let all = profile.attributes(&view);
    let mut selected = page::select(all.categories, &wanted);
    let versions = selected
        .items
        .iter()
        .flat_map(|paged| paged.attribute.versions());
    let files = call.app.table.files(versions).await?;
    for paged in &mut selected.items {
        paged.attribute.add_provenance(&files, &view);
    }
    selected.has_more |= http::fit(&mut selected.items).is_some();
    let last = selected
        .items
        .len()
        .checked_sub(1)
        .filter(|_| selected.has_more);
    let position = last.and_then(|last| selected.position(last));
    let next = position.map(|position| attributes_cursor(category, &position));
    call.audit(&profile.closure.id(), "attributes");
    http::json(
        StatusCode::OK,
        &AttributePage {
            page: Page {
                items: selected.items,
                next,
                partial: profile.partial || profile.closure.is_partial(),
            },
            attributes_redacted: NonZeroUsize::new(all.redacted),
        },
    )
}

/// Parses a cursor. `listed` is the category of the listing; empty for all categories.
fn position(listed: &str, text: &str) -> Result<Position, Problem> {
    let position = cursor::decode(Listing::Attributes, listed, text).ok();
    position
        .as_deref()
        .and_then(Position::parse)
        .ok_or_else(Problem::invalid_cursor)
}
