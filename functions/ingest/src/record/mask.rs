//! Masks names of fields that may identify a customer. Files chose these names, and reports are visible without `pii:read`.

use std::borrow::Cow;

use super::RecordType;

/// What replaces such a name.
const MASK: &str = "***";
/// The minimum number of digits that make a name look like a phone number or a hash.
const MIN_DIGITS: usize = 7;
/// Fields with further fields, which the schemas do not contain.
const OTHER_FIELDS: [&str; 4] = ["identity_ids", "invalid_fields", "link", "records"];

/// Returns the path of a field without array indexes. If it looks like an email address, a phone number or a hash, as in a file whose
/// objects are keyed by them, only its first name is returned, and only if a record type has this field: `link.***`.
pub(crate) fn masked(path: &str) -> Cow<'_, str> {
    if !is_identifying(path) {
        return Cow::Borrowed(path);
    }
    // An address contains dots, so the other names cannot be separated.
    match path.split_once('.') {
        Some((first, _)) if is_field(first.trim_end_matches("[]")) => {
            Cow::Owned(format!("{first}.{MASK}"))
        }
        _ => Cow::Borrowed(MASK),
    }
}

/// Returns whether a name looks like an email address, a phone number or a hash.
pub(crate) fn is_identifying(name: &str) -> bool {
    let digits = || name.chars().filter(|c| c.is_numeric());
    name.contains(['@', '\u{FF20}']) || name.contains("%40") || digits().count() >= MIN_DIGITS
}

/// Returns whether a record type has a field of this name.
fn is_field(name: &str) -> bool {
    let mut types = RecordType::names().filter_map(|name| name.parse::<RecordType>().ok());
    OTHER_FIELDS.contains(&name)
        || types.any(|kind| kind.fields().iter().any(|field| field.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_names_that_identify() {
        for (path, expected) in [
            ("jane.a@x.example", "***"),
            ("+61491570157", "***"),
            ("0491 570 157", "***"),
            ("jane%40x.example", "***"),
            ("jane@x,example", "***"),
            ("link.jane.doe@x.example", "link.***"),
            ("records[].jane@x.example", "records[].***"),
            (
                "attributes.crm.9e26471d35a78862c17e467d87cddedf",
                "attributes.***",
            ),
            ("products[].0491.570.157.x", "products[].***"),
            ("custom_fields.jane@x.example.city", "custom_fields.***"),
            ("jane.link@x.example", "***"),
            ("Jane Doe +61491570156.name", "***"),
        ] {
            assert_eq!(masked(path), expected);
        }
        for path in [
            "",
            "link.email_sha256",
            "products[].price_paid",
            "loyalty.tier_2026",
            "custom_fields.note",
            "column 12",
        ] {
            assert_eq!(masked(path), path);
        }
    }
}
