//! Tests that the tables of statuses, problems and codes in `infra/docs/reference/files.md` list those of the code.

use super::Status;
use crate::{rows::RowErrorCode, source::FileErrorKind};

const PAGE: &str = include_str!("../../../../infra/docs/reference/files.md");

/// Returns the names in the first column of the table with this header.
fn listed(header: &str) -> Vec<&'static str> {
    let is_header = |line: &&str| {
        let first = line.trim_start_matches("| ").split(" |").next();
        line.starts_with('|') && first == Some(header)
    };
    let mut lines = PAGE.lines().skip_while(|line| !is_header(line));
    assert!(lines.next().is_some(), "{header}");
    lines
        .skip(1)
        .map_while(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|names| names.split(", ").map(|name| name.trim_matches('`')))
        .collect()
}

#[test]
fn lists_every_status() {
    let names: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    assert_eq!(listed("status"), names);
}

#[test]
fn lists_every_problem() {
    let names: Vec<_> = FileErrorKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(listed("`problem.type`"), names);
}

#[test]
fn lists_every_row_error_code() {
    let names: Vec<_> = RowErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed("code"), names);
}
