//! The rules of `infra/records.md`: for each record type rows that are taken and rows that are not, through S3.
//! `RULES_TABLE=1 cargo test -p tests rules -- --nocapture` prints them as a table.

use serde_json::{Value, json};

use crate::app::TestApp;

/// What is expected of a type: rows that are stored, and rows that are rejected with this code at this field.
struct Rules {
    record_type: &'static str,
    accepted: Vec<Value>,
    rejected: Vec<(Value, &'static str, &'static str)>,
}

/// `base` with `change` laid over it; a null takes a field away.
fn with(base: &Value, change: Value) -> Value {
    let mut row = base.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            row.as_object_mut().unwrap().remove(name);
        } else {
            row[name] = value.clone();
        }
    }
    row
}

const FUTURE: &str = "2126-01-01T00:00:00Z";

fn event(
    record_type: &'static str,
    id: &'static str,
    more: Value,
    accepted: Vec<Value>,
    rejected: Vec<(Value, &'static str, &'static str)>,
) -> Rules {
    let base = with(
        &json!({"link": {"email": "rules@example.com"}, "action_at": "2026-01-02T03:04:05Z", id: "1"}),
        more,
    );
    let mut all_rejected = vec![
        (with(&base, json!({"link": null})), "missing_field", "link"),
        (
            with(&base, json!({"action_at": null})),
            "missing_field",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "yesterday"})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": FUTURE})),
            "invalid_value",
            "action_at",
        ),
        (
            with(&base, json!({"action_at": "0000-12-31T23:59:59Z"})),
            "invalid_value",
            "action_at",
        ),
        (with(&base, json!({id: null})), "missing_field", id),
        (
            with(&base, json!({id: "x".repeat(257)})),
            "invalid_value",
            id,
        ),
        (with(&base, json!({id: "a\u{1}b"})), "invalid_value", id),
        (
            with(&base, json!({"replaces_action_at": "?"})),
            "invalid_value",
            "replaces_action_at",
        ),
    ];
    all_rejected.extend(
        rejected
            .into_iter()
            .map(|(change, code, field)| (with(&base, change), code, field)),
    );
    let all_accepted =
        std::iter::once(base.clone())
            .chain([
                with(&base, json!({id: 2})),
                with(
                    &base,
                    json!({id: "3", "action_at": "2026-01-02 03:04:05+10:00"}),
                ),
                with(&base, json!({id: "4", "unknown_field": [1]})),
            ])
            .chain(accepted.into_iter().enumerate().map(|(number, change)| {
                with(&with(&base, json!({id: format!("a{number}")})), change)
            }));
    Rules {
        record_type,
        accepted: all_accepted.collect(),
        rejected: all_rejected,
    }
}

fn links() -> Rules {
    let link = |link: Value| json!({"link": link, "first_name": "A"});
    let sha = "a".repeat(64);
    Rules {
        record_type: "customer_record",
        accepted: vec![
            link(json!({"email": " Rules@Example.COM "})),
            link(json!({"email_sha256": sha})),
            link(json!({"email_md5": "b".repeat(32)})),
            link(json!({"mobile": "+61400000000"})),
            link(json!({"mobile": 61_400_000_001_u64})),
            link(json!({"customer_id": "7"})),
            link(json!({"customer_id": "7", "system_name": "pos"})),
            link(json!({"external_id": "8", "system_name": "crm"})),
            link(json!({"link_type": "email", "link_value": "legacy@example.com"})),
            link(json!({"link_type": "engage.id", "link_value": "9", "id_type": "default"})),
            json!({"link": {"mobile": "5550002"}, "employee_flag": "true", "date_of_birth": "1985-03-06", "custom_fields": {"a": 1.50, "b": null}, "updated_at": "2026-01-01"}),
        ],
        rejected: vec![
            (json!({"first_name": "A"}), "missing_field", "link"),
            (link(json!({})), "missing_field", "link"),
            (link(json!("a@b.c")), "wrong_type", "link"),
            (
                link(json!({"email": "a@b.c", "mobile": "5550001"})),
                "ambiguous_identifier",
                "link",
            ),
            (link(json!({"email": "a@b"})), "invalid_value", "link.email"),
            (
                link(json!({"email": "a b@c.d"})),
                "invalid_value",
                "link.email",
            ),
            (
                link(json!({"email": ["a@b.c"]})),
                "wrong_type",
                "link.email",
            ),
            (
                link(json!({"email_sha256": "xyz"})),
                "invalid_value",
                "link.email_sha256",
            ),
            (
                link(json!({"mobile": "0400 000"})),
                "invalid_value",
                "link.mobile",
            ),
            (
                link(json!({"external_id": "8"})),
                "missing_field",
                "link.system_name",
            ),
            (link(json!({"phone": "1"})), "unknown_field", "link.phone"),
            (
                link(json!({"customer_id": "x".repeat(257)})),
                "invalid_value",
                "link.customer_id",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "employee_flag": "perhaps"}),
                "invalid_value",
                "employee_flag",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "date_of_birth": "6 March"}),
                "invalid_value",
                "date_of_birth",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "custom_fields": "x"}),
                "wrong_type",
                "custom_fields",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "first_name": {"a": 1}}),
                "wrong_type",
                "first_name",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "updated_at": "soon"}),
                "invalid_value",
                "updated_at",
            ),
            (
                json!({"link": {"mobile": "5550001"}, "record_type": "product"}),
                "invalid_value",
                "record_type",
            ),
        ],
    }
}

fn products() -> Rules {
    Rules {
        record_type: "product",
        accepted: vec![
            json!({"product_id": "1", "price": "12.50", "images": ["https://example.com/a.svg"], "options": {"department": ["a"]}}),
            json!({"product_reference_type": "sku", "sku": "s", "availability": {"available": true, "channels_availability": [{"type": "web", "available": "false"}]}}),
            json!({"product_reference_type": "upc", "upc": 36_000_291_452_u64, "inventory": {"quantity": "-3", "cost": 0, "tracked": true}}),
        ],
        rejected: vec![
            (json!({"name": "x"}), "missing_field", "product_id"),
            (
                json!({"product_reference_type": "sku", "product_id": "1"}),
                "missing_field",
                "sku",
            ),
            (
                json!({"product_reference_type": "isbn", "product_id": "1"}),
                "invalid_value",
                "product_reference_type",
            ),
            (
                json!({"product_id": "1", "price": "$5"}),
                "invalid_value",
                "price",
            ),
            (
                json!({"product_id": "1", "images": ["ftp://example.com"]}),
                "invalid_value",
                "images[0]",
            ),
            (
                json!({"product_id": "1", "images": "https://example.com"}),
                "wrong_type",
                "images",
            ),
            (
                json!({"product_id": "1", "options": {"size": "L"}}),
                "wrong_type",
                "options.size",
            ),
            (
                json!({"product_id": "1", "availability": {}}),
                "missing_field",
                "availability.available",
            ),
            (
                json!({"product_id": "1", "inventory": {"cost": -1}}),
                "invalid_value",
                "inventory.cost",
            ),
            (
                json!({"product_id": "1", "inventory": {"quantity": 1.5}}),
                "invalid_value",
                "inventory.quantity",
            ),
        ],
    }
}

fn orders() -> [Rules; 2] {
    let line = |more: Value| with(&json!({"price_paid": "9.95", "quantity": 1}), more);
    let back = |more: Value| with(&json!({"price_paid": "-9.95", "quantity": -1}), more);
    let store = |more: Value| json!({"store": with(&json!({"type": "outlet", "name": "N"}), more)});
    let at = |latitude: Value, longitude: Value| {
        store(json!({"location": {"coordinate": {"latitude": latitude, "longitude": longitude}}}))
    };
    let thousand = vec![line(json!({})); 1_001];
    let purchase = event(
        "purchase",
        "purchase_id",
        json!({"type": "physical", "products": [line(json!({}))]}),
        vec![
            json!({"products": [line(json!({"price_paid": 0})), line(json!({"quantity": "2", "full_price": "20.00", "discount": "0.10", "product_reference": {"id": "1", "id_type": "sku"}}))]}),
            json!({"currency": "aud", "payment_types": [{"name": "visa", "total": "9.95"}], "adjustments": [{"price_adjustment": "-1", "reason": "gift"}]}),
            at(json!(-90), json!("179.999")),
            json!({"type": "ECOMMERCE", "replaces_action_at": "2026-01-01T00:00:00Z"}),
        ],
        vec![
            (json!({"type": null}), "missing_field", "type"),
            (json!({"type": "wholesale"}), "invalid_value", "type"),
            (json!({"products": null}), "missing_field", "products"),
            (
                json!({"products": {"price_paid": 1}}),
                "wrong_type",
                "products",
            ),
            (
                json!({"products": [line(json!({})), line(json!({"quantity": 0}))]}),
                "invalid_value",
                "products[1].quantity",
            ),
            (
                json!({"products": [line(json!({"quantity": 1.5}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
            (
                json!({"products": [line(json!({"price_paid": "-1"}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"price_paid": null}))]}),
                "missing_field",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"price_paid": "1,000"}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [line(json!({"product_reference": {"id_type": "sku"}}))]}),
                "missing_field",
                "products[0].product_reference.id",
            ),
            (json!({"products": thousand}), "too_many", "products"),
            (json!({"currency": "dollars"}), "invalid_value", "currency"),
            (
                json!({"payment_types": [{"total": 1}]}),
                "missing_field",
                "payment_types[0].name",
            ),
            (
                json!({"adjustments": [{}]}),
                "missing_field",
                "adjustments[0].price_adjustment",
            ),
            (
                store(json!({"type": "tent"})),
                "invalid_value",
                "store.type",
            ),
            (store(json!({"name": null})), "missing_field", "store.name"),
            (
                at(json!(90), json!(0)),
                "invalid_value",
                "store.location.coordinate.latitude",
            ),
            (
                at(json!(0), json!(180)),
                "invalid_value",
                "store.location.coordinate.longitude",
            ),
        ],
    );
    let returned = event(
        "return",
        "return_id",
        json!({"type": "ecommerce", "products": [back(json!({}))]}),
        vec![json!({"products": [back(json!({"price_paid": 0}))]})],
        vec![
            (
                json!({"products": [back(json!({"price_paid": 1}))]}),
                "invalid_value",
                "products[0].price_paid",
            ),
            (
                json!({"products": [back(json!({"quantity": 1}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
            (
                json!({"products": [back(json!({"quantity": 0}))]}),
                "invalid_value",
                "products[0].quantity",
            ),
        ],
    );
    [purchase, returned]
}

fn engagement() -> Vec<Rules> {
    let party = json!({"email": "a@example.com", "name": "A"});
    let email = |record_type| {
        event(
            record_type,
            "email_id",
            json!({}),
            vec![json!({"from": party, "to": party, "list": {"id": "1", "name": "L"}})],
            vec![
                (json!({"list": {"name": "L"}}), "missing_field", "list.id"),
                (
                    json!({"from": {"name": "A"}}),
                    "missing_field",
                    "from.email",
                ),
                (json!({"to": "a@example.com"}), "wrong_type", "to"),
            ],
        )
    };
    let sms = |record_type, more, accepted, rejected| {
        event(record_type, "sms_id", more, accepted, rejected)
    };
    let click = || {
        vec![(
            json!({"clicked_link": {"url": "javascript:alert(1)"}}),
            "invalid_value",
            "clicked_link.url",
        )]
    };
    let status = |words: &[&str]| {
        words
            .iter()
            .map(|word| json!({"status": word}))
            .collect::<Vec<_>>()
    };
    let email_words = [
        "unsubscribed",
        "transactional",
        "undeliverable",
        "SUBSCRIBED",
    ];
    vec![
        email("email_send"),
        email("email_open"),
        event(
            "email_click",
            "email_id",
            json!({}),
            vec![json!({"clicked_link": {"name": "x", "url": "https://example.com"}})],
            click(),
        ),
        email("email_bounce"),
        event(
            "email_subscribe",
            "email_id",
            json!({"status": "subscribed"}),
            status(&email_words),
            vec![
                (json!({"status": null}), "missing_field", "status"),
                (
                    json!({"status": "list_subscribed"}),
                    "invalid_value",
                    "status",
                ),
            ],
        ),
        sms(
            "sms_send",
            json!({}),
            vec![json!({"body": "Hello", "from": {"name": "A"}, "to": {"number": 61}})],
            vec![(json!({"from": "A"}), "wrong_type", "from")],
        ),
        sms(
            "sms_click",
            json!({}),
            vec![json!({"clicked_link": {"url": "http://example.com"}})],
            click(),
        ),
        sms(
            "sms_subscribe",
            json!({"status": "subscribed"}),
            status(&["list_subscribed", "list_unsubscribed"]),
            vec![(json!({"status": "maybe"}), "invalid_value", "status")],
        ),
        event(
            "message",
            "message_id",
            json!({"channel": "whatsapp", "direction": "inbound"}),
            vec![
                json!({"account": {"id": "1", "name": "A"}, "author": {"handle": "@a"}, "body": "x", "attachments": [{"url": "https://example.com/a.png", "type": "image"}], "state": "open"}),
            ],
            vec![
                (json!({"channel": null}), "missing_field", "channel"),
                (
                    json!({"direction": "sideways"}),
                    "invalid_value",
                    "direction",
                ),
                (
                    json!({"account": {"id": "1"}}),
                    "missing_field",
                    "account.name",
                ),
                (
                    json!({"attachments": [{"type": "image"}]}),
                    "missing_field",
                    "attachments[0].url",
                ),
                (
                    json!({"author": {"avatar_url": "x"}}),
                    "invalid_value",
                    "author.avatar_url",
                ),
            ],
        ),
    ]
}

fn others() -> [Rules; 2] {
    let link = json!({"mobile": "5550003"});
    let attributes = |attributes: Value| json!({"link": link, "attributes": attributes});
    let records = |records: Value| json!({"records": records});
    let nine: Vec<_> = (0..9)
        .map(|number| json!({"mobile": format!("555{number:04}")}))
        .collect();
    [
        Rules {
            record_type: "attributes",
            accepted: vec![
                attributes(
                    json!({"loyalty.tier": "gold", "loyalty.points": {"value": 120, "confidence": "1.5"}}),
                ),
                attributes(
                    json!({"interests": {"knitwear": true, "denim": {"value": false, "confidence": 0}}}),
                ),
                with(
                    &attributes(json!({"segments.vip": true})),
                    json!({"updated_at": "2026-01-01T00:00:00Z"}),
                ),
            ],
            rejected: vec![
                (json!({"link": link}), "missing_field", "attributes"),
                (attributes(json!({})), "invalid_value", "attributes"),
                (
                    attributes(json!({"tier": "gold"})),
                    "invalid_value",
                    "attributes.tier",
                ),
                (
                    attributes(json!({"a.b": {"confidence": 1}})),
                    "missing_field",
                    "attributes.a.b",
                ),
                (
                    attributes(json!({"a.b": {"value": 1, "confidence": 3}})),
                    "invalid_value",
                    "attributes.a.b.confidence",
                ),
                (
                    attributes(json!({"a.b": {"value": 1, "x": 3}})),
                    "unknown_field",
                    "attributes.a.b.x",
                ),
            ],
        },
        Rules {
            record_type: "unify",
            accepted: vec![
                records(json!([{"mobile": "5550004"}, {"mobile": "5550005"}])),
                with(
                    &records(json!([{"mobile": "5550004"}, {"link": {"customer_id": "7"}}])),
                    json!({"unlink": "true"}),
                ),
            ],
            rejected: vec![
                (json!({}), "missing_field", "records"),
                (
                    records(json!([{"mobile": "5550004"}])),
                    "invalid_value",
                    "records",
                ),
                (records(json!(nine)), "invalid_value", "records"),
                (
                    records(json!([{"mobile": "5550004"}, {"mobile": "+5550004"}])),
                    "invalid_value",
                    "records",
                ),
                (
                    records(json!([{"mobile": "5550004"}, {"email": "x"}])),
                    "invalid_value",
                    "records[1].email",
                ),
                (
                    with(
                        &records(json!([{"mobile": "5550004"}, {"mobile": "5550005"}])),
                        json!({"unlink": 1}),
                    ),
                    "wrong_type",
                    "unlink",
                ),
            ],
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_of_every_record_type() {
    let app = TestApp::start().await;
    let print = std::env::var_os("RULES_TABLE").is_some();
    let all: Vec<Rules> = [links(), products()]
        .into_iter()
        .chain(orders())
        .chain(engagement())
        .chain(others())
        .collect();
    for rules in all {
        let name = rules.record_type;
        let rows: Vec<&Value> = rules
            .accepted
            .iter()
            .chain(rules.rejected.iter().map(|(row, ..)| row))
            .collect();
        let file: String = rows.iter().map(|row| format!("{row}\n")).collect();
        let report = app
            .import(&format!("drop/{name}/rules/a.ndjson"), &file)
            .await;
        let rejects = match report["rejects"][0].as_str() {
            Some(key) => app.object(key).await,
            None => String::new(),
        };
        let found: Vec<Value> = rejects
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let expected: Vec<(usize, &str, &str)> = rules
            .rejected
            .iter()
            .enumerate()
            .map(|(number, (_, code, field))| (rules.accepted.len() + number + 1, *code, *field))
            .collect();
        let found_faults: Vec<(usize, &str, &str)> = found
            .iter()
            .map(|reject| {
                (
                    reject["line"].as_u64().unwrap() as usize,
                    reject["code"].as_str().unwrap(),
                    reject["field"].as_str().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(found_faults, expected, "{name}");
        for (reject, (row, ..)) in found.iter().zip(&rules.rejected) {
            assert_eq!(&reject["record"], row);
            assert!(
                reject["message"].as_str().unwrap().contains("expected "),
                "{reject}"
            );
        }
        assert_eq!(report["written"], rules.accepted.len(), "{name}");
        if print {
            let codes: std::collections::BTreeMap<&str, Vec<&str>> =
                rules
                    .rejected
                    .iter()
                    .fold(Default::default(), |mut codes, (_, code, field)| {
                        codes.entry(*code).or_insert_with(Vec::new).push(*field);
                        codes
                    });
            let codes: Vec<_> = codes
                .iter()
                .map(|(code, fields)| format!("`{code}`: {}", fields.join(", ")))
                .collect();
            println!(
                "| {name} | {} | {} | {} |",
                rules.accepted.len(),
                rules.rejected.len(),
                codes.join("; ")
            );
        }
    }
}
