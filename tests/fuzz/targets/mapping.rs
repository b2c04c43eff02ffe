//! Mappings and the files that they map: a document is valid or has faults, and every row of a file is skipped, rejected or records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{json, Map, Value};

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    document: Document<'a>,
    key: u8,
    piece: u8,
    text: &'a [u8],
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Document<'a> {
    BuiltIn(u8),
    Any(&'a [u8]),
    Made(Made<'a>),
}

/// A mapping without faults of its grammar, as far as it does not refer to rows that are not around a name.
#[derive(arbitrary::Arbitrary, Debug)]
struct Made<'a> {
    input: u8,
    read: u8,
    group: Option<u8>,
    skip: Option<Condition<'a>>,
    records: Vec<Entry<'a>>,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Entry<'a> {
    kind: u8,
    each: Option<u8>,
    when: Option<Condition<'a>>,
    link: u8,
    value: Make<'a>,
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Make<'a> {
    Name(u8),
    Const(&'a str),
    Object(Vec<(u8, Make<'a>)>),
    List(Vec<Make<'a>>),
    First(Vec<Make<'a>>),
    From(u8, u8, Vec<(u8, &'a str)>),
    Template(&'a str, u8),
    Each(u8, Box<Make<'a>>),
    When(u8, Condition<'a>),
}

#[derive(arbitrary::Arbitrary, Debug)]
enum Condition<'a> {
    Is(u8, &'a str),
    Present(u8, bool),
    Above(u8, i16),
    Starts(u8, &'a str),
    Contains(u8, &'a str),
    Same(u8, u8),
    Not(Box<Condition<'a>>),
    Any(Vec<Condition<'a>>),
}

const KEYS: [&str; 5] = [
    "drop/pos/a_b.csv",
    "drop/pos/a.ndjson",
    "drop/pos/a.json",
    "drop/pos/shop/a",
    "drop/pos/2026/a.csv.gz",
];
const NAMES: [&str; 16] = [
    "a", "b", "Email", "Id", "At", "Price", "items", "items[0].a", "a.b", "^a", "^^a", "rows",
    "^rows", "Item {n} ", "@file", "@stem",
];
const FIELDS: [&str; 8] = [
    "a",
    "quantity",
    "price_paid",
    "product_reference",
    "id",
    "id_type",
    "email",
    "mobile",
];
const INPUTS: [&str; 8] = [
    "{}",
    r#"{"format": "csv", "delimiter": ";"}"#,
    r#"{"format": "csv", "skip_lines": 1}"#,
    r#"{"format": "json", "rows": "a.items"}"#,
    r#"{"format": "ndjson"}"#,
    r#"{"encoding": "utf-16le"}"#,
    r#"{"skip_lines": 2}"#,
    r#"{"delimiter": "|"}"#,
];
const READS: [&str; 6] = [
    "{}",
    r#"{"time": ["unix", "%d/%m/%Y %H:%M"], "zone": "Europe/Paris"}"#,
    r#"{"decimal": ",", "absent": ["-", "N/A"]}"#,
    r#"{"calling_code": "61", "date": "%m/%d/%y"}"#,
    r#"{"time": "%s"}"#,
    r#"{"time": "%b %e, %Y, %I:%M %p %z"}"#,
];

fn pick(names: &'static [&'static str], n: u8) -> &'static str {
    names[usize::from(n) % names.len()]
}

fn name(n: u8) -> Value {
    pick(&NAMES, n).into()
}

fn list(makes: &[Make<'_>]) -> Value {
    makes.iter().map(value).collect()
}

fn value(make: &Make<'_>) -> Value {
    match make {
        Make::Name(n) => name(*n),
        Make::Const(text) => json!({ "const": text }),
        Make::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(n, make)| (pick(&FIELDS, *n).to_owned(), value(make)));
            Value::Object(fields.collect())
        }
        Make::List(makes) => list(makes),
        Make::First(makes) => json!({ "first": list(makes) }),
        Make::From(first, second, steps) => {
            let mut from = Map::new();
            from.insert("from".to_owned(), json!([name(*first), name(*second)]));
            from.extend(steps.iter().map(|(which, text)| step(*which, text)));
            Value::Object(from)
        }
        Make::Template(text, n) => {
            let text = text.replace(['{', '}'], "");
            json!({ "template": format!("{text}{{{}}}", pick(&NAMES, *n)) })
        }
        Make::Each(list, make) => json!({"each": name(*list), "as": value(make)}),
        Make::When(n, when) => json!({"from": name(*n), "when": condition(when)}),
    }
}

fn step(which: u8, text: &str) -> (String, Value) {
    let number = text.len();
    let (key, value) = match which % 11 {
        0 => ("json", json!(true)),
        1 => ("after", json!(text)),
        2 => ("before", json!(text)),
        3 => ("split", json!(text)),
        4 => ("part", json!(number)),
        5 => ("values", json!({text: number, "x": [text]})),
        6 => ("other", json!(text)),
        7 => ("times", json!(["Price", number])),
        8 => ("minus", json!(text)),
        9 => ("negate", json!(true)),
        _ => ("default", json!(text)),
    };
    (key.to_owned(), value)
}

fn condition(condition: &Condition<'_>) -> Value {
    let test = |n: u8, test: Value| json!({ pick(&NAMES, n): test });
    match condition {
        Condition::Is(n, text) => test(*n, json!([text, null])),
        Condition::Present(n, flag) => test(*n, json!({ "present": flag })),
        Condition::Above(n, bound) => test(*n, json!({"above": bound, "below": 1000})),
        Condition::Starts(n, text) => test(*n, json!({ "starts": text })),
        Condition::Contains(n, text) => test(*n, json!({ "contains": text })),
        Condition::Same(n, other) => test(*n, json!({ "same": name(*other) })),
        Condition::Not(inner) => json!({ "not": self::condition(inner) }),
        Condition::Any(inner) => inner.iter().map(self::condition).collect(),
    }
}

fn record(entry: &Entry<'_>) -> Value {
    let link = match entry.link % 3 {
        0 => json!({"email": "Email"}),
        1 => json!({"first": [{"mobile": "a"}, {"email": "Email"}]}),
        _ => json!({"customer_id": {"from": ["Id", "a"]}}),
    };
    let value = value(&entry.value);
    let (kind, record) = match entry.kind % 5 {
        0 => ("attributes", json!({"link": link, "attributes": {"x": value}})),
        1 => {
            let product = json!({"id": "Id", "id_type": {"const": "sku"}});
            let line = json!({"quantity": {"const": 1}, "price_paid": "Price", "product_reference": product});
            let products = json!({"each": "items", "as": line});
            let record = json!({"link": link, "action_at": "At", "purchase_id": "Id", "type": value, "products": products});
            ("purchase", record)
        }
        2 => ("unify", json!({"records": [link, {"customer_id": value}]})),
        3 => (
            "email_open",
            json!({"link": link, "action_at": value, "email_id": "Id"}),
        ),
        _ => (
            "customer_record",
            json!({"link": link, "first_name": "a", "custom_fields": {"x": value}}),
        ),
    };
    let mut made = json!({"type": kind, "record": record});
    if let Some(each) = entry.each {
        made["each"] = name(each);
    }
    if let Some(when) = &entry.when {
        made["when"] = condition(when);
    }
    made
}

fn made(made: &Made<'_>) -> Value {
    let parse = |text| serde_json::from_str::<Value>(text).expect("JSON");
    let mut document = json!({
        "mapping": 1, "input": parse(pick(&INPUTS, made.input)), "read": parse(pick(&READS, made.read)),
        "records": made.records.iter().map(record).collect::<Vec<_>>(),
    });
    if let Some(group) = made.group {
        document["group"] = name(group);
    }
    if let Some(skip) = &made.skip {
        document["skip"] = condition(skip);
    }
    document
}

fuzz_target!(|input: Input<'_>| {
    let document = match &input.document {
        Document::BuiltIn(number) => ingest::fuzz::built_in(*number).into(),
        Document::Any(text) => text.to_vec(),
        Document::Made(made) => self::made(made).to_string().into_bytes(),
    };
    let key = pick(&KEYS, input.key);
    ingest::fuzz::mapping(&document, key, input.text, input.piece.into());
});
