//! Maps the rows of other systems' exports to records. In: a mapping, which is a JSON document, and the rows of a file. Out: the
//! records that `record` stores, or the faults of the mapping.
//!
//! `parse` and `options` read the document, `validate` checks it against the record types, `binding` finds its columns once a file,
//! and `map` applies it to each row. The mapping knows neither S3 nor DynamoDB.

mod absent;
mod binding;
mod budget;
mod builtin;
mod cell;
mod condition;
mod document;
mod fault;
mod map;
mod missing;
mod name;
mod options;
mod parse;
mod read;
mod recognize;
mod scope;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod validate;
mod value;

pub(crate) use absent::absent_columns;
pub(crate) use binding::Binding;
pub(crate) use builtin::{BUILT_IN, built_in};
#[cfg(test)]
pub(crate) use document::InputOptions;
pub(crate) use document::Mapping;
pub(crate) use fault::{Fault, Severity};
#[cfg(test)]
pub(crate) use map::Mapped;
pub(crate) use map::map;
pub(crate) use missing::missing_columns;
pub(crate) use name::find;
pub(crate) use read::Identifiers;
pub(crate) use recognize::{
    Candidate, Nearest, Owner, Recognized, Shown, built_in_candidates, recognize,
};
pub(crate) use scope::{Context, FileName, Row};

/// The maximum size of the document of a mapping, in bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 64 << 10;

impl Mapping {
    /// Reads a mapping. Returns it with its warnings.
    ///
    /// # Errors
    /// The mapping cannot be used. The faults are all that were found, each with its place.
    pub(crate) fn read(text: &[u8]) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let mut faults = fault::Faults::default();
        let mapping = parse::parse(text, &mut faults);
        validate::validate(&mapping, &mut faults);
        let faults = faults.0;
        if faults.iter().any(|fault| fault.severity == Severity::Error) {
            Err(faults)
        } else {
            Ok((mapping, faults))
        }
    }
}
