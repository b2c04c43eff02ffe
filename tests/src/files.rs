//! Files: every format and compression, rejects dropped again, large bodies, and whatever S3's events may do.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::{app::TestApp, ingest::s3_event};

const NDJSON: &str = concat!(
    r#"{"link":{"customer_id":"C1","system_name":"pos"},"action_at":"2026-01-02T03:04:05Z","type":"physical","purchase_id":"P1","currency":"AUD","products":[{"price_paid":"12.50","quantity":"2","product_reference":{"id":"s-1","id_type":"sku"}},{"price_paid":"1.00","quantity":"1"}],"store":{"type":"outlet","name":"St Kilda, \"the\" outlet"},"custom_fields":{"gift":"yes\nplease"}}"#,
    "\n",
    r#"{"link":{"customer_id":"C1","system_name":"pos"},"action_at":"2026-01-03T03:04:05Z","type":"ecommerce","purchase_id":"P2","products":[{"price_paid":"5","quantity":"1"}]}"#,
    "\n"
);
const CSV: &str = concat!(
    "link.customer_id,link.system_name,action_at,type,purchase_id,currency,products[0].price_paid,products[0].quantity,products[0].product_reference.id,products[0].product_reference.id_type,products[1].price_paid,products[1].quantity,store.type,store.name,custom_fields.gift\r\n",
    "C1,pos,2026-01-02T03:04:05Z,physical,P1,AUD,12.50,2,s-1,sku,1.00,1,outlet,\"St Kilda, \"\"the\"\" outlet\",\"yes\nplease\"\r\n",
    "C1,pos,2026-01-03T03:04:05Z,ecommerce,P2,,5,1,,,,,,,\r\n"
);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_and_compression_tells_the_same() {
    let rows = NDJSON.trim_end().replace('\n', ",");
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&format!("[{rows}]")).unwrap())
            .unwrap();
    let without_end = NDJSON.trim_end();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("a.ndjson", NDJSON.into()),
        (
            "b.jsonl",
            format!("\u{feff}\r\n{}\r\n\r\n", without_end.replace('\n', "\r\n")).into(),
        ),
        ("c.json", format!("[{rows}]").into()),
        ("d.json", pretty.clone().into()),
        (
            "e.json",
            format!("{{\"made_by\":\"x\",\"records\":[{rows}],\"more\":1}}").into(),
        ),
        ("f.json", without_end.into()),
        ("g.csv", CSV.into()),
        (
            "h.csv",
            format!("\u{feff}{}", CSV.trim_end().replace("\r\n", "\n")).into(),
        ),
        ("i.ndjson.gz", gzip(NDJSON.as_bytes())),
        (
            "j.csv.gz",
            [gzip(&CSV.as_bytes()[..100]), gzip(&CSV.as_bytes()[100..])].concat(),
        ),
        ("k.json.zst", zstd(pretty.as_bytes())),
        (
            "l.csv.zst",
            [zstd(&CSV.as_bytes()[..100]), zstd(&CSV.as_bytes()[100..])].concat(),
        ),
        // The content tells, not the name.
        ("m.ndjson", gzip(NDJSON.as_bytes())),
        ("n.csv.gz", CSV.into()),
    ];
    let mut expected = None;
    for (name, bytes) in forms {
        let app = TestApp::start().await;
        let report = app
            .stack
            .import(&format!("drop/purchase/pos/{name}"), bytes)
            .await
            .unwrap();
        assert_eq!(
            (&report["read"], &report["written"], &report["status"]),
            (&json!(2), &json!(2), &json!("completed")),
            "{name}: {report}"
        );
        let (_, profile) = app
            .lookup(json!({"customer_id": "C1", "system_name": "pos"}))
            .await;
        let seen = json!([
            profile["history"]["items"],
            profile["summary"]["total_spend"]
        ]);
        assert_eq!(
            &seen,
            expected.get_or_insert_with(|| seen.clone()),
            "{name}"
        );
    }
    let expected = expected.unwrap();
    assert_eq!(
        expected[0][1]["purchase"]["custom_fields"]["gift"],
        "yes\nplease"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_break_off_keep_the_rows_before() {
    let app = TestApp::start().await;
    let row = |id: usize| {
        format!(
            r#"{{"link":{{"mobile":"5550001"}},"action_at":"2026-01-01T00:00:00Z","email_id":"{id}"}}"#
        )
    };
    let many: String = (0..2_000).map(|id| row(id) + "\n").collect();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 20].to_vec();
    let zeros = " ".repeat(64 << 20);
    for (name, bytes, slug, at_least) in [
        (
            "a.json",
            format!("[{},{} {}]", row(1), row(2), row(3)).into_bytes(),
            "broken-json",
            2,
        ),
        (
            "b.json",
            format!("{{\"records\":[{}", row(1)).into_bytes(),
            "broken-json",
            1,
        ),
        (
            "c.ndjson.gz",
            cut(gzip(many.as_bytes())),
            "broken-compression",
            1_000,
        ),
        (
            "d.ndjson.zst",
            cut(zstd(many.as_bytes())),
            "broken-compression",
            0,
        ),
        ("e.csv", b"a,a\n1,2\n".to_vec(), "invalid-csv-header", 0),
        (
            "f.ndjson.gz",
            gzip(zeros.as_bytes()),
            "compression-ratio",
            0,
        ),
        (
            "g.ndjson.zst",
            zstd(zeros.as_bytes()),
            "compression-ratio",
            0,
        ),
        (
            "h.ndjson",
            b"\xff\xfe{\0}\0".to_vec(),
            "unsupported-encoding",
            0,
        ),
    ] {
        let report = app
            .stack
            .import(&format!("drop/email_open/{name}"), bytes)
            .await
            .unwrap();
        assert_eq!(
            report["problem"]["type"],
            format!("/problems/{slug}"),
            "{name}: {report}"
        );
        assert_eq!(report["status"], "rejected", "{name}");
        assert!(
            report["written"].as_u64().unwrap() >= at_least,
            "{name}: {report}"
        );
    }
    for (name, bytes) in [
        ("a.csv", ""),
        ("b.csv", "link.mobile,email_id\n"),
        ("c.json", " "),
        ("d.json", "[]"),
        ("e.ndjson", "\n\r\n"),
        ("f.ndjson.gz", ""),
    ] {
        let report = app
            .import(&format!("drop/email_open/empty/{name}"), bytes)
            .await;
        assert_eq!(
            (&report["status"], &report["read"]),
            (&json!("completed"), &json!(0)),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_csv_are_rejected_one_by_one_and_rejects_can_be_dropped_again() {
    let app = TestApp::start().await;
    let csv = "link.mobile,action_at,email_id\n5550001,2026-01-01,a\n5550001,never,b\n5550001,2026-01-01\n\"1\"x,2026-01-01,c\n5550001,2026-01-01,\"d\n";
    let report = app.import("drop/email_open/mail/a.csv", csv).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(5), &json!(1), &json!(4))
    );
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    let faults: Vec<Value> = rejects
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|reject| {
            json!([
                reject["line"],
                reject["offset"],
                reject["code"],
                reject["field"],
                reject["record"]
            ])
        })
        .collect();
    assert_eq!(
        faults,
        [
            json!([3, 52, "invalid_value", "action_at", {"link": {"mobile": "5550001"}, "action_at": "never", "email_id": "b"}]),
            json!([4, 68, "wrong_cell_count", null, "5550001,2026-01-01"]),
            json!([5, 87, "invalid_csv", null, "\"1\"x,2026-01-01,c"]),
            json!([6, 105, "unclosed_quote", null, "5550001,2026-01-01,\"d\n"]),
        ]
    );

    // As it is, the same rows are rejected again; mended, they are stored.
    let again = app
        .import("drop/email_open/mail/again.ndjson", &rejects)
        .await;
    assert_eq!((&again["read"], &again["rejected"]), (&json!(4), &json!(4)));
    let twice = app.object(again["rejects"][0].as_str().unwrap()).await;
    let first = |text: &str| serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first(&twice)["field"], &first(&twice)["code"]),
        (&first(&rejects)["field"], &first(&rejects)["code"])
    );
    let mended = app
        .import(
            "drop/email_open/mail/mended.ndjson",
            &rejects.replace("never", "2026-01-02"),
        )
        .await;
    assert_eq!(
        (&mended["written"], &mended["rejected"]),
        (&json!(1), &json!(3))
    );
    let twice_mended = app
        .import(
            "drop/email_open/mail/twice.ndjson",
            &twice.replace("never", "2026-01-03"),
        )
        .await;
    assert_eq!(twice_mended["written"], 1, "a reject of a reject");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_stored_apart_and_what_fits_nowhere_is_cut() {
    let app = TestApp::start().await;
    let words = "All that is said in a long message, again and again. ".repeat(4_000);
    let mut state = 7_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        format!("{state:016x}")
    })
    .take(60_000)
    .collect();
    let message = |id: &str, body: &str| json!({"link": {"mobile": "5550001"}, "action_at": "2026-01-01T00:00:00Z", "message_id": id, "channel": "email", "direction": "inbound", "body": body});
    let rows = [
        message("short", &words[..4_096]),
        message("long", &words),
        message("noise", &noise),
    ]
    .map(|row| row.to_string() + "\n");
    let report = app.import("drop/message/a.ndjson", &rows.concat()).await;
    assert_eq!(
        (&report["written"], &report["truncated"]),
        (&json!(3), &json!(1))
    );

    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    let items = profile["history"]["items"].as_array().unwrap();
    let of = |id: &str| {
        items
            .iter()
            .map(|item| &item["message"])
            .find(|message| message["message_id"] == id)
            .unwrap()
    };
    assert_eq!(
        (&of("short")["body"], &of("short")["body_bytes"]),
        (&json!(words[..4_096]), &Value::Null)
    );
    let preview = of("long")["body"].as_str().unwrap();
    assert!(words.starts_with(preview) && preview.len() <= 400);
    assert_eq!(
        (&of("long")["body_bytes"], &of("long")["body_truncated"]),
        (&json!(words.len()), &Value::Null)
    );
    assert_eq!(
        (&of("noise")["body_bytes"], &of("noise")["body_truncated"]),
        (&json!(noise.len()), &json!(true))
    );

    let bodies: Vec<_> = crate::ingest::rows(&app)
        .await
        .into_iter()
        .filter(|row| row["SK"].as_s().unwrap().starts_with("body#"))
        .collect();
    assert_eq!(bodies.len(), 2);
    for row in bodies {
        let packed = row["data"].as_m().unwrap()["gzip"].as_b().unwrap();
        assert!(packed.as_ref().len() < 409_600);
        let mut body = String::new();
        let mut decoder = flate2::read::GzDecoder::new(packed.as_ref());
        std::io::Read::read_to_string(&mut decoder, &mut body).unwrap();
        assert!(body == words || (noise.starts_with(&body) && body.len() > noise.len() / 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_too_large_is_rejected_and_its_neighbours_are_stored() {
    let app = TestApp::start().await;
    let row = |id: &str, size: usize| {
        json!({"link": {"mobile": "5550001"}, "action_at": "2026-01-01T00:00:00Z", "email_id": id, "note": "x".repeat(size)}).to_string() + "\n"
    };
    let rows = [
        row("a", 1),
        row("b", 450_000),
        row("c", 2),
        row("d", 1 << 20),
    ]
    .concat();
    let report = app.import("drop/email_open/a.ndjson", &rows).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    let mut codes: Vec<_> = rejects
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["code"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    codes.sort();
    assert_eq!(codes, ["item_too_large", "record_too_large"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_stands_where_a_later_one_of_its_key_cannot_be_stored() {
    let app = TestApp::start().await;
    let row = |name: &str, note: &str| {
        json!({"link": {"email": "a@example.com"}, "first_name": name, "custom_fields": {"note": note}}).to_string() + "\n"
    };
    let large = "x".repeat(450_000);
    let rows = [
        row("One", "1"),
        row("Two", "2"),
        row("Three", &large),
        row("Four", &large),
    ]
    .concat();
    let report = app.import("drop/customer_record/crm/a.ndjson", &rows).await;
    assert_eq!(
        (&report["read"], &report["written"], &report["rejected"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let profile = app.profile("a@example.com").await.to_string();
    assert!(profile.contains("Two") && !profile.contains("Three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_csv_that_the_table_refuses_comes_back_as_its_fields() {
    let app = TestApp::start().await;
    let rows = format!(
        "link.email,first_name,custom_fields.note\na@example.com,Ann,{}\n",
        "x".repeat(450_000)
    );
    let report = app.import("drop/customer_record/crm/a.csv", &rows).await;
    assert_eq!(report["rejected"], 1);
    let reject = app.object(report["rejects"][0].as_str().unwrap()).await;
    let reject: Value = serde_json::from_str(&reject).unwrap();
    assert_eq!(reject["code"], "item_too_large");
    assert_eq!(reject["record"]["link"], json!({"email": "a@example.com"}));
    let note = reject["record"]["custom_fields"]["note"].as_str().unwrap();
    assert_eq!(note.len(), 450_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_more_namespaces_than_a_row_may_have_are_rejected() {
    let app = TestApp::start().await;
    let row = |namespaces: usize| {
        let attributes: serde_json::Map<_, _> = (0..namespaces)
            .map(|number| (format!("n{number}.a"), json!(1)))
            .collect();
        json!({"link": {"email": "a@example.com"}, "attributes": attributes, "junk": "x".repeat(2_000)}).to_string() + "\n"
    };
    let rows = [row(100), row(101)].concat();
    let report = app.import("drop/attributes/crm/a.ndjson", &rows).await;
    assert_eq!(
        (&report["written"], &report["rejected"]),
        (&json!(1), &json!(1))
    );
    let reject = app.object(report["rejects"][0].as_str().unwrap()).await;
    assert!(reject.contains(r#""code":"too_many","field":"attributes""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_key_is_taken() {
    let app = TestApp::start().await;
    let row = r#"{"link":{"mobile":"5550001"},"first_name":"A"}"#;
    let long = format!(
        "drop/customer_record/crm/{}.ndjson",
        "k".repeat(1_000 - "drop/customer_record/crm/.ndjson".len())
    );
    for key in [
        "drop/customer_record/crm/a b+c%20d&e=f?g#h.ndjson",
        "drop/customer_record/crm/2026/11/ü/日本/😀.ndjson",
        "drop/customer_record/crm/..%2F..%2Fetc.ndjson",
        long.as_str(),
    ] {
        let report = app.import(key, row).await;
        assert_eq!(
            (&report["written"], &report["key"]),
            (&json!(1), &json!(key))
        );
    }
    let bad = app.import(&long.replace("/crm/", "/agents/"), row).await;
    assert_eq!(bad["problem"]["type"], "/problems/invalid-source");
    // A folder's marker is no file: what is dropped after it comes to its report.
    app.stack
        .put("drop/customer_record/crm/", "")
        .await
        .unwrap();
    app.import("drop/customer_record/crm/after.ndjson", row)
        .await;
    assert!(
        app.stack
            .list("reports/drop/customer_record/crm//")
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_imported_whole_and_events_may_be_combined() {
    let app = TestApp::start().await;
    let key = "drop/email_open/a.ndjson";
    let rows = |from: usize| {
        (from..from + 500).map(|id| format!("{{\"link\":{{\"mobile\":\"5550001\"}},\"action_at\":\"2026-01-01T00:00:00Z\",\"email_id\":\"{id}\"}}\n")).collect::<String>()
    };
    let mut imports = app.stack.imports();
    for version in 0..3 {
        // The next one comes while the last one is being read.
        imports.put(key, rows(version * 400)).await.unwrap();
    }
    while let Some(outcome) = imports.next().await {
        let (_, report) = outcome.unwrap();
        assert_eq!(
            (&report["read"], &report["rejected"]),
            (&json!(500), &json!(0))
        );
    }
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["summary"]["email"]["opened"], 1_300);

    let mut combined = Vec::new();
    for name in ["b", "c"] {
        let key = format!("elsewhere/{name}");
        let version = app.stack.put(&key, "").await.unwrap();
        let event = s3_event(
            &app,
            &format!("drop/email_open/{name}.ndjson"),
            &version,
            "01",
        );
        combined.push(event["Records"][0].clone());
    }
    // Neither lies at the key that the event names: each gets its own verdict.
    app.stack
        .invoke("ingest", json!({"Records": combined}))
        .await
        .expect("both are seen to");
    assert_eq!(
        app.stack.list("reports/drop/email_open/b.ndjson/").len()
            + app.stack.list("reports/drop/email_open/c.ndjson/").len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_row_wins_across_batches_sources_stay_apart_and_events_move() {
    let app = TestApp::start().await;
    // One key over many batches, between rows of others.
    let row = |number: usize| {
        let mobile = if number.is_multiple_of(10) {
            "5550001".to_owned()
        } else {
            format!("9{number:07}")
        };
        format!("{{\"link\":{{\"mobile\":\"{mobile}\"}},\"first_name\":\"N{number}\"}}\n")
    };
    let report = app
        .import(
            "drop/customer_record/crm/a.ndjson",
            &(0..=1_000).map(row).collect::<String>(),
        )
        .await;
    assert_eq!(
        (&report["read"], &report["written"]),
        (&json!(1_001), &json!(1_001))
    );
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "N1000");

    // Two sources, one customer: both are kept, and each gives a part of the name.
    app.import(
        "drop/customer_record/pos/a.ndjson",
        r#"{"link":{"mobile":"5550001"},"last_name":"Okafor","city":"Leeds"}"#,
    )
    .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550001"})).await;
    assert_eq!(profile["name"], "N1000 Okafor");
    let names: Vec<_> = profile["attributes"]["customer"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attribute| (attribute["name"].clone(), attribute["source"].clone()))
        .collect();
    assert_eq!(
        names,
        [
            (json!("first_name"), json!("crm")),
            (json!("last_name"), json!("pos"))
        ]
    );

    // A correction moves an event, whether it comes before or after what it corrects.
    let event = |at: &str, more: &str| {
        format!(
            "{{\"link\":{{\"mobile\":\"5550002\"}},\"action_at\":\"{at}\",\"message_id\":\"m\",\"channel\":\"sms\",\"direction\":\"inbound\"{more}}}"
        )
    };
    app.import("drop/message/a.ndjson", &event("2026-01-01T00:00:00Z", ""))
        .await;
    app.import(
        "drop/message/b.ndjson",
        &event(
            "2026-01-05T00:00:00Z",
            ",\"replaces_action_at\":\"2026-01-01T00:00:00Z\"",
        ),
    )
    .await;
    let (_, profile) = app.lookup(json!({"mobile": "5550002"})).await;
    let times: Vec<_> = profile["history"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["at"].clone())
        .collect();
    assert_eq!(times, ["2026-01-05T00:00:00Z"]);
}
