//! Maps unify records to links: one between every two of the identifiers that a record names.

use std::collections::BTreeMap;

use shared::model::{
    identifier::Identifier,
    identity::IdentityId,
    keys::SortKey,
    value::{Map, Value},
};

use super::{MappedRecord, Mapper, check::field_error, flag};
use crate::rows::{RowError, RowErrorCode};

/// The maximum number of identifiers in one row.
const MAX_UNIFIED: usize = 8;

impl Mapper<'_> {
    /// Maps a unify record. Returns both sides of each link, those that an erasure suppresses apart from the others.
    pub(super) fn unify(&self, mut fields: Map) -> Result<MappedRecord, RowError> {
        let unlink = flag(&mut fields, "unlink")?;
        let Some(Value::List(records)) = fields.remove("records") else {
            let problem = format!(
                "is missing. Add an array of 2 to {MAX_UNIFIED} identifiers of one customer."
            );
            return Err(field_error("records", RowErrorCode::MissingField, problem));
        };
        let count = records.len();
        if !(2..=MAX_UNIFIED).contains(&count) {
            let problem = format!(
                "has {count} identifiers; it must have 2 to {MAX_UNIFIED}. Split the row if it has more."
            );
            return Err(field_error("records", RowErrorCode::InvalidValue, problem));
        }
        let mut members: BTreeMap<IdentityId, Identifier> = BTreeMap::new();
        let (identifiers, left_out) = self.unified(records)?;
        for identifier in identifiers {
            members.insert(self.context.key.identity(&identifier), identifier);
        }
        if members.len() < 2 {
            let differ = || {
                let problem = "must have at least 2 different identifiers.";
                field_error("records", RowErrorCode::InvalidValue, problem)
            };
            return Err(left_out.into_iter().next().unwrap_or_else(differ));
        }
        let mut mapped = MappedRecord {
            left_out,
            ..MappedRecord::default()
        };
        let members: Vec<_> = members.into_iter().collect();
        for (index, a) in members.iter().enumerate() {
            for b in &members[..index] {
                let sides = [(a, b), (b, a)].map(|((_, link), (other_id, other))| {
                    let mut data = Map::new();
                    data.insert("live", !unlink);
                    data.insert("other", other);
                    let key = SortKey::Link {
                        source: self.context.source.to_owned(),
                        other: other_id.clone(),
                    };
                    self.item(link, key, data)
                });
                // A link belongs to both ends, because each side names the other one.
                let erase = |(id, _): &(IdentityId, _)| self.context.erasures.erase(id, &sides[0]);
                if erase(a) || erase(b) {
                    mapped.suppressed_links.extend(sides);
                } else {
                    mapped.links.push(sides);
                }
            }
        }
        Ok(mapped)
    }
}
