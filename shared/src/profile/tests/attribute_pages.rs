//! Pages of attributes: their order, positions, searches and files.

use super::{
    claims::{answered, categories, given},
    *,
};
use crate::profile::attributes::{
    self,
    page::{Position, Wanted, select},
    search::Search,
};

#[test]
fn pages_come_to_all_attributes_once_in_order() {
    let items = [
        given(
            "crm",
            "a",
            1,
            &[("x", "1".into()), ("y", "2".into()), ("z", "3".into())],
        ),
        given("crm", "b", 1, &[("x", "4".into()), ("y", "5".into())]),
    ];
    let read = |category: Option<&str>, limit| {
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let wanted = Wanted {
                category,
                after,
                limit,
                ..Wanted::default()
            };
            let selected = select(categories(&items), &wanted);
            let items = selected.items.iter();
            assert!(items.len() <= limit && pages < 10);
            let last = items.len().saturating_sub(1);
            seen.extend(items.map(|paged| format!("{}.{}", paged.category, paged.attribute.name)));
            pages += 1;
            after = selected
                .position(last)
                .filter(|_| selected.has_more)
                .map(|position| Position::parse(&position.to_string()).unwrap());
            if after.is_none() {
                return (seen, pages);
            }
        }
    };
    let all = ["a.x", "a.y", "a.z", "b.x", "b.y"].map(str::to_owned);
    assert_eq!(read(None, 2), (all.to_vec(), 3));
    assert_eq!(read(None, 5), (all.to_vec(), 1));
    assert_eq!(read(Some("a"), 2), (all[..3].to_vec(), 2));
    assert_eq!(read(Some("b"), 2), (all[3..].to_vec(), 1));
    assert_eq!(read(Some("c"), 2), (Vec::new(), 1));
}

#[test]
fn the_strongest_attributes_come_first() {
    let sure = |confidence: &str| {
        let confidence = number(confidence);
        Value::from(map(&[("value", true.into()), ("confidence", confidence)]))
    };
    let values = [
        ("a", true.into()),
        ("b", sure("0")),
        ("c", sure("1.5")),
        ("d", sure("2")),
        ("e", sure("15e-1")),
        ("f", sure("0.0000000000000000000000001")),
        ("g", true.into()),
    ];
    let items = [
        given("crm", "interests", 1, &values),
        given("crm", "sizes", 1, &[("top", "M".into())]),
    ];
    let strongest = ["d", "c", "e", "f", "b", "a", "g"];
    let names = |listed: &[attributes::Attribute]| -> Vec<String> {
        listed.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names(&categories(&items)["interests"]), strongest);
    let wanted = Wanted {
        limit: 100,
        ..Wanted::default()
    };
    let selected = select(categories(&items), &wanted).items;
    let listed: Vec<_> = selected.into_iter().map(|paged| paged.attribute).collect();
    assert_eq!(names(&listed), [&strongest[..], &["top"]].concat());
    let view = answered(&items);
    let shown = view["attributes"]["interests"].as_array().unwrap();
    assert!(shown.iter().map(|one| &one["name"]).eq(&strongest));
}

proptest! {
    #[test]
    fn confidences_never_rise(values in prop::collection::btree_map("[a-z]{1,3}", prop::option::of(0_u32..=200), 0..30)) {
        let given_values: Vec<_> = values
            .iter()
            .map(|(name, confidence)| {
                let confidence = confidence.map(|hundredths| {
                    let decimal = rust_decimal::Decimal::new(hundredths.into(), 2);
                    ("confidence", Value::Number(decimal.to_string()))
                });
                let fields: Vec<_> = [("value", true.into())].into_iter().chain(confidence).collect();
                (name.as_str(), Value::from(map(&fields)))
            })
            .collect();
        let listed = categories(&[given("crm", "interests", 1, &given_values)]);
        let keys: Vec<_> = listed
            .get("interests")
            .into_iter()
            .flatten()
            .map(|one| (std::cmp::Reverse(values[&one.name]), one.name.clone()))
            .collect();
        prop_assert_eq!(keys.len(), values.len());
        prop_assert!(keys.is_sorted());
    }
}

#[test]
fn positions_survive_changes_and_contain_no_names() {
    let long = "n".repeat(3_000);
    let listed = |names: &[&str]| {
        let values: Vec<_> = names.iter().map(|name| (*name, Value::from("1"))).collect();
        categories(&[given("crm", "a", 1, &values)])
    };
    let names_after = |names: &[&str], after: &Position| -> Vec<String> {
        let wanted = Wanted {
            after: Some(after.clone()),
            limit: 10,
            ..Wanted::default()
        };
        let items = select(listed(names), &wanted).items;
        items
            .into_iter()
            .map(|paged| paged.attribute.name)
            .collect()
    };
    let all = ["b", "d", long.as_str(), "x"];
    for (at, name) in all.iter().enumerate() {
        let position = Position::after(at + 1, "a", name);
        assert!(position.to_string().len() < 32);
        assert_eq!(names_after(&all, &position), &all[at + 1..]);
    }
    let after_d = Position::after(2, "a", "d");
    assert_eq!(names_after(&["a", "b", "c", "d", "x"], &after_d), ["x"]);
    assert_eq!(names_after(&["d", "x"], &after_d), ["x"]);
    // The attribute of the position no longer exists.
    assert_eq!(names_after(&["b", "x"], &after_d), ["x"]);
    assert_eq!(names_after(&["b", "c", "x"], &after_d), ["c", "x"]);
    assert_eq!(names_after(&["b"], &after_d), Vec::<String>::new());
}

#[test]
fn values_name_their_files() {
    use crate::profile::provenance::Files;
    let items = [
        given("a", "model", 9, &[("score", "high".into())]),
        given("b", "model", 8, &[("score", "low".into())]),
    ];
    let own = version(9).import();
    let plan = map(&[("key", "drop/attributes/a/vera.ndjson".into())]);
    let files = Files::new([(own, plan)].into());
    let expired = Files::default();
    let shown = |files: &Files, personal| {
        let view = View { personal, ..view() };
        let mut score = categories(&items)["model"][0].clone();
        assert_eq!(score.versions().count(), 2);
        score.add_provenance(files, &view);
        serde_json::to_value(&score).unwrap()
    };
    let found = shown(&files, true);
    let expected = serde_json::json!({
        "import": own.to_string(),
        "file": "drop/attributes/a/vera.ndjson",
        "last_modified": "2023-11-14T22:13:29Z",
    });
    assert_eq!(found["provenance"], expected);
    assert_eq!(found["also"][0]["provenance"]["file"], expected["file"]);
    let redacted = &shown(&files, false)["provenance"]["file"];
    assert_eq!(*redacted, serde_json::json!({"redacted": true}));
    for personal in [true, false] {
        let file = shown(&expired, personal)["provenance"]["file"].clone();
        assert_eq!(file, serde_json::Value::Null);
    }
    // The document of a profile contains no files.
    let unread = serde_json::to_value(&categories(&items)["model"][0]).unwrap();
    assert_eq!(unread.get("provenance"), None);
    assert_eq!(unread["also"][0].get("provenance"), None);
}

/// Returns the names of the attributes that a search finds.
fn found(items: &[Item], text: &str) -> Vec<String> {
    let search = Search::new(text);
    let wanted = Wanted {
        search: Some(&search),
        limit: 100,
        ..Wanted::default()
    };
    let selected = select(categories(items), &wanted).items;
    let found = selected.into_iter().map(|paged| paged.attribute.name);
    found.collect()
}

#[test]
fn searches_find_all_words_in_category_name_and_value() {
    let items = [
        given(
            "crm",
            "interests",
            1,
            &[
                ("rib_crew_knit", true.into()),
                ("Café", "São Paulo".into()),
                ("sizes", Value::List(vec!["M".into(), "Größe 42".into()])),
                ("spend", number("1234.50")),
                (
                    "plan",
                    map(&[("value", map(&[("tier", "Gold".into())]).into())]).into(),
                ),
            ],
        ),
        given("crm", "loyalty", 1, &[("tier", "gold".into())]),
    ];
    for (text, expected) in [
        ("knit", vec!["rib_crew_knit"]),
        ("KNIT  rib", vec!["rib_crew_knit"]),
        ("crew_knit", vec!["rib_crew_knit"]),
        ("rib_crew jeans", vec![]),
        ("ribcrew", vec![]),
        ("interests crew", vec!["rib_crew_knit"]),
        ("true", vec!["rib_crew_knit"]),
        ("cafe", vec!["Café"]),
        ("CAFÉ sao", vec!["Café"]),
        ("cafe\u{301}", vec!["Café"]),
        ("grosse 42", vec!["sizes"]),
        ("34.5", vec!["spend"]),
        ("gold", vec!["plan", "tier"]),
        ("tier gold", vec!["plan", "tier"]),
        ("loyalty gold", vec!["tier"]),
        ("crm", vec![]),
    ] {
        assert_eq!(found(&items, text), expected, "{text}");
    }
    for text in ["", " ", "_", " __\u{301} ", "\u{af}"] {
        assert_eq!(found(&items, text), Vec::<String>::new(), "{text:?}");
    }
}

/// A search that found hidden values would reveal them.
#[test]
fn searches_find_only_what_is_visible() {
    let items = [
        record(
            0,
            "crm",
            1,
            map(&[("city", "Hobart".into()), ("vera", "Lindt".into())]),
        ),
        given("crm", "interests", 1, &[("hobart", true.into())]),
    ];
    let names = |personal, text: &str| -> Vec<String> {
        let view = View { personal, ..view() };
        let search = Search::new(text);
        let wanted = Wanted {
            search: Some(&search),
            limit: 100,
            ..Wanted::default()
        };
        let folded = attributes::fold(&items.iter().cloned().collect(), &view);
        let selected = select(folded.categories, &wanted).items;
        selected
            .into_iter()
            .map(|paged| paged.attribute.name)
            .collect()
    };
    assert_eq!(names(true, "hobart"), ["city", "hobart"]);
    assert_eq!(names(false, "hobart"), Vec::<String>::new());
    assert_eq!(names(false, "city"), ["city"]);
    assert_eq!(names(true, "lindt"), ["vera"]);
    assert_eq!(names(false, "vera"), Vec::<String>::new());
    assert_eq!(names(false, "redacted"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn pages_of_a_search_are_its_results(
        values in prop::collection::btree_map("[ab_]{1,4}", "[ab ]{0,3}", 0..20),
        text in "[ab_]{1,3}",
        limit in 1_usize..5,
    ) {
        let search = Search::new(&text);
        let listed: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect();
        let items = [given("crm", "x", 1, &listed)];
        let words: Vec<_> = text.split('_').filter(|word| !word.is_empty()).collect();
        let is_found = |name: &str, value: &str| {
            !words.is_empty() && words.iter().all(|word| "x".contains(word) || value.contains(word) || name.split('_').any(|part| part.contains(word)))
        };
        let expected: Vec<_> = values.iter().filter(|(name, value)| is_found(name, value)).map(|(name, _)| name.clone()).collect();
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let wanted = Wanted { search: Some(&search), after, limit, ..Wanted::default() };
            let selected = select(categories(&items), &wanted);
            let last = selected.items.len().saturating_sub(1);
            after = selected.position(last).filter(|_| selected.has_more);
            prop_assert!(selected.items.len() <= limit);
            seen.extend(selected.items.into_iter().map(|paged| paged.attribute.name));
            if after.is_none() {
                break;
            }
        }
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn every_text_can_be_searched(text in ".{0,40}") {
        let search = Search::new(&text);
        prop_assert_eq!(&Search::new(&search.canonical()), &search);
        let items = [given("crm", "x", 1, &[("name", text.as_str().into())])];
        let names: &[&str] = if search.canonical().is_empty() { &[] } else { &["name"] };
        prop_assert_eq!(found(&items, &text), names);
    }
}
