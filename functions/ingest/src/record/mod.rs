//! Maps rows to records. In: the fields of a row, and the [`Context`] of its file. Out: the items that the record stores, or its
//! erasure, or the first error. The mapping is pure: it depends on nothing else.

use std::str::FromStr;

use data_encoding::BASE64;
use shared::{
    model::{
        find::Find,
        folder::RECORD_TYPES,
        identifier::{Identifier, IdentifierRules, Notation},
        identity::IdentityKey,
        item::Item,
        keys::{EventType, SortKey},
        retention::Retention,
        value::{Map, Value},
        version::Version,
    },
    table::Write,
};

mod attributes;
mod cards;
mod check;
mod customer_record;
pub(crate) mod document;
mod erasures;
mod event;
mod findings;
mod forget;
pub(crate) mod header;
pub(crate) mod kind;
mod links;
pub(crate) mod mask;
mod number;
pub(crate) mod path;
mod product;
pub(crate) mod schema;
pub(crate) mod similar;
#[cfg(test)]
mod tests;
mod unify;

use crate::{
    rows::{CSV_NOTATION, Fields, RowError, RowErrorCode, Warning, json},
    text::grouped,
};
use check::Checker;
pub(crate) use erasures::Erasures;
use findings::Findings;
pub(crate) use forget::{Forget, ForgetKind, MAX_FORGOTTEN};
use kind::Field;
pub(crate) use number::{DECIMAL_COMMA, DECIMAL_POINT, NOT_COMPUTED};
use path::{Path, field_error};

/// The maximum number of values of a record, with those inside of arrays and objects.
const MAX_VALUES: usize = 20_000;

/// The types of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    CustomerRecord,
    Product,
    Event(EventType),
    Unify,
    Forget,
    Attributes,
}

impl RecordType {
    /// Returns the names of all record types.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        RECORD_TYPES.into_iter()
    }

    /// Returns the fields of the type, without the links and the times of events, which have rules of their own.
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Self::CustomerRecord => schema::CUSTOMER_RECORD,
            Self::Product => schema::PRODUCT,
            Self::Attributes => schema::ATTRIBUTES,
            Self::Event(kind) => event::event_fields(kind),
            Self::Unify | Self::Forget => &[],
        }
    }
}

impl FromStr for RecordType {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "customer_record" => Self::CustomerRecord,
            "product" => Self::Product,
            "unify" => Self::Unify,
            "forget" => Self::Forget,
            "attributes" => Self::Attributes,
            name => Self::Event(name.parse()?),
        })
    }
}

/// The facts that all rows of a file share.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    /// The key with which identifiers become identities.
    pub(crate) key: &'a IdentityKey,
    /// The rules for reading identifiers.
    pub(crate) identifiers: IdentifierRules,
    /// The source that delivers the file.
    pub(crate) source: &'a str,
    /// The record type of the file's folder; `None` in `drop/mixed/`, where each record specifies its own.
    pub(crate) record_type: Option<RecordType>,
    /// When the file was last modified, in seconds since 1970.
    pub(crate) last_modified: i64,
    /// The erasures that keep items out.
    pub(crate) erasures: Erasures,
    /// How long each kind of item is kept.
    pub(crate) retention: Retention,
    /// The record types that the author of the upload may not import.
    pub(crate) denied: &'a [String],
}

/// The items that a record stores.
#[derive(Clone, Debug, Default)]
pub(crate) struct MappedRecord {
    /// The record's body, if it is stored separately. It has to be written before the other items.
    pub(crate) body: Option<Write>,
    /// The record's items, the main one first.
    pub(crate) writes: Vec<Write>,
    /// The record's links, with both sides of each. Both sides are written together or not at all.
    pub(crate) links: Vec<[Item; 2]>,
    /// Whether the end of the body had to be left out.
    pub(crate) truncated: bool,
    /// The erasure that the record requests.
    pub(crate) forget: Option<Forget>,
    /// Sides of links that an erasure suppresses. They have to be deleted, because an earlier invocation may have stored them.
    pub(crate) suppressed_links: Vec<Item>,
    /// What was changed or left out.
    pub(crate) warnings: Vec<Warning>,
    /// The fields that no record type defines. They are stored unchanged.
    pub(crate) unknown: Vec<UnknownField>,
}

/// A field that the record type does not define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownField {
    /// The path of the field, without array indexes, such as `products[].price`.
    pub(crate) name: String,
    /// The known field with a similar name: only case, separators or one letter differ.
    pub(crate) like: Option<&'static str>,
}

/// Why a record is rejected: every error of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The errors, in the order of the fields. At least one.
    pub(crate) errors: Vec<RowError>,
    pub(crate) unknown: Vec<UnknownField>,
}

impl From<RowError> for Rejection {
    fn from(error: RowError) -> Self {
        Self {
            errors: vec![error],
            unknown: Vec::new(),
        }
    }
}

impl From<Vec<Write>> for MappedRecord {
    fn from(writes: Vec<Write>) -> Self {
        Self {
            writes,
            ..Self::default()
        }
    }
}

/// Maps a record to the items that it stores, or to the erasure that it requests.
///
/// # Errors
/// The record cannot be placed or counted. The rejection contains all of its errors.
pub(crate) fn map_record(
    context: &Context<'_>,
    version: Version,
    fields: impl Into<Fields>,
) -> Result<MappedRecord, Rejection> {
    let Fields {
        map: mut fields,
        notation,
        warnings,
    } = fields.into();
    check_size(&fields)?;
    let record_type = take_record_type(&mut fields, context.record_type)?;
    check_permitted(record_type, context.denied)?;
    let mapper = Mapper {
        context,
        version,
        notation,
        reading: warnings.clone(),
    };
    let mut findings = Findings::default();
    findings.warnings = warnings;
    findings.take_given(&mut fields);
    let mapped = match record_type {
        RecordType::CustomerRecord => mapper.customer_record(fields, &mut findings),
        RecordType::Product => mapper.product(fields, &mut findings),
        RecordType::Event(kind) => mapper.event(kind, fields, &mut findings),
        RecordType::Unify => mapper.unify(fields, &mut findings),
        RecordType::Attributes => mapper.attributes(fields, &mut findings),
        RecordType::Forget => mapper.forget(fields, &mut findings),
    };
    let Findings {
        errors,
        warnings,
        unknown,
        ..
    } = findings;
    match mapped {
        Some(mapped) if errors.is_empty() => Ok(MappedRecord {
            warnings,
            unknown,
            ..mapped
        }),
        _ => Err(Rejection { errors, unknown }),
    }
}

/// Checks the number of values of a record. Small values take far more memory than bytes of a file.
fn check_size(fields: &Map) -> Result<(), RowError> {
    let count = fields.count();
    if count <= MAX_VALUES {
        return Ok(());
    }
    let problem = format!(
        "has {} values; the limit is {}. Split the row, or remove fields.",
        grouped(count as u64),
        grouped(MAX_VALUES as u64)
    );
    Err(RowError::whole(RowErrorCode::TooMany, problem))
}

/// Removes the record type that a row specifies, and returns the type of the record. `folder` is that of the file's folder.
fn take_record_type(fields: &mut Map, folder: Option<RecordType>) -> Result<RecordType, RowError> {
    let named = match fields.remove("record_type") {
        None => None,
        Some(Value::Text(name)) => Some(name.parse().map_err(|()| unknown_type())?),
        Some(_) => return Err(unknown_type()),
    };
    match (folder, named) {
        (Some(folder), Some(named)) if folder != named => Err(field_error(
            "record_type",
            RowErrorCode::InvalidValue,
            "must be the record type of the file's folder. Remove the field, or drop the row into another folder.",
        )),
        (Some(record_type), _) | (None, Some(record_type)) => Ok(record_type),
        (None, None) => Err(field_error(
            "record_type",
            RowErrorCode::MissingField,
            "is missing. Add the record type of the row, such as purchase.",
        )),
    }
}

/// Checks that the author of the upload may import records of a type.
fn check_permitted(record_type: RecordType, denied: &[String]) -> Result<(), RowError> {
    let (name, does, scope) = match record_type {
        RecordType::Forget => ("forget", "erases customers", "erasures:write"),
        RecordType::Unify => ("unify", "links identities", "links:write"),
        _ => return Ok(()),
    };
    if !denied.iter().any(|denied| denied == name) {
        return Ok(());
    }
    let problem = format!(
        "{does}, and the token of the upload lacked the scope `{scope}`. Upload it with a token that has the scope."
    );
    Err(RowError::whole(RowErrorCode::NotPermitted, problem))
}

/// Returns whether a row is a reject that is dropped again.
pub(crate) fn is_reject(fields: &Map) -> bool {
    // The fields of a reject. A row with any other field is not one.
    const NAMES: [&str; 10] = [
        "code",
        "errors",
        "field",
        "line",
        "message",
        "notation",
        "offset",
        "record",
        "record_base64",
        "source",
    ];
    fields.iter().all(|(name, _)| NAMES.contains(&name))
        && ["code", "message", "offset"]
            .iter()
            .all(|name| fields.get(name).is_some())
        && (fields.get("record").is_some() || fields.get("record_base64").is_some())
}

/// Returns the record inside a reject that is dropped again, even if it was rejected repeatedly. Returns other rows unchanged.
pub(crate) fn unwrap_reject(fields: impl Into<Fields>) -> Result<Fields, RowError> {
    let Fields {
        map: mut fields,
        mut notation,
        mut warnings,
    } = fields.into();
    loop {
        if !is_reject(&fields) {
            return Ok(Fields {
                map: fields,
                notation,
                warnings,
            });
        }
        if fields.text("notation") == Some(CSV_NOTATION) {
            notation = Notation::Csv;
        }
        // Each record is shorter than the reject that contains it, so the loop ends.
        let read = match (fields.remove("record"), fields.remove("record_base64")) {
            (Some(Value::Map(record)), _) => record.into(),
            (Some(Value::Text(record)), None) => json::fields(record.as_bytes())?,
            (None, Some(Value::Text(bytes))) => {
                let Ok(bytes) = BASE64.decode(bytes.as_bytes()) else {
                    return Err(field_error(
                        "record_base64",
                        RowErrorCode::InvalidValue,
                        "is not valid base64. Drop the original file again.",
                    ));
                };
                json::fields(&bytes)?
            }
            _ => {
                return Err(field_error(
                    "record",
                    RowErrorCode::WrongType,
                    "must be the rejected row, as an object or a string.",
                ));
            }
        };
        fields = read.map;
        // Warnings about the reject itself concern its record.
        for warning in &mut warnings {
            if let Some(field) = &mut warning.field
                && let Some(path) = field.strip_prefix("record.")
            {
                *field = path.to_owned();
            }
        }
        warnings.extend(read.warnings);
    }
}

/// Returns whether a row names an identity that is erased or suppressed, as far as its identifiers can be read.
pub(crate) fn names_erased(context: &Context<'_>, version: Version, fields: &Fields) -> bool {
    let mapper = Mapper {
        context,
        version,
        notation: fields.notation,
        reading: fields.warnings.clone(),
    };
    let link = fields.map.get("link").into_iter();
    let named = link.chain(fields.map.list("records"));
    named.take(forget::MAX_FORGOTTEN).any(|named| {
        let identifier = mapper.named(named.clone(), &Path::Record);
        identifier.is_ok_and(|identifier| {
            let identity = context.key.identity(&identifier);
            context.erasures.contain(&identity)
        })
    })
}

/// Maps one record. Each record type has its method, in the file of that type.
struct Mapper<'a> {
    context: &'a Context<'a>,
    version: Version,
    /// How the row is written, which decides how its identifiers are read.
    notation: Notation,
    /// What reading the row changed.
    reading: Vec<Warning>,
}

impl Mapper<'_> {
    /// Checks the fields of a record and converts them in place. `own` are the fields that the record type reads itself.
    fn check(
        &self,
        schema: &[Field],
        own: &'static [&'static str],
        fields: &mut Map,
        findings: &mut Findings,
    ) {
        let mut checker = Checker {
            last_modified: self.context.last_modified,
            notation: self.notation,
            own,
            findings,
        };
        checker.fields(schema, fields, &Path::Record);
    }

    /// Checks the fields of a record. Returns its data, with the values of invalid fields; `None` if the record is rejected.
    fn checked(
        &self,
        schema: &[Field],
        own: &'static [&'static str],
        mut fields: Map,
        findings: &mut Findings,
    ) -> Option<Map> {
        self.check(schema, own, &mut fields, findings);
        if !findings.errors.is_empty() {
            return None;
        }
        findings.store_invalid(&mut fields);
        Some(fields)
    }

    /// Creates an item of the identity that `link` names, with its expiry, source and find attributes.
    fn item(&self, link: &Identifier, key: SortKey, data: Map) -> Item {
        let identity = self.context.key.identity(link);
        let retention = &self.context.retention;
        let expires_at = retention.expiry(&key, self.context.last_modified);
        // Different sources have different lists, and otherwise an event's key contains the source only as part of a hash.
        let is_subscription =
            |kind| matches!(kind, EventType::EmailSubscribe | EventType::SmsSubscribe);
        let source = match &key {
            SortKey::Event(key) if is_subscription(key.kind()) => {
                Some(self.context.source.to_owned())
            }
            _ => None,
        };
        let mut item = Item {
            expires_at,
            source,
            ..Item::ingested(identity, key, self.version, Some(link.clone()), data)
        };
        let rules = self.context.identifiers;
        item.find = Find::of(self.context.key, &item, rules);
        item
    }

    /// Returns the write of an item; `None` if an erasure keeps it out.
    fn write(&self, item: Item) -> Option<Write> {
        if self.context.erasures.erase(&item.identity, &item) {
            return None;
        }
        Write::item(&item)
    }
}

/// Creates the error of a record whose type is unknown.
fn unknown_type() -> RowError {
    field_error(
        "record_type",
        RowErrorCode::UnknownRecordType,
        "is not a record type. Use a record type such as customer_record or purchase.",
    )
}

/// Removes a boolean field and returns its value. An absent field is `false`.
fn flag(fields: &mut Map, name: &str) -> Result<bool, RowError> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(Value::Text(text)) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Some(Value::Text(text)) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(field_error(
            name,
            RowErrorCode::WrongType,
            "must be true or false.",
        )),
    }
}
