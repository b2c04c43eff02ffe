//! Handles the mappings of teams. In: objects under `mappings/`. Out: their documents, for imports, and a report on each mapping that
//! is put.
//!
//! `name` derives the name of a mapping from its key. `read` reads mappings from the bucket. `check` validates a mapping that was put,
//! and `report` puts the result.

pub(crate) mod check;
pub(crate) mod name;
pub(crate) mod read;
mod report;
