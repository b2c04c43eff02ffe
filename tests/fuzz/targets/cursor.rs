//! Cursors and keys: a text that is not a cursor is rejected. A cursor stays the same when it is parsed and written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::{profile::{cursor::{self, Listing}, note, versions::EventPosition}, model::{identity::IdentityId, keys::{EventKey, SortKey}, time::Instant, version::{ImportId, Version}}};

const LISTINGS: [Listing; 4] = [
    Listing::History,
    Listing::Notes,
    Listing::Attributes,
    Listing::Export,
];

fuzz_target!(|input: (u8, &str, &str)| {
    let (listing, filters, text) = input;
    let listing = LISTINGS[usize::from(listing) % LISTINGS.len()];
    if let Ok(position) = cursor::decode(listing, filters, text) {
        assert_eq!(cursor::encode(listing, filters, &position), text);
    }
    let made = cursor::encode(listing, filters, text);
    // A cursor that is not too long decodes to its position.
    if made.len() <= 2048 {
        assert_eq!(cursor::decode(listing, filters, &made).as_deref(), Ok(text));
        for other in LISTINGS.into_iter().filter(|other| *other != listing) {
            assert!(cursor::decode(other, filters, &made).is_err());
        }
    }
    if let Some(key) = EventKey::parse(text) {
        assert_eq!(key.as_str(), text);
        assert!(text.starts_with(&key.at().fixed()));
    }
    if let Some(place) = EventPosition::parse(text) {
        assert_eq!(place.to_text(), text);
    }
    if let Some(key) = SortKey::parse(text) {
        // The table holds what is written here; other spellings come in forged cursors alone, and mean the same.
        assert_eq!(SortKey::parse(&key.to_text()), Some(key));
    }
    if let Some(at) = Instant::parse(text) {
        assert_eq!(Instant::parse(&at.to_string()), Some(at));
        assert_eq!(at.fixed().len(), 27);
    }
    if let Ok(id) = text.parse::<IdentityId>() {
        assert_eq!(id.as_str(), text);
    }
    let _ = note::parse_id(text);
    let version = Version::new(1, filters, ImportId([7; 8]), 9);
    assert_eq!(Version::from_bytes(version.as_bytes()), Some(version));
});
