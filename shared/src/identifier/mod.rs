//! Identifiers: how files and clients name a customer. In: the fields of an identifier object, as they were written.
//! Out: one identifier in its normal form, the same for every spelling. What an identifier is hashed to is in `identity`.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::value::{Map, Value};

mod calling_code;
mod email;
mod mobile;
mod number;
mod placeholder;
#[cfg(test)]
mod tests;
mod text;

pub use calling_code::{CallingCode, CallingCodeError};

/// The most bytes that a part of an identifier may have, in its normal form.
pub const MAX_PART_BYTES: usize = 256;

/// What kind of name an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierType {
    /// An email address.
    Email,
    /// The lowercase hex SHA-256 of an address in its normal form. Names the same identity as the address.
    EmailSha256,
    /// The lowercase hex MD5 of an address in its normal form.
    EmailMd5,
    /// A telephone number with its country code: digits only.
    Mobile,
    /// A customer's id, in the named system or in none.
    CustomerId,
    /// An id of another system.
    ExternalId,
    /// An id of the legacy type `engage.id`.
    EngageId,
}

impl IdentifierType {
    /// The name as files and responses write it.
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

/// The stack's part of the normal forms. Files and look-ups of one table need the same rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentifierRules {
    /// The country of phone numbers without a country code.
    pub calling_code: Option<CallingCode>,
}

/// Where an identifier was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// In JSON: a text is what was meant.
    Json,
    /// In a CSV cell: spreadsheets guard texts (`'00123`), and scripts write ids as floats (`1017.0`).
    Csv,
}

/// The value of a field of an identifier object.
#[derive(Clone, Debug)]
pub enum Scalar<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A JSON number, as it was written.
    Number(Cow<'a, str>),
}

impl Scalar<'_> {
    /// The value as a text.
    fn text(&self) -> Result<Cow<'_, str>, Refusal> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Number(number) => number::plain(number),
        }
    }
}

/// One identifier in its normal form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    kind: IdentifierType,
    system: Option<String>,
    value: String,
}

/// Why an object is not an identifier. Says what was expected and never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}")]
pub struct IdentifierError {
    /// The field at fault, inside the object; `None` for the object as a whole.
    pub field: Option<String>,
    /// The rule broken: `unknown_field`, `missing_field`, `ambiguous_identifier`, `wrong_type`, `invalid_value`,
    /// `placeholder_identifier`, `rounded_identifier`.
    pub code: &'static str,
    /// What was expected there.
    pub expected: String,
}

impl IdentifierError {
    fn whole(code: &'static str, expected: &str) -> Self {
        Self {
            field: None,
            code,
            expected: expected.to_owned(),
        }
    }

    fn field(field: &str, code: &'static str, expected: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            code,
            expected: expected.to_owned(),
        }
    }

    fn refused(field: &str, refusal: Refusal) -> Self {
        Self::field(field, refusal.code, refusal.expected)
    }

    /// Whether the object names an identifier whose value can't be used. A `unify` row leaves such an identifier out.
    pub fn is_of_value(&self) -> bool {
        [INVALID, PLACEHOLDER, ROUNDED].contains(&self.code)
    }
}

const INVALID: &str = "invalid_value";
const PLACEHOLDER: &str = "placeholder_identifier";
const ROUNDED: &str = "rounded_identifier";

/// Why a value has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    code: &'static str,
    expected: &'static str,
}

impl Refusal {
    const fn invalid(expected: &'static str) -> Self {
        Self {
            code: INVALID,
            expected,
        }
    }

    const fn placeholder(expected: &'static str) -> Self {
        Self {
            code: PLACEHOLDER,
            expected,
        }
    }

    const fn rounded(expected: &'static str) -> Self {
        Self {
            code: ROUNDED,
            expected,
        }
    }
}

const PLACEHOLDER_ID: Refusal = Refusal::placeholder(
    "a customer's own id, not a placeholder such as null, 0 or N/A, which would merge all customers who have it: leave it out",
);
const PLACEHOLDER_DIGEST: Refusal = Refusal::placeholder(
    "the hash of a customer's own address, not of a placeholder such as an empty text, which would merge all customers \
     who have it: leave it out",
);
const SHA256: Refusal = Refusal::invalid("64 hexadecimal digits");
const MD5: Refusal = Refusal::invalid("32 hexadecimal digits");

impl Identifier {
    /// Parses the fields of an identifier object: exactly one identifier, and nothing else in it.
    ///
    /// # Errors
    /// Names the first field at fault.
    pub fn from_fields<'a>(
        fields: impl IntoIterator<Item = (&'a str, Scalar<'a>)>,
        notation: Notation,
        rules: IdentifierRules,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Fields::new(fields)?;
        let parser = Parser { notation, rules };
        if let Some(legacy) = fields.legacy.take() {
            if fields.given.is_some() || fields.system.is_some() {
                return Err(IdentifierError::whole(
                    "ambiguous_identifier",
                    "either link_type and link_value, or exactly one identifier",
                ));
            }
            return parser.legacy(&legacy);
        }
        let Some((kind, value)) = fields.given else {
            return Err(IdentifierError::whole(
                "missing_field",
                "exactly one identifier",
            ));
        };
        match (kind, &fields.system) {
            (IdentifierType::ExternalId, None) => Err(IdentifierError::field(
                "system_name",
                "missing_field",
                "the system that the external_id belongs to",
            )),
            (IdentifierType::CustomerId | IdentifierType::ExternalId, _) | (_, None) => {
                let value = (kind.as_str(), &value);
                let system = fields.system.as_ref().map(|system| ("system_name", system));
                parser.identifier(kind, value, system)
            }
            (_, Some(_)) => Err(IdentifierError::field(
                "system_name",
                "unknown_field",
                "system_name only beside customer_id or external_id",
            )),
        }
    }

    /// Parses an identifier object of JSON, as `POST /profiles/lookup` takes it. Numbers keep their digits, and `null` is an
    /// absent field.
    ///
    /// # Errors
    /// Names the first field at fault.
    pub fn from_raw_json(
        object: &BTreeMap<String, Box<RawValue>>,
        rules: IdentifierRules,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, raw) in object {
            let raw = raw.get();
            let scalar = match raw.as_bytes().first() {
                Some(b'n') => continue,
                Some(b'"') => Scalar::Text(text_of(name, raw)?),
                Some(b'-' | b'0'..=b'9') => Scalar::Number(Cow::Borrowed(raw)),
                _ => return Err(wrong_type(name)),
            };
            fields.push((name.as_str(), scalar));
        }
        Self::from_fields(fields, Notation::Json, rules)
    }

    /// Parses an identifier object of JSON by the rules of a stack without a calling code. A number has the digits that
    /// `serde_json` has kept.
    ///
    /// # Errors
    /// Names the first field at fault.
    pub fn from_json(
        object: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, value) in object {
            let scalar = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => Scalar::Text(Cow::Borrowed(text)),
                serde_json::Value::Number(number) => Scalar::Number(number.to_string().into()),
                _ => return Err(wrong_type(name)),
            };
            fields.push((name.as_str(), scalar));
        }
        Self::from_fields(fields, Notation::Json, IdentifierRules::default())
    }

    /// Reads an identifier back from an item's `link`, which holds the normal form.
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

    /// The form that an item's `link` stores.
    pub fn to_item(&self) -> Map {
        let mut map = Map::new();
        map.insert(self.kind.as_str(), self.value.as_str());
        if let Some(system) = &self.system {
            map.insert("system_name", system.as_str());
        }
        map
    }

    /// The kind of name.
    pub const fn kind(&self) -> IdentifierType {
        self.kind
    }

    /// The normal form: personal data.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The system that the id belongs to.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// The same address as its MD5, which names an identity of its own; `None` for what is not an address.
    #[must_use]
    pub fn as_md5(&self) -> Option<Self> {
        let address = (self.kind == IdentifierType::Email).then_some(&self.value)?;
        Some(Self {
            kind: IdentifierType::EmailMd5,
            system: None,
            value: data_encoding::HEXLOWER.encode(&md5::Md5::digest(address.as_bytes())),
        })
    }

    /// Type, system and value under which the identity is hashed: an address goes by its SHA-256.
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

/// Names the type alone: a value is personal data and must not reach a log.
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

/// The fields of an identifier object by their roles.
#[derive(Default)]
struct Fields<'a> {
    given: Option<(IdentifierType, Scalar<'a>)>,
    system: Option<Scalar<'a>>,
    legacy: Option<Legacy<'a>>,
}

/// The older form of an identifier object.
#[derive(Default)]
struct Legacy<'a> {
    kind: Option<Scalar<'a>>,
    value: Option<Scalar<'a>>,
    id_type: Option<Scalar<'a>>,
}

impl<'a> Fields<'a> {
    fn new(
        fields: impl IntoIterator<Item = (&'a str, Scalar<'a>)>,
    ) -> Result<Self, IdentifierError> {
        let mut found = Self::default();
        for (name, value) in fields {
            let slot = match name {
                "system_name" => &mut found.system,
                "link_type" => &mut found.legacy.get_or_insert_default().kind,
                "link_value" => &mut found.legacy.get_or_insert_default().value,
                "id_type" => &mut found.legacy.get_or_insert_default().id_type,
                name => {
                    let kind = IdentifierType::parse(name)
                        .filter(|kind| *kind != IdentifierType::EngageId)
                        .ok_or_else(|| unknown_field(name))?;
                    if found.given.replace((kind, value)).is_some() {
                        return Err(IdentifierError::whole(
                            "ambiguous_identifier",
                            "exactly one identifier",
                        ));
                    }
                    continue;
                }
            };
            *slot = Some(value);
        }
        Ok(found)
    }
}

/// A field and its value.
type Named<'a> = (&'static str, &'a Scalar<'a>);

/// How values are read.
#[derive(Clone, Copy)]
struct Parser {
    notation: Notation,
    rules: IdentifierRules,
}

impl Parser {
    fn identifier(
        self,
        kind: IdentifierType,
        (field, value): Named<'_>,
        system: Option<Named<'_>>,
    ) -> Result<Identifier, IdentifierError> {
        let system = system.map(|(field, system)| {
            self.part(system)
                .map_err(|refusal| IdentifierError::refused(field, refusal))
        });
        Ok(Identifier {
            kind,
            system: system.transpose()?,
            value: self
                .value(kind, value)
                .map_err(|refusal| IdentifierError::refused(field, refusal))?,
        })
    }

    fn legacy(self, legacy: &Legacy<'_>) -> Result<Identifier, IdentifierError> {
        let missing = |field, expected| IdentifierError::field(field, "missing_field", expected);
        let kind = legacy.kind.as_ref();
        let kind = kind.ok_or_else(|| missing("link_type", "a link_type"))?;
        let name = kind.text().unwrap_or_default();
        let kind = IdentifierType::parse(name.trim()).ok_or_else(|| {
            IdentifierError::field(
                "link_type",
                INVALID,
                "one of email, email_sha256, email_md5, customer_id, mobile, engage.id, external_id",
            )
        })?;
        let value = legacy.value.as_ref();
        let value = value.ok_or_else(|| missing("link_value", "a link_value"))?;
        // A system means something to the two kinds of ids alone; elsewhere id_type says nothing.
        let has_system = matches!(
            kind,
            IdentifierType::CustomerId | IdentifierType::ExternalId
        );
        let is_default = |id_type: &&Scalar<'_>| {
            id_type
                .text()
                .is_ok_and(|id_type| id_type.trim() == "default")
        };
        let system = legacy.id_type.as_ref().filter(|_| has_system);
        let system = system
            .filter(|id_type| !is_default(id_type))
            .map(|id_type| ("id_type", id_type));
        self.identifier(kind, ("link_value", value), system)
    }

    /// The normal form of a value.
    fn value(self, kind: IdentifierType, value: &Scalar<'_>) -> Result<String, Refusal> {
        if let (IdentifierType::Mobile, Scalar::Number(number)) = (kind, value) {
            return mobile::of_number(number, self.rules);
        }
        let text = value.text()?;
        let text = text::normal_form(&text, self.notation)?;
        match kind {
            IdentifierType::Email => {
                let address = email::normal_form(&text)?;
                text::check_length(&address)?;
                Ok(address)
            }
            IdentifierType::EmailSha256 => digest(&text, 64, SHA256),
            IdentifierType::EmailMd5 => digest(&text, 32, MD5),
            IdentifierType::Mobile => mobile::normal_form(&text, self.rules),
            IdentifierType::CustomerId | IdentifierType::ExternalId | IdentifierType::EngageId => {
                self.id(text)
            }
        }
    }

    fn id(self, text: Cow<'_, str>) -> Result<String, Refusal> {
        let id = match self.notation {
            Notation::Json => &text,
            Notation::Csv => number::without_zero_fraction(&text),
        };
        if placeholder::is_id(id) {
            return Err(PLACEHOLDER_ID);
        }
        if number::is_rounded(id) {
            return Err(number::ROUNDED);
        }
        if id.len() < text.len() {
            return Ok(id.to_owned());
        }
        Ok(text.into_owned())
    }

    /// The normal form of a system's name.
    fn part(self, value: &Scalar<'_>) -> Result<String, Refusal> {
        Ok(text::normal_form(&value.text()?, self.notation)?.into_owned())
    }
}

fn digest(text: &str, digits: usize, refusal: Refusal) -> Result<String, Refusal> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refusal);
    }
    let digest = text.to_ascii_lowercase();
    if placeholder::is_digest(&digest) {
        return Err(PLACEHOLDER_DIGEST);
    }
    Ok(digest)
}

fn text_of(name: &str, raw: &str) -> Result<Cow<'static, str>, IdentifierError> {
    serde_json::from_str(raw).map(Cow::Owned).map_err(|_| {
        IdentifierError::field(&printable(name), INVALID, "a string of whole characters")
    })
}

fn wrong_type(name: &str) -> IdentifierError {
    IdentifierError::field(&printable(name), "wrong_type", "a string")
}

fn unknown_field(name: &str) -> IdentifierError {
    IdentifierError::field(
        &printable(name),
        "unknown_field",
        "one of email, email_sha256, email_md5, mobile, customer_id, external_id, system_name",
    )
}

/// A field's name fit for an error: a client chose it, so it is cut short and cleaned.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
