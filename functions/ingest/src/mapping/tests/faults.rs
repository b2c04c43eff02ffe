//! What validation says of wrong mappings.

use super::{support::*, *};

/// A record entry that is right.
const RIGHT: &str =
    r#"{"type": "unify", "record": {"records": [{"email": "E"}, {"mobile": "M"}]}}"#;

/// Returns the errors of a mapping, as messages.
fn errors(text: &str) -> Vec<String> {
    let faults = match Mapping::read(text.as_bytes()) {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults,
    };
    faults
        .iter()
        .filter(|fault| fault.severity == Severity::Error)
        .map(ToString::to_string)
        .collect()
}

/// Wraps entries in a mapping.
fn with_records(entries: &str) -> String {
    format!(r#"{{"mapping": 1, "records": [{entries}]}}"#)
}

fn with_key(key: &str) -> String {
    format!(r#"{{"mapping": 1, {key}, "records": [{RIGHT}]}}"#)
}

/// A purchase with these fields besides the required ones.
fn purchase(fields: &str) -> String {
    let record = format!(
        r#"{{"link": {{"email": "E"}}, "action_at": "T", "type": {{"const": "physical"}}, "purchase_id": "I",
        "products": [{{"quantity": "Q", "price_paid": "P"}}]{fields}}}"#
    );
    with_records(&format!(r#"{{"type": "purchase", "record": {record}}}"#))
}

#[test]
fn wrong_mappings_are_explained() {
    let subscribe = r#""link": {"email": "E"}, "action_at": "T", "email_id": "I""#;
    let cases = [
        (
            "{".to_owned(),
            "is not valid JSON: EOF while parsing an object at line 1 column 1.",
        ),
        ("[]".to_owned(), "must be a JSON object."),
        (
            with_key(r#""x": "y""#),
            "`x` is not a key here. Use mapping, source, recognize, input, read, group, skip, records.",
        ),
        (
            with_key(r#""skipp": {"a": null}"#),
            "`skipp` is not a key here. Did you mean `skip`?",
        ),
        (
            with_records(RIGHT).replace('1', "2"),
            "`mapping` must be 1, the version of the format.",
        ),
        (
            r#"{"mapping": 1, "records": []}"#.to_owned(),
            "`records` must be a list of one or more kinds of records",
        ),
        (
            with_key(r#""source": "agents""#),
            "`source` is reserved. Use another name.",
        ),
        (
            with_key(r#""source": "My shop""#),
            "`source` must be 1 to 64 lowercase letters",
        ),
        (
            with_key(r#""input": {"format": "xlsx"}"#),
            "`input.format` must be csv, ndjson or json.",
        ),
        (
            with_key(r#""input": {"rows": "data", "format": "csv"}"#),
            "`input.rows` needs the format json.",
        ),
        (
            with_key(r#""read": {"zone": "PST"}"#),
            "`read.zone` must be a name of the IANA time zone database, such as Europe/Paris. Abbreviations such as PST have several meanings.",
        ),
        (
            with_key(r#""read": {"time": ["%Y-%m-%d %H:%M %Z"]}"#),
            "`read.time[0]` contains %Z. Abbreviations of zones have several meanings.",
        ),
        (
            with_key(r#""read": {"time": ["%d/%m %H:%M"]}"#),
            "`read.time[0]` is not a pattern with a whole date",
        ),
        (
            with_key(r#""read": {"time": ["%Y-%K"]}"#),
            "`read.time[0]` is not a pattern with a whole date",
        ),
        (
            with_key(r#""read": {"decimal": ";"}"#),
            "`read.decimal` must be \",\" or \".\".",
        ),
        (
            with_key(r#""read": {"calling_code": "+61"}"#),
            "`read.calling_code` must be a text such as \"61\"",
        ),
        (
            with_key(r#""recognize": {"columns": []}"#),
            "`recognize.columns` must be a list of one or more texts",
        ),
        (
            with_key(r#""recognize": {}"#),
            "`recognize` must contain either `columns` or `fields`.",
        ),
        (
            with_key(r#""skip": {"A": {"matches": "x"}}"#),
            "`skip.A.matches` is not a key here. Use present, above, below, starts, contains, same.",
        ),
        (
            with_key(r#""skip": {"A": {"above": "0"}}"#),
            "`skip.A.above` must be a number.",
        ),
        (
            with_key(r#""skip": {}"#),
            "`skip` must be a condition such as",
        ),
        (
            with_key(r#""skip": {"A": []}"#),
            "`skip.A` must be a list of one or more cells.",
        ),
        (
            with_key(r#""skip": {"A": [["x"]]}"#),
            "`skip.A` must be a list of one or more cells.",
        ),
        (
            with_key(r#""skip": {"A": {"present": 1}}"#),
            "`skip.A.present` must be true or false.",
        ),
        (
            with_key(r#""skip": {"A": {"same": 1}}"#),
            "`skip.A.same` must be a name.",
        ),
        (
            with_key(r#""recognize": {"columns": ["A"], "exact": false}"#),
            "`recognize.exact` must be true, beside `columns`.",
        ),
        (
            with_key(r#""recognize": {"fields": ["a"], "exact": true}"#),
            "`recognize.exact` must be true, beside `columns`.",
        ),
        (
            with_key(r#""skip": {"A": {}}"#),
            "`skip.A` must contain one of present, above, below, starts, contains, same.",
        ),
        (
            with_key(r#""skip": {"A": {"starts": ""}}"#),
            "`skip.A.starts` must be a text.",
        ),
        (
            with_key(r#""skip": {"A": {"contains": ""}}"#),
            "`skip.A.contains` must be a text.",
        ),
        (
            with_key(r#""skip": "A""#),
            "`skip` must be a condition such as",
        ),
        (
            with_key(r#""skip": []"#),
            "`skip` must be a condition such as",
        ),
        (
            with_key(r#""group": []"#),
            "`group` must be the name of a column or path, or a list of names.",
        ),
        (
            with_records(r#"{"type": "order", "record": {}}"#),
            "`records[0].type` is not a record type.",
        ),
        (
            with_records(r#"{"type": "forget", "record": {"link": {"email": "E"}}}"#),
            "`records[0].type` must not be forget.",
        ),
        (
            with_records(r#"{"type": {"from": "A", "values": {"x": "email_sent"}}, "record": {}}"#),
            "`records[0].type` yields a value that is not a record type.",
        ),
        (
            with_records(r#"{"type": "purchase"}"#),
            "`records[0].record` is missing.",
        ),
        (
            with_records(r#"{"type": "customer_record", "record": {"email": "E"}}"#),
            "`records[0].record.link` is missing. The record type requires it.",
        ),
        (
            with_records(r#"{"type": "product", "record": {"name": "N"}}"#),
            "`records[0].record.sku` is missing.",
        ),
        (
            purchase(r#", "curency": "C""#),
            "`records[0].record.curency` is not a field of the record type. Did you mean `currency`?",
        ),
        (
            purchase(r#", "store": {"name": "S"}"#),
            "`records[0].record.store.type` is missing. The object requires it.",
        ),
        (
            purchase(r#", "store": "S", "adjustments": {"price_adjustment": "A"}"#),
            "`records[0].record.adjustments` must be a list, as the field of the record type.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "regex": "x"}}"#),
            "`records[0].record.custom_fields.a.regex` is not a key here.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "part": 1}}"#),
            "`records[0].record.custom_fields.a.part` needs `split` beside it.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "split": ",", "part": 0}}"#),
            "`records[0].record.custom_fields.a.part` must be the number of the element, from 1.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "times": [true]}}"#),
            "`records[0].record.custom_fields.a.times` must be a name or a number",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "values": {"X": 1, "x": 2}}}"#),
            "`records[0].record.custom_fields.a.values.x` is given twice",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "json": true, "negate": true}}"#),
            "`records[0].record.custom_fields.a` has steps for a number and for another value.",
        ),
        (
            purchase(
                r#", "custom_fields": {"a": {"from": "A", "values": {"x": 1}, "negate": true}}"#,
            ),
            "`records[0].record.custom_fields.a` has steps for a number and for another value.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"template": "{A"}}"#),
            "`records[0].record.custom_fields.a.template` has a `{` without `}`.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"template": "A"}}"#),
            "`records[0].record.custom_fields.a.template` must be a text with names",
        ),
        (
            purchase(r#", "custom_fields": {"a": 5}"#),
            "`records[0].record.custom_fields.a` must be a name, a value or an object.",
        ),
        (
            purchase(r#", "custom_fields": {"a": "^A"}"#),
            "`records[0].record.custom_fields.a` leads out of the row.",
        ),
        (
            purchase(r#", "custom_fields": {"a": " "}"#),
            "`records[0].record.custom_fields.a` must contain a name of 1 to 256 bytes.",
        ),
        (
            purchase(&format!(
                r#", "custom_fields": {{"a": "{}"}}"#,
                "A".repeat(257)
            )),
            "`records[0].record.custom_fields.a` must contain a name of 1 to 256 bytes.",
        ),
        (
            // Outside of the `each`, there is no outer row.
            purchase(r#", "custom_fields": {"a": {"each": "L", "as": "^A"}, "b": "^A"}"#),
            "`records[0].record.custom_fields.b` leads out of the row.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"from": "A", "after": ""}}"#),
            "`records[0].record.custom_fields.a.after` must be a text of one or more characters.",
        ),
        (
            purchase("").replace(r#"{"email": "E"}"#, r#"{"email": ["E"]}"#),
            "`records[0].record.link.email` must be a single value, as the field of the record type.",
        ),
        (
            with_records(
                r#"{"type": "product", "record": {"sku": "S", "options": {"color": {"const": "x"}}}}"#,
            ),
            "`records[0].record.options.color` must be a list, as the field of the record type.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"first": []}}"#),
            "`records[0].record.custom_fields.a.first` must be a list of values.",
        ),
        (
            purchase(r#", "custom_fields": {"a": {"each": "L"}}"#),
            "`records[0].record.custom_fields.a.as` is missing.",
        ),
        (
            with_records(&format!(
                r#"{{"type": "email_subscribe", "record": {{{subscribe}, "status": {{"const": "optout"}}}}}}"#
            )),
            "`records[0].record.status` must be one of subscribed, unsubscribed",
        ),
        (
            with_records(&format!(
                r#"{{"type": "email_subscribe", "record": {{{subscribe}, "status": {{"from": "S", "values": {{"x": "y"}}}}}}}}"#
            )),
            "`records[0].record.status.values.x` must be one of subscribed, unsubscribed",
        ),
        (
            with_records(
                r#"{"type": "unify", "record": {"records": [{"emial": "E"}, {"mobile": "M"}]}}"#,
            ),
            "`records[0].record.records[0].emial` is not an identifier.",
        ),
        (
            with_records(
                r#"{"type": "unify", "record": {"records": [{"email": "E", "mobile": "M"}]}}"#,
            ),
            "`records[0].record.records[0]` must contain exactly one identifier.",
        ),
        (
            with_records(r#"{"type": "unify", "record": {"records": [{"external_id": "I"}]}}"#),
            "`records[0].record.records[0].system_name` is missing.",
        ),
        (
            with_records(
                r#"{"type": "unify", "record": {"when": {"A": null}, "records": [{"email": "E"}]}}"#,
            ),
            "`records[0].record.when` is a condition. Put it beside `record`.",
        ),
    ];
    for (mapping, expected) in cases {
        let errors = errors(&mapping);
        let is_explained = errors.iter().any(|error| {
            error
                .trim_start_matches("The mapping ")
                .starts_with(expected)
        });
        assert!(
            is_explained,
            "{mapping}\nexpected {expected}\nfound {errors:#?}"
        );
    }
    assert_eq!(errors(&with_records(RIGHT)), [""; 0]);
    assert_eq!(errors(&purchase("")), [""; 0]);
    let longest = format!(r#", "custom_fields": {{"a": "{}"}}"#, "A".repeat(256));
    assert_eq!(errors(&purchase(&longest)), [""; 0]);
}

#[test]
fn all_faults_are_reported() {
    let text = r#"{"mapping": 2, "sorce": "x", "read": {"zone": "EST"}, "records": [
        {"type": "purchase", "record": {"purchase_id": "A", "products": {"each": "rows", "as": {"quantity": {"from": "Q", "time": 2}}}}}
    ]}"#;
    let places: Vec<_> = Mapping::read(text.as_bytes())
        .unwrap_err()
        .into_iter()
        .map(|fault| fault.place)
        .collect();
    assert_eq!(
        places,
        [
            "sorce",
            "mapping",
            "read.zone",
            "records[0].record.products.as.quantity.time",
            "records[0].record.products.as.price_paid",
            "records[0].record.action_at",
            "records[0].record.link",
            "records[0].record.type",
        ]
    );
}

#[test]
fn unknown_fields_are_warnings() {
    let product =
        purchase("").replace(r#""quantity": "Q""#, r#""quantity": "Q", "gift_wrap": "G""#);
    for (text, place) in [
        (
            purchase(r#", "gift_wrap": "G""#),
            "records[0].record.gift_wrap",
        ),
        (product, "records[0].record.products[0].gift_wrap"),
    ] {
        let (_, warnings) = Mapping::read(text.as_bytes()).unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].place, place);
        assert_eq!(warnings[0].severity, Severity::Warning);
    }
}

#[test]
fn other_values_fit_their_fields() {
    let products = r#"[{"quantity": "Q", "price_paid": "P"}]"#;
    let constant = r#"{"const": [{"quantity": 1, "price_paid": 2}]}"#;
    for text in [
        purchase(r#", "store": {"from": "A", "values": {"x": null}}"#),
        purchase("").replace(products, constant),
        with_key(r#""read": {"decimal": "."}"#),
    ] {
        assert_eq!(errors(&text), [""; 0], "{text}");
    }
}

#[test]
fn known_fields_and_names_are_no_warnings() {
    let warnings = |fields: &str| {
        let (_, warnings) = Mapping::read(purchase(fields).as_bytes()).unwrap();
        let texts = warnings.iter().map(ToString::to_string);
        texts.collect::<Vec<_>>().join(" ")
    };
    let known = r#", "replaces_action_at": "R", "custom_fields": {"a": "@file", "b": "@stem"}"#;
    assert_eq!(warnings(known), "");
    let unlink = with_records(&RIGHT.replace(r#""record": {"#, r#""record": {"unlink": "U", "#));
    let chosen = with_records(
        r#"{"type": {"from": "K"}, "record": {"link": {"email": "E"}, "gift_wrap": "G"}}"#,
    );
    for text in [unlink, chosen] {
        assert_eq!(Mapping::read(text.as_bytes()).unwrap().1, [], "{text}");
    }
    let similar = warnings(r#", "custom_fields": {"a": "@fil"}"#);
    assert!(
        similar.ends_with("is read as a column. Did you mean `@file`?"),
        "{similar}"
    );
}

/// A number in quotes names a column, which is allowed, but seldom what is meant.
#[test]
fn numbers_in_quotes_are_a_warning() {
    for step in [
        r#""times": "0.01""#,
        r#""plus": ["B", " 1,5"]"#,
        r#""minus": ["-2e3"]"#,
    ] {
        let text = purchase(&format!(
            r#", "custom_fields": {{"a": {{"from": "A", {step}}}}}"#
        ));
        let (_, warnings) = Mapping::read(text.as_bytes()).unwrap();
        let messages: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert!(
            messages
                .iter()
                .any(|it| it.contains("is a number in quotes, which names a column")),
            "{step}: {messages:?}"
        );
    }
}

/// `drop/auto/` does not see rows after other lines.
#[test]
fn recognition_without_effect_is_a_warning() {
    for (input, is_recognizable) in [
        (r#"{"skip_lines": 0, "format": "csv"}"#, true),
        (r#"{"skip_lines": 2}"#, false),
        (r#"{"rows": "data.items"}"#, true),
    ] {
        for recognize in [r#"{"columns": ["E", "M"]}"#, r#"{"fields": ["E", "M"]}"#] {
            let text = with_key(&format!(r#""input": {input}, "recognize": {recognize}"#));
            let (mapping, warnings) = Mapping::read(text.as_bytes()).unwrap();
            let messages: Vec<_> = warnings.iter().map(ToString::to_string).collect();
            assert_eq!(mapping.recognizable().is_some(), is_recognizable, "{input}");
            assert_eq!(messages.is_empty(), is_recognizable, "{messages:?}");
            for message in messages {
                assert!(
                    message.starts_with("`recognize` has no effect beside `skip_lines`"),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn large_mappings_are_refused() {
    let largest = with_records(RIGHT);
    let largest = format!("{largest}{}", " ".repeat(64 * 1024 - largest.len()));
    assert_eq!(errors(&largest), [""; 0]);
    let padded = format!("{}{}", with_records(RIGHT), " ".repeat(64 * 1024));
    let error = "The mapping has more than 65,536 bytes, the limit. Shorten it.";
    assert_eq!(errors(&padded), [error]);
}

#[test]
fn types_chosen_by_a_value_are_checked_each() {
    for kind in [
        r#"{"from": "A", "values": {"s": "email_send", "c": "sms_send"}}"#,
        r#"{"from": "A", "values": {"s": "email_send"}, "other": "sms_send"}"#,
        r#"{"from": "A", "values": {"s": "email_send"}, "default": "sms_send"}"#,
        r#"{"first": [{"from": "A", "values": {"s": "email_send"}}, {"const": "sms_send"}]}"#,
    ] {
        let text = with_records(&format!(
            r#"{{"type": {kind}, "record": {{"link": {{"email": "E"}}, "action_at": "T", "email_id": "I"}}}}"#
        ));
        assert_eq!(
            errors(&text),
            ["`records[0].record.sms_id` is missing. The record type requires it."]
        );
    }
    // A wrong value beside them does not hide the others.
    let wrong = with_records(
        r#"{"type": {"first": [5, {"const": "sms_send"}]}, "record": {"link": {"email": "E"}, "action_at": "T"}}"#,
    );
    let missing = "`records[0].record.sms_id` is missing. The record type requires it.";
    assert!(errors(&wrong).contains(&missing.to_owned()));
}

#[test]
fn samples_have_no_errors() {
    for (_, document) in BUILT_IN {
        assert_eq!(errors(document), [""; 0]);
    }
    assert!(matches!(mapping(&purchase("")).records.len(), 1));
}
