//! Imports dropped objects. In: the object that a notification names. Out: the object's rows in the table and its report in the
//! bucket, after one or more invocations.

pub(crate) mod account;
pub(crate) mod candidates;
pub(crate) mod choice;
pub(crate) mod drop_key;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod manifest;
pub(crate) mod mappings;
pub(crate) mod objects;
pub(crate) mod open;
pub(crate) mod operation;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod range;
pub(crate) mod reading;
pub(crate) mod replaced;
pub(crate) mod run;
