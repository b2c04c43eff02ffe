//! Records: from a row's fields to the items that it stores. Pure: a record's place follows from the record,
//! its source and its file alone.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use shared::{
    body,
    identifier::Identifier,
    identity::{IdentityId, IdentityKey},
    item::Item,
    keys::{EventKey, EventType, Marker, SortKey},
    table::Write,
    time::Instant,
    value::{Map, Value},
    version::Version,
};

mod check;
pub(crate) mod json;
mod schema;
#[cfg(test)]
mod tests;

use crate::erase::Erasures;
use check::Path;
use schema::Field;

/// How far an event may lie after its file's last change.
const MAX_AHEAD_SECONDS: i64 = 48 * 60 * 60;
/// The most identifiers that one row unifies.
const MAX_UNIFIED: usize = 8;
/// The most identifiers that one row erases.
const MAX_FORGOTTEN: usize = 100;

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordType {
    CustomerRecord,
    Product,
    Event(EventType),
    Unify,
    Forget,
    Attributes,
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

/// Why a row is rejected: a stable code, the field at fault, and what was expected there. Never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) expected: String,
}

impl Fault {
    pub(crate) fn whole(code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            expected: expected.into(),
        }
    }

    fn at(path: &Path<'_>, code: &'static str, expected: impl Into<String>) -> Self {
        Self {
            code,
            field: Some(path.to_string()),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: expected {}", self.expected),
            None => write!(f, "expected {}", self.expected),
        }
    }
}

/// What all rows of a file have in common.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) key: &'a IdentityKey,
    pub(crate) source: &'a str,
    /// What the file's folder says; in `drop/mixed/` every record says it itself.
    pub(crate) record_type: Option<RecordType>,
    /// When the file was last changed, in seconds since 1970.
    pub(crate) last_modified: i64,
    /// Whom erasures keep out.
    pub(crate) erasures: Erasures,
    /// How long events are kept, in days.
    pub(crate) event_retention_days: Option<u64>,
}

/// What a record leads to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placed {
    /// Its body, where that is stored apart: to be written before the rest.
    pub(crate) body: Option<Write>,
    /// Its items, the main one first.
    pub(crate) writes: Vec<Write>,
    /// Whether its body's end had to be left out.
    pub(crate) truncated: bool,
    /// Whom it erases.
    pub(crate) forget: Option<Forget>,
    /// Links that an erasure keeps out: an earlier run may have stored one side of them.
    pub(crate) kept_out: Vec<Item>,
}

/// What a forget record asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forget {
    pub(crate) identities: Vec<IdentityId>,
    /// Whether all that they are linked to is meant too.
    pub(crate) whole_profile: bool,
    pub(crate) kind: ForgetKind,
}

/// What a forget record says of its identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForgetKind {
    /// What is known goes.
    Erase,
    /// What is known goes, and what comes is kept out.
    Suppress,
    /// What comes is let in again.
    Reinstate,
}

impl Forget {
    pub(crate) const fn markers(&self) -> &'static [Marker] {
        match self.kind {
            ForgetKind::Erase => &[Marker::Erased],
            ForgetKind::Suppress => &[Marker::Erased, Marker::Suppressed],
            ForgetKind::Reinstate => &[Marker::Reinstated],
        }
    }
}

impl From<Vec<Write>> for Placed {
    fn from(writes: Vec<Write>) -> Self {
        Self {
            writes,
            ..Self::default()
        }
    }
}

/// The writes that a record leads to.
pub(crate) fn place(
    context: &Context<'_>,
    version: Version,
    mut fields: Map,
) -> Result<Placed, Fault> {
    let named = match fields.remove("record_type") {
        None => None,
        Some(Value::Text(name)) => Some(name.parse().map_err(|()| unknown_type())?),
        Some(_) => return Err(unknown_type()),
    };
    let record_type = match (context.record_type, named) {
        (Some(folder), Some(named)) if folder != named => {
            return Err(field_fault(
                "record_type",
                "invalid_value",
                "the record type of the file's folder",
            ));
        }
        (Some(record_type), _) | (None, Some(record_type)) => record_type,
        (None, None) => return Err(field_fault("record_type", "missing_field", "a record type")),
    };
    let placing = Placing { context, version };
    match record_type {
        RecordType::CustomerRecord => placing.customer_record(fields).map(Placed::from),
        RecordType::Product => placing.product(fields).map(Placed::from),
        RecordType::Event(kind) => placing.event(kind, fields),
        RecordType::Unify => placing.unify(fields),
        RecordType::Attributes => placing.attributes(fields).map(Placed::from),
        RecordType::Forget => placing.forget(fields),
    }
}

/// The record of a reject that is dropped again, and of a reject of that; what is no reject stays as it is.
pub(crate) fn unwrapped(mut fields: Map) -> Result<Map, Fault> {
    const NAMES: [&str; 6] = ["code", "field", "line", "message", "offset", "record"];
    loop {
        let is_reject = fields.iter().all(|(name, _)| NAMES.contains(&name))
            && ["code", "message", "offset", "record"]
                .iter()
                .all(|name| fields.get(name).is_some());
        if !is_reject {
            return Ok(fields);
        }
        fields = match fields.remove("record") {
            Some(Value::Map(record)) => record,
            // Shorter at each turn: what it is a part of held it whole.
            Some(Value::Text(record)) => json::object(&record)?,
            _ => return Err(field_fault("record", "wrong_type", "the rejected row")),
        };
    }
}

struct Placing<'a> {
    context: &'a Context<'a>,
    version: Version,
}

impl Placing<'_> {
    fn customer_record(&self, mut fields: Map) -> Result<Vec<Write>, Fault> {
        let link = link(&mut fields)?;
        let data = check::fields(schema::CUSTOMER_RECORD, fields, &Path::Record)?;
        let record = self.item(&link, SortKey::Record(self.context.source.to_owned()), data);
        Ok(self.write(&record).into_iter().collect())
    }

    fn attributes(&self, mut fields: Map) -> Result<Vec<Write>, Fault> {
        let link = link(&mut fields)?;
        let mut data = check::fields(schema::ATTRIBUTES, fields, &Path::Record)?;
        let Some(Value::Map(attributes)) = data.remove("attributes") else {
            return Err(field_fault("attributes", "missing_field", "an object"));
        };
        let mut namespaces: BTreeMap<String, Map> = BTreeMap::new();
        for (name, value) in flattened(attributes) {
            let path = Path::Field(&Path::Record, "attributes");
            let path = Path::Field(&path, &name);
            let parts = name
                .split_once('.')
                .and_then(|(namespace, name)| Some((check::id(namespace)?, check::id(name)?)));
            let (namespace, name) = parts
                .ok_or_else(|| Fault::at(&path, "invalid_value", "a name like namespace.name"))?;
            let value = attribute_value(value, &path)?;
            namespaces
                .entry(namespace.to_owned())
                .or_default()
                .insert(name, value);
        }
        if namespaces.is_empty() {
            return Err(field_fault(
                "attributes",
                "invalid_value",
                "at least one attribute",
            ));
        }
        let items = namespaces
            .into_iter()
            .filter_map(|(namespace, attributes)| {
                let mut data = data.clone();
                data.insert("attributes", attributes);
                let source = self.context.source.to_owned();
                self.write(&self.item(&link, SortKey::Attributes { source, namespace }, data))
            });
        Ok(items.collect())
    }

    fn product(&self, fields: Map) -> Result<Vec<Write>, Fault> {
        let mut data = check::fields(schema::PRODUCT, fields, &Path::Record)?;
        let named_by = match data.remove("product_reference_type") {
            Some(Value::Text(name)) => name,
            _ => "product_id".to_owned(),
        };
        if data.get(&named_by).is_none() {
            return Err(field_fault(
                &named_by,
                "missing_field",
                "the id that product_reference_type names",
            ));
        }
        let ids = ["product_id", "sku", "upc"]
            .into_iter()
            .filter_map(|id_type| Some((id_type, data.text(id_type)?)));
        Ok(ids
            .map(|(id_type, id)| Write::product(id_type, id, self.version, data.clone()))
            .collect())
    }

    fn event(&self, kind: EventType, mut fields: Map) -> Result<Placed, Fault> {
        let link = link(&mut fields)?;
        let at = self.time(&mut fields, "action_at")?.ok_or_else(|| {
            field_fault(
                "action_at",
                "missing_field",
                "a time like 2026-10-31T23:59:59Z",
            )
        })?;
        let moved_from = self
            .time(&mut fields, "replaces_action_at")?
            .filter(|old| *old != at);
        let mut data = check::fields(event_fields(kind), fields, &Path::Record)?;
        let natural_id: Vec<String> = natural_id(kind, &data)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let natural_id: Vec<&str> = natural_id.iter().map(String::as_str).collect();
        let key = |at| EventKey::new(at, kind, self.context.source, &natural_id);
        let (body, truncated) = self.body(&link, &key(at), &mut data)?;
        let tombstone = moved_from
            .and_then(|old| self.write(&self.item(&link, SortKey::Event(key(old)), Map::new())));
        let event = self.write(&self.item(&link, SortKey::Event(key(at)), data));
        Ok(Placed {
            body,
            writes: event.into_iter().chain(tombstone).collect(),
            truncated,
            ..Placed::default()
        })
    }

    /// Takes a large body out of an event's data, and leaves its beginning and its size in bytes there.
    fn body(
        &self,
        link: &Identifier,
        key: &EventKey,
        data: &mut Map,
    ) -> Result<(Option<Write>, bool), Fault> {
        let Some(text) = data
            .text("body")
            .filter(|text| text.len() > body::MAX_INLINE_BYTES)
        else {
            return Ok((None, false));
        };
        let packed = body::pack(text)
            .map_err(|_| field_fault("body", "invalid_value", "a text that can be compressed"))?;
        let beginning = body::beginning(text, body::PREVIEW_BYTES).to_owned();
        let bytes = text.len();
        data.insert("body", beginning);
        data.insert("body_bytes", Value::Number(bytes.to_string()));
        if packed.truncated {
            data.insert("body_truncated", true);
        }
        let item = self.item(link, SortKey::Body(key.clone()), packed.data);
        let body = Item { link: None, ..item };
        Ok((self.write(&body), packed.truncated))
    }

    fn unify(&self, mut fields: Map) -> Result<Placed, Fault> {
        let unlink = flag(&mut fields, "unlink")?;
        let expected = format!("2 to {MAX_UNIFIED} links that name one customer");
        let Some(Value::List(records)) = fields.remove("records") else {
            return Err(field_fault("records", "missing_field", expected));
        };
        if !(2..=MAX_UNIFIED).contains(&records.len()) {
            return Err(field_fault("records", "invalid_value", expected));
        }
        let mut members: BTreeMap<IdentityId, Identifier> = BTreeMap::new();
        for (index, record) in records.into_iter().enumerate() {
            let records = Path::Field(&Path::Record, "records");
            let identifier = unified(record, &Path::Index(&records, index))?;
            members.insert(self.context.key.identity(&identifier), identifier);
        }
        if members.len() < 2 {
            return Err(field_fault("records", "invalid_value", "links that differ"));
        }
        let mut placed = Placed::default();
        for link in members.values() {
            for (other_id, other) in members.iter().filter(|(_, other)| *other != link) {
                let mut data = Map::new();
                data.insert("live", !unlink);
                data.insert("other", other);
                let item = self.item(link, SortKey::Link(other_id.clone()), data);
                // A link is of both: who was erased is named on the other's side too.
                let kept_in = !self.context.erasures.erase(other_id, &item);
                match self.write(&item).filter(|_| kept_in) {
                    Some(write) => placed.writes.push(write),
                    None => placed.kept_out.push(item),
                }
            }
        }
        Ok(placed)
    }

    fn forget(&self, mut fields: Map) -> Result<Placed, Fault> {
        let suppress = flag(&mut fields, "suppress")?;
        let reinstate = flag(&mut fields, "reinstate")?;
        let kind = match (suppress, reinstate) {
            (false, false) => ForgetKind::Erase,
            (true, false) => ForgetKind::Suppress,
            (false, true) => ForgetKind::Reinstate,
            (true, true) => {
                return Err(field_fault(
                    "reinstate",
                    "invalid_value",
                    "not both suppress and reinstate",
                ));
            }
        };
        let whole_profile = match fields.remove("scope") {
            None | Some(Value::Null) => false,
            Some(Value::Text(scope)) if scope == "identity" => false,
            Some(Value::Text(scope)) if scope == "profile" && !reinstate => true,
            Some(_) if reinstate => {
                return Err(field_fault(
                    "scope",
                    "invalid_value",
                    "identity: each one is let in again by its name",
                ));
            }
            Some(_) => {
                return Err(field_fault(
                    "scope",
                    "invalid_value",
                    "one of identity, profile",
                ));
            }
        };
        let expected = format!("link, or 1 to {MAX_FORGOTTEN} links in records");
        let links = match (fields.remove("link"), fields.remove("records")) {
            (Some(link), None | Some(Value::Null)) => {
                vec![identifier(link, &Path::Field(&Path::Record, "link"))?]
            }
            (None | Some(Value::Null), Some(Value::List(records))) => {
                if !(1..=MAX_FORGOTTEN).contains(&records.len()) {
                    return Err(field_fault("records", "invalid_value", expected));
                }
                let path = Path::Field(&Path::Record, "records");
                let links = records
                    .into_iter()
                    .enumerate()
                    .map(|(index, record)| unified(record, &Path::Index(&path, index)));
                links.collect::<Result<_, _>>()?
            }
            (Some(_), Some(_)) => return Err(field_fault("records", "invalid_value", expected)),
            (None, _) => return Err(field_fault("link", "missing_field", expected)),
        };
        // An address has a second identity, under its MD5, that nobody else can have.
        let all = links
            .iter()
            .flat_map(|link| [Some(link.clone()), link.as_md5()])
            .flatten();
        let mut identities: Vec<_> = all.map(|link| self.context.key.identity(&link)).collect();
        identities.sort();
        identities.dedup();
        Ok(Placed {
            forget: Some(Forget {
                identities,
                whole_profile,
                kind,
            }),
            ..Placed::default()
        })
    }

    fn time(&self, fields: &mut Map, name: &str) -> Result<Option<Instant>, Fault> {
        let text = match fields.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Text(text)) => text,
            Some(_) => {
                return Err(field_fault(
                    name,
                    "wrong_type",
                    "a time like 2026-10-31T23:59:59Z",
                ));
            }
        };
        let at = Instant::parse(&text).ok_or_else(|| {
            field_fault(name, "invalid_value", "a time like 2026-10-31T23:59:59Z")
        })?;
        if at.seconds() > self.context.last_modified + MAX_AHEAD_SECONDS {
            return Err(field_fault(
                name,
                "invalid_value",
                "a time at most 48 hours after the file's",
            ));
        }
        Ok(Some(at))
    }

    fn item(&self, link: &Identifier, key: SortKey, data: Map) -> Item {
        let identity = self.context.key.identity(link);
        let kept = match &key {
            SortKey::Event(key) | SortKey::Body(key) => {
                key.at().zip(self.context.event_retention_days)
            }
            _ => None,
        };
        let end = |(at, days): (Instant, u64)| at.seconds().saturating_add_unsigned(days * 86_400);
        Item {
            expires_at: kept.map(end),
            ..Item::ingested(identity, key, self.version, Some(link.clone()), data)
        }
    }

    /// The write of an item, unless an erasure keeps it out.
    fn write(&self, item: &Item) -> Option<Write> {
        if self.context.erasures.erase(&item.identity, item) {
            return None;
        }
        Write::item(item)
    }
}

fn event_fields(kind: EventType) -> &'static [Field] {
    match kind {
        EventType::Purchase => schema::PURCHASE,
        EventType::Return => schema::RETURN,
        EventType::EmailSend => schema::EMAIL_SEND,
        EventType::EmailOpen => schema::EMAIL_OPEN,
        EventType::EmailClick => schema::EMAIL_CLICK,
        EventType::EmailBounce => schema::EMAIL_BOUNCE,
        EventType::EmailSubscribe => schema::EMAIL_SUBSCRIBE,
        EventType::SmsSend => schema::SMS_SEND,
        EventType::SmsClick => schema::SMS_CLICK,
        EventType::SmsSubscribe => schema::SMS_SUBSCRIBE,
        EventType::Message => schema::MESSAGE,
    }
}

/// What tells an event from others of its type, source and time.
fn natural_id(kind: EventType, data: &Map) -> Vec<&str> {
    let text = |name| data.text(name).unwrap_or_default();
    let of = |object: &str, name| {
        data.map(object)
            .and_then(|map| map.text(name))
            .unwrap_or_default()
    };
    match kind {
        EventType::Purchase => vec![text("purchase_id")],
        EventType::Return => vec![text("return_id")],
        EventType::EmailSend | EventType::EmailOpen | EventType::EmailBounce => {
            vec![text("email_id")]
        }
        EventType::EmailClick => vec![text("email_id"), of("clicked_link", "url")],
        EventType::EmailSubscribe => vec![text("email_id"), of("list", "id"), text("status")],
        EventType::SmsSend => vec![text("sms_id")],
        EventType::SmsClick => vec![text("sms_id"), of("clicked_link", "url")],
        EventType::SmsSubscribe => vec![text("sms_id"), of("list", "id"), text("status")],
        EventType::Message => vec![text("message_id")],
    }
}

/// Attributes by `namespace.name`. A namespace that is an object, as columns of CSV make it, comes apart.
fn flattened(attributes: Map) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (name, value) in attributes {
        match value {
            Value::Map(inner) if !name.contains('.') => {
                flat.extend(
                    inner
                        .into_iter()
                        .map(|(own, value)| (format!("{name}.{own}"), value)),
                );
            }
            value => flat.push((name, value)),
        }
    }
    flat
}

/// An attribute: a value, or one with how sure the source is of it.
fn attribute_value(value: Value, path: &Path<'_>) -> Result<Value, Fault> {
    let Value::Map(mut map) = value else {
        return Ok(value);
    };
    let given = map
        .remove("value")
        .ok_or_else(|| Fault::at(path, "missing_field", "a value"))?;
    let confidence = map.remove("confidence");
    if let Some((unknown, _)) = map.iter().next() {
        return Err(Fault::at(
            &Path::Field(path, unknown),
            "unknown_field",
            "value or confidence",
        ));
    }
    let mut kept = Map::new();
    kept.insert("value", given);
    if let Some(confidence) = confidence {
        let number = match &confidence {
            Value::Number(text) | Value::Text(text) => json::number(text.trim()),
            _ => None,
        };
        let sure = number.filter(|text| {
            shared::value::decimal(text).is_some_and(|sure| sure >= 0.into() && sure <= 2.into())
        });
        let Some(sure) = sure else {
            return Err(Fault::at(
                &Path::Field(path, "confidence"),
                "invalid_value",
                "a number from 0 to 2",
            ));
        };
        kept.insert("confidence", Value::Number(sure));
    }
    Ok(Value::Map(kept))
}

/// A flag that is not set where it is absent.
fn flag(fields: &mut Map, name: &str) -> Result<bool, Fault> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(Value::Text(text)) if text == "true" || text == "false" => Ok(text == "true"),
        Some(_) => Err(field_fault(name, "wrong_type", "true or false")),
    }
}

fn link(fields: &mut Map) -> Result<Identifier, Fault> {
    let path = Path::Field(&Path::Record, "link");
    match fields.remove("link") {
        None | Some(Value::Null) => {
            Err(Fault::at(&path, "missing_field", "exactly one identifier"))
        }
        Some(value) => identifier(value, &path),
    }
}

/// One of the links of a unify record: the identifier object itself, or one under `link`.
fn unified(value: Value, path: &Path<'_>) -> Result<Identifier, Fault> {
    match value {
        Value::Map(mut map) if map.get("link").is_some() => {
            let path = Path::Field(path, "link");
            identifier(map.remove("link").unwrap_or(Value::Null), &path)
        }
        value => identifier(value, path),
    }
}

fn identifier(value: Value, path: &Path<'_>) -> Result<Identifier, Fault> {
    let Value::Map(map) = value else {
        return Err(Fault::at(
            path,
            "wrong_type",
            "an object with exactly one identifier",
        ));
    };
    let mut parts = Vec::new();
    for (name, value) in map {
        match value {
            Value::Null => {}
            Value::Text(text) | Value::Number(text) => {
                parts.push((Cow::Owned(name), Cow::Owned(text)))
            }
            _ => return Err(Fault::at(&Path::Field(path, &name), "wrong_type", "a text")),
        }
    }
    Identifier::from_fields(parts).map_err(|error| match &error.field {
        Some(field) => Fault::at(&Path::Field(path, field), error.code, error.expected),
        None => Fault::at(path, error.code, error.expected),
    })
}

fn unknown_type() -> Fault {
    field_fault(
        "record_type",
        "unknown_record_type",
        "a record type of the data specification",
    )
}

fn field_fault(field: &str, code: &'static str, expected: impl Into<String>) -> Fault {
    Fault::at(&Path::Field(&Path::Record, field), code, expected)
}
