//! The field that a value goes to. It decides how a cell is read, so that a mapping does not repeat it.

use crate::record::{
    RecordType,
    kind::{Field, Kind},
};

/// The fields of customer records that contain an identifier in its normal form.
const IDENTIFIERS: [&str; 3] = ["email", "mobile", "customer_id"];

/// The place of a value in a record.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// A record of this type.
    Record(RecordType),
    /// An object with these fields.
    Object(&'static [Field], Need),
    /// An object that names one customer.
    Link,
    /// A list of such objects.
    Links,
    List(&'static Kind, Need),
    MapOf(&'static Kind),
    /// An identifier of this name, outside of an object that names a customer.
    Identifier(&'static str),
    /// The phone number of an object that names a customer.
    LinkedMobile,
    Number,
    /// A number of pieces.
    Quantity,
    Flag,
    Time,
    Date,
    /// Text that people write.
    Free,
    /// An ID.
    Id,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any other text.
    Text,
    /// Any other value, and what may have any fields.
    Any,
}

/// Whether a record needs a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

impl Target {
    /// Returns the target of a field of this object.
    pub(super) fn field(self, name: &str) -> Self {
        match self {
            Self::Record(kind) => {
                common(kind, name).unwrap_or_else(|| of_field(kind.fields(), name))
            }
            Self::Object(fields, _) => of_field(fields, name),
            Self::Link if name == "mobile" => Self::LinkedMobile,
            Self::Link => Self::Id,
            Self::MapOf(Kind::Open | Kind::Attributes) => Self::Any,
            Self::MapOf(kind) => of_kind(kind, Need::Optional),
            _ => Self::Any,
        }
    }

    /// Returns the target of an item of this list.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Links => Self::Link,
            Self::List(kind, need) => of_kind(kind, need),
            _ => Self::Any,
        }
    }
}

/// Returns the names of the fields that a record of this type needs, and that its schema does not contain.
pub(super) fn needed(kind: RecordType) -> &'static [&'static str] {
    match kind {
        RecordType::Event(_) => &["link", "action_at"],
        RecordType::CustomerRecord | RecordType::Attributes | RecordType::Forget => &["link"],
        RecordType::Unify => &["records"],
        RecordType::Product => &[],
    }
}

/// Returns the names of the fields that a record of this type may have, and that its schema does not contain.
pub(super) fn extra(kind: RecordType) -> &'static [&'static str] {
    match kind {
        RecordType::Event(_) => &["link", "action_at", "replaces_action_at"],
        RecordType::Unify => &["records", "unlink"],
        _ => needed(kind),
    }
}

fn common(kind: RecordType, name: &str) -> Option<Target> {
    match (kind, name) {
        (RecordType::Unify, "records") => Some(Target::Links),
        (RecordType::Product | RecordType::Unify, _) => None,
        (_, "link") => Some(Target::Link),
        (RecordType::Event(_), "action_at" | "replaces_action_at") => Some(Target::Time),
        (RecordType::CustomerRecord, name) => identifier(name),
        _ => None,
    }
}

fn identifier(name: &str) -> Option<Target> {
    let known = IDENTIFIERS.iter().find(|known| **known == name)?;
    Some(Target::Identifier(known))
}

fn of_field(fields: &'static [Field], name: &str) -> Target {
    let field = fields.iter().find(|field| field.name == name);
    field.map_or(Target::Any, |field| {
        let need = if field.required {
            Need::Required
        } else {
            Need::Optional
        };
        of_kind(&field.kind, need)
    })
}

fn of_kind(kind: &'static Kind, need: Need) -> Target {
    match kind {
        Kind::Object(fields) => Target::Object(fields, need),
        Kind::List(kind, _) => Target::List(kind, need),
        Kind::MapOf(kind) => Target::MapOf(kind),
        Kind::Amount(_) | Kind::Latitude | Kind::Longitude => Target::Number,
        Kind::Quantity => Target::Quantity,
        Kind::Flag => Target::Flag,
        Kind::Time | Kind::UpdateTime => Target::Time,
        Kind::BirthDate => Target::Date,
        Kind::Free => Target::Free,
        Kind::OneOf(words) => Target::OneOf(words),
        Kind::Id => Target::Id,
        Kind::Text | Kind::Url | Kind::Currency => Target::Text,
        Kind::Open | Kind::Attributes => Target::MapOf(kind),
    }
}
