//! Identifiers: the ways in which files and clients name a customer, and their one normal form.
//! Not here: what an identifier is hashed to (`identity`).

use std::{borrow::Cow, fmt};

use sha2::{Digest as _, Sha256};

use crate::value::{Map, Value};

/// The most bytes that a part of an identifier may have.
pub const MAX_PART_BYTES: usize = 256;

/// What kind of name an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierType {
    /// An e-mail address.
    Email,
    /// The lowercase hex SHA-256 of a normalised e-mail address. Names the same identity as the address.
    EmailSha256,
    /// The lowercase hex MD5 of a normalised e-mail address.
    EmailMd5,
    /// A telephone number with its international code: digits only.
    Mobile,
    /// A customer's id, in the named system or in none.
    CustomerId,
    /// An id of another system.
    ExternalId,
    /// An id of the legacy type `engage.id`.
    EngageId,
}

impl IdentifierType {
    /// The name as it stands in files and answers.
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
    /// The rule broken: `unknown_field`, `missing_field`, `ambiguous_identifier`, `invalid_value`.
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
}

impl Identifier {
    /// Parses the fields of an identifier object: exactly one identifier, and nothing else in it.
    ///
    /// # Errors
    /// Names the first field at fault.
    pub fn from_fields<'a>(
        fields: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Self, IdentifierError> {
        let mut given: Option<(IdentifierType, Cow<'a, str>)> = None;
        let (mut system, mut legacy_type, mut legacy_value, mut legacy_id_type) =
            (None, None, None, None);
        for (name, value) in fields {
            let slot = match name.as_ref() {
                "system_name" => &mut system,
                "link_type" => &mut legacy_type,
                "link_value" => &mut legacy_value,
                "id_type" => &mut legacy_id_type,
                name => {
                    let kind = IdentifierType::parse(name)
                        .filter(|kind| *kind != IdentifierType::EngageId)
                        .ok_or_else(|| {
                            IdentifierError::field(
                                &printable(name),
                                "unknown_field",
                                "one of email, email_sha256, email_md5, mobile, customer_id, external_id, system_name",
                            )
                        })?;
                    if given.replace((kind, value)).is_some() {
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
        if legacy_type.is_some() || legacy_value.is_some() || legacy_id_type.is_some() {
            if given.is_some() || system.is_some() {
                return Err(IdentifierError::whole(
                    "ambiguous_identifier",
                    "either link_type and link_value, or exactly one identifier",
                ));
            }
            return Self::from_legacy(legacy_type, legacy_value, legacy_id_type);
        }
        let Some((kind, value)) = given else {
            return Err(IdentifierError::whole(
                "missing_field",
                "exactly one identifier",
            ));
        };
        match kind {
            IdentifierType::ExternalId if system.is_none() => {
                return Err(IdentifierError::field(
                    "system_name",
                    "missing_field",
                    "the system that the external_id belongs to",
                ));
            }
            IdentifierType::CustomerId | IdentifierType::ExternalId => {}
            _ if system.is_some() => {
                return Err(IdentifierError::field(
                    "system_name",
                    "unknown_field",
                    "system_name only beside customer_id or external_id",
                ));
            }
            _ => {}
        }
        Self::new(kind, &value, system.as_deref())
            .map_err(|expected| IdentifierError::field(kind.as_str(), "invalid_value", expected))
    }

    /// Parses an identifier object of JSON, as `POST /profiles/lookup` takes it.
    ///
    /// # Errors
    /// Names the first field at fault.
    pub fn from_json(
        object: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, IdentifierError> {
        let mut fields = Vec::with_capacity(object.len());
        for (name, value) in object {
            let text = match value {
                serde_json::Value::String(text) => Cow::Borrowed(text.as_str()),
                serde_json::Value::Number(number) => Cow::Owned(number.to_string()),
                _ => {
                    return Err(IdentifierError::field(
                        &printable(name),
                        "wrong_type",
                        "a string",
                    ));
                }
            };
            fields.push((Cow::Borrowed(name.as_str()), text));
        }
        Self::from_fields(fields)
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

    /// The normalised value: personal data.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The system that the id belongs to.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// The same address as its MD5, which names an identity of its own; `None` for what is no address.
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

    fn from_legacy(
        kind: Option<Cow<'_, str>>,
        value: Option<Cow<'_, str>>,
        id_type: Option<Cow<'_, str>>,
    ) -> Result<Self, IdentifierError> {
        let kind = kind
            .ok_or_else(|| IdentifierError::field("link_type", "missing_field", "a link_type"))?;
        let kind = IdentifierType::parse(kind.trim()).ok_or_else(|| {
            IdentifierError::field(
                "link_type",
                "invalid_value",
                "one of email, email_sha256, email_md5, customer_id, mobile, engage.id, external_id",
            )
        })?;
        let value = value
            .ok_or_else(|| IdentifierError::field("link_value", "missing_field", "a link_value"))?;
        // A system means something to the two kinds of ids alone; elsewhere id_type says nothing.
        let system = id_type
            .filter(|_| {
                matches!(
                    kind,
                    IdentifierType::CustomerId | IdentifierType::ExternalId
                )
            })
            .filter(|id_type| id_type.trim() != "default");
        Self::new(kind, &value, system.as_deref())
            .map_err(|expected| IdentifierError::field("link_value", "invalid_value", expected))
    }

    fn new(kind: IdentifierType, value: &str, system: Option<&str>) -> Result<Self, &'static str> {
        let value = value.trim();
        let system = system.map(str::trim);
        for part in std::iter::once(value).chain(system) {
            if part.is_empty() || part.len() > MAX_PART_BYTES || part.chars().any(char::is_control)
            {
                return Err("1 to 256 bytes without control characters");
            }
        }
        let value = match kind {
            IdentifierType::Email => {
                let address = value.to_lowercase();
                if !is_address(&address) {
                    return Err(
                        "an address: letters, digits and _ . + - before one @, a dotted domain after it",
                    );
                }
                address
            }
            IdentifierType::EmailSha256 => hex(value, 64).ok_or("64 hexadecimal digits")?,
            IdentifierType::EmailMd5 => hex(value, 32).ok_or("32 hexadecimal digits")?,
            IdentifierType::Mobile => {
                let digits = value.strip_prefix('+').unwrap_or(value);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err("digits with the international code, and at most a + before them");
                }
                digits.to_owned()
            }
            IdentifierType::CustomerId | IdentifierType::ExternalId | IdentifierType::EngageId => {
                value.to_owned()
            }
        };
        Ok(Self {
            kind,
            system: system.map(str::to_owned),
            value,
        })
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

fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let local_ok = !local.is_empty()
        && local
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-'));
    let label_ok =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    local_ok && domain.contains('.') && domain.split('.').all(label_ok)
}

fn hex(value: &str, digits: usize) -> Option<String> {
    let ok = value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    ok.then(|| value.to_ascii_lowercase())
}

/// A field's name fit for an error: a client chose it, so it is cut short and cleaned.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Identifier, IdentifierError> {
        Identifier::from_json(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn normal_forms() {
        let email = parse(r#"{"email":"  Jane@Fake.com "}"#).unwrap();
        assert_eq!(
            (email.kind(), email.value()),
            (IdentifierType::Email, "jane@fake.com")
        );
        assert_eq!(
            parse(r#"{"mobile":"+61400000000"}"#).unwrap(),
            parse(r#"{"mobile":61400000000}"#).unwrap()
        );
        assert_eq!(
            parse(r#"{"link_type":"customer_id","link_value":"A1"}"#).unwrap(),
            parse(r#"{"customer_id":"A1"}"#).unwrap()
        );
        assert_eq!(
            parse(r#"{"link_type":"external_id","link_value":"A1","id_type":"pos"}"#).unwrap(),
            parse(r#"{"external_id":"A1","system_name":"pos"}"#).unwrap()
        );
    }

    #[test]
    fn faults_name_their_field() {
        let field = |json| {
            let error = parse(json).unwrap_err();
            (error.code, error.field.unwrap_or_default())
        };
        assert_eq!(field("{}"), ("missing_field", String::new()));
        assert_eq!(
            field(r#"{"email":"a@b.c","mobile":"1"}"#),
            ("ambiguous_identifier", String::new())
        );
        assert_eq!(
            field(r#"{"email":"a@b"}"#),
            ("invalid_value", "email".into())
        );
        assert_eq!(
            field(r#"{"email":"a b@c.d"}"#),
            ("invalid_value", "email".into())
        );
        assert_eq!(
            field(r#"{"email":"a@b@c.d"}"#),
            ("invalid_value", "email".into())
        );
        assert_eq!(
            field(r#"{"external_id":"1"}"#),
            ("missing_field", "system_name".into())
        );
        assert_eq!(
            field(r#"{"email":"a@b.c","system_name":"x"}"#),
            ("unknown_field", "system_name".into())
        );
        assert_eq!(field(r#"{"phone":"1"}"#), ("unknown_field", "phone".into()));
        assert_eq!(
            field(r#"{"mobile":"12a"}"#),
            ("invalid_value", "mobile".into())
        );
        assert_eq!(
            field(r#"{"customer_id":"a\u0000"}"#),
            ("invalid_value", "customer_id".into())
        );
        assert_eq!(
            field(r#"{"email":["a@b.c"]}"#),
            ("wrong_type", "email".into())
        );
    }

    #[test]
    fn items_keep_identifiers() {
        for json in [
            r#"{"email":"jane@fake.com"}"#,
            r#"{"customer_id":"7","system_name":"pos"}"#,
            r#"{"link_type":"engage.id","link_value":"9"}"#,
        ] {
            let identifier = parse(json).unwrap();
            assert_eq!(
                Identifier::from_item(&identifier.to_item()),
                Some(identifier)
            );
        }
    }

    #[test]
    fn the_old_form_is_whole_or_refused() {
        let field = |json: &str| {
            let error = parse(json).unwrap_err();
            (error.code, error.field.unwrap_or_default())
        };
        let missing = |name: &str| ("missing_field", name.to_owned());
        assert_eq!(field(r#"{"link_type":"email"}"#), missing("link_value"));
        assert_eq!(field(r#"{"link_value":"1"}"#), missing("link_type"));
        assert_eq!(field(r#"{"id_type":"pos"}"#), missing("link_type"));
        for beside in [r#""mobile":"1""#, r#""system_name":"pos""#] {
            let both = format!(r#"{{"link_type":"customer_id","link_value":"1",{beside}}}"#);
            assert_eq!(field(&both).0, "ambiguous_identifier", "{both}");
        }
        let old = |id_type| {
            let json =
                format!(r#"{{"link_type":"customer_id","link_value":"1","id_type":"{id_type}"}}"#);
            parse(&json).unwrap().system().map(str::to_owned)
        };
        assert_eq!(
            (old("pos"), old(" default ")),
            (Some("pos".to_owned()), None)
        );
        let address =
            parse(r#"{"link_type":"email","link_value":"a@b.c","id_type":"pos"}"#).unwrap();
        assert_eq!(address, parse(r#"{"email":"a@b.c"}"#).unwrap());
    }

    #[test]
    fn addresses_hashes_and_ids_have_their_letters() {
        let taken = |name: &str, value: &str| {
            let object = serde_json::json!({ name: value });
            Identifier::from_json(object.as_object().unwrap()).is_ok()
        };
        for address in ["a@b.c", "a_b.c+d-e@x-1.co.uk", "\u{e9}@b.c"] {
            assert!(taken("email", address), "{address}");
        }
        for address in [
            "", "a", "@b.c", "a!@b.c", "a@b", "a@.c", "a@b.", "a@b..c", "a@b_c.d",
        ] {
            assert!(!taken("email", address), "{address}");
        }
        for (name, digits) in [("email_sha256", 64), ("email_md5", 32)] {
            assert!(taken(name, &"aB3".repeat(22)[..digits]));
            assert!(!taken(name, &"a".repeat(digits - 1)) && !taken(name, &"g".repeat(digits)));
        }
        assert!(taken("mobile", "+1") && !taken("mobile", "+") && !taken("mobile", "++1"));
        assert!(taken("customer_id", &"x".repeat(MAX_PART_BYTES)));
        assert!(!taken("customer_id", &"x".repeat(MAX_PART_BYTES + 1)));
        assert!(!taken("customer_id", " ") && !taken("customer_id", "a\tb"));
        assert!(!taken("engage.id", "1"), "of the old form alone");
    }

    #[test]
    fn an_address_has_an_md5_and_nothing_else_has() {
        let address = parse(r#"{"email":"Jane@fake.com"}"#).unwrap();
        let md5 = parse(r#"{"email_md5":"14a90bc8b4c0f0f4ee2ce0ff0ab38d38"}"#).unwrap();
        assert_eq!(address.as_md5().unwrap().kind(), md5.kind());
        let digest = md5::Md5::digest("jane@fake.com");
        assert_eq!(
            address.as_md5().unwrap().value(),
            data_encoding::HEXLOWER.encode(&digest)
        );
        assert_eq!(md5.as_md5(), None);
    }
}
