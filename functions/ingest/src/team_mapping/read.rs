//! Reads teams' mappings from the bucket.

use aws_sdk_s3::operation::get_object::GetObjectError;

use super::name::{PREFIX, key_of, name_of};
use crate::{App, IngestError, mapping::MAX_DOCUMENT_BYTES};

/// The maximum number of names that are listed.
const MAX_NAMES: usize = 1_000;
/// The maximum number of pages of a listing. A page has up to 1,000 keys, of which some may not be mappings.
const MAX_PAGES: usize = 10;

/// A team's mapping, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TeamMapping {
    /// `None` in a bucket without versioning.
    pub(crate) version_id: Option<String>,
    /// The document. One that exceeds [`MAX_DOCUMENT_BYTES`] is cut one byte after it, so that `Mapping::read` rejects it for its size.
    pub(crate) document: Vec<u8>,
}

/// Reads the newest version of a team's mapping. Returns `None` if there is none.
pub(crate) async fn team_mapping(
    app: &App,
    bucket: &str,
    name: &str,
) -> Result<Option<TeamMapping>, IngestError> {
    let request = app.s3.get_object().bucket(bucket).key(key_of(name));
    let mut output = match request.send().await {
        Ok(output) => output,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetObjectError::is_no_such_key) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(IngestError::S3(error.into())),
    };
    let mut document = Vec::new();
    while document.len() <= MAX_DOCUMENT_BYTES
        && let Some(chunk) = output.body.next().await
    {
        document.extend_from_slice(&chunk.map_err(|error| IngestError::S3(error.into()))?);
    }
    document.truncate(MAX_DOCUMENT_BYTES + 1);
    Ok(Some(TeamMapping {
        version_id: output.version_id.filter(|id| id != "null"),
        document,
    }))
}

/// Returns the names of the teams' mappings in alphabetical order, at most 1,000.
pub(crate) async fn team_mapping_names(
    app: &App,
    bucket: &str,
) -> Result<Vec<String>, IngestError> {
    let mut names = Vec::new();
    let mut continued = None;
    for _ in 0..MAX_PAGES {
        let request = app.s3.list_objects_v2().bucket(bucket).prefix(PREFIX);
        let page = request.set_continuation_token(continued).send().await;
        let page = page.map_err(|error| IngestError::S3(error.into()))?;
        let keys = page
            .contents
            .iter()
            .flatten()
            .filter_map(|object| object.key());
        names.extend(keys.filter_map(|key| name_of(key).ok()).map(str::to_owned));
        continued = page.next_continuation_token;
        if continued.is_none() || names.len() >= MAX_NAMES {
            break;
        }
    }
    names.truncate(MAX_NAMES);
    Ok(names)
}
