//! Encodings: Windows-1252, UTF-16, byte order marks, and mixtures of them.

use serde_json::json;

use super::{Case, case, given};

/// Returns text as Windows-1252. Its other characters are those of ISO 8859-1.
fn windows_1252(text: &str) -> Vec<u8> {
    let byte = |character: char| match character {
        '€' => 0x80,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '–' => 0x96,
        '™' => 0x99,
        other => u8::try_from(u32::from(other)).unwrap(),
    };
    text.chars().map(byte).collect()
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

const CSV: &str = "link.email;first_name;city\r\n{}1@example.com;Zoë;Köln\r\n{}2@example.com;\"Jo \u{1f600}\";\"Łódź\r\nx\"\r\n";
const NDJSON: &str = "{\"link\":{\"email\":\"{}1@example.com\"},\"first_name\":\"Zoë\"}\n{\"link\":{\"email\":\"{}2@example.com\"},\"first_name\":\"Jo 😀\"}\n";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = single_bytes();
    cases.extend(two_bytes());
    cases.extend(marks());
    cases
}

fn single_bytes() -> Vec<Case> {
    vec![
        case(
            "customer_record/5/cp1252.ndjson",
            given!("05-cp1252.ndjson"),
            &[
                "completed: 1 read, 1 written",
                "warning windows_1252 city 1 @1:0",
                "warning windows_1252 first_name 1 @1:0",
                "warning windows_1252 last_name 1 @1:0",
            ],
        )
        .shows("zoe@example.com", json!({"name": "Zoë Brückner", "city": "Köln"})),
        case(
            "customer_record/5/cp1252.csv",
            windows_1252(
                "link.email,first_name,address_1\r\ncw1@example.com,Zoë,“Haus” – 5 €™\r\ncw2@example.com,Ann,1 Hill St\r\ncw3@example.com,O’Neil,x\r\n",
            ),
            &[
                "completed: 3 read, 3 written",
                "warning windows_1252 address_1 1 @2:33",
                "warning windows_1252 first_name 2 @2:33",
            ],
        )
        .shows("cw1@example.com", json!({"name": "Zoë", "address_1": "“Haus” – 5 €™"}))
        .shows("cw3@example.com", json!({"name": "O’Neil"})),
        // A mixture: UTF-8 in one cell, Windows-1252 in the next, and both in the last.
        case(
            "customer_record/5/mixed.csv",
            [
                "link.email,first_name,last_name,city\nmx1@example.com,Zoë,".as_bytes(),
                b"Br\xfcckner,K\xc3\xb6ln \xfc\n",
            ]
            .concat(),
            &[
                "completed: 1 read, 1 written",
                "warning replaced_characters city 1 @2:37",
                "warning windows_1252 last_name 1 @2:37",
            ],
        )
        .shows("mx1@example.com", json!({"name": "Zoë Brückner", "city": "Köln \u{fffd}"})),
        case(
            "customer_record/5/mixed.json",
            [
                "[{\"link\":{\"email\":\"mx2@example.com\"},\"first_name\":\"Zoë\",".as_bytes(),
                b"\"last_name\":\"Br\xfcckner\",\"city\":\"K\xc3\xb6ln \xfc\"}]",
            ]
            .concat(),
            &[
                "completed: 1 read, 1 written",
                "warning replaced_characters city 1 @1:1",
                "warning windows_1252 last_name 1 @1:1",
            ],
        )
        .shows("mx2@example.com", json!({"name": "Zoë Brückner", "city": "Köln \u{fffd}"})),
        // Names of custom fields are strings too.
        case(
            "customer_record/5/names.ndjson",
            windows_1252("{\"link\":{\"email\":\"nm1@example.com\"},\"custom_fields\":{\"größe\":\"42\"}}\n"),
            &["completed: 1 read, 1 written", "warning windows_1252 custom_fields.größe 1 @1:0"],
        )
        .shows("nm1@example.com", json!({"größe": "42"})),
        // An identifier is never guessed. The rejected row keeps its bytes.
        case(
            "customer_record/5/identifiers.ndjson",
            windows_1252("{\"link\":{\"customer_id\":\"Zoë-1\"},\"first_name\":\"A\"}\n{\"link\":{\"email\":\"zoë@example.com\"},\"first_name\":\"B\"}\n"),
            &[
                "completed: 2 read, 2 rejected",
                "rejected invalid_utf8 link.customer_id 1 @1:0",
                "rejected invalid_utf8 link.email 1 @2:50",
            ],
        )
        .rejects(&[
            r#"invalid_utf8 {\"link\":{\"customer_id\":\"Zo\xeb-1\"},\"first_name\":\"A\"}"#,
            r#"invalid_utf8 {\"link\":{\"email\":\"zo\xeb@example.com\"},\"first_name\":\"B\"}"#,
        ]),
        case(
            "customer_record/5/identifiers.csv",
            windows_1252("link.customer_id,first_name\nZoë-2,Zoë\nZoe-2,Zoë\n"),
            &[
                "completed: 2 read, 1 written, 1 rejected",
                "rejected invalid_utf8 link.customer_id 1 @2:28",
                "warning windows_1252 first_name 1 @3:38",
            ],
        )
        .rejects(&[r"invalid_utf8 Zo\xeb-2,Zo\xeb"])
        .shows_link(json!({"customer_id": "Zoë-2"}), json!(null)),
        case(
            "customer_record/5/header.csv",
            windows_1252("link.email;first_name;custom_fields.größe\nhd1@example.com;Ann;42\n"),
            &["completed: 1 read, 1 written"],
        )
        .shows("hd1@example.com", json!({"größe": "42"})),
    ]
}

fn two_bytes() -> Vec<Case> {
    let two = ["completed: 2 read, 2 written"];
    let shows = |case: Case, name: &str| {
        case.shows(&format!("{name}1@example.com"), json!({"name": "Zoë"}))
            .shows(
                &format!("{name}2@example.com"),
                json!({"name": "Jo \u{1f600}"}),
            )
    };
    let text = |form: &str, name: &str| form.replace("{}", name);
    let mark = |form: &str, name: &str| format!("\u{feff}{}", text(form, name));
    vec![
        shows(
            case(
                "customer_record/7/le.csv",
                utf16(&mark(CSV, "ule"), u16::to_le_bytes),
                &two,
            ),
            "ule",
        )
        .shows("ule2@example.com", json!({"city": "Łódź\r\nx"})),
        shows(
            case(
                "customer_record/7/be.csv",
                utf16(&mark(CSV, "ube"), u16::to_be_bytes),
                &two,
            ),
            "ube",
        ),
        // Excel's "Unicode Text".
        shows(
            case(
                "customer_record/7/unicode.txt",
                utf16(&mark(CSV, "utx").replace(';', "\t"), u16::to_le_bytes),
                &two,
            ),
            "utx",
        ),
        shows(
            case(
                "customer_record/7/plain-le.csv",
                utf16(&text(CSV, "upl"), u16::to_le_bytes),
                &two,
            ),
            "upl",
        ),
        shows(
            case(
                "customer_record/7/plain-be",
                utf16(&text(CSV, "upb"), u16::to_be_bytes),
                &two,
            ),
            "upb",
        ),
        shows(
            case(
                "customer_record/7/le.ndjson",
                utf16(&mark(NDJSON, "uln"), u16::to_le_bytes),
                &two,
            ),
            "uln",
        ),
        shows(
            case(
                "customer_record/7/plain-be.json",
                utf16(&text(NDJSON, "ubn"), u16::to_be_bytes),
                &two,
            ),
            "ubn",
        ),
        // Half a pair, and half a unit at the end.
        case(
            "customer_record/7/half.csv",
            [
                utf16(
                    "\u{feff}link.email,first_name\nuhf1@example.com,Zo",
                    u16::to_le_bytes,
                ),
                b"\x3d\xd8".to_vec(),
                utf16("x\nuhf2@example.com,Bea\nuhf3", u16::to_le_bytes),
                b"\x3d\xd8".to_vec(),
                utf16("@example.com,Cy\n", u16::to_le_bytes),
                b"x".to_vec(),
            ]
            .concat(),
            &[
                "completed: 4 read, 2 written, 2 rejected",
                "rejected invalid_utf8 link.email 1 @4:132",
                "rejected wrong_cell_count 1 @5:174",
                "warning replaced_characters first_name 1 @2:46",
            ],
        )
        .shows("uhf1@example.com", json!({"name": "Zo\u{fffd}x"}))
        .shows("uhf2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/7/rejected.csv",
            utf16("\u{feff}link.email;first_name\r\nZo\u{eb}@;Zo\u{eb}\r\nurj@example.com;Zo\u{eb};x\r\nurj@example.com;\"Zo\u{eb}\r\n", u16::to_le_bytes),
            &[
                "completed: 3 read, 3 rejected",
                "rejected invalid_value link.email 1 @2:48",
                "rejected wrong_cell_count 1 @3:68",
                "rejected unclosed_quote 1 @4:114",
            ],
        )
        .rejects(&[
            "invalid_value {\"first_name\":\"Zo\u{eb}\",\"link\":{\"email\":\"Zo\u{eb}@\"}}",
            "wrong_cell_count urj@example.com;Zo\u{eb};x",
            "unclosed_quote urj@example.com;\"Zo\u{eb}",
        ]),
        case(
            "customer_record/7/utf-32.ndjson",
            text(NDJSON, "u32")
                .chars()
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect::<Vec<_>>(),
            &["rejected", "problem unsupported-encoding"],
        )
        .shows("u321@example.com", json!(null)),
    ]
}

fn marks() -> Vec<Case> {
    let row = |email: &str| {
        format!("{{\"link\":{{\"email\":\"{email}@example.com\"}},\"first_name\":\"Ann\"}}\n")
    };
    vec![
        // Files that were joined: the marks of all but the first are at the start of a line.
        case(
            "customer_record/11/joined.ndjson",
            format!("\u{feff}{}{}\u{feff}{}\u{feff}\n\u{feff}", row("jo1"), row("jo2"), row("jo3")),
            &["completed: 3 read, 3 written"],
        )
        .shows("jo3@example.com", json!({"name": "Ann"})),
        case(
            "customer_record/11/joined.csv",
            "\u{feff}link.email,first_name\njc1@example.com,Ann\n\u{feff}jc2@example.com,Bea\n\u{feff}\n\u{feff}\"jc3@example.com\",Cy\n",
            &["completed: 3 read, 3 written"],
        )
        .shows("jc2@example.com", json!({"name": "Bea"}))
        .shows("jc3@example.com", json!({"name": "Cy"})),
        case(
            "customer_record/11/joined.json",
            format!("\u{feff}{}\u{feff}{}", row("jj1"), row("jj2")),
            &["completed: 2 read, 2 written"],
        )
        .shows("jj2@example.com", json!({"name": "Ann"})),
        case(
            "customer_record/11/twice.ndjson",
            format!("\u{feff}\u{feff}{}", row("tw1")),
            &["completed: 1 read, 1 written"],
        )
        .shows("tw1@example.com", json!({"name": "Ann"})),
    ]
}
