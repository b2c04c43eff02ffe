//! Builds the document of an import from what is stored: its entry in the list, its plan, its progress and its outcome.

use shared::{
    model::{
        drop_path::DropPath,
        import::{Entry, EntryKey, EntryKind},
        time::Instant,
        value::{Map, Value},
    },
    table::ImportItems,
};

use crate::status::{self, Progress};

/// The time and the retries, from which states are derived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateContext {
    pub(crate) at: Instant,
    /// How often Lambda retries a failed event.
    pub(crate) retries: u64,
}

/// Counts that are left out if they are 0.
const OPTIONAL_COUNTS: [&str; 4] = ["unread", "rejects_omitted", "replaced", "truncated"];

/// Builds the document of an entry, without what its import adds.
pub(crate) fn of_entry(key: &EntryKey, entry: &Entry, now: StateContext) -> Map {
    let mut document = Map::new();
    document.insert("id", key.id.to_string());
    let kind = match entry.kind {
        EntryKind::Import => "import",
        EntryKind::Try => "try",
        EntryKind::Revert => "revert",
        EntryKind::Replay => "replay",
    };
    document.insert("kind", kind);
    let state = status::of_upload(entry, key.at, now.at);
    document.insert("state", state.as_str());
    document.insert("key", entry.key.as_str());
    document.insert("file_name", entry.file_name.as_str());
    document.insert("type", entry.folder.as_str());
    document.insert("created_at", key.at.to_string());
    for (name, value) in [
        ("of", &entry.of),
        ("source", &entry.source),
        ("created_by", &entry.created_by),
    ] {
        if let Some(value) = value {
            document.insert(name, value.as_str());
        }
    }
    if entry.preview {
        document.insert("preview", true);
    }
    if let Some(size) = entry.size {
        document.insert("size", size);
    }
    document
}

/// Builds the document of an import without an entry, from its plan or its outcome. Returns `None` if it has neither.
pub(crate) fn of_items(id: &str, items: &ImportItems) -> Option<Map> {
    let planned = items.plan.as_ref();
    let key = planned
        .and_then(|plan| plan.text("key"))
        .or_else(|| items.outcome.as_ref()?.text("key"))?;
    let path = DropPath::parse(key);
    let created_at = planned
        .and_then(created_at)
        .or_else(|| items.outcome.as_ref()?.text("created_at"));
    let mut document = Map::new();
    document.insert("id", id);
    document.insert("kind", "import");
    if let Some(plan) = planned {
        add_operation(&mut document, plan);
    }
    document.insert("key", key);
    document.insert("file_name", path.file_name);
    document.insert("type", path.folder);
    document.insert("created_at", created_at.unwrap_or_default());
    Some(document)
}

/// Returns when a file was dropped or an operation was requested. The plan of an operation also contains the time of the file.
fn created_at(plan: &Map) -> Option<&str> {
    let dropped_at = plan.text("dropped_at");
    let dropped_at = dropped_at.filter(|_| plan.get("operation").is_none());
    dropped_at.or_else(|| plan.text("started_at"))
}

/// Adds the kind, the import and the author of an operation.
fn add_operation(document: &mut Map, plan: &Map) {
    let Some(operation) = plan.map("operation") else {
        return;
    };
    let kind = operation.text("kind").unwrap_or_default();
    if kind == "preview" {
        document.insert("kind", "revert");
        document.insert("preview", true);
    } else {
        document.insert("kind", kind);
    }
    document.insert("of", operation.text("of").unwrap_or_default());
    if let Some(created_by) = plan.text("created_by") {
        document.insert("created_by", created_by);
    }
}

/// Adds what is stored of an import that has begun.
pub(crate) fn add_items(document: &mut Map, items: &ImportItems, now: StateContext) {
    let state = status::of_import(items, now.retries, now.at);
    document.insert("state", state.as_str());
    if let Some(plan) = &items.plan {
        for name in ["size", "reverted", "source"] {
            if let Some(value) = plan.get(name) {
                document.insert(name, value.clone());
            }
        }
        let mapping = plan.map("mapping");
        let names = ["name", "version_id"];
        let mapping = mapping.map(|mapping| names_of(mapping, &names));
        if let Some(mapping) = mapping {
            document.insert("mapping", mapping);
        }
    }
    if let Some(outcome) = &items.outcome {
        add_outcome(document, outcome);
    }
    add_progress(document, Progress::of(items));
}

/// Adds the outcome of an import that has ended.
pub(crate) fn add_outcome(document: &mut Map, outcome: &Map) {
    for (name, value) in outcome.iter() {
        let is_zero = *value == Value::Number("0".to_owned());
        let is_left_out = ["key", "bytes", "created_at", "started_at"].contains(&name)
            || (OPTIONAL_COUNTS.contains(&name) && is_zero);
        if !is_left_out {
            document.insert(name, value.clone());
        }
    }
}

/// Adds the progress of an import, if it is known.
pub(crate) fn add_progress(document: &mut Map, progress: Option<Progress>) {
    let Some(progress) = progress else {
        return;
    };
    let mut map = Map::new();
    map.insert("bytes", progress.bytes);
    map.insert("total_bytes", progress.total_bytes);
    map.insert("rows", progress.rows);
    document.insert("progress", map);
}

/// Returns some of the fields of a map.
fn names_of(map: &Map, names: &[&str]) -> Map {
    let fields = map.iter().filter(|(name, _)| names.contains(name));
    fields
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use shared::{model::value::to_map, table::Attempts};

    use super::*;

    const ID: &str = "0a0febf994a72178";

    fn map(json: &Json) -> Map {
        to_map(json).unwrap()
    }

    fn context(seconds: i64) -> StateContext {
        StateContext {
            at: Instant::from_seconds(seconds).unwrap(),
            retries: 2,
        }
    }

    #[test]
    fn entries_show_what_is_known() {
        let key = EntryKey::parse(&format!("2026-11-28T12:00:00.000000Z#{ID}")).unwrap();
        let stored = |kind: &str| {
            let fields = json!({"kind": kind, "key": "drop/auto/a.csv", "file_name": "a.csv", "type": "auto"});
            serde_json::from_value::<Entry>(fields).unwrap()
        };
        let now = StateContext {
            at: key.at,
            retries: 2,
        };
        for kind in ["import", "try", "revert", "replay"] {
            let expected = json!({
                "id": ID, "kind": kind, "state": "awaiting_upload", "key": "drop/auto/a.csv", "file_name": "a.csv",
                "type": "auto", "created_at": "2026-11-28T12:00:00Z",
            });
            assert_eq!(of_entry(&key, &stored(kind), now), map(&expected));
        }
        let entry = Entry {
            of: Some("o".to_owned()),
            source: Some("pos".to_owned()),
            created_by: Some("jane".to_owned()),
            preview: true,
            size: Some(7),
            ..stored("revert")
        };
        let document = of_entry(&key, &entry, now);
        for (name, value) in [("of", "o"), ("source", "pos"), ("created_by", "jane")] {
            assert_eq!(document.text(name), Some(value));
        }
        assert_eq!(document.flag("preview"), Some(true));
        assert_eq!(document.get("size"), Some(&7_u64.into()));
    }

    #[test]
    fn imports_without_an_entry_have_a_plan_or_an_outcome() {
        assert_eq!(of_items(ID, &ImportItems::default()), None);
        let plan = json!({"key": "drop/purchase/pos/a.csv", "dropped_at": "d", "started_at": "s"});
        let mut items = ImportItems {
            plan: Some(map(&plan)),
            ..ImportItems::default()
        };
        let mut expected = json!({
            "id": ID, "kind": "import", "key": "drop/purchase/pos/a.csv", "file_name": "a.csv", "type": "purchase",
            "created_at": "d",
        });
        assert_eq!(of_items(ID, &items), Some(map(&expected)));
        items.plan = None;
        items.outcome = Some(map(
            &json!({"key": "drop/purchase/pos/a.csv", "created_at": "c"}),
        ));
        expected["created_at"] = "c".into();
        assert_eq!(of_items(ID, &items), Some(map(&expected)));
    }

    #[test]
    fn operations_name_their_import() {
        for (stored, kind, preview) in [
            ("revert", "revert", None),
            ("preview", "revert", Some(true)),
            ("replay", "replay", None),
        ] {
            let plan = json!({
                "key": "drop/auto/a.csv", "dropped_at": "d", "started_at": "s", "created_by": "jane",
                "operation": {"kind": stored, "of": "o"},
            });
            let items = ImportItems {
                plan: Some(map(&plan)),
                ..ImportItems::default()
            };
            let document = of_items(ID, &items).unwrap();
            assert_eq!(document.text("kind"), Some(kind));
            assert_eq!(document.flag("preview"), preview);
            assert_eq!(document.text("of"), Some("o"));
            assert_eq!(document.text("created_by"), Some("jane"));
            // The plan contains the time of the file, too.
            assert_eq!(document.text("created_at"), Some("s"));
        }
    }

    #[test]
    fn running_imports_show_plan_and_progress() {
        let plan = json!({
            "key": "drop/shop/a.csv", "size": 10, "source": "pos", "starts": [0], "reverted": {"by": "jane"},
            "mapping": {"name": "shop", "version_id": "v", "etag": "e"},
        });
        let items = ImportItems {
            plan: Some(map(&plan)),
            ranges: vec![(0, map(&json!({"consumed": 4, "mapped_rows": 2})))],
            attempts: vec![(0, Attempts { count: 1, at: 0 })],
            ..ImportItems::default()
        };
        let mut document = Map::new();
        add_items(&mut document, &items, context(0));
        let expected = json!({
            "state": "running", "size": 10, "source": "pos", "reverted": {"by": "jane"},
            "mapping": {"name": "shop", "version_id": "v"}, "progress": {"bytes": 4, "total_bytes": 10, "rows": 2},
        });
        assert_eq!(document, map(&expected));
    }

    #[test]
    fn outcomes_leave_out_counts_of_zero() {
        let outcome = json!({
            "state": "completed", "key": "k", "bytes": 9, "size": 10, "created_at": "c", "started_at": "s",
            "unread": 0, "truncated": 3, "stale": 0, "rows": {"read": 5},
        });
        let items = ImportItems {
            outcome: Some(map(&outcome)),
            ..ImportItems::default()
        };
        let mut document = Map::new();
        add_items(&mut document, &items, context(0));
        let expected = json!({
            "state": "completed", "size": 10, "truncated": 3, "stale": 0, "rows": {"read": 5},
            "progress": {"bytes": 9, "total_bytes": 10, "rows": 5},
        });
        assert_eq!(document, map(&expected));
        let mut unknown = Map::new();
        add_progress(&mut unknown, None);
        assert_eq!(unknown, Map::new());
    }
}
