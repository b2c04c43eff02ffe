//! Drives an import. In goes the key of a dropped object; out comes its report, after one invocation or several.

pub(crate) mod drop_key;
pub(crate) mod manifest;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod range;
pub(crate) mod run;
