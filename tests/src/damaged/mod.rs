//! Files that people really have: damaged, written by other systems, or in another format than their name specifies. Each module is a table of cases:
//! a file, and what its report and the profiles then contain. `infra/docs/reference/damaged-files.md` lists the kinds.
//!
//! The files in `tests/fixtures/cases` are modeled on public bug reports about comparable products. The number in a key is that of the
//! file. Cases about figures, identifiers and erasures are in `read` and `erasure`, beside the tests of their rules.

mod csv;
mod customers;
mod encodings;
mod json;
mod names;
mod orders;
mod values;

/// Returns the content of a file in `tests/fixtures/cases`.
macro_rules! given {
    ($name:literal) => {
        include_bytes!(concat!("../../fixtures/cases/", $name))
    };
}
use given;

use crate::support::case::{Case, case, check};

/// Returns the rows of a JSON file, one in each line.
fn lines(rows: &[serde_json::Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_csv() {
    check(csv::cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_lines_of_orders() {
    check(orders::cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_json() {
    check(json::cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_encodings() {
    check(encodings::cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_any_name() {
    check(names::cases()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_values() {
    check(values::cases()).await;
}
