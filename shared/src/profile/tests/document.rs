//! The document: the content of the requested sections, and the ends of their pages.

use super::*;
use crate::profile::cursor::PositionIn;

fn view(personal: bool) -> View<'static> {
    View {
        now: at(100),
        currency: "AUD",
        zone: &crate::model::zone::UTC,
        personal,
        open_namespaces: &[],
    }
}

/// Returns the profile of the owner of the first item, with all of these items.
fn profile(items: Vec<Item>) -> Profile {
    let mut closure = Closure::new(identity(0).0);
    while let Some(next) = closure.pending().pop() {
        let own = items.iter().filter(|item| item.identity == next);
        let own: Vec<Item> = own.cloned().collect();
        closure.add([(&next, own.as_slice(), &Markers::default())]);
    }
    Profile {
        closure,
        state: items.into_iter().collect(),
        partial: false,
    }
}

fn attributes(namespace: &str, written: u8, values: Map) -> Item {
    let (identity, link) = identity(0);
    let key = SortKey::Attributes {
        source: "crm".to_owned(),
        namespace: namespace.to_owned(),
    };
    let data = map(&[("attributes", values.into())]);
    Item::ingested(identity, key, version(written), Some(link), data)
}

#[test]
fn sections_are_added_by_their_names() {
    for name in Sections::NAMES {
        let mut sections = Sections::NONE;
        assert!(sections.add(name) && sections != Sections::NONE, "{name}");
        let mut document = profile(vec![note(0, 1)]).document(&view(true), sections);
        // The caller adds the matches, because they take more reads.
        document.matches = sections.matches.then(Matches::default);
        let document = serde_json::to_value(&document).unwrap();
        let held = Sections::NAMES.map(|section| document.get(section).is_some());
        assert_eq!(held, Sections::NAMES.map(|section| section == name));
    }
    assert!(!Sections::NONE.clone().add("orders"));
}

#[test]
fn markers_and_remembered_requests_make_no_profile() {
    let of = |key| Item { key, ..note(0, 1) };
    let nothing = vec![
        of(SortKey::Marker(crate::model::keys::Marker::Erased)),
        of(SortKey::Request("x".to_owned())),
    ];
    assert!(!profile(Vec::new()).exists() && !profile(nothing.clone()).exists());
    let something = [nothing, vec![note(0, 1)]].concat();
    assert!(profile(something).exists());
}

#[test]
fn a_category_ends_after_a_hundred() {
    for (count, more) in [(99, false), (100, false), (101, true)] {
        let values = (0..count).map(|n| (format!("{n:03}"), Value::Bool(true)));
        let profile = profile(vec![attributes("interests", 1, values.collect())]);
        let document = profile.document(&view(true), Sections::ALL);
        assert_eq!(
            document.attributes.unwrap()["interests"].len(),
            count.min(100)
        );
        let next = document.attributes_next.get("interests");
        assert_eq!(
            next.map(|next| {
                let position =
                    PositionIn::decode(Listing::Attributes, "interests", next, Position::parse);
                position.unwrap().within(&profile.closure).unwrap()
            }),
            more.then(|| Position::after(100, "interests", "099"))
        );
        assert_eq!(
            document.attributes_as_of,
            Instant::from_seconds(1_700_000_001)
        );
        assert_eq!(
            profile.attributes(&view(true)).categories["interests"].len(),
            count
        );
    }
}

#[test]
fn a_page_of_the_history_ends_after_twenty_five() {
    for (count, more) in [(24, false), (25, false), (26, true)] {
        let events = (0..count)
            .map(|n| event(0, n, EventType::Purchase, "1", n, order("1", "1", "1")))
            .collect();
        let document = profile(events).document(&view(true), Sections::ALL);
        let history = document.history.unwrap();
        assert_eq!(history.page.items.len(), usize::from(count.min(25)));
        let last = Some(history.page.items.last().unwrap().cursor(&document.id));
        assert_eq!(history.page.next, last.filter(|_| more));
        let newest = Instant::from_seconds(1_700_000_000 + i64::from(count) - 1);
        assert_eq!(
            (history.as_of, document.summary.unwrap().as_of),
            (newest, newest)
        );
    }
}

#[test]
fn an_identity_is_named_by_the_most_telling_of_its_identifiers() {
    let parse = |json: serde_json::Value| Identifier::from_json(json.as_object().unwrap()).unwrap();
    let address = parse(serde_json::json!({"email": "a@b.c"}));
    let hash = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest("a@b.c"));
    let hashed = parse(serde_json::json!({ "email_sha256": hash }));
    let key = IdentityKey::new("key").unwrap();
    let named = |link: &Identifier, source: &str| {
        let key = key.identity(link);
        Item::ingested(
            key,
            SortKey::Record(source.to_owned()),
            version(1),
            Some(link.clone()),
            Map::new(),
        )
    };
    for (first, second) in [(&address, &hashed), (&hashed, &address)] {
        let items = [named(first, "a"), named(second, "b")];
        let mut closure = Closure::new(items[0].identity.clone());
        closure.add([(&items[0].identity, items.as_slice(), &Markers::default())]);
        let profile = Profile {
            closure,
            state: items.into_iter().collect(),
            partial: true,
        };
        let document = profile.document(&view(true), Sections::NONE);
        assert_eq!(document.identities.len(), 1);
        let value = document.identities[0].value.clone();
        assert_eq!(value, Some(Personal::Shown("a@b.c".to_owned())));
        assert!(document.partial, "what was left unread is told");
    }
    // An identity that is known only from a link to it.
    let profile = profile(vec![link(0, 1, 1)]);
    let document = profile.document(&view(true), Sections::NONE);
    let values: Vec<_> = document
        .identities
        .iter()
        .map(|identity| &identity.value)
        .collect();
    assert!(
        values.contains(&&Some(Personal::Shown("C1".to_owned()))),
        "{values:?}"
    );
    assert!(!document.partial);
}

#[test]
fn of_two_items_of_one_version_the_first_stays() {
    let said = |name: &str| record(0, "crm", 1, map(&[("first_name", name.into())]));
    let state: State = [said("Ann"), said("Bea")].into_iter().collect();
    assert_eq!(state.items().next(), Some(&said("Ann")));
}
