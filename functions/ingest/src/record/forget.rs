//! Maps forget records: the identities that a record erases, suppresses or reinstates.

use shared::model::{
    identifier::Identifier,
    identity::IdentityId,
    keys::Marker,
    value::{Map, Value},
    version::Version,
};

use super::{
    MappedRecord, Mapper,
    findings::Findings,
    flag,
    path::{Path, field_error},
    similar::similar,
};
use crate::rows::{RowError, RowErrorCode};

/// The fields that specify what a forget record does.
const OPTIONS: [&str; 3] = ["reinstate", "scope", "suppress"];
/// The fields of a forget record.
pub(super) const OWN: &[&str] = &[
    "erased_at",
    "identity_ids",
    "link",
    "record_type",
    "records",
    "reinstate",
    "scope",
    "suppress",
];
/// The maximum number of identifiers or IDs in one row.
pub(crate) const MAX_FORGOTTEN: usize = 100;

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
    /// Maps a forget record to the erasure that it requests.
    pub(super) fn forget(&self, mut fields: Map, findings: &mut Findings) -> Option<MappedRecord> {
        let kind = findings.keep(kind(&mut fields));
        let scope = is_whole_profile(&mut fields, kind.unwrap_or(ForgetKind::Erase));
        let whole_profile = findings.keep(scope);
        let identities = findings.keep(self.forgotten(&mut fields));
        // The journal of erasures contains it for people. The version of the row decides what is erased.
        fields.remove("erased_at");
        // A known field is left if another one is invalid.
        fields.retain(|name, value| !OWN.contains(&name) && *value != Value::Null);
        self.check(&[], OWN, &mut fields, findings);
        reject_misspelled(findings);
        let (kind, whole_profile, mut identities) = (kind?, whole_profile?, identities?);
        identities.sort();
        identities.dedup();
        Some(MappedRecord {
            forget: Some(Forget {
                identities,
                whole_profile,
                kind,
            }),
            ..MappedRecord::default()
        })
    }

    /// Removes and parses the identities of a record: their IDs, or identifiers.
    fn forgotten(&self, fields: &mut Map) -> Result<Vec<IdentityId>, RowError> {
        let ids = fields.remove("identity_ids");
        if let Some(ids) = ids.filter(|ids| *ids != Value::Null) {
            let is_given = |name| fields.get(name).is_some_and(|value| *value != Value::Null);
            if is_given("link") || is_given("records") {
                let problem =
                    "must not be used together with `link` or `records`. Keep one of them.";
                return Err(field_error(
                    "identity_ids",
                    RowErrorCode::InvalidValue,
                    problem,
                ));
            }
            return identity_ids(&ids);
        }
        let links = self.forgotten_links(fields)?;
        // An email address has a second identity, under its MD5, which no other address has.
        let all = links
            .iter()
            .flat_map(|link| [Some(link.clone()), link.as_md5()])
            .flatten();
        Ok(all.map(|link| self.context.key.identity(&link)).collect())
    }

    /// Removes and parses the identifiers of a record.
    fn forgotten_links(&self, fields: &mut Map) -> Result<Vec<Identifier>, RowError> {
        let records = match (fields.remove("link"), fields.remove("records")) {
            (Some(link), None | Some(Value::Null)) => {
                let path = Path::Field(&Path::Record, "link");
                return Ok(vec![self.only_identifier(link, &path)?]);
            }
            (None | Some(Value::Null), Some(Value::List(records))) => records,
            (Some(_), Some(_)) => {
                let problem = "must not be used together with `link`. Keep one of them.";
                return Err(field_error("records", RowErrorCode::InvalidValue, problem));
            }
            (None, _) => {
                let problem = format!(
                    "is missing. Add it, or 1 to {MAX_FORGOTTEN} identifiers in `records`."
                );
                return Err(field_error("link", RowErrorCode::MissingField, problem));
            }
        };
        check_count("records", records.len())?;
        let path = Path::Field(&Path::Record, "records");
        let links = records.into_iter().enumerate();
        links
            .map(|(index, record)| self.named(record, &Path::Index(&path, index)))
            .collect()
    }
}

/// Parses the IDs of identities, as the API and the journal of erasures contain them.
fn identity_ids(ids: &Value) -> Result<Vec<IdentityId>, RowError> {
    let Value::List(ids) = ids else {
        let problem = "must be an array of IDs of identities.";
        return Err(field_error(
            "identity_ids",
            RowErrorCode::WrongType,
            problem,
        ));
    };
    check_count("identity_ids", ids.len())?;
    let path = Path::Field(&Path::Record, "identity_ids");
    let ids = ids.iter().enumerate().map(|(index, id)| {
        let id = id.as_text().and_then(|id| id.parse().ok());
        id.ok_or_else(|| {
            let problem = "must be the ID of an identity: 26 characters, as the API shows it.";
            RowError::at(
                &Path::Index(&path, index),
                RowErrorCode::InvalidValue,
                problem,
            )
        })
    });
    ids.collect()
}

/// Checks the number of identities of a record.
fn check_count(field: &str, count: usize) -> Result<(), RowError> {
    if (1..=MAX_FORGOTTEN).contains(&count) {
        return Ok(());
    }
    let what = if field == "records" {
        "identifiers"
    } else {
        "IDs"
    };
    let problem = format!(
        "has {count} {what}; it must have 1 to {MAX_FORGOTTEN}. Split the row if it has more."
    );
    Err(field_error(field, RowErrorCode::InvalidValue, problem))
}

/// Adds an error for each unknown field that may be a misspelled one. Without the option that the row means, other data would be
/// erased, and an erasure cannot be undone.
fn reject_misspelled(findings: &mut Findings) {
    let errors = findings.unknown.iter().filter_map(|field| {
        let problem = format!(
            "is not a field of a forget row. Rename it to `{}`, or remove it. The fields are {}.",
            meant(&field.name)?,
            OWN.join(", ")
        );
        Some(field_error(
            &field.name,
            RowErrorCode::UnknownField,
            problem,
        ))
    });
    findings.errors.extend(errors);
}

/// Returns the field that an unknown name probably means, such as `suppress` for `supress` and `suppressed`; `None` if it is a name of
/// its own, such as `reason`.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let contained = OPTIONS.into_iter().find(|option| name.contains(option));
    similar(&name, OWN.iter().copied()).or(contained)
}

/// Removes the fields that specify the effect of a record.
fn kind(fields: &mut Map) -> Result<ForgetKind, RowError> {
    let suppress = flag(fields, "suppress")?;
    let reinstate = flag(fields, "reinstate")?;
    match (suppress, reinstate) {
        (false, false) => Ok(ForgetKind::Erase),
        (true, false) => Ok(ForgetKind::Suppress),
        (false, true) => Ok(ForgetKind::Reinstate),
        (true, true) => {
            let problem = "must not be true together with `suppress`. Keep one of them.";
            let code = RowErrorCode::InvalidValue;
            Err(field_error("reinstate", code, problem))
        }
    }
}

/// Removes the scope of a record. Returns whether it is the whole profile.
fn is_whole_profile(fields: &mut Map, kind: ForgetKind) -> Result<bool, RowError> {
    let problem = match (fields.remove("scope"), kind) {
        (None | Some(Value::Null), _) => return Ok(false),
        (Some(Value::Text(scope)), _) if scope == "identity" => return Ok(false),
        (Some(_), ForgetKind::Reinstate) => {
            "must be identity in a `reinstate` row. Name each identity to reinstate."
        }
        (Some(Value::Text(scope)), _) if scope == "profile" => return Ok(true),
        (Some(_), _) => "must be identity or profile.",
    };
    Err(field_error("scope", RowErrorCode::InvalidValue, problem))
}
