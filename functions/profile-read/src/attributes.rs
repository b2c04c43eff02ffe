//! Pages of attributes, for the categories that hold more than a profile shows.

use lambda_http::{Body, Response, http::StatusCode};
use shared::{
    cursor::{self, Listing},
    http::{self, Parameters},
    identity::IdentityId,
    principal::Principal,
    problem::Problem,
    profile::{
        Page,
        attributes::{self, Wanted},
        attributes_cursor,
    },
    reader::{self, Notes},
};

use crate::{App, audit, view};

/// The most characters of a category's name.
const MAX_CHARS: usize = 256;

/// A page of all attributes, or of one category, in the order of category and name.
///
/// # Errors
/// A parameter breaks its rule, there is no such profile, or the table did not answer.
pub(crate) async fn page(
    app: &App,
    principal: &Principal,
    id: &IdentityId,
    parameters: &Parameters<'_>,
) -> Result<Response<Body>, Problem> {
    let category = parameters.get("category");
    let is_name = |name: &str| {
        (1..=MAX_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if !category.is_none_or(is_name) {
        let detail = "Expected the name of a category: 1 to 256 characters, no control characters.";
        return Err(http::invalid_parameter("category", detail));
    }
    let listed = category.unwrap_or_default();
    let after = parameters
        .get("cursor")
        .map(|text| place(listed, text))
        .transpose()?;
    let limit = parameters.limit()?;
    let consistent = parameters.flag("consistent")?;
    let profile = reader::profile(&app.table, id, consistent, Notes::Skip).await?;
    if !profile.exists() {
        return Err(http::profile_not_found());
    }
    let wanted = Wanted {
        category,
        after,
        limit,
    };
    let all = profile.attributes(&view(app, principal));
    let (mut items, next) = attributes::page(all, &wanted);
    let mut next = next.map(|(of, name)| attributes_cursor(category, &of, &name));
    if let Some(last) = http::fit(&mut items) {
        let last = &items[last];
        next = Some(attributes_cursor(
            category,
            &last.category,
            &last.attribute.name,
        ));
    }
    audit(principal, &profile.closure.id(), "attributes");
    http::json(
        StatusCode::OK,
        &Page {
            items,
            next,
            partial: profile.partial || profile.closure.is_partial(),
        },
    )
}

fn place(listed: &str, text: &str) -> Result<(String, String), Problem> {
    let place = cursor::decode(Listing::Attributes, listed, text).ok();
    let parts = place
        .as_deref()
        .and_then(|place| place.split_once('\u{1f}'));
    let (category, name) = parts.ok_or_else(http::invalid_cursor)?;
    Ok((category.to_owned(), name.to_owned()))
}
