//! `infra/docs/reference/limits.md`: each limit is the value of the constants or parameters that set it.

use std::path::Path;

const PAGE: &str = include_str!("../../infra/docs/reference/limits.md");
/// Years as microseconds, the bounds of a range, and a power of ten. The page writes them differently.
const NOT_COMPARED: [&str; 6] = [
    "EARLIEST",
    "EARLIEST_BIRTH",
    "EARLIEST_SECOND",
    "LATEST",
    "LENGTHS",
    "MAX_AMOUNT",
];

/// Returns the last cell of each row, `A`, `B` in `path`, as pairs of name and path, and the row.
fn setters() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut found = Vec::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| ")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut names = Vec::new();
        for code in cell.split('`').skip(1).step_by(2) {
            if code.contains(['/', '.']) {
                found.extend(names.drain(..).map(|name| (name, code, row)));
            } else {
                names.push(code);
            }
        }
    }
    found
}

/// Evaluates the value of a constant such as `4 * 1024`, `1 << 20` or `1_000.0`.
fn evaluate(value: &str) -> Option<u64> {
    let value = value
        .trim_start_matches("Duration::from_secs(")
        .trim_end_matches(')');
    if let Some((left, right)) = value.split_once("<<") {
        return Some(evaluate(left)? << evaluate(right)?);
    }
    value
        .split('*')
        .map(|factor| {
            factor
                .trim()
                .trim_end_matches(".0")
                .replace('_', "")
                .parse::<u64>()
                .ok()
        })
        .product()
}

/// Returns the ways in which the page may write a number.
fn spellings(number: u64) -> Vec<String> {
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
        String::from_utf8(groups.join(&b","[..])).unwrap()
    };
    let mut spellings = vec![grouped(number)];
    for (unit, size) in [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("minutes", 60),
        ("hours", 3_600),
        ("days", 86_400),
        // Microseconds.
        ("hours", 3_600_000_000),
    ] {
        if number > 0 && number.is_multiple_of(size) {
            spellings.push(format!("{} {unit}", grouped(number / size)));
        }
    }
    spellings
}

/// Returns whether the row contains the spelling, and not as a part of a longer number.
fn contains(row: &str, spelling: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || c == ',');
    row.match_indices(spelling).any(|(at, _)| {
        let after = row[at + spelling.len()..].trim_start_matches(", ");
        !is_digit(row[..at].chars().last()) && !after.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[test]
fn limits_are_those_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let setters = setters();
    assert!(setters.len() > 80, "{}", setters.len());
    let mut compared = 0;
    for (name, path, row) in setters {
        let text = std::fs::read_to_string(root.join(path)).unwrap_or_else(|_| panic!("{path}"));
        assert!(text.contains(name), "{path} has no {name}");
        let Some((_, value)) = text.split_once(&format!("const {name}: ")) else {
            continue;
        };
        let value = value.split(';').next().unwrap();
        let value = value.split_once('=').unwrap().1.trim();
        if NOT_COMPARED.contains(&name) {
            continue;
        }
        let number = evaluate(value).unwrap_or_else(|| panic!("{name} = {value}"));
        assert!(
            spellings(number).iter().any(|text| contains(row, text)),
            "{name} is {number}: {row}"
        );
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}
