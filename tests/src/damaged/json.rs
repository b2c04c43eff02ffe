//! JSON: values side by side, numbers that are none, half characters, and shapes that the extension does not announce.

use serde_json::json;

use super::{Case, case, given};
use crate::support::files::gzip;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = side_by_side();
    cases.extend(values());
    cases.extend(shapes());
    cases
}

/// Returns a customer record as JSON in one line, without its end.
fn row(email: &str, name: &str) -> String {
    format!("{{\"link\": {{\"email\": \"{email}@example.com\"}}, \"first_name\": {name}}}")
}

fn side_by_side() -> Vec<Case> {
    let three = ["completed: 3 read, 3 written"];
    let given = String::from_utf8_lossy(given!("01-side-by-side.ndjson")).into_owned();
    let [a, b, c] = ["rs1", "rs2", "rs3"].map(|name| row(name, "\"Ann\""));
    let [d, e, f] = ["sp1", "sp2", "sp3"].map(|name| row(name, "\"Bea\""));
    let [g, h, i] = ["br1", "br2", "br3"].map(|name| row(name, "\"Cy}{\""));
    let bad = "{\"link\": {\"email\": \"br4@example.com\"}, \"first_name\": }";
    vec![
        case(
            "customer_record/1/a.ndjson.gz",
            given!("01-side-by-side.ndjson.gz"),
            &three,
        )
        .shows("fire0@example.com", json!({"name": "Fire0"}))
        .shows("fire2@example.com", json!({"name": "Fire2"})),
        case(
            "customer_record/1/b.ndjson",
            given.replace("fire", "firn"),
            &three,
        )
        .shows("firn0@example.com", json!({"name": "Fire0"}))
        .shows("firn2@example.com", json!({"name": "Fire2"})),
        case(
            "customer_record/1/c.json",
            given.replace("fire", "firj"),
            &three,
        )
        .shows("firj2@example.com", json!({"name": "Fire2"})),
        case(
            "customer_record/1/d.json.gz",
            gzip(given.replace("fire", "firg").as_bytes()),
            &three,
        )
        .shows("firg1@example.com", json!({"name": "Fire1"})),
        // Record separators of RFC 7464, alone, with line ends, and between values of a line.
        case(
            "customer_record/1/rs.ndjson",
            format!("\u{1e}{a}\n\u{1e}{b}\u{1e}{c}\u{1e}\n\u{1e}"),
            &three,
        )
        .shows("rs1@example.com", json!({"name": "Ann"}))
        .shows("rs3@example.com", json!({"name": "Ann"})),
        case(
            "customer_record/1/spaces",
            format!("  {d} \t{e}\r\n\r\n \r\n{f}  "),
            &three,
        )
        .shows("sp1@example.com", json!({"name": "Bea"}))
        .shows("sp2@example.com", json!({"name": "Bea"})),
        // Braces inside strings end no value. A broken value costs itself alone.
        case(
            "customer_record/1/broken.ndjson",
            format!("{g}{h}{bad}\n{i}\n"),
            &[
                "completed: 4 read, 3 written, 1 rejected",
                "rejected invalid_json 1 @1:120",
            ],
        )
        .rejects(&[&format!("invalid_json {bad}")])
        .shows("br2@example.com", json!({"name": "Cy}{"}))
        .shows("br3@example.com", json!({"name": "Cy}{"})),
        case(
            "customer_record/1/broken-first.ndjson",
            format!(
                "{}{}\n{}garbage\n{}\n",
                bad.replace("br4", "br5"),
                row("br6", "\"Ann\""),
                row("br7", "\"Bea\""),
                row("br8", "\"Cy\"")
            ),
            &[
                "completed: 4 read, 2 written, 2 rejected",
                "rejected invalid_json 2 @1:0",
            ],
        )
        .shows("br6@example.com", json!({"name": "Ann"}))
        .shows("br7@example.com", json!(null))
        .shows("br8@example.com", json!({"name": "Cy"})),
        case(
            "customer_record/1/not-objects.ndjson",
            format!("{}1 \"x\"\n[]null\n", row("no1", "\"Ann\"")),
            &[
                "completed: 2 read, 2 rejected",
                "rejected invalid_json 2 @1:0",
            ],
        ),
    ]
}

fn values() -> Vec<Case> {
    let message = |id: &str, body: &str| {
        format!(
            "{{\"link\": {{\"email\": \"half@example.com\"}}, \"action_at\": \"2026-11-20T01:15:00Z\", \"message_id\": \"{id}\", \
             \"channel\": \"sms\", \"direction\": \"inbound\", \"body\": {body}}}\n"
        )
    };
    vec![
        case(
            "customer_record/57/nan.ndjson",
            given!("57-nan.ndjson"),
            &[
                "completed: 2 read, 2 written",
                "warning not_a_number custom_fields.limit 1 @1:0",
                "warning not_a_number custom_fields.score 1 @1:0",
            ],
        )
        .shows("nan@example.com", json!({"name": "Nan", "score": null, "limit": null}))
        .shows("nan2@example.com", json!({"name": "Nan"})),
        case(
            "customer_record/57/in-array.ndjson",
            "{\"link\":{\"email\":\"nan3@example.com\"},\"first_name\":NaN,\"custom_fields\":{\"scores\":[1,NaN,-Infinity],\"best\":3}}\n",
            &[
                "completed: 1 read, 1 written",
                "warning not_a_number custom_fields.scores[] 2 @1:0",
                "warning not_a_number first_name 1 @1:0",
            ],
        )
        .shows("nan3@example.com", json!({"name": null, "best": 3})),
        case(
            "customer_record/57/numbers.ndjson",
            "{\"link\":{\"email\":\"ntx@example.com\"},\"custom_fields\":{\"large\":1e400,\"long\":1234567890123456789012345678901234567890,\"tab\":\"a\tb\"}}\n\
             {\"link\":{\"customer_id\":1234567890123456789012345678901234567890},\"first_name\":\"Ann\"}\n",
            &[
                "completed: 2 read, 2 written",
                "warning control_characters custom_fields.tab 1 @1:0",
                "warning number_as_text custom_fields.large 1 @1:0",
                "warning number_as_text custom_fields.long 1 @1:0",
                "warning number_as_text link.customer_id 1 @2:129",
            ],
        )
        .shows(
            "ntx@example.com",
            json!({"large": "1e400", "long": "1234567890123456789012345678901234567890", "tab": "a\tb"}),
        )
        .shows_link(
            json!({"customer_id": "1234567890123456789012345678901234567890"}),
            json!({"name": "Ann"}),
        ),
        // An order without its price cannot be counted.
        case(
            "purchase/57/price.ndjson",
            "{\"link\":{\"email\":\"nan4@example.com\"},\"action_at\":\"2026-11-20\",\"type\":\"ecommerce\",\"purchase_id\":\"N4\",\
             \"products\":[{\"price_paid\":NaN,\"quantity\":1}]}\n",
            &[
                "completed: 1 read, 1 rejected",
                "rejected missing_field products[].price_paid 1 @1:0",
            ],
        )
        .shows("nan4@example.com", json!(null)),
        case(
            "customer_record/57/misspelled.ndjson",
            "{\"link\":{\"email\":\"nan5@example.com\"},\"custom_fields\":{\"a\":nan}}\n{\"link\":{\"email\":\"nan6@example.com\"},\"custom_fields\":{\"a\":\"NaN\"}}\n",
            &["completed: 2 read, 1 written, 1 rejected", "rejected invalid_json 1 @1:0"],
        )
        .shows("nan6@example.com", json!({"a": "NaN"})),
        case(
            "message/50/surrogate.ndjson",
            given!("50-surrogate.ndjson"),
            &["completed: 2 read, 2 written", "warning replaced_characters body 1 @1:0"],
        )
        .shows(
            "sue@example.com",
            json!({
                "/history/items/1/message/body": "Thanks so much \u{fffd}",
                "/history/items/0/message/body": "ok \u{1f600}"
            }),
        ),
        case(
            "message/50/halves.ndjson",
            [
                message("1", r#""\udca9\ud83d x""#),
                message("2", r#""\ud83d\n""#),
                message("3", r#""\ud83d\ud83d\ude00""#),
                message("4", r#""\uFFFD""#),
            ]
            .concat(),
            &["completed: 4 read, 4 written", "warning replaced_characters body 3 @1:0"],
        )
        .shows("half@example.com", json!({"events": 4})),
        case(
            "customer_record/50/names.ndjson",
            [
                row("hal1", r#""Zo\ud83d""#),
                row("hal2", r#""Zoe", "custom_fields": {"\udc00key": "x"}"#),
                "\n".to_owned(),
                row(r"hal\ud8003", "\"Zoe\""),
            ]
            .concat(),
            &[
                "completed: 3 read, 1 written, 2 rejected",
                "warning replaced_characters first_name 1 @1:0",
                "rejected invalid_utf8 1 @1:65",
                "rejected invalid_utf8 link.email 1 @2:163",
            ],
        )
        .shows("hal1@example.com", json!({"name": "Zo\u{fffd}"}))
        .shows("hal2@example.com", json!(null)),
        // Digits stay as they were sent.
        case("customer_record/16/numbers.ndjson", given!("16-big-numbers.ndjson"), &["completed: 1 read, 1 written"])
            .shows("bigna@example.com", json!({"year_joined": 2019, "pin_hint": 1042})),
        case(
            "customer_record/52/empty-strings.ndjson",
            "{\"link\":{\"email\":\"emp@example.com\",\"mobile\":\"\",\"customer_id\":null},\"first_name\":\"Em\",\"last_name\":\"\",\"date_of_birth\":\"\",\
             \"employee_flag\":\"\",\"updated_at\":\"\",\"custom_fields\":{\"a\":\"\"}}\n",
            &["completed: 1 read, 1 written"],
        )
        .shows("emp@example.com", json!({"name": "Em", "date_of_birth": null})),
    ]
}

fn shapes() -> Vec<Case> {
    let two = ["completed: 2 read, 2 written"];
    let pair = |name: &str| {
        [
            row(&format!("{name}1"), "\"Ann\""),
            row(&format!("{name}2"), "\"Bea\""),
        ]
    };
    let [a, b] = pair("ary");
    let [c, d] = pair("njs");
    let [e, f] = pair("env");
    let [g, h] = pair("trl");
    let [i, j] = pair("cut");
    let [k, l] = pair("oth");
    let refused = ["rejected", "problem broken-json"];
    let pretty = row("prt1", "\"Ann\"").replace(", ", ",\n  ");
    vec![
        case(
            "customer_record/2/array.ndjson",
            format!("[{a},\n{b}]"),
            &two,
        )
        .shows("ary2@example.com", json!({"name": "Bea"})),
        case("customer_record/2/lines.json", format!("{c}\n{d}\n"), &two)
            .shows("njs2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/2/envelope.csv",
            format!("{{\"records\": [{e}, {f}], \"next\": null}}"),
            &two,
        )
        .shows("env2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/2/pretty",
            format!("{pretty}\n{}\n", row("prt2", "\"Bea\"")),
            &two,
        )
        .shows("prt1@example.com", json!({"name": "Ann"}))
        .shows("prt2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/2/other-list.json",
            format!("{{\"data\": [{k}, {l}], \"next\": null}}"),
            &refused,
        )
        .shows("oth1@example.com", json!(null)),
        case(
            "customer_record/2/other-list.ndjson.gz",
            gzip(format!("{{\"Records\": [{k}]}}\n{{\"Records\": [{l}]}}\n").as_bytes()),
            &refused,
        ),
        case(
            "customer_record/2/joined.json",
            format!("{k},{l}"),
            &refused,
        ),
        case(
            "customer_record/2/joined.ndjson",
            format!("{k},{l}\n"),
            &refused,
        )
        .shows("oth2@example.com", json!(null)),
        case(
            "customer_record/2/trailing-comma.json",
            format!("[{g},{h},]"),
            &[
                "rejected: 2 read, 2 written, 1 unread",
                "problem broken-json",
            ],
        )
        .shows("trl2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/2/cut.json",
            format!("[{i},{}", &j[..30]),
            &[
                "rejected: 2 read, 1 written, 1 rejected, 1 unread",
                "rejected invalid_json 1 @1:62",
                "problem broken-json",
            ],
        )
        .shows("cut1@example.com", json!({"name": "Ann"})),
    ]
}
