//! The folder of the table and the bucket.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::Error;

/// The data folder of a stack. A temporary folder is deleted when the value is dropped.
#[derive(Debug)]
pub(super) enum DataFolder {
    /// A folder that remains. The lock keeps a second stack out.
    Kept { path: PathBuf, _lock: File },
    /// A folder for the lifetime of the stack.
    Temporary(TempDir),
}

impl DataFolder {
    /// Creates and locks the folder `kept`, or else creates a temporary folder.
    pub(super) fn open(kept: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = kept else {
            let temporary = tempfile::Builder::new()
                .prefix("customer-profiles-")
                .tempdir();
            return temporary.map(Self::Temporary).map_err(|source| Error::Io {
                what: "a temporary folder".to_owned(),
                source,
            });
        };
        let failed = |source| Error::Io {
            what: path.display().to_string(),
            source,
        };
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        lock.try_lock()
            .map_err(|_| failed(io::Error::other("another local stack uses this folder. Stop it, or select another folder with --data-dir")))?;
        Ok(Self::Kept {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept { path, .. } => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    /// Returns the file of the audit log.
    pub(super) fn audit_file(&self) -> PathBuf {
        self.path().join("audit.ndjson")
    }

    /// Returns the file of the table; `None` keeps the table in memory.
    pub(super) fn table_file(&self) -> Option<PathBuf> {
        match self {
            Self::Kept { path, .. } => Some(path.join("dynamodb.sqlite")),
            Self::Temporary(_) => None,
        }
    }
}
