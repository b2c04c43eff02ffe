//! Formats and compressions.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    files::{gzip, zstd},
};

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

#[tokio::test(flavor = "multi_thread")]
async fn reads_every_format() {
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
        // The content decides, not the name.
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
async fn keeps_rows_before_error() {
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
            b"\xff\xfe\0\0{\0\0\0}\0\0\0".to_vec(),
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
