//! Files and rows that several tests drop.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use serde_json::{Value, json};

/// Jane's files: folder and content.
pub(crate) const JANE: [(&str, &str); 6] = [
    (
        "customer_record",
        include_str!("../../fixtures/customer_record.ndjson"),
    ),
    ("product", include_str!("../../fixtures/product.ndjson")),
    ("purchase", include_str!("../../fixtures/purchase.ndjson")),
    ("return", include_str!("../../fixtures/return.ndjson")),
    (
        "email_send",
        include_str!("../../fixtures/email_send.ndjson"),
    ),
    (
        "email_open",
        include_str!("../../fixtures/email_open.ndjson"),
    ),
];

/// Returns identifiers of four kinds, which tests link to one customer.
pub(crate) fn four_identifiers() -> [Value; 4] {
    [
        json!({"mobile": "5550001"}),
        json!({"email": "a@example.com"}),
        json!({"customer_id": "7"}),
        json!({"external_id": "x", "system_name": "crm"}),
    ]
}

/// Returns rows of opened emails, one per second.
pub(crate) fn email_opens(link: &Value, from: usize, to: usize, name: &str) -> String {
    let row = |n: usize| {
        let at = format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}Z",
            1 + n / 86_400,
            n / 3_600 % 24,
            n / 60 % 60,
            n % 60
        );
        format!(
            "{}\n",
            json!({"link": link, "action_at": at, "email_id": format!("{name}{n}")})
        )
    };
    (from..to).map(row).collect()
}

/// Returns rows of many kinds for 30 customers: records that replace one another, events, bodies large enough to be stored apart,
/// links, and rows that are rejected.
pub(crate) fn mixed_rows(count: usize) -> String {
    let mut file = String::new();
    for number in 0..count {
        let customer = number % 30;
        let at = format!(
            "2026-01-{:02}T{:02}:{:02}:00Z",
            1 + number % 28,
            number / 60 % 24,
            number % 60
        );
        let link = format!(r#""link":{{"mobile":"555{customer:04}"}}"#);
        let row = match number % 20 {
            3 => {
                format!(r#"{{"record_type":"customer_record",{link},"first_name":"Ann {number}"}}"#)
            }
            7 if number % 40 == 7 => "neither JSON nor a row".to_owned(),
            9 => format!(
                r#"{{"record_type":"email_open",{link},"action_at":"never","email_id":"{number}"}}"#
            ),
            11 => format!(
                r#"{{"record_type":"email_send",{link},"action_at":"{at}","email_id":"{number}","subject":"Hello","body":"{}"}}"#,
                format!("{number} ").repeat(1_200)
            ),
            13 => format!(
                r#"{{"record_type":"unify","records":[{{"mobile":"555{customer:04}"}},{{"email":"{customer}@fake.com"}}]}}"#
            ),
            _ => format!(
                r#"{{"record_type":"email_open",{link},"action_at":"{at}","email_id":"{number}"}}"#
            ),
        };
        writeln!(file, "{row}").unwrap();
    }
    file
}

/// Returns records of the sample data, alternating between all record types: `count`, or all if there are fewer. Exports of other
/// systems are left out.
pub(crate) fn sample_rows(count: usize) -> Vec<Value> {
    let mut kinds = BTreeMap::new();
    for (key, path) in samples::files().unwrap() {
        if !key.ends_with(".ndjson") {
            continue;
        }
        let kind = key.split('/').nth(1).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row["record_type"] = json!(kind);
            row
        });
        kinds.insert(key.clone(), rows.collect::<Vec<_>>());
    }
    let longest = kinds.values().map(Vec::len).max().unwrap();
    let rows = (0..longest).flat_map(|at| kinds.values().filter_map(move |rows| rows.get(at)));
    rows.take(count).cloned().collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}
