//! The laws: a record is mapped by itself, and the result does not depend on the order of rows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shared::{model::identifier::Identifier, table::Write};

use super::{context, json, key, map_record, place_as, version};

/// A purchase by one of a few customers.
fn row() -> impl Strategy<Value = String> {
    (0_u8..4, 0_u8..4, 1_u32..100_000).prop_map(|(customer, id, cents)| {
        format!(
            r#"{{"link":{{"customer_id":"c-{customer}"}},"action_at":"2026-01-0{}T00:00:00Z","type":"physical","purchase_id":"{id}","products":[{{"price_paid":{}.{:02},"quantity":1}}]}}"#,
            id + 1, cents / 100, cents % 100,
        )
    })
}

type Table = BTreeMap<(String, String), Write>;

/// Applies the table's condition: a write is stored if its key is absent or older.
fn store(table: &mut Table, write: Write) {
    let key = (write.key().0.to_owned(), write.key().1.to_owned());
    match table.get(&key) {
        Some(held) if held.version() >= write.version() => {}
        _ => {
            table.insert(key, write);
        }
    }
}

proptest! {
    /// The first law: other records and their order do not change where a record is stored.
    #[test]
    fn maps_each_record_by_itself(rows in prop::collection::vec(row(), 1..20)) {
        let apart: Vec<_> = rows.iter().map(|row| place_as(Some("purchase"), row).unwrap()).collect();
        let again: Vec<_> = rows.iter().rev().map(|row| place_as(Some("purchase"), row).unwrap()).collect();
        prop_assert!(apart.iter().eq(again.iter().rev()));
        for (row, writes) in rows.iter().zip(&apart) {
            let customer = row.split('"').nth(5).unwrap();
            let identifier = Identifier::from_json(serde_json::json!({"customer_id": customer}).as_object().unwrap()).unwrap();
            let identity = key().identity(&identifier);
            prop_assert!(writes.iter().all(|write| write.key().0 == identity.as_str()));
        }
    }

    /// The second law: any order, any repetition and any division of the rows have the same result.
    #[test]
    fn last_write_wins_in_any_order(
        (rows, mixed) in prop::collection::vec(row(), 1..20).prop_flat_map(|rows| {
            let mapped: Vec<_> = rows.into_iter().enumerate().collect();
            let twice = [mapped.clone(), mapped.clone()].concat();
            (Just(mapped), Just(twice).prop_shuffle())
        })
    ) {
        let table = |rows: &[(usize, String)]| {
            let key = key();
            let context = context(&key, Some("purchase"));
            let mut table = Table::new();
            for (place_in_file, row) in rows {
                for write in map_record(&context, version(*place_in_file as u64), json::object(row).unwrap()).unwrap().writes {
                    store(&mut table, write);
                }
            }
            table
        };
        prop_assert_eq!(table(&rows), table(&mixed));
    }

    #[test]
    fn never_panics(row in "\\{\"link\":\\{\"(email|mobile)\":[\"a-z0-9@.]{0,8}\\},\"action_at\":[\"0-9TZ:-]{0,12},\"[a-z_]{0,9}\":[0-9\"a-z{}\\[\\].e-]{0,9}\\}") {
        for kind in ["purchase", "customer_record", "unify", "attributes", "product", "message"] {
            let _ = place_as(Some(kind), &row);
        }
    }
}
