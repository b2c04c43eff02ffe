//! Bodies that are stored apart from their events.

use serde_json::{Value, json};

use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn stores_large_bodies_apart() {
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

    let bodies: Vec<_> = crate::support::table::rows(&app)
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
