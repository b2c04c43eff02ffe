//! Attributes: which other claims are listed, how the summary uses attributes, and pages.

use super::*;
use crate::profile::attributes;

pub(super) fn given(source: &str, namespace: &str, written: u8, values: &[(&str, Value)]) -> Item {
    let key = SortKey::Attributes {
        source: source.to_owned(),
        namespace: namespace.to_owned(),
    };
    let (identity, link) = identity(0);
    let data = map(&[("attributes", map(values).into())]);
    Item::ingested(identity, key, version(written), Some(link), data)
}

pub(super) fn answered(items: &[Item]) -> serde_json::Value {
    serde_json::from_str(&document(items)).unwrap()
}

pub(super) fn categories(items: &[Item]) -> Categories {
    attributes::fold(&items.iter().cloned().collect(), &view()).categories
}

#[test]
fn who_disagrees_is_named_once_for_each_value_of_each_source() {
    let score = |source, namespace, written, value: &str| {
        given(source, namespace, written, &[("score", value.into())])
    };
    // Two identities have the same value from one source, which is then listed once.
    let other = |item: Item| Item {
        identity: identity(1).0,
        ..item
    };
    let items = [
        score("a", "model", 9, "high"),
        score("b", "model", 8, "low"),
        other(score("b", "model", 7, "low")),
        other(score("a", "model", 6, "low")),
        score("c", "model", 5, "high"),
        score("d", "model", 4, "middle"),
    ];
    let categories = categories(&items);
    let [score] = categories["model"].as_slice() else {
        panic!("{categories:?}")
    };
    assert_eq!(score.value, Personal::Shown("high".into()));
    let also: Vec<_> = score
        .also
        .iter()
        .map(|also| (also.source.as_str(), also.value.clone()))
        .collect();
    let said = |value: &str| Personal::Shown(Value::from(value));
    let expected = [
        ("b", said("low")),
        ("a", said("low")),
        ("d", said("middle")),
    ];
    assert_eq!(also, expected);
}

#[test]
fn one_source_that_said_two_things_is_named_with_both() {
    let other = |item: Item, n| Item {
        identity: identity(n).0,
        ..item
    };
    let score = |written, value: &str| given("b", "model", written, &[("score", value.into())]);
    let items = [
        given("a", "model", 9, &[("score", "high".into())]),
        score(8, "low"),
        other(score(7, "middle"), 1),
    ];
    assert_eq!(categories(&items)["model"][0].also.len(), 2);
}

#[test]
fn days_are_counted_from_the_last_order() {
    let items = [event(
        0,
        93,
        EventType::Purchase,
        "p1",
        1,
        order("p1", "1", "1"),
    )];
    let document = answered(&items);
    let figures = document["attributes"]["figures"].as_array().unwrap();
    let days = figures
        .iter()
        .find(|figure| figure["name"] == "days_since_last_order");
    assert_eq!(days.unwrap()["value"], 7);
}

#[test]
fn who_works_for_the_company_is_in_the_segment_of_employees() {
    let segments = |name: &'static str, value: Value| {
        let items = [record(0, "crm", 1, map(&[(name, value)]))];
        answered(&items)["summary"]["segments"].to_string()
    };
    assert!(segments("employee_flag", true.into()).contains("\"employee\""));
    assert!(!segments("employee_flag", false.into()).contains("\"employee\""));
    assert!(!segments("customer_type", true.into()).contains("\"employee\""));
}

#[test]
fn segments_that_are_given_and_set_are_the_customers() {
    let set = [
        ("early_bird", Value::Bool(true)),
        ("night_owl", Value::Bool(false)),
        ("nobody", Value::Null),
        ("tier", Value::from("gold")),
    ];
    let items = [
        given("crm", "segments", 1, &set),
        given("crm", "model", 1, &[("churn", true.into())]),
    ];
    let segments = answered(&items)["summary"]["segments"].clone();
    let has = |name: &str| {
        let mut names = segments.as_array().unwrap().iter();
        names.any(|segment| segment == name)
    };
    assert!(has("early_bird") && has("tier"), "{segments}");
    for other in ["night_owl", "nobody", "churn", "", "xyzzy"] {
        assert!(!has(other), "{other} in {segments}");
    }
}

#[test]
fn each_value_has_its_kind() {
    let long = "x".repeat(257);
    let kinds = [
        ("flag", Value::Bool(false), "flag"),
        ("number", number("1.5"), "number"),
        ("day", "2026-02-28".into(), "date"),
        ("no_day", "2026-02-30".into(), "string"),
        ("seen_at", "2026-02-28T12:00:00Z".into(), "date"),
        ("seen", "2026-02-28T12:00:00Z".into(), "string"),
        ("not_seen_at", "never".into(), "string"),
        ("offset_at", "2026-02-28T22:00:00.5+10:00".into(), "date"),
        ("compact_at", "20260228".into(), "string"),
        ("compact_time_at", "20260228T120000Z".into(), "string"),
        (
            "zone_at",
            "2026-02-28T12:00+10:00[Australia/Sydney]".into(),
            "string",
        ),
        ("minutes_at", "2026-02-28T12:00Z".into(), "string"),
        ("comma_at", "2026-02-28T12:00:00,5Z".into(), "string"),
        ("leap_at", "2026-02-28T23:59:60Z".into(), "string"),
        ("space_at", "2026-02-28 12:00:00Z".into(), "string"),
        ("local_at", "2026-02-28T12:00:00".into(), "string"),
        ("no_time_at", "2026-02-28T25:00:00Z".into(), "string"),
        ("no_fraction_at", "2026-02-28T12:00:00.Z".into(), "string"),
        ("wide_at", "2026-02-28T12:00:0\u{e9}Z".into(), "string"),
        ("short", long[1..].into(), "string"),
        ("long", long.as_str().into(), "text"),
        ("list", Value::List(Vec::new()), "text"),
    ];
    let values: Vec<_> = kinds
        .iter()
        .map(|(name, value, _)| (*name, value.clone()))
        .collect();
    let categories = categories(&[given("crm", "a", 1, &values)]);
    assert_eq!(categories["a"].len(), kinds.len());
    for attribute in &categories["a"] {
        let expected = kinds.iter().find(|(name, ..)| attribute.name == *name);
        assert_eq!(attribute.kind, expected.unwrap().2, "{}", attribute.name);
    }
}

#[test]
fn fields_of_customer_records_have_their_categories() {
    let fields = [
        ("email", "contact"),
        ("city", "address"),
        ("first_name", "customer"),
        ("shoe_size", "other"),
        ("shirt", "custom"),
    ];
    let custom = map(&[("shirt", "M".into())]);
    let mut data = map(&[
        ("custom_fields", custom.into()),
        ("updated_at", "2026-02-28T12:00:00Z".into()),
    ]);
    for (name, category) in fields {
        if category != "custom" {
            data.insert(name, "something");
        }
    }
    let categories = categories(&[record(0, "crm", 1, data)]);
    let found: Vec<_> = categories
        .iter()
        .flat_map(|(category, attributes)| {
            attributes.iter().map(move |attribute| {
                let as_of = attribute.as_of.map(|at| at.to_string());
                assert_eq!(as_of.as_deref(), Some("2026-02-28T12:00:00Z"));
                (attribute.name.as_str(), category.as_str())
            })
        })
        .collect();
    assert_eq!(found.len(), fields.len());
    for field in fields {
        assert!(found.contains(&field), "{field:?} in {found:?}");
    }
}

#[test]
fn segments_that_are_denied_are_not_set() {
    let denied: [Value; 20] = [
        false.into(),
        Value::Null,
        number("0"),
        number("0.00"),
        number("-0"),
        "".into(),
        "  ".into(),
        "false".into(),
        " False ".into(),
        "0".into(),
        "0.0".into(),
        "no".into(),
        "No".into(),
        "n".into(),
        " N".into(),
        "f".into(),
        "OFF".into(),
        "off ".into(),
        Value::List(Vec::new()),
        Map::new().into(),
    ];
    let set: [Value; 9] = [
        true.into(),
        number("1"),
        number("0.5"),
        "true".into(),
        "yes".into(),
        "none".into(),
        "1".into(),
        "on".into(),
        Value::List(vec![false.into()]),
    ];
    for (values, expected) in [(denied.as_slice(), false), (&set, true)] {
        for value in values {
            let plain = ("segment", value.clone());
            let sure = map(&[("value", value.clone()), ("confidence", number("1"))]);
            for own in [plain, ("segment", sure.into())] {
                let categories = categories(&[given("crm", "segments", 1, &[own])]);
                let found = attributes::segments(&categories).count() == 1;
                assert_eq!(found, expected, "{value:?}");
            }
        }
    }
}

#[test]
fn names_come_from_records_with_both_parts() {
    let named = |source: &str, written, parts: &[(&str, &str)]| {
        let parts: Vec<_> = parts
            .iter()
            .map(|(part, name)| (*part, Value::from(*name)))
            .collect();
        record(0, source, written, map(&parts))
    };
    let name = |items: &[Item]| answered(items)["name"].clone();
    let tess = named("crm", 1, &[("first_name", "Tess"), ("last_name", "Aldous")]);
    let guest = named("till", 2, &[("first_name", "Guest")]);
    assert_eq!(name(&[tess.clone(), guest.clone()]), "Tess Aldous");
    let newer = named(
        "shop",
        3,
        &[("first_name", "Theresa"), ("last_name", " Aldous-Kim ")],
    );
    assert_eq!(
        name(&[newer, tess.clone(), guest.clone()]),
        "Theresa Aldous-Kim"
    );
    // Parts of only whitespace count as absent.
    let blank = named("shop", 3, &[("first_name", ""), ("last_name", " ")]);
    assert_eq!(name(&[tess.clone(), blank.clone()]), "Tess Aldous");
    let half = named("shop", 3, &[("first_name", "Jane "), ("last_name", "")]);
    assert_eq!(name(&[tess, half.clone()]), "Tess Aldous");
    // If no record has both parts, each part is chosen separately.
    let family = named("pos", 1, &[("last_name", "Old")]);
    assert_eq!(name(&[guest, half, blank.clone(), family]), "Jane Old");
    assert_eq!(name(&[named("pos", 1, &[("last_name", "Old")])]), "Old");
    assert_eq!(name(&[blank]), serde_json::Value::Null);
}

#[test]
fn placeholders_do_not_become_names() {
    let named = |source: &str, written, first: &str, last: &str| {
        let parts = [("first_name", first.into()), ("last_name", last.into())];
        record(0, source, written, map(&parts))
    };
    let name = |items: &[Item]| answered(items)["name"].clone();
    let tess = named("crm", 1, "Tess", "Aldous");
    for (first, last) in [
        ("NULL", "NULL"),
        ("N/A", "N/A"),
        ("Guest", "Guest"),
        ("First", "Last"),
        ("Tess", "-"),
        ("Theresa", "Unknown"),
        ("Tess", "Guest"),
        ("none", "Other"),
    ] {
        let newer = named("till", 2, first, last);
        assert_eq!(
            name(&[tess.clone(), newer]),
            "Tess Aldous",
            "{first} {last}"
        );
    }
    assert_eq!(name(&[named("till", 1, "Tess", "-")]), "Tess");
    assert_eq!(name(&[named("till", 1, "null", "Aldous")]), "Aldous");
    // A customer without another name keeps what is stored.
    assert_eq!(name(&[named("till", 1, "Nan", "")]), "Nan");
    assert_eq!(name(&[named("till", 1, "NULL", "NULL")]), "NULL NULL");
    // The record itself stays as it is stored.
    let stored = answered(&[named("till", 1, "Tess", "NULL")]);
    let stored = stored["attributes"]["customer"].as_array().unwrap();
    assert!(stored.iter().any(|each| each["value"] == "NULL"));
    // A placeholder that is also a surname counts if no record has another one.
    let cash = named("till", 2, "Johnny", "Cash");
    assert_eq!(name(std::slice::from_ref(&cash)), "Johnny Cash");
    let newer = named("shop", 3, "John", "");
    assert_eq!(name(&[cash.clone(), newer]), "Johnny Cash");
    let family = named("shop", 1, "", "Carter");
    assert_eq!(name(&[cash, family]), "Johnny Carter");
}

#[test]
fn attributes_of_reserved_namespaces_count_nowhere() {
    let staff = given("crm", "customer", 9, &[("employee_flag", true.into())]);
    let record = record(0, "pos", 1, map(&[("employee_flag", false.into())]));
    let document = answered(&[staff, record]);
    let flag = &document["attributes"]["customer"][0];
    assert_eq!(
        (
            &flag["name"],
            &flag["value"],
            &flag["source"],
            flag.get("also")
        ),
        (&"employee_flag".into(), &false.into(), &"pos".into(), None)
    );
    assert!(
        !document["summary"]["segments"]
            .to_string()
            .contains("employee")
    );
    for namespace in [
        "contact", "address", "customer", "custom", "other", "figures", "Customer", " other",
    ] {
        let categories = categories(&[given("crm", namespace, 1, &[("x", true.into())])]);
        assert!(categories.is_empty(), "{namespace}");
    }
    assert_eq!(
        categories(&[given("crm", "others", 1, &[("x", true.into())])]).len(),
        1
    );
}

#[test]
fn hides_attributes_without_the_scope() {
    let own = record(
        0,
        "crm",
        1,
        map(&[
            ("gender", "female".into()),
            ("customer_type", "gold".into()),
            ("country", "Australia".into()),
            ("employee_flag", true.into()),
            ("IBAN", "DE02".into()),
            ("custom_fields", map(&[("Vera Lindt", "1".into())]).into()),
        ]),
    );
    let items = [
        own,
        given("crm", "health", 1, &[("diabetes", true.into())]),
        given("crm", "segments", 1, &[("loyal", true.into())]),
    ];
    let folded = |personal, open_namespaces: &[String]| {
        let view = View {
            personal,
            open_namespaces,
            ..view()
        };
        let folded = attributes::fold(&items.iter().cloned().collect(), &view);
        let values = folded.categories.into_iter().flat_map(|(category, all)| {
            all.into_iter()
                .map(move |own| (format!("{category}.{}", own.name), own.value))
        });
        (values.collect::<BTreeMap<_, _>>(), folded.redacted)
    };
    let hidden = Personal::Redacted;
    let flag = Personal::Shown(Value::Bool(true));
    let (mut expected, redacted) = folded(false, &["segments".to_owned()]);
    assert_eq!(redacted, 3);
    let names = [
        "address.country",
        "customer.customer_type",
        "customer.gender",
    ];
    assert!(
        names
            .iter()
            .all(|name| expected.remove(*name) == Some(hidden.clone()))
    );
    assert_eq!(
        expected,
        BTreeMap::from([
            ("customer.employee_flag".to_owned(), flag.clone()),
            ("segments.loyal".to_owned(), flag.clone()),
        ])
    );
    assert_eq!(folded(false, &[]).1, 4);
    let (open, redacted) = folded(false, &["health".to_owned()]);
    assert_eq!((open.get("health.diabetes"), redacted), (Some(&flag), 3));
    let (all, redacted) = folded(true, &[]);
    assert_eq!((all.len(), redacted), (8, 0));
    assert!(!all.values().any(|value| *value == hidden));
}
