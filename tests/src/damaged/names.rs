//! Names and containers: extensions that name no format, archives, compression in several pieces, and files without content.

use std::io::Write as _;

use serde_json::json;

use super::{Case, case, given};
use crate::support::files::{gzip, zstd};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = extensions();
    cases.extend(compressed());
    cases.extend(unreadable());
    cases.extend(empty());
    cases
}

fn row(email: &str) -> String {
    format!("{{\"link\":{{\"email\":\"{email}@example.com\"}},\"first_name\":\"Ann\"}}\n")
}

fn extensions() -> Vec<Case> {
    let one = ["completed: 1 read, 1 written"];
    let csv = |email: &str| format!("link.email,first_name\n{email}@example.com,Ann\n");
    let shows = |case: Case, email: &str| {
        case.shows(&format!("{email}@example.com"), json!({"name": "Ann"}))
    };
    vec![
        // Files of Spark, Firehose, Athena and of people.
        shows(
            case("customer_record/70/part-00000", row("ex1"), &one),
            "ex1",
        ),
        shows(
            case("customer_record/70/part-00001", csv("ex2"), &one),
            "ex2",
        ),
        shows(
            case(
                "customer_record/2026/11/20/01/stream-1-2026-11-20-01-15-00-3f2a",
                row("ex3"),
                &one,
            ),
            "ex3",
        ),
        shows(
            case("customer_record/70/export.txt", csv("ex4"), &one),
            "ex4",
        ),
        shows(
            case("customer_record/70/export.log", row("ex5"), &one),
            "ex5",
        ),
        shows(
            case("customer_record/70/export.csv", row("ex6"), &one),
            "ex6",
        ),
        shows(
            case("customer_record/70/export.ndjson", csv("ex7"), &one),
            "ex7",
        ),
        shows(
            case(
                "customer_record/70/EXPORT.CSV.GZ",
                gzip(csv("ex8").as_bytes()),
                &one,
            ),
            "ex8",
        ),
        shows(
            case(
                "customer_record/70/export.gz",
                gzip(csv("ex9").as_bytes()),
                &one,
            ),
            "ex9",
        ),
        shows(
            case(
                "customer_record/_date=2026-11-20/export.json",
                format!("[{}]", row("ex10")),
                &one,
            ),
            "ex10",
        ),
        case(
            "customer_record/70/notes.txt",
            "Please import the customers by Friday.\n",
            &["rejected", "problem unsupported-format"],
        ),
    ]
}

fn compressed() -> Vec<Case> {
    let both = ["completed: 2 read, 2 written"];
    let two = |name: &str| [row(&format!("{name}1")), row(&format!("{name}2"))];
    let [a, b] = two("gzs");
    let [c, d] = two("gzt");
    let [e, f] = two("zst");
    let [g, h] = two("zli");
    let skippable = |content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap();
        [
            b"\x53\x2a\x4d\x18".as_slice(),
            &length.to_le_bytes(),
            content,
        ]
        .concat()
    };
    let zlib = |text: &str| {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    vec![
        case(
            "customer_record/12/zero-padded.ndjson.gz",
            given!("12-zero-padded.ndjson.gz"),
            &["completed: 5 read, 5 written"],
        )
        .shows("pad4@example.com", json!({"name": "Pad4"})),
        case(
            "customer_record/12/two-members.ndjson.gz",
            given!("12-two-members.ndjson.gz"),
            &both,
        )
        .shows("mem1@example.com", json!({"name": "Mem"}))
        .shows("mem2@example.com", json!({"name": "Ber"})),
        // Two files in one with padding, the border inside a row.
        case(
            "customer_record/12/padded-members.gz",
            {
                let text = a + &b;
                [
                    gzip(&text.as_bytes()[..20]),
                    gzip(b""),
                    gzip(&text.as_bytes()[20..]),
                    vec![0; 700],
                ]
                .concat()
            },
            &both,
        )
        .shows("gzs2@example.com", json!({"name": "Ann"})),
        // What follows may be a damaged member with rows, so it is an error.
        case(
            "customer_record/12/garbage.ndjson.gz",
            [gzip((c + &d).as_bytes()), b"\0\0garbage".to_vec()].concat(),
            &[
                "rejected: 2 read, 2 written, 1 unread",
                "problem broken-compression",
            ],
        )
        .shows("gzt2@example.com", json!({"name": "Ann"})),
        case(
            "customer_record/12/frames.ndjson.zst",
            [
                skippable(b"index"),
                zstd(e.as_bytes()),
                skippable(b""),
                zstd(f.as_bytes()),
                skippable(&[0; 300]),
                vec![0; 9],
            ]
            .concat(),
            &both,
        )
        .shows("zst1@example.com", json!({"name": "Ann"}))
        .shows("zst2@example.com", json!({"name": "Ann"})),
        case("customer_record/12/zlib.ndjson.zz", zlib(&(g + &h)), &both)
            .shows("zli2@example.com", json!({"name": "Ann"})),
    ]
}

fn unreadable() -> Vec<Case> {
    let archive = ["rejected", "problem archive"];
    let format = ["rejected", "problem unsupported-format"];
    let tar = {
        let mut bytes = vec![0; 1024];
        bytes[..5].copy_from_slice(b"a.csv");
        bytes[257..262].copy_from_slice(b"ustar");
        bytes
    };
    let zip = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml".as_slice();
    vec![
        case("customer_record/71/customers.xlsx", zip, &archive),
        case("customer_record/71/workbook.csv", zip, &archive),
        case(
            "customer_record/71/customers.zip",
            b"PK\x03\x04\x0a\0\0\0\0\0",
            &archive,
        ),
        case("customer_record/71/zip.ndjson.gz", gzip(zip), &archive),
        case("customer_record/71/customers.tar", &tar, &archive),
        case("customer_record/71/customers.tar.gz", gzip(&tar), &archive),
        case(
            "customer_record/71/twice.csv.gz",
            gzip(&gzip(b"link.email\nx@example.com\n")),
            &archive,
        ),
        case(
            "customer_record/71/customers.csv.bz2",
            b"BZh91AY&SY\0\0\0\0",
            &archive,
        ),
        case(
            "customer_record/71/customers.7z",
            b"7z\xbc\xaf\x27\x1c\0\x04",
            &archive,
        ),
        case(
            "customer_record/71/report.pdf",
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
            &format,
        ),
        case(
            "customer_record/71/report.csv",
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
            &format,
        ),
        case(
            "customer_record/71/old.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0",
            &format,
        ),
        case(
            "customer_record/71/part.parquet",
            b"PAR1\x15\x04\x15\0",
            &format,
        ),
        case(
            "customer_record/71/feed.json",
            "<?xml version=\"1.0\"?><customers/>",
            &format,
        ),
        case(
            "customer_record/71/error.csv",
            "<!DOCTYPE html>\n<title>Sign in</title>",
            &format,
        ),
    ]
}

fn empty() -> Vec<Case> {
    let empty = ["completed", "warning empty_file 1"];
    vec![
        case("customer_record/72/nothing.csv", "", &empty),
        case("customer_record/72/nothing", "", &empty),
        case("customer_record/72/nothing.ndjson.gz", gzip(b""), &empty),
        case("customer_record/72/blanks.json", " \t \r\n\n  \n", &empty),
        case("customer_record/72/mark.csv", "\u{feff}\r\n", &empty),
        case("customer_record/72/mark-16.txt", b"\xff\xfe", &empty),
        case(
            "customer_record/72/only-header.csv",
            "link.email,first_name\n",
            &["completed"],
        ),
        case("customer_record/72/array.json", "[]", &["completed"]),
    ]
}
