//! Rows of CSV: the same however a file is divided. Each row is placed or rejected, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

const KEYS: [&str; 4] = [
    "drop/mixed/pos/a.csv",
    "drop/purchase/pos/a.csv",
    "drop/customer_record/crm/a.csv",
    "drop/attributes/crm/a.csv",
];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (key, piece, text) = input;
    ingest::fuzz::file(KEYS[usize::from(key) % KEYS.len()], text, piece.into());
    ingest::fuzz::mapped_csv(key, text, piece.into());
});
