//! What the table stores, as pure types: identifiers, identities, keys, versions, items and exact values. Takes parsed
//! JSON and returns typed values; knows no AWS and no HTTP.

pub mod body;
pub mod card;
pub mod closure;
pub mod erasure;
pub mod find;
pub mod identifier;
pub mod identity;
pub mod item;
pub mod json;
pub mod keys;
pub mod time;
pub mod value;
pub mod version;
