//! What was changed or left out of a row that was imported.

use std::fmt;

use crate::names::named;

named! {
    /// The kinds of warnings. `infra/docs/reference/errors.md` explains each to the person who dropped the file.
    WarningCode {
        /// The file has no content.
        EmptyFile = "empty_file",
        /// The file is the first one of its source.
        NewSource = "new_source",
        /// The mapping made no record of any row.
        NoRecords = "no_records",
        /// Text that is not UTF-8 was read as Windows-1252.
        Windows1252 = "windows_1252",
        /// Bytes or halves of surrogate pairs that cannot be read became U+FFFD.
        ReplacedCharacters = "replaced_characters",
        /// `NaN` or an infinity was left out.
        NotANumber = "not_a_number",
        /// A number that cannot be stored exactly was kept as a string.
        NumberAsText = "number_as_text",
        /// A JSON string contains control characters that should be escaped. They were kept.
        ControlCharacters = "control_characters",
        /// A cell in a column without a name was left out.
        UnnamedColumn = "unnamed_column",
        /// The file lacks a column that a condition, a computation or a currency of the mapping uses.
        MissingColumn = "missing_column",
        /// Adjacent rows of one order are identical, and count once.
        IdenticalRows = "identical_rows",
        /// A later row of the file replaced the row.
        ReplacedInFile = "replaced_in_file",
        /// A field that breaks its rule was left out, and kept as text under `invalid_fields`.
        InvalidField = "invalid_field",
        /// A required field is missing, without which the row can be placed and counted.
        MissingField = "missing_field",
        /// An identifier of a `unify` row was left out.
        IdentifierLeftOut = "identifier_left_out",
        /// The name of an unknown field resembles a known one.
        SimilarField = "similar_field",
        /// An amount was rounded.
        RoundedAmount = "rounded_amount",
        /// A card number was masked.
        MaskedCard = "masked_card",
        /// A revert or a replay skipped a forget row.
        SkippedErasure = "skipped_erasure",
        /// Only the beginning of the file was tried.
        PartTried = "part_tried",
    }
}

/// Something that was changed or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) code: WarningCode,
    /// The path of the field, such as `products[1].price_paid`; `None` if the warning concerns the row or the file.
    pub(crate) field: Option<String>,
}

impl Warning {
    /// Creates a warning about the whole row or file.
    pub(crate) const fn whole(code: WarningCode) -> Self {
        Self { code, field: None }
    }

    /// Creates a warning about a field.
    pub(crate) fn at(code: WarningCode, path: &impl fmt::Display) -> Self {
        Self {
            code,
            field: Some(path.to_string()),
        }
    }
}
