//! Handles `POST /profiles/lookup`: the profile of an identifier.

use lambda_http::{Body, Response};
use shared::{
    http::{
        self, Call, Field,
        problem::{Kind, Problem},
    },
    model::identifier::Identifier,
};

use crate::{
    hints,
    profile::{self, Choice},
    search::query::Fields,
};

/// Returns the profile of the identifier in the body. If there is none, the problem contains hints.
pub(crate) async fn respond(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let choice = Choice::new(call.request)?;
    let fields: Fields = http::body(call.request)?;
    let identifier = Identifier::from_raw_json(&fields, call.app.config.identifiers);
    let identifier = identifier
        .map_err(|error| Problem::invalid_body(error.field.as_deref(), error.to_string()))?;
    let key = call.app.identity_key().await?;
    let id = key.identity(&identifier);
    call.audit(Field::Profiles, &id);
    match profile::respond(call, &id, choice, None).await {
        Err(problem) if problem.kind() == Kind::PROFILE_NOT_FOUND => {
            Err(hints::not_found(call, &key, &identifier, &fields).await?)
        }
        result => result,
    }
}
