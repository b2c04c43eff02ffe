//! Validates a mapping that was put into the bucket.

use super::{
    name::name_of,
    read::{TeamMapping, team_mapping},
    report::MappingReport,
};
use crate::{App, IngestError, import::drop_key::is_ignored, source::notification::ObjectVersion};

/// The maximum number of versions that an invocation checks while newer ones replace them.
const MAX_VERSIONS: usize = 5;

/// Validates the mapping that a notification names, and puts the report. Reads nothing of an object whose key is not that of a
/// mapping.
pub(crate) async fn check(app: &App, object: &ObjectVersion) -> Result<(), IngestError> {
    if is_ignored(object) {
        tracing::info!(import = %object.import(), "object ignored: its name, or that of a folder, marks it as hidden");
        return Ok(());
    }
    match name_of(&object.key) {
        Ok(name) => check_newest(app, object, name).await,
        Err(fault) => {
            let report = MappingReport::misnamed(object, fault);
            report.put(&app.s3, object).await
        }
    }
}

/// Validates the newest version of a mapping, and puts the report.
///
/// Notifications may arrive in any order, and several invocations may check the same mapping concurrently. Each reads the mapping
/// again after it has put its report. So the report that is put last is that of the newest version.
async fn check_newest(app: &App, object: &ObjectVersion, name: &str) -> Result<(), IngestError> {
    let mut reported: Option<TeamMapping> = None;
    for _ in 0..MAX_VERSIONS {
        let Some(newest) = team_mapping(app, &object.bucket, name).await? else {
            tracing::info!(mapping = name, "mapping ignored: it was deleted");
            return Ok(());
        };
        if reported.as_ref() == Some(&newest) {
            return Ok(());
        }
        let report = MappingReport::new(name, &newest);
        report.put(&app.s3, object).await?;
        reported = Some(newest);
    }
    Err(IngestError::S3(
        "another version replaced the mapping during each check".into(),
    ))
}
