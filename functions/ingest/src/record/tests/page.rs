//! `infra/docs/reference/records.md`: its fields and types are those of the code, and its examples are accepted. So are the files
//! of `infra/docs/guides/csv-and-excel.md`.

use super::*;
use crate::{
    record::kind::{Field, Kind, Number, OnError},
    rows::{Format, Layout, RecordsField, Rows},
};

const PAGE: &str = include_str!("../../../../../infra/docs/reference/records.md");
const GUIDE: &str = include_str!("../../../../../infra/docs/guides/csv-and-excel.md");

/// Returns the title and text of each record type's section. Titles of other sections begin with an uppercase letter.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ")
        .skip(1)
        .map(|section| section.split_once('\n').unwrap())
        .filter(|(title, _)| title.starts_with(char::is_lowercase))
}

/// Returns the text of the object with this title.
fn object(title: &str) -> &'static str {
    let heading = format!("\n### {title}\n");
    let (_, section) = PAGE
        .split_once(heading.as_str())
        .unwrap_or_else(|| panic!("{title}"));
    section.split("\n#").next().unwrap()
}

/// A field as the page documents it.
#[derive(Debug)]
struct Listed {
    name: &'static str,
    kind: &'static str,
    need: Need,
    description: &'static str,
    example: &'static str,
}

/// What happens to a row without a field, as the page documents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Yes,
    Expected,
    No,
}

impl Need {
    fn of(field: &Field) -> Self {
        match (field.required, field.on_error) {
            (true, OnError::Reject) => Self::Yes,
            (true, OnError::LeaveOut) => Self::Expected,
            (false, _) => Self::No,
        }
    }
}

/// Returns the fields in the first table of a text.
fn listed(text: &'static str) -> Vec<Listed> {
    let header = "| Field | Type | Required | Description | Example |";
    let rows = text.lines().skip_while(|line| *line != header).skip(2);
    rows.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let [name, kind, required, description, example] = cells[..] else {
                panic!("{row}")
            };
            let code = |cell: &'static str| {
                cell.strip_prefix('`')
                    .and_then(|cell| cell.strip_suffix('`'))
                    .unwrap_or_else(|| panic!("{row}"))
            };
            Listed {
                name: code(name),
                kind,
                need: match required {
                    "yes" => Need::Yes,
                    "expected" => Need::Expected,
                    "no" => Need::No,
                    other => panic!("{name}: {other}"),
                },
                description,
                example: code(example),
            }
        })
        .collect()
}

/// A field's name, its type on the page, and what happens without it.
type Own = (&'static str, &'static str, Need);

const LINKED: Own = ("link", "[identifier](#identifiers)", Need::Yes);

/// Returns the fields of a record type: those that the code removes itself, and the rest.
fn fields(record_type: RecordType) -> (&'static [Own], &'static [Field]) {
    match record_type {
        RecordType::CustomerRecord => (&[LINKED], schema::CUSTOMER_RECORD),
        RecordType::Product => (&[], schema::PRODUCT),
        RecordType::Event(kind) => (
            &[
                LINKED,
                ("action_at", "time", Need::Yes),
                ("replaces_action_at", "time", Need::No),
            ],
            event::event_fields(kind),
        ),
        RecordType::Attributes => (&[LINKED], schema::ATTRIBUTES),
        RecordType::Unify => (
            &[
                ("records", "array of [identifiers](#identifiers)", Need::Yes),
                ("unlink", "boolean", Need::No),
            ],
            &[],
        ),
        RecordType::Forget => (
            &[
                ("link", "[identifier](#identifiers)", Need::No),
                ("records", "array of [identifiers](#identifiers)", Need::No),
                ("identity_ids", "array of strings", Need::No),
                ("erased_at", "string", Need::No),
                ("scope", "enum", Need::No),
                ("suppress", "boolean", Need::No),
                ("reinstate", "boolean", Need::No),
            ],
            &[],
        ),
    }
}

/// Checks the fields of a table against those of the code, and the tables of objects in them.
fn check_fields(listed: &[Listed], fields: &[Field]) {
    let names: Vec<_> = listed
        .iter()
        .map(|field| (field.name, field.need))
        .collect();
    let expected: Vec<_> = fields
        .iter()
        .map(|field| (field.name, Need::of(field)))
        .collect();
    assert_eq!(names, expected);
    for (listed, field) in listed.iter().zip(fields) {
        check_kind(listed, listed.kind, &field.kind);
        let row = format!(r#"{{"{}": {}}}"#, listed.name, listed.example);
        let row = json::object(&row).unwrap_or_else(|error| panic!("{row}: {error}"));
        let mut findings = Findings::default();
        check_clean(std::slice::from_ref(field), row, &mut findings);
        assert!(
            findings.errors.is_empty() && findings.warnings.is_empty(),
            "{listed:?}: {findings:?}"
        );
    }
}

fn check_clean(fields: &[Field], mut row: Map, findings: &mut Findings) {
    let mut checker = Checker {
        last_modified: LAST_MODIFIED,
        notation: Notation::Json,
        own: &[],
        findings,
    };
    checker.fields(fields, &mut row, &Path::Record);
}

/// Checks the documented type and the description of a field against its kind.
fn check_kind(listed: &Listed, documented: &'static str, kind: &Kind) {
    let describes = |rule: &str| {
        let description = listed.description.to_lowercase();
        assert!(description.contains(rule), "{listed:?}: {rule}");
    };
    let expected = match kind {
        Kind::Text => "string",
        Kind::Free => "text",
        Kind::Id => "id",
        Kind::Flag => "boolean",
        Kind::Amount(Number { integer, low, high }) => {
            if let Some(low) = low {
                describes(&format!("at least {low}."));
            }
            if let Some(high) = high {
                describes(&format!("at most {high}."));
            }
            if *integer { "integer" } else { "decimal" }
        }
        Kind::Quantity => "decimal",
        Kind::Latitude => {
            describes("from -90 to under 90");
            "decimal"
        }
        Kind::Longitude => {
            describes("from -180 to under 180");
            "decimal"
        }
        Kind::BirthDate => "date",
        Kind::Time | Kind::UpdateTime => "time",
        Kind::Url => "URL",
        Kind::Currency => "currency",
        Kind::OneOf(words) => {
            for word in *words {
                describes(&format!("`{word}`"));
            }
            "enum"
        }
        Kind::List(kind, most) => {
            let most = most.to_string();
            let (thousands, rest) = most.split_at(most.len() - 3);
            describes(&format!("at most {thousands},{rest}"));
            match kind {
                Kind::Text => "array of strings",
                Kind::Url => "array of URLs",
                kind => {
                    let item = documented.strip_prefix("array of ");
                    return check_kind(listed, item.unwrap_or_else(|| panic!("{listed:?}")), kind);
                }
            }
        }
        Kind::Object(fields) => {
            let link = documented
                .strip_prefix('[')
                .and_then(|link| link.strip_suffix(')'));
            let (title, anchor) = link.unwrap().split_once("](#").unwrap();
            assert_eq!(anchor, title.to_lowercase().replace(' ', "-"));
            return check_fields(&self::listed(object(title)), fields);
        }
        Kind::MapOf(kind) => {
            assert!(matches!(kind, Kind::List(Kind::Text, 10_000)));
            describes("at most 10,000");
            "object of arrays of strings"
        }
        Kind::Open | Kind::Attributes => "object",
    };
    assert_eq!(documented, expected, "{}", listed.name);
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
        let listed = listed(section);
        let (own, schema) = fields(title.parse().unwrap());
        let names: Vec<_> = listed
            .iter()
            .take(own.len())
            .map(|field| (field.name, field.kind, field.need))
            .collect();
        assert_eq!(names, own, "{title}");
        check_fields(&listed[own.len()..], schema);
    }
}

/// Each example in a table is accepted in a row of its type.
#[test]
fn examples_of_fields_are_taken() {
    for (title, section) in sections() {
        let row = section.lines().find(|line| line.starts_with('{')).unwrap();
        for field in listed(section) {
            let example = json::object(&format!(r#"{{"{}": {}}}"#, field.name, field.example));
            let mut row = json::object(row).unwrap();
            // A row has either of these.
            match (title, field.name) {
                ("forget", "records" | "identity_ids") => drop(row.remove("link")),
                ("product", "product_reference_type") => row.insert("sku", "x"),
                _ => {}
            }
            let value = example.unwrap().remove(field.name).unwrap();
            row.insert(field.name, value);
            take(title, &serde_json::to_string(&row).unwrap());
        }
    }
}

#[test]
fn the_rows_of_each_section_are_taken() {
    for (title, section) in sections() {
        let listed = listed(section);
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
                    listed.iter().any(|field| field.name == name),
                    "{title}: {name}"
                );
            }
            for field in &listed {
                let mut without = fields.clone();
                without.remove(field.name);
                let without = serde_json::to_string(&without).unwrap();
                let missing = ("missing_field", field.name.to_owned());
                match field.need {
                    Need::Yes => assert_eq!(error(title, &without), missing),
                    Need::Expected => assert_eq!(warned(title, &without), [missing]),
                    Need::No => {}
                }
            }
        }
    }
}

/// The templates are under headings that name their record types.
#[test]
fn templates_are_taken() {
    let mut types = Vec::new();
    for section in GUIDE.split("\n### `").skip(1) {
        let (title, section) = section.split_once('`').unwrap();
        for csv in section.split("```csv\n").skip(1) {
            let (csv, _) = csv.split_once("```").unwrap();
            let mut rows = Rows::new(Layout::new(Format::Csv), RecordsField::Rows);
            rows.push(csv.as_bytes());
            let mut taken = 0;
            while let Some(row) = rows.next().or_else(|| rows.finish()) {
                let fields = rows.fields(&row).unwrap();
                take(title, &serde_json::to_string(&fields.map).unwrap());
                taken += row.rows as usize;
            }
            assert!(
                taken > 0 && taken == csv.lines().count() - 1,
                "{title}: {:?}",
                rows.error()
            );
            types.push(title.parse::<RecordType>().unwrap());
        }
    }
    let documented = sections().map(|(title, _)| title.parse().unwrap());
    assert_eq!(types, documented.collect::<Vec<_>>());
}
