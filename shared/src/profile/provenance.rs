//! Provenance: the file that a stored item was read from.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Personal, View};
use crate::model::{
    time::Instant,
    value::Map,
    version::{ImportId, Version},
};

/// The plans of imports. They name the files that items were read from.
#[derive(Clone, Debug, Default)]
pub struct Files(BTreeMap<ImportId, Map>);

impl Files {
    /// Creates a collection of plans. Expired ones are missing.
    pub const fn new(plans: BTreeMap<ImportId, Map>) -> Self {
        Self(plans)
    }

    /// Returns where the item with this version was read from.
    pub fn provenance(&self, version: Version) -> Provenance<'_> {
        let plan = self.0.get(&version.import());
        Provenance {
            import: version.import().to_string(),
            file: plan.and_then(|plan| plan.text("key")),
            version_id: plan.and_then(|plan| plan.text("version_id")),
            offset: version.offset(),
            last_modified: Instant::from_seconds(version.last_modified()),
        }
    }
}

/// Where an item was read from.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance<'a> {
    /// The import's id.
    pub import: String,
    /// The object's key; `null` after the import's plan has expired.
    pub file: Option<&'a str>,
    /// The object's version.
    pub version_id: Option<&'a str>,
    /// The offset of the record in the decompressed object, in bytes.
    pub offset: u64,
    /// The time when the object was last modified.
    pub last_modified: Option<Instant>,
}

/// Where a value of an attribute comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The version of the value's item; `None` for a computed figure. The file was not looked up, so responses contain nothing.
    Unread(Option<Version>),
    /// The file; `None` for a computed figure.
    Read(Option<File>),
}

/// The file that a value of an attribute comes from.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// The import's id.
    import: String,
    /// The object's key; `null` after the import's plan has expired. Personal.
    file: Option<Personal<String>>,
    /// The time when the object was last modified.
    last_modified: Option<Instant>,
}

impl Origin {
    /// Returns the version of an item whose file was not looked up.
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Unread(version) => *version,
            Self::Read(_) => None,
        }
    }

    /// Returns whether the file was not looked up.
    pub const fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }

    /// Looks the file up in `files`.
    pub fn read(&mut self, files: &Files, view: &View<'_>) {
        let Self::Unread(version) = *self else {
            return;
        };
        *self = Self::Read(version.map(|version| {
            let found = files.provenance(version);
            File {
                import: found.import,
                file: found.file.map(|key| view.show(key.to_owned())),
                last_modified: found.last_modified,
            }
        }));
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unread(_) => serializer.serialize_none(),
            Self::Read(file) => file.serialize(serializer),
        }
    }
}
