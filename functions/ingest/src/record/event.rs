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
    MappedRecord, Mapper,
    check::{self, Path, field_error},
    kind::Field,
    schema,
};
use crate::rows::{RowError, RowErrorCode};

/// How far an event, or a record's `updated_at`, may be after its file's last modification, in seconds.
const MAX_AHEAD_SECONDS: i64 = 48 * 60 * 60;
const MUST_BE_TIME: &str = "must be a time such as 2026-10-31T23:59:59Z.";

impl Mapper<'_> {
    /// Maps an event. If the event was moved, also returns a tombstone under its earlier time.
    pub(super) fn event(&self, kind: EventType, mut fields: Map) -> Result<MappedRecord, RowError> {
        let link = self.link(&mut fields)?;
        let at = self.time(&mut fields, "action_at")?.ok_or_else(|| {
            field_error(
                "action_at",
                RowErrorCode::MissingField,
                "is missing. Add a time such as 2026-10-31T23:59:59Z.",
            )
        })?;
        let moved_from = self
            .time(&mut fields, "replaces_action_at")?
            .filter(|old| *old != at);
        let mut data = check::fields(event_fields(kind), fields, &Path::Record)?;
        let natural_id = natural_id(kind, &data);
        let context = self.context;
        let key = |at| EventKey::new(context.key, at, kind, context.source, &natural_id);
        let (new_key, old_key) = (key(at), moved_from.map(key));
        let (body, truncated) = self.body(&link, &new_key, &mut data)?;
        let tombstone =
            old_key.and_then(|key| self.write(self.item(&link, SortKey::Event(key), Map::new())));
        let event = self.write(self.item(&link, SortKey::Event(new_key), data));
        Ok(MappedRecord {
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

    /// Removes a field and parses it as a time, which must not be too far after the file's last modification.
    fn time(&self, fields: &mut Map, name: &str) -> Result<Option<Instant>, RowError> {
        let text = match fields.remove(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Text(text)) => text,
            Some(_) => {
                return Err(field_error(name, RowErrorCode::WrongType, MUST_BE_TIME));
            }
        };
        let at = Instant::parse(&text)
            .ok_or_else(|| field_error(name, RowErrorCode::InvalidValue, MUST_BE_TIME))?;
        self.bounded(name, at).map(Some)
    }

    /// Rejects a time too far after its file's last modification. Such a record would stay the newest, and could not be corrected
    /// or erased.
    pub(super) fn not_ahead(&self, data: &Map, name: &str) -> Result<(), RowError> {
        let at = data.text(name).and_then(Instant::parse);
        at.map_or(Ok(()), |at| self.bounded(name, at).map(|_| ()))
    }

    /// Returns a time, unless it is more than [`MAX_AHEAD_SECONDS`] after the file's last modification.
    fn bounded(&self, name: &str, at: Instant) -> Result<Instant, RowError> {
        if at.seconds() > self.context.last_modified + MAX_AHEAD_SECONDS {
            return Err(field_error(
                name,
                RowErrorCode::InvalidValue,
                "is more than 48 hours after the file was last modified, the limit. Correct the time.",
            ));
        }
        Ok(at)
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
    }
}
