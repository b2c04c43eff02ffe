//! The names of mappings, and the keys of teams' mappings in the bucket.

use shared::model::folder::{self, MAX_MAPPING_BYTES};

use crate::{mapping::Fault, record::RecordType};

/// The key prefix of mappings.
pub(crate) const PREFIX: &str = "mappings/";
const EXTENSION: &str = ".json";

/// Returns the key of a team's mapping.
pub(crate) fn key_of(name: &str) -> String {
    format!("{PREFIX}{name}{EXTENSION}")
}

/// Returns the name of the mapping under a key.
///
/// # Errors
/// The key is not that of a mapping. The fault states why, without a place in the document.
pub(crate) fn name_of(key: &str) -> Result<&str, Fault> {
    let rest = key.strip_prefix(PREFIX).unwrap_or(key);
    if rest.contains('/') {
        return Err(fault("is in a folder. Put it as mappings/{name}.json."));
    }
    let Some(name) = rest.strip_suffix(EXTENSION) else {
        return Err(fault(
            "has a key without the extension .json. Put it as mappings/{name}.json.",
        ));
    };
    check_name(name)?;
    Ok(name)
}

/// Checks that a text can be the name of a mapping.
///
/// # Errors
/// It cannot. The fault states why.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    if folder::is_reserved_mapping(name) {
        return Err(fault("has a reserved name. Choose another name."));
    }
    if name.parse::<RecordType>().is_ok() {
        return Err(fault("has the name of a record type. Choose another name."));
    }
    if folder::is_mapping_name(name) {
        return Ok(());
    }
    Err(fault(format!(
        "has an invalid name. Use 1 to {MAX_MAPPING_BYTES} lowercase letters, digits and hyphens, beginning with a letter."
    )))
}

fn fault(problem: impl Into<String>) -> Fault {
    Fault::of_document(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_contain_names() {
        let longest = "a".repeat(MAX_MAPPING_BYTES);
        for name in ["pos", "p", "shop-2-orders", "a-", "purchase-pos", &longest] {
            assert_eq!(name_of(&key_of(name)), Ok(name));
        }
    }

    #[test]
    fn rejects_other_names() {
        let too_long = format!("mappings/{}.json", "a".repeat(MAX_MAPPING_BYTES + 1));
        for (key, problem) in [
            ("mappings/shop/pos.json", "is in a folder"),
            ("mappings/pos", "without the extension"),
            ("mappings/pos.JSON", "without the extension"),
            ("mappings/pos.yaml", "without the extension"),
            ("mappings/auto.json", "a reserved name"),
            ("mappings/mixed.json", "a reserved name"),
            ("mappings/try.json", "a reserved name"),
            ("mappings/purchase.json", "the name of a record type"),
            ("mappings/customer_record.json", "the name of a record type"),
            ("mappings/forget.json", "the name of a record type"),
            ("mappings/.json", "an invalid name"),
            ("mappings/Pos.json", "an invalid name"),
            ("mappings/1pos.json", "an invalid name"),
            ("mappings/-pos.json", "an invalid name"),
            ("mappings/my_pos.json", "an invalid name"),
            ("mappings/p\u{f6}s.json", "an invalid name"),
            ("mappings/pos.v2.json", "an invalid name"),
            (&too_long, "an invalid name"),
        ] {
            let fault = name_of(key).unwrap_err();
            assert!(fault.problem.contains(problem), "{key}: {fault}");
            assert_eq!(fault.place, "");
        }
    }
}
