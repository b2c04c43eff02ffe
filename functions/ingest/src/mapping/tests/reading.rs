//! How cells are read for their fields.

use super::{
    read::{DecimalMark, amount},
    support::*,
    *,
};

/// Returns a field of a customer record or purchase that is made from the cell `c`, under settings of `read`.
fn field(settings: &str, field: &str, cell: &str) -> String {
    let text = format!(
        r#"{{"mapping": 1, "read": {{{settings}}}, "records": [{{"type": "customer_record",
            "record": {{"link": {{"mobile": "m"}}, "{field}": "c"}}}}]}}"#
    );
    value(&text, field, cell)
}

/// Returns the price of a purchase that is made from the cell `c`.
fn price(settings: &str, cell: &str) -> String {
    let text = format!(
        r#"{{"mapping": 1, "read": {{{settings}}}, "records": [{{"type": "purchase", "record": {{"link": {{"mobile": "m"}},
            "action_at": "m", "type": {{"const": "physical"}}, "purchase_id": "m",
            "products": [{{"quantity": "m", "price_paid": "c"}}]}}}}]}}"#
    );
    value(&text, "products[0].price_paid", cell)
}

fn value(text: &str, path: &str, cell: &str) -> String {
    let mut row = Map::new();
    row.insert("m", "+61491570006");
    row.insert("c", cell);
    let mapped = map_file(&mapping(text), "", &File::Json(vec![row])).remove(0);
    match super::name::find(&mapped.records[0].record, path) {
        Some(Value::Text(text) | Value::Number(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn amounts_lose_what_is_not_the_number() {
    for (cell, number) in [
        ("$1,240.00", "1240.00"),
        ("-$12.00", "-12.00"),
        ("$-12.00", "-12.00"),
        ("(1.00)", "-1.00"),
        ("($1.00)", "-1.00"),
        ("$ (12.50)", "-12.50"),
        ("($12.50)", "-12.50"),
        ("(12.50) €", "-12.50"),
        ("AUD (1,240.00)", "-1240.00"),
        ("$ -", "0"),
        (" $ -   ", "0"),
        ("-   €", "0"),
        ("USD \u{2212}", "0"),
        ("12.00-", "-12.00"),
        ("\u{2212}5", "-5"),
        ("+5", "5"),
        ("AUD 1 240.5", "1240.5"),
        ("12.50 EUR", "12.50"),
        ("R$ 5", "5"),
        ("US$5", "5"),
        ("€5", "5"),
        ("5 kr", "5"),
        ("1'240.50", "1240.50"),
        ("12,34,567.00", "1234567.00"),
        ("1.240", "1.240"),
        (".5", "0.5"),
        ("19.99", "19.99"),
        // Not an amount: the record's rules say so.
        ("12,50", "12,50"),
        ("1,2400", "1,2400"),
        ("12 apples", "12 apples"),
        ("--5", "--5"),
        ("(-5)", "(-5)"),
        ("-$ (5)", "-$ (5)"),
        ("$ (5", "$ (5"),
        ("-", "-"),
        ("--", "--"),
        ("$ ()", "$ ()"),
        ("$ --", "$ --"),
        ("n/a", "n/a"),
        ("$", "$"),
        ("1_000.5", "1_000.5"),
        ("AB 5", "AB 5"),
        ("ABCD$ 5", "ABCD$ 5"),
        ("us$5", "us$5"),
        ("usd 5", "usd 5"),
    ] {
        assert_eq!(price("", cell), number, "{cell}");
    }
    for (cell, number) in [
        ("1.240,50", "1240.50"),
        ("12,5", "12.5"),
        ("1 240,50 €", "1240.50"),
        ("-1.000", "-1000"),
        ("1.240", "1240"),
        ("1,240.50", "1,240.50"),
    ] {
        assert_eq!(price(r#""decimal": ",""#, cell), number, "{cell}");
    }
    // A point separates thousands.
    assert_eq!(amount("12.50", DecimalMark::Comma), None);
}

#[test]
fn times_follow_patterns_and_zone() {
    let paris = r#""zone": "Europe/Paris""#;
    for (settings, cell, time) in [
        (
            r#""time": ["%d-%m-%Y %H:%M"]"#,
            "13-04-2026 10:00",
            "2026-04-13T10:00:00.000000Z",
        ),
        (
            r#""time": ["%d-%m-%Y %H:%M"], "zone": "Europe/Paris""#,
            "13-04-2026 10:00",
            "2026-04-13T08:00:00.000000Z",
        ),
        (
            r#""time": ["%d/%m/%Y"]"#,
            "13/04/2026",
            "2026-04-13T00:00:00.000000Z",
        ),
        (
            r#""time": ["%Y-%m-%d %H:%M:%S %z"], "zone": "Europe/Paris""#,
            "2026-10-06 10:37:33 +1100",
            "2026-10-05T23:37:33.000000Z",
        ),
        (r#""time": ["unix"]"#, "1", "1970-01-01T00:00:01.000000Z"),
        (
            r#""time": ["unix"]"#,
            "1795137300",
            "2026-11-20T01:15:00.000000Z",
        ),
        (r#""time": ["unix"]"#, "1.77E+09", "1.77E+09"),
        (r#""time": ["unix"]"#, "1,77E+09", "1,77E+09"),
        (
            r#""time": "%m/%d/%Y %I:%M:%S %p""#,
            "10/05/2026 2:30:00 PM",
            "2026-10-05T14:30:00.000000Z",
        ),
        // A year of two digits is that of another pattern.
        (
            r#""time": ["%d/%m/%Y %H:%M", "%d/%m/%y %H:%M"]"#,
            "05/03/26 10:00",
            "2026-03-05T10:00:00.000000Z",
        ),
        (
            r#""time": ["%d/%m/%Y %H:%M", "%d/%m/%y %H:%M"]"#,
            "05/03/2026 10:00",
            "2026-03-05T10:00:00.000000Z",
        ),
        (
            r#""time": "%d/%m/%Y %H:%M""#,
            "05/03/0026 10:00",
            "0026-03-05T10:00:00.000000Z",
        ),
        (
            r#""time": "%d/%m/%Y %H:%M""#,
            "05/03/26 10:00",
            "05/03/26 10:00",
        ),
        (
            r#""time": "%d/%m/%Y %H:%M""#,
            "05/03/202 10:00",
            "05/03/202 10:00",
        ),
        // Whitespace outside of ASCII counts as spaces, in cells and in patterns.
        (
            r#""time": "%m/%d/%Y, %I:%M:%S %p""#,
            "3/5/2026, 10:11:12\u{202f}AM",
            "2026-03-05T10:11:12.000000Z",
        ),
        (
            r#""time": "%m/%d/%Y, %I:%M:%S %p""#,
            "3/5/2026,\u{a0}10:11:12\u{a0}AM",
            "2026-03-05T10:11:12.000000Z",
        ),
        (
            "\"time\": \"%m/%d/%Y, %I:%M:%S\u{202f}%p\"",
            "3/5/2026, 10:11:12 AM",
            "2026-03-05T10:11:12.000000Z",
        ),
        (
            paris,
            "2026-04-13\u{a0}10:00\u{202f}AM",
            "2026-04-13T08:00:00.000000Z",
        ),
        (paris, "2026-04-13 10:00", "2026-04-13T08:00:00.000000Z"),
        (paris, "2026-04-13", "2026-04-12T22:00:00.000000Z"),
        // Compact times.
        (paris, "20260413", "2026-04-12T22:00:00.000000Z"),
        (paris, "20260413100000", "2026-04-13T08:00:00.000000Z"),
        (paris, "20260413100000.250", "2026-04-13T08:00:00.250000Z"),
        (paris, "20260413T100000", "2026-04-13T08:00:00.000000Z"),
        (paris, "20260413T100000,5", "2026-04-13T08:00:00.500000Z"),
        (paris, "20260413T1000", "2026-04-13T08:00:00.000000Z"),
        (paris, "20260413 10:00", "2026-04-13T08:00:00.000000Z"),
        (
            r#""time": "unix", "zone": "Europe/Paris""#,
            "20260413100000",
            "2026-04-13T08:00:00.000000Z",
        ),
        (paris, "20260413T100000Z", "20260413T100000Z"),
        (paris, "20260413T100000+1000", "20260413T100000+1000"),
        (paris, "202604131000", "202604131000"),
        (paris, "1795137300000", "1795137300000"),
        // The gap and the fold of summer time.
        (paris, "2026-03-29 02:30:00", "2026-03-29T01:30:00.000000Z"),
        (paris, "2026-10-25 02:30:00", "2026-10-25T00:30:00.000000Z"),
        // What has a zone keeps it, and what cannot be read is left to the record.
        (paris, "2026-04-13T10:00:00Z", "2026-04-13T10:00:00Z"),
        (
            paris,
            "2026-04-13T10:00:00+10:00",
            "2026-04-13T10:00:00+10:00",
        ),
        (paris, "1795137300", "1795137300"),
        (paris, "13/04/2026", "13/04/2026"),
        ("", "2026-04-13 10:00", "2026-04-13 10:00"),
    ] {
        assert_eq!(
            field(settings, "updated_at", cell),
            time,
            "{settings} {cell}"
        );
    }
    assert_eq!(
        field(r#""date": ["%d.%m.%Y"]"#, "date_of_birth", "31.12.1985"),
        "1985-12-31"
    );
    assert_eq!(field("", "date_of_birth", "1985-12-31"), "1985-12-31");
    let both = r#""date": ["%d/%m/%Y", "%d/%m/%y"]"#;
    for (cell, date) in [
        ("02/05/90", "1990-05-02"),
        ("02/05/1990", "1990-05-02"),
        ("02/05/1990\u{a0}", "1990-05-02"),
    ] {
        assert_eq!(field(both, "date_of_birth", cell), date, "{cell}");
    }
}

#[test]
fn json_numbers_may_be_times_with_an_exponent() {
    let text = r#"{"mapping": 1, "read": {"time": "unix"}, "records": [{"type": "customer_record",
        "record": {"link": {"mobile": "m"}, "updated_at": "c"}}]}"#;
    let row = json::object(r#"{"m": "+61491570006", "c": 1.7951373e9}"#).unwrap();
    let mapped = mapped_row(&mapping(text), &row).unwrap();
    let at = mapped.records[0].record.text("updated_at");
    assert_eq!(at, Some("2026-11-20T01:15:00.000000Z"));
}

#[test]
fn identifiers_have_their_normal_form() {
    assert_eq!(field("", "email", " Jane@Example.COM "), "jane@example.com");
    assert_eq!(field("", "mobile", "'+61 491 570 006"), "61491570006");
    assert_eq!(
        field(r#""calling_code": "61""#, "mobile", "0491 570 006"),
        "61491570006"
    );
    assert_eq!(field("", "mobile", "0491 570 006"), "0491 570 006");
    assert_eq!(field("", "customer_id", "'0012"), "0012");
}

#[test]
fn mobiles_stay_unambiguous_for_the_stack() {
    let text = r#"{"mapping": 1, "read": {"calling_code": "61"}, "records": [{"type": "customer_record", "record": {"link": {"mobile": "m"}}}]}"#;
    let mapping = mapping(text);
    let row = json::object(r#"{"m": "0491 570 006"}"#).unwrap();
    // Where numbers of 11 digits are national ones, this number needs a plus sign.
    for (calling_code, expected) in [("49/11", "+61491570006"), ("49/10", "61491570006")] {
        let context = Context {
            mapping: &mapping,
            binding: &Binding::default(),
            file: &FileName::new(""),
            identifiers: Identifiers {
                rules: IdentifierRules {
                    calling_code: Some(calling_code.parse().unwrap()),
                },
                notation: Notation::Json,
            },
        };
        let mapped = map(&context, &[Row::Json(&row)]).unwrap();
        let link = super::name::find(&mapped.records[0].record, "link.mobile");
        assert_eq!(link, Some(&text_value(expected)), "{calling_code}");
    }
    let other = text.replace(r#"{"mobile": "m"}"#, r#"{"customer_id": "m"}"#);
    assert_eq!(value(&other, "link.customer_id", ""), "+61491570006");
    // Without a calling code, the record's rules read the number.
    let text = text.replace(r#""read": {"calling_code": "61"}, "#, "");
    assert_eq!(value(&text, "link.mobile", ""), "+61491570006");
}

#[test]
fn flags_have_several_words() {
    for (cell, flag) in [
        ("Yes", "true"),
        ("n", "false"),
        ("1", "true"),
        ("0", "false"),
        ("TRUE", "true"),
        ("maybe", "maybe"),
    ] {
        assert_eq!(field("", "employee_flag", cell), flag);
    }
}

#[test]
fn free_text_keeps_its_apostrophe() {
    assert_eq!(field("", "first_name", "'90s kid"), "'90s kid");
    assert_eq!(field("", "postcode", "'3182"), "3182");
}
