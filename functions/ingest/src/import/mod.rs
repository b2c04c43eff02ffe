//! Imports a dropped object. Takes the object's key; writes its report after one or more invocations.

pub(crate) mod drop_key;
pub(crate) mod manifest;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod range;
pub(crate) mod run;
