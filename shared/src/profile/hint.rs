//! Hints: why a lookup may have found nothing.

use serde::Serialize;

use super::Identity;
use crate::model::identity::IdentityId;

/// What to try instead of the identifier that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HintCode {
    /// The same id exists in another system, or without one.
    OtherSystem,
    /// A customer record contains the id, but the record's link is another identifier.
    InRecord,
    /// The phone number has neither `+` nor `00`, so its first digits were read as the country code.
    CountryCode,
}

/// One reason why a lookup may have found nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Hint {
    /// The reason.
    pub code: HintCode,
    /// The profile to which the reason leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<IdentityId>,
    /// The identity of that profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl Hint {
    /// Creates a hint without a profile.
    pub const fn new(code: HintCode) -> Self {
        Self {
            code,
            profile: None,
            identity: None,
        }
    }
}
