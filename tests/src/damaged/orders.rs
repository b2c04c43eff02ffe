//! Orders: several rows of one order, exchanges, and amounts as other programs write them.

use serde_json::json;

use super::{Case, case, given};

const HEADER: &str = "link.email,action_at,type,purchase_id,products[0].price_paid,products[0].quantity,store.type,store.name\n";

/// Returns a CSV file of purchases from the rows without their common cells: email, id, price, quantity and store.
fn file(rows: &[&str]) -> String {
    let row = |row: &&str| {
        let cells: Vec<_> = row.split('|').collect();
        let [email, id, price, quantity, store] = cells[..] else {
            return format!("{row}\n");
        };
        format!(
            "{email}@example.com,2026-11-20T01:15:00Z,physical,{id},{price},{quantity},outlet,{store}\n"
        )
    };
    HEADER.to_owned() + &rows.iter().map(row).collect::<String>()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = rows_of_one_order();
    cases.extend(amounts());
    cases
}

fn rows_of_one_order() -> Vec<Case> {
    vec![
        case(
            "purchase/4/lines.csv",
            file(&["on|ON-1|10.00|1|Bay", "on|ON-1|5.50|2|Bay", "on|ON-1|4.50|1|Bay", "on|ON-2|1.00|1|Bay"]),
            &["completed: 4 read, 4 written"],
        )
        .shows("on@example.com", json!({"orders": 2, "spend": "21.00", "/summary/items": 5})),
        // Blank rows and a repeated header do not end an order.
        case(
            "purchase/4/blank-inside.csv",
            file(&["bl|BL-1|10.00|1|Bay", ",,,,,,,", "bl|BL-1|5.00|1|Bay", "", HEADER.trim_end(), "bl|BL-1|2.00|1|Bay"]),
            &["completed: 3 read, 3 written, 2 skipped"],
        )
        .shows("bl@example.com", json!({"orders": 1, "spend": "17.00"})),
        case(
            "purchase/4/unreadable-inside.csv",
            file(&["un|UN-1|10.00|1|Bay", "un|UN-1|5.00|1|\"Bay", "un|UN-1|2.00|1|Bay", "un|UN-2|1.00|1|Bay"]),
            &[
                "completed: 4 read, 1 written, 3 rejected",
                "rejected broken_order 3 @2:104",
            ],
        )
        .rejects(&["broken_order un@example.com,2026-11-20T01:15:00Z,physical,UN-1,10.00,1,outlet,Bay\n\
             un@example.com,2026-11-20T01:15:00Z,physical,UN-1,5.00,1,outlet,\"Bay\n\
             un@example.com,2026-11-20T01:15:00Z,physical,UN-1,2.00,1,outlet,Bay"])
        .shows("un@example.com", json!({"orders": 1, "spend": "1.00"})),
        case(
            "purchase/4/unreadable-at-ends.csv",
            file(&["ue|UE-1|10.00|\"1|Bay", "ue|UE-1|5.00|1|Bay", "ue|UE-1|2.00|1|Bay", "ue|UE-1|2.00"]),
            &[
                "completed: 4 read, 2 written, 2 rejected",
                "rejected unclosed_quote 1 @2:104",
                "rejected wrong_cell_count 1 @5:310",
            ],
        )
        .shows("ue@example.com", json!({"orders": 1, "spend": "7.00"})),
        // Between two orders, an unreadable row costs itself alone.
        case(
            "purchase/4/unreadable-between.csv",
            file(&["ub|UB-1|10.00|1|Bay", "ub|UB-x|5.00", "ub|UB-2|2.00|1|Bay"]),
            &[
                "completed: 3 read, 2 written, 1 rejected",
                "rejected wrong_cell_count 1 @3:173",
            ],
        )
        .shows("ub@example.com", json!({"orders": 2, "spend": "12.00"})),
        case(
            "purchase/4/identical.csv",
            file(&["id|ID-1|10.00|1|Bay", "id|ID-1|10.00|1|Bay", "id|ID-2|3.00|1|Bay", "id|ID-2|4.00|1|Bay", "id|ID-2|3.00|1|Bay"]),
            &[
                "completed: 5 read, 5 written",
                "warning identical_rows 1 @2:104",
            ],
        )
        .shows("id@example.com", json!({"orders": 2, "spend": "20.00"})),
        case(
            "purchase/4/differs.csv",
            file(&["di|DI-1|10.00|1|Bay", "di|DI-1|5.00|1|Quay", "di|DI-2|1.00|1|Bay"]),
            &[
                "completed: 3 read, 3 written, 1 replaced",
                "warning replaced_in_file store.name 1 @3:173",
                "warning replaced_in_file products[].price_paid 1 @3:173",
            ],
        )
        .shows("di@example.com", json!({"orders": 2, "spend": "6.00"})),
        // Rows of one customer that are not adjacent replace one another too, and are counted.
        case(
            "customer_record/4/replaced.ndjson",
            "{\"link\":{\"email\":\"rp1@example.com\"},\"first_name\":\"Ann\"}\n{\"link\":{\"email\":\"rp2@example.com\"},\"first_name\":\"Bea\"}\n\
             {\"link\":{\"email\":\"rp1@example.com\"},\"first_name\":\"Cy\"}\n",
            &[
                "completed: 3 read, 3 written, 1 replaced",
                "warning replaced_in_file 1 @3:112",
            ],
        )
        .shows("rp1@example.com", json!({"name": "Cy"})),
    ]
}

fn order(email: &str, id: &str, products: &str) -> String {
    format!(
        "{{\"link\": {{\"email\": \"{email}@example.com\"}}, \"action_at\": \"2026-11-20T01:15:00Z\", \"type\": \"ecommerce\", \
         \"purchase_id\": \"{id}\", \"currency\": \"AUD\", \"products\": [{products}]}}\n"
    )
}

/// Returns a file of orders with one product each, whose price and quantity are JSON.
fn prices(email: &str, prices: &[(&str, &str)]) -> String {
    let rows = prices
        .iter()
        .enumerate()
        .map(|(number, (price, quantity))| {
            let product = format!("{{\"price_paid\": {price}, \"quantity\": {quantity}}}");
            order(email, &format!("{email}-{number:02}"), &product)
        });
    rows.collect()
}

fn amounts() -> Vec<Case> {
    vec![
        case(
            "purchase/13/floats.ndjson",
            given!("13-float-prices.ndjson"),
            &[
                "completed: 3 read, 3 written",
                "warning rounded_amount products[].price_paid 2 @1:0",
                "warning rounded_amount products[].discount 1 @2:203",
                "warning rounded_amount adjustments[].price_adjustment 1 @3:442",
            ],
        )
        .shows(
            "flo@example.com",
            json!({"orders": 3, "spend": "103.033333333"}),
        ),
        case(
            "purchase/13/digits.ndjson",
            prices(
                "dig",
                &[
                    ("\"0.1000000000000000055511151231\"", "1"),
                    ("\"1.0000000000000000000000000000\"", "1"),
                    ("-0.0", "1"),
                    ("\"+2.50\"", "\"1\""),
                    ("0e0", "1"),
                    ("1e1", "1"),
                    ("\" 3.00 \"", "1"),
                    ("\".5\"", "1"),
                    ("0.123456789012345678901234567890123", "1"),
                ],
            ),
            &[
                "completed: 9 read, 8 written, 1 rejected",
                "rejected invalid_value products[].price_paid 1 @9:1599",
                "warning rounded_amount products[].price_paid 1 @1:0",
            ],
        )
        .shows("dig@example.com", json!({"orders": 8, "spend": "17.10"})),
        case(
            "purchase/13/not-amounts.ndjson",
            prices(
                "nam",
                &[
                    ("\"1,234.56\"", "1"),
                    ("\"$12\"", "1"),
                    ("\"12,50\"", "1"),
                    ("\"12 EUR\"", "1"),
                    ("\"1 234.56\"", "1"),
                    ("\"(5.00)\"", "1"),
                    ("true", "1"),
                    ("[1]", "1"),
                    ("\"\"", "1"),
                    ("null", "1"),
                    ("12345678901234567", "1"),
                    ("\"12.50\"", "\"two\""),
                ],
            ),
            &[
                "completed: 12 read, 12 rejected",
                "rejected invalid_value products[].price_paid 7 @1:0",
                "rejected invalid_value products[].quantity 1 @12:2146",
                "rejected missing_field products[].price_paid 2 @9:1559",
                "rejected wrong_type products[].price_paid 2 @7:1176",
            ],
        )
        .says(&[
            "thousands separator",
            "currency symbol",
            "decimal comma",
            "letters",
            "thousands separator",
            "minus sign after the number, or parentheses",
            "decimal",
            "decimal",
            "is missing",
            "is missing",
            "more than 15 digits",
            "decimal",
        ])
        .shows("nam@example.com", json!(null)),
        case(
            "purchase/13/quantities.ndjson",
            prices(
                "qua",
                &[
                    ("5.00", "0.5"),
                    ("0", "0"),
                    ("\"4.00\"", "\"2.0\""),
                    ("1.00", "1e0"),
                ],
            ),
            &["completed: 4 read, 4 written"],
        )
        .shows("qua@example.com", json!({"orders": 4, "spend": "10.00"})),
        case(
            "purchase/65/exchange.ndjson",
            given!("65-exchange.ndjson"),
            &["completed: 2 read, 2 written"],
        )
        .shows("exa@example.com", json!({"orders": 2, "spend": "20.00"})),
        case(
            "purchase/65/signs.ndjson",
            prices(
                "sig",
                &[
                    ("-5.00", "1"),
                    ("5.00", "-1"),
                    ("-5.00", "-1"),
                    ("0", "-1"),
                    ("-5.00", "0"),
                ],
            ),
            &[
                "completed: 5 read, 5 rejected",
                "rejected invalid_value products[].price_paid 4 @1:0",
                "rejected invalid_value products[].quantity 1 @2:193",
            ],
        )
        .says(&[
            "is negative, but `quantity` is positive",
            "is negative, but `price_paid` is positive",
            "Send a `return` instead",
            "Send a `return` instead",
            "Send a `return` instead",
        ])
        .shows("sig@example.com", json!(null)),
        case(
            "purchase/65/voucher.ndjson",
            order(
                "vou",
                "V-1",
                "{\"price_paid\": 80, \"quantity\": 1}, {\"price_paid\": -5, \"quantity\": 0}, {\"price_paid\": 0, \"quantity\": -1}",
            ),
            &["completed: 1 read, 1 written"],
        )
        .shows("vou@example.com", json!({"orders": 1, "spend": "75.00"})),
        case(
            "purchase/65/three-lines.csv",
            file(&[
                "exl|EXL-1|80.00|1|Bay",
                "exl|EXL-1|-60.00|-1|Bay",
                "exl|EXL-1|-30.00|-2|Bay",
            ]),
            &["completed: 3 read, 3 written"],
        )
        .shows("exl@example.com", json!({"orders": 1, "spend": "-10.00"})),
    ]
}
