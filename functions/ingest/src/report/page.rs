//! `infra/docs/reference/errors.md`: its statuses, file problems and row error codes are those of the code.

use super::Status;
use crate::{rows::RowErrorCode, source::FileErrorKind};

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
