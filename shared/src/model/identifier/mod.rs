//! Identifiers: how files and clients name a customer. In: the fields of an identifier object, as written. Out: one
//! identifier in its normal form, the same for every spelling. `identity` hashes identifiers to ids.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::model::value::{Map, Value};

mod calling_code;
mod email;
mod mobile;
mod number;
mod parse;
mod placeholder;
#[cfg(test)]
mod tests;
mod text;

pub use calling_code::{CallingCode, CallingCodeError};
use parse::Parser;
pub use parse::Scalar;

/// The maximum size of a component of an identifier in its normal form, in bytes.
pub const MAX_PART_BYTES: usize = 256;

/// The type of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierType {
    /// An email address.
    Email,
    /// The lowercase hexadecimal SHA-256 of an address in its normal form. It names the same identity as the address.
    EmailSha256,
    /// The lowercase hexadecimal MD5 of an address in its normal form.
    EmailMd5,
    /// A phone number with its country code, digits only.
    Mobile,
    /// A customer's id, in a named system or in none.
    CustomerId,
    /// An id in another system.
    ExternalId,
    /// An id of the legacy type `engage.id`.
    EngageId,
}

impl IdentifierType {
    /// Returns the name in files and responses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailSha256 => "email_sha256",
            Self::EmailMd5 => "email_md5",
            Self::Mobile => "mobile",
            Self::CustomerId => "customer_id",
            Self::ExternalId => "external_id",
            Self::EngageId => "engage.id",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [
            Self::Email,
            Self::EmailSha256,
            Self::EmailMd5,
            Self::Mobile,
            Self::CustomerId,
            Self::ExternalId,
            Self::EngageId,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

/// The settings of a stack that affect normal forms. Files and lookups of one table need the same rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentifierRules {
    /// The country of phone numbers without a country code.
    pub calling_code: Option<CallingCode>,
}

/// The format in which an identifier was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// JSON: a string is used as it is.
    Json,
    /// CSV: spreadsheets add guards to cells (`'00123`), and scripts write ids as floats (`1017.0`).
    Csv,
}

/// One identifier in its normal form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    kind: IdentifierType,
    system: Option<String>,
    value: String,
}

/// The rules for identifiers that an object can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierErrorCode {
    /// The field does not belong to an identifier.
    UnknownField,
    /// A field is missing.
    MissingField,
    /// The object contains more than one identifier.
    Ambiguous,
    /// The value has another type.
    WrongType,
    /// The value has no normal form.
    Invalid,
    /// The value is a placeholder that would merge unrelated customers.
    Placeholder,
    /// The value lost digits in a spreadsheet.
    Rounded,
}

/// Why an object is not an identifier. The message states the broken rule and the fix, and never repeats the given value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct IdentifierError {
    /// The field with the error, inside the object; `None` for the object as a whole.
    pub field: Option<String>,
    /// The broken rule.
    pub code: IdentifierErrorCode,
    /// What is wrong with the field or the object, and how to fix it. A predicate such as `must be a string.`
    pub problem: String,
}

impl fmt::Display for IdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "`{field}` {}", self.problem),
            None => write!(f, "The object {}", self.problem),
        }
    }
}

impl IdentifierError {
    fn whole(code: IdentifierErrorCode, problem: &str) -> Self {
        Self {
            field: None,
            code,
            problem: problem.to_owned(),
        }
    }

    fn field(field: &str, code: IdentifierErrorCode, problem: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            code,
            problem: problem.to_owned(),
        }
    }

    /// Returns the error for a field whose value is neither a string nor a number. An unknown name is the first error to correct.
    pub fn not_scalar(name: &str) -> Self {
        if parse::is_known(name) {
            let problem = "must be a string. Leave out a field that has no value.";
            return Self::field(&printable(name), IdentifierErrorCode::WrongType, problem);
        }
        let mut error = parse::unknown_field(name);
        error.problem += " Do not nest them in another object.";
        error
    }

    fn refused(field: &str, refusal: Refusal) -> Self {
        Self::field(field, refusal.code, refusal.problem)
    }
}

/// Why a value has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    code: IdentifierErrorCode,
    /// What is wrong with the value, as in [`IdentifierError`].
    problem: &'static str,
}

impl Refusal {
    const fn invalid(problem: &'static str) -> Self {
        Self {
            code: IdentifierErrorCode::Invalid,
            problem,
        }
    }

    const fn placeholder(problem: &'static str) -> Self {
        Self {
            code: IdentifierErrorCode::Placeholder,
            problem,
        }
    }

    const fn rounded(problem: &'static str) -> Self {
        Self {
            code: IdentifierErrorCode::Rounded,
            problem,
        }
    }
}

impl Identifier {
    /// Parses the fields of an identifier object, which must contain exactly one identifier and nothing else.
    ///
    /// # Errors
    /// A field is not valid. The error names the first such field.
    pub fn from_fields<'a>(
        fields: impl IntoIterator<Item = (&'a str, Scalar<'a>)>,
        notation: Notation,
        rules: IdentifierRules,
    ) -> Result<Self, IdentifierError> {
        Parser { notation, rules }.fields(fields)
    }

    /// Parses an identifier object in JSON, as in `POST /profiles/lookup`. Numbers keep their digits. Unlike in files, `null` is
    /// not an absent field.
    ///
    /// # Errors
    /// A field is not valid. The error names the first such field.
    pub fn from_raw_json(
        object: &BTreeMap<String, Box<RawValue>>,
        rules: IdentifierRules,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, raw) in object {
            let raw = raw.get();
            let scalar = match raw.as_bytes().first() {
                Some(b'"') => Scalar::Text(text_of(name, raw)?),
                Some(b'-' | b'0'..=b'9') => Scalar::Number(Cow::Borrowed(raw)),
                _ => return Err(IdentifierError::not_scalar(name)),
            };
            fields.push((name.as_str(), scalar));
        }
        Self::from_fields(fields, Notation::Json, rules)
    }

    /// Parses an identifier object in JSON by the rules of a stack without a calling code. A number has the digits that
    /// `serde_json` kept.
    ///
    /// # Errors
    /// A field is not valid. The error names the first such field.
    pub fn from_json(
        object: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, value) in object {
            let scalar = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => Scalar::Text(Cow::Borrowed(text)),
                serde_json::Value::Number(number) => Scalar::Number(number.to_string().into()),
                _ => return Err(IdentifierError::not_scalar(name)),
            };
            fields.push((name.as_str(), scalar));
        }
        Self::from_fields(fields, Notation::Json, IdentifierRules::default())
    }

    /// Reads an identifier from an item's `link`, which contains the normal form.
    pub fn from_item(map: &Map) -> Option<Self> {
        let system = map.text("system_name").map(str::to_owned);
        map.iter().find_map(|(name, value)| {
            Some(Self {
                kind: IdentifierType::parse(name)?,
                system: system.clone(),
                value: value.as_text()?.to_owned(),
            })
        })
    }

    /// Returns the form that an item's `link` stores.
    pub fn to_item(&self) -> Map {
        let mut map = Map::new();
        map.insert(self.kind.as_str(), self.value.as_str());
        if let Some(system) = &self.system {
            map.insert("system_name", system.as_str());
        }
        map
    }

    /// Returns the type of the identifier.
    pub const fn kind(&self) -> IdentifierType {
        self.kind
    }

    /// Returns the normal form. It is personal data.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the system that the id belongs to.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Returns the MD5 of an address, which names an identity of its own. `None` if the identifier is not an address.
    #[must_use]
    pub fn as_md5(&self) -> Option<Self> {
        let address = (self.kind == IdentifierType::Email).then_some(&self.value)?;
        Some(Self {
            kind: IdentifierType::EmailMd5,
            system: None,
            value: data_encoding::HEXLOWER.encode(&md5::Md5::digest(address.as_bytes())),
        })
    }

    /// Returns the type, system and value with which the identity is hashed. For an address, the value is its SHA-256.
    pub(crate) fn canonical(&self) -> (&'static str, &str, Cow<'_, str>) {
        match self.kind {
            IdentifierType::Email => {
                let digest = Sha256::digest(self.value.as_bytes());
                (
                    "email",
                    "",
                    Cow::Owned(data_encoding::HEXLOWER.encode(&digest)),
                )
            }
            IdentifierType::EmailSha256 => ("email", "", Cow::Borrowed(&self.value)),
            kind => (
                kind.as_str(),
                self.system.as_deref().unwrap_or(""),
                Cow::Borrowed(&self.value),
            ),
        }
    }
}

/// Reads an ID of a CSV cell, for example of an order, by the rules of identifiers: without the guards of spreadsheets and a zero
/// fraction.
///
/// # Errors
/// The ID lost digits in a spreadsheet. The error states the problem and its fix.
pub fn id_of_cell(cell: &str) -> Result<&str, &'static str> {
    let is_changed = |first: char| first.is_ascii_digit() || "+-'=".contains(first);
    if !cell.trim_start().starts_with(is_changed) {
        return Ok(cell);
    }
    let id = number::without_zero_fraction(text::trimmed(cell, Notation::Csv));
    // Spreadsheets write the exponent of a large number with a plus sign. `2E-10` and `15E3` can be product codes.
    if id.contains('+') && number::is_rounded(id) {
        return Err(number::ROUNDED.problem);
    }
    Ok(id)
}

/// Prints the type only, because the value is personal data and must not be logged.
impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifier")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl From<&Identifier> for Value {
    fn from(identifier: &Identifier) -> Self {
        Self::Map(identifier.to_item())
    }
}

fn text_of(name: &str, raw: &str) -> Result<Cow<'static, str>, IdentifierError> {
    serde_json::from_str(raw).map(Cow::Owned).map_err(|_| {
        IdentifierError::field(
            &printable(name),
            IdentifierErrorCode::Invalid,
            "contains an incomplete Unicode escape. Send complete characters.",
        )
    })
}

/// Returns a field's name for an error message: at most 64 characters without control characters, because a client
/// chose it.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
