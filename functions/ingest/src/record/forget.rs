//! Maps forget records: the identities that a record erases, suppresses or reinstates.

use shared::model::{
    identity::IdentityId,
    keys::Marker,
    value::{Map, Value},
    version::Version,
};

use super::{Mapper, Placed, check::Path, check::field_error, flag};
use crate::rows::{RowError, RowErrorCode};

/// The maximum number of identifiers in one row.
const MAX_FORGOTTEN: usize = 100;

/// The request of a forget record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forget {
    pub(crate) identities: Vec<IdentityId>,
    /// Whether the row also erases all identities that these are linked to.
    pub(crate) whole_profile: bool,
    pub(crate) kind: ForgetKind,
}

/// The effect of a forget record on its identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForgetKind {
    /// Deletes the stored items.
    Erase,
    /// Deletes the stored items and keeps out items that are imported later.
    Suppress,
    /// Accepts later records, attributes and links again.
    Reinstate,
}

impl Forget {
    /// Returns the markers that the row with this version writes.
    pub(crate) fn markers(&self, version: Version) -> Vec<Marker> {
        match self.kind {
            ForgetKind::Erase => vec![Marker::Erased],
            ForgetKind::Suppress => vec![Marker::Erased, Marker::Suppressed],
            ForgetKind::Reinstate => vec![Marker::Reinstated(version)],
        }
    }
}

impl Mapper<'_> {
    pub(super) fn forget(&self, mut fields: Map) -> Result<Placed, RowError> {
        let suppress = flag(&mut fields, "suppress")?;
        let reinstate = flag(&mut fields, "reinstate")?;
        let kind = match (suppress, reinstate) {
            (false, false) => ForgetKind::Erase,
            (true, false) => ForgetKind::Suppress,
            (false, true) => ForgetKind::Reinstate,
            (true, true) => {
                return Err(field_error(
                    "reinstate",
                    RowErrorCode::InvalidValue,
                    "must not be true together with `suppress`. Keep one of them.",
                ));
            }
        };
        let whole_profile = match fields.remove("scope") {
            None | Some(Value::Null) => false,
            Some(Value::Text(scope)) if scope == "identity" => false,
            Some(Value::Text(scope)) if scope == "profile" && !reinstate => true,
            Some(_) if reinstate => {
                return Err(field_error(
                    "scope",
                    RowErrorCode::InvalidValue,
                    "must be identity in a `reinstate` row. Name each identity to reinstate.",
                ));
            }
            Some(_) => {
                return Err(field_error(
                    "scope",
                    RowErrorCode::InvalidValue,
                    "must be identity or profile.",
                ));
            }
        };
        let links = match (fields.remove("link"), fields.remove("records")) {
            (Some(link), None | Some(Value::Null)) => {
                vec![self.identifier(link, &Path::Field(&Path::Record, "link"))?]
            }
            (None | Some(Value::Null), Some(Value::List(records))) => {
                let count = records.len();
                if !(1..=MAX_FORGOTTEN).contains(&count) {
                    let problem = format!(
                        "has {count} identifiers; it must have 1 to {MAX_FORGOTTEN}. Split the row if it has more."
                    );
                    return Err(field_error("records", RowErrorCode::InvalidValue, problem));
                }
                let path = Path::Field(&Path::Record, "records");
                let links = records
                    .into_iter()
                    .enumerate()
                    .map(|(index, record)| self.named(record, &Path::Index(&path, index)));
                links.collect::<Result<_, _>>()?
            }
            (Some(_), Some(_)) => {
                return Err(field_error(
                    "records",
                    RowErrorCode::InvalidValue,
                    "must not be used together with `link`. Keep one of them.",
                ));
            }
            (None, _) => {
                return Err(field_error(
                    "link",
                    RowErrorCode::MissingField,
                    format!(
                        "is missing. Add it, or 1 to {MAX_FORGOTTEN} identifiers in `records`."
                    ),
                ));
            }
        };
        // An email address has a second identity, under its MD5, which no other address has.
        let all = links
            .iter()
            .flat_map(|link| [Some(link.clone()), link.as_md5()])
            .flatten();
        let mut identities: Vec<_> = all.map(|link| self.context.key.identity(&link)).collect();
        identities.sort();
        identities.dedup();
        Ok(Placed {
            forget: Some(Forget {
                identities,
                whole_profile,
                kind,
            }),
            ..Placed::default()
        })
    }
}
