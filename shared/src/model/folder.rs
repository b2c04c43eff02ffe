//! The names of the folders in the key of a dropped file, `drop/{type}/[{source}/]…`: what they may be.

use crate::model::import::EntryId;

/// The names of all record types.
pub const RECORD_TYPES: [&str; 17] = [
    "customer_record",
    "product",
    "unify",
    "forget",
    "attributes",
    "purchase",
    "return",
    "email_send",
    "email_open",
    "email_click",
    "email_bounce",
    "email_subscribe",
    "sms_send",
    "sms_click",
    "sms_subscribe",
    "message",
    "event",
];
/// The folder of files whose rows specify their record types.
pub const MIXED: &str = "mixed";
/// The folder of files whose content decides.
pub const AUTO: &str = "auto";

/// Sources of records that do not come from files: decisions of support agents, and records of the system itself.
const RESERVED_SOURCES: [&str; 2] = ["agents", "system"];
/// Names with another meaning in keys, which no mapping has.
const RESERVED_MAPPINGS: [&str; 3] = [AUTO, MIXED, "try"];
/// The maximum length of a source's name, in characters.
const MAX_SOURCE_CHARS: usize = 64;
/// The maximum length of a mapping's name, in bytes.
pub const MAX_MAPPING_BYTES: usize = 64;

/// Returns whether a folder is a valid source name. A name without a letter is part of a date, and a UUID of version 7 is an upload.
pub fn is_source(name: &str) -> bool {
    let is_known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=MAX_SOURCE_CHARS).contains(&name.len())
        && name.bytes().all(is_known)
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && EntryId::upload(name).is_none()
}

/// Returns whether a source is reserved, so that no file may have it.
pub fn is_reserved_source(name: &str) -> bool {
    RESERVED_SOURCES.contains(&name)
}

/// Returns whether a name has another meaning in keys, so that no mapping may have it.
pub fn is_reserved_mapping(name: &str) -> bool {
    RESERVED_MAPPINGS.contains(&name)
}

/// Returns whether a text has the form of a mapping's name: lowercase letters, digits and hyphens, beginning with a letter.
pub fn is_mapping_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= MAX_MAPPING_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_known)
}

/// Returns whether a name marks a file or a folder as hidden: ingest ignores it. A folder such as `_date=2026` is a partition.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

/// The end of the name of an empty object that Hadoop puts for a folder.
pub const FOLDER_MARKER: &str = "_$folder$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_keys() {
        for (name, is_valid) in [
            ("pos", true),
            ("2026-q4", true),
            ("2026", false),
            ("POS", false),
            ("a/b", false),
            ("", false),
            ("0198f1c2-8f6e-7b3a-9c1d-2e4f6a8b0c1d", false),
            ("0198f1c2-8f6e-4b3a-9c1d-2e4f6a8b0c1d", true),
        ] {
            assert_eq!(is_source(name), is_valid, "{name}");
        }
        let longest = "a".repeat(64);
        assert!(is_source(&longest) && is_source("a_b-1"));
        assert!(!is_source(&format!("{longest}a")) && !is_source("a.b"));
        assert!(is_mapping_name("shopify-orders-2") && is_mapping_name(&longest));
        for name in ["", "7-eleven", "Shopify", "a_b", &"a".repeat(65)] {
            assert!(!is_mapping_name(name), "{name}");
        }
    }

    #[test]
    fn some_names_have_another_meaning() {
        for name in ["agents", "system"] {
            assert!(is_reserved_source(name) && !is_reserved_mapping(name));
        }
        for name in ["auto", "mixed", "try"] {
            assert!(is_reserved_mapping(name) && !is_reserved_source(name));
        }
        for (name, is_ignored) in [
            ("_SUCCESS", true),
            (".x", true),
            (".a=b", true),
            ("_date=1", false),
            ("a_b", false),
        ] {
            assert_eq!(is_hidden(name), is_ignored, "{name}");
        }
    }
}
