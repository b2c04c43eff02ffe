//! Rows of JSON: the same however a file is divided. Each row is placed or rejected, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

const KEYS: [&str; 8] = [
    "drop/mixed/pos/a.ndjson",
    "drop/purchase/pos/a.ndjson",
    "drop/mixed/pos/a.json",
    "drop/attributes/crm/a.json",
    "drop/unify/a.json",
    "drop/forget/a.ndjson",
    "drop/message/desk/a.ndjson",
    "drop/customer_record/crm/a.ndjson",
];

fuzz_target!(|input: (u8, u8, [u16; 3], &[u8])| {
    let (key, piece, starts, text) = input;
    ingest::fuzz::mapped_json(key, text, piece.into());
    let key = KEYS[usize::from(key) % KEYS.len()];
    ingest::fuzz::file(key, text, piece.into());
    ingest::fuzz::ranges(text, &starts.map(usize::from));
    if let Ok(text) = std::str::from_utf8(text) {
        ingest::fuzz::text(key, text, piece.into(), starts[0].into());
    }
});
