//! Maps unify records to links: one between every two of the identifiers that a record names.

use std::collections::BTreeMap;

use shared::model::{
    identifier::Identifier,
    identity::IdentityId,
    keys::SortKey,
    value::{Map, Value},
};

use super::{MappedRecord, Mapper, findings::Findings, flag, path::field_error};
use crate::rows::{RowErrorCode, Warning, WarningCode};

/// The fields of a unify record.
const OWN: &[&str] = &["record_type", "records", "unlink"];

/// The maximum number of identifiers in one row.
const MAX_UNIFIED: usize = 8;

impl Mapper<'_> {
    /// Maps a unify record. Returns both sides of each link, those that an erasure suppresses apart from the others.
    pub(super) fn unify(&self, mut fields: Map, findings: &mut Findings) -> Option<MappedRecord> {
        let unlink = findings.keep(flag(&mut fields, "unlink"));
        let members = self.members(&mut fields, findings);
        self.check(&[], OWN, &mut fields, findings);
        let (unlink, members) = (unlink?, members?);
        let mut mapped = MappedRecord::default();
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
        Some(mapped)
    }

    /// Removes and parses the identifiers of a record, without repetitions. Unusable ones are left out while two remain.
    fn members(
        &self,
        fields: &mut Map,
        findings: &mut Findings,
    ) -> Option<Vec<(IdentityId, Identifier)>> {
        let reject = |findings: &mut Findings, code, problem: String| {
            findings.errors.push(field_error("records", code, problem));
        };
        let Some(Value::List(records)) = fields.remove("records") else {
            let problem = format!(
                "is missing. Add an array of 2 to {MAX_UNIFIED} identifiers of one customer."
            );
            reject(findings, RowErrorCode::MissingField, problem);
            return None;
        };
        let count = records.len();
        if !(2..=MAX_UNIFIED).contains(&count) {
            let problem = format!(
                "has {count} identifiers; it must have 2 to {MAX_UNIFIED}. Split the row if it has more."
            );
            reject(findings, RowErrorCode::InvalidValue, problem);
            return None;
        }
        let (identifiers, left_out) = findings.keep(self.unified(records))?;
        let mut members: BTreeMap<IdentityId, Identifier> = BTreeMap::new();
        for identifier in identifiers {
            members.insert(self.context.key.identity(&identifier), identifier);
        }
        if members.len() >= 2 {
            findings
                .warnings
                .extend(left_out.into_iter().map(|error| Warning {
                    code: WarningCode::IdentifierLeftOut,
                    field: error.field,
                }));
            return Some(members.into_iter().collect());
        }
        if left_out.is_empty() {
            let problem = "must have at least 2 different identifiers.";
            let code = RowErrorCode::InvalidValue;
            findings.errors.push(field_error("records", code, problem));
        }
        findings.errors.extend(left_out);
        None
    }
}
