//! Parses the fields of an identifier object: which of them name an identifier, and their values in the normal form.

use std::borrow::Cow;

use super::{
    Identifier, IdentifierError, IdentifierErrorCode, IdentifierRules, IdentifierType, Notation,
    Refusal, email, mobile, number, placeholder, printable, text,
};

const PLACEHOLDER_ID: Refusal = Refusal::placeholder(
    "is a placeholder such as null, 0 or N/A. It would merge all customers who have it. Use another identifier of the \
     customer.",
);
const PLACEHOLDER_DIGEST: Refusal = Refusal::placeholder(
    "is the hash of a placeholder such as an empty string. It would merge all customers who have it. Use another \
     identifier of the customer.",
);
const SHA256: Refusal = Refusal::invalid("must be 64 hexadecimal digits.");
const MD5: Refusal = Refusal::invalid("must be 32 hexadecimal digits.");

/// The value of a field of an identifier object.
#[derive(Clone, Debug)]
pub enum Scalar<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// A JSON number, as it was written.
    Number(Cow<'a, str>),
}

impl Scalar<'_> {
    /// Returns the value as a string.
    fn text(&self) -> Result<Cow<'_, str>, Refusal> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Number(number) => number::plain(number),
        }
    }
}

/// The fields of an identifier object, by their roles.
#[derive(Default)]
struct Fields<'a> {
    given: Option<(IdentifierType, Scalar<'a>)>,
    system: Option<Scalar<'a>>,
    legacy: Option<Legacy<'a>>,
}

/// The legacy form of an identifier object: `link_type`, `link_value` and `id_type`.
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
                            IdentifierErrorCode::Ambiguous,
                            "contains more than one identifier; the limit is 1. Keep one.",
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

/// The name of a field, for errors, and its value.
type Named<'a> = (&'static str, &'a Scalar<'a>);

/// The notation and rules with which values are parsed.
#[derive(Clone, Copy)]
pub(super) struct Parser {
    pub(super) notation: Notation,
    pub(super) rules: IdentifierRules,
}

impl Parser {
    /// Parses an identifier object, which must contain exactly one identifier and nothing else.
    pub(super) fn fields<'a>(
        self,
        fields: impl IntoIterator<Item = (&'a str, Scalar<'a>)>,
    ) -> Result<Identifier, IdentifierError> {
        let mut fields = Fields::new(fields)?;
        if let Some(legacy) = fields.legacy.take() {
            if fields.given.is_some() || fields.system.is_some() {
                return Err(IdentifierError::whole(
                    IdentifierErrorCode::Ambiguous,
                    "mixes `link_type` and `link_value` with another identifier. Use one of the two forms.",
                ));
            }
            return self.legacy(&legacy);
        }
        let Some((kind, value)) = fields.given else {
            return Err(IdentifierError::whole(
                IdentifierErrorCode::MissingField,
                "contains no identifier. Add exactly one, such as `email`.",
            ));
        };
        match (kind, &fields.system) {
            (IdentifierType::ExternalId, None) => Err(IdentifierError::field(
                "system_name",
                IdentifierErrorCode::MissingField,
                "is missing. Name the system that the `external_id` belongs to.",
            )),
            (IdentifierType::CustomerId | IdentifierType::ExternalId, _) | (_, None) => {
                let value = (kind.as_str(), &value);
                let system = fields.system.as_ref().map(|system| ("system_name", system));
                self.identifier(kind, value, system)
            }
            (_, Some(_)) => Err(IdentifierError::field(
                "system_name",
                IdentifierErrorCode::UnknownField,
                "is allowed only with `customer_id` or `external_id`. Remove it.",
            )),
        }
    }

    /// Builds an identifier from the normal forms of its value and its system.
    fn identifier(
        self,
        kind: IdentifierType,
        (field, value): Named<'_>,
        system: Option<Named<'_>>,
    ) -> Result<Identifier, IdentifierError> {
        let system = system.map(|(field, system)| {
            self.system(system)
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

    /// Parses the legacy form of an identifier object.
    fn legacy(self, legacy: &Legacy<'_>) -> Result<Identifier, IdentifierError> {
        let missing = |field, problem| {
            IdentifierError::field(field, IdentifierErrorCode::MissingField, problem)
        };
        let kind = legacy.kind.as_ref();
        let kind = kind.ok_or_else(|| {
            missing(
                "link_type",
                "is missing. Set it to the type of the identifier, such as email.",
            )
        })?;
        let name = kind.text().unwrap_or_default();
        let kind = IdentifierType::parse(name.trim()).ok_or_else(|| {
            IdentifierError::field(
                "link_type",
                IdentifierErrorCode::Invalid,
                "must be one of email, email_sha256, email_md5, customer_id, mobile, engage.id, external_id.",
            )
        })?;
        let value = legacy.value.as_ref();
        let value =
            value.ok_or_else(|| missing("link_value", "is missing. Set it to the identifier."))?;
        // Only the two kinds of ids have a system. For other kinds, `id_type` is ignored.
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

    /// Returns the normal form of a value.
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

    /// Returns the normal form of an id.
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

    /// Returns the normal form of a system's name.
    fn system(self, value: &Scalar<'_>) -> Result<String, Refusal> {
        Ok(text::normal_form(&value.text()?, self.notation)?.into_owned())
    }
}

/// Returns the normal form of a hexadecimal hash with this number of digits; `refusal` is the error for anything else.
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

/// Returns whether an identifier object can contain a field of this name.
pub(super) fn is_known(name: &str) -> bool {
    let is_identifier =
        IdentifierType::parse(name).is_some_and(|kind| kind != IdentifierType::EngageId);
    is_identifier || matches!(name, "system_name" | "link_type" | "link_value" | "id_type")
}

pub(super) fn unknown_field(name: &str) -> IdentifierError {
    IdentifierError::field(
        &printable(name),
        IdentifierErrorCode::UnknownField,
        "is not a field of an identifier. Use email, email_sha256, email_md5, mobile, customer_id or external_id, and system_name \
         for the last two.",
    )
}
