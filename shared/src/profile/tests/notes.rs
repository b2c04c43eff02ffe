//! Notes: ids, entity tags, and pages with pinned notes on top.

use super::*;
use crate::profile::cursor::PositionIn;
use crate::profile::note::{self, NoteText, page, parse_id};

const BEGAN_MILLISECONDS: u64 = 1_700_000_000_123;

fn uuid(n: u64) -> Uuid {
    let time = u128::from(BEGAN_MILLISECONDS + n * 1000) << 80;
    Uuid::from_u128(time | 0x7000_8000_0000_0000_0000)
}

fn written(n: u64, pinned: bool) -> Item {
    let text = NoteText::new(&format!("Note {n}")).unwrap();
    Item {
        key: SortKey::Note(uuid(n)),
        data: note::data(&text, AGENT, pinned),
        ..note(0, 0)
    }
}

/// Returns the numbers of the notes on each page.
fn pages(items: &[Item], limit: usize) -> Vec<Vec<u64>> {
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        assert!(pages.len() < 10, "{pages:?}");
        let page = page(items, &identity(0).0, after, limit, &view());
        let number = |note: &Note| {
            let Personal::Shown(text) = &note.text else {
                panic!("{note:?}")
            };
            text.trim_start_matches("Note ").parse().unwrap()
        };
        pages.push(page.items.iter().map(number).collect());
        let Some(next) = page.next else {
            return pages;
        };
        let place = PositionIn::decode(Listing::Notes, "", &next, parse_id).unwrap();
        after = Some(place.within(&Closure::new(identity(0).0)).unwrap());
    }
}

#[test]
fn a_note_is_as_it_was_written() {
    let item = written(5, true);
    let shown = Note::new(&item, &view()).unwrap();
    assert_eq!(shown.id, format!("{}.{}", item.identity, uuid(5)));
    assert_eq!(parse_id(&shown.id), Some((uuid(5), item.identity.clone())));
    assert_eq!(shown.text, Personal::Shown("Note 5".to_owned()));
    assert_eq!((shown.author.as_str(), shown.pinned), ("agent", true));
    let began = Instant::from_milliseconds(BEGAN_MILLISECONDS as i64 + 5000);
    assert_eq!(Some(shown.created_at), began);
    assert_eq!(note::created_at(Uuid::nil()), None);
    for no_id in ["", "x.y", &uuid(5).to_string()] {
        assert_eq!(parse_id(no_id), None, "{no_id}");
    }
}

#[test]
fn writers_are_named_if_their_tokens_name_them() {
    let text = NoteText::new("Call").unwrap();
    let named = note::Writer {
        subject: "agent",
        name: Some("Vera"),
    };
    let mut item = written(5, false);
    item.data = note::data(&text, named, false);
    let shown = |item: &Item| Note::new(item, &view()).unwrap();
    let note = shown(&item);
    assert_eq!(note.author_name.as_deref(), Some("Vera"));
    assert_eq!((note.updated_by, note.updated_by_name), (None, None));
    let editor = |item: &mut Item, writer| note::set_editor(&mut item.data, writer, at(9));
    editor(&mut item, named);
    let note = shown(&item);
    assert_eq!(
        (note.updated_by_name.as_deref(), note.updated_at),
        (Some("Vera"), at(9))
    );
    // The next editor's token has no name, and the previous name goes.
    editor(&mut item, AGENT);
    let note = shown(&item);
    assert_eq!(
        (note.updated_by.as_deref(), note.updated_by_name),
        (Some("agent"), None)
    );
    assert_eq!(note.author_name.as_deref(), Some("Vera"));
    let listed = |name: &&str| note::WRITER_FIELDS.contains(name);
    let kept = item
        .data
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !listed(name));
    assert!(kept.eq(["text", "updated_at"]));
}

#[test]
fn a_tag_changes_with_the_note() {
    let tag = |item: &Item| Note::new(item, &view()).unwrap().etag;
    let tags = [written(5, true), written(5, false), written(6, true)].map(|item| tag(&item));
    assert!(tags[0] != tags[1] && tags[0] != tags[2] && tags[1] != tags[2]);
    assert_eq!(tag(&written(5, true)), tags[0]);
    for tag in tags {
        assert!(
            tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'),
            "{tag}"
        );
    }
}

#[test]
fn pinned_notes_stand_on_top_of_the_first_page_alone() {
    let items: Vec<_> = (0..6).map(|n| written(n, n == 1 || n == 3)).collect();
    assert_eq!(pages(&items, 2), [vec![3, 1, 5, 4], vec![2, 0]]);
    assert_eq!(pages(&items, 4), [[3, 1, 5, 4, 2, 0]]);
    assert_eq!(pages(&items, 3), [vec![3, 1, 5, 4, 2], vec![0]]);
    assert_eq!(pages(&[], 3), [[0_u64; 0]]);
}

#[test]
fn beyond_twenty_pinned_notes_stand_on_their_days() {
    let items: Vec<_> = (0..22).map(|n| written(n, true)).collect();
    let newest = (2..22).rev().collect::<Vec<_>>();
    assert_eq!(pages(&items, 1), [[newest, vec![1]].concat(), vec![0]]);
}
