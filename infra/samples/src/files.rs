//! The sample data files in the repository.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Returns the folder of the sample files. Its subfolders are record type and source, or the mapping of an export.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("drop")
}

/// Returns the folder of the product images.
pub fn image_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("images")
}

/// Returns the key that each sample file is dropped under, and its path, sorted by key.
///
/// # Errors
/// The folder cannot be read.
pub fn files() -> io::Result<Vec<(String, PathBuf)>> {
    below(&folder())
}

fn below(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let (mut found, mut left) = (Vec::new(), vec![(String::from("drop"), folder.to_owned())]);
    while let Some((key, folder)) = left.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let key = format!("{key}/{name}");
            if entry.file_type()?.is_dir() {
                left.push((key, entry.path()));
            } else {
                found.push((key, entry.path()));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_paths_below_drop() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("purchase/pos")).unwrap();
        for name in [
            "purchase/pos/b.csv",
            "purchase/pos/a.ndjson.gz",
            ".DS_Store",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let keys: Vec<_> = below(folder.path())
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(
            keys,
            ["drop/purchase/pos/a.ndjson.gz", "drop/purchase/pos/b.csv"]
        );
    }
}
