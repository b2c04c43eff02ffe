#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may panic"))]

pub use app::App;
pub use deadline::Deadline;
pub use error::IngestError;
use shared::runtime::logs::chain;

use source::notification::ObjectVersion;

mod app;
mod audit;
mod counts;
mod deadline;
mod erasure;
mod error;
#[cfg(fuzzing)]
pub mod fuzz;
mod import;
mod mapping;
mod names;
mod record;
mod report;
mod rows;
#[cfg(test)]
mod simulation;
mod source;
mod store;
mod team_mapping;
mod text;
mod trial;

/// What to do with an object, by the prefix of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Import,
    Try,
    CheckMapping,
}

impl Task {
    fn of(object: &ObjectVersion) -> Self {
        if object.key.starts_with(team_mapping::name::PREFIX) {
            Self::CheckMapping
        } else if object.key.starts_with(trial::PREFIX) {
            Self::Try
        } else {
            Self::Import
        }
    }

    async fn run(
        self,
        app: &App,
        object: &ObjectVersion,
        deadline: Deadline,
    ) -> Result<(), IngestError> {
        match self {
            Self::Import => import::run::run(app, object, deadline).await,
            Self::Try => trial::run(app, object, deadline).await,
            Self::CheckMapping => team_mapping::check::check(app, object).await,
        }
    }
}

/// Imports, tries or checks the objects that an event names, until the deadline. Logs the error of the event, or of each object that failed.
///
/// # Errors
/// A temporary failure occurred, so the event has to be sent again. A bad file is not an error; its report contains the problem.
pub async fn handle(
    app: &App,
    event: serde_json::Value,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let objects = objects_of(app, event).await.inspect_err(|error| {
        tracing::error!(
            error_type = error.kind(),
            error = chain(error),
            "event failed"
        );
    })?;
    // Concurrently: a slow or failing object does not delay the others.
    let runs = objects
        .iter()
        .map(|object| Task::of(object).run(app, object, deadline));
    let outcomes = futures::future::join_all(runs).await;
    let mut failures = Vec::new();
    for (object, outcome) in objects.iter().zip(outcomes) {
        if let Err(error) = outcome {
            tracing::error!(
                import = %import::run::import_of(object),
                error_type = error.kind(),
                error = chain(&error),
                "object failed"
            );
            failures.push(error);
        }
    }
    let failed = failures.len();
    match failures.into_iter().next() {
        None => Ok(()),
        Some(error) if objects.len() == 1 => Err(error),
        Some(first) => Err(IngestError::Objects {
            failed,
            objects: objects.len(),
            first: Box::new(first),
        }),
    }
}

/// Returns the objects of the stack's bucket that an event names. For imports, the table must belong to this configuration.
async fn objects_of(
    app: &App,
    event: serde_json::Value,
) -> Result<Vec<ObjectVersion>, IngestError> {
    let mut objects =
        source::notification::objects(event).map_err(|error| IngestError::Event(error.into()))?;
    objects.retain(|object| {
        let is_own = object.bucket == app.bucket;
        if !is_own {
            tracing::warn!(import = %object.import(), "object ignored: it is in a bucket of another stack");
        }
        is_own
    });
    if objects
        .iter()
        .any(|object| Task::of(object) == Task::Import)
    {
        app.check_facts().await?;
    }
    Ok(objects)
}
