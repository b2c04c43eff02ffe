//! Chooses how the rows of a dropped file become records, by its folder and, in `drop/auto/`, by its content.

use crate::{
    App, IngestError,
    import::{
        drop_key::{DropKey, Folder, unknown_folder},
        inspect::{Contents, Expected},
        mappings::{self, Candidates, PlannedMapping},
        plan::Recognized,
    },
    mapping::Mapping,
    record::RecordType,
    source::{FileError, notification::ObjectVersion},
};

/// What the folder of a file says about its rows.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// The rows are records of one type; `None` if each specifies its own.
    Records(Option<RecordType>),
    /// A mapping makes the records.
    Mapping(PlannedMapping, Box<Mapping>),
    /// The content decides.
    Auto(Candidates),
}

/// Reads the mapping of the file's folder, or all mappings for a file in `drop/auto/`. The inner error is that of the file.
pub(crate) async fn choose(
    app: &App,
    object: &ObjectVersion,
    drop: &DropKey,
) -> Result<Result<Chosen, FileError>, IngestError> {
    Ok(Ok(match drop.folder {
        Folder::RecordType(record_type) => Chosen::Records(Some(record_type)),
        Folder::Mixed => Chosen::Records(None),
        Folder::Auto => Chosen::Auto(Candidates::load(app, &object.bucket).await?),
        Folder::Mapping => {
            let planned = match mappings::find(app, &object.bucket, &drop.name).await? {
                Ok(Some(planned)) => planned,
                Ok(None) => return Ok(Err(unknown_folder(&drop.name))),
                Err(error) => return Ok(Err(error)),
            };
            match planned.read() {
                Ok(mapping) => Chosen::Mapping(planned, Box::new(mapping)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }))
}

impl Chosen {
    /// Returns what the file should contain.
    pub(crate) fn expected(&self) -> Expected<'_> {
        match self {
            Self::Records(record_type) => Expected::Records(*record_type),
            Self::Mapping(_, mapping) => Expected::Mapping(mapping),
            Self::Auto(candidates) => Expected::Recognizable(candidates),
        }
    }

    /// Returns the mapping of a file with these contents, with its source, or what was recognized instead.
    pub(crate) fn of(
        self,
        contents: Contents,
    ) -> (Option<(PlannedMapping, Option<String>)>, Option<Recognized>) {
        match (self, contents) {
            (_, Contents::Rejects) => (None, Some(Recognized::Rejects)),
            (_, Contents::Records(name)) => (None, Some(Recognized::Type(name.to_owned()))),
            (Self::Mapping(planned, mapping), _) => (Some((planned, mapping.source)), None),
            (Self::Auto(candidates), Contents::Mapping(name)) => {
                let planned = candidates.get(&name);
                let with_source = |planned: PlannedMapping| {
                    let source = planned.read().ok().and_then(|mapping| mapping.source);
                    (planned, source)
                };
                (planned.map(with_source), None)
            }
            (Self::Records(_) | Self::Auto(_), _) => (None, None),
        }
    }
}
