//! `infra/docs/reference/errors.md`: its statuses, file problems and row error codes are those of the code. The fields of a report
//! are in `infra/docs/reference/files.md`. `infra/docs/reference/damaged-files.md` names both.

use std::collections::BTreeSet;

use shared::model::{closure::ExcludedLinks, retention::Retention};

use super::{
    DATED_AHEAD_ADVICE, MappingUsed, Report, Status,
    remaining::remaining_copies,
    tally::{Place, Tally},
};
use crate::{
    counts::Erased,
    record::UnknownField,
    rows::{RowError, RowErrorCode, Warning, WarningCode},
    source::{
        FileError, FileErrorKind,
        notification::{ObjectVersion, Origin},
    },
};

const DAMAGED: &str = include_str!("../../../../infra/docs/reference/damaged-files.md");
const FILES: &str = include_str!("../../../../infra/docs/reference/files.md");
const PAGE: &str = include_str!("../../../../infra/docs/reference/errors.md");

/// Returns the section under a heading of level 2.
fn section(title: &str) -> &'static str {
    let mut sections = PAGE.split("\n## ");
    let section = sections.find_map(|section| section.strip_prefix(title)?.strip_prefix('\n'));
    section.unwrap_or_else(|| panic!("{title}"))
}

/// Returns the names in the first column of a section's table. Each row has a cause, a fix, and whether a retry helps.
fn listed(title: &str, first: &str) -> Vec<&'static str> {
    let header = format!("| {first} | Cause | Fix | Retry |");
    let rows = section(title).lines().skip_while(|line| *line != header);
    rows.skip(2)
        .map_while(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| {
            assert!(rest.split(" | ").all(|cell| cell.len() > 1), "{name}");
            assert_eq!(rest.split(" | ").count(), 3, "{name}");
            name
        })
        .collect()
}

#[test]
fn lists_every_status() {
    let names: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(listed("Import statuses", "Status"), names);
}

#[test]
fn lists_every_problem() {
    let mut names = Vec::new();
    for problem in section("File problems").split("\n### ").skip(1) {
        let (slug, text) = problem.split_once('\n').unwrap();
        for part in ["Status", "Cause", "Fix", "Retry"] {
            assert!(
                text.contains(&format!("\n- **{part}**: ")),
                "{slug}: {part}"
            );
        }
        names.push(format!("/problems/{slug}"));
    }
    let expected: Vec<_> = FileErrorKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn lists_every_row_error_code() {
    let names: Vec<_> = RowErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed("Row error codes", "Code"), names);
}

#[test]
fn lists_every_warning_code() {
    let names: Vec<_> = WarningCode::ALL.iter().map(|code| code.as_str()).collect();
    let header = "| Code | Cause | What you can do |";
    let rows = section("Warning codes").lines();
    let rows = rows.skip_while(|line| *line != header).skip(2);
    let listed: Vec<_> = rows
        .map_while(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(listed, names);
}

/// Returns a tally with one entry in each list.
fn full_tally() -> Tally {
    let mut tally = Tally::default();
    let place = Place {
        line: None,
        offset: 0,
    };
    tally.warn(&Warning::whole(WarningCode::EmptyFile), None);
    tally.reject(
        &RowError::whole(RowErrorCode::InvalidJson, "is wrong."),
        1,
        place,
    );
    tally.unknown(&UnknownField {
        name: "x".into(),
        like: None,
    });
    tally
}

#[test]
fn lists_every_field_of_report() {
    let object = ObjectVersion {
        bucket: "b".into(),
        key: "drop/purchase/a.csv".into(),
        version_id: None,
        etag: "e".into(),
        sequencer: "01".into(),
        dropped_at: None,
        is_empty: false,
        origin: Origin::default(),
    };
    let fields = |report: &Report| {
        let report = serde_json::to_value(report).unwrap();
        let mut names: Vec<_> = report.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let always = Report::new(&object, None, None);
    let problem = FileError::new(FileErrorKind::ObjectGone, "gone");
    let all = Report {
        excluded_links: vec![ExcludedLinks {
            identity: "a".repeat(26).parse().unwrap(),
            source: "crm".into(),
            links: 40,
        }],
        tally: full_tally(),
        mapping: Some(MappingUsed {
            name: "shopify-orders".into(),
            version_id: None,
        }),
        known_sources: Some(Vec::new()),
        advice: Some(DATED_AHEAD_ADVICE),
        erased: Some(Erased::default()),
        still_held: remaining_copies(always.started_at, &Retention::default()),
        ..always.clone()
    }
    .with_problem(Status::Failed, problem);
    let (_, text) = FILES.split_once("\n## The report\n").unwrap();
    let mut listed: Vec<_> = text
        .split("\n#")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name.to_owned(), rest.split(" | ").nth(1) == Some("yes")))
        .collect();
    listed.sort();
    let required = listed.iter().filter(|(_, required)| *required);
    let required: Vec<_> = required.map(|(name, _)| name.clone()).collect();
    assert_eq!(required, fields(&always));
    let names: Vec<_> = listed.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, fields(&all));
    for counter in serde_json::to_value(Erased::default())
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(text.contains(&format!("`{counter}`")), "{counter}");
    }
}

/// Each code in the last column of the page is one of the code or a field of the report, and each warning has its kinds of damage.
#[test]
fn damaged_files_name_known_codes() {
    let problems = FileErrorKind::ALL.iter().map(|kind| kind.as_str());
    let known: BTreeSet<_> = problems
        .filter_map(|kind| kind.strip_prefix("/problems/"))
        .chain(WarningCode::ALL.iter().map(|code| code.as_str()))
        .chain(RowErrorCode::ALL.iter().map(|code| code.as_str()))
        .collect();
    let mut named = BTreeSet::new();
    let rows = DAMAGED.lines().filter(|line| line.starts_with("| "));
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let [.., last] = cells[..] else {
            panic!("{row} has no cells")
        };
        assert_eq!(cells.len(), 4, "{row}");
        let codes = last.split('`').skip(1).step_by(2);
        for code in codes {
            let is_field = FILES.contains(&format!("`{code}`"));
            assert!(known.contains(code) || is_field, "{code} in {row}");
            named.insert(code);
        }
    }
    // A file of which only the beginning is tried is not damaged, nor is one with erasures that a revert skips.
    let other = [WarningCode::PartTried, WarningCode::SkippedErasure];
    let damage = WarningCode::ALL.iter();
    for code in damage.filter(|code| !other.contains(code)) {
        assert!(named.contains(code.as_str()), "{}", code.as_str());
    }
}
