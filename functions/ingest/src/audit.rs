//! Writes audit lines: who dropped a file, and which identities it erases.

use shared::{
    model::{identity::IdentityId, version::ImportId},
    runtime::audit::{self, Outcome, Value},
};

use crate::source::notification::ObjectVersion;

/// The maximum number of identities in a line.
const MAX_IDENTITIES: usize = 100;

/// The parts of the key of a dropped file that audit lines contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyParts {
    /// The folder: a record type, a mapping, `auto` or `mixed`. Empty if it is none of these.
    pub(crate) import_type: String,
    /// The upload through the API that put the file, or an empty string.
    pub(crate) upload: String,
}

/// The effect of a file on identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Erased,
    Reinstated,
}

/// Records that an import begins, or why it does not. A repeated event may write a further line.
pub(crate) fn import(object: &ObjectVersion, parts: &KeyParts, outcome: Outcome) {
    let import = object.import().to_string();
    let origin = &object.origin;
    audit::write(
        "import",
        outcome,
        &[
            ("import", Value::Text(&import)),
            ("import_type", Value::Text(&parts.import_type)),
            ("upload", Value::Text(&parts.upload)),
            ("principal", Value::Text(&origin.principal)),
            ("source_ip", Value::Text(&origin.source_ip)),
            ("request_id", Value::Text(&origin.request_id)),
        ],
    );
}

/// Records the identities that a row of an import erases or reinstates. A row that is executed again writes further lines.
pub(crate) fn identities(effect: Effect, import: ImportId, identities: &[IdentityId]) {
    let action = match effect {
        Effect::Erased => "erasure",
        Effect::Reinstated => "reinstatement",
    };
    let import = import.to_string();
    for identities in identities.chunks(MAX_IDENTITIES) {
        let ids: Vec<_> = identities.iter().map(IdentityId::as_str).collect();
        audit::write(
            action,
            Outcome::Ok,
            &[
                ("import", Value::Text(&import)),
                ("profiles", Value::Text(&ids.join(" "))),
            ],
        );
    }
}
