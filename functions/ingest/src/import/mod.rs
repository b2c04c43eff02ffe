//! Imports dropped objects. In: the object that a notification names. Out: the object's rows in the table and its report in the
//! bucket, after one or more invocations.

pub(crate) mod drop_key;
mod inspect;
pub(crate) mod manifest;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod range;
mod replaced;
pub(crate) mod run;
