//! Parses the keys of dropped and tried files: `drop/{folder}/[{source}/][{upload}/]{path}`, or the same under `try/`.

use uuid::Uuid;

use crate::model::{
    folder::{is_hidden, is_source},
    import::EntryId,
};

/// The parsed key of a file under `drop/` or `try/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropPath<'a> {
    /// The key without `drop/` or `try/`.
    path: &'a str,
    /// The folder under `drop/` or `try/`. Empty if the file is in no folder.
    pub folder: &'a str,
    /// The source in whose folder the file is. It may be a reserved one.
    pub source: Option<&'a str>,
    /// The upload through the API that put the file.
    pub upload: Option<Uuid>,
    /// The last name in the key.
    pub file_name: &'a str,
}

impl<'a> DropPath<'a> {
    /// Parses a key. A folder that is neither a valid source nor an upload, such as a year, has no meaning.
    pub fn parse(key: &'a str) -> Self {
        let below = |prefix| key.strip_prefix(prefix);
        let path = below("drop/").or_else(|| below("try/"));
        let (folder, rest) = path
            .and_then(|path| path.split_once('/'))
            .unwrap_or_default();
        let path = path.unwrap_or(key);
        let mut folders = rest.split('/');
        // The last name is not a folder.
        folders.next_back();
        let mut folders = folders.peekable();
        let source = folders.next_if(|folder| is_source(folder));
        let names = path.trim_end_matches('/').rsplit('/');
        Self {
            path,
            folder,
            source,
            upload: folders.next().and_then(EntryId::upload),
            file_name: names.into_iter().next().unwrap_or(path),
        }
    }

    /// Returns whether the file, or one of its folders, is hidden.
    pub fn is_hidden(&self) -> bool {
        self.path.split('/').any(is_hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLOAD: &str = "0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d";

    #[test]
    fn keys_have_folder_source_upload_and_name() {
        let all = format!("drop/purchase/pos/{UPLOAD}/a.csv");
        let no_source = format!("try/auto/{UPLOAD}/a.csv");
        let year = format!("drop/purchase/2026/{UPLOAD}/a.csv");
        let name = format!("drop/purchase/{UPLOAD}");
        for (key, folder, source, has_upload, file_name) in [
            (all.as_str(), "purchase", Some("pos"), true, "a.csv"),
            (&no_source, "auto", None, true, "a.csv"),
            (&year, "purchase", None, false, "a.csv"),
            (&name, "purchase", None, false, UPLOAD),
            (
                "drop/purchase/agents/a",
                "purchase",
                Some("agents"),
                false,
                "a",
            ),
            ("drop/purchase/pos", "purchase", None, false, "pos"),
            (
                "drop/purchase/pos/2026/",
                "purchase",
                Some("pos"),
                false,
                "2026",
            ),
            ("drop/purchase/", "purchase", None, false, "purchase"),
            ("drop//a.csv", "", None, false, "a.csv"),
            ("drop/a.csv", "", None, false, "a.csv"),
            ("drop/", "", None, false, ""),
            ("other/pos/a.csv", "", None, false, "a.csv"),
            ("", "", None, false, ""),
        ] {
            let path = DropPath::parse(key);
            let found = (path.folder, path.source, path.file_name);
            assert_eq!(found, (folder, source, file_name), "{key}");
            let upload = path.upload.map(|id| id.to_string());
            assert_eq!(upload.as_deref(), has_upload.then_some(UPLOAD), "{key}");
        }
    }

    #[test]
    fn hidden_folders_hide_files() {
        for (key, is_hidden) in [
            ("drop/purchase/_tmp/a.csv", true),
            ("drop/_SUCCESS", true),
            ("drop/purchase/_date=2026/a.csv", false),
            ("drop/purchase/a_b.csv", false),
        ] {
            assert_eq!(DropPath::parse(key).is_hidden(), is_hidden, "{key}");
        }
    }
}
