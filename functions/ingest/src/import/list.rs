//! Keeps the list of imports: adds dropped files, and connects imports to the uploads of the API that put their files.

use shared::{
    model::{
        drop_path::DropPath,
        import::{Entry, EntryId, EntryKey, EntryKind},
        time::Instant,
    },
    table::Existing,
};

use crate::{App, IngestError, import::drop_key::DropKey, source::notification::ObjectVersion};

/// Adds a dropped file to the list. A file of an upload is in the list already: its entry gets the ID of the import. Returns the
/// record types that the author of the upload may not import.
///
/// A repeated event finds or puts the same entry, because its place depends on the event alone.
pub(crate) async fn add(app: &App, object: &ObjectVersion) -> Result<Vec<String>, IngestError> {
    let drop = DropKey::parse(&object.key).ok();
    let import = object.import();
    if let Some(upload) = drop.as_ref().and_then(|drop| drop.upload) {
        let key = EntryKey::upload(upload);
        if let Some(entry) = app.table.begin_upload(&key, &object.key, import).await? {
            if entry.import() != Some(import) {
                // Another version of the object, which was not uploaded through the API.
                put(app, object, drop.as_ref()).await?;
            }
            return Ok(entry.denied);
        }
    }
    put(app, object, drop.as_ref()).await?;
    Ok(Vec::new())
}

/// Puts the entry of a file that was dropped by S3.
async fn put(app: &App, object: &ObjectVersion, drop: Option<&DropKey>) -> Result<(), IngestError> {
    let key = EntryKey {
        at: object.dropped_at.unwrap_or_else(Instant::now),
        id: EntryId::Import(object.import()),
    };
    let path = DropPath::parse(&object.key);
    let entry = Entry {
        kind: EntryKind::Import,
        key: object.key.clone(),
        file_name: path.file_name.to_owned(),
        folder: path.folder.to_owned(),
        source: drop.and_then(|drop| drop.source.clone()),
        size: None,
        import: Some(object.import().to_string()),
        of: None,
        preview: false,
        created_by: None,
        denied: Vec::new(),
        parts: None,
    };
    let expires_at = app.expiry();
    app.table
        .put_entry(&key, &entry, Existing::Replace, expires_at)
        .await?;
    Ok(())
}

/// Returns the record types that the author of a tried upload may not import.
pub(crate) async fn denied(app: &App, drop: &DropKey) -> Result<Vec<String>, IngestError> {
    let Some(upload) = drop.upload else {
        return Ok(Vec::new());
    };
    let entry = app.table.entry(&EntryKey::upload(upload)).await?;
    Ok(entry.map(|entry| entry.denied).unwrap_or_default())
}
