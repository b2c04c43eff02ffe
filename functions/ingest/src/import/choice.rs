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
    team_mapping::read::team_mapping_names,
};

/// What the folder of a file specifies about its rows.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// The rows are records of one type; `None` if each specifies its own.
    Records(Option<RecordType>),
    /// A mapping makes the records.
    Mapping(PlannedMapping, Box<Mapping>),
    /// The content decides.
    Auto(Candidates),
}

/// How the rows of a file are read, in addition to what its key says.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// The source of the records, unless the key contains one.
    pub(crate) source: Option<String>,
    /// The mapping of the rows.
    pub(crate) mapping: Option<PlannedMapping>,
    /// What a file in `drop/auto/` contains, if no mapping was recognized. Also that a file in the folder of a mapping contains rejects.
    pub(crate) recognized: Option<Recognized>,
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
        Folder::Mapping => match mappings::find(app, &object.bucket, &drop.name).await? {
            Ok(Some((planned, mapping))) => Chosen::Mapping(planned, Box::new(mapping)),
            Ok(None) => {
                let own = team_mapping_names(app, &object.bucket).await?;
                return Ok(Err(unknown_folder(&drop.name, &own)));
            }
            Err(error) => return Ok(Err(error)),
        },
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

    /// Returns how a file with these contents is read.
    pub(crate) fn of(self, contents: Contents) -> Decided {
        let recognized = |recognized, source| Decided {
            source,
            recognized: Some(recognized),
            ..Decided::default()
        };
        match (self, contents) {
            (Self::Mapping(planned, mapping), Contents::Rejects(_)) => Decided {
                source: mapping.source,
                mapping: Some(planned),
                recognized: Some(Recognized::Rejects),
            },
            (_, Contents::Rejects(source)) => recognized(Recognized::Rejects, source),
            (_, Contents::Records(name)) => recognized(Recognized::Type(name.to_owned()), None),
            (Self::Mapping(planned, mapping), Contents::List(name)) => Decided {
                source: mapping.source,
                mapping: Some(planned.with_rows(&name)),
                ..Decided::default()
            },
            (Self::Mapping(planned, mapping), _) => Decided {
                source: mapping.source,
                mapping: Some(planned),
                ..Decided::default()
            },
            (Self::Auto(candidates), Contents::Mapping(name)) => {
                let (planned, mapping) = candidates.take(&name).unzip();
                Decided {
                    source: mapping.and_then(|mapping| mapping.source),
                    mapping: planned,
                    ..Decided::default()
                }
            }
            (Self::Records(_) | Self::Auto(_), _) => Decided::default(),
        }
    }
}
