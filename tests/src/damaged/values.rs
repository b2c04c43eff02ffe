//! Values: times, dates of birth, URLs, card numbers, identifiers, and fields with unknown names.

use serde_json::{Value, json};

use super::{Case, case, given, lines};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = times();
    cases.extend(dates());
    cases.extend(texts());
    cases.extend(identifiers());
    cases.extend(names());
    cases
}

/// Returns a file of opened emails at these times, in JSON.
fn opens(email: &str, times: &[&str]) -> String {
    let row = |(number, at): (usize, &&str)| {
        format!(
            "{{\"link\":{{\"email\":\"{email}@example.com\"}},\"action_at\":{at},\"email_id\":\"{email}-{number}\"}}\n"
        )
    };
    times.iter().enumerate().map(row).collect()
}

fn times() -> Vec<Case> {
    let same = [
        "\"2026-11-20T01:15:00Z\"",
        "\"2026-11-20 01:15:00 UTC\"",
        "\"2026-11-20 01:15:00 GMT\"",
        "\"2026-11-20 11:15:00 +1000\"",
        "\"2026-11-20T11:15:00+10\"",
        "\"2026-11-20T11:15+10:00\"",
        "\"2026-11-19T21:15:00.000-04:00\"",
        "\"  2026-11-20 01:15  \"",
        "\"2026/11/20 01:15:00\"",
        "\"2026-11-20 1:15:00 AM\"",
        "\"Fri, 20 Nov 2026 01:15:00 GMT\"",
        "\"Fri, 20 Nov 2026 11:15:00 +1000\"",
        "\"20 Nov 2026 01:15:00 +0000\"",
        "1795137300",
        "\"1795137300\"",
        "1795137300000",
        "\"1795137300000\"",
        "1795137300.0",
        "1.7951373e9",
        "\"2026-11-20T01:15:00.000000000Z\"",
    ];
    let at = vec![json!("2026-11-20T01:15:00Z"); same.len()];
    vec![
        case(
            "purchase/53/times.ndjson",
            given!("53-times.ndjson"),
            &["completed: 12 read, 11 written, 1 rejected", "rejected invalid_value action_at 1 @9:1547"],
        )
        .shows("tim@example.com", json!({"orders": 11, "events": 11})),
        case("email_open/53/same.ndjson", opens("sam", &same), &["completed: 20 read, 20 written"])
            .shows("sam@example.com", json!({"events": 20, "times": at})),
        case(
            "email_open/53/midnight.ndjson",
            opens("mid", &["\"2026-11-20T24:00:00Z\"", "\"2026-11-21\"", "\"2026/11/21\"", "\"20261121000000\""]),
            &["completed: 4 read, 4 written"],
        )
        .shows("mid@example.com", json!({"times": vec!["2026-11-21T00:00:00Z"; 4]})),
        // Forms with several meanings, zones without an offset, and no times at all.
        case(
            "email_open/53/ambiguous.ndjson",
            opens(
                "amb",
                &[
                    "\"20/11/2026\"",
                    "\"11/20/2026 01:15\"",
                    "\"1.2.2026\"",
                    "\"20-11-26\"",
                    "\"2026-11-20 01:15 AEST\"",
                    "\"2026-11-20T01:15:00[Australia/Melbourne]\"",
                    "\"2026-11-31\"",
                    "\"2026-11-20T25:00:00Z\"",
                    "\"now\"",
                    "\"\"",
                    "true",
                    "45981.05",
                    "2026",
                    "\"0000-00-00 00:00:00\"",
                    "\"1900-01-00\"",
                ],
            ),
            &[
                "completed: 15 read, 15 rejected",
                "rejected invalid_value action_at 13 @1:0",
                "rejected missing_field action_at 1 @10:775",
                "rejected wrong_type action_at 1 @11:846",
            ],
        )
        .shows("amb@example.com", json!(null)),
        case(
            "purchase/23/sentinels.ndjson",
            given!("23-sentinels.ndjson"),
            &["completed: 6 read, 1 written, 5 rejected", "rejected invalid_value action_at 5 @1:0"],
        )
        .shows("sentinel@example.com", json!({"orders": 1, "spend": "20.00", "times": ["2026-11-20T01:15:00Z"]})),
        case(
            "email_open/23/sentinels.ndjson",
            opens("sen", &["\"1970-12-31T23:59:59Z\"", "\"1971-01-01T00:00:00Z\"", "0", "\"0\"", "-62135596800", "\"1980-01-01\"", "\"9999-12-31\""]),
            &["completed: 7 read, 2 written, 5 rejected", "rejected invalid_value action_at 5 @1:0"],
        )
        .shows("sen@example.com", json!({"times": ["1980-01-01T00:00:00Z", "1971-01-01T00:00:00Z"]})),
        // An invalid time is left out if the row can be placed without it.
        case(
            "customer_record/53/updated-at.ndjson",
            lines(&[json!({"link": {"email": "upd@example.com"}, "first_name": "Ann", "updated_at": "20/11/2026"})]),
            &["completed: 1 read, 1 written", "warning invalid_field updated_at 1 @1:0"],
        )
        .shows("upd@example.com", json!({"name": "Ann"})),
    ]
}

fn births(dates: &[&str]) -> String {
    let row = |(number, date): (usize, &&str)| json!({"link": {"email": format!("born{number}@example.com")}, "first_name": format!("B{number}"), "date_of_birth": date});
    lines(&dates.iter().enumerate().map(row).collect::<Vec<_>>())
}

fn dates() -> Vec<Case> {
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(72);
    let tomorrow = tomorrow.to_string()[..10].to_owned();
    let dates = [
        "0001-01-01",
        "1900-01-00",
        &tomorrow,
        "0000-00-00",
        "1879-12-31",
        "31/01/1990",
        "1990",
        "1880-01-01",
        "1990-01-31T00:00:00Z",
        " 1990-01-31 ",
    ];
    let born = |number: usize, date: Value| {
        (
            json!({"email": format!("born{number}@example.com")}),
            json!({"name": format!("B{number}"), "date_of_birth": date}),
        )
    };
    let shown = [
        born(0, json!(null)),
        born(1, json!(null)),
        born(2, json!(null)),
        born(5, json!(null)),
        born(7, json!("1880-01-01")),
        born(8, json!("1990-01-31")),
        born(9, json!("1990-01-31")),
    ];
    let many = case(
        "customer_record/23/births.ndjson",
        births(&dates),
        &[
            "completed: 10 read, 10 written",
            "warning invalid_field date_of_birth 7 @1:0",
        ],
    );
    vec![
        case(
            "customer_record/23/dob.ndjson",
            given!("23-dob.ndjson"),
            &[
                "completed: 4 read, 4 written",
                "warning invalid_field date_of_birth 2 @1:0",
                "warning invalid_field updated_at 1 @1:0",
            ],
        )
        .shows("unborn@example.com", json!({"name": "Una", "date_of_birth": null}))
        .shows("old@example.com", json!({"name": "Olde", "date_of_birth": "1897-05-01"}))
        .shows("leap@example.com", json!({"date_of_birth": "2000-02-29"})),
        shown.into_iter().fold(many, |case, (link, expected)| case.shows_link(link, expected)),
        case(
            "customer_record/2/at-fields.ndjson",
            given!("02-at-fields.ndjson"),
            &["completed: 5 read, 5 written"],
        )
        .shows("at0@example.com", json!({"renewed_at": "20260814", "/attributes/custom/0/type": "string"}))
        .shows("at2@example.com", json!({"renewed_at": "2026-08-14T19:30+10:00[Australia/Sydney]", "/attributes/custom/0/type": "string"}))
        .shows("at4@example.com", json!({"renewed_at": "2026-08-14T09:30:60Z", "/attributes/custom/0/type": "string"})),
        case(
            "attributes/2/moments.ndjson",
            lines(&[
                json!({"link": {"email": "mom1@example.com"}, "attributes": {"club": {"seen_at": "2026-08-14T09:30:00.25+10:00"}}}),
                json!({"link": {"email": "mom2@example.com"}, "attributes": {"club": {"seen_at": "2026-08-14T24:00:00Z"}}}),
                json!({"link": {"email": "mom3@example.com"}, "attributes": {"club": {"seen": "2026-08-14"}}}),
            ]),
            &["completed: 3 read, 3 written"],
        )
        .shows("mom1@example.com", json!({"/attributes/club/0/type": "date"}))
        .shows("mom2@example.com", json!({"/attributes/club/0/type": "string"}))
        .shows("mom3@example.com", json!({"/attributes/club/0/type": "date"})),
        case(
            "attributes/2/at-attributes.ndjson",
            given!("02-at-attributes.ndjson"),
            &["completed: 1 read, 1 written"],
        )
        .shows("at9@example.com", json!({"joined_at": "20260814", "/attributes/club/0/type": "string"})),
    ]
}

fn texts() -> Vec<Case> {
    let body = |id: &str, body: &str| {
        json!({"link": {"email": "card@example.com"}, "action_at": "2026-11-20T01:15:00Z", "message_id": id, "channel": "chat",
            "direction": "inbound", "body": body})
    };
    vec![
        case(
            "product/46/url.ndjson",
            given!("46-product-url.ndjson"),
            &["completed: 2 read, 2 written"],
        ),
        case("email_click/46/url.ndjson", given!("46-click-url.ndjson"), &["completed: 2 read, 2 written"])
            .shows("uri@example.com", json!({"/summary/email/clicked": 2})),
        case("message/46/url.ndjson", given!("46-message-url.ndjson"), &["completed: 1 read, 1 written"]),
        case(
            "email_click/46/script.ndjson",
            lines(&[
                json!({"link": {"email": "scr@example.com"}, "action_at": "2026-11-20", "email_id": "1", "clicked_link": {"url": "javascript:alert(1)"}}),
                json!({"link": {"email": "scr@example.com"}, "action_at": "2026-11-21", "email_id": "2", "clicked_link": {"url": "data:text/html,<script>"}}),
                json!({"link": {"email": "scr@example.com"}, "action_at": "2026-11-22", "email_id": "3", "clicked_link": {"url": "../relative path"}}),
            ]),
            &["completed: 3 read, 3 written"],
        )
        .shows("scr@example.com", json!({"events": 3})),
        // Card numbers are masked in text, and stay in IDs.
        case(
            "message/66/card.ndjson",
            lines(&[
                body("4111111111111111", "My card is 4111 1111 1111 1111, thanks"),
                body("2", "5555-5555-5555-4444"),
                body("3", "order 4111 1111 1111 1112"),
            ]),
            &["completed: 3 read, 3 written", "warning masked_card body 2 @1:0"],
        )
        .shows("card@example.com", json!({"events": 3})),
        case(
            "purchase/66/ids.ndjson",
            lines(&[json!({"link": {"email": "cards@example.com"}, "action_at": "2026-11-20T01:15:00Z", "type": "ecommerce",
                "purchase_id": "4111111111111111", "products": [{"price_paid": "1.00", "quantity": 1}], "tracking_number": "4111111111111111",
                "comment": "paid with 4111111111111111"})]),
            &[
                "completed: 1 read, 1 written",
                "unknown comment 1",
                "unknown tracking_number 1",
                "warning masked_card comment 1 @1:0",
            ],
        )
        .shows(
            "cards@example.com",
            json!({"/history/items/0/purchase/purchase_id": "4111111111111111", "/history/items/0/purchase/comment": "paid with ************1111"}),
        ),
    ]
}

fn identifiers() -> Vec<Case> {
    vec![
        case(
            "customer_record/24/phones.csv",
            "link.mobile,first_name\n'+61 491 570 110,Ann\n0061491570110,Bea\n6.1491E+10,Cy\n+61 491 570 110 x7,Di\n0000000000,Em\n",
            &[
                "completed: 5 read, 2 written, 3 rejected, 1 replaced",
                "rejected invalid_value link.mobile 1 @5:76",
                "rejected placeholder_identifier link.mobile 1 @6:98",
                "rejected rounded_identifier link.mobile 1 @4:62",
                "warning replaced_in_file first_name 1 @3:44",
                "warning replaced_in_file link.mobile 1 @3:44",
            ],
        )
        .shows_link(json!({"mobile": "61491570110"}), json!({"name": "Bea"})),
        case(
            "customer_record/48/addresses.csv",
            "link.email,first_name\nAnn+Tag@Example.COM ,Ann\n{x}#1@example.com,Bea\nz\u{fc}@xn--bcher-kva.example,Cy\na@b,Di\na b@c.example,Em\n@c.example,Fay\n\
             a..b@c.example,Gil\n",
            &[
                "completed: 7 read, 3 written, 4 rejected",
                "rejected invalid_value link.email 4 @5:98",
            ],
        )
        .shows("ann+tag@example.com", json!({"name": "Ann"}))
        .shows("{x}#1@example.com", json!({"name": "Bea"}))
        .shows("z\u{fc}@b\u{fc}cher.example", json!({"name": "Cy"})),
        case(
            "unify/25/placeholders.ndjson",
            lines(&[
                json!({"records": [{"email": "uni1@example.com"}, {"customer_id": "N/A", "system_name": "shop"}]}),
                json!({"records": [{"email": "uni1@example.com"}, {"customer_id": "U-1", "system_name": "shop"}, {"customer_id": "0", "system_name": "till"}]}),
            ]),
            &[
                "completed: 2 read, 1 written, 1 rejected",
                "rejected placeholder_identifier records[].customer_id 1 @1:0",
                "warning identifier_left_out records[].customer_id 1 @2:86",
            ],
        )
        .shows("uni1@example.com", json!({"/identities/1/value": "U-1"})),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case(
            "purchase/67/names.csv",
            "link.email,action_at,type,purchase_id,products[0].price_paid,products[0].quantity,Currency,loyalty tier\n\
             nms@example.com,2026-11-20,ecommerce,NM-1,1.00,1,NZD,gold\nnms@example.com,2026-11-20,ecommerce,NM-2,1.00,1,NZD,gold\n",
            &[
                "completed: 2 read, 2 written",
                "unknown Currency 2 like currency",
                "unknown loyalty tier 2",
                "warning similar_field Currency 2 @2:104",
            ],
        )
        .shows("nms@example.com", json!({"orders": 2, "spend": "2.00"})),
        case(
            "customer_record/67/names.ndjson",
            lines(&[json!({"link": {"email": "nm@example.com"}, "firstname": "Ann", "lastName": "Lee", "postcod": "3182", "shoe_size": 42})]),
            &[
                "completed: 1 read, 1 written",
                "unknown firstname 1 like first_name",
                "unknown lastName 1 like last_name",
                "unknown postcod 1 like postcode",
                "unknown shoe_size 1",
                "warning similar_field firstname 1 @1:0",
                "warning similar_field lastName 1 @1:0",
                "warning similar_field postcod 1 @1:0",
            ],
        )
        .shows("nm@example.com", json!({"name": null})),
        // All faults of a row are reported in one pass.
        case(
            "purchase/68/five-faults.ndjson",
            lines(&[json!({"link": {"email": "five@"}, "action_at": "20/11/2026", "currency": "dollars", "type": "wholesale",
                "products": [{"price_paid": "1,234.56", "quantity": "two"}]})]),
            &[
                "completed: 1 read, 1 rejected",
                "rejected invalid_value action_at 1 @1:0",
                "rejected invalid_value currency 1 @1:0",
                "rejected invalid_value link.email 1 @1:0",
                "rejected invalid_value products[].price_paid 1 @1:0",
                "rejected invalid_value products[].quantity 1 @1:0",
                "rejected missing_field purchase_id 1 @1:0",
            ],
        ),
    ]
}
