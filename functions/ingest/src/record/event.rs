//! Maps events: their times, the IDs that distinguish them, and their bodies.

use shared::{
    model::{
        body,
        identifier::Identifier,
        item::Item,
        keys::{EventKey, EventType, SortKey},
        time::Instant,
        value::{Map, Value},
    },
    table::Write,
};

use super::{
    MappedRecord, Mapper, check,
    findings::Findings,
    kind::Field,
    path::{Path, field_error},
    schema,
};
use crate::rows::{RowError, RowErrorCode};

/// The fields that an event has besides those of its type.
const OWN: &[&str] = &["action_at", "link", "record_type", "replaces_action_at"];

const NEGATIVE_PRICE: &str = "is negative, but `quantity` is positive. For returned goods, make both negative. For a discount, lower the \
                              price of its line.";
const NEGATIVE_QUANTITY: &str =
    "is negative, but `price_paid` is positive. For returned goods, make both negative.";

impl Mapper<'_> {
    /// Maps an event. If the event was moved, also returns a tombstone under its earlier time.
    pub(super) fn event(
        &self,
        kind: EventType,
        mut fields: Map,
        findings: &mut Findings,
    ) -> Option<MappedRecord> {
        let link = findings.keep(self.link(&mut fields));
        let at = findings.keep(self.action_at(&mut fields));
        let moved_from = findings.keep(self.time(&mut fields, "replaces_action_at"));
        let checked = self.checked(event_fields(kind), OWN, fields, findings);
        let (link, at, moved_from, mut data) = (link?, at?, moved_from?, checked?);
        let signs = sign_errors(kind, &data);
        if !signs.is_empty() {
            findings.errors.extend(signs);
            return None;
        }
        let natural_id = natural_id(kind, &data);
        let context = self.context;
        let key = |at| EventKey::new(context.key, at, kind, context.source, &natural_id);
        let moved_from = moved_from.filter(|old| *old != at);
        let (new_key, old_key) = (key(at), moved_from.map(key));
        let body = self.body(&link, &new_key, &mut data);
        let (body, truncated) = findings.keep(body)?;
        let tombstone =
            old_key.and_then(|key| self.write(self.item(&link, SortKey::Event(key), Map::new())));
        let event = self.write(self.item(&link, SortKey::Event(new_key), data));
        Some(MappedRecord {
            body,
            writes: event.into_iter().chain(tombstone).collect(),
            truncated,
            ..MappedRecord::default()
        })
    }

    /// Moves a large body out of an event's data into an item of its own. Its beginning and its size in bytes stay there. Also
    /// returns whether the end of the body had to be left out.
    fn body(
        &self,
        link: &Identifier,
        key: &EventKey,
        data: &mut Map,
    ) -> Result<(Option<Write>, bool), RowError> {
        let Some(text) = data
            .text("body")
            .filter(|text| text.len() > body::MAX_INLINE_BYTES)
        else {
            return Ok((None, false));
        };
        let packed = body::pack(text).map_err(|_| {
            field_error(
                "body",
                RowErrorCode::InvalidValue,
                "cannot be compressed. Shorten it.",
            )
        })?;
        let beginning = body::beginning(text, body::PREVIEW_BYTES).to_owned();
        let bytes = text.len();
        data.insert("body", beginning);
        data.insert("body_bytes", Value::Number(bytes.to_string()));
        if packed.truncated {
            data.insert("body_truncated", true);
        }
        let item = self.item(link, SortKey::Body(key.clone()), packed.data);
        let body = Item { link: None, ..item };
        Ok((self.write(body), packed.truncated))
    }

    /// Removes and parses the time of an event.
    fn action_at(&self, fields: &mut Map) -> Result<Instant, RowError> {
        let at = self.time(fields, "action_at")?.ok_or_else(|| {
            field_error(
                "action_at",
                RowErrorCode::MissingField,
                "is missing. Add a time such as 2026-10-31T23:59:59Z.",
            )
        })?;
        if check::is_placeholder(at) {
            return Err(field_error(
                "action_at",
                RowErrorCode::InvalidValue,
                "is before 1971, which means that the time is unknown. Send the time of the event.",
            ));
        }
        Ok(at)
    }

    /// Removes a field and parses it as a time, which must not be too far after the file's last modification.
    fn time(&self, fields: &mut Map, name: &str) -> Result<Option<Instant>, RowError> {
        match fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) if text.trim().is_empty() => Ok(None),
            Some(value) => check::event_time(&value, self.context.last_modified)
                .map(Some)
                .map_err(|(code, problem)| field_error(name, code, problem)),
        }
    }
}

/// Returns the errors of a purchase or return whose signs do not say what was sold and what came back.
///
/// Price and quantity of a line must not have different signs. A purchase may contain returned lines (an exchange), but not only
/// those, and a return may contain sold lines, but not only those: it would be counted with the wrong sign.
fn sign_errors(kind: EventType, data: &Map) -> Vec<RowError> {
    let (opposite, problem) = match kind {
        EventType::Purchase => (
            Sign::Negative,
            "is negative in every line, so nothing was bought. Send a `return` instead.",
        ),
        EventType::Return => (
            Sign::Positive,
            "is positive in every line, so nothing was returned. Make price and quantity negative, or send a `purchase` instead.",
        ),
        _ => return Vec::new(),
    };
    let products = Path::Field(&Path::Record, "products");
    let error = |index, name, problem| {
        let line = Path::Index(&products, index);
        let path = Path::Field(&line, name);
        RowError::at(&path, RowErrorCode::InvalidValue, problem)
    };
    let mut errors = Vec::new();
    let mut is_opposite = None;
    for (index, line) in data.list("products").iter().enumerate() {
        let sign = |name| {
            let number = line.as_map().and_then(|line| line.get(name));
            number.map_or(Sign::Zero, Sign::of)
        };
        let (price, quantity) = (sign("price_paid"), sign("quantity"));
        match (price, quantity) {
            (Sign::Negative, Sign::Positive) => {
                errors.push(error(index, "price_paid", NEGATIVE_PRICE))
            }
            (Sign::Positive, Sign::Negative) => {
                errors.push(error(index, "quantity", NEGATIVE_QUANTITY))
            }
            _ => {}
        }
        let line_is_opposite = price == opposite || quantity == opposite;
        is_opposite = Some(is_opposite.unwrap_or(true) && line_is_opposite);
    }
    if errors.is_empty() && is_opposite == Some(true) {
        errors.push(error(0, "price_paid", problem));
    }
    errors
}

/// The sign of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Negative,
    Zero,
    Positive,
}

impl Sign {
    /// Returns the sign of a number in its stored form, without parsing it.
    fn of(value: &Value) -> Self {
        let Value::Number(text) = value else {
            return Self::Zero;
        };
        match text.strip_prefix('-') {
            _ if !text.bytes().any(|byte| matches!(byte, b'1'..=b'9')) => Self::Zero,
            Some(_) => Self::Negative,
            None => Self::Positive,
        }
    }
}

/// Returns the fields of an event type.
pub(super) fn event_fields(kind: EventType) -> &'static [Field] {
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
        EventType::Event => schema::EVENT,
    }
}

/// Returns the values that distinguish an event from others of its type, source and time.
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
        EventType::Event => vec![text("event_id")],
    }
}
