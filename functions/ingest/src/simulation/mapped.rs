//! Files of other systems: each sample stores what its records store, however the file is written, and wherever invocations end or die.

use super::{
    variants::{MORE_COLUMNS, variants},
    *,
};
use crate::mapping::{
    BUILT_IN,
    tests::{samples::expected_of_built_in, support::sample},
};
use ::tests::exports::SAMPLES;

/// What an import leaves behind: its report, and the items without their versions.
#[derive(Debug)]
struct Imported {
    report: Value,
    items: BTreeMap<String, Value>,
    rejects: Vec<Value>,
}

/// Drops a file into an empty table, with a team's own mappings.
async fn import(key: &str, body: &[u8], mappings: &[(&str, &str)]) -> Imported {
    let mut bucket = Bucket::default();
    for (name, mapping) in mappings {
        let key = format!("mappings/{name}.json");
        bucket.mappings.insert(key, (*mapping).to_owned());
    }
    let (world, _) = handled(bucket, key, body).await;
    imported(&world, key)
}

fn imported(world: &World, key: &str) -> Imported {
    let bucket = lock(&world.bucket);
    let report = bucket.get(&format!("reports/{key}/{VERSION}.json"));
    let report: Value = serde_json::from_slice(&report.expect("a report")).unwrap();
    let keys = report["rejects"].as_array().unwrap().iter();
    let objects = keys.map(|key| bucket.get(key.as_str().unwrap()).unwrap());
    let texts: Vec<_> = objects
        .map(|object| String::from_utf8(object).unwrap())
        .collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let rejects = lines.map(|line| serde_json::from_str(line).unwrap());
    let rejects = rejects.collect();
    let mut items = wire::items(&world.database);
    // The plan, its progress and the facts of the table are not items of customers.
    items.retain(|_, item| item.get("version").is_some());
    for item in items.values_mut() {
        item["version"].take();
    }
    Imported {
        report,
        items,
        rejects,
    }
}

fn file_of(name: &str) -> Vec<u8> {
    std::fs::read(sample(name)).unwrap()
}

fn document_of(mapping: &str) -> Value {
    let (_, document) = BUILT_IN.iter().find(|(name, _)| *name == mapping).unwrap();
    serde_json::from_str(document).unwrap()
}

/// Returns the columns that the rows of a group share; none for a mapping without groups.
fn group_of(document: &Value) -> Vec<String> {
    match &document["group"] {
        Value::Null => Vec::new(),
        Value::String(column) => vec![column.clone()],
        columns => serde_json::from_value(columns.clone()).unwrap(),
    }
}

#[test]
fn samples_store_their_records() {
    clock().block_on(async {
        let mut differences = Vec::new();
        for (name, mapping) in SAMPLES {
            let document = document_of(mapping);
            let source = document["source"].as_str().unwrap();
            let key = format!("drop/mixed/{source}/expected.ndjson");
            let text = expected_of_built_in(name);
            let expected = import(&key, text.as_bytes(), &[]).await;
            let count = text.lines().count();
            assert_eq!(
                expected.report["written"], count,
                "{name}: {}",
                expected.report
            );
            for (kind, file, bytes) in variants(name, &group_of(&document), &file_of(name)) {
                for folder in [mapping, "auto"] {
                    let found = import(&format!("drop/{folder}/2026/{file}"), &bytes, &[]).await;
                    let report = &found.report;
                    // These columns occur in many files. So other ones beside them mean another file.
                    let is_unrecognized = folder == "auto"
                        && kind == MORE_COLUMNS
                        && document["recognize"]["exact"] == true;
                    let is_right = if is_unrecognized {
                        found.items.is_empty()
                            && report["problem"]["type"] == "/problems/unrecognized"
                    } else {
                        found.items == expected.items
                            && report["read"] == count
                            && report["written"] == count
                            && report["mapping"] == json!({"name": mapping})
                    };
                    if !is_right {
                        differences.push(format!("{name} {kind} in {folder}: {report}"));
                    }
                }
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    });
}

/// A Shopify export of many orders with one to four lines, among them lines that cannot be read, and one order in two places.
fn orders() -> Vec<u8> {
    let header = "Name,Email,Financial Status,Created at,Currency,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Total,Id";
    let mut lines = vec![header.to_owned()];
    for order in 0..16 {
        let mail = format!("c{}@example.com", order % 3);
        for line in 0..=order % 4 {
            let common = if line == 0 {
                format!("paid,2026-01-01 00:00:{order:02} +0000,EUR")
            } else {
                ",,".to_owned()
            };
            lines.push(format!(
                "#{order},{mail},{common},1,\"Item {line}\n{}\",7.00,S-{line},7.00,{order}",
                "long name ".repeat(4)
            ));
        }
        match order {
            // Within an order.
            6 => lines.insert(lines.len() - 1, "#6,\"c".to_owned()),
            // Between orders.
            9 => lines.push("\"stray".to_owned()),
            _ => {}
        }
    }
    lines.push(lines[1].clone());
    lines.join("\n").into_bytes()
}

const ORDERS: Dropped = Dropped {
    key: "drop/shopify-orders/shop/orders_export_1.csv",
    bytes: orders,
};

/// Returns the result that every schedule must have.
fn expected_orders() -> Outcome {
    let (outcome, effort) = clock().block_on(play(ORDERS, 0, ONE_RANGE, 1, Deaths::default()));
    let report = &outcome.report;
    let counts = ["read", "written", "rejected"].map(|name| report[name].as_u64().unwrap());
    // Order 6 has a line that cannot be read. Order 0 returns at the end.
    assert_eq!(counts, [16 + 1 + 1, 15, 3], "{report}");
    assert_eq!(report["rows"]["read"], 40 + 1 + 1 + 1, "{report}");
    assert!(
        effort.runs > 1,
        "the deadline comes before the end: {effort:?}"
    );
    outcome
}

#[test]
fn groups_survive_death_at_any_request() {
    let expected = expected_orders();
    let play = |deaths| clock().block_on(play(ORDERS, 1, ONE_RANGE, 2, deaths));
    let (outcome, whole) = play(Deaths::default());
    assert_eq!(outcome, expected);
    for number in (0..whole.requests).step_by(number("SIMULATION_STRIDE", 23) as usize) {
        for is_before in [true, false] {
            let mut deaths = Deaths::default();
            let requests = if is_before {
                &mut deaths.before
            } else {
                &mut deaths.after
            };
            requests.insert(number);
            let (outcome, _) = play(deaths.clone());
            assert_eq!(outcome, expected, "{deaths:?}");
        }
    }
}

/// Returns Segment events, of which each mapping makes none or several records.
fn events() -> Vec<u8> {
    let text = String::from_utf8(file_of("segment/1759723711909.ndjson")).unwrap();
    let copies =
        (0..12).map(|copy| text.replace("\"messageId\":\"", &format!("\"messageId\":\"{copy}-")));
    copies.collect::<String>().into_bytes()
}

const EVENTS: Dropped = Dropped {
    key: "drop/segment/1759723711909.ndjson",
    bytes: events,
};

#[test]
fn ranges_of_mapped_rows_survive_many_deaths() {
    let (expected, _) = clock().block_on(play(EVENTS, 0, ONE_RANGE, 1, Deaths::default()));
    assert_eq!(expected.report["rejected"], 0, "{}", expected.report);
    let first = number("SIMULATION_SEED", 0);
    for seed in first..first + number("SIMULATIONS", 8) {
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let chunk_bytes = [ONE_RANGE, 20_000, 5_000][random.random_range(0..3)];
        let share = [0.0, 0.01, 0.05][random.random_range(0..3)];
        let mut some = || (0..400).filter(|_| random.random_bool(share)).collect();
        let deaths = Deaths {
            before: some(),
            after: some(),
        };
        let (outcome, effort) = clock().block_on(play(EVENTS, seed, chunk_bytes, 2, deaths));
        assert_eq!(outcome, expected, "seed {seed}: {effort:?}");
    }
}

const TILL: &str = r#"{"mapping": 1, "source": "pos", "recognize": {"columns": ["No", "When", "Mail", "Sum"]},
    "records": [{"type": "purchase", "record": {
        "link": {"email": "Mail"}, "action_at": "When", "purchase_id": "No", "type": {"const": "physical"},
        "products": [{"quantity": {"const": 1}, "price_paid": "Sum", "product_reference": {"id": {"const": "all"}, "id_type": {"const": "sku"}}}]}}]}"#;
const SALES: &str = "No,When,Mail,Sum\n1,2026-05-01T10:00:00Z,a@example.com,3.50\n2,2026-05-01T10:00:00Z,b@example.com,much\n";

#[test]
fn own_mappings_apply() {
    clock().block_on(async {
        for key in ["drop/till/2026.csv", "drop/auto/2026.csv"] {
            let found = import(key, SALES.as_bytes(), &[("till", TILL)]).await;
            let report = &found.report;
            assert_eq!(report["mapping"], json!({"name": "till"}), "{report}");
            assert_eq!(
                (
                    &report["source"],
                    &report["read"],
                    &report["written"],
                    &report["rejected"]
                ),
                (&json!("pos"), &json!(2), &json!(1), &json!(1)),
                "{report}"
            );
            // The record that the mapping made is given back, and can be dropped into the same folder when it is corrected.
            let reject = found.rejects[0].to_string();
            assert_eq!(found.rejects[0]["record"]["record_type"], "purchase");
            assert_eq!(found.rejects[0]["line"], 3);
            let corrected = reject.replace("\"much\"", "\"4.00\"");
            let folder = key.rsplit_once('/').unwrap().0;
            let again = format!("{folder}/rejects.ndjson");
            let found = import(&again, corrected.as_bytes(), &[("till", TILL)]).await;
            assert_eq!(
                (&found.report["written"], &found.report["source"]),
                (&json!(1), &json!("pos")),
                "{}",
                found.report
            );
        }
        // The folder of a source decides, also about the report.
        let other = import(
            "drop/till/shop-2/a.csv",
            SALES.as_bytes(),
            &[("till", TILL)],
        )
        .await;
        assert_eq!(other.report["source"], "shop-2", "{}", other.report);
        // An invalid one is not replaced by the built-in one of its name.
        let orders = orders();
        let invalid = import("drop/auto/a.csv", &orders, &[("shopify-orders", "{}")]).await;
        let problem = &invalid.report["problem"]["type"];
        assert_eq!(problem, "/problems/unrecognized", "{}", invalid.report);
        // A team's mapping precedes a built-in one of the same name.
        let own = import("drop/segment/a.csv", SALES.as_bytes(), &[("segment", TILL)]).await;
        assert_eq!(own.report["written"], 1, "{}", own.report);
    });
}

#[test]
fn says_why_a_mapping_is_not_applied() {
    clock().block_on(async {
        let without_sum = SALES
            .replace(",Sum", "")
            .replace(",3.50", "")
            .replace(",much", "");
        for (key, body, mappings, problem, parts) in [
            (
                "drop/tills/a.csv",
                SALES,
                &[("till", TILL)][..],
                "unknown-record-type",
                &["drop/{mapping}/", "Did you mean `till`?"][..],
            ),
            (
                "drop/shopify-order/a.csv",
                SALES,
                &[],
                "unknown-record-type",
                &["Did you mean `shopify-orders`?"],
            ),
            (
                "drop/till/a.csv",
                SALES,
                &[("till", "{\"mapping\": 1}")],
                "invalid-mapping",
                &["`records`", "mappings/till.json"],
            ),
            (
                "drop/till/a.csv",
                without_sum.as_str(),
                &[("till", TILL)],
                "invalid-csv-header",
                &["`Sum`", "`No`, `When`, `Mail`"],
            ),
            (
                "drop/auto/a.csv",
                without_sum.as_str(),
                &[("till", TILL)],
                "unrecognized",
                &["till", "`Sum`"],
            ),
            (
                "drop/auto/a.csv",
                "x,y\n1,2\n",
                &[],
                "unrecognized",
                &["no mapping"],
            ),
            (
                "drop/auto/a.ndjson",
                "{\"x\":1}\n",
                &[],
                "unrecognized",
                &["no mapping"],
            ),
            (
                "drop/auto/a.ndjson",
                "{\"email\": \"a@example.com\",}\n",
                &[],
                "unrecognized",
                &["None of the first rows can be read", "JSON"],
            ),
            (
                "drop/auto/a.json",
                "[{\"email\": \"a@example.com\"\n",
                &[],
                "unrecognized",
                &["None of the first rows can be read", "JSON"],
            ),
        ] {
            let found = import(key, body.as_bytes(), mappings).await;
            let report = &found.report;
            assert_eq!(
                report["problem"]["type"],
                format!("/problems/{problem}"),
                "{key}: {report}"
            );
            let detail = report["problem"]["detail"].as_str().unwrap();
            for part in parts {
                assert!(detail.contains(part), "{key}: {detail}");
            }
            assert!(found.items.is_empty(), "{key}");
        }
    });
}

#[test]
fn recognizes_record_types() {
    clock().block_on(async {
        let record = r#"{"link":{"email":"a@example.com"},"action_at":"2026-01-01T00:00:00Z","email_id":"1","link_url":"https://example.com"}"#;
        for (body, record_type) in [
            ("link.email,first_name\na@example.com,Ann\n", "customer_record"),
            ("sku,name\nS-1,Shirt\n", "product"),
        ] {
            let found = import("drop/auto/crm/a", body.as_bytes(), &[]).await;
            let report = &found.report;
            assert_eq!((&report["record_type"], &report["written"]), (&json!(record_type), &json!(1)), "{report}");
            assert_eq!(report["source"], "crm");
        }
        let found = import("drop/auto/a.ndjson", record.as_bytes(), &[]).await;
        assert_eq!(found.report["problem"]["type"], "/problems/unrecognized", "{}", found.report);
        // Records that erase or link customers are never recognized.
        for body in [
            "{\"link\":{\"email\":\"a@example.com\"}}\n",
            "{\"records\":[{\"email\":\"a@example.com\"},{\"email\":\"b@example.com\"}]}\n",
            "{\"record_type\":\"forget\",\"link\":{\"email\":\"a@example.com\"}}\n",
        ] {
            let found = import("drop/auto/a.ndjson", body.as_bytes(), &[]).await;
            assert_eq!(found.report["status"], "rejected", "{body}: {}", found.report);
        }
        let reject = |record: &str| format!("{{\"code\":\"x\",\"message\":\"x\",\"offset\":0,\"record\":{record}}}\n");
        for (folder, name) in [("auto", "forget"), ("auto", "unify"), ("shopify-orders", "forget"), ("shopify-orders", "unify")] {
            let record = format!("{{\"record_type\":\"{name}\",\"link\":{{\"email\":\"a@example.com\"}}}}");
            let found = import(&format!("drop/{folder}/a.ndjson"), reject(&record).as_bytes(), &[]).await;
            assert_eq!(found.report["rejected"], 1, "{folder} {name}: {}", found.report);
        }
        // Rejects of a file have one source, which `drop/auto/` does not know otherwise.
        let of_source = |source: &str| reject("{\"record_type\":\"purchase\"}").replace("\"x\",\"m", &format!("\"x\",\"source\":\"{source}\",\"m"));
        for body in [of_source("agents"), of_source("A b"), of_source("pos") + &of_source("shop")] {
            let found = import("drop/auto/a.ndjson", body.as_bytes(), &[]).await;
            assert_eq!(found.report["problem"]["type"], "/problems/invalid-source", "{}", found.report);
        }
    });
}

/// A record of several rows is given back as one that can be corrected, not as rows without their header.
#[test]
fn records_of_groups_are_given_back() {
    clock().block_on(async {
        let grouped = TILL.replacen("\"recognize\"", "\"group\": \"No\", \"recognize\"", 1);
        let sales = "No,When,Mail,Sum\n1,never,a@example.com,3.50\n1,,,4.00\n2,2026-05-01T10:00:00Z,b@example.com,1.00\n";
        let mappings = [("till", grouped.as_str())];
        let found = import("drop/till/a.csv", sales.as_bytes(), &mappings).await;
        let reject = &found.rejects[0];
        assert_eq!((&reject["line"], &reject["record"]["purchase_id"]), (&json!(2), &json!("1")), "{reject}");
        assert_eq!(found.report["rows"], json!({"read": 3, "skipped": 0}), "{}", found.report);
        let corrected = reject.to_string().replace("\"never\"", "\"2026-05-01T10:00:00Z\"");
        let found = import("drop/till/b.ndjson", corrected.as_bytes(), &mappings).await;
        assert_eq!(found.report["written"], 1, "{}", found.report);
    });
}

/// Rejects are not written as the export is: its lines before the header, its path of rows and its encoding do not apply to them.
#[test]
fn rejects_are_recognized_whatever_the_input() {
    clock().block_on(async {
        let bad_row =
            r#"{"No": 2, "When": "2026-05-01T10:00:00Z", "Mail": "b@example.com", "Sum": "much"}"#;
        let utf16: Vec<u8> = SALES.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (input, file, body) in [
            (
                r#"{"skip_lines": 2}"#,
                "a.csv",
                format!("Sales\n2026\n{SALES}").into_bytes(),
            ),
            (
                r#"{"format": "csv", "skip_lines": 1}"#,
                "a.csv",
                format!("Sales\n{SALES}").into_bytes(),
            ),
            (
                r#"{"rows": "data.items"}"#,
                "a.json",
                format!(r#"{{"data": {{"items": [{bad_row}]}}}}"#).into_bytes(),
            ),
            (r#"{"encoding": "utf-16le"}"#, "a.csv", utf16),
        ] {
            let mapping = TILL.replacen(
                "\"recognize\"",
                &format!("\"input\": {input}, \"recognize\""),
                1,
            );
            let mappings = [("till", mapping.as_str())];
            let found = import(&format!("drop/till/{file}"), &body, &mappings).await;
            assert_eq!(found.report["rejected"], 1, "{input}: {}", found.report);
            let corrected = found.rejects[0].to_string().replace("\"much\"", "\"4.00\"");
            for name in ["rejects.ndjson", "rejects.json", "rejects"] {
                let found = import(
                    &format!("drop/till/{name}"),
                    corrected.as_bytes(),
                    &mappings,
                )
                .await;
                let report = &found.report;
                assert_eq!(
                    (
                        &report["read"],
                        &report["written"],
                        &report["source"],
                        &report["mapping"]
                    ),
                    (
                        &json!(1),
                        &json!(1),
                        &json!("pos"),
                        &json!({"name": "till"})
                    ),
                    "{input} {name}: {report}"
                );
            }
        }
    });
}

/// Returns the rows of a sample in JSON, as one text each.
fn rows_of(name: &str) -> Option<Vec<String>> {
    let text = String::from_utf8(file_of(name)).ok()?;
    if text.starts_with('[') {
        let rows: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&text).ok()?;
        return Some(rows.iter().map(|row| row.get().to_owned()).collect());
    }
    text.starts_with('{')
        .then(|| text.lines().map(str::to_owned).collect())
}

/// The responses of APIs are documents around the rows. All of these give what the rows give.
#[test]
fn documents_around_rows_are_read() {
    clock().block_on(async {
        let mut count = 0;
        for (name, mapping) in SAMPLES {
            let Some(rows) = rows_of(name) else { continue };
            count += 1;
            let expected = import(&format!("drop/{mapping}/a.json"), &file_of(name), &[]).await;
            let list = rows.join(",\n");
            let pretty = rows.join(",\n\n");
            let (first, rest) = rows.split_first().unwrap();
            let large = "x".repeat(1 << 20);
            for (file, text) in [
                (
                    "a.json",
                    format!("{{\"data\": [{}]}}", list.replace('\n', " ")),
                ),
                (
                    "a.json",
                    format!("{{\n\"data\": [\n{pretty}\n],\n\"next_page\": null\n}}"),
                ),
                (
                    "a.ndjson",
                    format!(
                        "{{\"total\":2,\"data\":[{}],\"other\":[]}}",
                        list.replace('\n', " ")
                    ),
                ),
                (
                    "a",
                    format!(
                        "{{\"page\":1,\"data\":[{first}]}}\n{{\"page\":2,\"data\":[{}]}}\n",
                        rest.join(",")
                    ),
                ),
                // The document has a field of the rows.
                (
                    "a.json",
                    format!("{{\"data\": [{list}], \"campaign_id\": \"7\", \"created_at\": null}}"),
                ),
                // No row is this large, so only the beginning of the document is inspected.
                (
                    "a.json",
                    format!("{{\"data\": [{list}], \"cursor\": \"{large}\"}}"),
                ),
            ] {
                let found = import(&format!("drop/{mapping}/{file}"), text.as_bytes(), &[]).await;
                let start = text.get(..60).unwrap_or(&text);
                assert_eq!(
                    found.items, expected.items,
                    "{name} {start}: {}",
                    found.report
                );
                assert_eq!(
                    found.report["rows"], expected.report["rows"],
                    "{name} {start}"
                );
                assert_eq!(found.report["mapping"], json!({"name": mapping}));
            }
        }
        assert_eq!(count, 7);
    });
}

/// A JSON file without any field of the mapping is rejected with the names, as a CSV file without the columns is.
#[test]
fn foreign_json_is_rejected() {
    clock().block_on(async {
        let mappings = [("till", TILL)];
        let rows = r#"{"Nr": 1, "Total": 2}"#;
        let row = r#"{"No": 1, "When": "2026-05-01T10:00:00Z", "Mail": "b@example.com", "Sum": 3}"#;
        for (text, detail) in [
            (
                format!("{rows}\n").repeat(19),
                "reads: `When`, `Mail`, `Sum`, `No`. Fields found: `Nr`, `Total`. Drop the file into another folder",
            ),
            (
                format!(r#"{{"sales": [{row}], "customers": [{row}], "n": 1}}"#),
                "Fields found: `customers`, `n`, `sales`. If the rows are in a list (`customers`, `sales`), drop its elements as a file of their own, \
                 such as the output of `jq -c '.customers[]'`. Or set \"input\": {\"rows\": \"customers\"} in a mapping of your own.",
            ),
            (format!(r#"{{"sales": [{rows}]}}"#), "If the rows are in a list (`sales`)"),
            (format!(r#"{{"data": {{"sales": [{row}]}}}}"#), "Fields found: `data`."),
            (format!(r#"[{{"sales": [{row}]}}]"#), "If the rows are in a list (`sales`)"),
        ] {
            for file in ["a.json", "a.ndjson", "a"] {
                let found = import(&format!("drop/till/{file}"), text.as_bytes(), &mappings).await;
                let problem = &found.report["problem"];
                assert_eq!(problem["type"], "/problems/unrecognized", "{}", found.report);
                let found = problem["detail"].as_str().unwrap();
                assert!(found.contains(detail), "{found}");
            }
        }
    });
}

/// A list in a row stays a part of the row, also if its elements have more fields of the mapping, and so does a row without such fields.
#[test]
fn lists_in_rows_are_not_the_rows() {
    const PRODUCTS: &str = r#"{"mapping": 1, "source": "shop", "records": [{"type": "product", "record": {
        "product_id": "id", "name": "title", "sku": "sku", "price": "price"}}]}"#;
    clock().block_on(async {
        let shirt = r#"{"id": 1, "title": "Shirt", "variants": [{"id": 11, "title": "S", "sku": "SH-S", "price": "9.00"}]}"#;
        let beat = "{\"beat\": 1}\n".repeat(30);
        for (body, skipped) in [
            (format!("{shirt}\n"), 0),
            (format!("[{shirt}]"), 0),
            (format!("{beat}{shirt}\n"), 30),
        ] {
            let found = import("drop/goods/a.ndjson", body.as_bytes(), &[("goods", PRODUCTS)]).await;
            assert_eq!(found.report["written"], 1, "{}", found.report);
            assert_eq!(found.report["rows"]["skipped"], skipped, "{}", found.report);
            assert!(format!("{:?}", found.items).contains("Shirt"), "{:?}", found.items);
        }
    });
}

/// A renamed column that decides or computes is named once.
#[test]
fn missing_columns_have_a_warning() {
    clock().block_on(async {
        let warning = |field: &str| json!({"code": "missing_column", "field": field, "count": 1});
        let orders = String::from_utf8(file_of("shopify/orders_export_1.csv")).unwrap();
        let renamed = ["Lineitem discount", "Currency", "Cancelled at"];
        let other = renamed.iter().fold(orders.clone(), |text, column| {
            text.replacen(column, &column.replacen(' ', "_", 1).to_lowercase(), 1)
        });
        for folder in ["drop", "try"] {
            let key = format!("{folder}/shopify-orders/a.csv");
            let found = import(&key, orders.as_bytes(), &[]).await.report;
            assert_eq!(
                (&found["status"], &found["warnings"]),
                (&json!("completed"), &json!(null))
            );
            let found = import(&key, other.as_bytes(), &[]).await.report;
            let warnings = json!([
                warning("Currency"),
                warning("Lineitem discount"),
                warning("Cancelled at")
            ]);
            assert_eq!(
                (&found["status"], &found["warnings"]),
                (&json!("completed"), &warnings)
            );
        }
    });
}

#[test]
fn files_without_records_have_a_warning() {
    clock().block_on(async {
        let mappings = [("till", TILL)];
        let warning = json!([{"code": "no_records", "count": 1}]);
        for (file, text, warnings) in [
            ("a.ndjson", "{\"No\": null}\n{\"Sum\": null}\n", &warning),
            ("a.json", r#"{"sales": [], "count": 0}"#, &warning),
            ("a.csv", "No,When,Mail,Sum\n,,,\n", &warning),
            ("a.csv", "No,When,Mail,Sum\n", &json!(null)),
            ("a.json", "[]", &json!(null)),
            ("a.csv", "No,When,Mail,Sum\n1,,,\n,,,\n", &json!(null)),
        ] {
            for folder in ["drop", "try"] {
                let found =
                    import(&format!("{folder}/till/{file}"), text.as_bytes(), &mappings).await;
                assert_eq!(found.report["status"], "completed", "{}", found.report);
                assert_eq!(
                    found.report["warnings"], *warnings,
                    "{text}: {}",
                    found.report
                );
            }
        }
    });
}

/// Recognition compares the beginning of a file, so it leaves out mappings whose rows begin later. A file without the lines that such a
/// mapping skips would lose its rows.
#[test]
fn recognition_ignores_mappings_whose_rows_begin_later() {
    clock().block_on(async {
        let mapping = TILL.replacen(
            "\"recognize\"",
            "\"input\": {\"skip_lines\": 2}, \"recognize\"",
            1,
        );
        let mappings = [("till", mapping.as_str())];
        for body in [SALES.to_owned(), format!("Sales\n2026\n{SALES}")] {
            let found = import("drop/auto/a.csv", body.as_bytes(), &mappings).await;
            let (problem, read) = (&found.report["problem"]["type"], &found.report["read"]);
            let expected = (&json!("/problems/unrecognized"), &json!(0));
            assert_eq!((problem, read), expected, "{body}: {}", found.report);
        }
    });
}

/// The plan contains the mapping, so that a new version does not change an import that has begun.
#[test]
fn imports_keep_their_mapping() {
    let (expected, _) = clock().block_on(play(ORDERS, 0, ONE_RANGE, 1, Deaths::default()));
    let outcome = clock().block_on(async {
        let (world, mut events) = World::with(ORDERS, 0, Deaths::default());
        let (runs, died) = (AtomicUsize::new(0), AtomicUsize::new(0));
        while let Ok(key) = events.try_recv() {
            deliver(&world, key, ONE_RANGE, &runs, &died).await;
            let mut bucket = lock(&world.bucket);
            bucket
                .mappings
                .insert("mappings/shopify-orders.json".to_owned(), TILL.to_owned());
        }
        assert!(runs.load(Ordering::Relaxed) > 1);
        outcome_of(&world, ORDERS.key)
    });
    assert_eq!(outcome, expected);
}
