//! Reads one event with its complete body.

use data_encoding::BASE64URL_NOPAD;
use shared::{
    model::{
        body,
        identity::IdentityId,
        item::Item,
        keys::{EventKey, SortKey},
    },
    profile::{newer, versions},
    table::{Table, TableError, reader::Members},
};

use crate::merge;

/// Parses an event's id, `{identity id}.{base64url of its key}`, into its identity and key.
pub(crate) fn parse_id(id: &str) -> Option<(IdentityId, EventKey)> {
    let (identity, key) = id.split_once('.')?;
    let key = BASE64URL_NOPAD.decode(key.as_bytes()).ok()?;
    Some((
        identity.parse().ok()?,
        EventKey::parse(std::str::from_utf8(&key).ok()?)?,
    ))
}

/// Reads the event under `key`, in the version that the history shows. Returns `None` if the history does not show it.
///
/// # Errors
/// The table cannot be read.
pub(crate) async fn event(
    table: &Table,
    members: &Members,
    key: EventKey,
) -> Result<Option<Item>, TableError> {
    let shown = if versions::is_versioned(key.kind()) {
        merge::shown(table, members, &key).await?
    } else {
        newest(table, members, &key).await?
    };
    let Some(mut item) = shown else {
        return Ok(None);
    };
    if item.data.get("body_bytes").is_some()
        && let Some(whole) = whole_body(table, &item, key).await?
    {
        item.data.insert("body", whole);
        item.data.remove("body_bytes");
    }
    Ok(Some(item))
}

/// Reads the newest item under `key` among a profile's identities. Returns `None` if it is a tombstone.
async fn newest(
    table: &Table,
    members: &Members,
    key: &EventKey,
) -> Result<Option<Item>, TableError> {
    let identities = members.closure.members();
    let stored = table
        .items(&identities, &SortKey::Event(key.clone()))
        .await?;
    let newest = stored
        .iter()
        .filter(|item| !members.erase(item))
        .reduce(|a, b| newer(a, b));
    Ok(newest.filter(|item| !item.is_tombstone()).cloned())
}

/// Reads the body that is stored separately from its event. Returns `None` if the stored body belongs to another version of the
/// event. The caller then keeps the truncated body in the event itself.
async fn whole_body(
    table: &Table,
    event: &Item,
    key: EventKey,
) -> Result<Option<String>, TableError> {
    let identity = std::slice::from_ref(&event.identity);
    let found = table.items(identity, &SortKey::Body(key)).await?;
    let body = found.iter().find(|item| item.version == event.version);
    Ok(body.and_then(|item| body::unpack(&item.data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_contain_identity_and_key() {
        let identity = "a".repeat(26);
        let key = "2026-01-02T00:00:00.000000Z#sms_send#aaaaaaaaaaaaaaaa";
        let id = |key: &str| format!("{identity}.{}", BASE64URL_NOPAD.encode(key.as_bytes()));
        let (owner, event) = parse_id(&id(key)).unwrap();
        assert_eq!(owner.as_str(), identity);
        assert_eq!(event, EventKey::parse(key).unwrap());
        for invalid in ["", &identity, &id("x"), &format!("{identity}.%"), ".x"] {
            assert!(parse_id(invalid).is_none(), "{invalid}");
        }
    }
}
