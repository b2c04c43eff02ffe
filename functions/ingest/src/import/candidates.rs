//! Finds the imports to replay after a revert: those that may have stored an item, if the reverted import had not been
//! newer.

use std::collections::BTreeSet;

use shared::model::{
    import::{Entry, EntryKind, FIRST_MONTH},
    keys,
    time::Instant,
    value::{Map, Value},
    version::ImportId,
};

use crate::{
    App, IngestError,
    counts::Removed,
    import::{
        drop_key::{DropKey, Folder},
        plan::{Plan, Recognized},
    },
    record::RecordType,
};

/// The maximum number of imports that are replayed. The oldest are left out.
const MAX_REPLAYS: usize = 1_000;
const DAY_SECONDS: i64 = 24 * 60 * 60;
/// The days before the month of an import in which its file may have been dropped (31), and the days for which plans outlive files (31).
const SLACK_DAYS: u64 = 31 + 31;

/// The imports to replay.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// The imports with their stored plans, newest first; at most [`MAX_REPLAYS`].
    pub(crate) imports: Vec<(ImportId, Map)>,
    /// The number of imports that are left out: the oldest beyond the limit, and those that another release planned.
    left_out: usize,
}

impl Candidates {
    /// Returns what an outcome contains: the number of imports, and the ids of the newest `listed`.
    pub(crate) fn to_map(&self, listed: usize) -> Map {
        let ids = self.imports.iter().take(listed);
        let ids = ids.map(|(import, _)| Value::Text(import.to_string()));
        let mut map = Map::new();
        map.insert("count", self.imports.len() as u64);
        map.insert("items", Value::List(ids.collect()));
        if self.left_out > 0 {
            map.insert("left_out", self.left_out as u64);
        }
        map
    }
}

/// The records that an import may write. Imports with overlapping scopes may write the same items.
struct Scope<'a> {
    source: &'a str,
    /// The type of all records; `None` if they may have any.
    record_type: Option<RecordType>,
    /// Whether there are products, which have no source.
    has_products: bool,
}

impl<'a> Scope<'a> {
    fn new(plan: &'a Plan, drop: &'a DropKey) -> Self {
        let record_type = match (&plan.recognized, drop.folder) {
            (Some(Recognized::Type(name)), _) => name.parse().ok(),
            (None, Folder::RecordType(record_type)) => Some(record_type),
            _ => None,
        };
        Self {
            source: plan.source(drop),
            record_type,
            has_products: matches!(record_type, None | Some(RecordType::Product)),
        }
    }

    /// Returns whether imports may write the same items.
    fn overlaps(&self, other: &Scope<'_>) -> bool {
        let is_same_type = match (self.record_type, other.record_type) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        let is_same_source = self.source == other.source;
        is_same_type && (is_same_source || self.has_products && other.has_products)
    }
}

/// Finds the imports to replay after a revert. They are older, have a plan and are not reverted. They have the same source and, if both
/// imports have only one, the same record type. Products have no source: if the revert `removed` any, every older import that may have
/// products is included.
pub(crate) async fn find(
    app: &App,
    plan: &Plan,
    removed: &Removed,
) -> Result<Candidates, IngestError> {
    let Ok(drop) = DropKey::parse(&plan.object.key) else {
        return Ok(Candidates::default());
    };
    let scope = Scope {
        has_products: removed.products > 0,
        ..Scope::new(plan, &drop)
    };
    let mut listed = BTreeSet::new();
    for month in months(Instant::now(), app.retention.raw_files) {
        for entry in app.table.entries_of_month(&month).await? {
            if let Some(import) = entry.import().filter(|_| may_overlap(&scope, &entry)) {
                listed.insert(import);
            }
        }
    }
    listed.remove(&plan.import());
    let listed: Vec<_> = listed.into_iter().collect();
    let (mut found, mut left_out) = (Vec::new(), 0);
    for (import, stored) in app.table.plans(&listed).await? {
        let other = match Plan::from_map(&stored) {
            Ok(other) => other,
            Err(IngestError::OtherForm) => {
                left_out += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let is_older = other.version() < plan.version();
        if is_older && other.reverted.is_none() && overlaps(&other, &scope) {
            found.push((other.version(), import, stored));
        }
    }
    found.sort_by_key(|(version, ..)| std::cmp::Reverse(*version));
    left_out += found.len().saturating_sub(MAX_REPLAYS);
    let imports = found.into_iter().take(MAX_REPLAYS);
    Ok(Candidates {
        imports: imports
            .map(|(_, import, stored)| (import, stored))
            .collect(),
        left_out,
    })
}

/// Returns whether an import may be one to replay, as far as its entry in the list shows.
fn may_overlap(scope: &Scope<'_>, entry: &Entry) -> bool {
    let is_other_source = entry
        .source
        .as_ref()
        .is_some_and(|source| source != scope.source);
    entry.kind == EntryKind::Import && (scope.has_products || !is_other_source)
}

/// Returns whether the import of a plan may write items of a scope.
fn overlaps(plan: &Plan, scope: &Scope<'_>) -> bool {
    let drop = DropKey::parse(&plan.object.key);
    drop.is_ok_and(|drop| scope.overlaps(&Scope::new(plan, &drop)))
}

/// Returns the months in which files may have been dropped whose plans are kept, newest first.
fn months(now: Instant, raw_file_days: Option<u64>) -> Vec<String> {
    let now = now.seconds();
    let oldest = raw_file_days.map(|days| {
        let days = i64::try_from(days.saturating_add(SLACK_DAYS)).unwrap_or(i64::MAX);
        now.saturating_sub(days.saturating_mul(DAY_SECONDS))
    });
    let first = oldest
        .and_then(Instant::from_seconds)
        .map(keys::month)
        .unwrap_or_default()
        .max(FIRST_MONTH.to_owned());
    let mut months = Vec::new();
    let mut at = now;
    while let Some(month) = Instant::from_seconds(at).map(keys::month) {
        if month < first {
            break;
        }
        if months.last() != Some(&month) {
            months.push(month);
        }
        // The shortest month has 28 days.
        at -= 28 * DAY_SECONDS;
    }
    months
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::model::value::to_map;

    use super::*;

    #[test]
    fn reads_the_months_of_the_list() {
        let now = Instant::parse("2027-03-31T12:00:00Z").unwrap();
        let all = [
            "2027-03", "2027-02", "2027-01", "2026-12", "2026-11", "2026-10",
        ];
        assert_eq!(months(now, None), all);
        assert_eq!(months(now, Some(u64::MAX)), all);
        // 89 days before March 31 is January 1.
        assert_eq!(months(now, Some(27)), all[..3]);
        assert_eq!(months(now, Some(28)), all[..4]);
    }

    fn scope<'a>(source: &'a str, record_type: &str) -> Scope<'a> {
        let record_type = record_type.parse().ok();
        Scope {
            source,
            record_type,
            has_products: matches!(record_type, None | Some(RecordType::Product)),
        }
    }

    #[test]
    fn imports_of_one_source_and_type_overlap() {
        let purchases = scope("pos", "purchase");
        for (other, is_overlapping) in [
            (scope("pos", "purchase"), true),
            (scope("pos", "auto"), true),
            (scope("pos", "return"), false),
            (scope("crm", "purchase"), false),
            (scope("crm", "auto"), false),
        ] {
            assert_eq!(purchases.overlaps(&other), is_overlapping);
            assert_eq!(other.overlaps(&purchases), is_overlapping);
        }
    }

    #[test]
    fn products_have_no_source() {
        let products = scope("pos", "product");
        for (other, is_overlapping) in [
            (scope("crm", "product"), true),
            (scope("crm", "auto"), true),
            (scope("crm", "purchase"), false),
            (scope("pos", "purchase"), false),
        ] {
            assert_eq!(products.overlaps(&other), is_overlapping);
            assert_eq!(other.overlaps(&products), is_overlapping);
        }
    }

    #[test]
    fn entries_show_which_imports_cannot_overlap() {
        let entry = |kind: &str, source: Option<&str>| {
            let fields = json!({"kind": kind, "key": "k", "file_name": "f", "type": "auto", "source": source});
            serde_json::from_value::<Entry>(fields).unwrap()
        };
        let (purchases, products) = (scope("pos", "purchase"), scope("pos", "product"));
        for (entry, of_purchases, of_products) in [
            (entry("import", Some("pos")), true, true),
            (entry("import", None), true, true),
            (entry("import", Some("crm")), false, true),
            (entry("replay", Some("pos")), false, false),
        ] {
            assert_eq!(may_overlap(&purchases, &entry), of_purchases);
            assert_eq!(may_overlap(&products, &entry), of_products);
        }
    }

    #[test]
    fn outcomes_list_the_newest() {
        let imports = [1, 2, 3].map(|id| (ImportId([id; 8]), Map::new())).to_vec();
        let mut candidates = Candidates {
            imports,
            left_out: 0,
        };
        let mut expected = json!({"count": 3, "items": ["0101010101010101", "0202020202020202"]});
        assert_eq!(candidates.to_map(2), to_map(&expected).unwrap());
        candidates.left_out = 4;
        expected["left_out"] = 4.into();
        assert_eq!(candidates.to_map(2), to_map(&expected).unwrap());
    }
}
