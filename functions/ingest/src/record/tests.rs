use serde_json::Value as Json;
use shared::{model::version::ImportId, profile::redact};

use super::*;

mod contract;
mod encoding;
mod events;
mod faults;
mod forget;
mod keys;
mod laws;
mod lenient;
mod page;
mod rejects;
mod unify;
mod values;

const LAST_MODIFIED: i64 = 1_790_000_000;

fn key() -> IdentityKey {
    IdentityKey::new("key").unwrap()
}

fn version(offset: u64) -> Version {
    Version::new(LAST_MODIFIED, "01", ImportId([1; 8]), offset)
}

/// Returns the context of a file of the source `pos`. `record_type` is `None` in `drop/mixed/`.
fn context<'a>(key: &'a IdentityKey, record_type: Option<&str>) -> Context<'a> {
    Context {
        key,
        identifiers: IdentifierRules::default(),
        source: "pos",
        record_type: record_type.map(|name| name.parse().unwrap()),
        last_modified: LAST_MODIFIED,
        erasures: Erasures::default(),
        retention: Retention::default(),
        denied: &[],
    }
}

fn mapped(record_type: Option<&str>, row: &str) -> Result<MappedRecord, RowError> {
    let fields = json::object(row)?;
    map_record(&context(&key(), record_type), version(7), fields).map_err(first)
}

/// Returns the first error of a rejected record.
fn first(rejection: Rejection) -> RowError {
    rejection.errors.into_iter().next().unwrap()
}

fn place_as(record_type: Option<&str>, row: &str) -> Result<Vec<Write>, RowError> {
    mapped(record_type, row).map(|mapped| {
        let links = mapped.links.iter().flatten().filter_map(Write::item);
        mapped.writes.into_iter().chain(links).collect()
    })
}

fn sort_keys(record_type: &str, row: &str) -> Vec<String> {
    place_as(Some(record_type), row)
        .unwrap()
        .iter()
        .map(|write| write.key().1.to_owned())
        .collect()
}

/// Returns the code and field of a row's error.
fn error(record_type: &str, row: &str) -> (&'static str, String) {
    let error = place_as(Some(record_type), row).unwrap_err();
    (error.code.as_str(), error.field.unwrap_or_default())
}

fn expect_fault(record_type: &str, row: &str, code: &str, field: &str) {
    assert_eq!(error(record_type, row), (code, field.to_owned()), "{row}");
}

/// Returns the codes and fields of the warnings of a row, which is accepted.
fn warned(record_type: &str, row: &str) -> Vec<(&'static str, String)> {
    let mapped = mapped(Some(record_type), row).unwrap_or_else(|error| panic!("{row}: {error}"));
    let warnings = mapped.warnings.into_iter();
    warnings
        .map(|warning| (warning.code.as_str(), warning.field.unwrap_or_default()))
        .collect()
}

/// Returns the codes and fields of all errors of a rejected row.
fn errors(record_type: &str, row: &str) -> Vec<(&'static str, String)> {
    let fields = json::object(row).unwrap();
    let rejection = map_record(&context(&key(), Some(record_type)), version(7), fields);
    let errors = rejection.unwrap_err().errors.into_iter();
    errors
        .map(|error| (error.code.as_str(), error.field.unwrap_or_default()))
        .collect()
}

const LINK: &str = r#""link":{"email":"jane@example.com"}"#;

fn purchase(fields: &str) -> String {
    format!(
        r#"{{{LINK},"action_at":"2026-01-02T03:04:05Z","type":"physical","purchase_id":"p1",{fields}}}"#
    )
}

/// Returns the data of a write as DynamoDB JSON.
fn data(write: &Write) -> Json {
    serde_json::from_str(write.data_json()).unwrap()
}

/// Returns the data of a row's only write.
fn stored(record_type: &str, row: &str) -> Json {
    let writes = place_as(Some(record_type), row).unwrap();
    assert_eq!(writes.len(), 1, "{row}");
    data(&writes[0])
}

/// A field that redaction does not know is left out for principals without `pii:read`, so each field here must have a rule there.
#[test]
fn redaction_knows_every_field() {
    fn check(fields: &[kind::Field], rules: redact::Fields, path: &str) {
        for field in fields {
            let path = format!("{path}.{}", field.name);
            let rule = rules.iter().find(|(name, _)| *name == field.name);
            let (_, rule) = rule.unwrap_or_else(|| panic!("no rule for {path}"));
            let kind = match &field.kind {
                kind::Kind::List(kind, _) => kind,
                kind => kind,
            };
            if let (kind::Kind::OneOf(names), redact::Rule::OneOf(visible)) = (kind, rule) {
                assert!(names.iter().all(|name| visible.contains(name)), "{path}");
            }
            if let (kind::Kind::Object(fields), redact::Rule::Object(rules)) = (kind, rule) {
                check(fields, rules, &path);
            }
        }
    }
    for kind in EventType::ALL {
        let rules = redact::event_fields(kind);
        let is_rule = |(name, rule): &&(&str, redact::Rule)| {
            *name == findings::INVALID_FIELDS && matches!(rule, redact::Rule::Hidden)
        };
        assert!(rules.iter().any(|rule| is_rule(&rule)), "{kind:?}");
        check(
            event::event_fields(kind),
            redact::event_fields(kind),
            kind.as_str(),
        );
    }
    for field in schema::CUSTOMER_RECORD {
        let is_own = matches!(field.name, "custom_fields" | "updated_at");
        assert!(
            is_own || redact::record_field(field.name).is_some(),
            "{}",
            field.name
        );
    }
}
