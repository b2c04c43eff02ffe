//! Defines what the table stores, as pure types: identifiers, identities, keys, versions, items and exact values. In: parsed
//! fields. Out: typed values whose constructors check them. Knows no AWS and no HTTP.

pub mod body;
pub mod card;
pub mod change;
pub mod closure;
pub mod drop_path;
pub mod erasure;
pub mod file_time;
pub mod find;
pub mod folder;
pub mod identifier;
pub mod identity;
pub mod import;
pub mod item;
pub mod json;
pub mod keys;
pub mod operation;
pub mod report_key;
pub mod retention;
pub mod time;
pub mod value;
pub mod version;
pub mod zone;
