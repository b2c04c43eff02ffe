//! Notes: short texts that support agents write about a profile.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{DEFAULT_LIMIT, Page, Personal, Section, State, View};
use crate::{
    model::{
        card,
        identity::{IdentityId, base32},
        item::Item,
        keys::SortKey,
        time::Instant,
        value::Map,
    },
    profile::cursor::{self, Listing},
};

/// The maximum number of characters in a note.
pub const MAX_CHARS: usize = 10_000;

/// The checked text of a note: 1 to 10,000 characters, not only whitespace. Control characters other than line breaks and tabs are not
/// allowed. Card numbers are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteText {
    text: String,
    /// The number of card numbers that were masked.
    masked_cards: usize,
}

/// Why a string cannot be the text of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteTextError {
    /// The string is empty or contains only whitespace.
    #[error("`text` is empty. Send 1 to 10,000 characters, not only whitespace.")]
    Empty,
    /// The string has this many characters, more than [`MAX_CHARS`].
    #[error("`text` has {0} characters; the limit is 10,000. Shorten it, or send several notes.")]
    TooLong(usize),
    /// The string contains a control character that is not allowed.
    #[error("`text` contains control characters. Remove all of them except line breaks and tabs.")]
    ControlCharacter,
}

impl NoteText {
    /// Checks a string and masks the card numbers in it.
    ///
    /// # Errors
    /// The string contains only whitespace, is too long, or contains control characters.
    pub fn new(text: &str) -> Result<Self, NoteTextError> {
        let is_forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if text.trim().is_empty() {
            return Err(NoteTextError::Empty);
        }
        let chars = text.chars().count();
        if chars > MAX_CHARS {
            return Err(NoteTextError::TooLong(chars));
        }
        if text.contains(is_forbidden) {
            return Err(NoteTextError::ControlCharacter);
        }
        let (text, masked_cards) = card::mask(text);
        Ok(Self {
            text: text.into_owned(),
            masked_cards,
        })
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the number of masked card numbers.
    pub const fn masked_cards(&self) -> usize {
        self.masked_cards
    }
}

/// A note as the API returns it.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// The id: `{identity id}.{uuid}`.
    pub id: String,
    /// The text. Personal.
    pub text: Personal<String>,
    /// Whether the note is pinned: it comes before the other notes.
    pub pinned: bool,
    /// The `sub` of the author.
    pub author: String,
    /// The name of the author; absent if the token had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_name: Option<String>,
    /// The time when the note was written.
    pub created_at: Instant,
    /// The time of the last change, or of writing if the note was never changed.
    pub updated_at: Instant,
    /// The `sub` of the user who made the last change; absent if the note was never changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// The name of that user; absent if the token had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by_name: Option<String>,
    /// The entity tag for `If-Match`. Every change of the note changes it.
    pub etag: String,
}

/// The user who writes or changes a note.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The `sub` of the user's token.
    pub subject: &'a str,
    /// The `name` of the user's token, if it has one.
    pub name: Option<&'a str>,
}

/// The fields of a note's data that identify support agents.
pub const WRITER_FIELDS: [&str; 4] = ["author", "author_name", "updated_by", "updated_by_name"];

/// Returns the data of a new note.
pub fn data(text: &NoteText, author: Writer<'_>, pinned: bool) -> Map {
    let mut data = Map::new();
    if pinned {
        data.insert("pinned", true);
    }
    data.insert("text", text.as_str());
    data.insert("author", author.subject);
    if let Some(name) = author.name {
        data.insert("author_name", name);
    }
    data
}

/// Records in a note's data who changed it, and when.
pub fn set_editor(data: &mut Map, editor: Writer<'_>, at: Instant) {
    data.insert("updated_at", at.to_string());
    data.insert("updated_by", editor.subject);
    data.remove("updated_by_name");
    if let Some(name) = editor.name {
        data.insert("updated_by_name", name);
    }
}

impl Note {
    /// Returns the note that `item` contains; `None` if `item` is not a note.
    pub fn new(item: &Item, view: &View<'_>) -> Option<Self> {
        let SortKey::Note(uuid) = &item.key else {
            return None;
        };
        let created_at = created_at(*uuid)?;
        Some(Self {
            id: format!("{}.{uuid}", item.identity),
            text: view.show(item.data.text("text")?.to_owned()),
            pinned: item.data.flag("pinned").unwrap_or(false),
            author: item.data.text("author").unwrap_or_default().to_owned(),
            author_name: item.data.text("author_name").map(str::to_owned),
            created_at,
            updated_at: item
                .data
                .text("updated_at")
                .and_then(Instant::parse)
                .unwrap_or(created_at),
            updated_by: item.data.text("updated_by").map(str::to_owned),
            updated_by_name: item.data.text("updated_by_name").map(str::to_owned),
            etag: etag(item)?,
        })
    }
}

/// Returns the time when a note was written. It is the timestamp in its id, a version 7 UUID.
pub fn created_at(uuid: Uuid) -> Option<Instant> {
    let (seconds, nanoseconds) = uuid.get_timestamp()?.to_unix();
    Instant::from_milliseconds(
        i64::try_from(seconds).ok()? * 1000 + i64::from(nanoseconds / 1_000_000),
    )
}

/// Returns the first page, newest first. Its `as_of` is the time when a note was last written or changed.
pub(super) fn section(state: &State, profile: &IdentityId, view: &View<'_>) -> Section<Note> {
    let changed = state.items().filter_map(|item| Note::new(item, view));
    Section {
        as_of: changed.map(|note| note.updated_at).max(),
        page: page(state.items(), profile, None, DEFAULT_LIMIT, view),
    }
}

/// A note's position in the order of notes: its id, which begins with its time, then its identity.
pub type NotePosition = (Uuid, IdentityId);

/// The maximum number of pinned notes at the top of the first page.
pub const MAX_ON_TOP: usize = 20;

/// Returns the page of `limit` notes of a profile after the one at `after`, newest first.
///
/// The first page starts with up to 20 pinned notes, which do not count toward the limit. These are not repeated later.
pub fn page<'a>(
    notes: impl IntoIterator<Item = &'a Item>,
    profile: &IdentityId,
    after: Option<NotePosition>,
    limit: usize,
    view: &View<'_>,
) -> Page<Note> {
    let position = |item: &Item| match &item.key {
        SortKey::Note(uuid) => Some((*uuid, item.identity.clone())),
        _ => None,
    };
    let mut notes: Vec<_> = notes
        .into_iter()
        .filter_map(|item| Some((position(item)?, item)))
        .collect();
    notes.sort_unstable_by(|a, b| b.0.cmp(&a.0));
    let mut on_top = Vec::new();
    notes.retain(|(_, item)| {
        let is_on_top = on_top.len() < MAX_ON_TOP && item.data.flag("pinned") == Some(true);
        if is_on_top {
            on_top.push(*item);
        }
        !is_on_top
    });
    if after.is_some() {
        on_top.clear();
    }
    notes.retain(|(position, _)| after.as_ref().is_none_or(|after| position < after));
    let has_more = notes.len() > limit;
    notes.truncate(limit);
    let next = notes.last().filter(|_| has_more);
    let next =
        next.map(|((uuid, identity), _)| cursor_after(profile, &format!("{identity}.{uuid}")));
    Page {
        items: on_top
            .into_iter()
            .chain(notes.into_iter().map(|(_, item)| item))
            .filter_map(|item| Note::new(item, view))
            .collect(),
        next,
        partial: false,
    }
}

/// Returns the cursor of the notes of a profile after the one with this id.
pub fn cursor_after(profile: &IdentityId, id: &str) -> String {
    cursor::encode_in(profile, Listing::Notes, "", id)
}

/// Parses `{identity id}.{uuid}`.
pub fn parse_id(id: &str) -> Option<NotePosition> {
    let (identity, uuid) = id.split_once('.')?;
    Some((uuid.parse().ok()?, identity.parse().ok()?))
}

/// Returns a strong entity tag (RFC 9110, section 8.8.3) of the note's state. The text is not part of it: every change has its
/// own time, so the tag changes anyway. A client that cannot see the text could guess a short text from a tag that depends on it.
/// `None` if `item` is not a note.
pub fn etag(item: &Item) -> Option<String> {
    let SortKey::Note(uuid) = &item.key else {
        return None;
    };
    let mut digest = Sha256::new();
    digest.update(uuid.as_bytes());
    let mut data = item.data.clone();
    data.remove("text");
    // A map serializes its keys in order, so equal notes give equal bytes.
    digest.update(serde_json::to_vec(&data).unwrap_or_default());
    Some(format!("\"{}\"", base32(&digest.finalize()[..10])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert!(NoteText::new("Prefers a call\n\tafter five.").is_ok());
        assert!(NoteText::new(&"é".repeat(MAX_CHARS)).is_ok());
        for (text, error) in [
            ("", NoteTextError::Empty),
            (" \n", NoteTextError::Empty),
            ("bell\u{7}", NoteTextError::ControlCharacter),
            (
                &"x".repeat(MAX_CHARS + 1),
                NoteTextError::TooLong(MAX_CHARS + 1),
            ),
        ] {
            assert_eq!(NoteText::new(text), Err(error), "{text:.9}");
        }
        let text = NoteText::new("Card 4111 1111 1111 1111").unwrap();
        assert_eq!(
            (text.as_str(), text.masked_cards()),
            ("Card **** **** **** 1111", 1)
        );
    }
}
