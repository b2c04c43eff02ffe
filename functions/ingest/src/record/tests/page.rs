//! `infra/docs/reference/records.md`: its fields are those of the code, and its examples are accepted.

use super::*;
use crate::rows::{Format, RecordsField, Rows};

const PAGE: &str = include_str!("../../../../../infra/docs/reference/records.md");

/// Returns the title and text of each record type's section. Titles of other sections begin with an uppercase letter.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .filter(|(title, _)| title.starts_with(char::is_lowercase))
}

/// Returns the field of a table's line, and whether the page calls it required.
fn listed(line: &str) -> Option<(&str, bool)> {
    let (name, rest) = line.strip_prefix("| `")?.split_once("` |")?;
    match rest.split_once('|')?.0.trim() {
        "required" => Some((name, true)),
        "" => Some((name, false)),
        other => panic!("{name}: {other}"),
    }
}

/// Returns the fields of a record type, and whether each is required.
fn fields(record_type: RecordType) -> Vec<(&'static str, bool)> {
    // The first fields are not in a schema, because the code removes each of them itself.
    let (apart, schema): (&[(&str, bool)], &[kind::Field]) = match record_type {
        RecordType::CustomerRecord => (&[("link", true)], schema::CUSTOMER_RECORD),
        RecordType::Product => (&[], schema::PRODUCT),
        RecordType::Event(kind) => (
            &[
                ("link", true),
                ("action_at", true),
                ("replaces_action_at", false),
            ],
            event::event_fields(kind),
        ),
        RecordType::Attributes => (&[("link", true)], schema::ATTRIBUTES),
        RecordType::Unify => (&[("records", true), ("unlink", false)], &[]),
        RecordType::Forget => (
            &[
                ("link", false),
                ("records", false),
                ("scope", false),
                ("suppress", false),
                ("reinstate", false),
            ],
            &[],
        ),
    };
    let schema = schema.iter().map(|field| (field.name, field.required));
    apart.iter().copied().chain(schema).collect()
}

fn take(record_type: &str, row: &str) {
    mapped(Some(record_type), row).unwrap_or_else(|error| panic!("{row}: {error}"));
}

#[test]
fn each_record_type_has_a_section() {
    let titles: Vec<RecordType> = sections()
        .map(|(title, _)| title.parse().unwrap_or_else(|()| panic!("{title}")))
        .collect();
    let types: Vec<_> = [RecordType::CustomerRecord, RecordType::Product]
        .into_iter()
        .chain(EventType::ALL.map(RecordType::Event))
        .chain([
            RecordType::Attributes,
            RecordType::Unify,
            RecordType::Forget,
        ])
        .collect();
    assert_eq!(titles, types);
}

#[test]
fn each_section_has_the_fields_of_its_type() {
    for (title, section) in sections() {
        let listed: Vec<_> = section.lines().filter_map(listed).collect();
        assert_eq!(listed, fields(title.parse().unwrap()), "{title}");
    }
}

#[test]
fn the_rows_of_each_section_are_taken() {
    for (title, section) in sections() {
        let listed: Vec<_> = section.lines().filter_map(listed).collect();
        let rows: Vec<_> = section
            .lines()
            .filter(|line| line.starts_with('{'))
            .collect();
        assert!(!rows.is_empty(), "{title}");
        for row in rows {
            take(title, row);
            let fields = json::object(row).unwrap();
            for (name, _) in fields.iter() {
                assert!(
                    listed.iter().any(|(own, _)| *own == name),
                    "{title}: {name}"
                );
            }
            for (name, _) in listed.iter().filter(|(_, required)| *required) {
                let mut without = fields.clone();
                without.remove(name);
                let without = serde_json::to_string(&without).unwrap();
                expect_fault(title, &without, "missing_field", name);
            }
        }
    }
}

#[test]
fn the_file_of_purchases_is_taken() {
    let (_, csv) = PAGE.split_once("```csv\n").unwrap();
    let (csv, _) = csv.split_once("```").unwrap();
    let mut rows = Rows::new(Format::Csv, RecordsField::Rows);
    rows.push(csv.as_bytes());
    let mut taken = 0;
    while let Some(row) = rows.next() {
        let fields = rows.fields(&row).unwrap();
        take("purchase", &serde_json::to_string(&fields.map).unwrap());
        taken += 1;
    }
    assert_eq!(taken, csv.lines().count() - 1);
}
