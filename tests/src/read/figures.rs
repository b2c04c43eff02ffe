//! Figures: what counts once, what does not count, and which status applies.

use serde_json::{Value, json};

use crate::support::shared::SharedApp;

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn has_segment(profile: &Value, name: &str) -> bool {
    let segments = profile["summary"]["segments"].as_array().unwrap();
    segments.contains(&json!(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn opts_out_per_list() {
    let app = SharedApp::get().await;
    let subscription = |email: &str, at: &str, id: &str, status: &str, list: &str| {
        json!({"link": {"email": email}, "action_at": format!("2026-11-20T{at}:15:00Z"), "email_id": id, "status": status,
            "list": {"id": list, "name": list.to_uppercase()}})
    };
    let (otto, olga) = ("otto@example.com", "olga@example.com");
    let rows = lines(&[
        subscription(otto, "01", "e1", "subscribed", "news"),
        subscription(otto, "02", "e2", "unsubscribed", "news"),
        subscription(otto, "03", "e3", "transactional", "receipts"),
        subscription(olga, "04", "e4", "subscribed", "club"),
        subscription(olga, "03", "e5", "unsubscribed", "news"),
    ]);
    // In the second pass, each row updates an item.
    for _ in 0..2 {
        let report = app.import("drop/email_subscribe/c14/a.ndjson", &rows).await;
        assert_eq!(report["written"], 5, "{report}");
    }
    let list = |id: &str, status: &str, at: &str| json!({"source": "c14", "id": id, "name": id.to_uppercase(), "status": status, "at": format!("2026-11-20T{at}:15:00Z")});
    let profile = app.profile(otto).await;
    assert!(has_segment(&profile, "email_opted_out") && !has_segment(&profile, "email_opted_in"));
    let email = &profile["summary"]["email"];
    assert_eq!(email["status"], "unsubscribed");
    assert_eq!(
        email["lists"],
        json!([
            list("receipts", "transactional", "03"),
            list("news", "unsubscribed", "02")
        ])
    );
    let profile = app.profile(olga).await;
    assert!(has_segment(&profile, "email_opted_out") && has_segment(&profile, "email_opted_in"));
    assert_eq!(
        profile["summary"]["email"]["lists"],
        json!([
            list("club", "subscribed", "04"),
            list("news", "unsubscribed", "03")
        ])
    );
    // The same list of another source is another list.
    let again = lines(&[subscription(otto, "05", "e6", "subscribed", "news")]);
    app.import("drop/email_subscribe/other/a.ndjson", &again)
        .await;
    assert!(has_segment(&app.profile(otto).await, "email_opted_out"));
    app.import("drop/email_subscribe/c14/b.ndjson", &again)
        .await;
    assert!(!has_segment(&app.profile(otto).await, "email_opted_out"));

    let id = profile["id"].as_str().unwrap();
    let url = app.url(&format!("/profiles/{id}/export"));
    let export = reqwest::get(url).await.unwrap().text().await.unwrap();
    let items = export
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sources: Vec<_> = items
        .filter(|item| {
            item["key"]
                .as_str()
                .is_some_and(|key| key.contains("#email_subscribe#"))
        })
        .map(|item| item["source"].clone())
        .collect();
    assert_eq!(sources, ["c14", "c14"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_count_sent_emails() {
    let app = SharedApp::get().await;
    let row = |day: u32, id: &str| json!({"link": {"email": "rhea@example.com"}, "action_at": format!("2026-11-{day}T05:00:00Z"), "email_id": id});
    let opens = lines(&[row(21, "r-1"), row(22, "r-2"), row(23, "r-3")]);
    app.import("drop/email_open/c19/a.ndjson", &opens).await;
    app.import("drop/email_send/c19/a.ndjson", &lines(&[row(20, "r-1")]))
        .await;
    let email = app.profile("rhea@example.com").await["summary"]["email"].take();
    assert_eq!(
        [
            &email["sent"],
            &email["opened"],
            &email["open_rate"],
            &email["click_rate"]
        ],
        [&json!(1), &json!(3), &json!(1.0), &json!(0.0)]
    );
}

fn order(email: &str, at: &str, id: &str, price: &str) -> Value {
    json!({"link": {"email": email}, "action_at": at, "type": "ecommerce", "purchase_id": id,
        "products": [{"price_paid": price, "quantity": 1}], "currency": "AUD"})
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_order_with_other_time() {
    let app = SharedApp::get().await;
    let email = "sasha@example.com";
    let export = order(email, "2026-11-20T01:15:00Z", "W-31", "80.00");
    let webhook = order(email, "2026-11-20T01:15:00.437Z", "W-31", "79.00");
    app.import("drop/purchase/c31/webhook.ndjson", &lines(&[webhook]))
        .await;
    let webhook = app.profile(email).await["history"]["items"][0].take();
    app.import("drop/purchase/c31/export.ndjson", &lines(&[export]))
        .await;
    let profile = app.profile(email).await;
    let summary = &profile["summary"];
    assert_eq!(summary["orders"], 1);
    assert_eq!(
        summary["total_spend"],
        json!([{"currency": "AUD", "amount": "80.00"}])
    );
    assert_eq!(summary["last_event_at"], "2026-11-20T01:15:00Z");
    let items = profile["history"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    // The history and the route of one event return the same.
    let path = format!("/profiles/{}/history", profile["id"].as_str().unwrap());
    for query in [
        "",
        "?limit=1",
        "?order=oldest&limit=1",
        "?type=purchase",
        "?from=2026-11-20T01:15:00Z&to=2026-11-20T01:15:00.1Z",
    ] {
        let (_, page) = app.get(&format!("{path}{query}")).await;
        assert_eq!(
            (&page["items"], &page["next"]),
            (&json!(items), &Value::Null),
            "{query}"
        );
    }
    let (_, page) = app
        .get(&format!("{path}?from=2026-11-20T01:15:00.1Z"))
        .await;
    assert_eq!(page["items"], json!([]));
    let event = |item: &Value| format!("{path}/{}", item["id"].as_str().unwrap());
    let (status, one) = app.get(&event(&items[0])).await;
    assert_eq!((status.as_u16(), &one), (200, &items[0]));
    assert_eq!(
        app.problem(&event(&webhook), 404).await.0,
        "event-not-found"
    );

    // Another source, another id, or a time 24 hours later is another order.
    let day = order(email, "2026-11-21T01:15:00Z", "W-31", "5.00");
    let other = order(email, "2026-11-20T01:15:01Z", "W-32", "5.00");
    app.import("drop/purchase/c31/day.ndjson", &lines(&[day, other]))
        .await;
    let source = order(email, "2026-11-20T01:15:01Z", "W-31", "5.00");
    app.import("drop/purchase/pos/a.ndjson", &lines(&[source]))
        .await;
    let profile = app.profile(email).await;
    assert_eq!(profile["summary"]["orders"], 4);
    assert_eq!(profile["history"]["items"].as_array().unwrap().len(), 4);
}

/// The second file has the rows in another time zone. Each replaces an event nine hours away, perhaps on another page.
#[tokio::test(flavor = "multi_thread")]
async fn pages_match_profile() {
    let app = SharedApp::get().await;
    let links = [
        json!({"email": "mira@example.com"}),
        json!({"email": "mira@work.example"}),
    ];
    let rows = |hour: u32, price: &str| {
        let row = |n: u32| {
            let day = n / 3 + 1;
            let at = format!("2026-11-{day:02}T{:02}:{n:02}:00Z", hour + n % 3);
            let mut row = order("", &at, &format!("M-{n}"), price);
            row["link"] = links[usize::try_from(n % 2).unwrap()].clone();
            row
        };
        lines(&(0..30).map(row).collect::<Vec<_>>())
    };
    app.import("drop/purchase/shop/a.ndjson", &rows(11, "1.00"))
        .await;
    app.import("drop/purchase/shop/b.ndjson", &rows(2, "2.00"))
        .await;
    app.import(
        "drop/unify/a.ndjson",
        &json!({"records": links}).to_string(),
    )
    .await;
    let profile = app.profile("mira@example.com").await;
    assert_eq!(profile["summary"]["total_spend"][0]["amount"], "60.00");
    let path = format!("/profiles/{}/history", profile["id"].as_str().unwrap());
    let all = app.get(&format!("{path}?limit=100")).await.1["items"].take();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 30);
    for (order, limit) in [("newest", 1), ("newest", 7), ("oldest", 1), ("oldest", 4)] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (_, page) = app
                .get(&format!("{path}?limit={limit}&order={order}{cursor}"))
                .await;
            found.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if order == "oldest" {
            found.reverse();
        }
        assert_eq!(&found, all, "{order} {limit}");
    }
    // The profile's own first page continues in the history.
    let next = profile["history"]["next"].as_str().unwrap();
    let (_, rest) = app.get(&format!("{path}?cursor={next}")).await;
    let first = profile["history"]["items"].as_array().unwrap();
    assert_eq!(
        [first.as_slice(), rest["items"].as_array().unwrap()].concat(),
        *all
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_moved_order() {
    let app = SharedApp::get().await;
    let email = "noor@example.com";
    let old = order(email, "2026-11-01T00:00:00Z", "N-1", "5.00");
    let near = order(email, "2026-11-01T10:00:00Z", "N-1", "6.00");
    let mut moved = order(email, "2026-11-09T00:00:00Z", "N-1", "7.00");
    moved["replaces_action_at"] = json!("2026-11-01T10:00:00Z");
    for (name, row) in [("a", old), ("b", near), ("c", moved)] {
        app.import(&format!("drop/purchase/shop/{name}.ndjson"), &lines(&[row]))
            .await;
    }
    // The moved version replaces nothing at its old time.
    let profile = app.profile(email).await;
    let total = &profile["summary"]["total_spend"][0]["amount"];
    assert_eq!(
        (&profile["summary"]["orders"], total),
        (&json!(2), &json!("12.00"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn does_not_count_canceled_order() {
    let app = SharedApp::get().await;
    let email = "kai@example.com";
    let mut row = order(email, "2026-11-20T01:15:00Z", "K-1", "80.00");
    app.import("drop/purchase/shop/a.ndjson", &lines(&[row.clone()]))
        .await;
    row["status"] = json!("Cancelled");
    app.import("drop/purchase/shop/b.ndjson", &lines(&[row]))
        .await;
    let profile = app.profile(email).await;
    assert_eq!(
        [
            &profile["summary"]["orders"],
            &profile["summary"]["total_spend"],
            &profile["summary"]["time_zone"]
        ],
        [&json!(0), &json!([]), &json!("UTC")]
    );
    assert!(has_segment(&profile, "prospect"));
    let item = &profile["history"]["items"][0];
    assert_eq!(
        (&item["purchase"]["status"], &item["title"]),
        (
            &json!("Cancelled"),
            &json!("Bought 1 item for 80.00 AUD (canceled)")
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_full_name() {
    let app = SharedApp::get().await;
    let crm = json!({"link": {"email": "tess@example.com"}, "first_name": "Tess", "last_name": "Aldous", "updated_at": "2026-11-01T00:00:00Z"});
    let till = json!({"link": {"email": "tess@example.com"}, "first_name": "Guest", "updated_at": "2026-11-20T00:00:00Z"});
    app.import("drop/customer_record/crm/a.ndjson", &lines(&[crm]))
        .await;
    app.import("drop/customer_record/till/a.ndjson", &lines(&[till]))
        .await;
    assert_eq!(app.profile("tess@example.com").await["name"], "Tess Aldous");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_channel_spellings() {
    let app = SharedApp::get().await;
    let row = |minute: u32, channel: &str| {
        json!({"link": {"email": "ines@example.com"}, "action_at": format!("2026-11-20T01:{minute:02}:00Z"),
            "message_id": minute.to_string(), "channel": channel, "direction": "inbound"})
    };
    let rows = lines(&[
        row(1, "whats app"),
        row(2, "WHATSAPP"),
        row(3, "webchat"),
        row(4, "WhatsApp"),
    ]);
    app.import("drop/message/desk/a.ndjson", &rows).await;
    let profile = app.profile("ines@example.com").await;
    assert_eq!(
        profile["summary"]["channels"],
        json!(["WhatsApp", "webchat"])
    );
    let path = format!(
        "/profiles/{}/history?limit=2&channel=",
        profile["id"].as_str().unwrap()
    );
    let (_, first) = app.get(&format!("{path}whats_app")).await;
    let channels = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["channel"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(channels(&first), ["WhatsApp", "WHATSAPP"]);
    // A cursor belongs to the filter, in any spelling.
    let next = first["next"].as_str().unwrap();
    let (status, second) = app.get(&format!("{path}Whats%20App&cursor={next}")).await;
    assert_eq!(status, 200, "{second}");
    assert_eq!(channels(&second), ["whats app"]);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_override_no_record() {
    let app = SharedApp::get().await;
    let link = json!({"email": "ada@example.com"});
    let record = json!({"link": link, "employee_flag": false});
    app.import("drop/customer_record/crm/a.ndjson", &lines(&[record]))
        .await;
    let rows = lines(&[
        json!({"link": link, "attributes": {"customer.employee_flag": true}}),
        json!({"link": link, "attributes": {"figures": {"orders": 9}}}),
        json!({"link": link, "attributes": {"loyalty.tier": "gold"}}),
    ]);
    let report = app.import("drop/attributes/model/a.ndjson", &rows).await;
    assert_eq!(
        (&report["written"], &report["rejected"]),
        (&json!(1), &json!(2)),
        "{report}"
    );
    let rejects = app.object(report["rejects"][0].as_str().unwrap()).await;
    for line in rejects.lines() {
        let reject: Value = serde_json::from_str(line).unwrap();
        assert_eq!(reject["code"], "reserved_namespace");
        assert!(
            reject["message"]
                .as_str()
                .unwrap()
                .contains("customer_record")
        );
    }
    let profile = app.profile("ada@example.com").await;
    assert!(!has_segment(&profile, "employee"));
    assert_eq!(profile["attributes"]["loyalty"][0]["value"], "gold");
}
