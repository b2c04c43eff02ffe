//! CSV: delimiters, quotes, blank rows, headers.

use serde_json::json;

use super::{Case, case, given};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = delimiters();
    cases.extend(quotes());
    cases.extend(rows());
    cases.extend(headers());
    cases
}

fn delimiters() -> Vec<Case> {
    let two = ["completed: 2 read, 2 written"];
    let named = |name: &str, city: &str| json!({"name": name, "city": city});
    vec![
        case("customer_record/55/semicolon.csv", given!("55-semicolon.csv"), &two)
            .shows("se1@example.com", named("Sea", "Cairns"))
            .shows("se2@example.com", named("Sky", "Darwin")),
        case("customer_record/55/sep.csv", given!("55-sep-line.csv"), &["completed: 1 read, 1 written"])
            .shows("se3@example.com", json!({"name": "Sol"})),
        // The line `sep=` decides, whatever is more frequent.
        case(
            "customer_record/55/sep-crlf.csv",
            "sep=;\r\nlink.email;first_name;city\r\nsc1@example.com;\"a,b;c\";Oslo\r\nsc2@example.com;,,,;Bern\r\n",
            &two,
        )
        .shows("sc1@example.com", named("a,b;c", "Oslo"))
        .shows("sc2@example.com", named(",,,", "Bern")),
        case(
            "customer_record/55/sep-quoted.csv",
            "\u{feff}\"sep=,\"\r\nlink.email,first_name,city\r\nsq1@example.com,Ann,\"Rome, Italy\"\r\nsq2@example.com,Bea,Bern\r\n",
            &two,
        )
        .shows("sq1@example.com", named("Ann", "Rome, Italy")),
        case(
            "customer_record/55/tab.tsv",
            "link.email\tfirst_name\tcity\nta1@example.com\tAnn, the first\tBonn\nta2@example.com\t\tBern\n",
            &two,
        )
        .shows("ta1@example.com", named("Ann, the first", "Bonn"))
        .shows("ta2@example.com", json!({"name": null, "city": "Bern"})),
        case(
            "customer_record/55/pipe.csv",
            "link.email|first_name|city\npi1@example.com|Ann|Bonn\npi2@example.com|\"a|b\"|Bern",
            &two,
        )
        .shows("pi2@example.com", named("a|b", "Bern")),
        case(
            "customer_record/55/sep-tab.txt",
            "SEP=\t\nlink.email\tfirst_name\nst1@x.example\t\"Ann\tB\"\nst2@x.example\tBea,\n",
            &two,
        )
        .shows("st1@x.example", json!({"name": "Ann\tB"}))
        .shows("st2@x.example", json!({"name": "Bea,"})),
        // A single column has no delimiter at all.
        case(
            "customer_record/55/one-column.csv",
            "link.email\r\noc1@example.com\r\n\r\n\"oc2@example.com\"\r\n",
            &two,
        )
        .shows("oc1@example.com", json!({"name": null}))
        .shows("oc2@example.com", json!({"name": null})),
        // A decimal comma where the semicolon separates: the price cannot be read, the row is returned.
        case(
            "purchase/55/decimal-comma.csv",
            "link.email;action_at;type;purchase_id;products[0].price_paid;products[0].quantity\n\
             dc@example.com;2026-11-20;ecommerce;DC-1;12,50;1\n\
             dc@example.com;2026-11-20;ecommerce;DC-2;12.50;1\n",
            &[
                "completed: 2 read, 1 written, 1 rejected",
                "rejected invalid_value products[].price_paid 1 @2:82",
            ],
        )
        .shows("dc@example.com", json!({"orders": 1, "spend": "12.50"})),
        case(
            "customer_record/55/cr.csv",
            "link.email,first_name\rcr1@example.com,Ann\rcr2@example.com,Bea\r",
            &two,
        )
        .shows("cr2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/55/mixed-ends.csv",
            "link.email,first_name\r\nme1@example.com,Ann\nme2@example.com,Bea\r\n",
            &two,
        )
        .shows("me1@example.com", json!({"name": "Ann"}))
        .shows("me2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/55/sep-unknown.csv",
            "sep=#\nlink.email#first_name\nsu@example.com#Ann\n",
            &["rejected", "problem invalid-csv-header"],
        )
        .shows("su@example.com", json!(null)),
    ]
}

fn quotes() -> Vec<Case> {
    let stray = |count: usize| -> String {
        let row = |number: usize| {
            let quote = if number == 40 || number == 900 {
                "\""
            } else {
                ""
            };
            format!("st{number}@example.com,Sid{number},{quote}{number} Hill St\n")
        };
        let rows: String = (0..count).map(row).collect();
        format!("link.email,first_name,address_1\n{rows}")
    };
    vec![
        case(
            "customer_record/9/stray-quote.csv",
            given!("09-stray-quote.csv"),
            &[
                "completed: 2000 read, 1999 written, 1 rejected",
                "rejected unclosed_quote 1 @31:962",
            ],
        )
        .rejects(&["unclosed_quote s30@example.com,Sid30,\"Unit 4"])
        .shows("s29@example.com", json!({"name": "Sid29"}))
        .shows("s30@example.com", json!(null))
        .shows("s31@example.com", json!({"name": "Sid31"}))
        .shows("s2000@example.com", json!({"name": "Sid2000"})),
        // The second quote closes the first one, 860 rows later, and text follows it.
        case(
            "customer_record/9/two-quotes.csv",
            stray(1_000),
            &[
                "completed: 1000 read, 998 written, 2 rejected",
                "rejected unclosed_quote 2 @42:1362",
            ],
        )
        .shows("st39@example.com", json!({"name": "Sid39"}))
        .shows("st41@example.com", json!({"name": "Sid41"}))
        .shows("st901@example.com", json!({"name": "Sid901"})),
        case(
            "customer_record/9/last-row.csv",
            "link.email,first_name\nlr1@example.com,Ann\nlr2@example.com,\"Bea",
            &[
                "completed: 2 read, 1 written, 1 rejected",
                "rejected unclosed_quote 1 @3:42",
            ],
        )
        .rejects(&["unclosed_quote lr2@example.com,\"Bea"])
        .shows("lr1@example.com", json!({"name": "Ann"})),
        case(
            "customer_record/9/first-row.csv",
            "link.email,first_name\nfr1@example.com,\"Ann\nfr2@example.com,Bea\nfr3@example.com,Cy\n",
            &[
                "completed: 3 read, 2 written, 1 rejected",
                "rejected unclosed_quote 1 @2:22",
            ],
        )
        .shows("fr1@example.com", json!(null))
        .shows("fr2@example.com", json!({"name": "Bea"}))
        .shows("fr3@example.com", json!({"name": "Cy"})),
        case(
            "customer_record/9/header.csv",
            "link.email,\"first_name\nfh1@example.com,Ann\n",
            &["rejected", "problem invalid-csv-header"],
        )
        .shows("fh1@example.com", json!(null)),
        case(
            "customer_record/9/crlf.csv",
            "link.email;first_name;city\r\nqc1@example.com;\"Ann;Bonn\r\nqc2@example.com;\"Bea \"\"B\"\"\";Bern\r\nqc3@example.com;Cy;\"Rome\r\n\r\n",
            &[
                "completed: 3 read, 1 written, 2 rejected",
                "rejected unclosed_quote 2 @2:28",
            ],
        )
        .shows("qc1@example.com", json!(null))
        .shows("qc2@example.com", json!({"name": "Bea \"B\"", "city": "Bern"})),
        // A quote inside a cell that does not begin with one is text.
        case(
            "customer_record/9/inch.csv",
            "link.email,first_name,address_1\nin1@example.com,Ann,5\" pipe St\nin2@example.com,Bea,\"the \"\"Mill\"\"\"\n",
            &["completed: 2 read, 2 written"],
        )
        .shows("in1@example.com", json!({"address_1": "5\" pipe St"}))
        .shows("in2@example.com", json!({"address_1": "the \"Mill\""})),
        case(
            "customer_record/9/line-ends.csv",
            "link.email,first_name,address_1\r\nle1@example.com,Ann,\"Flat 2\r\n9 Dune Rd\r\nNeath\"\r\nle2@example.com,Bea,\"\nx\"\r\n",
            &["completed: 2 read, 2 written"],
        )
        .shows("le1@example.com", json!({"address_1": "Flat 2\r\n9 Dune Rd\r\nNeath"}))
        .shows("le2@example.com", json!({"name": "Bea"})),
        // Text after a closing quote costs its row.
        case(
            "customer_record/9/after-quote.csv",
            "link.email,first_name\naq1@example.com,\"Ann\" B\naq2@example.com,Bea\n",
            &[
                "completed: 2 read, 1 written, 1 rejected",
                "rejected invalid_csv 1 @2:22",
            ],
        )
        .shows("aq2@example.com", json!({"name": "Bea"})),
        case(
            "customer_record/38/blank-before-quote.csv",
            given!("38-blank-before-quote.csv"),
            &["completed: 2 read, 2 written"],
        )
        .shows("lou@example.com", json!({"name": "Lou", "address_1": "Flat 2, 9 Dune Rd"}))
        .shows("lou2@example.com", json!({"name": "Lou", "address_1": "9 Dune Rd"})),
        case(
            "customer_record/38/around-quotes.csv",
            "link.email ,\t\"first_name\" , \"address_1\"\nar1@example.com , \"Lou\" ,\t\"Flat 2, 9 Dune Rd\" \n\"ar2@example.com\"  ,\"Lou\",x\n",
            &["completed: 2 read, 2 written"],
        )
        .shows("ar1@example.com", json!({"name": "Lou", "address_1": "Flat 2, 9 Dune Rd"}))
        .shows("ar2@example.com", json!({"name": "Lou", "address_1": "x"})),
        case(
            "customer_record/38/tab-before-quote.tsv",
            "link.email\t \"first_name\"\tcity\ntb1@example.com\t \"Lou\tB\"\tx\n",
            &["completed: 1 read, 1 written"],
        )
        .shows("tb1@example.com", json!({"name": "Lou\tB", "city": "x"})),
    ]
}

fn rows() -> Vec<Case> {
    vec![
        case(
            "customer_record/51/empty-rows.csv",
            given!("51-empty-rows.csv"),
            &["completed: 2 read, 2 written, 42 skipped"],
        )
        .shows("em1@example.com", json!({"name": "Em", "date_of_birth": "1990-01-01"}))
        .shows("em2@example.com", json!({"name": "Em", "date_of_birth": null})),
        case(
            "customer_record/51/blank-lines.csv",
            "\n\r\n\nlink.email;first_name\n\n;\n  ;  \n\"\";\"\"\neb1@example.com;Em\n\n;;\n;\n",
            &["completed: 1 read, 1 written, 5 skipped"],
        )
        .shows("eb1@example.com", json!({"name": "Em"})),
        // Spreadsheets write empty cells for columns that were once used.
        case(
            "customer_record/51/empty-cells.csv",
            "link.email,first_name,,\nec1@example.com,Em,,\nec2@example.com,Em,,,,,\nec3@example.com,Em,,x\n",
            &[
                "completed: 3 read, 3 written",
                "warning unnamed_column column 4 1 @4:69",
            ],
        )
        .shows("ec1@example.com", json!({"name": "Em"}))
        .shows("ec2@example.com", json!({"name": "Em"}))
        .shows("ec3@example.com", json!({"name": "Em"})),
        case(
            "customer_record/51/cell-counts.csv",
            "link.email,first_name,city\ncc1@example.com,Em,Bonn\ncc2@example.com,Em\ncc3@example.com,Em,Bonn,Rhein\ncc4@example.com,Em,Bern\n",
            &[
                "completed: 4 read, 2 written, 2 rejected",
                "rejected wrong_cell_count 2 @3:51",
            ],
        )
        .rejects(&[
            "wrong_cell_count cc2@example.com,Em",
            "wrong_cell_count cc3@example.com,Em,Bonn,Rhein",
        ]),
        case(
            "customer_record/6/two-headers.csv",
            given!("06-two-headers.csv"),
            &["completed: 2 read, 2 written, 1 skipped"],
        )
        .shows_link(json!({"customer_id": "H1", "system_name": "shop"}), json!({"name": "Hana"}))
        .shows_link(json!({"customer_id": "H2", "system_name": "shop"}), json!({"name": "Ivo"}))
        .shows_link(json!({"customer_id": "link.customer_id", "system_name": "link.system_name"}), json!(null)),
        case(
            "customer_record/6/header-with-mark.csv",
            "\u{feff}link.customer_id,link.system_name,first_name\r\nHM1,shop,Ann\r\n\u{feff}link.customer_id,link.system_name,first_name\r\nHM2,shop,Bea\r\n\
             \"link.customer_id\", link.system_name ,first_name\r\n\u{feff}HM3,shop,Cy\r\n",
            &["completed: 3 read, 3 written, 2 skipped"],
        )
        .shows_link(json!({"customer_id": "HM2", "system_name": "shop"}), json!({"name": "Bea"}))
        .shows_link(json!({"customer_id": "HM3", "system_name": "shop"}), json!({"name": "Cy"})),
        // The values of the second file are in other columns.
        case(
            "customer_record/6/other-order.csv",
            "link.customer_id,link.system_name,first_name\nHO1,shop,Ann\nlink.customer_id,first_name,link.system_name\nHO2,Bea,shop\n",
            &["rejected: 1 read, 1 written, 1 unread", "problem invalid-csv-header"],
        )
        .shows_link(json!({"customer_id": "HO1", "system_name": "shop"}), json!({"name": "Ann"}))
        .shows_link(json!({"customer_id": "HO2", "system_name": "Bea"}), json!(null))
        .shows_link(json!({"customer_id": "link.customer_id", "system_name": "first_name"}), json!(null)),
        case(
            "customer_record/6/other-columns.csv",
            "link.email,first_name,city\nhc1@example.com,Ann,Bonn\nlink.email,first_name,state\nhc2@example.com,Bea,WA\n",
            &["rejected: 1 read, 1 written, 1 unread", "problem invalid-csv-header"],
        )
        .shows("hc2@example.com", json!(null)),
        case(
            "customer_record/6/uppercase.csv",
            "link.customer_id,link.system_name,first_name\nHU1,shop,Ann\nLINK.CUSTOMER_ID,LINK.SYSTEM_NAME,FIRST_NAME\nHU2,shop,Bea\n",
            &["completed: 2 read, 2 written, 1 skipped"],
        )
        .shows_link(json!({"customer_id": "HU2", "system_name": "shop"}), json!({"name": "Bea"}))
        .shows_link(json!({"customer_id": "LINK.CUSTOMER_ID", "system_name": "LINK.SYSTEM_NAME"}), json!(null)),
        case(
            "customer_record/6/only-headers.csv",
            "link.email,first_name\nlink.email,first_name\nlink.email,first_name",
            &["completed: 2 skipped"],
        ),
    ]
}

fn headers() -> Vec<Case> {
    let refused = ["rejected", "problem invalid-csv-header"];
    vec![
        case(
            "customer_record/60/no-link.csv",
            "Email,Name\nnl@example.com,Ann\n",
            &refused,
        )
        .shows("nl@example.com", json!(null)),
        case(
            "purchase/60/no-link.csv",
            "purchase_id;action_at;type;customer\n1;2026-11-20;ecommerce;x@example.com\n",
            &refused,
        ),
        case("customer_record/60/no-header.csv", "nh1@example.com,Ann\nnh2@example.com,Bea\n", &refused),
        case(
            "customer_record/60/column-too-few.csv",
            "link.email,first_name\ncf1@example.com,Ann,Bonn\ncf2@example.com,Bea,Bern\ncf3@example.com,Cy,Rome\n",
            &refused,
        )
        .shows("cf1@example.com", json!(null)),
        case(
            "customer_record/60/column-too-many.csv",
            "link.email,first_name,city\ncm1@example.com,Ann\ncm2@example.com,Bea\n",
            &refused,
        ),
        case("customer_record/60/twice.csv", "link.email,first_name,first_name\ntw@example.com,A,B\n", &refused),
        case("product/60/no-id.csv", "name,price\nLamp,10.00\n", &refused),
    ]
}
