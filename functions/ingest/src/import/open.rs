//! Opens a dropped or tried object and inspects its beginning.

use shared::model::time::Instant;

use crate::{
    App, IngestError,
    import::{
        choice::{Chosen, Decided},
        drop_key::DropKey,
        inspect::{Inspected, inspect},
        plan::Plan,
    },
    rows::Layout,
    source::{
        FileError,
        inflate::Inflated,
        notification::ObjectVersion,
        object::{Body, OpenResult},
    },
};

/// An open object.
pub(crate) struct Opened<'a> {
    pub(crate) stream: Box<Inflated<'a>>,
    /// The size of the stored object, in bytes.
    pub(crate) size: u64,
    /// When the object was last modified, in seconds since 1970.
    last_modified: i64,
}

/// An open object, and what its beginning contains or why it cannot be read.
pub(crate) type Inspection<'a> = (Opened<'a>, Result<Inspected, FileError>);

/// Opens an object and inspects its beginning.
pub(crate) async fn open<'a>(
    app: &'a App,
    object: &'a ObjectVersion,
    drop: &DropKey,
    chosen: &Chosen,
) -> Result<OpenResult<Inspection<'a>>, IngestError> {
    Ok(match Body::open(&app.s3, object, 0).await? {
        OpenResult::Open(body) => {
            let (size, last_modified) = (body.size(), body.last_modified);
            let mut stream = Box::new(Inflated::new(body).await?);
            let inspected = inspect(&mut stream, drop, chosen.expected()).await?;
            let opened = Opened {
                stream,
                size,
                last_modified,
            };
            OpenResult::Open((opened, inspected))
        }
        OpenResult::Gone => OpenResult::Gone,
        OpenResult::Superseded => OpenResult::Superseded,
    })
}

impl Opened<'_> {
    /// Returns the plan of the object in one range. Nothing is erased or denied.
    pub(crate) fn plan(&self, object: &ObjectVersion, layout: Layout, decided: Decided) -> Plan {
        Plan {
            object: object.clone(),
            last_modified: self.last_modified,
            size: self.size,
            compressed: self.stream.is_compressed(),
            layout,
            erasure_changes: 0,
            starts: vec![0],
            started_at: Instant::now(),
            new_among: None,
            source: decided.source,
            mapping: decided.mapping,
            recognized: decided.recognized,
            denied: Vec::new(),
            operation: None,
            reverted: None,
            last_operation: None,
        }
    }
}
