//! Files whose beginning decides: each has the report that its content requires, whatever its name.

use super::*;

const ROW: &str = r#"{"link":{"mobile":"5550001"},"first_name":"Ann"}"#;

/// Drops a file of customer records with this name. Returns its report; `None` if there is none.
async fn import(world: &Arc<World>, name: &str, body: &[u8]) -> Option<Value> {
    let key = &format!("drop/customer_record/{name}");
    lock(&world.bucket).take(key, VERSION, LAST_MODIFIED, body);
    let (killer, _killed) = tokio::sync::oneshot::channel();
    let app = app(Wire::new(Arc::clone(world), killer, None), ONE_RANGE);
    let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(3_600));
    handle(&app, event(key, VERSION, "01"), deadline)
        .await
        .unwrap();
    let report = lock(&world.bucket).get(&format!("reports/{key}/{VERSION}.json"))?;
    Some(serde_json::from_slice(&report).unwrap())
}

fn world() -> Arc<World> {
    let (world, _) = World::new(wire::database(), Bucket::default(), 0, Deaths::default());
    world
}

#[test]
fn content_decides() {
    let two = format!("{ROW}\n{ROW}\n");
    let array = format!("[{ROW},\n{ROW}]");
    let pretty = ROW.replace(',', ",\n").replace('{', "{\n");
    let (padded, members): (&[u8], &[u8]) = (
        include_bytes!("../../../../tests/fixtures/cases/12-zero-padded.ndjson.gz"),
        include_bytes!("../../../../tests/fixtures/cases/12-two-members.ndjson.gz"),
    );
    let written: [(&str, &[u8], u64); 12] = [
        ("crm/part-0000", two.as_bytes(), 2),
        ("crm/a.txt", b"link.mobile,first_name\n1234568,Ann\n", 1),
        (
            "crm/a.tsv",
            b"\xEF\xBB\xBFlink.mobile\tfirst_name\r\n1234568\tAnn\r\n",
            1,
        ),
        (
            "crm/sep.csv",
            b"sep=;\nlink.mobile;first_name\n1234568;Ann\n",
            1,
        ),
        ("crm/b.log", array.as_bytes(), 2),
        ("crm/a.csv", two.as_bytes(), 2),
        ("crm/a.ndjson", array.as_bytes(), 2),
        ("crm/pretty.ndjson", pretty.as_bytes(), 1),
        ("crm/a.json", b"link.mobile,first_name\n1234568,Ann\n", 1),
        ("crm/2026/a", two.as_bytes(), 2),
        ("crm/padded", padded, 5),
        ("crm/members.csv", members, 2),
    ];
    let rejected: [(&str, &[u8], &str); 6] = [
        ("crm/book.csv", b"PK\x03\x04\x14\0", "archive"),
        ("crm/a.parquet", b"PAR1\x15\x04", "unsupported-format"),
        ("crm/notes", b"12:00 started\n", "unsupported-format"),
        (
            "crm/utf32.csv",
            b"a\0\0\0,\0\0\0b\0\0\0",
            "unsupported-encoding",
        ),
        (
            "crm/names.csv",
            b"Email,Name\na@b.c,Ann\n",
            "invalid-csv-header",
        ),
        (
            "crm/short.csv",
            b"link.email,name\na@b.c,Ann,x\nb@b.c,Bea,y\n",
            "invalid-csv-header",
        ),
    ];
    clock().block_on(async {
        for (name, body, rows) in written {
            let world = world();
            let report = import(&world, name, body).await;
            let report = report.expect(name);
            let counts = (&report["status"], &report["written"], &report["read"]);
            assert_eq!(
                counts,
                (&json!("completed"), &json!(rows), &json!(rows)),
                "{name}: {report}"
            );
        }
        let world = world();
        for (name, body, slug) in rejected {
            let report = import(&world, name, body).await;
            let report = report.expect(name);
            assert_eq!(
                (&report["status"], &report["read"]),
                (&json!("rejected"), &json!(0)),
                "{name}"
            );
            assert_eq!(
                report["problem"]["type"],
                format!("/problems/{slug}"),
                "{name}"
            );
        }
    });
}

#[test]
fn ignores_hidden_files_and_reports_empty_ones() {
    clock().block_on(async {
        let world = world();
        for name in ["crm/_SUCCESS", "crm/.DS_Store", "_tmp/a.ndjson"] {
            let report = import(&world, name, ROW.as_bytes());
            assert_eq!(report.await, None, "{name}");
        }
        for (name, body) in [
            ("crm/a.csv", ""),
            ("crm/b", "\u{feff}\r\n"),
            ("crm/c.json", " "),
        ] {
            let report = import(&world, name, body.as_bytes());
            let report = report.await.expect(name);
            assert_eq!(
                (&report["status"], &report["read"]),
                (&json!("completed"), &json!(0)),
                "{name}"
            );
            assert_eq!(
                report["warnings"],
                json!([{"code": "empty_file", "count": 1}]),
                "{name}"
            );
        }
        assert_eq!(lock(&world.bucket).keys("reports/").len(), 3);
    });
}

#[test]
fn warns_of_new_source() {
    clock().block_on(async {
        let world = world();
        for (name, known) in [
            ("crm/a.ndjson", None),
            ("crm/b.ndjson", None),
            ("cmr/a.ndjson", Some(json!(["crm"]))),
            ("cmr/b.ndjson", None),
        ] {
            let report = import(&world, name, ROW.as_bytes());
            let report = report.await.expect(name);
            assert_eq!(report.get("known_sources"), known.as_ref(), "{name}");
            let warnings = known.map(|_| json!([{"code": "new_source", "count": 1}]));
            assert_eq!(report.get("warnings"), warnings.as_ref(), "{name}");
        }
    });
}
